//! The thread that delivers records to a receiver, and its result.

use super::pause::Pause;
use super::{Fate, Outcome, Sink};
use crate::output::clock::stopwatch;
use crate::output::health::Backlog;
use crate::output::metrics::Metrics;
use crate::output::spool::{Mover, Pressure, Record, Spool};
use crate::output::text::count;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the thread waits for a record before it checks its connection.
const IDLE: Duration = Duration::from_secs(1);
/// Bytes of one batch.
const BATCH_BYTES: usize = 1 << 20;
/// How long a failed run waits until its events are in the spool.
const SETTLED_WITHIN: Duration = Duration::from_secs(2);
/// How long the end of a run waits for the thread to end.
const END_WITHIN: Duration = Duration::from_millis(200);
/// How often the end of a run checks whether everything is delivered.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the end of a replay waits for a receiver that accepts nothing. The remaining events are lost without a
/// spool, and delivered by the next run with one.
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_ON_DISK: Duration = Duration::from_secs(10);
/// The same once the replay was stopped, and how long its end may take although events are delivered.
const PATIENCE_STOPPED: Duration = Duration::from_secs(2);
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

/// How often refused events are reported.
const REFUSALS_EVERY: Duration = Duration::from_secs(60);

/// Events that reached no receiver.
#[derive(Debug, thiserror::Error)]
#[error("output {output}: {} could not be delivered{}", count(*.events, "event"), because(.fault.as_deref()))]
pub struct DeliveryError {
    /// The output.
    pub output: &'static str,
    /// Their number.
    pub events: u64,
    /// The receiver's last error.
    pub fault: Option<String>,
}

fn because(fault: Option<&str>) -> String {
    fault.map(|fault| format!(": {fault}")).unwrap_or_default()
}

/// Settings of a delivery.
pub struct Started {
    /// Name of the output.
    pub output: &'static str,
    /// Queue of records.
    pub spool: Arc<Spool>,
    /// Health of the output.
    pub backlog: Arc<Backlog>,
    /// Metrics of the run.
    pub metrics: Arc<Metrics>,
    /// Receives messages about changes.
    pub warn: fn(&str),
}

/// The delivery of one output, for ending the run.
pub struct Delivery {
    output: &'static str,
    spool: Arc<Spool>,
    mover: Option<Mover>,
    ended: Arc<AtomicBool>,
    fault: Arc<std::sync::Mutex<Option<String>>>,
    warn: fn(&str),
    thread: Option<JoinHandle<()>>,
}

/// Signals that the thread has ended, also by a panic.
struct End(Arc<AtomicBool>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Refused events that were not reported yet.
#[derive(Default)]
struct Refusals {
    events: u64,
    why: String,
    said: Option<Instant>,
}

struct Pump {
    of: Started,
    sink: Box<dyn Sink>,
    pause: Pause,
    failing: bool,
    fault: Arc<std::sync::Mutex<Option<String>>>,
    refusals: Refusals,
}

impl Delivery {
    /// Starts delivering records to `sink`.
    ///
    /// # Errors
    /// If the system cannot create a thread.
    pub fn start(of: Started, sink: Box<dyn Sink>) -> io::Result<Self> {
        let (output, spool, warn) = (of.output, Arc::clone(&of.spool), of.warn);
        let mover = Some(spool.start()?);
        let (ended, fault) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let mut pump = Pump {
            of,
            sink,
            pause: Pause::default(),
            failing: false,
            fault: Arc::clone(&fault),
            refusals: Refusals::default(),
        };
        pump.of.metrics.sensor().delivered(output, 0);
        pump.of.metrics.sensor().delivery_failed(output, 0);
        let end = End(Arc::clone(&ended));
        let run = move || {
            let _end = end;
            pump.run();
            pump.say_refusals();
            // A receiver gets a clean end of the connection before the run may end.
            drop(pump);
        };
        let thread = std::thread::Builder::new().name("deliver".into()).spawn(run)?;
        Ok(Self { output, spool, mover, ended, fault, warn, thread: Some(thread) })
    }

    /// No more events will come: the remaining ones are delivered now.
    pub fn begin_to_close(&self) {
        self.spool.close();
    }

    /// Waits until everything is delivered: a sensor for `patience`, a replay as long as there is progress.
    ///
    /// # Errors
    /// If events are lost. Those on disk are not lost: the next run delivers them.
    pub fn close(mut self, patience: Duration, pressure: Pressure) -> io::Result<()> {
        self.begin_to_close();
        match (self.mover.take(), pressure) {
            (Some(mover), Pressure::Wait) => mover.join(),
            _ => self.spool.wait_until_settled(patience),
        }
        let (mut since, mut delivered) = (stopwatch(), self.spool.deliveries());
        let mut stopped = None;
        while !self.ended.load(Ordering::Acquire) {
            let most = match (pressure, self.spool.is_stopped(), self.spool.is_on_disk()) {
                (Pressure::Drop, ..) => patience,
                (Pressure::Wait, true, _) => PATIENCE_STOPPED,
                (Pressure::Wait, false, true) => PATIENCE_ON_DISK,
                (Pressure::Wait, false, false) => PATIENCE,
            };
            let hurries = pressure == Pressure::Wait && self.spool.is_stopped();
            let too_long =
                hurries && stopped.get_or_insert_with(stopwatch).elapsed() >= STOPPED_WITHIN;
            if since.elapsed() >= most || too_long {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
            if pressure == Pressure::Wait && self.spool.deliveries() != delivered {
                (since, delivered) = (stopwatch(), self.spool.deliveries());
            }
        }
        let (kept, lost) = self.spool.abandon();
        // A thread between two attempts ends at once; one that is blocked in the system is left behind.
        let since = stopwatch();
        while !self.ended.load(Ordering::Acquire) && since.elapsed() < END_WITHIN {
            std::thread::sleep(LOOK_EVERY);
        }
        if self.ended.load(Ordering::Acquire)
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
        let fault = self.fault.lock().map(|fault| fault.clone()).unwrap_or_default();
        if kept > 0 {
            let why = fault.as_ref().map(|fault| format!(" ({fault})")).unwrap_or_default();
            (self.warn)(&format!(
                "output {}: {} {} in the spool for the next run{why}",
                self.output,
                count(kept, "event"),
                if kept == 1 { "waits" } else { "wait" }
            ));
        }
        // A sensor reports what its spool dropped while it runs.
        let dropped = if pressure == Pressure::Wait { self.spool.lost() } else { 0 };
        match lost + dropped {
            0 => Ok(()),
            events => Err(io::Error::other(DeliveryError { output: self.output, events, fault })),
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        // A failed run: its events are at least on disk.
        self.spool.close();
        if self.mover.take().is_some() {
            self.spool.wait_until_settled(SETTLED_WITHIN);
            self.spool.abandon();
        }
    }
}

impl Pump {
    fn run(&mut self) {
        loop {
            let batch = self.of.spool.take(self.sink.most(), BATCH_BYTES, IDLE);
            if self.of.spool.is_abandoned() {
                return;
            }
            if batch.is_empty() {
                if self.of.spool.is_done() {
                    return;
                }
                self.sink.idle();
                self.of.spool.note();
                continue;
            }
            if !self.hand_over(batch) {
                return;
            }
            self.of.spool.delivered();
        }
    }

    /// Delivers a batch, with repeated attempts; false if it must end before that is done.
    fn hand_over(&mut self, mut batch: Vec<Record>) -> bool {
        while !batch.is_empty() {
            let Outcome { fates, fault, refusal } = self.sink.deliver(&batch);
            let of = |fate| fates.iter().filter(|&&of| of == fate).count() as u64;
            let (taken, refused) = (of(Fate::Taken), of(Fate::Refused));
            self.of.metrics.sensor().delivered(self.of.output, taken);
            self.of.spool.dropped("refused", refused);
            if refused > 0 {
                self.refused(refused, refusal.as_ref().or(fault.as_ref()));
            }
            let mut fate = fates.iter();
            batch.retain(|_| fate.next().is_none_or(|fate| *fate == Fate::Again));
            if batch.is_empty() {
                self.works();
                break;
            }
            if taken + refused > 0 {
                self.pause.reset();
            }
            self.fails(fault.unwrap_or_else(|| "it took no events".to_owned()));
            self.of.spool.pause(self.pause.next());
            if self.of.spool.is_abandoned() {
                return false;
            }
        }
        true
    }

    /// Reports refused events: the first at once, further ones together and seldom.
    fn refused(&mut self, events: u64, why: Option<&String>) {
        self.refusals.events += events;
        self.refusals.why = why.map_or_else(|| "no reason given".to_owned(), Clone::clone);
        if self.refusals.said.is_none_or(|said| said.elapsed() >= REFUSALS_EVERY) {
            self.say_refusals();
        }
    }

    fn say_refusals(&mut self) {
        if self.refusals.events > 0 {
            let events = count(std::mem::take(&mut self.refusals.events), "event");
            self.warn(&format!("{events} refused for good: {}", self.refusals.why));
            self.refusals.said = Some(stopwatch());
        }
    }

    fn works(&mut self) {
        self.pause.reset();
        if self.failing {
            self.failing = false;
            self.of.backlog.refused(None);
            self.warn("events are delivered again");
        }
        self.set_fault(None);
    }

    fn fails(&mut self, fault: String) {
        self.of.metrics.sensor().delivery_failed(self.of.output, 1);
        if !self.failing {
            self.failing = true;
            self.of.backlog.refused(Some(stopwatch()));
            let place = if self.of.spool.is_on_disk() { "in the spool" } else { "in memory" };
            self.warn(&format!("{fault}; events wait {place}"));
        }
        self.set_fault(Some(fault));
        self.of.spool.note();
    }

    fn set_fault(&self, fault: Option<String>) {
        if let Ok(mut of) = self.fault.lock() {
            *of = fault;
        }
    }

    fn warn(&self, text: &str) {
        (self.of.warn)(&format!("output {}: {text}", self.of.output));
    }
}
