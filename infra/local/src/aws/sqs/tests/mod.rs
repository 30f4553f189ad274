//! The service as its users see it: natively, over the wire, and after a crash.

mod crash;
mod sdk;
mod service;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use knockback::{
    clock::{Entropy, VirtualClock},
    domain::Timestamp,
};

use super::*;

/// Random enough to be unique, and the same in every run.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
        let count = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        for (byte, count) in bytes.iter_mut().rev().zip(count.iter().rev()) {
            *byte = *count;
        }
    }
}

fn clock() -> VirtualClock {
    VirtualClock::new(Timestamp::from_ms(1_750_000_000_000))
}

fn in_memory(clock: &VirtualClock) -> Sqs {
    Sqs::in_memory(Arc::new(clock.clone()), Arc::new(Counter::default())).expect("opens in memory")
}

fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A queue `work` whose messages are given up to `dead` after `max_receive_count` receives.
fn create_pair(sqs: &Sqs, max_receive_count: u32) {
    let policy =
        format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":{max_receive_count}}}"#, arn_of("dead"));
    sqs.create_queue("dead", &Attributes::new()).expect("is created");
    sqs.create_queue("work", &attributes(&[("RedrivePolicy", &policy)])).expect("is created");
}

fn depth(sqs: &Sqs, queue_name: &str) -> (usize, usize, usize) {
    let Depth { visible, delayed, in_flight } = sqs.depth(queue_name).expect("exists");
    (visible, delayed, in_flight)
}

const SECOND: Duration = Duration::from_secs(1);
