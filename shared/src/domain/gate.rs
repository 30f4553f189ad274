//! Whether an attempt may start now.

use serde::{Deserialize, Serialize};

use super::{AttemptNumber, Timestamp, Webhook};

/// Why a delivery ends without another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Its webhook is gone.
    Removed,
    /// Its webhook's owner wants no deliveries.
    Inactive,
    /// The event came while its webhook was banned.
    Banned,
    /// The event is not kept any more.
    Expired,
}

impl DropReason {
    /// The word for it in logs and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Inactive => "inactive",
            Self::Banned => "banned",
            Self::Expired => "expired",
        }
    }
}

/// What to do with a delivery whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Attempt it now.
    Deliver,
    /// Attempt it not before then.
    Wait(Timestamp),
    /// Do not attempt it again.
    Drop(DropReason),
}

/// Decides whether an attempt may start now. `accepted_at` is when Knockback took the event: the same for all copies of its messages.
///
/// New events are dropped while a ban is on; an original that was accepted before it waits for its end; retries run
/// on their schedule (design: Where the sources are silent).
pub fn gate(
    webhook: Option<&Webhook>,
    number: AttemptNumber,
    accepted_at: Timestamp,
    now: Timestamp,
) -> Gate {
    let Some(webhook) = webhook.filter(|webhook| webhook.removed_at.is_none()) else {
        return Gate::Drop(DropReason::Removed);
    };
    if !webhook.enabled {
        return Gate::Drop(DropReason::Inactive);
    }
    if !number.is_original() {
        return Gate::Deliver;
    }
    if webhook.health.was_banned_at(accepted_at) {
        return Gate::Drop(DropReason::Banned);
    }
    match webhook.health.banned_until {
        Some(until) if webhook.health.is_banned(now) => Gate::Wait(until),
        _ => Gate::Deliver,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::webhook;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    fn number(number: u32) -> AttemptNumber {
        AttemptNumber::new(number).expect("from 1")
    }

    #[test]
    fn a_ban_drops_what_came_during_it_and_delays_what_came_before() {
        let mut webhook = webhook("1", "10", None);
        (webhook.health.banned_from, webhook.health.banned_until) = (Some(at(100)), Some(at(200)));
        let gate = |n, accepted, now| gate(Some(&webhook), number(n), at(accepted), at(now));
        assert_eq!(gate(1, 99, 150), Gate::Wait(at(200)));
        assert_eq!(gate(1, 99, 200), Gate::Deliver);
        assert_eq!(gate(1, 100, 150), Gate::Drop(DropReason::Banned));
        assert_eq!(gate(1, 199, 201), Gate::Drop(DropReason::Banned));
        assert_eq!(gate(1, 200, 201), Gate::Deliver);
        assert_eq!(gate(2, 100, 150), Gate::Deliver);
    }

    #[test]
    fn a_webhook_that_is_gone_ends_its_deliveries() {
        let mut webhook = webhook("1", "10", None);
        assert_eq!(gate(None, number(2), at(1), at(2)), Gate::Drop(DropReason::Removed));
        webhook.removed_at = Some(at(1));
        assert_eq!(gate(Some(&webhook), number(2), at(1), at(2)), Gate::Drop(DropReason::Removed));
    }

    #[test]
    fn a_webhook_that_is_switched_off_ends_its_deliveries_retries_too() {
        let mut webhook = webhook("1", "10", None);
        webhook.enabled = false;
        for n in [1, 2] {
            assert_eq!(gate(Some(&webhook), number(n), at(1), at(2)), Gate::Drop(DropReason::Inactive));
        }
    }
}
