//! The sweeper: it deletes what is stale, and wakes what waits (facts: Pipedrive, Delivery policy).

use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use tests::{START, Subscribed, World};

const HOUR: Duration = Duration::from_hours(1);
const BAN: Duration = Duration::from_mins(30);

/// Lets so many hours pass, with an event in the middle of each.
async fn hours(world: &World, count: u32) {
    for _ in 0..count {
        world.run_for(HOUR / 2).await;
        world.report(json!({})).await;
        world.run_for(HOUR / 2).await;
    }
}

/// Everything fails at first, and once more shortly before three days are over: the next hourly sweep is at hour 72.
async fn fail_for_nearly_three_days(world: &World) {
    world.report(json!({})).await;
    world.run_for(HOUR * 71).await;
    world.report(json!({})).await;
    world.run_for(HOUR / 2).await;
}

async fn is_there(world: &World, owner: &str) -> bool {
    !world.webhooks(owner).await.is_empty()
}

#[tokio::test]
async fn three_days_of_failing_delete_a_webhook_and_one_success_saves_it() {
    let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(500).await;
    // Every six hours ten events fail: a ban each time, which is over half an hour later.
    for hour in 0..71 {
        world.run_for(HOUR / 2).await;
        for _ in 0..(if hour % 6 == 0 { 10 } else { 0 }) {
            world.report(json!({})).await;
        }
        world.run_for(HOUR / 2).await;
    }
    let bans = world.announced();
    let count = |kind: &str| bans.iter().filter(|announced| announced.kind == kind).count();
    assert_eq!((count("webhook.banned"), count("webhook.reactivated")), (12, 12));
    let warned: Vec<_> = bans.iter().filter(|announced| announced.kind == "webhook.expiring").collect();
    assert_eq!((warned.len(), bans.len()), (1, 25));
    assert_eq!((warned[0].at.since(START) / 3600).as_secs(), 49, "the first hourly sweep in the last day");
    assert_eq!(warned[0].detail["expires_at"], "2026-01-04T00:30:00.000Z");
    assert_eq!(receiver.received().len(), 12 * 10 * 4);

    // One success, 71 hours after the first failure.
    receiver.answers(200);
    world.run_for(HOUR / 2).await;
    world.report(json!({})).await;
    world.settle().await;
    assert_eq!(world.health(&webhook).await["failing_since"], json!(null));
    receiver.answers(500);
    world.run_for(HOUR / 2).await;

    // Failing again from half past hour 72 on, for 72 hours: the first hourly sweep after that is at hour 145.
    hours(&world, 72).await;
    world.run_for(HOUR / 2).await;
    world.report(json!({})).await;
    world.run_until(START + HOUR * 145 - Duration::from_millis(1)).await;
    assert!(is_there(&world, &owner).await);
    world.announced();
    world.run_for(Duration::from_millis(1)).await;
    assert_eq!(world.system.context.now(), START + HOUR * 145);
    assert!(!is_there(&world, &owner).await);
    let deleted = world.announced();
    assert_eq!(deleted.iter().map(|event| &*event.kind).collect::<Vec<_>>(), ["webhook.deleted"]);
    assert_eq!(deleted[0].detail["reason"], "stale");
    assert_eq!(deleted[0].detail["failing_since"], (START + HOUR * 72 + HOUR / 2).to_string());
    let shown = world.read(&owner, &webhook).await;
    assert_eq!((&shown["remove_reason"], &shown["is_active"]), (&json!("stale"), &json!(0)));

    // It is gone like any other: no event reaches it, and its place is free.
    let before = receiver.received().len();
    world.report(json!({})).await;
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), before);
    let quota = world.items().await.into_iter().find(|item| item["sk"] == "Q##10");
    assert_eq!(quota.expect("a quota")["count"], 0);
}

#[tokio::test]
async fn a_webhook_that_failed_on_friday_and_heard_nothing_since_is_there_on_monday() {
    let Subscribed { world, receiver: _receiver, webhook, owner } = Subscribed::answering(500).await;
    world.run_for(HOUR * 36).await;
    world.report(json!({})).await;
    world.run_for(HOUR * 84).await;
    assert!(is_there(&world, &owner).await);
    let since = world.health(&webhook).await["failing_since"].as_i64();
    assert!(
        since.is_some_and(|since| since + 72 * 3_600_000 < world.system.context.now().as_ms()),
        "it was looked at"
    );
}

#[tokio::test]
async fn every_message_twice_and_an_hourly_sweep_twice_delete_a_stale_webhook_once() {
    let Subscribed { world, receiver: _receiver, owner, .. } = Subscribed::answering(500).await;
    for _ in 0..73 {
        world.report(json!({})).await;
        world.run_for(HOUR).await;
        for schedule in &world.system.schedules {
            assert!(world.system.fire(schedule).await);
        }
    }
    assert!(!is_there(&world, &owner).await);
    let deleted = world.announced();
    assert_eq!(deleted.iter().filter(|event| event.kind == "webhook.deleted").count(), 1);
    let quota = world.items().await.into_iter().find(|item| item["sk"] == "Q##10");
    assert_eq!(quota.expect("a quota")["count"], 0);
}

#[tokio::test]
async fn the_policys_number_decides() {
    let policies = knockback::domain::Policies::default().with("pipedrive.stale=2h").expect("a policy");
    let world = World::with(policies, None).await;
    let receiver = world.receiver().await;
    receiver.answers(500);
    let owner = world.owner().await;
    world.subscribe(&owner, &receiver.url(), json!({})).await;
    hours(&world, 2).await;
    assert!(is_there(&world, &owner).await);
    hours(&world, 1).await;
    assert!(!is_there(&world, &owner).await);
}

/// The retry after the failed original, as it is lost on its way.
async fn lose_the_retry(world: &World) {
    world.report(json!({})).await;
    world.settle().await;
    world.clock.advance(Duration::from_secs(3));
    let lost = world.receive("RetriesQueue");
    assert_eq!(lost.len(), 1);
    world.delete("RetriesQueue", &lost);
}

#[tokio::test]
async fn a_retry_whose_message_was_lost_is_made_within_minutes() {
    let Subscribed { world, receiver, .. } = Subscribed::answering(500).await;
    lose_the_retry(&world).await;
    receiver.answers(200);
    world.run_to_rest().await;
    // Due at 3 s, it counts as lost at 303 s, and the next sweep comes at 600 s.
    assert_eq!(receiver.times(), [0, 600_000]);
}

#[tokio::test]
async fn however_long_a_queue_is_behind_it_is_not_filled_up() {
    let Subscribed { world, receiver, .. } = Subscribed::answering(500).await;
    lose_the_retry(&world).await;
    // Nobody takes the sweeper's messages either, for a day.
    for _ in 0..24 * 12 {
        world.clock.advance(Duration::from_mins(5));
        world.system.fire_due_schedules().await;
    }
    let depth = world.depth("RetriesQueue");
    assert!((2..=10).contains(&depth), "{depth}");
    receiver.answers(200);
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), 2, "and they start one attempt");
}

#[tokio::test]
async fn a_wait_of_half_an_hour_takes_one_message_and_ends_to_the_second() {
    let (Subscribed { world, receiver, webhook, .. }, waits) =
        Subscribed::with_an_original_from_before_its_ban().await;
    world.run_for(Duration::from_secs(400)).await;
    world.send_message("DeliveriesQueue", &waits);
    world.settle().await;
    receiver.answers(200);
    assert_eq!(world.depth("RetriesQueue"), 0, "it is an item, and nothing else");
    world.run_for(BAN / 2 + Duration::from_mins(5)).await;
    // For the original, and for the announcement of the ban's end.
    assert_eq!(world.depth("RetriesQueue"), 2);
    world.run_to_rest().await;
    let last = receiver.times().last().copied();
    assert_eq!(last, Some(1_000 + i64::try_from(BAN.as_millis()).expect("small")));
    assert_eq!(world.attempts(&webhook).await[0]["state"], "succeeded");
}

#[tokio::test]
async fn an_index_that_lags_sweeps_nothing_that_has_recovered_meanwhile() {
    let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(500).await;
    hours(&world, 72).await;
    // The next hourly sweep would delete it. Just before, a success that the index does not show.
    assert!(is_there(&world, &owner).await);
    world.run_until(START + HOUR * 73 - Duration::from_secs(5)).await;
    world.system.aws.tables.set_index_lag(Duration::from_secs(10)).expect("a lag");
    receiver.answers(200);
    world.report(json!({})).await;
    world.settle().await;
    world.run_for(HOUR * 2).await;
    assert!(is_there(&world, &owner).await);
    assert_eq!(world.health(&webhook).await["failing_since"], json!(null));
}

#[tokio::test]
async fn a_sweep_costs_what_is_failing_and_not_what_there_is() {
    const FAILING: u64 = 20;
    let Subscribed { world, receiver: _receiver, owner, .. } = Subscribed::answering(500).await;
    let dead = world.receiver().await;
    dead.answers(500);
    for _ in 1..FAILING {
        world.subscribe(&owner, &dead.url(), json!({})).await;
    }
    fail_for_nearly_three_days(&world).await;
    let stranger = world.token(json!({"company_id": "2", "user_id": "10"})).await;
    world.seed_webhooks_without_routes(&stranger, "http://127.0.0.1:1/", json!({}), 100_000).await;
    world.announced();

    let before = world.system.aws.counts();
    world.run_until(START + HOUR * 72).await;
    let swept = world.system.aws.counts().since(&before);
    let read = swept.read_units_of("WebhooksTable") + swept.read_units_of("WebhooksTable/failing");
    // The sweeper reads each of the 20, and so does notify, to mail its owner.
    assert!(read <= 45.0, "{read}");
    let deleted = world.announced();
    assert_eq!(deleted.iter().filter(|event| event.kind == "webhook.deleted").count(), 20);
    assert!(!is_there(&world, &owner).await);

    // With nothing to do it costs the least that queries do.
    let before = world.system.aws.counts();
    world.run_until(START + HOUR * 73).await;
    let swept = world.system.aws.counts().since(&before);
    // 4 parts of one index hourly, 16 of the other every five minutes.
    assert!(swept.read_units() <= 0.5 * (4.0 + 16.0 * 12.0), "{}", swept.read_units());
}

#[tokio::test]
async fn an_item_that_cannot_be_read_stops_no_sweep_and_is_the_functions_error() {
    let Subscribed { world, receiver, webhook: broken, owner } = Subscribed::answering(500).await;
    world.subscribe(&owner, &receiver.url(), json!({})).await;
    fail_for_nearly_three_days(&world).await;
    world.change_webhook(&broken, "REMOVE webhook.signing_secret").await;
    world.run_for(HOUR).await;
    let deleted = world.announced();
    assert_eq!(deleted.iter().filter(|event| event.kind == "webhook.deleted").count(), 1);
    let stale = world.system.schedules.iter().find(|schedule| schedule.name == "Stale");
    assert!(!world.system.fire(stale.expect("a schedule")).await);
}

#[tokio::test]
async fn a_webhook_that_its_owner_repairs_or_switches_off_is_not_deleted() {
    let changes = [
        (json!({"subscription_url": "http://127.0.0.1:9/new"}), true),
        (json!({"http_auth_password": "new"}), true),
        (json!({"is_active": false}), true),
        (json!({"name": "new"}), false),
    ];
    let Subscribed { world, receiver, webhook: first, owner } = Subscribed::answering(500).await;
    let mut webhooks = vec![first];
    for _ in 1..changes.len() {
        webhooks.push(world.subscribe(&owner, &receiver.url(), json!({})).await);
    }
    fail_for_nearly_three_days(&world).await;
    for ((change, _), webhook) in changes.iter().zip(&webhooks) {
        let path = format!("/v1/webhooks/{}", webhook["id"]);
        assert_eq!(world.call(Method::PATCH, &path, &owner, change.to_string()).await.status, 200);
    }
    world.run_for(HOUR * 2).await;
    for ((change, is_kept), webhook) in changes.iter().zip(&webhooks) {
        let removed = world.read(&owner, webhook).await["remove_time"].is_string();
        assert_eq!(!removed, *is_kept, "{change}");
    }
}
