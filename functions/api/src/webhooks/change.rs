//! `PATCH /v1/webhooks/{id}`: changes one, with the checks of creation.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use knockback::{
    Context,
    domain::{Amendment, Edit, Member, Secret, Webhook},
    seal::password_place,
    store::{Changed, StoreError},
};

use super::{addresses, check_target, find, seal, shown::Shown, writer};
use crate::{
    answer::{Answer, Refusal, answer},
    request,
};

/// How often a change is made again because somebody else changed the webhook meanwhile.
const TRIES: u32 = 20;

/// What is queued already acts on the webhook as it is when its turn comes: the new URL, the new credentials. An event
/// that is posted after the answer is matched by the new pattern.
pub(crate) async fn change(
    State(context): State<Arc<Context>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let member = writer(&context, &parts).await?;
    let mut read = find(&context, &member, id).await?;
    let body = request::body(body).await?;
    check_managed(&member, &read.webhook)?;
    let addresses = addresses(&context, &parts);
    let version = read.webhook.pattern.version;
    let amendment = Amendment::parse(&body, version, &addresses, &context.config.objects)?;
    if let Some(target) = &amendment.target {
        check_target(target, &addresses).await?;
    }
    for round in 0..TRIES {
        check_managed(&member, &read.webhook)?;
        let changed = amended(&context, &read.webhook, &amendment)?;
        match context.store.change_webhook(&read, &changed, context.now()).await? {
            Changed::Written => {
                let last = context.store.last_end(&changed.company, changed.id).await?;
                let shown = Shown::with_health(&changed, last.as_ref(), context.now());
                return Ok(answer(StatusCode::OK, &Answer::of_webhooks(Some(shown))));
            }
            Changed::Meanwhile(webhook) => read = *webhook,
        }
        context.store.back_off(round).await;
    }
    Err(StoreError::Contention { operation: "changing a webhook" }.into())
}

fn check_managed(member: &Member, webhook: &Webhook) -> Result<(), Refusal> {
    if webhook.removed_at.is_some() {
        return Err(Refusal::NotFound("id"));
    }
    if member.manages(webhook) { Ok(()) } else { Err(Refusal::Forbidden) }
}

fn amended(context: &Context, webhook: &Webhook, amendment: &Amendment) -> Result<Webhook, Refusal> {
    let place = password_place(&webhook.company, webhook.id);
    let password = match &amendment.http_auth_password {
        Edit::Set(Secret(password)) => Some(seal(context, password, &place)?),
        Edit::Keep | Edit::Clear => None,
    };
    Ok(amendment.apply(webhook, password, context.now()))
}
