//! A webhook in an answer.

use knockback::domain::{AttemptEnd, RemoveReason, Timestamp, UserId, Webhook, WebhookId};
use serde::Serialize;

/// A webhook as the dialect shows it.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
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
    remove_reason: Option<RemoveReason>,
    last_delivery_time: Option<String>,
    last_http_status: Option<u16>,
    admin_id: Option<u64>,
    name: Option<&'a str>,
    /// Shown once, to who creates the webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
    #[serde(flatten)]
    health: Option<ShownHealth>,
}

/// What is shown of one webhook beyond the dialect.
#[derive(Serialize)]
struct ShownHealth {
    strikes: u32,
    banned_until: Option<String>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(webhook: &'a Webhook, now: Timestamp) -> Self {
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
            remove_reason: webhook.remove_reason,
            last_delivery_time: webhook.health.last_attempt_at().map(|at| at.to_string()),
            last_http_status: webhook.health.last_http_status,
            admin_id: owner,
            name: webhook.name.as_deref(),
            signing_secret: None,
            health: None,
        }
    }

    /// With the secret that is shown once.
    pub(super) fn with_signing_secret(webhook: &'a Webhook, signing_secret: String, now: Timestamp) -> Self {
        Self { signing_secret: Some(signing_secret), ..Self::new(webhook, now) }
    }

    /// With how it fares now; `last` is how its last attempt ended, where the log knows more than the webhook.
    pub(super) fn with_health(webhook: &'a Webhook, last: Option<&AttemptEnd>, now: Timestamp) -> Self {
        let health = &webhook.health;
        let banned_until =
            health.banned_until.filter(|_| health.is_banned(now)).map(|until| until.to_string());
        let mut shown = Self {
            health: Some(ShownHealth { strikes: health.strikes_at(now), banned_until }),
            ..Self::new(webhook, now)
        };
        if let Some(last) = last.filter(|last| Some(last.ended_at) >= health.last_attempt_at()) {
            shown.last_delivery_time = Some(last.ended_at.to_string());
            shown.last_http_status = last.status;
        }
        shown
    }
}
