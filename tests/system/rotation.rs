//! The signing secret of a webhook: shown to who may change it, and changed without a gap for its receiver.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use knockback::{
    clock::{Clock, SystemClock},
    domain::OVERLAP,
};
use serde_json::{Value, json};
use tests::{Received, Reply, Subscribed, World};

const MOMENT: Duration = Duration::from_millis(1);

async fn secret(world: &World, token: &str, id: &Value) -> Reply {
    let id = id.to_string();
    world.call(Method::GET, &format!("/v1/webhooks/{}/secret", id.trim_matches('"')), token, "").await
}

async fn rotate(world: &World, token: &str, id: &Value) -> Reply {
    let id = id.to_string();
    world.call(Method::POST, &format!("/v1/webhooks/{}/secret/rotate", id.trim_matches('"')), token, "").await
}

/// The secret that a rotation gives.
async fn rotated(world: &World, token: &str, id: &Value) -> String {
    let reply = rotate(world, token, id).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    reply.body["data"]["signing_secret"].as_str().expect("a secret").to_owned()
}

fn signatures(received: &Received) -> impl Iterator<Item = &str> {
    received.header("webhook-signature").expect("signatures").split(' ')
}

#[tokio::test]
async fn both_secrets_verify_for_a_day_and_then_the_new_one_alone() {
    let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(200).await;
    let old = webhook["signing_secret"].as_str().expect("a secret");
    let new = rotated(&world, &owner, &webhook["id"]).await;
    assert_ne!(old, new);
    world.report(json!({})).await;
    world.settle().await;
    let end = world.clock.now() + OVERLAP;
    world.run_until(end - MOMENT).await;
    world.report(json!({})).await;
    world.settle().await;
    world.run_until(end).await;
    world.report(json!({})).await;
    world.settle().await;
    let received = receiver.received();
    let verified: Vec<_> = received.iter().map(|it| (it.verifies(old), it.verifies(&new))).collect();
    assert_eq!(verified, [(true, true), (true, true), (false, true)]);
    let counts: Vec<_> = received.iter().map(|received| signatures(received).count()).collect();
    assert_eq!(counts, [2, 2, 1]);
}

#[tokio::test]
async fn others_verify_a_delivery_during_a_rotation_with_either_secret() {
    let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(200).await;
    // Others look at the machine's clock.
    world.clock.set(SystemClock.now());
    let old = webhook["signing_secret"].as_str().expect("a secret");
    let new = rotated(&world, &owner, &webhook["id"]).await;
    world.report(json!({})).await;
    world.settle().await;
    let received = receiver.received();
    let request = &received[0].request;
    for (secret, is_right) in [(old, true), (&*new, true), ("whsec_c2VlZGVkIHNlY3JldHMgbmVlZA==", false)] {
        let verifier = standardwebhooks::Webhook::new(secret).expect("a secret");
        assert_eq!(verifier.verify(&request.body, &request.headers).is_ok(), is_right);
    }
}

#[tokio::test]
async fn what_was_queued_before_a_rotation_is_signed_with_both() {
    let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(500).await;
    let old = webhook["signing_secret"].as_str().expect("a secret");
    world.report(json!({})).await;
    world.settle().await;
    let new = rotated(&world, &owner, &webhook["id"]).await;
    world.run_to_rest().await;
    let received = receiver.received();
    assert_eq!(received.len(), 4);
    assert!(received[0].verifies(old) && !received[0].verifies(&new));
    assert!(received[1..].iter().all(|it| it.verifies(old) && it.verifies(&new)));
}

#[tokio::test]
async fn the_secret_is_shown_with_when_the_overlap_ends() {
    let Subscribed { world, webhook, owner, receiver: _receiver } = Subscribed::answering(200).await;
    let shown = secret(&world, &owner, &webhook["id"]).await.body["data"].clone();
    assert_eq!(shown, json!({"signing_secret": webhook["signing_secret"], "overlap_until": null}));
    let reply = rotate(&world, &owner, &webhook["id"]).await;
    assert_eq!(reply.body["data"]["overlap_until"], "2026-01-02T00:00:00.000Z");
    assert_eq!(secret(&world, &owner, &webhook["id"]).await.body, reply.body);
    world.run_for(OVERLAP).await;
    let shown = secret(&world, &owner, &webhook["id"]).await.body["data"].clone();
    assert_eq!(shown["overlap_until"], Value::Null);
    assert_eq!(shown["signing_secret"], reply.body["data"]["signing_secret"]);
}

#[tokio::test]
async fn a_rotation_that_is_repeated_takes_no_secret_away_and_too_many_are_refused() {
    let Subscribed { world, webhook, owner, receiver } = Subscribed::answering(200).await;
    let mut secrets = vec![webhook["signing_secret"].as_str().expect("a secret").to_owned()];
    for _ in 0..4 {
        secrets.push(rotated(&world, &owner, &webhook["id"]).await);
    }
    let refused = rotate(&world, &owner, &webhook["id"]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.body["error"], "Signing secret changed too often");
    let info = refused.body["error_info"].as_str().expect("a reason");
    assert!(info.contains("2026-01-02T00:00:00.000Z"), "{info}");
    world.report(json!({})).await;
    world.settle().await;
    let received = receiver.received();
    assert!(secrets.iter().all(|secret| received[0].verifies(secret)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotations_at_once_all_count() {
    let Subscribed { world, webhook, owner, receiver } = Subscribed::answering(200).await;
    let (first, second) =
        tokio::join!(rotated(&world, &owner, &webhook["id"]), rotated(&world, &owner, &webhook["id"]));
    world.report(json!({})).await;
    world.settle().await;
    let received = receiver.received();
    for secret in [&first, &second, webhook["signing_secret"].as_str().expect("a secret")] {
        assert!(received[0].verifies(secret));
    }
}

#[tokio::test]
async fn a_secret_is_not_for_who_may_only_read_and_a_removed_webhook_has_none() {
    let Subscribed { world, webhook, owner, receiver: _receiver } = Subscribed::answering(200).await;
    let reader = json!({"company_id": "1", "user_id": "10", "scopes": ["webhooks:read"]});
    let reader = world.token(reader).await;
    for reply in
        [secret(&world, &reader, &webhook["id"]).await, rotate(&world, &reader, &webhook["id"]).await]
    {
        assert_eq!(
            (reply.status, &reply.body["error"]),
            (StatusCode::FORBIDDEN, &json!("Scope and URL mismatch"))
        );
    }
    let read = world.read(&reader, &webhook).await;
    assert!(read.get("signing_secret").is_none(), "{read}");
    world.unsubscribe(&owner, &webhook).await;
    for reply in [secret(&world, &owner, &webhook["id"]).await, rotate(&world, &owner, &webhook["id"]).await]
    {
        assert_eq!(reply.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn an_app_changes_the_secret_of_its_epages_webhook_too() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let app = world.shop_app("shop", "mailer").await;
    let hook = world.hook(&app, "shop", &receiver.url(), "ORDER_CREATE").await;
    let old = hook["signingSecret"].as_str().expect("a secret");
    let shown = secret(&world, &app, &hook["webhookId"]).await;
    assert_eq!(shown.body["data"]["signing_secret"], old);
    let new = rotated(&world, &app, &hook["webhookId"]).await;
    world.report(json!({"company_id": "shop", "object": "order", "action": "create"})).await;
    world.settle().await;
    let sent = receiver.received().remove(0);
    assert!(sent.verifies(old) && sent.verifies(&new));
}
