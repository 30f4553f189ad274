//! Why SQS refuses a call, and the names that clients know the reasons by.

use std::error;

use crate::aws::wire::Answer;

use super::journal::JournalError;

/// Why a call to SQS failed.
#[derive(Debug, thiserror::Error)]
pub enum SqsError {
    /// No queue has this name.
    #[error("the specified queue does not exist")]
    QueueDoesNotExist,
    /// A queue of this name exists and has other attributes.
    #[error("a queue named {0} exists with a different value for attribute {1}")]
    QueueNameExists(String, String),
    /// The queue URL has no name in it.
    #[error("the queue URL {0:?} names no queue")]
    InvalidAddress(String),
    /// A parameter is out of its range or malformed.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// A queue attribute is out of its range or malformed.
    #[error("invalid value for the parameter {0}: it must be an integer between {1} and {2}")]
    InvalidAttributeValue(String, u64, u64),
    /// A parameter that the operation needs is absent.
    #[error("the request must contain the parameter {0}")]
    MissingParameter(&'static str),
    /// The body holds characters that SQS does not carry.
    #[error("the message holds characters outside #x9, #xA, #xD and #x20 to #x10FFFF")]
    InvalidMessageContents,
    /// No queue attribute has this name.
    #[error("unknown attribute {0}")]
    InvalidAttributeName(String),
    /// A batch has no entries.
    #[error("there should be at least one entry in the request")]
    EmptyBatchRequest,
    /// A batch has more than ten entries.
    #[error("at most 10 entries per batch request, {0} were sent")]
    TooManyEntriesInBatchRequest(usize),
    /// Two entries of a batch have the same id.
    #[error("the id {0} is repeated")]
    BatchEntryIdsNotDistinct(String),
    /// The id of a batch's entry is not 1 to 80 letters, digits, hyphens and underscores.
    #[error("the batch entry id {0:?} is not 1 to 80 letters, digits, hyphens and underscores")]
    InvalidBatchEntryId(String),
    /// The messages of a batch are more than 1 MiB together.
    #[error("batch requests cannot be longer than 1048576 bytes, {0} were sent")]
    BatchRequestTooLong(usize),
    /// The receipt handle is none that this queue gave out.
    #[error("the receipt handle is not one that this queue gave out")]
    ReceiptHandleIsInvalid,
    /// The message is not being worked on.
    #[error("the message is not in flight")]
    MessageNotInflight,
    /// The queue has as many messages in flight as it may have.
    #[error("the queue has 120000 messages in flight already")]
    OverLimit,
    /// Something that AWS has and the box does not.
    #[error("{0}")]
    UnsupportedOperation(String),
    /// A message move task names a queue that does not exist.
    #[error("the resource {0} does not exist")]
    ResourceNotFound(String),
    /// SQS has no such operation, or the box does not know it.
    #[error("the box's SQS has no operation {0:?}")]
    UnknownOperation(String),
    /// The request is not the JSON that the operation takes.
    #[error("the request is malformed")]
    Malformed(#[from] serde_json::Error),
    /// The box cannot read or write its file.
    #[error("the queues could not be read or written")]
    Journal(#[from] JournalError),
}

impl SqsError {
    /// A value that is out of its range or malformed, in the words of AWS.
    pub(super) fn invalid(value: impl std::fmt::Display, parameter: &str, reason: &str) -> Self {
        Self::InvalidParameterValue(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
        ))
    }

    /// The answer that tells a client so.
    pub fn answer(&self) -> Answer {
        let Names { status, kind, code } = self.names();
        let fault = if status < 500 { "Sender" } else { "Receiver" };
        let message = std::iter::successors(error::Error::source(self), |error| error.source())
            .fold(self.to_string(), |message, error| format!("{message}: {error}"));
        Answer::error(status, kind, &message).with_query_error(format!("{code};{fault}"))
    }

    /// The name of the error in a batch's `Failed` entries, and whether it is the sender's fault.
    pub(super) fn batch_code(&self) -> (&'static str, bool) {
        let Names { status, code, .. } = self.names();
        (code, status < 500)
    }

    fn names(&self) -> Names {
        let names = |status, kind, code| Names { status, kind, code };
        match self {
            Self::QueueDoesNotExist => {
                names(400, "com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
            }
            Self::QueueNameExists(..) => {
                names(400, "com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists")
            }
            Self::InvalidAddress(_) => names(404, "com.amazonaws.sqs#InvalidAddress", "InvalidAddress"),
            Self::InvalidParameterValue(_) => {
                names(400, "com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue")
            }
            Self::InvalidAttributeValue(..) => {
                names(400, "com.amazonaws.sqs#InvalidAttributeValue", "InvalidAttributeValue")
            }
            Self::MissingParameter(_) => {
                names(400, "com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter")
            }
            Self::InvalidMessageContents => {
                names(400, "com.amazonaws.sqs#InvalidMessageContents", "InvalidMessageContents")
            }
            Self::InvalidAttributeName(_) => {
                names(400, "com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName")
            }
            Self::EmptyBatchRequest => {
                names(400, "com.amazonaws.sqs#EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest")
            }
            Self::TooManyEntriesInBatchRequest(_) => names(
                400,
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            ),
            Self::BatchEntryIdsNotDistinct(_) => names(
                400,
                "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
                "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            ),
            Self::InvalidBatchEntryId(_) => names(
                400,
                "com.amazonaws.sqs#InvalidBatchEntryId",
                "AWS.SimpleQueueService.InvalidBatchEntryId",
            ),
            Self::BatchRequestTooLong(_) => names(
                400,
                "com.amazonaws.sqs#BatchRequestTooLong",
                "AWS.SimpleQueueService.BatchRequestTooLong",
            ),
            Self::ReceiptHandleIsInvalid => {
                names(400, "com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid")
            }
            Self::MessageNotInflight => names(
                400,
                "com.amazonaws.sqs#MessageNotInflight",
                "AWS.SimpleQueueService.MessageNotInflight",
            ),
            Self::OverLimit => names(403, "com.amazonaws.sqs#OverLimit", "OverLimit"),
            Self::UnsupportedOperation(_) => names(
                400,
                "com.amazonaws.sqs#UnsupportedOperation",
                "AWS.SimpleQueueService.UnsupportedOperation",
            ),
            Self::ResourceNotFound(_) => {
                names(404, "com.amazonaws.sqs#ResourceNotFoundException", "ResourceNotFoundException")
            }
            Self::UnknownOperation(_) => {
                names(400, "com.amazon.coral.service#UnknownOperationException", "InvalidAction")
            }
            Self::Malformed(_) => {
                names(400, "com.amazon.coral.service#SerializationException", "MalformedInput")
            }
            Self::Journal(_) => names(500, "com.amazonaws.sqs#InternalFailure", "InternalFailure"),
        }
    }
}

/// What an error is called, and by which HTTP status.
struct Names {
    status: u16,
    /// In the JSON protocol.
    kind: &'static str,
    /// In the older query protocol, whose names batches still use.
    code: &'static str,
}
