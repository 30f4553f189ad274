//! Tokens: listing them, and taking them back.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Reply, World};

use crate::apps::{fields_of, installed, remove, uninstall};

async fn list(world: &World, query: &str) -> Reply {
    world.platform(Method::GET, &format!("/v1/tokens?{query}"), "").await
}

async fn ids(world: &World, company: &str) -> Vec<String> {
    let reply = list(world, &format!("company_id={company}")).await;
    let tokens = reply.body["data"].as_array().expect("a list").clone();
    tokens.iter().map(|token| token["id"].as_str().expect("an id").to_owned()).collect()
}

async fn take_back(world: &World, id: &str) -> Reply {
    world.platform(Method::DELETE, &format!("/v1/tokens/{id}"), "").await
}

#[tokio::test]
async fn the_tokens_of_a_company_are_listed_with_all_but_themselves() {
    let world = World::new().await;
    let member = json!({"company_id": "1", "user_id": "10", "app": "crm-sync", "admin": true,
        "scopes": ["webhooks:read"], "contact": "owner@example.com"});
    let given = world.platform(Method::POST, "/v1/tokens", member.to_string()).await;
    world.token(json!({"company_id": "2", "user_id": "10"})).await;
    let reply = list(&world, "company_id=1").await;
    let expected = json!({"success": true, "data": [{"id": given.body["data"]["id"], "company_id": "1",
        "user_id": "10", "app": "crm-sync", "admin": true, "scopes": ["webhooks:read"],
        "contact": "owner@example.com", "add_time": "2026-01-01T00:00:00.000Z"}]});
    assert_eq!((reply.status, &reply.body), (StatusCode::OK, &expected));
    assert!(!reply.text.contains(given.body["data"]["token"].as_str().expect("a token")));
    assert_eq!(list(&world, "company_id=3").await.text, r#"{"success":true,"data":[]}"#);
}

#[tokio::test]
async fn limit_and_cursor_page_through_all_tokens_exactly_once() {
    let world = World::new().await;
    for user in 0..11 {
        world.token(json!({"company_id": "1", "user_id": user})).await;
        world.token(json!({"company_id": "11", "user_id": user})).await;
    }
    let all = ids(&world, "1").await;
    assert_eq!(all.len(), 11);
    for limit in [1, 3, 10, 11, 500] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let reply = list(&world, &format!("company_id=1&limit={limit}{cursor}")).await;
            let page = reply.body["data"].as_array().expect("a list");
            assert!((1..=limit).contains(&page.len()));
            seen.extend(page.iter().map(|token| token["id"].clone()));
            let Some(next) = reply.body["additional_data"]["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, all, "{limit}");
    }
}

#[tokio::test]
async fn a_token_that_is_taken_back_is_refused_from_then_on_and_no_other_is() {
    let world = World::new().await;
    let give = async |user: &str| {
        let member = json!({"company_id": "1", "user_id": user}).to_string();
        let data = world.platform(Method::POST, "/v1/tokens", member).await.body["data"].clone();
        ["id", "token"].map(|name| data[name].as_str().expect("a text").to_owned())
    };
    let ([id, token], [other_id, other]) = (give("10").await, give("10").await);
    world.subscribe(&token, "http://127.0.0.1:1/", json!({})).await;
    let reply = take_back(&world, &id).await;
    assert_eq!((reply.status, reply.body), (StatusCode::OK, json!({"success": true, "data": {"id": id}})));
    let status = async |token: &str| world.call(Method::GET, "/v1/webhooks", token, "").await.status.as_u16();
    assert_eq!((status(&token).await, status(&other).await), (401, 200));
    assert_eq!(world.webhooks(&other).await.len(), 1, "what was created with it stays");
    assert_eq!(ids(&world, "1").await, [other_id]);
    let kept = world.items().await;
    assert!(!kept.iter().any(|item| item.to_string().contains(&id)), "neither of its items is left");
    assert_eq!(take_back(&world, &id).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_no_token_is_not_found() {
    let world = World::new().await;
    let not_found = json!({"status": "error", "success": false, "errors": {"id": ["not found"]}});
    for id in ["x", &"0".repeat(64), &"Z".repeat(64), "%ff", &"0".repeat(1000)] {
        let reply = take_back(&world, id).await;
        assert_eq!((reply.status, &reply.body), (StatusCode::NOT_FOUND, &not_found), "{id}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_list_is_named() {
    let world = World::new().await;
    let cases: [(&str, &[&str]); 6] = [
        ("", &["company_id"]),
        ("company_id=", &["company_id"]),
        ("company_id=a%23b", &["company_id"]),
        ("company_id=1&limit=0", &["limit"]),
        ("company_id=1&limit=501&cursor=abc", &["cursor", "limit"]),
        ("limit=x", &["company_id", "limit"]),
    ];
    for (query, fields) in cases {
        let reply = list(&world, query).await;
        assert_eq!((reply.status, &*fields_of(&reply)), (StatusCode::BAD_REQUEST, fields), "{query}");
    }
}

#[tokio::test]
async fn tokens_are_the_platforms_alone() {
    let world = World::new().await;
    let admin = world.token(json!({"company_id": "1", "user_id": "10", "admin": true})).await;
    let id = ids(&world, "1").await.remove(0);
    for (method, path) in
        [(Method::GET, "/v1/tokens?company_id=1".to_owned()), (Method::DELETE, format!("/v1/tokens/{id}"))]
    {
        for (token, status) in [(&*admin, StatusCode::FORBIDDEN), ("", StatusCode::UNAUTHORIZED)] {
            assert_eq!(world.call(method.clone(), &path, token, "").await.status, status, "{method} {path}");
        }
    }
    assert_eq!(ids(&world, "1").await.len(), 1);
}

#[tokio::test]
async fn tokens_of_an_app_that_is_gone_are_not_listed() {
    let world = World::new().await;
    for (app, user) in [("crm-sync", "10"), ("crm-sync", "11"), ("mailer", "10")] {
        installed(&world, app, "1", user).await;
    }
    world.owner().await;
    let apps = async || {
        let reply = list(&world, "company_id=1").await;
        let tokens = reply.body["data"].as_array().expect("a list").clone();
        let mut apps: Vec<Value> = tokens.iter().map(|token| token["app"].clone()).collect();
        apps.sort_by_key(Value::to_string);
        apps
    };
    assert_eq!(apps().await, [json!("crm-sync"), json!("crm-sync"), json!("mailer"), json!(null)]);
    uninstall(&world, "crm-sync", "1", "10").await;
    assert_eq!(apps().await, [json!("crm-sync"), json!("mailer"), json!(null)]);
    remove(&world, "crm-sync").await;
    assert_eq!(apps().await, [json!("mailer"), json!(null)]);
}
