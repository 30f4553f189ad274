//! Rules: which events of a bus go to which targets.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ACCOUNT, DEFAULT_BUS, REGION, Refusal, Result,
    buses::{self, Buses},
    check_name,
    json::Json,
    pattern::Pattern,
    targets::Target,
};

const MAX_PATTERN_CHARACTERS: usize = 4096;

/// A rule and its targets, by id.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) arn: String,
    pattern_text: String,
    pattern: Pattern,
    state: String,
    description: Option<String>,
    pub(super) targets: BTreeMap<String, Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRule {
    name: String,
    event_bus_name: Option<String>,
    event_pattern: Option<String>,
    schedule_expression: Option<String>,
    state: Option<String>,
    description: Option<String>,
}

/// A request that only names a rule.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamedRule {
    name: String,
    event_bus_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRules {
    name_prefix: Option<String>,
    event_bus_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TestEventPattern {
    event_pattern: String,
    event: String,
}

impl Rule {
    /// Whether the rule is enabled and for this event.
    pub(super) fn is_for(&self, event: &Json) -> bool {
        self.state != "DISABLED" && self.pattern.matches(event)
    }
}

/// Makes a rule, or changes one, which keeps its targets.
pub(super) fn put(buses: &mut Buses, request: PutRule) -> Result<Value> {
    check_name("name", &request.name, 64)?;
    if request.schedule_expression.is_some() {
        return Err(Refusal::validation(
            "Parameter ScheduleExpression is not valid. Reason: the box's rules have no schedules.",
        ));
    }
    let Some(pattern_text) = request.event_pattern.filter(|pattern| !pattern.is_empty()) else {
        return Err(Refusal::validation(
            "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ));
    };
    if pattern_text.chars().count() > MAX_PATTERN_CHARACTERS {
        return Err(Refusal::validation(format!(
            "1 validation error detected: Value at 'eventPattern' failed to satisfy constraint: \
             Member must have length less than or equal to {MAX_PATTERN_CHARACTERS}"
        )));
    }
    let state = request.state.unwrap_or_else(|| "ENABLED".to_owned());
    if !["ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"].contains(&state.as_str()) {
        return Err(Refusal::validation(format!(
            "1 validation error detected: Value '{state}' at 'state' failed to satisfy constraint: \
             Member must satisfy enum value set: \
             [ENABLED, DISABLED, ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS]"
        )));
    }
    let (bus_name, bus) = buses::find_mut(buses, request.event_bus_name.as_ref())?;
    let arn = if bus_name == DEFAULT_BUS {
        format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{}", request.name)
    } else {
        format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{bus_name}/{}", request.name)
    };
    let pattern = Pattern::compile(&pattern_text)?;
    let targets = bus.rules.remove(&request.name).map(|rule| rule.targets).unwrap_or_default();
    let answer = json!({"RuleArn": arn});
    let rule = Rule { arn, pattern_text, pattern, state, description: request.description, targets };
    bus.rules.insert(request.name, rule);
    Ok(answer)
}

/// Deletes a rule; as on AWS, it may be gone already, but may have no targets.
pub(super) fn delete(buses: &mut Buses, request: &NamedRule) -> Result<Value> {
    let (_, bus) = buses::find_mut(buses, request.event_bus_name.as_ref())?;
    if bus.rules.get(&request.name).is_some_and(|rule| !rule.targets.is_empty()) {
        return Err(Refusal::validation("Rule can't be deleted since it has targets."));
    }
    bus.rules.remove(&request.name);
    Ok(json!({}))
}

pub(super) fn set_state(buses: &mut Buses, request: &NamedRule, state: &str) -> Result<Value> {
    let rule = find_mut(buses, request.event_bus_name.as_ref(), &request.name)?;
    state.clone_into(&mut rule.state);
    Ok(json!({}))
}

pub(super) fn describe(buses: &Buses, request: &NamedRule) -> Result<Value> {
    let (bus_name, rule) = find(buses, request.event_bus_name.as_ref(), &request.name)?;
    Ok(description(bus_name, &request.name, rule))
}

pub(super) fn list(buses: &Buses, request: &ListRules) -> Result<Value> {
    let prefix = request.name_prefix.as_deref().unwrap_or_default();
    let (bus_name, bus) = buses::find(buses, request.event_bus_name.as_ref())?;
    let listed: Vec<Value> = bus
        .rules
        .iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, rule)| description(bus_name, name, rule))
        .collect();
    Ok(json!({"Rules": listed}))
}

/// Says whether a pattern matches an event, which must be whole.
pub(super) fn test(request: &TestEventPattern) -> Result<Value> {
    let invalid = |reason| Refusal::validation(format!("Parameter Event is not valid. Reason: {reason}"));
    let pattern = Pattern::compile(&request.event_pattern)?;
    let event = Json::parse(&request.event).map_err(|error| invalid(error.to_string()))?;
    let Json::Object(fields) = &event else { return Err(invalid("it is no object".to_owned())) };
    for name in ["id", "account", "source", "time", "region", "resources", "detail-type"] {
        if !fields.contains_key(name) {
            return Err(invalid(format!("it has no {name}")));
        }
    }
    Ok(json!({"Result": pattern.matches(&event)}))
}

/// The rule of this name on the bus that a request names, and the bus's name.
pub(super) fn find<'a>(buses: &'a Buses, bus: Option<&'a String>, name: &str) -> Result<(&'a str, &'a Rule)> {
    let (bus_name, bus) = buses::find(buses, bus)?;
    let rule = bus.rules.get(name).ok_or_else(|| missing(bus_name, name))?;
    Ok((bus_name, rule))
}

/// The rule of this name on the bus that a request names, to be changed.
pub(super) fn find_mut<'a>(
    buses: &'a mut Buses,
    bus: Option<&'a String>,
    name: &str,
) -> Result<&'a mut Rule> {
    let (bus_name, bus) = buses::find_mut(buses, bus)?;
    bus.rules.get_mut(name).ok_or_else(|| missing(bus_name, name))
}

fn missing(bus_name: &str, name: &str) -> Refusal {
    Refusal::not_found(format!("Rule {name} does not exist on EventBus {bus_name}."))
}

fn description(bus_name: &str, name: &str, rule: &Rule) -> Value {
    let mut description = json!({
        "Name": name,
        "Arn": rule.arn,
        "EventPattern": rule.pattern_text,
        "State": rule.state,
        "EventBusName": bus_name,
    });
    if let Some(text) = &rule.description {
        description["Description"] = json!(text);
    }
    description
}
