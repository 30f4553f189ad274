//! What a request to AWS and its answer are, once HTTP is taken off.
//!
//! DynamoDB, SQS, EventBridge and Secrets Manager use AWS's JSON protocol: the operation in `x-amz-target`, a JSON body each way, errors
//! as `{"__type", "message"}`. SES uses AWS's REST protocol: the operation is in method and path, and an error's name in
//! a header.

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
    /// The error's name in the REST protocol, as `x-amzn-errortype` carries it.
    pub rest_error: Option<String>,
}

impl Answer {
    /// A status and a body.
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, body, query_error: None, rest_error: None }
    }

    /// A call that succeeded.
    pub fn ok(body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self::new(200, body),
            Err(error) => Self::error(500, "InternalFailure", &error.to_string()),
        }
    }

    /// A call that was refused; `kind` is the error's name, with its namespace where AWS sends one.
    pub fn error(status: u16, kind: &str, message: &str) -> Self {
        let body = json!({"__type": kind, "message": message}).to_string().into_bytes();
        Self::new(status, body)
    }

    /// A call of the REST protocol that was refused.
    pub fn rest_error(status: u16, kind: &str, message: &str) -> Self {
        let body = json!({ "message": message }).to_string().into_bytes();
        Self { rest_error: Some(kind.to_owned()), ..Self::new(status, body) }
    }

    /// The same answer with the error's name in the older protocol, such as
    /// `AWS.SimpleQueueService.NonExistentQueue;Sender`.
    #[must_use]
    pub fn with_query_error(self, query_error: impl Into<String>) -> Self {
        Self { query_error: Some(query_error.into()), ..self }
    }
}
