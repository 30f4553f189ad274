//! The wire operations on queues.

use std::{collections::BTreeMap, sync::PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{ACCOUNT, Sqs, core::Hosted, error::SqsError, moves::MoveTask, settings::Attributes};
use crate::aws::wire::Answer;

/// Queues that a list answers at most.
const LIST_LIMIT: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateQueue {
    queue_name: Option<String>,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueName {
    queue_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrl {
    queue_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributeNames {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetAttributes {
    queue_url: Option<String>,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueues {
    queue_name_prefix: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartMove {
    source_arn: Option<String>,
    destination_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMoves {
    source_arn: Option<String>,
    max_results: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct QueueList {
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Sqs {
    pub(super) fn answer_create_queue(&self, request: &CreateQueue) -> Result<Answer, SqsError> {
        let name = request.queue_name.as_ref().ok_or(SqsError::MissingParameter("QueueName"))?;
        self.create_queue(name, &request.attributes)?;
        Ok(Answer::ok(&json!({ "QueueUrl": self.url_of(name) })))
    }

    pub(super) fn answer_queue_url(&self, request: &QueueName) -> Result<Answer, SqsError> {
        let name = request.queue_name.as_ref().ok_or(SqsError::MissingParameter("QueueName"))?;
        self.core()?.0.find(name)?;
        Ok(Answer::ok(&json!({ "QueueUrl": self.url_of(name) })))
    }

    pub(super) fn answer_attributes(&self, request: &AttributeNames) -> Result<Answer, SqsError> {
        let (mut core, now) = self.core()?;
        let id = core.find(queue_name(request.queue_url.as_deref())?)?;
        let all = attributes(core.settled(id, now)?);
        let mut told = BTreeMap::<&str, &str>::new();
        for name in &request.attribute_names {
            match (name.as_str(), all.get(name.as_str())) {
                ("All", _) => told.extend(all.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
                (name, Some(value)) => drop(told.insert(name, value)),
                // It exists, and is not set.
                ("Policy" | "RedrivePolicy" | "RedriveAllowPolicy", None) => {}
                (name, None) if name.starts_with("Kms") => {}
                (name, None) => return Err(SqsError::InvalidAttributeName(name.to_owned())),
            }
        }
        let body = if told.is_empty() { json!({}) } else { json!({ "Attributes": told }) };
        Ok(Answer::ok(&body))
    }

    pub(super) fn answer_set_attributes(&self, request: &SetAttributes) -> Result<Answer, SqsError> {
        let (mut core, now) = self.core()?;
        let id = core.find(queue_name(request.queue_url.as_deref())?)?;
        core.set_attributes(id, &request.attributes, now)?;
        Ok(Answer::ok(&json!({})))
    }

    pub(super) fn answer_list_queues(&self, request: &ListQueues) -> Result<Answer, SqsError> {
        let limit = request.max_results.unwrap_or(LIST_LIMIT);
        if !(1..=LIST_LIMIT).contains(&limit) {
            return Err(SqsError::invalid(limit, "MaxResults", "MaxResults must be between 1 and 1000."));
        }
        let prefix = request.queue_name_prefix.as_deref().unwrap_or_default();
        let after = request.next_token.as_deref().unwrap_or_default();
        let mut names = self.queue_names()?;
        names.retain(|name| name.starts_with(prefix) && name.as_str() > after);
        let is_more = names.len() > limit;
        names.truncate(limit);
        let next_token = names.last().filter(|_| is_more && request.max_results.is_some()).cloned();
        let queue_urls = names.iter().map(|name| self.url_of(name)).collect();
        Ok(Answer::ok(&QueueList { queue_urls, next_token }))
    }

    pub(super) fn answer_delete_queue(&self, request: &QueueUrl) -> Result<Answer, SqsError> {
        self.delete_queue(queue_name(request.queue_url.as_deref())?)?;
        Ok(Answer::ok(&json!({})))
    }

    pub(super) fn answer_start_move(&self, request: &StartMove) -> Result<Answer, SqsError> {
        let source = request.source_arn.as_ref().ok_or(SqsError::MissingParameter("SourceArn"))?;
        let (mut core, now) = self.core()?;
        let task = core.start_move(source, request.destination_arn.as_deref(), now)?;
        Ok(Answer::ok(&json!({ "TaskHandle": task.handle })))
    }

    pub(super) fn answer_list_moves(&self, request: &ListMoves) -> Result<Answer, SqsError> {
        let source = request.source_arn.as_ref().ok_or(SqsError::MissingParameter("SourceArn"))?;
        let (core, _) = self.core()?;
        core.find_arn(source).ok_or_else(|| SqsError::ResourceNotFound(source.clone()))?;
        let tasks = core.move_tasks.iter().filter(|task| *task.source_arn == **source);
        let results: Vec<_> = tasks.take(request.max_results.unwrap_or(1)).map(MoveTask::answer).collect();
        Ok(Answer::ok(&json!({ "Results": results })))
    }

    fn url_of(&self, name: &str) -> String {
        let host = self.host.read().unwrap_or_else(PoisonError::into_inner);
        format!("http://{host}/{ACCOUNT}/{name}")
    }
}

impl MoveTask {
    fn answer(&self) -> serde_json::Value {
        json!({
            "Status": if self.is_source_unknown { "FAILED" } else { "COMPLETED" },
            "SourceArn": *self.source_arn,
            "DestinationArn": self.destination_arn.as_deref(),
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "FailureReason": self.is_source_unknown.then_some("CouldNotDetermineMessageSource"),
            "StartedTimestamp": self.started_at.as_ms(),
        })
    }
}

/// The name in a queue URL: its last path part, whatever the host.
pub(super) fn queue_name(url: Option<&str>) -> Result<&str, SqsError> {
    let url = url.ok_or(SqsError::MissingParameter("QueueUrl"))?;
    match url.rsplit('/').next() {
        Some(name) if !name.is_empty() => Ok(name),
        _ => Err(SqsError::InvalidAddress(url.to_owned())),
    }
}

fn attributes(hosted: &Hosted) -> Attributes {
    let depth = hosted.queue.depth();
    let mut attributes = hosted.queue.settings.attributes();
    let further = [
        ("QueueArn", hosted.arn.to_string()),
        ("CreatedTimestamp", hosted.created_at.as_secs().to_string()),
        ("LastModifiedTimestamp", hosted.modified_at.as_secs().to_string()),
        ("ApproximateNumberOfMessages", depth.visible.to_string()),
        ("ApproximateNumberOfMessagesDelayed", depth.delayed.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", depth.in_flight.to_string()),
    ];
    attributes.extend(further.map(|(name, value)| (name.to_owned(), value)));
    attributes
}
