//! `phitap query`: lists entries.

use super::source::{self, Asset, Evidence, Exposure, Filter, Patient, Results, Run, Service};
use super::table::{Column, Table, hidden, shown, time};
use super::{Answer, Console, Query, ReviewError, judged, report_losses};
use crate::output::text::{foreign, number};
use crate::severity::Severity;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// What to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Clients and services.
    Exposures,
    /// Patients.
    Patients,
    /// Server ports.
    Services,
    /// Hosts with a role.
    Assets,
    /// Runs.
    Runs,
}

/// Most protocols listed if a requested one does not exist.
const MAX_PROTOCOLS: usize = 64;

/// Notes requested protocols that do not occur; they may be typing errors.
fn absent_protocols(query: &Query, note: &mut dyn FnMut(String)) -> Result<(), ReviewError> {
    if query.filter.protocols.is_empty() {
        return Ok(());
    }
    let all = source::read(&query.source, &Filter { patients: 0, ..Filter::default() })?;
    let services = all.services.iter().map(|service| service.protocol.as_str());
    let exposures = all.exposures.iter().map(|exposure| exposure.protocol.as_str());
    let known: BTreeSet<&str> = services.chain(exposures).collect();
    let named: Vec<_> = known.iter().take(MAX_PROTOCOLS).map(|name| foreign(name, 32)).collect();
    for asked in query.filter.protocols.iter().filter(|asked| !known.contains(asked.as_str())) {
        let path = query.source.display();
        note(format!("{path} has no {asked:?}; it has: {}", named.join(", ")));
    }
    Ok(())
}

/// A row about something that a run saw, or several.
pub(super) trait RunEntry {
    /// The results, and the index of the run; of joined entries, that of the one shown.
    fn run(&self) -> (&Results, usize);

    /// Indexes of the other runs that saw it.
    fn more_runs(&self) -> &[usize] {
        &[]
    }
}

/// The columns that name the sensors and the runs of an entry. People see the numbers of the runs if there are several.
pub(super) fn all_runs_columns<T: RunEntry>(runs: &[Run]) -> [Column<T>; 2] {
    fn all<T: RunEntry>(entry: &T) -> BTreeSet<usize> {
        entry.more_runs().iter().copied().chain([entry.run().1]).collect()
    }
    let numbers: fn(&T) -> Value =
        |entry| json!(all(entry).into_iter().map(|run| run + 1).collect::<Vec<_>>());
    [
        hidden("sensors", |entry| {
            let (results, _) = entry.run();
            let runs = all(entry).into_iter().filter_map(|run| results.runs.get(run));
            json!(runs.map(|run| run.sensor.as_str()).collect::<BTreeSet<_>>())
        }),
        if runs.len() > 1 { shown("runs", "Runs", numbers) } else { hidden("runs", numbers) },
    ]
}

/// A row about something that packets prove.
pub(super) trait HasEvidence {
    fn evidence(&self) -> Option<&Evidence>;

    /// Community ID of the flow.
    fn community_id(&self) -> &str;
}

/// The columns that name the packets of an entry.
pub(super) fn evidence_columns<T: HasEvidence>() -> [Column<T>; 4] {
    [
        hidden("file", |entry| entry.evidence().map_or(Value::Null, |e| json!(e.file))),
        hidden("first_packet", |entry| {
            entry.evidence().map_or(Value::Null, |e| json!(e.first_packet))
        }),
        hidden("last_packet", |entry| {
            entry.evidence().map_or(Value::Null, |e| json!(e.last_packet))
        }),
        hidden("community_id", |entry| json!(entry.community_id())),
    ]
}

/// An exposure as a row.
pub(super) struct ExposureRow<'a> {
    pub results: &'a Results,
    pub exposure: &'a Exposure,
}

impl RunEntry for ExposureRow<'_> {
    fn run(&self) -> (&Results, usize) {
        (self.results, self.exposure.run)
    }

    fn more_runs(&self) -> &[usize] {
        &self.exposure.more_runs
    }
}

impl HasEvidence for ExposureRow<'_> {
    fn evidence(&self) -> Option<&Evidence> {
        self.exposure.evidence.as_ref()
    }

    fn community_id(&self) -> &str {
        &self.exposure.community_id
    }
}

pub(super) fn exposure_columns<'a>(runs: &[Run]) -> Vec<Column<ExposureRow<'a>>> {
    let mut columns: Vec<Column<ExposureRow<'a>>> = vec![
        shown("severity", "Severity", |r| json!(Severity::of(r.exposure.severity).as_str())),
        shown("score", "Score", |r| json!(r.exposure.severity)),
        time("first", "First (UTC)", |r| json!(r.exposure.first.to_string())),
        time("last", "Last (UTC)", |r| json!(r.exposure.last.to_string())),
        shown("client", "Client", |r| json!(r.exposure.client.to_string())),
        shown("service", "Service", |r| json!(r.exposure.server.to_string())),
        shown("protocol", "Protocol", |r| json!(r.exposure.protocol)),
        shown("patients", "Patients", |r| json!(r.exposure.patients)),
        hidden("patients_low", |r| json!(r.exposure.patients_bounds.0)),
        hidden("patients_high", |r| json!(r.exposure.patients_bounds.1)),
        shown("records", "Records", |r| json!(r.exposure.records)),
        hidden("findings", |r| json!(r.exposure.findings)),
        hidden("flows", |r| json!(r.exposure.flows)),
        shown("open", "Open", |r| json!(r.exposure.open)),
        shown("kinds", "Kinds", |r| {
            json!(r.exposure.kinds.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>())
        }),
        hidden("direction", |r| json!(r.exposure.direction)),
        hidden("transport", |r| json!(r.exposure.transport)),
        hidden("authentication", |r| json!(r.exposure.authentication)),
        hidden("operations", |r| json!(r.exposure.operations)),
        hidden("marks", |r| json!(r.exposure.marks)),
        hidden("state", |r| json!(r.exposure.state)),
    ];
    columns.extend(evidence_columns());
    columns.extend(all_runs_columns(runs));
    columns.push(shown("id", "Id", |r| json!(r.exposure.id)));
    columns.push(hidden("fingerprint", |r| json!(r.exposure.fingerprint)));
    columns
}

/// A patient, with the exposures in which the patient was seen.
struct PatientRow<'a> {
    results: &'a Results,
    patient: &'a Patient,
    exposures: Vec<&'a Exposure>,
}

impl RunEntry for PatientRow<'_> {
    fn run(&self) -> (&Results, usize) {
        (self.results, self.patient.run)
    }

    fn more_runs(&self) -> &[usize] {
        &self.patient.more_runs
    }
}

/// Kinds whose masks help people to recognise a patient.
const RECOGNISABLE: [&str; 3] = ["name", "birth_date", "patient_id"];

fn patient_columns<'a>(runs: &[Run]) -> Vec<Column<PatientRow<'a>>> {
    let mut columns: Vec<Column<PatientRow<'a>>> = vec![
        shown("patient", "Patient", |r| json!(r.patient.token)),
        time("first", "First (UTC)", |r| json!(r.patient.first.to_string())),
        time("last", "Last (UTC)", |r| json!(r.patient.last.to_string())),
        shown("records", "Records", |r| json!(r.patient.records)),
        shown("exposures", "Exposures", |r| {
            let seen = r.patient.seen.iter().filter_map(|seen| seen.exposure);
            json!(seen.collect::<BTreeSet<usize>>().len())
        }),
        shown("masks", "Masks", |r| {
            let shown = r.patient.identifiers.iter();
            let shown = shown.filter(|i| RECOGNISABLE.contains(&i.kind.as_str()));
            json!(shown.map(|i| i.value.as_str()).collect::<Vec<_>>())
        }),
        shown("kinds", "Kinds", |r| json!(r.patient.kinds)),
        hidden("services", |r| {
            let services = r.exposures.iter().map(|e| format!("{} ({})", e.server, e.protocol));
            json!(services.collect::<BTreeSet<String>>())
        }),
        hidden("severity", |r| {
            json!(r.patient.seen.iter().map(|seen| seen.severity).max().unwrap_or(0))
        }),
    ];
    columns.extend(all_runs_columns(runs));
    columns
}

fn patients(results: &Results, limit: usize) -> Table {
    let rows = results.patients.iter().take(limit).map(|patient| PatientRow {
        results,
        patient,
        exposures: exposures_of(results, patient),
    });
    Table::of(&patient_columns(&results.runs), rows)
}

fn exposures_of<'a>(results: &'a Results, patient: &Patient) -> Vec<&'a Exposure> {
    patient.seen.iter().filter_map(|seen| results.exposures.get(seen.exposure?)).collect()
}

/// A service, with the exposures of its clients.
struct ServiceRow<'a> {
    results: &'a Results,
    service: &'a Service,
    exposures: &'a [&'a Exposure],
}

impl RunEntry for ServiceRow<'_> {
    fn run(&self) -> (&Results, usize) {
        (self.results, self.service.run)
    }

    fn more_runs(&self) -> &[usize] {
        &self.service.more_runs
    }
}

fn service_columns<'a>(runs: &[Run]) -> Vec<Column<ServiceRow<'a>>> {
    let mut columns: Vec<Column<ServiceRow<'a>>> = vec![
        shown("service", "Service", |r| json!(r.service.server.to_string())),
        shown("protocol", "Protocol", |r| json!(r.service.protocol)),
        hidden("transport", |r| json!(r.service.transport)),
        shown("authentication", "Login", |r| json!(r.service.authentication)),
        shown("open", "Open", |r| json!(r.service.open)),
        shown("exposures", "Exposures", |r| json!(r.exposures.len())),
        shown("clients", "Clients exposed", |r| {
            json!(r.exposures.iter().map(|e| e.client).collect::<BTreeSet<_>>().len())
        }),
        shown("patients_at_most", "Patients at most", |r| {
            json!(r.exposures.iter().map(|e| e.patients).sum::<u64>())
        }),
        shown("severity", "Worst", |r| {
            let worst = r.exposures.iter().map(|e| e.severity).max();
            json!(worst.map_or("", |score| Severity::of(score).as_str()))
        }),
        hidden("time", |r| json!(r.service.time.to_string())),
    ];
    columns.extend(all_runs_columns(runs));
    columns.push(hidden("id", |r| json!(r.service.id)));
    columns
}

fn services(results: &Results, by_run: bool, limit: usize) -> Table {
    // Where entries are joined, an exposure may have been seen in another run than its service.
    let of_run = |run: usize| by_run.then_some(run);
    let mut of_service: HashMap<_, Vec<&Exposure>> = HashMap::new();
    for e in &results.exposures {
        of_service.entry((of_run(e.run), e.server, e.protocol.as_str())).or_default().push(e);
    }
    let rows = results.services.iter().take(limit).map(|service| {
        let of = (of_run(service.run), service.server, service.protocol.as_str());
        let exposures = of_service.get(&of);
        ServiceRow { results, service, exposures: exposures.map_or(&[][..], Vec::as_slice) }
    });
    Table::of(&service_columns(&results.runs), rows)
}

impl RunEntry for (&Results, &Asset) {
    fn run(&self) -> (&Results, usize) {
        (self.0, self.1.run)
    }

    fn more_runs(&self) -> &[usize] {
        &self.1.more_runs
    }
}

fn asset_columns<'a>(runs: &[Run]) -> Vec<Column<(&'a Results, &'a Asset)>> {
    let mut columns: Vec<Column<(&'a Results, &'a Asset)>> = vec![
        shown("address", "Address", |(_, asset)| json!(asset.ip.to_string())),
        shown("role", "Role", |(_, asset)| json!(asset.role)),
        shown("protocol", "Proved by", |(_, asset)| json!(asset.protocol)),
        time("first", "First seen (UTC)", |(_, asset)| json!(asset.time.to_string())),
    ];
    columns.extend(all_runs_columns(runs));
    columns.push(hidden("id", |(_, asset)| json!(asset.id)));
    columns
}

/// A run and its index.
struct RunRow<'a> {
    results: &'a Results,
    at: usize,
    run: &'a Run,
}

impl RunRow<'_> {
    /// A total from its summary.
    fn figure(&self, path: &str) -> Value {
        self.run.event.pointer(path).cloned().unwrap_or(Value::Null)
    }
}

fn run_columns<'a>() -> [Column<RunRow<'a>>; 14] {
    [
        shown("run", "Run", |r| json!(r.at + 1)),
        shown("sensor", "Sensor", |r| json!(r.run.sensor)),
        time("first", "First (UTC)", |r| json!(r.run.first.map(|t| t.to_string()))),
        time("last", "Last (UTC)", |r| json!(r.run.last.map(|t| t.to_string()))),
        shown("ended", "Ended", |r| json!(r.run.ended)),
        shown("exposures", "Exposures", |r| {
            json!(r.results.exposures.iter().filter(|e| e.run == r.at).count())
        }),
        shown("patients", "Patients", |r| r.figure("/phi/run/patients")),
        shown("verdict", "Verdict", |r| r.figure("/phi/run/coverage/verdict")),
        hidden("live", |r| json!(r.run.live)),
        hidden("began", |r| json!(r.run.began.map(|t| t.to_string()))),
        hidden("version", |r| json!(r.run.version)),
        hidden("rules", |r| json!(r.run.rules)),
        shown("key_id", "Key", |r| json!(r.run.key_id)),
        shown("files", "Files", |r| json!(r.run.files)),
    ]
}

/// Notes that entries of some runs cannot be joined, because their pseudonyms were made with different keys.
fn different_keys(query: &Query, runs: &[Run], note: &mut dyn FnMut(String)) {
    let keys: BTreeSet<&str> =
        runs.iter().map(|run| run.key_id.as_str()).filter(|id| !id.is_empty()).collect();
    if keys.len() > 1 {
        note(format!(
            "{}: the runs have {} keys, so what they saw of one exposure or patient is listed once for each key; \
             give every run the same --key-file",
            query.source.display(),
            keys.len()
        ));
    }
}

pub(super) fn answer(
    query: &Query,
    out: &mut Console<'_>,
    note: &mut dyn FnMut(String),
) -> Result<Answer, ReviewError> {
    // A run is listed with what it saw, whatever others saw.
    let by_run = query.by_run || query.listing == Listing::Runs;
    let read = if by_run { source::read } else { source::read_joined };
    let mut results = read(&query.source, &query.filter)?;
    if let Some(run) = query.filter.run.filter(|_| results.runs.is_empty()) {
        let path = query.source.display();
        let text = format!("{path} has no run {run}; see phitap query {path} runs");
        return Err(ReviewError::Unknown(text));
    }
    let limit = query.limit.unwrap_or(usize::MAX);
    if query.listing == Listing::Exposures {
        // Worst first, then latest.
        results.exposures.sort_by_key(|e| std::cmp::Reverse((e.severity, e.last)));
    }
    let results = &results;
    let table = match query.listing {
        Listing::Exposures => Table::of(
            &exposure_columns(&results.runs),
            results.exposures.iter().take(limit).map(|exposure| ExposureRow { results, exposure }),
        ),
        Listing::Patients => patients(results, limit),
        Listing::Services => services(results, by_run, limit),
        Listing::Assets => Table::of(
            &asset_columns(&results.runs),
            results.assets.iter().take(limit).map(|asset| (results, asset)),
        ),
        Listing::Runs => Table::of(
            &run_columns(),
            results.runs.iter().enumerate().take(limit).map(|(at, run)| RunRow {
                results,
                at,
                run,
            }),
        ),
    };
    table.write(query.shape, out)?;
    let all = match query.listing {
        Listing::Exposures => results.exposures.len(),
        Listing::Patients => results.patients.len(),
        Listing::Services => results.services.len(),
        Listing::Assets => results.assets.len(),
        Listing::Runs => results.runs.len(),
    };
    if all > table.len() {
        let left = number((all - table.len()) as u64);
        note(format!("{}: {left} more; --limit N lists N of them", query.source.display()));
    }
    if table.is_empty() && !source::is_stream(&query.source) {
        absent_protocols(query, note)?;
    }
    let answer = report_losses(&query.source, &results.losses, note);
    // No row is no proof: what was not judged may hold one.
    let asked = matches!(query.listing, Listing::Exposures | Listing::Patients);
    let seen: BTreeSet<usize> = results.exposures.iter().flat_map(Exposure::runs).collect();
    let silent = |at: usize, _: &Run| table.is_empty() || !seen.contains(&at);
    if asked && !by_run {
        different_keys(query, &results.runs, note);
    }
    if asked {
        judged(&query.source, &results.runs, silent, note);
    }
    Ok(answer)
}
