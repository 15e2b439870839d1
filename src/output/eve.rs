//! `--format eve`: lines as Suricata writes them to `eve.json`, for pipelines that already read those.
//!
//! Exposures are `alert` records with the classification `sdf` of Suricata's own `classification.config`
//! (sensitive data was transmitted across the network); a reader keeps the last of each
//! `phi.exposure`. The run is a `stats` record. Findings, hosts and services have event types of their
//! own (`phi_finding`, `phi_asset`, `phi_service`), which readers pass through.

use super::{Context, Format, RunSummary, community_id, flow_uid, json, remedy, sentence};
use crate::exposure::{Event, EventId, Exposure, FindingEvent, NetworkDirection, PatientList};
use crate::flow::{FlowInfo, Transport};
use crate::rules::{Kind, KindSet};
use crate::severity::Severity;
use crate::time::Timestamp;
use serde::{Serialize, Serializer};
use std::net::IpAddr;

pub(in crate::output) const FORMAT: Format = Format {
    name: "eve",
    aliases: &["suricata"],
    about: "one JSON event a line, as Suricata's eve.json",
    open: |writer, context| Box::new(json::LineOutput::<Eve>::new(writer, context)),
};

/// Signature of exposures, out of the range kept for local rules (1000000 to 1999999).
const SIGNATURE: u32 = 1_900_001;
/// Revision of the signature.
const REVISION: u32 = 1;
/// Description of the classification `sdf`.
const CATEGORY: &str = "Sensitive Data was Transmitted Across the Network";

struct Eve;

#[derive(Serialize)]
struct Record<'a> {
    #[serde(serialize_with = "time")]
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_iface: Option<&'a str>,
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<Vec<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proto: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<Alert>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Stats>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    phi: Phi<'a>,
}

#[derive(Serialize)]
struct Alert {
    action: &'static str,
    gid: u32,
    signature_id: u32,
    rev: u32,
    signature: String,
    category: &'static str,
    severity: u8,
}

#[derive(Serialize)]
struct Stats {
    capture: Capture,
    decoder: Decoder,
    flow: Flows,
}

#[derive(Serialize)]
struct Capture {
    kernel_packets: u64,
    kernel_drops: u64,
}

#[derive(Serialize)]
struct Decoder {
    pkts: u64,
    bytes: u64,
    invalid: u64,
}

#[derive(Serialize)]
struct Flows {
    total: u64,
}

/// Fields for which Suricata has no name.
#[derive(Serialize, Default)]
struct Phi<'a> {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exposure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patients: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patients_estimated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<Kind>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    operations: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials_in_clear: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remedies: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exposures: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    key_id: &'a str,
}

/// `2026-03-01T10:15:02.123456+0000`.
fn time<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    let text = at.to_string();
    to.collect_str(&format_args!("{}+0000", text.trim_end_matches('Z')))
}

/// 1 is the most urgent.
const fn priority(score: u8) -> u8 {
    match Severity::of(score) {
        Severity::Critical | Severity::High => 1,
        Severity::Medium => 2,
        Severity::Low => 3,
    }
}

fn proto(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    }
}

fn record<'a>(
    timestamp: Timestamp,
    event_type: &'static str,
    phi: Phi<'a>,
    context: &'a Context,
) -> Record<'a> {
    Record {
        timestamp,
        flow_id: None,
        in_iface: None,
        event_type,
        vlan: None,
        src_ip: None,
        src_port: None,
        dest_ip: None,
        dest_port: None,
        proto: None,
        app_proto: None,
        community_id: None,
        direction: None,
        alert: None,
        stats: None,
        host: context.sensor.as_deref(),
        phi: Phi { key_id: &context.key_id, ..phi },
    }
}

/// Fields of a flow in a record.
fn of_flow<'a>(flow: &FlowInfo, protocol: &'a str, context: &'a Context) -> Record<'a> {
    let vlan: Vec<u16> = [flow.vlan, flow.inner_vlan].into_iter().filter(|id| *id != 0).collect();
    Record {
        flow_id: Some(flow_uid::number(flow)),
        in_iface: context.interfaces.get(usize::from(flow.interface)).map(|name| &**name),
        vlan: (!vlan.is_empty()).then_some(vlan),
        src_ip: Some(flow.client.ip()),
        src_port: Some(flow.client.port()),
        dest_ip: Some(flow.server.ip()),
        dest_port: Some(flow.server.port()),
        proto: Some(proto(flow.transport)),
        app_proto: Some(protocol),
        community_id: Some(community_id(flow)),
        ..record(flow.started, "", Phi::default(), context)
    }
}

fn finding<'a>(
    d: &'a FindingEvent,
    score: u8,
    network: NetworkDirection,
    exposure: EventId,
    message: String,
    context: &'a Context,
) -> Record<'a> {
    let f = &d.finding;
    let direction = match f.direction {
        crate::flow::Direction::ClientToServer => "to_server",
        crate::flow::Direction::ServerToClient => "to_client",
    };
    Record {
        timestamp: f.time,
        event_type: "phi_finding",
        direction: Some(direction),
        phi: Phi {
            message,
            id: Some(d.id.to_string()),
            exposure: Some(exposure.to_string()),
            severity: Some(Severity::of(score).as_str()),
            score: Some(score),
            network_direction: Some(network.as_str()),
            operation: Some(&*f.operation).filter(|text| !text.is_empty()),
            rule: Some(&f.alert.id),
            patient: Some(format!("p_{}", f.patient)),
            records: Some(d.records),
            kinds: f.kinds.iter().collect(),
            key_id: &context.key_id,
            ..Phi::default()
        },
        ..of_flow(&d.flow, d.protocol, context)
    }
}

fn patients<'a>(list: &'a PatientList, message: String, context: &'a Context) -> Record<'a> {
    let kinds: KindSet = list.groups.iter().flat_map(|group| group.kinds.iter()).collect();
    let phi = Phi {
        message,
        id: Some(list.id.to_string()),
        exposure: list.exposure.map(|id| id.to_string()),
        severity: Some(Severity::of(list.severity).as_str()),
        score: Some(list.severity),
        network_direction: list.direction.map(NetworkDirection::as_str),
        patients: Some(list.patients),
        records: Some(list.records),
        first_seen: Some(list.first.to_string()),
        kinds: kinds.iter().collect(),
        ..Phi::default()
    };
    Record {
        src_ip: list.client,
        dest_ip: Some(list.server.ip()),
        dest_port: Some(list.server.port()),
        proto: Some(proto(list.transport)),
        app_proto: Some(list.protocol),
        ..record(list.last, "phi_finding", phi, context)
    }
}

fn exposure<'a>(e: &'a Exposure, message: String, context: &'a Context) -> Record<'a> {
    Record {
        timestamp: e.time,
        event_type: "alert",
        alert: Some(Alert {
            action: "allowed",
            gid: 1,
            signature_id: SIGNATURE,
            rev: REVISION,
            signature: format!("PHITAP patient data in cleartext over {}", e.protocol),
            category: CATEGORY,
            severity: priority(e.severity),
        }),
        phi: Phi {
            message,
            id: Some(e.id.to_string()),
            exposure: Some(e.id.to_string()),
            state: Some(e.state.as_str()),
            severity: Some(Severity::of(e.severity).as_str()),
            score: Some(e.severity),
            network_direction: Some(e.direction.as_str()),
            patients: Some(e.patients.value),
            patients_estimated: Some(e.patients.estimate),
            records: Some(e.records),
            flows: Some(e.flows),
            first_seen: Some(e.first.to_string()),
            last_seen: Some(e.last.to_string()),
            kinds: e.kinds.iter().map(|(kind, _)| *kind).collect(),
            operations: e.operations.iter().map(|text| &**text).collect(),
            authentication: Some(e.facts.authentication.as_str()),
            credentials_in_clear: Some(e.facts.credentials_in_clear),
            remedies: remedy::Remedy::of(e).into_iter().map(remedy::Remedy::as_str).collect(),
            key_id: &context.key_id,
            ..Phi::default()
        },
        ..of_flow(&e.first_flow, e.protocol, context)
    }
}

impl json::LineFormat for Eve {
    type Line<'a> = Record<'a>;

    fn event<'a>(event: &'a Event, context: &'a Context) -> Record<'a> {
        let message = sentence::of_event(event);
        match event {
            Event::Finding { event, severity, direction, exposure, .. } => {
                finding(event, *severity, *direction, *exposure, message, context)
            }
            Event::Patients(list) => patients(list, message, context),
            Event::Exposure(e) => exposure(e, message, context),
            Event::Asset(a) => {
                let id = Some(a.id.to_string());
                let phi = Phi { message, id, role: Some(a.role.as_str()), ..Phi::default() };
                Record {
                    src_ip: Some(a.address),
                    app_proto: Some(a.protocol),
                    ..record(a.time, "phi_asset", phi, context)
                }
            }
            Event::Service(s) => {
                let phi = Phi {
                    message,
                    id: Some(s.id.to_string()),
                    authentication: Some(s.facts.authentication.as_str()),
                    credentials_in_clear: Some(s.facts.credentials_in_clear),
                    ..Phi::default()
                };
                Record {
                    dest_ip: Some(s.server.ip()),
                    dest_port: Some(s.server.port()),
                    proto: Some(proto(s.transport)),
                    app_proto: Some(s.protocol),
                    ..record(s.time, "phi_service", phi, context)
                }
            }
        }
    }

    fn run<'a>(r: &'a RunSummary, context: &'a Context) -> Record<'a> {
        let phi = Phi {
            message: sentence::of_run(r),
            patients: Some(r.patients.value),
            patients_estimated: Some(r.patients.estimate),
            exposures: Some(r.exposures),
            coverage: Some(r.verdict().as_str()),
            ..Phi::default()
        };
        let stats = Stats {
            capture: Capture {
                kernel_packets: r.packets_read,
                kernel_drops: r.packets_lost().saturating_add(r.packets_dropped()),
            },
            decoder: Decoder {
                pkts: r.packets_decoded,
                bytes: r.bytes_read,
                invalid: r.packets_skipped(),
            },
            flow: Flows { total: r.flows },
        };
        let end = r.ended.or(r.started).unwrap_or(Timestamp(0));
        Record { stats: Some(stats), ..record(end, "stats", phi, context) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{busy, context, events, run, written};
    use super::*;
    use serde_json::Value;

    fn lines(events: &[Event]) -> Vec<Value> {
        let text = written(&FORMAT, context(), events, &run());
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Keys that every reader of `eve.json` counts on.
    #[test]
    fn exposures_are_alerts_with_all_that_suricata_gives_one() {
        let lines = lines(&events());
        let alerts: Vec<&Value> = lines.iter().filter(|l| l["event_type"] == "alert").collect();
        assert!(!alerts.is_empty());
        for alert in alerts {
            assert!(alert["flow_id"].is_u64() && alert["src_port"].is_u64(), "{alert:#}");
            assert!(alert["src_ip"].is_string() && alert["dest_ip"].is_string(), "{alert:#}");
            assert_eq!(alert["proto"], "TCP");
            let at = alert["timestamp"].as_str().expect("a time");
            assert!(at.ends_with("+0000") && at.len() == 31, "{at}");
            let inner = &alert["alert"];
            assert_eq!((&inner["action"], &inner["gid"]), (&"allowed".into(), &1.into()));
            assert!(inner["severity"].as_u64().is_some_and(|s| (1..=3).contains(&s)), "{inner}");
            let signature = inner["signature"].as_str().expect("a name");
            assert!(signature.starts_with("PHITAP patient data in cleartext over "), "{signature}");
            assert!(!alert["phi"]["remedies"].as_array().expect("a list").is_empty());
        }
    }

    #[test]
    fn findings_of_a_flow_share_its_number_and_show_no_value() {
        let lines = lines(&events());
        let findings: Vec<&Value> =
            lines.iter().filter(|l| l["event_type"] == "phi_finding").collect();
        assert_eq!(findings.len(), 14);
        for finding in &findings {
            let same = findings.iter().filter(|f| f["community_id"] == finding["community_id"]);
            assert!(same.into_iter().all(|f| f["flow_id"] == finding["flow_id"]));
            assert!(finding["phi"]["patient"].as_str().is_some_and(|p| p.starts_with("p_")));
            assert!(!finding.to_string().contains("M*****"), "no value, not even masked");
        }
    }

    #[test]
    fn losses_are_where_dashboards_for_suricata_look() {
        let lines = lines(&busy());
        let stats = lines.last().expect("a run");
        assert_eq!(stats["event_type"], "stats");
        assert_eq!(stats["stats"]["capture"]["kernel_drops"], 6);
        assert_eq!(stats["stats"]["decoder"]["pkts"], 12_300);
        assert!(lines.iter().any(|l| l["phi"]["patients"].as_u64().is_some_and(|n| n > 10)));
    }
}
