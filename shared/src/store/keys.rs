//! Every key of both tables: its builder and its parser, side by side (design: Data).
//!
//! Ids cannot contain `#`, so no two things share a key.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::domain::{
    Announcement, AppId, AttemptNumber, CompanyId, DeliveryId, EventId, Generation, Installation, Notice,
    RemovalTarget, Timestamp, UserId, Webhook, WebhookId,
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

    /// A quota of its own for each generation: what is removed from an earlier one makes no room in the present one.
    pub(super) fn quota(
        company: &CompanyId,
        app: Option<&AppId>,
        user: &UserId,
        generation: Generation,
    ) -> Self {
        let app = app.map_or("", AppId::as_str);
        let sk = if generation.is_first() {
            format!("Q#{app}#{user}")
        } else {
            format!("Q#{app}#{user}#{}.{}", generation.app, generation.installation)
        };
        Self::new(Self::company(company), sk)
    }

    pub(super) fn app(app: &AppId) -> Self {
        Self::new(format!("A#{app}"), "A")
    }

    pub(super) fn installation(installation: &Installation) -> Self {
        let Installation { company, app, user } = installation;
        Self::new(Self::company(company), format!("A#{app}#{user}"))
    }

    /// The last hold of an app in a company, whichever user has the app. No user's id is empty.
    pub(super) fn hold(company: &CompanyId, app: &AppId) -> Self {
        Self::new(Self::company(company), format!("A#{app}"))
    }

    /// The item that keeps the life of what is removed.
    pub(super) fn life(target: &RemovalTarget) -> Self {
        match target {
            RemovalTarget::App(app) => Self::app(app),
            RemovalTarget::Installation(installation) => Self::installation(installation),
        }
    }

    pub(super) fn token(sha256: &str) -> Self {
        Self::new(format!("{TOKEN_PREFIX}{sha256}"), "T")
    }

    /// The item by which a company's tokens are listed.
    pub(super) fn listed_token(company: &CompanyId, sha256: &str) -> Self {
        Self::new(Self::company(company), format!("{TOKEN_PREFIX}{sha256}"))
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

    /// What is noted of a mail. Nobody looks for notes, so none is read back from its key.
    pub(super) fn notice(notice: &Notice) -> Self {
        let attempts = Self::attempts(&notice.company, notice.webhook);
        Self::new(format!("{attempts}#N"), notice.id.to_string())
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

/// What the partition keys of tokens, and their sort keys in a company's list, begin with.
pub(super) const TOKEN_PREFIX: &str = "T#";

/// The index of what apps have.
pub(super) const BY_APP: &str = "by_app";

/// What an app's webhooks and tokens are sorted by in that index.
pub(super) fn index_sk(company: &CompanyId, user: &UserId) -> String {
    format!("{company}#{user}")
}

/// Where something stands in the index of what apps have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IndexKey {
    pub(super) pk: String,
    pub(super) sk: String,
    pub(super) app: AppId,
    pub(super) installation: String,
}

impl IndexKey {
    pub(super) fn key(&self) -> Key {
        Key { pk: self.pk.clone(), sk: self.sk.clone() }
    }

    /// As text, to go on behind it. No key contains white space.
    pub(super) fn cursor(&self) -> String {
        format!("{} {} {}", self.installation, self.pk, self.sk)
    }

    /// Reads what [`IndexKey::cursor`] wrote.
    pub(super) fn behind(app: &AppId, cursor: &str) -> Option<Self> {
        let mut parts = cursor.split(' ').map(str::to_owned);
        let (installation, pk, sk) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { pk, sk, app: app.clone(), installation })
    }
}

/// Numbers are padded, so that webhooks are listed in their order. A UUID has hyphens, and so is never taken for one.
pub(super) fn webhook_sk(webhook: WebhookId) -> String {
    match webhook {
        WebhookId::Number(number) => format!("{WEBHOOK_PREFIX}{number:016}"),
        WebhookId::Uuid(_) => format!("{WEBHOOK_PREFIX}{webhook}"),
    }
}

/// The token that a key names: its own, or the one in its company's list.
pub(super) fn token_of(key: &str) -> Option<&str> {
    key.strip_prefix(TOKEN_PREFIX)
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
        let numbers = [1, 42, 9_007_199_254_740_993].map(WebhookId::new);
        for webhook in numbers.into_iter().chain([WebhookId::from_random([7; 16])]) {
            assert_eq!(webhook_of(&webhook_sk(webhook)), Some(webhook));
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
    fn general_and_application_quotas_never_meet_nor_do_those_of_two_generations() {
        let company = "1".parse().expect("an id");
        let (app, user) = ("10".parse().expect("an id"), "10".parse().expect("an id"));
        let quota = |app, app_life, installation| {
            Key::quota(&company, app, &user, Generation { app: app_life, installation })
        };
        assert_ne!(quota(None, 0, 0), quota(Some(&app), 0, 0));
        assert_eq!(quota(None, 0, 0).sk, "Q##10");
        assert_ne!(quota(Some(&app), 0, 1), quota(Some(&app), 0, 0));
        assert_ne!(quota(Some(&app), 0, 1), quota(Some(&app), 1, 0));
    }

    #[test]
    fn a_place_in_the_index_is_read_back_from_its_cursor() {
        let app: AppId = "crm-sync".parse().expect("an id");
        let (company, user) = ("1".parse().expect("an id"), "10".parse().expect("an id"));
        let Key { pk, sk } = Key::webhook(&company, WebhookId::new(7));
        let key = IndexKey { pk, sk, app: app.clone(), installation: index_sk(&company, &user) };
        assert_eq!(IndexKey::behind(&app, &key.cursor()), Some(key));
        assert_eq!(IndexKey::behind(&app, "1#10"), None);
    }
}
