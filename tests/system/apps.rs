//! Apps: registering them, and what stops at once when one is removed or uninstalled.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use knockback::{
    domain::{Generation, Health, Pattern, Sealed, Version, Webhook, WebhookId},
    store::{Creation, NewWebhook},
};
use serde_json::{Value, json};
use tests::{Receiver, Reply, World};

const HOOK: &str = r#"{"subscription_url":"http://127.0.0.1:1/","event_action":"*","event_object":"deal"}"#;

/// The token of an app, for a user of a company.
pub(crate) async fn installed(world: &World, app: &str, company: &str, user: &str) -> String {
    world.token(json!({"company_id": company, "user_id": user, "app": app})).await
}

pub(crate) async fn remove(world: &World, app: &str) {
    let reply = world.platform(Method::DELETE, &format!("/v1/apps/{app}"), "").await;
    let expected = json!({"success": true, "data": {"app": app}});
    assert_eq!((reply.status, reply.body), (StatusCode::ACCEPTED, expected));
}

pub(crate) async fn uninstall(world: &World, app: &str, company: &str, user: &str) {
    let path = format!("/v1/apps/{app}/installations?company_id={company}&user_id={user}");
    let reply = world.platform(Method::DELETE, &path, "").await;
    let expected = json!({"success": true, "data": {"app": app, "company_id": company, "user_id": user}});
    assert_eq!((reply.status, reply.body), (StatusCode::ACCEPTED, expected));
}

async fn put(world: &World, app: &str, body: Value) -> Reply {
    world.platform(Method::PUT, &format!("/v1/apps/{app}"), body.to_string()).await
}

/// The fields that an answer complains about.
pub(crate) fn fields_of(reply: &Reply) -> Vec<&str> {
    reply.body["errors"]
        .as_object()
        .into_iter()
        .flat_map(|errors| errors.keys())
        .map(String::as_str)
        .collect()
}

async fn list(world: &World, token: &str) -> StatusCode {
    world.call(Method::GET, "/v1/webhooks", token, "").await.status
}

#[tokio::test]
async fn an_app_is_registered_changed_and_shown_but_never_its_secret() {
    let world = World::new().await;
    let secret = "a client secret that nobody may see";
    let new = json!({"name": "CRM Sync", "contact": "dev@example.com", "client_secret": secret});
    let reply = put(&world, "crm-sync", new).await;
    assert_eq!(
        (reply.status.as_u16(), &*reply.text),
        (201, r#"{"success":true,"data":{"id":"crm-sync","name":"CRM Sync","contact":"dev@example.com"}}"#)
    );
    let sealed = async || {
        let items = world.items().await;
        let app = items.iter().find(|item| item["pk"] == "A#crm-sync").expect("an item").clone();
        app["registration"]["client_secret"].clone()
    };
    let first = sealed().await;
    let reply = put(&world, "crm-sync", json!({"name": "CRM"})).await;
    let changed = r#"{"success":true,"data":{"id":"crm-sync","name":"CRM","contact":null}}"#;
    assert_eq!((reply.status.as_u16(), &*reply.text), (200, changed));
    assert_eq!(sealed().await, first, "a secret that is left out stays");
    let shown = world.platform(Method::GET, "/v1/apps/crm-sync", "").await;
    assert_eq!((shown.status.as_u16(), &*shown.text), (200, changed));

    put(&world, "crm-sync", json!({"name": "CRM", "client_secret": "another"})).await;
    assert_ne!(sealed().await, first);
    put(&world, "mailer", json!({"name": "Mailer", "client_secret": secret})).await;
    let kept: String = world.items().await.iter().map(Value::to_string).collect();
    assert!(!kept.contains(secret) && kept.contains("CRM"));
}

#[tokio::test]
async fn an_app_that_is_unknown_or_removed_is_not_found_and_may_be_registered_again() {
    let world = World::new().await;
    let not_found = json!({"status": "error", "success": false, "errors": {"app": ["not found"]}});
    let shown = async || {
        let reply = world.platform(Method::GET, "/v1/apps/crm-sync", "").await;
        (reply.status.as_u16(), reply.body)
    };
    assert_eq!(shown().await, (404, not_found.clone()));
    put(&world, "crm-sync", json!({"name": "CRM", "contact": "a@example.com", "client_secret": "s"})).await;
    remove(&world, "crm-sync").await;
    assert_eq!(shown().await, (404, not_found));
    world.run_to_rest().await;
    let items = world.items().await;
    assert_eq!(items.len(), 1, "what was known of it is gone: {items:?}");
    assert_eq!(items[0]["registration"], Value::Null);

    assert_eq!(put(&world, "crm-sync", json!({"name": "CRM"})).await.status, StatusCode::CREATED);
    assert_eq!(shown().await.0, 200);
}

#[tokio::test]
async fn what_is_wrong_with_an_app_or_an_installation_is_named() {
    let world = World::new().await;
    let long = "a".repeat(256);
    for (method, path, body, fields) in [
        (Method::PUT, "/v1/apps/crm", json!({}), vec!["name"]),
        (Method::PUT, "/v1/apps/crm", json!([]), vec!["body"]),
        (Method::PUT, "/v1/apps/crm", json!({"name": ""}), vec!["name"]),
        (Method::PUT, "/v1/apps/a%23b", json!({"name": "a"}), vec!["app"]),
        (Method::PUT, &*format!("/v1/apps/{long}"), json!({"name": "a"}), vec!["app"]),
        (
            Method::PUT,
            "/v1/apps/crm",
            json!({"name": long, "contact": long, "client_secret": long}),
            vec!["client_secret", "contact", "name"],
        ),
        (Method::PUT, "/v1/apps/crm", json!({"name": "a", "client_secret": 7}), vec!["client_secret"]),
        (Method::DELETE, "/v1/apps/a%20b", json!(null), vec!["app"]),
        (Method::DELETE, "/v1/apps/crm/installations", json!(null), vec!["company_id"]),
        (Method::DELETE, "/v1/apps/crm/installations?company_id=1&user_id=", json!(null), vec!["user_id"]),
        (
            Method::DELETE,
            "/v1/apps/crm/installations?company_id=a%23&user_id=1",
            json!(null),
            vec!["company_id"],
        ),
        (Method::DELETE, "/v1/apps/%ff/installations?company_id=1&user_id=1", json!(null), vec!["app"]),
    ] {
        let reply = world.platform(method.clone(), path, body.to_string()).await;
        let found = fields_of(&reply);
        assert_eq!((reply.status.as_u16(), found), (400, fields), "{method} {path}");
    }
    assert_eq!(world.platform(Method::GET, "/v1/apps/a%23b", "").await.status, StatusCode::NOT_FOUND);
    assert!(world.items().await.is_empty() && world.depth("EventsQueue") == 0);
}

#[tokio::test]
async fn apps_are_the_platforms_alone() {
    let world = World::new().await;
    let admin = world.token(json!({"company_id": "1", "user_id": "10", "admin": true})).await;
    let app = installed(&world, "crm-sync", "1", "10").await;
    for token in [&admin, &app] {
        for (method, path) in [
            (Method::GET, "/v1/apps/crm-sync"),
            (Method::PUT, "/v1/apps/crm-sync"),
            (Method::DELETE, "/v1/apps/crm-sync"),
            (Method::DELETE, "/v1/apps/crm-sync/installations?company_id=1&user_id=10"),
        ] {
            let reply = world.call(method.clone(), path, token, r#"{"name":"mine"}"#).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{method} {path}");
        }
    }
    assert_eq!((list(&world, &app).await, world.depth("EventsQueue")), (StatusCode::OK, 0));
}

#[tokio::test]
async fn from_the_answer_on_its_tokens_are_refused_and_no_others() {
    let world = World::new().await;
    let [gone, too] = [("crm-sync", "10"), ("crm-sync", "11")];
    let (gone, too) =
        (installed(&world, gone.0, "1", gone.1).await, installed(&world, too.0, "1", too.1).await);
    let (other_app, general) = (installed(&world, "mailer", "1", "10").await, world.owner().await);
    uninstall(&world, "crm-sync", "1", "10").await;
    assert_eq!(list(&world, &gone).await, StatusCode::UNAUTHORIZED);
    let reply = world.call(Method::POST, "/v1/webhooks", &gone, HOOK).await;
    assert_eq!(
        (reply.status, &reply.body["error"]),
        (StatusCode::UNAUTHORIZED, &json!("unauthorized access"))
    );
    for token in [&too, &other_app, &general] {
        assert_eq!(list(&world, token).await, StatusCode::OK);
    }
    remove(&world, "crm-sync").await;
    assert_eq!(list(&world, &too).await, StatusCode::UNAUTHORIZED);
    for token in [&other_app, &general] {
        assert_eq!(list(&world, token).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_removed_app_is_given_no_token_until_it_is_registered_again() {
    let world = World::new().await;
    let before = installed(&world, "crm-sync", "1", "10").await;
    remove(&world, "crm-sync").await;
    remove(&world, "crm-sync").await;
    let member = json!({"company_id": "1", "user_id": "10", "app": "crm-sync"}).to_string();
    let reply = world.platform(Method::POST, "/v1/tokens", member).await;
    assert_eq!((reply.status, reply.body["errors"]["app"].is_array()), (StatusCode::BAD_REQUEST, true));
    put(&world, "crm-sync", json!({"name": "CRM"})).await;
    let after = installed(&world, "crm-sync", "1", "10").await;
    world.subscribe(&after, "http://127.0.0.1:1/", json!({})).await;
    assert_eq!(list(&world, &before).await, StatusCode::UNAUTHORIZED);
    world.run_to_rest().await;
    assert_eq!(world.webhooks(&after).await.len(), 1);
    assert_eq!(list(&world, &before).await, StatusCode::UNAUTHORIZED);
}

/// A world in which one delivery of an application webhook waits for its retry and one has not begun, and the same for
/// the app of another user.
async fn under_way() -> (World, [Receiver; 2], [Value; 2]) {
    let world = World::new().await;
    let receivers = [world.receiver().await, world.receiver().await];
    let tokens =
        [installed(&world, "crm-sync", "1", "10").await, installed(&world, "crm-sync", "1", "11").await];
    let webhooks = [
        world.subscribe(&tokens[0], &receivers[0].url(), json!({})).await,
        world.subscribe(&tokens[1], &receivers[1].url(), json!({})).await,
    ];
    let answer = |status| {
        for receiver in &receivers {
            receiver.answers(status);
        }
    };
    answer(500);
    world.report(json!({})).await;
    world.settle().await;
    answer(200);
    world.run_for(Duration::from_secs(1)).await;
    world.report(json!({})).await;
    world.pump("EventsQueue").await;
    assert_eq!((world.depth("DeliveriesQueue"), world.depth("RetriesQueue")), (2, 2));
    (world, receivers, webhooks)
}

async fn outcomes(world: &World, webhook: &Value) -> Vec<String> {
    let attempts = world.attempts(webhook).await;
    let outcome = |attempt: &Value| format!("{}{}", attempt["state"], attempt["dropped"]).replace('"', "");
    attempts.iter().map(outcome).collect()
}

const STOPPED: [&str; 3] = ["failednull", "droppedremoved", "droppedremoved"];
const DELIVERED: [&str; 3] = ["failednull", "succeedednull", "succeedednull"];

#[tokio::test]
async fn after_an_uninstall_no_attempt_starts_neither_a_queued_one_nor_a_retry_and_the_drop_is_recorded() {
    let (world, receivers, webhooks) = under_way().await;
    uninstall(&world, "crm-sync", "1", "10").await;
    // The items are still there: only what the answer promised stops them.
    while !world.pump("DeliveriesQueue").await.is_empty() {}
    world.clock.advance(Duration::from_secs(3));
    while !world.pump("RetriesQueue").await.is_empty() {}
    assert_eq!(receivers.each_ref().map(|receiver| receiver.received().len()), [1, 3]);
    assert_eq!(outcomes(&world, &webhooks[0]).await, STOPPED);
    assert_eq!(outcomes(&world, &webhooks[1]).await, DELIVERED);
    world.run_to_rest().await;
    assert_eq!(receivers.each_ref().map(|receiver| receiver.received().len()), [1, 3]);
}

#[tokio::test]
async fn after_a_removal_no_attempt_starts_for_any_user() {
    let (world, receivers, webhooks) = under_way().await;
    remove(&world, "crm-sync").await;
    while !world.pump("DeliveriesQueue").await.is_empty() {}
    world.clock.advance(Duration::from_secs(3));
    while !world.pump("RetriesQueue").await.is_empty() {}
    assert_eq!(receivers.each_ref().map(|receiver| receiver.received().len()), [1, 1]);
    for webhook in &webhooks {
        assert_eq!(outcomes(&world, webhook).await, STOPPED);
    }
}

#[tokio::test]
async fn a_message_that_does_not_say_which_app_it_is_for_is_stopped_as_well() {
    let (world, receivers, webhooks) = under_way().await;
    let messages = world.receive("DeliveriesQueue");
    world.delete("DeliveriesQueue", &messages);
    uninstall(&world, "crm-sync", "1", "10").await;
    for message in messages {
        let mut body: Value = serde_json::from_str(&message.body).expect("JSON");
        assert!(body.as_object_mut().expect("an object").remove("installation").is_some());
        world.send_message("DeliveriesQueue", &body.to_string());
    }
    while !world.pump("DeliveriesQueue").await.is_empty() {}
    assert_eq!(receivers.each_ref().map(|receiver| receiver.received().len()), [1, 2]);
    world.run_to_rest().await;
    assert_eq!(receivers.each_ref().map(|receiver| receiver.received().len()), [1, 3]);
    assert_eq!(outcomes(&world, &webhooks[0]).await, STOPPED);
    assert_eq!(outcomes(&world, &webhooks[1]).await, DELIVERED);
}

#[tokio::test]
async fn an_event_after_the_answer_reaches_nobody_and_a_general_webhooks_message_names_no_app() {
    let world = World::new().await;
    let (receiver, general) = (world.receiver().await, world.receiver().await);
    let app = installed(&world, "crm-sync", "1", "10").await;
    world.subscribe(&app, &receiver.url(), json!({})).await;
    world.subscribe(&world.owner().await, &general.url(), json!({})).await;
    uninstall(&world, "crm-sync", "1", "10").await;
    world.report(json!({})).await;
    world.pump("EventsQueue").await;
    let messages = world.pump("DeliveriesQueue").await;
    assert!(
        messages.iter().all(|message| message.body.contains("installation") == message.body.contains("crm"))
    );
    world.run_to_rest().await;
    assert_eq!((receiver.received().len(), general.received().len()), (0, 1));
}

/// What a request creates that passed the door with its token right before the app went.
fn created_late(generation: Generation) -> NewWebhook {
    let webhook = Webhook {
        id: WebhookId::new(7),
        company: "1".parse().expect("an id"),
        owner: "10".parse().expect("an id"),
        user: "10".parse().expect("an id"),
        app: Some("crm-sync".parse().expect("an id")),
        generation,
        pattern: Pattern { version: Version::V2, action: "*".to_owned(), object: "deal".to_owned() },
        url: "http://127.0.0.1:1/".to_owned(),
        name: None,
        http_auth_user: None,
        http_auth_password: None,
        signing_secret: Sealed(String::new()),
        former_signing_secrets: Vec::new(),
        added_at: tests::START,
        removed_at: None,
        remove_reason: None,
        enabled: true,
        switched_off_at: None,
        changed_at: None,
        contact: None,
        health: Health::default(),
    };
    NewWebhook { webhook, quota: Some(40) }
}

#[tokio::test]
async fn a_create_that_is_under_way_when_the_app_goes_creates_nothing() {
    let generation = |app, installation| Generation { app, installation };
    let check = async |world: &World, of: Generation, expected: Creation| {
        let created = world.system.context.store.create_webhook(&created_late(of)).await;
        assert_eq!(created.expect("an answer"), expected, "{of:?}");
    };
    let world = World::new().await;
    uninstall(&world, "crm-sync", "1", "10").await;
    check(&world, generation(0, 0), Creation::NotInstalled).await;
    remove(&world, "crm-sync").await;
    check(&world, generation(0, 1), Creation::NotInstalled).await;
    check(&world, generation(1, 1), Creation::NotInstalled).await;
    put(&world, "crm-sync", json!({"name": "CRM"})).await;
    check(&world, generation(0, 1), Creation::NotInstalled).await;
    check(&world, generation(1, 0), Creation::NotInstalled).await;
    check(&world, generation(1, 1), Creation::Created).await;
}
