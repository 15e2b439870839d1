//! A live capture with one ring per worker. Each thread reads its ring, decodes the packets and
//! processes them. The kernel divides packets among rings, where they wait while their worker is
//! busy.
//!
//! ```text
//! ring 0 -> decode -> worker 0 -+-> collector -> exposures -> outputs
//! ring 1 -> decode -> worker 1 -+   (its thread)
//! ```

use super::clock::RunClock;
use super::collector::Collector;
use super::live::{
    CHECK_EVERY, DRAIN, DRAIN_LIMIT, DRAIN_SPAN, StatusRequest, count_lost, count_unread, note,
    status_line,
};
use super::log::{complain, say};
use super::recent::Recorder;
use super::report::Report;
use super::route::{Busy, REPORT_QUEUE, collect};
use super::run::{IDLE, RunEnd, RunError, conclude, report_of};
use super::setup::Parts;
use super::shard::{Numbering, PacketCounters, Route, Shards};
use super::shedding::Pressure;
use super::work::{Backlog, WorkBatch};
use super::worker::Worker;
use crate::capture::{Batch, Fill, LATENCY, Lane, LiveCounters, Rings};
use crate::config::Config;
use crate::decode::Decoder;
use crate::output::Dashboard;
use crate::output::clock::{stopwatch, wall_clock};
use crate::output::evidence::Evidence;
use crate::output::health::EndOf;
use crate::sandbox::confine_parser;
use crate::time::{Pace, Span, Timestamp};
use crossbeam_channel::{Sender, bounded};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the main thread checks for a signal.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Batches after which a lane publishes its counters.
const SHARE_EVERY: u32 = 64;
/// How long results of a lane may wait for further ones, so that a block does not wake the collector
/// each time.
const GATHER: Duration = Duration::from_millis(5);
/// How long packets may wait in the kernel while a ring seems empty.
const LATENCY_SPAN: Span = Span::millis(LATENCY.as_millis() as i64);

/// Runs the worker in the thread that reads its ring.
struct Direct {
    index: usize,
    worker: Worker,
    reports: Sender<(usize, Report)>,
    busy: Busy,
    gone: bool,
    /// Whether more packets wait in the rings.
    backlog: Backlog,
    /// The last batch, emptied for reuse.
    spare: Option<WorkBatch>,
}

impl Route for Direct {
    fn workers(&self) -> usize {
        1
    }
    fn send(&mut self, _worker: usize, mut batch: WorkBatch) -> bool {
        let Self { index, worker, reports, busy, gone, backlog, spare } = self;
        let mut send = |report| *gone |= reports.send((*index, report)).is_err();
        busy.during(|| worker.run(&batch, *backlog, &mut send));
        batch.clear();
        *spare = Some(batch);
        true
    }
    fn spare(&mut self) -> WorkBatch {
        self.spare.take().unwrap_or_default()
    }
    fn failed(&self) -> bool {
        self.gone
    }
}

/// State shared by all lanes.
struct Common {
    started: Instant,
    stop: Arc<AtomicBool>,
    dashboard: Arc<Dashboard>,
    pace: Pace,
}

impl Common {
    /// The current packet time.
    fn now(&self) -> Timestamp {
        self.pace.of(wall_clock())
    }
}

/// The result of a lane that has ended.
struct Ended {
    counts: PacketCounters,
    recorder: Option<Box<Recorder>>,
    /// Packets that arrived before the end and were not read.
    unread: u64,
}

/// The threads of a capture.
struct Lanes {
    threads: Vec<JoinHandle<Ended>>,
    counts: Vec<Arc<Mutex<PacketCounters>>>,
    collector: JoinHandle<(Collector, Option<io::Error>)>,
    stop: Arc<AtomicBool>,
}

impl Lanes {
    fn start(
        config: &Config,
        parts: &Parts,
        (lanes, pace): (Vec<Lane>, Pace),
        (collector, evidence): (Collector, Option<Evidence>),
        started: Instant,
    ) -> io::Result<Self> {
        let (reports, inbox) = bounded::<(usize, Report)>(REPORT_QUEUE);
        let stop = Arc::new(AtomicBool::new(false));
        let (mut threads, mut counts) = (Vec::new(), Vec::new());
        let base = pace.of(wall_clock());
        let memory = config.limits.fragment_memory() / lanes.len().max(1);
        for (index, lane) in lanes.into_iter().enumerate() {
            let pulse = parts.health.worker();
            let route = Direct {
                index,
                worker: parts.worker(config),
                reports: reports.clone(),
                busy: Busy::new(Arc::clone(&parts.metrics), index, Arc::clone(&pulse)),
                gone: false,
                backlog: Backlog::Empty,
                spare: None,
            };
            let decoder = Decoder::new(config.checksums).with_fragment_memory(memory);
            let clock = RunClock::live(started, base, pace);
            let metrics = Arc::clone(&parts.metrics);
            let mut shards = Shards::new(route, decoder, metrics, clock, Numbering::Time);
            shards.record(evidence.clone().map(Recorder::new));
            let common = Common {
                started,
                stop: Arc::clone(&stop),
                dashboard: Arc::clone(&parts.dashboard),
                pace,
            };
            let shared = Arc::new(Mutex::new(PacketCounters::default()));
            counts.push(Arc::clone(&shared));
            let confined = config.sandbox.is_some();
            let run = move || {
                let _end = EndOf(pulse);
                if confined {
                    confine_parser();
                }
                read(lane, shards, &common, &shared)
            };
            threads.push(std::thread::Builder::new().name(format!("worker-{index}")).spawn(run)?);
        }
        let pulse = Arc::clone(parts.health.collector());
        let collect = move || collect(collector, &inbox, &pulse);
        let collector = std::thread::Builder::new().name("collector".into()).spawn(collect)?;
        Ok(Self { threads, counts, collector, stop })
    }

    /// Whether an output or a thread failed.
    fn failed(&self) -> bool {
        self.collector.is_finished() || self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Counters of all lanes; they may be slightly behind.
    fn counts(&self) -> PacketCounters {
        let mut sum = PacketCounters::default();
        for counts in &self.counts {
            sum.add(&counts.lock().unwrap_or_else(PoisonError::into_inner));
        }
        sum
    }

    /// Reads what is left in the rings and ends. Also returns how many packets were left unread.
    fn finish(self) -> Result<(Collector, Option<io::Error>, PacketCounters, u64), RunError> {
        self.stop.store(true, Ordering::Relaxed);
        let (mut sum, mut recorders, mut unread) = (PacketCounters::default(), Vec::new(), 0);
        for thread in self.threads {
            let broken = |_| io::Error::other("a worker thread failed");
            let ended = thread.join().map_err(broken)?;
            sum.add(&ended.counts);
            recorders.extend(ended.recorder);
            unread += ended.unread;
        }
        let collector = self.collector.join();
        let broken = |_| io::Error::other("the collector thread failed");
        let (collector, failed) = collector.map_err(broken)?;
        // By now every exposure has opened.
        recorders.iter_mut().for_each(|recorder| recorder.check_wanted());
        Ok((collector, failed, sum, unread))
    }
}

/// Runs one lane from start to end.
fn read(
    mut lane: Lane,
    mut shards: Shards<Direct>,
    common: &Common,
    shared: &Mutex<PacketCounters>,
) -> Ended {
    let mut batch = Batch::default();
    // When the stop was requested, and the packet time up to which packets are still read.
    let mut stopped: Option<(Instant, Timestamp)> = None;
    let mut batches = 0;
    // When everything read so far was passed on, and whether more was read since.
    let (mut passed_on, mut has_read) = (common.started, false);
    while !shards.route().failed() {
        if stopped.is_none() && common.stop.load(Ordering::Relaxed) {
            stopped = Some((stopwatch(), common.now()));
        }
        let drained = stopped.map(|(since, _)| since.elapsed());
        if drained > Some(DRAIN_LIMIT) {
            break;
        }
        // Returns blocks to the ring before taking the next ones.
        batch.clear();
        match lane.fill(&mut batch, common.started.elapsed()) {
            Fill::Packets => {
                has_read = true;
                let route = shards.route_mut();
                route.worker.press(Pressure::of(lane.fullness()));
                route.backlog = if lane.has_more() { Backlog::Queued } else { Backlog::Empty };
                shards.batch(&batch);
                common.dashboard.packets_seen();
                let last = batch.packets.last().map(|packet| packet.time);
                if stopped.is_some_and(|(_, at)| last > Some(at + common.pace.span(DRAIN_SPAN))) {
                    break;
                }
                batches += 1;
                if batches % SHARE_EVERY == 0 {
                    share(shared, shards.counts());
                }
            }
            Fill::Waiting | Fill::Idle if has_read && passed_on.elapsed() < GATHER => {
                lane.wait(GATHER.saturating_sub(passed_on.elapsed()));
            }
            Fill::Waiting => {
                (passed_on, has_read) = (stopwatch(), false);
                shards.route_mut().backlog = Backlog::Empty;
                shards.flush();
                lane.wait(IDLE);
            }
            Fill::Idle => {
                (passed_on, has_read) = (stopwatch(), false);
                // Without packets, time still advances so that idle flows end.
                shards.route_mut().backlog = Backlog::Empty;
                shards.idle(common.now() - common.pace.span(LATENCY_SPAN));
                share(shared, shards.counts());
                let patience = drained.map_or(IDLE, |drained| DRAIN.saturating_sub(drained));
                if patience.is_zero() {
                    break;
                }
                lane.wait(patience);
            }
        }
    }
    batch.clear();
    let unread = stopped.map_or(0, |(_, at)| lane.abandon(at));
    let recorder = shards.take_recorder();
    Ended { counts: shards.finish().1, recorder, unread }
}

fn share(shared: &Mutex<PacketCounters>, counts: &PacketCounters) {
    shared.lock().unwrap_or_else(PoisonError::into_inner).clone_from(counts);
}

/// Captures from `rings` until asked to stop.
pub(super) fn live(
    config: &Config,
    parts: &Parts,
    (mut rings, lanes, pace): (Rings, Vec<Lane>, Pace),
    stop: &AtomicBool,
) -> Result<super::Outcome, RunError> {
    let started = stopwatch();
    let names: Vec<Arc<str>> = rings.names().map(Into::into).collect();
    let watched = names.join(", ");
    let collector = parts.collector(config, names)?;
    let lanes = Lanes::start(config, parts, (lanes, pace), collector, started)?;
    let asked = StatusRequest::new()?;
    say(config, &format!("watching {watched}; stop with Ctrl-C"));
    let mut lost = LiveCounters::default();
    let mut checked = started;
    note(parts, &lanes.counts(), rings.counters(), rings.inputs());
    parts.health.capturing();
    while !lanes.failed() && !stop.load(Ordering::Relaxed) {
        parts.health.reader().begin(stopwatch());
        for fault in rings.take_faults() {
            complain(&fault.to_string());
        }
        for notice in rings.take_notices() {
            say(config, &notice);
        }
        if asked.take() {
            let inputs = rings.inputs();
            say(config, &status_line(&lanes.counts(), rings.counters(), &inputs));
        }
        std::thread::sleep(LOOK_EVERY);
        if checked.elapsed() >= CHECK_EVERY {
            checked = stopwatch();
            rings.check();
            count_lost(parts, &mut lost, rings.counters());
            note(parts, &lanes.counts(), rings.counters(), rings.inputs());
            tracing::debug!(packets = lanes.counts().packets, "read so far");
        }
    }
    parts.dashboard.stopping();
    let (collector, failed, counts, unread) = lanes.finish()?;
    count_lost(parts, &mut lost, rings.counters());
    count_unread(parts, &mut lost, unread);
    let inputs = rings.inputs().into_iter().map(report_of).collect();
    let ending = RunEnd { inputs, tagged: 0, interrupted: None, started };
    conclude(config, parts, collector, failed, (&counts, lost), ending)
}
