//! What was answered counts from then on, however far indexes are behind (design: What must always hold, 5).

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Receiver, World};

/// A world whose indexes lag by much more than anything here takes, with a webhook.
async fn lagging() -> (World, Receiver, Value) {
    let world = World::new().await;
    world.system.aws.tables.set_index_lag(Duration::from_secs(30)).expect("lag");
    let receiver = world.receiver().await;
    let webhook = world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    (world, receiver, webhook)
}

/// Deletes the webhook; nothing more arrives.
async fn check_nothing_after_the_delete(world: &World, receiver: &Receiver, webhook: &Value) {
    let before = receiver.received().len();
    assert_eq!(world.unsubscribe(&world.owner().await, webhook).await.status, 200);
    world.report(json!({"entity_id": "after"})).await;
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), before);
    assert_eq!((world.depth("EventsDlq"), world.depth("DeliveriesDlq")), (0, 0));
}

#[tokio::test]
async fn an_event_right_after_the_201_is_delivered_and_one_right_after_the_deletes_200_is_not() {
    let (world, receiver, webhook) = lagging().await;
    world.report(json!({})).await;
    world.settle().await;
    assert_eq!(receiver.times(), [0]);
    check_nothing_after_the_delete(&world, &receiver, &webhook).await;
}

#[tokio::test]
async fn an_event_that_is_on_its_way_to_fan_out_when_its_webhook_is_deleted_is_not_delivered() {
    let (world, receiver, webhook) = lagging().await;
    world.report(json!({})).await;
    assert_eq!(world.depth("EventsQueue"), 1);
    check_nothing_after_the_delete(&world, &receiver, &webhook).await;
    assert_eq!(world.attempts(&webhook).await, [json!(null); 0], "fan-out found no route");
}

#[tokio::test]
async fn a_delivery_that_is_queued_when_its_webhook_is_deleted_is_not_attempted() {
    let (world, receiver, webhook) = lagging().await;
    world.report(json!({})).await;
    world.pump("EventsQueue").await;
    assert_eq!(world.depth("DeliveriesQueue"), 1);
    check_nothing_after_the_delete(&world, &receiver, &webhook).await;
    assert_eq!(world.attempts(&webhook).await[0]["dropped"], "removed");
}

#[tokio::test]
async fn a_retry_that_waits_when_its_webhook_is_deleted_is_not_attempted() {
    let (world, receiver, webhook) = lagging().await;
    receiver.answers(500);
    world.report(json!({})).await;
    world.settle().await;
    assert_eq!((receiver.times(), world.depth("RetriesQueue")), (vec![0], 1));
    check_nothing_after_the_delete(&world, &receiver, &webhook).await;
    assert_eq!(world.attempts(&webhook).await[1]["dropped"], "removed");
}
