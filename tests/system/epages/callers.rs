//! Who sees what: an app its own webhooks in its own shop, and nobody else anything.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use serde_json::{Value, json};
use tests::{Reply, World, hook_path};

use super::WEBHOOKS;

const HOOK: &str = r#"{"callbackUrl":"https://app.example/callback","eventType":"ORDER_CREATE"}"#;
const URL: &str = "https://app.example/callback";

/// All five calls of one caller.
async fn all_calls(world: &World, token: &str, hook: &Value) -> Vec<Reply> {
    let path = hook_path("DemoShop", hook);
    let mut replies = Vec::new();
    for (method, path, body) in [
        (Method::POST, WEBHOOKS, HOOK),
        (Method::GET, WEBHOOKS, ""),
        (Method::GET, &*path, ""),
        (Method::POST, &*path, "active=false"),
        (Method::DELETE, &*path, "{}"),
    ] {
        replies.push(world.rs_call(method, path, token, body).await);
    }
    replies
}

#[tokio::test]
async fn without_the_token_of_an_app_of_the_very_shop_everything_is_403() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let hook = world.hook(&token, "DemoShop", URL, "ORDER_CREATE").await;
    let of_another_shop = world.shop_app("OtherShop", "mailer").await;
    let user = world.token(json!({"company_id": "DemoShop", "user_id": "10", "admin": true})).await;
    let (long, before) = ("t".repeat(5000), world.items().await);
    let expected = concat!(
        r#"{"message":"Please send the token of the app's installation in this shop, as Authorization: Bearer, that "#,
        r#"permits this call.","status":"403"}"#
    );
    for token in ["", "unknown", &long, &of_another_shop, &user, "the platform's token"] {
        for reply in all_calls(&world, token, &hook).await {
            assert_eq!((reply.status, &*reply.text), (StatusCode::FORBIDDEN, expected), "{token:.40}");
        }
    }
    for path in [WEBHOOKS, &hook_path("DemoShop", &hook)] {
        let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
        assert_eq!(world.rs_send(request).await.text, expected);
    }
    assert_eq!(world.items().await, before);
}

#[tokio::test]
async fn a_token_that_may_only_read_lists_and_reads() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let hook = world.hook(&token, "DemoShop", URL, "ORDER_CREATE").await;
    let reader = json!({"company_id": "DemoShop", "app": "mailer", "scopes": ["webhooks:read"]});
    let replies = all_calls(&world, &world.token(reader).await, &hook).await;
    let statuses: Vec<_> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(statuses, [403, 200, 200, 403, 403]);
    assert_eq!(replies[1].body["page"]["totalElements"], 1);
}

#[tokio::test]
async fn an_app_sees_its_own_webhooks_and_another_apps_are_not_there() {
    let world = World::new().await;
    let (mailer, ledger) =
        (world.shop_app("DemoShop", "mailer").await, world.shop_app("DemoShop", "ledger").await);
    let hook = world.hook(&mailer, "DemoShop", URL, "ORDER_CREATE").await;
    let replies = all_calls(&world, &ledger, &hook).await;
    let statuses: Vec<_> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(statuses, [201, 200, 404, 404, 404]);
    let listed = replies[1].body["content"].as_array().expect("a list");
    assert_eq!((listed.len(), &listed[0]["webhookId"]), (1, &replies[0].body["webhookId"]));
    assert_eq!(world.read_hook(&mailer, "DemoShop", &hook).await["active"], true);
}

#[tokio::test]
async fn each_dialect_lists_its_own_webhooks_only_and_ids_lead_one_way() {
    let world = World::new().await;
    let app = world.shop_app("1", "mailer").await;
    let hook = world.hook(&app, "1", URL, "ORDER_CREATE").await;
    assert!(world.webhooks(&app).await.is_empty(), "no client of the other dialect is shown it");
    let user = json!({"company_id": "1", "user_id": "10", "app": "mailer"});
    let of_user = world.token(user).await;
    world.subscribe(&of_user, "http://127.0.0.1:1/", json!({})).await;
    for (method, body) in [(Method::GET, ""), (Method::POST, "active=false"), (Method::DELETE, "")] {
        for token in [&app, &of_user] {
            let reply = world.rs_call(method.clone(), "/rs/shops/1/webhooks/1", token, body).await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{method}");
        }
    }
    let listed = world.rs_call(Method::GET, "/rs/shops/1/webhooks", &of_user, "").await;
    assert_eq!(listed.body["page"]["totalElements"], 0);

    let path = format!("/v1/webhooks/{}", hook["webhookId"].as_str().expect("an id"));
    let read = world.call(Method::GET, &path, &app, "").await;
    let data = &read.body["data"];
    assert_eq!(
        (read.status.as_u16(), &data["id"], &data["version"]),
        (200, &hook["webhookId"], &json!("epages"))
    );
    assert_eq!((&data["subscription_url"], &data["is_active"]), (&json!(URL), &json!(1)));
    let change = json!({"subscription_url": "https://app.example/new", "is_active": false}).to_string();
    let changed = world.call(Method::PATCH, &path, &app, change).await;
    assert_eq!((changed.status.as_u16(), &changed.body["data"]["is_active"]), (200, &json!(0)));
    let shown = world.read_hook(&app, "1", &hook).await;
    assert_eq!((&shown["callbackUrl"], &shown["active"]), (&json!("https://app.example/new"), &json!(false)));
    assert_eq!(world.call(Method::DELETE, &path, &of_user, "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.call(Method::DELETE, &path, &app, "").await.status, StatusCode::OK);
    let gone = world.rs_call(Method::GET, &hook_path("1", &hook), &app, "").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_an_earlier_installation_left_is_not_there() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let hook = world.hook(&token, "DemoShop", URL, "ORDER_CREATE").await;
    let uninstall = "/v1/apps/mailer/installations?company_id=DemoShop";
    assert_eq!(world.platform(Method::DELETE, uninstall, "").await.status, StatusCode::ACCEPTED);
    for reply in all_calls(&world, &token, &hook).await {
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
    }
    let anew = world.shop_app("DemoShop", "mailer").await;
    for _ in 0..2 {
        let listed = world.rs_call(Method::GET, WEBHOOKS, &anew, "").await;
        assert_eq!(listed.body["page"]["totalElements"], 0);
        for (method, body) in [(Method::GET, ""), (Method::POST, "active=true"), (Method::DELETE, "")] {
            let reply = world.rs_call(method, &hook_path("DemoShop", &hook), &anew, body).await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND);
        }
        world.run_to_rest().await;
    }
}
