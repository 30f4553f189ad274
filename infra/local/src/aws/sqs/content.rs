//! What a message says: its body and attributes, their limits, and the digests that clients check them by.

use std::{collections::BTreeMap, fmt::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use super::error::SqsError;

/// Attributes that a message may have.
const ATTRIBUTES_LIMIT: usize = 10;

/// The attributes of a message, by name.
pub type MessageAttributes = BTreeMap<String, AttributeValue>;

/// One attribute of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttributeValue {
    /// `String`, `Number` or `Binary`, and optionally a dot and a label.
    pub data_type: String,
    /// The value of a `String` or `Number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The value of a `Binary`, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

impl AttributeValue {
    /// A text.
    pub fn string(value: impl Into<String>) -> Self {
        Self { data_type: "String".to_owned(), string_value: Some(value.into()), binary_value: None }
    }

    /// The value's bytes, and whether it is binary; `None` if type and value do not fit.
    fn bytes(&self) -> Option<(Vec<u8>, bool)> {
        match self.data_type.split('.').next()? {
            "String" | "Number" => Some((self.string_value.clone()?.into_bytes(), false)),
            "Binary" => Some((STANDARD.decode(self.binary_value.as_ref()?).ok()?, true)),
            _ => None,
        }
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Content {
    pub(super) body: String,
    pub(super) attributes: MessageAttributes,
    /// The X-Ray header, the one attribute that AWS itself gives a meaning.
    pub(super) trace_header: Option<String>,
}

impl Content {
    /// Checks everything that SQS checks, and answers the message's bytes.
    ///
    /// # Errors
    ///
    /// If it is empty or too large, or holds characters or attributes that SQS does not carry.
    pub(super) fn check(&self, maximum_bytes: usize) -> Result<usize, SqsError> {
        if self.body.is_empty() {
            return Err(SqsError::MissingParameter("MessageBody"));
        }
        if self.attributes.len() > ATTRIBUTES_LIMIT {
            return Err(SqsError::InvalidParameterValue(format!(
                "number of message attributes [{}] exceeds the allowed maximum [{ATTRIBUTES_LIMIT}]",
                self.attributes.len()
            )));
        }
        let mut bytes = self.body.len();
        for (name, value) in &self.attributes {
            bytes += check_attribute(name, value)?;
        }
        if bytes > maximum_bytes {
            return Err(SqsError::InvalidParameterValue(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {maximum_bytes} bytes."
            )));
        }
        if !self.body.chars().all(is_carried) {
            return Err(SqsError::InvalidMessageContents);
        }
        Ok(bytes)
    }

    /// The bytes that count towards a batch's limit.
    pub(super) fn bytes(body: &str, attributes: &MessageAttributes) -> usize {
        let attribute = |(name, value): (&String, &AttributeValue)| {
            name.len() + value.data_type.len() + value.bytes().map_or(0, |(bytes, _)| bytes.len())
        };
        body.len() + attributes.iter().map(attribute).sum::<usize>()
    }
}

fn check_attribute(name: &str, value: &AttributeValue) -> Result<usize, SqsError> {
    let invalid = |reason: &str| {
        SqsError::InvalidParameterValue(format!("the message attribute '{name}' is invalid: {reason}"))
    };
    let lower = name.to_ascii_lowercase();
    let is_name = (1..=256).contains(&name.len())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || "_-.".contains(char))
        && !["aws.", "amazon."].iter().any(|reserved| lower.starts_with(reserved));
    if !is_name {
        return Err(invalid("the name is not 1 to 256 letters, digits, _, - and ., or is reserved"));
    }
    if value.data_type.len() > 256 {
        return Err(invalid("the type is longer than 256 bytes"));
    }
    match value.bytes() {
        None => Err(invalid("the type is not String, Number or Binary, or has no value of that type")),
        Some((bytes, _)) if bytes.is_empty() => Err(invalid("the value is empty")),
        Some((_, false)) if !value.string_value.iter().all(|text| text.chars().all(is_carried)) => {
            Err(SqsError::InvalidMessageContents)
        }
        Some((bytes, _)) => Ok(name.len() + value.data_type.len() + bytes.len()),
    }
}

/// Whether SQS carries the character: what XML 1.0 carries.
fn is_carried(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The digest of a text, in hexadecimal.
pub(super) fn md5_of_text(text: &str) -> String {
    hexadecimal(&Md5::digest(text))
}

/// The digest of attributes as SQS documents it; `None` if there are none.
pub(super) fn md5_of_attributes(attributes: &MessageAttributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    for (name, value) in attributes {
        let (bytes, is_binary) = value.bytes().unwrap_or_default();
        update_with_length(&mut digest, name.as_bytes());
        update_with_length(&mut digest, value.data_type.as_bytes());
        digest.update([if is_binary { 2 } else { 1 }]);
        update_with_length(&mut digest, &bytes);
    }
    Some(hexadecimal(&digest.finalize()))
}

fn update_with_length(digest: &mut Md5, bytes: &[u8]) {
    digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(bytes);
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(body: &str) -> Content {
        Content { body: body.to_owned(), ..Content::default() }
    }

    #[test]
    fn the_size_counts_bodies_and_attributes_in_bytes() {
        assert_eq!(content("é").check(2).expect("is 2 bytes"), 2);
        assert!(content("é!").check(2).is_err());
        let attributes = MessageAttributes::from([("name".to_owned(), AttributeValue::string("value"))]);
        let message = Content { attributes, ..content("body") };
        assert_eq!(message.check(100).expect("fits"), 4 + 4 + 6 + 5);
        assert_eq!(Content::bytes(&message.body, &message.attributes), 19);
    }

    #[test]
    fn characters_that_sqs_does_not_carry_are_refused() {
        assert!(content("tab\t, line\n, return\r, é, 🚪").check(100).is_ok());
        for body in ["\0", "\u{1}", "\u{b}", "\u{ffff}"] {
            assert!(matches!(content(body).check(100), Err(SqsError::InvalidMessageContents)), "{body:?}");
        }
        assert!(matches!(content("").check(100), Err(SqsError::MissingParameter("MessageBody"))));
    }

    #[test]
    fn attributes_must_have_a_name_a_type_and_a_value() {
        let check = |name: &str, value: AttributeValue| {
            let attributes = MessageAttributes::from([(name.to_owned(), value)]);
            Content { attributes, ..content("body") }.check(1000)
        };
        assert!(check("a.b-c_1", AttributeValue::string("x")).is_ok());
        for name in ["", "with space", "AWS.x", "amazon.y", &"n".repeat(257)] {
            assert!(check(name, AttributeValue::string("x")).is_err(), "{name}");
        }
        for (data_type, string, binary) in [
            ("Integer", Some("1"), None),
            ("String", None, Some("AAAA")),
            ("Binary", Some("AAAA"), None),
            ("Binary", None, Some("not base64")),
            ("String", Some(""), None),
        ] {
            let value = AttributeValue {
                data_type: data_type.to_owned(),
                string_value: string.map(str::to_owned),
                binary_value: binary.map(str::to_owned),
            };
            assert!(check("name", value).is_err(), "{data_type} {string:?} {binary:?}");
        }
    }

    /// The second value is from the tests of moto, an independent emulator.
    #[test]
    fn digests_are_those_that_clients_compute() {
        assert_eq!(md5_of_text("hello"), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(md5_of_attributes(&MessageAttributes::new()), None);
        let number =
            AttributeValue { data_type: "Number".to_owned(), ..AttributeValue::string("1493147359900") };
        let attributes = MessageAttributes::from([("timestamp".to_owned(), number)]);
        assert_eq!(md5_of_attributes(&attributes).as_deref(), Some("235c5c510d26fb653d073faed50ae77c"));
    }
}
