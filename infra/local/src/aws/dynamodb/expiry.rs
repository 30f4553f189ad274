//! Time to live: deletes the items whose time is over.
//!
//! As on AWS only a number counts, in seconds since 1970, and one that is more than five years past does not.
//! The deletion is conditional on the time that was read, so that an item whose life is prolonged meanwhile
//! stays; and it goes the way of every other write, so that indexes see it when they see writes.

use std::collections::HashMap;

use dynoxide::{AttributeValue, Database, DynoxideError, Item, actions::scan::ScanRequest};
use serde_json::json;

use super::{
    TableService,
    replica::{key_names, metadata, table_names},
};

type Result<T> = std::result::Result<T, DynoxideError>;

/// Beyond this a time is taken for a mistake.
const OLDEST_SECONDS: i64 = 5 * 365 * 24 * 60 * 60;

/// Deletes what has expired and returns how many items that were.
pub(super) fn sweep(service: &TableService) -> Result<usize> {
    let now = service.clock.now().as_secs();
    let mut deleted = 0;
    for table in table_names(&service.tables)? {
        let metadata = metadata(&service.tables, &table)?;
        let Some(attribute) = metadata.ttl_attribute.as_ref().filter(|_| metadata.ttl_enabled) else {
            continue;
        };
        let key_names = key_names(&metadata)?;
        for item in expired(&service.tables, &table, attribute, &key_names, now)? {
            deleted += usize::from(delete(service, &table, attribute, &key_names, &item)?);
        }
    }
    Ok(deleted)
}

/// The keys and times of the items that have expired.
fn expired(
    tables: &Database,
    table: &str,
    attribute: &str,
    key_names: &[String],
    now: i64,
) -> Result<Vec<Item>> {
    let number = |value: i64| AttributeValue::N(value.to_string());
    let mut names = HashMap::from([("#expires".to_owned(), attribute.to_owned())]);
    names.extend(key_names.iter().enumerate().map(|(i, name)| (format!("#key{i}"), name.clone())));
    let projection = names.keys().cloned().collect::<Vec<_>>().join(", ");
    let mut items = Vec::new();
    let mut start = None;
    loop {
        let page = tables.scan(ScanRequest {
            table_name: table.to_owned(),
            filter_expression: Some("#expires <= :now AND #expires > :oldest".to_owned()),
            projection_expression: Some(projection.clone()),
            expression_attribute_names: Some(names.clone()),
            expression_attribute_values: Some(HashMap::from([
                (":now".to_owned(), number(now)),
                (":oldest".to_owned(), number(now - OLDEST_SECONDS)),
            ])),
            exclusive_start_key: start,
            ..Default::default()
        })?;
        items.extend(page.items.unwrap_or_default());
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(items);
        }
    }
}

/// Deletes `item` unless its time to live has changed; says whether it did.
fn delete(
    service: &TableService,
    table: &str,
    attribute: &str,
    key_names: &[String],
    item: &Item,
) -> Result<bool> {
    let key: HashMap<&String, &AttributeValue> =
        item.iter().filter(|(name, _)| key_names.contains(name)).collect();
    let request = json!({
        "TableName": table,
        "Key": key,
        "ConditionExpression": "#expires = :expires",
        "ExpressionAttributeNames": {"#expires": attribute},
        "ExpressionAttributeValues": {":expires": item[attribute]},
    });
    match service.run("DeleteItem", &request.to_string()) {
        Ok(_) => Ok(true),
        Err(DynoxideError::ConditionalCheckFailedException(..)) => Ok(false),
        Err(error) => Err(error),
    }
}
