//! How many webhooks an owner may have, and seeing all of them.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Reply, World};

const HOOK: &str = r#"{"subscription_url":"http://127.0.0.1:1/","event_action":"*","event_object":"deal"}"#;

/// Creates as many at once; answers with how many of each status there were.
pub(crate) async fn create_at_once(world: &World, token: &str, count: usize) -> BTreeMap<u16, usize> {
    let creates = (0..count).map(|_| {
        let (world, token) = (world.clone(), token.to_owned());
        tokio::spawn(async move { world.call(Method::POST, "/v1/webhooks", &token, HOOK).await })
    });
    let mut statuses = BTreeMap::new();
    for create in creates.collect::<Vec<_>>() {
        *statuses.entry(create.await.expect("an answer").status.as_u16()).or_default() += 1;
    }
    statuses
}

async fn create(world: &World, token: &str) -> Reply {
    world.call(Method::POST, "/v1/webhooks", token, HOOK).await
}

#[tokio::test]
async fn every_user_and_every_app_of_a_user_has_a_quota_of_its_own() {
    let world = World::new().await;
    let general = world.owner().await;
    let app = world.token(json!({"company_id": "1", "user_id": "10", "app": "crm-sync"})).await;
    let other_app = world.token(json!({"company_id": "1", "user_id": "10", "app": "mailer"})).await;
    let other_user = world.token(json!({"company_id": "1", "user_id": "11", "admin": true})).await;
    assert_eq!(create_at_once(&world, &general, 41).await, BTreeMap::from([(201, 40), (422, 1)]));
    for token in [&app, &other_app, &other_user] {
        assert_eq!(create(&world, token).await.status, StatusCode::CREATED);
    }
    assert_eq!(create(&world, &general).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_webhook_for_another_user_counts_against_its_owner() {
    let world = World::new().await;
    let admin = world.token(json!({"company_id": "1", "user_id": "11", "admin": true})).await;
    let for_owner = HOOK.replace('}', r#","user_id":10}"#);
    assert_eq!(create_at_once(&world, &admin, 39).await, BTreeMap::from([(201, 39)]));
    let reply = world.call(Method::POST, "/v1/webhooks", &admin, for_owner).await;
    assert_eq!(reply.status, StatusCode::CREATED);
    assert_eq!(create(&world, &admin).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(create(&world, &world.owner().await).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn what_was_refused_takes_no_place() {
    let world = World::new().await;
    let owner = world.owner().await;
    for _ in 0..50 {
        let reply = world.call(Method::POST, "/v1/webhooks", &owner, "{}").await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(create_at_once(&world, &owner, 40).await, BTreeMap::from([(201, 40)]));
}

#[tokio::test]
async fn limit_and_cursor_page_through_all_exactly_once() {
    let world = World::new().await;
    let owner = world.owner().await;
    // Others' webhooks lie in between, and one is deleted.
    let other = world.token(json!({"company_id": "1", "user_id": "11"})).await;
    for _ in 0..12 {
        create(&world, &owner).await;
        create(&world, &other).await;
    }
    assert_eq!(world.unsubscribe(&owner, &json!({"id": 11})).await.status, StatusCode::OK);
    let all: Vec<Value> = world.webhooks(&owner).await.iter().map(|webhook| webhook["id"].clone()).collect();
    assert_eq!(all.len(), 11);

    for limit in [1, 3, 10, 11, 12, 500] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/webhooks?limit={limit}{cursor}");
            let reply = world.call(Method::GET, &path, &owner, "").await;
            let page = reply.body["data"].as_array().expect("a list");
            assert!((1..=limit).contains(&page.len()));
            seen.extend(page.iter().map(|webhook| webhook["id"].clone()));
            let Some(next) = reply.body["additional_data"]["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, all, "{limit}");
    }
}

#[tokio::test]
async fn a_list_that_is_whole_says_nothing_of_more() {
    let world = World::new().await;
    let owner = world.owner().await;
    let reply = world.call(Method::GET, "/v1/webhooks", &owner, "").await;
    assert_eq!(reply.text, r#"{"status":"ok","success":true,"data":[]}"#);
}

#[tokio::test]
async fn a_webhook_that_cannot_be_read_hides_no_other() {
    let world = World::new().await;
    let owner = world.owner().await;
    let broken = create(&world, &owner).await.body["data"].clone();
    let whole = create(&world, &owner).await.body["data"]["id"].clone();
    world.change_webhook(&broken, "REMOVE webhook.signing_secret").await;
    let listed = world.webhooks(&owner).await;
    assert_eq!(listed.iter().map(|webhook| &webhook["id"]).collect::<Vec<_>>(), [&whole]);
}
