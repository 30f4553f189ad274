//! Every key of both tables: its builder and its parser, side by side (design: Data).
//!
//! Ids cannot contain `#`, so no two things share a key.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::domain::{AppId, AttemptNumber, CompanyId, DeliveryId, EventId, UserId, WebhookId};

/// The primary key of an item, in either table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

/// Names one attempt of one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttemptKey {
    /// The company.
    pub company: CompanyId,
    /// The webhook.
    pub webhook: WebhookId,
    /// The delivery.
    pub delivery: DeliveryId,
    /// Which attempt of it.
    pub number: AttemptNumber,
}

impl Key {
    fn new(pk: String, sk: impl Into<String>) -> Self {
        Self { pk, sk: sk.into() }
    }

    pub(super) fn webhook(company: &CompanyId, webhook: WebhookId) -> Self {
        Self::new(Self::company(company), webhook_sk(webhook))
    }

    /// The partition of a company's webhooks and quotas.
    pub(super) fn company(company: &CompanyId) -> String {
        format!("C#{company}")
    }

    /// The partition of the routes for one object, which may be `*`.
    pub(super) fn routes(company: &CompanyId, object: &str) -> String {
        format!("C#{company}#O#{object}")
    }

    pub(super) fn route(company: &CompanyId, object: &str, webhook: WebhookId) -> Self {
        Self::new(Self::routes(company, object), webhook_sk(webhook))
    }

    pub(super) fn quota(company: &CompanyId, app: Option<&AppId>, user: &UserId) -> Self {
        let app = app.map_or("", AppId::as_str);
        Self::new(Self::company(company), format!("Q#{app}#{user}"))
    }

    pub(super) fn token(sha256: &str) -> Self {
        Self::new(format!("T#{sha256}"), "T")
    }

    pub(super) fn sequence() -> Self {
        Self::new("S".to_owned(), "webhook")
    }

    pub(super) fn event(company: &CompanyId, event: &EventId) -> Self {
        Self::new(format!("C#{company}#E#{event}"), "E")
    }

    pub(super) fn attempt(key: &AttemptKey) -> Self {
        let AttemptKey { company, webhook, delivery, number } = key;
        Self::new(
            format!("C#{company}#{}", webhook_sk(*webhook)),
            format!("{delivery}#{:02}", number.as_number()),
        )
    }

    pub(super) fn into_item(self) -> HashMap<String, AttributeValue> {
        [("pk".to_owned(), AttributeValue::S(self.pk)), ("sk".to_owned(), AttributeValue::S(self.sk))].into()
    }
}

/// What the sort keys of webhooks begin with.
pub(super) const WEBHOOK_PREFIX: &str = "W#";

/// Padded, so that webhooks are listed in the order of their numbers.
pub(super) fn webhook_sk(webhook: WebhookId) -> String {
    format!("{WEBHOOK_PREFIX}{:016}", webhook.as_number())
}

/// The webhook that a sort key names.
pub(super) fn webhook_of(sk: &str) -> Option<WebhookId> {
    sk.strip_prefix(WEBHOOK_PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_read_back_from_its_sort_key_and_keys_sort_by_number() {
        for number in [1, 42, 9_007_199_254_740_993] {
            assert_eq!(webhook_of(&webhook_sk(WebhookId::new(number))), Some(WebhookId::new(number)));
        }
        assert!(webhook_sk(WebhookId::new(9)) < webhook_sk(WebhookId::new(10)));
        assert_eq!(webhook_of("Q##10"), None);
    }

    #[test]
    fn general_and_application_quotas_never_meet() {
        let company = "1".parse().expect("an id");
        let (app, user) = ("10".parse().expect("an id"), "10".parse().expect("an id"));
        assert_ne!(Key::quota(&company, None, &user), Key::quota(&company, Some(&app), &user));
        assert_eq!(Key::quota(&company, None, &user).sk, "Q##10");
    }
}
