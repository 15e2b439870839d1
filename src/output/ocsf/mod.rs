//! `--format ocsf`: Open Cybersecurity Schema Framework 1.4, one JSON object per line.
//!
//! Findings and exposures are Data Security Findings (2006), assets and services Device Inventory
//! Info (5001), the run is a Scan Activity (6007). Identifiers go as types and counts
//! (`discovery_details`), without values; what OCSF has no name for goes to `unmapped`.

mod model;

use super::{Context, Format, Output, RunSummary, SensorStatus, community_id, json, sentence};
use crate::exposure as x;
use crate::protocol::service::FamilyFacts;
use crate::protocol::{Role, ServiceFacts};
use crate::time::Timestamp;
use model::*;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

#[cfg(test)]
mod tests;

pub(in crate::output) const FORMAT: Format = Format {
    name: "ocsf",
    aliases: &[],
    about: "one JSON event a line, Open Cybersecurity Schema Framework 1.4",
    open: |writer, context| Box::new(Ocsf { lines: json::Lines::new(writer), context }),
};

struct Ocsf {
    lines: json::Lines,
    context: Context,
}

/// The event with the id of the key, if there is one.
fn with_key<'a>(mut event: Event<'a>, context: &'a Context) -> Event<'a> {
    if let Some(unmapped) = &mut event.unmapped {
        unmapped.key_id = Some(&*context.key_id).filter(|id| !id.is_empty());
    }
    event
}

impl Output for Ocsf {
    fn event(&mut self, event: &x::Event) -> io::Result<()> {
        let Self { lines, context } = self;
        let shape = match event {
            x::Event::Finding { event, severity, direction, exposure, .. } => {
                finding(event, *severity, *direction, *exposure, context)
            }
            x::Event::Patients(list) => patients(list, context),
            x::Event::Exposure(exposure) => self::exposure(exposure, context),
            x::Event::Asset(asset) => self::asset(asset, context),
            x::Event::Service(service) => self::service(service, context),
        };
        lines.write(&with_key(Event { message: sentence::of_event(event), ..shape }, context))
    }

    fn status(&mut self, so_far: &RunSummary, sensor: &SensorStatus) -> io::Result<bool> {
        let Self { lines, context } = self;
        lines.write(&with_key(status(so_far, sensor, context), context)).map(|()| true)
    }

    fn finish(&mut self, summary: &RunSummary) -> io::Result<()> {
        let Self { lines, context } = self;
        lines.write(&with_key(run(summary, context), context))?;
        lines.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lines.flush()
    }
}

const CREATE: u32 = 1;
/// Also for an exposure that went quiet, and when the run ends: "Close" would mean to a SIEM that it is gone.
const UPDATE: u32 = 2;
const OTHER: u32 = 99;

fn finding<'a>(
    d: &'a x::FindingEvent,
    score: u8,
    direction: x::NetworkDirection,
    exposure: x::EventId,
    context: &'a Context,
) -> Event<'a> {
    let finding = &d.finding;
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut confidence = 0f32;
    for identifier in finding.identifiers.iter() {
        *kinds.entry(identifier.kind.as_str()).or_default() += 1;
        confidence = confidence.max(identifier.confidence);
    }
    let activity = if finding.update { UPDATE } else { CREATE };
    let interface = context.interfaces.get(usize::from(d.flow.interface));
    Event {
        is_alert: Some(false),
        status_id: Some(1),
        confidence_score: Some((confidence.clamp(0.0, 1.0) * 100.0).round() as u8),
        count: Some(d.records),
        start_time: Some(d.flow.started.unix_millis()),
        end_time: Some(finding.time.unix_millis()),
        finding_info: Some(FindingInfo {
            uid: d.id.to_string(),
            title: &finding.alert.name,
            types: ["phi-finding"],
            first_seen_time: d.flow.started.unix_millis(),
            last_seen_time: finding.time.unix_millis(),
            related_events: vec![RelatedEvent { uid: exposure.to_string() }],
        }),
        data_security: Some(data_security(kinds, Some(&finding.alert))),
        src_endpoint: Some(Endpoint {
            interface_name: interface.map(|name| &**name),
            ..endpoint(d.flow.client.ip(), Some(d.flow.client.port()))
        }),
        dst_endpoint: Some(service_endpoint(d.flow.server, d.protocol)),
        unmapped: Some(Unmapped {
            patient: Some(format!("p_{}", finding.patient)),
            operations: Some(vec![&*finding.operation]).filter(|o| o != &[""]),
            carrier: Some(&finding.carrier),
            direction: Some(finding.direction.as_str()),
            network_direction: Some(direction.as_str()),
            community_id: Some(community_id(&d.flow)),
            transport: Some(d.flow.transport.as_str()),
            ..facts(&d.finding.facts)
        }),
        ..event(2, 2006, activity, finding.time, score, context)
    }
}

/// Patients of a busy service: how many show which kinds, and who they are.
fn patients<'a>(list: &'a x::PatientList, context: &'a Context) -> Event<'a> {
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    for group in &list.groups {
        for kind in group.kinds.iter() {
            *kinds.entry(kind.as_str()).or_default() += group.patients.len() as u64;
        }
    }
    let tokens = list.groups.iter().flat_map(|group| &group.patients);
    let related = list.exposure.map(|id| RelatedEvent { uid: id.to_string() });
    Event {
        is_alert: Some(false),
        status_id: Some(1),
        count: Some(list.records),
        start_time: Some(list.first.unix_millis()),
        end_time: Some(list.last.unix_millis()),
        finding_info: Some(FindingInfo {
            uid: list.id.to_string(),
            title: "Further patients in cleartext",
            types: ["phi-finding"],
            first_seen_time: list.first.unix_millis(),
            last_seen_time: list.last.unix_millis(),
            related_events: related.into_iter().collect(),
        }),
        data_security: Some(data_security(kinds, None)),
        src_endpoint: list.client.map(|client| endpoint(client, None)),
        dst_endpoint: Some(service_endpoint(list.server, list.protocol)),
        unmapped: Some(Unmapped {
            patients: Some(list.patients),
            patient_tokens: tokens.map(|token| format!("p_{token}")).collect(),
            network_direction: list.direction.map(x::NetworkDirection::as_str),
            transport: Some(list.transport.as_str()),
            ..Unmapped::default()
        }),
        ..event(2, 2006, CREATE, list.last, list.severity, context)
    }
}

fn exposure<'a>(e: &'a x::Exposure, context: &'a Context) -> Event<'a> {
    let activity = match e.state {
        x::ExposureState::Open => CREATE,
        x::ExposureState::Update
        | x::ExposureState::Returned
        | x::ExposureState::Idle
        | x::ExposureState::Ended => UPDATE,
    };
    let kinds = e.kinds.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
    Event {
        is_alert: Some(true),
        status_id: Some(1),
        count: Some(e.findings),
        start_time: Some(e.first.unix_millis()),
        end_time: Some(e.last.unix_millis()),
        finding_info: Some(FindingInfo {
            uid: e.id.to_string(),
            title: "Patient data exposed in cleartext",
            types: ["phi-exposure"],
            first_seen_time: e.first.unix_millis(),
            last_seen_time: e.last.unix_millis(),
            related_events: Vec::new(),
        }),
        data_security: Some(data_security(kinds, None)),
        src_endpoint: Some(endpoint(e.client, None)),
        dst_endpoint: Some(service_endpoint(e.server, e.protocol)),
        unmapped: Some(Unmapped {
            patients: Some(e.patients.value),
            patients_estimated: Some(e.patients.estimate),
            records: Some(e.records),
            flows: Some(e.flows),
            state: Some(e.state.as_str()),
            operations: Some(e.operations.iter().map(|o| &**o).collect()),
            network_direction: Some(e.direction.as_str()),
            transport: Some(e.transport.as_str()),
            answers: answers(&e.access),
            ..facts(&e.facts)
        }),
        ..event(2, 2006, activity, e.time, e.severity, context)
    }
}

/// Discovery, Device Inventory Info, Collect.
fn inventory<'a>(
    time: Timestamp,
    address: IpAddr,
    device: Device,
    context: &'a Context,
) -> Event<'a> {
    Event {
        device: Some(Device { ip: address, first_seen_time: time.unix_millis(), ..device }),
        ..event(5, 5001, 2, time, 0, context)
    }
}

fn asset<'a>(a: &'a x::Asset, context: &'a Context) -> Event<'a> {
    use Role::{DicomClient, Hl7Sender, Modality};
    // Nothing else is known of a client; "server" (1) would be a guess.
    let type_id = if matches!(a.role, Modality | DicomClient | Hl7Sender) { 0 } else { 1 };
    let device = Device { type_id, ..Device::new(a.address) };
    let mut event = inventory(a.time, a.address, device, context);
    event.metadata.uid = Some(a.id.to_string());
    event.unmapped = Some(Unmapped {
        role: Some(a.role.as_str()),
        protocol: Some(a.protocol),
        ..Unmapped::default()
    });
    event
}

fn service<'a>(s: &'a x::Service, context: &'a Context) -> Event<'a> {
    let device = Device { type_id: 1, ..Device::new(s.server.ip()) };
    let mut event = inventory(s.time, s.server.ip(), device, context);
    event.metadata.uid = Some(s.id.to_string());
    event.unmapped = Some(Unmapped {
        port: Some(s.server.port()),
        protocol: Some(s.protocol),
        transport: Some(s.transport.as_str()),
        ..facts(&s.facts)
    });
    event
}

/// Application Activity, Scan Activity, Completed.
fn run<'a>(r: &'a RunSummary, context: &'a Context) -> Event<'a> {
    let end = r.ended.or(r.started).unwrap_or(Timestamp(0));
    Event {
        message: sentence::of_run(r),
        start_time: r.started.map(Timestamp::unix_millis),
        end_time: r.ended.map(Timestamp::unix_millis),
        scan: Some(Scan { name: "phitap", type_id: 1 }),
        num_files: Some(r.inputs.len() as u64),
        num_detections: Some(r.findings),
        num_network_items: Some(r.flows),
        num_skipped_items: Some(r.packets_skipped().saturating_add(r.packets_dropped())),
        total: Some(r.packets_read),
        unmapped: Some(Unmapped {
            patients: Some(r.patients.value),
            patients_estimated: Some(r.patients.estimate),
            packets_skipped: Some(&r.skipped),
            packets_dropped: Some(&r.dropped),
            gap_bytes: Some(r.gap_bytes),
            coverage: Some(r.verdict().as_str()),
            interrupted: r.interrupted.is_some().then_some(true),
            findings_suppressed: Some(r.suppressed.iter().map(|s| s.findings).sum()),
            reveal: r.reveal.then_some(true),
            faulty_inputs: Some(
                r.inputs.iter().filter(|i| i.fault.is_some()).map(|i| i.name.as_str()).collect(),
            ),
            ..Unmapped::default()
        }),
        ..event(6, 6007, 2, end, 0, context)
    }
}

/// Application Activity, Scan Activity, Other: the scan continues.
fn status<'a>(so_far: &'a RunSummary, sensor: &'a SensorStatus, context: &'a Context) -> Event<'a> {
    let Event { unmapped, .. } = run(so_far, context);
    let unmapped = Unmapped {
        ready: Some(sensor.ready),
        problems: sensor.problems.iter().map(|p| p.check.as_str()).collect(),
        uptime_seconds: Some(sensor.uptime as u64),
        ..unmapped.unwrap_or_default()
    };
    Event {
        activity_name: Some("Status"),
        unmapped: Some(unmapped),
        ..Event {
            activity_id: OTHER,
            type_uid: 600_700 + OTHER,
            time: sensor.time.unix_millis(),
            ..run(so_far, context)
        }
    }
}

fn event<'a>(
    category_uid: u32,
    class_uid: u32,
    activity_id: u32,
    time: Timestamp,
    score: u8,
    context: &'a Context,
) -> Event<'a> {
    let severity_id = match (score, crate::severity::Severity::of(score)) {
        (0, _) => 1,
        (_, crate::severity::Severity::Low) => 2,
        (_, crate::severity::Severity::Medium) => 3,
        (_, crate::severity::Severity::High) => 4,
        (_, crate::severity::Severity::Critical) => 5,
    };
    Event {
        activity_id,
        category_uid,
        class_uid,
        type_uid: class_uid * 100 + activity_id,
        severity_id,
        time: time.unix_millis(),
        metadata: Metadata {
            version: "1.4.0",
            uid: None,
            log_provider: context.sensor.as_deref(),
            product: Product {
                name: "phitap",
                vendor_name: "phitap",
                version: env!("CARGO_PKG_VERSION"),
            },
        },
        ..Event::default()
    }
}

fn data_security<'a>(
    kinds: BTreeMap<&'static str, u64>,
    rule: Option<&'a crate::rules::AlertRule>,
) -> DataSecurity<'a> {
    DataSecurity {
        category_id: 1,
        category: "Personal",
        data_lifecycle_state_id: 2,
        data_lifecycle_state: "Data in-Transit",
        policy: rule.map(|rule| Policy { uid: &rule.id, name: &rule.name }),
        discovery_details: kinds
            .into_iter()
            .map(|(kind, count)| Discovery { kind, count })
            .collect(),
    }
}

fn endpoint<'a>(ip: IpAddr, port: Option<u16>) -> Endpoint<'a> {
    Endpoint { ip, port, svc_name: None, interface_name: None }
}

fn service_endpoint<'a>(address: SocketAddr, protocol: &'a str) -> Endpoint<'a> {
    Endpoint { svc_name: Some(protocol), ..endpoint(address.ip(), Some(address.port())) }
}

/// Which clients a service answers, if proven.
fn answers(access: &x::Access) -> Option<&'static str> {
    Some(access.answers()).filter(|a| *a != x::Answers::Unproven).map(x::Answers::as_str)
}

fn facts(f: &ServiceFacts) -> Unmapped<'_> {
    Unmapped {
        authentication: Some(f.authentication.as_str()),
        credentials_in_clear: Some(f.credentials_in_clear),
        open_interfaces: f.interfaces.iter().filter(|i| i.open).map(|i| i.kind.as_str()).collect(),
        names: Names(f.families().map(FamilyFacts::ends).collect()),
        software: f.software.as_deref(),
        ..Unmapped::default()
    }
}
