//! The 48 hours of an ePages webhook whose receiver is dead (facts: ePages, Delivery policy).

use std::{collections::HashSet, time::Duration};

use knockback::domain::Policies;
use serde_json::{Value, json};
use tests::{Receiver, World};

use super::report_order;

/// When each of the 12 attempts is due, in seconds after the first.
const DUE_SECS: [i64; 12] = [0, 60, 240, 540, 1140, 2040, 3840, 7440, 14_640, 36_240, 86_640, 173_040];

/// The longest chain of messages that Lambda lets functions make of each other.
const CHAIN_MAX: u32 = 16;

struct Dead {
    world: World,
    receiver: Receiver,
    token: String,
    hook: Value,
}

/// A webhook whose receiver answers 503, from now on and for ever.
async fn dead() -> Dead {
    dead_with(Policies::default()).await
}

async fn dead_with(policies: Policies) -> Dead {
    let world = World::with(policies, None).await;
    world.listen().await;
    let receiver = world.receiver().await;
    receiver.answers(503);
    let token = world.shop_app("DemoShop", "mailer").await;
    let hook = world.hook(&token, "DemoShop", &receiver.url(), "ORDER_CREATE").await;
    Dead { world, receiver, token, hook }
}

impl Dead {
    /// Checks what is left after 48 hours: 12 attempts that failed, one announcement, one mail, an inactive webhook.
    async fn check_deactivated(&self) {
        let Self { world, token, hook, .. } = self;
        let attempts = world.hook_attempts("DemoShop", hook).await;
        let states: Vec<_> = attempts.iter().map(|attempt| attempt["state"].as_str().unwrap_or("")).collect();
        assert_eq!(states, ["failed"; 12]);
        let told = world.announced();
        assert_eq!(told.iter().filter(|told| told.kind == "webhook.deactivated").count(), 1, "{told:?}");
        assert_eq!(told[0].detail["last_http_status"], 503);
        assert_eq!((&told[0].detail["owner_id"], &told[0].detail["app"]), (&Value::Null, &json!("mailer")));
        assert!(told.iter().all(|again| again.detail["id"] == told[0].detail["id"]));
        let mails = world.system.aws.mails();
        assert_eq!(mails.len(), 1, "{mails:?}");
        assert_eq!(mails[0].to, ["dev@mailer.example"]);
        assert_eq!(world.read_hook(token, "DemoShop", hook).await["active"], json!(false));
        assert!(world.system.aws.longest_chain() <= CHAIN_MAX, "{}", world.system.aws.longest_chain());
        for queue in ["EventsDlq", "DeliveriesDlq", "NoticesDlq"] {
            assert_eq!(world.depth(queue), 0, "{queue}");
        }
    }
}

#[tokio::test]
async fn a_dead_receiver_is_tried_12_times_at_the_exact_seconds_and_its_webhook_deactivated() {
    let dead = dead().await;
    let Dead { world, receiver, .. } = &dead;
    let before = world.system.aws.counts();
    report_order(world, "A-1").await;
    world.run_to_rest().await;
    assert_eq!(receiver.times(), DUE_SECS.map(|secs| secs * 1000));
    let sends = world.system.aws.counts().since(&before).calls("AmazonSQS.SendMessageBatch");
    assert!(sends <= 30, "{sends} sends");
    dead.check_deactivated().await;
    let bodies: HashSet<_> = receiver.received().iter().map(|received| received.text().to_owned()).collect();
    assert_eq!(bodies.len(), 1, "the same notification on every attempt");

    report_order(world, "A-2").await;
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), 12, "nothing reaches an inactive webhook");
}

#[tokio::test]
async fn with_every_message_twice_it_is_still_12_attempts_and_one_mail() {
    let dead = dead().await;
    report_order(&dead.world, "A-1").await;
    dead.world.run_to_rest_with_every_message_twice().await;
    let due_ms: HashSet<_> = DUE_SECS.iter().map(|secs| secs * 1000).collect();
    assert_eq!(dead.receiver.times().into_iter().collect::<HashSet<_>>(), due_ms, "none is early");
    dead.check_deactivated().await;
}

#[tokio::test]
async fn with_a_message_lost_at_each_wait_it_is_still_12_attempts_and_one_mail() {
    let dead = dead().await;
    let Dead { world, receiver, .. } = &dead;
    report_order(world, "A-1").await;
    world.settle().await;
    let mut lost = HashSet::new();
    while world.advance_to_next_change().await {
        for message in world.receive("RetriesQueue") {
            let body: Value = serde_json::from_str(&message.body).expect("a message");
            if !lost.insert(body["attempt"].as_u64()) {
                let failed = world.invoke("RetriesQueue", std::slice::from_ref(&message)).await;
                assert!(failed.is_empty(), "{body}");
            }
            world.delete("RetriesQueue", &[message]);
        }
        world.settle().await;
    }
    assert_eq!(lost.len(), 11, "a message for each retry was lost");
    let times = receiver.times();
    assert_eq!(times.len(), 12);
    for (wait, due) in times.windows(2).zip(DUE_SECS.windows(2)) {
        let late_ms = wait[1] - wait[0] - (due[1] - due[0]) * 1000;
        assert!(
            (0..=Duration::from_mins(10).as_millis().try_into().expect("small")).contains(&late_ms),
            "{times:?}"
        );
    }
    dead.check_deactivated().await;
}

/// One retry after 10 s, and no holds.
fn brief() -> Policies {
    Policies::default().with("epages.retries=10s epages.hold=0s").expect("a policy")
}

#[tokio::test]
async fn a_revived_webhook_gets_what_happens_from_then_on_and_nothing_that_was_pending() {
    let Dead { world, receiver, token, hook } = dead_with(brief()).await;
    report_order(&world, "A-1").await;
    world.run_for(Duration::from_secs(5)).await;
    report_order(&world, "A-2").await;
    world.run_for(Duration::from_secs(7)).await;
    assert_eq!(world.read_hook(&token, "DemoShop", &hook).await["active"], json!(false));
    report_order(&world, "A-3").await;
    world.run_for(Duration::from_secs(1)).await;
    let revived = world.switch_hook(&token, "DemoShop", &hook, true).await;
    assert_eq!(revived["active"], json!(true));
    receiver.answers(200);
    report_order(&world, "A-4").await;
    world.run_to_rest().await;
    assert_eq!(receiver.times(), [0, 5000, 10_000, 13_000]);
    assert!(receiver.received()[3].text().contains("/orders/A-4"));
    let attempts = world.hook_attempts("DemoShop", &hook).await;
    let ends: Vec<_> = attempts.iter().filter_map(|attempt| attempt["state"].as_str()).collect();
    assert_eq!(ends, ["failed", "failed", "failed", "dropped", "succeeded"]);
    assert_eq!(world.system.aws.mails().len(), 1);
    assert_eq!(world.read_hook(&token, "DemoShop", &hook).await["active"], json!(true));
}

#[tokio::test]
async fn two_deliveries_that_are_used_up_at_once_deactivate_the_webhook_once() {
    let Dead { world, token, hook, .. } = dead_with(brief()).await;
    for id in ["A-1", "A-2"] {
        report_order(&world, id).await;
    }
    world.settle().await;
    world.clock.advance(Duration::from_secs(10));
    let messages = world.receive("RetriesQueue");
    let (one, two) = messages.split_at(1);
    assert_eq!((one.len(), two.len()), (1, 1));
    let (first, second) = tokio::join!(world.invoke("RetriesQueue", one), world.invoke("RetriesQueue", two));
    assert!(first.is_empty() && second.is_empty());
    world.delete("RetriesQueue", &messages);
    world.run_to_rest().await;
    let attempts = world.hook_attempts("DemoShop", &hook).await;
    assert!(
        attempts.len() == 4 && attempts.iter().all(|attempt| attempt["state"] == "failed"),
        "{attempts:?}"
    );
    let told: Vec<_> = world.announced().into_iter().map(|told| told.kind).collect();
    assert_eq!(told, ["webhook.deactivated"]);
    assert_eq!(world.system.aws.mails().len(), 1);
    assert_eq!(world.read_hook(&token, "DemoShop", &hook).await["active"], json!(false));
}
