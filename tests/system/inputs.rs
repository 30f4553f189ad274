//! Whatever a caller sends for a webhook or a token is answered with the dialect's 4xx, naming the field, and leaves
//! nothing behind.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Reply, World};

/// The fields that a reply complains about.
fn complaints(reply: &Reply) -> Vec<String> {
    let errors = reply.body["errors"].as_object();
    errors.map(|errors| errors.keys().cloned().collect()).unwrap_or_default()
}

/// Nothing was created: the only items are the tokens and, of numbers that were used up, the sequence.
async fn check_nothing_kept(world: &World) {
    for item in world.items().await {
        let is_token = item["sk"].as_str().is_some_and(|sk| sk == "T" || sk.starts_with("T#"));
        assert!(is_token || item["pk"] == "S", "{item}");
    }
    for queue in ["EventsQueue", "DeliveriesQueue", "RetriesQueue", "EventsDlq", "DeliveriesDlq"] {
        assert_eq!(world.depth(queue), 0, "{queue}");
    }
}

/// A good request for a webhook with these fields instead.
fn with(more: &Value) -> String {
    let mut body = json!({"subscription_url": "https://example.com/h", "event_action": "change", "event_object": "deal"});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body.to_string()
}

#[tokio::test]
async fn a_bad_request_for_a_webhook_is_refused_with_its_fields_named() {
    let world = World::public().await;
    let owner = world.owner().await;
    let long = "a".repeat(256);
    for (more, fields) in [
        (json!({"event_action": "explode"}), &["event_action"][..]),
        (json!({"event_action": "added"}), &["event_action"]),
        (json!({"event_action": "Change"}), &["event_action"]),
        (json!({"event_action": ""}), &["event_action"]),
        (json!({"event_action": null}), &["event_action"]),
        (json!({"event_action": ["change"]}), &["event_action"]),
        (json!({"version": "1.0"}), &["event_action"]),
        (json!({"version": "1.0", "event_action": "added", "event_object": "lead"}), &["event_object"]),
        (json!({"version": "3.0"}), &["version"]),
        (json!({"version": 2.0}), &["version"]),
        (json!({"version": ""}), &["version"]),
        (json!({"event_object": "activityType"}), &["event_object"]),
        (json!({"event_object": "webhook"}), &["event_object"]),
        (json!({"event_object": 7}), &["event_object"]),
        (json!({"event_object": {"a": 1}, "event_action": false}), &["event_action", "event_object"]),
        (json!({"subscription_url": null}), &["subscription_url"]),
        (json!({"subscription_url": ""}), &["subscription_url"]),
        (json!({"subscription_url": 7}), &["subscription_url"]),
        (json!({"subscription_url": "example.com/h"}), &["subscription_url"]),
        (json!({"subscription_url": "http://example.com/h"}), &["subscription_url"]),
        (json!({"subscription_url": "ftp://example.com/h"}), &["subscription_url"]),
        (json!({"subscription_url": "javascript:alert(1)"}), &["subscription_url"]),
        (json!({"subscription_url": "https://user:pw@example.com/h"}), &["subscription_url"]),
        (json!({"subscription_url": "https://127.0.0.1/h"}), &["subscription_url"]),
        (json!({"subscription_url": "https://[::ffff:10.0.0.1]/h"}), &["subscription_url"]),
        (json!({"subscription_url": "https://0x7f.1/h"}), &["subscription_url"]),
        (json!({"subscription_url": "https://localhost/h"}), &["subscription_url"]),
        (json!({"subscription_url": "https://knockback.test/v1/webhooks"}), &["subscription_url"]),
        (json!({"subscription_url": "https://example.com/\r\nx: y"}), &["subscription_url"]),
        (json!({"subscription_url": "https://exam\u{0}ple.com/"}), &["subscription_url"]),
        (
            json!({"subscription_url": format!("https://example.com/{}", "a".repeat(2048))}),
            &["subscription_url"],
        ),
        (json!({"name": 7}), &["name"]),
        (json!({"name": long}), &["name"]),
        (json!({"name": "a\u{0}b"}), &["name"]),
        (json!({"name": "a\nb"}), &["name"]),
        (json!({"user_id": "me"}), &["user_id"]),
        (json!({"user_id": 1.5}), &["user_id"]),
        (json!({"user_id": -10}), &["user_id"]),
        (json!({"user_id": 11}), &["user_id"]),
        (json!({"user_id": {"id": 10}}), &["user_id"]),
        (json!({"http_auth_user": "a:b"}), &["http_auth_user"]),
        (json!({"http_auth_user": "a\r\nb"}), &["http_auth_user"]),
        (json!({"http_auth_user": 7, "http_auth_password": []}), &["http_auth_password", "http_auth_user"]),
        (json!({"http_auth_password": long}), &["http_auth_password"]),
    ] {
        let reply = world.call(Method::POST, "/v1/webhooks", &owner, with(&more)).await;
        assert_eq!(
            (reply.status, &*complaints(&reply)),
            (StatusCode::BAD_REQUEST, &own(fields)[..]),
            "{more}"
        );
    }
    assert!(world.webhooks(&owner).await.is_empty());
    check_nothing_kept(&world).await;
}

fn own(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|&field| field.to_owned()).collect()
}

/// Bodies that are no JSON object at all, or one that no one can read.
fn unreadable() -> Vec<Vec<u8>> {
    let nested = |bytes: &str| bytes.repeat(10_000).into_bytes();
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "{",
        "}",
        "null",
        "true",
        "7",
        "\"text\"",
        "{\"a\":}",
        "{\"a\" 1}",
        "{'a':1}",
        "{\"a\":1}x",
        "{\"a\":01}",
        "{\"a\":NaN}",
        "{\"a\":\"\n\"}",
        "\u{feff}{}",
        r#"{"\ud800":1}"#,
        "subscription_url=x",
        "<xml/>",
        "{\"a\":1,}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    bodies.extend([
        b"{\"a\":\"\xff\xfe\"}".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
        vec![0; 100],
        vec![0xff; 100],
    ]);
    bodies.extend([nested("["), nested("{\"a\":"), [b"{\"a\":".to_vec(), nested("[")].concat()]);
    bodies
}

#[tokio::test]
async fn what_is_no_json_object_is_refused_as_a_body_by_every_post() {
    let world = World::public().await;
    let owner = world.owner().await;
    for body in unreadable() {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        for reply in [
            world.call(Method::POST, "/v1/webhooks", &owner, body.clone()).await,
            world.platform(Method::POST, "/v1/tokens", body.clone()).await,
            world.platform(Method::POST, "/v1/events", body.clone()).await,
        ] {
            assert_eq!(
                (reply.status, complaints(&reply)),
                (StatusCode::BAD_REQUEST, own(&["body"])),
                "{shown}"
            );
        }
    }
    check_nothing_kept(&world).await;
}

#[tokio::test]
async fn a_request_over_4_mib_is_refused_with_413_by_every_post() {
    let world = World::public().await;
    let owner = world.owner().await;
    let body = "x".repeat(4 * 1024 * 1024 + 1);
    for reply in [
        world.call(Method::POST, "/v1/webhooks", &owner, body.clone()).await,
        world.platform(Method::POST, "/v1/tokens", body.clone()).await,
        world.platform(Method::POST, "/v1/events", body.clone()).await,
    ] {
        assert_eq!((reply.status, complaints(&reply)), (StatusCode::PAYLOAD_TOO_LARGE, own(&["body"])));
    }
    check_nothing_kept(&world).await;
}

#[tokio::test]
async fn a_bad_request_for_a_token_is_refused_with_its_fields_named() {
    let world = World::new().await;
    for (body, fields) in [
        (json!({}), &["company_id", "user_id"][..]),
        (json!({"company_id": "", "user_id": "a#b"}), &["company_id", "user_id"]),
        (json!({"company_id": "1", "user_id": "a".repeat(65)}), &["user_id"]),
        (json!({"company_id": 1.5, "user_id": true}), &["company_id", "user_id"]),
        (json!({"company_id": "1", "user_id": "1", "app": "a/b"}), &["app"]),
        (json!({"company_id": "1", "user_id": "1", "app": ["a"]}), &["app"]),
        (json!({"company_id": "1", "user_id": "1", "admin": "yes"}), &["admin"]),
        (json!({"company_id": "1", "user_id": "1", "scopes": []}), &["scopes"]),
        (json!({"company_id": "1", "user_id": "1", "scopes": ["root"]}), &["scopes"]),
        (json!({"company_id": "1", "user_id": "1", "scopes": "admin"}), &["scopes"]),
        (json!({"company_id": "1", "user_id": "1", "scopes": [1]}), &["scopes"]),
        (json!({"company_id": "1", "user_id": "1", "scopes": vec!["admin"; 5000]}), &["scopes"]),
        (json!({"company_id": "1", "user_id": "1", "contact": "a\r\nb"}), &["contact"]),
        (json!({"company_id": "1", "user_id": "1", "contact": "a".repeat(256)}), &["contact"]),
    ] {
        let reply = world.platform(Method::POST, "/v1/tokens", body.to_string()).await;
        let shown: String = body.to_string().chars().take(200).collect();
        assert_eq!((reply.status, complaints(&reply)), (StatusCode::BAD_REQUEST, own(fields)), "{shown}");
    }
    assert!(world.items().await.is_empty());
}

#[tokio::test]
async fn a_caller_whose_ids_are_no_integers_has_no_webhooks_of_this_dialect() {
    let world = World::public().await;
    for member in [
        json!({"company_id": "demo.shop", "user_id": "1"}),
        json!({"company_id": "1", "user_id": "jane"}),
        json!({"company_id": "99999999999999999999", "user_id": "1"}),
    ] {
        let token = world.token(member).await;
        let reply = world.call(Method::POST, "/v1/webhooks", &token, with(&json!({}))).await;
        assert_eq!((reply.status, complaints(&reply)), (StatusCode::BAD_REQUEST, own(&["api_token"])));
        assert!(world.webhooks(&token).await.is_empty());
    }
    check_nothing_kept(&world).await;
}

#[tokio::test]
async fn a_bad_query_parameter_is_named() {
    let world = World::new().await;
    let owner = world.owner().await;
    let long = "9".repeat(4000);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=-1", "limit"),
        ("limit=1.5", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=%00", "limit"),
        ("limit=%ff%fe", "limit"),
        ("limit=18446744073709551616", "limit"),
        (&*format!("limit={long}"), "limit"),
        ("cursor=", "cursor"),
        ("cursor=abc", "cursor"),
        ("cursor=-1", "cursor"),
        ("cursor=%F0%9F%98%80", "cursor"),
        (&*format!("cursor={long}"), "cursor"),
    ] {
        let reply = world.call(Method::GET, &format!("/v1/webhooks?{query}"), &owner, "").await;
        assert_eq!(
            (reply.status, complaints(&reply)),
            (StatusCode::BAD_REQUEST, own(&[field])),
            "{query:.50}"
        );
    }
    for query in ["", "&&&===", "limit", "unknown=%zz", "cursor=18446744073709551615", "cursor=0&limit=500"] {
        let reply = world.call(Method::GET, &format!("/v1/webhooks?{query}"), &owner, "").await;
        let expected = if query == "limit" { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        assert_eq!(reply.status, expected, "{query}");
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_not_found() {
    let world = World::new().await;
    let owner = world.owner().await;
    let long = "1".repeat(1000);
    for id in [
        "0",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "abc",
        "%00",
        "%ff",
        "%zz",
        "%",
        "%2e%2e",
        "%2F",
        "1%20",
        "%31%00",
        "*",
        "W%23",
        "99999999999999999999",
        "18446744073709551615",
        "%F0%9F%98%80",
        &long,
    ] {
        let reply = world.call(Method::DELETE, &format!("/v1/webhooks/{id}"), &owner, "").await;
        assert_eq!((reply.status, complaints(&reply)), (StatusCode::NOT_FOUND, own(&["id"])), "{id:.50}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_404_and_405_in_the_general_shape() {
    let world = World::new().await;
    let owner = world.owner().await;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/webhooks",
        "/v1/webhooks/",
        "/v1/webhooks/1/2",
        "/v1//webhooks",
        "/V1/webhooks",
        "/api/webhooks",
        "/v1/%ff",
        "/v1/webhooks%2F1",
        "/..%2f..",
        "/receiver/x",
    ] {
        let reply = world.call(Method::GET, path, &owner, "").await;
        assert_eq!(
            (reply.status, &reply.body["error"]),
            (StatusCode::NOT_FOUND, &json!("Not found")),
            "{path}"
        );
    }
    for (method, path) in [
        (Method::PUT, "/v1/webhooks"),
        (Method::DELETE, "/v1/webhooks"),
        (Method::POST, "/v1/webhooks/1"),
        (Method::PUT, "/api/v1/webhooks/1"),
        (Method::GET, "/v1/events"),
        (Method::DELETE, "/v1/events"),
        (Method::PATCH, "/v1/tokens"),
        (Method::POST, "/health"),
        (Method::from_bytes(b"BREW").expect("a method"), "/v1/webhooks"),
    ] {
        let reply = world.call(method.clone(), path, &owner, "").await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(reply.body["error"], "Method not allowed");
    }
}

#[tokio::test]
async fn unusual_but_right_requests_are_taken() {
    let world = World::new().await;
    let owner = world.owner().await;
    let good = r#"{"subscription_url":"https://example.com/h","event_action":"change","event_object":"deal""#;
    for body in [
        format!("\r\n\t {good}}} \n"),
        // Of a repeated key the last counts.
        format!(r#"{good},"event_action":"explode","event_action":"*"}}"#),
        format!(r#"{good},"unknown":{{"deep":[1e999,-0.0,"\ud800"]}},"":1}}"#),
        format!(r#"{good},"user_id":"10","version":"2.0","name":null}}"#),
        good.replace("change", r"chang\u0065") + "}",
    ] {
        let reply = world.call(Method::POST, "/v1/webhooks", &owner, body.clone()).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{body} {}", reply.text);
    }
}

#[tokio::test]
async fn values_come_back_exactly_as_they_were_sent() {
    let world = World::new().await;
    let owner = world.owner().await;
    let sent = json!({
        "subscription_url": "HTTPS://Example.COM:443/a/../b?q=%7e&r=ä#frag", "event_action": "*",
        "event_object": "*", "version": "1.0", "name": " Ünïcode 😀 <b> ", "http_auth_user": "user name",
        "http_auth_password": "pass:word", "user_id": 10,
    });
    let reply = world.call(Method::POST, "/v1/webhooks", &owner, sent.to_string()).await;
    let listed = world.webhooks(&owner).await.remove(0);
    for shown in [&reply.body["data"], &listed] {
        for (name, value) in sent.as_object().expect("an object") {
            let expected = if name == "http_auth_password" { &Value::Null } else { value };
            assert_eq!(&shown[name], expected, "{name}");
        }
    }
}
