//! Builds events from the output of the exposure stage.

use super::cut::Cut;
use super::dicom;
use super::model::*;
use super::summary::SummaryPart;
use crate::capture;
use crate::config::Detail;
use crate::content::{Evidence, Mark};
use crate::exposure as x;
use crate::identify as i;
use crate::output::remedy::{Remedy, reason};
use crate::output::summary::Overview;
use crate::output::{self, Context, RunSummary, SensorStatus, community_id, sentence};
use crate::protocol::ServiceFacts;
use crate::protocol::service::FactList;
use crate::rules::Kind;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Confidence that needs no mention.
const CERTAIN: f32 = 0.95;
/// Confidence below which a folded finding names it.
const DOUBTFUL: f32 = 0.5;

/// Open services and clients of many services listed in the run summary, each.
const MAX_VIEWED: usize = 100;

/// Faulty inputs listed in the run summary.
const MAX_FAULTS: usize = 1_000;

/// An event; for an exposure, lists and texts are cut.
pub(super) fn event<'a>(event: &'a x::Event, cut: Cut, context: &'a Context) -> Event<'a> {
    let shape = match event {
        x::Event::Finding { event, severity, direction, exposure, .. } => {
            self::finding(event, *severity, *direction, *exposure, context)
        }
        x::Event::Patients(list) => patients(list, context),
        x::Event::Exposure(exposure) => self::exposure(exposure, cut, context),
        x::Event::Asset(asset) => self::asset(asset, context),
        x::Event::Service(service) => self::service(service, context),
    };
    if matches!(event, x::Event::Finding { .. }) && context.detail != Detail::Flows {
        return lean(shape);
    }
    Event { message: sentence::of_event(event), related: related(&shape), ..shape }
}

/// A finding without what its exposure shows for all of them.
fn lean(mut finding: Event<'_>) -> Event<'_> {
    (finding.event.module, finding.observer.kind) = (None, None);
    finding
}

/// Every address once.
fn related(event: &Event<'_>) -> Option<Related> {
    let ends = [&event.client, &event.server].into_iter().flatten().map(|end| end.ip);
    let mut ip: Vec<IpAddr> = ends.chain(event.host.iter().flat_map(|host| host.ip)).collect();
    ip.dedup();
    (!ip.is_empty()).then_some(Related { ip })
}

fn finding<'a>(
    d: &'a x::FindingEvent,
    severity: u8,
    direction: x::NetworkDirection,
    exposure: x::EventId,
    context: &'a Context,
) -> Event<'a> {
    let finding = &d.finding;
    Event {
        client: Some(end(d.flow.client)),
        server: Some(end(d.flow.server)),
        network: Some(Network {
            transport: Some(d.flow.transport.as_str()),
            protocol: d.protocol,
            application: None,
            community_id: Some(community_id(&d.flow)),
            direction: Some(direction.as_str()),
            vlan: vlan(d.flow.vlan),
            inner: vlan(d.flow.inner_vlan).map(|vlan| InnerNetwork { vlan }),
        }),
        rule: Some(Rule { id: &finding.alert.id }),
        phi: Phi {
            operation: filled(&finding.operation),
            carrier: Some(&finding.carrier),
            direction: Some(finding.direction.as_str()),
            records: Some(d.records),
            evidence: packets(finding.packets, context),
            clients: (d.clients > 1).then_some(d.clients),
            patient: Some(patient(d, context)),
            marks: marks(finding.marks.iter()),
            exposure: Some(Exposure { id: Text(exposure), detail: None }),
            ..Phi::default()
        },
        ..blank(
            finding.time,
            Meta {
                severity: Some(severity),
                start: earlier(finding.packets.first.time, finding.time),
                ..meta(EVENT, "phi-finding", "phitap.finding", Some(d.id))
            },
            observer(context, Some(d.flow.interface)),
        )
    }
}

fn vlan(id: u16) -> Option<Vlan> {
    (id != 0).then_some(Vlan { id: Text(id) })
}

fn patient<'a>(d: &'a x::FindingEvent, context: &Context) -> Patient<'a> {
    let lean = context.detail != Detail::Flows;
    let all = &d.finding.identifiers;
    // The mask of a sex or an address adds nothing to its kind.
    let shown = |i: &&i::Identifier| !lean || !i.shown.masked() || is_informative(i.kind);
    let identifiers: Vec<Identifier<'_>> =
        all.iter().filter(shown).map(|i| identifier(i, lean)).collect();
    let mut kinds: Vec<Kind> = Vec::new();
    for i in all.iter().filter(|i| !shown(i)) {
        if !kinds.contains(&i.kind) {
            kinds.push(i.kind);
        }
    }
    Patient {
        token: Prefixed("p_", d.finding.patient),
        same_as: d.person.map(|person| Prefixed("p_", person)),
        identifiers,
        kinds,
    }
}

/// Whether the mask of a value still helps to distinguish people.
const fn is_informative(kind: Kind) -> bool {
    kind.is_number_or_name() || matches!(kind, Kind::BirthDate | Kind::DeathDate)
}

fn patients<'a>(list: &'a x::PatientList, context: &'a Context) -> Event<'a> {
    let prefixed =
        |prefix, tokens: &[i::Token]| tokens.iter().map(|token| Prefixed(prefix, *token)).collect();
    let group = |group: &x::PatientGroup| PatientGroup {
        kinds: group.kinds.iter().collect(),
        tokens: prefixed("p_", &group.patients),
        numbers: prefixed("i_", &group.numbers),
    };
    Event {
        client: list.client.map(|ip| End { ip, port: None }),
        server: Some(end(list.server)),
        network: Some(Network {
            transport: Some(list.transport.as_str()),
            protocol: list.protocol,
            application: None,
            community_id: None,
            direction: list.direction.map(x::NetworkDirection::as_str),
            vlan: None,
            inner: None,
        }),
        phi: Phi {
            records: Some(list.records),
            evidence: packets(list.packets, context),
            clients: (list.clients > 1).then_some(list.clients),
            patients: list.groups.iter().map(group).collect(),
            marks: marks(list.marks.iter().copied()),
            exposure: list.exposure.map(|id| Exposure { id: Text(id), detail: None }),
            ..Phi::default()
        },
        ..blank(
            list.last,
            Meta {
                severity: Some(list.severity),
                start: earlier(list.first, list.last),
                ..meta(EVENT, "phi-finding", "phitap.finding", Some(list.id))
            },
            observer(context, None),
        )
    }
}

/// When it began, if it was not complete at once.
fn earlier(start: Timestamp, end: Timestamp) -> Option<Text<Timestamp>> {
    (start < end).then_some(Text(start))
}

/// Where an analyst finds the packets; a live capture has no file.
fn packets(span: capture::PacketSpan, context: &Context) -> Option<PacketSpan<'_>> {
    let name = |packet: capture::PacketRef| context.files.get(usize::from(packet.interface));
    let (file, last) = (name(span.first)?, name(span.last)?);
    Some(PacketSpan {
        file,
        first_packet: span.first.number,
        last_file: (span.last.interface != span.first.interface).then_some(last),
        last_packet: span.last.number,
    })
}

/// An event with no further fields.
fn blank(timestamp: Timestamp, event: Meta, observer: Observer<'_>) -> Event<'_> {
    Event {
        timestamp,
        message: String::new(),
        ecs: Version { version: "8.17" },
        event,
        observer,
        related: None,
        host: None,
        client: None,
        server: None,
        network: None,
        rule: None,
        phi: Phi::default(),
    }
}

fn exposure<'a>(e: &'a x::Exposure, cut: Cut, context: &'a Context) -> Event<'a> {
    let meta = Meta {
        severity: Some(e.severity),
        reason: Some(reason(e)),
        start: Some(Text(e.first)),
        end: Some(Text(e.last)),
        ..meta(ALERT, "phi-exposure", "phitap.exposure", Some(e.id))
    };
    Event {
        client: Some(End { ip: e.client, port: None }),
        server: Some(end(e.server)),
        network: Some(Network {
            transport: Some(e.transport.as_str()),
            protocol: e.protocol,
            application: e.facts.application.as_deref(),
            community_id: Some(community_id(&e.first_flow)),
            direction: Some(e.direction.as_str()),
            vlan: None,
            inner: None,
        }),
        phi: Phi {
            marks: marks(e.marks.iter().copied()),
            evidence: packets(e.packets, context),
            service: Some(facts(&e.facts, &e.access, cut)),
            dicom: dicom::of_exposure(e, cut),
            exposure: Some(Exposure {
                id: Text(e.id),
                detail: Some(ExposureDetail {
                    fingerprint: Prefixed("x_", e.fingerprint),
                    state: e.state.as_str(),
                    severity: crate::severity::Severity::of(e.severity).as_str(),
                    patients: e.patients.value,
                    patients_estimated: e.patients.estimate,
                    patients_bounds: bounds(e.patients),
                    findings: e.findings,
                    records: e.records,
                    flows: e.flows,
                    operations: cut.texts(e.operations.iter().map(|o| &**o)).collect(),
                    shortened: cut.list < usize::MAX,
                    identifiers: e.kinds.iter().map(|(k, n)| (k.as_str(), *n)).collect(),
                    remedies: Remedy::of(e).into_iter().map(Remedy::as_str).collect(),
                    coverage: (!e.losses.is_empty() || e.uncaptured > 0).then_some(
                        ExposureCoverage {
                            gap_bytes: e.losses.gap_bytes,
                            cut_bytes: e.losses.cut_bytes,
                            directions_given_up: e.losses.directions,
                            shed_packets: e.losses.shed_packets,
                            uncaptured_packets: e.uncaptured,
                        },
                    ),
                }),
            }),
            key_id: &context.key_id,
            ..Phi::default()
        },
        ..blank(e.time, meta, observer(context, None))
    }
}

fn asset<'a>(a: &'a x::Asset, context: &'a Context) -> Event<'a> {
    let meta = meta(ASSET, "asset-seen", "phitap.asset", Some(a.id));
    Event {
        host: Some(Host { ip: [a.address], name: a.names.first().map(String::as_str) }),
        network: Some(Network {
            transport: None,
            protocol: a.protocol,
            application: None,
            community_id: None,
            direction: None,
            vlan: None,
            inner: None,
        }),
        phi: Phi {
            asset: Some(Asset { role: a.role.as_str(), names: &a.names }),
            key_id: &context.key_id,
            ..Phi::default()
        },
        ..blank(a.time, meta, observer(context, None))
    }
}

fn service<'a>(s: &'a x::Service, context: &'a Context) -> Event<'a> {
    let meta = meta(ASSET, "service-seen", "phitap.service", Some(s.id));
    Event {
        server: Some(end(s.server)),
        network: Some(Network {
            transport: Some(s.transport.as_str()),
            protocol: s.protocol,
            application: s.facts.application.as_deref(),
            community_id: None,
            direction: None,
            vlan: None,
            inner: None,
        }),
        phi: Phi {
            service: Some(facts(&s.facts, &s.access, Cut::NONE)),
            proofs: dicom::proofs(s, context),
            dicom: dicom::of_service(s),
            key_id: &context.key_id,
            ..Phi::default()
        },
        ..blank(s.time, meta, observer(context, None))
    }
}

fn input_file(input: &output::InputReport) -> Option<InputFile<'_>> {
    Some(InputFile { name: &input.name, sha256: input.sha256.as_deref()? })
}

pub(super) fn run<'a>(r: &'a RunSummary, overview: &Overview, context: &'a Context) -> Event<'a> {
    let (open_services, scanners) = views(overview);
    let faulty = r.inputs.iter().filter_map(|i| {
        let fault = i.fault.as_deref()?;
        Some(FaultyInput { name: &i.name, fault })
    });
    let mut opaque: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for ((protocol, reason), n) in &r.opaque {
        opaque.entry(*protocol).or_default().insert(reason.as_str(), *n);
    }
    let mut records: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for ((protocol, content), n) in &r.records {
        records.entry(*protocol).or_default().insert(*content, *n);
    }
    let messages = r.messages.iter();
    let messages = messages.map(|(&(protocol, of), &count)| Messages { protocol, of, count });
    // A run without packets has no packet time.
    let time = r.ended.or(r.started).unwrap_or(Timestamp(0));
    Event {
        message: sentence::of_run(r),
        phi: Phi {
            run: Some(Box::new(Run {
                started: r.started.map(Text),
                ended: r.ended.map(Text),
                packets: Packets {
                    read: r.packets_read,
                    decoded: r.packets_decoded,
                    cut: r.packets_cut,
                    skipped: &r.skipped,
                    dropped: &r.dropped,
                    lost: &r.lost,
                    ring_freezes: r.ring_freezes,
                },
                bytes: r.bytes_read,
                coverage: coverage(r),
                flows: Flows {
                    total: r.flows,
                    unrecognised: r.unrecognised_flows,
                    unrecognised_bytes: r.unrecognised_bytes,
                    half_recognised: r.half_recognised_flows,
                    begun_before: r.begun_before,
                    unended: r.unended,
                    given_up: r.evicted_flows,
                    encrypted: r.encrypted_flows,
                    encrypted_bytes: r.encrypted_bytes,
                },
                streams: Streams {
                    recognised: &r.streams,
                    opaque,
                    gap_bytes: r.gap_bytes,
                    cut_bytes: r.cut_bytes,
                    overlap_conflicts: r.overlap_conflicts,
                },
                records,
                messages: messages.collect(),
                identifiers: r.identifiers.iter().map(|(k, n)| (k.as_str(), *n)).collect(),
                findings: r.findings,
                exposures: r.exposures,
                patients: r.patients.value,
                patients_estimated: r.patients.estimate,
                patients_bounds: bounds(r.patients),
                suppressions: r.suppressed.iter().map(suppression).collect(),
                open_services,
                scanners,
                inputs: Inputs {
                    total: r.inputs.len(),
                    files: r.inputs.iter().filter_map(input_file).take(MAX_FAULTS).collect(),
                    faulty: faulty.take(MAX_FAULTS).collect(),
                },
                losses: Losses {
                    exposures_ended_early: r.losses.exposures_ended_early,
                    findings_forgotten: r.losses.findings_forgotten,
                    sightings_unreported: r.losses.sightings_unreported,
                    findings_unwritten: r.losses.findings_unwritten,
                },
                reveal: r.reveal,
            })),
            key_id: &r.key_id,
            ..Phi::default()
        },
        ..blank(time, meta(METRIC, "run-summary", "phitap.run", None), observer(context, None))
    }
}

/// The status of a running sensor: the counters of the run summary so far, and its health.
pub(super) fn status<'a>(
    so_far: &'a RunSummary,
    overview: &Overview,
    sensor: &'a SensorStatus,
    context: &'a Context,
) -> Event<'a> {
    let Event { phi, .. } = run(so_far, overview, context);
    Event {
        message: sentence::of_sensor(so_far, sensor),
        phi: Phi { sensor: Some(sensor.into()), ..phi },
        ..blank(
            sensor.time,
            meta(METRIC, "sensor-status", "phitap.status", None),
            observer(context, None),
        )
    }
}

/// A part of the data that can be merged.
pub(super) fn summary<'a>(of: &'a SummaryPart, context: &'a Context) -> Event<'a> {
    Event {
        message: sentence::of_summary(&of.part),
        phi: Phi { summary: Some(&of.part), key_id: &context.key_id, ..Phi::default() },
        ..blank(
            of.time,
            meta(METRIC, "phi-summary", "phitap.summary", None),
            observer(context, None),
        )
    }
}

/// Open services with all their clients, and clients of many services.
fn views(overview: &Overview) -> (Vec<OpenService>, Vec<Scanner>) {
    let open = overview.open().take(MAX_VIEWED).map(|open| OpenService {
        server: end(open.server),
        transport: open.transport.as_str(),
        protocol: open.protocol,
        clients: open.clients,
        severity: open.severity,
    });
    let scanners = overview.clients_of_many().into_iter().take(MAX_VIEWED);
    let scanner = |(ip, services)| Scanner { client: End { ip, port: None }, services };
    (open.collect(), scanners.map(scanner).collect())
}

/// A share to four places, which is as precise as the measurement.
fn rounded(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}

fn coverage(r: &RunSummary) -> Coverage {
    let (payload_bytes, unjudged_bytes) = r.unjudged_bytes();
    let shortfall = |s: output::Shortfall| Shortfall {
        cause: s.cause.as_str(),
        count: s.count,
        bytes: s.bytes,
        text: s.text,
    };
    Coverage {
        verdict: r.verdict().as_str(),
        interrupted: r.interrupted.is_some(),
        interrupted_at: r.interrupted.and_then(|i| i.at).map(rounded),
        payload_bytes,
        unjudged_bytes,
        unjudged_ratio: rounded(output::coverage::ratio(unjudged_bytes, payload_bytes)),
        unjudged_flows: r.unjudged_flows(),
        unjudged: r.shortfalls().into_iter().map(shortfall).collect(),
    }
}

fn bounds(patients: x::Count) -> Option<Bounds> {
    let (low, high) = patients.bounds();
    patients.estimate.then_some(Bounds { low, high })
}

fn suppression(s: &x::Suppressed) -> Suppression<'_> {
    Suppression {
        id: &s.id,
        owner: &s.owner,
        reason: &s.reason,
        expires: Text(s.expires),
        events: s.events,
        findings: s.findings,
        findings_since: s.findings_since,
    }
}

/// `event.kind`, `event.type`.
const ALERT: (&str, &str) = ("alert", "info");
const EVENT: (&str, &str) = ("event", "info");
const ASSET: (&str, &str) = ("asset", "info");
const METRIC: (&str, &str) = ("metric", "info");

fn meta(
    (kind, of): (&'static str, &'static str),
    action: &'static str,
    dataset: &'static str,
    id: Option<x::EventId>,
) -> Meta {
    Meta {
        kind,
        category: Some(["network"]),
        types: Some([of]),
        action,
        module: Some("phitap"),
        dataset,
        id: id.map(Text),
        severity: None,
        reason: None,
        start: None,
        end: None,
    }
}

fn observer(context: &Context, interface: Option<u16>) -> Observer<'_> {
    let name = interface.and_then(|i| context.interfaces.get(usize::from(i)));
    Observer {
        product: "phitap",
        kind: Some("network-monitor"),
        version: Some(env!("CARGO_PKG_VERSION")),
        name: context.sensor.as_deref(),
        ingress: name.map(|name| Ingress { interface: Interface { name } }),
    }
}

fn end(address: SocketAddr) -> End {
    End { ip: address.ip(), port: Some(address.port()) }
}

pub(super) fn identifier(i: &i::Identifier, lean: bool) -> Identifier<'_> {
    // A declared field without contrary evidence needs no words.
    let plain = matches!(i.evidence, Evidence::Declared | Evidence::DeclaredValid)
        && i.confidence >= CERTAIN;
    let is_shown = if lean { i.confidence < DOUBTFUL } else { !plain };
    // A NaN would become null.
    let confidence = if i.confidence.is_nan() { 0.0 } else { i.confidence.clamp(0.0, 1.0) };
    Identifier {
        kind: i.kind,
        value: i.shown.text(),
        masked: Some(i.shown.masked()).filter(|masked| !lean || !masked),
        // Many people share a value of the other kinds: a pseudonym of it identifies no person.
        token: i.kind.is_number_or_name().then_some(Prefixed("i_", i.token)),
        any_issuer: (i.kind.is_number_or_name() && i.unissued != i.token)
            .then_some(Prefixed("i_", i.unissued)),
        field: &i.field,
        confidence: is_shown.then_some(confidence),
        evidence: if plain || lean { &[] } else { i.evidence.slugs() },
    }
}

fn facts<'a>(f: &'a ServiceFacts, access: &x::Access, cut: Cut) -> Service<'a> {
    let (mut facts, mut outcome) = (FactList::default(), FactList::default());
    for family in f.families() {
        family.list(&mut facts);
        family.outcome(&mut outcome);
    }
    Service {
        encrypted: f.tls.is_some(),
        authentication: f.authentication.as_str(),
        credentials_in_clear: f.credentials_in_clear,
        credentials: f.credentials.iter().map(|s| s.as_str()).collect(),
        interfaces: cut
            .list(&f.interfaces)
            .iter()
            .filter(|i| cut.fits(&i.product))
            .map(|i| WebInterface { kind: i.kind.as_str(), product: &i.product, open: i.open })
            .collect(),
        facts: Facts(facts, cut),
        software: f.software.as_deref().filter(|text| cut.fits(text)),
        outcome: Facts(outcome, cut),
        access: dicom::access(access),
    }
}

/// Every record here is about a patient.
fn marks(marks: impl Iterator<Item = Mark>) -> Vec<&'static str> {
    marks.filter(|mark| *mark != Mark::PatientContext).map(Mark::as_str).collect()
}

fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
