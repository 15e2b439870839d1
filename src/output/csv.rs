//! `--format csv`: one table of exposures and patients for spreadsheets (RFC 4180), values never shown.
//!
//! A row is written once, as things were last: of patients when their exposure ends or there is no more
//! room to hold rows, of exposures at their end. Programs for spreadsheets take some texts for formulas
//! (OWASP, "CSV Injection"), so text that begins like one is preceded by an apostrophe.

use super::text::is_unsafe;
use super::{Context, Format, Output, RunSummary, remedy};
use crate::capture::{PacketRef, PacketSpan};
use crate::exposure::{
    Event, EventId, Exposure, ExposureState, FindingEvent, NetworkDirection, PatientList,
};
use crate::flow::Transport;
use crate::identify::Token;
use crate::rules::{Kind, KindSet};
use crate::severity::Severity;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

pub(in crate::output) const FORMAT: Format = Format {
    name: "csv",
    aliases: &[],
    about: "a table of exposures and patients for spreadsheets",
    open: |writer, context| {
        Box::new(Csv { writer, context, begun: false, patients: BTreeMap::new() })
    },
};

/// Patients whose rows are held until the end, some 200 bytes each. Beyond it all are written at once, and
/// one that comes again has a second row.
const MAX_HELD: usize = 100_000;

const HEADER: &str = "type,id,exposure,severity,score,first_seen,last_seen,client,server,port,transport,\
protocol,direction,patient,patients,patients_low,patients_high,records,findings,flows,kinds,operations,\
authentication,credentials_in_clear,remedies,file,first_packet,last_packet";

struct Csv {
    writer: Box<dyn Write + Send>,
    context: Context,
    begun: bool,
    patients: BTreeMap<(EventId, Token), Patient>,
}

/// A patient of an exposure.
struct Patient {
    exposure: Option<EventId>,
    score: u8,
    first: Timestamp,
    last: Timestamp,
    client: Option<IpAddr>,
    server: SocketAddr,
    transport: Transport,
    protocol: &'static str,
    direction: Option<NetworkDirection>,
    records: Option<u64>,
    kinds: KindSet,
    packets: PacketSpan,
}

/// A row under construction.
#[derive(Default)]
pub(in crate::output) struct Row(String);

impl Row {
    fn cell(&mut self) -> &mut String {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        &mut self.0
    }

    /// A number, a time, an address, or one of our own words: nothing to quote.
    pub fn plain(&mut self, value: impl std::fmt::Display) {
        let _ = write!(self.cell(), "{value}");
    }

    /// The same, if known.
    pub fn maybe(&mut self, value: Option<impl std::fmt::Display>) {
        match value {
            Some(value) => self.plain(value),
            None => self.empty(),
        }
    }

    /// Nothing.
    pub fn empty(&mut self) {
        self.cell();
    }

    /// Text that may come from the wire.
    pub fn text(&mut self, text: &str) {
        let out = self.cell();
        if text.is_empty() {
            return;
        }
        out.push('"');
        // Characters that programs skip before a formula (tab, line ends) are replaced below.
        let first = text.trim_start_matches(is_unsafe).trim_start().chars().next();
        if first.is_some_and(|c| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠'))
        {
            out.push('\'');
        }
        for c in text.chars() {
            match c {
                '"' => out.push_str("\"\""),
                c if is_unsafe(c) => out.push(' '),
                c => out.push(c),
            }
        }
        out.push('"');
    }

    /// Ends the row.
    pub fn end(self, out: &mut String) {
        out.push_str(&self.0);
        out.push_str("\r\n");
    }

    fn packets(&mut self, span: PacketSpan, context: &Context) {
        let name = |packet: PacketRef| context.files.get(usize::from(packet.interface));
        match name(span.first) {
            Some(file) => {
                self.text(file);
                self.plain(span.first.number);
                self.plain(span.last.number);
            }
            None => (0..3).for_each(|_| self.empty()),
        }
    }
}

fn joined(kinds: impl Iterator<Item = Kind>) -> String {
    kinds.map(Kind::as_str).collect::<Vec<_>>().join(" ")
}

fn exposure(e: &Exposure, context: &Context) -> String {
    let mut row = Row::default();
    row.plain("exposure");
    row.plain(e.id);
    row.plain(e.id);
    row.plain(Severity::of(e.severity).as_str());
    row.plain(e.severity);
    row.plain(e.first);
    row.plain(e.last);
    row.plain(e.client);
    row.plain(e.server.ip());
    row.plain(e.server.port());
    row.plain(e.transport.as_str());
    row.plain(e.protocol);
    row.plain(e.direction.as_str());
    row.empty();
    let (low, high) = e.patients.bounds();
    for n in [e.patients.value, low, high, e.records, e.findings, e.flows] {
        row.plain(n);
    }
    row.plain(joined(e.kinds.iter().map(|(kind, _)| *kind)));
    row.text(&e.operations.join(" "));
    row.plain(e.facts.authentication.as_str());
    row.plain(e.facts.credentials_in_clear);
    let remedies: Vec<&str> =
        remedy::Remedy::of(e).into_iter().map(remedy::Remedy::as_str).collect();
    row.text(&remedies.join("; "));
    row.packets(e.packets, context);
    row.0
}

fn patient(id: EventId, token: Token, p: &Patient, context: &Context) -> String {
    let mut row = Row::default();
    row.plain("patient");
    row.plain(id);
    row.maybe(p.exposure);
    row.plain(Severity::of(p.score).as_str());
    row.plain(p.score);
    row.plain(p.first);
    row.plain(p.last);
    row.maybe(p.client);
    row.plain(p.server.ip());
    row.plain(p.server.port());
    row.plain(p.transport.as_str());
    row.plain(p.protocol);
    row.maybe(p.direction.map(NetworkDirection::as_str));
    row.plain(format_args!("p_{token}"));
    (0..3).for_each(|_| row.empty());
    row.maybe(p.records);
    (0..2).for_each(|_| row.empty());
    row.plain(joined(p.kinds.iter()));
    (0..4).for_each(|_| row.empty());
    row.packets(p.packets, context);
    row.0
}

impl Csv {
    fn line(&mut self, line: &str) -> io::Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            self.writer.write_all(HEADER.as_bytes())?;
            self.writer.write_all(b"\r\n")?;
        }
        self.writer.write_all(line.as_bytes())?;
        self.writer.write_all(b"\r\n")
    }

    /// Writes the held rows of the patients that `of` selects.
    fn release(&mut self, of: impl Fn(&Patient) -> bool) -> io::Result<()> {
        let held = std::mem::take(&mut self.patients);
        let (out, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
            held.into_iter().partition(|(_, p)| of(p));
        self.patients = kept;
        for ((id, token), p) in &out {
            let line = patient(*id, *token, p, &self.context);
            self.line(&line)?;
        }
        Ok(())
    }

    fn hold(&mut self, id: EventId, token: Token, p: Patient) -> io::Result<()> {
        if self.patients.len() >= MAX_HELD {
            self.release(|_| true)?;
        }
        self.patients.insert((id, token), p);
        Ok(())
    }

    fn finding(&mut self, d: &FindingEvent, of: Patient) -> io::Result<()> {
        self.hold(d.id, d.finding.patient, of)
    }

    fn list(&mut self, list: &PatientList) -> io::Result<()> {
        for group in &list.groups {
            for token in &group.patients {
                let of = Patient {
                    exposure: list.exposure,
                    score: list.severity,
                    first: list.first,
                    last: list.last,
                    client: list.client,
                    server: list.server,
                    transport: list.transport,
                    protocol: list.protocol,
                    direction: list.direction,
                    records: None,
                    kinds: group.kinds,
                    packets: list.packets,
                };
                self.hold(list.id, *token, of)?;
            }
        }
        Ok(())
    }
}

impl Output for Csv {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Finding { event: d, severity, direction, exposure, .. } => {
                let of = Patient {
                    exposure: Some(*exposure),
                    score: *severity,
                    first: d.finding.packets.first.time,
                    last: d.finding.time,
                    client: Some(d.flow.client.ip()),
                    server: d.flow.server,
                    transport: d.flow.transport,
                    protocol: d.protocol,
                    direction: Some(*direction),
                    records: Some(d.records),
                    kinds: d.finding.kinds,
                    packets: d.finding.packets,
                };
                self.finding(d, of)
            }
            Event::Patients(list) => self.list(list),
            Event::Exposure(e) if e.state == ExposureState::Ended => {
                let line = exposure(e, &self.context);
                self.line(&line)
            }
            Event::Exposure(_) | Event::Asset(_) | Event::Service(_) => Ok(()),
        }
    }

    fn finish(&mut self, _: &RunSummary) -> io::Result<()> {
        self.release(|_| true)?;
        if !self.begun {
            // A table without rows is still a table.
            self.begun = true;
            self.writer.write_all(HEADER.as_bytes())?;
            self.writer.write_all(b"\r\n")?;
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{busy, context, events, run, tracker, written};
    use super::*;
    use crate::exposure::samples::{Sample, at};

    /// Rows and cells, read back by RFC 4180.
    fn read(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut cell, mut quoted) = (vec![], vec![], String::new(), false);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
                '"' => quoted = !quoted,
                ',' if !quoted => row.push(std::mem::take(&mut cell)),
                '\r' if !quoted && chars.peek() == Some(&'\n') => {
                    chars.next();
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                c => cell.push(c),
            }
        }
        rows
    }

    fn rows(events: &[Event]) -> Vec<Vec<String>> {
        read(&written(&FORMAT, context(), events, &run()))
    }

    #[test]
    fn every_row_has_every_column_and_is_written_once() {
        for events in [events(), busy()] {
            let rows = rows(&events);
            assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{rows:#?}");
            let of = |kind: &str| rows.iter().filter(|row| row[0] == kind).count();
            let ended = |e: &&Event| matches!(e, Event::Exposure(e) if e.state.as_str() == "ended");
            assert_eq!(of("exposure"), events.iter().filter(ended).count());
            assert!(of("patient") >= 14);
            let mut keys: Vec<_> = rows.iter().map(|r| (&r[0], &r[1], &r[13])).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), rows.len());
        }
    }

    #[test]
    fn a_run_without_findings_is_a_table_without_rows() {
        assert_eq!(rows(&[]), read(&format!("{HEADER}\r\n")));
    }

    #[test]
    fn text_from_the_wire_is_never_a_formula_or_another_row() {
        for (text, expected) in [
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1+1", "' =1+1"),
            ("  =1", "'  =1"),
            ("\u{200b}=1", "' =1"),
            ("＝1", "'＝1"),
            ("a,b\r\n\"c\"", "a,b  \"c\""),
            ("C-FIND", "C-FIND"),
        ] {
            let (mut x, mut out) = (tracker(), Vec::new());
            let operation: &'static str = Box::leak(text.to_owned().into_boxed_str());
            x.finding(Sample { operation, ..Sample::default() }.build(), &mut out);
            x.finish(at(80), &mut out);
            let rows = rows(&out);
            let exposure = rows.iter().find(|row| row[0] == "exposure").expect("a row");
            assert_eq!(exposure[21], expected, "{text:?}");
            assert_eq!(rows.len(), 3, "{rows:#?}");
        }
    }
}
