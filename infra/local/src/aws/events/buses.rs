//! Event buses.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ACCOUNT, DEFAULT_BUS, REGION, Refusal, Result, check_name, rules::Rule};

/// A bus and its rules, by name.
#[derive(Debug, Default)]
pub(super) struct Bus {
    description: Option<String>,
    pub(super) rules: BTreeMap<String, Rule>,
}

/// All buses, by name.
pub(super) type Buses = BTreeMap<String, Bus>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateEventBus {
    name: String,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteEventBus {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeEventBus {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEventBuses {
    name_prefix: Option<String>,
}

pub(super) fn create(buses: &mut Buses, request: CreateEventBus) -> Result<Value> {
    check_name("name", &request.name, 256)?;
    if buses.contains_key(&request.name) {
        let message = format!("Event bus {} already exists.", request.name);
        return Err(Refusal::new("ResourceAlreadyExistsException", message));
    }
    let answer = json!({"EventBusArn": arn(&request.name), "Description": request.description});
    buses.insert(request.name, Bus { description: request.description, rules: BTreeMap::new() });
    Ok(answer)
}

/// Deletes a bus; as on AWS, it may be gone already, but may have no rules.
pub(super) fn delete(buses: &mut Buses, request: &DeleteEventBus) -> Result<Value> {
    let name = name(Some(&request.name));
    if name == DEFAULT_BUS {
        return Err(Refusal::validation("Cannot delete event bus default."));
    }
    if buses.get(name).is_some_and(|bus| !bus.rules.is_empty()) {
        return Err(Refusal::validation(format!("Event bus {name} can't be deleted since it has rules.")));
    }
    buses.remove(name);
    Ok(json!({}))
}

pub(super) fn describe(buses: &Buses, request: &DescribeEventBus) -> Result<Value> {
    let (name, bus) = find(buses, request.name.as_ref())?;
    Ok(description(name, bus))
}

pub(super) fn list(buses: &Buses, request: &ListEventBuses) -> Value {
    let prefix = request.name_prefix.as_deref().unwrap_or_default();
    let listed: Vec<Value> = buses
        .iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, bus)| description(name, bus))
        .collect();
    json!({"EventBuses": listed})
}

/// The name of the bus that a request names, by name, by ARN or not at all.
pub(super) fn name(requested: Option<&String>) -> &str {
    let Some(requested) = requested else { return DEFAULT_BUS };
    requested
        .strip_prefix("arn:aws:events:")
        .and_then(|rest| rest.strip_prefix(REGION)?.strip_prefix(':')?.strip_prefix(ACCOUNT))
        .and_then(|rest| rest.strip_prefix(":event-bus/"))
        .unwrap_or(requested)
}

/// The bus that a request names.
pub(super) fn find<'a>(buses: &'a Buses, requested: Option<&'a String>) -> Result<(&'a str, &'a Bus)> {
    let name = name(requested);
    buses.get(name).map(|bus| (name, bus)).ok_or_else(|| missing(name))
}

/// The bus that a request names, to be changed.
pub(super) fn find_mut<'a>(
    buses: &'a mut Buses,
    requested: Option<&'a String>,
) -> Result<(&'a str, &'a mut Bus)> {
    let name = name(requested);
    buses.get_mut(name).map(|bus| (name, bus)).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Refusal {
    Refusal::not_found(format!("Event bus {name} does not exist."))
}

fn description(name: &str, bus: &Bus) -> Value {
    let mut description = json!({"Name": name, "Arn": arn(name)});
    if let Some(text) = &bus.description {
        description["Description"] = json!(text);
    }
    description
}

fn arn(name: &str) -> String {
    format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{name}")
}
