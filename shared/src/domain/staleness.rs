//! When a webhook is stale (facts: Pipedrive, Delivery policy; design: Where the sources are silent).

use std::time::Duration;

use super::{Announcement, Change, Health, Policy, Timestamp, Webhook};

/// A webhook that heard of nothing for this long is quiet, not stale.
const QUIET_AFTER: Duration = Duration::from_hours(24);

/// How long before its end an owner is told of it. Where a policy leaves little time, it is a third of that.
const TOLD_BEFORE: Duration = Duration::from_hours(24);

/// Which webhooks may be stale, or soon so, at an instant: a bound for who looks them up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleBounds {
    /// They have been failing since then or longer.
    pub failing_since: Timestamp,
    /// An attempt has failed after then.
    pub failed_after: Timestamp,
}

impl StaleBounds {
    /// The bounds at `now`; `None` if the policy calls no webhook stale.
    pub fn at(policy: &Policy, now: Timestamp) -> Option<Self> {
        let stale = policy.stale?;
        let warned = stale.saturating_sub(told_before(stale));
        Some(Self { failing_since: now - warned, failed_after: now - QUIET_AFTER })
    }
}

fn told_before(stale: Duration) -> Duration {
    TOLD_BEFORE.min(stale / 3)
}

/// What is to be done about a webhook that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staleness {
    /// Nothing.
    Fresh,
    /// Its owner is to be told that it will be deleted; that this was told is noted in its health.
    Expires(Announcement, Box<Health>),
    /// It is to be deleted.
    Stale,
}

/// Decides what is to be done about a webhook: whether it has been failing for the policy's time without a success, and is
/// still being tried. One that is switched off is left alone.
pub fn staleness(policy: &Policy, webhook: &Webhook, now: Timestamp) -> Staleness {
    let health = &webhook.health;
    let (Some(stale), Some(since)) = (policy.stale, health.failing_since) else { return Staleness::Fresh };
    let is_tried = webhook.enabled
        && webhook.removed_at.is_none()
        && health.last_success_at <= Some(since)
        && health.last_failure_at > Some(now - QUIET_AFTER);
    if !is_tried {
        return Staleness::Fresh;
    }
    let expires_at = since + stale;
    if expires_at <= now {
        return Staleness::Stale;
    }
    if expires_at - told_before(stale) > now || health.expiry_told_for == Some(since) {
        return Staleness::Fresh;
    }
    let told = Health { expiry_told_for: Some(since), ..health.clone() };
    Staleness::Expires(Announcement { at: now, change: Change::Expiring { expires_at } }, told.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Health, Policies, test_values::webhook};

    const HOUR: i64 = 3_600_000;

    fn check(failing_since: Option<i64>, success: Option<i64>, failure: Option<i64>, now: i64, stale: bool) {
        let at = |hours: i64| Timestamp::from_ms(hours * HOUR);
        let health = Health {
            failing_since: failing_since.map(at),
            last_success_at: success.map(at),
            last_failure_at: failure.map(at),
            ..Health::default()
        };
        let policy = Policies::default().pipedrive;
        let mut webhook = Webhook { health, ..webhook("1", "10", None) };
        let is_stale = |webhook: &Webhook| staleness(&policy, webhook, at(now)) == Staleness::Stale;
        assert_eq!(is_stale(&webhook), stale, "{webhook:?} at hour {now}");
        webhook.enabled = false;
        assert_eq!(staleness(&policy, &webhook, at(now)), Staleness::Fresh, "its owner knows");
    }

    #[test]
    fn three_days_of_failing_without_a_success_are_stale() {
        check(Some(10), None, Some(81), 82, true);
        check(Some(10), Some(9), Some(81), 82, true);
        check(Some(11), None, Some(81), 82, false);
        check(None, Some(9), Some(8), 82, false);
        check(None, None, None, 82, false);
    }

    #[test]
    fn an_owner_is_told_a_day_before_the_end_and_once() {
        let at = |hours: i64| Timestamp::from_ms(hours * HOUR);
        let policy = Policies::default().pipedrive;
        let mut webhook = webhook("1", "10", None);
        (webhook.health.failing_since, webhook.health.last_failure_at) = (Some(at(10)), Some(at(57)));
        assert_eq!(staleness(&policy, &webhook, at(57)), Staleness::Fresh);
        let Staleness::Expires(announcement, health) = staleness(&policy, &webhook, at(58)) else {
            panic!("it is a day before the end")
        };
        assert_eq!(
            announcement,
            Announcement { at: at(58), change: Change::Expiring { expires_at: at(82) } }
        );
        webhook.health = *health;
        assert_eq!(staleness(&policy, &webhook, at(59)), Staleness::Fresh);
        webhook.health.failing_since = Some(at(11));
        assert!(matches!(staleness(&policy, &webhook, at(59)), Staleness::Expires(..)), "it failed anew");
    }

    #[test]
    fn where_a_policy_leaves_little_time_an_owner_is_told_after_two_thirds_of_it() {
        let at = Timestamp::from_ms;
        let policy = Policies::default().with("pipedrive.stale=30s").expect("a policy").pipedrive;
        let mut webhook = webhook("1", "10", None);
        (webhook.health.failing_since, webhook.health.last_failure_at) = (Some(at(0)), Some(at(1)));
        assert_eq!(staleness(&policy, &webhook, at(19_999)), Staleness::Fresh);
        assert!(matches!(staleness(&policy, &webhook, at(20_000)), Staleness::Expires(..)));
        assert_eq!(StaleBounds::at(&policy, at(20_000)).map(|bounds| bounds.failing_since), Some(at(0)));
        assert_eq!(StaleBounds::at(&Policies::default().epages, at(0)), None);
    }

    #[test]
    fn a_webhook_whose_company_is_quiet_is_not() {
        check(Some(10), None, Some(10), 82, false);
        check(Some(10), None, Some(58), 82, false);
        check(Some(10), None, Some(59), 82, true);
    }

    #[test]
    fn a_success_after_the_failures_began_saves_it_however_the_two_were_written() {
        check(Some(10), Some(20), Some(81), 82, false);
    }
}
