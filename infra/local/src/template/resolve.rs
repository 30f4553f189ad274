//! References, resolved as CloudFormation does. What refers to anything that the box does not have becomes null.

use serde_json::{Map, Value};
use serde_norway::Value as Yaml;

use super::{ROLE, role_arn};
use crate::aws::sqs::{ACCOUNT, REGION};

/// A template, with the values of those parameters that are not to have their defaults.
pub(super) struct Template<'a> {
    yaml: Yaml,
    parameters: &'a [(&'a str, &'a str)],
}

impl<'a> Template<'a> {
    /// Reads one.
    pub(super) fn read(
        template: &str,
        parameters: &'a [(&'a str, &'a str)],
    ) -> Result<Self, serde_norway::Error> {
        Ok(Self { yaml: serde_norway::from_str(template)?, parameters })
    }

    /// Name, type and resolved properties of each resource.
    pub(super) fn resources(&self) -> impl Iterator<Item = (&str, &str, Value)> {
        let resources = self.yaml.get("Resources").and_then(Yaml::as_mapping).into_iter().flatten();
        resources.filter_map(|(name, resource)| {
            let properties =
                resource.get("Properties").map_or(Value::Null, |properties| self.resolve(properties));
            Some((name.as_str()?, resource.get("Type")?.as_str()?, properties))
        })
    }

    /// A resource as it is written.
    pub(super) fn resource(&self, name: &str) -> Option<&Yaml> {
        self.yaml.get("Resources")?.get(name)
    }

    fn resolve(&self, value: &Yaml) -> Value {
        self.resolve_unless_absent(value).unwrap_or_default()
    }

    /// A value with its references resolved; `None` for what is there as if it were not (`AWS::NoValue`).
    fn resolve_unless_absent(&self, value: &Yaml) -> Option<Value> {
        Some(match value {
            Yaml::Tagged(tagged) => {
                let (tag, value) = (tagged.tag.to_string(), &tagged.value);
                if tag == "!If" {
                    return self.resolve_unless_absent(self.choose(value)?);
                }
                if tag == "!Ref" && value.as_str() == Some("AWS::NoValue") {
                    return None;
                }
                self.call(&tag, value).unwrap_or_default()
            }
            Yaml::Mapping(mapping) => {
                let entries = mapping.iter().filter_map(|(key, value)| {
                    Some((key.as_str()?.to_owned(), self.resolve_unless_absent(value)?))
                });
                Value::Object(entries.collect::<Map<_, _>>())
            }
            Yaml::Sequence(items) => {
                items.iter().filter_map(|item| self.resolve_unless_absent(item)).collect()
            }
            plain => serde_json::to_value(plain).unwrap_or_default(),
        })
    }

    /// What a function gives, other than `!If`.
    fn call(&self, tag: &str, argument: &Yaml) -> Option<Value> {
        match (tag, argument) {
            ("!Ref", name) => self.reference(name.as_str()?).map(Value::String),
            ("!GetAtt", path) => self.attribute(path.as_str()?).map(Value::String),
            ("!Sub", Yaml::String(text)) => Some(Value::String(self.substitute(text, &Value::Null))),
            ("!Sub", Yaml::Sequence(parts)) => {
                let [text, names] = parts.as_slice() else { return None };
                Some(Value::String(self.substitute(text.as_str()?, &self.resolve(names))))
            }
            ("!FindInMap", Yaml::Sequence(parts)) => {
                let [map, key, row] = parts.as_slice() else { return None };
                let key = self.resolve(key);
                Some(self.resolve(self.yaml.get("Mappings")?.get(map)?.get(key.as_str()?)?.get(row)?))
            }
            ("!Split", Yaml::Sequence(parts)) => {
                let [at, text] = parts.as_slice() else { return None };
                let text = self.resolve(text);
                Some(text.as_str()?.split(at.as_str()?).map(Value::from).collect())
            }
            ("!Select", Yaml::Sequence(parts)) => {
                let [index, list] = parts.as_slice() else { return None };
                self.resolve(list).get(usize::try_from(index.as_u64()?).ok()?).cloned()
            }
            _ => None,
        }
    }

    /// Which of its two values an `!If` has.
    fn choose<'y>(&self, arguments: &'y Yaml) -> Option<&'y Yaml> {
        let [condition, then, otherwise] = arguments.as_sequence()?.as_slice() else { return None };
        let condition = self.yaml.get("Conditions")?.get(condition.as_str()?)?;
        Some(if self.holds(condition)? { then } else { otherwise })
    }

    fn holds(&self, condition: &Yaml) -> Option<bool> {
        let Yaml::Tagged(tagged) = condition else { return None };
        match (tagged.tag.to_string().as_str(), tagged.value.as_sequence()?.as_slice()) {
            ("!Not", [condition]) => Some(!self.holds(condition)?),
            ("!Equals", [one, other]) => Some(self.resolve(one) == self.resolve(other)),
            _ => None,
        }
    }

    /// What `!Ref` gives: a resource's name, or a parameter's value, which is a text or a number as text.
    fn reference(&self, name: &str) -> Option<String> {
        match name {
            "AWS::Partition" => return Some("aws".to_owned()),
            "AWS::StackName" => return Some("knockback".to_owned()),
            "AWS::Region" => return Some(REGION.to_owned()),
            "AWS::AccountId" => return Some(ACCOUNT.to_owned()),
            _ => {}
        }
        if let Some(parameter) = self.yaml.get("Parameters").and_then(|parameters| parameters.get(name)) {
            if let Some((_, value)) = self.parameters.iter().find(|(of, _)| *of == name) {
                return Some((*value).to_owned());
            }
            return match self.resolve(parameter.get("Default")?) {
                Value::String(text) => Some(text),
                other => Some(other.to_string()),
            };
        }
        let resource = self.resource(name)?;
        let named = resource.get("Properties").and_then(|properties| properties.get("Name"));
        Some(
            named
                .map(|named| self.resolve(named))
                .and_then(|named| named.as_str().map(str::to_owned))
                .unwrap_or_else(|| name.to_owned()),
        )
    }

    /// What `!GetAtt` gives.
    fn attribute(&self, path: &str) -> Option<String> {
        let (name, attribute) = path.split_once('.')?;
        let kind = self.resource(name)?.get("Type")?.as_str()?;
        let name = self.reference(name)?;
        Some(match (kind, attribute) {
            ("AWS::SQS::Queue", "QueueName") => name,
            ("AWS::SQS::Queue", "Arn") => format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"),
            ("AWS::DynamoDB::Table", "Arn") => format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"),
            ("AWS::Logs::LogGroup", "Arn") => format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"),
            (ROLE, "Arn") => role_arn(&name),
            ("AWS::Events::EventBus", "Arn") => format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{name}"),
            _ => return None,
        })
    }

    /// What `!Sub` gives: names of its own come before those of the template.
    fn substitute(&self, text: &str, names: &Value) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            out.push_str(before);
            let (name, after) = behind.split_once('}').unwrap_or((behind, ""));
            let value = match names.get(name).and_then(Value::as_str) {
                Some(value) => Some(value.to_owned()),
                None if name.contains('.') => self.attribute(name),
                None => self.reference(name),
            };
            out.push_str(&value.unwrap_or_default());
            rest = after;
        }
        out + rest
    }
}
