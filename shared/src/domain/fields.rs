//! Reading a JSON object field by field, with every complaint naming its field.
//!
//! Values stay the text they were sent as ([`RawValue`]), so no number is ever turned into a float.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The longest address of e-mail, in characters.
const EMAIL_CHARS_MAX: usize = 254;

/// How deep arrays and objects may nest in what a caller sends.
pub const JSON_DEPTH_MAX: usize = 64;

/// Whether a text is an address of e-mail, without a name, as far as its form shows.
pub fn is_email_address(text: &str) -> bool {
    let plain = |part: &str| {
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"@,;:<>()[]\"\\".contains(c);
        !part.is_empty() && part.chars().all(is_plain)
    };
    text.split_once('@').is_some_and(|(local, domain)| plain(local) && plain(domain))
}

/// What is wrong, by field. Field names are those of the request, `[3].object` in an array.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldErrors(BTreeMap<String, Vec<String>>);

impl FieldErrors {
    /// One complaint about one field.
    pub fn of(field: &str, reason: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(field, reason);
        errors
    }

    /// Adds a complaint.
    pub fn add(&mut self, field: &str, reason: impl Into<String>) {
        self.0.entry(field.to_owned()).or_default().push(reason.into());
    }

    /// Adds all complaints of `other`.
    pub fn extend(&mut self, other: Self) {
        for (field, mut reasons) in other.0 {
            self.0.entry(field).or_default().append(&mut reasons);
        }
    }

    /// Whether there is nothing to complain about.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The complaints, by field.
    pub fn by_field(&self) -> &BTreeMap<String, Vec<String>> {
        &self.0
    }
}

/// Every field that is wrong, and why, in one line.
impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.0.iter().map(|(field, reasons)| format!("{field} {}", reasons.join(", ")));
        f.write_str(&fields.collect::<Vec<_>>().join("; "))
    }
}

/// A JSON object whose values are still text, in the order of the document. Of a repeated name the last counts.
#[derive(Debug, Default)]
pub struct RawObject<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> RawObject<'a> {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// The fields in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (&**key, *value))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    entries.push((key, value));
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(Entries).map(Self)
    }
}

/// An object's key, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Whether arrays and objects nest at most [`JSON_DEPTH_MAX`] deep. Looks at brackets only.
pub fn is_shallow(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return false;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// A JSON value without white space outside of strings; what is inside stays digit for digit.
pub(super) fn compact(json: &RawValue) -> Cow<'_, RawValue> {
    let text = json.get();
    let (mut out, mut in_string, mut escaped) = (String::new(), false, false);
    let mut kept = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b' ' | b'\t' | b'\r' | b'\n' if !in_string => {
                out.push_str(&text[kept..at]);
                kept = at + 1;
            }
            _ => {}
        }
    }
    if kept == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(&text[kept..]);
    // Removing white space keeps JSON valid; if it did not, what was sent is still right.
    RawValue::from_string(out).map_or(Cow::Borrowed(json), Cow::Owned)
}

/// Whether a value is JSON's `null`.
fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// Reads an object's fields and gathers what is wrong with them. `null` counts as left out.
#[derive(Debug)]
pub struct Fields<'a> {
    object: RawObject<'a>,
    prefix: String,
    errors: FieldErrors,
}

impl<'a> Fields<'a> {
    /// Reads a JSON text that must be an object. `prefix` stands before field names in complaints (`[3].`).
    ///
    /// # Errors
    ///
    /// If the text is not JSON, not an object, or nested deeper than [`JSON_DEPTH_MAX`].
    pub fn parse(json: &'a [u8], prefix: &str) -> Result<Self, FieldErrors> {
        let whole = if prefix.is_empty() { "body" } else { prefix.trim_end_matches('.') };
        if !is_shallow(json) {
            return Err(FieldErrors::of(whole, format!("must nest at most {JSON_DEPTH_MAX} deep")));
        }
        match serde_json::from_slice(json) {
            Ok(object) => Ok(Self { object, prefix: prefix.to_owned(), errors: FieldErrors::default() }),
            Err(error) if error.is_data() => Err(FieldErrors::of(whole, "must be a JSON object")),
            Err(error) => Err(FieldErrors::of(whole, format!("is not JSON: {error}"))),
        }
    }

    /// Complains about a field.
    pub fn refuse(&mut self, name: &str, reason: impl Into<String>) {
        let field = format!("{}{name}", self.prefix);
        self.errors.add(&field, reason);
    }

    /// A field as it was sent.
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.object.field(name).filter(|value| !is_null(value))
    }

    /// Whether a field was sent as `null`, for who tells that from one that was left out.
    pub fn is_cleared(&self, name: &str) -> bool {
        self.object.field(name).is_some_and(is_null)
    }

    /// A field of the type `T`, which `kind` describes to the caller (`a string`).
    fn typed<T: Deserialize<'a>>(&mut self, name: &str, kind: &str) -> Option<T> {
        let value = serde_json::from_str(self.raw(name)?.get()).ok();
        if value.is_none() {
            self.refuse(name, format!("must be {kind}"));
        }
        value
    }

    /// A text of at most `chars_max` characters, without control characters.
    pub fn text(&mut self, name: &str, chars_max: usize) -> Option<String> {
        let text: String = self.typed(name, "a string")?;
        if text.chars().count() > chars_max {
            self.refuse(name, format!("must be at most {chars_max} characters"));
            return None;
        }
        if text.chars().any(char::is_control) {
            self.refuse(name, "must not contain control characters");
            return None;
        }
        Some(text)
    }

    /// An address of e-mail, as far as its form shows.
    pub fn email(&mut self, name: &str) -> Option<String> {
        let text = self.text(name, EMAIL_CHARS_MAX)?;
        if !is_email_address(&text) {
            self.refuse(name, "must be an e-mail address");
        }
        Some(text)
    }

    /// A yes or no, as a boolean or as 0 and 1.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        match self.raw(name)?.get() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => {
                self.refuse(name, "must be true or false");
                None
            }
        }
    }

    /// Something that is written as a string, or as an integer.
    pub fn id<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<T> {
        let value = self.raw(name)?;
        let text = id_text(value);
        if text.is_none() {
            self.refuse(name, "must be a string or an integer");
        }
        match text?.parse() {
            Ok(id) => Some(id),
            Err(reason) => {
                self.refuse(name, reason.to_string());
                None
            }
        }
    }

    /// A list of what [`Fields::id`] reads, at most `len_max` of them.
    pub fn ids<T: FromStr>(&mut self, name: &str, len_max: usize) -> Option<Vec<T>> {
        let values: Vec<&RawValue> = self.typed(name, "an array")?;
        if values.len() > len_max {
            self.refuse(name, format!("must have at most {len_max} entries"));
            return None;
        }
        let ids: Option<Vec<T>> = values.into_iter().map(|value| id_text(value)?.parse().ok()).collect();
        if ids.is_none() {
            self.refuse(name, "must be an array of ids");
        }
        ids
    }

    /// A list of texts, at most `len_max` of them.
    pub fn texts(&mut self, name: &str, len_max: usize) -> Option<Vec<String>> {
        let texts: Vec<String> = self.typed(name, "an array of strings")?;
        if texts.len() > len_max {
            self.refuse(name, format!("must have at most {len_max} entries"));
            return None;
        }
        Some(texts)
    }

    /// Complains if a field is missing; says nothing where the field is there, however wrong.
    pub fn require(&mut self, name: &str) {
        if self.raw(name).is_none() {
            self.refuse(name, "is required");
        }
    }

    /// What was built from the fields, unless there were complaints.
    ///
    /// # Errors
    ///
    /// All complaints so far.
    pub fn finish<T>(mut self, build: impl FnOnce() -> Option<T>) -> Result<T, FieldErrors> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        build().ok_or_else(|| {
            self.refuse("body", "is incomplete");
            self.errors
        })
    }
}

fn id_text(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    if text.starts_with('"') {
        return serde_json::from_str::<Key<'_>>(text).ok().map(|Key(text)| text);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(json: &str, read: impl FnOnce(&mut Fields<'_>)) -> Vec<String> {
        let mut fields = Fields::parse(json.as_bytes(), "").expect("an object");
        read(&mut fields);
        fields
            .errors
            .by_field()
            .iter()
            .map(|(field, reasons)| format!("{field} {}", reasons.join(", ")))
            .collect()
    }

    #[test]
    fn every_complaint_names_its_field() {
        let found = complaints(r#"{"name":7,"flag":"yes","id":1.5,"ids":[1,{}]}"#, |fields| {
            fields.text("name", 255);
            fields.flag("flag");
            fields.id::<crate::domain::UserId>("id");
            fields.ids::<crate::domain::UserId>("ids", 10);
            fields.require("url");
        });
        assert_eq!(
            found,
            [
                "flag must be true or false",
                "id must be a string or an integer",
                "ids must be an array of ids",
                "name must be a string",
                "url is required"
            ]
        );
    }

    #[test]
    fn null_counts_as_left_out_and_the_last_of_a_repeated_name_counts() {
        let mut fields = Fields::parse(br#"{"name":null,"id":1,"id":2}"#, "").expect("an object");
        assert_eq!(fields.text("name", 255), None);
        assert_eq!(fields.id("id"), Some("2".parse::<crate::domain::UserId>().expect("an id")));
        assert!(fields.errors.is_empty());
    }

    #[test]
    fn what_is_not_an_object_is_refused_as_a_whole() {
        for json in ["", "{", "[]", "7", "{\"a\":}", "\u{feff}{}", &format!("{{\"a\":{}", "[".repeat(100))] {
            let error = Fields::parse(json.as_bytes(), "").expect_err(json);
            assert!(error.by_field().contains_key("body"), "{json}");
        }
    }

    #[test]
    fn brackets_in_strings_do_not_nest() {
        let text = format!(r#"{{"a":"{}\"["}}"#, "[".repeat(100));
        assert!(is_shallow(text.as_bytes()));
        assert!(is_shallow("[".repeat(64).as_bytes()));
        assert!(!is_shallow("[".repeat(65).as_bytes()));
    }

    #[test]
    fn compacting_keeps_strings_and_digits() {
        let raw: &RawValue =
            serde_json::from_str("{ \"a b\" : [ 1.10 ,\n9007199254740993, \"x \\\" y\" ] }").expect("JSON");
        assert_eq!(compact(raw).get(), r#"{"a b":[1.10,9007199254740993,"x \" y"]}"#);
    }
}
