//! An event reaches its receiver, as the facts say it looks.

use serde_json::json;
use tests::World;

#[tokio::test]
async fn numbers_arrive_digit_for_digit() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;

    let event = r#"{"company_id":"1","object":"deal","action":"create","entity_id":"8",
        "data":{"id":9007199254740993,"value":1.10}}"#;
    let reply = world.platform(axum::http::Method::POST, "/v1/events", event).await;
    assert_eq!(reply.status, 202);
    world.run_to_rest().await;

    let posts = receiver.received();
    assert!(
        posts[0]
            .text()
            .starts_with(r#"{"data":{"id":9007199254740993,"value":1.10},"previous":null,"meta":"#)
    );
}
