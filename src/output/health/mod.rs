//! Health of a sensor: the source of `/readyz`, the health metrics and `sensor-status`.
//!
//! A sensor that is alive may still see nothing: its interface is down, the mirror was unplugged, a thread
//! is stuck, its events have no reader. Each part records its state here; [`SensorHealth::check`] evaluates it
//! about once a second.

mod metrics;
mod process;

#[cfg(test)]
mod tests;

pub use metrics::SensorMetrics;
pub use process::ProcessStats;

use super::RunSummary;
use super::clock::stopwatch;
use crate::capture::Input;
use crate::closed_set::closed_set;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A thread that spends longer on one batch is stuck, and events that wait longer are late.
pub const STUCK_AFTER: Duration = Duration::from_secs(10);

closed_set! {
    /// Checks: values of `check` in `/readyz`, metrics and events.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
    pub enum Check {
        /// The capture has begun.
        Start = "start",
        /// An interface is gone or has no link.
        Interface = "interface",
        /// No packet for longer than `--max-silence` on an interface that had traffic.
        Packets = "packets",
        /// The thread that reads packets is stuck.
        Reader = "reader",
        /// A worker is stuck or has ended.
        Worker = "worker",
        /// The collector is stuck, has ended, or falls behind the workers.
        Collector = "collector",
        /// An output cannot be written, or its reader is too slow.
        Output = "output",
        /// The last reload of the rules failed.
        Rules = "rules",
        /// A hub reaches no broker, or the broker keeps no lease for it.
        Broker = "broker",
        /// A hub cannot write its store.
        Store = "store",
    }
}

/// Something that prevents a sensor from working.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// What was checked.
    #[serde(serialize_with = "word")]
    pub check: Check,
    /// The interface, worker or output; empty if there is only one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// One sentence.
    pub text: String,
}

fn word<S: serde::Serializer>(check: &Check, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(check.as_str())
}

/// State of an interface.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// It exists and has a link.
    pub up: bool,
    /// Packets read.
    pub packets: u64,
    /// Packets that the kernel dropped.
    pub kernel: u64,
    /// Packets that the interface or its driver dropped.
    pub interface: u64,
    /// When its packet counter last changed, Unix time in seconds.
    pub last_packet: Option<f64>,
}

struct Interface {
    status: InterfaceStatus,
    /// When the number of packets last changed.
    changed: Instant,
}

/// The state of a sensor at one moment.
#[derive(Clone, Debug, Default)]
pub struct SensorStatus {
    /// Time of the status.
    pub time: Timestamp,
    /// Nothing is wrong.
    pub ready: bool,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Since the start, seconds.
    pub uptime: f64,
    /// In the order of the command line.
    pub interfaces: Vec<InterfaceStatus>,
    /// Bytes of events that wait to be written, by output.
    pub backlog: BTreeMap<&'static str, u64>,
    /// Resident memory, bytes.
    pub resident_bytes: u64,
    /// Fingerprint of the active rules.
    pub rules: String,
    /// Random, and another one after each start: two sensors of one name have two.
    pub instance: String,
}

/// The pulse of one thread.
#[derive(Debug)]
pub struct Pulse {
    epoch: Instant,
    /// When it began its current batch, milliseconds after `epoch`, plus one; 0 while it waits.
    busy: AtomicU64,
    /// The same for when its queue began to be nearly full.
    behind: AtomicU64,
    ended: AtomicBool,
}

impl Pulse {
    fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            busy: AtomicU64::new(0),
            behind: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        }
    }
    /// It begins a batch.
    pub fn begin(&self, now: Instant) {
        self.busy.store(stamp(self.epoch, now), Ordering::Relaxed);
    }
    /// It has finished the batch, and waits for the next.
    pub fn rest(&self) {
        self.busy.store(0, Ordering::Relaxed);
    }
    /// Whether its queue is nearly full.
    pub fn behind(&self, is: bool, now: Instant) {
        let since = if is { stamp(self.epoch, now) } else { 0 };
        if !is || self.behind.load(Ordering::Relaxed) == 0 {
            self.behind.store(since, Ordering::Relaxed);
        }
    }
    /// It has ended, for whatever reason.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
    fn busy_for(&self, now: Instant) -> Duration {
        since(self.epoch, self.busy.load(Ordering::Relaxed), now)
    }
    fn behind_for(&self, now: Instant) -> Duration {
        since(self.epoch, self.behind.load(Ordering::Relaxed), now)
    }
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

/// Ends a pulse when its thread does, also by a panic.
pub struct EndOf(pub Arc<Pulse>);

impl Drop for EndOf {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Waiting events of one output.
#[derive(Debug)]
pub struct Backlog {
    epoch: Instant,
    output: &'static str,
    /// Bytes in the queue of its writer, and in the event log while that cannot be written.
    queued: AtomicU64,
    held: AtomicU64,
    /// When the oldest came, as [`Pulse::busy`].
    oldest: AtomicU64,
    failing: AtomicBool,
    /// Since when its receiver accepts nothing, as [`Pulse::busy`].
    refused: AtomicU64,
}

impl Backlog {
    /// Bytes wait in the queue, the oldest since `oldest`.
    pub fn queued(&self, bytes: u64, oldest: Option<Instant>) {
        self.queued.store(bytes, Ordering::Relaxed);
        let oldest = oldest.map_or(0, |at| stamp(self.epoch, at));
        self.oldest.store(oldest, Ordering::Relaxed);
    }
    /// Bytes wait because the file cannot be written.
    pub fn held(&self, bytes: u64, failing: bool) {
        self.held.store(bytes, Ordering::Relaxed);
        self.failing.store(failing, Ordering::Relaxed);
    }
    /// Its receiver takes no events, since then.
    pub fn refused(&self, since: Option<Instant>) {
        let since = since.map_or(0, |at| stamp(self.epoch, at));
        self.refused.store(since, Ordering::Relaxed);
    }
    /// Bytes that wait.
    pub fn bytes(&self) -> u64 {
        self.queued.load(Ordering::Relaxed) + self.held.load(Ordering::Relaxed)
    }
    fn age(&self, now: Instant) -> Duration {
        since(self.epoch, self.oldest.load(Ordering::Relaxed), now)
    }
    fn problem(&self, now: Instant) -> Option<Problem> {
        let text = if self.failing.load(Ordering::Relaxed) {
            "events cannot be written and wait in memory".to_owned()
        } else if since(self.epoch, self.refused.load(Ordering::Relaxed), now) > STUCK_AFTER {
            "its receiver takes no events; they wait".to_owned()
        } else if self.age(now) > STUCK_AFTER {
            "the reader of the events does not keep up; they wait".to_owned()
        } else {
            return None;
        };
        Some(Problem { check: Check::Output, subject: self.output.to_owned(), text })
    }
}

fn stamp(epoch: Instant, at: Instant) -> u64 {
    let millis = at.saturating_duration_since(epoch).as_millis();
    u64::try_from(millis).unwrap_or(u64::MAX - 1) + 1
}

fn since(epoch: Instant, stamp: u64, now: Instant) -> Duration {
    let Some(millis) = stamp.checked_sub(1) else { return Duration::ZERO };
    now.saturating_duration_since(epoch + Duration::from_millis(millis))
}

/// Health of the parts of a run.
pub struct SensorHealth {
    started: Instant,
    /// Longest silence of an interface that had traffic; `None` for no limit.
    max_silence: Option<Duration>,
    capturing: AtomicBool,
    stopping: AtomicBool,
    rules_failed: AtomicBool,
    instance: String,
    reader: Arc<Pulse>,
    collector: Arc<Pulse>,
    workers: Mutex<Vec<Arc<Pulse>>>,
    outputs: Mutex<Vec<Arc<Backlog>>>,
    interfaces: Mutex<Vec<Interface>>,
    /// Packets that kernel and interfaces dropped.
    uncaptured: AtomicU64,
    /// Counters of the reading side so far.
    read: Mutex<RunSummary>,
}

impl SensorHealth {
    /// Nothing has begun.
    pub fn new(max_silence: Option<Duration>) -> Self {
        let started = stopwatch();
        Self {
            started,
            max_silence,
            capturing: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            rules_failed: AtomicBool::new(false),
            instance: instance(),
            reader: Arc::new(Pulse::new(started)),
            collector: Arc::new(Pulse::new(started)),
            workers: Mutex::default(),
            outputs: Mutex::default(),
            interfaces: Mutex::default(),
            uncaptured: AtomicU64::new(0),
            read: Mutex::default(),
        }
    }

    /// The pulse of the thread that reads packets, which restarts with each iteration.
    pub fn reader(&self) -> &Arc<Pulse> {
        &self.reader
    }
    /// The pulse of the collector.
    pub fn collector(&self) -> &Arc<Pulse> {
        &self.collector
    }
    /// The pulse of a further worker.
    pub fn worker(&self) -> Arc<Pulse> {
        let pulse = Arc::new(Pulse::new(self.started));
        lock(&self.workers).push(Arc::clone(&pulse));
        pulse
    }
    /// The backlog of a further output.
    pub fn output(&self, output: &'static str) -> Arc<Backlog> {
        let backlog = Arc::new(Backlog {
            epoch: self.started,
            output,
            queued: AtomicU64::new(0),
            held: AtomicU64::new(0),
            oldest: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            refused: AtomicU64::new(0),
        });
        lock(&self.outputs).push(Arc::clone(&backlog));
        backlog
    }

    /// The capture has started.
    pub fn capturing(&self) {
        self.capturing.store(true, Ordering::Relaxed);
    }
    /// The run is being stopped, so ending threads are no problem.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
    /// Whether it is.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
    /// Whether the last reload of the rules failed.
    pub fn rules_failed(&self, failed: bool) {
        self.rules_failed.store(failed, Ordering::Relaxed);
    }
    /// Since the start.
    pub fn uptime(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// Updates the state of the interfaces; `clock` is the time of day in seconds.
    pub fn interfaces(&self, inputs: &[Input], now: Instant, clock: f64) {
        let dropped = inputs.iter().map(|i| i.dropped.kernel.saturating_add(i.dropped.interface));
        self.uncaptured.store(dropped.fold(0, u64::saturating_add), Ordering::Relaxed);
        let mut interfaces = lock(&self.interfaces);
        for (at, input) in inputs.iter().enumerate() {
            if interfaces.len() <= at {
                let status = InterfaceStatus { name: input.name.clone(), ..Default::default() };
                interfaces.push(Interface { status, changed: now });
            }
            let Some(Interface { status, changed }) = interfaces.get_mut(at) else { continue };
            if input.packets != status.packets {
                status.last_packet = Some(clock);
                *changed = now;
            }
            status.up = input.fault.is_none() && !input.down;
            status.packets = input.packets;
            status.kernel = input.dropped.kernel;
            status.interface = input.dropped.interface;
        }
    }

    /// Packets that kernel and interfaces have dropped by now.
    pub fn uncaptured(&self) -> u64 {
        self.uncaptured.load(Ordering::Relaxed)
    }

    /// Sets the counters of the reading side.
    pub fn read(&self, so_far: RunSummary) {
        *lock(&self.read) = so_far;
    }
    /// The last counters of the reading side.
    pub fn read_so_far(&self) -> RunSummary {
        lock(&self.read).clone()
    }

    /// What prevents the sensor from working, if anything.
    pub fn check(&self, now: Instant) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |check, subject: &str, text: &str| {
            problems.push(Problem { check, subject: subject.to_owned(), text: text.to_owned() });
        };
        if !self.capturing.load(Ordering::Relaxed) {
            add(Check::Start, "", "packets are not read yet");
        }
        for Interface { status, changed } in lock(&self.interfaces).iter() {
            let silence = now.saturating_duration_since(*changed);
            if !status.up {
                add(Check::Interface, &status.name, "the interface is gone or has no link");
            } else if status.packets > 0 && self.max_silence.is_some_and(|most| silence > most) {
                let text = format!("no packet for {} s", silence.as_secs());
                add(Check::Packets, &status.name, &text);
            }
        }
        let stopping = self.is_stopping();
        let mut thread = |check, subject: &str, pulse: &Pulse| {
            if pulse.has_ended() && !stopping {
                add(check, subject, "its thread has ended");
            } else if pulse.busy_for(now) > STUCK_AFTER {
                add(check, subject, "its thread is stuck");
            } else if pulse.behind_for(now) > STUCK_AFTER {
                add(check, subject, "it falls behind");
            }
        };
        thread(Check::Reader, "", &self.reader);
        for (n, worker) in lock(&self.workers).iter().enumerate() {
            thread(Check::Worker, &n.to_string(), worker);
        }
        thread(Check::Collector, "", &self.collector);
        if self.rules_failed.load(Ordering::Relaxed) {
            add(Check::Rules, "", "the last reload of the rules failed; earlier ones hold");
        }
        problems.extend(lock(&self.outputs).iter().filter_map(|output| output.problem(now)));
        problems
    }

    /// The full status of the sensor, except its memory and the time of day.
    pub fn status(&self, now: Instant) -> SensorStatus {
        let problems = self.check(now);
        SensorStatus {
            ready: problems.is_empty() && !self.is_stopping(),
            problems,
            uptime: self.uptime(now).as_secs_f64(),
            interfaces: self.interface_states(),
            backlog: lock(&self.outputs).iter().map(|o| (o.output, o.bytes())).collect(),
            resident_bytes: 0,
            rules: String::new(),
            instance: self.instance.clone(),
            time: Timestamp::default(),
        }
    }

    /// The state of the interfaces, in the order of the command line.
    pub fn interface_states(&self) -> Vec<InterfaceStatus> {
        lock(&self.interfaces).iter().map(|i| i.status.clone()).collect()
    }

    /// How long the oldest event of each output has waited, seconds.
    pub fn waits(&self, now: Instant) -> Vec<(&'static str, f64)> {
        lock(&self.outputs).iter().map(|o| (o.output, o.age(now).as_secs_f64())).collect()
    }
}

/// Sixteen random digits; none if the system has no random numbers.
fn instance() -> String {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => format!("{:016x}", u64::from_be_bytes(bytes)),
        Err(_) => String::new(),
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // The data is consistent at any moment, so a panic elsewhere leaves nothing half done.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
