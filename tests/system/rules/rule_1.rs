//! Every accepted event that matches an active, unbanned webhook is attempted at least once, or its drop is recorded.

use std::{collections::BTreeSet, time::Duration};

use axum::http::Method;
use serde_json::{Value, json};
use tests::{Receiver, Subscribed, World};

/// What becomes of webhooks on the way, by what their receivers answer.
const STATUSES: [u16; 4] = [200, 500, 500, 200];

/// The entities of the deliveries that have an original attempt with an end, or a recorded drop; of those with an end, the
/// receiver must have had a POST.
async fn accounted_for(world: &World, webhook: &Value, receiver: &Receiver) -> BTreeSet<String> {
    let posted: BTreeSet<String> =
        receiver.received().iter().map(|post| text(&post.json()["meta"]["entity_id"])).collect();
    let attempts = world.attempts(webhook).await;
    let originals =
        attempts.iter().filter(|attempt| attempt["sk"].as_str().is_some_and(|sk| sk.ends_with("#01")));
    originals
        .map(|attempt| {
            let entity = text(&attempt["about"]["entity"]);
            match attempt["state"].as_str() {
                Some("succeeded" | "failed") => assert!(posted.contains(&entity), "{attempt} was not POSTed"),
                Some("dropped") => assert!(attempt["dropped"].is_string()),
                _ => panic!("{attempt} is not over"),
            }
            entity
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Reports 60 events over time to four webhooks: one is well, one is banned, one is switched off and on again, one is deleted.
/// After each portion `deliver` does what can be done.
async fn check(deliver: impl AsyncFn(&World)) {
    let world = World::new().await;
    let owner = world.owner().await;
    let mut hooks = Vec::new();
    for status in STATUSES {
        let receiver = world.receiver().await;
        receiver.answers(status);
        let webhook = world.subscribe(&owner, &receiver.url(), json!({})).await;
        hooks.push((receiver, webhook, BTreeSet::new()));
    }
    let path = |webhook: &Value| format!("/v1/webhooks/{}", webhook["id"]);
    for portion in 0..12 {
        let switch = match portion {
            4 => Some(json!({"is_active": false})),
            6 => Some(json!({"is_active": true})),
            _ => None,
        };
        if let Some(change) = switch {
            world.call(Method::PATCH, &path(&hooks[2].1), &owner, change.to_string()).await;
        }
        if portion == 8 {
            world.unsubscribe(&owner, &hooks[3].1).await;
        }
        for event in 0..5 {
            let entity = format!("{portion}-{event}");
            world.report(json!({"entity_id": entity})).await;
            for (index, (_, _, expected)) in hooks.iter_mut().enumerate() {
                let subscribed = match index {
                    2 => !(4..6).contains(&portion),
                    3 => portion < 8,
                    _ => true,
                };
                if subscribed {
                    expected.insert(entity.clone());
                }
            }
            // Those that were accepted before a switch must be matched before it too.
            if event == 4 {
                deliver(&world).await;
            }
        }
        world.clock.advance(Duration::from_secs(20));
    }
    world.run_to_rest().await;
    for (receiver, webhook, expected) in &hooks {
        assert_eq!(&accounted_for(&world, webhook, receiver).await, expected, "{webhook}");
    }
    let health = world.health(&hooks[1].1).await;
    assert!(health["banned_until"].is_i64(), "one of them was banned on the way");
}

#[tokio::test]
async fn rule_1_holds_while_webhooks_are_banned_switched_off_and_deleted() {
    check(async |world| world.settle().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_1_holds_with_every_message_three_times_at_once() {
    check(async |world| {
        for queue in ["EventsQueue", "DeliveriesQueue", "RetriesQueue"] {
            world.pump_at_once(queue, 3).await;
        }
    })
    .await;
}

#[tokio::test]
async fn rule_1_holds_for_an_event_that_was_reported_twice_with_its_id() {
    let Subscribed { world, receiver, webhook, .. } = Subscribed::answering(200).await;
    for _ in 0..2 {
        world.report(json!({"id": "e-1", "entity_id": "1"})).await;
    }
    world.run_to_rest_with_every_message_twice().await;
    assert_eq!(accounted_for(&world, &webhook, &receiver).await.len(), 1);
    assert_eq!(receiver.received().len(), 1, "a repeat is no second delivery");
}
