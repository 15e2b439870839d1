//! Prometheus metrics. Labels come from closed sets only, never from traffic.

use super::certificates::CertificateMetrics;
use super::clock::wall_clock;
use super::health::SensorMetrics;
use super::threshold_metrics::StepMetrics;
use crate::protocol::Reason;
use crate::rules::Kind;
use crate::severity::Severity;
use prometheus::{
    Encoder as _, Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// Every metric, in a separate registry. Cheap to share behind an `Arc`; workers add their counts per batch, not per
/// packet. Label values are `&'static str`, so that nothing from the wire can become one.
pub struct Metrics {
    registry: Registry,
    traffic: Traffic,
    records: IntCounterVec,
    messages: IntCounterVec,
    findings: IntCounterVec,
    steps: StepMetrics,
    /// Those of TLS services.
    pub certificates: CertificateMetrics,
    identifiers: IntCounterVec,
    exposures_active: IntGaugeVec,
    patients_distinct: IntGauge,
    memory: IntGaugeVec,
    worker_busy: GaugeVec,
    events_written: IntCounterVec,
    events_dropped: IntCounterVec,
    suppressed: IntCounterVec,
    rules_reloads: IntCounterVec,
    rules_loaded: Gauge,
    sensor: SensorMetrics,
}

/// Packets, flows and results of parsers.
struct Traffic {
    packets: IntCounter,
    bytes: IntCounter,
    packets_skipped: IntCounterVec,
    packets_dropped: IntCounterVec,
    flows_active: IntGauge,
    flows: IntCounter,
    gap_bytes: IntCounter,
    cut_bytes: IntCounter,
    packets_cut: IntCounter,
    flows_unread: IntCounterVec,
    unread_bytes: IntCounter,
    content_skipped: IntCounterVec,
    anomalies: IntCounterVec,
    segments_ignored: IntCounterVec,
    packets_shed: IntCounterVec,
    clock_steps: IntCounterVec,
    ring_freezes: IntCounter,
    streams: IntCounterVec,
    streams_opaque: IntCounterVec,
}

/// Where packets can be lost: values of `stage`. Kernel and interface lose them unread.
pub const DROPPED: [&str; 5] = ["kernel", "interface", "queue", "shed", "defragment"];

/// Packets left unread under overload: values of `kind`.
pub const SHED: [&str; 3] = ["unknown", "bulk", "other"];

/// Why a flow was not read: values of `reason` of `phitap_flows_unread_total`.
pub const UNREAD: [&str; 4] = ["unrecognised", "half_recognised", "encrypted", "memory"];

/// Results of a reload: values of `result`.
pub const RELOADS: [&str; 2] = ["ok", "failed"];

/// Workers that get a label of their own; further ones share the last.
pub const MAX_WORKERS: usize = 256;

impl Traffic {
    fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            packets: counter(r, "phitap_packets_total", "Packets read.")?,
            bytes: counter(r, "phitap_bytes_total", "Bytes of packets read, as captured.")?,
            packets_skipped: counters(
                r,
                "phitap_packets_skipped_total",
                "Packets that were read and passed over.",
                &["reason"],
            )?,
            packets_dropped: counters(
                r,
                "phitap_packets_dropped_total",
                "Packets lost, by the stage that lost them.",
                &["stage"],
            )?,
            flows_active: gauge(r, "phitap_flows_active", "Flows in the flow tables.")?,
            flows: counter(r, "phitap_flows_total", "Flows seen.")?,
            unread_bytes: counter(
                r,
                "phitap_content_unread_bytes_total",
                "Bytes of contents passed over unread, such as pixel data.",
            )?,
            content_skipped: counters(
                r,
                "phitap_content_skipped_bytes_total",
                "Bytes of contents left unread for want of something, by what was wanting.",
                &["reason"],
            )?,
            anomalies: counters(
                r,
                "phitap_anomalies_total",
                "Oddities that parsers passed over.",
                &["protocol", "reason"],
            )?,
            segments_ignored: counters(
                r,
                "phitap_segments_ignored_total",
                "TCP segments that an end host would not take, or that the conversation refuted.",
                &["reason"],
            )?,
            packets_shed: counters(
                r,
                "phitap_packets_shed_total",
                "Packets left unread because more came than could be read, by what they were.",
                &["kind"],
            )?,
            clock_steps: counters(
                r,
                "phitap_clock_steps_total",
                "How often the clock that packets bear was set while the sensor ran.",
                &["direction"],
            )?,
            ring_freezes: counter(
                r,
                "phitap_ring_freezes_total",
                "How often the kernel stopped filling a ring because it was full.",
            )?,
            gap_bytes: counter(r, "phitap_stream_gap_bytes_total", "Bytes missing in streams.")?,
            cut_bytes: counter(
                r,
                "phitap_stream_cut_bytes_total",
                "Those of the missing bytes that the snap length of the capture cut off.",
            )?,
            packets_cut: counter(
                r,
                "phitap_packets_cut_total",
                "Packets of which the snap length cut off payload or headers.",
            )?,
            flows_unread: counters(
                r,
                "phitap_flows_unread_total",
                "Flows that ended without being read, wholly or in one direction.",
                &["reason"],
            )?,
            streams: counters(
                r,
                "phitap_streams_total",
                "Directions of flows whose protocol was recognised.",
                &["protocol"],
            )?,
            streams_opaque: counters(
                r,
                "phitap_streams_abandoned_total",
                "Directions of flows that were given up.",
                &["protocol", "reason"],
            )?,
        })
    }
}

impl Metrics {
    /// All at zero.
    ///
    /// # Errors
    /// Only if two metrics had the same name, which a test excludes.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let r = &registry;
        let metrics = Self {
            traffic: Traffic::new(r)?,
            records: counters(
                r,
                "phitap_records_total",
                "Records read.",
                &["protocol", "content"],
            )?,
            messages: counters(
                r,
                "phitap_messages_total",
                "Messages read, by their type.",
                &["protocol", "type"],
            )?,
            findings: counters(
                r,
                "phitap_findings_total",
                "Patients seen in a flow, revisions not counted.",
                &["protocol", "severity"],
            )?,
            steps: StepMetrics::new(r)?,
            certificates: CertificateMetrics::new(r)?,
            identifiers: counters(r, "phitap_identifiers_total", "Identifiers found.", &["kind"])?,
            exposures_active: gauges(
                r,
                "phitap_exposures_active",
                "Open exposures.",
                &["severity"],
            )?,
            patients_distinct: gauge(
                r,
                "phitap_patients_distinct",
                "Distinct patients seen; an estimate beyond 100000.",
            )?,
            memory: gauges(r, "phitap_memory_bytes", "Memory held, by part.", &["part"])?,
            worker_busy: {
                let opts = Opts::new(
                    "phitap_worker_busy_ratio",
                    "Share of the last interval in which a worker was busy, 0 to 1.",
                );
                let metric = GaugeVec::new(opts, &["worker"])?;
                r.register(Box::new(metric.clone()))?;
                metric
            },
            events_written: counters(
                r,
                "phitap_events_written_total",
                "Events written.",
                &["output"],
            )?,
            events_dropped: counters(
                r,
                "phitap_events_dropped_total",
                "Events that could not be written.",
                &["output", "reason"],
            )?,
            suppressed: counters(
                r,
                "phitap_findings_suppressed_total",
                "Finding events that a suppression held back, revisions included.",
                &["protocol"],
            )?,
            rules_reloads: counters(
                r,
                "phitap_rules_reloads_total",
                "Reloads of the rules; after a failed one the previous rules stay active.",
                &["result"],
            )?,
            rules_loaded: {
                let metric = Gauge::new(
                    "phitap_rules_loaded_timestamp_seconds",
                    "When the rules in force were loaded, Unix time.",
                )?;
                r.register(Box::new(metric.clone()))?;
                metric
            },
            sensor: SensorMetrics::new(r, wall_clock().unix_millis() as f64 / 1e3)?,
            registry,
        };
        build_info(&metrics.registry)?;
        metrics.start_at_zero();
        Ok(metrics)
    }

    /// Label values known beforehand are there from the start: a rate needs a first value.
    fn start_at_zero(&self) {
        for skip in crate::decode::Skip::ALL {
            self.traffic.packets_skipped.with_label_values(&[skip.as_str()]);
        }
        for stage in DROPPED {
            self.traffic.packets_dropped.with_label_values(&[stage]);
        }
        for kind in SHED {
            self.traffic.packets_shed.with_label_values(&[kind]);
        }
        for direction in ["forward", "backward"] {
            self.traffic.clock_steps.with_label_values(&[direction]);
        }
        for reason in UNREAD {
            self.traffic.flows_unread.with_label_values(&[reason]);
        }
        for reason in Reason::ALL {
            self.traffic.streams_opaque.with_label_values(&["unknown", reason.as_str()]);
        }
        for (reason, _) in crate::flow::IgnoredSegments::default().reasons() {
            self.traffic.segments_ignored.with_label_values(&[reason]);
        }
        for severity in Severity::ALL {
            self.exposures_active.with_label_values(&[severity.as_str()]);
        }
        for kind in Kind::ALL {
            self.identifiers.with_label_values(&[kind.as_str()]);
        }
        for result in RELOADS {
            self.rules_reloads.with_label_values(&[result]);
        }
        for protocol in crate::protocol::PROTOCOLS {
            self.suppressed.with_label_values(&[protocol.name()]);
            self.traffic.streams.with_label_values(&[protocol.name()]);
            for severity in Severity::ALL {
                self.findings.with_label_values(&[protocol.name(), severity.as_str()]);
            }
        }
    }

    /// Packets read, and their bytes.
    pub fn packets(&self, packets: u64, bytes: u64) {
        self.traffic.packets.inc_by(packets);
        self.traffic.bytes.inc_by(bytes);
    }
    /// Packets skipped.
    pub fn skipped(&self, reason: &'static str, packets: u64) {
        self.traffic.packets_skipped.with_label_values(&[reason]).inc_by(packets);
    }
    /// Packets lost.
    pub fn dropped(&self, stage: &'static str, packets: u64) {
        self.traffic.packets_dropped.with_label_values(&[stage]).inc_by(packets);
    }
    /// New flows.
    pub fn flows(&self, flows: u64) {
        self.traffic.flows.inc_by(flows);
    }
    /// The change of the number of flows in one flow table.
    pub fn flows_active(&self, change: i64) {
        self.traffic.flows_active.add(change);
    }
    /// Payload bytes skipped unread.
    pub fn unread_bytes(&self, bytes: u64) {
        self.traffic.unread_bytes.inc_by(bytes);
    }
    /// Payload bytes left unread.
    pub fn content_skipped(&self, reason: Reason, bytes: u64) {
        self.traffic.content_skipped.with_label_values(&[reason.as_str()]).inc_by(bytes);
    }
    /// Irregularities that a parser ignored.
    pub fn anomalies(&self, protocol: &'static str, reason: Reason, anomalies: u64) {
        self.traffic.anomalies.with_label_values(&[protocol, reason.as_str()]).inc_by(anomalies);
    }
    /// TCP segments that were ignored.
    pub fn segments_ignored(&self, reason: &'static str, segments: u64) {
        self.traffic.segments_ignored.with_label_values(&[reason]).inc_by(segments);
    }
    /// Packets left unread under overload; `kind` is one of [`SHED`].
    pub fn shed(&self, kind: &'static str, packets: u64) {
        self.traffic.packets_shed.with_label_values(&[kind]).inc_by(packets);
        self.dropped("shed", packets);
    }
    /// The clock was set.
    pub fn clock_steps(&self, direction: &'static str, steps: u64) {
        self.traffic.clock_steps.with_label_values(&[direction]).inc_by(steps);
    }
    /// A ring was full.
    pub fn ring_freezes(&self, freezes: u64) {
        self.traffic.ring_freezes.inc_by(freezes);
    }
    /// Bytes missing in streams, and how many of them the snap length cut off.
    pub fn gap_bytes(&self, bytes: u64, cut: u64) {
        self.traffic.gap_bytes.inc_by(bytes);
        self.traffic.cut_bytes.inc_by(cut);
    }
    /// Packets from which the snap length cut off something that was needed.
    pub fn packets_cut(&self, packets: u64) {
        self.traffic.packets_cut.inc_by(packets);
    }
    /// Flows that ended without being read; `reason` is one of [`UNREAD`].
    pub fn unread_flows(&self, reason: &'static str, flows: u64) {
        if flows > 0 {
            self.traffic.flows_unread.with_label_values(&[reason]).inc_by(flows);
        }
    }
    /// Directions recognised.
    pub fn streams(&self, protocol: &'static str, streams: u64) {
        self.traffic.streams.with_label_values(&[protocol]).inc_by(streams);
    }
    /// Directions given up.
    pub fn opaque(&self, protocol: &'static str, reason: Reason, streams: u64) {
        self.traffic.streams_opaque.with_label_values(&[protocol, reason.as_str()]).inc_by(streams);
    }
    /// Records read.
    pub fn records(&self, protocol: &'static str, content: &'static str, records: u64) {
        self.records.with_label_values(&[protocol, content]).inc_by(records);
    }
    /// Messages read; their types are a closed set.
    pub fn messages(&self, protocol: &'static str, kind: &'static str, messages: u64) {
        self.messages.with_label_values(&[protocol, kind]).inc_by(messages);
    }
    /// A finding, the first time.
    pub fn finding(&self, protocol: &'static str, severity: Severity) {
        self.findings.with_label_values(&[protocol, severity.as_str()]).inc();
    }
    /// Identifiers found.
    pub fn identifiers(&self, kind: Kind, identifiers: u64) {
        self.identifiers.with_label_values(&[kind.as_str()]).inc_by(identifiers);
    }
    /// Open exposures of one severity.
    pub fn exposures_active(&self, severity: Severity, exposures: u64) {
        let exposures = i64::try_from(exposures).unwrap_or(i64::MAX);
        self.exposures_active.with_label_values(&[severity.as_str()]).set(exposures);
    }
    /// Distinct patients so far.
    pub fn patients_distinct(&self, patients: u64) {
        self.patients_distinct.set(i64::try_from(patients).unwrap_or(i64::MAX));
    }
    /// The change of the memory held by one part (`flows`, `parsers`, `identify`, ...).
    pub fn memory(&self, part: &'static str, change: i64) {
        self.memory.with_label_values(&[part]).add(change);
    }
    /// How busy a worker was.
    pub fn worker_busy(&self, worker: usize, ratio: f64) {
        let worker = worker.min(MAX_WORKERS - 1).to_string();
        self.worker_busy.with_label_values(&[worker.as_str()]).set(ratio.clamp(0.0, 1.0));
    }
    /// Events written to an output.
    pub fn events_written(&self, output: &'static str, events: u64) {
        self.events_written.with_label_values(&[output]).inc_by(events);
    }
    /// Events that an output lost.
    pub fn events_dropped(&self, output: &'static str, reason: &'static str, events: u64) {
        self.events_dropped.with_label_values(&[output, reason]).inc_by(events);
    }

    /// A finding event that was suppressed by a limit.
    pub fn suppressed(&self, protocol: &'static str) {
        self.suppressed.with_label_values(&[protocol]).inc();
    }
    /// The rules were reloaded, or could not be.
    pub fn rules_reloaded(&self, ok: bool) {
        let [done, failed] = RELOADS;
        self.rules_reloads.with_label_values(&[if ok { done } else { failed }]).inc();
    }
    /// When the active rules were loaded.
    pub fn rules_loaded(&self, at: crate::time::Timestamp) {
        self.rules_loaded.set(at.unix_millis() as f64 / 1e3);
    }

    /// Packets and bytes read so far.
    pub fn totals(&self) -> (u64, u64) {
        (self.traffic.packets.get(), self.traffic.bytes.get())
    }

    /// Distinct patients so far.
    pub fn patients(&self) -> u64 {
        u64::try_from(self.patients_distinct.get()).unwrap_or(0)
    }

    /// What could not be read so far: each counter with its name.
    pub fn losses(&self) -> Vec<(&'static str, u64)> {
        let dropped = |stage| self.traffic.packets_dropped.with_label_values(&[stage]).get();
        let unread = |reason| self.traffic.flows_unread.with_label_values(&[reason]).get();
        vec![
            ("Packets lost", DROPPED.into_iter().map(dropped).sum()),
            ("Packets cut", self.traffic.packets_cut.get()),
            ("Bytes missing", self.traffic.gap_bytes.get()),
            ("Flows unrecognised", unread("unrecognised") + unread("half_recognised")),
            ("Flows encrypted", unread("encrypted")),
            ("Flows given up", unread("memory")),
        ]
    }

    /// Findings by direction, and exposures by their patients.
    pub const fn steps(&self) -> &StepMetrics {
        &self.steps
    }
    /// Those of health.
    pub const fn sensor(&self) -> &SensorMetrics {
        &self.sensor
    }

    /// Everything in the Prometheus text format 0.0.4.
    pub fn render(&self) -> String {
        self.sensor.process().refresh();
        let mut text = Vec::new();
        // Writing to memory cannot fail, and names are checked when they are registered.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

fn build_info(r: &Registry) -> Result<(), prometheus::Error> {
    let info = Opts::new("phitap_build_info", "Always 1; the label holds the version.")
        .const_label("version", env!("CARGO_PKG_VERSION"));
    let info = Gauge::with_opts(info)?;
    info.set(1.0);
    r.register(Box::new(info))
}

fn counter(to: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    let metric = IntCounter::new(name, help)?;
    to.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counters(
    to: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
    to.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauge(to: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    let metric = IntGauge::new(name, help)?;
    to.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauges(
    to: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, prometheus::Error> {
    let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
    to.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Metrics {
        let m = Metrics::new().expect("unique names");
        m.packets(10, 1000);
        m.skipped("arp", 1);
        m.dropped("ring", 2);
        m.flows(3);
        m.flows_active(3);
        m.flows_active(-1);
        m.gap_bytes(5, 2);
        m.packets_cut(3);
        m.unread_flows("half_recognised", 1);
        m.streams("dicom", 2);
        m.opaque("unknown", Reason::Encrypted, 1);
        m.records("http", "fhir", 4);
        m.finding("dicom", Severity::High);
        m.identifiers(Kind::Name, 6);
        m.exposures_active(Severity::High, 1);
        m.patients_distinct(7);
        m.memory("flows", 100);
        m.worker_busy(0, 0.5);
        m.worker_busy(100_000, 7.0);
        m.events_written("ecs", 8);
        m.events_dropped("ecs", "write", 1);
        m
    }

    #[test]
    fn every_name_of_the_contract_is_there_with_its_labels() {
        let text = filled().render();
        for line in [
            "phitap_packets_total 10",
            "phitap_bytes_total 1000",
            "phitap_packets_skipped_total{reason=\"arp\"} 1",
            "phitap_packets_dropped_total{stage=\"ring\"} 2",
            "phitap_flows_active 2",
            "phitap_flows_total 3",
            "phitap_stream_gap_bytes_total 5",
            "phitap_stream_cut_bytes_total 2",
            "phitap_packets_cut_total 3",
            "phitap_flows_unread_total{reason=\"half_recognised\"} 1",
            "phitap_flows_unread_total{reason=\"memory\"} 0",
            "phitap_streams_total{protocol=\"dicom\"} 2",
            "phitap_streams_abandoned_total{protocol=\"unknown\",reason=\"encrypted\"} 1",
            "phitap_records_total{content=\"fhir\",protocol=\"http\"} 4",
            "phitap_findings_total{protocol=\"dicom\",severity=\"high\"} 1",
            "phitap_identifiers_total{kind=\"name\"} 6",
            "phitap_exposures_active{severity=\"high\"} 1",
            "phitap_patients_distinct 7",
            "phitap_memory_bytes{part=\"flows\"} 100",
            "phitap_worker_busy_ratio{worker=\"0\"} 0.5",
            "phitap_worker_busy_ratio{worker=\"255\"} 1",
            "phitap_events_written_total{output=\"ecs\"} 8",
            "phitap_events_dropped_total{output=\"ecs\",reason=\"write\"} 1",
            concat!("phitap_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }

    #[test]
    fn closed_sets_start_at_zero_and_all_have_help_and_type() {
        let text = Metrics::new().expect("unique names").render();
        assert!(text.contains("phitap_identifiers_total{kind=\"ssn\"} 0"));
        assert!(text.contains("phitap_findings_total{protocol=\"hl7\",severity=\"critical\"} 0"));
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            let name = line.split(['{', ' ']).next().expect("name");
            assert!(text.contains(&format!("# HELP {name} ")), "{name}");
            assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
        }
    }
}
