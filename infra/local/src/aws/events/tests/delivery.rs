use std::time::Duration;

use serde_json::{Value, json};

use super::{Bench, DEAD_LETTERS, QUEUE};

#[test]
fn an_event_arrives_in_the_envelope_with_its_detail_byte_for_byte() {
    let bench = Bench::with_target(&json!({}));
    let entry = bench.put(r#" {"big":9007199254740993, "price" :1.10,"e":1e400,"u":"\u00e9"} "#);
    assert_eq!(entry, json!({"EventId": "01010101-0101-4101-8101-010101010101"}));
    assert_eq!(
        bench.sent(),
        [concat!(
            r#"{"version":"0","id":"01010101-0101-4101-8101-010101010101","detail-type":"t","source":"s","#,
            r#""account":"000000000000","time":"2027-01-15T08:00:00Z","region":"us-east-1","resources":[],"#,
            r#""detail":{"big":9007199254740993, "price" :1.10,"e":1e400,"u":"\u00e9"}}"#
        )]
    );
}

#[test]
fn an_entry_may_have_its_own_time_and_resources_and_else_gets_the_present() {
    let bench = Bench::with_target(&json!({}));
    let mut entry = json!({
        "Source": "s", "DetailType": "t", "Detail": "{}", "Resources": ["arn:x"], "Time": 1_700_000_000.9,
    });
    bench.put_entry(&entry);
    bench.clock.advance(Duration::from_mins(1));
    entry["Time"] = Value::Null;
    bench.put_entry(&entry);
    let events: Vec<Value> =
        bench.sent().iter().map(|body| serde_json::from_str(body).expect("an event")).collect();
    assert_eq!(events[0]["time"], "2023-11-14T22:13:20Z");
    assert_eq!(events[0]["resources"], json!(["arn:x"]));
    assert_eq!(events[1]["time"], "2027-01-15T08:01:00Z");
}

#[test]
fn only_enabled_rules_of_the_bus_whose_pattern_matches_send() {
    let bench = Bench::with_target(&json!({}));
    bench.call("CreateEventBus", &json!({"Name": "own"}));
    let on = |bus: &str, source: &str| {
        bench.put_entry(&json!({
            "Source": source, "DetailType": "t", "Detail": "{}", "EventBusName": bus,
        }));
        bench.sent().len()
    };
    assert_eq!(on("default", "s"), 1);
    assert_eq!(on("arn:aws:events:us-east-1:000000000000:event-bus/default", "s"), 1);
    assert_eq!(on("default", "other"), 0);
    assert_eq!(on("own", "s"), 0);
    bench.call("DisableRule", &json!({"Name": "rule"}));
    assert_eq!(on("default", "s"), 0);
    bench.call("EnableRule", &json!({"Name": "rule"}));
    bench.call("PutRule", &json!({"Name": "rule", "EventPattern": r#"{"source":["other"]}"#}));
    assert_eq!(on("default", "s"), 0);
    assert_eq!(on("default", "other"), 1, "a changed rule keeps its targets");
    bench.call("RemoveTargets", &json!({"Rule": "rule", "Ids": ["1"]}));
    assert_eq!(on("default", "other"), 0);
}

#[test]
fn a_bus_that_does_not_exist_swallows_events_as_on_aws() {
    let bench = Bench::with_target(&json!({}));
    let entry = json!({"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": "none"});
    assert!(bench.put_entry(&entry)["EventId"].is_string());
    assert_eq!(bench.sent(), [] as [&str; 0]);
}

#[test]
fn one_bad_entry_does_not_stop_the_others() {
    let bench = Bench::with_target(&json!({}));
    let answer = bench.call(
        "PutEvents",
        &json!({"Entries": [
            {"Source": "s", "DetailType": "t", "Detail": "not json"},
            {"Source": "s", "DetailType": "t", "Detail": "[]"},
            {"Source": "s", "DetailType": "t", "Detail": "{} {}"},
            {"DetailType": "t", "Detail": "{}"},
            {"Source": "", "DetailType": "t", "Detail": "{}"},
            {"Source": "s", "Detail": "{}"},
            {"Source": "s", "DetailType": "t"},
            {"Source": "aws.s3", "DetailType": "t", "Detail": "{}"},
            {"Source": "s", "DetailType": "t", "Detail": "{}"},
        ]}),
    );
    let codes: Vec<&Value> =
        answer["Entries"].as_array().expect("entries").iter().map(|entry| &entry["ErrorCode"]).collect();
    let (malformed, invalid) = (json!("MalformedDetail"), json!("InvalidArgument"));
    assert_eq!(
        codes,
        [
            &malformed,
            &malformed,
            &malformed,
            &invalid,
            &invalid,
            &invalid,
            &invalid,
            &json!("NotAuthorizedForSourceException"),
            &Value::Null,
        ]
    );
    assert_eq!(answer["FailedEntryCount"], 8);
    assert_eq!(bench.sent().len(), 1);
}

#[test]
fn a_call_takes_ten_entries_and_a_mebibyte() {
    let bench = Bench::with_target(&json!({}));
    let entries = |count| {
        let entry = json!({"Source": "s", "DetailType": "t", "Detail": "{}"});
        json!({"Entries": vec![entry; count]})
    };
    assert_eq!(bench.kind("PutEvents", &entries(0)), "ValidationException");
    assert_eq!(bench.kind("PutEvents", &entries(11)), "ValidationException");
    bench.call("PutEvents", &entries(10));
    assert_eq!(bench.sent().len(), 10);

    let of_bytes = |bytes: usize| {
        let detail = format!(r#"{{"x":"{}"}}"#, "y".repeat(bytes - r#"st{"x":""}arn"#.len()));
        json!({"Entries": [{"Source": "s", "DetailType": "t", "Detail": detail, "Resources": ["arn"]}]})
    };
    bench.call("PutEvents", &of_bytes(1024 * 1024));
    let (kind, message) = bench.refusal("PutEvents", &of_bytes(1024 * 1024 + 1));
    assert_eq!(kind, "ValidationException");
    assert!(message.contains("size"), "{message}");
    assert_eq!(bench.sent().len(), 1);
}

#[test]
fn what_a_target_does_not_take_goes_to_its_dead_letter_queue() {
    let bench = Bench::with_target(&json!({"DeadLetterConfig": {"Arn": DEAD_LETTERS}, "Input": "{}"}));
    bench.queues.missing.lock().expect("the lock").insert(QUEUE.to_owned());
    assert!(bench.put(r#"{"x":1}"#)["EventId"].is_string());
    let sent = bench.queues.sent.lock().expect("the lock").clone();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, DEAD_LETTERS);
    assert!(sent[0].1.ends_with(r#""detail":{"x":1}}"#), "the event itself: {}", sent[0].1);

    bench.queues.missing.lock().expect("the lock").insert(DEAD_LETTERS.to_owned());
    assert!(bench.put("{}")["EventId"].is_string(), "the caller never hears of targets");
}
