//! The secret that signs a webhook's deliveries. Who may change a webhook may see it and change it.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use knockback::{
    Context,
    domain::{Timestamp, Webhook},
    seal::signing_secret_place,
};
use serde::Serialize;

use super::{IdPath, find};
use crate::{
    answer::{Answer, Refusal, answer},
    request,
    webhooks::{check_managed, rotate},
};

/// A signing secret, and until when the one before signs too.
#[derive(Serialize)]
struct ShownSecret {
    signing_secret: String,
    overlap_until: Option<String>,
}

impl ShownSecret {
    fn of(webhook: &Webhook, signing_secret: String, now: Timestamp) -> Self {
        Self { signing_secret, overlap_until: webhook.overlap_until(now).map(|until| until.to_string()) }
    }
}

/// `GET /v1/webhooks/{id}/secret`: shows it.
pub(crate) async fn show(
    State(context): State<Arc<Context>>,
    id: IdPath,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let member = request::writer(&context, &parts).await?;
    let webhook = find(&context, &member, id).await?.webhook;
    check_managed(&member, &webhook)?;
    let place = signing_secret_place(&webhook.company, webhook.id);
    let secret = context.sealer.open(&webhook.signing_secret, &place).await?;
    Ok(shown(&ShownSecret::of(&webhook, secret, context.now())))
}

/// `POST /v1/webhooks/{id}/secret/rotate`: makes a new one, which signs at once. The one before signs beside it for a day.
pub(crate) async fn renew(
    State(context): State<Arc<Context>>,
    id: IdPath,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let member = request::writer(&context, &parts).await?;
    let read = find(&context, &member, id).await?;
    let (webhook, secret) = rotate(&context, &member, read).await?;
    Ok(shown(&ShownSecret::of(&webhook, secret, context.now())))
}

fn shown(secret: &ShownSecret) -> Response {
    answer(StatusCode::OK, &Answer::of_webhooks(Some(secret)))
}
