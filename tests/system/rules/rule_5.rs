//! Once a caller's delete is answered, no attempt starts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::http::StatusCode;
use serde_json::{Value, json};
use tests::{Receiver, Subscribed, World};

/// What is queued, delayed and waiting for the webhook by now is given to as many handlers at once as there are messages,
/// each in several copies; nothing of it is attempted.
async fn check_nothing_starts(world: &World, receiver: &Receiver) {
    let before = receiver.received().len();
    for queue in ["EventsQueue", "DeliveriesQueue", "RetriesQueue"] {
        world.pump_at_once(queue, 3).await;
    }
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), before);
}

async fn delete(world: &World, owner: &str, webhook: &Value) {
    assert_eq!(world.unsubscribe(owner, webhook).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_5_holds_for_what_is_queued_and_what_waits() {
    let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(500).await;
    for entity in 0..5 {
        world.report(json!({"entity_id": format!("retried {entity}")})).await;
    }
    world.settle().await;
    world.run_for(Duration::from_secs(3)).await;
    for entity in 0..5 {
        world.report(json!({"entity_id": format!("queued {entity}")})).await;
    }
    world.pump("EventsQueue").await;
    world.report(json!({"entity_id": "not matched yet"})).await;
    delete(&world, &owner, &webhook).await;
    world.report(json!({"entity_id": "too late"})).await;
    check_nothing_starts(&world, &receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_5_holds_for_what_a_ban_delays() {
    let (Subscribed { world, receiver, webhook, owner }, waits) =
        Subscribed::with_an_original_from_before_its_ban().await;
    world.send_message("DeliveriesQueue", &waits);
    world.run_for(Duration::from_mins(20)).await;
    delete(&world, &owner, &webhook).await;
    check_nothing_starts(&world, &receiver).await;
}

/// On threads: deliveries are under way while the delete is made. What has begun before the answer may arrive; what is taken
/// from a queue after it may not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_5_holds_while_deliveries_are_under_way() {
    for _ in 0..10 {
        let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(200).await;
        for entity in 0..60 {
            world.report(json!({"entity_id": entity})).await;
        }
        while !world.pump("EventsQueue").await.is_empty() {}
        let deleted = Arc::new(AtomicBool::new(false));
        let handler = {
            let (world, deleted) = (world.clone(), Arc::clone(&deleted));
            tokio::spawn(async move {
                loop {
                    let (is_deleted, before) = (deleted.load(Ordering::SeqCst), receiver.received().len());
                    if world.pump("DeliveriesQueue").await.is_empty() {
                        return receiver;
                    }
                    let posts = receiver.received().len() - before;
                    assert!(!is_deleted || posts == 0, "{posts} were made after the answer");
                }
            })
        };
        delete(&world, &owner, &webhook).await;
        deleted.store(true, Ordering::SeqCst);
        let receiver = handler.await.expect("it ends");
        check_nothing_starts(&world, &receiver).await;
    }
}
