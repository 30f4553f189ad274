//! `PutEvents`: what it takes, how it answers, and the envelope that arrives.

use std::sync::Arc;

use aws_sdk_eventbridge::{primitives::DateTime, types::PutEventsRequestEntry};
use serde_json::json;

use super::{Bus, details, event};
use crate::{
    aws::Aws,
    check::refused,
    clause::{Clause, clause},
    emulator::Emulator,
};

const ALL: &str = r#"{"source":[{"prefix":""}]}"#;

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(each_entry_has_its_id_in_its_place),
        clause!(an_entry_that_is_refused_has_its_code_in_its_place).known(
            Emulator::Ministack,
            "none is refused",
            "it checks no entry",
        ),
        clause!(an_entry_needs_a_source_a_type_and_a_detail).known(
            Emulator::Ministack,
            "left: [\"it is taken\", \"it is taken\", \"it is taken\"]",
            "it checks no entry",
        ),
        clause!(a_detail_is_an_object).known(
            Emulator::Ministack,
            "left: [\"it is taken\", \"it is taken\", \"it is taken\", \"it is taken\", \"it is taken\"]",
            "it checks no entry",
        ),
        clause!(ten_entries_are_taken_and_eleven_are_not),
        clause!(no_entries_are_refused).known(
            Emulator::Ministack,
            "it is taken, where AWS answers ValidationException",
            "it takes a call without entries",
        ),
        clause!(more_than_1_mib_is_refused).known(
            Emulator::Ministack,
            "it is taken, where AWS answers ValidationException",
            "it has no limit of size",
        ),
        clause!(an_event_of_256_kib_is_taken),
        clause!(the_envelope_tells_the_id_that_was_answered),
        clause!(the_envelope_tells_its_time_in_seconds),
        clause!(a_time_that_is_given_is_the_envelopes).known(
            Emulator::Ministack,
            "another time",
            "it writes the time of the call",
        ),
        clause!(a_detail_arrives_digit_for_digit).known(
            Emulator::Ministack,
            r#"{"large":9007199254740993,"price":1.1}"#,
            "it reads the numbers of a detail, and writes them anew",
        ),
        clause!(a_bus_is_named_by_its_arn_too),
    ]
}

async fn each_entry_has_its_id_in_its_place(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "all", ALL).await;
    let entry = |n: u32| bus.entry("knockback", "webhook.banned", &json!({ "n": n }).to_string());
    let answer = bus.put((0..5).map(entry).collect()).await;
    let mut arrived = Vec::new();
    for message in queue.expect(5).await {
        let event = event(&message);
        arrived.push((event["detail"]["n"].as_u64(), event["id"].as_str().map(str::to_owned)));
    }
    arrived.sort_unstable();
    let ids: Vec<_> = answer.entries().iter().map(|result| result.event_id().map(str::to_owned)).collect();
    assert_eq!(arrived.into_iter().map(|(_, id)| id).collect::<Vec<_>>(), ids);
}

async fn an_entry_that_is_refused_has_its_code_in_its_place(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "all", ALL).await;
    let entry = |detail| bus.entry("knockback", "webhook.banned", detail);
    let answer = bus.put(vec![entry(r#"{"n":1}"#), entry("no JSON"), entry(r#"{"n":2}"#)]).await;
    let results = answer.entries();
    assert_ne!(answer.failed_entry_count, 0, "none is refused");
    assert_eq!((answer.failed_entry_count, results.len()), (1, 3));
    let codes: Vec<_> = results.iter().map(|result| result.error_code()).collect();
    assert_eq!(codes, [None, Some("MalformedDetail"), None]);
    let has_id: Vec<_> = results.iter().map(|result| result.event_id().is_some()).collect();
    assert_eq!(has_id, [true, false, true]);
    assert_eq!(details(&queue, 2).await, [r#"{"n":1}"#, r#"{"n":2}"#]);
}

/// The code of the one entry that is put.
async fn code_of(bus: &Bus, entry: PutEventsRequestEntry) -> String {
    let answer = bus.put(vec![entry]).await;
    let code = answer.entries()[0].error_code();
    assert_eq!(answer.failed_entry_count, i32::from(code.is_some()));
    code.unwrap_or("it is taken").to_owned()
}

async fn an_entry_needs_a_source_a_type_and_a_detail(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let entry = || PutEventsRequestEntry::builder().event_bus_name(&bus.name);
    let mut codes = Vec::new();
    for lacking in [
        entry().detail_type("t").detail("{}"),
        entry().source("s").detail("{}"),
        entry().source("s").detail_type("t"),
    ] {
        codes.push(code_of(&bus, lacking.build()).await);
    }
    assert_eq!(codes, ["InvalidArgument"; 3], "without a source, a type, a detail");
}

async fn a_detail_is_an_object(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let mut codes = Vec::new();
    for detail in ["[]", "1", "\"text\"", "{", "{} {}"] {
        codes.push(code_of(&bus, bus.entry("knockback", "t", detail)).await);
    }
    assert_eq!(
        codes, ["MalformedDetail"; 5],
        "an array, a number, a text, an end that is missing, two objects"
    );
}

async fn ten_entries_are_taken_and_eleven_are_not(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "all", ALL).await;
    let some = |count| (0..count).map(|_| bus.entry("knockback", "t", "{}")).collect::<Vec<_>>();
    refused(bus.putting(some(11)).send().await, "ValidationException");
    let answer = bus.put(some(10)).await;
    assert_eq!((answer.failed_entry_count, answer.entries().len()), (0, 10));
    queue.expect(10).await;
}

async fn no_entries_are_refused(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    refused(bus.putting(Vec::new()).send().await, "ValidationException");
}

fn sized(bus: &Bus, bytes: usize) -> PutEventsRequestEntry {
    bus.entry("knockback", "t", &json!({ "x": "x".repeat(bytes) }).to_string())
}

async fn more_than_1_mib_is_refused(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    refused(bus.putting(vec![sized(&bus, 1024 * 1024)]).send().await, "ValidationException");
    let together = (0..4).map(|_| sized(&bus, 300_000)).collect();
    refused(bus.putting(together).send().await, "ValidationException");
}

async fn an_event_of_256_kib_is_taken(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "all", ALL).await;
    assert_eq!(code_of(&bus, sized(&bus, 256 * 1024)).await, "it is taken");
    assert!(queue.expect_one().await.body().is_some_and(|body| body.len() > 256 * 1024));
}

async fn the_envelope_tells_the_id_that_was_answered(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "all", ALL).await;
    let answer = bus.put(vec![bus.entry("acme.crm", "webhook.event", r#"{"a":{"b":[1,null,"c"]}}"#)]).await;
    let event = event(&queue.expect_one().await);
    let mut names: Vec<_> = event.as_object().expect("an object").keys().collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version"]
    );
    assert_eq!(event["id"].as_str(), answer.entries()[0].event_id());
    assert_eq!((&event["version"], &event["resources"]), (&json!("0"), &json!([])));
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("acme.crm"), &json!("webhook.event")));
    assert_eq!(event["region"], "us-east-1");
    assert_eq!(event["detail"], json!({"a": {"b": [1, null, "c"]}}));
}

async fn the_envelope_tells_its_time_in_seconds(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "all", ALL).await;
    let before = aws.now().as_secs() - 2;
    bus.put(vec![bus.entry("knockback", "t", "{}")]).await;
    let event = event(&queue.expect_one().await);
    let time = event["time"].as_str().expect("is text");
    let read = knockback::domain::Timestamp::parse(time).expect("is a time").as_secs();
    assert!((before..=aws.now().as_secs() + 2).contains(&read), "{time}");
    assert_eq!((time.len(), time.ends_with('Z')), ("2026-01-01T00:00:00Z".len(), true), "{time}");
}

async fn a_time_that_is_given_is_the_envelopes(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "all", ALL).await;
    let entry = PutEventsRequestEntry::builder().event_bus_name(&bus.name).source("s").detail_type("t");
    let entry = entry.detail("{}").time(DateTime::from_secs(1_700_000_000)).build();
    bus.put(vec![entry]).await;
    let event = event(&queue.expect_one().await);
    assert_eq!(event["time"], "2023-11-14T22:13:20Z", "another time");
}

async fn a_detail_arrives_digit_for_digit(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "all", ALL).await;
    bus.put(vec![bus.entry("knockback", "t", r#"{"large":9007199254740993,"price":1.10}"#)]).await;
    let body = queue.expect_one().await.body.expect("a body");
    let compact: String = body.chars().filter(|char| !char.is_whitespace()).collect();
    assert!(
        compact.contains(r#"{"large":9007199254740993,"price":1.10}"#),
        "a number has changed: {compact}"
    );
}

async fn a_bus_is_named_by_its_arn_too(aws: Arc<Aws>) {
    let bus = Bus::new(&aws).await;
    let queue = bus.queue(&aws, "all", ALL).await;
    let told = aws.events.describe_event_bus().name(&bus.name).send().await.expect("is told");
    let entry = PutEventsRequestEntry::builder().set_event_bus_name(told.arn).source("s").detail_type("t");
    bus.put(vec![entry.detail("{}").build()]).await;
    queue.expect_one().await;
}
