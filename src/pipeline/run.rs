//! A run from the first packet to the summary.

use super::collector::Collector;
use super::reload::{Reloader, warn_of_expired};
use super::route::{Inline, Threads};
use super::setup::{Parts, store_error};
use super::shard::{PacketCounters, Route, Shards};
use crate::capture::{
    Batch, Fault, Filter, FilterError, LATENCY, Live, LiveCounters, LiveOptions, Source as _,
    Status, Timeline, expand,
};
use crate::config::{Config, Source};
use crate::decode::{Decoder, Skip};
use crate::identify::KeyError;
use crate::output::{
    InputReport, Interrupted, Progress, RunSummary, ServeError, Server, WriteError,
    write_atomically,
};
use crate::rules::LoadError;
use crate::severity::Severity;
use crate::time::{Span, Timestamp};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a live capture waits for packets before it lets time go on without them.
const IDLE: Duration = Duration::from_millis(250);
/// How often a live capture reads the kernel's drop counters and looks after its interfaces.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long a live capture waits for packets once it is told to stop: what the kernel still holds was
/// on the wire before.
const DRAIN: Duration = LATENCY.saturating_mul(2);
/// The same as packet time: the interfaces are read in turn, and all have come as far by then.
const DRAIN_SPAN: Span = Span::millis(LATENCY.as_millis() as i64 * 2);
/// How long it reads on at most, however much the kernel holds.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// Signals that come this close together are one: `timeout` and many shells signal both the process
/// and its group.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// Why a run could not be made or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A rule file is faulty.
    #[error(transparent)]
    Rules(#[from] LoadError),
    /// The key file is unusable.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An output cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The store cannot be used.
    #[cfg(feature = "store")]
    #[error(transparent)]
    Store(#[from] crate::output::store::StoreError),
    /// This program was built without it.
    #[error("{path}: this phitap was built without the feature store", path = .0.display())]
    NoStore(PathBuf),
    /// The metrics address cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The filter is no BPF expression.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// An interface cannot be opened.
    #[error("{0}")]
    Interface(Fault),
    /// No input could be read; each was said on standard error.
    #[error("nothing could be read")]
    NoInput,
    /// The system refused something.
    #[error("{0}")]
    System(#[from] io::Error),
    /// A defect.
    #[error("internal error: {0}")]
    Internal(String),
}

/// How a run went.
#[derive(Debug)]
pub struct Outcome {
    /// Its figures.
    pub summary: RunSummary,
    /// The worst exposure.
    pub worst: Option<Severity>,
    /// Whoever read the output went away before the end.
    pub closed_pipe: bool,
}

/// Runs a replay or a live capture to its end.
///
/// # Errors
/// What kept it from being done; faults of single inputs are in the summary instead.
pub fn run(config: &Config) -> Result<Outcome, RunError> {
    let parts = Parts::new(config)?;
    let rules = parts.shared.rules.current();
    tracing::info!(
        key = parts.key_id,
        workers = parts.workers,
        memory = config.limits.memory,
        "set up"
    );
    let goes_on = config.follow || matches!(config.source, Source::Interfaces(_));
    if goes_on {
        warn_of_expired(&rules, wall_clock());
    }
    drop(rules);
    parts.metrics.rules_loaded(wall_clock());
    if config.reveal {
        say(config, "--reveal: the output holds patient data as it was sent; protect it");
        warn_of_readers(config);
    }
    let server = match config.metrics {
        Some(address) => Some(Server::start(address, Arc::clone(&parts.board))?),
        None => None,
    };
    if let Some(server) = &server {
        say(config, &format!("serving metrics at http://{}/", server.address()));
    }
    let stop = Stop::on_signals()?;
    // A replay that ends reads all of it under the same rules.
    let reloader = goes_on
        .then(|| Reloader::start(config, Arc::clone(&parts.shared), Arc::clone(&parts.metrics)))
        .transpose()?;
    let outcome = match &config.source {
        Source::Files(paths) => replay(config, &parts, paths, &stop.flag),
        Source::Interfaces(names) => live(config, &parts, names, &stop.flag),
    };
    drop(reloader);
    if let Some(server) = server {
        parts.board.stopping();
        server.stop();
    }
    if let Some(path) = &config.metrics_file {
        write_atomically(path, parts.board.metrics().render().as_bytes())?;
    }
    outcome
}

/// SIGINT and SIGTERM end the run in order; once more, a little later, at once.
struct Stop {
    flag: Arc<AtomicBool>,
    signals: signal_hook::iterator::Handle,
}

impl Stop {
    fn on_signals() -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        let mut signals = signal_hook::iterator::Signals::new([
            signal_hook::consts::SIGINT,
            signal_hook::consts::SIGTERM,
        ])?;
        let stop = Self { flag: Arc::clone(&flag), signals: signals.handle() };
        let listen = move || {
            let mut first = None;
            for _ in signals.forever() {
                flag.store(true, Ordering::Relaxed);
                if first.get_or_insert_with(stopwatch).elapsed() > SAME_SIGNAL {
                    signal_hook::low_level::exit(130);
                }
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(listen)?;
        Ok(stop)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.signals.close();
    }
}

/// Says so if others may read the file that values go to; it was there before.
fn warn_of_readers(config: &Config) {
    use std::os::unix::fs::MetadataExt as _;
    let Some(path) = &config.output else { return };
    if let Ok(of) = std::fs::metadata(path)
        && of.is_file()
        && of.mode() & 0o077 != 0
    {
        let (path, mode) = (path.display(), of.mode() & 0o777);
        complain(&format!("others may read {path} (mode {mode:03o}); run: chmod 600 {path}"));
    }
}

pub(super) fn say(config: &Config, text: &str) {
    if !config.quiet {
        complain(text);
    }
}

pub(super) fn complain(text: &str) {
    // If standard error is gone there is nobody to tell.
    let _ = writeln!(io::stderr(), "phitap: {text}");
}

fn replay(
    config: &Config,
    parts: &Parts,
    paths: &[PathBuf],
    stop: &AtomicBool,
) -> Result<Outcome, RunError> {
    let started = stopwatch();
    let (files, folders) = expand(paths);
    let mut source = if config.follow { Timeline::follow(&files) } else { Timeline::open(&files) };
    while !source.settle() && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(IDLE);
    }
    let mut inputs: Vec<InputReport> = Vec::new();
    for fault in folders {
        complain(&fault.to_string());
        inputs.push(InputReport {
            fault: Some(fault.describe()),
            name: fault.name,
            ..Default::default()
        });
    }
    for fault in source.take_faults() {
        complain(&fault.to_string());
    }
    if source.readable() == 0 {
        return Err(RunError::NoInput);
    }
    let mut filter = config.filter.as_deref().map(Filter::new).transpose()?;
    let show = config.progress && io::stderr().is_terminal();
    let progress = Progress::new(source.size(), show);
    let names = source.inputs().into_iter().map(|input| input.name.into()).collect();
    let mut flow = Flow::start(config, parts, names)?;
    let mut batch = Batch::default();
    let mut position = 0;
    let mut clock = Replayed::new(config.follow);
    let mut ended = false;
    let mut tagged = 0;
    while !stop.load(Ordering::Relaxed) && !flow.failed() {
        batch.clear();
        match source.fill(&mut batch) {
            Status::More => clock.batch(&batch),
            Status::Idle => {
                flow.idle(clock.now());
                std::thread::sleep(IDLE);
            }
            Status::End => {
                ended = true;
                break;
            }
        }
        if let Some(filter) = &mut filter {
            tagged += exclude(&mut batch, filter, &mut flow);
        }
        if !batch.packets.is_empty() {
            flow.batch(&batch);
            parts.board.packets_seen();
        }
        progress.add(source.position().saturating_sub(position));
        position = source.position();
        for fault in source.take_faults() {
            progress.aside(|| complain(&fault.to_string()));
        }
    }
    for fault in source.take_faults() {
        progress.aside(|| complain(&fault.to_string()));
    }
    progress.finish();
    let read = source.inputs();
    flow.lost_before(crate::capture::Input::lost(&read));
    inputs.extend(read.into_iter().map(report_of));
    for input in &inputs {
        tracing::info!(input = input.name, packets = input.packets, bytes = input.bytes, "read");
    }
    // Whoever follows files that grow can end it in no other way.
    let interrupted = (!ended && !config.follow && stop.load(Ordering::Relaxed))
        .then(|| Interrupted { at: share_read(source.position(), source.size()) });
    flow.finish(config, parts, RunEnd { inputs, tagged, interrupted, started })
}

/// The share of the input that was read. What was read and not yet worked through is not the end.
fn share_read(position: u64, size: Option<u64>) -> Option<f64> {
    let size = size.filter(|size| *size > 0)?;
    Some((position as f64 / size as f64).min(0.99))
}

/// Packet time of a replay while nothing comes.
struct Replayed {
    follow: bool,
    last: Option<(Timestamp, Instant)>,
}

impl Replayed {
    const fn new(follow: bool) -> Self {
        Self { follow, last: None }
    }

    fn batch(&mut self, batch: &Batch) {
        if let Some(packet) = batch.packets.last() {
            self.last = Some((packet.time, stopwatch()));
        }
    }

    /// In a file that is being written, time goes on with the clock, so that idle flows end. In a
    /// pipe it stands still: the same packets must give the same events, however slowly they come.
    fn now(&self) -> Timestamp {
        let Some((time, at)) = self.last else { return Timestamp(i64::MIN) };
        let waited = if self.follow { at.elapsed().as_nanos() } else { 0 };
        time + crate::time::Span(i64::try_from(waited).unwrap_or(i64::MAX))
    }
}

fn report_of(input: crate::capture::Input) -> InputReport {
    InputReport { name: input.name, packets: input.packets, bytes: input.bytes, fault: input.fault }
}

/// Takes out what `--filter` excludes; it stays counted. How many of these bear VLAN tags that the
/// expression did not look behind.
fn exclude(batch: &mut Batch, filter: &mut Filter, flow: &mut Flow) -> u64 {
    let packets = std::mem::take(&mut batch.packets);
    let (mut excluded, mut bytes, mut tagged) = (0, 0, 0);
    let kept = packets.into_iter().filter(|packet| {
        let takes = filter.takes(packet.link, batch.bytes(packet));
        if !takes {
            excluded += 1;
            bytes += u64::from(packet.caplen);
            tagged += u64::from(filter.is_behind_tags(packet.link, batch.bytes(packet)));
        }
        takes
    });
    let kept = kept.collect();
    batch.packets = kept;
    flow.filtered(excluded, bytes);
    tagged
}

fn live(
    config: &Config,
    parts: &Parts,
    names: &[String],
    stop: &AtomicBool,
) -> Result<Outcome, RunError> {
    let started = stopwatch();
    let options = LiveOptions {
        interfaces: names.to_vec(),
        filter: config.filter.clone(),
        ..LiveOptions::default()
    };
    let mut source = Live::open(&options).map_err(RunError::Interface)?;
    let names = source.names().map(Into::into).collect();
    let mut flow = Flow::start(config, parts, names)?;
    say(config, &format!("watching {}; stop with Ctrl-C", options.interfaces.join(", ")));
    let mut batch = Batch::default();
    let mut lost = LiveCounters::default();
    let mut checked = started;
    // When it was told to stop, and the packet time up to which it reads on.
    let mut stopped: Option<(Instant, Timestamp)> = None;
    while !flow.failed() {
        if stopped.is_none() && stop.load(Ordering::Relaxed) {
            parts.board.stopping();
            stopped = Some((stopwatch(), wall_clock()));
        }
        let drained = stopped.map(|(since, _)| since.elapsed());
        if drained > Some(DRAIN_LIMIT) {
            break;
        }
        batch.clear();
        match source.fill(&mut batch) {
            Status::More => {
                flow.batch(&batch);
                parts.board.packets_seen();
                let last = batch.packets.last().map(|packet| packet.time);
                if stopped.is_some_and(|(_, at)| last > Some(at + DRAIN_SPAN)) {
                    break;
                }
            }
            Status::Idle | Status::End => {
                // Nothing comes: time goes on all the same, so that idle flows end.
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
        }
        for notice in source.take_notices() {
            say(config, &notice);
        }
    }
    count_lost(parts, &mut lost, source.counters());
    flow.lost_before(lost);
    let inputs = source.inputs().into_iter().map(report_of).collect();
    flow.finish(config, parts, RunEnd { inputs, tagged: 0, interrupted: None, started })
}

/// What is known of a run at its end.
struct RunEnd {
    inputs: Vec<InputReport>,
    /// Packets that `--filter` excluded and that bear VLAN tags it did not look behind.
    tagged: u64,
    interrupted: Option<Interrupted>,
    started: Instant,
}

/// Adds what was lost since the last call to the metrics.
fn count_lost(parts: &Parts, lost: &mut LiveCounters, now: LiveCounters) {
    parts.metrics.dropped("kernel", now.kernel.saturating_sub(lost.kernel));
    parts.metrics.dropped("interface", now.interface.saturating_sub(lost.interface));
    *lost = now;
}

/// How long a run takes, for people only: events do not depend on it.
#[expect(clippy::disallowed_methods, reason = "never reaches an event")]
pub(super) fn stopwatch() -> Instant {
    Instant::now()
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "a live capture ages without packets too")]
pub fn wall_clock() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

/// Everything behind the source, with or without threads.
enum Flow {
    Inline(Box<Shards<Inline>>, LiveCounters),
    Threads(Box<Shards<Threads>>, LiveCounters),
}

/// Calls the same method on either.
macro_rules! either {
    ($self:ident, $shards:ident => $call:expr) => {
        match $self {
            Flow::Inline($shards, _) => $call,
            Flow::Threads($shards, _) => $call,
        }
    };
}

impl Flow {
    fn start(config: &Config, parts: &Parts, inputs: Vec<Arc<str>>) -> Result<Self, RunError> {
        let collector = parts.collector(config, inputs)?;
        let metrics = Arc::clone(&parts.metrics);
        let live = matches!(config.source, Source::Interfaces(_));
        let lost = LiveCounters::default();
        let decoder =
            Decoder::new(config.checksums).with_fragment_memory(config.limits.fragment_memory());
        // A live capture must not wait for a worker, so it always has a thread of its own.
        if parts.workers == 1 && !live {
            let route = Inline::new(parts.worker(config), collector, Arc::clone(&metrics));
            return Ok(Self::Inline(Box::new(Shards::new(route, decoder, metrics)), lost));
        }
        let workers = (0..parts.workers).map(|_| parts.worker(config)).collect();
        let route = Threads::start(workers, collector, &metrics, live)?;
        Ok(Self::Threads(Box::new(Shards::new(route, decoder, metrics)), lost))
    }

    fn batch(&mut self, batch: &Batch) {
        either!(self, shards => shards.batch(batch));
    }

    fn filtered(&mut self, packets: u64, bytes: u64) {
        either!(self, shards => shards.filtered(packets, bytes));
    }

    fn idle(&mut self, now: Timestamp) {
        either!(self, shards => shards.idle(now));
    }

    fn failed(&self) -> bool {
        either!(self, shards => shards.route().failed())
    }

    fn lost_before(&mut self, counters: LiveCounters) {
        match self {
            Self::Inline(_, lost) | Self::Threads(_, lost) => *lost = counters,
        }
    }

    fn finish(self, config: &Config, parts: &Parts, ending: RunEnd) -> Result<Outcome, RunError> {
        let (collector, failed, counts, lost) = match self {
            Self::Inline(shards, lost) => {
                let (route, counts) = shards.finish();
                let (collector, failed) = route.finish();
                (collector, failed, counts, lost)
            }
            Self::Threads(shards, lost) => {
                let (route, counts) = shards.finish();
                let (collector, failed) = route.finish()?;
                (collector, failed, counts, lost)
            }
        };
        let mut summary = RunSummary { inputs: ending.inputs, ..summary(&counts, lost) };
        summary.filtered_tagged = ending.tagged;
        summary.interrupted = ending.interrupted;
        summary.live = matches!(config.source, Source::Interfaces(_));
        summary.key_id.clone_from(&parts.key_id);
        summary.reveal = config.reveal;
        summary.wall_seconds = ending.started.elapsed().as_secs_f64();
        // A live capture without a packet ends now, not in 1970.
        if matches!(config.source, Source::Interfaces(_)) {
            summary.ended.get_or_insert_with(wall_clock);
        }
        let ended = summary.ended.unwrap_or_default();
        close(config, collector, failed, ended, summary)
    }
}

fn close(
    config: &Config,
    collector: Collector,
    failed: Option<io::Error>,
    now: Timestamp,
    summary: RunSummary,
) -> Result<Outcome, RunError> {
    let name = config
        .output
        .as_ref()
        .map_or_else(|| "standard output".to_owned(), |p| p.display().to_string());
    let result = match failed {
        Some(error) => Err(error),
        None => collector.finish(now, summary),
    };
    match result {
        Ok((summary, worst)) => Ok(Outcome { summary, worst, closed_pipe: false }),
        Err(source) => {
            let source = store_error(source)?;
            let error = WriteError { name, source };
            // A sensor whose events reach no reader is not done.
            if error.is_closed_pipe() && !matches!(config.source, Source::Interfaces(_)) {
                return Ok(Outcome {
                    summary: RunSummary::default(),
                    worst: None,
                    closed_pipe: true,
                });
            }
            Err(error.into())
        }
    }
}

fn summary(counts: &PacketCounters, lost: LiveCounters) -> RunSummary {
    let skipped: std::collections::BTreeMap<&'static str, u64> = Skip::ALL
        .iter()
        .map(|skip| (skip.as_str(), counts.skipped[skip.index()]))
        .filter(|(_, n)| *n > 0)
        .collect();
    // What the kernel or the interface lost was never read: it stands beside, not in, the balance.
    let dropped: std::collections::BTreeMap<&'static str, u64> =
        [("defragment", counts.lost_fragments), ("queue", counts.queue_full)]
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .collect();
    let passed = skipped.values().sum::<u64>() + dropped.values().sum::<u64>();
    RunSummary {
        started: counts.first,
        ended: counts.last,
        packets_read: counts.packets,
        bytes_read: counts.bytes,
        packets_decoded: counts.packets.saturating_sub(passed),
        packets_cut: counts.cut_packets,
        cut_at: counts.cut_at,
        payload_bytes: counts.payload,
        cut_payload_bytes: counts.cut_payload,
        skipped,
        dropped,
        lost: [("kernel", lost.kernel), ("interface", lost.interface)]
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .collect(),
        ..RunSummary::default()
    }
}
