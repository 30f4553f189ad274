//! What a token may ask for in a while, and the bounds that every request has (design: HTTP API; Safety).

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use knockback::domain::Budget;
use serde_json::json;
use tests::{Reply, World};

/// A world where a token may make ten requests at once, or one every six seconds.
async fn strict() -> World {
    World::with_budget("100".parse::<Budget>().expect("a budget")).await
}

async fn list(world: &World, token: &str) -> Reply {
    world.call(Method::GET, "/v1/webhooks", token, "").await
}

fn limits(reply: &Reply) -> [Option<u64>; 4] {
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"]
        .map(|name| reply.number(name))
}

#[tokio::test]
async fn a_token_is_told_what_is_left_and_refused_when_nothing_is() {
    let world = strict().await;
    let owner = world.owner().await;
    for left in (0..10).rev().map(|left| left * 10) {
        let reply = list(&world, &owner).await;
        assert_eq!(reply.status, StatusCode::OK);
        let reset = (100 - left) * 60 / 100;
        assert_eq!(limits(&reply), [Some(100), Some(left), Some(reset), None]);
    }
    let refused = list(&world, &owner).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(limits(&refused), [Some(100), Some(0), Some(60), Some(6)]);
    assert_eq!(refused.body["error"], "Request over limit");
    world.clock.advance(Duration::from_secs(6));
    assert_eq!(list(&world, &owner).await.status, StatusCode::OK, "after what Retry-After said");
    assert_eq!(list(&world, &owner).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_delete_costs_less_and_whatever_is_refused_costs_as_much() {
    let world = strict().await;
    let owner = world.owner().await;
    let mut left = Vec::new();
    for (method, path) in [
        (Method::DELETE, "/v1/webhooks/999"),
        (Method::POST, "/v1/webhooks"),
        (Method::PATCH, "/v1/webhooks/999"),
        (Method::POST, "/v1/events"),
    ] {
        let reply = world.call(method, path, &owner, "{").await;
        assert!(reply.status.is_client_error());
        left.push(reply.number("x-ratelimit-remaining"));
    }
    assert_eq!(left, [Some(94), Some(84), Some(74), Some(64)]);
}

#[tokio::test]
async fn each_token_has_its_own_budget_and_the_platform_none() {
    let world = strict().await;
    let (first, second) = (world.owner().await, world.owner().await);
    while list(&world, &first).await.status == StatusCode::OK {}
    let reply = list(&world, &second).await;
    assert_eq!((reply.status, reply.number("x-ratelimit-remaining")), (StatusCode::OK, Some(90)));
    for _ in 0..20 {
        let reply = world.platform(Method::GET, "/v1/tokens?company_id=1", "").await;
        assert_eq!((reply.status, limits(&reply)), (StatusCode::OK, [None; 4]));
    }
}

#[tokio::test]
async fn an_epages_caller_is_refused_in_its_own_shape() {
    let world = strict().await;
    let app = world.shop_app("shop", "mailer").await;
    let mut reply = world.rs_call(Method::GET, "/rs/shops/shop/webhooks", &app, "").await;
    for _ in 0..10 {
        reply = world.rs_call(Method::GET, "/rs/shops/shop/webhooks", &app, "").await;
    }
    assert_eq!((reply.status, &reply.body["status"]), (StatusCode::TOO_MANY_REQUESTS, &json!("429")));
    assert_eq!(reply.number("retry-after"), Some(6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_at_once_spend_no_more_than_there_is() {
    let world = strict().await;
    let owner = world.owner().await;
    let requests = (0..40).map(|_| {
        let (world, owner) = (world.clone(), owner.clone());
        tokio::spawn(async move { list(&world, &owner).await.status })
    });
    let mut granted = 0;
    for request in requests.collect::<Vec<_>>() {
        granted += u32::from(request.await.expect("an answer") == StatusCode::OK);
    }
    assert_eq!(granted, 10);
}

#[tokio::test]
async fn a_token_that_is_taken_back_is_not_brought_back_by_its_budget() {
    let world = strict().await;
    let reply = world.platform(Method::POST, "/v1/tokens", r#"{"company_id":"1","user_id":"10"}"#).await;
    let (id, token) = (&reply.body["data"]["id"], reply.body["data"]["token"].as_str().expect("a token"));
    let path = format!("/v1/tokens/{}", id.as_str().expect("an id"));
    assert_eq!(list(&world, token).await.status, StatusCode::OK);
    assert_eq!(world.platform(Method::DELETE, &path, "").await.status, StatusCode::OK);
    assert_eq!(list(&world, token).await.status, StatusCode::UNAUTHORIZED);
    assert!(world.items().await.is_empty());
}

#[tokio::test]
async fn a_budget_that_cannot_be_kept_refuses_nobody() {
    let world = strict().await;
    let owner = world.owner().await;
    world.system.aws.refuse("DynamoDB_20120810.UpdateItem");
    for _ in 0..20 {
        let reply = list(&world, &owner).await;
        assert_eq!((reply.status, limits(&reply)), (StatusCode::OK, [None; 4]));
    }
}

#[tokio::test]
async fn a_request_beyond_the_bounds_is_refused_before_anything_is_read_of_it() {
    let world = World::new().await;
    let before = world.system.aws.counts();
    let get = |uri: String, headers: usize| {
        let request = (0..headers).fold(Request::builder().uri(uri), |request, n| {
            request.header(format!("x-{n}"), "value").header("x-api-token", "t")
        });
        request.body(Body::empty()).expect("a request")
    };
    let long = "a".repeat(1024);
    for (request, status) in [
        (get(format!("/v1/webhooks/{long}"), 0), StatusCode::URI_TOO_LONG),
        (get(format!("/v1/webhooks?cursor={}", long.repeat(4)), 0), StatusCode::URI_TOO_LONG),
        (get("/v1/webhooks".to_owned(), 51), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
    ] {
        let reply = world.send(request).await;
        assert_eq!((reply.status, reply.body["error_info"].is_string()), (status, true), "{}", reply.text);
    }
    for (request, status) in [
        (get(format!("/rs/shops/{long}"), 0), StatusCode::URI_TOO_LONG),
        (get("/rs/shops/shop/webhooks".to_owned(), 51), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
    ] {
        assert_eq!(world.rs_send(request).await.status, status);
    }
    assert_eq!(world.system.aws.counts().since(&before).all_calls().count(), 0);
}

#[tokio::test]
async fn a_body_is_bounded_by_what_it_is_for() {
    let world = World::new().await;
    let owner = world.owner().await;
    let body = |bytes: usize| format!(r#"{{"name":"{}"}}"#, "n".repeat(bytes));
    for (bytes, status) in [(60 * 1024, StatusCode::BAD_REQUEST), (65 * 1024, StatusCode::PAYLOAD_TOO_LARGE)]
    {
        let reply = world.call(Method::POST, "/v1/webhooks", &owner, body(bytes)).await;
        assert_eq!(reply.status, status);
    }
    let reply = world.platform(Method::PUT, "/v1/apps/mailer", body(65 * 1024)).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(reply.body["errors"]["body"], json!(["must be at most 65536 bytes"]));
}
