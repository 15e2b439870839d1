//! `--store`: the results of runs, in one SQLite file that several runs and sensors share.
//!
//! It holds masks and tokens only. Every patient of every exposure is in it, whatever `--detail` says.
//! A transaction a second (WAL): a run that is killed leaves what it had written, and its row in `runs`
//! says that it did not end. What `src/review/` asks is read from here.

mod batch;
mod error;
mod keep;
mod schema;
mod write;

#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use schema::{MAGIC, STORE_OF_HUB, STORE_OF_RUN, limit_steps, open_to_read};

use super::clock::{stopwatch, wall_clock};
use super::metrics::Metrics;
use super::summary::Overview;
use super::text::count;
use super::{Context, Output, RunSummary, ecs};
use crate::config::{Keep, StoreSettings};
use crate::exposure::{Event, PatientObservation};
use batch::Batch;
use rusqlite::Connection;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Name of the output in metrics.
pub const NAME: &str = "store";
/// Time between two transactions.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// Patients and events per transaction.
const MAX_BATCH: usize = 16_384;
/// Patients and events that are kept while the file cannot be written. Beyond it new ones are dropped and counted.
const MAX_WAITING: usize = 262_144;
/// Time between two checks of `--store-keep`.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// Why entries were dropped.
const REASON: &str = "backlog";

/// Properties of the run that are written before its first packet.
pub struct Beginning {
    /// Whether packets come from interfaces: a file that cannot be written is then no reason to stop.
    pub live: bool,
    /// Names, sensor and key of the run.
    pub context: Context,
    /// Fingerprint of the active rules.
    pub rules: String,
}

/// Writes a run into a store.
pub struct Store {
    connection: Connection,
    path: PathBuf,
    run: i64,
    keep: Keep,
    live: bool,
    context: Context,
    batch: Batch,
    /// Totals of exposures, for the run summary.
    overview: Overview,
    summary: Option<Vec<u8>>,
    committed: Instant,
    pruned: Instant,
    failing: bool,
    metrics: Arc<Metrics>,
    warn: super::event_log::Warn,
}

impl Store {
    /// Opens or creates the store, and begins a run in it.
    ///
    /// # Errors
    /// If the file is no store, of another version, corrupt, locked, or cannot be written.
    pub fn open(
        settings: &StoreSettings,
        beginning: Beginning,
        metrics: Arc<Metrics>,
        warn: super::event_log::Warn,
    ) -> Result<Self, StoreError> {
        let path = settings.path.clone();
        let fail = |error| StoreError::of(&path, error);
        let mut connection = schema::open_to_write(&path)?;
        keep::prune(&mut connection, &settings.keep, now()).map_err(fail)?;
        let Beginning { live, context, rules } = beginning;
        let run = write::begin(&connection, &context, live, &rules, now()).map_err(fail)?;
        metrics.events_dropped(NAME, REASON, 0);
        let begun = stopwatch();
        Ok(Self {
            connection,
            run,
            keep: settings.keep,
            live,
            context,
            batch: Batch::default(),
            overview: Overview::default(),
            summary: None,
            committed: begun,
            pruned: begun,
            failing: false,
            metrics,
            warn,
            path,
        })
    }

    /// Writes the waiting entries, in one transaction.
    fn commit(&mut self) -> Result<(), StoreError> {
        self.committed = stopwatch();
        let Self { connection, batch, run, context, summary, .. } = self;
        let written = write::all(connection, *run, batch, context, summary.as_deref(), now());
        written.map_err(|error| StoreError::of(&self.path, error))?;
        self.batch.clear();
        if self.pruned.elapsed() >= PRUNE_EVERY {
            self.pruned = self.committed;
            keep::prune(&mut self.connection, &self.keep, now())
                .map_err(|error| StoreError::of(&self.path, error))?;
        }
        Ok(())
    }

    /// Commits; a live run continues if that fails, and reports it once.
    fn settle(&mut self) -> io::Result<()> {
        match self.commit() {
            Ok(()) if self.failing => {
                self.failing = false;
                (self.warn)(&format!("{}: written again", self.path.display()));
            }
            Ok(()) => {}
            Err(error) if self.live => {
                if !self.failing {
                    self.failing = true;
                    (self.warn)(&format!("{error}; findings wait until it works again"));
                }
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        Ok(())
    }

    /// Whether there is room for one more; counts it as dropped if not.
    fn room(&self) -> bool {
        let room = self.batch.len() < MAX_WAITING;
        if !room {
            self.metrics.events_dropped(NAME, REASON, 1);
        }
        room
    }
}

impl Output for Store {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Event::Exposure(exposure) = event {
            self.overview.take(exposure);
        }
        if !self.room() {
            return Ok(());
        }
        match event {
            // These come as patient observations.
            Event::Finding { .. } | Event::Patients(_) => {}
            Event::Exposure(exposure) => {
                self.batch.exposure(exposure, ecs::line(event, &self.context)?);
            }
            Event::Service(service) => {
                self.batch.service(service.id, ecs::line(event, &self.context)?);
            }
            Event::Asset(asset) => self.batch.asset(asset.id, ecs::line(event, &self.context)?),
        }
        Ok(())
    }

    fn observation(&mut self, observation: &PatientObservation) -> io::Result<()> {
        if self.room() {
            self.batch.observation(observation);
        }
        Ok(())
    }

    fn finish(&mut self, summary: &RunSummary) -> io::Result<()> {
        self.summary = Some(ecs::run_line(summary, &self.overview, &self.context)?);
        self.settle()?;
        if self.failing {
            let lost = self.batch.len() as u64;
            self.metrics.events_dropped(NAME, REASON, lost);
            let (path, lost) = (self.path.display(), count(lost, "entry"));
            (self.warn)(&format!("{path}: {lost} could not be written"));
            return Ok(());
        }
        let pruned = keep::prune(&mut self.connection, &self.keep, now());
        let closed = pruned.and_then(|()| keep::fold(&self.connection));
        closed.map_err(|error| io::Error::other(StoreError::of(&self.path, error)))
    }

    fn flush(&mut self) -> io::Result<()> {
        let due = self.committed.elapsed() >= COMMIT_EVERY;
        let full = self.batch.len() >= MAX_BATCH && !self.failing;
        if !self.batch.is_empty() && (due || full) { self.settle() } else { Ok(()) }
    }
}

/// When an entry is written, nanoseconds since 1970.
fn now() -> i64 {
    wall_clock().0
}
