//! What callers do with webhooks, in whichever dialect they ask for it.

use axum::http::request::Parts;
use knockback::{
    Context,
    bus::announce,
    domain::{
        AddressPolicy, Amendment, Edit, Health, Member, Refused, RemoveReason, Sealed, Secret, Subscription,
        Target, Webhook, WebhookId,
    },
    seal::{password_place, signing_secret_place},
    sender::{check_host, signing::SigningSecret},
    store::{Changed, Creation, NewWebhook, Removal, StoreError, StoredWebhook},
};

use crate::{answer::Refusal, request};

/// How often a change is made again because somebody else changed the webhook meanwhile.
const TRIES: u32 = 20;

/// Where webhooks may point to: not to the host that this request came to.
pub(crate) fn addresses(context: &Context, parts: &Parts) -> AddressPolicy {
    let mut addresses = context.config.addresses.clone();
    addresses.own_hosts.extend(request::host(parts).map(str::to_owned));
    addresses
}

/// Looks up where a URL leads to: why a webhook must not have it, if so.
pub(crate) async fn refused(
    context: &Context,
    target: &Target,
    addresses: &AddressPolicy,
) -> Option<Refused> {
    check_host(&target.host, addresses, &*context.resolver).await.err()
}

/// Creates a webhook. Answers with it and its signing secret, which is shown this once.
pub(crate) async fn create(
    context: &Context,
    id: WebhookId,
    member: Member,
    subscription: Subscription,
) -> Result<(Webhook, String), Refusal> {
    let signing_secret = SigningSecret::from_random(context.random());
    let webhook = new_webhook(context, id, member, subscription, &signing_secret)?;
    let quota = context.config.policies.of(webhook.dialect()).quota;
    match context.store.create_webhook(&NewWebhook { webhook: webhook.clone(), quota }).await? {
        Creation::QuotaReached => Err(Refusal::QuotaReached),
        Creation::NotInstalled => Err(Refusal::Unauthorized),
        Creation::Created => Ok((webhook, signing_secret)),
    }
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
        enabled: subscription.enabled,
        switched_off_at: None,
        changed_at: None,
        health: Health::default(),
    })
}

fn seal(context: &Context, secret: &str, place: &str) -> Result<Sealed, Refusal> {
    context.key_ring.seal(secret, place).map_err(|error| Refusal::Unavailable(error.into()))
}

/// A webhook of the caller's company, removed ones included.
pub(crate) async fn find(
    context: &Context,
    member: &Member,
    id: WebhookId,
) -> Result<Option<StoredWebhook>, Refusal> {
    let stored = context.store.webhook(&member.company, id).await?;
    // What an earlier installation of the caller's app has left is gone, to the caller.
    Ok(stored.filter(|stored| !member.has_outlived(&stored.webhook)))
}

/// Why a webhook is not the caller's to change now, if it is not.
pub(crate) fn check_managed(member: &Member, webhook: &Webhook) -> Result<(), Refusal> {
    if webhook.removed_at.is_some() {
        return Err(Refusal::NotFound("id"));
    }
    if member.manages(webhook) { Ok(()) } else { Err(Refusal::Forbidden) }
}

/// Changes a webhook that was read, and answers with what it is now.
///
/// What is queued already acts on the webhook as it is when its turn comes: the new URL, the new credentials. An event
/// that is posted after the answer is matched by the new pattern.
pub(crate) async fn change(
    context: &Context,
    member: &Member,
    mut read: StoredWebhook,
    amendment: &Amendment,
) -> Result<Webhook, Refusal> {
    for round in 0..TRIES {
        check_managed(member, &read.webhook)?;
        let changed = amended(context, &read.webhook, amendment)?;
        match context.store.change_webhook(&read, &changed, context.now()).await? {
            Changed::Written => return Ok(changed),
            Changed::Meanwhile(webhook) => read = *webhook,
        }
        context.store.back_off(round).await;
    }
    Err(StoreError::Contention { operation: "changing a webhook" }.into())
}

fn amended(context: &Context, webhook: &Webhook, amendment: &Amendment) -> Result<Webhook, Refusal> {
    let place = password_place(&webhook.company, webhook.id);
    let password = match &amendment.http_auth_password {
        Edit::Set(Secret(password)) => Some(seal(context, password, &place)?),
        Edit::Keep | Edit::Clear => None,
    };
    Ok(amendment.apply(webhook, password, context.now()))
}

/// Removes a webhook that was read. Once this returns, no attempt starts.
pub(crate) async fn remove(context: &Context, member: &Member, read: StoredWebhook) -> Result<(), Refusal> {
    let (store, reason) = (&context.store, RemoveReason::Deleted);
    match store.remove_webhook(read, reason, context.now(), |webhook| member.manages(webhook)).await? {
        Removal::Removed(webhook, announcement) => {
            announce(context, &webhook, &[announcement]).await;
            Ok(())
        }
        Removal::AlreadyGone => Err(Refusal::NotFound("id")),
        Removal::Kept => Err(Refusal::Forbidden),
    }
}
