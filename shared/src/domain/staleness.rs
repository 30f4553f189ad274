//! When a webhook is stale (facts: Pipedrive, Delivery policy; design: Where the sources are silent).

use std::time::Duration;

use super::{Policy, Timestamp, Webhook};

/// A webhook that heard of nothing for this long is quiet, not stale.
const QUIET_AFTER: Duration = Duration::from_hours(24);

/// Which webhooks may be stale at an instant: a bound for who looks them up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleBounds {
    /// They have been failing since then or longer.
    pub failing_since: Timestamp,
    /// An attempt has failed after then.
    pub failed_after: Timestamp,
}

impl StaleBounds {
    /// The bounds at `now`.
    pub fn at(policy: &Policy, now: Timestamp) -> Self {
        Self { failing_since: now - policy.stale, failed_after: now - QUIET_AFTER }
    }
}

/// Decides whether a webhook is stale: failing for the policy's time without a success, and still being tried. One that
/// its owner has switched off is not.
pub fn is_stale(policy: &Policy, webhook: &Webhook, now: Timestamp) -> bool {
    let (bounds, health) = (StaleBounds::at(policy, now), &webhook.health);
    webhook.enabled
        && health.failing_since.is_some_and(|since| {
            since <= bounds.failing_since
                && health.last_success_at <= Some(since)
                && health.last_failure_at > Some(bounds.failed_after)
        })
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
        assert_eq!(is_stale(&policy, &webhook, at(now)), stale, "{webhook:?} at hour {now}");
        webhook.enabled = false;
        assert!(!is_stale(&policy, &webhook, at(now)), "its owner knows");
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
