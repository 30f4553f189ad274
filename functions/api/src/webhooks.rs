//! Webhooks, as Pipedrive's clients manage them (facts: Pipedrive, Management API).

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{StatusCode, request::Parts},
    response::Response,
};
use knockback::{
    Context,
    domain::{FieldErrors, Health, Member, Secret, Subscription, Timestamp, UserId, Webhook, WebhookId},
    seal::{password_place, signing_secret_place},
    sender::{check_host, signing::SigningSecret},
    store::{Creation, NewWebhook, Removal},
};
use serde::Serialize;

use crate::{
    answer::{Answer, Refusal, answer},
    request,
};

/// The most webhooks that a caller can ask for at once.
const LIMIT_MAX: usize = 500;

/// The most webhooks for a caller who asks for no number. The dialect's clients know no cursor and expect all; more than
/// this would not fit into an answer of Lambda's.
const UNLIMITED_MAX: usize = 5000;

/// Why a webhook is gone that its owner deleted.
const REMOVED_BY_CALLER: &str = "deleted by its owner";

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
            let shown = Shown { signing_secret: Some(signing_secret), ..Shown::new(&webhook, context.now()) };
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
    let mut addresses = context.config.addresses.clone();
    addresses.own_hosts.extend(request::host(parts).map(str::to_owned));
    let subscription = Subscription::parse(&request::body(body).await?, member, &addresses)?;
    if member.company.as_number().is_none() || member.user.as_number().is_none() {
        return Err(
            FieldErrors::of("api_token", "must be of a company and a user whose ids are integers").into()
        );
    }
    match check_host(&subscription.host, &addresses).await {
        Ok(()) => Ok(subscription),
        Err(refused) => Err(Subscription::unreachable(&refused).into()),
    }
}

fn new_webhook(
    context: &Context,
    id: WebhookId,
    member: Member,
    subscription: Subscription,
    signing_secret: &str,
) -> Result<Webhook, Refusal> {
    let seal = |text: &str, place: &str| {
        context.key_ring.seal(text, place).map_err(|error| Refusal::Unavailable(error.into()))
    };
    let password = subscription.http_auth_password.as_ref();
    let sealed_password =
        password.map(|Secret(password)| seal(password, &password_place(&member.company, id)));
    Ok(Webhook {
        id,
        signing_secret: seal(signing_secret, &signing_secret_place(&member.company, id))?,
        http_auth_password: sealed_password.transpose()?,
        company: member.company,
        owner: member.user,
        app: member.app,
        generation: member.generation,
        user: subscription.user,
        pattern: subscription.pattern,
        url: subscription.url,
        name: subscription.name,
        http_auth_user: subscription.http_auth_user,
        added_at: context.now(),
        removed_at: None,
        remove_reason: None,
        health: Health::default(),
    })
}

/// `DELETE /v1/webhooks/{id}`: removes one. Once it is answered, no attempt starts.
pub(crate) async fn remove(
    State(context): State<Arc<Context>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let member = writer(&context, &parts).await?;
    let id: Option<WebhookId> = id.ok().and_then(|Path(id)| id.parse().ok());
    let stored = context.store.webhook(&member.company, id.ok_or(Refusal::NotFound("id"))?).await?;
    let webhook = stored.map(|stored| stored.webhook);
    let webhook = webhook.filter(|webhook| webhook.removed_at.is_none() && !member.has_outlived(webhook));
    let webhook = webhook.ok_or(Refusal::NotFound("id"))?;
    if !member.manages(&webhook) {
        return Err(Refusal::Forbidden);
    }
    match context.store.remove_webhook(&webhook, REMOVED_BY_CALLER, context.now()).await? {
        Removal::Removed => Ok(answer(StatusCode::OK, &Answer::<()>::of_webhooks(None))),
        Removal::AlreadyGone => Err(Refusal::NotFound("id")),
    }
}

async fn writer(context: &Context, parts: &Parts) -> Result<Member, Refusal> {
    let member = request::member(context, parts).await?;
    if member.may_write() { Ok(member) } else { Err(Refusal::Scope) }
}

/// A webhook as the dialect shows it.
#[derive(Serialize)]
struct Shown<'a> {
    id: WebhookId,
    company_id: Option<u64>,
    owner_id: Option<u64>,
    user_id: Option<u64>,
    event_action: &'a str,
    event_object: &'a str,
    subscription_url: &'a str,
    version: &'static str,
    is_active: u8,
    add_time: String,
    remove_time: Option<String>,
    r#type: &'static str,
    http_auth_user: Option<&'a str>,
    /// Never shown.
    http_auth_password: Option<&'static str>,
    remove_reason: Option<&'a str>,
    last_delivery_time: Option<String>,
    last_http_status: Option<u16>,
    admin_id: Option<u64>,
    name: Option<&'a str>,
    /// Shown once, to who creates the webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
}

impl<'a> Shown<'a> {
    fn new(webhook: &'a Webhook, now: Timestamp) -> Self {
        let owner = UserId::as_number(&webhook.owner);
        Self {
            id: webhook.id,
            company_id: webhook.company.as_number(),
            owner_id: owner,
            user_id: webhook.user.as_number(),
            event_action: &webhook.pattern.action,
            event_object: &webhook.pattern.object,
            subscription_url: &webhook.url,
            version: webhook.pattern.version.as_str(),
            is_active: u8::from(webhook.is_active(now)),
            add_time: webhook.added_at.to_string(),
            remove_time: webhook.removed_at.map(|at| at.to_string()),
            r#type: webhook.kind(),
            http_auth_user: webhook.http_auth_user.as_deref(),
            http_auth_password: None,
            remove_reason: webhook.remove_reason.as_deref(),
            last_delivery_time: webhook.health.last_attempt_at().map(|at| at.to_string()),
            last_http_status: webhook.health.last_http_status,
            admin_id: owner,
            name: webhook.name.as_deref(),
            signing_secret: None,
        }
    }
}
