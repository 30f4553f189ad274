//! Roles in a box: what each function may do, as the template says, and nothing else.
//!
//! A call that is made in the name of a function is answered only if the function's role permits all that it needs. What
//! functions have needed is kept, so that a test can hold a role against what is used of it.
//!
//! Not here: conditions, denials, policies of resources. Wildcards stand at the end of a resource only.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError, RwLock},
};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::sqs::{ACCOUNT, REGION};

/// An action on a resource, such as `dynamodb:GetItem` on the ARN of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// What is done.
    pub action: String,
    /// With what.
    pub resource: String,
}

/// What a function may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role(Vec<Permission>);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Effect")]
    _effect: Allow,
    action: OneOrMany,
    resource: OneOrMany,
    #[serde(rename = "Condition", default)]
    _condition: Value,
}

#[derive(Deserialize)]
enum Allow {
    Allow,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
        .iter()
        .map(String::as_str)
    }
}

impl Role {
    /// Reads the `Policies` of a role in a template, with references resolved.
    ///
    /// # Errors
    ///
    /// If they are not what this box understands.
    pub fn read(policies: &Value) -> Result<Self, serde_json::Error> {
        let mut permissions = Vec::new();
        for policy in policies.as_array().into_iter().flatten() {
            for statement in Vec::<Statement>::deserialize(&policy["PolicyDocument"]["Statement"])? {
                for (resource, action) in statement.pairs() {
                    permissions.push(Permission { action: action.to_owned(), resource: resource.to_owned() });
                }
            }
        }
        Ok(Self(permissions))
    }

    /// Every permission, as it is written.
    pub fn permissions(&self) -> &[Permission] {
        &self.0
    }

    fn permits(&self, needed: &Permission) -> bool {
        self.0.iter().any(|granted| granted.covers(needed))
    }
}

impl Statement {
    /// Each of its resources with each of its actions.
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.resource.iter().flat_map(|resource| self.action.iter().map(move |action| (resource, action)))
    }
}

impl Permission {
    /// Whether who has this has `needed` too.
    pub fn covers(&self, needed: &Self) -> bool {
        let is_resource = match self.resource.strip_suffix('*') {
            Some(start) => needed.resource.starts_with(start),
            None => needed.resource == self.resource,
        };
        is_resource && needed.action == self.action
    }
}

/// The roles of functions, and what was needed of them.
#[derive(Debug, Default)]
pub struct Roles {
    roles: RwLock<BTreeMap<String, Role>>,
    needed: Mutex<BTreeSet<(String, Permission)>>,
}

impl Roles {
    /// Gives a function its role.
    pub fn assign(&self, function: &str, role: Role) {
        self.roles.write().unwrap_or_else(PoisonError::into_inner).insert(function.to_owned(), role);
    }

    /// What functions have needed so far, whether or not they had it.
    pub fn needed(&self) -> BTreeSet<(String, Permission)> {
        self.needed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a function lacks for a call, if it lacks something.
    pub(super) fn lacks(&self, function: &str, target: &str, body: &[u8]) -> Option<Permission> {
        let needed = needed_for(target, body);
        let mut noted = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        noted.extend(needed.iter().map(|needed| (function.to_owned(), needed.clone())));
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        let role = roles.get(function);
        needed.into_iter().find(|needed| !role.is_some_and(|role| role.permits(needed)))
    }
}

/// What of a request names resources; the rest is skipped.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Call {
    table_name: String,
    index_name: Option<String>,
    #[expect(clippy::zero_sized_map_values, reason = "only the names matter, and this reads no more")]
    request_items: BTreeMap<String, IgnoredAny>,
    transact_items: Vec<BTreeMap<String, Table>>,
    queue_url: String,
    entries: Vec<Entry>,
    secret_id: String,
    from_email_address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Table {
    table_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(default)]
    event_bus_name: String,
}

/// What a call needs (AWS: Service Authorization Reference).
fn needed_for(target: &str, body: &[u8]) -> Vec<Permission> {
    let (service, operation) = target.split_once('.').unwrap_or((target, ""));
    // What cannot be read of a batch of messages names nothing else, and is refused by its service.
    let request: Call = serde_json::from_slice(body).unwrap_or_default();
    let permission = |action: &str, resource| Permission { action: action.to_owned(), resource };
    let of_dynamodb = |action: &str, resource| permission(&format!("dynamodb:{action}"), resource);
    match (service, operation) {
        (super::DYNAMODB, "TransactWriteItems") => {
            let actions = request.transact_items.iter().flatten();
            let needed = actions.map(|(kind, action)| {
                // A check is an action of its own; all else is named like the operation.
                let name =
                    if kind == "ConditionCheck" { "ConditionCheckItem" } else { &format!("{kind}Item") };
                of_dynamodb(name, table(&action.table_name, None))
            });
            needed.collect::<BTreeSet<_>>().into_iter().collect()
        }
        (super::DYNAMODB, "BatchGetItem" | "BatchWriteItem") => {
            let tables = request.request_items.keys();
            tables.map(|name| of_dynamodb(operation, table(name, None))).collect()
        }
        (super::DYNAMODB, _) => {
            vec![of_dynamodb(operation, table(&request.table_name, request.index_name.as_deref()))]
        }
        (super::SQS, "SendMessage" | "SendMessageBatch") => {
            let name = request.queue_url.rsplit('/').next().unwrap_or_default();
            vec![permission("sqs:SendMessage", format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"))]
        }
        (super::EVENTBRIDGE, "PutEvents") => {
            let buses: BTreeSet<_> = request.entries.iter().map(|entry| &entry.event_bus_name).collect();
            let arn = |bus| format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{bus}");
            buses.into_iter().map(|bus| permission("events:PutEvents", arn(bus))).collect()
        }
        (super::SECRETS, _) => {
            vec![permission(&format!("secretsmanager:{operation}"), request.secret_id)]
        }
        (super::SES, _) => {
            let from = request.from_email_address;
            let identity = format!("arn:aws:ses:{REGION}:{ACCOUNT}:identity/{from}");
            vec![permission(&format!("ses:{operation}"), identity)]
        }
        _ => vec![permission(target, "*".to_owned())],
    }
}

fn table(name: &str, index: Option<&str>) -> String {
    let table = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}");
    index.map_or(table.clone(), |index| format!("{table}/index/{index}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn roles() -> Roles {
        let statement = json!({
            "Effect": "Allow",
            "Action": ["dynamodb:PutItem", "dynamodb:Query"],
            "Resource": ["arn:aws:dynamodb:us-east-1:000000000000:table/things",
                "arn:aws:dynamodb:us-east-1:000000000000:table/things/index/*"],
        });
        let role = Role::read(&json!([{"PolicyDocument": {"Statement": [statement]}}])).expect("a role");
        let roles = Roles::default();
        roles.assign("Api", role);
        roles
    }

    #[test]
    fn a_function_does_what_its_role_permits_and_nothing_else() {
        let roles = roles();
        let lacks = |function: &str, operation: &str, request: Value| {
            let target = format!("DynamoDB_20120810.{operation}");
            roles.lacks(function, &target, request.to_string().as_bytes()).map(|lacking| lacking.action)
        };
        let things = json!({"TableName": "things"});
        assert_eq!(lacks("Api", "PutItem", things.clone()), None);
        assert_eq!(lacks("Api", "Query", json!({"TableName": "things", "IndexName": "by_color"})), None);
        assert_eq!(lacks("Api", "GetItem", things.clone()).as_deref(), Some("dynamodb:GetItem"));
        assert_eq!(
            lacks("Api", "PutItem", json!({"TableName": "others"})).as_deref(),
            Some("dynamodb:PutItem")
        );
        assert_eq!(lacks("Fanout", "PutItem", things).as_deref(), Some("dynamodb:PutItem"));
        let transaction = json!({"TransactItems": [
            {"Put": {"TableName": "things"}},
            {"ConditionCheck": {"TableName": "things"}},
        ]});
        assert_eq!(
            lacks("Api", "TransactWriteItems", transaction).as_deref(),
            Some("dynamodb:ConditionCheckItem")
        );
        assert_eq!(roles.needed().iter().filter(|(function, _)| function == "Api").count(), 5);
    }

    #[test]
    fn each_service_names_its_resources_in_its_way() {
        let needed = |target: &str, request: Value| {
            let needed = needed_for(target, request.to_string().as_bytes());
            needed
                .into_iter()
                .map(|needed| format!("{} {}", needed.action, needed.resource))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            needed("AmazonSQS.SendMessageBatch", json!({"QueueUrl": "http://box/000000000000/Retries"})),
            ["sqs:SendMessage arn:aws:sqs:us-east-1:000000000000:Retries"]
        );
        assert_eq!(
            needed("AWSEvents.PutEvents", json!({"Entries": [{"EventBusName": "b"}, {"EventBusName": "b"}]})),
            ["events:PutEvents arn:aws:events:us-east-1:000000000000:event-bus/b"]
        );
        assert_eq!(
            needed("DynamoDB_20120810.BatchGetItem", json!({"RequestItems": {"things": {}}})),
            ["dynamodb:BatchGetItem arn:aws:dynamodb:us-east-1:000000000000:table/things"]
        );
        assert_eq!(
            needed("secretsmanager.GetSecretValue", json!({"SecretId": "KeyRing"})),
            ["secretsmanager:GetSecretValue KeyRing"]
        );
    }

    #[test]
    fn a_role_that_denies_is_not_understood() {
        let statement = json!({"Effect": "Deny", "Action": "sqs:SendMessage", "Resource": "*"});
        assert!(Role::read(&json!([{"PolicyDocument": {"Statement": [statement]}}])).is_err());
    }
}
