//! A webhook in an answer.

use knockback::domain::{AttemptEnd, RemoveReason, Timestamp, UserId, Webhook, WebhookId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::description;

/// A webhook as the dialect shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct Shown<'a> {
    #[schema(value_type = description::WebhookId)]
    id: WebhookId,
    #[schema(required)]
    company_id: Option<u64>,
    /// Whose it is.
    #[schema(required)]
    owner_id: Option<u64>,
    /// Whose permissions decide what it gets.
    #[schema(required)]
    user_id: Option<u64>,
    event_action: &'a str,
    event_object: &'a str,
    subscription_url: &'a str,
    /// `1.0` or `2.0`; `epages` for a webhook of the ePages dialect.
    #[schema(pattern = r"^(1\.0|2\.0|epages)$")]
    version: &'static str,
    /// 0 while it is banned or switched off, else 1.
    #[schema(maximum = 1)]
    is_active: u8,
    #[schema(value_type = description::Time)]
    add_time: String,
    #[schema(value_type = Option<description::Time>, required)]
    remove_time: Option<String>,
    /// `application` for an app's, else `general`.
    #[schema(pattern = "^(general|application)$")]
    r#type: &'static str,
    #[schema(required)]
    http_auth_user: Option<&'a str>,
    /// Never shown.
    #[schema(value_type = description::Nothing)]
    http_auth_password: Option<&'static str>,
    /// `deleted`, `stale`, `app_removed` or `app_uninstalled`.
    #[schema(value_type = Option<String>, required, pattern = "^(deleted|stale|app_removed|app_uninstalled)$")]
    remove_reason: Option<RemoveReason>,
    #[schema(value_type = Option<description::Time>, required)]
    last_delivery_time: Option<String>,
    #[schema(required)]
    last_http_status: Option<u16>,
    #[schema(required)]
    admin_id: Option<u64>,
    #[schema(required)]
    name: Option<&'a str>,
}

/// A webhook that was just created.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedWebhook)]
pub(super) struct Created<'a> {
    #[serde(flatten)]
    webhook: Shown<'a>,
    /// What its deliveries are signed with, after Standard Webhooks. It is shown this once.
    signing_secret: String,
}

/// A webhook, and how it fares now.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookNow)]
pub(super) struct Fares<'a> {
    #[serde(flatten)]
    webhook: Shown<'a>,
    /// Failed original attempts that count towards a ban.
    strikes: u32,
    #[schema(value_type = Option<description::Time>, required)]
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
        }
    }
}

impl<'a> Created<'a> {
    pub(super) fn new(webhook: &'a Webhook, signing_secret: String, now: Timestamp) -> Self {
        Self { webhook: Shown::new(webhook, now), signing_secret }
    }
}

impl<'a> Fares<'a> {
    /// `last` is how its last attempt ended, where the log knows more than the webhook.
    pub(super) fn new(webhook: &'a Webhook, last: Option<&AttemptEnd>, now: Timestamp) -> Self {
        let health = &webhook.health;
        let banned_until =
            health.banned_until.filter(|_| health.is_banned(now)).map(|until| until.to_string());
        let mut shown = Shown::new(webhook, now);
        if let Some(last) = last.filter(|last| Some(last.ended_at) >= health.last_attempt_at()) {
            shown.last_delivery_time = Some(last.ended_at.to_string());
            shown.last_http_status = last.status;
        }
        Self { webhook: shown, strikes: health.strikes_at(now), banned_until }
    }
}
