//! The 48 hours of an ePages webhook whose receiver is dead (facts: ePages, Delivery policy).

use std::{collections::HashSet, time::Duration};

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
    let world = World::new().await;
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
