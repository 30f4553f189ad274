//! A delivery adds at most one strike, however often its messages are duplicated. Retries add none.

use serde_json::{Value, json};
use tests::{Subscribed, World};

async fn strikes(world: &World, webhook: &Value) -> Value {
    world.health(webhook).await["strikes"].clone()
}

#[tokio::test]
async fn rule_2_holds_with_every_message_twice() {
    let Subscribed { world, webhook, receiver, .. } = Subscribed::answering(500).await;
    for event in 1..=9 {
        world.report(json!({})).await;
        world.run_to_rest_with_every_message_twice().await;
        assert_eq!(strikes(&world, &webhook).await, event);
    }
    assert_eq!(receiver.received().len(), 9 * 4, "retries failed too");
}

/// On threads: several handlers have copies of the same original at once, and each of them may POST it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_2_holds_with_eight_copies_of_every_message_at_once() {
    let Subscribed { world, webhook, receiver: _receiver, .. } = Subscribed::answering(500).await;
    for entity in 0..9 {
        world.report(json!({"entity_id": entity})).await;
    }
    world.pump_at_once("EventsQueue", 8).await;
    world.pump_at_once("DeliveriesQueue", 8).await;
    assert_eq!(strikes(&world, &webhook).await, 9);
    world.run_to_rest().await;
    assert_eq!(strikes(&world, &webhook).await, 9);
}
