//! A delivery has one chain of retries, however often its messages are duplicated. No attempt starts early.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tests::{Receiver, Subscribed, World};

/// The delays before the second, third and fourth attempt, in milliseconds.
const DELAYS: [i64; 3] = [3_000, 30_000, 150_000];

/// Of each delivery there is one of each retry, none earlier than its delay after the attempt before, and four attempts are
/// kept.
async fn check(world: &World, receiver: &Receiver, webhook: &Value, deliveries: usize) {
    let mut posts: BTreeMap<String, BTreeMap<u64, Vec<i64>>> = BTreeMap::new();
    for (post, at) in receiver.received().iter().zip(receiver.times()) {
        let number = post.json()["meta"]["attempt"].as_u64().expect("a number");
        let delivery = post.header("webhook-id").expect("an id").to_owned();
        posts.entry(delivery).or_default().entry(number).or_default().push(at);
    }
    assert_eq!(posts.len(), deliveries);
    for attempts in posts.values() {
        assert_eq!(attempts.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
        for (number, delay) in (2..).zip(DELAYS) {
            let (before, retries) = (&attempts[&(number - 1)], &attempts[&number]);
            assert_eq!(retries.len(), 1, "attempt {number} was made more than once");
            assert!(
                retries[0] >= before.iter().min().expect("an attempt") + delay,
                "attempt {number} was early"
            );
        }
    }
    let kept = world.attempts(webhook).await;
    assert_eq!(kept.len(), 4 * deliveries);
    assert!(kept.iter().all(|attempt| attempt["state"] == "failed" && attempt.get("wake_at").is_none()));
    assert_eq!((world.depth("RetriesQueue"), world.depth("DeliveriesDlq")), (0, 0));
}

#[tokio::test]
async fn rule_4_holds_with_every_message_twice() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(500).await;
    for entity in 0..5 {
        world.report(json!({"entity_id": entity})).await;
    }
    world.run_to_rest_with_every_message_twice().await;
    assert_eq!(receiver.received().len(), 5 * 4);
    check(&world, &receiver, &webhook, 5).await;
}

/// On threads: copies of originals may all be posted, for nothing claims them; of retries, one is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_4_holds_with_eight_copies_of_every_message_at_once() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(500).await;
    for entity in 0..9 {
        world.report(json!({"entity_id": entity})).await;
    }
    world.pump_at_once("EventsQueue", 8).await;
    world.pump_at_once("DeliveriesQueue", 8).await;
    for _ in 0..3 {
        assert!(world.advance_to_next_change().await);
        world.pump_at_once("RetriesQueue", 8).await;
    }
    world.run_to_rest().await;
    check(&world, &receiver, &webhook, 9).await;
}

#[tokio::test]
async fn rule_4_holds_when_each_message_for_a_retry_is_lost() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(500).await;
    world.report(json!({})).await;
    world.settle().await;
    for (attempts, delay) in (1..).zip(DELAYS) {
        world.clock.advance(Duration::from_millis(delay.unsigned_abs()));
        let lost = world.receive("RetriesQueue");
        world.delete("RetriesQueue", &lost);
        assert_eq!((lost.len(), receiver.received().len()), (1, attempts));
        // The sweeper finds what is overdue.
        while receiver.received().len() == attempts {
            assert!(world.advance_to_next_change().await, "it is forgotten");
            world.settle().await;
        }
    }
    world.run_to_rest().await;
    check(&world, &receiver, &webhook, 1).await;
}
