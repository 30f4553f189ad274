//! How what waits is woken: by a message that SQS delays, or by the sweeper.
//!
//! What waits is an item; its `wake_at` says when the sweeper looks at it. SQS delays a message for 15 minutes at most: what
//! waits longer gets its message from the sweeper, once it is near enough. What is still waiting a while after it was due
//! has lost its message, and gets another one.

use std::time::Duration;

use super::Timestamp;

/// The longest that SQS delays a message.
pub const DELAY_MAX: Duration = Duration::from_mins(15);

/// How late a message may be before it counts as lost.
const OVERDUE_AFTER: Duration = Duration::from_mins(5);

/// The delay of the message for what is due at `due`; `None` if the sweeper has to send it, later.
pub fn alarm_delay(due: Timestamp, now: Timestamp) -> Option<Duration> {
    Some(due.since(now)).filter(|delay| *delay <= DELAY_MAX)
}

/// When the sweeper looks at what is written at `now`.
pub fn wake_at(due: Timestamp, now: Timestamp) -> Timestamp {
    if alarm_delay(due, now).is_some() { due.max(now) + OVERDUE_AFTER } else { due - DELAY_MAX }
}

/// When the sweeper looks again at what it has sent a message for at `now`. The longer it is overdue, the later: a queue
/// that is behind is not filled up with messages that are in it already.
pub fn wake_again_at(due: Timestamp, now: Timestamp) -> Timestamp {
    due.max(now) + now.since(due).max(OVERDUE_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    #[test]
    fn a_wait_that_sqs_can_delay_is_looked_at_when_its_message_must_have_been_lost() {
        assert_eq!(alarm_delay(at(900), at(0)), Some(DELAY_MAX));
        assert_eq!(alarm_delay(at(0), at(10)), Some(Duration::ZERO));
        assert_eq!(wake_at(at(900), at(0)), at(1200));
        assert_eq!(wake_at(at(0), at(10)), at(310));
    }

    #[test]
    fn a_longer_one_is_looked_at_as_soon_as_sqs_can_delay_the_rest() {
        assert_eq!(alarm_delay(at(901), at(0)), None);
        assert_eq!(wake_at(at(901), at(0)), at(1));
        assert_eq!(wake_at(at(86_400), at(0)), at(85_500));
    }

    #[test]
    fn who_has_been_woken_is_looked_at_later_each_time() {
        assert_eq!(wake_again_at(at(900), at(300)), at(1200));
        assert_eq!(wake_again_at(at(900), at(1200)), at(1500));
        assert_eq!(wake_again_at(at(900), at(1500)), at(2100));
        assert_eq!(wake_again_at(at(900), at(2100)), at(3300));
    }
}
