//! Deliveries in the Pipedrive dialect: the first attempt, retries, strikes, bans, staleness.

use std::time::Duration;

use futures_util::{FutureExt as _, future::ready};
use knockback::{clock::Clock as _, domain::Pages};
use serde_json::json;

use super::{Scenario, health, told, unless};
use crate::stage::Stage;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Without retries, so that strikes are all there is.
const STRIKES_ALONE: &str = "pipedrive.retries=none";

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "deliver",
            in_pairs: true,
            stage: || Stage::subscribed("", 200).boxed(),
            act: |stage| report_one(stage).boxed(),
            holds: |stage| has_recovered(stage).boxed(),
        },
        Scenario {
            name: "retry chain",
            in_pairs: true,
            stage: || Stage::subscribed("", 500).boxed(),
            act: |stage| report_one(stage).boxed(),
            holds: |stage| is_failing(stage).boxed(),
        },
        Scenario {
            name: "recovery",
            in_pairs: false,
            stage: || Stage::subscribed("", 500).boxed(),
            act: |stage| recover(stage).boxed(),
            holds: |stage| has_recovered(stage).boxed(),
        },
        Scenario {
            name: "tenth strike",
            in_pairs: true,
            stage: || nine_strikes().boxed(),
            act: |stage| strike_and_report(stage).boxed(),
            holds: |stage| ready(ban_is_told(stage)).boxed(),
        },
        Scenario {
            name: "ban's end",
            in_pairs: false,
            stage: || banned_with_one_that_waits().boxed(),
            act: |stage| outlast_the_ban(stage).boxed(),
            holds: |stage| ready(is_let_go(stage)).boxed(),
        },
        Scenario {
            name: "sweep against success",
            in_pairs: false,
            stage: || nearly_stale().boxed(),
            act: |stage| sweep_and_succeed(stage).boxed(),
            holds: |stage| is_not_swept(stage).boxed(),
        },
        Scenario {
            name: "sweep of what is stale",
            in_pairs: false,
            stage: || nearly_stale().boxed(),
            act: |stage| grow_stale(stage).boxed(),
            holds: |stage| is_swept(stage).boxed(),
        },
        Scenario {
            name: "fan-out page by page",
            in_pairs: false,
            stage: || thirteen_webhooks().boxed(),
            act: |stage| report_one(stage).boxed(),
            holds: |stage| has_recovered(stage).boxed(),
        },
    ]
}

async fn report_one(stage: &Stage) {
    stage.report("e-1").await;
    stage.world.run_to_rest().await;
}

async fn is_failing(stage: &Stage) -> Vec<String> {
    unless(health(stage).await["failing_since"].is_i64(), || "its failures are not known".to_owned())
}

async fn has_recovered(stage: &Stage) -> Vec<String> {
    let health = health(stage).await;
    unless(health["failing_since"].is_null(), || format!("its success is not known: {health}"))
}

async fn recover(stage: &Stage) {
    stage.report("e-1").await;
    stage.world.settle().await;
    stage.receiver.answers(200);
    stage.world.run_to_rest().await;
}

async fn nine_strikes() -> Stage {
    let stage = Stage::subscribed(STRIKES_ALONE, 500).await;
    for number in 1..=9 {
        stage.report(&format!("e-{number}")).await;
    }
    stage.world.settle().await;
    stage
}

async fn strike_and_report(stage: &Stage) {
    stage.report("e-10").await;
    stage.world.settle().await;
    stage.report("e-11").await;
    stage.world.run_to_rest().await;
}

fn ban_is_told(stage: &Stage) -> Vec<String> {
    let announced = stage.world.announced();
    let [banned, over] = ["webhook.banned", "webhook.reactivated"]
        .map(|kind| announced.iter().filter(|announced| announced.kind == kind).count());
    unless(banned > 0 && over > 0, || format!("the ban is told {banned} times, and its end {over} times"))
}

/// An original was accepted before ten others failed, and comes to deliver when its webhook is banned.
async fn banned_with_one_that_waits() -> Stage {
    let stage = Stage::subscribed(STRIKES_ALONE, 500).await;
    stage.report("e-waits").await;
    stage.world.pump("EventsQueue").await;
    let waits = stage.world.receive("DeliveriesQueue");
    stage.world.delete("DeliveriesQueue", &waits);
    stage.world.run_for(Duration::from_secs(1)).await;
    for number in 1..=10 {
        stage.report(&format!("e-{number}")).await;
    }
    stage.world.settle().await;
    stage.world.clock.advance(Duration::from_secs(1));
    for message in waits {
        stage.world.send_message("DeliveriesQueue", &message.body);
    }
    stage
}

async fn outlast_the_ban(stage: &Stage) {
    stage.receiver.answers(200);
    stage.world.run_to_rest().await;
    stage.report("e-after").await;
    stage.world.run_to_rest().await;
}

fn is_let_go(stage: &Stage) -> Vec<String> {
    let waited = stage.receiver.received().iter().any(|post| post.text().contains("\"e-waits\""));
    let mut broken = unless(waited, || "what was accepted before the ban is lost".to_owned());
    broken.extend(unless(told(stage, "webhook.reactivated") > 0, || "the ban's end is not told".to_owned()));
    broken
}

/// It has failed for an hour less than three days.
async fn nearly_stale() -> Stage {
    let stage = Stage::subscribed(STRIKES_ALONE, 500).await;
    let began = stage.world.clock.now();
    for day in 0..3 {
        stage.report(&format!("e-{day}")).await;
        stage.world.settle().await;
        stage.world.clock.advance(DAY);
    }
    stage.world.clock.set(began + 3 * DAY - HOUR);
    stage.report("e-3").await;
    stage.world.settle().await;
    stage
}

/// It is stale when the sweeper comes, but for a success that is under way.
async fn sweep_and_succeed(stage: &Stage) {
    stage.receiver.answers(200);
    stage.report("e-last").await;
    stage.world.pump("EventsQueue").await;
    sweep(stage).await;
    stage.world.settle().await;
    stage.world.clock.advance(2 * HOUR);
    sweep(stage).await;
    stage.world.run_to_rest().await;
}

async fn sweep(stage: &Stage) {
    for schedule in &stage.world.system.schedules {
        stage.world.system.fire(schedule).await;
    }
}

/// A success that is in no table saves nobody: who made it was killed, or came after the sweep.
async fn is_not_swept(stage: &Stage) -> Vec<String> {
    sweep(stage).await;
    let items = stage.world.items().await;
    let removed_at = items.iter().find_map(|item| item["webhook"]["removed_at"].as_i64());
    let recorded = items
        .iter()
        .filter(|item| item["event"] == "e-last" && item["state"] == "succeeded")
        .find_map(|item| item["end"]["ended_at"].as_i64());
    let is_swept = removed_at.is_some_and(|removed_at| recorded.is_some_and(|at| at <= removed_at));
    unless(!is_swept, || format!("rule 7: it succeeded at {recorded:?}, and went at {removed_at:?}"))
}

async fn grow_stale(stage: &Stage) {
    stage.report("e-last").await;
    stage.world.settle().await;
    stage.world.clock.advance(2 * HOUR);
    sweep(stage).await;
    stage.world.run_to_rest().await;
}

/// What did not come off is done by the next run.
async fn is_swept(stage: &Stage) -> Vec<String> {
    sweep(stage).await;
    stage.world.run_to_rest().await;
    let is_there = !stage.world.webhooks(&stage.token).await.is_empty();
    let mut broken = unless(!is_there, || "it is stale, and still there".to_owned());
    broken.extend(unless(told(stage, "webhook.deleted") > 0, || "its deletion is not told".to_owned()));
    broken
}

/// More than three pages of them.
async fn thirteen_webhooks() -> Stage {
    let mut stage = Stage::new("", Pages { webhooks: 4, ..Pages::default() }, 200).await;
    stage.token = stage.world.owner().await;
    for _ in 0..13 {
        stage.webhook = stage.world.subscribe(&stage.token, &stage.receiver.url(), json!({})).await;
    }
    stage
}
