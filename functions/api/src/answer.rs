//! The answers of the Pipedrive dialect (facts: Pipedrive, Answers). Every one is JSON and never empty: clients reject
//! with the body itself, and read `success`.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use knockback::{domain::FieldErrors, queues::SendError, store::StoreError};
use serde::Serialize;
use serde_json::{Value, json};

/// A success with this body.
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
    /// A webhook that is not there.
    NoSuchWebhook,
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
    /// AWS does not answer.
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
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

impl From<FieldErrors> for Refusal {
    fn from(errors: FieldErrors) -> Self {
        Self::Fields(errors)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::Unauthorized => {
                let info = "Please send a valid token, in the header x-api-token, as Authorization: Bearer, or as the \
                            query parameter api_token.";
                (StatusCode::UNAUTHORIZED, coded(401, "unauthorized access", info))
            }
            Self::Scope => {
                let info = "The token does not permit this call.";
                (StatusCode::FORBIDDEN, coded(403, "Scope and URL mismatch", info))
            }
            Self::Forbidden => (StatusCode::FORBIDDEN, json!({"success": false, "message": "Forbidden"})),
            Self::NoSuchWebhook => (StatusCode::NOT_FOUND, fields(&FieldErrors::of("id", "not found"))),
            Self::NoSuchPath => {
                (StatusCode::NOT_FOUND, general("Not found", "There is nothing at this path."))
            }
            Self::Method => {
                let info = "This path does not take this method.";
                (StatusCode::METHOD_NOT_ALLOWED, general("Method not allowed", info))
            }
            Self::Fields(errors) => (StatusCode::BAD_REQUEST, fields(&errors)),
            Self::TooLarge(errors) => (StatusCode::PAYLOAD_TOO_LARGE, fields(&errors)),
            Self::QuotaReached => {
                let info = "Delete a webhook before you create another one.";
                (StatusCode::UNPROCESSABLE_ENTITY, general("Webhooks limit reached", info))
            }
            Self::Unavailable(error) => {
                tracing::error!(error = &*error as &dyn std::error::Error, "a request was not done");
                let info = "Nothing is wrong with the request. Please send it again.";
                let mut response =
                    answer(StatusCode::SERVICE_UNAVAILABLE, &general("Service unavailable", info));
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                return response;
            }
        };
        answer(status, &body)
    }
}

fn coded(code: u16, error: &str, info: &str) -> Value {
    json!({"success": false, "error": error, "errorCode": code, "error_info": info})
}

fn general(error: &str, info: &str) -> Value {
    json!({"success": false, "error": error, "error_info": info, "data": null, "additional_data": null})
}

fn fields(errors: &FieldErrors) -> Value {
    json!({"status": "error", "success": false, "errors": errors.by_field()})
}
