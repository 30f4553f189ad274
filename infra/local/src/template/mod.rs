//! Reads template.yaml: what is deployed to AWS is what the box is filled with.
//!
//! Only what the box has is read: tables, queues, the bus with its rules, secrets, which queue feeds which function, and
//! which schedule fires it.
//! References are resolved as CloudFormation does; what refers to anything else becomes null.

mod resolve;
mod schedules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use self::resolve::Template;
pub use self::schedules::Schedule;
use crate::aws::{iam::Role, sqs::ACCOUNT};

const ROLE: &str = "AWS::IAM::Role";

/// The template of this very build.
pub const TEMPLATE: &str = include_str!("../../../../template.yaml");

/// What the box is filled with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stack {
    /// `CreateTable` requests, with the attribute that says when an item expires.
    pub tables: Vec<(Value, Option<String>)>,
    /// Names and attributes of queues, those first that others refer to.
    pub queues: Vec<(String, BTreeMap<String, String>)>,
    /// Names of event buses.
    pub buses: Vec<String>,
    /// Names of secrets, each with how its first value is made.
    pub secrets: Vec<(String, GeneratedSecret)>,
    /// `PutRule` requests, each with the targets that `PutTargets` gives it.
    pub rules: Vec<(Value, Value)>,
    /// What has to be known to invoke each function elsewhere.
    pub functions: Vec<Function>,
    /// What each function may do, by the function's name.
    pub roles: Vec<(String, Role)>,
    /// Which queue feeds which function.
    pub mappings: Vec<Mapping>,
    /// What runs again and again.
    pub schedules: Vec<Schedule>,
}

/// A JSON object with a password in it: CloudFormation's `GenerateSecretString`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct GeneratedSecret {
    /// The object.
    pub secret_string_template: String,
    /// The password's name in it.
    pub generate_string_key: String,
    /// The password's length, in characters.
    pub password_length: usize,
    /// Whether it is letters and digits only.
    #[serde(default)]
    pub exclude_punctuation: bool,
}

/// A function as it is invoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name in the template.
    pub name: String,
    /// The name of the binary that it is.
    pub binary: String,
    /// How long an invocation may take, in seconds.
    pub timeout_secs: u64,
}

/// An event source mapping: the messages of a queue are a function's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The function's name in the template.
    pub function: String,
    /// The queue's name.
    pub queue: String,
    /// The most messages in one invocation.
    pub batch_size: usize,
    /// The most invocations at once.
    pub concurrency: usize,
    /// How long an invocation may take, in seconds.
    pub timeout_secs: u64,
}

/// A template that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It is not YAML.
    #[error("the template is not YAML")]
    Yaml(#[from] serde_norway::Error),
    /// A resource lacks what it needs.
    #[error("{resource} has no {property}")]
    Missing {
        /// The resource.
        resource: String,
        /// What it lacks.
        property: &'static str,
    },
    /// A function's role is none that this box understands.
    #[error("the role of {function} cannot be read")]
    Role {
        /// The function.
        function: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A schedule cannot be done on the box, or at all.
    #[error("{function}: the schedule {schedule} cannot be used: {reason}")]
    Schedule {
        /// The function.
        function: String,
        /// The schedule.
        schedule: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Stack {
    /// Reads a template whose parameters have their defaults.
    ///
    /// # Errors
    ///
    /// If it is not YAML, or a resource lacks what it needs.
    pub fn read(template: &str) -> Result<Self, TemplateError> {
        Self::read_with(template, &[])
    }

    /// Reads a template whose parameters have these values, or else their defaults.
    ///
    /// # Errors
    ///
    /// If it is not YAML, or a resource lacks what it needs.
    pub fn read_with(template: &str, parameters: &[(&str, &str)]) -> Result<Self, TemplateError> {
        let template = Template::read(template, parameters)?;
        let mut stack = Self::default();
        for (name, kind, properties) in template.resources() {
            let missing = |property| TemplateError::Missing { resource: name.to_owned(), property };
            match kind {
                "AWS::DynamoDB::Table" => stack.tables.push(table(name, &properties)),
                "AWS::SQS::Queue" => stack.queues.push((name.to_owned(), queue_attributes(&properties))),
                "AWS::Events::EventBus" => {
                    stack.buses.push(text(&properties, "Name").ok_or_else(|| missing("Name"))?);
                }
                "AWS::Events::Rule" => {
                    let bus =
                        properties.get("EventBusName").cloned().ok_or_else(|| missing("EventBusName"))?;
                    let pattern = properties.get("EventPattern").ok_or_else(|| missing("EventPattern"))?;
                    let rule =
                        json!({"Name": name, "EventBusName": bus, "EventPattern": pattern.to_string()});
                    let targets = properties.get("Targets").cloned().ok_or_else(|| missing("Targets"))?;
                    stack.rules.push((rule, json!({"Rule": name, "EventBusName": bus, "Targets": targets})));
                }
                "AWS::SecretsManager::Secret" => {
                    let generated = properties.get("GenerateSecretString").cloned().unwrap_or_default();
                    let generated =
                        serde_json::from_value(generated).map_err(|_| missing("GenerateSecretString"))?;
                    stack.secrets.push((name.to_owned(), generated));
                }
                "AWS::Serverless::Function" => {
                    stack.functions.extend(template.function(name, &properties));
                    stack.roles.extend(template.role(name, &properties)?.map(|role| (name.to_owned(), role)));
                    stack.mappings.extend(mappings(name, &properties));
                    stack.schedules.extend(schedules::schedules(name, &properties)?);
                }
                _ => {}
            }
        }
        // A queue can only be created after the dead-letter queue that it refers to.
        stack.queues.sort_by_key(|(_, attributes)| attributes.contains_key("RedrivePolicy"));
        Ok(stack)
    }
}

impl Template<'_> {
    /// A function whose `Metadata` names its binary.
    fn function(&self, name: &str, properties: &Value) -> Option<Function> {
        let binary = self.resource(name)?.get("Metadata")?.get("BuildProperties")?.get("Binary")?.as_str()?;
        let timeout_secs = timeout_secs(properties);
        Some(Function { name: name.to_owned(), binary: binary.to_owned(), timeout_secs })
    }

    /// The role that a function's `Role` refers to. A function without one may do nothing.
    fn role(&self, function: &str, properties: &Value) -> Result<Option<Role>, TemplateError> {
        let Some(arn) = text(properties, "Role") else { return Ok(None) };
        let mut roles = self.resources().filter(|(name, kind, _)| *kind == ROLE && role_arn(name) == arn);
        let Some((_, _, role)) = roles.next() else { return Ok(None) };
        let role = Role::read(&role["Policies"]);
        role.map(Some).map_err(|source| TemplateError::Role { function: function.to_owned(), source })
    }
}

/// How long an invocation may take, in seconds: 3 on AWS unless the template says otherwise.
fn timeout_secs(properties: &Value) -> u64 {
    properties["Timeout"].as_u64().unwrap_or(3)
}

fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

fn text(properties: &Value, name: &str) -> Option<String> {
    properties.get(name)?.as_str().map(str::to_owned)
}

fn table(name: &str, properties: &Value) -> (Value, Option<String>) {
    let mut request = json!({"TableName": name});
    for part in ["BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"] {
        if let Some(value) = properties.get(part) {
            request[part] = value.clone();
        }
    }
    let expiry = properties.get("TimeToLiveSpecification").and_then(|expiry| text(expiry, "AttributeName"));
    (request, expiry)
}

fn queue_attributes(properties: &Value) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    for name in
        ["VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "MaximumMessageSize", "RedrivePolicy"]
    {
        if let Some(value) = properties.get(name) {
            // Numbers as they are, the redrive policy as JSON.
            attributes.insert(name.to_owned(), value.to_string());
        }
    }
    attributes
}

fn mappings(function: &str, properties: &Value) -> Vec<Mapping> {
    let events = properties.get("Events").and_then(Value::as_object).into_iter().flatten();
    let of_queues = events.filter(|(_, event)| event["Type"] == "SQS");
    of_queues
        .filter_map(|(_, event)| {
            let source = &event["Properties"];
            let number = |value: &Value, default| {
                value.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
            };
            Some(Mapping {
                function: function.to_owned(),
                queue: source["Queue"].as_str()?.rsplit(':').next()?.to_owned(),
                batch_size: number(&source["BatchSize"], 10),
                concurrency: number(&source["ScalingConfig"]["MaximumConcurrency"], 1000),
                timeout_secs: timeout_secs(properties),
            })
        })
        .collect()
}
