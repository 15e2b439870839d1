//! Joins what several runs saw of one exposure, patient, service or host.

use super::MAX_SIGHTINGS;
use super::model::{Asset, Exposure, Patient, Results, Run, Service};
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

/// Most operations of a joined exposure, and marks.
const MAX_OPERATIONS: usize = 32;
/// Most sensors whose times are compared.
const MAX_SENSORS: usize = 256;

impl Results {
    /// Leaves one entry for each exposure, patient, service and host, however many runs saw it.
    ///
    /// Exposures are the same if their fingerprints are, patients if their tokens are: under one key. What runs read
    /// at different times is added up. The same traffic counts once: a capture that was read again (its exposures
    /// have the same id), and what several sensors saw at the same time, of which the larger number counts. Patients
    /// are counted by their tokens; where not all are known, `patients_bounds` says between which numbers the truth is.
    pub fn join_runs(&mut self) {
        if self.runs.len() < 2 {
            return;
        }
        let fingerprint = |e: &Exposure| e.fingerprint.clone().unwrap_or_else(|| e.id.clone());
        let (groups, places) = grouped(std::mem::take(&mut self.exposures), fingerprint);
        let runs = &self.runs;
        self.exposures = groups.into_iter().filter_map(|of| exposure(of, runs)).collect();
        for patient in &mut self.patients {
            for seen in &mut patient.seen {
                seen.exposure = seen.exposure.and_then(|at| places.get(at).copied());
            }
        }
        let (groups, _) = grouped(std::mem::take(&mut self.patients), |p| p.token.clone());
        let sensor = |run: usize| self.runs.get(run).map_or("", |run| &run.sensor);
        self.patients = groups.into_iter().filter_map(|of| patient(of, sensor)).collect();
        let of = |s: &Service| (s.server, s.transport.clone(), s.protocol.clone());
        let (groups, _) = grouped(std::mem::take(&mut self.services), of);
        self.services = groups.into_iter().filter_map(service).collect();
        let of = |a: &Asset| (a.ip, a.role.clone(), a.protocol.clone());
        let (groups, _) = grouped(std::mem::take(&mut self.assets), of);
        self.assets = groups.into_iter().filter_map(asset).collect();
    }
}

/// Entries that are the same, in the order of the first of each, and the index of the group of each entry.
fn grouped<T, K: Hash + Eq>(entries: Vec<T>, key: impl Fn(&T) -> K) -> (Vec<Vec<T>>, Vec<usize>) {
    let mut known: HashMap<K, usize> = HashMap::new();
    let (mut groups, mut places): (Vec<Vec<T>>, Vec<usize>) = (Vec::new(), Vec::new());
    for entry in entries {
        let at = *known.entry(key(&entry)).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.push(entry),
            None => groups.push(vec![entry]),
        }
        places.push(at);
    }
    (groups, places)
}

/// The runs of joined entries but that of the entry shown.
fn others(runs: impl Iterator<Item = usize>, shown: usize) -> Vec<usize> {
    let runs: BTreeSet<usize> = runs.filter(|run| *run != shown).collect();
    runs.into_iter().collect()
}

/// Numbers of an exposure in one run, or in several that saw the same traffic.
struct Share<'a> {
    id: &'a str,
    sensor: &'a str,
    first: Timestamp,
    last: Timestamp,
    records: u64,
    findings: u64,
    flows: u64,
    kinds: BTreeMap<&'a str, u64>,
}

impl<'a> Share<'a> {
    fn of(e: &'a Exposure, runs: &'a [Run]) -> Self {
        Self {
            id: &e.id,
            sensor: runs.get(e.run).map_or("", |run| &run.sensor),
            first: e.first,
            last: e.last,
            records: e.records,
            findings: e.findings,
            flows: e.flows,
            kinds: e.kinds.iter().map(|(kind, n)| (kind.as_str(), *n)).collect(),
        }
    }

    fn larger(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.records = self.records.max(other.records);
        self.findings = self.findings.max(other.findings);
        self.flows = self.flows.max(other.flows);
        for (kind, n) in &other.kinds {
            let known = self.kinds.entry(*kind).or_default();
            *known = (*known).max(*n);
        }
    }
}

/// The shares of an exposure whose runs are in the order of time. Runs of the same traffic, read again or seen by two
/// sensors at once, have one.
fn shares<'a>(in_time: &[&'a Exposure], runs: &'a [Run]) -> Vec<Share<'a>> {
    let mut shares: Vec<Share<'a>> = Vec::new();
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    // The latest share of each sensor: an earlier one has ended before.
    let mut by_sensor: Vec<(&str, usize)> = Vec::new();
    for e in in_time {
        let share = Share::of(e, runs);
        let at_once = |(sensor, at): &&(&str, usize)| {
            *sensor != share.sensor && shares.get(*at).is_some_and(|of| of.last >= share.first)
        };
        let again = by_id.get(share.id).copied();
        let beside = || by_sensor.iter().find(at_once).map(|(_, at)| *at);
        let at = again.or_else(beside).unwrap_or(shares.len());
        by_id.entry(share.id).or_insert(at);
        let of_sensor = by_sensor.iter().position(|(sensor, _)| *sensor == share.sensor);
        if let Some(place) = of_sensor {
            by_sensor.get_mut(place).into_iter().for_each(|(_, latest)| *latest = at);
        } else if by_sensor.len() < MAX_SENSORS {
            by_sensor.push((share.sensor, at));
        }
        match shares.get_mut(at) {
            Some(known) => known.larger(&share),
            None => shares.push(share),
        }
    }
    shares
}

/// One exposure of those that several runs saw of it. The worst and latest is the one that is shown.
fn exposure(mut of: Vec<Exposure>, runs: &[Run]) -> Option<Exposure> {
    if of.len() < 2 {
        return of.pop();
    }
    of.sort_by_key(|e| (e.severity, e.last, e.run));
    // The shares in the order of time, so that those of the same traffic meet.
    let mut in_time: Vec<&Exposure> = of.iter().collect();
    in_time.sort_by_key(|e| (e.first, e.run));
    let shares = shares(&in_time, runs);
    let sum = |n: fn(&Share<'_>) -> u64| shares.iter().map(n).fold(0, u64::saturating_add);
    let (records, findings, flows) = (sum(|s| s.records), sum(|s| s.findings), sum(|s| s.flows));
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for (kind, n) in shares.iter().flat_map(|share| &share.kinds) {
        let all = kinds.entry((*kind).to_owned()).or_default();
        *all = all.saturating_add(*n);
    }
    let (patients, bounds) = patients(&of);
    let first = of.iter().map(|e| e.first).min().unwrap_or_default();
    let last = of.iter().map(|e| e.last).max().unwrap_or_default();
    let latest = of.iter().max_by_key(|e| (e.last, e.run));
    let state = latest.map_or_else(String::new, |e| e.state.clone());
    let mut operations: Vec<String> = Vec::new();
    let mut marks: Vec<String> = Vec::new();
    for e in &in_time {
        let new = e.operations.iter().filter(|o| !operations.contains(o)).cloned();
        let new: Vec<String> = new.collect();
        operations.extend(new);
        operations.truncate(MAX_OPERATIONS);
        let new: Vec<String> = e.marks.iter().filter(|m| !marks.contains(m)).cloned().collect();
        marks.extend(new);
        marks.truncate(MAX_OPERATIONS);
    }
    let open = of.iter().any(|e| e.open);
    let more_runs: BTreeSet<usize> = of.iter().map(|e| e.run).collect();
    let shown = of.pop()?;
    let mut shown = Exposure {
        more_runs: others(more_runs.into_iter(), shown.run),
        first,
        last,
        state,
        patients,
        patients_bounds: bounds,
        records,
        findings,
        flows,
        operations,
        marks,
        kinds: kinds.into_iter().collect(),
        open,
        ..shown
    };
    patch(&mut shown);
    Some(shown)
}

/// Distinct patients of an exposure in several runs, and their bounds.
fn patients(of: &[Exposure]) -> (u64, (u64, u64)) {
    let mut people = super::model::People::default();
    of.iter().for_each(|e| people.join(&e.people));
    let low = of.iter().map(|e| e.patients_bounds.0).max().unwrap_or(0);
    let high = of.iter().map(|e| e.patients_bounds.1).fold(0, u64::saturating_add);
    let exact = of.iter().all(|e| e.patients_bounds.0 == e.patients_bounds.1);
    if exact && of.iter().all(|e| e.people.are_all_of(e.patients)) {
        return (people.count(), (people.count(), people.count()));
    }
    let most = of.iter().map(|e| e.patients).max().unwrap_or(0);
    let low = low.max(people.count());
    (most.max(low), (low, high.max(low)))
}

/// Writes the joined numbers into the event.
fn patch(e: &mut Exposure) {
    let kinds: serde_json::Map<String, Value> =
        e.kinds.iter().map(|(kind, n)| (kind.clone(), json!(n))).collect();
    let (low, high) = e.patients_bounds;
    let of_exposure = [
        ("state", json!(e.state)),
        ("patients", json!(e.patients)),
        ("patients_estimated", json!(low != high)),
        ("patients_bounds", json!({"low": low, "high": high})),
        ("records", json!(e.records)),
        ("findings", json!(e.findings)),
        ("flows", json!(e.flows)),
        ("operations", json!(e.operations)),
        ("identifiers", Value::Object(kinds)),
    ];
    let (start, end) = (json!(e.first.to_string()), json!(e.last.to_string()));
    let mut put = |at: &str, name: &str, value: Value| {
        if let Some(object) = e.event.pointer_mut(at).and_then(Value::as_object_mut) {
            object.insert(name.to_owned(), value);
        }
    };
    for (name, value) in of_exposure {
        put("/phi/exposure", name, value);
    }
    put("/phi", "marks", json!(e.marks));
    put("/event", "start", start);
    put("/event", "end", end);
}

/// One patient of those that several runs saw.
fn patient<'a>(of: Vec<Patient>, sensor: impl Fn(usize) -> &'a str) -> Option<Patient> {
    let runs: Vec<usize> = of.iter().map(|p| p.run).collect();
    let mut of = of.into_iter();
    let mut one = of.next()?;
    let mut known: BTreeSet<String> = one.seen.iter().map(|seen| seen.id.clone()).collect();
    for other in of {
        one.first = one.first.min(other.first);
        one.last = one.last.max(other.last);
        for kind in other.kinds {
            if !one.kinds.contains(&kind) {
                one.kinds.push(kind);
            }
        }
        for identifier in other.identifiers {
            if one.identifiers.len() < super::MAX_IDENTIFIERS
                && !one.identifiers.contains(&identifier)
            {
                one.identifiers.push(identifier);
            }
        }
        for seen in other.seen {
            // What another sensor saw at the same time.
            let twice = one.seen.iter().any(|of| {
                sensor(of.run) != sensor(seen.run)
                    && of.exposure == seen.exposure
                    && of.first <= seen.last
                    && seen.first <= of.last
            });
            // The same finding of a capture that was read again.
            if !twice && known.insert(seen.id.clone()) && one.seen.len() < MAX_SIGHTINGS {
                one.records = one.records.saturating_add(seen.records);
                one.seen.push(seen);
            }
        }
    }
    one.more_runs = others(runs.into_iter(), one.run);
    Some(one)
}

/// One service of those that several runs saw: the latest.
fn service(of: Vec<Service>) -> Option<Service> {
    let (open, runs) = (of.iter().any(|s| s.open), of.iter().map(|s| s.run).collect::<Vec<_>>());
    let latest = of.into_iter().max_by_key(|s| (s.time, s.run))?;
    Some(Service { open, more_runs: others(runs.into_iter(), latest.run), ..latest })
}

/// One host of those that several runs saw: the first.
fn asset(of: Vec<Asset>) -> Option<Asset> {
    let runs: Vec<usize> = of.iter().map(|a| a.run).collect();
    let first = of.into_iter().min_by_key(|a| (a.time, a.run))?;
    Some(Asset { more_runs: others(runs.into_iter(), first.run), ..first })
}
