//! The queues on SQLite: everything that must survive a process that is killed.
//!
//! Memory holds what decides the order of messages; the file holds the same and the bodies. A change is in the
//! file before anybody is told of it. Write-ahead logging without a sync for each commit: a killed process loses
//! nothing; a machine that loses power may lose its last commits, but never half of one.
//!
//! The file is locked for as long as it is open, since a second process would not see this one's memory.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use knockback::domain::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params, types::Type};
use uuid::Uuid;

use super::{
    content::Content,
    queue::{Message, QueueId, Sequence},
    receipt::Receipt,
    settings::{Attributes, Settings},
};

/// Version of the schema below.
const VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE queues (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        created_ms INTEGER NOT NULL,
        modified_ms INTEGER NOT NULL,
        attributes TEXT NOT NULL
    ) STRICT;
    CREATE TABLE messages (
        sequence INTEGER PRIMARY KEY,
        queue INTEGER NOT NULL,
        id BLOB NOT NULL,
        message_group TEXT,
        sent_ms INTEGER NOT NULL,
        visible_ms INTEGER NOT NULL,
        receive_count INTEGER NOT NULL,
        first_received_ms INTEGER,
        receipt BLOB,
        source_arn TEXT
    ) STRICT;
    -- Apart, so that a receive does not rewrite a large body.
    CREATE TABLE contents (
        sequence INTEGER PRIMARY KEY,
        body TEXT NOT NULL,
        attributes TEXT,
        trace_header TEXT
    ) STRICT;
    PRAGMA user_version = 1;
";

/// Why the file of the queues cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It is no database, is damaged, or is in use by another process.
    #[error("cannot open the queues in {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// It is a database of something else, or of another version.
    #[error("{} holds no queues of version {VERSION} (its version is {found})", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that it says it has.
        found: i64,
    },
    /// A read or a write failed.
    #[error("the file of the queues cannot be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// A message's body is not there.
    #[error("the file of the queues lacks the content of a message")]
    ContentMissing,
}

/// A change to be written; those of one call are written together or not at all.
#[derive(Debug)]
pub(super) enum Change<'a> {
    /// A new message.
    Insert(QueueId, Sequence, &'a Message, &'a Content),
    /// Everything but the content of a message that exists.
    Update(QueueId, Sequence, &'a Message),
    /// The end of a message.
    Remove(Sequence),
    /// New attributes of a queue.
    Settings(QueueId, Timestamp, &'a Settings),
    /// The end of a queue and its messages.
    RemoveQueue(QueueId),
}

/// A queue as the file has it.
#[derive(Debug)]
pub(super) struct StoredQueue {
    pub(super) id: QueueId,
    pub(super) name: String,
    pub(super) created_at: Timestamp,
    pub(super) modified_at: Timestamp,
    pub(super) settings: Settings,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Journal(Connection);

impl Journal {
    /// Opens the file, or creates it; without a path, everything is in memory.
    ///
    /// # Errors
    ///
    /// If the file is in use, damaged, or not one of these.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, JournalError> {
        let shown = path.unwrap_or(Path::new(":memory:"));
        let failed = |source| JournalError::Open { path: shown.to_owned(), source };
        let connection = Connection::open(shown).map_err(failed)?;
        // Long enough for a process that is just ending to let go.
        connection.busy_timeout(Duration::from_secs(1)).map_err(failed)?;
        // Locked first: from then on nothing else reads or writes the file.
        connection
            .execute_batch(
                "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                 PRAGMA journal_size_limit = 16777216; BEGIN IMMEDIATE; COMMIT;",
            )
            .map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(32);
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
        let (found, tables) = (number("PRAGMA user_version")?, number("SELECT count(*) FROM sqlite_master")?);
        if found == 0 && tables == 0 {
            connection.execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;")).map_err(failed)?;
        } else if found != VERSION {
            return Err(JournalError::Version { path: shown.to_owned(), found });
        }
        Ok(Self(connection))
    }

    /// Adds a queue.
    pub(super) fn create_queue(
        &mut self,
        name: &str,
        now: Timestamp,
        settings: &Settings,
    ) -> Result<QueueId, JournalError> {
        self.0.execute(
            "INSERT INTO queues (name, created_ms, modified_ms, attributes) VALUES (?1, ?2, ?2, ?3)",
            params![name, now.as_ms(), to_json(&settings.attributes())?],
        )?;
        Ok(QueueId(self.0.last_insert_rowid()))
    }

    /// Writes all changes, or none.
    pub(super) fn write(&mut self, changes: &[Change<'_>]) -> Result<(), JournalError> {
        if changes.is_empty() {
            return Ok(());
        }
        let transaction = self.0.transaction()?;
        for change in changes {
            apply(&transaction, change)?;
        }
        Ok(transaction.commit()?)
    }

    /// What a message says.
    pub(super) fn content(&self, sequence: Sequence) -> Result<Content, JournalError> {
        self.0
            .prepare_cached("SELECT body, attributes, trace_header FROM contents WHERE sequence = ?1")?
            .query_row([sequence.0], |row| {
                let attributes: Option<String> = row.get(1)?;
                Ok(Content {
                    body: row.get(0)?,
                    attributes: attributes.map(|json| from_json(1, &json)).transpose()?.unwrap_or_default(),
                    trace_header: row.get(2)?,
                })
            })
            .optional()?
            .ok_or(JournalError::ContentMissing)
    }

    /// All queues.
    pub(super) fn queues(&self) -> Result<Vec<StoredQueue>, JournalError> {
        let mut statement =
            self.0.prepare("SELECT id, name, created_ms, modified_ms, attributes FROM queues")?;
        let rows = statement.query_map([], |row| {
            let attributes: Attributes = from_json(4, &row.get::<_, String>(4)?)?;
            Ok(StoredQueue {
                id: QueueId(row.get(0)?),
                name: row.get(1)?,
                created_at: Timestamp::from_ms(row.get(2)?),
                modified_at: Timestamp::from_ms(row.get(3)?),
                settings: Settings::default().with(&attributes).map_err(|error| unreadable(4, error))?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Hands every message to `each`, in the order they were sent.
    pub(super) fn messages(
        &self,
        mut each: impl FnMut(QueueId, Sequence, Message),
    ) -> Result<(), JournalError> {
        let mut statement = self.0.prepare(
            "SELECT queue, sequence, id, message_group, sent_ms, visible_ms, receive_count, first_received_ms,
             receipt, source_arn FROM messages ORDER BY sequence",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            each(QueueId(row.get(0)?), Sequence(row.get(1)?), message(row)?);
        }
        Ok(())
    }
}

#[cfg(test)]
impl Journal {
    /// Runs any SQL, to make the file misbehave.
    pub(super) fn execute(&self, sql: &str) {
        self.0.execute_batch(sql).expect("is SQL");
    }
}

fn apply(transaction: &Transaction<'_>, change: &Change<'_>) -> Result<(), rusqlite::Error> {
    match *change {
        Change::Insert(queue, sequence, message, content) => {
            write_message(transaction, queue, sequence, message)?;
            let attributes =
                (!content.attributes.is_empty()).then(|| to_json(&content.attributes)).transpose()?;
            transaction.prepare_cached("INSERT INTO contents VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                sequence.0,
                content.body,
                attributes,
                content.trace_header
            ])?;
        }
        Change::Update(queue, sequence, message) => write_message(transaction, queue, sequence, message)?,
        Change::Remove(sequence) => {
            for sql in
                ["DELETE FROM messages WHERE sequence = ?1", "DELETE FROM contents WHERE sequence = ?1"]
            {
                transaction.prepare_cached(sql)?.execute([sequence.0])?;
            }
        }
        Change::Settings(queue, now, settings) => {
            transaction.execute(
                "UPDATE queues SET modified_ms = ?2, attributes = ?3 WHERE id = ?1",
                params![queue.0, now.as_ms(), to_json(&settings.attributes())?],
            )?;
        }
        Change::RemoveQueue(queue) => {
            for sql in [
                "DELETE FROM contents WHERE sequence IN (SELECT sequence FROM messages WHERE queue = ?1)",
                "DELETE FROM messages WHERE queue = ?1",
                "DELETE FROM queues WHERE id = ?1",
            ] {
                transaction.execute(sql, [queue.0])?;
            }
        }
    }
    Ok(())
}

fn write_message(
    transaction: &Transaction<'_>,
    queue: QueueId,
    sequence: Sequence,
    message: &Message,
) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
        .execute(params![
            sequence.0,
            queue.0,
            message.id.as_bytes(),
            message.group.as_deref(),
            message.sent_at.as_ms(),
            message.visible_at.as_ms(),
            message.receive_count,
            message.first_received_at.map(Timestamp::as_ms),
            message.receipt.map(|receipt| receipt.0),
            message.source_arn.as_deref(),
        ])?;
    Ok(())
}

fn message(row: &Row<'_>) -> Result<Message, rusqlite::Error> {
    Ok(Message {
        id: Uuid::from_bytes(row.get(2)?),
        group: row.get(3)?,
        sent_at: Timestamp::from_ms(row.get(4)?),
        visible_at: Timestamp::from_ms(row.get(5)?),
        receive_count: row.get(6)?,
        first_received_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_ms),
        receipt: row.get::<_, Option<[u8; 16]>>(8)?.map(Receipt),
        source_arn: row.get(9)?,
        // The file does not know it: see `crate::aws::chains`.
        chain_length: 1,
    })
}

fn to_json(value: &impl serde::Serialize) -> Result<String, rusqlite::Error> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn from_json<T: serde::de::DeserializeOwned>(column: usize, json: &str) -> Result<T, rusqlite::Error> {
    serde_json::from_str(json).map_err(|error| unreadable(column, error))
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
