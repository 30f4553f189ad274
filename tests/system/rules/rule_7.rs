//! A webhook with a success in the last 3 days is never swept, even if the success races the sweeper.

use std::time::Duration;

use knockback::{
    domain::{Policies, RemoveReason, Staleness, staleness},
    store::Removal,
};
use serde_json::{Value, json};
use tests::{Subscribed, World};

const HOUR: Duration = Duration::from_hours(1);

/// A webhook that has failed for just so long that the next sweep would delete it.
async fn nearly_stale() -> Subscribed {
    let policies = Policies::default().with("pipedrive.stale=10m pipedrive.retries=none").expect("a policy");
    let subscribed = Subscribed::with(policies, 500).await;
    subscribed.world.report(json!({})).await;
    subscribed.world.run_for(Duration::from_mins(11)).await;
    subscribed.receiver.answers(200);
    subscribed
}

async fn sweep(world: &World) {
    for schedule in &world.system.schedules {
        assert!(world.system.fire(schedule).await);
    }
}

#[tokio::test]
async fn rule_7_holds_for_a_success_just_before_the_sweep() {
    let Subscribed { world, webhook, receiver: _receiver, .. } = nearly_stale().await;
    world.system.aws.tables.set_index_lag(Duration::from_mins(1)).expect("a lag");
    world.report(json!({})).await;
    world.settle().await;
    sweep(&world).await;
    assert!(world.health(&webhook).await["last_success_at"].is_i64());
    assert_eq!(world.read(&world.owner().await, &webhook).await["is_active"], 1);
}

/// The sweeper has read the webhook as stale; then the success is written; then the sweeper deletes.
#[tokio::test]
async fn rule_7_holds_for_a_success_between_the_sweepers_read_and_its_write() {
    let Subscribed { world, webhook, receiver: _receiver, .. } = nearly_stale().await;
    let (context, now) = (&world.system.context, world.system.context.now());
    let (company, id) = ("1".parse().expect("an id"), webhook["id"].to_string().parse().expect("an id"));
    let read = context.store.webhook(&company, id).await.expect("an answer").expect("a webhook");
    let policy = &context.config.policies.pipedrive;
    let stale = |webhook: &knockback::domain::Webhook| staleness(policy, webhook, now) == Staleness::Stale;
    assert!(stale(&read.webhook));
    world.report(json!({})).await;
    world.settle().await;
    let removal = context.store.remove_webhook(read, RemoveReason::Stale, now, stale).await;
    assert_eq!(removal.expect("an answer"), Removal::Kept);
}

/// On threads, the success and the sweep at once, many times: whoever writes first decides, and the other sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_7_holds_for_a_success_at_the_same_time() {
    for _ in 0..20 {
        let Subscribed { world, webhook, receiver: _receiver, owner } = nearly_stale().await;
        world.report(json!({})).await;
        world.pump("EventsQueue").await;
        let (sweeping, delivering) = (world.clone(), world.clone());
        let sweeping = tokio::spawn(async move { sweep(&sweeping).await });
        let delivering = tokio::spawn(async move { delivering.pump("DeliveriesQueue").await });
        sweeping.await.expect("it ends");
        delivering.await.expect("it ends");
        let is_noted = world.health(&webhook).await["last_success_at"].is_i64();
        assert_eq!(world.webhooks(&owner).await.len(), usize::from(is_noted));
    }
}

#[tokio::test]
async fn rule_7_holds_for_a_webhook_that_succeeds_once_in_three_days() {
    let Subscribed { world, webhook, receiver, owner } = Subscribed::answering(500).await;
    for _ in 0..2 {
        for hour in 0..71 {
            receiver.answers(if hour == 0 { 200 } else { 500 });
            if hour % 10 == 0 || hour == 70 {
                world.report(json!({})).await;
            }
            world.run_for(HOUR).await;
        }
    }
    assert_eq!(world.read(&owner, &webhook).await["remove_time"], json!(null));
}

/// A success that is in the log, and could not be written to its webhook.
async fn succeed_unnoted(world: &World, webhook: &Value) {
    world.report(json!({})).await;
    world.pump("EventsQueue").await;
    world.system.aws.refuse("DynamoDB_20120810.TransactWriteItems");
    world.settle().await;
    world.system.aws.permit("DynamoDB_20120810.TransactWriteItems");
    assert!(world.health(webhook).await["failing_since"].is_i64());
}

/// The success is in the log alone when the sweeper comes: it could not be written to the webhook, and its message has not come
/// again.
#[tokio::test]
async fn rule_7_holds_for_a_sweep_before_the_success_is_written_to_the_webhook() {
    let Subscribed { world, webhook, receiver: _receiver, owner } = nearly_stale().await;
    succeed_unnoted(&world, &webhook).await;
    sweep(&world).await;
    assert_eq!(world.webhooks(&owner).await.len(), 1);
    assert_eq!(world.health(&webhook).await["failing_since"], json!(null), "it has healed it");
}

/// The success cannot be written to the webhook when it is made. It is not made again for that, and not forgotten.
#[tokio::test]
async fn rule_7_holds_for_a_success_that_could_not_be_written_at_first() {
    let Subscribed { world, webhook, receiver, owner } = nearly_stale().await;
    let before = receiver.received().len();
    succeed_unnoted(&world, &webhook).await;
    world.run_for(Duration::from_mins(4)).await;
    sweep(&world).await;
    assert_eq!(receiver.received().len(), before + 1);
    assert_eq!(world.health(&webhook).await["failing_since"], json!(null));
    assert_eq!(world.webhooks(&owner).await.len(), 1);
}
