//! Holds each request that is described against what reads it: a reader takes every value that is described, and refuses
//! what is described to be missing, too long, too short, or no word of a list.

use std::collections::BTreeMap;

use knockback::domain::{
    AddressPolicy, Amendment, Event, EventDefaults, EventId, FieldErrors, Member, Objects, Registration,
    Subscription, Timestamp, Version,
    epages::{read_active, read_subscription},
};
use serde_json::{Map, Value, json};

/// A request as it is described.
struct Described {
    components: Value,
    fields: BTreeMap<String, Value>,
    required: Vec<String>,
}

impl Described {
    fn new(name: &str) -> Self {
        let description = serde_json::to_value(super::description()).expect("JSON");
        let components = description["components"]["schemas"].clone();
        let mut described = Self { components, fields: BTreeMap::new(), required: Vec::new() };
        let schema = described.components[name].clone();
        described.gather(&schema);
        assert!(!described.fields.is_empty(), "{name} is not described");
        described
    }

    fn gather(&mut self, schema: &Value) {
        let schema = self.resolved(schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.gather(part);
        }
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            let schema = self.resolved(schema);
            self.fields.insert(field.clone(), schema);
        }
        let required = schema["required"].as_array().into_iter().flatten();
        self.required.extend(required.filter_map(Value::as_str).map(str::to_owned));
    }

    fn resolved(&self, schema: &Value) -> Value {
        match schema["$ref"].as_str() {
            Some(path) => self.components[path.rsplit('/').next().expect("a name")].clone(),
            None => schema.clone(),
        }
    }

    /// Values that a schema takes, those at its bounds included.
    fn right(&self, schema: &Value) -> Vec<Value> {
        let schema = self.resolved(schema);
        if let Some(either) = schema["oneOf"].as_array() {
            return either.iter().flat_map(|schema| self.right(schema)).collect();
        }
        if let Some(words) = schema["enum"].as_array() {
            return words.clone();
        }
        if is_of(&schema, "array") {
            let (one, most) = (self.right(&schema["items"]), schema["maxItems"].as_u64().expect("a bound"));
            let least =
                vec![one[0].clone(); usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).expect("few")];
            let most = vec![one[0].clone(); usize::try_from(most).expect("few")];
            let mut right: Vec<Value> =
                one.into_iter().map(|value| json!([value])).chain([json!(least), json!(most)]).collect();
            right.extend(is_of(&schema, "null").then_some(Value::Null));
            return right;
        }
        let mut right = schema["examples"].as_array().cloned().unwrap_or_default();
        right.extend(["minimum", "maximum"].into_iter().filter_map(|bound| schema.get(bound).cloned()));
        right.extend(longest(&schema).map(Value::from));
        right.extend(is_of(&schema, "null").then_some(Value::Null));
        assert!(!right.is_empty(), "no example in {schema}");
        right
    }

    /// Values that a schema does not take.
    fn wrong(&self, schema: &Value) -> Vec<Value> {
        let schema = self.resolved(schema);
        let mut wrong = vec![json!([{}])];
        if !self.right(&schema).contains(&Value::Null) {
            wrong.push(Value::Null);
        }
        // What is wrong for what is not null.
        let either =
            schema["oneOf"].as_array().and_then(|either| either.iter().find(|schema| !is_of(schema, "null")));
        let schema = self.resolved(either.unwrap_or(&schema));
        if schema["enum"].is_array() {
            wrong.extend([json!("no such word"), json!(2)]);
        }
        if is_of(&schema, "array") {
            let one = self.right(&schema["items"]).remove(0);
            let many = schema["maxItems"].as_u64().expect("a bound") + 1;
            wrong.push(vec![one; usize::try_from(many).expect("few")].into());
            wrong.extend(schema["minItems"].is_u64().then_some(json!([])));
        }
        if let Some(longest) = longest(&schema) {
            wrong.push(format!("{longest}a").into());
            wrong.push(format!("{}\u{7}", &longest[..longest.len() - 1]).into());
        }
        wrong.extend((schema["minLength"] == 1).then_some(json!("")));
        wrong.extend((schema["minimum"] == 0).then_some(json!(-1)));
        wrong
    }
}

fn is_of(schema: &Value, kind: &str) -> bool {
    schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&kind.into()))
}

/// The longest text that there is, where a longer text of the same kind can be made.
fn longest(schema: &Value) -> Option<String> {
    let length = usize::try_from(schema["maxLength"].as_u64()?).ok()?;
    if schema["format"] == "date-time" {
        return None;
    }
    let example = schema["examples"].as_array()?.iter().find_map(Value::as_str)?;
    Some(format!("{example:a<length$}"))
}

fn check(name: &str, read: impl Fn(&[u8]) -> Result<(), FieldErrors>) {
    let described = Described::new(name);
    let read = |document: &Map<String, Value>| read(&serde_json::to_vec(document).expect("JSON"));
    let first = |field: &String| (field.clone(), described.right(&described.fields[field]).remove(0));
    let whole: Map<String, Value> = described.fields.keys().map(first).collect();
    assert_eq!(read(&whole), Ok(()), "{name}: {whole:?}");
    let mut least: Map<String, Value> = described.required.iter().map(first).collect();
    least.insert("unknown".to_owned(), json!({"a": 1}));
    assert_eq!(read(&least), Ok(()), "{name}: {least:?}");
    for field in &described.required {
        let mut lacking = least.clone();
        lacking.remove(field);
        assert!(read(&lacking).is_err(), "{name} without {field} is taken");
    }
    for (field, schema) in &described.fields {
        for (values, is_right) in [(described.right(schema), true), (described.wrong(schema), false)] {
            for value in values {
                let mut document = least.clone();
                document.insert(field.clone(), value);
                let errors = read(&document).err();
                assert_eq!(errors.is_none(), is_right, "{name}: {field} of {document:?}: {errors:?}");
            }
        }
    }
}

fn admin() -> Member {
    Member::parse(br#"{"company_id":"1","user_id":"10","admin":true}"#).expect("a member")
}

#[test]
fn webhooks_are_asked_for_as_described() {
    let (addresses, objects) = (AddressPolicy::default(), Objects::default());
    let read = |json: &[u8]| Subscription::parse(json, &admin(), &addresses, &objects).map(|_| ());
    check("NewWebhookV2", read);
    check("NewWebhookV1", read);
    check("NewShopWebhook", |json| read_subscription(json, &admin(), &addresses).map(|_| ()));
}

#[test]
fn webhooks_are_changed_as_described() {
    let (addresses, objects) = (AddressPolicy::default(), Objects::default());
    check("WebhookChange", |json| {
        let read = |version| Amendment::parse(json, version, &addresses, &objects).map(|_| ());
        read(Version::V2).or_else(|_| read(Version::V1))
    });
    check("ShopWebhookSwitch", |json| read_active(json).map(|_| ()));
    let form = Described::new("ShopWebhookSwitchForm");
    for word in form.right(&form.fields["active"]) {
        let body = format!("active={}", word.as_str().expect("a word"));
        assert!(read_active(body.as_bytes()).is_ok(), "{body}");
    }
}

#[test]
fn events_are_reported_as_described() {
    check("NewEvent", |json| {
        let now = Timestamp::from_ms(0);
        let (id, correlation) = (EventId::from_random([1; 16]), [2; 16]);
        let defaults = EventDefaults { accepted_at: now, occurred_at: now, host: "", id, correlation };
        Event::parse(json, "", defaults).map(|_| ())
    });
}

#[test]
fn tokens_and_apps_are_asked_for_as_described() {
    for name in ["NewUserToken", "NewAppToken"] {
        check(name, |json| Member::parse(json).map(|_| ()));
    }
    check("NewApp", |json| Registration::parse(json).map(|_| ()));
}
