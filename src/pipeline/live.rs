//! A live capture: its interfaces are opened, privileges dropped, packets read until it is asked to stop.

use super::Outcome;
use super::log::{complain, say};
use super::run::{Flow, IDLE, RunEnd, RunError, report_of, summary};
use super::setup::Parts;
use super::shard::PacketCounters;
use crate::capture::{Batch, Input, LATENCY, Live, LiveCounters, LiveOptions, Source as _, Status};
#[cfg(target_os = "linux")]
use crate::capture::{Lane, OpenError, Rings};
use crate::config::{Backend, Config, Timestamps};
use crate::output::clock::{stopwatch, wall_clock};
use crate::time::{Pace, Span, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long packets that wait for older ones are left alone.
const HELD: Duration = Duration::from_millis(10);
/// How often a live capture reads the kernel's drop counters and looks after its interfaces.
pub(super) const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long a live capture waits for packets once it is asked to stop: what the kernel still holds was
/// on the wire before.
pub(super) const DRAIN: Duration = LATENCY.saturating_mul(2);
/// The same in packet time: the interfaces are read in turn, and all have reached it by then.
pub(super) const DRAIN_SPAN: Span = Span::millis(LATENCY.as_millis() as i64 * 2);
/// Longest time it still reads, however much the kernel holds; the rest is counted as lost.
pub(super) const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// Longest time that counting the rest takes where it must be read for that.
const COUNT_LIMIT: Duration = Duration::from_millis(500);

/// Interfaces that were opened.
pub(super) enum Opened {
    /// A ring for each worker, and how fast its packet time passes.
    #[cfg(target_os = "linux")]
    Rings(Rings, Vec<Lane>, Pace),
    /// libpcap reads them.
    Pcap(Live),
}

/// Opens the interfaces and drops privileges that are no longer needed.
///
/// # Errors
/// An interface that cannot be captured from, or privileges that cannot be dropped.
pub(super) fn open(config: &Config, parts: &Parts, names: &[String]) -> Result<Opened, RunError> {
    let pace = match config.capture.pace {
        1 => Pace::REAL,
        times => Pace::from(wall_clock(), times),
    };
    let options = LiveOptions {
        pace,
        interfaces: names.to_vec(),
        filter: config.filter.clone(),
        ring: config.capture.ring,
        snaplen: config.capture.snaplen,
        hardware_time: config.capture.timestamps == Timestamps::Hardware,
    };
    crate::sandbox::raise();
    let opened = open_with(config, parts, &options)?;
    if let Some(sandbox) = &config.sandbox {
        let in_force = sandbox.enter()?;
        say(config, &format!("sandbox: {in_force}"));
    }
    Ok(opened)
}

fn open_with(config: &Config, parts: &Parts, options: &LiveOptions) -> Result<Opened, RunError> {
    #[cfg(target_os = "linux")]
    if config.capture.backend == Backend::Ring {
        match Rings::open(options, parts.workers, config.capture.wait) {
            Ok((rings, lanes)) => return Ok(Opened::Rings(rings, lanes, options.pace)),
            Err(OpenError::Fault(fault)) => return Err(RunError::Interface(fault)),
            Err(OpenError::NoRing(why)) => complain(&format!("{why}; using --backend pcap")),
        }
    }
    Live::open(options).map(Opened::Pcap).map_err(RunError::Interface)
}

/// Reads packets until it is asked to stop.
///
/// # Errors
/// The reason why it cannot continue.
pub(super) fn run(
    config: &Config,
    parts: &Parts,
    opened: Opened,
    stop: &AtomicBool,
) -> Result<Outcome, RunError> {
    match opened {
        #[cfg(target_os = "linux")]
        Opened::Rings(rings, lanes, pace) => {
            super::lanes::live(config, parts, (rings, lanes, pace), stop)
        }
        Opened::Pcap(source) => watch(config, parts, source, stop),
    }
}

/// Reads through libpcap, in this thread.
fn watch(
    config: &Config,
    parts: &Parts,
    mut source: Live,
    stop: &AtomicBool,
) -> Result<Outcome, RunError> {
    let started = stopwatch();
    let names: Vec<Arc<str>> = source.names().map(Into::into).collect();
    let watched = names.join(", ");
    let mut flow = Flow::start(config, parts, names)?;
    let asked = StatusRequest::new()?;
    say(config, &format!("watching {watched}; stop with Ctrl-C"));
    let mut batch = Batch::default();
    let mut lost = LiveCounters::default();
    let mut checked = started;
    // When the request to stop came, and the packet time up to which it still reads.
    let mut stopped: Option<(Instant, Timestamp)> = None;
    let mut unread = 0;
    note(parts, flow.counts(), source.counters(), source.inputs());
    parts.health.capturing();
    while !flow.failed() {
        parts.health.reader().begin(stopwatch());
        if asked.take() {
            let inputs = source.inputs();
            say(config, &status_line(flow.counts(), source.counters(), &inputs));
        }
        if stopped.is_none() && stop.load(Ordering::Relaxed) {
            parts.dashboard.stopping();
            stopped = Some((stopwatch(), wall_clock()));
        }
        let drained = stopped.map(|(since, _)| since.elapsed());
        if drained > Some(DRAIN_LIMIT) {
            let until = stopped.map_or(Timestamp::default(), |(_, at)| at);
            unread = rest_of(&mut source, &mut batch, started, until);
            break;
        }
        batch.clear();
        match source.fill_at(&mut batch, started.elapsed()) {
            Status::More => {
                flow.batch(&batch);
                parts.dashboard.packets_seen();
                let last = batch.packets.last().map(|packet| packet.time);
                if stopped.is_some_and(|(_, at)| last > Some(at + DRAIN_SPAN)) {
                    break;
                }
            }
            Status::Idle | Status::End if source.holds() => source.wait(HELD),
            Status::Idle | Status::End => {
                // No packets: time advances all the same, so that idle flows end.
                flow.idle(wall_clock());
                let patience = drained.map_or(IDLE, |drained| DRAIN.saturating_sub(drained));
                if patience.is_zero() {
                    break;
                }
                source.wait(patience);
            }
        }
        for fault in source.take_faults() {
            complain(&fault.to_string());
        }
        if checked.elapsed() >= CHECK_EVERY {
            checked = stopwatch();
            source.check();
            count_lost(parts, &mut lost, source.counters());
            note(parts, flow.counts(), source.counters(), source.inputs());
        }
        for notice in source.take_notices() {
            say(config, &notice);
        }
    }
    count_lost(parts, &mut lost, source.counters());
    count_unread(parts, &mut lost, unread);
    flow.lost_before(lost);
    let inputs = source.inputs().into_iter().map(report_of).collect();
    flow.finish(config, parts, RunEnd { inputs, tagged: 0, interrupted: None, started })
}

/// How many packets up to `until` are unread when the time to read them is over.
fn rest_of(source: &mut Live, batch: &mut Batch, started: Instant, until: Timestamp) -> u64 {
    let (since, mut unread) = (stopwatch(), 0);
    while since.elapsed() < COUNT_LIMIT {
        batch.clear();
        if source.fill_at(batch, started.elapsed()) != Status::More {
            break;
        }
        unread += batch.packets.iter().filter(|packet| packet.time <= until).count() as u64;
    }
    batch.clear();
    unread
}

/// Records the state of the interfaces and the counters.
pub(super) fn note(parts: &Parts, counts: &PacketCounters, lost: LiveCounters, inputs: Vec<Input>) {
    parts.health.interfaces(&inputs, stopwatch(), wall_clock().unix_millis() as f64 / 1e3);
    let mut so_far = summary(counts, lost);
    so_far.inputs = inputs.into_iter().map(report_of).collect();
    so_far.live = true;
    so_far.key_id.clone_from(&parts.key_id);
    parts.health.read(so_far);
}

/// SIGUSR1 requests a line with the state of the capture.
pub(super) struct StatusRequest {
    asked: Arc<AtomicBool>,
    signal: signal_hook::SigId,
}

impl StatusRequest {
    /// Listens from now on.
    ///
    /// # Errors
    /// If the signal cannot be registered.
    pub fn new() -> std::io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let signal = signal_hook::consts::SIGUSR1;
        let signal = signal_hook::flag::register(signal, Arc::clone(&asked))?;
        Ok(Self { asked, signal })
    }

    /// Whether it was requested since the last call.
    pub fn take(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed)
    }
}

impl Drop for StatusRequest {
    fn drop(&mut self) {
        signal_hook::low_level::unregister(self.signal);
    }
}

/// The state of the capture, in one line.
pub(super) fn status_line(counts: &PacketCounters, lost: LiveCounters, inputs: &[Input]) -> String {
    let PacketCounters { packets, bytes, queue_full, cut_packets, steps, .. } = counts;
    let interfaces: Vec<String> = inputs
        .iter()
        .map(|i| match &i.fault {
            Some(fault) => format!("{} {fault}", i.name),
            None => format!("{} {} packets", i.name, i.packets),
        })
        .collect();
    let LiveCounters { kernel, interface, freezes } = lost;
    let steps = steps.forward + steps.backward;
    format!(
        "status: {packets} packets, {bytes} bytes; {}; lost: kernel {kernel}, interface {interface}, \
         queue {queue_full}; ring full {freezes} times; cut {cut_packets}; clock set {steps} times",
        interfaces.join(", ")
    )
}

/// Adds what was lost since the last call to the metrics.
pub(super) fn count_lost(parts: &Parts, lost: &mut LiveCounters, now: LiveCounters) {
    parts.metrics.dropped("kernel", now.kernel.saturating_sub(lost.kernel));
    parts.metrics.dropped("interface", now.interface.saturating_sub(lost.interface));
    parts.metrics.ring_freezes(now.freezes.saturating_sub(lost.freezes));
    *lost = now;
}

/// Adds what was left unread at the end to what the kernel lost.
pub(super) fn count_unread(parts: &Parts, lost: &mut LiveCounters, unread: u64) {
    parts.metrics.dropped("kernel", unread);
    lost.kernel += unread;
}
