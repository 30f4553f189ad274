//! Webhooks, as Pipedrive's clients manage them (facts: Pipedrive, Management API).

pub(crate) mod secret;
mod shown;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{StatusCode, request::Parts},
    response::Response,
};
use knockback::{
    Context,
    domain::{AddressPolicy, Amendment, Dialect, FieldErrors, Member, Subscription, Target},
    store::StoredWebhook,
};

use self::shown::{Created, Fares, Shown};
use crate::{
    answer::{Answer, Refusal, answer},
    description::{
        BodyRefusals, Done, Fields, Members, MembersOfOne, NewWebhook, OfWebhook, OfWebhooks, Quota,
        WebhookChange, WebhookId,
    },
    request,
    webhooks::{self, addresses, check_managed},
};

/// The most webhooks that a caller can ask for at once.
const LIMIT_MAX: usize = 500;

/// The most webhooks for a caller who asks for no number. The dialect's clients know no cursor and expect all; more than
/// this would not fit into an answer of Lambda's.
const UNLIMITED_MAX: usize = 5000;

type WebhooksAnswer = OfWebhooks<Shown<'static>>;
type CreatedAnswer = OfWebhook<Created<'static>>;
type WebhookAnswer = OfWebhook<Fares<'static>>;

type IdPath = Result<Path<String>, PathRejection>;

/// `GET /v1/webhooks`: those of this dialect that the caller manages.
#[utoipa::path(
    get,
    path = "/webhooks",
    tag = "webhooks",
    operation_id = "listWebhooks",
    summary = "List webhooks",
    description = "Those of the Pipedrive dialect that the caller manages, all of them unless there is a limit.",
    params(
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 500, description = "How many at most."),
        ("cursor" = Option<WebhookId>, Query, description = "Where to go on: the answer before said it."),
    ),
    responses((status = 200, description = "The webhooks.", body = inline(WebhooksAnswer)), Members, Fields),
)]
pub(crate) async fn list(State(context): State<Arc<Context>>, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let member = request::reader(&context, &parts).await?;
    let limit = request::parameter(&parts, "limit", "must be from 1 to 500", |limit| {
        (1..=LIMIT_MAX).contains(limit)
    })?;
    let after = request::parameter(&parts, "cursor", "must be one that an answer gave", |_| true)?;
    let limit = limit.unwrap_or(UNLIMITED_MAX);
    let shown_here = |webhook: &_| member.manages_in(Dialect::Pipedrive, webhook);
    let page = context.store.webhooks(&member.company, after, limit, shown_here).await?;
    let now = context.now();
    let data: Vec<_> = page.webhooks.iter().map(|webhook| Shown::new(webhook, now)).collect();
    let next = page.next.map(|next| next.to_string());
    Ok(answer(StatusCode::OK, &Answer::of_webhooks(Some(data)).continued_at(next)))
}

/// `POST /v1/webhooks`: creates one.
#[utoipa::path(
    post,
    path = "/webhooks",
    tag = "webhooks",
    operation_id = "createWebhook",
    summary = "Create a webhook",
    description = "The answer holds its signing secret, this once. An event that is reported afterwards is matched.",
    request_body = NewWebhook,
    responses(
        (status = 201, description = "The webhook.", body = inline(CreatedAnswer)),
        Members,
        BodyRefusals,
        Quota,
    ),
)]
pub(crate) async fn create(
    State(context): State<Arc<Context>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let member = request::writer(&context, &parts).await?;
    let subscription = read_subscription(&context, &parts, body, &member).await?;
    let id = context.store.next_webhook_id().await?;
    let (webhook, signing_secret) = webhooks::create(&context, id, member, subscription).await?;
    let shown = Created::new(&webhook, signing_secret, context.now());
    Ok(answer(StatusCode::CREATED, &Answer::of_webhooks(Some(shown))))
}

async fn read_subscription(
    context: &Context,
    parts: &Parts,
    body: Body,
    member: &Member,
) -> Result<Subscription, Refusal> {
    let addresses = addresses(context, parts);
    let subscription =
        Subscription::parse(&request::body(body).await?, member, &addresses, &context.config.objects)?;
    if member.company.as_number().is_none() || member.user.as_number().is_none() {
        return Err(
            FieldErrors::of("api_token", "must be of a company and a user whose ids are integers").into()
        );
    }
    check_target(context, &subscription.target, &addresses).await?;
    Ok(subscription)
}

async fn check_target(context: &Context, target: &Target, addresses: &AddressPolicy) -> Result<(), Refusal> {
    match webhooks::refused(context, target, addresses).await {
        Some(refused) => Err(Target::unreachable(&refused).into()),
        None => Ok(()),
    }
}

/// `GET /v1/webhooks/{id}`: shows one, with how it fares at this moment. One that was removed is shown for a week, with why.
#[utoipa::path(
    get,
    path = "/webhooks/{id}",
    tag = "webhooks",
    operation_id = "readWebhook",
    summary = "Show a webhook",
    description = "With how it fares at this moment. One that is gone is shown for a week, with why.",
    params(("id" = WebhookId, Path, description = "The webhook.")),
    responses((status = 200, description = "The webhook.", body = inline(WebhookAnswer)), MembersOfOne),
)]
pub(crate) async fn read(
    State(context): State<Arc<Context>>,
    id: IdPath,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let member = request::reader(&context, &parts).await?;
    let StoredWebhook { webhook, .. } = find(&context, &member, id).await?;
    if !member.manages(&webhook) {
        return Err(Refusal::Forbidden);
    }
    let last = context.store.last_end(&webhook.company, webhook.id).await?;
    let shown = Fares::new(&webhook, last.as_ref(), context.now());
    Ok(answer(StatusCode::OK, &Answer::of_webhooks(Some(shown))))
}

/// `PATCH /v1/webhooks/{id}`: changes one, with the checks of creation.
#[utoipa::path(
    patch,
    path = "/webhooks/{id}",
    tag = "webhooks",
    operation_id = "changeWebhook",
    summary = "Change a webhook",
    description = "Acts at once, on what is queued too.",
    params(("id" = WebhookId, Path, description = "The webhook.")),
    request_body = WebhookChange,
    responses(
        (status = 200, description = "The webhook as it is now.", body = inline(WebhookAnswer)),
        MembersOfOne,
        BodyRefusals,
    ),
)]
pub(crate) async fn change(
    State(context): State<Arc<Context>>,
    id: IdPath,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let member = request::writer(&context, &parts).await?;
    let read = find(&context, &member, id).await?;
    let body = request::body(body).await?;
    check_managed(&member, &read.webhook)?;
    let addresses = addresses(&context, &parts);
    let version = read.webhook.pattern.version;
    let amendment = Amendment::parse(&body, version, &addresses, &context.config.objects)?;
    if let Some(target) = &amendment.target {
        check_target(&context, target, &addresses).await?;
    }
    let changed = webhooks::change(&context, &member, read, &amendment).await?;
    let last = context.store.last_end(&changed.company, changed.id).await?;
    let shown = Fares::new(&changed, last.as_ref(), context.now());
    Ok(answer(StatusCode::OK, &Answer::of_webhooks(Some(shown))))
}

/// `DELETE /v1/webhooks/{id}`: removes one. Once it is answered, no attempt starts.
#[utoipa::path(
    delete,
    path = "/webhooks/{id}",
    tag = "webhooks",
    operation_id = "deleteWebhook",
    summary = "Delete a webhook",
    description = "Once it is answered, no attempt starts.",
    params(("id" = WebhookId, Path, description = "The webhook.")),
    responses((status = 200, description = "It is gone.", body = Done), MembersOfOne),
)]
pub(crate) async fn remove(
    State(context): State<Arc<Context>>,
    id: IdPath,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let member = request::writer(&context, &parts).await?;
    let read = find(&context, &member, id).await?;
    webhooks::remove(&context, &member, read).await?;
    Ok(answer(StatusCode::OK, &Answer::<()>::of_webhooks(None)))
}

/// The webhook that a path names, in either dialect's way, removed ones included.
async fn find(context: &Context, member: &Member, id: IdPath) -> Result<StoredWebhook, Refusal> {
    let id = id.ok().and_then(|Path(id)| id.parse().ok()).ok_or(Refusal::NotFound("id"))?;
    webhooks::find(context, member, id).await?.ok_or(Refusal::NotFound("id"))
}
