//! What happened in a company, as the platform reports it.

use std::{borrow::Cow, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    CompanyId, EventId, FieldErrors, Timestamp, UserId,
    fields::{Fields, compact},
    ids::random_uuid,
};

/// The largest event, as the JSON that was sent, in bytes.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;

const PERMITTED_USERS_MAX: usize = 10_000;

/// What was done. `Merge` is what version 1.0 calls `merged`; version 2.0 sees it as a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The entity is new.
    Create,
    /// The entity was changed.
    Change,
    /// The entity is gone.
    Delete,
    /// Another entity was merged into this one.
    Merge,
}

impl Action {
    /// The word that the platform uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Delete => "delete",
            Self::Merge => "merge",
        }
    }
}

impl FromStr for Action {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Create, Self::Change, Self::Delete, Self::Merge]
            .into_iter()
            .find(|action| action.as_str() == text)
            .ok_or("must be create, change, delete or merge")
    }
}

/// A kind of entity, such as `deal`: a letter, then at most 63 letters, digits, `_` or `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>")]
pub struct Object(String);

impl Object {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Object {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if !(plain && begins && text.len() <= 64) {
            return Err("must be a letter, then at most 63 letters, digits, _ or -");
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<Cow<'_, str>> for Object {
    type Error = &'static str;

    fn try_from(text: Cow<'_, str>) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Names one entity among those of its object: at most 255 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntityId(String);

impl EntityId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EntityId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.chars().count() > 255 || text.chars().any(char::is_control) {
            return Err("must be 1 to 255 characters");
        }
        Ok(Self(text.to_owned()))
    }
}

/// Something that happened in a company.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Makes a repeat harmless: an event with this id is fanned out once.
    pub id: EventId,
    /// Where it happened.
    pub company: CompanyId,
    /// To what kind of entity.
    pub object: Object,
    /// What was done.
    pub action: Action,
    /// To which entity.
    pub entity: EntityId,
    /// Who did it, if a user did.
    pub user: Option<UserId>,
    /// When it happened, says the platform.
    pub occurred_at: Timestamp,
    /// When Knockback took it: the time that deliveries are named and sorted by.
    pub accepted_at: Timestamp,
    /// The whole entity afterwards, digit for digit.
    pub data: Option<Box<RawValue>>,
    /// The whole entity before, digit for digit.
    pub previous: Option<Box<RawValue>>,
    /// Whose webhooks may get it; `None` means everyone's, empty nobody's.
    pub permitted_users: Option<Vec<UserId>>,
    /// What caused it, `app` or `api` among others.
    pub change_source: String,
    /// Whether it is one of many made at once.
    pub is_bulk_edit: bool,
    /// What the platform groups events by.
    pub correlation_id: String,
    /// The host that the company knows the platform by.
    pub host: String,
    /// For a merge: the entity that went into this one.
    pub merged_from: Option<EntityId>,
    /// For the delete that a merge causes: the entity that it went into.
    pub merged_to: Option<EntityId>,
}

/// What an event is given where the platform leaves it out.
#[derive(Debug, Clone)]
pub struct EventDefaults<'a> {
    /// When Knockback took the event.
    pub accepted_at: Timestamp,
    /// When it happened, as far as is known.
    pub occurred_at: Timestamp,
    /// The deployment's host.
    pub host: &'a str,
    /// Guarantees that a made id is nobody else's: random bytes, or the id of the envelope it came in.
    pub id: EventId,
    /// Random bytes for a made correlation id.
    pub correlation: [u8; 16],
}

impl Event {
    /// Reads one event as the platform reports it. `prefix` stands before field names in complaints (`[3].`).
    ///
    /// # Errors
    ///
    /// All that is wrong with it, by field.
    pub fn parse(json: &[u8], prefix: &str, defaults: EventDefaults<'_>) -> Result<Self, FieldErrors> {
        let mut fields = Fields::parse(json, prefix)?;
        for name in ["company_id", "object", "action", "entity_id"] {
            fields.require(name);
        }
        let (company, object) = (fields.id("company_id"), fields.id("object"));
        let (action, entity) = (fields.id("action"), fields.id("entity_id"));
        let (id, user) = (fields.id("id"), fields.id("user_id"));
        let occurred_at = occurred_at(&mut fields);
        let permitted_users = fields.ids("permitted_user_ids", PERMITTED_USERS_MAX);
        let change_source = fields.text("change_source", 64);
        let is_bulk_edit = fields.flag("is_bulk_edit");
        let (correlation_id, host) = (fields.text("correlation_id", 255), fields.text("host", 255));
        let (merged_from, merged_to) = (fields.id("merged_from_id"), fields.id("merged_to_id"));
        let (data, previous) = (entity_state(&mut fields, "data"), entity_state(&mut fields, "previous"));
        fields.finish(|| {
            Some(Self {
                id: id.unwrap_or(defaults.id),
                company: company?,
                object: object?,
                action: action?,
                entity: entity?,
                user,
                occurred_at: occurred_at.unwrap_or(defaults.occurred_at),
                accepted_at: defaults.accepted_at,
                data,
                previous,
                permitted_users,
                change_source: change_source.unwrap_or_else(|| "api".to_owned()),
                is_bulk_edit: is_bulk_edit.unwrap_or(false),
                correlation_id: correlation_id.unwrap_or_else(|| random_uuid(defaults.correlation)),
                host: host.unwrap_or_else(|| defaults.host.to_owned()),
                merged_from,
                merged_to,
            })
        })
    }

    /// Whether a webhook of this user may get the event (the API reference's rule).
    pub fn is_permitted(&self, user: &UserId) -> bool {
        self.permitted_users.as_ref().is_none_or(|users| users.contains(user))
    }
}

fn occurred_at(fields: &mut Fields<'_>) -> Option<Timestamp> {
    let at = Timestamp::parse(&fields.text("occurred_at", 64)?);
    if at.is_none() {
        fields.refuse("occurred_at", "must be a time such as 2026-01-01T00:00:00.000Z");
    }
    at
}

fn entity_state(fields: &mut Fields<'_>, name: &str) -> Option<Box<RawValue>> {
    let value = fields.raw(name)?;
    if !value.get().starts_with('{') {
        fields.refuse(name, "must be an object or null");
    }
    Some(compact(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Event, FieldErrors> {
        let defaults = EventDefaults {
            accepted_at: Timestamp::from_ms(1000),
            occurred_at: Timestamp::from_ms(900),
            host: "kb.example",
            id: EventId::from_random([7; 16]),
            correlation: [8; 16],
        };
        Event::parse(json.as_bytes(), "", defaults)
    }

    #[test]
    fn what_is_left_out_is_made() {
        let event =
            parse(r#"{"company_id":"1","object":"deal","action":"change","entity_id":8}"#).expect("an event");
        assert_eq!(event.id.to_string(), "07070707-0707-4707-8707-070707070707");
        assert_eq!(event.correlation_id, "08080808-0808-4808-8808-080808080808");
        assert_eq!((&*event.host, &*event.change_source), ("kb.example", "api"));
        assert_eq!((event.occurred_at.as_ms(), event.entity.as_str()), (900, "8"));
        assert!(event.data.is_none() && event.user.is_none() && event.permitted_users.is_none());
    }

    #[test]
    fn every_wrong_field_is_named() {
        let json = r#"{"company_id":"a#b","object":"9","action":"explode","entity_id":"","occurred_at":"now",
            "data":7,"permitted_user_ids":"all","is_bulk_edit":"no","user_id":{}}"#;
        let errors = parse(json).expect_err("all wrong");
        let fields: Vec<&str> = errors.by_field().keys().map(String::as_str).collect();
        assert_eq!(
            fields,
            [
                "action",
                "company_id",
                "data",
                "entity_id",
                "is_bulk_edit",
                "object",
                "occurred_at",
                "permitted_user_ids",
                "user_id"
            ]
        );
    }

    #[test]
    fn numbers_survive_digit_for_digit() {
        let json = r#"{"company_id":"1","object":"deal","action":"change","entity_id":"8",
            "data":{"id":9007199254740993,"value":1.10, "e":1E400},"previous":{}}"#;
        let event = parse(json).expect("an event");
        let stored = serde_json::to_string(&event).expect("JSON");
        let read: Event = serde_json::from_str(&stored).expect("an event");
        let expected = r#"{"id":9007199254740993,"value":1.10,"e":1E400}"#;
        assert_eq!(read.data.map(|data| data.get().to_owned()).as_deref(), Some(expected));
    }

    #[test]
    fn permission_is_for_everyone_unless_listed() {
        let event = |permitted: &str| {
            parse(&format!(
                r#"{{"company_id":"1","object":"deal","action":"change","entity_id":"8"{permitted}}}"#
            ))
            .expect("an event")
        };
        let user = "12".parse().expect("an id");
        assert!(event("").is_permitted(&user));
        assert!(event(r#","permitted_user_ids":[11,"12"]"#).is_permitted(&user));
        assert!(!event(r#","permitted_user_ids":["11"]"#).is_permitted(&user));
        assert!(!event(r#","permitted_user_ids":[]"#).is_permitted(&user));
    }
}
