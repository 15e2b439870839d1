//! `phitap diff`: what is gone, what is new, what remains.
//!
//! Exposures are the same if their fingerprints are: client, service and protocol, under one key.

use super::query::{ExposureRow, exposure_columns};
use super::source::{self, Exposure, Filter, Results};
use super::table::Table;
use super::{Answer, Console, Diff, ReviewError, Shape, judged, report_losses};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Change of an exposure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Remains,
    New,
    Gone,
}

impl Change {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Remains => "remains",
            Self::New => "new",
            Self::Gone => "gone",
        }
    }
}

pub(super) fn answer(
    diff: &Diff,
    out: &mut Console<'_>,
    note: &mut dyn FnMut(String),
) -> Result<Answer, ReviewError> {
    let (before, after) = (side(&diff.before, &diff.filter)?, side(&diff.after, &diff.filter)?);
    let worst = [(&diff.before, &before), (&diff.after, &after)]
        .map(|(path, results)| report_losses(path, &results.losses, note));
    same_key(&before, &after)?;
    let (old, new) = (by_fingerprint(&before)?, by_fingerprint(&after)?);
    let mut rows: Vec<(Change, &Results, &Exposure)> = Vec::new();
    for (fingerprint, e) in &new {
        let change = if old.contains_key(fingerprint) { Change::Remains } else { Change::New };
        rows.push((change, &after, e));
    }
    for (_, e) in old.iter().filter(|(fingerprint, _)| !new.contains_key(*fingerprint)) {
        rows.push((Change::Gone, &before, e));
    }
    rows.sort_by_key(|(change, _, e)| (*change as u8, std::cmp::Reverse(e.severity)));
    let of = |change| rows.iter().filter(|(c, ..)| *c == change).count();
    let (remains, news, gone) = (of(Change::Remains), of(Change::New), of(Change::Gone));
    if diff.shape == Shape::Table {
        let remain = if remains == 1 { "remains" } else { "remain" };
        writeln!(out, "{remains} {remain}, {news} new, {gone} gone")?;
    }
    write(&rows, diff.shape, out)?;
    let (unseen, absent) = unseen(&rows, &after, diff)?;
    if unseen > 0 {
        note(format!(
            "of {unseen} gone, the service was not seen, but its host was: closed, moved or encrypted"
        ));
    }
    if absent > 0 {
        note(format!(
            "of {absent} gone, neither the service nor its host was seen, which proves nothing: capture where it was \
             seen before"
        ));
    }
    let judged = judged(&diff.after, &after.runs, |_, _| true, note);
    let judged = judged && absent == 0;
    Ok(match (remains + news > 0, judged && worst.iter().all(|w| *w == Answer::Done)) {
        (true, _) => Answer::Found,
        (false, true) => Answer::Done,
        (false, false) => Answer::Partial,
    })
}

/// Reads one side. `STORE@N` is run N alone.
fn side(path: &Path, filter: &Filter) -> Result<Results, ReviewError> {
    let text = path.to_str().unwrap_or_default();
    if let Some((file, run)) = text.rsplit_once('@')
        && let Ok(run) = run.parse()
        && !path.exists()
    {
        let filter = Filter { run: Some(run), ..filter.clone() };
        let results = source::read_joined(&PathBuf::from(file), &filter)?;
        if results.runs.is_empty() {
            return Err(ReviewError::Unknown(format!(
                "{file} has no run {run}; see phitap query {file} runs"
            )));
        }
        return Ok(results);
    }
    Ok(source::read_joined(path, filter)?)
}

/// Refuses sides that cannot be compared.
fn same_key(before: &Results, after: &Results) -> Result<(), ReviewError> {
    let keys = |results: &Results| -> BTreeSet<String> {
        results.runs.iter().map(|r| r.key_id.clone()).filter(|id| !id.is_empty()).collect()
    };
    let (old, new) = (keys(before), keys(after));
    if old.is_empty() || new.is_empty() || !old.is_disjoint(&new) {
        return Ok(());
    }
    let list =
        |keys: &BTreeSet<String>| keys.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    Err(ReviewError::Unknown(format!(
        "they were made with different keys ({} and {}) and cannot be compared; run both with the same \
         --key-file",
        list(&old),
        list(&new)
    )))
}

/// The worst exposure of each fingerprint.
fn by_fingerprint(results: &Results) -> Result<BTreeMap<&str, &Exposure>, ReviewError> {
    let mut of: BTreeMap<&str, &Exposure> = BTreeMap::new();
    for e in &results.exposures {
        let Some(fingerprint) = e.fingerprint.as_deref() else {
            return Err(ReviewError::Unknown(
                "these events have no fingerprints (phi.exposure.fingerprint): an older phitap wrote them".into(),
            ));
        };
        let known = of.entry(fingerprint).or_insert(e);
        if known.severity < e.severity {
            *known = e;
        }
    }
    Ok(of)
}

fn write(
    rows: &[(Change, &Results, &Exposure)],
    shape: Shape,
    out: &mut Console<'_>,
) -> Result<(), ReviewError> {
    if shape == Shape::Table {
        for change in [Change::Remains, Change::New, Change::Gone] {
            let of = rows.iter().filter(|(c, ..)| *c == change);
            let table = exposures(of);
            if !table.is_empty() {
                writeln!(out, "\n{}", change.as_str().to_uppercase())?;
                table.write(shape, out)?;
            }
        }
        return Ok(());
    }
    let changes = rows.iter().map(|(change, ..)| json!(change.as_str()));
    Ok(exposures(rows.iter()).preceded_by("change", changes).write(shape, out)?)
}

/// The exposures in these rows.
fn exposures<'a>(rows: impl Iterator<Item = &'a (Change, &'a Results, &'a Exposure)>) -> Table {
    // The rows are of two sources, whose runs are numbered apart.
    let rows = rows.map(|&(_, results, exposure)| ExposureRow { results, exposure });
    Table::of(&exposure_columns(&[]), rows)
}

/// How many exposures are gone whose service was not seen on the later side, but its host was, and how many of whose
/// host nothing was seen at all.
fn unseen(
    rows: &[(Change, &Results, &Exposure)],
    after: &Results,
    diff: &Diff,
) -> Result<(usize, usize), ReviewError> {
    let seen: BTreeSet<SocketAddr> = after.services.iter().map(|s| s.server).collect();
    let gone = rows.iter().filter(|(change, ..)| *change == Change::Gone);
    let unseen: Vec<IpAddr> = gone
        .map(|(_, _, e)| e.server)
        .filter(|server| !seen.contains(server))
        .map(|s| s.ip())
        .collect();
    let mut hosts = hosts(after);
    // The selection may leave out what else the host does.
    if unseen.iter().any(|ip| !hosts.contains(ip)) && !source::is_stream(&diff.after) {
        let all = Filter { patients: 0, run: diff.filter.run, ..Filter::default() };
        hosts = self::hosts(&side(&diff.after, &all)?);
    }
    let absent = unseen.iter().filter(|ip| !hosts.contains(ip)).count();
    Ok((unseen.len() - absent, absent))
}

/// The hosts that runs saw: servers, clients of exposures, and those in a role.
fn hosts(results: &Results) -> BTreeSet<IpAddr> {
    let services = results.services.iter().map(|service| service.server.ip());
    let exposures = results.exposures.iter().flat_map(|e| [e.client, e.server.ip()]);
    services.chain(exposures).chain(results.assets.iter().map(|asset| asset.ip)).collect()
}
