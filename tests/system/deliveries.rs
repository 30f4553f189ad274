//! An event reaches its receiver, as the facts say it looks (facts: Pipedrive, Notifications).

use axum::http::Method;
use knockback::clock::{Clock, SystemClock};
use serde_json::json;
use standardwebhooks::{Webhook, WebhookError};
use tests::{Received, World};

/// The deal of the facts' 2.0 body, as the platform reports it.
const RECORDED_DEAL: &str = r#"{"id":"71825ee0-0054-4267-b5fd-d28b7a414212","company_id":"8087566",
    "object":"deal","action":"create","entity_id":"8","user_id":"12415231","occurred_at":"2022-11-24T13:18:56.089Z",
    "data":{"id":8, "title":"Sample deal", "value":100, "custom_fields":{}},"previous":null,
    "permitted_user_ids":["26510409"],"change_source":"app","is_bulk_edit":false,
    "correlation_id":"4095519f-02cb-44bc-bd2f-551d5383f202","host":"pd-us.pipedrive.com"}"#;

/// The facts' 2.0 body; the webhook is the first of its world.
const RECORDED_V2: &str = concat!(
    r#"{"data":{"id":8,"title":"Sample deal","value":100,"custom_fields":{}},"previous":null,"#,
    r#""meta":{"action":"create","company_id":"8087566","correlation_id":"4095519f-02cb-44bc-bd2f-551d5383f202","#,
    r#""entity_id":"8","entity":"deal","id":"71825ee0-0054-4267-b5fd-d28b7a414212","is_bulk_edit":false,"#,
    r#""timestamp":"2022-11-24T13:18:56.089Z","type":"general","user_id":"12415231","version":"2.0","#,
    r#""webhook_id":"1","webhook_owner_id":"12094821","change_source":"app","#,
    r#""permitted_user_ids":["26510409"],"attempt":1,"host":"pd-us.pipedrive.com"}}"#
);

/// The same deal in the words of version 1.0, for the second webhook of the world.
const RECORDED_V1: &str = concat!(
    r#"{"v":1,"matches_filters":{"current":[]},"meta":{"action":"added","change_source":"app","#,
    r#""company_id":8087566,"host":"pd-us.pipedrive.com","id":8,"is_bulk_update":false,"#,
    r#""matches_filters":{"current":[]},"object":"deal","permitted_user_ids":[26510409],"#,
    r#""pipedrive_service_name":false,"timestamp":1669295936,"timestamp_micro":1669295936089000,"#,
    r#""prepublish_timestamp":1767225600000,"trans_pending":false,"user_id":12415231,"v":1,"webhook_id":"2"},"#,
    r#""current":{"id":8,"title":"Sample deal","value":100,"custom_fields":{}},"previous":null,"#,
    r#""event":"added.deal","retry":0}"#
);

#[tokio::test]
async fn the_recorded_deal_arrives_as_the_recorded_body_of_each_version() {
    let world = World::new().await;
    let (v2, v1) = (world.receiver().await, world.receiver().await);
    let admin = world.token(json!({"company_id": 8_087_566, "user_id": 12_094_821, "admin": true})).await;
    world.subscribe(&admin, &v2.url(), json!({"user_id": 26_510_409})).await;
    world.subscribe(&admin, &v1.url(), json!({"user_id": 26_510_409, "version": "1.0"})).await;

    let reply = world.platform(Method::POST, "/v1/events", RECORDED_DEAL).await;
    assert_eq!(reply.text, r#"{"success":true,"data":[{"id":"71825ee0-0054-4267-b5fd-d28b7a414212"}]}"#);
    world.run_to_rest().await;

    let text = |posts: &[Received]| posts.iter().map(|post| post.text().to_owned()).collect::<Vec<_>>();
    assert_eq!(text(&v2.received()), [RECORDED_V2]);
    assert_eq!(text(&v1.received()), [RECORDED_V1]);
}

#[tokio::test]
async fn the_signature_is_one_that_others_verify_with_the_secret_of_the_201() {
    let world = World::new().await;
    // Others look at the machine's clock.
    world.clock.set(SystemClock.now());
    let receiver = world.receiver().await;
    receiver.answers(500);
    let webhook = world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    let secret = webhook["signing_secret"].as_str().expect("a secret");
    world.report(json!({})).await;
    world.run_to_rest().await;

    let verifier = Webhook::new(secret).expect("a secret");
    let posts = receiver.received();
    assert_eq!(posts.len(), 4);
    for post in &posts {
        assert!(verifier.verify(&post.request.body, &post.request.headers).is_ok());
        let changed = [&post.request.body[..], b" "].concat();
        let refused = verifier.verify(&changed, &post.request.headers);
        assert!(matches!(refused, Err(WebhookError::InvalidSignature)));
    }
    let other = world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    assert_ne!(other["signing_secret"], webhook["signing_secret"]);
}

#[tokio::test]
async fn the_id_is_the_same_on_every_attempt_and_the_timestamp_that_of_the_attempt() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.answers(500);
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    world.report(json!({})).await;
    world.run_to_rest().await;

    let posts = receiver.received();
    let ids: Vec<_> = posts.iter().filter_map(|post| post.header("webhook-id")).collect();
    assert_eq!(ids, [ids[0]; 4]);
    assert_eq!(ids[0].len(), 26, "a ULID");
    for post in &posts {
        assert_eq!(post.header("webhook-timestamp"), Some(&*post.at.as_secs().to_string()));
    }
    let signatures: std::collections::HashSet<_> =
        posts.iter().filter_map(|post| post.header("webhook-signature")).collect();
    assert_eq!(signatures.len(), 4);
}

#[tokio::test]
async fn every_post_says_who_sends_what() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    world.report(json!({})).await;
    world.run_to_rest().await;

    let posts = receiver.received();
    let post = &posts[0];
    assert_eq!(post.request.method.as_str(), "POST");
    assert_eq!(post.header("content-type"), Some("application/json"));
    let user_agent = post.header("user-agent").expect("a user agent");
    assert!(user_agent.starts_with("Knockback/") && user_agent.ends_with(env!("CARGO_PKG_VERSION")));
    assert_eq!(post.header("authorization"), None);
    assert_eq!(post.header("cookie"), None);
}

#[tokio::test]
async fn basic_credentials_are_sent_as_they_were_configured() {
    let world = World::new().await;
    let owner = world.owner().await;
    // printf 'user:p:ä' | base64, and so on.
    for (credentials, expected) in [
        (json!({"http_auth_user": "user", "http_auth_password": "p:ä"}), Some("Basic dXNlcjpwOsOk")),
        (json!({"http_auth_user": "user"}), Some("Basic dXNlcjo=")),
        (json!({"http_auth_password": "secret"}), Some("Basic OnNlY3JldA==")),
        (json!({"http_auth_user": null, "http_auth_password": null}), None),
    ] {
        let receiver = world.receiver().await;
        let webhook = world.subscribe(&owner, &receiver.url(), credentials.clone()).await;
        world.report(json!({})).await;
        world.run_to_rest().await;
        assert_eq!(receiver.received()[0].header("authorization"), expected, "{credentials}");
        world.unsubscribe(&owner, &webhook).await;
    }
}

#[tokio::test]
async fn numbers_arrive_digit_for_digit() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;

    let event = r#"{"company_id":"1","object":"deal","action":"create","entity_id":"8",
        "data":{"id":9007199254740993,"value":1.10}}"#;
    let reply = world.platform(Method::POST, "/v1/events", event).await;
    assert_eq!(reply.status, 202);
    world.run_to_rest().await;

    let posts = receiver.received();
    assert!(
        posts[0]
            .text()
            .starts_with(r#"{"data":{"id":9007199254740993,"value":1.10},"previous":null,"meta":"#)
    );
}

/// What JSON permits and other formats do not: characters that SQS refuses, and halves of characters.
#[tokio::test]
async fn whatever_json_permits_in_data_arrives() {
    let world = World::new().await;
    let owner = world.owner().await;
    let (v2, v1) = (world.receiver().await, world.receiver().await);
    world.subscribe(&owner, &v2.url(), json!({})).await;
    world.subscribe(&owner, &v1.url(), json!({"version": "1.0"})).await;
    for name in ["\u{fffe}", "\u{ffff}", r"\u0000", r"\ud800", r"\ud83d\ude00", "\u{7f}", "😀"] {
        let event = format!(
            r#"{{"company_id":"1","object":"deal","action":"change","entity_id":"8",
                "data":{{"{name}":"{name}","a":1}},"previous":{{"{name}":"{name}","a":2}}}}"#
        );
        let reply = world.platform(Method::POST, "/v1/events", event).await;
        assert_eq!(reply.status, 202, "{name} {}", reply.text);
        world.run_to_rest().await;
        for receiver in [&v2, &v1] {
            let posts = receiver.received();
            let body = posts.last().map(|post| post.text().to_owned()).unwrap_or_default();
            let raw = |text: &str| text.replace(r"\uffff", "\u{ffff}").replace(r"\ufffe", "\u{fffe}");
            assert!(raw(&body).contains(&format!(r#"{{"{name}":"{name}","a":1}}"#)), "{name} {body}");
        }
    }
    assert_eq!((v2.received().len(), v1.received().len()), (7, 7));
}
