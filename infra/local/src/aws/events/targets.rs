//! Targets: the queues that a rule sends to, and what it sends them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Refusal, Result,
    buses::Buses,
    input::{Input, InputRequest},
    rules,
};

const MAX_TARGETS: usize = 5;

/// A queue that a rule sends to.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) arn: String,
    pub(super) input: Input,
    pub(super) dead_letter_arn: Option<String>,
    /// As it was put, for lists.
    request: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutTargets {
    rule: String,
    event_bus_name: Option<String>,
    targets: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemoveTargets {
    rule: String,
    event_bus_name: Option<String>,
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTargetsByRule {
    rule: String,
    event_bus_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TargetRequest {
    id: String,
    arn: String,
    dead_letter_config: Option<DeadLetterConfig>,
    sqs_parameters: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeadLetterConfig {
    arn: Option<String>,
}

/// Adds targets to a rule, or replaces those of the same ids: all of them or none.
pub(super) fn put(buses: &mut Buses, request: PutTargets) -> Result<Value> {
    let rule = rules::find_mut(buses, request.event_bus_name.as_ref(), &request.rule)?;
    let targets = request.targets.into_iter().map(target).collect::<Result<Vec<_>>>()?;
    let new = targets.iter().filter(|(id, _)| !rule.targets.contains_key(id)).count();
    if rule.targets.len() + new > MAX_TARGETS {
        let message = "The requested resource exceeds the maximum number allowed.";
        return Err(Refusal::new("LimitExceededException", message));
    }
    rule.targets.extend(targets);
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

/// Removes targets from a rule, also such as it does not have.
pub(super) fn remove(buses: &mut Buses, request: &RemoveTargets) -> Result<Value> {
    let rule = rules::find_mut(buses, request.event_bus_name.as_ref(), &request.rule)?;
    rule.targets.retain(|id, _| !request.ids.contains(id));
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

pub(super) fn list(buses: &Buses, request: &ListTargetsByRule) -> Result<Value> {
    let (_, rule) = rules::find(buses, request.event_bus_name.as_ref(), &request.rule)?;
    let listed: Vec<&Value> = rule.targets.values().map(|target| &target.request).collect();
    Ok(json!({"Targets": listed}))
}

fn target(value: Value) -> Result<(String, Target)> {
    let misread =
        |error: serde_json::Error| Refusal::validation(format!("1 validation error detected: {error}"));
    let request = TargetRequest::deserialize(&value).map_err(misread)?;
    let input = InputRequest::deserialize(&value).map_err(misread)?;
    super::check_name("targets.member.id", &request.id, 64)?;
    check_queue(&request.arn)?;
    if request.sqs_parameters.is_some() {
        return Err(Refusal::validation(format!(
            "Parameter SqsParameters of target {} is not valid. Reason: the box sends to standard queues, \
             without a message group.",
            request.id
        )));
    }
    let dead_letter_arn = request.dead_letter_config.and_then(|config| config.arn);
    dead_letter_arn.as_deref().map(check_queue).transpose()?;
    let input = Input::read(&request.id, input)?;
    Ok((request.id, Target { arn: request.arn, input, dead_letter_arn, request: value }))
}

fn check_queue(arn: &str) -> Result<()> {
    if arn.starts_with("arn:aws:sqs:") {
        return Ok(());
    }
    Err(Refusal::validation(format!(
        "Parameter {arn} is not valid. Reason: Provided Arn is not in correct format, or is no SQS queue, which \
         is all that the box sends to."
    )))
}
