//! Refusals in the shape of ePages.

use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Refusal, answer, words};

/// Why a request is not done, as ePages' clients read it.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) Refusal);

impl<E: Into<Refusal>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// The shape of all refusals.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Refused {
    /// What is wrong.
    message: String,
    /// The status of the answer.
    #[schema(pattern = "^[45][0-9]{2}$")]
    status: String,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(refusal) = self;
        let status = match &refusal {
            // The dialect has no 401.
            Refusal::Unauthorized => Refusal::Scope.status(),
            other => other.status(),
        };
        let message = message(&refusal);
        let response = answer(status, &Refused { message, status: status.as_str().to_owned() });
        refusal.finish(response)
    }
}

fn message(refusal: &Refusal) -> String {
    let text = match refusal {
        Refusal::Unauthorized | Refusal::Scope | Refusal::Forbidden => {
            "Please send the token of the app's installation in this shop, as Authorization: Bearer, that permits this call."
        }
        Refusal::NotFound(_) => "There is no such webhook of this app.",
        Refusal::NoSuchPath => words::NO_SUCH_PATH,
        Refusal::Method => words::NO_SUCH_METHOD,
        Refusal::Fields(errors) | Refusal::TooLarge(errors) => return errors.to_string(),
        Refusal::UriTooLong => words::URI_TOO_LONG,
        Refusal::TooManyHeaders => words::TOO_MANY_HEADERS,
        Refusal::BudgetSpent(_) => words::BUDGET_SPENT,
        Refusal::RotatedTooOften(again_at) => return format!("It can be changed again at {again_at}."),
        Refusal::QuotaReached => words::QUOTA_REACHED,
        Refusal::Unavailable(_) => "Nothing is wrong with the request. Please send it again.",
    };
    text.to_owned()
}
