//! The data folder: readable by its owner only, used by one runner at a time, and the tokens and keys in it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use knockback::{clock::Entropy, token::new_token};
use serde::{Deserialize, Serialize};

/// A data folder that is this process's.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Holds the lock for as long as the process lives.
    _lock: File,
}

/// What survives a restart beside tables and queues.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// The platform's token.
    pub platform_token: String,
    /// The token of a caller to try things with.
    pub caller_token: String,
    /// The keys that seal secrets, in a folder that is older than the box's Secrets Manager.
    #[serde(default, skip_serializing)]
    pub key_ring: Option<String>,
}

/// A data folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// It cannot be made, read or written.
    #[error("the data folder {folder} cannot be used")]
    Folder {
        /// Which.
        folder: String,
        /// Why.
        source: io::Error,
    },
    /// A file in it cannot be read or written.
    #[error("{file} cannot be read or written")]
    File {
        /// Which file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// Another runner uses it.
    #[error(
        "the data folder {0} is used by another runner: stop that one, or choose another folder with --data"
    )]
    InUse(String),
    /// It holds things that are not Knockback's, and is not closed to others for their sake.
    #[error("the data folder {0} holds other things: choose a new or an empty folder with --data")]
    Foreign(String),
    /// The secrets in it are not what was written.
    #[error("{file} is broken: restore it, or remove the data folder and lose its data")]
    Broken {
        /// Which file.
        file: String,
        /// Why.
        source: serde_json::Error,
    },
}

const SECRETS: &str = "secrets.json";

/// The first file that is made in a data folder, and what one is known by.
const LOCK: &str = "lock";

/// Keeps what is written here out of repositories, and from having `cargo lambda watch` start the functions anew.
const IGNORE: &str = ".gitignore";

/// The files of the box. `SQLite` gives those that it puts beside them the same permissions.
const DATABASES: [&str; 2] = ["tables.sqlite", "queues.sqlite"];

impl DataFolder {
    /// Makes the folder if it is not there, closes it to others, and locks it.
    ///
    /// # Errors
    ///
    /// If it cannot be used, or another runner uses it.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let folder = path.display().to_string();
        let failed = |source| DataError::Folder { folder: folder.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| match error.kind() {
            // What the system says of a file in the folder's place.
            io::ErrorKind::AlreadyExists => failed(io::ErrorKind::NotADirectory.into()),
            _ => failed(error),
        })?;
        let lock = path.join(LOCK);
        let is_ours = lock.exists() || fs::read_dir(path).map_err(failed)?.next().is_none();
        if !is_ours {
            return Err(DataError::Foreign(folder));
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        let lock = private_file(OpenOptions::new().create(true).truncate(false), &lock).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(DataError::InUse(folder)),
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        write_whole(path, IGNORE, b"*\n").map_err(failed)?;
        for database in DATABASES {
            private_file(OpenOptions::new().create(true).truncate(false), &path.join(database))
                .map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that others have to read, closed to everybody but the owner; with its path.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, DataError> {
        let path = self.path.join(name);
        let failed = |source| DataError::File { file: path.display().to_string(), source };
        write_whole(&self.path, name, text.as_bytes()).map_err(failed)?;
        Ok(path)
    }

    /// The secrets that are kept here; new ones if there are none yet.
    ///
    /// # Errors
    ///
    /// If they cannot be read or written.
    pub fn secrets(&self, entropy: &dyn Entropy) -> Result<Secrets, DataError> {
        let file = self.path.join(SECRETS);
        let failed = |source| DataError::File { file: file.display().to_string(), source };
        let broken = |source| DataError::Broken { file: file.display().to_string(), source };
        match fs::read(&file) {
            Ok(json) => serde_json::from_slice(&json).map_err(broken),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secrets = Secrets::new(entropy);
                let json = serde_json::to_vec_pretty(&secrets).map_err(broken)?;
                write_whole(&self.path, SECRETS, &json).map_err(failed)?;
                Ok(secrets)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// Writes a file so that it is there as a whole or not at all, and closed to others. One at a time in a folder.
pub(crate) fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = folder.join("draft");
    let mut written = private_file(OpenOptions::new().create(true).truncate(true), &draft)?;
    written.write_all(bytes)?;
    written.sync_all()?;
    fs::rename(draft, folder.join(name))
}

/// Opens a file, and closes it to others even if it was there already.
fn private_file(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.write(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

impl Secrets {
    /// New secrets.
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self { platform_token: new_token(entropy), caller_token: new_token(entropy), key_ring: None }
    }
}

#[cfg(test)]
mod tests {
    use knockback::clock::SystemEntropy;

    use super::*;

    #[test]
    fn secrets_survive_and_nobody_else_reads_them() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("data");
        let first = DataFolder::open(&path).expect("a data folder").secrets(&SystemEntropy).expect("secrets");
        let folder = DataFolder::open(&path).expect("a data folder");
        assert_eq!(folder.secrets(&SystemEntropy).expect("secrets").platform_token, first.platform_token);
        let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join(SECRETS))), (0o700, 0o600));
        assert_eq!(fs::read_to_string(path.join(IGNORE)).expect("a file"), "*\n");
    }

    #[test]
    fn a_folder_is_used_by_one_runner_at_a_time() {
        let path = tempfile::tempdir().expect("a folder");
        let _first = DataFolder::open(path.path()).expect("a data folder");
        assert!(matches!(DataFolder::open(path.path()), Err(DataError::InUse(_))));
    }

    #[test]
    fn a_folder_with_other_things_is_left_as_it_is() {
        let path = tempfile::tempdir().expect("a folder");
        fs::write(path.path().join("letter"), "dear").expect("written");
        fs::set_permissions(path.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        assert!(matches!(DataFolder::open(path.path()), Err(DataError::Foreign(_))));
        let mode = fs::metadata(path.path()).expect("metadata").permissions().mode() & 0o777;
        assert_eq!(mode, 0o755);
    }

    #[test]
    fn a_broken_folder_is_one_clear_line() {
        let path = tempfile::tempdir().expect("a folder");
        fs::write(path.path().join("file"), "").expect("written");
        let error = DataFolder::open(&path.path().join("file")).expect_err("a file");
        assert!(error.to_string().starts_with("the data folder ") && !error.to_string().contains('\n'));
        let folder = DataFolder::open(&path.path().join("data")).expect("a data folder");
        fs::write(folder.path().join(SECRETS), "{").expect("written");
        assert!(matches!(folder.secrets(&SystemEntropy), Err(DataError::Broken { .. })));
    }
}
