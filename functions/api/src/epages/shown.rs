//! A webhook in an answer.

use axum::http::request::Parts;
use knockback::{
    Context,
    domain::{CompanyId, Webhook, WebhookId},
};
use serde::Serialize;

use crate::request;

/// A webhook as the dialect shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown<'a> {
    webhook_id: WebhookId,
    active: bool,
    event_type: String,
    callback_url: &'a str,
    created_on: String,
    updated_on: String,
    links: [Link; 1],
    /// Shown once, to who creates the webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
}

/// Where something is to be found.
#[derive(Serialize)]
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
            signing_secret: None,
        }
    }

    /// With the secret that is shown once.
    pub(super) fn created<'a>(&self, webhook: &'a Webhook, signing_secret: String) -> Shown<'a> {
        Shown { signing_secret: Some(signing_secret), ..self.shown(webhook) }
    }

    /// A link to a page of the list.
    pub(super) fn page_link(&self, rel: &'static str, number: usize, size: usize) -> Link {
        Link { rel, href: format!("{}?page={number}&resultsPerPage={size}", self.webhooks_url) }
    }
}
