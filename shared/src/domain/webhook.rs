//! A subscription and its health.

use serde::{Deserialize, Serialize};

use super::{
    AppId, CompanyId, Dialect, FormerSecret, Generation, Installation, Pattern, Timestamp, UserId, WebhookId,
};

/// Something that only the holder of a key can read. Its debug form shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed")
    }
}

/// A secret in clear, on its way from or to its seal. Its debug form shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Why a webhook was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoveReason {
    /// Somebody who manages it deleted it.
    #[serde(alias = "deleted by its owner")]
    Deleted,
    /// It failed for days.
    Stale,
    /// Its app was removed from the marketplace.
    AppRemoved,
    /// Its user uninstalled its app.
    AppUninstalled,
}

/// What to report, where to, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its name among all of the deployment.
    pub id: WebhookId,
    /// The company it belongs to.
    pub company: CompanyId,
    /// The user who created it, and whose quota it counts against.
    pub owner: UserId,
    /// The user whose permissions decide which events it gets.
    pub user: UserId,
    /// The app it belongs to: an application webhook; without, it is a general one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppId>,
    /// Under which the app created it.
    #[serde(default, skip_serializing_if = "Generation::is_first")]
    pub generation: Generation,
    /// What it asks for.
    pub pattern: Pattern,
    /// Where to, as it was sent.
    pub url: String,
    /// What its owner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// HTTP Basic user of its deliveries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_auth_user: Option<String>,
    /// HTTP Basic password of its deliveries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_auth_password: Option<Sealed>,
    /// Signs its deliveries.
    pub signing_secret: Sealed,
    /// Those before, the oldest first, as long as they sign too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_signing_secrets: Vec<FormerSecret>,
    /// When it was created.
    pub added_at: Timestamp,
    /// When it was removed, if it was; the item stays for a week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
    /// Why it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove_reason: Option<RemoveReason>,
    /// Whether it is switched on: its owner wants deliveries, and no policy has deactivated it.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub enabled: bool,
    /// When it was last switched off: what was accepted before is not delivered any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_off_at: Option<Timestamp>,
    /// When it was last changed, by its owner or by being deactivated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// Where its owner is told what happens to it, if its app has no contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// How its deliveries fare.
    pub health: Health,
}

impl Webhook {
    /// `general`, or `application` for an app's.
    pub fn kind(&self) -> &'static str {
        if self.app.is_some() { "application" } else { "general" }
    }

    /// Whose clients and receivers it is for.
    pub fn dialect(&self) -> Dialect {
        self.pattern.version.dialect()
    }

    /// Switches it on or off.
    pub fn switch(&mut self, on: bool, at: Timestamp) {
        if self.enabled && !on {
            self.switched_off_at = Some(at);
        }
        self.enabled = on;
    }

    /// Whether what was accepted then has ended, for the webhook was switched off since.
    pub fn has_ended(&self, accepted_at: Timestamp) -> bool {
        self.switched_off_at > Some(accepted_at)
    }

    /// Whether it still tells its app that it was uninstalled.
    pub fn is_farewell(&self) -> bool {
        let goes_with_app = matches!(self.remove_reason, None | Some(RemoveReason::AppUninstalled));
        self.pattern.is_for_uninstall() && goes_with_app
    }

    /// The installation that an application webhook belongs to: that of the user whose token created it.
    pub fn installation(&self) -> Option<Installation> {
        let app = self.app.clone()?;
        Some(Installation { company: self.company.clone(), app, user: self.owner.clone() })
    }

    /// Whether new events are delivered to it now.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.enabled && self.removed_at.is_none() && !self.health.is_banned(now)
    }
}

/// What items without `enabled` mean.
const fn yes() -> bool {
    true
}

/// How the deliveries of a webhook fare. The healthy path writes none of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// Failed original attempts since the last ban ended. Read it by [`Health::strikes_at`].
    pub strikes: u32,
    /// When the last ban began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banned_from: Option<Timestamp>,
    /// When the last ban ends, or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banned_until: Option<Timestamp>,
    /// Whether the strikes earned the last ban: then they are over with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ban_earned: bool,
    /// The first failed attempt after the last success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// The `failing_since` of which its owner was told that the webhook will be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_told_for: Option<Timestamp>,
    /// The last success that was written down: up to an hour old while all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_at: Option<Timestamp>,
    /// The last failed attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure_at: Option<Timestamp>,
    /// The status of the attempt that was last written down; `None` if it had no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_http_status: Option<u16>,
}

impl Health {
    /// Whether a ban is on. A clock that is behind the one that set it does not undo it.
    pub fn is_banned(&self, now: Timestamp) -> bool {
        self.banned_until.is_some_and(|until| now < until)
    }

    /// Whether the last ban covered `at`.
    pub fn was_banned_at(&self, at: Timestamp) -> bool {
        self.banned_from.is_some_and(|from| from <= at) && self.banned_until.is_some_and(|until| at < until)
    }

    /// The strikes that count now: the end of a ban, and nothing else, brings them to 0.
    pub fn strikes_at(&self, now: Timestamp) -> u32 {
        let ban_is_over = self.banned_until.is_some_and(|until| until <= now);
        if self.ban_earned && ban_is_over { 0 } else { self.strikes }
    }

    /// When an attempt last ended.
    pub fn last_attempt_at(&self) -> Option<Timestamp> {
        self.last_success_at.max(self.last_failure_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_that_earlier_items_give_is_still_read() {
        let read = |text: &str| serde_json::from_str::<RemoveReason>(text).ok();
        assert_eq!(read(r#""deleted by its owner""#), Some(RemoveReason::Deleted));
        assert_eq!(read(r#""deleted""#), Some(RemoveReason::Deleted));
    }
}
