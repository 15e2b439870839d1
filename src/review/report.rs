//! `phitap report STORE|EVENTS`: the report of runs that are over.

use super::source::{self, Filter, ReadError, Results};
use crate::output::page::{self, Input, PageModel, Patient, Provenance, ShownIdentifier};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::path::Path;

/// Capture files that are read again for their hashes.
const MAX_FILES: usize = 1_000;

/// The page, and how many entries of the source were garbage or found no place.
///
/// # Errors
/// If the source cannot be read, or holds nothing of phitap.
pub fn report(path: &Path, made: Timestamp) -> Result<(String, u64), ReadError> {
    let results = source::read(path, &Filter::default())?;
    let losses = results.losses;
    let lost = [losses.garbage, losses.too_long, losses.entries, losses.patients];
    Ok((page_of(results, path, made), lost.into_iter().fold(0, u64::saturating_add)))
}

fn page_of(results: Results, path: &Path, made: Timestamp) -> String {
    let Results { runs, exposures, patients, services, assets, .. } = results;
    let revealed =
        runs.iter().any(|run| run.event.pointer("/phi/run/reveal") == Some(&true.into()))
            || patients.iter().any(|p| p.identifiers.iter().any(|i| !i.masked));
    let mut board = PageModel::new(revealed);
    let files: BTreeSet<&String> = runs.iter().flat_map(|run| &run.files).collect();
    let inputs: Vec<Input> = files.into_iter().take(MAX_FILES).map(|f| Input::of(f)).collect();
    let all = |of: fn(&source::Run) -> &str| {
        let all: BTreeSet<&str> = runs.iter().map(of).filter(|text| !text.is_empty()).collect();
        all.into_iter().collect::<Vec<_>>().join(", ")
    };
    let sensors = all(|run| &run.sensor);
    let made = Provenance {
        at: made.to_string(),
        source: match runs.len() {
            1 => path.display().to_string(),
            n if sensors.is_empty() => format!("{}, {n} runs", path.display()),
            n => format!("{}, {n} runs of {sensors}", path.display()),
        },
        key: all(|run| &run.key_id),
        rules: all(|run| &run.rules),
    };
    let people: BTreeSet<&str> = patients.iter().map(|p| p.token.as_str()).collect();
    board.people(people.len() as u64);
    for patient in &patients {
        let identifiers = patient.identifiers.iter().map(|i| ShownIdentifier {
            kind: &i.kind,
            value: Some(i.value.as_str()).filter(|_| i.masked),
            field: &i.field,
        });
        let identifiers: Vec<ShownIdentifier<'_>> = identifiers.collect();
        for seen in &patient.seen {
            let Some(exposure) = seen.exposure.and_then(|at| exposures.get(at)) else { continue };
            let packets = seen.evidence.as_ref().map(|e| (e.first_packet, e.last_packet));
            let shown = Patient {
                id: &seen.id,
                time: &seen.last.to_string(),
                token: &patient.token,
                operation: &seen.operation,
                identifiers: &identifiers,
                packets,
            };
            board.patient(&exposure.id, seen.first.0.div_euclid(1_000_000_000), &shown);
        }
    }
    // The summary of one run says nothing of the others.
    let ran: Vec<_> = runs.into_iter().map(|run| run.event).collect();
    if let [run] = ran.as_slice() {
        board.take(run.clone());
    }
    let events = exposures.into_iter().map(|e| e.event);
    let events = events.chain(services.into_iter().map(|s| s.event));
    for event in events.chain(assets.into_iter().map(|a| a.event)) {
        board.take(event);
    }
    page::page(&board, &made, &inputs)
}
