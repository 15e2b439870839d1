//! The tables, and opening the file.

use super::error::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// Magic of SQLite 3 files, and so of a store.
pub const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// `application_id` in the header of the store of a run: `phtp`.
pub const STORE_OF_RUN: i64 = 0x7068_7470;
/// The same of the store of a hub: `phth`.
pub const STORE_OF_HUB: i64 = 0x7068_7468;
/// `user_version` in the header.
pub(super) const VERSION: i64 = 1;
/// How long to wait for another writing process.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest value that is read or written, bytes.
const MAX_VALUE: i32 = 16 << 20;
/// Instructions of SQLite that reading may take: for each byte of the file, for each row that is looked up, and in any
/// case. Scanning all tables takes less than one for each byte. A forged page may refer to another one hundreds of
/// times, and that to a third: without a limit, half a megabyte would be read for ever.
const STEPS_PER_BYTE: u64 = 4;
const STEPS_PER_LOOKUP: u64 = 10_000;
const FREE_STEPS: u64 = 2_000_000;
/// Instructions between two checks of that limit.
const STEPS: i32 = 4_096;

/// Times are nanoseconds since 1970: `first` and `last` packet time, `began` and `written` by the clock.
/// Ids are the bits of a ULID, tokens 12 bytes. `event` is the last event of format ecs.
const TABLES: &str = "
CREATE TABLE runs (
    n INTEGER PRIMARY KEY, sensor TEXT NOT NULL, version TEXT NOT NULL, rules TEXT NOT NULL,
    key_id TEXT NOT NULL, live INTEGER NOT NULL, files TEXT NOT NULL, interfaces TEXT NOT NULL,
    began INTEGER NOT NULL, written INTEGER NOT NULL, event TEXT
) STRICT;
CREATE TABLE exposures (
    n INTEGER PRIMARY KEY, run INTEGER NOT NULL, id BLOB NOT NULL, fingerprint BLOB NOT NULL,
    severity INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    written INTEGER NOT NULL, event TEXT NOT NULL, UNIQUE (run, id)
) STRICT;
CREATE TABLE findings (
    n INTEGER PRIMARY KEY, exposure INTEGER NOT NULL, patient BLOB NOT NULL, id BLOB NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, records INTEGER NOT NULL,
    severity INTEGER NOT NULL, rule TEXT NOT NULL, operation TEXT NOT NULL, carrier TEXT NOT NULL,
    direction TEXT NOT NULL, community_id TEXT NOT NULL,
    first_file INTEGER NOT NULL, first_packet INTEGER NOT NULL,
    last_file INTEGER NOT NULL, last_packet INTEGER NOT NULL,
    kinds TEXT NOT NULL, identifiers TEXT NOT NULL, tokens BLOB NOT NULL, written INTEGER NOT NULL,
    UNIQUE (exposure, patient)
) STRICT;
CREATE INDEX findings_patient ON findings (patient);
CREATE TABLE tokens (
    token BLOB NOT NULL, finding INTEGER NOT NULL, PRIMARY KEY (token, finding)
) STRICT, WITHOUT ROWID;
CREATE TABLE services (
    run INTEGER NOT NULL, id BLOB NOT NULL, written INTEGER NOT NULL, event TEXT NOT NULL,
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE assets (
    run INTEGER NOT NULL, id BLOB NOT NULL, written INTEGER NOT NULL, event TEXT NOT NULL,
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
";

/// Opens the store at `path`, or creates it, readable by its owner only.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, StoreError> {
    let io = |source| StoreError::Io { path: path.to_owned(), source };
    // SQLite gives the files beside it the same mode.
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = made.map_err(io)?.metadata().map_err(io)?;
    if !file.is_file() {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let fail = |error| StoreError::of(path, error);
    if file.len() == 0 {
        // Has no effect once there are tables.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(fail)?;
    } else {
        check(&connection, path)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
    // In WAL, NORMAL may lose the last second to a power cut, and nothing before it.
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(fail)?;
    let change = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(fail)?;
    // Another process may have created the tables by now.
    let version: i64 =
        change.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
    if version == 0 {
        change.execute_batch(TABLES).map_err(fail)?;
        change.pragma_update(None, "application_id", STORE_OF_RUN).map_err(fail)?;
        change.pragma_update(None, "user_version", VERSION).map_err(fail)?;
    }
    change.commit().map_err(fail)?;
    check(&connection, path)?;
    Ok(connection)
}

/// Opens the store at `path` for reading: it may come from anywhere.
///
/// # Errors
/// If it is no store, of another version, damaged or locked.
pub fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    limit_steps(&connection, path, 0)?;
    check(&connection, path)?;
    Ok(connection)
}

/// Limits how long statements may run from now on, `lookups` of rows by their keys among them.
///
/// # Errors
/// If SQLite refuses it.
pub fn limit_steps(connection: &Connection, path: &Path, lookups: usize) -> Result<(), StoreError> {
    // What was not moved into the file yet is in the log beside it.
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let len = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let len = len(path).saturating_add(len(Path::new(&log)));
    let steps = FREE_STEPS
        .saturating_add(STEPS_PER_BYTE.saturating_mul(len))
        .saturating_add(STEPS_PER_LOOKUP.saturating_mul(lookups as u64));
    let mut left = steps / u64::from(STEPS.unsigned_abs());
    let exhausted = move || {
        let over = left == 0;
        left = left.saturating_sub(1);
        over
    };
    let limited = connection.progress_handler(STEPS, Some(exhausted));
    limited.map_err(|error| StoreError::of(path, error))
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let fail = |error| StoreError::of(path, error);
    let connection =
        Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(fail)?;
    connection.busy_timeout(PATIENCE).map_err(fail)?;
    // The file's own schema is not to be trusted (sqlite.org/security.html).
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        connection.set_db_config(setting, on).map_err(fail)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE).map_err(fail)?;
    connection.pragma_update(None, "cell_size_check", true).map_err(fail)?;
    Ok(connection)
}

/// Rejects files that are no store of this version.
fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let number = |name| -> Result<i64, StoreError> {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|error| StoreError::of(path, error))
    };
    let (application, found) = (number("application_id")?, number("user_version")?);
    match (application, found) {
        (STORE_OF_RUN, VERSION) => Ok(()),
        (STORE_OF_RUN, found) => {
            Err(StoreError::Version { path: path.to_owned(), found, known: VERSION })
        }
        (STORE_OF_HUB, _) => Err(StoreError::OfHub(path.to_owned())),
        _ => Err(StoreError::Foreign(path.to_owned())),
    }
}
