//! Events that are too large to travel with every delivery (design: Queues).

use axum::http::Method;
use serde_json::json;
use tests::World;

/// Text that does not compress to much less than three quarters of itself: 64 letters in no order.
fn noise(bytes: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let letters = (0..bytes).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(LETTERS[usize::try_from(state >> 58).unwrap_or(0)])
    });
    letters.collect()
}

/// Reports an event with this much noise; answers with the bytes of its delivery's message.
async fn check_arrives(bytes: usize) -> usize {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.answers(500);
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    let data = format!(r#"{{"id":9007199254740993,"noise":"{}","value":1.10}}"#, noise(bytes));
    let event =
        format!(r#"{{"company_id":"1","object":"deal","action":"create","entity_id":"8","data":{data}}}"#);
    assert_eq!(world.platform(Method::POST, "/v1/events", event).await.status, 202);
    world.pump("EventsQueue").await;
    let message = world.pump("DeliveriesQueue").await.remove(0);
    world.run_to_rest().await;

    let posts = receiver.received();
    assert_eq!(posts.len(), 4, "retries read it too");
    for post in &posts {
        assert!(post.text().starts_with(&format!(r#"{{"data":{data},"previous":null,"meta":"#)));
    }
    message.body.len()
}

#[tokio::test]
async fn a_small_event_travels_with_its_delivery() {
    assert!(check_arrives(30 * 1024).await > 30 * 1024);
}

#[tokio::test]
async fn a_large_event_is_read_from_its_item_digit_for_digit() {
    assert!(check_arrives(40 * 1024).await < 1024);
    assert!(check_arrives(200 * 1024).await < 1024);
}

#[tokio::test]
async fn an_event_that_is_large_by_its_permitted_users_does_not_travel_with_every_delivery() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    let users: Vec<String> = (0..10_000).map(|user| format!("{}", user + 10)).collect();
    world.report(json!({"permitted_user_ids": users})).await;
    world.pump("EventsQueue").await;
    let message = world.pump("DeliveriesQueue").await.remove(0);
    assert!(message.body.len() < 1024, "{} bytes", message.body.len());
    assert_eq!(
        receiver.received()[0].json()["meta"]["permitted_user_ids"].as_array().map(Vec::len),
        Some(10_000)
    );
}

#[tokio::test]
async fn the_largest_event_is_taken_and_one_byte_more_is_not() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    let event = |bytes: usize| {
        let frame = r#"{"company_id":"1","object":"deal","action":"create","entity_id":"8","data":{"n":""}}"#;
        frame.replace(r#""n":"""#, &format!(r#""n":"{}""#, noise(bytes - frame.len())))
    };
    let refused = world.platform(Method::POST, "/v1/events", event(256 * 1024 + 1)).await;
    assert_eq!(refused.status, 413);
    assert_eq!(refused.body["errors"]["body"][0], "must be at most 262144 bytes");
    assert_eq!(world.platform(Method::POST, "/v1/events", event(256 * 1024)).await.status, 202);
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), 1);
}
