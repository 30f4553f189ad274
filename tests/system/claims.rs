//! Messages that come twice, get lost or meet handlers that die: one chain of attempts, one strike, nothing forgotten.

use std::time::Duration;

use knockback::{
    domain::{AttemptNumber, AttemptState, Policies, Timestamp},
    store::{AttemptKey, Claim},
};
use serde_json::{Value, json};
use tests::{Receiver, START, Subscribed, World};

const CHAIN: [i64; 4] = [0, 3_000, 33_000, 183_000];

/// Four failed attempts and one strike are kept, and nothing waits.
async fn check_one_chain(world: &World, webhook: &Value) {
    let attempts = world.attempts(webhook).await;
    assert_eq!(attempts.iter().map(|a| a["state"].clone()).collect::<Vec<_>>(), ["failed"; 4]);
    assert_eq!(world.health(webhook).await["strikes"], 1);
    assert_eq!((world.depth("RetriesQueue"), world.depth("DeliveriesDlq")), (0, 0));
}

#[tokio::test]
async fn with_every_message_twice_a_failing_receiver_still_gets_one_chain_and_one_strike() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(500).await;
    world.report(json!({})).await;
    world.run_to_rest_with_every_message_twice().await;
    assert_eq!(receiver.times(), CHAIN);
    check_one_chain(&world, &webhook).await;
}

#[tokio::test]
async fn two_handlers_with_a_copy_each_of_a_failing_original_still_make_one_chain_and_one_strike() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(500).await;
    world.report(json!({})).await;
    world.pump("EventsQueue").await;
    let original = world.receive("DeliveriesQueue");
    world.send_message("DeliveriesQueue", &original[0].body);
    let copy = world.receive("DeliveriesQueue");
    tokio::join!(world.invoke("DeliveriesQueue", &original), world.invoke("DeliveriesQueue", &copy));
    let originals = receiver.received().len();
    assert!((1..=2).contains(&originals), "an original has no claim: both may POST");
    world.run_to_rest().await;

    assert_eq!(receiver.times()[originals..], CHAIN[1..]);
    check_one_chain(&world, &webhook).await;
}

/// On threads, so that several handlers read the attempt as waiting before one of them claims it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_retry_is_made_by_one_of_many_handlers_with_a_copy_each() {
    const EVENTS: usize = 40;
    let nobody_is_banned = Policies::default().with("pipedrive.strikes=1000").unwrap();
    let world = World::with(nobody_is_banned, None).await;
    let receiver = world.receiver().await;
    receiver.answers(500);
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    for entity in 0..EVENTS {
        world.report(json!({"entity_id": entity})).await;
    }
    world.settle().await;
    world.clock.advance(Duration::from_secs(3));
    let mut handlers = Vec::new();
    for _ in 0..EVENTS / 10 {
        for retry in world.receive("RetriesQueue") {
            for _ in 0..8 {
                let (world, copy) = (world.clone(), [retry.clone()]);
                handlers.push(tokio::spawn(async move { world.invoke("RetriesQueue", &copy).await }));
            }
        }
    }
    for handler in handlers {
        handler.await.expect("it ends");
    }
    let retries = receiver.received().iter().filter(|post| post.json()["meta"]["attempt"] == 2).count();
    assert_eq!(retries, EVENTS);
}

#[tokio::test]
async fn a_success_is_not_posted_again_when_its_message_comes_again() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(500).await;
    receiver.answers(200);
    world.report(json!({})).await;
    world.pump("EventsQueue").await;
    let original = world.receive("DeliveriesQueue");
    // Whoever has them dies right after: they come again after the visibility timeout.
    assert!(world.invoke("DeliveriesQueue", &original).await.is_empty());
    world.run_to_rest().await;
    world.send_message("DeliveriesQueue", &original[0].body);
    world.run_to_rest().await;
    assert_eq!(receiver.times(), [0]);
    assert_eq!(world.attempts(&webhook).await[0]["state"], "succeeded");
}

#[tokio::test]
async fn a_handler_that_dies_after_each_message_changes_nothing() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(500).await;
    world.report(json!({})).await;
    // Each message is handled once without being deleted, and later again.
    let mut died_with = std::collections::HashSet::new();
    for _ in 0..2_000 {
        let mut moved = false;
        for queue in ["EventsQueue", "DeliveriesQueue", "RetriesQueue"] {
            let messages = world.receive(queue);
            moved |= !messages.is_empty();
            let failed = world.invoke(queue, &messages).await;
            let seen = |message: &local::aws::sqs::Received| died_with.contains(&message.message_id);
            let done: Vec<_> = messages.iter().filter(|m| seen(m) && !failed.contains(m)).cloned().collect();
            world.delete(queue, &done);
            died_with.extend(messages.iter().map(|message| message.message_id));
        }
        if !moved && !world.advance_to_next_change().await {
            break;
        }
    }
    assert_eq!(receiver.times(), CHAIN);
    check_one_chain(&world, &webhook).await;
}

#[tokio::test]
async fn an_alarm_that_was_lost_is_set_again_by_the_message_before_it() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(500).await;
    world.report(json!({})).await;
    world.pump("EventsQueue").await;
    let original = world.receive("DeliveriesQueue");
    world.invoke("DeliveriesQueue", &original).await;
    // The failure is written; its alarm never got there.
    world.clock.advance(Duration::from_secs(3));
    let lost = world.receive("RetriesQueue");
    assert_eq!(lost.len(), 1);
    world.delete("RetriesQueue", &lost);
    world.run_to_rest().await;

    // The original comes again after its visibility timeout of 180 s, and finds the retry overdue.
    assert_eq!(receiver.times(), [0, 180_000, 210_000, 360_000]);
    check_one_chain(&world, &webhook).await;
}

#[tokio::test]
async fn an_attempt_whose_handler_died_in_the_middle_is_taken_over_when_its_lease_ends() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(500).await;
    world.report(json!({})).await;
    world.run_for(Duration::from_secs(2)).await;
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.receive("RetriesQueue").len(), 1, "the handler that is to die has the message");
    let key = key(&receiver, &webhook, 2);
    let waiting = AttemptState::Waiting { due: START + Duration::from_secs(3), held: false };
    let store = &world.system.context.store;
    let claim = store.claim(&key, &waiting, "whoever dies", world.system.context.now()).await;
    assert_eq!(claim.expect("an answer"), Claim::Claimed);
    world.run_to_rest().await;

    assert_eq!(receiver.times(), [0, 183_000, 213_000, 363_000]);
    check_one_chain(&world, &webhook).await;
}

fn key(receiver: &Receiver, webhook: &Value, number: u32) -> AttemptKey {
    let id = receiver.received()[0].header("webhook-id").expect("an id").to_owned();
    AttemptKey {
        company: "1".parse().expect("an id"),
        webhook: webhook["id"].to_string().parse().expect("an id"),
        delivery: id.parse().expect("an id"),
        number: AttemptNumber::new(number).expect("from 1"),
    }
}

#[tokio::test]
async fn a_message_that_rings_early_starts_nothing() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(500).await;
    world.report(json!({})).await;
    world.run_for(Duration::from_secs(2)).await;
    let key = key(&receiver, &webhook, 2);
    let due = |at: Timestamp| at.as_ms();
    for at in [START, START + Duration::from_secs(3), START + Duration::from_mins(1)] {
        let alarm = json!({"v": 1, "company": "1", "webhook": webhook["id"], "delivery": key.delivery.to_string(),
            "attempt": 2, "due": due(at), "accepted_at": START.as_ms(), "event_id": "unknown"});
        world.send_message("RetriesQueue", &alarm.to_string());
    }
    world.settle().await;
    assert_eq!(receiver.times(), [0]);
    // Attempts that nobody has decided on are not made, whoever asks for them.
    let wild = json!({"v": 1, "company": "1", "webhook": webhook["id"], "delivery": key.delivery.to_string(),
        "attempt": 3, "due": due(START), "accepted_at": START.as_ms(), "event_id": "unknown"});
    world.send_message("RetriesQueue", &wild.to_string());
    world.settle().await;
    assert_eq!(receiver.times(), [0]);
}

#[tokio::test]
async fn a_delete_ends_the_retries_that_wait_and_says_so() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(500).await;
    world.report(json!({})).await;
    world.run_for(Duration::from_secs(2)).await;
    assert_eq!(world.unsubscribe(&world.owner().await, &webhook).await.status, 200);
    world.run_to_rest().await;
    assert_eq!(receiver.times(), [0]);
    let attempts = world.attempts(&webhook).await;
    assert_eq!((&attempts[1]["state"], &attempts[1]["dropped"]), (&json!("dropped"), &json!("removed")));
    assert_eq!(attempts.len(), 2);
}

#[tokio::test]
async fn a_delete_ends_the_originals_that_are_queued_and_says_so() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(500).await;
    world.report(json!({})).await;
    world.pump("EventsQueue").await;
    assert_eq!(world.depth("DeliveriesQueue"), 1);
    assert_eq!(world.unsubscribe(&world.owner().await, &webhook).await.status, 200);
    world.run_to_rest().await;
    assert!(receiver.received().is_empty());
    let attempts = world.attempts(&webhook).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!((&attempts[0]["state"], &attempts[0]["dropped"]), (&json!("dropped"), &json!("removed")));
}
