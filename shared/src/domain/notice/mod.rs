//! What an owner is told of a webhook by mail (facts: ePages, Delivery policy; Pipedrive, What its users complain of).
//!
//! It begins with Knockback's own event on the bus, which may come late and more than once. Whether there still is
//! something to tell is decided by the webhook as it is then.

mod letter;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Deserialize;
use uuid::Uuid;

pub use self::letter::Mail;
use super::{CompanyId, Registration, RemoveReason, Timestamp, Webhook, WebhookId};

/// How long a mail belongs to who is about to send it: longer than notify runs, and shorter than the visibility timeout of
/// the queue that it reads.
pub const NOTICE_LEASE: Duration = Duration::from_mins(2);

/// Something that an owner is to be told, as the bus has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Names the announcement: it is the same in every copy of the event.
    pub id: Uuid,
    /// The company.
    pub company: CompanyId,
    /// The webhook.
    pub webhook: WebhookId,
    /// What happens to it.
    pub told: Told,
    at: Timestamp,
    failing_since: Option<Timestamp>,
    last_http_status: Option<u16>,
}

/// What owners are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Their webhook is switched off: the last retry of a delivery has failed.
    Deactivated,
    /// It will be deleted as stale.
    Expiring {
        /// When, unless it recovers.
        expires_at: Timestamp,
    },
    /// It was deleted as stale.
    Deleted,
}

/// A message that is no event of Knockback's.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// It is not written as one.
    #[error("it is no event of the bus")]
    Json(#[from] serde_json::Error),
    /// Something of it is missing, or is not what it should be.
    #[error("its {0} is missing or wrong")]
    Field(&'static str),
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "detail-type")]
    detail_type: String,
    detail: Detail,
}

/// What of [`super::Detail`] is needed.
#[derive(Deserialize)]
struct Detail {
    id: String,
    company_id: CompanyId,
    webhook_id: WebhookId,
    at: String,
    reason: Option<RemoveReason>,
    failing_since: Option<String>,
    expires_at: Option<String>,
    last_http_status: Option<u16>,
}

impl Told {
    /// One word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Expiring { .. } => "expiring",
            Self::Deleted => "deleted",
        }
    }
}

impl Notice {
    /// Reads an event of the bus; `None` if it is one that owners are not told of.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn parse(json: &str) -> Result<Option<Self>, NoticeError> {
        let Envelope { detail_type, detail } = serde_json::from_str(json)?;
        let time = |name, text: &str| Timestamp::parse(text).ok_or(NoticeError::Field(name));
        let told = match (&*detail_type, detail.reason) {
            ("webhook.deactivated", _) => Told::Deactivated,
            ("webhook.expiring", _) => Told::Expiring {
                expires_at: time("expires_at", detail.expires_at.as_deref().unwrap_or_default())?,
            },
            ("webhook.deleted", Some(RemoveReason::Stale)) => Told::Deleted,
            _ => return Ok(None),
        };
        Ok(Some(Self {
            id: Uuid::try_parse(&detail.id).map_err(|_| NoticeError::Field("id"))?,
            company: detail.company_id,
            webhook: detail.webhook_id,
            told,
            at: time("at", &detail.at)?,
            failing_since: detail.failing_since.map(|since| time("failing_since", &since)).transpose()?,
            last_http_status: detail.last_http_status,
        }))
    }

    /// Whether it is still so. Who has switched the webhook on again knows; one that has recovered is not warned of, also if
    /// it fails anew: then there will be another warning.
    pub fn holds(&self, webhook: &Webhook) -> bool {
        let is_there = webhook.removed_at.is_none();
        match self.told {
            Told::Deactivated => is_there && !webhook.enabled,
            Told::Expiring { .. } => {
                is_there
                    && webhook.enabled
                    && self.failing_since.is_some()
                    && webhook.health.failing_since == self.failing_since
            }
            Told::Deleted => webhook.remove_reason == Some(RemoveReason::Stale),
        }
    }
}

/// Where the owner of a webhook is told what happens to it: where its app's developer is reached, or else who was given the
/// token that it was created with.
pub fn contact<'a>(webhook: &'a Webhook, app: Option<&'a Registration>) -> Option<&'a str> {
    app.and_then(|app| app.contact.as_deref()).or(webhook.contact.as_deref())
}
