//! The page.

use super::layout::{BLOCK, Columns, SECTION, columns, heading, item, width};
use super::services::Overview;
use super::text::{bytes, count, foreign, number, span};
use super::{Context, RunSummary};
use crate::content::{Mark, MarkSet};
use crate::exposure::{Answers, Count, Exposure, NetworkDirection};
use crate::output::Verdict;
use crate::output::remedy::Remedy;
use crate::protocol::service::Phrase;
use crate::protocol::{Authentication, ServiceFacts};
use crate::severity::Severity;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Exposures shown in full unless `--top` says otherwise.
const TOP: usize = 10;
/// Faulty inputs listed.
const MAX_FAULTS: usize = 20;
/// Characters of a name from the wire.
const MAX_NAME: usize = 40;

pub(super) fn page(
    worst: &[&Exposure],
    overview: &Overview,
    run: &RunSummary,
    context: &Context,
) -> String {
    let mut out = String::new();
    let mut last = None;
    header(&mut out, run, context);
    out.push('\n');
    let interrupted = run.interruption().map_or_else(String::new, |at| format!("{at}. "));
    if worst.is_empty() {
        heading(&mut out, &format!("{interrupted}{}", run.all_clear()), context);
        unjudged(&mut out, run, context);
    } else {
        let patients = patients(run.patients);
        let all = run.exposures.max(worst.len() as u64);
        let exposures = count(all, "exposure");
        let services = count(overview.len() as u64, "service");
        let title = format!(
            "{interrupted}PATIENT DATA IN CLEARTEXT: {patients} in {exposures} of {services}"
        );
        heading(&mut out, &title, context);
        let bands = bands(worst, run);
        item(&mut out, (Columns { indent: 0, column: 0 }, width(context)), "", &bands, ", ");
        unjudged(&mut out, run, context);
        overview.remedies(&mut out, context);
        overview.services(&mut out, context);
        overview.scanners(&mut out, context);
        out.push('\n');
        heading(&mut out, "THE WORST", context);
        let top = context.top.unwrap_or(TOP);
        for exposure in worst.iter().take(top) {
            out.push('\n');
            block(&mut out, exposure, run, context);
        }
        let more = all.saturating_sub(worst.len().min(top) as u64);
        if more > 0 {
            let more = format!("... and {} more; --top N shows N of them.", number(more));
            out.push('\n');
            item(&mut out, (Columns { indent: 0, column: 0 }, width(context)), "", &[more], "");
        }
        last = Some(title);
    }
    suppressed(&mut out, run, context);
    out.push('\n');
    unread(&mut out, run, context);
    out.push('\n');
    totals(&mut out, run, context);
    // Whoever looks at a terminal sees the end first.
    if let Some(title) = last {
        out.push('\n');
        heading(&mut out, &title, context);
    }
    out
}

/// How many exposures there are of each severity, the worst first.
fn bands(worst: &[&Exposure], run: &RunSummary) -> Vec<String> {
    let mut graded = run.graded;
    if graded.iter().all(|n| *n == 0) {
        for e in worst {
            graded[Severity::of(e.severity) as usize] += 1;
        }
    }
    let all = Severity::ALL.into_iter().zip(graded).rev();
    all.filter(|(_, n)| *n > 0).map(|(s, n)| format!("{} {}", number(n), s.as_str())).collect()
}

/// How much could not be judged, and why: what was found, or not, holds for the rest only.
fn unjudged(out: &mut String, run: &RunSummary, context: &Context) {
    let shortfalls = run.shortfalls();
    if shortfalls.is_empty() {
        return;
    }
    let share = run.unjudged_share();
    let share = if share.is_empty() { String::new() } else { format!(": {share}") };
    let whole = (Columns { indent: 0, column: 0 }, width(context));
    item(out, whole, "", &[format!("Not judged{share}")], "");
    for shortfall in shortfalls {
        item(out, columns(Columns { column: 2, ..SECTION }, context), "", &[shortfall.text], "");
    }
}

fn header(out: &mut String, run: &RunSummary, context: &Context) {
    let faulty = run.inputs.iter().filter(|i| i.fault.is_some()).count();
    let inputs = match run.inputs.as_slice() {
        [one] => foreign(&one.name, 60),
        many if faulty > 0 => format!("{}, {faulty} faulty", count(many.len() as u64, "input")),
        many => count(many.len() as u64, "input"),
    };
    let whole = (Columns { indent: 0, column: 0 }, width(context));
    let program = format!("phitap {} ", env!("CARGO_PKG_VERSION"));
    item(out, whole, "", &[program, inputs], " ");
    if let (Some(first), Some(last)) = (run.started, run.ended) {
        let whole = span((last - first).as_secs_f64());
        let _ = writeln!(out, "{} to {} UTC ({whole})", moment(first), until(first, last));
    }
    let rate = if run.wall_seconds > 0.0 {
        let per_second = (run.bytes_read as f64 / run.wall_seconds) as u64;
        format!(", read in {} ({}/s)", span(run.wall_seconds), bytes(per_second))
    } else {
        String::new()
    };
    let read = format!("{}, {}{rate}", count(run.packets_read, "packet"), bytes(run.bytes_read));
    item(out, whole, "", &[read], "");
}

fn block(out: &mut String, e: &Exposure, run: &RunSummary, context: &Context) {
    let severity = severity(Severity::of(e.severity), e.severity, context.colour);
    let to = format!("-> {}  {} over {}", e.server, e.protocol, e.transport.as_str());
    let client = e.client.to_string();
    // Two long IPv6 addresses need two lines.
    let gap = if BLOCK.indent + client.len() + 1 + to.len() <= width(context) {
        " ".to_owned()
    } else {
        format!("\n{:indent$}", "", indent = BLOCK.indent)
    };
    let _ = writeln!(out, "{severity}  {client}{gap}{to}");
    let records = format!("{} in {}", count(e.records, "record"), count(e.flows, "flow"));
    let seen = [patients(e.patients), records, times(e, run)];
    item(out, columns(BLOCK, context), "Seen", &seen, ", ");
    let mut over: Vec<String> = e.operations.iter().map(|o| operation(o)).collect();
    over.extend(ends(&e.facts));
    item(out, columns(BLOCK, context), "Over", &over, ", ");
    item(out, columns(BLOCK, context), "Transferred", &passed(e), ", ");
    let kinds: Vec<String> = e
        .kinds
        .iter()
        .map(|(kind, n)| format!("{} {}", kind.as_str().replace('_', " "), number(*n)))
        .collect();
    item(out, columns(BLOCK, context), "Shows", &kinds, ", ");
    item(out, columns(BLOCK, context), "How exposed", &exposed(e), "; ");
    item(out, columns(BLOCK, context), "Not read", &missing(e), ", ");
    let remedies: Vec<String> = Remedy::of(e).iter().map(|r| r.as_str().to_owned()).collect();
    item(out, columns(BLOCK, context), "To do", &remedies, "; ");
}

/// What of its flows could not be read.
fn missing(e: &Exposure) -> Vec<String> {
    let losses = e.losses;
    let lost = losses.gap_bytes.saturating_sub(losses.cut_bytes);
    [
        (lost, format!("{} missing", bytes(lost))),
        (losses.cut_bytes, format!("{} cut by the snap length", bytes(losses.cut_bytes))),
        (losses.directions, format!("{} given up", count(losses.directions, "direction"))),
    ]
    .into_iter()
    .filter_map(|(n, text)| (n > 0).then_some(text))
    .collect()
}

/// An operation by its name; the transaction sets of X12 are numbers.
fn operation(code: &str) -> String {
    const SETS: [(&str, &str); 13] = [
        ("270", "eligibility inquiry"),
        ("271", "eligibility response"),
        ("274", "provider information"),
        ("275", "patient information"),
        ("276", "claim status request"),
        ("277", "claim status"),
        ("278", "services review"),
        ("820", "premium payment"),
        ("834", "benefit enrolment"),
        ("835", "claim payment"),
        ("837", "claim"),
        ("997", "acknowledgment"),
        ("999", "acknowledgment"),
    ];
    match SETS.iter().find(|(number, _)| *number == code) {
        Some((number, name)) => format!("X12 {number} {name}"),
        None => foreign(code, MAX_NAME),
    }
}

/// What was handed over, by whom and where to, as far as it is more than records.
fn passed(e: &Exposure) -> Vec<String> {
    let about = |n: Count, what: &str, whats: &str| {
        let about = if n.estimate { "about " } else { "" };
        let noun = if n.value == 1 { what } else { whats };
        (n.value > 0).then(|| format!("{about}{} {noun}", number(n.value)))
    };
    let figures = &e.figures;
    let mut all: Vec<String> = [
        about(figures.instances, "instance", "instances"),
        about(figures.studies, "study", "studies"),
        about(figures.commitments, "commitment", "commitments"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let refused: u64 =
        figures.operations.iter().filter(|((_, o), _)| *o == "refused").map(|(_, n)| *n).sum();
    if refused > 0 {
        all.push(format!("{} refused", number(refused)));
    }
    all.extend(e.moved_for.iter().map(|client| format!("asked for by {client}")));
    all.extend(e.moved_to.iter().map(|server| format!("sent on to {server}")));
    all
}

/// `at 10:15:02`, `10:15:02 to 10:16:00`; with the day if the run had more than one.
fn times(e: &Exposure, run: &RunSummary) -> String {
    let one_day = [e.first, e.last]
        .iter()
        .chain(&run.started)
        .chain(&run.ended)
        .all(|at| moment(*at).get(..10) == moment(e.first).get(..10));
    let first = if one_day { time_of_day(e.first) } else { moment(e.first) };
    let last = until(e.first, e.last);
    if moment(e.first) == moment(e.last) {
        format!("at {first}")
    } else {
        format!("{first} to {last}")
    }
}

/// Who talks to whom, in the service's own names.
fn ends(f: &ServiceFacts) -> Vec<String> {
    let mut phrases = Vec::new();
    f.families().for_each(|family| family.phrases(&mut phrases));
    let mut said: Vec<String> = phrases.into_iter().filter_map(phrase).collect();
    said.extend(
        f.interfaces.iter().find(|i| !i.open).map(|i| format!("{} {}", i.kind.as_str(), i.product)),
    );
    said.extend(f.software().map(|s| format!("software {}", foreign(s, MAX_NAME))));
    said
}

/// Nothing where a phrase has nothing to say.
fn phrase(phrase: Phrase<'_>) -> Option<String> {
    let name = |text: &str| foreign(text, MAX_NAME);
    match phrase {
        Phrase::FromTo(_, None, None) => None,
        Phrase::FromTo(what, Some(from), None) => Some(format!("{what} {}", name(from))),
        Phrase::FromTo(what, None, Some(to)) => Some(format!("{what} to {}", name(to))),
        Phrase::FromTo(what, Some(from), Some(to)) => {
            Some(format!("{what} {} to {}", name(from), name(to)))
        }
        Phrase::Text(what, text) => Some(format!("{what} {}", name(text))),
        Phrase::List(what, texts) => {
            let texts: Vec<String> = texts.iter().map(|text| name(text)).collect();
            (!texts.is_empty()).then(|| format!("{what} {}", texts.join(" ")))
        }
    }
}

fn exposed(e: &Exposure) -> Vec<String> {
    let mut all = Vec::new();
    all.push(
        match e.direction {
            NetworkDirection::Internal => "inside the home networks",
            NetworkDirection::Inbound => "CLIENT OUTSIDE the home networks",
            NetworkDirection::Outbound => "SERVER OUTSIDE the home networks",
            NetworkDirection::External => "BOTH ENDS OUTSIDE the home networks",
        }
        .to_owned(),
    );
    all.push(match e.facts.authentication {
        Authentication::None => "no access control".to_owned(),
        Authentication::Unknown => "access control not visible".to_owned(),
        other => format!("authentication {}", other.as_str()),
    });
    // An open interface says the same, and more.
    let names_it = e.facts.interfaces.iter().any(|interface| interface.open);
    if e.access.answers() == Answers::Anyone && !names_it {
        all.push("ANSWERS ANYONE".to_owned());
    }
    for interface in e.facts.interfaces.iter().filter(|i| i.open) {
        all.push(format!("OPEN {} ({})", interface.kind.as_str(), interface.product));
    }
    if e.facts.credentials_in_clear {
        let kinds: Vec<&str> = e.facts.credentials.iter().map(|s| s.as_str()).collect();
        let kinds =
            if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        all.push(format!("CREDENTIALS IN CLEAR{kinds}"));
    }
    let marks: MarkSet = e.marks.iter().copied().collect();
    if !marks.health().is_empty() {
        all.push("with health data".to_owned());
    }
    if marks.contains(Mark::BurnedIn) {
        all.push("identifiers in the picture".to_owned());
    }
    if marks.contains(Mark::Test) {
        all.push("some marked as test data".to_owned());
    }
    if marks.contains(Mark::Deidentified) {
        all.push("some marked as de-identified".to_owned());
    }
    all
}

/// What was known and accepted, and what no longer is.
fn suppressed(out: &mut String, run: &RunSummary, context: &Context) {
    if run.suppressed.is_empty() {
        return;
    }
    out.push('\n');
    heading(out, "WHAT WAS SUPPRESSED", context);
    for s in run.suppressed.iter().take(MAX_FAULTS) {
        let why = format!("{}: {}", foreign(&s.owner, MAX_NAME), foreign(&s.reason, 200));
        let mut items = Vec::new();
        if s.findings > 0 {
            items.push(format!("{} until {}", count(s.findings, "finding"), s.expires));
        }
        if s.findings_since > 0 {
            let since = count(s.findings_since, "finding");
            items.push(format!("ENDED on {}, {since} reported since", s.expires));
        }
        items.push(why);
        let _ = writeln!(out, "  {}", foreign(&s.id, width(context) - SECTION.indent));
        item(out, columns(SECTION, context), "", &items, ", ");
    }
    let more = run.suppressed.len().saturating_sub(MAX_FAULTS);
    if more > 0 {
        item(
            out,
            columns(SECTION, context),
            "",
            &[format!("and {}", count(more as u64, "more suppression"))],
            "",
        );
    }
}

fn unread(out: &mut String, run: &RunSummary, context: &Context) {
    let section = columns(SECTION, context);
    let mut body = String::new();
    if run.encrypted_flows > 0 {
        let flows = count(run.encrypted_flows, "flow");
        item(&mut body, section, "Encrypted", &[flows, bytes(run.encrypted_bytes)], ", ");
    }
    if run.unrecognised_flows > 0 {
        let flows = count(run.unrecognised_flows, "flow");
        item(&mut body, section, "Unrecognised", &[flows, bytes(run.unrecognised_bytes)], ", ");
    }
    if run.half_recognised_flows > 0 {
        let flows = count(run.half_recognised_flows, "flow");
        item(&mut body, section, "Half recognised", &[flows, "in one direction".into()], " ");
    }
    if run.packets_cut > 0 {
        let cut = format!("{} at {} bytes", count(run.packets_cut, "packet"), run.cut_at);
        item(&mut body, section, "Cut", &[cut, bytes(run.cut_payload_bytes)], ", ");
    }
    // The two above say it of flows already.
    let opaque: Vec<String> = run
        .opaque
        .iter()
        .filter(|((protocol, reason), n)| {
            let reported = reason.as_str() == "encrypted"
                || *protocol == "unknown" && reason.as_str() == "unrecognised";
            !reported && **n > 0
        })
        .map(|((protocol, reason), n)| format!("{protocol} {reason} {}", number(*n)))
        .collect();
    item(&mut body, section, "Given up", &opaque, ", ");
    let gaps = run.gap_bytes.saturating_sub(run.cut_bytes);
    if gaps > 0 {
        item(&mut body, section, "Gaps", &[format!("{} missing in streams", bytes(gaps))], "");
    }
    if run.overlap_conflicts > 0 {
        let n = format!("{} against what was seen before", count(run.overlap_conflicts, "segment"));
        item(&mut body, section, "Contradictions", &[n], "");
    }
    item(&mut body, section, "Skipped", &packets(&run.skipped, run.packets_skipped()), ", ");
    item(&mut body, section, "Dropped", &packets(&run.dropped, run.packets_dropped()), ", ");
    item(&mut body, section, "Never seen", &packets(&run.lost, run.packets_lost()), ", ");
    if run.ring_freezes > 0 {
        let times = format!("{}: raise --ring-size", count(run.ring_freezes, "time"));
        item(&mut body, section, "Ring full", &[times], "");
    }
    let mut faults = run.inputs.iter().filter_map(|i| Some((&i.name, i.fault.as_ref()?)));
    for (name, fault) in faults.by_ref().take(MAX_FAULTS) {
        item(&mut body, section, "Faulty input", &[foreign(name, 200), foreign(fault, 200)], ": ");
    }
    let more = faults.count();
    if more > 0 {
        item(&mut body, section, "", &[format!("and {}", count(more as u64, "more input"))], "");
    }
    let lost = [
        (run.losses.exposures_ended_early, "exposure ended early"),
        (run.losses.findings_forgotten, "finding forgotten"),
        (run.losses.sightings_unreported, "sighting unreported"),
        (run.losses.findings_unwritten, "finding unwritten"),
    ];
    let lost: Vec<String> = lost
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", number(*n)))
        .collect();
    item(&mut body, section, "Caps reached", &lost, ", ");
    if body.is_empty() && run.verdict() == Verdict::Complete {
        heading(out, "Everything was read.", context);
    } else if body.is_empty() {
        // What is missing is listed under the headline.
        out.pop();
    } else {
        heading(out, "WHAT COULD NOT BE READ", context);
        out.push_str(&body);
    }
}

fn totals(out: &mut String, run: &RunSummary, context: &Context) {
    let section = columns(SECTION, context);
    heading(out, "TOTALS", context);
    let mut packets = vec![
        format!("{} read", number(run.packets_read)),
        format!("{} decoded", number(run.packets_decoded)),
    ];
    for (n, what) in [(run.packets_skipped(), "skipped"), (run.packets_dropped(), "dropped")] {
        if n > 0 {
            packets.push(format!("{} {what}", number(n)));
        }
    }
    item(out, section, "Packets", &packets, ", ");
    item(out, section, "Flows", &[number(run.flows)], "");
    let streams: Vec<String> =
        run.streams.iter().map(|(p, n)| format!("{p} {}", number(*n))).collect();
    item(out, section, "Streams", &streams, ", ");
    let records: Vec<String> = run
        .records
        .iter()
        // The units of a transport say nothing to who reads this.
        .filter(|((_, content), _)| !matches!(*content, "pdu" | "dimse"))
        .map(|((protocol, content), n)| {
            let over =
                if protocol == content { String::new() } else { format!(" over {protocol}") };
            let what = if *content == "target" { "URL".into() } else { content.replace('_', " ") };
            format!("{what}{over} {}", number(*n))
        })
        .collect();
    item(out, section, "Records", &records, ", ");
    let messages: Vec<String> =
        run.messages.iter().map(|((_, kind), n)| format!("{kind} {}", number(*n))).collect();
    if !messages.is_empty() {
        item(out, section, "Messages", &messages, ", ");
    }
    let kinds: Vec<String> = run
        .identifiers
        .iter()
        .map(|(kind, n)| format!("{} {}", kind.as_str().replace('_', " "), number(*n)))
        .collect();
    item(out, section, "Identifiers", &kinds, ", ");
    let found =
        [patients(run.patients), count(run.findings, "finding"), count(run.exposures, "exposure")];
    item(out, section, "Found", &found, ", ");
    if !run.key_id.is_empty() {
        item(out, section, "Key", &[format!("pseudonyms made with key {}", run.key_id)], "");
    }
    if run.reveal {
        item(out, section, "Reveal", &["values are shown in events".to_owned()], "");
    }
}

/// `43 packets: arp 40, cut short 3`.
fn packets(by_reason: &BTreeMap<&'static str, u64>, total: u64) -> Vec<String> {
    let mut all: Vec<String> = by_reason
        .iter()
        .filter(|(_, n)| **n > 0)
        .map(|(what, n)| format!("{} {}", what.replace('_', " "), number(*n)))
        .collect();
    if let Some(first) = all.first_mut() {
        *first = format!("{}: {first}", count(total, "packet"));
    }
    all
}

fn patients(n: Count) -> String {
    if !n.estimate {
        return count(n.value, "patient");
    }
    let (low, high) = n.bounds();
    format!("about {} ({} to {})", count(n.value, "patient"), number(low), number(high))
}

/// `CRITICAL 100`, 13 columns wide.
pub(super) fn severity(severity: Severity, score: u8, colour: bool) -> String {
    let word = severity.as_str().to_uppercase();
    let text = format!("{word:<8} {score:>3} ");
    if !colour {
        return text;
    }
    let code = match severity {
        Severity::Critical => "1;31",
        Severity::High => "31",
        Severity::Medium => "33",
        Severity::Low => "36",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// `2026-03-01 10:15:02`.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {}", text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
}

/// `10:15:02`.
pub(super) fn time_of_day(at: Timestamp) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned()
}

/// The end of a span that starts at `first`: the day only where it differs.
fn until(first: Timestamp, last: Timestamp) -> String {
    let (a, b) = (moment(first), moment(last));
    if a.get(..10) == b.get(..10) { time_of_day(last) } else { b }
}
