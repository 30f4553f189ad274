//! Objects are an open set: an operator adds some by configuration (here `shipment`), and events may name any.

use axum::http::{Method, StatusCode};
use serde_json::json;
use tests::World;

#[tokio::test]
async fn an_object_that_the_operator_added_can_be_asked_for_in_both_versions() {
    let world = World::new().await;
    let (v1, v2) = (world.receiver().await, world.receiver().await);
    let owner = world.owner().await;
    world.subscribe(&owner, &v1.url(), json!({"event_object": "shipment", "version": "1.0"})).await;
    world.subscribe(&owner, &v2.url(), json!({"event_object": "shipment"})).await;
    world.report(json!({"object": "shipment"})).await;
    world.run_to_rest().await;
    assert_eq!(v1.received()[0].json()["event"], "updated.shipment");
    assert_eq!(v2.received()[0].json()["meta"]["entity"], "shipment");
}

#[tokio::test]
async fn every_event_is_taken_and_a_star_gets_those_that_webhooks_can_ask_for() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({"event_object": "*"})).await;
    for object in ["shipment", "invoice", "webhook", "deals", "sales-order", "deal"] {
        world.report(json!({"object": object})).await;
    }
    world.run_to_rest().await;
    let mut objects: Vec<_> = receiver
        .received()
        .iter()
        .map(|post| post.json()["meta"]["entity"].as_str().map(str::to_owned))
        .collect();
    objects.sort();
    assert_eq!(objects, [Some("deal".to_owned()), Some("shipment".to_owned())]);
}

#[tokio::test]
async fn a_plural_is_refused_with_what_can_be_asked_for() {
    let world = World::new().await;
    let owner = world.owner().await;
    for (version, known) in [
        ("2.0", "activity, deal, lead, note, organization, person, pipeline, product, stage, user"),
        ("1.0", "activity, activityType, deal, note, organization, person, pipeline, product, stage, user"),
    ] {
        let body = json!({"subscription_url": "http://127.0.0.1:1/", "event_action": "*", "event_object": "deals",
            "version": version});
        let reply = world.call(Method::POST, "/v1/webhooks", &owner, body.to_string()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        let expected = format!("must be one of {known}, shipment, * with version {version}");
        assert_eq!(reply.body["errors"], json!({"event_object": [expected]}));
    }
}
