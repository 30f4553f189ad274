//! What a request to AWS and its answer are, once HTTP is taken off.
//!
//! All three services that the box speaks (DynamoDB, SQS, EventBridge) use AWS's JSON protocol: the operation
//! in `x-amz-target`, a JSON body each way, errors as `{"__type", "message"}`.

use serde::Serialize;
use serde_json::json;

/// The answer of a service to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status: 200, or 400 and above for an error.
    pub status: u16,
    /// JSON.
    pub body: Vec<u8>,
    /// The error's name in SQS's older protocol, as `x-amzn-query-error` carries it: clients that began with
    /// that protocol still match on it.
    pub query_error: Option<String>,
}

impl Answer {
    /// A call that succeeded.
    pub fn ok(body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self { status: 200, body, query_error: None },
            Err(error) => Self::error(500, "InternalFailure", &error.to_string()),
        }
    }

    /// A call that was refused; `kind` is the error's name, with its namespace where AWS sends one.
    pub fn error(status: u16, kind: &str, message: &str) -> Self {
        let body = json!({"__type": kind, "message": message}).to_string().into_bytes();
        Self { status, body, query_error: None }
    }

    /// The same answer with the error's name in the older protocol, such as
    /// `AWS.SimpleQueueService.NonExistentQueue;Sender`.
    #[must_use]
    pub fn with_query_error(self, query_error: impl Into<String>) -> Self {
        Self { query_error: Some(query_error.into()), ..self }
    }
}
