//! Which webhooks an event is for, and from when until when.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use tests::World;

/// Reports an event to one webhook of user 10 that asks for `pattern`; answers with whether it arrived.
async fn arrives(pattern: Value, event: Value) -> bool {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), pattern).await;
    world.report(event).await;
    world.run_to_rest().await;
    assert!(receiver.received().len() <= 1);
    !receiver.received().is_empty()
}

#[tokio::test]
async fn permitted_users_decide_and_not_who_acted() {
    // User 12 acts.
    assert!(arrives(json!({}), json!({})).await, "everyone may, where nobody is named");
    assert!(arrives(json!({}), json!({"permitted_user_ids": null})).await);
    assert!(arrives(json!({}), json!({"permitted_user_ids": ["9", "10"]})).await);
    assert!(arrives(json!({}), json!({"permitted_user_ids": [10]})).await);
    assert!(!arrives(json!({}), json!({"permitted_user_ids": ["12"]})).await);
    assert!(!arrives(json!({}), json!({"permitted_user_ids": []})).await);
    assert!(arrives(json!({}), json!({"permitted_user_ids": ["10"], "user_id": null})).await);
}

#[tokio::test]
async fn the_user_of_the_webhook_counts_and_not_its_owner() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let admin = world.token(json!({"company_id": "1", "user_id": "10", "admin": true})).await;
    world.subscribe(&admin, &receiver.url(), json!({"user_id": 12})).await;
    world.report(json!({"permitted_user_ids": ["10"], "entity_id": "not"})).await;
    world.report(json!({"permitted_user_ids": ["12"], "entity_id": "this"})).await;
    world.run_to_rest().await;
    let entities: Vec<_> =
        receiver.received().iter().map(|p| p.json()["meta"]["entity_id"].clone()).collect();
    assert_eq!(entities, ["this"]);
}

#[tokio::test]
async fn a_star_stands_for_every_action_and_every_object_of_the_version() {
    for action in ["create", "change", "delete", "merge"] {
        assert!(arrives(json!({"event_action": "*"}), json!({"action": action})).await, "{action}");
    }
    let any = |version| json!({"event_object": "*", "version": version});
    for (object, in_v1, in_v2) in [
        ("person", true, true),
        ("lead", false, true),
        ("activityType", true, false),
        ("webhook", false, false),
        ("invoice", false, false),
    ] {
        assert_eq!(arrives(any("1.0"), json!({"object": object})).await, in_v1, "1.0 {object}");
        assert_eq!(arrives(any("2.0"), json!({"object": object})).await, in_v2, "2.0 {object}");
    }
}

#[tokio::test]
async fn an_event_of_another_action_object_or_company_does_not_arrive() {
    let pattern = json!({"event_action": "create", "event_object": "deal"});
    assert!(arrives(pattern.clone(), json!({"action": "create"})).await);
    assert!(!arrives(pattern.clone(), json!({"action": "change"})).await);
    assert!(!arrives(pattern.clone(), json!({"action": "create", "object": "person"})).await);
    assert!(!arrives(pattern, json!({"action": "create", "company_id": "11"})).await);
}

#[tokio::test]
async fn a_webhook_gets_an_event_once_whether_it_asks_for_the_object_or_for_all() {
    let world = World::new().await;
    let owner = world.owner().await;
    let receivers = [world.receiver().await, world.receiver().await, world.receiver().await];
    for (receiver, object) in receivers.iter().zip(["deal", "*", "person"]) {
        world.subscribe(&owner, &receiver.url(), json!({"event_object": object})).await;
    }
    world.report(json!({})).await;
    world.run_to_rest().await;
    assert_eq!(receivers.map(|receiver| receiver.received().len()), [1, 1, 0]);
}

#[tokio::test]
async fn an_event_with_the_same_id_is_delivered_once_in_its_company() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    let (elsewhere, stranger) =
        (world.receiver().await, world.token(json!({"company_id": "2", "user_id": "10"})).await);
    world.subscribe(&stranger, &elsewhere.url(), json!({})).await;

    let event =
        json!({"id": "e-1", "company_id": "1", "object": "deal", "action": "create", "entity_id": "8"});
    let array = json!([event, event]);
    assert_eq!(world.platform(Method::POST, "/v1/events", array.to_string()).await.status, 202);
    world.run_for(Duration::from_mins(1)).await;
    world.report(json!({"id": "e-1", "data": {"second": true}})).await;
    world.report(json!({"id": "e-1", "company_id": "2"})).await;
    world.run_to_rest().await;

    assert_eq!((receiver.received().len(), elsewhere.received().len()), (1, 1));
    let id = |post: &tests::Received| post.json()["meta"]["id"].clone();
    assert_ne!(id(&receiver.received()[0]), id(&elsewhere.received()[0]));
}
