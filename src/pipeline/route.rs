//! Carries batches from the reader to the workers, and reports on to the collector: directly, or
//! through threads and channels.

use super::collector::Collector;
use super::report::Report;
use super::shard::Route;
use super::work::{Backlog, WorkBatch};
use super::worker::Worker;
use crate::output::SensorHealth;
use crate::output::clock::stopwatch;
use crate::output::health::{EndOf, Pulse};
use crate::output::metrics::Metrics;
use crate::sandbox::confine_parser;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Most batches queued per worker of a live capture, up to 256 packets each.
const WORK_QUEUE: usize = 64;
/// The same in a replay. Its reader can wait, and a short queue stays in the cache.
const REPLAY_QUEUE: usize = 16;
/// Fewest batches queued per worker, however little memory there is.
const MIN_QUEUE: usize = 4;
/// The queue of a worker may take this part of the memory, as one in so many.
const QUEUE_SHARE: u64 = 64;
/// Bytes of a batch, with packets of 1 KiB.
const BATCH_BYTES: u64 = 256 << 10;
/// How long a live capture waits for a worker's queue before it drops a batch.
const PATIENCE: Duration = Duration::from_millis(100);
/// Most reports queued for the collector.
pub(super) const REPORT_QUEUE: usize = 256;

/// Runs one worker and the collector in the reader's thread.
pub struct Inline {
    worker: Worker,
    collector: Collector,
    busy: Busy,
    failed: Option<io::Error>,
    /// The last batch, emptied for reuse.
    spare: Option<WorkBatch>,
}

impl Inline {
    /// Creates a route to one worker.
    pub fn new(
        worker: Worker,
        collector: Collector,
        metrics: Arc<Metrics>,
        health: &SensorHealth,
    ) -> Self {
        let busy = Busy::new(metrics, 0, health.worker());
        Self { worker, collector, busy, failed: None, spare: None }
    }
    /// Ends the route after the last batch.
    pub fn finish(self) -> (Collector, Option<io::Error>) {
        self.worker.leave();
        (self.collector, self.failed)
    }
}

impl Route for Inline {
    fn workers(&self) -> usize {
        1
    }
    fn send(&mut self, _worker: usize, mut batch: WorkBatch) -> bool {
        let Self { worker, collector, busy, failed, spare } = self;
        let mut collect = |report| {
            if failed.is_none() {
                *failed = collector.report(0, report).err();
            }
        };
        busy.during(|| worker.run(&batch, Backlog::Empty, &mut collect));
        batch.clear();
        *spare = Some(batch);
        true
    }
    fn spare(&mut self) -> WorkBatch {
        self.spare.take().unwrap_or_default()
    }
    fn failed(&self) -> bool {
        self.failed.is_some()
    }
}

/// Workers in their own threads, and the collector in another.
pub struct Threads {
    work: Vec<Sender<WorkBatch>>,
    workers: Vec<JoinHandle<()>>,
    collector: JoinHandle<(Collector, Option<io::Error>)>,
    /// Processed batches, emptied for reuse.
    spare: Receiver<WorkBatch>,
    /// Whether a full channel drops the batch.
    live: bool,
}

/// How the threads work.
#[derive(Clone, Copy)]
pub struct ThreadSettings {
    /// Whether a batch that finds a queue full is dropped.
    pub live: bool,
    /// Whether workers are restricted further than the process.
    pub confined: bool,
    /// `--memory`, bytes.
    pub memory: u64,
}

impl ThreadSettings {
    /// Most batches queued per worker.
    fn queue(self) -> usize {
        let most = if self.live { WORK_QUEUE } else { REPLAY_QUEUE };
        let share = self.memory / QUEUE_SHARE / BATCH_BYTES;
        usize::try_from(share).unwrap_or(most).clamp(MIN_QUEUE, most)
    }
}

impl Threads {
    /// Starts the threads.
    ///
    /// # Errors
    /// A thread cannot be created.
    pub fn start(
        workers: Vec<Worker>,
        collector: Collector,
        metrics: &Arc<Metrics>,
        health: &SensorHealth,
        settings: ThreadSettings,
    ) -> io::Result<Self> {
        let ThreadSettings { live, confined, .. } = settings;
        let (reports, inbox) = bounded::<(usize, Report)>(REPORT_QUEUE);
        let mut threads = Vec::new();
        let mut work = Vec::new();
        let waiting = settings.queue();
        let (emptied, spare) = bounded::<WorkBatch>(waiting);
        for (index, mut worker) in workers.into_iter().enumerate() {
            let (sender, queue) = bounded::<WorkBatch>(waiting);
            let (reports, emptied) = (reports.clone(), emptied.clone());
            let metrics = Arc::clone(metrics);
            let pulse = health.worker();
            let run = move || {
                let _end = EndOf(Arc::clone(&pulse));
                if confined {
                    confine_parser();
                }
                let mut busy = Busy::new(metrics, index, pulse);
                for mut batch in &queue {
                    let backlog =
                        if live || queue.is_empty() { Backlog::Empty } else { Backlog::Queued };
                    let mut gone = false;
                    let mut send = |report| gone |= reports.send((index, report)).is_err();
                    busy.during(|| worker.run(&batch, backlog, &mut send));
                    if gone {
                        break;
                    }
                    batch.clear();
                    // Discards the batch if enough empty ones wait already.
                    let _ = emptied.try_send(batch);
                }
                worker.leave();
            };
            threads.push(std::thread::Builder::new().name(format!("worker-{index}")).spawn(run)?);
            work.push(sender);
        }
        let pulse = Arc::clone(health.collector());
        let collect = move || collect(collector, &inbox, &pulse);
        let collector = std::thread::Builder::new().name("collector".into()).spawn(collect)?;
        Ok(Self { work, workers: threads, collector, spare, live })
    }

    /// Waits for all threads after the last batch.
    ///
    /// # Errors
    /// The collector failed.
    pub fn finish(self) -> io::Result<(Collector, Option<io::Error>)> {
        drop(self.work);
        for worker in self.workers {
            worker.join().map_err(|_| io::Error::other("a worker thread failed"))?;
        }
        self.collector.join().map_err(|_| io::Error::other("the collector thread failed"))
    }
}

/// Measures how busy a worker is, over intervals of one second. The last interval ends with the
/// worker.
pub(super) struct Busy {
    metrics: Arc<Metrics>,
    pulse: Arc<Pulse>,
    worker: usize,
    since: Instant,
    busy: Duration,
}

impl Busy {
    const INTERVAL: Duration = Duration::from_secs(1);

    pub fn new(metrics: Arc<Metrics>, worker: usize, pulse: Arc<Pulse>) -> Self {
        Self { metrics, pulse, worker, since: stopwatch(), busy: Duration::ZERO }
    }
    pub fn during<R>(&mut self, run: impl FnOnce() -> R) -> R {
        let start = stopwatch();
        self.pulse.begin(start);
        let result = run();
        let end = stopwatch();
        self.pulse.rest();
        self.busy += end - start;
        if end - self.since >= Self::INTERVAL {
            self.publish(end);
        }
        result
    }
    fn publish(&mut self, end: Instant) {
        let all = (end - self.since).as_secs_f64();
        if all > 0.0 {
            self.metrics.worker_busy(self.worker, self.busy.as_secs_f64() / all);
        }
        self.since = end;
        self.busy = Duration::ZERO;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.publish(stopwatch());
    }
}

/// Passes reports to the collector until all workers have ended or an output fails.
pub(super) fn collect(
    mut collector: Collector,
    inbox: &Receiver<(usize, Report)>,
    pulse: &Arc<Pulse>,
) -> (Collector, Option<io::Error>) {
    let _end = EndOf(Arc::clone(pulse));
    for (worker, report) in inbox {
        let now = stopwatch();
        pulse.begin(now);
        pulse.behind(inbox.len() > REPORT_QUEUE / 4 * 3, now);
        if let Err(error) = collector.report(worker, report) {
            return (collector, Some(error));
        }
        pulse.rest();
    }
    (collector, None)
}

impl Route for Threads {
    fn workers(&self) -> usize {
        self.work.len()
    }
    fn send(&mut self, worker: usize, batch: WorkBatch) -> bool {
        let Some(sender) = self.work.get(worker) else { return false };
        if !self.live || batch.last {
            return sender.send(batch).is_ok();
        }
        // Packets wait in the kernel meanwhile.
        sender.send_timeout(batch, PATIENCE).is_ok()
    }
    fn spare(&mut self) -> WorkBatch {
        self.spare.try_recv().unwrap_or_else(|_| WorkBatch::new())
    }
    fn failed(&self) -> bool {
        self.collector.is_finished()
    }
}
