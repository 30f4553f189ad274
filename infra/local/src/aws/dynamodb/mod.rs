//! DynamoDB in a box: dynoxide's tables on SQLite, and what AWS does that they do not.
//!
//! A request comes in as AWS's JSON and is run by `operations`. Two things are the box's own. Index reads lag,
//! if told to (`replica`): AWS's secondary indexes are eventually consistent, and code that reads one right after
//! a write must be shown to stand that. Items whose time to live is over are deleted by `expiry`, on the clock
//! that is handed in and only when asked. What calls cost is told by `capacity`.
//!
//! Reads of a table itself never lag, whether they ask for a consistent read or not. The ten minutes for which
//! dynoxide remembers a `ClientRequestToken`, and creation times in table descriptions, are the machine's time.

mod capacity;
mod effect;
mod expiry;
mod operations;
mod replica;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use dynoxide::{Database, DynoxideError};
use knockback::clock::Clock;

use self::{effect::Effect, operations::Done, replica::Replica};
use super::{counts::Consumed, wire::Answer};

/// DynamoDB: all tables of the box.
///
/// May be called from many threads at once; calls block on SQLite.
pub struct TableService {
    tables: Database,
    clock: Arc<dyn Clock>,
    /// What index reads see while they lag. Calls share the outer lock; turning the lag on or off has it alone,
    /// so that no write is missed in between. The inner lock puts writes and their images into one order.
    replica: RwLock<Option<Mutex<Replica>>>,
}

/// Why the tables cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// The file cannot be opened.
    #[error("the tables in {} cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: DynoxideError,
    },
    /// The file is there, and is no database or a damaged one.
    #[error("the tables in {} are damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the check found first.
        #[source]
        source: rusqlite::Error,
    },
    /// The database failed while the box did something of its own with it.
    #[error("the tables cannot be {doing}")]
    Failed {
        /// What the box was doing, as a participle.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: DynoxideError,
    },
}

impl TableService {
    /// Opens tables that are gone when the service is dropped.
    ///
    /// # Errors
    ///
    /// If SQLite has no memory for them.
    pub fn in_memory(clock: Arc<dyn Clock>) -> Result<Self, TablesError> {
        let tables =
            Database::memory().map_err(|source| TablesError::Failed { doing: "made in memory", source })?;
        Ok(Self::new(tables, clock))
    }

    /// Opens the tables in the file at `path`, which is made if there is none. What a call has answered is on
    /// the disk.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, is no such database, or is damaged.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, TablesError> {
        let open_error = |source| TablesError::Open { path: path.to_owned(), source };
        let name = path.to_str().ok_or_else(|| {
            open_error(DynoxideError::InternalServerError("the file's name is not UTF-8".to_owned()))
        })?;
        // First, for it tells of damage more plainly than opening does.
        if path.exists() {
            check(path).map_err(|source| TablesError::Damaged { path: path.to_owned(), source })?;
        }
        let tables = Database::new(name).map_err(open_error)?;
        Ok(Self::new(tables, clock))
    }

    fn new(tables: Database, clock: Arc<dyn Clock>) -> Self {
        Self { tables, clock, replica: RwLock::new(None) }
    }

    /// Answers one call; `operation` is what follows `DynamoDB_20120810.` in `x-amz-target`.
    pub fn call(&self, operation: &str, body: &[u8]) -> Answer {
        self.call_metered(operation, body).0
    }

    /// Answers one call as [`Self::call`] does, and says what it consumed.
    pub fn call_metered(&self, operation: &str, body: &[u8]) -> (Answer, Vec<Consumed>) {
        let Ok(body) = std::str::from_utf8(body) else {
            let error = DynoxideError::SerializationException(String::new());
            return (operations::answer(operation, Err(error)), Vec::new());
        };
        match self.run(operation, body) {
            Ok(Done { body, consumed }) => (operations::answer(operation, Ok(body)), consumed),
            Err(error) => {
                let consumed = capacity::of_refused(&self.tables, operation, body, &error);
                (operations::answer(operation, Err(error)), consumed)
            }
        }
    }

    /// Lets queries and scans of indexes answer as of `lag` ago; zero, as at first, makes them see every write.
    ///
    /// # Errors
    ///
    /// If the present items cannot be copied for the indexes to start from.
    pub fn set_index_lag(&self, lag: Duration) -> Result<(), TablesError> {
        let mut replica = self.replica.write().unwrap_or_else(PoisonError::into_inner);
        match &*replica {
            _ if lag.is_zero() => *replica = None,
            Some(replica) => lock(replica).set_lag(lag),
            None => {
                let copy = Replica::of(&self.tables, lag)
                    .map_err(|source| TablesError::Failed { doing: "copied", source })?;
                *replica = Some(Mutex::new(copy));
            }
        }
        Ok(())
    }

    /// Deletes the items whose time to live is over, and returns how many these were. AWS takes up to days for
    /// this; here nothing expires until this is called.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub fn sweep_expired(&self) -> Result<usize, TablesError> {
        expiry::sweep(self).map_err(|source| TablesError::Failed { doing: "swept", source })
    }

    fn run(&self, operation: &str, body: &str) -> Result<Done, DynoxideError> {
        let replica = self.replica.read().unwrap_or_else(PoisonError::into_inner);
        let Some(replica) = &*replica else {
            return operations::run(&self.tables, operation, body);
        };
        let effect = Effect::of(operation, body);
        if matches!(effect, Effect::None) {
            return operations::run(&self.tables, operation, body);
        }
        let mut replica = lock(replica);
        if matches!(effect, Effect::ReadsIndex) {
            return operations::run(replica.as_of(self.clock.now())?, operation, body);
        }
        let answer = operations::run(&self.tables, operation, body)?;
        replica.follow(&effect, &self.tables, self.clock.now())?;
        Ok(answer)
    }
}

impl std::fmt::Debug for TableService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableService").field("clock", &self.clock).finish_non_exhaustive()
    }
}

fn lock(replica: &Mutex<Replica>) -> MutexGuard<'_, Replica> {
    replica.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks through the whole file: SQLite would find damage only where it happens to read.
fn check(path: &Path) -> rusqlite::Result<()> {
    let found: String =
        rusqlite::Connection::open(path)?.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(corrupt, Some(found)))
}
