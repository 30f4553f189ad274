//! The wire operations on messages, and which operation is which.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    Outgoing, Received, Sqs,
    batch::{Entry, answer_batch, check_batch},
    content::{AttributeValue, Content, MessageAttributes, md5_of_attributes, md5_of_text},
    error::SqsError,
    parse_handle,
    queue_operations::queue_name,
    settings::{DELAY_LIMIT, MAXIMUM_MESSAGE_BYTES, VISIBILITY_LIMIT, WAIT_LIMIT, seconds},
};
use crate::aws::{chains::CHAIN_LENGTH, wire::Answer};

/// Messages that one receive answers at most.
const RECEIVE_LIMIT: i64 = 10;

/// A message to be sent; also an entry of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage {
    id: Option<String>,
    queue_url: Option<String>,
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
    #[serde(default)]
    message_attributes: MessageAttributes,
    #[serde(default)]
    message_system_attributes: MessageAttributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<T> {
    queue_url: Option<String>,
    #[serde(default = "Vec::new")]
    entries: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveMessage {
    queue_url: Option<String>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    #[serde(default)]
    attribute_names: BTreeSet<String>,
    #[serde(default)]
    message_system_attribute_names: BTreeSet<String>,
    #[serde(default)]
    message_attribute_names: BTreeSet<String>,
}

/// A message that was received and is to be deleted or hidden; also an entry of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceivedMessage {
    id: Option<String>,
    queue_url: Option<String>,
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

impl Sqs {
    /// Answers one call of SQS's JSON protocol; `operation` is what follows `AmazonSQS.` in the target.
    pub async fn call(&self, operation: &str, body: &[u8]) -> Answer {
        self.answer(operation, body).await.unwrap_or_else(|error| error.answer())
    }

    async fn answer(&self, operation: &str, body: &[u8]) -> Result<Answer, SqsError> {
        match operation {
            "SendMessage" => self.answer_send(parse(body)?),
            "SendMessageBatch" => self.answer_send_batch(parse(body)?),
            "ReceiveMessage" => self.answer_receive(parse(body)?).await,
            "DeleteMessage" => self.answer_delete(&parse(body)?),
            "DeleteMessageBatch" => self.answer_delete_batch(parse(body)?),
            "ChangeMessageVisibility" => self.answer_change_visibility(&parse(body)?),
            "ChangeMessageVisibilityBatch" => self.answer_change_visibility_batch(parse(body)?),
            "CreateQueue" => self.answer_create_queue(&parse(body)?),
            "GetQueueUrl" => self.answer_queue_url(&parse(body)?),
            "GetQueueAttributes" => self.answer_attributes(&parse(body)?),
            "SetQueueAttributes" => self.answer_set_attributes(&parse(body)?),
            "ListQueues" => self.answer_list_queues(&parse(body)?),
            "DeleteQueue" => self.answer_delete_queue(&parse(body)?),
            "StartMessageMoveTask" => self.answer_start_move(&parse(body)?),
            "ListMessageMoveTasks" => self.answer_list_moves(&parse(body)?),
            "PurgeQueue" => Err(SqsError::UnsupportedOperation(
                "the box does not purge queues: delete the queue and create it again".to_owned(),
            )),
            _ => Err(SqsError::UnknownOperation(operation.to_owned())),
        }
    }

    fn answer_send(&self, request: SendMessage) -> Result<Answer, SqsError> {
        let queue_name = queue_name(request.queue_url.as_deref())?.to_owned();
        let message = request.outgoing()?;
        let mut answer = digests(&message);
        let id = self.send_message(&queue_name, message)?;
        answer.insert("MessageId".to_owned(), json!(id.to_string()));
        Ok(Answer::ok(&answer))
    }

    fn answer_send_batch(&self, request: Batch<SendMessage>) -> Result<Answer, SqsError> {
        let queue_name = queue_name(request.queue_url.as_deref())?;
        check_batch(&request.entries)?;
        self.core()?.0.find(queue_name)?;
        let (mut ids, mut messages, mut results) = (Vec::new(), Vec::new(), Vec::new());
        for entry in request.entries {
            ids.push(entry.id.clone().unwrap_or_default());
            results.push(entry.outgoing().map(|message| messages.push(message)));
        }
        let bytes: usize = messages.iter().map(bytes_of).sum();
        if bytes > MAXIMUM_MESSAGE_BYTES {
            return Err(SqsError::BatchRequestTooLong(bytes));
        }
        let answers: Vec<_> = messages.iter().map(digests).collect();
        let sent = self.send_each(queue_name, messages)?.into_iter().zip(answers);
        let mut sent = sent.map(|(result, mut answer)| {
            answer.insert("MessageId".to_owned(), json!(result?.to_string()));
            Ok(answer)
        });
        let results = results
            .into_iter()
            .map(|result| result.and_then(|()| sent.next().unwrap_or_else(|| Ok(Map::new()))));
        Ok(answer_batch(ids.into_iter().zip(results)))
    }

    async fn answer_receive(&self, request: ReceiveMessage) -> Result<Answer, SqsError> {
        let queue_name = queue_name(request.queue_url.as_deref())?;
        let max = request.max_number_of_messages.unwrap_or(1);
        let max =
            usize::try_from(max).ok().filter(|_| (1..=RECEIVE_LIMIT).contains(&max)).ok_or_else(|| {
                SqsError::invalid(max, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
            })?;
        let visibility = request.visibility_timeout;
        let visibility = visibility.map(visibility_timeout).transpose()?;
        let wait = request.wait_time_seconds;
        let wait = wait.map(|wait| seconds("WaitTimeSeconds", wait, WAIT_LIMIT)).transpose()?;
        let wait = if let Some(wait) = wait {
            wait
        } else {
            let (core, _) = self.core()?;
            let hosted = core.queues.get(&core.find(queue_name)?);
            hosted.map_or(Duration::ZERO, |hosted| hosted.queue.settings.receive_wait)
        };
        let received = self.receive_within(queue_name, max, visibility, wait).await?;
        if received.is_empty() {
            return Ok(Answer::ok(&json!({})));
        }
        let messages: Vec<_> = received.into_iter().map(|message| request.told(message)).collect();
        Ok(Answer::ok(&json!({ "Messages": messages })))
    }

    fn answer_delete(&self, request: &ReceivedMessage) -> Result<Answer, SqsError> {
        self.delete(queue_name(request.queue_url.as_deref())?, request.handle()?)?;
        Ok(Answer::ok(&json!({})))
    }

    fn answer_delete_batch(&self, request: Batch<ReceivedMessage>) -> Result<Answer, SqsError> {
        check_batch(&request.entries)?;
        let (mut core, now) = self.core()?;
        let id = core.find(queue_name(request.queue_url.as_deref())?)?;
        let (mut handles, mut results) = (Vec::new(), Vec::new());
        for entry in request.entries {
            let handle = entry.handle().and_then(|handle| parse_handle(id, handle));
            let result = handle.map(|handle| handles.push(handle)).map(|()| Map::new());
            results.push((entry.id.unwrap_or_default(), result));
        }
        core.delete(id, &handles, now)?;
        Ok(answer_batch(results))
    }

    fn answer_change_visibility(&self, request: &ReceivedMessage) -> Result<Answer, SqsError> {
        let visibility = request.visibility()?;
        self.change_visibility(queue_name(request.queue_url.as_deref())?, request.handle()?, visibility)?;
        Ok(Answer::ok(&json!({})))
    }

    fn answer_change_visibility_batch(&self, request: Batch<ReceivedMessage>) -> Result<Answer, SqsError> {
        check_batch(&request.entries)?;
        let (mut core, now) = self.core()?;
        let id = core.find(queue_name(request.queue_url.as_deref())?)?;
        let (mut changes, mut parsed) = (Vec::new(), Vec::new());
        for entry in request.entries {
            let change =
                entry.handle().and_then(|handle| Ok((parse_handle(id, handle)?, entry.visibility()?)));
            parsed.push((entry.id.unwrap_or_default(), change.map(|change| changes.push(change))));
        }
        let mut outcomes = core.change_visibility(id, &changes, now)?.into_iter();
        let results = parsed.into_iter().map(|(id, result)| {
            let result = result.and_then(|()| outcomes.next().unwrap_or(Ok(())));
            (id, result.map(|()| Map::new()))
        });
        Ok(answer_batch(results))
    }
}

impl SendMessage {
    fn outgoing(self) -> Result<Outgoing, SqsError> {
        if self.message_deduplication_id.is_some() {
            let reason = "The parameter is of FIFO queues, and the box has standard queues only.";
            return Err(SqsError::invalid("(any)", "MessageDeduplicationId", reason));
        }
        let delay =
            self.delay_seconds.map(|delay| seconds("DelaySeconds", delay, DELAY_LIMIT)).transpose()?;
        let mut trace_header = None;
        for (name, value) in self.message_system_attributes {
            if name != "AWSTraceHeader" {
                let reason = "AWSTraceHeader is the only one that can be sent.";
                return Err(SqsError::invalid(name, "MessageSystemAttributes", reason));
            }
            trace_header = value.string_value;
        }
        Ok(Outgoing {
            body: self.message_body.ok_or(SqsError::MissingParameter("MessageBody"))?,
            delay,
            group: self.message_group_id,
            attributes: self.message_attributes,
            trace_header,
        })
    }
}

impl Entry for SendMessage {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl ReceivedMessage {
    fn handle(&self) -> Result<&str, SqsError> {
        self.receipt_handle.as_deref().ok_or(SqsError::MissingParameter("ReceiptHandle"))
    }

    fn visibility(&self) -> Result<Duration, SqsError> {
        visibility_timeout(self.visibility_timeout.ok_or(SqsError::MissingParameter("VisibilityTimeout"))?)
    }
}

impl Entry for ReceivedMessage {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl ReceiveMessage {
    /// The message with those of its attributes that were asked for.
    fn told(&self, mut message: Received) -> Value {
        let mut answer = json!({
            "MessageId": message.message_id.to_string(),
            "ReceiptHandle": message.receipt_handle,
            "MD5OfBody": message.md5_of_body(),
        });
        let mut system = message.system_attributes();
        // It is between the box and its functions.
        system.remove(CHAIN_LENGTH);
        system.retain(|&name, _| {
            [&self.attribute_names, &self.message_system_attribute_names]
                .into_iter()
                .any(|names| names.contains("All") || names.contains(name))
        });
        if !system.is_empty() {
            answer["Attributes"] = json!(system);
        }
        message.attributes.retain(|name, _| {
            self.message_attribute_names.iter().any(|wanted| match wanted.strip_suffix(".*") {
                Some(prefix) => {
                    prefix.is_empty() || name.starts_with(&format!("{prefix}.")) || name == prefix
                }
                None => wanted == "All" || wanted == name,
            })
        });
        if let Some(digest) = md5_of_attributes(&message.attributes) {
            answer["MessageAttributes"] = json!(message.attributes);
            answer["MD5OfMessageAttributes"] = json!(digest);
        }
        answer["Body"] = Value::String(message.body);
        answer
    }
}

/// The digests that the answer to a send carries.
fn digests(message: &Outgoing) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("MD5OfMessageBody".to_owned(), json!(md5_of_text(&message.body)));
    if let Some(digest) = md5_of_attributes(&message.attributes) {
        answer.insert("MD5OfMessageAttributes".to_owned(), json!(digest));
    }
    if let Some(header) = &message.trace_header {
        let attributes =
            MessageAttributes::from([("AWSTraceHeader".to_owned(), AttributeValue::string(header))]);
        answer.insert("MD5OfMessageSystemAttributes".to_owned(), json!(md5_of_attributes(&attributes)));
    }
    answer
}

fn bytes_of(message: &Outgoing) -> usize {
    Content::bytes(&message.body, &message.attributes)
}

fn visibility_timeout(value: i64) -> Result<Duration, SqsError> {
    seconds("VisibilityTimeout", value, VISIBILITY_LIMIT)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, SqsError> {
    Ok(serde_json::from_slice(if body.is_empty() { b"{}" } else { body })?)
}
