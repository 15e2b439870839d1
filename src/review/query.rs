//! `phitap query`: what is there.

use super::source::{self, Evidence, Exposure, Results};
use super::table::{Column, Table, hidden, shown};
use super::{Answer, Query, ReviewError, report_losses};
use crate::severity::Severity;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::io::Write;

/// What is listed.
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

pub(super) const EXPOSURES: &[Column] = &[
    shown("severity", "Severity"),
    shown("score", "Score"),
    shown("first", "First"),
    shown("last", "Last"),
    shown("client", "Client"),
    shown("service", "Service"),
    shown("protocol", "Protocol"),
    shown("patients", "Patients"),
    hidden("patients_low"),
    hidden("patients_high"),
    shown("records", "Records"),
    hidden("findings"),
    hidden("flows"),
    shown("open", "Open"),
    shown("kinds", "Kinds"),
    hidden("direction"),
    hidden("transport"),
    hidden("authentication"),
    hidden("operations"),
    hidden("marks"),
    hidden("state"),
    hidden("file"),
    hidden("first_packet"),
    hidden("last_packet"),
    hidden("community_id"),
    hidden("sensor"),
    hidden("run"),
    shown("id", "Id"),
    hidden("fingerprint"),
];

/// An exposure as a row of [`EXPOSURES`].
pub(super) fn exposure(results: &Results, e: &Exposure) -> Vec<Value> {
    let sensor = results.runs.get(e.run).map_or("", |run| &run.sensor);
    let kinds: Vec<&str> = e.kinds.iter().map(|(kind, _)| kind.as_str()).collect();
    let evidence = |of: fn(&Evidence) -> Value| e.evidence.as_ref().map_or(Value::Null, of);
    vec![
        json!(Severity::of(e.severity).as_str()),
        json!(e.severity),
        json!(e.first.to_string()),
        json!(e.last.to_string()),
        json!(e.client.to_string()),
        json!(e.server.to_string()),
        json!(e.protocol),
        json!(e.patients),
        json!(e.patients_bounds.0),
        json!(e.patients_bounds.1),
        json!(e.records),
        json!(e.findings),
        json!(e.flows),
        json!(e.open),
        json!(kinds),
        json!(e.direction),
        json!(e.transport),
        json!(e.authentication),
        json!(e.operations),
        json!(e.marks),
        json!(e.state),
        evidence(|e| json!(e.file)),
        evidence(|e| json!(e.first_packet)),
        evidence(|e| json!(e.last_packet)),
        json!(e.community_id),
        json!(sensor),
        json!(e.run + 1),
        json!(e.id),
        json!(e.fingerprint),
    ]
}

const PATIENTS: &[Column] = &[
    shown("patient", "Patient"),
    shown("first", "First"),
    shown("last", "Last"),
    shown("records", "Records"),
    shown("exposures", "Exposures"),
    shown("masks", "Masks"),
    shown("kinds", "Kinds"),
    hidden("services"),
    hidden("severity"),
    hidden("sensor"),
    hidden("run"),
];

/// Masks of the values by which people know a patient.
const TELLING: [&str; 3] = ["name", "birth_date", "patient_id"];

fn patients(results: &Results, table: &mut Table, limit: usize) {
    for patient in results.patients.iter().take(limit) {
        let exposures: Vec<&Exposure> =
            patient.seen.iter().filter_map(|seen| results.exposures.get(seen.exposure?)).collect();
        let services: BTreeSet<String> =
            exposures.iter().map(|e| format!("{} ({})", e.server, e.protocol)).collect();
        let masks: Vec<&str> = patient
            .identifiers
            .iter()
            .filter(|i| TELLING.contains(&i.kind.as_str()))
            .map(|i| i.value.as_str())
            .collect();
        let ids: BTreeSet<usize> = patient.seen.iter().filter_map(|seen| seen.exposure).collect();
        let severity = patient.seen.iter().map(|seen| seen.severity).max().unwrap_or(0);
        table.rows.push(vec![
            json!(patient.token),
            json!(patient.first.to_string()),
            json!(patient.last.to_string()),
            json!(patient.records),
            json!(ids.len()),
            json!(masks),
            json!(patient.kinds),
            json!(services),
            json!(severity),
            json!(results.runs.get(patient.run).map_or("", |run| &run.sensor)),
            json!(patient.run + 1),
        ]);
    }
}

const SERVICES: &[Column] = &[
    shown("service", "Service"),
    shown("protocol", "Protocol"),
    hidden("transport"),
    shown("authentication", "Login"),
    shown("open", "Open"),
    shown("exposures", "Exposures"),
    shown("clients", "Clients exposed"),
    shown("patients_at_most", "Patients at most"),
    shown("severity", "Worst"),
    hidden("time"),
    hidden("sensor"),
    hidden("run"),
    hidden("id"),
];

fn services(results: &Results, table: &mut Table, limit: usize) {
    let mut of_service: HashMap<_, Vec<&Exposure>> = HashMap::new();
    for e in &results.exposures {
        of_service.entry((e.run, e.server, e.protocol.as_str())).or_default().push(e);
    }
    for service in results.services.iter().take(limit) {
        let name = (service.run, service.server, service.protocol.as_str());
        let exposures = of_service.get(&name).map_or(&[][..], Vec::as_slice);
        let clients: BTreeSet<_> = exposures.iter().map(|e| e.client).collect();
        let worst = exposures.iter().map(|e| e.severity).max();
        table.rows.push(vec![
            json!(service.server.to_string()),
            json!(service.protocol),
            json!(service.transport),
            json!(service.authentication),
            json!(service.open),
            json!(exposures.len()),
            json!(clients.len()),
            json!(exposures.iter().map(|e| e.patients).sum::<u64>()),
            json!(worst.map_or("", |score| Severity::of(score).as_str())),
            json!(service.time.to_string()),
            json!(results.runs.get(service.run).map_or("", |run| &run.sensor)),
            json!(service.run + 1),
            json!(service.id),
        ]);
    }
}

const ASSETS: &[Column] = &[
    shown("address", "Address"),
    shown("role", "Role"),
    shown("protocol", "Proved by"),
    shown("first", "First seen"),
    hidden("sensor"),
    hidden("run"),
    hidden("id"),
];

fn assets(results: &Results, table: &mut Table, limit: usize) {
    for asset in results.assets.iter().take(limit) {
        table.rows.push(vec![
            json!(asset.ip.to_string()),
            json!(asset.role),
            json!(asset.protocol),
            json!(asset.time.to_string()),
            json!(results.runs.get(asset.run).map_or("", |run| &run.sensor)),
            json!(asset.run + 1),
            json!(asset.id),
        ]);
    }
}

const RUNS: &[Column] = &[
    shown("run", "Run"),
    shown("sensor", "Sensor"),
    shown("first", "First"),
    shown("last", "Last"),
    shown("ended", "Ended"),
    shown("exposures", "Exposures"),
    shown("patients", "Patients"),
    shown("verdict", "Verdict"),
    hidden("live"),
    hidden("began"),
    hidden("version"),
    hidden("rules"),
    shown("key_id", "Key"),
    shown("files", "Files"),
];

fn runs(results: &Results, table: &mut Table, limit: usize) {
    for (at, run) in results.runs.iter().enumerate().take(limit) {
        let figure = |path: &str| run.event.pointer(path).cloned().unwrap_or(Value::Null);
        let exposures = results.exposures.iter().filter(|e| e.run == at).count();
        let time = |time: Option<crate::time::Timestamp>| json!(time.map(|t| t.to_string()));
        table.rows.push(vec![
            json!(at + 1),
            json!(run.sensor),
            time(run.first),
            time(run.last),
            json!(run.ended),
            json!(exposures),
            figure("/phi/run/patients"),
            figure("/phi/run/coverage/verdict"),
            json!(run.live),
            time(run.began),
            json!(run.version),
            json!(run.rules),
            json!(run.key_id),
            json!(run.files),
        ]);
    }
}

pub(super) fn answer(
    query: &Query,
    out: &mut dyn Write,
    note: &mut dyn FnMut(String),
) -> Result<Answer, ReviewError> {
    let mut results = source::read(&query.source, &query.filter)?;
    let limit = query.limit.unwrap_or(usize::MAX);
    let mut table = match query.listing {
        Listing::Exposures => Table::new(EXPOSURES),
        Listing::Patients => Table::new(PATIENTS),
        Listing::Services => Table::new(SERVICES),
        Listing::Assets => Table::new(ASSETS),
        Listing::Runs => Table::new(RUNS),
    };
    match query.listing {
        Listing::Exposures => {
            // The worst first, then the latest.
            results.exposures.sort_by_key(|e| std::cmp::Reverse((e.severity, e.last)));
            let rows = results.exposures.iter().take(limit);
            table.rows = rows.map(|e| exposure(&results, e)).collect();
        }
        Listing::Patients => patients(&results, &mut table, limit),
        Listing::Services => services(&results, &mut table, limit),
        Listing::Assets => assets(&results, &mut table, limit),
        Listing::Runs => runs(&results, &mut table, limit),
    }
    table.write(query.shape, out)?;
    Ok(report_losses(&query.source, &results.losses, note))
}
