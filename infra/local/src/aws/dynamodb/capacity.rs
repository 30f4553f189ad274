//! What an operation costs: the units that AWS would bill for it.
//!
//! dynoxide computes them as its authors saw AWS compute them, and says them to who asks. Every request is made to ask,
//! and its answer is cut down to what the caller asked for. In particular: a query rounds the sum of its items' sizes
//! once, what a filter drops included; `BatchGetItem` rounds each item, and one that is not there costs the minimum; an index
//! costs nothing where its entry stays the same and twice where its key changes; in a transaction the table's share
//! is twofold and the indexes' is not; a transaction that is repeated with its token costs reads.
//!
//! One thing dynoxide does not say, and is added here: AWS bills a refused condition too, by the size of the larger of
//! the present item and the new one, at least a unit. What it bills for a transaction that a condition cancels
//! is not documented: it is taken for as much as the tables' share of one that succeeds, which is the most that it can be.

use dynoxide::{
    Database, DynoxideError, Item,
    actions::get_item::GetItemRequest,
    types::{
        CapacityDetail, ConsumedCapacity, TRANSACTIONAL_CAPACITY_FACTOR, item_size,
        table_write_capacity_units,
    },
};
use serde_json::Value;

use super::{
    effect::{Written, written},
    replica::{key_names, metadata},
};
use crate::aws::counts::{Consumed, Units};

/// Whether an operation reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Read,
    Write,
}

/// What the caller wants to know of the units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Nothing,
    Total,
    Indexes,
}

/// Has a request ask for everything, and returns what its caller asked for.
pub(super) fn ask(mode: &mut Option<String>) -> Asked {
    let asked = match mode.as_deref() {
        None | Some("NONE") => Asked::Nothing,
        Some("TOTAL") => Asked::Total,
        // Or it is none of AWS's words: the tables refuse those.
        Some(_) => return Asked::Indexes,
    };
    *mode = Some("INDEXES".to_owned());
    asked
}

/// The part of an answer that says what was consumed.
pub(super) trait Report {
    /// Takes what was consumed from it, and leaves what the caller asked for.
    fn charge(&mut self, asked: Asked, axis: Axis) -> Vec<Consumed>;
}

impl Report for Option<ConsumedCapacity> {
    fn charge(&mut self, asked: Asked, axis: Axis) -> Vec<Consumed> {
        let consumed = cut(self.as_mut_slice(), asked, axis);
        if asked == Asked::Nothing {
            *self = None;
        }
        consumed
    }
}

impl Report for Option<Vec<ConsumedCapacity>> {
    fn charge(&mut self, asked: Asked, axis: Axis) -> Vec<Consumed> {
        let consumed = cut(self.as_deref_mut().unwrap_or_default(), asked, axis);
        if asked == Asked::Nothing {
            *self = None;
        }
        consumed
    }
}

/// What was consumed in each place; leaves the totals only, unless the places were asked for.
fn cut(tables: &mut [ConsumedCapacity], asked: Asked, axis: Axis) -> Vec<Consumed> {
    let mut all = Vec::with_capacity(tables.len());
    for table in tables {
        // A repeated transaction writes nothing, and says that it read.
        let axis = if table.read_capacity_units.is_some() { Axis::Read } else { axis };
        let name = &table.table_name;
        let indexes = [&table.global_secondary_indexes, &table.local_secondary_indexes];
        let indexes = indexes.into_iter().flatten().flatten();
        let places = indexes.map(|(index, detail)| (format!("{name}/{index}"), detail));
        let places = places.chain(table.table.iter().map(|detail| (name.clone(), detail)));
        // A query of an index says that it took nothing of the table.
        let paid = places.filter(|(_, CapacityDetail { capacity_units, .. })| *capacity_units > 0.0);
        all.extend(paid.map(|(place, detail)| consumed(place, detail.capacity_units, axis)));
        if asked == Asked::Total {
            table.table = None;
            table.global_secondary_indexes = None;
            table.local_secondary_indexes = None;
            table.vector_indexes = None;
        }
    }
    all
}

/// What a call consumed that was refused: nothing, unless it was for a condition that was not met.
pub(super) fn of_refused(
    tables: &Database,
    operation: &str,
    body: &str,
    error: &DynoxideError,
) -> Vec<Consumed> {
    let request = || serde_json::from_str::<Value>(body).unwrap_or_default();
    match error {
        DynoxideError::ConditionalCheckFailedException(..) => {
            let write = write(&request(), operation);
            write.and_then(|write| of_write(tables, &write, 1.0)).into_iter().collect()
        }
        DynoxideError::TransactionCanceledException(_, reasons)
            if reasons.iter().any(|reason| reason.code == "ConditionalCheckFailed") =>
        {
            let request = request();
            let actions = request["TransactItems"].as_array().into_iter().flatten();
            let actions = actions.filter_map(Value::as_object).flatten();
            actions
                .filter_map(|(kind, action)| write(action, kind))
                .filter_map(|write| of_write(tables, &write, TRANSACTIONAL_CAPACITY_FACTOR))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// A write that was not made.
struct Refused {
    written: Written,
    /// What would have been written, if the request has it.
    new_size: Option<usize>,
}

/// What a request, or an action of a transaction, would have written.
fn write(action: &Value, kind: &str) -> Option<Refused> {
    let is_put = kind.starts_with("Put");
    let written = written(action, if is_put { "Item" } else { "Key" })?;
    let new_size = is_put.then(|| item_size(&written.key));
    Some(Refused { written, new_size })
}

/// The table's share of a write that was refused.
fn of_write(tables: &Database, write: &Refused, factor: f64) -> Option<Consumed> {
    let table = &write.written.table;
    let present = present(tables, &write.written).ok()?;
    let units = table_write_capacity_units(present.as_ref().map(item_size), write.new_size);
    Some(consumed(table.clone(), factor * units, Axis::Write))
}

/// The item that stands where one was to be written.
fn present(tables: &Database, written: &Written) -> Result<Option<Item>, DynoxideError> {
    let names = key_names(&metadata(tables, &written.table)?)?;
    let mut key = written.key.clone();
    key.retain(|name, _| names.contains(name));
    let table_name = written.table.clone();
    let request = GetItemRequest { table_name, key, consistent_read: Some(true), ..Default::default() };
    Ok(tables.get_item(request)?.item)
}

fn consumed(place: String, units: f64, axis: Axis) -> Consumed {
    let units = match axis {
        Axis::Read => Units { read: units, write: 0.0 },
        Axis::Write => Units { read: 0.0, write: units },
    };
    Consumed { place, units }
}
