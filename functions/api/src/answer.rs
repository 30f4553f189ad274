//! The answers of the Pipedrive dialect (facts: Pipedrive, Answers). Every one is JSON and never empty: clients reject
//! with the body itself, and read `success`.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use knockback::{
    domain::{FieldErrors, Timestamp},
    queues::SendError,
    seal::SealError,
    store::StoreError,
    telemetry::chain,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    description::{No, Nothing},
    door::whole_secs,
};

/// A success, in the order of keys that the dialect has.
#[derive(Debug, Serialize)]
pub(crate) struct Answer<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_data: Option<Paging>,
}

/// Where a list goes on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Paging {
    /// What to ask with as `cursor`.
    next_cursor: String,
}

impl<T> Answer<T> {
    /// A success of the vendor's own resources, which say `"status":"ok"` too.
    pub(crate) fn of_webhooks(data: Option<T>) -> Self {
        Self { status: Some("ok"), success: true, data, additional_data: None }
    }

    /// A success of what Knockback adds.
    pub(crate) fn of(data: T) -> Self {
        Self { status: None, success: true, data: Some(data), additional_data: None }
    }

    /// Says where the list goes on, if it does.
    pub(crate) fn continued_at(self, next_cursor: Option<String>) -> Self {
        Self { additional_data: next_cursor.map(|next_cursor| Paging { next_cursor }), ..self }
    }
}

/// A JSON answer.
pub(crate) fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let bytes = match serde_json::to_vec(body) {
        Ok(bytes) => bytes,
        Err(error) => return Refusal::Unavailable(Box::new(error)).into_response(),
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Why a request is not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No token, or none that is known.
    Unauthorized,
    /// A token that does not permit this call.
    Scope,
    /// A webhook of the company that is not the caller's.
    Forbidden,
    /// A webhook, token or app that is not there: the name of what names it.
    NotFound(&'static str),
    /// A path that is not there.
    NoSuchPath,
    /// A method that the path does not have.
    Method,
    /// Fields that are wrong.
    Fields(FieldErrors),
    /// Fields, or the whole, that are too large.
    TooLarge(FieldErrors),
    /// The owner has as many webhooks as they may.
    QuotaReached,
    /// The webhook's signing secret was changed too often lately; when it can be again.
    RotatedTooOften(Timestamp),
    /// The path or the query is longer than any that leads somewhere.
    UriTooLong,
    /// More headers than anybody needs.
    TooManyHeaders,
    /// The token has asked for too much in a while; after this time there is enough again.
    BudgetSpent(Duration),
    /// AWS does not answer.
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}

/// What both dialects say, each in its shape.
pub(crate) mod words {
    pub(crate) const NO_SUCH_PATH: &str = "There is nothing at this path.";
    pub(crate) const NO_SUCH_METHOD: &str = "This path does not take this method.";
    pub(crate) const QUOTA_REACHED: &str = "Delete a webhook before you create another one.";
    pub(crate) const URI_TOO_LONG: &str = "The path or the query is too long.";
    pub(crate) const TOO_MANY_HEADERS: &str = "There are too many headers.";
    pub(crate) const BUDGET_SPENT: &str =
        "The token has spent its budget. Please wait as long as Retry-After says.";
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<SendError> for Refusal {
    fn from(error: SendError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<SealError> for Refusal {
    fn from(error: SealError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<FieldErrors> for Refusal {
    fn from(errors: FieldErrors) -> Self {
        Self::Fields(errors)
    }
}

impl Refusal {
    /// The status, in either dialect.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Scope | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound(_) | Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Fields(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::QuotaReached => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RotatedTooOften(_) => StatusCode::CONFLICT,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::TooManyHeaders => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BudgetSpent(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Makes an answer say when to ask again, where that helps, and the log what went wrong with us.
    pub(crate) fn finish(self, mut response: Response) -> Response {
        let retry_after_secs = match self {
            Self::Unavailable(error) => {
                tracing::error!(error = chain(&*error), "a request was not done");
                1
            }
            Self::BudgetSpent(retry_after) => whole_secs(retry_after),
            _ => return response,
        };
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_secs));
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let response = match &self {
            Self::Unauthorized => {
                let info = "Please send a valid token, in the header x-api-token, as Authorization: Bearer, or as the \
                            query parameter api_token.";
                answer(status, &Coded::new(401, "unauthorized access", info))
            }
            Self::Scope => {
                let info = "The token does not permit this call.";
                answer(status, &Coded::new(403, "Scope and URL mismatch", info))
            }
            Self::Forbidden => answer(status, &Message { success: false, message: "Forbidden" }),
            Self::NotFound(name) => wrong(status, &FieldErrors::of(name, "not found")),
            Self::NoSuchPath => general(status, "Not found", words::NO_SUCH_PATH),
            Self::RotatedTooOften(again_at) => {
                let info = format!("All of its secrets still sign. It can be changed again at {again_at}.");
                general(status, "Signing secret changed too often", &info)
            }
            Self::Method => general(status, "Method not allowed", words::NO_SUCH_METHOD),
            Self::Fields(errors) | Self::TooLarge(errors) => wrong(status, errors),
            Self::QuotaReached => general(status, "Webhooks limit reached", words::QUOTA_REACHED),
            Self::UriTooLong => general(status, "URI too long", words::URI_TOO_LONG),
            Self::TooManyHeaders => {
                general(status, "Request header fields too large", words::TOO_MANY_HEADERS)
            }
            Self::BudgetSpent(_) => general(status, "Request over limit", words::BUDGET_SPENT),
            Self::Unavailable(_) => {
                let info = "Nothing is wrong with the request. Please send it again; events that have an id are not repeated by it.";
                general(status, "Service unavailable", info)
            }
        };
        self.finish(response)
    }
}

/// The shape for a webhook of somebody else.
#[derive(Serialize, ToSchema)]
pub(crate) struct Message {
    #[schema(value_type = No, inline)]
    success: bool,
    message: &'static str,
}

/// The shape for tokens and scopes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Coded {
    #[schema(value_type = No, inline)]
    success: bool,
    error: &'static str,
    #[serde(rename = "errorCode")]
    code: u16,
    error_info: &'static str,
}

impl Coded {
    fn new(code: u16, error: &'static str, error_info: &'static str) -> Self {
        Self { success: false, error, code, error_info }
    }
}

/// The shape for wrong fields.
#[derive(Serialize, ToSchema)]
pub(crate) struct Wrong<'a> {
    #[schema(pattern = "^error$")]
    status: &'static str,
    #[schema(value_type = No, inline)]
    success: bool,
    /// Why, by field.
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    errors: &'a BTreeMap<String, Vec<String>>,
}

fn wrong(status: StatusCode, errors: &FieldErrors) -> Response {
    answer(status, &Wrong { status: "error", success: false, errors: errors.by_field() })
}

/// The shape for everything else.
#[derive(Serialize, ToSchema)]
pub(crate) struct General<'a> {
    #[schema(value_type = No, inline)]
    success: bool,
    error: &'static str,
    error_info: &'a str,
    #[schema(value_type = Nothing, inline)]
    data: Option<()>,
    #[schema(value_type = Nothing, inline)]
    additional_data: Option<()>,
}

fn general(status: StatusCode, error: &'static str, error_info: &str) -> Response {
    answer(status, &General { success: false, error, error_info, data: None, additional_data: None })
}
