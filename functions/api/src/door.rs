//! What every request passes: bounds, before anything of it is read, and on the way out how its token stands.
//!
//! Bodies are bounded where they are read (`request`), values where they are parsed (`domain`).

use std::sync::{Arc, OnceLock};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::{IntoResponse, Response},
};
use knockback::domain::RateLimit;

use crate::{answer::Refusal, epages};

/// The longest path, in bytes. The longest that leads anywhere has a shop and a UUID.
const PATH_BYTES_MAX: usize = 1024;

/// The longest query, in bytes. The longest that is asked has a token and a cursor.
const QUERY_BYTES_MAX: usize = 4096;

/// The most headers. API Gateway adds some to those that callers send.
const HEADERS_MAX: usize = 100;

/// Where the way in leaves, for the way out, how the token of a request stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<OnceLock<RateLimit>>);

impl Meter {
    pub(crate) fn note(&self, standing: RateLimit) {
        // A request has one token, and is metered once.
        let _ = self.0.set(standing);
    }
}

/// Lets a request pass whose bounds are kept, and says with the answer how its token stands.
pub(crate) async fn pass(mut request: Request, next: Next) -> Response {
    if let Err(refusal) = check_bounds(&request) {
        return if epages::is_below(request.uri().path()) {
            epages::Problem(refusal).into_response()
        } else {
            refusal.into_response()
        };
    }
    let meter = Meter::default();
    request.extensions_mut().insert(meter.clone());
    let mut response = next.run(request).await;
    if let Some(standing) = meter.0.get() {
        show(standing, response.headers_mut());
    }
    response
}

fn check_bounds(request: &Request) -> Result<(), Refusal> {
    let uri = request.uri();
    if uri.path().len() > PATH_BYTES_MAX || uri.query().is_some_and(|query| query.len() > QUERY_BYTES_MAX) {
        return Err(Refusal::UriTooLong);
    }
    if request.headers().len() > HEADERS_MAX {
        return Err(Refusal::TooManyHeaders);
    }
    Ok(())
}

fn show(standing: &RateLimit, headers: &mut HeaderMap) {
    let RateLimit { limit, remaining, reset } = *standing;
    let values = [
        ("x-ratelimit-limit", u64::from(limit)),
        ("x-ratelimit-remaining", u64::from(remaining)),
        ("x-ratelimit-reset", whole_secs(reset)),
    ];
    for (name, value) in values {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

/// Seconds, rounded up: who waits for so long has waited long enough.
pub(crate) fn whole_secs(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}
