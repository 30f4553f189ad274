//! What an operation means to indexes that lag: which items it writes, or that it reads an index.
//!
//! Only well-formed requests count: one that is not is refused by the tables before its effect matters.

use dynoxide::Item;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What an operation does.
#[derive(Debug)]
pub(super) enum Effect {
    /// Nothing that concerns an index.
    None,
    /// Reads an index, and not consistently.
    ReadsIndex,
    /// Writes items.
    Writes(Vec<Written>),
    /// Makes a table.
    CreatesTable(String),
    /// Changes a table; this is the request.
    UpdatesTable(Value),
    /// Deletes a table with everything in it.
    DeletesTable(String),
}

/// An item that is written.
#[derive(Debug)]
pub(super) struct Written {
    /// Its table.
    pub(super) table: String,
    /// Its key, or a whole item that has the key's attributes among others.
    pub(super) key: Item,
}

impl Effect {
    /// The effect that a request has if it succeeds.
    pub(super) fn of(operation: &str, body: &str) -> Self {
        let request = || serde_json::from_str::<Value>(body).unwrap_or_default();
        match operation {
            "Query" | "Scan" => reads(&request()),
            "PutItem" => Self::Writes(written(&request(), "Item").into_iter().collect()),
            "UpdateItem" | "DeleteItem" => Self::Writes(written(&request(), "Key").into_iter().collect()),
            "BatchWriteItem" => Self::Writes(batch(&request())),
            "TransactWriteItems" => Self::Writes(transaction(&request())),
            "CreateTable" => Self::CreatesTable(table(&request())),
            "UpdateTable" => Self::UpdatesTable(request()),
            "DeleteTable" => Self::DeletesTable(table(&request())),
            _ => Self::None,
        }
    }
}

/// A consistent read of a local index does not lag; one of a global index is refused, by the tables.
fn reads(request: &Value) -> Effect {
    if request["IndexName"].is_string() && request["ConsistentRead"] != Value::Bool(true) {
        Effect::ReadsIndex
    } else {
        Effect::None
    }
}

fn batch(request: &Value) -> Vec<Written> {
    let tables = request["RequestItems"].as_object().into_iter().flatten();
    tables
        .flat_map(|(table, writes)| {
            writes.as_array().into_iter().flatten().filter_map(|write| {
                let key =
                    read(&write["PutRequest"]["Item"]).or_else(|| read(&write["DeleteRequest"]["Key"]))?;
                Some(Written { table: table.clone(), key })
            })
        })
        .collect()
}

fn transaction(request: &Value) -> Vec<Written> {
    let actions = request["TransactItems"].as_array().into_iter().flatten();
    actions
        .filter_map(|action| {
            written(&action["Put"], "Item")
                .or_else(|| written(&action["Update"], "Key"))
                .or_else(|| written(&action["Delete"], "Key"))
        })
        .collect()
}

/// What a request, or an action of a transaction, writes; `key` is where its key is.
pub(super) fn written(action: &Value, key: &str) -> Option<Written> {
    Some(Written { table: action["TableName"].as_str()?.to_owned(), key: read(&action[key])? })
}

fn table(request: &Value) -> String {
    request["TableName"].as_str().unwrap_or_default().to_owned()
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}
