//! What an attempt's end leads to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Announcement, Change, Exhaustion, Health, Policy, Timestamp, Turn, Webhook};

/// How long an attempt belongs to who has started it: longer than a function runs, and a little less than the visibility
/// timeout of the queues that deliver reads, so that whoever gets the message again may take the attempt over.
pub const LEASE: Duration = Duration::from_secs(170);

/// While all is well, a success is written to its webhook once in this time.
const SUCCESS_NOTED_EVERY: Duration = Duration::from_hours(1);

/// While nothing else changes, a failure is written to its webhook once in this time.
const FAILURE_NOTED_EVERY: Duration = Duration::from_mins(1);

/// Counts the attempts of a delivery: 1 is the original, the others are retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct AttemptNumber(u32);

impl AttemptNumber {
    /// The original attempt.
    pub const ORIGINAL: Self = Self(1);

    /// The attempt with this number, from 1.
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// The number, from 1.
    pub const fn as_number(self) -> u32 {
        self.0
    }

    /// Whether it is the original attempt.
    pub const fn is_original(self) -> bool {
        self.0 == 1
    }

    /// The attempt after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl TryFrom<u32> for AttemptNumber {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        Self::new(number).ok_or("attempts are counted from 1")
    }
}

/// What is known of an attempt once it has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEnd {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The status that the receiver answered, if it answered.
    pub status: Option<u16>,
    /// Why it failed, for the owner to read; `None` if it succeeded.
    pub error: Option<String>,
    /// The start of the answer's body.
    pub answer: Option<String>,
}

impl AttemptEnd {
    /// Whether the receiver acknowledged the delivery.
    pub fn is_success(&self) -> bool {
        self.error.is_none()
    }
}

/// A retry that is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Which attempt.
    pub number: AttemptNumber,
    /// Not before then.
    pub due: Timestamp,
}

/// What a failed attempt leads to. All of it is written at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AfterFailure {
    /// The retry that follows; `None` if the delivery is given up.
    pub retry: Option<Retry>,
    /// The webhook's health from now on; `None` if it stays as it is. So of many attempts that fail together, only those
    /// that say something new contend for the webhook.
    pub health: Option<Health>,
    /// Whether the webhook is switched off from now on.
    pub deactivates: bool,
    /// What the platform is to be told: a ban that this failure has begun, and its end; or that it has deactivated the
    /// webhook.
    pub announcements: Vec<Announcement>,
}

/// Decides what follows a failed attempt.
///
/// Only an original adds a strike, and none that ended before the end of a ban: whatever order ends are written in, a
/// ban is earned once. The strike that makes the policy's number begins it. A retry's delay counts from the end of the
/// failed attempt. Nothing follows for a webhook that is removed, except that it goes on telling its app so.
pub fn after_failure(policy: &Policy, webhook: &Webhook, turn: &Turn, end: &AttemptEnd) -> AfterFailure {
    let (number, at) = (turn.number, end.ended_at);
    let delay = usize::try_from(number.as_number() - 1).ok().and_then(|index| policy.retries.get(index));
    let retry = delay.map(|delay| Retry { number: number.next(), due: at + *delay });
    let (none, health) = (Vec::new(), &webhook.health);
    if webhook.removed_at.is_some() {
        let retry = retry.filter(|_| webhook.is_farewell());
        return AfterFailure { retry, health: None, deactivates: false, announcements: none };
    }
    let ban =
        policy.ban.filter(|_| number.is_original() && health.banned_until.is_none_or(|until| until <= at));
    // What failed before a webhook was switched on again says nothing of it as it is.
    let is_meant = webhook.enabled && !webhook.has_ended(turn.accepted_at);
    let deactivates = retry.is_none() && policy.exhaustion == Exhaustion::Deactivate && is_meant;
    let failing_since = failing_since(health, at);
    let noted = health.last_failure_at.is_some_and(|last| at.since(last) < FAILURE_NOTED_EVERY);
    if ban.is_none() && !deactivates && noted && failing_since == health.failing_since {
        return AfterFailure { retry, health: None, deactivates, announcements: none };
    }
    let mut announcements = none;
    let mut next = Health {
        failing_since,
        last_failure_at: health.last_failure_at.max(Some(at)),
        last_http_status: if health.last_attempt_at() <= Some(at) {
            end.status
        } else {
            health.last_http_status
        },
        ..health.clone()
    };
    if let Some(rule) = ban {
        next.strikes = health.strikes_at(at).saturating_add(1);
        next.ban_earned = next.strikes >= rule.strikes;
        if next.ban_earned {
            let until = at + rule.lasts;
            (next.banned_from, next.banned_until) = (Some(at), Some(until));
            let banned = Change::Banned { strikes: next.strikes, until, status: end.status };
            announcements.push(Announcement { at, change: banned });
            announcements.push(Announcement { at: until, change: Change::Reactivated });
        }
    }
    if deactivates {
        announcements.push(Announcement { at, change: Change::Deactivated { status: end.status } });
    }
    AfterFailure { retry, health: Some(next), deactivates, announcements }
}

/// The first failed attempt after the last success, now that one has failed at `at`. Ends that are written out of order
/// may make it a little later than it was; it is never before the last success.
fn failing_since(health: &Health, at: Timestamp) -> Option<Timestamp> {
    let after_success = |since: &Timestamp| health.last_success_at <= Some(*since);
    health.failing_since.filter(after_success).or(Some(at).filter(after_success))
}

/// Decides what a success changes: nothing, unless the webhook was failing or no success was noted for an hour.
pub fn after_success(health: &Health, end: &AttemptEnd) -> Option<Health> {
    let at = end.ended_at;
    if health.last_success_at >= Some(at) {
        return None;
    }
    let note = health.last_success_at.is_none_or(|last| at.since(last) >= SUCCESS_NOTED_EVERY);
    if !note && health.failing_since.is_none() {
        return None;
    }
    Some(Health {
        failing_since: health.failing_since.filter(|since| *since > at),
        last_success_at: Some(at),
        last_http_status: if health.last_failure_at <= Some(at) {
            end.status
        } else {
            health.last_http_status
        },
        ..health.clone()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Pattern, Policies, RemoveReason, test_values::webhook};

    fn policy() -> Policy {
        Policies::default().pipedrive
    }

    /// A webhook that fares so.
    fn faring(health: &Health) -> Webhook {
        Webhook { health: health.clone(), ..webhook("1", "10", Some("app")) }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    fn failure(secs: i64) -> AttemptEnd {
        AttemptEnd {
            started_at: at(secs - 1),
            ended_at: at(secs),
            status: Some(500),
            error: Some("answered 500".to_owned()),
            answer: None,
        }
    }

    fn success(secs: i64) -> AttemptEnd {
        AttemptEnd { status: Some(200), error: None, ..failure(secs) }
    }

    fn number(number: u32) -> AttemptNumber {
        AttemptNumber::new(number).expect("from 1")
    }

    /// The turn of an attempt of an event from long ago.
    fn turn(n: u32) -> Turn {
        Turn { number: number(n), accepted_at: at(0), held: false }
    }

    #[test]
    fn attempts_are_counted_from_1() {
        let read = |json: &str| serde_json::from_str::<AttemptNumber>(json).ok();
        assert_eq!((read("0"), read("1")), (None, Some(AttemptNumber::ORIGINAL)));
        assert_eq!(read("4294967295").map(AttemptNumber::next), AttemptNumber::new(u32::MAX));
    }

    #[test]
    fn retries_come_3_30_and_150_seconds_after_the_end_of_the_failure_before() {
        let webhook = faring(&Health::default());
        let due = |n| after_failure(&policy(), &webhook, &turn(n), &failure(1000)).retry;
        assert_eq!(due(1), Some(Retry { number: number(2), due: at(1003) }));
        assert_eq!(due(2), Some(Retry { number: number(3), due: at(1030) }));
        assert_eq!(due(3), Some(Retry { number: number(4), due: at(1150) }));
        assert_eq!(due(4), None);
        assert_eq!([3, 4, 5].map(|n| policy().is_last(number(n))), [false, true, true]);
    }

    /// 48 hours and 4 minutes of delays (facts: ePages, Delivery policy).
    #[test]
    fn epages_retries_11_times_and_then_deactivates_the_webhook_once() {
        let policy = Policies::default().epages;
        let mut webhook = faring(&Health::default());
        let (mut now, mut times) = (0, Vec::new());
        for n in 1..=11 {
            let after = after_failure(&policy, &webhook, &turn(n), &failure(now));
            assert!(!after.deactivates && after.announcements.is_empty());
            let retry = after.retry.expect("a retry");
            assert_eq!(retry.number, number(n + 1));
            times.push(retry.due.as_secs() - now);
            now = retry.due.as_secs();
        }
        assert_eq!(times, [60, 180, 300, 600, 900, 1800, 3600, 7200, 21_600, 50_400, 86_400]);
        let last = after_failure(&policy, &webhook, &turn(12), &failure(now));
        assert_eq!((last.retry, last.deactivates), (None, true));
        let told = Announcement { at: at(now), change: Change::Deactivated { status: Some(500) } };
        assert_eq!(last.announcements, [told]);
        webhook.switch(false, at(now));
        let again = after_failure(&policy, &webhook, &turn(12), &failure(now + 1));
        assert_eq!((again.deactivates, again.announcements), (false, Vec::new()));
        webhook.health.last_failure_at = Some(at(now));
        webhook.switch(true, at(now + 1));
        let late = after_failure(&policy, &webhook, &turn(12), &failure(now + 1));
        assert!(!late.deactivates, "it was under way when the webhook was deactivated and revived");
        webhook.switched_off_at = None;
        let again = after_failure(&policy, &webhook, &turn(12), &failure(now + 1));
        assert!(again.deactivates && again.health.is_some(), "however lately a failure was noted");
    }

    #[test]
    fn nothing_follows_for_a_webhook_that_is_removed_but_its_farewell() {
        let policy = Policies::default().epages;
        let mut removed = faring(&Health::default());
        (removed.removed_at, removed.remove_reason) = (Some(at(1)), Some(RemoveReason::AppUninstalled));
        let after = |webhook: &Webhook, n| after_failure(&policy, webhook, &turn(n), &failure(10));
        assert_eq!((after(&removed, 1).retry, after(&removed, 1).health), (None, None));
        removed.pattern = Pattern::of_event_type("APP_UNINSTALL").expect("an event type");
        assert_eq!(after(&removed, 1).retry, Some(Retry { number: number(2), due: at(70) }));
        assert!(!after(&removed, 12).deactivates && after(&removed, 12).announcements.is_empty());
    }

    fn strike(health: &Health, secs: i64) -> Health {
        after_failure(&policy(), &faring(health), &turn(1), &failure(secs)).health.unwrap_or(health.clone())
    }

    #[test]
    fn exactly_ten_failed_originals_earn_a_ban_of_30_minutes_and_then_the_counter_is_0() {
        let mut health = Health::default();
        for n in 1..=9 {
            health = strike(&health, n);
            assert_eq!((health.strikes, health.banned_until), (u32::try_from(n).expect("small"), None));
        }
        health = strike(&health, 10);
        assert_eq!(
            (health.strikes, health.banned_from, health.banned_until),
            (10, Some(at(10)), Some(at(1810)))
        );
        assert!(health.is_banned(at(1809)) && !health.is_banned(at(1810)));
        assert_eq!(strike(&health, 100).strikes, 10, "an original that ends during the ban adds nothing");
        assert_eq!((health.strikes_at(at(1809)), health.strikes_at(at(1810))), (10, 0));
        assert_eq!(strike(&health, 1811).strikes, 1);
    }

    #[test]
    fn a_failed_retry_adds_no_strike() {
        let after = after_failure(&policy(), &faring(&Health::default()), &turn(2), &failure(5))
            .health
            .expect("news");
        assert_eq!((after.strikes, after.failing_since), (0, Some(at(5))));
    }

    #[test]
    fn the_healthy_path_writes_a_success_once_an_hour() {
        let first = after_success(&Health::default(), &success(10)).expect("the first is noted");
        assert_eq!(after_success(&first, &success(3609)), None);
        assert!(after_success(&first, &success(3610)).is_some());
        let failing = strike(&first, 20);
        let recovered = after_success(&failing, &success(30)).expect("a recovery is noted");
        assert_eq!((recovered.failing_since, recovered.strikes), (None, 1), "a success keeps the strikes");
    }

    #[test]
    fn a_failure_that_is_written_late_changes_no_later_finding() {
        let failing =
            Health { last_success_at: Some(at(10)), failing_since: Some(at(20)), ..Health::default() };
        let since = |secs| {
            let after = after_failure(&policy(), &faring(&failing), &turn(2), &failure(secs)).health;
            after.unwrap_or(failing.clone()).failing_since
        };
        assert_eq!(
            since(5),
            Some(at(20)),
            "a failure before the last success says nothing of what came after"
        );
        assert_eq!(since(15), Some(at(20)), "nor does one that is written after a later one");
        assert_eq!(since(25), Some(at(20)));
    }

    #[test]
    fn a_failure_that_ended_before_the_ban_and_is_written_after_it_adds_nothing() {
        let mut health = Health::default();
        for _ in 0..10 {
            health = strike(&health, 100);
        }
        assert_eq!(after_failure(&policy(), &faring(&health), &turn(1), &failure(99)).health, None);
    }

    #[test]
    fn a_ban_that_is_over_leaves_0_whatever_number_is_set_meanwhile() {
        let mut health = Health::default();
        for _ in 0..10 {
            health = strike(&health, 100);
        }
        let lenient = Policies::default().with("pipedrive.strikes=20").expect("a policy").pipedrive;
        let after = after_failure(&lenient, &faring(&health), &turn(1), &failure(5000)).health.expect("news");
        assert_eq!((after.strikes, after.ban_earned), (1, false));
    }

    #[test]
    fn of_failures_that_say_nothing_new_one_a_minute_is_written() {
        let failing = strike(&Health::default(), 100);
        let retry = |secs| after_failure(&policy(), &faring(&failing), &turn(2), &failure(secs));
        assert_eq!(retry(159).health, None);
        assert_eq!(
            retry(159).retry,
            Some(Retry { number: number(3), due: at(189) }),
            "the retry comes all the same"
        );
        assert_eq!(retry(160).health.expect("news").last_failure_at, Some(at(160)));
    }

    proptest! {
        /// In whatever order ends are written, failing_since is the first failure after the last success or, where
        /// that was overwritten out of order, never earlier than it.
        #[test]
        fn failing_since_is_never_before_a_noted_success(ends in prop::collection::vec((0_i64..50, any::<bool>()), 0..20)) {
            let mut health = Health::default();
            for (secs, ok) in ends {
                health = if ok {
                    after_success(&health, &success(secs)).unwrap_or(health)
                } else {
                    after_failure(&policy(), &faring(&health), &turn(2), &failure(secs)).health.unwrap_or(health)
                };
                if let (Some(since), Some(last)) = (health.failing_since, health.last_success_at) {
                    prop_assert!(since >= last);
                }
            }
        }

        /// In whatever order ends are written, strikes never pass the policy's number, and a ban that has begun is never
        /// moved: it lasts its time.
        #[test]
        fn strikes_stop_at_the_ban_and_a_ban_is_never_moved(ends in prop::collection::vec(0_i64..4000, 0..60)) {
            let mut health = Health::default();
            for secs in ends {
                let before = health.clone();
                health = strike(&health, secs);
                prop_assert!(health.strikes <= 10);
                prop_assert_eq!(health.ban_earned, health.strikes == 10);
                if health.banned_until != before.banned_until {
                    prop_assert_eq!(before.strikes_at(at(secs)), 9);
                    prop_assert!(before.banned_until <= health.banned_from);
                    prop_assert_eq!(health.banned_until, Some(at(secs + 1800)));
                }
            }
        }
    }
}
