//! Events: the platform reports what happened.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use knockback::{
    Context,
    domain::{
        EVENT_BYTES_MAX, Event, EventDefaults, EventId, FieldErrors, JSON_DEPTH_MAX, Timestamp, is_shallow,
    },
};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Refusal, answer},
    description::{BodyRefusals, NewEvents, OfAll, Platform},
    request,
};

/// The most events in one request.
pub(crate) const EVENTS_MAX: usize = 100;

/// An event that Knockback has.
#[derive(Serialize, ToSchema)]
#[schema(as = TakenEvent)]
struct Taken {
    #[schema(value_type = String)]
    id: EventId,
}

type TakenAnswer = OfAll<Taken>;

/// `POST /v1/events`: takes one event, or an array of them as a whole. It answers once SQS has them.
#[utoipa::path(
    post,
    path = "/events",
    tag = "events",
    operation_id = "reportEvents",
    summary = "Report events",
    description = "The platform's: one event, or an array of which all are taken or none. Once it is answered, Knockback has \
                   them. After 503 some may have been taken: those that have an id are delivered once all the same.",
    request_body = NewEvents,
    responses(
        (status = 202, description = "The events, in their order.", body = inline(TakenAnswer)),
        Platform,
        BodyRefusals,
    ),
)]
pub(crate) async fn report(
    State(context): State<Arc<Context>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    request::platform(&context, &parts).await?;
    let body = request::events_body(body).await?;
    let host = context.config.host.as_deref().or_else(|| request::host(&parts)).unwrap_or_default();
    let events = read_events(&context, &body, host)?;
    let taken: Vec<_> = events.iter().map(|event| Taken { id: event.id.clone() }).collect();
    context.queues.send_events(events).await?;
    Ok(answer(StatusCode::ACCEPTED, &Answer::of(taken)))
}

fn read_events(context: &Context, body: &[u8], host: &str) -> Result<Vec<Event>, Refusal> {
    let now = context.now();
    if !body.trim_ascii_start().starts_with(b"[") {
        return Ok(vec![read_event(context, body, "", host, now)?]);
    }
    // An array is one level deeper than its events.
    if !is_shallow(body) {
        return Err(FieldErrors::of("body", format!("must nest at most {JSON_DEPTH_MAX} deep")).into());
    }
    let events: Vec<&RawValue> = serde_json::from_slice(body)
        .map_err(|error| FieldErrors::of("body", format!("is not JSON: {error}")))?;
    if events.is_empty() || events.len() > EVENTS_MAX {
        let reason = format!("must be an event or an array of 1 to {EVENTS_MAX} events");
        return Err(FieldErrors::of("body", reason).into());
    }
    let (mut read, mut wrong, mut too_large) =
        (Vec::with_capacity(events.len()), FieldErrors::default(), false);
    for (index, event) in events.into_iter().enumerate() {
        match read_event(context, event.get().as_bytes(), &format!("[{index}]."), host, now) {
            Ok(event) => read.push(event),
            Err(Refusal::Fields(errors)) => wrong.extend(errors),
            Err(Refusal::TooLarge(errors)) => {
                too_large = true;
                wrong.extend(errors);
            }
            Err(refusal) => return Err(refusal),
        }
    }
    match (wrong.is_empty(), too_large) {
        (true, _) => Ok(read),
        (false, false) => Err(Refusal::Fields(wrong)),
        (false, true) => Err(Refusal::TooLarge(wrong)),
    }
}

fn read_event(
    context: &Context,
    json: &[u8],
    prefix: &str,
    host: &str,
    now: Timestamp,
) -> Result<Event, Refusal> {
    if json.len() > EVENT_BYTES_MAX {
        let whole = if prefix.is_empty() { "body" } else { prefix.trim_end_matches('.') };
        return Err(Refusal::TooLarge(FieldErrors::of(
            whole,
            format!("must be at most {EVENT_BYTES_MAX} bytes"),
        )));
    }
    let id = EventId::from_random(context.random());
    let defaults =
        EventDefaults { accepted_at: now, occurred_at: now, host, id, correlation: context.random() };
    Ok(Event::parse(json, prefix, defaults)?)
}
