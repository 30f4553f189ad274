//! Reading what comes from the queues.

use knockback::{
    domain::{AttemptNumber, Event, Notice, Timestamp},
    queues::{AnnouncementMessage, DeliveryMessage, EventsMessage},
};
use proptest::{prelude::*, sample::select};
use serde_json::Value;

use crate::{
    event::{events, is_kept, read},
    json::PIECES,
    payload::renders_for_all,
    target::Target,
};

const TARGET: Target = Target { name: "message", check, pieces: PIECES };

const WEBHOOKS: &[&str] =
    &["7", "0", "18446744073709551615", r#""73CA6C8C-60E3-4B78-AE37-0491EBE57AF8""#, r#""7""#];
const TIMES: &[&str] = &["0", "1767225600000", "253402300799999", "253402300800000", "-1"];
const DELIVERIES: &[&str] = &[
    "01KDVR6V80AAAAAAAAAAAAAAAA",
    "01kdvr6v80aaaaaaaaaaaaaaaa",
    "00000000000000000000000000",
    "76EZ91ZPZZZZZZZZZZZZZZZZZZ",
    "76EZ91ZQ000000000000000000",
    "80000000000000000000000000",
];
const INSTALLATIONS: &[&str] = &[
    "",
    r#","installation":null"#,
    r#","installation":{"company":"1","app":"crm-sync","user":"10"}"#,
    r#","installation":{"company":"1","app":"crm-sync"}"#,
];

/// An event as messages hold it.
fn event_json() -> impl Strategy<Value = String> {
    events().prop_map(|event| {
        read(&event, "")
            .map_or_else(|_| "null".to_owned(), |event| serde_json::to_string(&event).expect("JSON"))
    })
}

/// Messages of every kind, mostly good.
pub(crate) fn messages() -> impl Strategy<Value = Vec<u8>> {
    let (webhook, time) = (|| select(WEBHOOKS), || select(TIMES));
    let attempt = select(&["1", "2", "12", "4294967295", "0", "4294967296", "1.0"][..]);
    let due = prop_oneof![Just(String::new()), time().prop_map(|due| format!(r#","due":{due}"#))];
    let event = prop_oneof![1 => Just(String::new()), 3 => event_json().prop_map(|event| format!(r#","event":{event}"#))];
    let delivery = (webhook(), select(DELIVERIES), attempt, due, time(), event, select(INSTALLATIONS)).prop_map(
        |(webhook, delivery, attempt, due, at, event, installation)| {
            format!(
                r#"{{"v":1,"company":"1","webhook":{webhook},"delivery":"{delivery}","attempt":{attempt}{due},"accepted_at":{at},"event_id":"e-1"{event}{installation}}}"#
            )
        },
    );
    let announcement = (webhook(), time(), time()).prop_map(|(webhook, at, due)| {
        format!(
            r#"{{"v":1,"announcement":{{"company":"1","webhook":{webhook},"change":"banned","at":{at}}},"due":{due}}}"#
        )
    });
    let event = event_json().prop_map(|event| format!(r#"{{"v":1,"event":{event}}}"#));
    let page = (webhook(), any::<u32>()).prop_map(|(webhook, page)| {
        format!(
            r#"{{"v":1,"fan_out":{{"company":"1","event_id":"e-1","page":{page},"cursor":{{"object":"*","webhook":{webhook}}}}}}}"#
        )
    });
    let target = select(
        &[r#"{"app":"crm-sync"}"#, r#"{"installation":{"company":"1","app":"crm-sync","user":"-"}}"#][..],
    );
    let removal = (target, time(), time(), any::<u64>(), any::<bool>()).prop_map(|(target, removed, began, page, found)| {
        format!(
            r#"{{"v":1,"removal":{{"target":{target},"generation":1,"removed_at":{removed},"page":{page},"began_at":{began},"found":{found}}}}}"#
        )
    });
    prop_oneof![4 => delivery, 1 => announcement, 3 => event, 1 => page, 1 => removal]
        .prop_map(String::into_bytes)
}

fn check(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let delivery = serde_json::from_str::<DeliveryMessage>(text).inspect(is_a_delivery).is_ok();
    let announcement = serde_json::from_str::<AnnouncementMessage>(text).inspect(is_an_announcement).is_ok();
    let events = serde_json::from_str::<EventsMessage>(text).inspect(is_of_events).is_ok();
    let notice = matches!(Notice::parse(text), Ok(Some(notice)) if !format!("{notice:?}").is_empty());
    if delivery || announcement || events {
        later_fields_are_tolerated(text, delivery, announcement, events);
    }
    delivery || announcement || events || notice
}

/// It is written as it was read, and everything in it can be worked with.
fn is_a_delivery(message: &DeliveryMessage) {
    let (shown, json) = (format!("{message:?}"), serde_json::to_string(message).expect("JSON"));
    let read: DeliveryMessage = serde_json::from_str(&json).expect("a message");
    assert_eq!(format!("{read:?}"), shown);
    assert_eq!(read.key(), message.key());
    assert!(message.attempt.as_number() > 0);
    assert_eq!(message.delivery.to_string().parse(), Ok(message.delivery));
    for at in [message.due.unwrap_or_default(), message.accepted_at, message.delivery.accepted_at()] {
        assert_eq!(Timestamp::parse(&at.to_string()), Some(at));
    }
    let alarm = message.alarm(message.attempt.next(), message.due.unwrap_or(message.accepted_at));
    assert!(alarm.attempt > AttemptNumber::ORIGINAL && serde_json::to_string(&alarm).is_ok());
    if let Some(event) = &message.event {
        renders_for_all(event);
    }
}

fn is_an_announcement(message: &AnnouncementMessage) {
    let (shown, json) = (format!("{message:?}"), serde_json::to_string(message).expect("JSON"));
    let read: AnnouncementMessage = serde_json::from_str(&json).expect("a message");
    assert_eq!((format!("{read:?}"), read.announcement), (shown, message.announcement.clone()));
    assert_eq!(Timestamp::parse(&message.due.to_string()), Some(message.due));
}

fn is_of_events(message: &EventsMessage) {
    let json =
        match message {
            EventsMessage::Event(event) => {
                is_kept_however_odd(event);
                format!(r#"{{"v":1,"event":{}}}"#, serde_json::to_string(event).expect("JSON"))
            }
            EventsMessage::FanOut(page) => {
                format!(r#"{{"v":1,"fan_out":{}}}"#, serde_json::to_string(page).expect("JSON"))
            }
            EventsMessage::Removal(page) => {
                for (found, cursor) in [(true, None), (false, Some("more".to_owned()))] {
                    let next = page.next(found, cursor, page.began_at);
                    assert!(next.is_some_and(
                        |(next, _)| next.page >= page.page && serde_json::to_string(&next).is_ok()
                    ));
                }
                format!(r#"{{"v":1,"removal":{}}}"#, serde_json::to_string(page).expect("JSON"))
            }
        };
    let read: EventsMessage = serde_json::from_str(&json).expect("a message");
    assert_eq!(format!("{read:?}"), format!("{message:?}"));
}

/// An event of a message was bounded when it was taken; one that a machine made up may be larger than any.
fn is_kept_however_odd(event: &Event) {
    renders_for_all(event);
    let texts = event.entity.as_str().len()
        + event.host.len()
        + event.correlation_id.len()
        + event.change_source.len();
    if texts < 2000 {
        is_kept(event);
    }
}

/// A later release may write more: what is unknown is read over, and the message stays what it was.
fn later_fields_are_tolerated(text: &str, delivery: bool, announcement: bool, events: bool) {
    let more = r#""later":{"a":[1,"}"]},"#;
    let later = text.replacen('{', &format!("{{{more}"), 1);
    assert_eq!(serde_json::from_str::<DeliveryMessage>(&later).is_ok(), delivery, "{later}");
    assert_eq!(serde_json::from_str::<AnnouncementMessage>(&later).is_ok(), announcement, "{later}");
    assert_eq!(serde_json::from_str::<EventsMessage>(&later).is_ok(), events, "{later}");
    // A later version is refused, so that who knows it reads it.
    if let Ok(Value::Object(mut fields)) = serde_json::from_str(text) {
        fields.insert("v".to_owned(), 2.into());
        let later = Value::Object(fields).to_string();
        assert!(serde_json::from_str::<DeliveryMessage>(&later).is_err());
        assert!(serde_json::from_str::<AnnouncementMessage>(&later).is_err());
        assert!(serde_json::from_str::<EventsMessage>(&later).is_err());
    }
}

#[test]
fn every_file_keeps_the_promises_of_a_message() {
    TARGET.replay(30);
}

#[test]
fn any_bytes_keep_the_promises_of_a_message() {
    TARGET.fuzz(1500, Vec::new(), messages());
}
