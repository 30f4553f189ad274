//! Ten failed originals earn a ban of 30 minutes (facts: Pipedrive, Delivery policy).

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Receiver, Subscribed, World};

const BAN_MS: i64 = 30 * 60 * 1000;

/// A world with a webhook for a receiver that answers 500, and `originals` failures behind it.
async fn after_failures(originals: usize) -> (World, Receiver, Value) {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.answers(500);
    let webhook = world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    for entity in 0..originals {
        world.report(json!({"entity_id": format!("before {entity}")})).await;
    }
    world.settle().await;
    (world, receiver, webhook)
}

async fn is_active(world: &World) -> Value {
    world.webhooks(&world.owner().await).await[0]["is_active"].clone()
}

/// When a POST about this entity began, in milliseconds.
fn times_of(receiver: &Receiver, entity: &str) -> Vec<i64> {
    let posts = receiver.received();
    let of_entity = posts.iter().zip(receiver.times());
    of_entity.filter(|(post, _)| post.json()["meta"]["entity_id"] == entity).map(|(_, at)| at).collect()
}

#[tokio::test]
async fn nine_failed_originals_ban_nobody_however_many_retries_fail() {
    let (world, receiver, webhook) = after_failures(9).await;
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), 9 * 4);
    assert_eq!(world.health(&webhook).await["strikes"], 9);
    assert_eq!(is_active(&world).await, 1);
}

#[tokio::test]
async fn the_tenth_bans_at_once_and_the_end_of_the_ban_brings_the_counter_to_0() {
    let (world, receiver, webhook) = after_failures(10).await;
    let health = world.health(&webhook).await;
    assert_eq!(health["strikes"], 10);
    assert_eq!(
        health["banned_until"].as_i64().zip(health["banned_from"].as_i64()).map(|(u, f)| u - f),
        Some(BAN_MS)
    );
    assert_eq!(is_active(&world).await, 0);
    world.run_for(Duration::from_millis(BAN_MS.unsigned_abs() - 1)).await;
    assert_eq!(is_active(&world).await, 0);
    world.run_for(Duration::from_millis(1)).await;
    assert_eq!(is_active(&world).await, 1);
    assert_eq!(receiver.received().len(), 10 * 4, "retries run on their schedule during the ban");

    world.report(json!({"entity_id": "after"})).await;
    world.settle().await;
    assert_eq!(times_of(&receiver, "after"), [BAN_MS]);
    assert_eq!(world.health(&webhook).await["strikes"], 1);
}

#[tokio::test]
async fn what_happens_during_the_ban_is_recorded_as_dropped_and_never_sent() {
    let (world, receiver, webhook) = after_failures(10).await;
    receiver.answers(200);
    world.report(json!({"entity_id": "at its begin"})).await;
    world.run_for(Duration::from_millis(BAN_MS.unsigned_abs() - 1)).await;
    world.report(json!({"entity_id": "at its end"})).await;
    world.settle().await;
    world.run_to_rest().await;

    assert!(times_of(&receiver, "at its begin").is_empty() && times_of(&receiver, "at its end").is_empty());
    let attempts = world.attempts(&webhook).await;
    let dropped: Vec<_> = attempts.iter().filter(|attempt| attempt["state"] == "dropped").collect();
    assert_eq!(dropped.iter().map(|attempt| &attempt["dropped"]).collect::<Vec<_>>(), ["banned"; 2]);
    let entities: Vec<_> = dropped.iter().map(|attempt| attempt["about"]["entity"].clone()).collect();
    assert_eq!(entities, ["at its begin", "at its end"]);
}

#[tokio::test]
async fn an_original_that_was_accepted_before_the_ban_waits_for_its_end() {
    let (Subscribed { world, receiver, webhook, .. }, waits) =
        Subscribed::with_an_original_from_before_its_ban().await;
    assert_eq!(is_active(&world).await, 0);
    receiver.answers(200);
    world.send_message("DeliveriesQueue", &waits);
    world.run_to_rest_with_every_message_twice().await;

    assert_eq!(times_of(&receiver, "waits"), [1_000 + BAN_MS], "once, however often its messages come");
    let attempts = world.attempts(&webhook).await;
    assert_eq!(attempts[0]["state"], "succeeded");
    assert!(!attempts.iter().any(|attempt| attempt["state"] == "dropped"));
}

#[tokio::test]
async fn ten_failures_in_one_batch_are_ten_strikes_and_eleven_are_no_more() {
    for (originals, messages_twice) in [(10, false), (11, false), (10, true), (9, true)] {
        let world = World::new().await;
        let receiver = world.receiver().await;
        receiver.answers(500);
        let webhook = world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
        for _ in 0..originals {
            world.report(json!({})).await;
        }
        if messages_twice {
            world.run_to_rest_with_every_message_twice().await;
        } else {
            world.run_to_rest().await;
        }
        let health = world.health(&webhook).await;
        assert_eq!(health["strikes"], originals.min(10), "{originals} {messages_twice}");
        assert_eq!(health["banned_until"].is_null(), originals < 10);
    }
}

#[tokio::test]
async fn a_success_does_not_reset_the_counter() {
    let (world, receiver, webhook) = after_failures(9).await;
    receiver.answers(200);
    world.report(json!({"entity_id": "fine"})).await;
    world.run_to_rest().await;
    assert_eq!(world.health(&webhook).await["strikes"], 9);
    receiver.answers(500);
    world.report(json!({"entity_id": "tenth"})).await;
    world.settle().await;
    assert_eq!(is_active(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_attempts_that_fail_together_leave_ten_strikes_and_one_ban_and_none_is_lost() {
    let (world, receiver, webhook) = after_failures(0).await;
    for entity in 0..200 {
        world.report(json!({"entity_id": entity})).await;
    }
    while !world.pump("EventsQueue").await.is_empty() {}
    // They were all accepted before the ban.
    world.clock.advance(Duration::from_secs(1));
    let begin = tests::START.as_ms() + 1_000;
    let mut invocations = Vec::new();
    loop {
        let batch = world.receive("DeliveriesQueue");
        if batch.is_empty() {
            break;
        }
        let world = world.clone();
        invocations.push(tokio::spawn(async move { world.invoke("DeliveriesQueue", &batch).await }));
    }
    for invocation in invocations {
        assert!(invocation.await.expect("it ends").is_empty(), "an attempt that was made has to come again");
    }
    // Whoever came to the gate after the ban had begun waits for its end.
    let made = receiver.received().len();
    let originals = world.attempts(&webhook).await;
    let waiting = originals.iter().filter(|original| original["due"] == begin + BAN_MS).count();
    assert!(made >= 10);
    assert_eq!(made + waiting, 200);
    let health = world.health(&webhook).await;
    assert_eq!((&health["strikes"], health["banned_from"].as_i64()), (&json!(10), Some(begin)));
    assert_eq!(world.depth("RetriesQueue"), made, "each has its retry");
    receiver.answers(200);
    world.run_to_rest().await;
    let delivered: std::collections::BTreeSet<_> =
        receiver.received().iter().map(|post| post.json()["meta"]["entity_id"].to_string()).collect();
    assert_eq!(delivered.len(), 200);
}
