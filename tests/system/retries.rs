//! A failing receiver gets its retries (facts: Pipedrive, Delivery policy).

use std::time::Duration;

use serde_json::json;
use tests::World;

#[tokio::test]
async fn a_receiver_that_answers_500_is_tried_at_0_3_30_and_150_seconds_after_each_failure() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.answers(500);
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;

    world.report(json!({})).await;
    world.run_to_rest().await;

    assert_eq!(receiver.times(), [0, 3_000, 33_000, 183_000]);
    let attempts: Vec<_> =
        receiver.received().iter().map(|post| post.json()["meta"]["attempt"].clone()).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_retry_that_succeeds_is_the_last() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.answers(503);
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;

    world.report(json!({})).await;
    world.run_for(Duration::from_secs(1)).await;
    receiver.answers(204);
    world.run_to_rest().await;

    assert_eq!(receiver.times(), [0, 3_000]);
}
