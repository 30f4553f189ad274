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
use utoipa::ToSchema;

use super::{IdPath, find};
use crate::{
    answer::{Answer, Refusal, answer},
    description::{MembersOfOne, OfWebhook, Rotation, Time, WebhookId},
    request,
    webhooks::{check_managed, rotate},
};

/// The secret that signs a webhook's deliveries.
#[derive(Serialize, ToSchema)]
pub(crate) struct SigningSecret {
    /// Signs every delivery, as Standard Webhooks says.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    signing_secret: String,
    /// Until when the secret before signs too, if it does.
    #[schema(value_type = Option<Time>)]
    overlap_until: Option<String>,
}

type SecretAnswer = OfWebhook<SigningSecret>;

impl SigningSecret {
    fn of(webhook: &Webhook, signing_secret: String, now: Timestamp) -> Self {
        Self { signing_secret, overlap_until: webhook.overlap_until(now).map(|until| until.to_string()) }
    }
}

/// `GET /v1/webhooks/{id}/secret`: shows it.
#[utoipa::path(
    get,
    path = "/webhooks/{id}/secret",
    tag = "webhooks",
    operation_id = "readSecret",
    summary = "Show a webhook's signing secret",
    description = "To who may change the webhook.",
    params(("id" = WebhookId, Path, description = "The webhook.")),
    responses((status = 200, description = "The secret.", body = inline(SecretAnswer)), MembersOfOne),
)]
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
    Ok(shown(&SigningSecret::of(&webhook, secret, context.now())))
}

/// `POST /v1/webhooks/{id}/secret/rotate`: makes a new one, which signs at once. The one before signs beside it for a day.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/secret/rotate",
    tag = "webhooks",
    operation_id = "rotateSecret",
    summary = "Give a webhook a new signing secret",
    description = "It signs at once. The one before signs beside it for 24 hours, in which every delivery has both signatures. \
                   At most five sign at once.",
    params(("id" = WebhookId, Path, description = "The webhook.")),
    responses(
        (status = 200, description = "The new secret.", body = inline(SecretAnswer)),
        MembersOfOne,
        Rotation,
    ),
)]
pub(crate) async fn renew(
    State(context): State<Arc<Context>>,
    id: IdPath,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let member = request::writer(&context, &parts).await?;
    let read = find(&context, &member, id).await?;
    let (webhook, secret) = rotate(&context, &member, read).await?;
    Ok(shown(&SigningSecret::of(&webhook, secret, context.now())))
}

fn shown(secret: &SigningSecret) -> Response {
    answer(StatusCode::OK, &Answer::of_webhooks(Some(secret)))
}
