//! Runs a replay or a live capture from the first packet to the summary.

use super::clock::RunClock;
use super::collector::Collector;
use super::live;
use super::log::{complain, say};
use super::recent::Recorder;
use super::reload::{Reloader, warn_of_expired};
use super::replayed::Replayed;
use super::route::{Inline, ThreadSettings, Threads};
use super::setup::{Parts, hash_inputs, store_error};
use super::shard::{Numbering, PacketCounters, Route, Shards};
use super::state::StateError;
use super::stop::Stop;
use super::supervisor::Supervisor;
use crate::capture::{
    Batch, Fault, Filter, FilterError, LiveCounters, Source as _, Status, Timeline, expand,
};
use crate::config::{Config, Source};
use crate::decode::{Decoder, Skip};
use crate::destination::Destination;
use crate::identify::KeyError;
use crate::output::clock::{stopwatch, wall_clock};
use crate::output::metrics::Metrics;
use crate::output::sinks::{DeliveryError, SinkError};
use crate::output::{
    FORMAT_OF_VALUES, InputReport, Interrupted, Progress, RunSummary, ServeError, WriteError,
    check_replaceable, write_atomically,
};
use crate::rules::LoadError;
use crate::sandbox::SandboxError;
use crate::severity::Severity;
use crate::time::{Pace, Timestamp};
use std::any::Any;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a live capture waits for packets before packet time advances without them.
pub(super) const IDLE: Duration = Duration::from_millis(250);

/// Why a run could not start or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A rule file is faulty.
    #[error(transparent)]
    Rules(#[from] LoadError),
    /// The key file is unusable.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file of `--state` is unusable.
    #[error(transparent)]
    State(#[from] StateError),
    /// An output cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The store cannot be used.
    #[cfg(feature = "store")]
    #[error(transparent)]
    Store(#[from] crate::output::store::StoreError),
    /// An output cannot be started.
    #[error("output {output}: {source}")]
    Sink {
        /// Name of the output.
        output: String,
        /// The cause.
        source: SinkError,
    },
    /// Events reached no receiver.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The program was built without this feature.
    #[error("{path}: this phitap was built without the feature store", path = .0.display())]
    NoStore(PathBuf),
    /// The metrics address cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The filter is not a valid BPF expression.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// An interface cannot be opened.
    #[error("{0}")]
    Interface(Fault),
    /// Privileges could not be dropped.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// No input could be read. Each failure was reported on standard error.
    #[error("nothing could be read")]
    NoInput,
    /// A system call failed.
    #[error("{0}")]
    System(#[from] io::Error),
    /// A bug in phitap.
    #[error("internal error: {0}")]
    Internal(String),
}

impl RunError {
    /// Whether the error is in an option's value, and not in the input or the machine.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Filter(error) => !error.is_lookup(),
            Self::Rules(LoadError::Region { .. }) | Self::State(StateError::NoKey) => true,
            _ => false,
        }
    }
}

/// The outcome of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The summary.
    pub summary: RunSummary,
    /// The worst exposure.
    pub worst: Option<Severity>,
    /// The reader of the output closed its pipe early.
    pub closed_pipe: bool,
}

/// Work that runs beside the capture. It is created before privileges are dropped and started
/// afterwards; the value it returns is dropped at the end of the run.
pub type Companion = Box<dyn FnOnce(&Arc<Metrics>) -> io::Result<Box<dyn Any>>>;

/// Runs a replay or a live capture to its end.
///
/// # Errors
/// Why the run failed. Faults of single inputs are in the summary instead.
pub fn run(config: &Config) -> Result<Outcome, RunError> {
    run_with(config, None)
}

/// As [`run`], with a companion.
///
/// # Errors
/// As [`run`].
pub fn run_with(config: &Config, companion: Option<Companion>) -> Result<Outcome, RunError> {
    // Each capture compiles the filter for its link type. This reports mistakes before anything is
    // opened.
    config.filter.as_deref().map(Filter::new).transpose()?;
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
    let access = super::serve::access(config)?;
    // Open interfaces first: no thread may be older than the sandbox.
    let opened = match &config.source {
        Source::Interfaces(names) => Some(live::open(config, &parts, names)?),
        Source::Files(_) => None,
    };
    parts.metrics.rules_loaded(wall_clock());
    if let Some(path) = &config.metrics_file {
        check_replaceable(path).map_err(|error| error.of_option("--metrics-file"))?;
    }
    warn_of_values(config);
    let server = super::serve::start(config, &parts, access)?;
    let stop = Stop::on_signals(opened.is_some(), Arc::clone(&parts.stop))?;
    // A replay that ends is read under one set of rules.
    let reloader = goes_on.then(|| Reloader::start(config, &parts)).transpose()?;
    let supervisor = Supervisor::start(config, &parts)?;
    let companion = companion.map(|start| start(&parts.metrics)).transpose()?;
    let outcome = match &config.source {
        Source::Files(paths) => replay(config, &parts, paths, &stop.flag),
        Source::Interfaces(_) => match opened {
            Some(opened) => live::run(config, &parts, opened, &stop.flag),
            None => Err(RunError::Internal("no interface was opened".to_owned())),
        },
    };
    drop(companion);
    drop(reloader);
    drop(supervisor);
    if let Some(server) = server {
        parts.dashboard.stopping();
        server.stop();
    }
    if let Some(path) = &config.metrics_file {
        // World-readable: node_exporter's textfile collector runs as another user.
        let metrics = parts.dashboard.render_metrics();
        write_atomically(path, metrics.as_bytes(), 0o644)
            .map_err(|error| error.of_option("--metrics-file"))?;
    }
    outcome
}

/// With `--reveal`, warns that outputs hold values, and names existing files that other users may
/// read.
fn warn_of_values(config: &Config) {
    use std::os::unix::fs::MetadataExt as _;
    if !config.reveal {
        return;
    }
    let shows = |output: &&Destination| output.format.unwrap_or(config.format) == FORMAT_OF_VALUES;
    if !config.outputs.iter().any(|output| shows(&output)) {
        let text = "--reveal changes nothing here: values are written with --format ecs only";
        say(config, text);
        return;
    }
    say(config, "--reveal: the output holds patient data as it was sent; protect it");
    for path in config.outputs.iter().filter(shows).filter_map(|output| output.target.file()) {
        if let Ok(of) = std::fs::metadata(path)
            && of.is_file()
            && of.mode() & 0o077 != 0
        {
            let (path, mode) = (path.display(), of.mode() & 0o777);
            complain(&format!(
                "other users can read {path} (mode {mode:03o}); run: chmod 600 {path}"
            ));
        }
    }
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
    parts.health.capturing();
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
            parts.dashboard.packets_seen();
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
    if config.store.is_some() {
        hash_inputs(&mut inputs, stop);
    }
    for input in &inputs {
        tracing::info!(input = input.name, packets = input.packets, bytes = input.bytes, "read");
    }
    // Growing files can only be ended by a signal, so this is no interruption.
    let interrupted = (!ended && !config.follow && stop.load(Ordering::Relaxed))
        .then(|| Interrupted { at: share_read(source.position(), source.size()) });
    flow.finish(config, parts, RunEnd { inputs, tagged, interrupted, started })
}

/// The share of the input read so far. Reading all of it is not the end, because it must be
/// processed too.
fn share_read(position: u64, size: Option<u64>) -> Option<f64> {
    let size = size.filter(|size| *size > 0)?;
    Some((position as f64 / size as f64).min(0.99))
}

pub(super) fn report_of(input: crate::capture::Input) -> InputReport {
    InputReport {
        name: input.name,
        packets: input.packets,
        bytes: input.bytes,
        sha256: None,
        fault: input.fault,
    }
}

/// Removes packets that `--filter` excludes, and counts them. Returns how many of them carry VLAN
/// tags that the expression did not look behind.
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

/// What remains of the reading side at the end of a run.
pub(super) struct RunEnd {
    pub inputs: Vec<InputReport>,
    /// Excluded packets with VLAN tags that the filter did not look behind.
    pub tagged: u64,
    pub interrupted: Option<Interrupted>,
    pub started: Instant,
}

/// The stages after the source, with or without threads.
pub(super) enum Flow {
    Inline(Box<Shards<Inline>>, LiveCounters),
    Threads(Box<Shards<Threads>>, LiveCounters),
}

/// Calls a method on either variant.
macro_rules! either {
    ($self:ident, $shards:ident => $call:expr) => {
        match $self {
            Flow::Inline($shards, _) => $call,
            Flow::Threads($shards, _) => $call,
        }
    };
}

impl Flow {
    pub fn start(config: &Config, parts: &Parts, inputs: Vec<Arc<str>>) -> Result<Self, RunError> {
        let (collector, evidence) = parts.collector(config, inputs)?;
        let metrics = Arc::clone(&parts.metrics);
        let live = matches!(config.source, Source::Interfaces(_));
        let lost = LiveCounters::default();
        let clock = match live {
            true => RunClock::live(stopwatch(), wall_clock(), Pace::REAL),
            false => RunClock::replay(),
        };
        let decoder =
            Decoder::new(config.checksums).with_fragment_memory(config.limits.fragment_memory());
        // A live capture must not wait for its worker, so the worker always has its own thread.
        if parts.workers == 1 && !live {
            let worker = parts.worker(config);
            let route = Inline::new(worker, collector, Arc::clone(&metrics), &parts.health);
            let shards = Shards::new(route, decoder, metrics, clock, Numbering::Count);
            return Ok(Self::Inline(Box::new(shards), lost));
        }
        let confined = live && config.sandbox.is_some();
        let workers = (0..parts.workers).map(|_| parts.worker(config)).collect();
        let settings = ThreadSettings { live, confined, memory: config.limits.memory };
        let route = Threads::start(workers, collector, &metrics, &parts.health, settings)?;
        let mut shards = Shards::new(route, decoder, metrics, clock, Numbering::Count);
        shards.record(evidence.map(Recorder::new));
        Ok(Self::Threads(Box::new(shards), lost))
    }

    pub fn batch(&mut self, batch: &Batch) {
        either!(self, shards => shards.batch(batch));
    }

    fn filtered(&mut self, packets: u64, bytes: u64) {
        either!(self, shards => shards.filtered(packets, bytes));
    }

    pub fn idle(&mut self, now: Timestamp) {
        either!(self, shards => shards.idle(now));
    }

    pub fn failed(&self) -> bool {
        either!(self, shards => shards.route().failed())
    }

    /// Counters of the reading side so far.
    pub fn counts(&self) -> &PacketCounters {
        either!(self, shards => shards.counts())
    }

    pub fn lost_before(&mut self, counters: LiveCounters) {
        match self {
            Self::Inline(_, lost) | Self::Threads(_, lost) => *lost = counters,
        }
    }

    pub fn finish(
        self,
        config: &Config,
        parts: &Parts,
        ending: RunEnd,
    ) -> Result<Outcome, RunError> {
        parts.dashboard.stopping();
        let (collector, failed, counts, lost) = match self {
            Self::Inline(shards, lost) => {
                let (route, counts) = shards.finish();
                let (collector, failed) = route.finish();
                (collector, failed, counts, lost)
            }
            Self::Threads(mut shards, lost) => {
                let recorder = shards.take_recorder();
                let (route, counts) = shards.finish();
                let (collector, failed) = route.finish()?;
                // By now every exposure has opened.
                recorder.into_iter().for_each(|mut recorder| recorder.check_wanted());
                (collector, failed, counts, lost)
            }
        };
        conclude(config, parts, collector, failed, (&counts, lost), ending)
    }
}

/// Ends a run: writes the summary once all threads are done.
pub(super) fn conclude(
    config: &Config,
    parts: &Parts,
    collector: Collector,
    failed: Option<io::Error>,
    (counts, lost): (&PacketCounters, LiveCounters),
    ending: RunEnd,
) -> Result<Outcome, RunError> {
    let live = matches!(config.source, Source::Interfaces(_));
    let mut summary = RunSummary { inputs: ending.inputs, ..summary(counts, lost) };
    summary.filtered_tagged = ending.tagged;
    summary.interrupted = ending.interrupted;
    summary.live = live;
    summary.key_id.clone_from(&parts.key_id);
    summary.reveal = config.reveal;
    summary.wall_seconds = ending.started.elapsed().as_secs_f64();
    // A live capture without packets ends now, not in 1970.
    if live {
        summary.ended.get_or_insert_with(wall_clock);
    }
    let ended = summary.ended.unwrap_or_default();
    close(config, collector, failed, ended, summary)
}

fn close(
    config: &Config,
    collector: Collector,
    failed: Option<io::Error>,
    now: Timestamp,
    summary: RunSummary,
) -> Result<Outcome, RunError> {
    let name = config
        .output_files()
        .next()
        .map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    let result = match failed {
        Some(error) => Err(error),
        None => collector.finish(now, summary),
    };
    match result {
        Ok((summary, worst)) => Ok(Outcome { summary, worst, closed_pipe: false }),
        Err(source) => {
            let source = match store_error(source)?.downcast::<DeliveryError>() {
                Ok(lost) => return Err(lost.into()),
                Err(source) => source,
            };
            let error = WriteError::new(name, source);
            // A sensor whose events have no reader cannot go on.
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

pub(super) fn summary(counts: &PacketCounters, lost: LiveCounters) -> RunSummary {
    let skipped: std::collections::BTreeMap<&'static str, u64> = Skip::ALL
        .iter()
        .map(|skip| (skip.as_str(), counts.skipped[skip.index()]))
        .filter(|(_, n)| *n > 0)
        .collect();
    // Losses of the kernel and the interface are listed beside the packet balance, because those
    // packets were never read.
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
        ring_freezes: lost.freezes,
        ..RunSummary::default()
    }
}
