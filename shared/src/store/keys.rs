//! Every key of both tables: its builder and its parser, side by side (design: Data).
//!
//! Ids cannot contain `#`, so no two things share a key.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::domain::{
    Announcement, AppId, AttemptNumber, CompanyId, DeliveryId, EventId, Timestamp, UserId, Webhook, WebhookId,
};

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

/// Names an announcement about a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AnnouncementKey {
    /// The company.
    pub company: CompanyId,
    /// The webhook.
    pub webhook: WebhookId,
    /// What changes, in one word.
    change: String,
    /// When.
    at: Timestamp,
}

impl AnnouncementKey {
    /// The key of an announcement.
    pub fn new(webhook: &Webhook, announcement: &Announcement) -> Self {
        let (company, change) = (webhook.company.clone(), announcement.change.word().to_owned());
        Self { company, webhook: webhook.id, change, at: announcement.at }
    }
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

    /// The company whose webhooks are in a partition.
    pub(super) fn company_of(pk: &str) -> Option<CompanyId> {
        pk.strip_prefix("C#")?.parse().ok()
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
        Self::new(Self::attempts(company, *webhook), format!("{delivery}#{:02}", number.as_number()))
    }

    /// The partition of a webhook's attempts, in the order of their deliveries' times.
    pub(super) fn attempts(company: &CompanyId, webhook: WebhookId) -> String {
        format!("C#{company}#{}", webhook_sk(webhook))
    }

    /// The attempt that the key names.
    pub(super) fn as_attempt(&self) -> Option<AttemptKey> {
        let (company, webhook) = webhook_partition(&self.pk)?;
        let (delivery, number) = self.sk.split_once('#')?;
        let number = AttemptNumber::new(number.parse().ok()?)?;
        Some(AttemptKey { company, webhook, delivery: delivery.parse().ok()?, number })
    }

    pub(super) fn announcement(key: &AnnouncementKey) -> Self {
        let AnnouncementKey { company, webhook, change, at } = key;
        Self::new(
            format!("{}#{ANNOUNCEMENTS}", Self::attempts(company, *webhook)),
            format!("{change}#{:016}", at.as_ms()),
        )
    }

    /// The announcement that the key names.
    pub(super) fn as_announcement(&self) -> Option<AnnouncementKey> {
        let (company, webhook) = webhook_partition(self.pk.strip_suffix(ANNOUNCEMENTS)?.strip_suffix('#')?)?;
        let (change, at) = self.sk.split_once('#')?;
        let at = Timestamp::from_ms(at.parse().ok()?);
        Some(AnnouncementKey { company, webhook, change: change.to_owned(), at })
    }

    pub(super) fn into_item(self) -> HashMap<String, AttributeValue> {
        [("pk".to_owned(), AttributeValue::S(self.pk)), ("sk".to_owned(), AttributeValue::S(self.sk))].into()
    }
}

/// What the partition of a webhook's announcements ends with.
const ANNOUNCEMENTS: &str = "A";

/// The company and the webhook whose attempts are in a partition.
fn webhook_partition(pk: &str) -> Option<(CompanyId, WebhookId)> {
    let (company, webhook) = pk.strip_prefix("C#")?.split_once('#')?;
    Some((company.parse().ok()?, webhook_of(webhook)?))
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
    fn attempts_and_announcements_are_read_back_from_their_keys() {
        let company: CompanyId = "demo.shop".parse().expect("an id");
        let (webhook, at) = (WebhookId::new(7), Timestamp::from_ms(1_767_225_600_000));
        let event = "e-1".parse().expect("an id");
        let delivery = DeliveryId::derive(at, &company, &event, webhook);
        let number = AttemptNumber::new(12).expect("from 1");
        let attempt = AttemptKey { company: company.clone(), webhook, delivery, number };
        assert_eq!(Key::attempt(&attempt).as_attempt(), Some(attempt.clone()));
        assert_eq!(Key::attempt(&attempt).as_announcement(), None);
        let announcement =
            AnnouncementKey { company: company.clone(), webhook, change: "banned".to_owned(), at };
        assert_eq!(Key::announcement(&announcement).as_announcement(), Some(announcement.clone()));
        assert_eq!(Key::announcement(&announcement).as_attempt(), None);
        assert_eq!(Key::company_of(&Key::company(&company)), Some(company));
    }

    #[test]
    fn general_and_application_quotas_never_meet() {
        let company = "1".parse().expect("an id");
        let (app, user) = ("10".parse().expect("an id"), "10".parse().expect("an id"));
        assert_ne!(Key::quota(&company, None, &user), Key::quota(&company, Some(&app), &user));
        assert_eq!(Key::quota(&company, None, &user).sk, "Q##10");
    }
}
