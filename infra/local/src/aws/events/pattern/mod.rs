//! Event patterns: which events a rule is for. Pure.
//!
//! A pattern is compiled once (`compile`), which is where an invalid one is refused, and then matched against
//! events. The language is the one that EventBridge documents for event buses ("Comparison operators for use in
//! event patterns"); where the documents are silent, it does what AWS's own matcher, Event Ruler, does.
//!
//! - All fields of a pattern must match, and of each field's values any.
//! - A field whose value in the event is an array matches if any element does. Fields of objects in an array must
//!   match within one and the same object.
//! - A number matches as it is written, so `1.0` is not `1`; `numeric` and a number in `anything-but` compare values.

mod compile;
#[cfg(test)]
mod tests;
mod wildcard;

use std::{collections::BTreeMap, net::IpAddr};

use self::wildcard::Wildcard;
use super::{json::Json, number::Decimal};

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern(Fields);

/// Why a pattern is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct InvalidPattern(String);

/// What an object must have.
#[derive(Debug)]
struct Fields {
    named: Vec<(String, Field)>,
    /// Of each `$or`, any must match.
    alternatives: Vec<Vec<Fields>>,
}

#[derive(Debug)]
enum Field {
    Nested(Fields),
    AnyOf(Vec<Matcher>),
}

/// What a value must be.
#[derive(Debug)]
enum Matcher {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Prefix(String),
    Suffix(String),
    /// These three hold lower case.
    EqualsIgnoreCase(String),
    PrefixIgnoreCase(String),
    SuffixIgnoreCase(String),
    Wildcard(Wildcard),
    Numeric(Vec<(Comparison, Decimal)>),
    Cidr(IpAddr, u8),
    Exists(bool),
    AnythingBut(Vec<Matcher>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Pattern {
    /// Compiles a pattern.
    pub(super) fn compile(text: &str) -> Result<Self, InvalidPattern> {
        compile::pattern(text).map(Self)
    }

    /// Whether `event` is one that the pattern is for.
    pub(super) fn matches(&self, event: &Json) -> bool {
        match event {
            Json::Object(fields) => self.0.match_object(fields),
            _ => false,
        }
    }
}

impl Fields {
    fn match_object(&self, object: &BTreeMap<String, Json>) -> bool {
        self.named.iter().all(|(name, field)| field.matches(object.get(name)))
            && self
                .alternatives
                .iter()
                .all(|alternatives| alternatives.iter().any(|fields| fields.match_object(object)))
    }
}

impl Field {
    fn matches(&self, value: Option<&Json>) -> bool {
        match self {
            Self::Nested(fields) => {
                let objects = value.map(Json::objects).unwrap_or_default();
                if objects.is_empty() {
                    // What is not there has no fields, which `exists: false` may be after.
                    return fields.match_object(&BTreeMap::new());
                }
                objects.into_iter().any(|object| fields.match_object(object))
            }
            Self::AnyOf(matchers) => {
                let leaves = value.map(Json::leaves).unwrap_or_default();
                matchers.iter().any(|matcher| match matcher {
                    Matcher::Exists(expected) => *expected != leaves.is_empty(),
                    matcher => leaves.iter().any(|leaf| matcher.matches(leaf)),
                })
            }
        }
    }
}

impl Matcher {
    fn matches(&self, leaf: &Json) -> bool {
        match (self, leaf) {
            (Self::AnythingBut(excluded), leaf) => !excluded.iter().any(|matcher| matcher.matches(leaf)),
            (Self::Null, Json::Null) => true,
            (Self::Bool(expected), Json::Bool(value)) => expected == value,
            (Self::Number(expected), Json::Number(value)) => expected == value,
            (Self::Numeric(conditions), Json::Number(value)) => Decimal::parse(value)
                .is_some_and(|value| conditions.iter().all(|(how, bound)| how.holds(&value, bound))),
            (matcher, Json::Text(value)) => matcher.matches_text(value),
            _ => false,
        }
    }

    fn matches_text(&self, value: &str) -> bool {
        match self {
            Self::Text(expected) => expected == value,
            Self::Prefix(prefix) => value.starts_with(prefix),
            Self::Suffix(suffix) => value.ends_with(suffix),
            Self::EqualsIgnoreCase(expected) => value.to_lowercase() == *expected,
            Self::PrefixIgnoreCase(prefix) => value.to_lowercase().starts_with(prefix),
            Self::SuffixIgnoreCase(suffix) => value.to_lowercase().ends_with(suffix),
            Self::Wildcard(wildcard) => wildcard.matches(value),
            Self::Cidr(network, bits) => {
                value.parse().is_ok_and(|address| in_network(address, *network, *bits))
            }
            _ => false,
        }
    }
}

impl Comparison {
    fn holds(self, value: &Decimal, bound: &Decimal) -> bool {
        match self {
            Self::Equal => value == bound,
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
        }
    }
}

fn in_network(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}
