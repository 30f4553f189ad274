//! What an operator is told: metrics, and a line for each attempt. Every world checks that each line of metrics is as
//! CloudWatch specifies it, and that no line shows what events carry or where receivers are.

use std::{collections::BTreeMap, time::Duration};

use knockback::domain::Policies;
use serde_json::{Value, json};
use tests::{PAYLOAD, RawAnswer, RawReceiver, Subscribed, World};

use crate::{bus, fan_out::with_webhooks};

/// Nothing but these was counted so far, and so often.
fn check(world: &World, expected: &[(&str, u64)]) {
    let expected: BTreeMap<_, _> = expected.iter().map(|(name, sum)| ((*name).to_owned(), *sum)).collect();
    assert_eq!(world.metrics(), expected);
}

/// How often something was counted so far.
fn counted(world: &World, name: &str) -> u64 {
    world.metrics().get(name).copied().unwrap_or_default()
}

/// The lines about attempts for events whose correlation id is the world's name, without what differs from run to run.
fn lines(world: &World) -> Vec<Value> {
    let lines = world.lines().into_iter().filter(|line| line["target"] == "knockback::attempt");
    lines
        .map(|mut line| {
            let fields = line.as_object_mut().expect("an object");
            for name in ["timestamp", "target", "delivery", "correlation_id"] {
                assert!(fields.remove(name).is_some(), "{name}");
            }
            line
        })
        .collect()
}

/// An event whose lines the world finds.
fn traced(world: &World, id: &str) -> Value {
    json!({"id": id, "correlation_id": world.name()})
}

#[tokio::test]
async fn a_delivered_event_is_one_attempt_and_one_line() {
    let Subscribed { world, receiver: _receiver, .. } = Subscribed::answering(200).await;
    for id in ["e-1", "e-2"] {
        world.report(traced(&world, id)).await;
    }
    world.clock.advance(Duration::from_secs(5));
    world.settle().await;
    let counts = [
        ("AttemptDuration", 2),
        ("Attempts", 2),
        ("Delivered", 2),
        ("DeliveryLag", 2),
        ("EventsAccepted", 2),
        ("WebhooksMatched", 2),
    ];
    check(&world, &counts);
    assert_eq!(world.measured("DeliveryLag"), [5000, 5000]);
    assert_eq!(world.measured("AttemptDuration"), [0, 0]);
    let emitted: Vec<_> = world.lines().into_iter().filter(|line| line["_aws"].is_object()).collect();
    assert_eq!(emitted.len(), 2, "one for each invocation: {emitted:#?}");
    for line in emitted {
        assert_eq!(line["_aws"]["Timestamp"], world.clock_ms(), "by the clock that is handed in");
    }
    let line = |id: &str| {
        json!({"level": "INFO", "company": "1", "webhook": "1", "attempt": 1, "event": id, "object": "deal",
            "action": "change", "outcome": "succeeded", "status": 200, "duration_ms": 0, "lag_ms": 5000})
    };
    assert_eq!(lines(&world), [line("e-1"), line("e-2")]);
}

#[tokio::test]
async fn a_repeated_event_is_accepted_once_wherever_it_comes_from() {
    let Subscribed { world, receiver: _receiver, .. } = Subscribed::answering(200).await;
    for _ in 0..3 {
        world.report(json!({"id": "e-1"})).await;
        world.settle().await;
    }
    let detail = json!({"company_id": "1", "object": "deal", "action": "create", "entity_id": "8", "id": "e-2",
        "data": {"note": PAYLOAD}});
    for _ in 0..2 {
        bus::put(&world, "webhook.event", &detail).await;
        world.settle().await;
    }
    world.report(json!({"object": "person"})).await;
    world.settle().await;
    assert_eq!(counted(&world, "EventsAccepted"), 3, "one of them matches nothing");
    assert_eq!((counted(&world, "WebhooksMatched"), counted(&world, "Attempts")), (2, 2));
}

#[tokio::test]
async fn each_retry_is_an_attempt_and_the_last_of_them_gives_the_delivery_up() {
    let Subscribed { world, receiver, .. } = Subscribed::answering(500).await;
    world.report(traced(&world, "e-1")).await;
    world.run_to_rest().await;
    let mut counts = [
        ("AttemptDuration", 4),
        ("Attempts", 4),
        ("DeliveryLag", 1),
        ("EventsAccepted", 1),
        ("Failed", 4),
        ("GivenUp", 1),
        ("Retries", 3),
        ("WebhooksMatched", 1),
    ];
    check(&world, &counts);
    let told = lines(&world);
    let of = |name: &str| told.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("outcome"), ["failed"; 4]);
    assert_eq!(of("error"), ["answered 500 Internal Server Error"; 4]);
    assert_eq!(of("attempt"), [1, 2, 3, 4]);
    assert_eq!(of("given_up"), [json!(null), json!(null), json!(null), json!(true)]);
    assert_eq!(told[0]["retry_due"], "2026-01-01T00:00:03.000Z");
    assert_eq!((&told[0]["lag_ms"], &told[1]["lag_ms"]), (&json!(0), &json!(null)));

    // One that succeeds at its second attempt is not given up.
    world.report(json!({})).await;
    world.settle().await;
    receiver.answers(200);
    world.run_to_rest().await;
    counts = [
        ("AttemptDuration", 6),
        ("Attempts", 6),
        ("DeliveryLag", 2),
        ("EventsAccepted", 2),
        ("Failed", 5),
        ("GivenUp", 1),
        ("Retries", 4),
        ("WebhooksMatched", 2),
    ];
    check(&world, &[&counts[..], &[("Delivered", 1)]].concat());
}

#[tokio::test]
async fn a_ban_is_counted_once_and_each_drop_says_why() {
    let Subscribed { world, receiver: _receiver, .. } = Subscribed::answering(500).await;
    for id in 0..10 {
        world.report(traced(&world, &format!("e-{id}"))).await;
    }
    world.settle().await;
    assert_eq!((counted(&world, "Banned"), counted(&world, "Failed")), (1, 10));
    let banned: Vec<_> = lines(&world).into_iter().filter(|line| line["banned_until"].is_string()).collect();
    let expected = json!({"level": "WARN", "message": "a webhook is banned", "company": "1", "webhook": "1",
        "strikes": 10, "banned_until": "2026-01-01T00:30:00.000Z"});
    assert_eq!(banned, [expected]);

    world.run_for(Duration::from_secs(1)).await;
    world.report(traced(&world, "late")).await;
    world.settle().await;
    let expected = json!({"level": "INFO", "company": "1", "webhook": "1", "attempt": 1, "event": "late",
        "object": "deal", "action": "change", "outcome": "dropped", "dropped": "banned"});
    assert_eq!(lines(&world).last(), Some(&expected));
    assert_eq!((counted(&world, "Dropped"), counted(&world, "DeliveryLag")), (1, 10));
}

#[tokio::test]
async fn a_ban_whose_alarm_sqs_did_not_take_is_counted_and_told_all_the_same() {
    let Subscribed { world, receiver: _receiver, .. } = Subscribed::answering(500).await;
    for id in 0..10 {
        world.report(traced(&world, &format!("e-{id}"))).await;
    }
    world.pump("EventsQueue").await;
    world.system.aws.refuse("AmazonSQS.SendMessageBatch");
    world.pump("DeliveriesQueue").await;
    world.system.aws.permit("AmazonSQS.SendMessageBatch");
    assert_eq!(world.depth("RetriesQueue"), 0, "no alarm was set");
    assert_eq!(counted(&world, "Banned"), 1);
    world.run_to_rest().await;
    assert_eq!((counted(&world, "Banned"), counted(&world, "Failed")), (1, 40));
}

#[tokio::test]
async fn an_original_that_waited_for_a_bans_end_has_no_lag_and_is_woken_by_the_sweeper() {
    let (Subscribed { world, receiver, .. }, waits) =
        Subscribed::with_an_original_from_before_its_ban().await;
    world.send_message("DeliveriesQueue", &waits);
    world.settle().await;
    receiver.answers(200);
    world.run_to_rest().await;
    assert_eq!(counted(&world, "DeliveryLag"), 10, "those that did not wait");
    assert_eq!((counted(&world, "Delivered"), counted(&world, "Retries")), (11, 10));
    assert_eq!(counted(&world, "WaitsWoken"), 2, "the attempt, and that the ban is over");
}

#[tokio::test]
async fn a_deactivation_is_counted_once_and_what_it_ends_is_dropped() {
    let policies = Policies::default().with("epages.retries=1s epages.hold=1s").expect("policies");
    let world = World::with(policies, None).await;
    let receiver = world.receiver().await;
    receiver.answers(500);
    let token = world.shop_app("1", "mailer").await;
    world.hook(&token, "1", &receiver.url(), "PRODUCT_UPDATE").await;
    let product = |id: &str| {
        let mut event = traced(&world, id);
        (event["object"], event["action"]) = (json!("product"), json!("change"));
        event
    };
    world.report(product("e-1")).await;
    world.settle().await;
    world.report(product("e-2")).await;
    world.run_to_rest().await;
    assert_eq!((counted(&world, "Deactivated"), counted(&world, "GivenUp")), (1, 1));
    assert_eq!((counted(&world, "Failed"), counted(&world, "Attempts")), (3, 3));
    assert_eq!((counted(&world, "Dropped"), counted(&world, "MailsSent")), (1, 1));
    let told = lines(&world);
    assert_eq!(told.iter().filter(|line| line["deactivated"] == true).count(), 1, "{told:#?}");
    assert_eq!(told.iter().filter(|line| line["outcome"] == "dropped").count(), 1, "{told:#?}");
}

#[tokio::test]
async fn a_webhook_that_is_swept_as_stale_is_counted_once_however_often_the_sweep_comes() {
    let policies = Policies::default().with("pipedrive.stale=2h").expect("policies");
    let Subscribed { world, receiver: _receiver, .. } = Subscribed::with(policies, 500).await;
    for _ in 0..4 {
        world.report(json!({})).await;
        world.run_for(Duration::from_hours(1)).await;
        for schedule in &world.system.schedules {
            assert!(world.system.fire(schedule).await);
        }
    }
    assert_eq!(counted(&world, "SweptStale"), 1);
}

#[tokio::test]
async fn a_mail_that_ses_did_not_take_is_a_failed_try_each_time() {
    let policies = Policies::default().with("pipedrive.stale=6h").expect("policies");
    let world = World::with(policies, None).await;
    let receiver = world.receiver().await;
    receiver.answers(500);
    let owner = json!({"company_id": "1", "user_id": "10", "contact": "owner@example.com"});
    world.subscribe(&world.token(owner).await, &receiver.url(), json!({})).await;
    world.system.aws.refuse("SES.SendEmail");
    world.report(json!({})).await;
    world.run_for(Duration::from_hours(4) + Duration::from_mins(6)).await;
    assert_eq!((counted(&world, "MailsSent"), counted(&world, "MailsFailed")), (0, 2));
    world.system.aws.permit("SES.SendEmail");
    world.run_for(Duration::from_hours(1)).await;
    assert_eq!((counted(&world, "MailsSent"), counted(&world, "MailsFailed")), (1, 2));
}

#[tokio::test]
async fn a_success_that_cannot_be_written_down_is_delivered_and_counted_as_unlogged() {
    let Subscribed { world, receiver, .. } = Subscribed::answering(200).await;
    world.system.aws.refuse("DynamoDB_20120810.BatchWriteItem");
    for _ in 0..3 {
        world.report(json!({})).await;
    }
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), 3);
    assert_eq!((counted(&world, "Delivered"), counted(&world, "OutcomeUnlogged")), (3, 3));
    assert_eq!(counted(&world, "Failed"), 0);
}

#[tokio::test]
async fn every_message_twice_counts_what_was_done_once() {
    let receiver = RawReceiver::start(|_, _| RawAnswer::ok(""));
    let (world, _) = with_webhooks(1_205, &receiver.url()).await;
    world.report(json!({"id": "e-1"})).await;
    world.run_to_rest_with_every_message_twice().await;
    assert_eq!(receiver.requests().len(), 1_205);
    let counts = [
        ("AttemptDuration", 1_205),
        ("Attempts", 1_205),
        ("Delivered", 1_205),
        ("DeliveryLag", 1_205),
        ("EventsAccepted", 1),
        ("WebhooksMatched", 1_205),
    ];
    check(&world, &counts);
}

#[tokio::test]
async fn an_attempt_whose_end_cannot_be_written_has_its_line_all_the_same() {
    let Subscribed { world, receiver, .. } = Subscribed::answering(500).await;
    world.system.aws.refuse("DynamoDB_20120810.TransactWriteItems");
    world.report(traced(&world, "e-1")).await;
    world.settle().await;
    world.system.aws.permit("DynamoDB_20120810.TransactWriteItems");
    receiver.answers(200);
    world.run_to_rest().await;
    let told = lines(&world);
    let ends: Vec<_> =
        told.iter().map(|line| (&line["attempt"], &line["outcome"], &line["given_up"])).collect();
    let (one, none) = (json!(1), json!(null));
    assert_eq!(ends, [(&one, &json!("failed"), &none), (&one, &json!("succeeded"), &none)]);
    assert_eq!((counted(&world, "Attempts"), counted(&world, "GivenUp")), (2, 0));
}

/// What a message holds that is none may be what an event carries. Each world looks for it in the log.
#[tokio::test]
async fn what_cannot_be_read_is_not_shown() {
    let world = World::new().await;
    let text = json!(PAYLOAD).to_string();
    let event = json!({"v": 1, "event": {"company": PAYLOAD}}).to_string();
    let envelope = json!({"detail-type": "webhook.event", "id": "1", "time": "2026-01-01T00:00:00Z",
        "detail": {"company_id": "1", "object": PAYLOAD, "action": PAYLOAD, "entity_id": {"a": PAYLOAD}, "data": PAYLOAD}});
    let delivery = json!({"v": 1, "company": PAYLOAD, "webhook": PAYLOAD}).to_string();
    let notice = json!({"detail-type": "webhook.deleted", "detail": PAYLOAD}).to_string();
    for (queue, bodies) in [
        ("EventsQueue", [&text, &event, &envelope.to_string()]),
        ("DeliveriesQueue", [&text, &event, &delivery]),
        ("NoticesQueue", [&text, &event, &notice]),
    ] {
        for body in bodies {
            world.send_message(queue, body);
        }
        assert_eq!(world.pump(queue).await.len(), 3);
        assert_eq!(world.depth(queue), 3, "they come again");
    }
}
