//! `--format cef`: ArcSight Common Event Format, version 0, one line per event. CEF has no field for a list of
//! identifiers, so it carries their kinds, and never a value.

use super::text::is_unsafe;
use super::{Context, Format, Output, RunSummary, SensorStatus, community_id, sentence};
use crate::exposure::{Answers, Event, EventId, NetworkDirection, PatientList};
use crate::protocol::ServiceFacts;
use crate::rules::{Kind, KindSet};
use crate::severity::Severity;
use crate::time::Timestamp;
use std::fmt::{Display, Write as _};
use std::io::{self, Write};
use std::net::IpAddr;

pub(in crate::output) const FORMAT: Format = Format {
    name: "cef",
    aliases: &[],
    about: "one line an event, ArcSight Common Event Format",
    open: |writer, context| Box::new(Cef { writer, context, line: String::new() }),
};

/// Longest text in an extension, characters (`cs1` takes 4000, most others 1023).
const MAX_TEXT: usize = 1_000;

struct Cef {
    writer: Box<dyn Write + Send>,
    context: Context,
    line: String,
}

/// Severity of a sensor with problems, 0 to 10.
const NOT_READY: u8 = 7;

/// One line while it is built.
struct Line<'a>(&'a mut String);

impl Line<'_> {
    /// Header: `class` is the signature id, `severity` 0 to 10.
    fn start(&mut self, class: &str, name: &str, severity: u8) {
        self.0.clear();
        self.0.push_str("CEF:0|phitap|phitap|");
        self.0.push_str(env!("CARGO_PKG_VERSION"));
        for field in [class, name] {
            self.0.push('|');
            for c in field.chars().take(MAX_TEXT) {
                match c {
                    '|' | '\\' => self.0.extend(['\\', c]),
                    c if is_unsafe(c) => self.0.push(' '),
                    c => self.0.push(c),
                }
            }
        }
        let _ = write!(self.0, "|{severity}|");
    }

    /// An extension with one of our own words: nothing to escape.
    fn plain(&mut self, key: &str, value: impl Display) {
        if !self.0.ends_with('|') {
            self.0.push(' ');
        }
        let _ = write!(self.0, "{key}={value}");
    }

    /// An extension whose text may come from the wire.
    fn text(&mut self, key: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        self.plain(key, "");
        for c in value.chars().take(MAX_TEXT) {
            match c {
                '=' | '\\' => self.0.extend(['\\', c]),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                // Also characters that some readers take as line ends, and those that change the reading direction.
                c if is_unsafe(c) => self.0.push(' '),
                c => self.0.push(c),
            }
        }
    }

    /// A field of the reader's own choice with its label.
    fn labelled(&mut self, key: &str, label: &str, value: &str) {
        if !value.is_empty() {
            self.plain(&format!("{key}Label"), label);
            self.text(key, value);
        }
    }

    fn number(&mut self, key: &str, label: &str, value: u64) {
        self.plain(&format!("{key}Label"), label);
        self.plain(key, value);
    }

    fn time(&mut self, key: &str, at: Timestamp) {
        self.plain(key, at.unix_millis());
    }

    /// CEF 0 keeps `src` and `dst` for IPv4; IPv6 goes to `c6a2` and `c6a3`.
    fn address(&mut self, v4: &str, v6: &str, label: &str, address: IpAddr) {
        match address.to_canonical() {
            IpAddr::V4(address) => self.plain(v4, address),
            IpAddr::V6(address) => {
                self.plain(&format!("{v6}Label"), label);
                self.plain(v6, address);
            }
        }
    }

    fn source(&mut self, address: IpAddr) {
        self.address("src", "c6a2", "Source IPv6 Address", address);
    }

    fn destination(&mut self, address: IpAddr, port: u16) {
        self.address("dst", "c6a3", "Destination IPv6 Address", address);
        self.plain("dpt", port);
    }

    fn direction(&mut self, direction: NetworkDirection) {
        match direction {
            NetworkDirection::Inbound => self.plain("deviceDirection", 0),
            NetworkDirection::Outbound => self.plain("deviceDirection", 1),
            NetworkDirection::Internal | NetworkDirection::External => {}
        }
    }

    fn facts(&mut self, facts: &ServiceFacts) {
        self.labelled("cs4", "authentication", facts.authentication.as_str());
        if facts.credentials_in_clear {
            self.labelled("cs6", "credentials", "in clear");
        }
        // The outermost name: a web server's host before that of an application behind it.
        let name = facts.families().rev().find_map(|family| family.ends().server);
        if let Some((_, name)) = name {
            self.text("destinationServiceName", name);
        }
    }
}

/// 0 to 100 as 0 to 10; the bands of CEF (to 3, 6, 8, 10) are those of [`Severity`].
const fn severity(score: u8) -> u8 {
    if score >= 100 { 10 } else { score / 10 }
}

impl Cef {
    fn build(&mut self, event: &Event) {
        let context = &self.context;
        let mut line = Line(&mut self.line);
        match event {
            Event::Finding { event: d, severity: score, direction, exposure, .. } => {
                let finding = &d.finding;
                line.start("phi-finding", &finding.alert.name, severity(*score));
                common(&mut line, context, finding.time, Some(d.id));
                line.time("start", d.flow.started);
                line.source(d.flow.client.ip());
                line.plain("spt", d.flow.client.port());
                line.destination(d.flow.server.ip(), d.flow.server.port());
                line.plain("proto", d.flow.transport.as_str().to_uppercase());
                line.plain("app", d.protocol);
                line.direction(*direction);
                if let Some(name) = context.interfaces.get(usize::from(d.flow.interface)) {
                    line.text("deviceInboundInterface", name);
                }
                line.plain("cnt", d.records);
                line.text("act", &finding.operation);
                line.plain("reason", Severity::of(*score).as_str());
                line.labelled("cs1", "patient", &format!("p_{}", finding.patient));
                let mut kinds: Vec<&str> =
                    finding.identifiers.iter().map(|i| i.kind.as_str()).collect();
                kinds.sort_unstable();
                kinds.dedup();
                line.labelled("cs2", "identifiers", &kinds.join(","));
                line.labelled("cs3", "exposure", &exposure.to_string());
                line.labelled("cs5", "communityId", &community_id(&d.flow));
                line.facts(&d.finding.facts);
                line.labelled("flexString1", "rule", &finding.alert.id);
            }
            Event::Patients(list) => patients(&mut line, context, list),
            Event::Exposure(e) => {
                line.start(
                    "phi-exposure",
                    "Patient data exposed in cleartext",
                    severity(e.severity),
                );
                common(&mut line, context, e.time, Some(e.id));
                line.time("start", e.first);
                line.time("end", e.last);
                line.source(e.client);
                line.destination(e.server.ip(), e.server.port());
                line.plain("proto", e.transport.as_str().to_uppercase());
                line.plain("app", e.protocol);
                line.direction(e.direction);
                line.plain("cnt", e.records);
                line.plain("outcome", e.state.as_str());
                line.plain("reason", Severity::of(e.severity).as_str());
                line.number("cn1", "patients", e.patients.value);
                line.number("cn2", "findings", e.findings);
                line.number("cn3", "flows", e.flows);
                let kinds: Vec<&str> = e.kinds.iter().map(|(kind, _)| kind.as_str()).collect();
                line.labelled("cs2", "identifiers", &kinds.join(","));
                line.labelled("cs3", "operations", &e.operations.join(","));
                line.facts(&e.facts);
                if e.access.answers() == Answers::Anyone {
                    line.labelled("cs1", "answers", Answers::Anyone.as_str());
                }
                line.text("msg", &sentence::of_event(event));
            }
            Event::Asset(a) => {
                line.start("asset-seen", "Host in a medical role", 0);
                common(&mut line, context, a.time, Some(a.id));
                line.address("dst", "c6a3", "Destination IPv6 Address", a.address);
                line.plain("app", a.protocol);
                line.labelled("cs1", "role", a.role.as_str());
            }
            Event::Service(s) => {
                line.start("service-seen", "Cleartext service", 0);
                common(&mut line, context, s.time, Some(s.id));
                line.destination(s.server.ip(), s.server.port());
                line.plain("proto", s.transport.as_str().to_uppercase());
                line.plain("app", s.protocol);
                line.facts(&s.facts);
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        self.line.push('\n');
        self.writer.write_all(self.line.as_bytes())
    }
}

/// Patients of a busy service.
fn patients(line: &mut Line<'_>, context: &Context, list: &PatientList) {
    line.start("phi-finding", "Further patients in cleartext", severity(list.severity));
    common(line, context, list.last, Some(list.id));
    line.time("start", list.first);
    line.time("end", list.last);
    if let Some(client) = list.client {
        line.source(client);
    }
    line.destination(list.server.ip(), list.server.port());
    line.plain("proto", list.transport.as_str().to_uppercase());
    line.plain("app", list.protocol);
    if let Some(direction) = list.direction {
        line.direction(direction);
    }
    line.plain("cnt", list.records);
    line.plain("reason", Severity::of(list.severity).as_str());
    line.number("cn1", "patients", list.patients);
    line.number("cn2", "clients", list.clients);
    let kinds: KindSet = list.groups.iter().flat_map(|g| g.kinds.iter()).collect();
    let kinds: Vec<&str> = kinds.iter().map(Kind::as_str).collect();
    line.labelled("cs2", "identifiers", &kinds.join(","));
    if let Some(exposure) = list.exposure {
        line.labelled("cs3", "exposure", &exposure.to_string());
    }
}

fn common(line: &mut Line<'_>, context: &Context, time: Timestamp, id: Option<EventId>) {
    line.time("rt", time);
    if let Some(id) = id {
        line.plain("externalId", id);
    }
    if let Some(sensor) = &context.sensor {
        line.text("dvchost", sensor);
    }
    line.labelled("flexString2", "keyId", &context.key_id);
}

impl Output for Cef {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.build(event);
        self.write()
    }

    fn status(&mut self, so_far: &RunSummary, sensor: &SensorStatus) -> io::Result<bool> {
        let mut line = Line(&mut self.line);
        line.start("sensor-status", "Sensor status", if sensor.ready { 0 } else { NOT_READY });
        common(&mut line, &self.context, sensor.time, None);
        line.text("msg", &sentence::of_sensor(so_far, sensor));
        figures(&mut line, so_far);
        line.plain("outcome", if sensor.ready { "ready" } else { "not ready" });
        let problems: Vec<&str> = sensor.problems.iter().map(|p| p.check.as_str()).collect();
        line.text("reason", &problems.join(","));
        self.write().map(|()| true)
    }

    fn finish(&mut self, run: &RunSummary) -> io::Result<()> {
        let mut line = Line(&mut self.line);
        line.start("run-summary", "Run ended", 0);
        let end = run.ended.or(run.started).unwrap_or(Timestamp(0));
        common(&mut line, &self.context, end, None);
        line.text("msg", &sentence::of_run(run));
        figures(&mut line, run);
        self.write()?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Counters of a run.
fn figures(line: &mut Line<'_>, run: &RunSummary) {
    if let (Some(start), Some(end)) = (run.started, run.ended) {
        line.time("start", start);
        line.time("end", end);
    }
    line.plain("cnt", run.packets_read);
    line.plain("in", run.bytes_read);
    line.number("cn1", "patients", run.patients.value);
    line.number("cn2", "findings", run.findings);
    line.number("cn3", "packetsDropped", run.packets_dropped());
    let faulty = run.inputs.iter().filter(|i| i.fault.is_some()).count();
    line.number("flexNumber1", "packetsSkipped", run.packets_skipped());
    line.number("flexNumber2", "faultyInputs", faulty as u64);
    line.labelled("cs1", "coverage", run.verdict().as_str());
    if let Some(interruption) = run.interruption() {
        line.labelled("cs4", "interruption", &interruption);
    }
    let suppressed: u64 = run.suppressed.iter().map(|s| s.findings).sum();
    if suppressed > 0 {
        line.labelled("cs2", "suppressed", &suppressed.to_string());
    }
    if run.reveal {
        line.labelled("cs3", "reveal", "asked for; CEF carries no values");
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{context, events, run, status_written, tracker, written};
    use super::*;
    use crate::exposure::samples::{Sample, hl7};

    /// Header fields and extensions, read back by the rules of the format.
    fn read(line: &str) -> (Vec<String>, Vec<(String, String)>) {
        let mut header = vec![String::new()];
        let mut chars = line.chars();
        while header.len() < 8 {
            match chars.next().expect("a header of seven fields") {
                '\\' => header.last_mut().expect("field").extend(chars.next()),
                '|' => header.push(String::new()),
                c => header.last_mut().expect("field").push(c),
            }
        }
        header.pop();
        // A key is a word before an equals sign that is not escaped.
        let rest = chars.as_str();
        let mut marks = Vec::new();
        let bytes = rest.as_bytes();
        for (i, b) in bytes.iter().enumerate() {
            let escaped = bytes[..i].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1;
            if *b == b'=' && !escaped {
                let key = rest[..i].rfind(' ').map_or(0, |space| space + 1);
                marks.push((key, i));
            }
        }
        let mut extensions = Vec::new();
        for (n, (key, equals)) in marks.iter().enumerate() {
            let end = marks.get(n + 1).map_or(rest.len(), |(next, _)| next - 1);
            let value = rest[equals + 1..end]
                .replace("\\n", "\n")
                .replace("\\r", "\r")
                .replace("\\=", "=")
                .replace("\\\\", "\\");
            extensions.push((rest[*key..*equals].to_owned(), value));
        }
        (header, extensions)
    }

    fn lines(events: &[Event]) -> Vec<String> {
        written(&FORMAT, context(), events, &run()).lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_finding_is_one_line_of_cef() {
        let (mut x, mut out) = (tracker(), Vec::new());
        let d = hl7(1).build();
        let id = d.id.to_string();
        x.finding(d, &mut out);
        let lines = lines(&out);
        let line = lines.iter().find(|l| l.contains("|phi-finding|")).expect("line");
        let (header, extensions) = read(line);
        assert_eq!(header[..3], ["CEF:0", "phitap", "phitap"]);
        assert_eq!(header[4], "phi-finding");
        assert_eq!(header[6], "10");
        let get = |key: &str| {
            extensions.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str()).unwrap_or_default()
        };
        assert_eq!(get("externalId"), id);
        assert_eq!((get("src"), get("spt")), ("203.0.113.9", "40100"));
        assert_eq!((get("dst"), get("dpt")), ("10.1.2.9", "2575"));
        assert_eq!((get("proto"), get("app"), get("act")), ("TCP", "hl7", "ADT^A01"));
        assert_eq!((get("rt"), get("deviceDirection")), ("1772360102000", "0"));
        assert_eq!((get("cs2Label"), get("cs2")), ("identifiers", "name,ssn"));
        assert!(get("cs1").starts_with("p_") && get("cs5").starts_with("1:"));
        assert_eq!(get("cs4"), "none");
        assert!(!line.contains("M*****"), "no value, not even masked");
    }

    #[test]
    fn every_event_is_one_line_that_reads_back() {
        let lines = lines(&events());
        assert_eq!(lines.len(), events().len() + 1);
        for line in &lines {
            let (header, extensions) = read(line);
            assert_eq!((header.len(), header[0].as_str()), (7, "CEF:0"), "{line}");
            assert!(header[6].parse::<u8>().is_ok_and(|s| s <= 10), "{line}");
            let mut keys: Vec<&str> = extensions.iter().map(|(k, _)| k.as_str()).collect();
            let all = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), all, "a key twice: {line}");
            assert!(keys.contains(&"rt"), "{line}");
        }
        let status = status_written(&FORMAT, &[], &run());
        let (header, extensions) = read(status.trim_end());
        assert_eq!((header[4].as_str(), header[6].as_str()), ("sensor-status", "7"), "{status}");
        assert!(extensions.contains(&("reason".into(), "interface,output".into())), "{status}");
        assert!(lines.last().is_some_and(|l| l.contains("|run-summary|") && l.contains("cn3=2")));
        assert!(lines.iter().any(|l| l.contains("c6a3=2001:db8::15")), "IPv6 has its own field");
    }

    /// Keys of the extension dictionary of the CEF guide (version 0) that may be written, with their types.
    const DICTIONARY: [(&str, &str); 35] = [
        ("act", "text"),
        ("app", "text"),
        ("c6a2", "ip"),
        ("c6a3", "ip"),
        ("cn1", "number"),
        ("cn2", "number"),
        ("cn3", "number"),
        ("cnt", "number"),
        ("cs1", "text"),
        ("cs2", "text"),
        ("cs3", "text"),
        ("cs4", "text"),
        ("cs5", "text"),
        ("cs6", "text"),
        ("destinationServiceName", "text"),
        ("deviceDirection", "direction"),
        ("deviceInboundInterface", "text"),
        ("dpt", "port"),
        ("dst", "ip"),
        ("dvchost", "text"),
        ("end", "number"),
        ("externalId", "text"),
        ("flexNumber1", "number"),
        ("flexNumber2", "number"),
        ("flexString1", "text"),
        ("flexString2", "text"),
        ("in", "number"),
        ("msg", "text"),
        ("outcome", "text"),
        ("proto", "text"),
        ("reason", "text"),
        ("rt", "number"),
        ("spt", "port"),
        ("src", "ip"),
        ("start", "number"),
    ];

    #[test]
    fn every_key_is_one_of_the_guide_with_its_type_and_its_label() {
        let mut open = Sample::default();
        open.facts.credentials_in_clear = true;
        let (mut x, mut out) = (tracker(), events());
        x.finding(open.build(), &mut out);
        for line in &lines(&out) {
            let (_, extensions) = read(line);
            for (key, value) in &extensions {
                if let Some(of) = key.strip_suffix("Label") {
                    assert!(extensions.iter().any(|(k, _)| k == of), "{key} without {of}: {line}");
                    continue;
                }
                let known = DICTIONARY.iter().find(|(name, _)| name == key);
                let (_, kind) = known.unwrap_or_else(|| panic!("{key} is no key of CEF: {line}"));
                let fits = match *kind {
                    "number" => value.parse::<u64>().is_ok(),
                    "port" => value.parse::<u16>().is_ok(),
                    "ip" => value.parse::<IpAddr>().is_ok(),
                    "direction" => value == "0" || value == "1",
                    _ => !value.is_empty() && value.chars().count() <= 1_023,
                };
                assert!(fits, "{key}={value}: not {kind}");
                let custom =
                    ["cs", "cn", "c6a", "flex"].iter().any(|p| key.starts_with(p)) && key != "cnt";
                let label = format!("{key}Label");
                assert_eq!(custom, extensions.iter().any(|(k, _)| *k == label), "{label}: {line}");
            }
        }
    }

    #[test]
    fn hostile_text_stays_inside_its_field() {
        let mut sample = Sample::default();
        sample.facts.dicom().called_aet = Some("A|B=C\\D\r\nCEF:0|x src=1.2.3.4\u{2028}".into());
        sample.operation = "X=1 dst=9.9.9.9";
        let (mut x, mut out) = (tracker(), Vec::new());
        x.finding(sample.build(), &mut out);
        let lines = lines(&out);
        assert_eq!(lines.len(), out.len() + 1);
        let line = lines.iter().find(|l| l.contains("|phi-finding|")).expect("line");
        let (_, extensions) = read(line);
        let all = |key: &str| extensions.iter().filter(|(k, _)| k == key).count();
        assert_eq!((all("dst"), all("src")), (1, 1));
        let get = |key: &str| extensions.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        assert_eq!(get("act"), Some("X=1 dst=9.9.9.9"));
        assert_eq!(get("destinationServiceName"), Some("A|B=C\\D\r\nCEF:0|x src=1.2.3.4 "));
    }

    #[test]
    fn severities_keep_their_bands() {
        for (score, expected) in
            [(1, 0), (39, 3), (40, 4), (69, 6), (70, 7), (89, 8), (90, 9), (100, 10)]
        {
            assert_eq!(severity(score), expected);
        }
    }
}
