//! How far the fan-out of an event is, and what the message of one of its pages has to do.
//!
//! A page sends its deliveries, then the message of the next page, and only then moves the event's item on. So a message
//! says by being there that all pages before its own are sent, whatever the item says.

use std::time::Duration;

use super::Timestamp;

/// How much one message does of what may be of any size. Only tests have it otherwise than by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// The most webhooks that a page of a fan-out reaches.
    pub webhooks: usize,
    /// The most webhooks and tokens that a page of a removal clears away.
    pub possessions: u16,
}

impl Default for Pages {
    fn default() -> Self {
        Self { webhooks: 1000, possessions: 100 }
    }
}

/// How long a page belongs to who has claimed it: longer than a function runs, and less than the visibility timeout of the
/// queue that fanout reads.
pub const PAGE_LEASE: Duration = Duration::from_mins(2);

/// How far the fan-out of an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FanOutState {
    /// All pages before `page` are sent.
    Fanning {
        /// The page that is being sent, or that is next.
        page: u32,
        /// Until when it is somebody's; `None` if nobody has claimed it.
        lease_until: Option<Timestamp>,
    },
    /// All pages are sent.
    Done,
}

/// What the message of a page has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageStanding {
    /// Send the page.
    Begin,
    /// Come again: a copy of the message is at it, and may die.
    Held,
    /// Nothing: the page is sent, and its successor has a message.
    Over,
}

/// Decides what the message of `page` has to do.
pub fn page_standing(state: FanOutState, page: u32, now: Timestamp) -> PageStanding {
    match state {
        FanOutState::Done => PageStanding::Over,
        FanOutState::Fanning { page: current, .. } if current > page => PageStanding::Over,
        FanOutState::Fanning { page: current, lease_until }
            if current == page && lease_until.is_some_and(|until| now < until) =>
        {
            PageStanding::Held
        }
        // Where the item is behind, who sent this message has not moved it on yet, or died before: its lease is of its own
        // page.
        FanOutState::Fanning { .. } => PageStanding::Begin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    fn check(state: FanOutState, expected: [PageStanding; 4]) {
        let found = [0, 1, 2, u32::MAX].map(|page| page_standing(state, page, at(100)));
        assert_eq!(found, expected, "{state:?}");
    }

    #[test]
    fn a_page_is_sent_once_its_predecessors_are_and_until_it_is() {
        use PageStanding::{Begin, Held, Over};
        let fanning =
            |page, lease_until: Option<i64>| FanOutState::Fanning { page, lease_until: lease_until.map(at) };
        check(fanning(0, None), [Begin, Begin, Begin, Begin]);
        check(fanning(1, None), [Over, Begin, Begin, Begin]);
        check(fanning(u32::MAX, None), [Over, Over, Over, Begin]);
        check(FanOutState::Done, [Over, Over, Over, Over]);
        // A lease is of one page, and ends.
        check(fanning(0, Some(101)), [Held, Begin, Begin, Begin]);
        check(fanning(1, Some(101)), [Over, Held, Begin, Begin]);
        check(fanning(1, Some(100)), [Over, Begin, Begin, Begin]);
    }
}
