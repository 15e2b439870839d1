//! `phitap report STORE|EVENTS`: the report of finished runs.

use super::source::{self, Exposure, Filter, ReadError, Results, Run};
use super::{MAX_CAUSES, causes, judged};
use crate::output::Verdict;
use crate::output::page::{self, Input, PageModel, Patient, Provenance, ShownIdentifier};
use crate::output::text::count;
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Most capture files hashed again.
const MAX_FILES: usize = 1_000;
/// Most runs listed with what each could judge.
const MAX_RUNS: usize = 200;

/// The page, and problems with captures, with runs, and with the source itself.
///
/// # Errors
/// The source cannot be read, or contains nothing from phitap.
pub fn report(path: &Path, made: Timestamp) -> Result<(String, Vec<String>), ReadError> {
    let results = source::read_joined(path, &Filter::default())?;
    let lost = results.losses.texts();
    let inputs = inputs_of(&results);
    let faults = inputs.iter().filter_map(|i| Some(format!("{}: {}", i.name, i.fault()?)));
    let mut faults: Vec<String> = faults.collect();
    faults.extend(lost.iter().map(|text| format!("{}: {text}", path.display())));
    judged(path, &results.runs, silent(&results), &mut |fault| faults.push(fault));
    let page = page_of(results, &inputs, path, made);
    Ok((page, faults))
}

/// The captures of all runs, with current and recorded hashes.
fn inputs_of(results: &Results) -> Vec<Input> {
    let mut files: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for run in &results.runs {
        for name in &run.files {
            files.entry(name).or_default();
        }
        let noted = run.event.pointer("/phi/run/inputs/files").and_then(Value::as_array);
        for of in noted.into_iter().flatten() {
            if let (Some(name), Some(hash)) = (of["name"].as_str(), of["sha256"].as_str()) {
                files.insert(name, Some(hash));
            }
        }
    }
    let files = files.into_iter().take(MAX_FILES);
    files.map(|(name, noted)| Input::of_run(name, noted.filter(|hash| is_hash(hash)))).collect()
}

/// Whether `text` is a hexadecimal SHA-256; an event may be forged.
fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Selects runs without an exposure and those that did not end: what they did not judge may hold the first one.
fn silent(results: &Results) -> impl Fn(usize, &Run) -> bool {
    let seen: BTreeSet<usize> = results.exposures.iter().flat_map(Exposure::runs).collect();
    move |at, run| !run.ended || !seen.contains(&at)
}

/// What a run says of its coverage.
fn verdict(run: &Run) -> Option<&str> {
    run.event.pointer("/phi/run/coverage/verdict").and_then(Value::as_str)
}

/// What several runs, or one without a summary, could judge: their verdict together, and one by one.
fn coverage(runs: &[Run]) -> Value {
    let complete = |run: &&Run| run.ended && verdict(run) == Some(Verdict::Complete.as_str());
    let of_nothing = |of: &str| Verdict::ALL.iter().any(|v| v.as_str() == of && v.is_of_nothing());
    let nothing = |run: &Run| run.ended && verdict(run).is_some_and(of_nothing);
    let ended = runs.iter().filter(|run| run.ended).count();
    let whole = runs.iter().filter(complete).count();
    let together = match runs.first().and_then(verdict) {
        _ if ended == 0 => "unknown",
        _ if whole == runs.len() => Verdict::Complete.as_str(),
        Some(first) if runs.iter().all(nothing) => first,
        _ => Verdict::Incomplete.as_str(),
    };
    let row = |(at, run): (usize, &Run)| {
        json!({
            "run": at + 1,
            "sensor": run.sensor,
            "ended": run.ended,
            "verdict": verdict(run),
            "ratio": run.event.pointer("/phi/run/coverage/unjudged_ratio").and_then(Value::as_f64),
            "causes": causes(run),
        })
    };
    let mut all: Vec<String> = Vec::new();
    for cause in runs.iter().take(MAX_RUNS).flat_map(causes) {
        if all.len() < MAX_CAUSES && !all.contains(&cause) {
            all.push(cause);
        }
    }
    json!({
        "total": runs.len(),
        "unended": runs.len() - ended,
        "incomplete": ended - whole,
        "verdict": together,
        "causes": all,
        "list": runs.iter().enumerate().take(MAX_RUNS).map(row).collect::<Vec<_>>(),
    })
}

fn page_of(results: Results, inputs: &[Input], path: &Path, made: Timestamp) -> String {
    let Results { runs, exposures, patients, services, assets, losses } = results;
    let revealed =
        runs.iter().any(|run| run.event.pointer("/phi/run/reveal") == Some(&true.into()))
            || patients.iter().any(|p| p.identifiers.iter().any(|i| !i.masked));
    let mut model = PageModel::new(revealed);
    let all = |of: fn(&source::Run) -> &str| {
        let all: BTreeSet<&str> = runs.iter().map(of).filter(|text| !text.is_empty()).collect();
        all.into_iter().collect::<Vec<_>>().join(", ")
    };
    let sensors = all(|run| &run.sensor);
    let made = Provenance {
        at: made.to_string(),
        source: match runs.len() {
            1 => path.display().to_string(),
            n if sensors.is_empty() => format!("{}, {}", path.display(), count(n as u64, "run")),
            n => format!("{}, {} of {sensors}", path.display(), count(n as u64, "run")),
        },
        key: all(|run| &run.key_id),
        rules: all(|run| &run.rules),
    };
    model.lost(losses.texts());
    let people: BTreeSet<&str> = patients.iter().map(|p| p.token.as_str()).collect();
    model.people(people.len() as u64);
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
            model.patient(&exposure.id, seen.first.0.div_euclid(1_000_000_000), &shown);
        }
    }
    // The summary of one run does not cover the others.
    let taken = matches!(runs.as_slice(), [run] if model.take(run.event.clone()));
    if !taken {
        model.runs(coverage(&runs));
    }
    let events = exposures.into_iter().map(|e| e.event);
    let events = events.chain(services.into_iter().map(|s| s.event));
    for event in events.chain(assets.into_iter().map(|a| a.event)) {
        model.take(event);
    }
    page::page(&model, &made, inputs)
}
