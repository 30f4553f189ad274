//! The HTTP API: callers keep their webhooks here, the platform reports events and says who may call.
//!
//! Webhooks are kept in two dialects (`pipedrive`, `epages`), each with its own requests and answers. What is done to a
//! webhook is the same in both (`webhooks`).

mod answer;
mod apps;
mod description;
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
};
use knockback::Context;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::description::description;
use self::{
    answer::{Answer, Refusal, answer},
    description::{Anybody, Done},
};

/// All routes. Lambda, the local runner and tests call this one.
///
/// `/v1` and `/api/v1` are the same: OAuth clients put `/api/v1` behind the host that they are given. `/rs` is ePages' dialect,
/// down to its refusals.
pub fn router(context: Arc<Context>) -> Router {
    let v1 = Router::from(v1());
    Router::from(top())
        .nest("/v1", v1.clone())
        .nest("/api/v1", v1)
        .merge(epages::router())
        .fallback(async || Refusal::NoSuchPath.into_response())
        .method_not_allowed_fallback(async || Refusal::Method.into_response())
        .layer(from_fn(door::pass))
        .with_state(context)
}

/// Adds the routes to their description, each by the path that clients are told.
fn described(base: OpenApi) -> OpenApi {
    OpenApiRouter::with_openapi(base)
        .merge(top())
        .nest("/v1", v1())
        .nest("/rs", epages::described())
        .into_openapi()
}

/// What is served without a version.
fn top() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::default().routes(routes!(health))
}

/// What is served below `/v1`. A handler that is not described cannot be routed here.
fn v1() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::default()
        .routes(routes!(pipedrive::list, pipedrive::create))
        .routes(routes!(pipedrive::read, pipedrive::change, pipedrive::remove))
        .routes(routes!(pipedrive::secret::show))
        .routes(routes!(pipedrive::secret::renew))
        .routes(routes!(events::report))
        .routes(routes!(tokens::list, tokens::give))
        .routes(routes!(tokens::take_back))
        .routes(routes!(apps::show, apps::register, apps::remove))
        .routes(routes!(apps::uninstall))
        .routes(routes!(description::serve))
}

/// `GET /health`: that the API answers.
#[utoipa::path(
    get,
    path = "/health",
    tag = "health",
    operation_id = "health",
    summary = "Whether the API answers",
    description = "Answers without a token.",
    security(()),
    responses((status = 200, description = "It does.", body = Done), Anybody),
)]
async fn health() -> Response {
    answer(StatusCode::OK, &Answer::<()>::of_webhooks(None))
}
