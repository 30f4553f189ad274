//! Clearing away what a removed or uninstalled app had: all of it, once, and nothing else, whatever happens to the
//! messages.

use std::{collections::HashSet, time::Duration};

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::World;

use crate::{
    apps::{installed, remove, uninstall},
    bus,
};

const HOOK: &str = r#"{"subscription_url":"http://127.0.0.1:1/","event_action":"*","event_object":"deal"}"#;

async fn subscribe(world: &World, token: &str) -> Value {
    world.subscribe(token, "http://127.0.0.1:1/", json!({})).await
}

/// The numbers of the webhooks that are not removed.
async fn standing(world: &World) -> Vec<u64> {
    let items = world.items().await;
    let standing = items.iter().filter(|item| item["webhook"]["removed_at"].is_null());
    let mut ids: Vec<_> = standing.filter_map(|item| item["webhook"]["id"].as_u64()).collect();
    ids.sort_unstable();
    ids
}

/// Checks that nothing is left of what apps had but the webhooks' marks, with `reason`, quotas of 0, and nothing under way.
async fn check_cleared(world: &World, webhooks: usize, reason: &str) {
    let items = world.items().await;
    let of = |prefix: &str| {
        let begins = |item: &&Value| item["sk"].as_str().is_some_and(|sk| sk.starts_with(prefix));
        items.iter().filter(begins).cloned().collect::<Vec<_>>()
    };
    let marks: Vec<_> = of("W#").into_iter().filter(|item| item["webhook"].is_object()).collect();
    assert_eq!(marks.len(), webhooks);
    for mark in marks {
        assert_eq!(
            (&mark["webhook"]["remove_reason"], &mark["installation"]),
            (&json!(reason), &Value::Null)
        );
    }
    assert!(of("W#").iter().all(|item| item["webhook"].is_object()), "no route is left");
    assert!(of("Q#").iter().all(|quota| quota["count"] == 0), "{:?}", of("Q#"));
    assert_eq!((of("T").len(), of("T#").len()), (0, 0), "no token is left");
    assert_eq!((world.depth("EventsQueue"), world.depth("EventsDlq")), (0, 0));
}

#[tokio::test]
async fn an_uninstall_clears_away_what_the_app_has_of_that_user_and_nothing_else() {
    let world = World::new().await;
    let [_, others @ ..] = [
        installed(&world, "crm-sync", "1", "10").await,
        installed(&world, "crm-sync", "1", "11").await,
        installed(&world, "crm-sync", "2", "10").await,
        installed(&world, "crm-sync", "1", "1").await,
        installed(&world, "mailer", "1", "10").await,
        world.owner().await,
    ];
    let (one, two) =
        (installed(&world, "crm-sync", "1", "10").await, installed(&world, "crm-sync", "1", "10").await);
    for token in [&one, &two, &two].into_iter().chain(&others) {
        subscribe(&world, token).await;
    }
    let keys = async || world.items().await.into_iter().filter(|item| item["sk"] == "T").count();
    assert_eq!((standing(&world).await.len(), keys().await), (8, 8));
    uninstall(&world, "crm-sync", "1", "10").await;
    world.run_to_rest().await;

    assert_eq!((standing(&world).await, keys().await), (vec![4, 5, 6, 7, 8], 5));
    for token in &others {
        assert_eq!(world.webhooks(token).await.len(), 1);
    }
    let removed: Vec<_> = world.items().await;
    let removed = removed.iter().filter(|item| item["webhook"]["remove_reason"] == "app_uninstalled");
    assert_eq!(removed.count(), 3);
}

/// Gives an app 300 webhooks of 8 users in 4 companies, and beside them a webhook that stays.
async fn widespread() -> World {
    let world = World::new().await;
    for company in ["1", "2", "3", "4"] {
        for user in ["10", "11"] {
            let token = installed(&world, "crm-sync", company, user).await;
            for _ in 0..if user == "10" { 40 } else { 35 } {
                subscribe(&world, &token).await;
            }
        }
    }
    assert_eq!(standing(&world).await.len(), 300);
    world
}

#[tokio::test]
async fn a_removal_clears_away_what_the_app_has_of_all_users_in_all_companies() {
    let world = widespread().await;
    world.listen().await;
    remove(&world, "crm-sync").await;
    world.run_to_rest().await;
    check_cleared(&world, 300, "app_removed").await;
    let announced = world.announced();
    let told: HashSet<_> = announced.iter().filter_map(|told| told.detail["webhook_id"].as_u64()).collect();
    assert_eq!((announced.len(), told.len()), (300, 300), "each deletion is announced");
    assert!(announced.iter().all(|told| told.detail["reason"] == "app_removed"));
}

#[tokio::test]
async fn with_every_message_twice_it_is_the_same() {
    let world = widespread().await;
    remove(&world, "crm-sync").await;
    world.run_to_rest_with_every_message_twice().await;
    check_cleared(&world, 300, "app_removed").await;
}

#[tokio::test]
async fn with_a_handler_that_dies_after_each_message_it_is_the_same() {
    let world = widespread().await;
    remove(&world, "crm-sync").await;
    let mut died_with = HashSet::new();
    for _ in 0..1_000 {
        let messages = world.receive("EventsQueue");
        let failed = world.invoke("EventsQueue", &messages).await;
        assert!(failed.is_empty());
        let done: Vec<_> = messages.iter().filter(|m| died_with.contains(&m.message_id)).cloned().collect();
        world.delete("EventsQueue", &done);
        died_with.extend(messages.iter().map(|message| message.message_id));
        if messages.is_empty() && !world.advance_to_next_change().await {
            break;
        }
    }
    check_cleared(&world, 300, "app_removed").await;
}

/// The first page of a removal, as it is sent, with another number and a cursor if one is given.
fn page(message: &str, number: u64) -> String {
    let mut message: Value = serde_json::from_str(message).expect("JSON");
    message["removal"]["page"] = json!(number);
    message.to_string()
}

#[tokio::test]
async fn a_handler_that_dies_between_sending_the_next_page_and_saying_so_is_continued() {
    let world = widespread().await;
    remove(&world, "crm-sync").await;
    let first = world.receive("EventsQueue");
    world.delete("EventsQueue", &first);
    // The next page is done before anybody knows that the first one is; then the first one comes again.
    world.send_message("EventsQueue", &page(&first[0].body, 1));
    world.pump("EventsQueue").await;
    let standing_before = standing(&world).await.len();
    world.send_message("EventsQueue", &first[0].body);
    world.run_to_rest().await;
    assert!((200..300).contains(&standing_before), "a page of 100 was done: {standing_before}");
    check_cleared(&world, 300, "app_removed").await;
}

/// Handles all messages to the end; answers with how many there were.
async fn count_messages(world: &World) -> usize {
    let mut count = 0;
    loop {
        let messages = world.pump("EventsQueue").await.len();
        count += messages;
        assert!(count < 1_000, "messages multiply");
        if messages == 0 && !world.advance_to_next_change().await {
            return count;
        }
    }
}

#[tokio::test]
async fn copies_of_a_message_do_not_multiply() {
    let world = widespread().await;
    remove(&world, "crm-sync").await;
    let first = world.receive("EventsQueue");
    world.delete("EventsQueue", &first);
    world.send_message("EventsQueue", &first[0].body);
    // Four pages, and then a page a minute until the index has settled.
    let alone = count_messages(&world).await;
    assert_eq!(alone, 4 + 5);

    let world = widespread().await;
    remove(&world, "crm-sync").await;
    let first = world.receive("EventsQueue");
    for _ in 0..5 {
        world.pump("EventsQueue").await;
        world.send_message("EventsQueue", &first[0].body);
    }
    assert!(count_messages(&world).await <= alone + 6);
    check_cleared(&world, 300, "app_removed").await;
}

#[tokio::test]
async fn a_second_removal_is_harmless_and_sends_the_job_again_that_was_lost() {
    let world = World::new().await;
    let token = installed(&world, "crm-sync", "1", "10").await;
    subscribe(&world, &token).await;
    for _ in 0..2 {
        remove(&world, "crm-sync").await;
    }
    let lost = world.receive("EventsQueue");
    world.delete("EventsQueue", &lost);
    assert_eq!((lost.len(), world.depth("EventsQueue")), (2, 0));
    remove(&world, "crm-sync").await;
    world.run_to_rest().await;
    check_cleared(&world, 1, "app_removed").await;
    remove(&world, "crm-sync").await;
    world.run_to_rest().await;
    check_cleared(&world, 1, "app_removed").await;
}

#[tokio::test]
async fn an_app_that_nobody_knows_is_removed_and_uninstalled_without_harm() {
    let world = World::new().await;
    let owner = world.owner().await;
    subscribe(&world, &owner).await;
    remove(&world, "unknown").await;
    uninstall(&world, "nobody", "1", "10").await;
    world.run_to_rest().await;
    assert_eq!((standing(&world).await, world.depth("EventsDlq")), (vec![1], 0));
}

#[tokio::test]
async fn who_installs_the_app_again_at_once_begins_with_nothing_and_keeps_what_is_new() {
    let world = World::new().await;
    let before = installed(&world, "crm-sync", "1", "10").await;
    for _ in 0..40 {
        subscribe(&world, &before).await;
    }
    uninstall(&world, "crm-sync", "1", "10").await;
    let after = installed(&world, "crm-sync", "1", "10").await;
    assert!(world.webhooks(&after).await.is_empty());
    let old = world.unsubscribe(&after, &json!({"id": 1})).await;
    let not_found = json!({"status": "error", "success": false, "errors": {"id": ["not found"]}});
    assert_eq!((old.status, old.body), (StatusCode::NOT_FOUND, not_found));

    for _ in 0..40 {
        subscribe(&world, &after).await;
    }
    let full = async || world.call(Method::POST, "/v1/webhooks", &after, HOOK).await.status.as_u16();
    assert_eq!(full().await, 422);
    world.run_to_rest().await;
    assert_eq!(world.webhooks(&after).await.len(), 40);
    assert_eq!(standing(&world).await, (41..=80).collect::<Vec<_>>());
    assert_eq!(full().await, 422, "what is cleared away of the old makes no room in the new");
    let last = world.unsubscribe(&after, &json!({"id": 80})).await;
    assert_eq!((last.status.as_u16(), full().await, full().await), (200, 201, 422));
}

#[tokio::test]
async fn a_second_uninstall_takes_over_the_job_of_the_first() {
    let world = World::new().await;
    let filled = async || {
        let token = installed(&world, "crm-sync", "1", "10").await;
        for _ in 0..40 {
            subscribe(&world, &token).await;
        }
    };
    filled().await;
    uninstall(&world, "crm-sync", "1", "10").await;
    world.run_for(Duration::from_mins(2)).await;
    assert_eq!(
        (standing(&world).await.len(), world.depth("EventsQueue")),
        (0, 1),
        "the first is at its third pass"
    );
    filled().await;
    uninstall(&world, "crm-sync", "1", "10").await;
    let second = world.receive("EventsQueue");
    world.delete("EventsQueue", &second);
    world.run_for(Duration::from_mins(1)).await;
    assert_eq!(world.depth("EventsQueue"), 0, "the first is over");
    assert_eq!((second.len(), standing(&world).await.len()), (1, 40));
    world.send_message("EventsQueue", &second[0].body);
    world.run_to_rest().await;
    check_cleared(&world, 80, "app_uninstalled").await;
}

#[tokio::test]
async fn what_the_index_does_not_show_yet_is_found_later() {
    let world = World::new().await;
    world.system.aws.tables.set_index_lag(Duration::from_secs(90)).expect("a lag");
    let token = installed(&world, "crm-sync", "1", "10").await;
    for _ in 0..30 {
        subscribe(&world, &token).await;
    }
    uninstall(&world, "crm-sync", "1", "10").await;
    world.run_for(Duration::from_secs(80)).await;
    assert_eq!(standing(&world).await.len(), 30, "two passes have found nothing");
    world.run_to_rest().await;
    check_cleared(&world, 30, "app_uninstalled").await;
}

/// On threads, so that creates are under way when the app goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_what_is_created_in_the_same_moment_nothing_survives() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.system.aws.tables.set_index_lag(Duration::from_secs(20)).expect("a lag");
    let mut there = 0;
    for round in 0..3 {
        let token = installed(&world, "crm-sync", "1", "10").await;
        let hook = HOOK.replace("http://127.0.0.1:1/", &receiver.url());
        let creates = (0..60).map(|_| {
            let (world, token, hook) = (world.clone(), token.clone(), hook.clone());
            tokio::spawn(async move {
                world.call(Method::POST, "/v1/webhooks", &token, hook).await.status.as_u16()
            })
        });
        let creates: Vec<_> = creates.collect();
        // Not before some are through.
        while standing(&world).await.len() < there + 3 {
            tokio::task::yield_now().await;
        }
        uninstall(&world, "crm-sync", "1", "10").await;
        for create in creates {
            let status = create.await.expect("an answer");
            assert!([201, 401, 422].contains(&status), "{status}");
            there += usize::from(status == 201);
        }
        world.report(json!({})).await;
        assert!(there > round, "some came first");
    }
    world.run_to_rest().await;
    assert!(receiver.received().is_empty());
    check_cleared(&world, there, "app_uninstalled").await;
    let again = installed(&world, "crm-sync", "1", "10").await;
    assert!(world.webhooks(&again).await.is_empty());
}

#[tokio::test]
async fn what_the_bus_says_counts_as_well() {
    let world = World::new().await;
    for (app, user) in [("crm-sync", "10"), ("crm-sync", "11"), ("mailer", "10")] {
        let token = installed(&world, app, "1", user).await;
        subscribe(&world, &token).await;
    }
    let detail = json!({"app": "crm-sync", "company_id": "1", "user_id": 11});
    bus::put(&world, "app.uninstalled", &detail).await;
    world.run_to_rest().await;
    assert_eq!(standing(&world).await, [1, 3]);
    bus::put(&world, "app.removed", &json!({"app": "mailer"})).await;
    world.run_to_rest().await;
    assert_eq!(standing(&world).await, [1]);
    assert_eq!(world.depth("EventsDlq"), 0);
}

#[tokio::test]
async fn the_same_envelope_after_a_new_installation_does_not_hit_it() {
    let world = World::new().await;
    subscribe(&world, &installed(&world, "crm-sync", "1", "10").await).await;
    bus::put(&world, "app.uninstalled", &json!({"app": "crm-sync", "company_id": 1, "user_id": "10"})).await;
    let envelope = world.pump("EventsQueue").await.remove(0);
    let token = installed(&world, "crm-sync", "1", "10").await;
    subscribe(&world, &token).await;
    for _ in 0..2 {
        world.send_message("EventsQueue", &envelope.body);
        world.run_to_rest().await;
        assert_eq!((standing(&world).await, world.webhooks(&token).await.len()), (vec![2], 1));
    }

    bus::put(&world, "app.removed", &json!({"app": "crm-sync"})).await;
    let envelope = world.pump("EventsQueue").await.remove(0);
    world.platform(Method::PUT, "/v1/apps/crm-sync", r#"{"name":"CRM"}"#).await;
    let token = installed(&world, "crm-sync", "1", "10").await;
    subscribe(&world, &token).await;
    world.send_message("EventsQueue", &envelope.body);
    world.run_to_rest().await;
    assert_eq!((standing(&world).await, world.webhooks(&token).await.len()), (vec![3], 1));
}

#[tokio::test]
async fn a_repeated_request_with_its_id_does_not_hit_a_new_installation() {
    let world = World::new().await;
    subscribe(&world, &installed(&world, "crm-sync", "1", "10").await).await;
    let uninstall = async |id: &str| {
        let path = format!("/v1/apps/crm-sync/installations?company_id=1&user_id=10{id}");
        world.platform(Method::DELETE, &path, "").await
    };
    assert_eq!(uninstall("&id=u-1").await.status, 202);
    let token = installed(&world, "crm-sync", "1", "10").await;
    subscribe(&world, &token).await;
    assert_eq!(uninstall("&id=u-1").await.status, 202);
    world.run_to_rest().await;
    assert_eq!(world.webhooks(&token).await.len(), 1);
    assert_eq!(uninstall("&id=a%23b").await.body["errors"]["id"].as_array().map(Vec::len), Some(1));
    assert_eq!(uninstall("&id=u-2").await.status, 202);
    assert_eq!(world.call(Method::GET, "/v1/webhooks", &token, "").await.status, 401);
}

#[tokio::test]
async fn an_envelope_whose_handler_died_before_the_job_was_sent_sends_it_when_it_comes_again() {
    let world = World::new().await;
    subscribe(&world, &installed(&world, "crm-sync", "1", "10").await).await;
    bus::put(&world, "app.removed", &json!({"app": "crm-sync"})).await;
    let envelope = world.receive("EventsQueue");
    world.invoke("EventsQueue", &envelope).await;
    let lost = world.receive("EventsQueue");
    world.delete("EventsQueue", &lost);
    assert_eq!((lost.len(), standing(&world).await.len()), (1, 1));
    world.run_to_rest().await;
    check_cleared(&world, 1, "app_removed").await;
}

#[tokio::test]
async fn what_the_bus_says_wrongly_of_an_app_ends_in_the_dlq() {
    let world = World::new().await;
    let token = installed(&world, "crm-sync", "1", "10").await;
    let bad = [
        ("app.removed", json!({})),
        ("app.removed", json!({"app": "a#b"})),
        ("app.uninstalled", json!({"app": "crm-sync", "user_id": "10"})),
        ("app.uninstalled", json!({"app": "crm-sync", "company_id": "1", "user_id": [10]})),
    ];
    for (kind, detail) in &bad {
        bus::put(&world, kind, detail).await;
    }
    for body in [r#"{"v":1,"removal":{}}"#, r#"{"v":2,"removal":{}}"#] {
        world.send_message("EventsQueue", body);
    }
    world.run_to_rest().await;
    assert_eq!((world.depth("EventsQueue"), world.depth("EventsDlq")), (0, bad.len() + 2));
    assert!(world.webhooks(&token).await.is_empty(), "the token is still good");
}
