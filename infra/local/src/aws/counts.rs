//! What calls to the box would cost on AWS: how many of each operation, and the units that the tables consume.
//!
//! Counted is what comes in as a call, by the SDK's connector or by the port, refused ones included. Not counted is what
//! the box does by itself: what pumps take from the queues in Lambda's place, what rules send, what expires.

use std::{
    collections::BTreeMap,
    ops::{AddAssign, Sub},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Calls and units, from some moment to another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    operations: BTreeMap<String, Operation>,
}

/// What calls of one operation came to.
#[derive(Debug, Clone, Default, PartialEq)]
struct Operation {
    calls: u64,
    /// By table, or by table and index.
    units: BTreeMap<String, Units>,
}

/// Units of a table or index, as they are billed on demand. They are multiples of a half, so sums are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Units {
    /// For each 4 KB read: 1 consistently, ½ eventually, 2 in a transaction.
    pub read: f64,
    /// For each 1 KB written: 1, or 2 in a transaction.
    pub write: f64,
}

/// Units that one call consumed in one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Consumed {
    /// A table, such as `WebhooksTable`, or an index, such as `WebhooksTable/failing`.
    pub place: String,
    /// How many.
    pub units: Units,
}

/// Counts that go on.
#[derive(Debug, Default)]
pub(super) struct Counter(Mutex<Counts>);

impl Counts {
    /// How often an operation was called; `target` is what `x-amz-target` says, such as `AmazonSQS.SendMessageBatch`, or
    /// `SES.SendEmail`.
    pub fn calls(&self, target: &str) -> u64 {
        self.operations.get(target).map_or(0, |operation| operation.calls)
    }

    /// How often each operation was called, by what `x-amz-target` says; none that was not called.
    pub fn all_calls(&self) -> impl Iterator<Item = (&str, u64)> {
        self.operations.iter().map(|(target, operation)| (target.as_str(), operation.calls))
    }

    /// The units of all tables and indexes.
    pub fn units(&self) -> Units {
        sum(self.operations.values().flat_map(|operation| operation.units.values()))
    }

    /// The units of a table without its indexes, such as `WebhooksTable`, or of an index, such as
    /// `WebhooksTable/failing`.
    pub fn units_of(&self, place: &str) -> Units {
        sum(self.operations.values().filter_map(|operation| operation.units.get(place)))
    }

    /// The units that an operation consumed; `target` is what `x-amz-target` says.
    pub fn units_by(&self, target: &str) -> Units {
        sum(self.operations.get(target).into_iter().flat_map(|operation| operation.units.values()))
    }

    /// The read units of all tables and indexes.
    pub fn read_units(&self) -> f64 {
        self.units().read
    }

    /// The write units of all tables and indexes.
    pub fn write_units(&self) -> f64 {
        self.units().write
    }

    /// The read units of a table or index, as in [`Self::units_of`].
    pub fn read_units_of(&self, place: &str) -> f64 {
        self.units_of(place).read
    }

    /// The write units of a table or index, as in [`Self::units_of`].
    pub fn write_units_of(&self, place: &str) -> f64 {
        self.units_of(place).write
    }

    /// What was counted after `earlier` was taken.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut counts = self.clone();
        for (target, before) in &earlier.operations {
            let Some(operation) = counts.operations.get_mut(target) else { continue };
            operation.calls = operation.calls.saturating_sub(before.calls);
            for (place, units) in &before.units {
                if let Some(of_place) = operation.units.get_mut(place) {
                    *of_place = *of_place - *units;
                }
            }
            operation.units.retain(|_, units| *units != Units::default());
        }
        counts.operations.retain(|_, operation| *operation != Operation::default());
        counts
    }
}

impl Counter {
    /// What was counted so far.
    pub(super) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    /// Counts a call as it begins.
    pub(super) fn call(&self, target: &str) {
        let mut counts = self.lock();
        if let Some(operation) = counts.operations.get_mut(target) {
            operation.calls += 1;
        } else {
            counts.operations.insert(target.to_owned(), Operation { calls: 1, units: BTreeMap::new() });
        }
    }

    /// Counts what a call consumed.
    pub(super) fn consumed(&self, target: &str, consumed: Vec<Consumed>) {
        let mut counts = self.lock();
        let Some(operation) = counts.operations.get_mut(target) else { return };
        for Consumed { place, units } in consumed {
            *operation.units.entry(place).or_default() += units;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AddAssign for Units {
    fn add_assign(&mut self, more: Self) {
        self.read += more.read;
        self.write += more.write;
    }
}

impl Sub for Units {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self { read: self.read - less.read, write: self.write - less.write }
    }
}

fn sum<'a>(units: impl Iterator<Item = &'a Units>) -> Units {
    units.fold(Units::default(), |mut sum, units| {
        sum += *units;
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "DynamoDB_20120810.GetItem";
    const PUT: &str = "DynamoDB_20120810.PutItem";
    const SEND: &str = "AmazonSQS.SendMessage";

    fn consumed(place: &str, read: f64, write: f64) -> Vec<Consumed> {
        vec![Consumed { place: place.to_owned(), units: Units { read, write } }]
    }

    #[test]
    fn units_are_summed_by_place_and_by_operation() {
        let counter = Counter::default();
        for target in [GET, GET, PUT, SEND] {
            counter.call(target);
        }
        counter.consumed(GET, consumed("things", 0.5, 0.0));
        counter.consumed(GET, consumed("others", 1.0, 0.0));
        counter.consumed(PUT, consumed("things", 0.0, 2.0));
        counter.consumed(PUT, consumed("things/by_color", 0.0, 1.0));
        let counts = counter.counts();
        assert_eq!([GET, PUT, SEND, "nothing"].map(|target| counts.calls(target)), [2, 1, 1, 0]);
        assert_eq!(counts.all_calls().collect::<Vec<_>>(), [(SEND, 1), (GET, 2), (PUT, 1)]);
        assert_eq!(counts.units(), Units { read: 1.5, write: 3.0 });
        assert_eq!(counts.units_of("things"), Units { read: 0.5, write: 2.0 });
        assert_eq!(counts.units_of("things/by_color"), Units { read: 0.0, write: 1.0 });
        assert_eq!(counts.units_by(GET), Units { read: 1.5, write: 0.0 });
        assert_eq!(counts.units_of("nothing"), Units::default());
    }

    #[test]
    fn what_was_counted_before_is_subtracted() {
        let counter = Counter::default();
        for target in [GET, PUT] {
            counter.call(target);
            counter.consumed(target, consumed("things", 1.0, 1.0));
        }
        let before = counter.counts();
        assert_eq!(before.since(&before), Counts::default());
        counter.call(GET);
        counter.consumed(GET, consumed("things", 0.5, 0.0));
        counter.call(SEND);
        let since = counter.counts().since(&before);
        assert_eq!(since.all_calls().collect::<Vec<_>>(), [(SEND, 1), (GET, 1)]);
        assert_eq!(since.units(), Units { read: 0.5, write: 0.0 });
    }
}
