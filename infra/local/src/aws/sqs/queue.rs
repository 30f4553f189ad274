//! One queue as a pure state machine: which messages it holds, and which of them are visible when.
//!
//! A message is delayed (sent, not due), visible, or in flight (received, and hidden until its visibility
//! timeout ends). Every operation is a function of the state and `now`; whoever calls it has called
//! [`Queue::settle`] with the same `now` first. Bodies are not held here, and nothing is stored: the
//! journal does both.
//!
//! A message comes back from flight at the end of the queue's order: what fails again and again does not
//! keep what is new waiting.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use knockback::domain::Timestamp;
use uuid::Uuid;

use super::{
    error::SqsError,
    fair::{Fair, Group},
    receipt::Receipt,
    settings::Settings,
};

/// Messages that may be in flight in one queue (SQS's quota for standard queues).
pub(super) const IN_FLIGHT_LIMIT: usize = 120_000;

/// A queue, for as long as it exists; a queue of the same name that is created later has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct QueueId(pub(super) i64);

/// A message, and its place in the order of sending across all queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Sequence(pub(super) i64);

/// When a message became visible or will; messages of the same millisecond in the order they were sent.
pub(super) type Order = (Timestamp, Sequence);

/// All that is known of a message except what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: Uuid,
    pub(super) group: Group,
    pub(super) sent_at: Timestamp,
    /// When it becomes, or became, visible.
    pub(super) visible_at: Timestamp,
    pub(super) receive_count: u32,
    pub(super) first_received_at: Option<Timestamp>,
    /// The latest receipt; none if this queue never handed it out.
    pub(super) receipt: Option<Receipt>,
    /// The queue that gave it up, if this is a dead-letter queue.
    pub(super) source_arn: Option<Arc<str>>,
    /// Its place in its chain; 1 if it was sent from outside.
    pub(super) chain_length: u32,
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// May be received now.
    pub visible: usize,
    /// Sent with a delay that has not ended.
    pub delayed: usize,
    /// Received, neither deleted nor visible again.
    pub in_flight: usize,
}

/// What [`Queue::take`] took.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// In flight now.
    pub(super) received: Vec<Sequence>,
    /// Given up: no longer in this queue, due in its dead-letter queue.
    pub(super) dead: Vec<(Sequence, Message)>,
}

/// The state of one queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) settings: Settings,
    messages: HashMap<Sequence, Held>,
    /// Delayed and in flight.
    hidden: BTreeSet<Order>,
    /// All messages, by when they were sent: the order in which retention ends.
    by_age: BTreeSet<Order>,
    fair: Fair,
    depth: Depth,
}

#[derive(Debug)]
struct Held {
    message: Message,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Delayed,
    Visible,
    InFlight,
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            messages: HashMap::new(),
            hidden: BTreeSet::new(),
            by_age: BTreeSet::new(),
            fair: Fair::default(),
            depth: Depth::default(),
        }
    }

    /// Adds a message: a new one, one that another queue gave up, or one that the journal kept.
    pub(super) fn insert(&mut self, now: Timestamp, sequence: Sequence, message: Message) {
        let place = if message.visible_at <= now {
            Place::Visible
        } else if message.receipt.is_some() {
            Place::InFlight
        } else {
            Place::Delayed
        };
        self.by_age.insert((message.sent_at, sequence));
        self.messages.insert(sequence, Held { message, place });
        self.enter(sequence);
    }

    /// Makes visible what is due, and removes what is older than the retention period: answers those.
    pub(super) fn settle(&mut self, now: Timestamp) -> Vec<Sequence> {
        while let Some(&(visible_at, sequence)) = self.hidden.first() {
            if visible_at > now {
                break;
            }
            self.place(sequence, Place::Visible, visible_at);
        }
        let mut expired = Vec::new();
        while let Some(&(sent_at, sequence)) = self.by_age.first() {
            if sent_at + self.settings.retention > now {
                break;
            }
            self.remove(sequence);
            expired.push(sequence);
        }
        expired
    }

    /// Takes up to `max` visible messages and hides them for `visibility`, except those that are to be given up.
    ///
    /// # Errors
    ///
    /// [`SqsError::OverLimit`] if no more messages may be in flight.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        max: usize,
        visibility: Duration,
        is_given_up: impl Fn(&Message) -> bool,
        mut new_receipt: impl FnMut() -> Receipt,
    ) -> Result<Taken, SqsError> {
        let room = IN_FLIGHT_LIMIT.saturating_sub(self.depth.in_flight);
        if room == 0 {
            return Err(SqsError::OverLimit);
        }
        let mut taken = Taken::default();
        while taken.received.len() < max.min(room) {
            let Some((_, sequence)) = self.fair.next() else { break };
            let Some(held) = self.messages.get_mut(&sequence) else { break };
            if is_given_up(&held.message) {
                taken.dead.extend(self.remove(sequence).map(|message| (sequence, message)));
                continue;
            }
            held.message.receive_count = held.message.receive_count.saturating_add(1);
            held.message.first_received_at.get_or_insert(now);
            held.message.receipt = Some(new_receipt());
            self.place(sequence, Place::InFlight, now + visibility);
            taken.received.push(sequence);
        }
        Ok(taken)
    }

    /// Removes the message if `receipt` is its latest; otherwise does nothing, and says so. A message that
    /// became visible again is removed too, as long as nobody else received it.
    pub(super) fn delete(&mut self, sequence: Sequence, receipt: Receipt) -> bool {
        let is_latest = self.message(sequence).is_some_and(|message| message.receipt == Some(receipt));
        is_latest && self.remove(sequence).is_some()
    }

    /// Hides a message that is in flight for `visibility` from now; zero makes it visible.
    ///
    /// # Errors
    ///
    /// [`SqsError::MessageNotInflight`] if it is visible again; [`SqsError::InvalidParameterValue`] if it is
    /// gone or somebody else received it since.
    pub(super) fn change_visibility(
        &mut self,
        now: Timestamp,
        sequence: Sequence,
        receipt: Receipt,
        visibility: Duration,
    ) -> Result<(), SqsError> {
        match self.messages.get(&sequence) {
            Some(held) if held.message.receipt != Some(receipt) => Err(unavailable()),
            Some(held) if held.place == Place::InFlight => {
                let place = if visibility.is_zero() { Place::Visible } else { Place::InFlight };
                self.place(sequence, place, now + visibility);
                Ok(())
            }
            Some(_) => Err(SqsError::MessageNotInflight),
            None => Err(unavailable()),
        }
    }

    /// Makes everything visible that is in flight: whoever received it is known to be gone. Answers those.
    pub(super) fn release_in_flight(&mut self, now: Timestamp) -> Vec<Sequence> {
        let in_flight = |&&(_, sequence): &&Order| {
            self.messages.get(&sequence).is_some_and(|held| held.place == Place::InFlight)
        };
        let released: Vec<_> = self.hidden.iter().filter(in_flight).map(|&(_, sequence)| sequence).collect();
        for &sequence in &released {
            self.place(sequence, Place::Visible, now);
        }
        released
    }

    /// Removes all visible messages, oldest first among them, to be moved elsewhere.
    pub(super) fn take_visible(&mut self) -> Vec<(Sequence, Message)> {
        let mut orders = Vec::with_capacity(self.depth.visible);
        orders.extend(std::iter::from_fn(|| self.fair.next()));
        orders.sort_unstable();
        orders.into_iter().filter_map(|(_, sequence)| Some((sequence, self.remove(sequence)?))).collect()
    }

    /// The message, if the queue holds it.
    pub(super) fn message(&self, sequence: Sequence) -> Option<&Message> {
        self.messages.get(&sequence).map(|held| &held.message)
    }

    /// The earliest time at which a hidden message becomes visible.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        self.hidden.first().map(|&(visible_at, _)| visible_at)
    }

    /// How many messages there are, as of the last [`Queue::settle`].
    pub(super) fn depth(&self) -> Depth {
        self.depth
    }

    fn remove(&mut self, sequence: Sequence) -> Option<Message> {
        self.leave(sequence);
        let message = self.messages.remove(&sequence)?.message;
        self.by_age.remove(&(message.sent_at, sequence));
        Some(message)
    }

    fn place(&mut self, sequence: Sequence, place: Place, visible_at: Timestamp) {
        self.leave(sequence);
        if let Some(held) = self.messages.get_mut(&sequence) {
            held.place = place;
            held.message.visible_at = visible_at;
        }
        self.enter(sequence);
    }

    /// Counts and files the message where its place says.
    fn enter(&mut self, sequence: Sequence) {
        let Some(Held { message, place }) = self.messages.get(&sequence) else { return };
        let order = (message.visible_at, sequence);
        match place {
            Place::Visible => {
                self.depth.visible += 1;
                self.fair.add(&message.group, order);
            }
            Place::Delayed => {
                self.depth.delayed += 1;
                self.hidden.insert(order);
            }
            Place::InFlight => {
                self.depth.in_flight += 1;
                self.hidden.insert(order);
                self.fair.begin(&message.group);
            }
        }
    }

    /// Undoes [`Queue::enter`].
    fn leave(&mut self, sequence: Sequence) {
        let Some(Held { message, place }) = self.messages.get(&sequence) else { return };
        let order = (message.visible_at, sequence);
        match place {
            Place::Visible => {
                self.depth.visible -= 1;
                self.fair.remove(&message.group, order);
            }
            Place::Delayed => {
                self.depth.delayed -= 1;
                self.hidden.remove(&order);
            }
            Place::InFlight => {
                self.depth.in_flight -= 1;
                self.hidden.remove(&order);
                self.fair.end(&message.group);
            }
        }
    }
}

fn unavailable() -> SqsError {
    SqsError::InvalidParameterValue(
        "the receipt handle is invalid: the message does not exist or is not available for a change of its \
         visibility timeout"
            .to_owned(),
    )
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
