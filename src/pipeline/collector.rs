//! The collecting side: what workers found, put in the order of the capture, graded, written.

use super::content_host::Shared;
use super::counters::WorkerCounters;
use super::report::{Item, Order, Report};
use crate::exposure::{Event, Exposures, FlowActivity, ServiceObservation, Taken};
use crate::output::metrics::Metrics;
use crate::output::{Output, RunSummary};
use crate::protocol::Reason;
use crate::rules::RuleSet;
use crate::severity::Severity;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;

/// Collects the reports of all workers.
pub struct Collector {
    exposures: Exposures,
    outputs: Vec<(&'static str, Box<dyn Output>)>,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    /// By which exposures are graded and suppressed, and which reload brought them.
    rules: Arc<RuleSet>,
    generation: u64,
    upto: Vec<u64>,
    /// A live run: exposures go on without packets. In a replay they go by findings alone, so that
    /// nothing depends on how the work was divided.
    live: bool,
    waiting: BinaryHeap<Waiting>,
    stats: WorkerCounters,
    events: Vec<Event>,
    worst: Option<Severity>,
}

/// An item until every worker has come as far.
struct Waiting(Order, Item);

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    /// The heap gives the greatest first: the earliest must be it.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.cmp(&self.0)
    }
}

impl Collector {
    /// Collects from `workers` workers.
    pub fn new(
        exposures: Exposures,
        outputs: Vec<(&'static str, Box<dyn Output>)>,
        metrics: Arc<Metrics>,
        shared: Arc<Shared>,
        workers: usize,
        live: bool,
    ) -> Self {
        for (name, _) in &outputs {
            metrics.events_written(name, 0);
            metrics.events_dropped(name, "write_error", 0);
        }
        Self {
            exposures,
            outputs,
            metrics,
            rules: shared.rules.current(),
            generation: 0,
            shared,
            upto: vec![0; workers],
            live,
            waiting: BinaryHeap::new(),
            stats: WorkerCounters::default(),
            events: Vec::new(),
            worst: None,
        }
    }

    /// Takes a report.
    ///
    /// # Errors
    /// What the output said when it was written to; nothing is written after that.
    pub fn report(&mut self, worker: usize, report: Report) -> io::Result<()> {
        self.count(&report.stats);
        if self.shared.rules.refresh(&mut self.rules, &mut self.generation) {
            self.exposures.select_protocol(&self.rules);
        }
        let report_clock = report.clock;
        self.upto[worker] = if report.last { u64::MAX } else { report.upto };
        self.waiting.extend(report.items.into_iter().map(|(order, item)| Waiting(order, item)));
        let upto = self.upto.iter().copied().min().unwrap_or(u64::MAX);
        while self.waiting.peek().is_some_and(|w| w.0.packet <= upto) {
            let Some(Waiting(_, item)) = self.waiting.pop() else { break };
            self.take(item);
        }
        if self.live {
            self.exposures.tick(report_clock, &mut self.events);
        }
        self.write()
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Finding(event) => {
                let protocol = event.protocol;
                match self.exposures.finding(*event, &mut self.events) {
                    Taken::Suppressed => self.metrics.suppressed(protocol),
                    Taken::Revised => {}
                    Taken::New(severity) => self.metrics.finding(protocol, severity),
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
            Item::Service(service) => self.exposures.service(
                ServiceObservation {
                    time: service.time,
                    flow: &service.flow,
                    protocol: service.protocol,
                    content: service.content,
                    facts: &service.facts,
                },
                &mut self.events,
            ),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let sightings = self.exposures.take_sightings();
        if self.events.is_empty() && sightings.is_empty() {
            return if self.live { self.flush() } else { Ok(()) };
        }
        let events = std::mem::take(&mut self.events);
        for event in &events {
            if let Event::Exposure(exposure) = event {
                self.worst = self.worst.max(Some(Severity::of(exposure.severity)));
            }
        }
        self.metrics.patients_distinct(self.exposures.patients().value);
        for (severity, n) in Severity::ALL.into_iter().zip(self.exposures.active()) {
            self.metrics.exposures_active(severity, n);
        }
        for (name, output) in &mut self.outputs {
            for (written, event) in events.iter().enumerate() {
                if let Err(error) = output.event(event) {
                    let left = (events.len() - written) as u64;
                    self.metrics.events_dropped(name, "write_error", left);
                    return Err(error);
                }
            }
            for sighting in &sightings {
                output.sighting(sighting)?;
            }
            self.metrics.events_written(name, events.len() as u64);
            output.flush()?;
        }
        Ok(())
    }

    /// What could not be written may be by now, though nothing new has come.
    fn flush(&mut self) -> io::Result<()> {
        self.outputs.iter_mut().try_for_each(|(_, output)| output.flush())
    }

    /// The run has ended: closes exposures, and writes the summary that `fill` completes.
    ///
    /// # Errors
    /// As [`Collector::report`].
    pub fn finish(
        mut self,
        now: crate::time::Timestamp,
        mut summary: RunSummary,
    ) -> io::Result<(RunSummary, Option<Severity>)> {
        self.exposures.finish(now, &mut self.events);
        self.write()?;
        let stats = self.stats;
        summary.flows = stats.flows;
        summary.streams = stats.streams;
        summary.opaque = stats.opaque;
        summary.gap_bytes = stats.gap_bytes;
        summary.cut_bytes = stats.cut_bytes;
        summary.overlap_conflicts = stats.conflicts;
        summary.records = stats.records;
        summary.messages = stats.messages;
        summary.identifiers = stats.identifiers;
        summary.unrecognised_flows = stats.unrecognised_flows;
        summary.unrecognised_bytes = stats.unrecognised_bytes;
        summary.half_recognised_flows = stats.half_recognised_flows;
        summary.evicted_flows = stats.evicted_flows;
        summary.encrypted_flows = stats.encrypted_flows;
        summary.encrypted_bytes = stats.encrypted_bytes;
        summary.patients = self.exposures.patients();
        summary.findings = self.exposures.findings();
        summary.exposures = self.exposures.opened();
        summary.graded = self.exposures.graded();
        summary.suppressed = self.exposures.suppressed();
        summary.losses = self.exposures.losses();
        for (_, output) in &mut self.outputs {
            output.finish(&summary)?;
            output.flush()?;
        }
        Ok((summary, self.worst))
    }

    fn count(&mut self, stats: &WorkerCounters) {
        self.stats.add(stats);
        let m = &self.metrics;
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
        for (&(protocol, content), &n) in &stats.records {
            m.records(protocol, content, n);
        }
        for (&(protocol, kind), &n) in &stats.messages {
            m.messages(protocol, kind, n);
        }
        for (&kind, &n) in &stats.identifiers {
            m.identifiers(kind, n);
        }
    }
}
