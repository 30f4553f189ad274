//! Which fields of an entity changed, without reading a single number.

use std::{borrow::Cow, collections::HashMap, ptr};

use serde_json::value::{RawValue, to_raw_value};

use crate::domain::fields::{JSON_DEPTH_MAX, RawObject};

/// The fields of `previous` whose value in `data` is another; in objects inside of it (custom fields), only what
/// changed there. Numbers are compared as they are written. All of `previous` where a name is half a character
/// (`\ud800`), which JSON permits and no text can hold: the event was taken, so it has to arrive. Of a repeated name the
/// last counts.
pub(super) fn changed_fields<'a>(data: &'a RawValue, previous: &'a RawValue) -> Cow<'a, RawValue> {
    changed(data, previous, JSON_DEPTH_MAX).unwrap_or(Cow::Borrowed(previous))
}

/// `depth`: how many objects inside of each other are looked into; no event that was taken has more.
fn changed<'a>(
    data: &'a RawValue,
    previous: &'a RawValue,
    depth: usize,
) -> Result<Cow<'a, RawValue>, serde_json::Error> {
    let after: RawObject<'_> = serde_json::from_str(data.get())?;
    let after: HashMap<&str, &RawValue> = after.iter().collect();
    let before: RawObject<'_> = serde_json::from_str(previous.get())?;
    let last: HashMap<&str, &RawValue> = before.iter().collect();
    let mut text = String::from("{");
    let counts = |(name, old): &(&str, &RawValue)| last.get(name).is_some_and(|last| ptr::eq(*last, *old));
    for (name, old) in before.iter().filter(counts) {
        let kept = match after.get(name) {
            Some(new) if new.get() == old.get() => continue,
            Some(new) if depth > 0 && is_object(new) && is_object(old) => {
                let inner = changed(new, old, depth - 1)?;
                if inner.get() == "{}" {
                    continue;
                }
                inner
            }
            _ => Cow::Borrowed(old),
        };
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(to_raw_value(name)?.get());
        text.push(':');
        text.push_str(kept.get());
    }
    text.push('}');
    RawValue::from_string(text).map(Cow::Owned)
}

fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data: &str, previous: &str, expected: &str) {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).expect("JSON");
        let (data, previous) = (raw(data), raw(previous));
        assert_eq!(changed_fields(&data, &previous).get(), expected);
    }

    #[test]
    fn only_what_changed_is_kept() {
        check(r#"{"id":1,"a":"x","b":2}"#, r#"{"id":1,"a":"y","b":2}"#, r#"{"a":"y"}"#);
        check(r#"{"id":1}"#, r#"{"id":1}"#, "{}");
        check(r#"{"id":1,"new":2}"#, r#"{"id":1,"gone":null}"#, r#"{"gone":null}"#);
    }

    #[test]
    fn custom_fields_are_compared_one_by_one() {
        let data = r#"{"custom_fields":{"a":{"value":1,"currency":"EUR"},"b":2}}"#;
        let previous = r#"{"custom_fields":{"a":{"value":0,"currency":"EUR"},"b":2}}"#;
        check(data, previous, r#"{"custom_fields":{"a":{"value":0}}}"#);
        check(r#"{"c":{"b":2,"a":1}}"#, r#"{"c":{"a":1,"b":2}}"#, "{}");
    }

    #[test]
    fn where_a_name_is_half_a_character_all_of_it_is_kept() {
        check(r#"{"a":1,"\ud800":1}"#, r#"{"a":2,"\ud800":1}"#, r#"{"a":2,"\ud800":1}"#);
        check(r#"{"c":{"\udc00":1},"a":1}"#, r#"{"c":{"\udc00":2},"a":1}"#, r#"{"c":{"\udc00":2},"a":1}"#);
        check(r#"{"a":"\ud800"}"#, r#"{"a":"\ud801"}"#, r#"{"a":"\ud801"}"#);
    }

    #[test]
    fn of_a_repeated_name_the_last_counts() {
        check(r#"{"a":2}"#, r#"{"a":1,"a":2}"#, "{}");
        check(r#"{"a":2,"a":3}"#, r#"{"a":1,"b":0,"a":2}"#, r#"{"b":0,"a":2}"#);
        check(r#"{"c":{"x":1}}"#, r#"{"c":7,"c":{"x":0,"x":1}}"#, "{}");
    }

    #[test]
    fn what_nests_deeper_than_any_event_is_kept_as_it_was() {
        let nested = |value: &str| format!("{}{value}{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        check(&nested("1"), &nested("2"), &nested("2"));
    }

    #[test]
    fn digits_and_names_stay_as_they_were() {
        check(
            r#"{"n":1.1,"ä\"":2}"#,
            r#"{"n":9007199254740993,"ä\"":1.10}"#,
            r#"{"n":9007199254740993,"ä\"":1.10}"#,
        );
    }
}
