//! Rendering an event for webhooks of every version.

use knockback::domain::{Action, AttemptNumber, Event, Webhook, payload};
use serde_json::{json, value::RawValue};

use crate::{
    event::{events, read},
    json::{PIECES, compacted, last, members, named},
    target::Target,
};

const TARGET: Target = Target { name: "payload", check, pieces: PIECES };

const V1: &[&str] = &["v", "matches_filters", "meta", "current", "previous", "event", "retry"];
const V1_META: &[&str] = &[
    "action",
    "change_source",
    "company_id",
    "host",
    "id",
    "is_bulk_update",
    "matches_filters",
    "object",
    "permitted_user_ids",
    "pipedrive_service_name",
    "timestamp",
    "timestamp_micro",
    "prepublish_timestamp",
    "trans_pending",
    "user_id",
    "v",
    "webhook_id",
];
const V2: &[&str] = &["data", "previous", "meta"];
const V2_META: &[&str] = &[
    "action",
    "company_id",
    "correlation_id",
    "entity_id",
    "entity",
    "id",
    "is_bulk_edit",
    "timestamp",
    "type",
    "user_id",
    "version",
    "webhook_id",
    "webhook_owner_id",
    "change_source",
    "permitted_user_ids",
    "attempt",
    "host",
    "merged_from_id",
    "merged_to_id",
];
const EPAGES: &[&str] = &["id", "baseUrl", "entityUrl", "createdOn", "eventType", "entity"];

/// The members that may be absent.
const OPTIONAL: &[&str] = &["permitted_user_ids", "merged_from_id", "merged_to_id"];

fn webhook(version: &str, app: Option<&str>, action: &str, object: &str) -> Webhook {
    let id = if version == "epages" { json!("73CA6C8C-60E3-4B78-AE37-0491EBE57AF8") } else { json!(7) };
    let webhook = json!({"id": id, "company": "1", "owner": "10", "user": "11", "app": app,
        "pattern": {"version": version, "action": action, "object": object},
        "url": "https://receiver.example/hook", "signing_secret": "k1.sealed", "added_at": 0,
        "health": {"strikes": 0}});
    serde_json::from_value(webhook).expect("a webhook")
}

fn check(input: &[u8]) -> bool {
    let Ok(event) = read(input, "") else { return false };
    renders_for_all(&event);
    true
}

/// Every version's body of an event, on several attempts.
pub(crate) fn renders_for_all(event: &Event) {
    for number in [1, 2, 4, 12, u32::MAX] {
        let number = AttemptNumber::new(number).expect("from 1");
        for app in [None, Some("crm-sync")] {
            v1(event, &webhook("1.0", app, "*", "*"), number);
            v2(event, &webhook("2.0", app, "*", "*"), number);
        }
        epages(event, &webhook("epages", Some("mailer"), "update", "order"), number);
        epages(event, &webhook("epages", Some("mailer"), "uninstall", "app"), number);
    }
}

/// The members of a body, which are these in this order; twice rendered, it is the same.
fn body(event: &Event, webhook: &Webhook, number: AttemptNumber, names: &[&str]) -> Vec<(String, String)> {
    let bytes = payload::render(event, webhook, number).expect("every event can be rendered");
    assert_eq!(payload::render(event, webhook, number).ok().as_ref(), Some(&bytes), "twice the same");
    let text = String::from_utf8(bytes).expect("UTF-8");
    serde_json::from_str::<&RawValue>(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    has(&text, names)
}

/// The members of an object, which are these in this order.
fn has(text: &str, names: &[&str]) -> Vec<(String, String)> {
    let found = named(text).expect("plain names");
    let mut expected = names.to_vec();
    expected.retain(|name| !OPTIONAL.contains(name) || found.iter().any(|(found, _)| found == name));
    assert_eq!(found.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), expected, "{text}");
    found
}

/// An entity's state as it is sent; the events of messages may hold white space.
fn state(state: Option<&RawValue>) -> String {
    state.map_or_else(|| "null".to_owned(), |state| compacted(state.get()))
}

fn v1(event: &Event, webhook: &Webhook, number: AttemptNumber) {
    let body = body(event, webhook, number, V1);
    let meta = has(last(&body, "meta").expect("meta"), V1_META);
    let value = |name: &str| last(&body, name).expect("there").to_owned();
    assert_eq!(value("retry"), (number.as_number() - 1).to_string());
    let (data, previous) = (state(event.data.as_deref()), state(event.previous.as_deref()));
    let null = || "null".to_owned();
    assert_eq!(value("current"), if event.action == Action::Delete { null() } else { data });
    assert_eq!(value("previous"), if event.action == Action::Create { null() } else { previous });
    assert_eq!(last(&meta, "webhook_id"), Some("\"7\""));
    let word = match event.action {
        Action::Create => "added",
        Action::Change => "updated",
        Action::Merge => "merged",
        Action::Delete => "deleted",
    };
    assert_eq!(value("event"), format!("\"{word}.{}\"", event.object.as_str()));
    let permitted = last(&meta, "permitted_user_ids").map(|ids| ids.matches(',').count());
    assert_eq!(permitted, event.permitted_users.as_ref().map(|users| users.len().saturating_sub(1)));
}

fn v2(event: &Event, webhook: &Webhook, number: AttemptNumber) {
    let body = body(event, webhook, number, V2);
    let meta = has(last(&body, "meta").expect("meta"), V2_META);
    assert_eq!(last(&meta, "attempt"), Some(&*number.as_number().to_string()));
    let kind = if webhook.app.is_some() { "\"application\"" } else { "\"general\"" };
    assert_eq!(last(&meta, "type"), Some(kind));
    let (data, previous) = (state(event.data.as_deref()), state(event.previous.as_deref()));
    let shown = |name| last(&body, name).expect("there");
    assert_eq!(shown("data"), if event.action == Action::Delete { "null" } else { &data });
    match event.action {
        Action::Create => assert_eq!(shown("previous"), "null"),
        Action::Delete => assert_eq!(shown("previous"), previous),
        Action::Change | Action::Merge if data == "null" || previous == "null" => {
            assert_eq!(shown("previous"), previous);
        }
        // A name that is half a character: it is all there.
        Action::Change | Action::Merge if shown("previous") == previous => {}
        Action::Change | Action::Merge => only_what_changed(&data, &previous, shown("previous")),
    }
    assert_eq!(
        last(&meta, "permitted_user_ids").is_some(),
        event.permitted_users.is_some() && event.object.as_str() != "user"
    );
}

/// `shown` has each field of `before` that is another in `after`, once and as it was, and none besides.
fn only_what_changed(after: &str, before: &str, shown: &str) {
    let plain = |json| named(json).unwrap_or_else(|| panic!("half a character: {json}"));
    let (after, before, shown) = (plain(after), plain(before), plain(shown));
    let mut names: Vec<_> = shown.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), shown.len(), "a name twice: {shown:?}");
    assert!(names.iter().all(|name| last(&before, name).is_some()), "{shown:?}");
    for (name, _) in &before {
        let (old, new, shown) = (last(&before, name).expect("there"), last(&after, name), last(&shown, name));
        match new {
            Some(new) if new == old => assert_eq!(shown, None, "{name} is the same"),
            Some(new) if new.starts_with('{') && old.starts_with('{') => {
                only_what_changed(new, old, shown.unwrap_or("{}"));
            }
            _ => assert_eq!(shown, Some(old), "{name}"),
        }
    }
}

fn epages(event: &Event, webhook: &Webhook, number: AttemptNumber) {
    let body = body(event, webhook, number, EPAGES);
    let entity = event.data.as_ref().map_or_else(|| "{}".to_owned(), |data| compacted(data.get()));
    assert_eq!(last(&body, "entity"), Some(&*entity));
    let text = |name| serde_json::from_str::<String>(last(&body, name).expect("there")).expect("a text");
    let base = format!("https://{}/rs/shops/{}", event.host, event.company);
    assert_eq!(text("baseUrl"), base);
    let url = text("entityUrl");
    let segment = url.strip_prefix(&base).expect("the entity is in the shop");
    if webhook.pattern.action == "uninstall" {
        assert_eq!((segment, &*text("eventType")), ("", "APP_UNINSTALL"));
    } else {
        let segment = segment.strip_prefix(&format!("/{}s/", event.object.as_str())).expect("its object");
        assert!(segment.is_ascii() && !segment.contains(['/', '?', '#', ' ']), "{segment}");
    }
    assert_eq!(text("createdOn").len(), "2026-01-01T00:00:00Z".len());
    let first = AttemptNumber::ORIGINAL;
    assert_eq!(payload::render(event, webhook, number).ok(), payload::render(event, webhook, first).ok());
}

#[test]
fn every_file_keeps_the_promises_of_a_body() {
    TARGET.replay(20);
}

#[test]
fn any_event_keeps_the_promises_of_a_body() {
    TARGET.fuzz(600, Vec::new(), events());
}

#[test]
fn what_looks_at_changes_here_sees_a_wrong_one() {
    let wrong = |after: &str, before: &str, shown: &str| {
        let (after, before, shown) = (after.to_owned(), before.to_owned(), shown.to_owned());
        std::panic::catch_unwind(move || only_what_changed(&after, &before, &shown)).is_err()
    };
    assert!(!wrong(r#"{"a":1,"b":2}"#, r#"{"a":1.0,"b":2}"#, r#"{"a":1.0}"#));
    assert!(wrong(r#"{"a":1}"#, r#"{"a":1.0}"#, "{}") && wrong(r#"{"a":1}"#, r#"{"a":1}"#, r#"{"a":1}"#));
    assert!(wrong("{}", r#"{"a":1}"#, r#"{"a":1,"a":1}"#) && wrong("{}", "{}", r#"{"b":1}"#));
    assert_eq!(members(r#"{"a":{}}"#).len(), 1);
}
