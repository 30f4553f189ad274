//! What an earlier version has written is read by this one: a deployment is updated while items lie in its tables and
//! messages in its queues.
//!
//! `first.json` is what the first version (commit 00ac513) wrote: its items as DynamoDB has them, the bodies of its messages, and
//! what it told its callers. Nobody writes it again; a format that a later version adds gets a file of its own.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{Client, primitives::Blob, types::AttributeValue};
use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use knockback::{clock::Clock as _, domain::Timestamp};
use local::aws::connector::sdk_config;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tests::{Receiver, World};
use url::Url;

const FIRST: &str = include_str!("first.json");

/// A world that goes on from what the first version has left.
struct Upgraded {
    world: World,
    left: Value,
    /// Answers 200, and was always well.
    healthy: Receiver,
    /// Answers 503 until it is told otherwise.
    failing: Receiver,
}

impl Upgraded {
    async fn new() -> Self {
        let left: Value = serde_json::from_str(FIRST).expect("JSON");
        let world = World::with_key_ring(left["key_ring"].as_str().expect("a ring")).await;
        let (healthy, failing) = (world.receiver().await, world.receiver().await);
        failing.answers(503);
        // Receivers listen on other ports now.
        let mut text = FIRST.to_owned();
        for (name, receiver) in [("healthy", &healthy), ("failing", &failing)] {
            let now = Url::parse(&receiver.url()).expect("a URL").origin().ascii_serialization();
            text = text.replace(left["receivers"][name].as_str().expect("a URL"), &now);
        }
        let left: Value = serde_json::from_str(&text).expect("JSON");
        let now = instant(&left["now"]);
        world.clock.set(now);
        let client = Client::new(&sdk_config(&world.system.aws));
        for (table, items) in left["tables"].as_object().expect("tables") {
            for item in items.as_array().expect("items") {
                let put = client.put_item().table_name(table).set_item(Some(entries(item)));
                put.send().await.expect("put");
            }
        }
        for (queue, messages) in left["messages"].as_object().expect("queues") {
            for message in messages.as_array().expect("messages") {
                world.send_message(queue, message.as_str().expect("a body"));
            }
        }
        Self { world, left, healthy, failing }
    }

    fn owner(&self) -> &str {
        self.left["owner"].as_str().expect("a token")
    }

    /// What the first version told of a webhook when it was created.
    fn webhook(&self, name: &str) -> &Value {
        &self.left["webhooks"][name]
    }

    /// How a webhook is shown now.
    async fn shown(&self, name: &str) -> Value {
        let path = format!("/v1/webhooks/{}", self.webhook(name)["id"]);
        self.world.call(Method::GET, &path, self.owner(), "").await.body["data"].clone()
    }

    /// Which deliveries a receiver has heard of at a path, in their order.
    fn heard(receiver: &Receiver, path: &str) -> Vec<String> {
        let posts = receiver.received().into_iter().filter(|post| post.request.url.path() == path);
        posts.map(|post| post.header("webhook-id").expect("an id").to_owned()).collect()
    }
}

fn instant(text: &Value) -> Timestamp {
    text.as_str().and_then(Timestamp::parse).expect("an instant")
}

fn entries(item: &Value) -> HashMap<String, AttributeValue> {
    let entries = item.as_object().expect("an item").iter();
    entries.map(|(name, value)| (name.clone(), attribute(value))).collect()
}

/// An attribute from DynamoDB's own JSON.
fn attribute(value: &Value) -> AttributeValue {
    let (kind, value) = value.as_object().and_then(|typed| typed.iter().next()).expect("a typed value");
    let text = || value.as_str().expect("a text").to_owned();
    let list = || value.as_array().expect("a list").iter();
    match kind.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "B" => AttributeValue::B(Blob::new(STANDARD.decode(text()).expect("base64"))),
        "BOOL" => AttributeValue::Bool(value.as_bool().expect("a flag")),
        "NULL" => AttributeValue::Null(true),
        "L" => AttributeValue::L(list().map(attribute).collect()),
        "M" => AttributeValue::M(entries(value)),
        other => panic!("{other} is in no fixture"),
    }
}

#[tokio::test]
async fn tokens_webhooks_and_their_secrets_are_as_they_were() {
    let upgraded = Upgraded::new().await;
    let listed = upgraded.world.webhooks(upgraded.owner()).await;
    let ids: Vec<_> = listed.iter().map(|webhook| &webhook["id"]).collect();
    let expected = ["healthy", "banned", "retried"].map(|name| &upgraded.webhook(name)["id"]);
    assert_eq!(ids, expected, "but not the one that was deleted");
    for (shown, name) in listed.iter().zip(["healthy", "banned", "retried"]) {
        let told = upgraded.webhook(name);
        for field in
            ["company_id", "owner_id", "user_id", "event_action", "event_object", "version", "add_time"]
        {
            assert_eq!(shown[field], told[field], "{name}: {field}");
        }
        let path = format!("/v1/webhooks/{}/secret", told["id"]);
        let reply = upgraded.world.call(Method::GET, &path, upgraded.owner(), "").await;
        assert_eq!(reply.body["data"]["signing_secret"], told["signing_secret"], "{}", reply.text);
    }
    assert_eq!(upgraded.shown("healthy").await["last_http_status"], 200);
    assert_eq!(upgraded.shown("gone").await["remove_reason"], "deleted");
}

#[tokio::test]
async fn what_was_queued_is_delivered_signed_as_before_and_digit_for_digit() {
    let upgraded = Upgraded::new().await;
    upgraded.world.settle().await;
    // A small and a large event at each of two places of their way.
    let posts = upgraded.healthy.received();
    assert_eq!(posts.len(), 4);
    assert!(posts.iter().any(|post| post.text().contains("9007199254740993")));
    assert_eq!(posts.iter().filter(|post| post.text().len() > 33 * 1024).count(), 2);
    let secret = upgraded.webhook("healthy")["signing_secret"].as_str().expect("a secret");
    let signer = Webhook::new(secret).expect("a secret");
    for post in &posts {
        assert_eq!(post.header("authorization"), Some("Basic dXNlcjpwYXNzd29yZA=="));
        // Others look at the machine's clock when they verify; so they sign.
        let header = |name| post.header(name).expect(name);
        let at = header("webhook-timestamp").parse().expect("seconds");
        let signature = signer.sign(header("webhook-id"), at, &post.request.body).expect("a signature");
        assert_eq!(header("webhook-signature"), signature, "by the secret that the first version gave out");
    }
    assert_eq!(upgraded.world.depth("EventsDlq") + upgraded.world.depth("DeliveriesDlq"), 0);
}

#[tokio::test]
async fn a_repeat_of_an_event_that_was_delivered_is_still_one() {
    let upgraded = Upgraded::new().await;
    upgraded.world.settle().await;
    let before = upgraded.healthy.received().len();
    for id in ["delivered", "reported", "fanned-out-large"] {
        upgraded.world.report(json!({"id": id})).await;
    }
    upgraded.world.settle().await;
    assert_eq!(upgraded.healthy.received().len(), before);
}

#[tokio::test]
async fn a_retry_that_waits_is_made_when_it_is_due_and_the_chain_goes_on() {
    let upgraded = Upgraded::new().await;
    upgraded.world.settle().await;
    assert_eq!(Upgraded::heard(&upgraded.failing, "/retried"), Vec::<String>::new(), "not before it is due");
    upgraded.world.run_for(Duration::from_secs(3)).await;
    assert_eq!(Upgraded::heard(&upgraded.failing, "/retried").len(), 1);
    upgraded.world.run_for(Duration::from_mins(3)).await;
    let attempts = Upgraded::heard(&upgraded.failing, "/retried");
    assert_eq!(attempts.len(), 3, "the attempts 2, 3 and 4");
    assert!(attempts.iter().all(|delivery| *delivery == attempts[0]));
    assert_eq!(
        upgraded.shown("retried").await["strikes"],
        1,
        "that of the original, which the first version made"
    );
}

#[tokio::test]
async fn a_ban_ends_when_it_was_to_and_then_what_waited_for_it_is_attempted() {
    let upgraded = Upgraded::new().await;
    let banned = upgraded.shown("banned").await;
    assert_eq!((&banned["is_active"], &banned["strikes"]), (&json!(0), &json!(10)));
    let until = instant(&banned["banned_until"]);
    let left = until.since(upgraded.world.clock.now());
    upgraded.failing.answers(200);
    upgraded.world.run_for(left.saturating_sub(Duration::from_millis(1))).await;
    assert_eq!(Upgraded::heard(&upgraded.failing, "/banned"), Vec::<String>::new());
    upgraded.world.run_for(Duration::from_mins(15)).await;
    assert_eq!(Upgraded::heard(&upgraded.failing, "/banned").len(), 1);
    assert_eq!(upgraded.shown("banned").await["is_active"], 1);
}

#[tokio::test]
async fn the_quota_counts_the_webhooks_that_there_were() {
    let upgraded = Upgraded::new().await;
    for _ in 3..40 {
        upgraded.world.subscribe(upgraded.owner(), &upgraded.healthy.url(), json!({})).await;
    }
    let body = json!({"subscription_url": upgraded.healthy.url(), "event_action": "*", "event_object": "*"});
    let one_more = upgraded.world.call(Method::POST, "/v1/webhooks", upgraded.owner(), body.to_string());
    assert_eq!(one_more.await.status.as_u16(), 422);
}
