//! What a message finds when it rings for an attempt.
//!
//! Messages come twice, late, or for a time that is no longer the one. The attempt's item is what counts: it says
//! whether the message begins it, or repeats what somebody left undone.

use super::{AttemptEnd, AttemptNumber, DropReason, Retry, Timestamp};

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptState {
    /// It starts at `due`, not before.
    Waiting {
        /// When.
        due: Timestamp,
        /// Whether its delivery waits, or has waited, for a hold: it never does so again.
        held: bool,
    },
    /// Somebody has started it, and has until `lease_until` to end it.
    Started {
        /// When somebody else may start it again.
        lease_until: Timestamp,
        /// As of what waits.
        held: bool,
    },
    /// The receiver acknowledged it.
    Succeeded(AttemptEnd),
    /// It failed; what follows is due then, if anything does.
    Failed(AttemptEnd, Option<Timestamp>),
    /// It was not, and will not be, made.
    Dropped(DropReason),
}

impl AttemptState {
    /// Whether the delivery waits, or has waited, for a hold.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Waiting { held: true, .. } | Self::Started { held: true, .. })
    }
}

/// What a message has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// See whether the attempt may start.
    Begin,
    /// Nothing any more.
    Over,
    /// Come again: somebody else is at it, and may die.
    Held,
    /// Set the alarm for this, which somebody may have died before doing.
    Ring(Retry),
}

/// Decides what a message has to do that rings for attempt `number` at `due`. An original that was never delayed has no
/// `due`, and no item until it has ended.
pub fn standing(
    state: Option<&AttemptState>,
    number: AttemptNumber,
    due: Option<Timestamp>,
    now: Timestamp,
) -> Standing {
    match state {
        None if number.is_original() && due.is_none() => Standing::Begin,
        // What waits has an item; without, it has expired.
        None
        | Some(AttemptState::Succeeded(_) | AttemptState::Dropped(_) | AttemptState::Failed(_, None)) => {
            Standing::Over
        }
        Some(AttemptState::Failed(_, Some(due))) => {
            Standing::Ring(Retry { number: number.next(), due: *due })
        }
        Some(AttemptState::Started { lease_until, .. }) if *lease_until > now => Standing::Held,
        Some(AttemptState::Waiting { due: wanted, .. }) if due != Some(*wanted) || *wanted > now => {
            Standing::Ring(Retry { number, due: *wanted })
        }
        Some(AttemptState::Started { .. } | AttemptState::Waiting { .. }) => Standing::Begin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    fn end() -> AttemptEnd {
        AttemptEnd { started_at: at(1), ended_at: at(2), status: None, error: None, answer: None }
    }

    fn check(state: Option<&AttemptState>, number: u32, due: Option<i64>, now: i64, expected: Standing) {
        let number = AttemptNumber::new(number).expect("from 1");
        assert_eq!(standing(state, number, due.map(at), at(now)), expected, "{state:?} {due:?} {now}");
    }

    fn ring(number: u32, due: i64) -> Standing {
        Standing::Ring(Retry { number: AttemptNumber::new(number).expect("from 1"), due: at(due) })
    }

    #[test]
    fn only_an_original_begins_without_an_item() {
        check(None, 1, None, 10, Standing::Begin);
        check(None, 1, Some(5), 10, Standing::Over);
        check(None, 2, Some(5), 10, Standing::Over);
    }

    #[test]
    fn a_waiting_attempt_begins_by_the_message_for_its_time_and_never_early() {
        let waiting = Some(&AttemptState::Waiting { due: at(10), held: false });
        check(waiting, 2, Some(10), 10, Standing::Begin);
        check(waiting, 2, Some(10), 9, ring(2, 10));
        check(waiting, 2, Some(5), 12, ring(2, 10));
        check(waiting, 1, None, 12, ring(1, 10));
    }

    #[test]
    fn a_started_attempt_is_taken_over_when_its_lease_is_over() {
        let started = Some(&AttemptState::Started { lease_until: at(10), held: false });
        check(started, 2, Some(1), 9, Standing::Held);
        check(started, 2, Some(1), 10, Standing::Begin);
    }

    #[test]
    fn an_ended_attempt_is_never_made_again_but_its_alarm_is_repeated() {
        check(Some(&AttemptState::Succeeded(end())), 1, None, 10, Standing::Over);
        check(Some(&AttemptState::Dropped(DropReason::Banned)), 1, None, 10, Standing::Over);
        check(Some(&AttemptState::Failed(end(), None)), 4, Some(1), 10, Standing::Over);
        check(Some(&AttemptState::Failed(end(), Some(at(5)))), 1, None, 10, ring(2, 5));
    }
}
