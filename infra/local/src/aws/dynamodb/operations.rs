//! One operation, from AWS's JSON to AWS's JSON.
//!
//! dynoxide words its refusals as AWS does, but keeps the reading of a request's JSON to its own server, so
//! `read` stands in for that: which error a malformed request gets is AWS's, its text only nearly.

use dynoxide::{
    Database, DynoxideError,
    actions::{
        batch_get_item::BatchGetItemRequest, batch_write_item::BatchWriteItemRequest,
        delete_item::DeleteItemRequest, get_item::GetItemRequest, put_item::PutItemRequest,
        query::QueryRequest, scan::ScanRequest, transact_get_items::TransactGetItemsRequest,
        transact_write_items::TransactWriteItemsRequest, update_item::UpdateItemRequest,
    },
};
use serde::{Serialize, de::DeserializeOwned};

use super::capacity::{Axis, Report, ask};
use crate::aws::{counts::Consumed, wire::Answer};

/// An operation that succeeded.
#[derive(Debug)]
pub(super) struct Done {
    /// The body of its answer.
    pub(super) body: Vec<u8>,
    /// What it cost.
    pub(super) consumed: Vec<Consumed>,
}

/// Runs an operation that consumes units.
macro_rules! metered {
    ($tables:ident.$operation:ident($request:ty), $axis:expr, $body:ident) => {{
        let mut request: $request = read($body)?;
        let asked = ask(&mut request.return_consumed_capacity);
        let mut response = $tables.$operation(request)?;
        let consumed = response.consumed_capacity.charge(asked, $axis);
        Ok(Done { consumed, ..write(&response)? })
    }};
}

/// Runs `operation` on `tables`.
pub(super) fn run(tables: &Database, operation: &str, body: &str) -> Result<Done, DynoxideError> {
    match operation {
        "CreateTable" => write(&tables.create_table(read(body)?)?),
        "DeleteTable" => write(&tables.delete_table(read(body)?)?),
        "DescribeTable" => write(&tables.describe_table(read(body)?)?),
        "UpdateTable" => write(&tables.update_table(read(body)?)?),
        "ListTables" => write(&tables.list_tables(read(body)?)?),
        "PutItem" => metered!(tables.put_item(PutItemRequest), Axis::Write, body),
        "GetItem" => metered!(tables.get_item(GetItemRequest), Axis::Read, body),
        "UpdateItem" => metered!(tables.update_item(UpdateItemRequest), Axis::Write, body),
        "DeleteItem" => metered!(tables.delete_item(DeleteItemRequest), Axis::Write, body),
        "Query" => metered!(tables.query(QueryRequest), Axis::Read, body),
        "Scan" => metered!(tables.scan(ScanRequest), Axis::Read, body),
        "BatchGetItem" => metered!(tables.batch_get_item(BatchGetItemRequest), Axis::Read, body),
        "BatchWriteItem" => metered!(tables.batch_write_item(BatchWriteItemRequest), Axis::Write, body),
        "TransactGetItems" => metered!(tables.transact_get_items(TransactGetItemsRequest), Axis::Read, body),
        "TransactWriteItems" => {
            metered!(tables.transact_write_items(TransactWriteItemsRequest), Axis::Write, body)
        }
        "UpdateTimeToLive" => write(&tables.update_time_to_live(read(body)?)?),
        "DescribeTimeToLive" => write(&tables.describe_time_to_live(read(body)?)?),
        "TagResource" => write(&tables.tag_resource(read(body)?)?),
        "UntagResource" => write(&tables.untag_resource(read(body)?)?),
        "ListTagsOfResource" => write(&tables.list_tags_of_resource(read(body)?)?),
        _ => Err(DynoxideError::UnsupportedCapability(operation.to_owned())),
    }
}

/// Puts a result into the shape in which AWS sends it.
pub(super) fn answer(operation: &str, result: Result<Vec<u8>, DynoxideError>) -> Answer {
    match result.map_err(|error| without_tag(operation, error)) {
        Ok(body) => Answer::new(200, body),
        Err(DynoxideError::UnsupportedCapability(operation)) => Answer::error(
            400,
            "com.amazon.coral.service#UnknownOperationException",
            &format!("the box has no operation {operation}"),
        ),
        Err(error) => Answer::new(error.status_code(), error.to_json().into_bytes()),
    }
}

/// Resolves dynoxide's mark on refusals that AWS puts into an envelope for single writes only: they are plain
/// validation errors to everyone outside.
fn without_tag(operation: &str, error: DynoxideError) -> DynoxideError {
    let DynoxideError::EnvelopedValidation(message) = error else { return error };
    let envelope = match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => "1 validation error detected: ",
        _ => "",
    };
    DynoxideError::ValidationException(format!("{envelope}{message}"))
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, DynoxideError> {
    serde_json::from_str(body).map_err(|error| misread(&error))
}

fn write(response: &impl Serialize) -> Result<Done, DynoxideError> {
    match serde_json::to_vec(response) {
        Ok(body) => Ok(Done { body, consumed: Vec::new() }),
        Err(error) => Err(DynoxideError::InternalServerError(error.to_string())),
    }
}

/// The error for a request that is no JSON of the operation's shape. dynoxide's readers say by a prefix which
/// one they mean; without one, what is missing is invalid and what has a wrong type is malformed.
fn misread(error: &serde_json::Error) -> DynoxideError {
    if !error.is_data() {
        return DynoxideError::SerializationException(String::new());
    }
    let text = error.to_string();
    let bare = |rest: &str| rest.rsplit_once(" at line ").map_or(rest, |(message, _)| message).to_owned();
    if let Some(rest) = text.strip_prefix("SERIALIZATION_AS_READ:") {
        DynoxideError::SerializationException(rest.to_owned())
    } else if let Some(rest) = text.strip_prefix("VALIDATION_AS_READ:") {
        DynoxideError::ValidationException(rest.to_owned())
    } else if let Some(rest) = text.strip_prefix("SERIALIZATION:") {
        DynoxideError::SerializationException(bare(rest))
    } else if let Some(rest) = text.strip_prefix("VALIDATION_REQUEST:") {
        DynoxideError::EnvelopedValidation(bare(rest))
    } else if let Some(rest) = text.strip_prefix("VALIDATION:") {
        DynoxideError::ValidationException(bare(rest))
    } else if text.contains("empty AttributeValue") {
        DynoxideError::ValidationException(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
                .to_owned(),
        )
    } else if ["missing field", "unknown variant", "invalid type: null", "Supplied AttributeValue"]
        .iter()
        .any(|invalid| text.contains(invalid))
    {
        DynoxideError::ValidationException(bare(&text))
    } else {
        DynoxideError::SerializationException(bare(&text))
    }
}
