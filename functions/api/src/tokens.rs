//! Tokens: the platform gives them to callers.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use knockback::{
    Context,
    domain::Member,
    store::Token,
    token::{new_token, sha256_hex},
};
use serde::Serialize;

use crate::{
    answer::{Answer, Refusal, answer},
    request,
};

/// `POST /v1/tokens`: gives a caller a token. It is told this once, and kept only as its SHA-256.
pub(crate) async fn give(State(context): State<Arc<Context>>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    request::platform(&context, &parts).await?;
    let member = Member::parse(&request::body(body).await?)?;
    let token = new_token(&*context.entropy);
    let sha256 = sha256_hex(&token);
    context.store.add_token(&Token { sha256: sha256.clone(), member, added_at: context.now() }).await?;
    Ok(answer(StatusCode::CREATED, &Answer::of(Given { id: sha256, token })))
}

#[derive(Serialize)]
struct Given {
    id: String,
    token: String,
}
