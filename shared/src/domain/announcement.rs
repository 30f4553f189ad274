//! What the platform is told of a webhook, on the event bus.

use serde::{Deserialize, Serialize};

use super::{
    AppId, CompanyId, Health, Timestamp, UserId, Webhook, WebhookId, ids::hashed_uuid, webhook::RemoveReason,
};

/// A change of a webhook's state that the platform is told of. It is kept until the bus has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// When the state changes: it is told then, and not before.
    pub at: Timestamp,
    /// What changes.
    pub change: Change,
}

/// How a webhook's state changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Its strikes have earned a ban.
    Banned {
        /// The failed originals that did.
        strikes: u32,
        /// When the ban ends.
        until: Timestamp,
        /// What the receiver answered last; `None` if nothing.
        status: Option<u16>,
    },
    /// Its ban is over.
    Reactivated,
    /// The retries of a delivery were used up: it is switched off until its owner switches it on.
    Deactivated {
        /// What the receiver answered last; `None` if nothing.
        status: Option<u16>,
    },
    /// It will be deleted as stale.
    Expiring {
        /// When, unless it recovers.
        expires_at: Timestamp,
    },
    /// It is gone.
    Deleted {
        /// Why.
        reason: RemoveReason,
    },
}

impl Change {
    /// One word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Banned { .. } => "banned",
            Self::Reactivated => "reactivated",
            Self::Deactivated { .. } => "deactivated",
            Self::Expiring { .. } => "expiring",
            Self::Deleted { .. } => "deleted",
        }
    }

    /// The detail type of its event on the bus.
    pub const fn detail_type(self) -> &'static str {
        match self {
            Self::Banned { .. } => "webhook.banned",
            Self::Reactivated => "webhook.reactivated",
            Self::Deactivated { .. } => "webhook.deactivated",
            Self::Expiring { .. } => "webhook.expiring",
            Self::Deleted { .. } => "webhook.deleted",
        }
    }
}

/// An announcement as the bus gets it. A repeat has the same `id`; what the webhook is called may have changed since.
#[derive(Debug, Serialize)]
pub struct Detail<'a> {
    /// Names the announcement, which may come twice.
    id: String,
    company_id: &'a CompanyId,
    webhook_id: WebhookId,
    r#type: &'static str,
    app: Option<&'a AppId>,
    owner_id: Option<&'a UserId>,
    user_id: Option<&'a UserId>,
    name: Option<&'a str>,
    event_action: &'a str,
    event_object: &'a str,
    version: &'static str,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    strikes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    banned_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<RemoveReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_http_status: Option<u16>,
}

impl Announcement {
    /// Whether it is to be told: nobody is told that a webhook is active again that is gone. That it is banned anew does not
    /// matter, for that is told too.
    pub fn holds(&self, webhook: &Webhook) -> bool {
        match self.change {
            Change::Banned { .. } | Change::Deactivated { .. } | Change::Deleted { .. } => true,
            Change::Expiring { .. } => {
                let Health { failing_since, expiry_told_for, .. } = &webhook.health;
                webhook.removed_at.is_none() && failing_since.is_some() && failing_since == expiry_told_for
            }
            Change::Reactivated => {
                webhook.removed_at.is_none() && webhook.health.banned_until >= Some(self.at)
            }
        }
    }

    /// The announcement with the webhook's names. The URL is not among them, for it may hold a secret.
    pub fn detail<'a>(&self, webhook: &'a Webhook) -> Detail<'a> {
        let names =
            [webhook.company.as_str(), &webhook.id.to_string(), self.change.word(), &self.at.to_string()];
        let mut detail = Detail {
            id: hashed_uuid(&names).to_string(),
            company_id: &webhook.company,
            webhook_id: webhook.id,
            r#type: webhook.kind(),
            app: webhook.app.as_ref(),
            owner_id: webhook.owner.of_somebody(),
            user_id: webhook.user.of_somebody(),
            name: webhook.name.as_deref(),
            event_action: &webhook.pattern.action,
            event_object: &webhook.pattern.object,
            version: webhook.pattern.version.as_str(),
            at: self.at.to_string(),
            strikes: None,
            banned_until: None,
            reason: None,
            failing_since: None,
            expires_at: None,
            last_http_status: None,
        };
        let failing_since = || webhook.health.failing_since.map(|since| since.to_string());
        match self.change {
            Change::Banned { strikes, until, status } => {
                detail.strikes = Some(strikes);
                detail.banned_until = Some(until.to_string());
                detail.last_http_status = status;
            }
            Change::Reactivated => {}
            Change::Deactivated { status } => {
                detail.failing_since = failing_since();
                detail.last_http_status = status;
            }
            Change::Expiring { expires_at } => {
                detail.failing_since = failing_since();
                detail.expires_at = Some(expires_at.to_string());
                detail.last_http_status = webhook.health.last_http_status;
            }
            Change::Deleted { reason } => {
                detail.reason = Some(reason);
                detail.failing_since = failing_since();
                detail.last_http_status = webhook.health.last_http_status;
            }
        }
        detail
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::webhook;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    #[test]
    fn the_end_of_each_ban_is_told_unless_the_webhook_is_gone() {
        let mut webhook = webhook("1", "10", None);
        let reactivated = Announcement { at: at(100), change: Change::Reactivated };
        assert!(!reactivated.holds(&webhook));
        webhook.health.banned_until = Some(at(100));
        assert!(reactivated.holds(&webhook));
        webhook.health.banned_until = Some(at(200));
        assert!(reactivated.holds(&webhook), "it was over before the next one began");
        webhook.removed_at = Some(at(50));
        assert!(!reactivated.holds(&webhook));
    }

    #[test]
    fn nobody_is_warned_of_the_end_of_a_webhook_that_has_recovered() {
        let mut webhook = webhook("1", "10", None);
        let expiring = Announcement { at: at(100), change: Change::Expiring { expires_at: at(200) } };
        assert!(!expiring.holds(&webhook));
        webhook.health.expiry_told_for = Some(at(1));
        webhook.health.failing_since = Some(at(90));
        assert!(!expiring.holds(&webhook), "it fails anew, and will be deleted later");
        webhook.health.failing_since = Some(at(1));
        assert!(expiring.holds(&webhook));
        webhook.removed_at = Some(at(50));
        assert!(!expiring.holds(&webhook));
    }

    #[test]
    fn an_announcement_keeps_its_id_and_names_no_url() {
        let webhook = webhook("1", "10", None);
        let change = Change::Banned { strikes: 10, until: at(1810), status: Some(500) };
        let text = |at| serde_json::to_string(&Announcement { at, change }.detail(&webhook)).expect("JSON");
        assert_eq!(text(at(10)), text(at(10)));
        assert_ne!(text(at(10)), text(at(11)));
        let rest = text(at(10)).split_once(r#","company_id""#).expect("an id first").1.to_owned();
        let expected = concat!(
            r#":"1","webhook_id":7,"type":"general","app":null,"owner_id":"10","user_id":"10","name":null,"#,
            r#""event_action":"change","event_object":"deal","version":"2.0","at":"1970-01-01T00:00:10.000Z","#,
            r#""strikes":10,"banned_until":"1970-01-01T00:30:10.000Z","last_http_status":500}"#
        );
        assert_eq!(rest, expected);
    }
}
