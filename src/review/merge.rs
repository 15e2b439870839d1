//! `phitap merge`: the combined result of several runs.

use super::run_ends::RunEnds;
use super::source::remedy;
use super::table::{Column, Shape, Table, hidden, json_text, shown, time};
use super::{Answer, Console, Merge, ReviewError};
use crate::exposure::Count;
use crate::merge::{ExposureNumbers, KeyNumbers, Numbers, Part, PartError, RunNumbers, Summary};
use crate::output::summary_line;
use crate::output::text::{bytes, count, foreign};
use crate::severity::Severity;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::path::PathBuf;

/// Longest line, bytes.
const MAX_LINE: u64 = 1 << 20;
/// Most characters shown of a key's name.
const MAX_KEY: usize = 32;

/// Output format of a merged result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeShape {
    /// A table of exposures; for people also totals.
    Table(Shape),
    /// One JSON object.
    Json,
    /// `phi-summary` events.
    Summaries,
}

/// Why merging failed.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}; {}", remedy(source), path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file contains nothing to merge.
    #[error("{path}: no phi-summary events{remedy}")]
    NoSummaries {
        /// The file.
        path: String,
        /// What the file seems to be, and what to do.
        remedy: &'static str,
    },
}

/// What to do if a file of events has none to merge.
const SUMMARIES: &str = "; write them with --format ecs --summaries";

#[derive(Deserialize)]
struct Line {
    event: Meta,
    #[serde(default)]
    observer: Observer,
    #[serde(default)]
    phi: Phi,
}

#[derive(Deserialize)]
struct Meta {
    action: String,
}

#[derive(Deserialize, Default)]
struct Observer {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize, Default)]
struct Phi {
    #[serde(default)]
    key_id: String,
    summary: Option<Value>,
}

/// Counts of a source's lines.
#[derive(Default)]
struct ReadParts {
    /// Lines that are events.
    events: u64,
    parts: u64,
    /// Runs that ended, and those of them that found something.
    ended: u64,
    found: u64,
    garbage: u64,
    too_long: u64,
    damaged: bool,
    /// What a source without events seems to be.
    remedy: &'static str,
    other_version: Option<u32>,
    other_versions: u64,
}

/// The merge in progress.
#[derive(Default)]
pub struct Merged {
    summary: Summary,
    /// Runs that could not judge everything.
    ends: RunEnds,
    /// Counts of the current source.
    taken: ReadParts,
    /// Whether something could not be read or compared.
    partial: bool,
}

pub(super) fn answer(
    merge: &Merge,
    out: &mut Console<'_>,
    note: &mut dyn FnMut(String),
) -> Result<Answer, ReviewError> {
    let mut merged = Merged::default();
    for path in &merge.sources {
        let read = match path.as_os_str() == "-" {
            true => merged.read(io::stdin().lock()),
            false => File::open(path)
                .and_then(|file| merged.read(BufReader::with_capacity(1 << 16, file))),
        };
        read.map_err(|source| MergeError::Io { path: path.clone(), source })?;
        let name = match path.as_os_str() == "-" {
            true => "standard input".to_owned(),
            false => path.display().to_string(),
        };
        merged.source_ends(&name, note)?;
    }
    merged.write(merge.shape, merge.limit, out, note)
}

impl Merged {
    /// Writes the merged result of one source called `name`.
    ///
    /// # Errors
    /// The source contains nothing to merge, or the result cannot be written.
    pub fn answer(
        mut self,
        name: &str,
        (shape, limit): (MergeShape, Option<usize>),
        out: &mut Console<'_>,
        note: &mut dyn FnMut(String),
    ) -> Result<Answer, ReviewError> {
        self.source_ends(name, note)?;
        self.write(shape, limit, out, note)
    }

    /// Reports what could not be read from a source.
    fn source_ends(&mut self, name: &str, note: &mut dyn FnMut(String)) -> Result<(), MergeError> {
        let taken = std::mem::take(&mut self.taken);
        self.partial |= !tell(name, &taken, note);
        // A run that read nothing has nothing to sum up, and counts all the same.
        let nothing = taken.ended > 0 && taken.found == 0;
        match taken.parts == 0 && taken.other_versions == 0 && !nothing {
            true => {
                // What the file seems to be, if that is known.
                let events = taken.events > 0 || !taken.remedy.starts_with(':');
                let remedy = match (taken.damaged && taken.events == 0, events) {
                    (true, _) => ": it is compressed, and damaged or cut off; copy it again",
                    (_, true) => SUMMARIES,
                    (_, false) => taken.remedy,
                };
                Err(MergeError::NoSummaries { path: name.to_owned(), remedy })
            }
            false => Ok(()),
        }
    }

    fn write(
        self,
        shape: MergeShape,
        limit: Option<usize>,
        out: &mut Console<'_>,
        note: &mut dyn FnMut(String),
    ) -> Result<Answer, ReviewError> {
        let Self { summary, ends, mut partial, .. } = self;
        let numbers = Numbers::from(&summary);
        if numbers.keys.len() > 1 {
            note(format!(
                "pseudonyms were made with {} keys: people of one key cannot be compared with those of \
                 another, so they are counted apart; give every sensor the same --key-file",
                numbers.keys.len()
            ));
            partial = true;
        }
        if ends.any_partial() {
            ends.tell(note);
            partial = true;
        }
        let listed = table(&numbers, limit);
        match shape {
            MergeShape::Table(shape) => {
                if shape == Shape::Table {
                    people(&numbers, &ends, out)?;
                }
                if shape == Shape::Table && listed.is_empty() {
                    let what = if ends.is_empty() { "was read" } else { "could be judged" };
                    writeln!(out, "No patient data seen in what {what}.")?;
                } else {
                    listed.write(shape, out)?;
                }
            }
            MergeShape::Json => writeln!(out, "{}", json_text(&object(&numbers, &ends, limit)))?,
            MergeShape::Summaries => {
                events(&summary, out)?;
                ends.write_events(out)?;
            }
        }
        let all: usize = numbers.keys.iter().map(|key| key.exposures.len()).sum();
        let is_limited = !matches!(shape, MergeShape::Summaries);
        if let Some(limit) = limit.filter(|limit| is_limited && all > *limit) {
            let left = count((all - limit) as u64, "more exposure");
            note(format!("{left}; --limit N lists N of them"));
        }
        Ok(if partial { Answer::Partial } else { Answer::Done })
    }

    fn read(&mut self, input: impl BufRead) -> io::Result<()> {
        let mut input = super::source::Input::new(input)?;
        self.taken.remedy = input.remedy;
        let mut line = Vec::new();
        loop {
            line.clear();
            if (&mut input.lines).take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                self.taken.damaged = input.is_damaged();
                return Ok(());
            }
            if line.len() as u64 >= MAX_LINE && line.last() != Some(&b'\n') {
                self.taken.too_long += 1;
                super::source::skip_line(&mut input.lines)?;
            } else if !line.trim_ascii().is_empty() {
                self.line(&line);
            }
        }
    }

    /// Takes a line, valid or not.
    pub fn line(&mut self, line: &[u8]) {
        let Self { summary, taken, ends, .. } = self;
        let Ok(event) = serde_json::from_slice::<Line>(line) else {
            taken.garbage += 1;
            return;
        };
        taken.events += 1;
        if event.event.action == "run-summary" {
            let Ok(event) = serde_json::from_slice::<Value>(line) else { return };
            taken.ended += 1;
            taken.found += u64::from(ends.add(&event));
            return;
        }
        if event.event.action != "phi-summary" {
            return;
        }
        let Phi { key_id, summary: part } = event.phi;
        // Check the version first, since the rest of another version is unknown.
        let version = part.as_ref().and_then(|part| part.get("version")?.as_u64());
        let part = match (part, version) {
            (Some(part), Some(version)) if version == u64::from(crate::merge::VERSION) => {
                serde_json::from_value::<Part>(part).ok()
            }
            (_, Some(version)) => {
                taken.other_versions += 1;
                taken.other_version = u32::try_from(version).ok();
                return;
            }
            _ => None,
        };
        match part.map(|part| part.read(&key_id, &event.observer.name, summary)) {
            Some(Ok(_)) => taken.parts += 1,
            _ => taken.garbage += 1,
        }
    }
}

/// Reports what could not be read. Returns whether everything could.
fn tell(path: &str, taken: &ReadParts, note: &mut dyn FnMut(String)) -> bool {
    let mut whole = true;
    let mut tell = |n: u64, one: &str, what: String| {
        if n > 0 {
            note(format!("{path}: {}: {what}", count(n, one)));
            whole = false;
        }
    };
    tell(taken.garbage, "line", "no event of phitap, or damaged".into());
    tell(taken.too_long, "line", "too long for an event".into());
    let cut = "compressed, and damaged or cut off: what follows is missing";
    tell(u64::from(taken.damaged), "file", cut.into());
    if let Some(version) = taken.other_version {
        tell(taken.other_versions, "summary", PartError::Version(version).to_string());
    }
    whole
}

/// `about 1,200 patients`.
fn counted_as(of: Count, one: &str) -> String {
    let about = if of.estimate { "about " } else { "" };
    format!("{about}{}", count(of.value, one))
}

/// Totals of all runs. Packets that two sensors saw count twice.
fn total(numbers: &Numbers) -> RunNumbers {
    let mut total = RunNumbers { over: true, ..RunNumbers::default() };
    for (_, of) in &numbers.runs {
        total.packets = total.packets.saturating_add(of.packets);
        total.bytes = total.bytes.saturating_add(of.bytes);
        total.flows = total.flows.saturating_add(of.flows);
        total.payload_bytes = total.payload_bytes.saturating_add(of.payload_bytes);
        total.unjudged_bytes = total.unjudged_bytes.saturating_add(of.unjudged_bytes);
        total.unjudged_flows = total.unjudged_flows.saturating_add(of.unjudged_flows);
        total.lost_packets = total.lost_packets.saturating_add(of.lost_packets);
        total.over &= of.over;
    }
    total
}

fn people(numbers: &Numbers, ends: &RunEnds, out: &mut Console<'_>) -> io::Result<()> {
    let mut sensors: BTreeSet<&str> =
        numbers.runs.iter().map(|((sensor, _), _)| &**sensor).collect();
    let all = total(numbers);
    let mut runs = numbers.runs.len() as u64;
    for sensor in ends.empty_sensors() {
        runs += u64::from(sensors.insert(sensor));
    }
    if runs == 0 {
        out.line("How much was read is not known: no run has ended.")?;
    } else {
        out.line(&format!(
            "{} of {}: {}, {}, {} not judged, {} lost",
            count(runs, "run"),
            count(sensors.len() as u64, "sensor"),
            count(all.packets, "packet"),
            bytes(all.bytes),
            bytes(all.unjudged_bytes),
            count(all.lost_packets, "packet")
        ))?;
    }
    if !all.over {
        out.line("Some of these runs are not over, or were stopped early.")?;
    }
    ends.all().iter().try_for_each(|line| out.line(line))?;
    for key in &numbers.keys {
        let KeyNumbers { key_id, patients, findings, records, exposures } = key;
        out.line(&format!(
            "{} in {}, {}, {} (key {})",
            counted_as(*patients, "patient"),
            count(exposures.len() as u64, "exposure"),
            counted_as(*findings, "finding"),
            counted_as(*records, "record"),
            foreign(key_id, MAX_KEY)
        ))?;
    }
    writeln!(out)
}

/// An exposure with its key id.
type Row<'a> = (&'a str, &'a ExposureNumbers);

fn columns<'a>() -> [Column<Row<'a>>; 16] {
    [
        shown("severity", "Severity", |(_, e)| json!(Severity::of(e.severity).as_str())),
        shown("score", "Score", |(_, e)| json!(e.severity)),
        time("first", "First (UTC)", |(_, e)| json!(e.first.to_string())),
        time("last", "Last (UTC)", |(_, e)| json!(e.last.to_string())),
        shown("client", "Client", |(_, e)| json!(e.pair.client.to_string())),
        shown("service", "Service", |(_, e)| json!(e.pair.server.to_string())),
        shown("protocol", "Protocol", |(_, e)| json!(e.pair.protocol.as_str())),
        hidden("transport", |(_, e)| json!(transport(e.pair.transport))),
        shown("patients", "Patients", |(_, e)| json!(e.patients.value)),
        hidden("estimated", |(_, e)| json!(e.patients.estimate)),
        shown("findings", "Findings", |(_, e)| json!(e.findings.value)),
        shown("records", "Records", |(_, e)| json!(e.records.value)),
        shown("flows", "Flows", |(_, e)| json!(e.flows.value)),
        shown("open", "Open", |(_, e)| json!(e.open)),
        shown("kinds", "Kinds", |(_, e)| {
            json!(e.kinds.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>())
        }),
        hidden("key_id", |(key_id, _)| json!(key_id)),
    ]
}

fn transport(number: u8) -> &'static str {
    if number == 17 { "udp" } else { "tcp" }
}

/// Exposures of all keys, worst first.
fn worst_first(numbers: &Numbers) -> Vec<Row<'_>> {
    let mut all: Vec<Row<'_>> = Vec::new();
    for key in &numbers.keys {
        all.extend(key.exposures.iter().map(|e| (key.key_id.as_str(), e)));
    }
    all.sort_by_key(|(_, e)| {
        std::cmp::Reverse((e.severity, e.patients.value, std::cmp::Reverse(e.pair)))
    });
    all
}

fn table(numbers: &Numbers, limit: Option<usize>) -> Table {
    Table::of(&columns(), worst_first(numbers).into_iter().take(limit.unwrap_or(usize::MAX)))
}

fn counted(count: Count) -> Value {
    let (low, high) = count.bounds();
    match count.estimate {
        true => json!({"value": count.value, "estimated": true, "low": low, "high": high}),
        false => json!({"value": count.value, "estimated": false}),
    }
}

fn object(numbers: &Numbers, ends: &RunEnds, limit: Option<usize>) -> Value {
    let exposure = |(key_id, e): (&str, &ExposureNumbers)| {
        let kinds: serde_json::Map<String, Value> =
            e.kinds.iter().map(|(kind, n)| (kind.as_str().to_owned(), json!(n))).collect();
        json!({
            "key_id": key_id,
            "client": e.pair.client.to_string(),
            "server": {"ip": e.pair.server.ip().to_string(), "port": e.pair.server.port()},
            "transport": transport(e.pair.transport),
            "protocol": e.pair.protocol.as_str(),
            "severity": e.severity,
            "open": e.open,
            "first": e.first.to_string(),
            "last": e.last.to_string(),
            "patients": counted(e.patients),
            "findings": counted(e.findings),
            "records": counted(e.records),
            "flows": counted(e.flows),
            "kinds": kinds,
        })
    };
    let exposures = worst_first(numbers).into_iter().take(limit.unwrap_or(usize::MAX));
    let key = |key: &KeyNumbers| {
        json!({
            "key_id": key.key_id,
            "patients": counted(key.patients),
            "findings": counted(key.findings),
            "records": counted(key.records),
            "exposures": key.exposures.len(),
        })
    };
    let run = |((sensor, id), figures): &((String, String), RunNumbers)| json!({"sensor": sensor, "run": id, "figures": figures});
    json!({
        "keys": numbers.keys.iter().map(key).collect::<Vec<_>>(),
        "exposures": exposures.map(exposure).collect::<Vec<_>>(),
        "runs": numbers.runs.iter().map(run).collect::<Vec<_>>(),
        "not_judged": ends.json(),
    })
}

fn events(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut write = |part: &Part, key_id: &str, sensor: &str| {
        let mut line = summary_line(part, key_id, sensor)?;
        line.push(b'\n');
        out.write_all(&line)
    };
    for (key_id, section) in &summary.keys {
        section.parts().iter().try_for_each(|part| write(part, key_id, ""))?;
    }
    let keys: BTreeSet<&String> = summary.services.keys().map(|(key_id, _)| key_id).collect();
    for key_id in keys {
        summary.service_parts(key_id).iter().try_for_each(|part| write(part, key_id, ""))?;
    }
    let key_id = summary.keys.keys().next().map_or("none", String::as_str);
    for ((sensor, run), figures) in &summary.runs {
        write(&Part::of_run(run.clone(), *figures), key_id, sensor)?;
    }
    Ok(())
}
