//! `APP_UNINSTALL`: it reaches the app although its webhooks go with it; then nothing more.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Receiver, World};

use super::report_order;

struct Installed {
    world: World,
    receiver: Receiver,
    token: String,
    farewell: Value,
}

/// An app that asks for orders and for its own end.
async fn installed() -> Installed {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let token = world.shop_app("DemoShop", "mailer").await;
    world.hook(&token, "DemoShop", &receiver.url(), "ORDER_CREATE").await;
    let farewell = world.hook(&token, "DemoShop", &receiver.url(), "APP_UNINSTALL").await;
    Installed { world, receiver, token, farewell }
}

async fn uninstall(world: &World) {
    let path = "/v1/apps/mailer/installations?company_id=DemoShop";
    assert_eq!(world.platform(Method::DELETE, path, "").await.status, StatusCode::ACCEPTED);
}

fn event_types(receiver: &Receiver) -> Vec<String> {
    let types = receiver.received().into_iter().map(|received| received.json()["eventType"].clone());
    types.map(|kind| kind.as_str().expect("an event type").to_owned()).collect()
}

#[tokio::test]
async fn an_app_is_told_that_it_was_uninstalled_and_then_nothing_more() {
    let Installed { world, receiver, token, .. } = installed().await;
    report_order(&world, "A-1").await;
    world.settle().await;
    uninstall(&world).await;
    world.settle().await;
    assert_eq!(event_types(&receiver), ["ORDER_CREATE", "APP_UNINSTALL"]);
    let told = receiver.received().remove(1);
    let body = told.json();
    assert_eq!(body["baseUrl"], "https://knockback.test/rs/shops/DemoShop");
    assert_eq!((&body["createdOn"], &body["entity"]), (&json!("2026-01-01T00:00:00Z"), &json!({})));
    assert!(told.header("x-epages-hmac-sha256").is_some());

    report_order(&world, "A-2").await;
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), 2);
    let reply = world.rs_call(Method::GET, "/rs/shops/DemoShop/webhooks", &token, "").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_news_of_the_end_is_retried_and_nobody_is_mailed_when_it_fails_for_good() {
    let Installed { world, receiver, farewell, .. } = installed().await;
    receiver.answers(500);
    uninstall(&world).await;
    world.run_to_rest().await;
    assert_eq!(event_types(&receiver), ["APP_UNINSTALL"; 12]);
    assert_eq!(receiver.times()[11], 173_040_000);
    assert_eq!(world.hook_attempts("DemoShop", &farewell).await.len(), 12);
    assert!(world.system.aws.mails().is_empty());
}

#[tokio::test]
async fn what_is_pending_ends_with_the_uninstall() {
    let Installed { world, receiver, .. } = installed().await;
    receiver.answers(500);
    report_order(&world, "A-1").await;
    world.run_for(Duration::from_secs(1)).await;
    report_order(&world, "A-2").await;
    world.settle().await;
    receiver.answers(200);
    uninstall(&world).await;
    world.run_to_rest().await;
    assert_eq!(event_types(&receiver), ["ORDER_CREATE", "APP_UNINSTALL"], "it waits for the hold, as all do");
    assert_eq!(receiver.times(), [0, 60_000]);
}

#[tokio::test]
async fn however_often_messages_come_the_end_is_one_delivery() {
    let Installed { world, receiver, farewell, .. } = installed().await;
    uninstall(&world).await;
    uninstall(&world).await;
    world.run_to_rest_with_every_message_twice().await;
    assert_eq!(world.hook_attempts("DemoShop", &farewell).await.len(), 1);
    let ids: std::collections::HashSet<_> =
        receiver.received().iter().map(|received| received.json()["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn each_installation_ends_once_and_what_follows_it_is_told_of_its_own_end() {
    let Installed { world, receiver, .. } = installed().await;
    uninstall(&world).await;
    world.settle().await;
    let again = world.shop_app("DemoShop", "mailer").await;
    world.hook(&again, "DemoShop", &receiver.url(), "APP_UNINSTALL").await;
    world.run_to_rest().await;
    assert_eq!(event_types(&receiver), ["APP_UNINSTALL"], "the job of the first leaves the second alone");
    uninstall(&world).await;
    world.run_to_rest().await;
    assert_eq!(event_types(&receiver), ["APP_UNINSTALL"; 2]);
}

#[tokio::test]
async fn only_an_uninstall_tells_it_and_only_to_who_asks_for_it() {
    let Installed { world, receiver, token, farewell } = installed().await;
    // No report of the platform's is an uninstall, and neither is a removal from the marketplace.
    for action in ["create", "change", "delete"] {
        world
            .report(
                json!({"company_id": "DemoShop", "object": "app", "action": action, "entity_id": "mailer"}),
            )
            .await;
    }
    world.switch_hook(&token, "DemoShop", &farewell, false).await;
    uninstall(&world).await;
    world.run_to_rest().await;
    assert!(receiver.received().is_empty(), "it is switched off");

    let token = world.shop_app("DemoShop", "mailer").await;
    world.hook(&token, "DemoShop", &receiver.url(), "APP_UNINSTALL").await;
    assert_eq!(world.platform(Method::DELETE, "/v1/apps/mailer", "").await.status, StatusCode::ACCEPTED);
    world.run_to_rest().await;
    assert!(receiver.received().is_empty(), "a removed app stops at once");
}

#[tokio::test]
async fn who_dies_between_the_news_and_the_end_of_the_webhook_sends_the_news_once() {
    const WRITES: &str = "DynamoDB_20120810.TransactWriteItems";
    let Installed { world, receiver, farewell, .. } = installed().await;
    uninstall(&world).await;
    world.system.aws.refuse(WRITES);
    world.settle().await;
    assert_eq!(event_types(&receiver), ["APP_UNINSTALL"], "it is sent before the webhook goes");
    world.system.aws.permit(WRITES);
    world.run_to_rest().await;
    assert_eq!(event_types(&receiver), ["APP_UNINSTALL"]);
    assert_eq!(world.hook_attempts("DemoShop", &farewell).await.len(), 1);
    let items = world.items().await;
    let left =
        items.iter().filter(|item| item["webhook"].is_object() && item["webhook"]["removed_at"].is_null());
    assert_eq!(left.count(), 0);
}
