//! The five calls, to the letter (facts: ePages, Resources).

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use serde_json::{Value, json};
use tests::{Reply, World, hook_path};

use super::WEBHOOKS;

const HOOK: &str = r#"{"callbackUrl":"https://app.example/callback","eventType":"ORDER_CREATE"}"#;

fn check(reply: &Reply, status: u16, body: &str) {
    assert_eq!((reply.status.as_u16(), &*reply.text), (status, body));
}

async fn create(world: &World, token: &str, body: &str) -> Value {
    let reply = world.rs_call(Method::POST, WEBHOOKS, token, body.to_owned()).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    reply.body
}

async fn get(world: &World, token: &str, path: &str) -> Reply {
    world.rs_call(Method::GET, path, token, "").await
}

/// A webhook of ours as the facts show theirs, without the end of the object.
fn shown(id: &str, active: bool, updated_on: &str) -> String {
    format!(
        concat!(
            r#"{{"webhookId":"{id}","active":{active},"eventType":"ORDER_CREATE","#,
            r#""callbackUrl":"https://app.example/callback","createdOn":"2026-01-01T00:00:00.000Z","#,
            r#""updatedOn":"{updated_on}","links":[{{"rel":"self","#,
            r#""href":"https://knockback.test/rs/shops/DemoShop/webhooks/{id}"}}]"#,
        ),
        id = id,
        active = active,
        updated_on = updated_on,
    )
}

#[tokio::test]
async fn a_webhook_is_created_listed_read_switched_and_deleted_in_the_published_shapes() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let created = world.rs_call(Method::POST, WEBHOOKS, &token, HOOK).await;
    let id = created.body["webhookId"].as_str().expect("an id").to_owned();
    assert!(id.len() == 36 && id == id.to_uppercase(), "{id}");
    let secret = created.body["signingSecret"].as_str().expect("a secret");
    assert!(secret.starts_with("whsec_"));
    let born = "2026-01-01T00:00:00.000Z";
    check(&created, 201, &format!(r#"{},"signingSecret":"{secret}"}}"#, shown(&id, true, born)));

    let path = hook_path("DemoShop", &created.body);
    let expected = format!("{}}}", shown(&id, true, born));
    check(&get(&world, &token, &path).await, 200, &expected);
    check(&get(&world, &token, &path.to_lowercase().replace("demoshop", "DemoShop")).await, 200, &expected);
    let list = concat!(
        r#"{"links":[{"rel":"self","href":"https://knockback.test/rs/shops/DemoShop/webhooks?page=0&resultsPerPage=9"}],"#,
        r#""content":[HOOK],"page":{"size":9,"totalElements":1,"totalPages":1,"number":0}}"#
    );
    let listed = get(&world, &token, &format!("{WEBHOOKS}?page=0&resultsPerPage=9")).await;
    check(&listed, 200, &list.replace("HOOK", &expected));

    world.clock.advance(Duration::from_mins(1));
    let switched = world.rs_call(Method::POST, &path, &token, "active=false").await;
    check(&switched, 200, &format!("{}}}", shown(&id, false, "2026-01-01T00:01:00.000Z")));
    check(&get(&world, &token, &path).await, 200, &switched.text);

    check(&world.rs_call(Method::DELETE, &path, &token, "").await, 204, "");
    let empty = concat!(
        r#"{"links":[{"rel":"self","href":"https://knockback.test/rs/shops/DemoShop/webhooks?page=0&resultsPerPage=10"}],"#,
        r#""content":[],"page":{"size":10,"totalElements":0,"totalPages":0,"number":0}}"#
    );
    check(&get(&world, &token, WEBHOOKS).await, 200, empty);
    check(
        &get(&world, &token, &path).await,
        404,
        r#"{"message":"There is no such webhook of this app.","status":"404"}"#,
    );
}

#[tokio::test]
async fn a_webhook_is_switched_by_a_form_and_by_json_whatever_the_content_type_says() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let hook = create(&world, &token, HOOK).await;
    let mut active = true;
    for body in ["active=false", r#"{"active":true}"#, " {\"active\": false}\n", "active=true"] {
        for content_type in ["application/x-www-form-urlencoded", "application/json", "text/plain", ""] {
            let request = Request::builder().method(Method::POST).uri(hook_path("DemoShop", &hook));
            let request = request.header("authorization", format!("Bearer {token}"));
            let request = request.header("content-type", content_type).body(Body::from(body));
            let reply = world.rs_send(request.expect("a request")).await;
            active = body.contains("true");
            assert_eq!((reply.status.as_u16(), &reply.body["active"]), (200, &json!(active)), "{body}");
        }
        assert_eq!(world.read_hook(&token, "DemoShop", &hook).await["active"], active);
    }
    assert!(active);
}

#[tokio::test]
async fn a_delete_may_carry_any_body_and_a_second_one_finds_nothing() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    for body in ["{}".to_owned(), "nonsense".to_owned(), "x".repeat(5 * 1024 * 1024)] {
        let path = hook_path("DemoShop", &create(&world, &token, HOOK).await);
        assert_eq!(world.rs_call(Method::DELETE, &path, &token, body).await.status, StatusCode::NO_CONTENT);
        assert_eq!(world.rs_call(Method::DELETE, &path, &token, "{}").await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn an_event_type_in_the_plural_is_shown_in_the_singular() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    for (sent, shown) in [
        ("ORDERS_UPDATE", "ORDER_UPDATE"),
        ("PRODUCT_DELETE", "PRODUCT_DELETE"),
        ("APP_UNINSTALL", "APP_UNINSTALL"),
    ] {
        let hook = create(&world, &token, &HOOK.replace("ORDER_CREATE", sent)).await;
        assert_eq!(hook["eventType"], shown);
        assert_eq!(world.read_hook(&token, "DemoShop", &hook).await["eventType"], shown);
    }
}

#[tokio::test]
async fn an_inactive_webhook_gets_no_event_until_it_is_active() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let body = json!({"callbackUrl": receiver.url(), "eventType": "ORDER_CREATE", "active": false});
    let hook = create(&world, &token, &body.to_string()).await;
    assert_eq!(hook["active"], false);
    let order =
        |id: &str| json!({"company_id": "DemoShop", "object": "order", "action": "create", "entity_id": id});
    world.report(order("too-early")).await;
    world.run_to_rest().await;
    assert!(receiver.received().is_empty());
    world.switch_hook(&token, "DemoShop", &hook, true).await;
    world.report(order("in-time")).await;
    world.run_to_rest().await;
    let posts = receiver.received();
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].json()["entityUrl"], "https://knockback.test/rs/shops/DemoShop/orders/in-time");
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert!(posts[0].header(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn links_lead_to_where_the_request_came_to() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    create(&world, &token, HOOK).await;
    for (host, scheme, base) in [
        (Some("shop.example"), None, "https://shop.example/"),
        (Some("127.0.0.1:9000"), Some("http"), "http://127.0.0.1:9000/"),
        (Some("shop.example"), Some("https"), "https://shop.example/"),
        (Some("shop.example"), Some("javascript"), "https://shop.example/"),
        (None, None, "https://knockback.test/"),
    ] {
        let mut request = Request::builder().uri(WEBHOOKS).header("authorization", format!("Bearer {token}"));
        for (name, value) in [("host", host), ("x-forwarded-proto", scheme)] {
            request = value.into_iter().fold(request, |request, value| request.header(name, value));
        }
        let reply = world.rs_send(request.body(Body::empty()).expect("a request")).await;
        for links in [&reply.body["links"], &reply.body["content"][0]["links"]] {
            let href = links[0]["href"].as_str().expect("a link");
            assert!(href.starts_with(&format!("{base}rs/shops/DemoShop/webhooks")), "{href}");
        }
    }
}

/// The path of a link, if the list has one of this name.
fn link(reply: &Reply, rel: &str) -> Option<String> {
    let links = reply.body["links"].as_array().expect("links");
    let found = links.iter().find(|link| link["rel"] == rel)?["href"].as_str().expect("a link");
    Some(found.trim_start_matches("https://knockback.test").to_owned())
}

fn ids(reply: &Reply) -> Vec<Value> {
    let content = reply.body["content"].as_array().expect("a list");
    content.iter().map(|hook| hook["webhookId"].clone()).collect()
}

#[tokio::test]
async fn a_list_is_paged_in_the_order_of_creation_and_its_links_lead_through_it_both_ways() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    let mut all = Vec::new();
    for _ in 0..11 {
        all.push(create(&world, &token, HOOK).await["webhookId"].clone());
        world.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(ids(&get(&world, &token, WEBHOOKS).await), all[..10]);
    for size in [1, 4, 10, 11, 100] {
        let (mut seen, mut paths) = (Vec::new(), Vec::new());
        let mut next = Some(format!("{WEBHOOKS}?page=0&resultsPerPage={size}"));
        while let Some(path) = next {
            let reply = get(&world, &token, &path).await;
            let page = json!({"size": size, "totalElements": 11, "totalPages": 11_usize.div_ceil(size),
                "number": paths.len()});
            assert_eq!(reply.body["page"], page);
            assert_eq!(
                (link(&reply, "self").as_ref(), link(&reply, "previous").as_ref()),
                (Some(&path), paths.last())
            );
            seen.extend(ids(&reply));
            paths.push(path);
            next = link(&reply, "next");
        }
        assert_eq!(seen, all, "{size}");
    }
    let behind = get(&world, &token, &format!("{WEBHOOKS}?page=1000000&resultsPerPage=4")).await;
    assert_eq!((ids(&behind), link(&behind, "next")), (vec![], None));
    assert_eq!(link(&behind, "previous"), Some(format!("{WEBHOOKS}?page=2&resultsPerPage=4")));
}

#[tokio::test]
async fn webhooks_of_the_same_millisecond_are_listed_in_the_same_order_every_time() {
    let world = World::new().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    for _ in 0..5 {
        create(&world, &token, HOOK).await;
    }
    let whole = ids(&get(&world, &token, WEBHOOKS).await);
    let mut paged = Vec::new();
    for page in 0..5 {
        paged.extend(ids(&get(&world, &token, &format!("{WEBHOOKS}?page={page}&resultsPerPage=1")).await));
    }
    assert_eq!((paged.len(), &paged), (5, &whole));
}
