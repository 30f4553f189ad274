//! Input transformers: a template with placeholders for parts of the event.
//!
//! In a template that is JSON, a placeholder outside quotes becomes the JSON that stands at its path, digit for
//! digit, and one within quotes becomes text. In any other template texts are put in without their quotes. A path
//! that leads nowhere gives an empty text. What is no known placeholder stays as it is.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{path::Path, put::Event};

const MAX_VARIABLES: usize = 100;
/// Names that AWS defines itself begin with this.
const RESERVED: &str = "aws.";

/// A template and the paths of its variables.
#[derive(Debug)]
pub(super) struct Transformer {
    paths: BTreeMap<String, Path>,
    template: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TransformerRequest {
    #[serde(default)]
    input_paths_map: BTreeMap<String, String>,
    input_template: String,
}

/// What a placeholder may stand for.
pub(super) struct Source<'a> {
    pub(super) event: &'a Event,
    pub(super) rule_name: &'a str,
    pub(super) rule_arn: &'a str,
}

/// Where in a template a placeholder stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    JsonValue,
    InQuotes,
    PlainText,
}

/// What a placeholder stands for.
enum Value {
    /// JSON.
    Json(String),
    /// The event has nothing at the path.
    Missing,
    /// There is no such placeholder.
    Unknown,
}

impl Transformer {
    /// Reads a transformer, or says what is wrong with it.
    pub(super) fn read(request: TransformerRequest) -> Result<Self, String> {
        if request.input_template.is_empty() {
            return Err("the template is empty".to_owned());
        }
        if request.input_paths_map.len() > MAX_VARIABLES {
            return Err(format!("it has more than {MAX_VARIABLES} variables"));
        }
        let mut paths = BTreeMap::new();
        for (name, path) in request.input_paths_map {
            if name.to_ascii_lowercase().starts_with(RESERVED) {
                return Err(format!("the name {name} is reserved"));
            }
            let path = Path::parse(&path).ok_or_else(|| format!("{path} is no JSON path"))?;
            paths.insert(name, path);
        }
        Ok(Self { paths, template: request.input_template })
    }

    /// The template with its placeholders filled.
    pub(super) fn render(&self, source: &Source<'_>) -> String {
        let is_json = self.template.trim_start().starts_with(['{', '[', '"']);
        let mut place = if is_json { Place::JsonValue } else { Place::PlainText };
        let mut rendered = String::new();
        let mut rest = self.template.as_str();
        while let Some(character) = rest.chars().next() {
            if let Some((name, after)) = placeholder(rest)
                && let Some(text) = self.value(name, source).in_place(place)
            {
                rendered.push_str(&text);
                rest = after;
                continue;
            }
            let mut length = character.len_utf8();
            match (character, place) {
                ('"', Place::JsonValue) => place = Place::InQuotes,
                ('"', Place::InQuotes) => place = Place::JsonValue,
                ('\\', Place::InQuotes) => length += rest[1..].chars().next().map_or(0, char::len_utf8),
                _ => {}
            }
            rendered.push_str(&rest[..length]);
            rest = &rest[length..];
        }
        rendered
    }

    fn value(&self, name: &str, source: &Source<'_>) -> Value {
        if let Some(path) = self.paths.get(name) {
            return path.find(&source.event.text).map_or(Value::Missing, Value::Json);
        }
        let text = |text: &str| serde_json::to_string(text).map_or(Value::Missing, Value::Json);
        match name {
            "aws.events.rule-arn" => text(source.rule_arn),
            "aws.events.rule-name" => text(source.rule_name),
            "aws.events.event.ingestion-time" => text(&source.event.received_at),
            "aws.events.event" => Value::Json(source.event.without_detail()),
            "aws.events.event.json" => Value::Json(source.event.text.clone()),
            _ => Value::Unknown,
        }
    }
}

/// The name of the placeholder that `text` begins with, and what follows it.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('<')?.split_once('>')
}

impl Value {
    /// The text that takes the placeholder's place; `None` if it stays.
    fn in_place(self, place: Place) -> Option<String> {
        let without_quotes = |text: &str| text[1..text.len() - 1].to_owned();
        Some(match (self, place) {
            (Self::Unknown, _) => return None,
            (Self::Missing, Place::JsonValue) => "\"\"".to_owned(),
            (Self::Missing, _) => String::new(),
            (Self::Json(json), Place::JsonValue) => json,
            (Self::Json(json), Place::InQuotes) if json.starts_with('"') => without_quotes(&json),
            (Self::Json(json), Place::InQuotes) => without_quotes(&serde_json::to_string(&json).ok()?),
            (Self::Json(json), Place::PlainText) => serde_json::from_str(&json).unwrap_or(json),
        })
    }
}
