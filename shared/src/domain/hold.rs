//! The pause of an app in one company after a failure (facts: ePages, Delivery policy).
//!
//! A delivery waits for at most one hold: after it, it is attempted, whatever new hold has begun. So nobody starves
//! behind a neighbour's dead URL (design: Where the sources are silent).

use super::{AttemptEnd, Policy, Timestamp};

/// While it is on, the deliveries of an app in one company wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// When it began.
    pub from: Timestamp,
    /// When it ends, or ended.
    pub until: Timestamp,
}

impl Hold {
    /// Whether it is on. A clock that is behind the one that set it does not undo it.
    pub fn is_on(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// The hold that a failed attempt begins; `None` if it started before the `last` one ended, or the policy has none.
    pub fn after(policy: &Policy, last: Option<Self>, end: &AttemptEnd) -> Option<Self> {
        let lasts = policy.hold.filter(|lasts| !lasts.is_zero())?;
        let begins = last.is_none_or(|last| last.until <= end.started_at);
        begins.then(|| Self { from: end.ended_at, until: end.ended_at + lasts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Policies;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    fn hold(from: i64, until: i64) -> Hold {
        Hold { from: at(from), until: at(until) }
    }

    fn end(started: i64, ended: i64) -> AttemptEnd {
        AttemptEnd {
            started_at: at(started),
            ended_at: at(ended),
            status: None,
            error: Some("no answer".to_owned()),
            answer: None,
        }
    }

    #[test]
    fn a_failure_holds_the_app_for_a_minute_from_its_end() {
        let Policies { epages, pipedrive } = Policies::default();
        assert_eq!(Hold::after(&epages, None, &end(10, 20)), Some(hold(20, 80)));
        assert_eq!(Hold::after(&pipedrive, None, &end(10, 20)), None);
        assert!(hold(20, 80).is_on(at(79)) && !hold(20, 80).is_on(at(80)));
        let none = Policies::default().with("epages.hold=0s").expect("a policy").epages;
        assert_eq!(Hold::after(&none, None, &end(10, 20)), None);
    }

    #[test]
    fn only_an_attempt_that_started_after_the_last_hold_ended_begins_a_new_one() {
        let policy = Policies::default().epages;
        let after = |started, ended| Hold::after(&policy, Some(hold(20, 80)), &end(started, ended));
        assert_eq!(after(19, 29), None, "it was under way when the hold began");
        assert_eq!(after(79, 89), None);
        assert_eq!(after(80, 90), Some(hold(90, 150)));
    }
}
