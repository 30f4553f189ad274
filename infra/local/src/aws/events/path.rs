//! The JSON paths that EventBridge understands: fields, array indices and `*`.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A path into an event, such as `$.detail.items[0].name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
    All,
}

impl Path {
    /// Reads a path; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let step;
            if let Some(bracketed) = rest.strip_prefix('[') {
                let (inside, after) = bracketed.split_once(']')?;
                step = match inside {
                    "*" => Step::All,
                    quoted if quoted.starts_with('\'') => {
                        Step::Field(quoted.strip_prefix('\'')?.strip_suffix('\'')?.to_owned())
                    }
                    index => Step::Index(index.parse().ok()?),
                };
                rest = after;
            } else {
                let after_dot = rest.strip_prefix('.')?;
                let end = after_dot.find(['.', '[']).unwrap_or(after_dot.len());
                let (name, after) = after_dot.split_at(end);
                step = match name {
                    "" => return None,
                    "*" => Step::All,
                    name => Step::Field(name.to_owned()),
                };
                rest = after;
            }
            steps.push(step);
        }
        Some(Self(steps))
    }

    /// What stands at this path in `json`, digit for digit; an array of all matches if the path has a `*`.
    pub(super) fn find(&self, json: &str) -> Option<String> {
        let mut found: Vec<&RawValue> = vec![serde_json::from_str(json).ok()?];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.take(value)).collect();
        }
        if self.0.contains(&Step::All) {
            let values: Vec<&str> = found.iter().map(|value| value.get()).collect();
            return Some(format!("[{}]", values.join(",")));
        }
        found.first().map(|value| value.get().to_owned())
    }
}

impl Step {
    fn take<'a>(&self, value: &'a RawValue) -> Vec<&'a RawValue> {
        let fields = || serde_json::from_str::<BTreeMap<String, &'a RawValue>>(value.get()).ok();
        let elements = || serde_json::from_str::<Vec<&'a RawValue>>(value.get()).ok();
        match self {
            Self::Field(name) => fields().and_then(|mut fields| fields.remove(name)).into_iter().collect(),
            Self::Index(index) => {
                elements().and_then(|elements| elements.get(*index).copied()).into_iter().collect()
            }
            Self::All => elements()
                .or_else(|| fields().map(|fields| fields.into_values().collect()))
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str =
        r#"{"id":"1","a-b":{"n":1.10,"big":9007199254740993},"list":[{"x":1},{"x":"two"},{"y":3}]}"#;

    fn check(path: &str, expected: Option<&str>) {
        assert_eq!(Path::parse(path).expect("a path").find(EVENT).as_deref(), expected, "{path}");
    }

    #[test]
    fn finds_what_stands_there_digit_for_digit() {
        check("$", Some(EVENT));
        check("$.id", Some("\"1\""));
        check("$.a-b", Some(r#"{"n":1.10,"big":9007199254740993}"#));
        check("$['a-b'].n", Some("1.10"));
        check("$.a-b.big", Some("9007199254740993"));
        check("$.list[1].x", Some("\"two\""));
        check("$.list[*].x", Some("[1,\"two\"]"));
        check("$.a-b.*", Some("[9007199254740993,1.10]"));
        check("$.list[9]", None);
        check("$.id.x", None);
    }

    #[test]
    fn what_is_no_path_is_none() {
        for text in ["", "id", "$id", "$.", "$..id", "$.list[", "$.list[x]", "$['id]"] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }
}
