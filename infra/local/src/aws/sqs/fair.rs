//! The order in which a queue's visible messages are handed out.
//!
//! The next message comes from the message group with the fewest messages in flight; among those, the one that
//! has been visible longest. So a quiet company is served right after a burst of a noisy one began, and a queue
//! without groups (they are one group, here) is served in the order of arrival. Nothing is capped: a
//! group that is alone gets everything.
//!
//! Every change costs a few steps in a balanced tree, however many groups and messages there are.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::queue::Order;

/// The message group id, if the message has one.
pub(super) type Group = Option<Arc<str>>;

/// The visible messages of one queue, by group, and what each group has in flight.
#[derive(Debug, Default)]
pub(super) struct Fair {
    groups: HashMap<Group, Standing>,
    /// One entry for each group that has visible messages; the first is served next.
    ranking: BTreeMap<Rank, Group>,
}

/// Messages in flight, then the oldest visible message.
type Rank = (usize, Order);

#[derive(Debug, Default)]
struct Standing {
    in_flight: usize,
    visible: BTreeSet<Order>,
}

impl Standing {
    fn rank(&self) -> Option<Rank> {
        self.visible.first().map(|&oldest| (self.in_flight, oldest))
    }
}

impl Fair {
    /// Adds a visible message.
    pub(super) fn add(&mut self, group: &Group, order: Order) {
        self.change(group, |standing| {
            standing.visible.insert(order);
        });
    }

    /// Removes a visible message that is not to be handed out.
    pub(super) fn remove(&mut self, group: &Group, order: Order) {
        self.change(group, |standing| {
            standing.visible.remove(&order);
        });
    }

    /// Removes the message that is to be handed out next.
    pub(super) fn next(&mut self) -> Option<Order> {
        let ((_, order), group) = self.ranking.first_key_value()?;
        let (order, group) = (*order, group.clone());
        self.remove(&group, order);
        Some(order)
    }

    /// Counts one more message of `group` in flight.
    pub(super) fn begin(&mut self, group: &Group) {
        self.change(group, |standing| standing.in_flight += 1);
    }

    /// Counts one message less of `group` in flight.
    pub(super) fn end(&mut self, group: &Group) {
        self.change(group, |standing| standing.in_flight = standing.in_flight.saturating_sub(1));
    }

    /// Changes the standing of `group`, keeps its rank, and forgets it once it has no messages.
    fn change(&mut self, group: &Group, apply: impl FnOnce(&mut Standing)) {
        let standing = self.groups.entry(group.clone()).or_default();
        let before = standing.rank();
        apply(standing);
        let after = standing.rank();
        let is_idle = standing.in_flight == 0 && standing.visible.is_empty();
        if before != after {
            if let Some(before) = before {
                self.ranking.remove(&before);
            }
            if let Some(after) = after {
                self.ranking.insert(after, group.clone());
            }
        }
        if is_idle {
            self.groups.remove(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use knockback::domain::Timestamp;

    use super::{super::queue::Sequence, *};

    fn order(at: i64) -> Order {
        (Timestamp::from_ms(at), Sequence(at))
    }

    #[expect(clippy::unnecessary_wraps, reason = "a group is optional")]
    fn group(name: &str) -> Group {
        Some(name.into())
    }

    /// Hands out everything, as if each message stayed in flight.
    fn drain(fair: &mut Fair, group_of: impl Fn(Order) -> Group) -> Vec<i64> {
        std::iter::from_fn(|| {
            let next = fair.next()?;
            fair.begin(&group_of(next));
            Some(next.1.0)
        })
        .collect()
    }

    #[test]
    fn a_group_with_fewer_messages_in_flight_comes_first() {
        let mut fair = Fair::default();
        for at in 0..4 {
            fair.add(&group("noisy"), order(at));
        }
        fair.add(&group("quiet"), order(10));
        fair.add(&group("quiet"), order(11));
        let group_of = |(_, sequence): Order| group(if sequence.0 < 10 { "noisy" } else { "quiet" });
        assert_eq!(drain(&mut fair, group_of), [0, 10, 1, 11, 2, 3]);
    }

    #[test]
    fn the_oldest_comes_first_within_a_group_and_among_equals() {
        let mut fair = Fair::default();
        for at in [5, 1, 3] {
            fair.add(&None, order(at));
        }
        fair.add(&group("other"), order(2));
        let group_of = |(_, sequence): Order| if sequence.0 == 2 { group("other") } else { None };
        assert_eq!(drain(&mut fair, group_of), [1, 2, 3, 5]);
    }

    #[test]
    fn a_group_is_forgotten_once_it_has_no_messages() {
        let mut fair = Fair::default();
        fair.add(&group("a"), order(1));
        fair.add(&group("a"), order(2));
        fair.remove(&group("a"), order(1));
        assert_eq!(fair.next(), Some(order(2)));
        fair.begin(&group("a"));
        assert_eq!(fair.groups.len(), 1);
        fair.end(&group("a"));
        assert!(fair.groups.is_empty() && fair.ranking.is_empty());
    }
}
