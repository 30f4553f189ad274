//! A webhook in an answer.

use axum::http::request::Parts;
use knockback::{
    Context,
    domain::{CompanyId, Webhook, WebhookId},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    description::{EventType, ShopWebhookId, Time},
    request,
};

/// A webhook as the dialect shows it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ShopWebhook)]
pub(super) struct Shown<'a> {
    #[schema(value_type = ShopWebhookId)]
    webhook_id: WebhookId,
    active: bool,
    #[schema(value_type = EventType)]
    event_type: String,
    callback_url: &'a str,
    #[schema(value_type = Time)]
    created_on: String,
    #[schema(value_type = Time)]
    updated_on: String,
    links: [Link; 1],
}

/// A webhook that was just created.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CreatedShopWebhook)]
pub(super) struct Created<'a> {
    #[serde(flatten)]
    webhook: Shown<'a>,
    /// What its deliveries are signed with, after Standard Webhooks. It is shown this once.
    signing_secret: String,
}

/// Where something is to be found.
#[derive(Serialize, ToSchema)]
pub(super) struct Link {
    pub(super) rel: &'static str,
    pub(super) href: String,
}

/// The shop that a request came to.
pub(super) struct Shop {
    /// The URL of its webhooks, as the caller knows it.
    webhooks_url: String,
}

impl Shop {
    pub(super) fn new(context: &Context, parts: &Parts, company: &CompanyId) -> Self {
        let host = request::host(parts).or(context.config.host.as_deref()).unwrap_or_default();
        let scheme = request::scheme(parts);
        Self { webhooks_url: format!("{scheme}://{host}/rs/shops/{company}/webhooks") }
    }

    pub(super) fn shown<'a>(&self, webhook: &'a Webhook) -> Shown<'a> {
        let href = format!("{}/{}", self.webhooks_url, webhook.id);
        Shown {
            webhook_id: webhook.id,
            active: webhook.enabled,
            event_type: webhook.pattern.event_type(),
            callback_url: &webhook.url,
            created_on: webhook.added_at.to_string(),
            updated_on: webhook.changed_at.unwrap_or(webhook.added_at).to_string(),
            links: [Link { rel: "self", href }],
        }
    }

    /// With the secret that is shown once.
    pub(super) fn created<'a>(&self, webhook: &'a Webhook, signing_secret: String) -> Created<'a> {
        Created { webhook: self.shown(webhook), signing_secret }
    }

    /// A link to a page of the list.
    pub(super) fn page_link(&self, rel: &'static str, number: usize, size: usize) -> Link {
        Link { rel, href: format!("{}?page={number}&resultsPerPage={size}", self.webhooks_url) }
    }
}
