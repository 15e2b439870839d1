//! `phitap merge`: what several runs come to together.

use super::table::{Column, Shape, Table, hidden, json_text, shown};
use super::{Answer, Merge, ReviewError};
use crate::exposure::Count;
use crate::merge::{ExposureNumbers, Figures, KeyNumbers, Numbers, Part, PartError, Summary};
use crate::output::summary_line;
use crate::output::text::{bytes, count, foreign};
use crate::severity::Severity;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};

/// Longest line, bytes.
const MAX_LINE: u64 = 1 << 20;
/// Characters of the name of a key.
const MAX_KEY: usize = 32;

/// How a merged result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeShape {
    /// Exposures as a table; for people also what they come to.
    Table(Shape),
    /// One JSON object.
    Json,
    /// `phi-summary` events.
    Summaries,
}

/// Why nothing was merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}; check the path, and that you may read it", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds nothing to merge.
    #[error("{path} holds no phi-summary events; write them with --format ecs --summaries", path = .0.display())]
    NoSummaries(PathBuf),
}

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

/// What was in the lines of a file.
#[derive(Default)]
struct Taken {
    parts: u64,
    garbage: u64,
    too_long: u64,
    other_version: Option<u32>,
    other_versions: u64,
}

pub(super) fn answer(
    merge: &Merge,
    out: &mut dyn Write,
    note: &mut dyn FnMut(String),
) -> Result<Answer, ReviewError> {
    let mut summary = Summary::default();
    let mut whole = true;
    for path in &merge.sources {
        let taken = match path.as_os_str() == "-" {
            true => read(io::stdin().lock(), &mut summary),
            false => File::open(path)
                .and_then(|file| read(BufReader::with_capacity(1 << 16, file), &mut summary)),
        };
        let taken = taken.map_err(|source| MergeError::Io { path: path.clone(), source })?;
        whole &= tell(path, &taken, note);
        if taken.parts == 0 && taken.other_versions == 0 {
            return Err(MergeError::NoSummaries(path.clone()).into());
        }
    }
    let numbers = Numbers::from(&summary);
    if numbers.keys.len() > 1 {
        note(format!(
            "pseudonyms were made with {} keys: people of one key cannot be compared with those of another, so \
             they are counted apart; give every sensor the same --key-file",
            numbers.keys.len()
        ));
        whole = false;
    }
    match merge.shape {
        MergeShape::Table(shape) => {
            if shape == Shape::Table {
                people(&numbers, out)?;
            }
            table(&numbers, merge.limit).write(shape, out)?;
        }
        MergeShape::Json => writeln!(out, "{}", json_text(&object(&numbers, merge.limit)))?,
        MergeShape::Summaries => events(&summary, out)?,
    }
    Ok(if whole { Answer::Done } else { Answer::Partial })
}

/// Says what could not be read; whether that was everything.
fn tell(path: &Path, taken: &Taken, note: &mut dyn FnMut(String)) -> bool {
    let path = path.display();
    let mut whole = true;
    let mut tell = |n: u64, what: String| {
        if n > 0 {
            note(format!("{path}: {n} {what}"));
            whole = false;
        }
    };
    tell(taken.garbage, "lines are no events of phitap, or damaged".into());
    tell(taken.too_long, "lines are too long for an event".into());
    if let Some(version) = taken.other_version {
        tell(taken.other_versions, format!("summaries: {}", PartError::Version(version)));
    }
    whole
}

fn read(mut input: impl BufRead, summary: &mut Summary) -> io::Result<Taken> {
    let mut taken = Taken::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut input).take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(taken);
        }
        if line.len() as u64 >= MAX_LINE && line.last() != Some(&b'\n') {
            taken.too_long += 1;
            super::source::skip_line(&mut input)?;
            continue;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let Ok(event) = serde_json::from_slice::<Line>(&line) else {
            taken.garbage += 1;
            continue;
        };
        if event.event.action != "phi-summary" {
            continue;
        }
        let Phi { key_id, summary: part } = event.phi;
        // The version is looked at first: what else a part of another version holds is not known.
        let version = part.as_ref().and_then(|part| part.get("version")?.as_u64());
        let part = match (part, version) {
            (Some(part), Some(version)) if version == u64::from(crate::merge::VERSION) => {
                serde_json::from_value::<Part>(part).ok()
            }
            (_, Some(version)) => {
                taken.other_versions += 1;
                taken.other_version = u32::try_from(version).ok();
                continue;
            }
            _ => None,
        };
        match part.map(|part| part.read(&key_id, &event.observer.name, summary)) {
            Some(Ok(_)) => taken.parts += 1,
            _ => taken.garbage += 1,
        }
    }
}

fn number(count: Count) -> String {
    let about = if count.estimate { "about " } else { "" };
    format!("{about}{}", crate::output::text::number(count.value))
}

/// What all runs read. Packets that two sensors saw were read twice.
fn total(numbers: &Numbers) -> Figures {
    let mut total = Figures { over: true, ..Figures::default() };
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

fn people(numbers: &Numbers, out: &mut dyn Write) -> io::Result<()> {
    let sensors: BTreeSet<&str> = numbers.runs.iter().map(|((sensor, _), _)| &**sensor).collect();
    let all = total(numbers);
    let runs = numbers.runs.len() as u64;
    write!(out, "{} of {}", count(runs, "run"), count(sensors.len() as u64, "sensor"))?;
    writeln!(
        out,
        ": {}, {}, {} not judged, {} lost",
        count(all.packets, "packet"),
        bytes(all.bytes),
        bytes(all.unjudged_bytes),
        count(all.lost_packets, "packet")
    )?;
    if !all.over {
        writeln!(out, "Some of these runs are not over, or were stopped early.")?;
    }
    for key in &numbers.keys {
        let KeyNumbers { key_id, patients, findings, records, exposures } = key;
        writeln!(
            out,
            "{} patients in {}, {} findings, {} records (key {})",
            number(*patients),
            count(exposures.len() as u64, "exposure"),
            number(*findings),
            number(*records),
            foreign(key_id, MAX_KEY)
        )?;
    }
    writeln!(out)
}

const COLUMNS: &[Column] = &[
    shown("severity", "Severity"),
    shown("score", "Score"),
    shown("first", "First"),
    shown("last", "Last"),
    shown("client", "Client"),
    shown("service", "Service"),
    shown("protocol", "Protocol"),
    hidden("transport"),
    shown("patients", "Patients"),
    hidden("estimated"),
    shown("findings", "Findings"),
    shown("records", "Records"),
    shown("flows", "Flows"),
    shown("kinds", "Kinds"),
    hidden("key_id"),
];

fn transport(number: u8) -> &'static str {
    if number == 17 { "udp" } else { "tcp" }
}

/// Exposures of all keys, the worst first.
fn worst_first(numbers: &Numbers) -> Vec<(&str, &ExposureNumbers)> {
    let mut all: Vec<(&str, &ExposureNumbers)> = Vec::new();
    for key in &numbers.keys {
        all.extend(key.exposures.iter().map(|e| (key.key_id.as_str(), e)));
    }
    all.sort_by_key(|(_, e)| {
        std::cmp::Reverse((e.severity, e.patients.value, std::cmp::Reverse(e.pair)))
    });
    all
}

fn table(numbers: &Numbers, limit: Option<usize>) -> Table {
    let mut table = Table::new(COLUMNS);
    for (key_id, e) in worst_first(numbers).into_iter().take(limit.unwrap_or(usize::MAX)) {
        let kinds: Vec<&str> = e.kinds.iter().map(|(kind, _)| kind.as_str()).collect();
        table.rows.push(vec![
            json!(Severity::of(e.severity).as_str()),
            json!(e.severity),
            json!(e.first.to_string()),
            json!(e.last.to_string()),
            json!(e.pair.client.to_string()),
            json!(e.pair.server.to_string()),
            json!(e.pair.protocol.as_str()),
            json!(transport(e.pair.transport)),
            json!(e.patients.value),
            json!(e.patients.estimate),
            json!(e.findings.value),
            json!(e.records.value),
            json!(e.flows.value),
            json!(kinds),
            json!(key_id),
        ]);
    }
    table
}

fn counted(count: Count) -> Value {
    let (low, high) = count.bounds();
    match count.estimate {
        true => json!({"value": count.value, "estimated": true, "low": low, "high": high}),
        false => json!({"value": count.value, "estimated": false}),
    }
}

fn object(numbers: &Numbers, limit: Option<usize>) -> Value {
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
    let run = |((sensor, id), figures): &((String, String), Figures)| json!({"sensor": sensor, "run": id, "figures": figures});
    json!({
        "keys": numbers.keys.iter().map(key).collect::<Vec<_>>(),
        "exposures": exposures.map(exposure).collect::<Vec<_>>(),
        "runs": numbers.runs.iter().map(run).collect::<Vec<_>>(),
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
    let key_id = summary.keys.keys().next().map_or("none", String::as_str);
    for ((sensor, run), figures) in &summary.runs {
        write(&Part::of_run(run.clone(), *figures), key_id, sensor)?;
    }
    Ok(())
}
