//! Why a store cannot be used. No message contains data of the store.

use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is something else.
    #[error("{path} is no store of phitap; name another file", path = .0.display())]
    Foreign(PathBuf),
    /// It is the store of a hub, where that of a run is needed.
    #[error(
        "{path} is the store of a hub, not of a run; name another file, or ask the hub (--metrics ADDR: page and API)",
        path = .0.display()
    )]
    OfHub(PathBuf),
    /// It is the store of a run, where that of a hub is needed.
    #[error("{path} is the store of a run, not of a hub; name another file", path = .0.display())]
    OfRun(PathBuf),
    /// Another version of phitap made it.
    #[error(
        "{path} is a store of version {found}, and this phitap knows version {known}; use the phitap \
         that made it, or begin a new store", path = .path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Our version.
        known: i64,
    },
    /// Another process writes to it and does not end.
    #[error(
        "{path} is locked by another process; wait for it to end, or see who it is with: fuser {path}",
        path = .0.display()
    )]
    Locked(PathBuf),
    /// The file is damaged.
    #[error(
        "{path} is damaged; save what can be read with: sqlite3 {path} .recover | sqlite3 new.db",
        path = .0.display()
    )]
    Corrupt(PathBuf),
    /// The disk is full.
    #[error(
        "{path}: no space is left for it; free some (--store-keep limits the store of a run)",
        path = .0.display()
    )]
    Full(PathBuf),
    /// The file cannot be opened or written.
    #[error("{path}: {source}; check the path, and that you may write there", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// SQLite reported an error.
    #[error("{path}: {reason}", path = .path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Its message.
        reason: String,
    },
}

impl StoreError {
    /// SQLite's error for the file at `path`.
    pub fn of(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let Some(code) = error.sqlite_error_code() else {
            return match error {
                // Types of columns are ours: whoever changed them damaged it.
                rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::Utf8Error(..) => Self::Corrupt(path),
                other => Self::Refused { path, reason: other.to_string() },
            };
        };
        let io = |text: &str| Self::Io { path: path.clone(), source: std::io::Error::other(text) };
        match code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked(path),
            // Reading is interrupted where pages refer to one another without end.
            ErrorCode::DatabaseCorrupt | ErrorCode::OperationInterrupted | ErrorCode::TooBig => {
                Self::Corrupt(path)
            }
            ErrorCode::NotADatabase => Self::Foreign(path),
            ErrorCode::DiskFull => Self::Full(path),
            ErrorCode::CannotOpen => io("it cannot be opened"),
            ErrorCode::ReadOnly => io("it is read-only"),
            ErrorCode::PermissionDenied => io("permission denied"),
            ErrorCode::SystemIoFailure => io("reading or writing failed"),
            _ => Self::Refused { path, reason: error.to_string() },
        }
    }
}
