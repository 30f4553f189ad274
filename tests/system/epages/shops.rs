//! Tokens and installations of a whole shop: without a user.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::World;

use super::WEBHOOKS;
use crate::bus;

const URL: &str = "http://127.0.0.1:1/";

async fn list(world: &World, token: &str) -> (u16, Value) {
    let reply = world.rs_call(Method::GET, WEBHOOKS, token, "").await;
    (reply.status.as_u16(), reply.body["page"]["totalElements"].clone())
}

#[tokio::test]
async fn the_token_of_a_shop_is_listed_without_a_user() {
    let world = World::new().await;
    world.shop_app("DemoShop", "mailer").await;
    let reply = world.platform(Method::GET, "/v1/tokens?company_id=DemoShop", "").await;
    let token = &reply.body["data"][0];
    assert_eq!((&token["user_id"], &token["app"]), (&Value::Null, &json!("mailer")));
    assert!(reply.text.contains(r#""user_id":null"#));
    let reply = world.platform(Method::POST, "/v1/tokens", r#"{"company_id":"DemoShop"}"#).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "without an app, it is a user's");
}

/// A shop with a webhook of an app of its own, and one of the same app for a user.
async fn installed_twice() -> (World, [String; 2]) {
    let world = World::new().await;
    let shop = world.shop_app("DemoShop", "mailer").await;
    let user = world.token(json!({"company_id": "DemoShop", "user_id": "10", "app": "mailer"})).await;
    for token in [&shop, &user] {
        world.hook(token, "DemoShop", URL, "ORDER_CREATE").await;
        assert_eq!(list(&world, token).await, (200, json!(1)));
    }
    (world, [shop, user])
}

/// Once the shop has uninstalled the app, that token is over, and what a user of the shop has installed stays.
async fn check_only_the_shops_is_gone(world: &World, [shop, user]: [String; 2]) {
    assert_eq!((list(world, &shop).await, list(world, &user).await), ((403, Value::Null), (200, json!(1))));
    world.run_for(Duration::from_mins(10)).await;
    assert_eq!(list(world, &user).await, (200, json!(1)));
    let anew = world.shop_app("DemoShop", "mailer").await;
    assert_eq!(list(world, &anew).await, (200, json!(0)));
}

#[tokio::test]
async fn a_shop_uninstalls_an_app_without_naming_a_user() {
    let (world, tokens) = installed_twice().await;
    let path = "/v1/apps/mailer/installations?company_id=DemoShop";
    let reply = world.platform(Method::DELETE, path, "").await;
    let expected = r#"{"success":true,"data":{"app":"mailer","company_id":"DemoShop"}}"#;
    assert_eq!((reply.status.as_u16(), &*reply.text), (202, expected));
    check_only_the_shops_is_gone(&world, tokens).await;
}

#[tokio::test]
async fn the_bus_says_that_a_shop_has_uninstalled_an_app() {
    let (world, tokens) = installed_twice().await;
    bus::put(&world, "app.uninstalled", &json!({"app": "mailer", "company_id": "DemoShop"})).await;
    world.settle().await;
    check_only_the_shops_is_gone(&world, tokens).await;
}

#[tokio::test]
async fn a_user_that_is_wrong_on_the_bus_is_no_shops_uninstall() {
    let (world, [shop, user]) = installed_twice().await;
    let wrong = json!({"app": "mailer", "company_id": "DemoShop", "user_id": "a b"});
    bus::put(&world, "app.uninstalled", &wrong).await;
    world.run_for(Duration::from_hours(2)).await;
    assert_eq!(world.depth("EventsDlq"), 1);
    assert_eq!((list(&world, &shop).await.0, list(&world, &user).await.0), (200, 200));
}
