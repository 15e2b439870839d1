//! The queue between the events of a run and a slow or unreachable receiver.
//!
//! [`Spool::push`] takes a record and, in a live run, never waits. Without a folder records wait in memory, up to
//! [`MAX_MEMORY`]. With one, a thread moves them to segments on disk ([`Log`]), from where they are delivered,
//! also by a later run. Where there is no room left the oldest go, and are counted.

mod log;
mod record;

#[cfg(test)]
mod tests;

pub use log::{Limits, Log, Lost};
pub use record::Record;

use super::clock::{stopwatch, wall_clock};
use super::health::Backlog;
use super::metrics::Metrics;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes of records that wait in memory.
const MAX_MEMORY: usize = 16 << 20;
/// How often written data is synced.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How long a replay waits for a receiver that accepts nothing before it gives up the oldest events.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a waiting replay checks whether it was stopped, which ends the wait.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often a spool without room is reported.
const SAID_EVERY: Duration = Duration::from_secs(600);

/// Whether a run waits if it produces events faster than they are delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pressure {
    /// A replay waits, as long as there is progress.
    Wait,
    /// A sensor never waits.
    Drop,
}

/// The queued records of one output.
pub struct Spool {
    front: Mutex<Front>,
    wake: Condvar,
    log: Option<Mutex<Log>>,
    pressure: Pressure,
    output: &'static str,
    backlog: Arc<Backlog>,
    metrics: Arc<Metrics>,
    warn: fn(&str),
    stop: Arc<AtomicBool>,
    /// Events that the spool had no room for, or could not keep.
    lost: AtomicU64,
    /// When that was last reported.
    said: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Front {
    records: VecDeque<Record>,
    bytes: usize,
    /// Records at the front that were handed out and are not delivered yet.
    out: usize,
    /// No more records will come.
    closed: bool,
    /// No more records are to be delivered.
    abandoned: bool,
    /// Delivered so far.
    delivered: u64,
    /// The thread that writes to disk has written everything.
    settled: bool,
    /// The folder cannot be written.
    failing: bool,
    /// The delivery count at which a replay gave up waiting: it does not wait again before the next delivery.
    gave_up: Option<u64>,
}

/// The thread that moves records to disk, if there is a folder.
pub struct Mover(Option<JoinHandle<()>>);

impl Spool {
    /// A spool, in `folder` if one is given. A replay waits for receivers until `stop`.
    ///
    /// # Errors
    /// If the folder cannot be used.
    pub fn open(
        folder: Option<(&Path, Limits)>,
        pressure: Pressure,
        output: &'static str,
        backlog: Arc<Backlog>,
        metrics: Arc<Metrics>,
        warn: fn(&str),
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        for reason in ["spool_full", "spool_age", "spool_damage", "refused", "shutdown"] {
            metrics.events_dropped(output, reason, 0);
        }
        let log = folder.map(|(folder, limits)| Log::open(folder, limits)).transpose()?;
        let spool = Self {
            front: Mutex::default(),
            wake: Condvar::new(),
            log: log.map(Mutex::new),
            pressure,
            output,
            backlog,
            metrics,
            warn,
            stop,
            lost: AtomicU64::new(0),
            said: Mutex::default(),
        };
        spool.note();
        Ok(spool)
    }

    /// Starts the thread that moves records to disk.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(self: &Arc<Self>) -> io::Result<Mover> {
        if self.log.is_none() {
            return Ok(Mover(None));
        }
        let spool = Arc::clone(self);
        let run = move || spool.move_all();
        let thread = std::thread::Builder::new().name("spool".into()).spawn(run)?;
        Ok(Mover(Some(thread)))
    }

    /// Takes a record.
    pub fn push(&self, record: Record) {
        let size = record.size();
        let mut front = self.wait_for_room(size);
        let mut lost = 0;
        while front.bytes + size > MAX_MEMORY && front.out < front.records.len() {
            let at = front.out;
            let Some(oldest) = front.records.remove(at) else { break };
            front.bytes -= oldest.size();
            lost += 1;
        }
        front.bytes += size;
        front.records.push_back(record);
        drop(front);
        self.wake.notify_all();
        self.gave_up("spool_full", lost);
    }

    /// The front, with room for `size` bytes if waiting for it helps.
    fn wait_for_room(&self, size: usize) -> MutexGuard<'_, Front> {
        let mut front = self.lock();
        let full = |front: &Front| front.bytes > 0 && front.bytes + size > MAX_MEMORY;
        while self.pressure == Pressure::Wait && full(&front) {
            let (after, progress) = self.wait_for_progress(front, full);
            front = after;
            if !progress {
                break;
            }
        }
        front
    }

    /// Waits while `waits` says so and nothing is delivered, up to [`PATIENCE`]. Whether anything was delivered, or it
    /// need not wait any more.
    fn wait_for_progress<'a>(
        &self,
        mut front: MutexGuard<'a, Front>,
        waits: impl Fn(&Front) -> bool,
    ) -> (MutexGuard<'a, Front>, bool) {
        let (since, before) = (stopwatch(), front.delivered);
        while front.gave_up != Some(before) && !self.is_stopped() {
            let waits = |front: &mut Front| waits(front) && front.delivered == before;
            let (after, waited) = self
                .wake
                .wait_timeout_while(front, LOOK_EVERY, waits)
                .unwrap_or_else(PoisonError::into_inner);
            front = after;
            if !waited.timed_out() {
                return (front, true);
            }
            if since.elapsed() >= PATIENCE {
                front.gave_up = Some(before);
            }
        }
        (front, false)
    }

    /// Whether the run is to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The next records, waiting up to `patience` for one; empty if none came by then. Returns the same again until
    /// [`Spool::delivered`] is called.
    pub fn take(&self, most: usize, bytes: usize, patience: Duration) -> Vec<Record> {
        let front = self.lock();
        let Some(log) = &self.log else {
            let waits = |front: &mut Front| front.records.is_empty() && !front.closed;
            let (mut front, _) = self
                .wake
                .wait_timeout_while(front, patience, waits)
                .unwrap_or_else(PoisonError::into_inner);
            let mut size = 0;
            let fits = |record: &&Record| {
                let fits = size < bytes;
                size += record.size();
                fits
            };
            let records: Vec<_> =
                front.records.iter().take(most).take_while(fits).cloned().collect();
            front.out = records.len();
            return records;
        };
        drop(front);
        let mut records = self.read(log, most, bytes);
        if records.is_empty() {
            let front = self.lock();
            if !front.settled {
                let waited = self.wake.wait_timeout(front, patience);
                drop(waited.unwrap_or_else(PoisonError::into_inner).0);
            }
            records = self.read(log, most, bytes);
        }
        records
    }

    fn read(&self, log: &Mutex<Log>, most: usize, bytes: usize) -> Vec<Record> {
        let result = lock(log).read(most, bytes);
        result.unwrap_or_else(|error| {
            (self.warn)(&format!("output {}: the spool cannot be read: {error}", self.output));
            Vec::new()
        })
    }

    /// The last records of [`Spool::take`] are delivered, or given up.
    pub fn delivered(&self) {
        if let Some(log) = &self.log {
            let noted = lock(log).delivered();
            if let Err(error) = noted {
                (self.warn)(&format!(
                    "output {}: the spool cannot be written: {error}",
                    self.output
                ));
            }
        }
        let mut front = self.lock();
        if self.log.is_none() {
            let out = front.out;
            let gone: usize = front.records.drain(..out).map(|record| record.size()).sum();
            front.bytes -= gone;
            front.out = 0;
        }
        front.delivered += 1;
        drop(front);
        self.wake.notify_all();
        self.note();
    }

    /// Whether no more records will come and none is left.
    pub fn is_done(&self) -> bool {
        let front = self.lock();
        front.closed
            && front.records.is_empty()
            && self.log.as_ref().is_none_or(|log| front.settled && lock(log).records() == 0)
    }

    /// Whether the remaining records are not to be delivered.
    pub fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Number of deliveries.
    pub fn deliveries(&self) -> u64 {
        self.lock().delivered
    }

    /// Waits for `time`, unless the spool is abandoned before.
    pub fn pause(&self, time: Duration) {
        let front = self.lock();
        let waits = |front: &mut Front| !front.abandoned;
        drop(self.wake.wait_timeout_while(front, time, waits));
    }

    /// No more records will come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// No more records are to be delivered: those in memory are given up and counted. Returns how many stay on disk,
    /// and how many are lost.
    pub fn abandon(&self) -> (u64, u64) {
        let mut front = self.lock();
        (front.closed, front.abandoned) = (true, true);
        let lost = front.records.len() as u64;
        front.records.clear();
        (front.bytes, front.out) = (0, 0);
        drop(front);
        self.wake.notify_all();
        self.dropped("shutdown", lost);
        (self.log.as_ref().map_or(0, |log| lock(log).records()), lost)
    }

    /// Counts records that were given up.
    pub fn dropped(&self, reason: &'static str, records: u64) {
        if records > 0 {
            self.metrics.events_dropped(self.output, reason, records);
        }
    }

    /// Counts records that the spool could not keep, and says so at most each [`SAID_EVERY`].
    fn gave_up(&self, reason: &'static str, records: u64) {
        self.dropped(reason, records);
        self.lost.fetch_add(records, Ordering::Relaxed);
        let remedy = match (reason, self.is_on_disk()) {
            _ if records == 0 => return,
            ("spool_full", true) => "the spool is full; --spool-keep sets its size",
            ("spool_full", false) => {
                "the memory for waiting events is full; --spool DIR keeps more"
            }
            ("spool_age", _) => "they waited too long; --spool-keep sets how long",
            ("spool_damage", _) => "the spool is damaged",
            // A message on the folder was written already.
            _ => return,
        };
        let mut said = lock(&self.said);
        if said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
            *said = Some(stopwatch());
            (self.warn)(&format!("output {}: the oldest events are lost: {remedy}", self.output));
        }
    }

    /// How many events the spool could not keep.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether it has a folder.
    pub fn is_on_disk(&self) -> bool {
        self.log.is_some()
    }

    /// Notes how much is waiting, and since when.
    pub fn note(&self) {
        let now = wall_clock().unix_millis();
        let (mut bytes, mut oldest, failing) = {
            let front = self.lock();
            (front.bytes as u64, front.records.front().map(|r| r.time), front.failing)
        };
        if let Some(log) = &self.log {
            let mut log = lock(log);
            bytes += log.bytes();
            oldest = log.oldest().or(oldest);
        }
        let age = oldest.map(|at| Duration::from_millis(now.saturating_sub(at)));
        let since = age.and_then(|age| stopwatch().checked_sub(age));
        self.backlog.queued(bytes, since.or_else(|| age.map(|_| stopwatch())));
        self.backlog.held(0, failing);
    }

    /// Moves records to disk until no more come.
    fn move_all(&self) {
        let Some(log) = &self.log else { return };
        let mut synced = stopwatch();
        loop {
            let front = self.lock();
            let waits = |front: &mut Front| front.records.is_empty() && !front.closed;
            let (mut front, _) = self
                .wake
                .wait_timeout_while(front, SYNC_EVERY, waits)
                .unwrap_or_else(PoisonError::into_inner);
            let closed = front.closed;
            let records = std::mem::take(&mut front.records);
            drop(front);
            self.wait_for_space(log, &records);
            let moved: usize = records.iter().map(Record::size).sum();
            let failed = records.iter().filter(|record| !self.append(log, record)).count() as u64;
            self.gave_up("spool_error", failed);
            self.count_lost(log);
            let mut front = self.lock();
            front.bytes -= moved.min(front.bytes);
            front.failing = failed > 0;
            front.settled = closed && front.records.is_empty();
            let settled = front.settled;
            drop(front);
            self.wake.notify_all();
            self.note();
            // Last, as a disk may take long and the end of a sensor does not wait for it.
            if settled || stopwatch().duration_since(synced) >= SYNC_EVERY {
                synced = stopwatch();
                let file = lock(log).file();
                let _ = file.map(|file| file.sync_data());
            }
            if settled {
                return;
            }
        }
    }

    fn append(&self, log: &Mutex<Log>, record: &Record) -> bool {
        let result = lock(log).append(record);
        if let Err(error) = &result
            && !self.lock().failing
        {
            self.lock().failing = true;
            (self.warn)(&format!(
                "output {}: the spool cannot be written: {error}; events are lost until it can",
                self.output
            ));
        }
        result.is_ok()
    }

    /// A replay waits while the spool is full and there is progress.
    fn wait_for_space(&self, log: &Mutex<Log>, records: &VecDeque<Record>) {
        while self.pressure == Pressure::Wait && !records.is_empty() && lock(log).is_full() {
            if !self.wait_for_progress(self.lock(), |front| !front.abandoned).1 {
                break;
            }
        }
    }

    /// Removes records that are too old, and counts those given up.
    fn count_lost(&self, log: &Mutex<Log>) {
        let (lost, expired) = {
            let mut log = lock(log);
            let expired = log.expire(wall_clock().unix_millis());
            (log.take_lost(), expired)
        };
        if let Err(error) = expired {
            (self.warn)(&format!("output {}: old events stay in the spool: {error}", self.output));
        }
        self.gave_up("spool_full", lost.full);
        self.gave_up("spool_age", lost.old);
        self.gave_up("spool_damage", lost.damaged);
    }

    /// Waits up to `patience` until everything pushed before the spool was closed is in its files.
    pub fn wait_until_settled(&self, patience: Duration) {
        if self.log.is_some() {
            let waits = |front: &mut Front| !front.settled;
            drop(self.wake.wait_timeout_while(self.lock(), patience, waits));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Front> {
        lock(&self.front)
    }
}

impl Mover {
    /// Waits until everything pushed before the spool was closed is on disk and synced, or that failed.
    pub fn join(mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
