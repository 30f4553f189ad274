//! The tables as they were a while ago: what an index that lags is read from.
//!
//! The replica is a second set of tables, in memory. Each write leaves the images of its items in a queue, in the
//! order of the writes; an index read first applies those that are old enough. Whoever calls holds the lock
//! around the write, its images and the queue, so that the images of one item cannot overtake each other. Tables
//! and indexes themselves do not lag.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use dynoxide::{
    Database, DynoxideError, ImportOptions, Item, TableMetadata,
    actions::{
        create_table::CreateTableRequest, delete_item::DeleteItemRequest, delete_table::DeleteTableRequest,
        get_item::GetItemRequest, list_tables::ListTablesRequest, put_item::PutItemRequest,
        scan::ScanRequest,
    },
    types::{GlobalSecondaryIndex, KeySchemaElement},
};
use knockback::domain::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::effect::{Effect, Written};

type Result<T> = std::result::Result<T, DynoxideError>;

/// The tables as of `lag` ago.
pub(super) struct Replica {
    tables: Database,
    lag: Duration,
    changes: VecDeque<Change>,
    /// The attributes of each table's key, as far as they were needed.
    key_names: HashMap<String, Vec<String>>,
}

/// An item after a write.
struct Change {
    written_at: Timestamp,
    table: String,
    key: Item,
    /// `None` if it is gone.
    image: Option<Item>,
}

impl Replica {
    /// A replica that starts with everything that `tables` hold.
    pub(super) fn of(tables: &Database, lag: Duration) -> Result<Self> {
        let replica =
            Self { tables: Database::memory()?, lag, changes: VecDeque::new(), key_names: HashMap::new() };
        for table in table_names(tables)? {
            replica.create(&table, tables)?;
            let mut page = ScanRequest { table_name: table.clone(), ..Default::default() };
            loop {
                let response = tables.scan(page)?;
                replica.tables.import_items(
                    &table,
                    response.items.unwrap_or_default(),
                    ImportOptions::default(),
                )?;
                let Some(last) = response.last_evaluated_key else { break };
                page = ScanRequest {
                    table_name: table.clone(),
                    exclusive_start_key: Some(last),
                    ..Default::default()
                };
            }
        }
        Ok(replica)
    }

    /// Changes the lag, also for what is already waiting.
    pub(super) fn set_lag(&mut self, lag: Duration) {
        self.lag = lag;
    }

    /// The tables as of `now` less the lag.
    pub(super) fn as_of(&mut self, now: Timestamp) -> Result<&Database> {
        self.apply_due(now)?;
        Ok(&self.tables)
    }

    /// Takes over what a call has just done to `tables`.
    pub(super) fn follow(&mut self, effect: &Effect, tables: &Database, now: Timestamp) -> Result<()> {
        match effect {
            Effect::None | Effect::ReadsIndex => Ok(()),
            Effect::Writes(items) => {
                for written in items {
                    let change = self.change(written, tables, now)?;
                    self.changes.push_back(change);
                }
                self.apply_due(now)
            }
            Effect::CreatesTable(table) => self.create(table, tables),
            Effect::UpdatesTable(request) => self.update_indexes(request),
            Effect::DeletesTable(table) => {
                self.changes.retain(|change| change.table != *table);
                self.key_names.remove(table);
                let request = DeleteTableRequest { table_name: table.clone() };
                self.tables.delete_table(request).map(drop)
            }
        }
    }

    fn apply_due(&mut self, now: Timestamp) -> Result<()> {
        // After the clock was set back, what was written "later" than now counts as written now.
        if self.changes.back().is_some_and(|change| change.written_at > now) {
            for change in &mut self.changes {
                change.written_at = change.written_at.min(now);
            }
        }
        while let Some(change) = self.changes.pop_front_if(|change| change.written_at + self.lag <= now) {
            let table_name = change.table;
            if let Some(item) = change.image {
                let put = PutItemRequest { table_name, item, ..Default::default() };
                self.tables.put_item(put)?;
            } else {
                let delete = DeleteItemRequest { table_name, key: change.key, ..Default::default() };
                self.tables.delete_item(delete)?;
            }
        }
        Ok(())
    }

    fn change(&mut self, written: &Written, tables: &Database, now: Timestamp) -> Result<Change> {
        let table = written.table.clone();
        let key = self.key_of(written)?;
        let read = GetItemRequest {
            table_name: table.clone(),
            key: key.clone(),
            consistent_read: Some(true),
            ..Default::default()
        };
        Ok(Change { written_at: now, table, key, image: tables.get_item(read)?.item })
    }

    fn key_of(&mut self, written: &Written) -> Result<Item> {
        if !self.key_names.contains_key(&written.table) {
            let names = key_names(&metadata(&self.tables, &written.table)?)?;
            self.key_names.insert(written.table.clone(), names);
        }
        let names = &self.key_names[&written.table];
        Ok(written
            .key
            .iter()
            .filter(|(name, _)| names.contains(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect())
    }

    fn create(&self, table: &str, tables: &Database) -> Result<()> {
        let metadata = metadata(tables, table)?;
        let indexes: Option<Vec<GlobalSecondaryIndex>> =
            metadata.gsi_definitions.as_deref().map(parse).transpose()?;
        let request = CreateTableRequest {
            table_name: table.to_owned(),
            key_schema: parse(&metadata.key_schema)?,
            attribute_definitions: parse(&metadata.attribute_definitions)?,
            global_secondary_indexes: indexes.map(|indexes| {
                let on_demand = |index| GlobalSecondaryIndex { provisioned_throughput: None, ..index };
                indexes.into_iter().map(on_demand).collect()
            }),
            local_secondary_indexes: metadata.lsi_definitions.as_deref().map(parse).transpose()?,
            billing_mode: Some("PAY_PER_REQUEST".to_owned()),
            ..Default::default()
        };
        self.tables.create_table(request).map(drop)
    }

    /// Makes and removes indexes; nothing else about a table shows in an index.
    fn update_indexes(&self, request: &Value) -> Result<()> {
        let mut updates: Vec<Value> =
            request["GlobalSecondaryIndexUpdates"].as_array().cloned().unwrap_or_default();
        updates.retain(|update| update["Create"].is_object() || update["Delete"].is_object());
        if updates.is_empty() {
            return Ok(());
        }
        for update in &mut updates {
            if let Some(create) = update["Create"].as_object_mut() {
                create.remove("ProvisionedThroughput");
            }
        }
        let mut index_request =
            json!({"TableName": request["TableName"], "GlobalSecondaryIndexUpdates": updates});
        if request["AttributeDefinitions"].is_array() {
            index_request["AttributeDefinitions"] = request["AttributeDefinitions"].clone();
        }
        self.tables.update_table(parse(&index_request.to_string())?).map(drop)
    }
}

/// The names of all tables.
pub(super) fn table_names(tables: &Database) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut start = None;
    loop {
        let page =
            tables.list_tables(ListTablesRequest { exclusive_start_table_name: start, limit: None })?;
        names.extend(page.table_names);
        start = page.last_evaluated_table_name;
        if start.is_none() {
            return Ok(names);
        }
    }
}

/// What the database knows about a table.
pub(super) fn metadata(tables: &Database, table: &str) -> Result<TableMetadata> {
    tables
        .get_table_metadata(table)?
        .ok_or_else(|| DynoxideError::ResourceNotFoundException(format!("no table {table}")))
}

/// The attributes of a table's key.
pub(super) fn key_names(metadata: &TableMetadata) -> Result<Vec<String>> {
    let schema: Vec<KeySchemaElement> = parse(&metadata.key_schema)?;
    Ok(schema.into_iter().map(|element| element.attribute_name).collect())
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}
