//! `phitap explain`: shows everything about an exposure, finding, patient, service, host or rule.

use super::console::NARROW;
use super::source::{self, Evidence, Exposure, Filter, Patient, PatientObservation, Results};
use super::table::plain;
use super::{Answer, Console, Explain, ReviewError, report_losses};
use crate::output::labelled::{Columns, item};
use crate::output::text::{count, foreign, number};
use crate::protocol::announces_flows;
use crate::rules::{RuleSet, details};
use crate::severity::Severity;
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::IpAddr;

/// Longest fact, characters.
const WIDTH: usize = 400;
/// Of a heading, and of the lines below it.
const HEAD: Columns = Columns { indent: 0, column: 0 };
const LINE: Columns = Columns { indent: 2, column: 24 };
/// Of the title of a rule, and of what is known of it.
const TITLE: Columns = Columns { indent: 2, column: 2 };
const FACT: Columns = Columns { indent: 2, column: 13 };
/// Most patients of an exposure, and exposures of a patient, that are listed.
const MAX_LISTED: usize = 50;

pub(super) fn answer(
    explain: &Explain,
    out: &mut Console<'_>,
    note: &mut dyn FnMut(String),
) -> Result<Answer, ReviewError> {
    let mut page = Page { text: String::new(), width: out.width() };
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
    if page.text.is_empty() {
        let rules = RuleSet::load(explain.rules.as_deref())?;
        if let Some(text) = rule(&rules, &explain.id, out.width()) {
            page.text = text;
        }
    }
    if page.text.is_empty() {
        let id = foreign(&explain.id, 64);
        return Err(ReviewError::Unknown(match &explain.source {
            Some(path) => {
                format!("{} holds no event {id}, and there is no such rule", path.display())
            }
            None if std::path::Path::new(&explain.id).exists() => {
                format!(
                    "{id} is a file: name what to explain before it: phitap explain EVENT-ID {id}"
                )
            }
            None => format!(
                "there is no rule {id}; for an event, name the store or the events that hold it: phitap \
                 explain {id} STORE"
            ),
        }));
    }
    out.write_all(page.text.as_bytes())?;
    Ok(answer)
}

/// Everything about the rule with this id, in lines of at most `width` columns, if there is a width; none if there is no
/// such rule.
pub fn rule(rules: &RuleSet, id: &str, width: Option<usize>) -> Option<String> {
    let known = details(rules, id)?;
    let width = width.map_or(usize::MAX, |width| width.max(NARROW));
    let mut text = String::new();
    item(&mut text, (HEAD, width), "", &[id.to_owned()], "");
    item(&mut text, (TITLE, width), "", &[known.title.to_owned()], "");
    for (label, value) in known.facts {
        item(&mut text, (FACT, width), label, &[value], "");
    }
    Some(text)
}

/// Output lines, broken at the width of the terminal if there is one.
struct Page {
    text: String,
    width: Option<usize>,
}

impl Page {
    fn head(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.wrapped(HEAD, "", text);
    }

    fn line(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.wrapped(LINE, name, text);
        }
    }

    fn wrapped(&mut self, columns: Columns, name: &str, text: &str) {
        let columns = (columns, self.width.unwrap_or(usize::MAX));
        item(&mut self.text, columns, name, &[foreign(text, WIDTH)], "");
    }

    /// `at 2026-03-02T08:00:04Z`, or `FIRST to LAST`.
    fn times(first: Timestamp, last: Timestamp) -> String {
        if first == last { format!("at {first}") } else { format!("{first} to {last}") }
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
            "{}{bounds}, {} in {}, {}",
            count(e.patients, "patient"),
            count(e.records, "record"),
            count(e.flows, "flow"),
            Page::times(e.first, e.last)
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
        let sensor = match run.sensor.as_str() {
            "" => String::new(),
            name => format!(" of sensor {name}"),
        };
        page.line("Run", &format!("{}{sensor}, key {}", at + 1, run.key_id));
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
        let (first, last) = (of.first_packet, of.last_packet);
        let packets = match of.file == of.last_file {
            true if first == last => format!("packet {first}"),
            true => format!("packets {first} to {last}"),
            false => format!("packets {first} to {last} of {}", of.last_file),
        };
        page.line("Evidence", &format!("{}, {packets}", of.file));
        page.line("Jump", &format!("frame.number == {}", of.first_packet));
    }
    page.line("Flow", community_id);
}

fn patient(results: &Results, patient: &Patient, seen: &[&PatientObservation], page: &mut Page) {
    page.head(&format!("Patient {}", patient.token));
    page.line(
        "Seen",
        &format!(
            "{}, {}",
            count(patient.records, "record"),
            Page::times(patient.first, patient.last)
        ),
    );
    page.line("Shows", &patient.kinds.join(", "));
    for i in &patient.identifiers {
        let token = i.token.as_deref().unwrap_or_default();
        let text = format!("{} {} in {} {token}", i.kind, i.value, i.field);
        page.line("", text.trim_end());
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
        page.line("  when", &Page::times(seen.first, seen.last));
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
            page.line(name, &plain(Some(value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_fits_the_terminal_and_loses_nothing() {
        let rules = RuleSet::load(None).expect("the shipped rules");
        let marks = |text: &str| text.split_whitespace().collect::<String>();
        for id in rules.entries.iter().map(|entry| &entry.id) {
            let whole = rule(&rules, id, None).expect("a rule");
            for width in [40, 60, 80] {
                let text = rule(&rules, id, Some(width)).expect("a rule");
                let widest = text.lines().map(|line| line.chars().count()).max();
                assert!(widest <= Some(width), "{text}");
                assert_eq!(marks(&text), marks(&whole), "{text}");
            }
        }
        assert_eq!(rule(&rules, "no-such-rule", None), None);
    }
}
