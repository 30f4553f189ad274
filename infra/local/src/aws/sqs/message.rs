//! Messages as senders and receivers know them.

use std::{collections::BTreeMap, time::Duration};

use knockback::domain::Timestamp;
use uuid::Uuid;

use super::{
    ACCOUNT,
    content::{Content, MessageAttributes, md5_of_text},
    core::Checked,
    error::SqsError,
    queue::Message,
    receipt::Handle,
    settings::{DELAY_LIMIT, Settings},
};
use crate::aws::chains::CHAIN_LENGTH;

/// A message to be sent.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// What it says.
    pub body: String,
    /// How long it stays hidden, up to 900 s; the queue's own delay if none.
    pub delay: Option<Duration>,
    /// Whom it is served fairly for, in the queue's order.
    pub group: Option<String>,
    /// Further values beside the body.
    pub attributes: MessageAttributes,
    /// The X-Ray header.
    pub trace_header: Option<String>,
}

impl Outgoing {
    /// Checks everything that SQS checks.
    pub(super) fn check(self, settings: &Settings) -> Result<Checked, SqsError> {
        let content =
            Content { body: self.body, attributes: self.attributes, trace_header: self.trace_header };
        content.check(settings.maximum_message_bytes)?;
        if let Some(delay) = self.delay {
            super::settings::seconds(
                "DelaySeconds",
                i64::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(i64::MAX),
                DELAY_LIMIT,
            )?;
        }
        if let Some(group) = &self.group {
            let is_group =
                (1..=128).contains(&group.len()) && group.chars().all(|char| char.is_ascii_graphic());
            if !is_group {
                let reason = "MessageGroupId is 1 to 128 letters, digits and punctuation.";
                return Err(SqsError::invalid(group, "MessageGroupId", reason));
            }
        }
        Ok(Checked { content, delay: self.delay, group: self.group.map(Into::into) })
    }
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Stays the same however often the message is received or moved to a dead-letter queue.
    pub message_id: Uuid,
    /// Shown to delete the message or to change its visibility; another one each time.
    pub receipt_handle: String,
    /// What it says.
    pub body: String,
    /// Further values beside the body.
    pub attributes: MessageAttributes,
    /// Whom it is served fairly for.
    pub group: Option<String>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was received for the first time.
    pub first_received_at: Timestamp,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// The queue that gave it up, if this one is a dead-letter queue.
    pub dead_letter_source_arn: Option<String>,
    /// The X-Ray header.
    pub trace_header: Option<String>,
    /// Its place in its chain; 1 if it was sent from outside.
    pub chain_length: u32,
}

impl Received {
    pub(super) fn new(handle: Handle, message: &Message, content: Content) -> Self {
        Self {
            message_id: message.id,
            receipt_handle: handle.to_string(),
            body: content.body,
            attributes: content.attributes,
            group: message.group.as_deref().map(str::to_owned),
            sent_at: message.sent_at,
            first_received_at: message.first_received_at.unwrap_or(message.sent_at),
            receive_count: message.receive_count,
            dead_letter_source_arn: message.source_arn.as_deref().map(str::to_owned),
            trace_header: content.trace_header,
            chain_length: message.chain_length,
        }
    }

    /// The digest of the body, in hexadecimal.
    pub fn md5_of_body(&self) -> String {
        md5_of_text(&self.body)
    }

    /// What SQS says about the message, by the names that SQS and Lambda's events give it, and the length of its chain.
    pub fn system_attributes(&self) -> BTreeMap<&'static str, String> {
        let mut attributes = BTreeMap::from([
            ("ApproximateFirstReceiveTimestamp", self.first_received_at.as_ms().to_string()),
            ("ApproximateReceiveCount", self.receive_count.to_string()),
            (CHAIN_LENGTH, self.chain_length.to_string()),
            ("SenderId", ACCOUNT.to_owned()),
            ("SentTimestamp", self.sent_at.as_ms().to_string()),
        ]);
        let optional = [
            ("AWSTraceHeader", &self.trace_header),
            ("DeadLetterQueueSourceArn", &self.dead_letter_source_arn),
            ("MessageGroupId", &self.group),
        ];
        attributes.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        attributes
    }
}
