//! Reading an event as the platform reports it.

use knockback::{
    domain::{EVENT_BYTES_MAX, Event, EventDefaults, EventId, Timestamp, UserId, WebhookId},
    queues::{DeliveryMessage, EventsMessage},
};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
};

use crate::{
    json::{PIECES, any_object, last, members, named, tokens},
    target::Target,
};

const TARGET: Target = Target { name: "event", check, pieces: PIECES };

/// What a complaint may be about.
const FIELDS: &[&str] = &[
    "body",
    "id",
    "company_id",
    "object",
    "action",
    "entity_id",
    "user_id",
    "occurred_at",
    "data",
    "previous",
    "permitted_user_ids",
    "change_source",
    "is_bulk_edit",
    "correlation_id",
    "host",
    "merged_from_id",
    "merged_to_id",
];

/// Members beside the required ones; some are wrong.
const MORE: &[&str] = &[
    r#""id":"e-1""#,
    r#""id":"71825ee0-0054-4267-b5fd-d28b7a414212""#,
    r#""id":7"#,
    r#""user_id":"12""#,
    r#""user_id":-0"#,
    r#""user_id":null"#,
    r#""occurred_at":"2026-01-01T00:00:00.000Z""#,
    r#""occurred_at":"1970-01-01T00:00:00+00:00""#,
    r#""occurred_at":"9999-12-31T23:59:59.999999999Z""#,
    r#""occurred_at":"2026-12-31 23:59:60-23:59""#,
    r#""occurred_at":"9999-12-31T23:59:59-00:01""#,
    r#""permitted_user_ids":[]"#,
    r#""permitted_user_ids":["12", 13]"#,
    r#""permitted_user_ids":[1.0]"#,
    r#""change_source":"app""#,
    r#""change_source":"😀\u0000""#,
    r#""is_bulk_edit":true"#,
    r#""is_bulk_edit":0"#,
    r#""correlation_id":"c \" \ufffe""#,
    r#""host":"acme.example.com""#,
    r#""host":"\"/é\\""#,
    r#""merged_from_id":"9/../\u00e9?#""#,
    r#""merged_to_id":9007199254740993"#,
    r#""later":{"a":[1,{"b":null}]}"#,
    r#""company_id":"2""#,
    r#""entity_id":".""#,
    r#""entity_id":"a b/%2F..""#,
    r#""data":7"#,
];

/// Events of any kind, mostly good.
pub(crate) fn events() -> impl Strategy<Value = Vec<u8>> {
    let required = (
        prop_oneof![15 => select(&["1", "\"1\"", "\"demo.Shop_7-x\""][..]), 1 => select(&["\"a#b\"", "1.0", "[]"][..])],
        prop_oneof![15 => select(&["deal", "user", "order", "x"][..]), 1 => select(&["", "1a", "de al"][..])],
        prop_oneof![15 => select(&["create", "change", "delete", "merge"][..]), 1 => Just("added")],
        select(&["8", "\"8\"", "\"58B6F171-3417-072A-0304-AC1532194AAB\"", "\"é/😀\""][..]),
    );
    let state = || prop::option::weighted(0.8, any_object());
    let more = prop_oneof![2 => Just(Vec::new()), 3 => subsequence(MORE, 1..4)];
    (required, state(), state(), more).prop_map(
        |((company, object, action, entity), data, previous, more)| {
            let required = format!(
                r#""company_id":{company}, "object":"{object}","action":"{action}","entity_id":{entity}"#
            );
            let state =
                |name: &str, state: Option<String>| state.map(|state| format!("\"{name}\" :\n{state}"));
            let (data, previous) = (state("data", data), state("previous", previous));
            let members: Vec<_> = [required]
                .into_iter()
                .chain(more.into_iter().map(str::to_owned))
                .chain(data)
                .chain(previous)
                .collect();
            format!("{{{}}}", members.join(",")).into_bytes()
        },
    )
}

/// Reads an event, of an array if there is a prefix.
pub(crate) fn read(json: &[u8], prefix: &str) -> Result<Event, Vec<String>> {
    let defaults = EventDefaults {
        accepted_at: Timestamp::from_ms(1_767_225_600_000),
        occurred_at: Timestamp::from_ms(1_767_225_599_000),
        host: "kb.example",
        id: EventId::from_random([7; 16]),
        correlation: [8; 16],
    };
    Event::parse(json, prefix, defaults).map_err(|errors| {
        assert!(!errors.is_empty() && !errors.to_string().is_empty());
        assert!(errors.by_field().values().flatten().all(|reason| !reason.is_empty()));
        assert!(errors.by_field().values().all(|reasons| !reasons.is_empty()));
        errors.by_field().keys().cloned().collect()
    })
}

fn check(input: &[u8]) -> bool {
    // The door refuses more before it is read.
    if input.len() > EVENT_BYTES_MAX {
        return false;
    }
    let event = match read(input, "") {
        Ok(event) => event,
        Err(fields) => {
            assert!(fields.iter().all(|field| FIELDS.contains(&&**field)), "{fields:?}");
            let of_array = read(input, "[3].").expect_err("refused alone");
            let same = |field: &String| match field.as_str() {
                "body" => "[3]".to_owned(),
                field => format!("[3].{field}"),
            };
            assert_eq!(of_array, fields.iter().map(same).collect::<Vec<_>>());
            return false;
        }
    };
    assert!(read(input, "[3].").is_ok());
    says_what_was_sent(std::str::from_utf8(input).expect("JSON is UTF-8"), &event);
    is_kept(&event);
    true
}

/// `data` and `previous` are what was sent without white space, digit for digit; ids are plain.
fn says_what_was_sent(text: &str, event: &Event) {
    let sent = members(text);
    let sent: Vec<_> = sent
        .into_iter()
        .filter_map(|(name, value)| Some((serde_json::from_str::<String>(&name).ok()?, value)))
        .collect();
    for (name, kept) in [("data", &event.data), ("previous", &event.previous)] {
        let kept = kept.as_ref().map(|kept| kept.get());
        assert_eq!(kept, last(&sent, name).filter(|sent| *sent != "null"), "{name}");
    }
    let ids =
        [Some(event.id.as_str()), Some(event.company.as_str()), event.user.as_ref().map(UserId::as_str)];
    for id in ids.into_iter().flatten().chain(event.permitted_users.iter().flatten().map(UserId::as_str)) {
        assert!((1..=64).contains(&id.len()) && !id.contains(|c: char| c == '#' || c.is_control()), "{id}");
    }
    let texts = [event.entity.as_str(), &event.host, &event.change_source, &event.correlation_id];
    assert!(texts.iter().all(|text| text.chars().count() <= 255 && !text.chars().any(char::is_control)));
    let occurred_at = event.occurred_at.to_string();
    assert_eq!(Timestamp::parse(&occurred_at), Some(event.occurred_at), "{occurred_at}");
    if let Some(sent) = last(&sent, "occurred_at").filter(|sent| *sent != "null") {
        let sent: String = serde_json::from_str(sent).expect("a text");
        assert_eq!(Timestamp::parse(&sent), Some(event.occurred_at));
    }
}

/// What is written of an event is read as the same event, whichever way it takes.
pub(crate) fn is_kept(event: &Event) {
    let (shown, json) = (format!("{event:?}"), serde_json::to_string(event).expect("JSON"));
    assert!(json.len() <= 1024 * 1024, "more than a message holds");
    let stored: Event = serde_json::from_str(&json).expect("an event");
    assert_eq!(format!("{stored:?}"), shown);

    let message = format!(r#"{{"v":1,"event":{json}}}"#);
    match serde_json::from_str(&message).expect("a message") {
        EventsMessage::Event(read) => assert_eq!(format!("{read:?}"), shown),
        other => panic!("{other:?}"),
    }
    let message = DeliveryMessage::original(event, WebhookId::new(7));
    let json = serde_json::to_string(&message).expect("JSON");
    assert!(json.len() <= 64 * 1024, "an event that travels is small");
    let read: DeliveryMessage = serde_json::from_str(&json).expect("a message");
    assert_eq!(format!("{read:?}"), format!("{message:?}"));
    assert!(read.event.is_none_or(|event| format!("{event:?}") == shown));
}

#[test]
fn every_file_keeps_the_promises_of_an_event() {
    TARGET.replay(30);
}

#[test]
fn any_bytes_keep_the_promises_of_an_event() {
    TARGET.fuzz(2000, Vec::new(), events());
}

#[test]
fn what_takes_json_apart_here_takes_it_apart_rightly() {
    let json = " { \"a\\\"{\" : [ 1.10 , {\"b\":[]} ] ,\n\"c\":\"x, y\" , \"a\\u0062\":null } ";
    assert_eq!(tokens(json).concat(), r#"{"a\"{":[1.10,{"b":[]}],"c":"x, y","a\u0062":null}"#);
    let expected = [("a\"{", r#"[1.10,{"b":[]}]"#), ("c", r#""x, y""#), ("ab", "null")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(named(json).as_deref(), Some(&expected[..]));
    assert_eq!((members("{}").len(), named(r#"{"\ud800":1}"#)), (0, None));
}
