//! The store of a hub: a file of SQLite. A message is acknowledged when its content is in this file and synced to disk.

use super::event::{Listing, Order};
use super::sensors::Sensor;
use super::state::{Dirty, SensorExposure, State};
use crate::merge::{Pair, Part, ProtocolName, RunNumbers, fact_from_json, fact_to_json};
use crate::output::store::{STORE_OF_HUB, STORE_OF_RUN, StoreError};
use rusqlite::{Connection, OpenFlags, Result, Transaction, params};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `user_version` in the header.
const VERSION: i64 = 1;
/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE exposures (
    sensor TEXT NOT NULL, id TEXT NOT NULL, client TEXT NOT NULL, server TEXT NOT NULL,
    transport INTEGER NOT NULL, protocol TEXT NOT NULL, time INTEGER NOT NULL,
    records INTEGER NOT NULL, state INTEGER NOT NULL, severity INTEGER NOT NULL,
    patients INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (sensor, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE listed (
    kind TEXT NOT NULL, sensor TEXT NOT NULL, id TEXT NOT NULL, time INTEGER NOT NULL,
    event TEXT NOT NULL, PRIMARY KEY (kind, sensor, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE facts (
    key_id TEXT NOT NULL, id BLOB NOT NULL, fact BLOB NOT NULL, PRIMARY KEY (key_id, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE sketches (
    key_id TEXT NOT NULL, pair TEXT NOT NULL, part TEXT NOT NULL, PRIMARY KEY (key_id, pair)
) STRICT, WITHOUT ROWID;
CREATE TABLE runs (
    sensor TEXT NOT NULL, run TEXT NOT NULL, figures TEXT NOT NULL, PRIMARY KEY (sensor, run)
) STRICT, WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE sensors (sensor TEXT PRIMARY KEY, status TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

/// Whom services answer.
const ACCESS: &str = "
CREATE TABLE IF NOT EXISTS access (
    key_id TEXT NOT NULL, service TEXT NOT NULL, part TEXT NOT NULL, PRIMARY KEY (key_id, service)
) STRICT, WITHOUT ROWID;
";

/// The file.
pub(super) struct Store {
    connection: Connection,
    path: PathBuf,
    id: String,
}

impl Store {
    /// Opens the file at `path`, or creates it, readable by its owner only. Returns it with its content.
    ///
    /// # Errors
    /// It is something else, damaged, in use by another hub, or cannot be written.
    pub fn open(path: &Path) -> Result<(Self, State), StoreError> {
        let io = |source| StoreError::Io { path: path.to_owned(), source };
        let made =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = made.map_err(io)?.metadata().map_err(io)?;
        if !file.is_file() {
            return Err(StoreError::Foreign(path.to_owned()));
        }
        let fail = |error| StoreError::of(path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
        connection.busy_timeout(PATIENCE).map_err(fail)?;
        let number = |name: &str| -> Result<i64, StoreError> {
            connection.pragma_query_value(None, name, |row| row.get(0)).map_err(fail)
        };
        match (file.len(), number("application_id")?, number("user_version")?) {
            (0, ..) | (_, STORE_OF_HUB, VERSION) => {}
            (_, STORE_OF_HUB, found) => {
                return Err(StoreError::Version { path: path.to_owned(), found, known: VERSION });
            }
            (_, STORE_OF_RUN, _) => return Err(StoreError::OfRun(path.to_owned())),
            _ => return Err(StoreError::Foreign(path.to_owned())),
        }
        // Another hub at the same file would not see what this one holds in memory.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(fail)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
        // The broker never sends an acknowledged message again, so it must survive a power cut.
        connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
        let mut store = Self { connection, path: path.to_owned(), id: String::new() };
        match file.len() {
            0 => store.make().map_err(fail)?,
            // A store of before these were kept.
            _ => store.connection.execute_batch(ACCESS).map_err(fail)?,
        }
        store.id = store.read_id().map_err(fail)?;
        let state = store.load().map_err(fail)?;
        Ok((store, state))
    }

    fn make(&mut self) -> Result<()> {
        let change = self.connection.transaction()?;
        change.execute_batch(TABLES)?;
        change.execute_batch(ACCESS)?;
        // Random numbers of SQLite suffice: guessing the id gains nothing.
        change.execute("INSERT INTO meta VALUES ('id', lower(hex(randomblob(6))))", [])?;
        change.pragma_update(None, "application_id", STORE_OF_HUB)?;
        change.pragma_update(None, "user_version", VERSION)?;
        change.commit()
    }

    /// Id of this file. A consumer belongs to one file, because another has not read the stream yet.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn read_id(&self) -> Result<String> {
        self.connection.query_row("SELECT value FROM meta WHERE name = 'id'", [], |row| row.get(0))
    }

    fn load(&mut self) -> Result<State> {
        let mut state = State::default();
        // The first change takes the exclusive lock.
        let change =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        exposures(&change, &mut state)?;
        let mut rows = change.prepare("SELECT kind, sensor, id, time, event FROM listed")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let Some(kind) = Listing::parse(&row.get::<_, String>(0)?) else { continue };
            let event: String = row.get(4)?;
            state.listed.insert((kind, row.get(1)?, row.get(2)?), (row.get(3)?, event.into()));
        }
        facts(&change, &mut state)?;
        let mut rows = change.prepare("SELECT sensor, run, figures FROM runs")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let figures = serde_json::from_str::<RunNumbers>(&row.get::<_, String>(2)?);
            state.summary.add_run((row.get(0)?, row.get(1)?), figures.map_err(damaged)?);
        }
        access(&change, &mut state)?;
        let mut rows = change.prepare("SELECT sensor, status FROM sensors")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let sensor = serde_json::from_str::<Sensor>(&row.get::<_, String>(1)?);
            state.sensors.insert(row.get(0)?, sensor.map_err(damaged)?);
        }
        state.loaded();
        Ok(state)
    }

    /// Writes the changes in one transaction, which is on disk when this returns.
    ///
    /// # Errors
    /// It cannot be written; then all changes remain to be written.
    pub fn commit(&mut self, state: &mut State) -> Result<(), StoreError> {
        if state.dirty.is_empty() {
            return Ok(());
        }
        let Self { connection, path, .. } = self;
        let written = connection.transaction().and_then(|change| {
            write(&change, state)?;
            change.commit()
        });
        written.map_err(|error| StoreError::of(path, error))?;
        state.dirty = Dirty::default();
        Ok(())
    }
}

/// A row does not contain what phitap wrote.
fn damaged(_: impl std::error::Error) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), None)
}

fn exposures(change: &Transaction<'_>, state: &mut State) -> Result<()> {
    let mut rows = change.prepare(
        "SELECT sensor, id, client, server, transport, protocol, time, records, state, severity,
            patients, event FROM exposures",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let text = |n| row.get::<_, String>(n);
        let number = |n| row.get::<_, i64>(n).map(|n| u64::try_from(n).unwrap_or(0));
        let pair = Pair {
            client: text(2)?.parse().map_err(damaged)?,
            server: text(3)?.parse().map_err(damaged)?,
            transport: row.get(4)?,
            protocol: ProtocolName::new(&text(5)?).ok_or_else(|| damaged(std::fmt::Error))?,
        };
        let order = Order { time: row.get(6)?, records: number(7)?, state: row.get(8)? };
        let held = SensorExposure {
            pair,
            order,
            severity: row.get(9)?,
            patients: number(10)?,
            event: text(11)?.into(),
        };
        state.exposures.insert((text(0)?, text(1)?), held);
    }
    Ok(())
}

fn facts(change: &Transaction<'_>, state: &mut State) -> Result<()> {
    let mut rows = change.prepare("SELECT key_id, fact FROM facts")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let fact = fact_from_json(&row.get::<_, Vec<u8>>(1)?);
        let fact = fact.ok_or_else(|| damaged(std::fmt::Error))?;
        state.summary.add(&row.get::<_, String>(0)?, &fact);
    }
    let mut rows = change.prepare("SELECT key_id, part FROM sketches")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let part = serde_json::from_str::<Part>(&row.get::<_, String>(1)?).map_err(damaged)?;
        part.read(&row.get::<_, String>(0)?, "", &mut state.summary).map_err(damaged)?;
    }
    Ok(())
}

/// Whom services answer.
fn access(change: &Transaction<'_>, state: &mut State) -> Result<()> {
    let mut rows = change.prepare("SELECT key_id, part FROM access")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let part = serde_json::from_str::<Part>(&row.get::<_, String>(1)?).map_err(damaged)?;
        part.read(&row.get::<_, String>(0)?, "", &mut state.summary).map_err(damaged)?;
    }
    Ok(())
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn write(change: &Transaction<'_>, state: &State) -> Result<()> {
    let mut put = change.prepare_cached(
        "INSERT OR REPLACE INTO exposures VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for key in &state.dirty.exposures {
        let Some(held) = state.exposures.get(key) else { continue };
        put.execute(params![
            key.0,
            key.1,
            held.pair.client.to_string(),
            held.pair.server.to_string(),
            held.pair.transport,
            held.pair.protocol.as_str(),
            held.order.time,
            signed(held.order.records),
            held.order.state,
            held.severity,
            signed(held.patients),
            &*held.event
        ])?;
    }
    let mut put =
        change.prepare_cached("INSERT OR REPLACE INTO listed VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for key in &state.dirty.listed {
        let Some((time, event)) = state.listed.get(key) else { continue };
        put.execute(params![key.0.as_str(), key.1, key.2, time, &**event])?;
    }
    write_facts(change, state)?;
    let mut put = change.prepare_cached("INSERT OR REPLACE INTO runs VALUES (?1, ?2, ?3)")?;
    for run in &state.dirty.runs {
        let Some(figures) = state.summary.runs.get(run) else { continue };
        let figures = serde_json::to_string(figures).unwrap_or_default();
        put.execute(params![run.0, run.1, figures])?;
    }
    let mut put = change.prepare_cached("INSERT OR REPLACE INTO access VALUES (?1, ?2, ?3)")?;
    for key in &state.dirty.services {
        let Some(seen) = state.summary.services.get(key) else { continue };
        let part = serde_json::to_string(&Part::of_service(&key.1, seen)).unwrap_or_default();
        put.execute(params![key.0, format!("{:?}", key.1), part])?;
    }
    let mut put = change.prepare_cached("INSERT OR REPLACE INTO sensors VALUES (?1, ?2)")?;
    for name in &state.dirty.sensors {
        let Some(sensor) = state.sensors.get(name) else { continue };
        put.execute(params![name, serde_json::to_string(sensor).unwrap_or_default()])?;
    }
    Ok(())
}

fn write_facts(change: &Transaction<'_>, state: &State) -> Result<()> {
    let mut put = change.prepare_cached("INSERT OR REPLACE INTO facts VALUES (?1, ?2, ?3)")?;
    for (key_id, key) in &state.dirty.facts {
        let section = state.summary.keys.get(key_id).and_then(|section| section.facts());
        let Some(seen) = section.and_then(|facts| facts.get(key)) else { continue };
        // A short hash of the key identifies the row.
        let id = blake3::hash(format!("{key:?}").as_bytes());
        put.execute(params![key_id, &id.as_bytes()[..16], fact_to_json(key, seen)])?;
    }
    for (key_id, pairs) in &state.dirty.sketches {
        let Some(section) = state.summary.keys.get(key_id) else { continue };
        // Facts became sketches: all of them must be written.
        change.prepare_cached("DELETE FROM facts WHERE key_id = ?1")?.execute([key_id])?;
        let mut put =
            change.prepare_cached("INSERT OR REPLACE INTO sketches VALUES (?1, ?2, ?3)")?;
        for pair in pairs {
            let Some(part) = section.part_of(pair) else { continue };
            let part = serde_json::to_string(&part).unwrap_or_default();
            put.execute(params![key_id, format!("{pair:?}"), part])?;
        }
    }
    Ok(())
}
