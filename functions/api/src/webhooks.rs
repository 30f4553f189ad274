//! Webhooks, as Pipedrive's clients manage them (facts: Pipedrive, Management API).

mod change;
mod shown;

use std::sync::Arc;

pub(crate) use self::change::change;
use self::shown::Shown;
use crate::{
    answer::{Answer, Refusal, answer},
    request,
};
use axum::{
    body::Body,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{StatusCode, request::Parts},
    response::Response,
};
use knockback::{
    Context,
    bus::announce,
    domain::{
        AddressPolicy, FieldErrors, Health, Member, RemoveReason, Sealed, Secret, Subscription, Target,
        Webhook, WebhookId,
    },
    seal::{password_place, signing_secret_place},
    sender::{check_host, signing::SigningSecret},
    store::{Creation, NewWebhook, Removal, StoredWebhook},
};

/// The most webhooks that a caller can ask for at once.
const LIMIT_MAX: usize = 500;

/// The most webhooks for a caller who asks for no number. The dialect's clients know no cursor and expect all; more than
/// this would not fit into an answer of Lambda's.
const UNLIMITED_MAX: usize = 5000;

/// `GET /v1/webhooks`: those that the caller manages.
pub(crate) async fn list(State(context): State<Arc<Context>>, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let member = request::member(&context, &parts).await?;
    if !member.may_read() {
        return Err(Refusal::Scope);
    }
    let limit = request::parameter(&parts, "limit", "must be from 1 to 500", |limit| {
        (1..=LIMIT_MAX).contains(limit)
    })?;
    let after = request::parameter(&parts, "cursor", "must be one that an answer gave", |_| true)?;
    let limit = limit.unwrap_or(UNLIMITED_MAX);
    let page =
        context.store.webhooks(&member.company, after, limit, |webhook| member.manages(webhook)).await?;
    let now = context.now();
    let data: Vec<_> = page.webhooks.iter().map(|webhook| Shown::new(webhook, now)).collect();
    let next = page.next.map(|next| next.to_string());
    Ok(answer(StatusCode::OK, &Answer::of_webhooks(Some(data)).continued_at(next)))
}

/// `POST /v1/webhooks`: creates one.
pub(crate) async fn create(
    State(context): State<Arc<Context>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let member = writer(&context, &parts).await?;
    let subscription = read_subscription(&context, &parts, body, &member).await?;
    let id = context.store.next_webhook_id().await?;
    let signing_secret = SigningSecret::from_random(context.random());
    let webhook = new_webhook(&context, id, member, subscription, &signing_secret)?;
    let quota = context.config.policies.pipedrive.quota;
    match context.store.create_webhook(&NewWebhook { webhook: webhook.clone(), quota }).await? {
        Creation::QuotaReached => Err(Refusal::QuotaReached),
        Creation::NotInstalled => Err(Refusal::Unauthorized),
        Creation::Created => {
            let shown = Shown::with_signing_secret(&webhook, signing_secret, context.now());
            Ok(answer(StatusCode::CREATED, &Answer::of_webhooks(Some(shown))))
        }
    }
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
    check_target(&subscription.target, &addresses).await?;
    Ok(subscription)
}

/// Where webhooks may point to: not to the host that this request came to.
fn addresses(context: &Context, parts: &Parts) -> AddressPolicy {
    let mut addresses = context.config.addresses.clone();
    addresses.own_hosts.extend(request::host(parts).map(str::to_owned));
    addresses
}

async fn check_target(target: &Target, addresses: &AddressPolicy) -> Result<(), Refusal> {
    check_host(&target.host, addresses).await.map_err(|refused| Target::unreachable(&refused).into())
}

fn new_webhook(
    context: &Context,
    id: WebhookId,
    member: Member,
    subscription: Subscription,
    signing_secret: &str,
) -> Result<Webhook, Refusal> {
    let password = subscription.http_auth_password.as_ref();
    let sealed_password =
        password.map(|Secret(password)| seal(context, password, &password_place(&member.company, id)));
    Ok(Webhook {
        id,
        signing_secret: seal(context, signing_secret, &signing_secret_place(&member.company, id))?,
        http_auth_password: sealed_password.transpose()?,
        company: member.company,
        owner: member.user,
        app: member.app,
        contact: member.contact,
        generation: member.generation,
        user: subscription.user,
        pattern: subscription.pattern,
        url: subscription.target.url,
        name: subscription.name,
        http_auth_user: subscription.http_auth_user,
        added_at: context.now(),
        removed_at: None,
        remove_reason: None,
        enabled: true,
        switched_off_at: None,
        changed_at: None,
        health: Health::default(),
    })
}

fn seal(context: &Context, secret: &str, place: &str) -> Result<Sealed, Refusal> {
    context.key_ring.seal(secret, place).map_err(|error| Refusal::Unavailable(error.into()))
}

/// `GET /v1/webhooks/{id}`: shows one, with how it fares at this moment. One that was removed is shown for a week, with why.
pub(crate) async fn read(
    State(context): State<Arc<Context>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let member = request::member(&context, &parts).await?;
    if !member.may_read() {
        return Err(Refusal::Scope);
    }
    let StoredWebhook { webhook, .. } = find(&context, &member, id).await?;
    if !member.manages(&webhook) {
        return Err(Refusal::Forbidden);
    }
    let last = context.store.last_end(&webhook.company, webhook.id).await?;
    let shown = Shown::with_health(&webhook, last.as_ref(), context.now());
    Ok(answer(StatusCode::OK, &Answer::of_webhooks(Some(shown))))
}

/// The webhook of the caller's company that a path names, removed ones included.
async fn find(
    context: &Context,
    member: &Member,
    id: Result<Path<String>, PathRejection>,
) -> Result<StoredWebhook, Refusal> {
    let id: Option<WebhookId> = id.ok().and_then(|Path(id)| id.parse().ok());
    let stored = context.store.webhook(&member.company, id.ok_or(Refusal::NotFound("id"))?).await?;
    // What an earlier installation of the caller's app has left is gone, to the caller.
    stored.filter(|stored| !member.has_outlived(&stored.webhook)).ok_or(Refusal::NotFound("id"))
}

/// `DELETE /v1/webhooks/{id}`: removes one. Once it is answered, no attempt starts.
pub(crate) async fn remove(
    State(context): State<Arc<Context>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let member = writer(&context, &parts).await?;
    let stored = find(&context, &member, id).await?;
    let reason = RemoveReason::Deleted;
    match context
        .store
        .remove_webhook(stored, reason, context.now(), |webhook| member.manages(webhook))
        .await?
    {
        Removal::Removed(webhook, announcement) => {
            announce(&context, &webhook, &[announcement]).await;
            Ok(answer(StatusCode::OK, &Answer::<()>::of_webhooks(None)))
        }
        Removal::AlreadyGone => Err(Refusal::NotFound("id")),
        Removal::Kept => Err(Refusal::Forbidden),
    }
}

async fn writer(context: &Context, parts: &Parts) -> Result<Member, Refusal> {
    let member = request::member(context, parts).await?;
    if member.may_write() { Ok(member) } else { Err(Refusal::Scope) }
}
