//! `--metrics-file`: every metric of the contract, closed sets of labels, the format of Prometheus,
//! and the totals of the run summary.

mod common;
#[path = "common/exposition.rs"]
mod exposition;

use exposition::Exposition;
use phitap::content::FORMATS;
use phitap::decode::Skip;
use phitap::exposure::NetworkDirection;
use phitap::output::certificates::{SERVICES, STATES};
use phitap::output::health::Check;
use phitap::output::metrics::{DROPPED, RELOADS, UNREAD};
use phitap::protocol::{PROTOCOLS, Reason};
use phitap::rules::Kind;
use phitap::severity::Severity;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Every metric, its type, and its labels.
const CONTRACT: &[(&str, &str, &[&str])] = &[
    ("phitap_packets_total", "counter", &[]),
    ("phitap_bytes_total", "counter", &[]),
    ("phitap_packets_skipped_total", "counter", &["reason"]),
    ("phitap_packets_dropped_total", "counter", &["stage"]),
    ("phitap_flows_active", "gauge", &[]),
    ("phitap_flows_total", "counter", &[]),
    ("phitap_stream_gap_bytes_total", "counter", &[]),
    ("phitap_streams_total", "counter", &["protocol"]),
    ("phitap_streams_abandoned_total", "counter", &["protocol", "reason"]),
    ("phitap_records_total", "counter", &["content", "protocol"]),
    ("phitap_findings_total", "counter", &["protocol", "severity"]),
    ("phitap_identifiers_total", "counter", &["kind"]),
    ("phitap_exposures_active", "gauge", &["severity"]),
    ("phitap_patients_distinct", "gauge", &[]),
    ("phitap_memory_bytes", "gauge", &["part"]),
    ("phitap_worker_busy_ratio", "gauge", &["worker"]),
    ("phitap_events_written_total", "counter", &["output"]),
    ("phitap_events_dropped_total", "counter", &["output", "reason"]),
    ("phitap_build_info", "gauge", &["version"]),
];

/// Further metrics; those with labels appear once there is something to count.
const FURTHER: &[(&str, &str, &[&str])] = &[
    ("phitap_segments_ignored_total", "counter", &["reason"]),
    ("phitap_packets_shed_total", "counter", &["kind"]),
    ("phitap_clock_steps_total", "counter", &["direction"]),
    ("phitap_ring_freezes_total", "counter", &[]),
    ("phitap_content_skipped_bytes_total", "counter", &["reason"]),
    ("phitap_content_unread_bytes_total", "counter", &[]),
    ("phitap_anomalies_total", "counter", &["protocol", "reason"]),
    ("phitap_findings_suppressed_total", "counter", &["protocol"]),
    ("phitap_rules_reloads_total", "counter", &["result"]),
    ("phitap_rules_loaded_timestamp_seconds", "gauge", &[]),
    ("phitap_rules_followed_total", "counter", &["result"]),
    ("phitap_rules_version", "gauge", &[]),
    ("phitap_messages_total", "counter", &["protocol", "type"]),
    ("phitap_stream_cut_bytes_total", "counter", &[]),
    ("phitap_packets_cut_total", "counter", &[]),
    ("phitap_flows_unread_total", "counter", &["reason"]),
    ("phitap_findings_by_direction_total", "counter", &["direction"]),
    ("phitap_exposures_reached_total", "counter", &["patients"]),
    ("phitap_exposures", "gauge", &["severity"]),
    ("phitap_certificates", "gauge", &["service", "state"]),
    ("phitap_certificates_self_signed", "gauge", &["service"]),
    ("phitap_tls_deprecated_services", "gauge", &["service"]),
    ("phitap_ready", "gauge", &[]),
    ("phitap_problems", "gauge", &["check"]),
    ("phitap_interface_up", "gauge", &["interface"]),
    ("phitap_interface_packets_total", "counter", &["interface"]),
    ("phitap_interface_packets_dropped_total", "counter", &["interface", "stage"]),
    ("phitap_interface_last_packet_timestamp_seconds", "gauge", &["interface"]),
    ("phitap_last_packet_timestamp_seconds", "gauge", &[]),
    ("phitap_output_backlog_bytes", "gauge", &["output"]),
    ("phitap_output_backlog_seconds", "gauge", &["output"]),
    ("phitap_output_delivered_total", "counter", &["output"]),
    ("phitap_output_failures_total", "counter", &["output"]),
    ("phitap_thread_stalls_total", "counter", &["thread"]),
    ("phitap_state_saves_total", "counter", &["result"]),
    ("phitap_evidence_packets_total", "counter", &["result"]),
    ("process_cpu_seconds_total", "counter", &[]),
    ("process_resident_memory_bytes", "gauge", &[]),
    ("process_virtual_memory_bytes", "gauge", &[]),
    ("process_start_time_seconds", "gauge", &[]),
    ("process_threads", "gauge", &[]),
];

/// Counted beside formats: units of protocols, and formats that are recognised late.
const UNITS: &[&str] = &[
    "association",
    "acknowledgment",
    "batch",
    "dicom",
    "dimse",
    "fhir",
    "instance",
    "fhir_request",
    "fhir_response",
    "interchange",
    "match",
    "message",
    "other",
    "pdu",
    "request",
    "response",
];

/// Replays the merged hour. Returns its metrics as text, and its run summary.
fn replay(workers: &str) -> (String, Value) {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("phitap.prom");
    let run = common::phitap([
        "replay".as_ref(),
        common::hospital().as_os_str(),
        "--format=ecs".as_ref(),
        "--workers".as_ref(),
        workers.as_ref(),
        "--metrics-file".as_ref(),
        file.as_os_str(),
    ]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let text = std::fs::read_to_string(file).expect("metrics");
    let mut events = common::events(&run.out);
    let last = events.pop().expect("summary");
    assert!(common::is(&last, "run-summary"), "{last}");
    (text, last["phi"]["run"].clone())
}

/// The allowed values of a label.
fn closed(metric: &str, label: &str) -> BTreeSet<String> {
    let protocols = || PROTOCOLS.iter().map(|p| p.name()).chain(["unknown"]);
    let own = |set: &mut dyn Iterator<Item = &'static str>| set.map(str::to_owned).collect();
    match (metric, label) {
        ("phitap_packets_skipped_total", "reason") => {
            own(&mut Skip::ALL.iter().map(|s| s.as_str()))
        }
        ("phitap_packets_dropped_total", "stage") => own(&mut DROPPED.into_iter()),
        ("phitap_streams_abandoned_total" | "phitap_anomalies_total", "reason") => {
            own(&mut Reason::ALL.iter().map(|r| r.as_str()))
        }
        ("phitap_packets_shed_total", "kind") => {
            own(&mut phitap::output::metrics::SHED.into_iter())
        }
        ("phitap_clock_steps_total", "direction") => own(&mut ["forward", "backward"].into_iter()),
        ("phitap_segments_ignored_total", "reason") => {
            own(&mut phitap::flow::IgnoredSegments::default()
                .reasons()
                .into_iter()
                .map(|(reason, _)| reason))
        }
        ("phitap_flows_unread_total", "reason") => own(&mut UNREAD.into_iter()),
        (_, "direction") => own(&mut NetworkDirection::ALL.iter().map(|d| d.as_str())),
        (_, "patients") => own(&mut ["10", "100", "500", "1000", "10000"].into_iter()),
        (_, "service") => own(&mut SERVICES.into_iter()),
        (_, "state") => own(&mut STATES.into_iter()),
        (_, "check") => own(&mut Check::ALL.iter().map(|c| c.as_str())),
        (_, "thread") => own(&mut ["reader", "worker", "collector"].into_iter()),
        ("phitap_evidence_packets_total", _) => own(&mut ["written", "dropped"].into_iter()),
        (_, "result") => own(&mut RELOADS.into_iter()),
        (_, "protocol") => own(&mut protocols()),
        (_, "content") => own(&mut FORMATS.iter().map(|f| f.name()).chain(UNITS.iter().copied())),
        (_, "severity") => own(&mut Severity::ALL.iter().map(|s| s.as_str())),
        (_, "kind") => own(&mut Kind::ALL.iter().map(|k| k.as_str())),
        (_, "part") => own(&mut ["flows"].into_iter()),
        (_, "worker") => own(&mut ["0", "1"].into_iter()),
        (_, "output") => own(&mut ["ecs", "page"].into_iter()),
        ("phitap_events_dropped_total", "reason") => own(&mut ["write_error"].into_iter()),
        (_, "type") => include_str!("../src/content/formats/hl7v2/types.txt")
            .split_ascii_whitespace()
            .chain(["other"])
            .map(str::to_owned)
            .collect(),
        (_, "version") => own(&mut [env!("CARGO_PKG_VERSION")].into_iter()),
        _ => panic!("{metric} has a label {label}"),
    }
}

#[test]
fn every_metric_of_the_contract_is_written_with_labels_from_closed_sets() {
    for workers in ["1", "2"] {
        let (text, _) = replay(workers);
        exposition::promtool(&text);
        let metrics = exposition::parse(&text);
        for (name, ..) in CONTRACT {
            assert!(metrics.samples.iter().any(|s| s.name == *name), "{name} has no value");
        }
        for (name, kind, labels) in CONTRACT.iter().chain(FURTHER) {
            let given = metrics.types.get(*name).map_or(*kind, String::as_str);
            assert_eq!(given, *kind, "{name}");
            let series = metrics.samples.iter().filter(|s| s.name == *name);
            for sample in series {
                let keys: Vec<&str> = sample.labels.keys().map(String::as_str).collect();
                assert_eq!(&keys, labels, "{name}");
                for (label, value) in &sample.labels {
                    assert!(closed(name, label).contains(value), "{name}{{{label}={value:?}}}");
                }
            }
        }
        let known: BTreeSet<&str> =
            CONTRACT.iter().chain(FURTHER).map(|(name, ..)| *name).collect();
        for name in metrics.types.keys() {
            assert!(known.contains(name.as_str()), "{name} is not described");
        }
        for (worker, busy) in metrics
            .samples
            .iter()
            .filter(|s| s.name == "phitap_worker_busy_ratio")
            .map(|s| (&s.labels["worker"], s.value))
        {
            assert!((0.0..=1.0).contains(&busy), "worker {worker}: {busy}");
        }
    }
}

/// The sums of a metric by one of its labels.
fn by(metrics: &Exposition, name: &str, label: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for sample in metrics.samples.iter().filter(|s| s.name == name) {
        *sums.entry(sample.labels[label].clone()).or_insert(0) += sample.value as u64;
    }
    sums.retain(|_, n| *n > 0);
    sums
}

/// An object of counts.
fn counts(value: &Value) -> BTreeMap<String, u64> {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    object.iter().map(|(k, n)| (k.clone(), n.as_u64().expect("count"))).collect()
}

#[test]
fn totals_are_those_of_the_run_summary() {
    let (text, run) = replay("2");
    let metrics = exposition::parse(&text);
    let packets = &run["packets"];
    for (name, value) in [
        ("phitap_packets_total", &packets["read"]),
        ("phitap_bytes_total", &run["bytes"]),
        ("phitap_flows_total", &run["flows"]["total"]),
        ("phitap_stream_gap_bytes_total", &run["streams"]["gap_bytes"]),
        ("phitap_findings_total", &run["findings"]),
        ("phitap_findings_by_direction_total", &run["findings"]),
        ("phitap_patients_distinct", &run["patients"]),
    ] {
        assert_eq!(metrics.sum(name), value.as_f64().expect("count"), "{name}");
    }
    // None of these may be empty: the hour contains all of them.
    for (name, label, value) in [
        ("phitap_packets_skipped_total", "reason", &packets["skipped"]),
        ("phitap_streams_total", "protocol", &run["streams"]["recognised"]),
        ("phitap_identifiers_total", "kind", &run["identifiers"]),
    ] {
        assert_eq!(by(&metrics, name, label), counts(value), "{name}");
        assert!(!counts(value).is_empty(), "{name}");
    }
    assert_eq!(by(&metrics, "phitap_packets_dropped_total", "stage"), counts(&packets["dropped"]));
    for (name, inner, value) in [
        ("phitap_streams_abandoned_total", "reason", &run["streams"]["opaque"]),
        ("phitap_records_total", "content", &run["records"]),
    ] {
        let nested = value.as_object().expect("object");
        assert!(!nested.is_empty(), "{name}");
        for (protocol, of) in nested {
            for (key, n) in counts(of) {
                let labels = [("protocol", protocol.as_str()), (inner, key.as_str())];
                assert_eq!(metrics.value(name, &labels), Some(n as f64), "{name} {labels:?}");
            }
        }
        let all: u64 = nested.values().flat_map(|of| counts(of).into_values()).sum();
        assert_eq!(metrics.sum(name), all as f64, "{name}");
    }
    let messages = run["messages"].as_array().expect("list");
    assert!(!messages.is_empty());
    for of in messages {
        let labels = ["protocol", "type"].map(|key| (key, of[key].as_str().expect("text")));
        let n = of["count"].as_f64();
        assert_eq!(metrics.value("phitap_messages_total", &labels), n, "{of}");
    }
    // What was found stays when the run is over.
    assert_eq!(metrics.sum("phitap_exposures"), run["exposures"].as_f64().expect("a count"));
    // The run has ended.
    for name in ["phitap_flows_active", "phitap_exposures_active", "phitap_memory_bytes"] {
        assert_eq!(metrics.sum(name), 0.0, "{name}");
    }
}
