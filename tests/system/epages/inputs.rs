//! Whatever is sent is answered with the dialect's 4xx, naming the field, and leaves nothing behind.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};
use tests::{Reply, World, hook_path};
use tokio::runtime::Runtime;

use super::WEBHOOKS;
use crate::fuzz::bodies;

const URL: &str = "https://app.example/callback";
const HOOK: &str =
    r#"{"callbackUrl":"https://app.example/callback","eventType":"ORDER_CREATE","active":true}"#;

fn check(reply: &Reply, status: u16, message: &str) {
    let expected = json!({"message": message, "status": status.to_string()});
    assert_eq!((reply.status.as_u16(), &reply.body), (status, &expected));
}

#[tokio::test]
async fn refusals_have_the_published_shape() {
    let world = World::public().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let wrong = r#"{"callbackUrl":"https://127.0.0.1/","eventType":"ORDER","active":"yes"}"#;
    check(
        &world.rs_call(Method::POST, WEBHOOKS, &token, wrong).await,
        400,
        concat!(
            "active must be true or false; callbackUrl must be a public address, not a special-purpose one (Loopback); ",
            "eventType must be one of ORDER_CREATE, ORDER_UPDATE, ORDER_DELETE, PRODUCT_CREATE, PRODUCT_UPDATE, ",
            "PRODUCT_DELETE, APP_UNINSTALL"
        ),
    );
    check(
        &world.rs_call(Method::POST, WEBHOOKS, &token, "x".repeat(64 * 1024 + 1)).await,
        413,
        "body must be at most 65536 bytes",
    );
    check(
        &world.rs_call(Method::GET, &format!("{WEBHOOKS}/nothing"), &token, "").await,
        404,
        "There is no such webhook of this app.",
    );
    check(
        &world.rs_call(Method::PUT, WEBHOOKS, &token, HOOK).await,
        405,
        "This path does not take this method.",
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_are_404_and_405_in_the_shape() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    for path in [
        "/rs",
        "/rs/",
        "/rs/shops",
        "/rs/shops/DemoShop",
        "/rs/shops/DemoShop/",
        "/rs/shops/DemoShop/orders",
        "/rs/shops/DemoShop/webhooks/",
        "/rs/shops/DemoShop/webhooks/1/2",
        "/rs/%ff",
        "/rs/shops/%ff/webhooks",
        "/rs/shops/DemoShop/webhooks%2F1",
    ] {
        let reply = world.rs_call(Method::GET, path, &token, "").await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(reply.body["message"], "There is nothing at this path.", "{path}");
    }
    for (method, path) in [
        (Method::PUT, WEBHOOKS),
        (Method::DELETE, WEBHOOKS),
        (Method::PATCH, "/rs/shops/DemoShop/webhooks/1"),
        (Method::from_bytes(b"BREW").expect("a method"), WEBHOOKS),
    ] {
        let reply = world.rs_call(method.clone(), path, "", "").await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
    }
}

/// A good request for a webhook with these fields instead.
fn with(more: &Value) -> String {
    let mut body = json!({"callbackUrl": URL, "eventType": "ORDER_CREATE"});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body.to_string()
}

#[tokio::test]
async fn a_bad_request_for_a_webhook_is_refused_with_its_field_named() {
    let world = World::public().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let before = world.items().await;
    for (more, field) in [
        (json!({"eventType": null}), "eventType"),
        (json!({"eventType": ""}), "eventType"),
        (json!({"eventType": "order_create"}), "eventType"),
        (json!({"eventType": "*"}), "eventType"),
        (json!({"eventType": ["ORDER_CREATE"]}), "eventType"),
        (json!({"active": "on"}), "active"),
        (json!({"active": 2}), "active"),
        (json!({"callbackUrl": null}), "callbackUrl"),
        (json!({"callbackUrl": 7}), "callbackUrl"),
        (json!({"callbackUrl": "app.example"}), "callbackUrl"),
        (json!({"callbackUrl": "http://app.example/h"}), "callbackUrl"),
        (json!({"callbackUrl": "javascript:alert(1)"}), "callbackUrl"),
        (json!({"callbackUrl": "https://user:pw@app.example/h"}), "callbackUrl"),
        (json!({"callbackUrl": "https://[::ffff:10.0.0.1]/h"}), "callbackUrl"),
        (json!({"callbackUrl": "https://0x7f.1/h"}), "callbackUrl"),
        (json!({"callbackUrl": "https://localhost/h"}), "callbackUrl"),
        (json!({"callbackUrl": "https://knockback.test/rs/shops/DemoShop/webhooks"}), "callbackUrl"),
        (json!({"callbackUrl": "https://app.example/\r\nx: y"}), "callbackUrl"),
        (json!({"callbackUrl": format!("https://app.example/{}", "a".repeat(2048))}), "callbackUrl"),
    ] {
        let reply = world.rs_call(Method::POST, WEBHOOKS, &token, with(&more)).await;
        let message = reply.body["message"].as_str().expect("a message");
        assert_eq!(
            (reply.status, message.split(' ').next()),
            (StatusCode::BAD_REQUEST, Some(field)),
            "{more}"
        );
        assert!(!message.contains(';'), "{message}");
    }
    for body in ["", "{", "null", "[]", "callbackUrl=x", "{\"a\":\"\u{0}\"}", &"[".repeat(60_000)] {
        let reply = world.rs_call(Method::POST, WEBHOOKS, &token, body.to_owned()).await;
        let message = reply.body["message"].as_str().expect("a message");
        assert_eq!(
            (reply.status, message.starts_with("body ")),
            (StatusCode::BAD_REQUEST, true),
            "{body:.40}"
        );
    }
    assert_eq!(world.items().await, before);
}

#[tokio::test]
async fn a_switch_that_says_neither_on_nor_off_changes_nothing() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let hook = world.hook(&token, "DemoShop", URL, "ORDER_CREATE").await;
    let path = hook_path("DemoShop", &hook);
    let before = world.items().await;
    for body in ["", "active", "active=", "active=maybe", "{}", r#"{"active":null}"#, "[]", "true", "\u{0}"] {
        let reply = world.rs_call(Method::POST, &path, &token, body).await;
        let message = reply.body["message"].as_str().expect("a message");
        assert_eq!((reply.status, message.starts_with("active ")), (StatusCode::BAD_REQUEST, true), "{body}");
    }
    let large = world.rs_call(Method::POST, &path, &token, "x".repeat(64 * 1024 + 1)).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.items().await, before);
}

#[tokio::test]
async fn a_bad_query_parameter_is_named() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let long = "9".repeat(4000);
    for (query, message) in [
        ("page=-1", "page must be from 0 to 1000000"),
        ("page=", "page must be from 0 to 1000000"),
        ("page=1000001", "page must be from 0 to 1000000"),
        ("page=%ff", "page must be from 0 to 1000000"),
        ("resultsPerPage=0", "resultsPerPage must be from 1 to 100"),
        ("resultsPerPage=101", "resultsPerPage must be from 1 to 100"),
        ("resultsPerPage=1.5", "resultsPerPage must be from 1 to 100"),
        (&*format!("resultsPerPage={long}"), "resultsPerPage must be from 1 to 100"),
        ("page=x&resultsPerPage=x", "page must be from 0 to 1000000; resultsPerPage must be from 1 to 100"),
    ] {
        check(&world.rs_call(Method::GET, &format!("{WEBHOOKS}?{query}"), &token, "").await, 400, message);
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_not_found_and_a_shop_that_is_none_is_403() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let long = "1".repeat(950);
    for id in ["0", "17", "abc", "%00", "%ff", "%zz", "%2F", "%F0%9F%98%80", &long] {
        for (method, body) in [(Method::GET, ""), (Method::POST, "active=true"), (Method::DELETE, "")] {
            let reply = world.rs_call(method, &format!("{WEBHOOKS}/{id}"), &token, body).await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{id:.50}");
        }
    }
    for shop in ["", "demoshop", "Demo%53hop2", "a%23b", "%00", &long] {
        for path in [format!("/rs/shops/{shop}/webhooks"), format!("/rs/shops/{shop}/webhooks/17")] {
            let reply = world.rs_call(Method::GET, &path, &token, "").await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{shop:.50}");
        }
    }
}

#[tokio::test]
async fn an_app_without_a_client_secret_is_told_what_to_do() {
    let world = World::new().await;
    let message = concat!(
        "app mailer is not registered with a client secret, which signs its notifications: the platform registers it ",
        "with PUT /v1/apps/mailer"
    );
    let token = world.token(json!({"company_id": "DemoShop", "app": "mailer"})).await;
    check(&world.rs_call(Method::POST, WEBHOOKS, &token, HOOK).await, 400, message);
    world.platform(Method::PUT, "/v1/apps/mailer", r#"{"name":"Mailer"}"#).await;
    check(&world.rs_call(Method::POST, WEBHOOKS, &token, HOOK).await, 400, message);
    world.shop_app("DemoShop", "mailer").await;
    assert_eq!(world.rs_call(Method::POST, WEBHOOKS, &token, HOOK).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn what_cannot_be_done_now_is_503_and_says_when_to_ask_again() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let table = json!({"TableName": world.system.context.config.webhooks_table}).to_string();
    assert_eq!(world.system.aws.tables.call("DeleteTable", table.as_bytes()).status, 200);
    let reply = world.rs_call(Method::GET, WEBHOOKS, &token, "").await;
    check(&reply, 503, "Nothing is wrong with the request. Please send it again.");
}

#[tokio::test]
async fn a_host_that_is_none_breaks_no_answer() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    for host in ["", "a\"b<script>", "host:x/../..", "{}"] {
        let request = Request::builder().uri(WEBHOOKS).header("host", host);
        let request = request.header("authorization", format!("Bearer {token}")).body(Body::empty());
        assert_eq!(world.rs_send(request.expect("a request")).await.status, StatusCode::OK, "{host}");
    }
}

/// POSTs bodies like `body`, and looks that each is answered in the shape, and by no 5xx.
fn fuzz(runtime: &Runtime, world: &World, (path, token): (&str, &str), body: &'static str) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) };
    let checked = TestRunner::new(config).run(&bodies(body), |body| {
        let reply = runtime.block_on(world.rs_call(Method::POST, path, token, body));
        prop_assert!(!reply.status.is_server_error(), "{} {}", reply.status, reply.text);
        Ok(())
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}

#[test]
fn no_body_is_answered_with_5xx() {
    let runtime = Runtime::new().expect("a runtime");
    let (world, token, hook) = runtime.block_on(async {
        let world = World::new().await;
        let token = world.shop_app("DemoShop", "mailer").await;
        let hook = world.hook(&token, "DemoShop", URL, "ORDER_CREATE").await;
        (world, token, hook)
    });
    fuzz(&runtime, &world, (WEBHOOKS, &token), HOOK);
    let path = hook_path("DemoShop", &hook);
    fuzz(&runtime, &world, (&path, &token), "active=true&a=%20");
    fuzz(&runtime, &world, (&path, &token), r#"{"active":false,"a":[1.10]}"#);
}
