//! Both dialects at one event: each gets its own body, signature and policy.

use std::time::Duration;

use knockback::sender::signing::epages_signature;
use serde_json::json;
use tests::{CLIENT_SECRET, PAYLOAD, Received, World};

/// Checks the signature that every dialect has.
fn check_signed(received: &Received, secret: &str) {
    let standard = standardwebhooks::Webhook::new(secret).expect("a secret");
    let at = received.header("webhook-timestamp").expect("a time").parse().expect("a number");
    let id = received.header("webhook-id").expect("an id");
    let signature = standard.sign(id, at, &received.request.body).expect("a signature");
    assert_eq!(received.header("webhook-signature"), Some(&*signature));
}

#[tokio::test]
async fn one_event_reaches_both_dialects_each_in_its_own_way() {
    let world = World::new().await;
    let (pipedrive, epages) = (world.receiver().await, world.receiver().await);
    for receiver in [&pipedrive, &epages] {
        receiver.answers(500);
    }
    let owner = world.owner().await;
    let general = world.subscribe(&owner, &pipedrive.url(), json!({"event_object": "product"})).await;
    let app = world.shop_app("1", "mailer").await;
    let hook = world.hook(&app, "1", &epages.url(), "PRODUCTS_UPDATE").await;
    world.report(json!({"object": "product", "entity_id": "8", "host": "shop.example"})).await;
    world.run_for(Duration::from_mins(5)).await;
    assert_eq!(pipedrive.times(), [0, 3000, 33_000, 183_000]);
    assert_eq!(epages.times(), [0, 60_000, 240_000]);

    let (to_owner, to_app) = (pipedrive.received().remove(0), epages.received().remove(0));
    assert_eq!(
        (&to_owner.json()["meta"]["action"], &to_owner.json()["meta"]["entity"]),
        (&json!("change"), &json!("product"))
    );
    assert_eq!(to_owner.header("x-epages-hmac-sha256"), None);
    check_signed(&to_owner, general["signing_secret"].as_str().expect("a secret"));

    let body = to_app.json();
    assert_eq!(body["eventType"], "PRODUCT_UPDATE");
    assert_eq!(body["entityUrl"], "https://shop.example/rs/shops/1/products/8");
    assert_eq!(body["entity"], json!({"id": 8, "value": 2, "note": PAYLOAD}));
    let expected = epages_signature(CLIENT_SECRET, &to_app.request.body);
    assert_eq!(to_app.header("x-epages-hmac-sha256"), Some(&*expected));
    check_signed(&to_app, hook["signingSecret"].as_str().expect("a secret"));

    // Ten failed deliveries ban the general webhook, and never the app's.
    for _ in 0..9 {
        world.report(json!({"object": "product"})).await;
    }
    world.run_for(Duration::from_mins(3)).await;
    assert_eq!(world.webhooks(&owner).await[0]["is_active"], 0);
    assert_eq!(world.read_hook(&app, "1", &hook).await["active"], json!(true));
}

#[tokio::test]
async fn an_event_for_certain_users_reaches_no_app_that_acts_for_none() {
    let world = World::new().await;
    let (of_shop, of_user) = (world.receiver().await, world.receiver().await);
    let app = world.shop_app("1", "mailer").await;
    world.hook(&app, "1", &of_shop.url(), "PRODUCT_UPDATE").await;
    let for_user = world.token(json!({"company_id": "1", "user_id": "10", "app": "mailer"})).await;
    world.hook(&for_user, "1", &of_user.url(), "PRODUCT_UPDATE").await;
    for permitted in [json!(["10"]), json!([]), json!(null)] {
        world.report(json!({"object": "product", "permitted_user_ids": permitted})).await;
    }
    world.run_to_rest().await;
    assert_eq!((of_shop.received().len(), of_user.received().len()), (1, 2));
}

#[tokio::test]
async fn a_hold_of_one_dialect_delays_nothing_of_the_other_in_the_same_app() {
    let world = World::new().await;
    let (pipedrive, epages) = (world.receiver().await, world.receiver().await);
    epages.answers(500);
    world.shop_app("1", "mailer").await;
    let app = world.token(json!({"company_id": "1", "user_id": "10", "app": "mailer"})).await;
    world.subscribe(&app, &pipedrive.url(), json!({"event_object": "product"})).await;
    world.hook(&app, "1", &epages.url(), "PRODUCT_UPDATE").await;
    for _ in 0..2 {
        world.report(json!({"object": "product"})).await;
        world.run_for(Duration::from_secs(10)).await;
    }
    assert_eq!((pipedrive.times(), epages.times()), (vec![0, 10_000], vec![0]));
}
