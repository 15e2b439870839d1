//! Collects what workers found, restores capture order, grades it and writes it.

use super::content_sink::Shared;
use super::counters::WorkerCounters;
use super::report::{Item, Report};
use super::state::StateFile;
use super::waiting::{Run, Waiting};
use super::work::WARM;
use crate::exposure::{
    Conversation, Event, Exposures, FlowActivity, HostName, Intake, ServiceObservation,
};
use crate::output::clock::{stopwatch, wall_clock};
use crate::output::metrics::Metrics;
use crate::output::sinks::Delivery;
use crate::output::spool::Pressure;
use crate::output::{Output, QueueEnd, RunSummary, SensorHealth};
use crate::protocol::Reason;
use crate::rules::RuleSet;
use crate::severity::Severity;
use crate::time::Timestamp;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often exposures are saved for the next run.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// How long a stopping sensor waits for slow readers of its events in all, and at least for each.
const LAST_WORDS: Duration = Duration::from_secs(2);
const LAST_WORD: Duration = Duration::from_millis(100);

/// How often the expiry of certificates is checked.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Most events buffered before they are written.
const MAX_EVENTS: usize = 1024;

/// Collects the reports of all workers.
pub struct Collector {
    exposures: Exposures,
    reporting: Reporting,
    /// When the next `sensor-status` is due.
    status_due: Option<Instant>,
    /// When exposures are next saved.
    save_due: Instant,
    /// When certificates are next checked.
    look_due: Option<Instant>,
    /// The latest packet time reported.
    clock: Timestamp,
    shared: Arc<Shared>,
    /// Rules for severity and suppression, and the generation of the reload that brought them.
    rules: Arc<RuleSet>,
    generation: u64,
    /// How far each worker has come: packet number, and number of the flow within its results.
    upto: Vec<(u64, u64)>,
    /// The packet time that each worker last reported; zero before its first report.
    clocks: Vec<Timestamp>,
    waiting: Waiting<Item>,
    stats: WorkerCounters,
    events: Vec<Event>,
    /// Ended flows and host names that wait to be passed on.
    conversations: Vec<Conversation>,
    names: Vec<HostName>,
    worst: Option<Severity>,
}

/// Where a collector writes its results.
pub struct Reporting {
    /// Outputs by name.
    pub outputs: Vec<(&'static str, Box<dyn Output>)>,
    /// Metrics of the run.
    pub metrics: Arc<Metrics>,
    /// Health of the parts of the run.
    pub health: Arc<SensorHealth>,
    /// The threads that write and deliver events.
    pub ends: Vec<OutputEnd>,
    /// Set in a live run, where exposures advance without packets. In a replay they advance with
    /// findings only, so that results do not depend on how the work was divided.
    pub live: bool,
    /// How often `sensor-status` is written; `None` for never.
    pub status_every: Option<Duration>,
    /// Where exposures are kept across restarts.
    pub state: Option<StateFile>,
}

/// A thread that writes or delivers events.
pub enum OutputEnd {
    /// Writes to a file or a pipe.
    Queue(QueueEnd),
    /// Delivers to a receiver.
    Delivery(Delivery),
}

impl Collector {
    /// Creates a collector for `workers` workers.
    pub fn new(
        exposures: Exposures,
        reporting: Reporting,
        shared: Arc<Shared>,
        workers: usize,
    ) -> Self {
        for (name, _) in &reporting.outputs {
            reporting.metrics.events_written(name, 0);
            reporting.metrics.events_dropped(name, "write_error", 0);
        }
        Self {
            exposures,
            status_due: reporting.status_every.map(|every| stopwatch() + every),
            save_due: stopwatch() + SAVE_EVERY,
            look_due: None,
            clock: Timestamp::default(),
            reporting,
            rules: shared.rules.current(),
            generation: 0,
            shared,
            upto: vec![(0, 0); workers],
            clocks: vec![Timestamp::default(); workers],
            waiting: Waiting::new(workers),
            stats: WorkerCounters::default(),
            events: Vec::new(),
            conversations: Vec::new(),
            names: Vec::new(),
            worst: None,
        }
    }

    /// Takes a worker's report.
    ///
    /// # Errors
    /// An output failed; nothing is written after that.
    pub fn report(&mut self, worker: usize, report: Report) -> io::Result<()> {
        self.count(&report.stats);
        if self.shared.rules.refresh(&mut self.rules, &mut self.generation) {
            self.exposures.select_protocol(&self.rules);
        }
        let report_clock = report.clock;
        self.clock = self.clock.max(report_clock);
        const ALL: (u64, u64) = (u64::MAX, u64::MAX);
        self.upto[worker] = if report.last { ALL } else { (report.upto, report.upto_flow) };
        let upto = self.upto.iter().copied().min().unwrap_or(ALL);
        self.waiting.add(worker, report.items);
        while let Some(run) = self.waiting.run()
            && self.take_run(run, upto)?
        {}
        if self.reporting.live {
            self.exposures.uncaptured(self.reporting.health.uncaptured());
            let now = self.advance(worker, report_clock);
            self.exposures.keep_due(now);
            self.exposures.tick(report_clock, &mut self.events);
        }
        self.write()?;
        self.save(report_clock);
        self.status()
    }

    /// Takes the items of a run. False if there are none yet.
    fn take_run(&mut self, run: Run, upto: (u64, u64)) -> io::Result<bool> {
        let mut taken = false;
        while let Some(item) = self.waiting.next(run, upto) {
            let ahead = self.waiting.ahead(run, WARM);
            self.exposures.warm(ahead.filter_map(Item::finding));
            taken = true;
            self.take(item);
            self.write_many()?;
        }
        Ok(taken)
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Finding(event) => {
                let protocol = event.protocol;
                match self.exposures.finding(event, &mut self.events) {
                    Intake::Suppressed => self.reporting.metrics.suppressed(protocol),
                    Intake::Revised => {}
                    Intake::New(severity) => self.reporting.metrics.finding(protocol, severity),
                }
            }
            Item::ActivityReport(what) => self.exposures.performed(
                FlowActivity {
                    time: what.time,
                    flow: &what.flow,
                    protocol: what.protocol,
                    activity: &what.activity,
                    objects: &what.objects,
                    records: &what.records,
                    repeated: what.repeated,
                },
                &mut self.events,
            ),
            Item::Service(service) => {
                self.conversations.push(Conversation {
                    time: service.time,
                    flow: service.flow,
                    protocol: Some(service.protocol),
                    bytes: service.bytes,
                });
                self.exposures.service(
                    ServiceObservation {
                        time: service.time,
                        flow: &service.flow,
                        protocol: service.protocol,
                        content: service.content,
                        facts: &service.facts,
                    },
                    &mut self.events,
                );
            }
            Item::HostName(name) => {
                self.exposures.named(&name, &mut self.events);
                self.names.push(*name);
            }
            Item::Handshake(service) => self.exposures.handshake(
                &ServiceObservation {
                    time: service.time,
                    flow: &service.flow,
                    protocol: service.protocol,
                    content: service.content,
                    facts: &service.facts,
                },
                &mut self.events,
            ),
            Item::Encrypted(conversation) => self.conversations.push(*conversation),
        }
    }

    /// Writes the buffered events if there are many.
    fn write_many(&mut self) -> io::Result<()> {
        if self.events.len() < MAX_EVENTS { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> io::Result<()> {
        let observations = self.exposures.take_observations();
        let conversations = std::mem::take(&mut self.conversations);
        let names = std::mem::take(&mut self.names);
        let idle = observations.is_empty() && conversations.is_empty() && names.is_empty();
        if self.events.is_empty() && idle {
            return self.flush();
        }
        let events = std::mem::take(&mut self.events);
        for event in &events {
            if let Event::Exposure(exposure) = event {
                self.worst = self.worst.max(Some(Severity::of(exposure.severity)));
            }
        }
        self.reporting.metrics.steps().update(&self.exposures.steps());
        self.reporting.metrics.patients_distinct(self.exposures.patients().value);
        for (severity, n) in Severity::ALL.into_iter().zip(self.exposures.active()) {
            self.reporting.metrics.exposures_active(severity, n);
        }
        self.certificates();
        let Reporting { outputs, metrics, .. } = &mut self.reporting;
        for (name, output) in outputs {
            for (written, event) in events.iter().enumerate() {
                if let Err(error) = output.event(event) {
                    let left = (events.len() - written) as u64;
                    metrics.events_dropped(name, "write_error", left);
                    return Err(error);
                }
            }
            for observation in &observations {
                output.observation(observation)?;
            }
            for conversation in &conversations {
                output.conversation(conversation)?;
            }
            for name in &names {
                output.named(name)?;
            }
            metrics.events_written(name, events.len() as u64);
            output.flush()?;
        }
        Ok(())
    }

    /// Records that a worker has come to `clock` and returns the time of the run. That goes back if
    /// the clock was set back for all workers.
    fn advance(&mut self, worker: usize, clock: Timestamp) -> Timestamp {
        if let Some(slot) = self.clocks.get_mut(worker) {
            *slot = clock;
        }
        self.clocks.iter().copied().max().unwrap_or_default()
    }

    /// Updates the metrics of certificates, at most once in [`LOOK_EVERY`].
    fn certificates(&mut self) {
        let now = stopwatch();
        if self.look_due.is_none_or(|due| now >= due) {
            self.look_due = Some(now + LOOK_EVERY);
            let time = if self.reporting.live { wall_clock() } else { self.clock };
            self.reporting.metrics.certificates.update(&self.exposures.certificates(time));
        }
    }

    /// Retries failed writes even if no report arrived.
    fn flush(&mut self) -> io::Result<()> {
        self.reporting.outputs.iter_mut().try_for_each(|(_, output)| output.flush())
    }

    /// Ends the run: closes exposures and writes the summary that `fill` completes.
    ///
    /// # Errors
    /// As [`Collector::report`].
    pub fn finish(
        mut self,
        now: crate::time::Timestamp,
        mut summary: RunSummary,
    ) -> io::Result<(RunSummary, Option<Severity>)> {
        let known = self.exposures.known(now);
        (self.look_due, self.clock) = (None, now);
        self.exposures.finish(now, &mut self.events);
        self.write()?;
        self.fill(&mut summary);
        for (_, output) in &mut self.reporting.outputs {
            output.finish(&summary)?;
            output.flush()?;
        }
        if let Some(state) = self.reporting.state {
            state.close(known);
        }
        close(self.reporting.ends, self.reporting.live)?;
        Ok((summary, self.worst))
    }

    /// Adds the counters of workers and exposures to those of the reader.
    fn fill(&self, summary: &mut RunSummary) {
        let stats = self.stats.clone();
        let shed = stats.shed.values().sum::<u64>();
        if shed > 0 {
            summary.packets_decoded = summary.packets_decoded.saturating_sub(shed);
            summary.dropped.insert("shed", shed);
        }
        summary.flows = stats.flows;
        summary.streams = stats.streams;
        summary.opaque = stats.opaque;
        summary.gap_bytes = stats.gap_bytes;
        summary.cut_bytes = stats.cut_bytes;
        summary.overlap_conflicts = stats.conflicts;
        summary.records = stats.records.sorted();
        summary.messages = stats.messages.sorted();
        summary.identifiers = stats.identifiers;
        summary.unrecognised_flows = stats.unrecognised_flows;
        summary.unrecognised_bytes = stats.unrecognised_bytes;
        summary.half_recognised_flows = stats.half_recognised_flows;
        summary.begun_before = stats.begun_before;
        summary.unended = stats.unended;
        summary.evicted_flows = stats.evicted_flows;
        summary.encrypted_flows = stats.encrypted_flows;
        summary.encrypted_bytes = stats.encrypted_bytes;
        summary.patients = self.exposures.patients();
        summary.findings = self.exposures.findings();
        summary.exposures = self.exposures.opened();
        summary.graded = self.exposures.graded();
        summary.points = self.exposures.points();
        summary.suppressed = self.exposures.suppressed();
        summary.losses = self.exposures.losses();
    }

    /// Saves the known exposures if a save is due.
    fn save(&mut self, clock: Timestamp) {
        let Some(state) = &self.reporting.state else { return };
        let now = stopwatch();
        if now >= self.save_due {
            self.save_due = now + SAVE_EVERY;
            state.save(self.exposures.known(clock));
        }
    }

    /// Writes the sensor's status if it is due.
    fn status(&mut self) -> io::Result<()> {
        let (Some(every), Some(due)) = (self.reporting.status_every, self.status_due) else {
            return Ok(());
        };
        let now = stopwatch();
        if now < due {
            return Ok(());
        }
        self.status_due = Some(now + every);
        let mut so_far = self.reporting.health.read_so_far();
        self.fill(&mut so_far);
        let mut sensor = self.reporting.health.status(now);
        sensor.time = wall_clock();
        sensor.rules.clone_from(&self.rules.digest);
        sensor.resident_bytes = self.reporting.metrics.sensor().process().resident_bytes();
        for (name, output) in &mut self.reporting.outputs {
            if output.status(&so_far, &sensor)? {
                output.flush()?;
                self.reporting.metrics.events_written(name, 1);
            }
        }
        Ok(())
    }

    fn count(&mut self, stats: &WorkerCounters) {
        self.stats.add(stats);
        let m = &self.reporting.metrics;
        if stats.flows > 0 {
            m.flows(stats.flows);
        }
        m.flows_active(stats.active);
        m.memory("flows", stats.memory);
        if stats.gap_bytes > 0 {
            m.gap_bytes(stats.gap_bytes, stats.cut_bytes);
        }
        for (reason, n) in [
            ("unrecognised", stats.unrecognised_flows),
            ("half_recognised", stats.half_recognised_flows),
            ("encrypted", stats.encrypted_flows),
            ("memory", stats.evicted_flows),
        ] {
            m.unread_flows(reason, n);
        }
        if stats.skipped_bytes > 0 {
            m.unread_bytes(stats.skipped_bytes);
        }
        if stats.unpaid_bytes > 0 {
            m.content_skipped(Reason::Budget, stats.unpaid_bytes);
        }
        for (&what, &n) in &stats.shed {
            m.shed(what.as_str(), n);
        }
        for (&reason, &n) in &stats.ignored {
            m.segments_ignored(reason, n);
        }
        for (&(protocol, reason), &n) in &stats.anomalies {
            m.anomalies(protocol, reason, n);
        }
        for (&protocol, &n) in &stats.streams {
            m.streams(protocol, n);
        }
        for (&(protocol, reason), &n) in &stats.opaque {
            m.opaque(protocol, reason, n);
        }
        for ((protocol, content), n) in stats.records.iter() {
            m.records(protocol, content, n);
        }
        for ((protocol, kind), n) in stats.messages.iter() {
            m.messages(protocol, kind, n);
        }
        for (&kind, &n) in &stats.identifiers {
            m.identifiers(kind, n);
        }
    }
}

/// Waits for the threads that write and deliver events; in a sensor, for a limited time.
fn close(ends: Vec<OutputEnd>, live: bool) -> io::Result<()> {
    let pressure = if live { Pressure::Drop } else { Pressure::Wait };
    for end in &ends {
        if let OutputEnd::Delivery(delivery) = end {
            delivery.begin_to_close();
        }
    }
    let until = stopwatch() + LAST_WORDS;
    let mut result = Ok(());
    for end in ends {
        let patience = until.saturating_duration_since(stopwatch()).max(LAST_WORD);
        let closed = match end {
            OutputEnd::Queue(queue) => queue.close(patience),
            OutputEnd::Delivery(delivery) => delivery.close(patience, pressure),
        };
        result = result.and(closed);
    }
    result
}
