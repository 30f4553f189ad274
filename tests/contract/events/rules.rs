//! Rules: which events reach which queues.

use std::sync::Arc;

use aws_sdk_eventbridge::types::{DeadLetterConfig, Target};

use super::{Bus, details, pattern_of_template};
use crate::{
    aws::Aws,
    check::refused,
    clause::{Clause, clause},
    emulator::Emulator,
    sqs::Queue,
};

const KNOCKBACK: &str = r#"{"source":["knockback"]}"#;

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(the_platforms_events_reach_the_events_queue),
        clause!(of_what_knockback_announces_some_reaches_the_notices_queue),
        clause!(what_no_rule_is_for_is_taken_and_goes_nowhere),
        clause!(an_event_reaches_each_rules_queue_once),
        clause!(a_rule_sends_to_all_of_its_targets),
        clause!(a_rule_is_of_its_bus),
        clause!(a_disabled_rule_sends_nothing_until_it_is_enabled),
        clause!(a_target_that_is_removed_gets_nothing),
        clause!(a_rule_that_is_changed_keeps_its_targets),
        clause!(a_value_in_an_array_matches),
        clause!(a_pattern_that_is_none_is_refused),
        clause!(a_rule_without_a_pattern_is_refused).known(
            Emulator::Ministack,
            "it is taken, where AWS answers ValidationException",
            "it takes a rule that is for nothing",
        ),
        clause!(what_a_queue_cannot_take_goes_to_the_dead_letter_queue_of_the_target).known(
            Emulator::Ministack,
            "[] are received",
            "it drops what a target does not take",
        ),
    ]
}

/// Puts an event for each detail type, with the type and this detail, and answers with those that arrive.
async fn matching(aws: &Aws, rule: &str, events: &[(&str, &str, &str)], expected: &[&str]) {
    let bus = Bus::new(aws).await;
    let queue = bus.queue(aws, rule, &pattern_of_template(rule)).await;
    let entries = events.iter().map(|(source, detail_type, detail)| bus.entry(source, detail_type, detail));
    let answer = bus.put(entries.collect()).await;
    assert_eq!(answer.failed_entry_count, 0);
    assert_eq!(details(&queue, expected.len()).await, expected);
    assert_eq!(queue.receive().await, []);
}

async fn the_platforms_events_reach_the_events_queue(aws: Arc<Aws>) {
    let events = [
        ("acme.crm", "webhook.event", r#"{"n":1}"#),
        ("anything", "app.removed", r#"{"n":2}"#),
        ("acme.crm", "app.uninstalled", r#"{"n":3}"#),
        ("knockback", "webhook.banned", r#"{"n":4}"#),
        ("acme.crm", "webhook.events", r#"{"n":5}"#),
        ("webhook.event", "other", r#"{"detail-type":"webhook.event"}"#),
    ];
    matching(&aws, "EventsFromBus", &events, &[r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#]).await;
}

async fn of_what_knockback_announces_some_reaches_the_notices_queue(aws: Arc<Aws>) {
    let events = [
        ("knockback", "webhook.deactivated", r#"{"n":1}"#),
        ("knockback", "webhook.expiring", r#"{"n":2}"#),
        ("knockback", "webhook.deleted", r#"{"n":3,"reason":"stale"}"#),
        ("knockback", "webhook.deleted", r#"{"n":4,"reason":"app_removed"}"#),
        ("knockback", "webhook.deleted", r#"{"n":5}"#),
        ("knockback", "webhook.banned", r#"{"n":6,"reason":"stale"}"#),
        ("acme.crm", "webhook.deactivated", r#"{"n":7}"#),
    ];
    let expected = [r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3,"reason":"stale"}"#];
    matching(&aws, "NoticesFromBus", &events, &expected).await;
}

async fn what_no_rule_is_for_is_taken_and_goes_nowhere(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "one", KNOCKBACK).await;
    let answer = bus.put(vec![bus.entry("other", "t", "{}")]).await;
    assert_eq!(answer.failed_entry_count, 0);
    assert!(answer.entries()[0].event_id().is_some());
    bus.put(vec![bus.entry("knockback", "t", r#"{"n":1}"#)]).await;
    assert_eq!(details(&queue, 1).await, [r#"{"n":1}"#]);
}

async fn an_event_reaches_each_rules_queue_once(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let one = bus.queue(&aws, "one", KNOCKBACK).await;
    let two = bus.queue(&aws, "two", r#"{"detail-type":["t"]}"#).await;
    bus.put(vec![bus.entry("knockback", "t", r#"{"n":1}"#)]).await;
    for queue in [one, two] {
        assert_eq!(details(&queue, 1).await, [r#"{"n":1}"#]);
        assert_eq!(queue.receive().await, []);
    }
}

async fn a_rule_sends_to_all_of_its_targets(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let one = bus.queue(&aws, "rule", KNOCKBACK).await;
    let two = Queue::new(&aws, []).await;
    bus.target("rule", Target::builder().id("two").arn(two.arn().await).build().expect("is complete")).await;
    bus.put(vec![bus.entry("knockback", "t", "{}")]).await;
    assert_eq!((one.expect(1).await.len(), two.expect(1).await.len()), (1, 1));
}

async fn a_rule_is_of_its_bus(aws: Arc<Aws>) {
    let (bus, other) = (Bus::new(&aws).await, Bus::new(&aws).await);
    let queue = bus.queue(&aws, "rule", KNOCKBACK).await;
    other.put(vec![other.entry("knockback", "t", r#"{"n":1}"#)]).await;
    bus.put(vec![bus.entry("knockback", "t", r#"{"n":2}"#)]).await;
    assert_eq!(details(&queue, 1).await, [r#"{"n":2}"#]);
    assert_eq!(queue.receive().await, []);
}

async fn a_disabled_rule_sends_nothing_until_it_is_enabled(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "rule", KNOCKBACK).await;
    let disable = aws.events.disable_rule().event_bus_name(&bus.name).name("rule");
    disable.send().await.expect("is disabled");
    bus.put(vec![bus.entry("knockback", "t", r#"{"n":1}"#)]).await;
    let enable = aws.events.enable_rule().event_bus_name(&bus.name).name("rule");
    enable.send().await.expect("is enabled");
    bus.put(vec![bus.entry("knockback", "t", r#"{"n":2}"#)]).await;
    assert_eq!(details(&queue, 1).await, [r#"{"n":2}"#]);
}

async fn a_target_that_is_removed_gets_nothing(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let (queue, kept) = (bus.queue(&aws, "rule", KNOCKBACK).await, bus.queue(&aws, "kept", KNOCKBACK).await);
    let remove = aws.events.remove_targets().event_bus_name(&bus.name).rule("rule").ids("rule");
    assert_eq!(remove.send().await.expect("is answered").failed_entry_count, 0);
    bus.put(vec![bus.entry("knockback", "t", "{}")]).await;
    kept.expect_one().await;
    assert_eq!(queue.receive().await, []);
}

async fn a_rule_that_is_changed_keeps_its_targets(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "rule", KNOCKBACK).await;
    bus.rule("rule", r#"{"source":["other"]}"#).await;
    let entries = vec![bus.entry("knockback", "t", r#"{"n":1}"#), bus.entry("other", "t", r#"{"n":2}"#)];
    bus.put(entries).await;
    assert_eq!(details(&queue, 1).await, [r#"{"n":2}"#]);
}

async fn a_value_in_an_array_matches(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "rule", r#"{"detail":{"tags":["a"]}}"#).await;
    let details_of =
        [r#"{"tags":["b"]}"#, r#"{"tags":["b","a"]}"#, r#"{"tags":"a"}"#, r#"{"tags":{"a":"a"}}"#];
    bus.put(details_of.map(|detail| bus.entry("knockback", "t", detail)).into()).await;
    assert_eq!(details(&queue, 2).await, [r#"{"tags":"a"}"#, r#"{"tags":["b","a"]}"#]);
}

async fn a_pattern_that_is_none_is_refused(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    for pattern in [r#"{"source":"knockback"}"#, "{", r#"{"source":[]}"#, r#"{"source":[{"unknown":"a"}]}"#] {
        let rule = aws.events.put_rule().event_bus_name(&bus.name).name("rule").event_pattern(pattern);
        let code = crate::check::code(&rule.send().await);
        assert_eq!(code.as_deref(), Some("InvalidEventPatternException"), "{pattern}");
    }
}

async fn a_rule_without_a_pattern_is_refused(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let rule = aws.events.put_rule().event_bus_name(&bus.name).name("rule");
    refused(rule.send().await, "ValidationException");
}

async fn what_a_queue_cannot_take_goes_to_the_dead_letter_queue_of_the_target(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let dead = Queue::new(&aws, []).await;
    bus.rule("rule", KNOCKBACK).await;
    let absent = format!("{}-none", dead.arn().await);
    let letters = DeadLetterConfig::builder().arn(dead.arn().await).build();
    let target = Target::builder().id("absent").arn(absent).dead_letter_config(letters);
    bus.target("rule", target.build().expect("is complete")).await;
    bus.put(vec![bus.entry("knockback", "t", r#"{"n":1}"#)]).await;
    assert_eq!(details(&dead, 1).await, [r#"{"n":1}"#]);
}
