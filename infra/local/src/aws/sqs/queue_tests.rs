//! What a queue does, in virtual time.

use super::*;
use crate::aws::sqs::settings::Attributes;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A queue with a clock and a supply of messages and receipts.
struct Bench {
    queue: Queue,
    now: Timestamp,
    made: u8,
    sent: i64,
}

impl Bench {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(attributes: &[(&str, &str)]) -> Self {
        let attributes: Attributes =
            attributes.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let settings = Settings::default().with(&attributes).expect("are attributes");
        Self { queue: Queue::new(settings), now: Timestamp::from_ms(1_000_000), made: 0, sent: 0 }
    }

    fn send(&mut self, delay: Duration, group: Option<&str>) -> Sequence {
        self.sent += 1;
        let message = Message {
            id: Uuid::nil(),
            group: group.map(Into::into),
            sent_at: self.now,
            visible_at: self.now + delay,
            receive_count: 0,
            first_received_at: None,
            receipt: None,
            source_arn: None,
            chain_length: 1,
        };
        self.queue.insert(self.now, Sequence(self.sent), message);
        Sequence(self.sent)
    }

    fn take(&mut self, max: usize, limit: Option<u32>) -> Taken {
        let made = &mut self.made;
        let receipt = || {
            *made += 1;
            Receipt([*made; 16])
        };
        self.queue.settle(self.now);
        let is_given_up = |message: &Message| limit.is_some_and(|limit| message.receive_count >= limit);
        self.queue.take(self.now, max, 30 * SECOND, is_given_up, receipt).expect("is within the limit")
    }

    fn receive(&mut self, max: usize) -> Vec<Sequence> {
        self.take(max, None).received
    }

    fn advance(&mut self, duration: Duration) -> Vec<Sequence> {
        self.now = self.now + duration;
        self.queue.settle(self.now)
    }

    fn receipt(&self, sequence: Sequence) -> Receipt {
        self.message(sequence).receipt.expect("was received")
    }

    fn message(&self, sequence: Sequence) -> &Message {
        self.queue.message(sequence).expect("is held")
    }

    fn depth(&self) -> (usize, usize, usize) {
        let Depth { visible, delayed, in_flight } = self.queue.depth();
        (visible, delayed, in_flight)
    }
}

#[test]
fn a_delayed_message_is_received_once_it_is_due_and_never_earlier() {
    let mut bench = Bench::new();
    let later = bench.send(10 * SECOND, None);
    let at_once = bench.send(Duration::ZERO, None);
    assert_eq!(bench.depth(), (1, 1, 0));
    assert_eq!(bench.receive(10), [at_once]);
    bench.advance(Duration::from_millis(9_999));
    assert!(bench.receive(10).is_empty());
    bench.advance(Duration::from_millis(1));
    assert_eq!(bench.receive(10), [later]);
}

#[test]
fn a_received_message_is_hidden_until_its_visibility_timeout_ends_and_is_counted() {
    let mut bench = Bench::new();
    let sequence = bench.send(Duration::ZERO, None);
    let first_received_at = bench.now;
    assert_eq!(bench.receive(1), [sequence]);
    assert_eq!((bench.depth(), bench.receive(1).len()), ((0, 0, 1), 0));
    assert_eq!(bench.queue.next_change(), Some(bench.now + 30 * SECOND));
    let first = bench.receipt(sequence);
    bench.advance(30 * SECOND);
    assert_eq!((bench.depth(), bench.queue.next_change()), ((1, 0, 0), None));
    assert_eq!(bench.receive(1), [sequence]);
    let message = bench.message(sequence);
    assert_eq!((message.receive_count, message.first_received_at), (2, Some(first_received_at)));
    assert_ne!(message.receipt, Some(first));
}

#[test]
fn only_the_latest_receipt_deletes_even_after_its_visibility_timeout() {
    let mut bench = Bench::new();
    let sequence = bench.send(Duration::ZERO, None);
    bench.receive(1);
    let stale = bench.receipt(sequence);
    bench.advance(30 * SECOND);
    bench.receive(1);
    let latest = bench.receipt(sequence);
    assert!(!bench.queue.delete(sequence, stale));
    bench.advance(30 * SECOND);
    assert!(bench.queue.delete(sequence, latest));
    assert!(!bench.queue.delete(sequence, latest));
    assert_eq!(bench.depth(), (0, 0, 0));
    assert!(bench.receive(1).is_empty());
}

#[test]
fn a_visibility_timeout_counts_from_its_change_and_zero_ends_it() {
    let mut bench = Bench::new();
    let sequence = bench.send(Duration::ZERO, None);
    bench.receive(1);
    let receipt = bench.receipt(sequence);
    bench.advance(20 * SECOND);
    bench.queue.change_visibility(bench.now, sequence, receipt, MINUTE).expect("is in flight");
    assert_eq!(bench.queue.next_change(), Some(bench.now + MINUTE));
    bench.queue.change_visibility(bench.now, sequence, receipt, Duration::ZERO).expect("is in flight");
    assert_eq!(bench.depth(), (1, 0, 0));
    let again = bench.queue.change_visibility(bench.now, sequence, receipt, MINUTE);
    assert!(matches!(again, Err(SqsError::MessageNotInflight)));
    bench.receive(1);
    let stale = bench.queue.change_visibility(bench.now, sequence, receipt, MINUTE);
    assert!(matches!(stale, Err(SqsError::InvalidParameterValue(_))));
}

#[test]
fn a_message_that_was_received_as_often_as_allowed_is_given_up_instead() {
    let mut bench = Bench::new();
    let poison = bench.send(Duration::ZERO, None);
    for _ in 0..2 {
        assert_eq!(bench.take(1, Some(2)).received, [poison]);
        bench.advance(30 * SECOND);
    }
    let fresh = bench.send(Duration::ZERO, None);
    let taken = bench.take(1, Some(2));
    assert_eq!(taken.received, [fresh]);
    let [(dead, message)] = &taken.dead[..] else { panic!("one was given up") };
    assert_eq!((*dead, message.receive_count), (poison, 2));
    assert_eq!(bench.depth(), (0, 0, 1));
}

#[test]
fn a_quiet_group_is_served_right_after_a_burst_of_another_began() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        bench.send(Duration::ZERO, Some("noisy"));
    }
    assert_eq!(bench.receive(10).len(), 10);
    let quiet = bench.send(Duration::ZERO, Some("quiet"));
    assert_eq!(bench.receive(1), [quiet]);
    assert_eq!(bench.receive(10).len(), 10, "a group that is alone gets everything");
}

#[test]
fn groups_with_nothing_in_flight_are_served_in_the_order_of_arrival() {
    let mut bench = Bench::new();
    let sent: Vec<_> = ["a", "b", "a", "c", "b"]
        .into_iter()
        .map(|group| {
            bench.advance(SECOND);
            bench.send(Duration::ZERO, Some(group))
        })
        .collect();
    let mut received = Vec::new();
    for _ in 0..5 {
        let next = bench.receive(1)[0];
        let receipt = bench.receipt(next);
        assert!(bench.queue.delete(next, receipt));
        received.push(next);
    }
    assert_eq!(received, sent);
}

#[test]
fn what_comes_back_from_flight_does_not_keep_what_is_new_waiting() {
    let mut bench = Bench::new();
    let failing = bench.send(Duration::ZERO, None);
    bench.receive(1);
    bench.advance(10 * SECOND);
    let fresh = bench.send(Duration::ZERO, None);
    bench.advance(20 * SECOND);
    assert_eq!(bench.receive(2), [fresh, failing]);
}

#[test]
fn a_message_is_gone_once_it_is_older_than_the_retention_period_wherever_it_is() {
    let mut bench = Bench::with(&[("MessageRetentionPeriod", "60")]);
    let visible = bench.send(Duration::ZERO, Some("a"));
    let delayed = bench.send(10 * MINUTE, None);
    let in_flight = bench.send(Duration::ZERO, Some("b"));
    bench.receive(1);
    bench.advance(59 * SECOND);
    bench.receive(1);
    let kept = bench.send(Duration::ZERO, None);
    let mut expired = bench.advance(SECOND);
    expired.sort_unstable();
    assert_eq!(expired, [visible, delayed, in_flight]);
    assert_eq!(bench.receive(10), [kept]);
}

#[test]
fn a_release_makes_everything_in_flight_visible_and_nothing_that_is_delayed() {
    let mut bench = Bench::new();
    let sequence = bench.send(Duration::ZERO, None);
    bench.send(MINUTE, None);
    bench.receive(1);
    assert_eq!(bench.queue.release_in_flight(bench.now), [sequence]);
    assert_eq!(bench.depth(), (1, 1, 0));
    assert_eq!(bench.receive(10), [sequence]);
    assert_eq!(bench.message(sequence).receive_count, 2);
}

#[test]
fn a_clock_that_is_set_back_hides_nothing_that_was_visible() {
    let mut bench = Bench::new();
    let sequence = bench.send(SECOND, None);
    bench.advance(SECOND);
    bench.now = bench.now - MINUTE;
    assert_eq!(bench.receive(1), [sequence]);
}

#[test]
fn no_more_than_120_000_messages_are_in_flight() {
    let mut bench = Bench::new();
    for _ in 0..=IN_FLIGHT_LIMIT {
        bench.send(Duration::ZERO, Some("group"));
    }
    let mut take = |max| bench.queue.take(bench.now, max, SECOND, |_| false, || Receipt([0; 16]));
    assert_eq!(take(usize::MAX).expect("has room").received.len(), IN_FLIGHT_LIMIT);
    assert!(matches!(take(1), Err(SqsError::OverLimit)));
    bench.advance(SECOND);
    assert_eq!(bench.depth(), (IN_FLIGHT_LIMIT + 1, 0, 0));
}
