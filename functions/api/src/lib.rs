//! The HTTP API: callers keep their webhooks here, the platform reports events and says who may call.
//!
//! Webhooks are kept in two dialects (`pipedrive`, `epages`), each with its own requests and answers. What is done to a
//! webhook is the same in both (`webhooks`).

mod answer;
mod apps;
mod door;
mod epages;
mod events;
mod pipedrive;
mod request;
mod tokens;
mod webhooks;

use std::sync::Arc;

use axum::{
    Router,
    http::StatusCode,
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use knockback::Context;

use self::answer::{Answer, Refusal, answer};

/// All routes. Lambda, the local runner and tests call this one.
///
/// `/v1` and `/api/v1` are the same: OAuth clients put `/api/v1` behind the host that they are given. `/rs` is ePages' dialect,
/// down to its refusals.
pub fn router(context: Arc<Context>) -> Router {
    let v1 = Router::new()
        .route("/webhooks", get(pipedrive::list).post(pipedrive::create))
        .route("/webhooks/{id}", get(pipedrive::read).patch(pipedrive::change).delete(pipedrive::remove))
        .route("/webhooks/{id}/secret", get(pipedrive::secret::show))
        .route("/webhooks/{id}/secret/rotate", post(pipedrive::secret::renew))
        .route("/events", post(events::report))
        .route("/tokens", get(tokens::list).post(tokens::give))
        .route("/tokens/{id}", delete(tokens::take_back))
        .route("/apps/{app}", get(apps::show).put(apps::register).delete(apps::remove))
        .route("/apps/{app}/installations", delete(apps::uninstall));
    Router::new()
        .route("/health", get(health))
        .nest("/v1", v1.clone())
        .nest("/api/v1", v1)
        .merge(epages::router())
        .fallback(async || Refusal::NoSuchPath.into_response())
        .method_not_allowed_fallback(async || Refusal::Method.into_response())
        .layer(from_fn(door::pass))
        .with_state(context)
}

async fn health() -> Response {
    answer(StatusCode::OK, &Answer::<()>::of_webhooks(None))
}
