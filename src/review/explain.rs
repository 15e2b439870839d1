//! `phitap explain`: shows everything about an exposure, finding, patient, service, host or rule.

use super::source::{self, Evidence, Exposure, Filter, Patient, PatientObservation, Results};
use super::{Answer, Explain, ReviewError, report_losses};
use crate::output::text::{count, foreign, number};
use crate::protocol::announces_flows;
use crate::rules::{RuleSet, show_text};
use crate::severity::Severity;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;
use std::net::IpAddr;

/// Longest line of facts, characters.
const WIDTH: usize = 400;
/// Most patients of an exposure, and exposures of a patient, that are listed.
const MAX_LISTED: usize = 50;

pub(super) fn answer(
    explain: &Explain,
    out: &mut dyn Write,
    note: &mut dyn FnMut(String),
) -> Result<Answer, ReviewError> {
    let mut page = Page::default();
    let mut answer = Answer::Done;
    if let Some(path) = &explain.source {
        // Fingerprints and tokens are the same in all runs, ids of events are those of one.
        let of_all_runs =
            ["x_", "p_"].iter().any(|of| explain.id.to_ascii_lowercase().starts_with(of));
        let read = if of_all_runs { source::read_joined } else { source::read };
        let results = read(path, &Filter::default())?;
        answer = report_losses(path, &results.losses, note);
        everything(&explain.id, &results, &mut page);
    }
    if page.0.is_empty() {
        let rules = RuleSet::load(explain.rules.as_deref())?;
        if let Some(text) = show_text(&rules, &explain.id) {
            page.0 = text;
        }
    }
    if page.0.is_empty() {
        let id = foreign(&explain.id, 64);
        return Err(ReviewError::Unknown(match &explain.source {
            Some(path) => {
                format!("{} holds no event {id}, and there is no such rule", path.display())
            }
            None => format!(
                "there is no rule {id}; for an event, name the store or the events that hold it: phitap \
                 explain {id} STORE"
            ),
        }));
    }
    out.write_all(page.0.as_bytes())?;
    Ok(answer)
}

/// Output lines.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        let _ = writeln!(self.0, "{}", foreign(text, WIDTH));
    }

    fn line(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            let _ = writeln!(self.0, "  {name:<22}{}", foreign(text, WIDTH));
        }
    }
}

fn everything(id: &str, results: &Results, page: &mut Page) {
    let is = |of: &str| of.eq_ignore_ascii_case(id);
    for (at, e) in results.exposures.iter().enumerate() {
        if is(&e.id) || e.fingerprint.as_deref().is_some_and(is) {
            exposure(results, at, e, page);
        }
    }
    for patient in &results.patients {
        let whole = is(&patient.token);
        let seen: Vec<&PatientObservation> =
            patient.seen.iter().filter(|seen| whole || is(&seen.id)).collect();
        if !seen.is_empty() {
            self::patient(results, patient, &seen, page);
        }
    }
    for service in results.services.iter().filter(|s| is(&s.id)) {
        page.head(&format!("Service {} ({})", service.server, service.protocol));
        page.line("Login", &service.authentication);
        page.line("Open", if service.open { "it answers anyone" } else { "" });
        facts(&service.event, page);
    }
    for asset in results.assets.iter().filter(|a| is(&a.id)) {
        page.head(&format!("Host {}", asset.ip));
        page.line("Role", &asset.role);
        page.line("Proved by", &asset.protocol);
        page.line("First seen", &asset.time.to_string());
    }
}

fn exposure(results: &Results, at: usize, e: &Exposure, page: &mut Page) {
    page.head(&format!(
        "Exposure {}: {} {}, {} -> {}, {} over {}",
        e.id,
        Severity::of(e.severity).as_str(),
        e.severity,
        e.client,
        e.server,
        e.protocol,
        e.transport
    ));
    let text = |pointer: &str| e.event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    page.line("Why", text("/event/reason"));
    let remedies = e.event.pointer("/phi/exposure/remedies").and_then(Value::as_array);
    for remedy in remedies.into_iter().flatten().filter_map(Value::as_str) {
        page.line("To do", remedy);
    }
    let (low, high) = e.patients_bounds;
    let bounds = if low == high {
        String::new()
    } else {
        format!(" (between {} and {})", number(low), number(high))
    };
    page.line(
        "Seen",
        &format!(
            "{}{bounds}, {} in {}, {} to {}",
            count(e.patients, "patient"),
            count(e.records, "record"),
            count(e.flows, "flow"),
            e.first,
            e.last
        ),
    );
    let kinds: Vec<String> = e.kinds.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
    page.line("Shows", &kinds.join(", "));
    page.line("Operations", &e.operations.join(", "));
    page.line("Marks", &e.marks.join(", "));
    page.line("Direction", &e.direction);
    page.line("State", &e.state);
    page.line("Fingerprint", e.fingerprint.as_deref().unwrap_or_default());
    for at in e.runs().collect::<BTreeSet<usize>>().into_iter().take(MAX_LISTED) {
        let Some(run) = results.runs.get(at) else { continue };
        let sensor = if run.sensor.is_empty() { "no name" } else { &run.sensor };
        page.line("Run", &format!("{} of sensor {sensor}, key {}", at + 1, run.key_id));
    }
    evidence(e.evidence.as_ref(), &e.community_id, page);
    page.line("Wireshark", &display_filter(e));
    facts(&e.event, page);
    let with = |p: &&Patient| p.seen.iter().any(|seen| seen.exposure == Some(at));
    let tokens: Vec<&str> =
        results.patients.iter().filter(with).map(|p| p.token.as_str()).collect();
    let listed: Vec<&str> = tokens.iter().copied().take(MAX_LISTED).collect();
    for line in listed.chunks(4) {
        page.line("Patients", &line.join(" "));
    }
    if tokens.len() > listed.len() {
        page.line("", &format!("and {} more", tokens.len() - listed.len()));
    }
    let rules: BTreeSet<&str> = results
        .patients
        .iter()
        .flat_map(|p| &p.seen)
        .filter(|seen| seen.exposure == Some(at) && !seen.rule.is_empty())
        .map(|seen| seen.rule.as_str())
        .collect();
    page.line("Rules", &rules.into_iter().collect::<Vec<_>>().join(", "));
}

/// A Wireshark display filter for the flows of an exposure. Announced files cross at other ports.
fn display_filter(e: &Exposure) -> String {
    let name = |ip: &IpAddr| if ip.is_ipv4() { "ip" } else { "ipv6" };
    let over = if e.transport == "udp" { "udp" } else { "tcp" };
    let flows = match announces_flows(&e.protocol) {
        true => over.to_owned(),
        false => format!("{over}.port == {}", e.server.port()),
    };
    let (client, server) = (name(&e.client), name(&e.server.ip()));
    format!("{client}.addr == {} && {server}.addr == {} && {flows}", e.client, e.server.ip())
}

fn evidence(of: Option<&Evidence>, community_id: &str, page: &mut Page) {
    if let Some(of) = of {
        let last = if of.file == of.last_file {
            format!("{}", of.last_packet)
        } else {
            format!("{} of {}", of.last_packet, of.last_file)
        };
        page.line("Evidence", &format!("{}, packets {} to {last}", of.file, of.first_packet));
        page.line("Jump", &format!("frame.number == {}", of.first_packet));
    }
    page.line("Flow", community_id);
}

fn patient(results: &Results, patient: &Patient, seen: &[&PatientObservation], page: &mut Page) {
    page.head(&format!("Patient {}", patient.token));
    page.line(
        "Seen",
        &format!("{}, {} to {}", count(patient.records, "record"), patient.first, patient.last),
    );
    page.line("Shows", &patient.kinds.join(", "));
    for i in &patient.identifiers {
        let token = i.token.as_deref().unwrap_or_default();
        page.line("", &format!("{} {} in {} {token}", i.kind, i.value, i.field));
    }
    for seen in seen.iter().take(MAX_LISTED) {
        let exposure = seen.exposure.and_then(|at| results.exposures.get(at));
        let between = exposure
            .map(|e| format!("{} -> {} ({}), exposure {}", e.client, e.server, e.protocol, e.id))
            .unwrap_or_default();
        page.line(
            "Finding",
            &format!("{} severity {}, rule {}", seen.id, seen.severity, seen.rule),
        );
        page.line("  between", &between);
        page.line(
            "  how",
            &format!("{} {} ({})", seen.operation, seen.direction, seen.carrier.join(" > ")),
        );
        page.line("  when", &format!("{} to {}", seen.first, seen.last));
        evidence(seen.evidence.as_ref(), &seen.community_id, page);
    }
    if seen.len() > MAX_LISTED {
        page.line("", &format!("and {} more findings", seen.len() - MAX_LISTED));
    }
}

/// The service facts in an event, one per line.
fn facts(event: &Value, page: &mut Page) {
    for part in ["service", "dicom"] {
        let of = event.pointer(&format!("/phi/{part}")).and_then(Value::as_object);
        for (name, value) in of.into_iter().flatten() {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            page.line(name, &text);
        }
    }
}
