//! JSON whose numbers keep every digit.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Reads one value.
    pub(super) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        Self::read(serde_json::from_str(text)?)
    }

    /// The value if it is none of several, or else the values of all elements, however deep the arrays; objects
    /// are no values.
    pub(super) fn leaves(&self) -> Vec<&Self> {
        match self {
            Self::Array(elements) => elements.iter().flat_map(Self::leaves).collect(),
            Self::Object(_) => Vec::new(),
            leaf => vec![leaf],
        }
    }

    /// The object itself, or the objects in an array, however deep.
    pub(super) fn objects(&self) -> Vec<&BTreeMap<String, Self>> {
        match self {
            Self::Array(elements) => elements.iter().flat_map(Self::objects).collect(),
            Self::Object(fields) => vec![fields],
            _ => Vec::new(),
        }
    }

    fn read(raw: &RawValue) -> Result<Self, serde_json::Error> {
        let text = raw.get();
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
                let read = |(name, value)| Ok((name, Self::read(value)?));
                Self::Object(fields.into_iter().map(read).collect::<Result<_, serde_json::Error>>()?)
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(text)?;
                Self::Array(elements.into_iter().map(Self::read).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Bool(text == "true"),
            _ => Self::Number(text.to_owned()),
        })
    }
}
