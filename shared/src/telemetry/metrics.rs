//! Metrics, as lines of the log: one for each invocation, in CloudWatch's embedded metric format, which CloudWatch reads from
//! the log by itself. No call is made for it, and nobody waits.
//!
//! A metric is as of the log. A function that is killed writes none of what it did in that invocation; a message that comes
//! twice and is taken by two handlers at the same time may be counted by both; and CloudWatch itself promises to take a line
//! at least once. Rules are kept by what is in the tables, never by these numbers.
//!
//! A metric that is zero is left out: an alarm takes what is missing for good.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use serde_json::{Value, json};

use crate::{Context, domain::Timestamp};

/// The target of the lines that are metrics. Such a line is written as it is.
pub const METRICS: &str = "knockback::metrics";

const NAMESPACE: &str = "Knockback";

/// The only dimension: a metric by company would be one that costs for each company.
const DIMENSION: &str = "Stack";

/// The most values that one metric has in a line.
const VALUES_MAX: usize = 100;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Count {
    /// Events that Knockback took, from the API and from the bus. Counted by fan-out when it first keeps an event: there, and
    /// only there, a repeat is told from an event. So it lags behind the answer 202 by the age of the events queue.
    EventsAccepted,
    /// Deliveries that fan-out sent on their way.
    WebhooksMatched,
    /// Attempts: each POST that was made, whatever came of it. The sum of `Delivered` and `Failed`.
    Attempts,
    /// Attempts beyond the first of their delivery.
    Retries,
    /// Attempts that succeeded.
    Delivered,
    /// Attempts that failed.
    Failed,
    /// Deliveries whose retries are used up.
    GivenUp,
    /// Deliveries that were dropped, and recorded as such.
    Dropped,
    /// Bans that began.
    Banned,
    /// Webhooks that were switched off because the retries of a delivery were used up.
    Deactivated,
    /// Successes whose item could not be written: the log of deliveries lacks them.
    OutcomeUnlogged,
    /// Webhooks that were deleted as stale.
    SweptStale,
    /// Waiting attempts and announcements for which the sweeper sent a message.
    WaitsWoken,
    /// Mails that SES took.
    MailsSent,
    /// Tries to send a mail that SES did not take. A mail is tried several times.
    MailsFailed,
}

/// What is measured, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Time {
    /// From when an event was taken to the start of its original attempt, of deliveries that did not wait for a ban or a hold.
    DeliveryLag,
    /// From the start of an attempt to its end.
    AttemptDuration,
}

/// What one invocation counts and measures.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    counts: BTreeMap<Count, u64>,
    times: BTreeMap<Time, Vec<u64>>,
}

impl Metrics {
    /// Counts something so many times.
    pub fn count(&self, what: Count, times: usize) {
        if times > 0 {
            let times = u64::try_from(times).unwrap_or(u64::MAX);
            self.change(|numbers| {
                let count = numbers.counts.entry(what).or_default();
                *count = count.saturating_add(times);
            });
        }
    }

    /// Notes how long something took.
    pub fn time(&self, what: Time, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.change(|numbers| numbers.times.entry(what).or_default().push(ms));
    }

    fn change(&self, change: impl FnOnce(&mut Numbers)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Writes what was counted and measured, if anything was and the deployment has a name.
    pub fn emit(self, context: &Context) {
        for line in self.lines(context.config.stack.as_deref(), context.now()) {
            tracing::info!(target: METRICS, line);
        }
    }

    /// The lines: one, unless something was measured more often than one line may say; none of a deployment without a name.
    pub(super) fn lines(self, stack: Option<&str>, at: Timestamp) -> Vec<String> {
        let Some(stack) = stack else { return Vec::new() };
        let Numbers { mut counts, mut times } = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut lines = Vec::new();
        while !(counts.is_empty() && times.is_empty()) {
            let some = times.iter_mut().map(|(what, values)| {
                let some: Vec<_> = values.drain(..values.len().min(VALUES_MAX)).collect();
                (json!(what), json!("Milliseconds"), json!(some))
            });
            let counted = std::mem::take(&mut counts).into_iter();
            let counted = counted.map(|(what, count)| (json!(what), json!("Count"), json!(count)));
            lines.push(line(stack, at, counted.chain(some)));
            times.retain(|_, values| !values.is_empty());
        }
        lines
    }
}

/// A document of the embedded metric format, with metrics by name, unit and value.
fn line(stack: &str, at: Timestamp, metrics: impl Iterator<Item = (Value, Value, Value)>) -> String {
    let (mut definitions, mut document) = (Vec::new(), json!({ DIMENSION: stack }));
    for (name, unit, value) in metrics {
        document[name.as_str().unwrap_or_default()] = value;
        definitions.push(json!({"Name": name, "Unit": unit}));
    }
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": definitions});
    document["_aws"] = json!({"Timestamp": at.as_ms(), "CloudWatchMetrics": [directive]});
    document.to_string()
}
