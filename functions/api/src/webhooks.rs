//! What callers do with webhooks, in whichever dialect they ask for it.

use axum::http::request::Parts;
use knockback::{
    Context,
    bus::announce,
    domain::{
        AddressPolicy, Amendment, Edit, Health, Member, Refused, RemoveReason, RotatedTooOften, Secret,
        Subscription, Target, Webhook, WebhookId,
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
    check_host(&target.host, addresses, &*context.internet.resolver).await.err()
}

/// Creates a webhook. Answers with it and its signing secret, which is shown this once.
pub(crate) async fn create(
    context: &Context,
    id: WebhookId,
    member: Member,
    subscription: Subscription,
) -> Result<(Webhook, String), Refusal> {
    let signing_secret = SigningSecret::from_random(context.random());
    let webhook = new_webhook(context, id, member, subscription, &signing_secret).await?;
    let quota = context.config.policies.of(webhook.dialect()).quota;
    match context.store.create_webhook(&NewWebhook { webhook: webhook.clone(), quota }).await? {
        Creation::QuotaReached => Err(Refusal::QuotaReached),
        Creation::NotInstalled => Err(Refusal::Unauthorized),
        Creation::Created => Ok((webhook, signing_secret)),
    }
}

async fn new_webhook(
    context: &Context,
    id: WebhookId,
    member: Member,
    subscription: Subscription,
    signing_secret: &str,
) -> Result<Webhook, Refusal> {
    let (sealer, company) = (&context.sealer, &member.company);
    let http_auth_password = match &subscription.http_auth_password {
        Some(Secret(password)) => Some(sealer.seal(password, &password_place(company, id)).await?),
        None => None,
    };
    Ok(Webhook {
        id,
        signing_secret: sealer.seal(signing_secret, &signing_secret_place(company, id)).await?,
        former_signing_secrets: Vec::new(),
        http_auth_password,
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
    read: StoredWebhook,
    amendment: &Amendment,
) -> Result<Webhook, Refusal> {
    let password = match &amendment.http_auth_password {
        Edit::Set(Secret(password)) => {
            let place = password_place(&read.webhook.company, read.webhook.id);
            Some(context.sealer.seal(password, &place).await?)
        }
        Edit::Keep | Edit::Clear => None,
    };
    let changed = |webhook: &Webhook| Ok(amendment.apply(webhook, password.clone(), context.now()));
    write(context, member, read, changed).await
}

/// Gives a webhook that was read a new signing secret. Answers with the webhook and the secret.
pub(crate) async fn rotate(
    context: &Context,
    member: &Member,
    read: StoredWebhook,
) -> Result<(Webhook, String), Refusal> {
    check_managed(member, &read.webhook)?;
    let secret = SigningSecret::from_random(context.random());
    let place = signing_secret_place(&read.webhook.company, read.webhook.id);
    let sealed = context.sealer.seal(&secret, &place).await?;
    let rotated = |webhook: &Webhook| {
        if webhook.signing_secret == sealed {
            // It is written, though nobody said so.
            return Ok(webhook.clone());
        }
        let rotated = webhook.rotated(sealed.clone(), context.now());
        rotated.map_err(|RotatedTooOften { again_at }| Refusal::RotatedTooOften(again_at))
    };
    Ok((write(context, member, read, rotated).await?, secret))
}

/// Writes what is to become of a webhook that was read; what somebody else changes meanwhile is taken into account.
async fn write(
    context: &Context,
    member: &Member,
    mut read: StoredWebhook,
    change: impl Fn(&Webhook) -> Result<Webhook, Refusal>,
) -> Result<Webhook, Refusal> {
    for round in 0..TRIES {
        check_managed(member, &read.webhook)?;
        let changed = change(&read.webhook)?;
        match context.store.change_webhook(&read, &changed, context.now()).await? {
            Changed::Written => return Ok(changed),
            Changed::Meanwhile(webhook) => read = *webhook,
        }
        context.store.back_off(round).await;
    }
    Err(StoreError::Contention { operation: "changing a webhook" }.into())
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
