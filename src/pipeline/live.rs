//! A live capture: opens interfaces, drops privileges, and reads packets until asked to stop.

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
use crate::output::text::count;
use crate::time::{Pace, Span, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often held packets, which wait for older ones of another interface, are checked.
const HELD: Duration = Duration::from_millis(10);
/// How often the kernel's drop counters are read and the interfaces checked.
pub(super) const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long a stopping capture still waits for packets that the kernel has buffered.
pub(super) const DRAIN: Duration = LATENCY.saturating_mul(2);
/// [`DRAIN`] in packet time. Interfaces are read in turn, and all have reached it by then.
pub(super) const DRAIN_SPAN: Span = Span::millis(LATENCY.as_millis() as i64 * 2);
/// Longest time spent on buffered packets at the end; the rest is counted as lost.
pub(super) const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// Longest time spent counting that rest, where counting needs reading.
const COUNT_LIMIT: Duration = Duration::from_millis(500);

/// The opened interfaces.
pub(super) enum Opened {
    /// One ring per worker, and the pace of packet time.
    #[cfg(target_os = "linux")]
    Rings(Rings, Vec<Lane>, Pace),
    /// Interfaces read through libpcap.
    Pcap(Live),
}

/// Opens the interfaces and drops the privileges no longer needed.
///
/// # Errors
/// An interface cannot be opened, or privileges cannot be dropped.
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
        let restrictions = sandbox.enter()?;
        say(config, &format!("sandbox: {restrictions}"));
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

/// Reads packets until asked to stop.
///
/// # Errors
/// Why the capture cannot continue.
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
    // When the stop was requested, and the packet time up to which packets are still read.
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
                // Without packets, time still advances so that idle flows end.
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

/// Counts the packets up to `until` that are unread when time runs out.
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

/// Records the interfaces' state and the counters.
pub(super) fn note(parts: &Parts, counts: &PacketCounters, lost: LiveCounters, inputs: Vec<Input>) {
    parts.health.interfaces(&inputs, stopwatch(), wall_clock().unix_millis() as f64 / 1e3);
    let mut so_far = summary(counts, lost);
    so_far.inputs = inputs.into_iter().map(report_of).collect();
    so_far.live = true;
    so_far.key_id.clone_from(&parts.key_id);
    parts.health.read(so_far);
}

/// SIGUSR1, which requests a status line.
pub(super) struct StatusRequest {
    asked: Arc<AtomicBool>,
    signal: signal_hook::SigId,
}

impl StatusRequest {
    /// Starts listening for the signal.
    ///
    /// # Errors
    /// The signal cannot be registered.
    pub fn new() -> std::io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let signal = signal_hook::consts::SIGUSR1;
        let signal = signal_hook::flag::register(signal, Arc::clone(&asked))?;
        Ok(Self { asked, signal })
    }

    /// Whether the signal came since the last call.
    pub fn take(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed)
    }
}

impl Drop for StatusRequest {
    fn drop(&mut self) {
        signal_hook::low_level::unregister(self.signal);
    }
}

/// The state of the capture in one line.
pub(super) fn status_line(counts: &PacketCounters, lost: LiveCounters, inputs: &[Input]) -> String {
    let PacketCounters { packets, bytes, queue_full, cut_packets, steps, .. } = counts;
    let interfaces: Vec<String> = inputs
        .iter()
        .map(|i| match &i.fault {
            Some(fault) => format!("{} {fault}", i.name),
            None => format!("{} {}", i.name, count(i.packets, "packet")),
        })
        .collect();
    let LiveCounters { kernel, interface, freezes } = lost;
    let steps = steps.forward + steps.backward;
    format!(
        "status: {}, {}; {}; lost: kernel {kernel}, interface {interface}, queue {queue_full}; ring full {}; \
         cut {cut_packets}; clock set {}",
        count(*packets, "packet"),
        count(*bytes, "byte"),
        interfaces.join(", "),
        count(freezes, "time"),
        count(steps, "time")
    )
}

/// Adds losses since the last call to the metrics.
pub(super) fn count_lost(parts: &Parts, lost: &mut LiveCounters, now: LiveCounters) {
    parts.metrics.dropped("kernel", now.kernel.saturating_sub(lost.kernel));
    parts.metrics.dropped("interface", now.interface.saturating_sub(lost.interface));
    parts.metrics.ring_freezes(now.freezes.saturating_sub(lost.freezes));
    *lost = now;
}

/// Adds packets left unread at the end to the kernel's losses.
pub(super) fn count_unread(parts: &Parts, lost: &mut LiveCounters, unread: u64) {
    parts.metrics.dropped("kernel", unread);
    lost.kernel += unread;
}
