//! One bad message never fails its neighbours.

use serde_json::json;
use tests::World;

const POISON: [&str; 4] = ["not JSON", "{}", r#"{"v":1}"#, "[1,2"];

#[tokio::test]
async fn a_poisoned_message_does_not_disturb_the_batch_and_ends_in_the_dlq() {
    for queue in ["DeliveriesQueue", "RetriesQueue"] {
        let world = World::new().await;
        let receiver = world.receiver().await;
        world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
        for entity in ["1", "2", "3"] {
            world.report(json!({"entity_id": entity})).await;
        }
        world.pump("EventsQueue").await;
        for body in POISON {
            world.send_message(queue, body);
        }
        world.settle().await;
        assert_eq!(receiver.times(), [0, 0, 0]);
        assert_eq!((world.depth("DeliveriesQueue") + world.depth("RetriesQueue")), POISON.len());

        world.run_to_rest().await;
        assert_eq!(receiver.received().len(), 3);
        assert_eq!((world.depth(queue), world.depth("DeliveriesDlq")), (0, POISON.len()));
        let dead = world.receive("DeliveriesDlq");
        assert!(dead.iter().all(|message| POISON.contains(&&*message.body) && message.receive_count == 6));
    }
}

#[tokio::test]
async fn only_what_failed_is_named_in_the_answer() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.answers(500);
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    world.report(json!({})).await;
    world.pump("EventsQueue").await;
    world.send_message("DeliveriesQueue", "poison");
    let batch = world.receive("DeliveriesQueue");
    assert_eq!(batch.len(), 2);
    let failed = world.invoke("DeliveriesQueue", &batch).await;
    assert_eq!(failed.iter().map(|message| &*message.body).collect::<Vec<_>>(), ["poison"]);
}

#[tokio::test]
async fn a_webhook_whose_item_is_gone_ends_its_deliveries() {
    let world = World::new().await;
    let delivery = json!({"v": 1, "company": "1", "webhook": 7, "delivery": "01KDVR6V80AAAAAAAAAAAAAAAA",
        "attempt": 1, "accepted_at": 1_767_225_600_000_u64, "event_id": "e-1"});
    world.send_message("DeliveriesQueue", &delivery.to_string());
    world.run_to_rest().await;
    assert_eq!(world.depth("DeliveriesDlq"), 0);
    let items = world.items().await;
    assert_eq!((&items[0]["state"], &items[0]["dropped"]), (&json!("dropped"), &json!("removed")));
}

#[tokio::test]
async fn a_webhook_whose_item_cannot_be_read_delays_its_own_deliveries_only() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let owner = world.owner().await;
    let broken = world.subscribe(&owner, &receiver.url(), json!({})).await;
    let whole = world.subscribe(&owner, &receiver.url(), json!({})).await;
    world.change_webhook(&broken, "REMOVE webhook.signing_secret").await;
    world.report(json!({})).await;
    world.settle().await;
    let posts = receiver.received();
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].json()["meta"]["webhook_id"], whole["id"].to_string());
    world.run_to_rest().await;
    assert_eq!(world.depth("DeliveriesDlq"), 1, "it is kept for who repairs the item");
}
