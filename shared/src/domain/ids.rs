//! The names of things. Each is parsed once, at the door, and cannot contain the separator of keys (`#`).

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ulid::Ulid;
use uuid::Uuid;

use super::{Dialect, Timestamp};

/// The longest id that a platform may give to something, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// A text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {ID_BYTES_MAX} of A-Z a-z 0-9 . _ -")]
pub struct InvalidId;

fn is_id(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

macro_rules! platform_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "Cow<'_, str>")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The id as a number, as the Pipedrive dialect shows it; `None` if it is not the number's plain form.
            pub fn as_number(&self) -> Option<u64> {
                self.0.parse::<u64>().ok().filter(|number| number.to_string() == self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                is_id(text).then(|| Self(text.to_owned())).ok_or(InvalidId)
            }
        }

        impl TryFrom<Cow<'_, str>> for $name {
            type Error = InvalidId;

            fn try_from(text: Cow<'_, str>) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

platform_id! {
    /// A tenant of the platform; in the ePages dialect, a shop.
    CompanyId
}
platform_id! {
    /// A user of a company.
    UserId
}
platform_id! {
    /// A marketplace app, known by its client id.
    AppId
}
platform_id! {
    /// An event, named by the platform or by Knockback.
    EventId
}

/// What [`UserId::of_company`] is written as.
const OF_COMPANY: &str = "-";

impl UserId {
    /// Stands for the company itself, where an app acts for no user of it, as in the ePages dialect.
    pub fn of_company() -> Self {
        Self(OF_COMPANY.to_owned())
    }

    /// The user, unless it stands for the company itself.
    pub fn of_somebody(&self) -> Option<&Self> {
        (self.0 != OF_COMPANY).then_some(self)
    }
}

impl EventId {
    /// A made id, for an event that came without: a UUID of these random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(random_uuid(bytes))
    }

    /// A made id, the same every time for the same ids.
    pub fn from_ids(ids: &[&str]) -> Self {
        Self(hashed_uuid(ids).to_string())
    }

    /// The UUID that receivers see: the id itself where it is one, else one derived from company and id, so that
    /// it is the same for all webhooks and on every attempt.
    pub fn as_uuid(&self, company: &CompanyId) -> Uuid {
        Uuid::try_parse(&self.0).unwrap_or_else(|_| hashed_uuid(&[company.as_str(), &self.0]))
    }
}

/// A random UUID (version 4) of these bytes, as text.
pub(super) fn random_uuid(bytes: [u8; 16]) -> String {
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// A UUID of these ids, the same every time.
pub(super) fn hashed_uuid(parts: &[&str]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash(parts)[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Hashes ids; none of them contains the separator.
fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
        hasher.update(b"#");
    }
    hasher.finalize().into()
}

/// A webhook: the next integer of the deployment, or a UUID, as its dialect names them.
/// In JSON and in items it is a number, or a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WebhookId {
    /// As Pipedrive names them.
    Number(u64),
    /// As ePages does.
    Uuid(Uuid),
}

impl WebhookId {
    /// The webhook with this number.
    pub const fn new(number: u64) -> Self {
        Self::Number(number)
    }

    /// A webhook named by these random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self::Uuid(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The dialect that names its webhooks so.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Number(_) => Dialect::Pipedrive,
            Self::Uuid(_) => Dialect::Epages,
        }
    }

    /// A number that is another for most webhooks, to spread them by.
    pub fn spread(self) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Uuid(uuid) => uuid.as_u64_pair().1,
        }
    }
}

impl FromStr for WebhookId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Number).map_err(|_| InvalidId);
        }
        // Of the forms that a UUID can have, only the one with hyphens.
        let hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
        Uuid::try_parse(text).ok().filter(|_| hyphenated).map(Self::Uuid).ok_or(InvalidId)
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => fmt::Display::fmt(number, f),
            Self::Uuid(uuid) => write!(f, "{:X}", uuid.hyphenated()),
        }
    }
}

impl Serialize for WebhookId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Uuid(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for WebhookId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrUuid;

        impl serde::de::Visitor<'_> for NumberOrUuid {
            type Value = WebhookId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a UUID")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<WebhookId, E> {
                Ok(WebhookId::Number(number))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<WebhookId, E> {
                u64::try_from(number).map(WebhookId::Number).map_err(E::custom)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<WebhookId, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(NumberOrUuid)
    }
}

/// One event for one webhook: a ULID that everybody derives alike, and that sorts by the event's time.
///
/// It is the `webhook-id` that receivers tell duplicates by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(Ulid);

impl DeliveryId {
    /// Names the delivery of an event, accepted at `accepted_at`, to a webhook.
    pub fn derive(accepted_at: Timestamp, company: &CompanyId, event: &EventId, webhook: WebhookId) -> Self {
        let hash = hash(&[company.as_str(), event.as_str(), &webhook.to_string()]);
        let mut random = [0; 16];
        random[6..].copy_from_slice(&hash[..10]);
        let ms = u64::try_from(accepted_at.as_ms()).unwrap_or(0);
        Self(Ulid::from_parts(ms, u128::from_be_bytes(random)))
    }

    /// The UUID that the ePages dialect shows: the same on every attempt.
    pub fn as_uuid(self) -> Uuid {
        hashed_uuid(&[&self.to_string()])
    }

    /// A number that is another for most deliveries, to spread them by.
    pub fn spread(self) -> u64 {
        // The low bits are of a hash.
        u64::try_from(self.0.0 & u128::from(u32::MAX)).unwrap_or(0)
    }

    /// When Knockback took the event.
    pub fn accepted_at(self) -> Timestamp {
        Timestamp::from_ms(i64::try_from(self.0.timestamp_ms()).unwrap_or(i64::MAX))
    }
}

impl FromStr for DeliveryId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let ulid = Ulid::from_string(text).map_err(|_| InvalidId)?;
        // Other texts are read as the same ULID, and some name a time that cannot be shown.
        let is_plain = ulid.to_string().eq_ignore_ascii_case(text);
        let accepted_at = i64::try_from(ulid.timestamp_ms()).ok().and_then(Timestamp::shown);
        accepted_at.filter(|_| is_plain).map(|_| Self(ulid)).ok_or(InvalidId)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for DeliveryId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeliveryId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_1_to_64_plain_characters_and_never_the_separator() {
        for text in ["1", "demo.Shop_7-x", &"a".repeat(64)] {
            assert_eq!(text.parse::<CompanyId>().map(|id| id.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "a#b", "a b", "ä", "a/b", &"a".repeat(65)] {
            assert_eq!(text.parse::<CompanyId>(), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn only_the_plain_form_of_a_number_is_one() {
        let number = |text: &str| text.parse::<UserId>().expect("an id").as_number();
        assert_eq!((number("7"), number("007"), number("7.0"), number("x")), (Some(7), None, None, None));
    }

    #[test]
    fn a_webhook_id_is_a_plain_number_or_a_uuid_with_hyphens() {
        assert_eq!("17".parse(), Ok(WebhookId::new(17)));
        let uuid: WebhookId = "73ca6c8c-60e3-4b78-ae37-0491ebe57af8".parse().expect("an id");
        assert_eq!(uuid.to_string(), "73CA6C8C-60E3-4B78-AE37-0491EBE57AF8");
        for id in [WebhookId::new(17), uuid, WebhookId::from_random([7; 16])] {
            assert_eq!(id.to_string().parse(), Ok(id));
            let json = serde_json::to_string(&id).expect("JSON");
            assert_eq!(serde_json::from_str::<WebhookId>(&json).ok(), Some(id), "{json}");
        }
        for text in [
            "",
            "+1",
            "-1",
            "1.0",
            "abc",
            "99999999999999999999",
            "73ca6c8c60e34b78ae370491ebe57af8",
            "{73ca6c8c-60e3-4b78-ae37-0491ebe57af8}",
            "73ca6c8c-60e3-4b78-ae37-0491ebe57af",
        ] {
            assert_eq!(text.parse::<WebhookId>(), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn a_delivery_id_is_the_same_every_time_it_is_derived_and_sorts_by_time() {
        let derive = |ms, event: &str, webhook| {
            DeliveryId::derive(
                Timestamp::from_ms(ms),
                &"1".parse().expect("an id"),
                &event.parse().expect("an id"),
                WebhookId::new(webhook),
            )
        };
        assert_eq!(derive(1000, "e", 1), derive(1000, "e", 1));
        assert_ne!(derive(1000, "e", 1), derive(1000, "e", 2));
        assert_ne!(derive(1000, "e", 1), derive(1000, "f", 1));
        assert!(derive(1000, "f", 2) < derive(1001, "e", 1));
        let id = derive(1000, "e", 1);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.accepted_at(), Timestamp::from_ms(1000));
    }

    #[test]
    fn a_delivery_id_has_one_form_and_a_time_that_can_be_shown() {
        let read = |text: &str| text.parse::<DeliveryId>().map(|id| id.accepted_at().to_string());
        assert_eq!(read("76EZ91ZPZZ0000000000000000").as_deref(), Ok("9999-12-31T23:59:59.999Z"));
        for text in [
            "76EZ91ZQ000000000000000000",
            "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "80000000000000000000000000",
            "0000000000000000000000000O",
            "0000000000000000000000000-",
        ] {
            assert_eq!(read(text), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn an_event_id_that_is_a_uuid_is_shown_as_it_is() {
        let company = "1".parse().expect("an id");
        let uuid = |text: &str| text.parse::<EventId>().expect("an id").as_uuid(&company).to_string();
        assert_eq!(uuid("71825ee0-0054-4267-b5fd-d28b7a414212"), "71825ee0-0054-4267-b5fd-d28b7a414212");
        assert_eq!(uuid("order-7"), uuid("order-7"));
        assert_ne!(uuid("order-7"), uuid("order-8"));
    }
}
