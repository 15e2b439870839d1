//! The metrics of health. Names of interfaces are those of the configuration, a closed set.

use super::{Check, ProcessStats, SensorStatus};
use crate::output::evidence::EvidenceCounts;
use prometheus::{Gauge, GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Stages that may lose packets of an interface: values of `stage`.
const STAGES: [&str; 2] = ["kernel", "interface"];

/// Gauges that [`SensorMetrics::update`] sets.
pub struct SensorMetrics {
    ready: IntGauge,
    problems: IntGaugeVec,
    interface_up: IntGaugeVec,
    interface_packets: IntCounterVec,
    interface_dropped: IntCounterVec,
    interface_last: GaugeVec,
    last_packet: Gauge,
    backlog: IntGaugeVec,
    backlog_age: GaugeVec,
    deliveries: Deliveries,
    stalls: IntCounterVec,
    state_saves: IntCounterVec,
    evidence: IntCounterVec,
    published: PublishedRules,
    process: ProcessStats,
}

/// Rules from a broker.
struct PublishedRules {
    results: IntCounterVec,
    version: IntGauge,
}

impl PublishedRules {
    fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Published rules by what became of them.";
        let results =
            IntCounterVec::new(Opts::new("phitap_rules_followed_total", help), &["result"])?;
        let help = "Version of the published rules in force; 0 without any.";
        let version = IntGauge::new("phitap_rules_version", help)?;
        r.register(Box::new(results.clone()))?;
        r.register(Box::new(version.clone()))?;
        Ok(Self { results, version })
    }
}

/// Deliveries to receivers of events, by output.
struct Deliveries {
    taken: IntCounterVec,
    failures: IntCounterVec,
}

impl Deliveries {
    fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str| {
            let metric = IntCounterVec::new(Opts::new(name, help), &["output"])?;
            r.register(Box::new(metric.clone())).map(|()| metric)
        };
        Ok(Self {
            taken: counters(
                "phitap_output_delivered_total",
                "Events that the receiver of an output has taken.",
            )?,
            failures: counters(
                "phitap_output_failures_total",
                "Attempts to hand events to a receiver that it did not take whole.",
            )?,
        })
    }
}

impl SensorMetrics {
    /// Registers them. `started` is Unix time in seconds.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn new(r: &Registry, started: f64) -> Result<Self, prometheus::Error> {
        let register = |metric: Box<dyn prometheus::core::Collector>| r.register(metric);
        let gauge = |name: &str, help: &str| {
            let metric = IntGauge::new(name, help)?;
            register(Box::new(metric.clone())).map(|()| metric)
        };
        let real = |name: &str, help: &str, labels: &[&str]| {
            let metric = GaugeVec::new(Opts::new(name, help), labels)?;
            register(Box::new(metric.clone())).map(|()| metric)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
            register(Box::new(metric.clone())).map(|()| metric)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
            register(Box::new(metric.clone())).map(|()| metric)
        };
        let last_packet = Gauge::new(
            "phitap_last_packet_timestamp_seconds",
            "When a packet last came from any interface, Unix time; 0 for never.",
        )?;
        register(Box::new(last_packet.clone()))?;
        let metrics = Self {
            ready: gauge("phitap_ready", "Whether /readyz says so: 1 or 0.")?,
            problems: gauges(
                "phitap_problems",
                "What keeps the sensor from its work, by what was looked at.",
                &["check"],
            )?,
            interface_up: gauges(
                "phitap_interface_up",
                "Whether an interface is there and has a link: 1 or 0.",
                &["interface"],
            )?,
            interface_packets: counters(
                "phitap_interface_packets_total",
                "Packets read of an interface.",
                &["interface"],
            )?,
            interface_dropped: counters(
                "phitap_interface_packets_dropped_total",
                "Packets of an interface lost before they were read, by who lost them.",
                &["interface", "stage"],
            )?,
            interface_last: real(
                "phitap_interface_last_packet_timestamp_seconds",
                "When an interface last brought a packet, Unix time; 0 for never.",
                &["interface"],
            )?,
            last_packet,
            backlog: gauges(
                "phitap_output_backlog_bytes",
                "Bytes of events that wait to be written.",
                &["output"],
            )?,
            backlog_age: real(
                "phitap_output_backlog_seconds",
                "How long the oldest event has waited to be written.",
                &["output"],
            )?,
            deliveries: Deliveries::new(r)?,
            stalls: counters(
                "phitap_thread_stalls_total",
                "Times a thread was stuck, ended, or fell behind.",
                &["thread"],
            )?,
            state_saves: counters(
                "phitap_state_saves_total",
                "Times the file of --state was written.",
                &["result"],
            )?,
            evidence: counters(
                "phitap_evidence_packets_total",
                "Packets of exposures for --evidence, by what became of them.",
                &["result"],
            )?,
            published: PublishedRules::new(r)?,
            process: ProcessStats::new(r, started)?,
        };
        metrics.initialise();
        Ok(metrics)
    }

    /// Published rules came, with this result; `version` is active now.
    pub fn rules_followed(&self, result: &str, version: u64) {
        self.published.results.with_label_values(&[result]).inc();
        self.set_active_rules(version);
    }

    /// The version of the active published rules.
    pub fn set_active_rules(&self, version: u64) {
        self.published.version.set(i64::try_from(version).unwrap_or(i64::MAX));
    }

    /// Sets every label, so that a series exists before its first event.
    fn initialise(&self) {
        for check in Check::ALL {
            self.problems.with_label_values(&[check.as_str()]);
        }
        for thread in [Check::Reader, Check::Worker, Check::Collector] {
            self.stalls.with_label_values(&[thread.as_str()]);
        }
        for result in ["ok", "failed"] {
            self.state_saves.with_label_values(&[result]);
        }
        self.evidence(EvidenceCounts::default());
    }

    /// Updates the metrics from the status of the sensor and the age of the oldest event of each output.
    pub fn update(&self, status: &SensorStatus, waits: &[(&'static str, f64)]) {
        self.ready.set(status.ready.into());
        for check in Check::ALL {
            let n = status.problems.iter().filter(|p| p.check == check).count();
            self.problems.with_label_values(&[check.as_str()]).set(n as i64);
        }
        let mut last = 0f64;
        for interface in &status.interfaces {
            let name = [interface.name.as_str()];
            self.interface_up.with_label_values(&name).set(interface.up.into());
            raise(&self.interface_packets, &name, interface.packets);
            for (stage, n) in STAGES.into_iter().zip([interface.kernel, interface.interface]) {
                raise(&self.interface_dropped, &[&interface.name, stage], n);
            }
            let at = interface.last_packet.unwrap_or_default();
            self.interface_last.with_label_values(&name).set(at);
            last = last.max(at);
        }
        self.last_packet.set(last);
        for (output, bytes) in &status.backlog {
            let bytes = i64::try_from(*bytes).unwrap_or(i64::MAX);
            self.backlog.with_label_values(&[output]).set(bytes);
        }
        for (output, seconds) in waits {
            self.backlog_age.with_label_values(&[output]).set(*seconds);
        }
    }

    /// A thread was found stuck, ended or behind.
    pub fn stalled(&self, thread: Check) {
        self.stalls.with_label_values(&[thread.as_str()]).inc();
    }

    /// A receiver has accepted events.
    pub fn delivered(&self, output: &str, events: u64) {
        self.deliveries.taken.with_label_values(&[output]).inc_by(events);
    }

    /// A receiver did not accept events.
    pub fn delivery_failed(&self, output: &str, attempts: u64) {
        self.deliveries.failures.with_label_values(&[output]).inc_by(attempts);
    }

    /// The state file was written, or could not be.
    pub fn state_saved(&self, ok: bool) {
        self.state_saves.with_label_values(&[if ok { "ok" } else { "failed" }]).inc();
    }

    /// Sets the counters of packets for `--evidence`.
    pub fn evidence(&self, counts: EvidenceCounts) {
        raise(&self.evidence, &["written"], counts.written);
        raise(&self.evidence, &["dropped"], counts.dropped);
    }

    /// Memory and processor time.
    pub const fn process(&self) -> &ProcessStats {
        &self.process
    }
}

/// Raises a counter to `to`.
fn raise(counters: &IntCounterVec, labels: &[&str], to: u64) {
    let counter = counters.with_label_values(labels);
    counter.inc_by(to.saturating_sub(counter.get()));
}
