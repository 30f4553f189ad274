//! What all routes take from a request: its token, its query, its body.

use std::{str::FromStr, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, header, request::Parts},
};
use knockback::{
    Context,
    domain::{Caller, FieldErrors, InvalidId, Member, request_cost},
    store::{Spent, Token},
    telemetry::chain,
    token::{is_among, sha256_hex},
};
use url::form_urlencoded;

use crate::{answer::Refusal, door::Meter};

/// The largest body, in bytes, of a request that is not of events: what may be in it, several times.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The largest body of events, in bytes.
const EVENTS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The longest token that is looked up, in bytes.
const TOKEN_BYTES_MAX: usize = 512;

/// Finds out who is asking.
async fn caller(context: &Context, parts: &Parts) -> Result<Caller, Refusal> {
    let token = token(parts).filter(|token| token.len() <= TOKEN_BYTES_MAX).ok_or(Refusal::Unauthorized)?;
    let sha256 = sha256_hex(&token);
    if is_among(&sha256, &context.config.platform_tokens) {
        return Ok(Caller::Platform);
    }
    let token = context.store.token(&sha256).await?.ok_or(Refusal::Unauthorized)?;
    meter(context, parts, &token).await?;
    Ok(Caller::Member(token.member))
}

/// Takes the cost of a request from its token's budget.
async fn meter(context: &Context, parts: &Parts, token: &Token) -> Result<(), Refusal> {
    let (budget, cost) = (context.config.budget, request_cost(parts.method.as_str()));
    let (standing, outcome) = match context.store.spend(token, budget, cost, context.now()).await {
        Ok(Spent::Granted(standing)) => (standing, Ok(())),
        Ok(Spent::Refused { standing, retry_after }) => (standing, Err(Refusal::BudgetSpent(retry_after))),
        Ok(Spent::TokenGone) => return Err(Refusal::Unauthorized),
        // So many of its requests at once are beyond any budget.
        Err(error) if error.is_overload() => return Err(Refusal::BudgetSpent(Duration::from_secs(1))),
        Err(error) => {
            // Whoever is within their budget is not to suffer from it.
            tracing::error!(token = token.sha256, error = chain(&error), "a budget was not kept");
            return Ok(());
        }
    };
    if let Some(meter) = parts.extensions.get::<Meter>() {
        meter.note(standing);
    }
    outcome
}

/// Lets somebody of a company pass.
async fn member(context: &Context, parts: &Parts) -> Result<Member, Refusal> {
    match caller(context, parts).await? {
        Caller::Member(member) => Ok(member),
        Caller::Platform => Err(Refusal::Scope),
    }
}

/// Lets somebody of a company pass whose token permits looking at webhooks.
pub(crate) async fn reader(context: &Context, parts: &Parts) -> Result<Member, Refusal> {
    let member = member(context, parts).await?;
    if member.may_read() { Ok(member) } else { Err(Refusal::Scope) }
}

/// Lets somebody of a company pass whose token permits changing webhooks.
pub(crate) async fn writer(context: &Context, parts: &Parts) -> Result<Member, Refusal> {
    let member = member(context, parts).await?;
    if member.may_write() { Ok(member) } else { Err(Refusal::Scope) }
}

/// Lets the platform pass.
pub(crate) async fn platform(context: &Context, parts: &Parts) -> Result<(), Refusal> {
    match caller(context, parts).await? {
        Caller::Platform => Ok(()),
        Caller::Member(_) => Err(Refusal::Scope),
    }
}

/// The token, from any of the three places that the dialect has. An empty one counts as none: the official PHP client
/// sends an empty `Authorization: Bearer` beside a good `x-api-token`.
fn token(parts: &Parts) -> Option<String> {
    let from_header = header_text(&parts.headers, "x-api-token").map(str::to_owned);
    let from_bearer = || {
        let (scheme, token) = header_text(&parts.headers, header::AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    };
    let given = |token: &String| !token.is_empty();
    from_header
        .filter(given)
        .or_else(|| query(parts, "api_token").filter(given))
        .or_else(|| from_bearer().filter(given))
}

/// The value of a query parameter.
pub(crate) fn query(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query()?;
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A query parameter that can be left out.
pub(crate) fn parameter<T: FromStr>(
    parts: &Parts,
    name: &str,
    reason: &str,
    is_right: impl Fn(&T) -> bool,
) -> Result<Option<T>, FieldErrors> {
    let Some(text) = query(parts, name) else { return Ok(None) };
    let value = text.parse().ok().filter(is_right);
    value.map(Some).ok_or_else(|| FieldErrors::of(name, reason))
}

/// An id that the query must have. What is wrong with it goes to `wrong`.
pub(crate) fn id_parameter<T: FromStr<Err = InvalidId>>(
    parts: &Parts,
    name: &str,
    wrong: &mut FieldErrors,
) -> Option<T> {
    if query(parts, name).is_none() {
        wrong.add(name, "is required");
    }
    optional_id_parameter(parts, name, wrong)
}

/// An id that the query may have. What is wrong with it goes to `wrong`.
pub(crate) fn optional_id_parameter<T: FromStr<Err = InvalidId>>(
    parts: &Parts,
    name: &str,
    wrong: &mut FieldErrors,
) -> Option<T> {
    query(parts, name)?.parse().map_err(|invalid: InvalidId| wrong.add(name, invalid.to_string())).ok()
}

/// The host that the caller knows this API by.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    header_text(&parts.headers, header::HOST.as_str())
        .or_else(|| parts.uri.authority().map(axum::http::uri::Authority::as_str))
}

/// The scheme that the caller knows this API by: behind a gateway, it is the gateway that tells.
pub(crate) fn scheme(parts: &Parts) -> &'static str {
    match header_text(&parts.headers, "x-forwarded-proto") {
        Some("http") => "http",
        _ => "https",
    }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A body that is not of events.
pub(crate) async fn body(body: Body) -> Result<Vec<u8>, Refusal> {
    bounded(body, BODY_BYTES_MAX).await
}

/// A body of events.
pub(crate) async fn events_body(body: Body) -> Result<Vec<u8>, Refusal> {
    bounded(body, EVENTS_BYTES_MAX).await
}

async fn bounded(body: Body, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let too_large = || FieldErrors::of("body", format!("must be at most {bytes_max} bytes"));
    let bytes = to_bytes(body, bytes_max).await.map_err(|_| Refusal::TooLarge(too_large()))?;
    Ok(bytes.into())
}
