//! What travels on the events queue: an event, or the next page of its fan-out.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{CompanyId, Event, EventId, WebhookId},
    version::Version1,
};

/// On the events queue: something for fan-out.
#[derive(Debug, Deserialize)]
#[serde(try_from = "EventsWire")]
pub enum EventsMessage {
    /// An event that was reported.
    Event(Box<Event>),
    /// The fan-out of an event goes on.
    FanOut(FanOutPage),
}

/// A page of a fan-out that one invocation does not end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanOutPage {
    /// The company.
    pub company: CompanyId,
    /// The event, which is read from its item.
    pub event_id: EventId,
    /// Which page, from 1: the event's own message is page 0.
    pub page: u32,
    /// Where the page before it ended.
    pub cursor: RouteCursor,
}

/// The last route that a page of a fan-out looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteCursor {
    /// The event's object, or `*`, whose routes come after those of the object.
    pub object: String,
    /// The webhook.
    pub webhook: WebhookId,
}

/// What is written of a message on the events queue: exactly one of the kinds is there.
#[derive(Serialize, Deserialize)]
pub(super) struct EventsWire {
    v: Version1,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Box<Event>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fan_out: Option<FanOutPage>,
}

impl From<EventsMessage> for EventsWire {
    fn from(message: EventsMessage) -> Self {
        let none = Self { v: Version1, event: None, fan_out: None };
        match message {
            EventsMessage::Event(event) => Self { event: Some(event), ..none },
            EventsMessage::FanOut(page) => Self { fan_out: Some(page), ..none },
        }
    }
}

impl TryFrom<EventsWire> for EventsMessage {
    type Error = &'static str;

    fn try_from(wire: EventsWire) -> Result<Self, Self::Error> {
        match wire {
            EventsWire { v: Version1, event: Some(event), fan_out: None } => Ok(Self::Event(event)),
            EventsWire { v: Version1, event: None, fan_out: Some(page) } => Ok(Self::FanOut(page)),
            EventsWire { .. } => Err("a message on the events queue is of exactly one kind"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::recorded_deal;

    fn written(message: EventsMessage) -> String {
        serde_json::to_string(&EventsWire::from(message)).expect("JSON")
    }

    fn read(json: &str) -> Result<EventsMessage, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_message_for_fan_out_is_of_exactly_one_kind() {
        let event = written(EventsMessage::Event(Box::new(recorded_deal())));
        assert!(event.starts_with(r#"{"v":1,"event":{"id":"#), "{event}");
        assert!(matches!(read(&event), Ok(EventsMessage::Event(read)) if read.id == recorded_deal().id));

        let page = FanOutPage {
            company: "1".parse().expect("an id"),
            event_id: "e-1".parse().expect("an id"),
            page: 1,
            cursor: RouteCursor { object: "*".to_owned(), webhook: WebhookId::new(7) },
        };
        let fan_out = written(EventsMessage::FanOut(page.clone()));
        let expected = r#"{"v":1,"fan_out":{"company":"1","event_id":"e-1","page":1,"cursor":{"object":"*","webhook":7}}}"#;
        assert_eq!(fan_out, expected);
        assert!(matches!(read(&fan_out), Ok(EventsMessage::FanOut(read)) if read == page));

        let both = fan_out.replace(r#"{"v":1"#, event.trim_end_matches('}'));
        assert!(read(&both).is_err() && read(&fan_out.replace("fan_out", "later")).is_err());
        for neither in [r#"{"v":1}"#, r#"{"v":1,"event":null}"#, "{}", "[1]", &event.replacen(":1", ":2", 1)]
        {
            assert!(read(neither).is_err(), "{neither}");
        }
    }
}
