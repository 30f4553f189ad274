//! Events that come over EventBridge.

use std::time::Duration;

use aws_sdk_eventbridge::{Client, types::PutEventsRequestEntry};
use local::aws::connector::sdk_config;
use serde_json::{Value, json};
use tests::World;

fn deal(more: &Value) -> Value {
    let mut detail = json!({"company_id": "1", "object": "deal", "action": "create", "entity_id": "8",
        "data": {"id": 8}});
    for (name, value) in more.as_object().into_iter().flatten() {
        detail[name] = value.clone();
    }
    detail
}

/// Puts an event on the bus; answers with the id that EventBridge gave it.
pub(crate) async fn put(world: &World, detail_type: &str, detail: &Value) -> String {
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name("knockback-events")
        .source("platform.example")
        .detail_type(detail_type)
        .detail(detail.to_string())
        .build();
    let client = Client::new(&sdk_config(&world.system.aws));
    let answer = client.put_events().entries(entry).send().await.expect("an answer");
    assert_eq!(answer.failed_entry_count(), 0, "{answer:?}");
    answer.entries()[0].event_id().expect("an id").to_owned()
}

#[tokio::test]
async fn an_event_on_the_bus_is_delivered_with_the_id_and_time_of_its_envelope() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    let id = put(&world, "webhook.event", &deal(&json!({}))).await;
    world.run_to_rest().await;

    let posts = receiver.received();
    assert_eq!(posts.len(), 1);
    let meta = &posts[0].json()["meta"];
    assert_eq!(meta["id"], id.as_str());
    assert_eq!(meta["timestamp"], "2026-01-01T00:00:00.000Z");
    assert_eq!(meta["host"], "knockback.test");
}

#[tokio::test]
async fn the_platforms_own_id_counts_on_the_bus_too() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    world.report(json!({"id": "e-1"})).await;
    put(&world, "webhook.event", &deal(&json!({"id": "e-1"}))).await;
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn what_else_is_on_the_bus_is_none_of_ours() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    put(&world, "webhook.banned", &deal(&json!({}))).await;
    assert_eq!(world.depth("EventsQueue"), 0);
    world.run_to_rest().await;
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn the_same_envelope_twice_is_one_delivery() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    put(&world, "webhook.event", &deal(&json!({}))).await;
    let envelope = world.pump("EventsQueue").await.remove(0);
    world.run_for(Duration::from_secs(5)).await;
    world.send_message("EventsQueue", &envelope.body);
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn malformed_and_oversized_events_end_in_the_dlq_after_5_receives_and_block_nobody() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    let bad = [
        json!({}),
        deal(&json!({"action": "explode"})),
        deal(&json!({"company_id": "a#b"})),
        deal(&json!({"data": "text"})),
        deal(&json!({"data": {"text": "x".repeat(256 * 1024)}})),
    ];
    for detail in &bad {
        put(&world, "webhook.event", detail).await;
    }
    put(&world, "webhook.event", &deal(&json!({}))).await;
    for body in ["not JSON", "{}", "[]", r#"{"v":1,"event":{}}"#, r#"{"detail-type":"webhook.event"}"#] {
        world.send_message("EventsQueue", body);
    }
    world.settle().await;
    assert_eq!(receiver.received().len(), 1, "the good one does not wait for the bad ones");

    world.run_to_rest().await;
    assert_eq!((world.depth("EventsQueue"), world.depth("EventsDlq")), (0, bad.len() + 5));
    assert_eq!(receiver.received().len(), 1);
    let wanted = |item: &Value| item["pk"].as_str().is_some_and(|pk| pk.contains("#E#"));
    assert_eq!(world.items().await.iter().filter(|item| wanted(item)).count(), 1, "nothing bad is kept");
    let dead = world.receive("EventsDlq");
    assert!(dead.iter().all(|message| message.receive_count == 6), "five receives, and this one");
}
