//! Passwords and signing secrets are in nothing that is kept, sent or listed (design: Safety).

use std::time::Duration;

use serde_json::json;
use tests::World;

#[tokio::test]
async fn no_item_message_or_later_answer_contains_a_password_a_signing_secret_or_a_token() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.answers(500);
    let owner = world.owner().await;
    let password = "correct horse battery staple";
    let credentials = json!({"http_auth_user": "user", "http_auth_password": password});
    let webhook = world.subscribe(&owner, &receiver.url(), credentials).await;
    let secret = webhook["signing_secret"].as_str().expect("a secret").to_owned();
    world.report(json!({})).await;
    world.report(json!({"data": {"large": "x".repeat(40 * 1024)}})).await;

    let (mut kept, mut messages) = (String::new(), 0);
    loop {
        let mut moved = false;
        for queue in ["EventsQueue", "DeliveriesQueue", "RetriesQueue"] {
            for message in world.pump(queue).await {
                kept.push_str(&message.body);
                (moved, messages) = (true, messages + 1);
                assert!(!message.body.contains(&receiver.url()), "a URL may hold a secret");
            }
        }
        for item in world.items().await {
            kept.push_str(&item.to_string());
        }
        if !moved && !world.advance_to_next_change().await {
            break;
        }
    }
    assert_eq!(receiver.received().len(), 8, "all that there is to see was there");
    assert_eq!(messages, 2 + 2 + 6);
    let list = world.webhooks(&owner).await;
    world.unsubscribe(&owner, &webhook).await;
    world.run_for(Duration::from_secs(1)).await;
    for item in world.items().await {
        kept.push_str(&item.to_string());
    }
    kept.push_str(&serde_json::to_string(&list).expect("JSON"));
    for hidden in [password, &secret, secret.trim_start_matches("whsec_"), &owner, "the platform's token"] {
        assert!(!kept.contains(hidden), "{hidden}");
    }
    assert!(kept.contains(r#""http_auth_user":"user""#) && list[0].get("signing_secret").is_none());
}

#[tokio::test]
async fn two_webhooks_with_the_same_password_are_not_sealed_alike() {
    let world = World::new().await;
    let owner = world.owner().await;
    for _ in 0..2 {
        world.subscribe(&owner, "http://127.0.0.1:1/", json!({"http_auth_password": "same"})).await;
    }
    let items = world.items().await;
    let sealed: Vec<_> =
        items.iter().filter_map(|item| item["webhook"]["http_auth_password"].as_str()).collect();
    assert_eq!(sealed.len(), 2);
    assert_ne!(sealed[0], sealed[1]);
}
