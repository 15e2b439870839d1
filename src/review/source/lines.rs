//! A file of events, one JSON object a line.

use super::event::{self, Head, Line};
use super::grant::{Grant, MAX_EVENT, USUAL_FINDING, USUAL_NAME, USUAL_SIGHTING, note_kind, texts};
use super::model::{Patient, PatientObservation, People, Results, Run, select};
use super::{Filter, Input, MAX_ENTRIES, MAX_IDENTIFIERS, MAX_PEOPLE, MAX_SIGHTINGS, ReadError};
use crate::output::weight;
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, Read as _};
use std::path::Path;

/// Longest line, bytes; a hundred times the longest event.
const MAX_LINE: u64 = 1 << 20;
/// Longest token, bytes.
const MAX_TOKEN: usize = 64;

/// Reads events until `input` ends; `path` is its name in errors.
pub(super) fn read(
    input: impl BufRead,
    path: &Path,
    filter: &Filter,
) -> Result<Results, ReadError> {
    read_within(Grant::default(), input, path, filter)
}

/// As [`read`], with so much memory.
pub(super) fn read_within(
    grant: Grant,
    input: impl BufRead,
    path: &Path,
    filter: &Filter,
) -> Result<Results, ReadError> {
    let mut input = Input::new(input).map_err(|source| ReadError::io(path, source))?;
    let mut reader = Reader::new(filter, grant);
    let mut line = Vec::new();
    let mut events = 0u64;
    loop {
        line.clear();
        let read = (&mut input.lines).take(MAX_LINE).read_until(b'\n', &mut line);
        if read.map_err(|source| ReadError::io(path, source))? == 0 {
            break;
        }
        if line.len() as u64 >= MAX_LINE && line.last() != Some(&b'\n') {
            reader.results.losses.too_long += 1;
            skip_line(&mut input.lines).map_err(|source| ReadError::io(path, source))?;
            continue;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match reader.line(&line) {
            Some(()) => events += 1,
            None => reader.results.losses.garbage += 1,
        }
    }
    if events == 0 {
        let remedy = match input.is_damaged() {
            true => {
                ": it is compressed, and damaged or cut off before the first event; copy it again"
            }
            false => input.remedy,
        };
        return Err(ReadError::NoEvents { path: path.to_owned(), remedy });
    }
    reader.results.losses.damaged = input.is_damaged();
    Ok(reader.finish())
}

pub(in crate::review) fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let piece = input.fill_buf()?;
        let end = memchr::memchr(b'\n', piece);
        let len = end.map_or(piece.len(), |at| at + 1);
        input.consume(len);
        if end.is_some() || len == 0 {
            return Ok(());
        }
    }
}

/// Index of each event by run and id; a later event replaces it.
type Places = HashMap<(usize, String), usize>;

struct Reader<'a> {
    filter: &'a Filter,
    results: Results,
    /// The current run of each sensor.
    runs: HashMap<String, usize>,
    exposures: Places,
    services: Places,
    assets: Places,
    /// Patients by run and token.
    patients: Places,
    /// Findings by id: indexes of the patient and of its sighting.
    findings: HashMap<String, (usize, usize)>,
    /// Exposure ids of sightings, until all exposures are known.
    pending: Vec<(usize, usize, String)>,
    /// The people of exposures by run and id.
    people: HashMap<(usize, String), People>,
    /// How many more are kept.
    room: usize,
    /// Capture files by run.
    files: HashSet<(usize, String)>,
    grant: Grant,
}

impl<'a> Reader<'a> {
    fn new(filter: &'a Filter, grant: Grant) -> Self {
        Self {
            filter,
            results: Results::default(),
            runs: HashMap::new(),
            exposures: Places::new(),
            services: Places::new(),
            assets: Places::new(),
            patients: Places::new(),
            findings: HashMap::new(),
            pending: Vec::new(),
            people: HashMap::new(),
            room: MAX_PEOPLE,
            files: HashSet::new(),
            grant,
        }
    }

    /// Reads a line; none if it is no event.
    fn line(&mut self, text: &[u8]) -> Option<()> {
        let head: Head = serde_json::from_slice(text).ok()?;
        let listing = matches!(head.event.action.as_str(), "phi-summary" | "run-summary");
        if text.len() > MAX_EVENT && !listing {
            self.results.losses.too_long += 1;
            return Some(());
        }
        let line: Line = serde_json::from_slice(text).ok()?;
        let time = event::time(&line.timestamp)?;
        let action = head.event.action;
        let run = self.run(&line, time, action == "run-summary")?;
        let whole = || serde_json::from_slice::<Value>(text).ok();
        match action.as_str() {
            "phi-finding" if !self.grant.fits(text.len(), USUAL_FINDING) => Some(false),
            "phi-finding" => self.finding(line, run, time),
            "phi-exposure" | "service-seen" | "asset-seen" if !self.grant.fits_entry(text) => {
                Some(false)
            }
            "phi-exposure" => {
                let exposure = event::exposure(line, run, whole()?)?;
                let id = exposure.id.clone();
                put(&mut self.results.exposures, &mut self.exposures, (run, id), exposure)
            }
            "service-seen" => {
                let service = event::service(line, run, whole()?)?;
                let id = service.id.clone();
                put(&mut self.results.services, &mut self.services, (run, id), service)
            }
            "asset-seen" => {
                let asset = event::asset(line, run, whole()?)?;
                let id = asset.id.clone();
                put(&mut self.results.assets, &mut self.assets, (run, id), asset)
            }
            "run-summary" => {
                let fits = self.grant.fits(weight(text), MAX_EVENT);
                self.ended(&line, run, if fits { whole()? } else { Value::Null });
                Some(fits)
            }
            // Summaries are for `phitap merge`; the status of a sensor is not listed.
            "phi-summary" | "sensor-status" => Some(true),
            _ => None,
        }
        .map(|held| self.results.losses.entries += u64::from(!held))
    }

    /// The run of an event. After its summary, a sensor's next event begins another run.
    fn run(&mut self, line: &Line, time: Timestamp, ends: bool) -> Option<usize> {
        let sensor = &line.observer.name;
        let run = match self.runs.get(sensor) {
            Some(run) => *run,
            None => {
                let names = 2 * sensor.len() + line.observer.version.len();
                if self.results.runs.len() >= MAX_ENTRIES || !self.grant.fits(names, USUAL_NAME) {
                    self.results.losses.entries += 1;
                    return None;
                }
                self.results.runs.push(Run {
                    sensor: sensor.clone(),
                    version: line.observer.version.clone(),
                    ..Run::default()
                });
                self.runs.insert(sensor.clone(), self.results.runs.len() - 1);
                self.results.runs.len() - 1
            }
        };
        let of = self.results.runs.get_mut(run)?;
        if !ends {
            of.saw(time);
        }
        let key_id = &line.phi.key_id;
        if of.key_id.is_empty() && self.grant.fits(key_id.len(), USUAL_NAME) {
            of.key_id.clone_from(key_id);
        }
        of.live |= line.observer.ingress.is_some();
        if let Some(span) = &line.phi.evidence {
            self.file(run, span.file());
        }
        Some(run)
    }

    /// Adds a capture file to those of a run.
    fn file(&mut self, run: usize, name: &str) {
        let Some(of) = self.results.runs.get_mut(run) else { return };
        // Most events name the same file as the one before.
        if of.files.last().is_some_and(|last| last == name) {
            return;
        }
        let key = (run, name.to_owned());
        if self.files.contains(&key) {
            return;
        }
        if self.files.len() >= MAX_ENTRIES || !self.grant.fits(2 * name.len(), USUAL_NAME) {
            self.results.losses.entries += 1;
            return;
        }
        of.files.push(name.to_owned());
        self.files.insert(key);
    }

    fn ended(&mut self, line: &Line, run: usize, event: Value) {
        let Some(of) = self.results.runs.get_mut(run) else { return };
        if let Some(figures) = &line.phi.run {
            let bound = |text: &Option<String>| text.as_deref().and_then(event::time);
            of.first = bound(&figures.started).or(of.first);
            of.last = bound(&figures.ended).or(of.last);
        }
        of.ended = true;
        of.event = event;
        self.runs.remove(&line.observer.name);
    }

    /// Reads the patients of a finding or a list. False if there was no room.
    fn finding(&mut self, line: Line, run: usize, time: Timestamp) -> Option<bool> {
        self.people(&line, run);
        if self.filter.patients == 0 {
            return Some(true);
        }
        let mut seen = PatientObservation {
            run,
            exposure: None,
            id: line.event.id,
            first: line.event.start.as_deref().and_then(event::time).unwrap_or(time),
            last: time,
            records: line.phi.records,
            severity: line.event.severity,
            rule: line.rule.id,
            operation: line.phi.operation,
            carrier: line.phi.carrier,
            direction: line.phi.direction,
            community_id: line.network.community_id,
            evidence: line.phi.evidence.map(Into::into),
        };
        let exposure = line.phi.exposure.map(|exposure| exposure.id);
        let Some(patient) = line.phi.patient else {
            let listed: usize = line.phi.patients.iter().map(|group| group.tokens.len()).sum();
            seen.records = u64::from(listed > 0);
            for group in line.phi.patients {
                for token in group.tokens {
                    self.results.losses.listed += 1;
                    self.seen(run, token, &group.kinds, seen.clone(), exposure.as_deref());
                }
            }
            return (listed > 0).then_some(true);
        };
        let token = patient.same_as.unwrap_or(patient.token);
        let mut kinds = patient.kinds;
        kinds.extend(patient.identifiers.iter().map(|i| i.kind.clone()));
        if let Some(at) = self.seen(run, token, &kinds, seen, exposure.as_deref())
            && let Some(known) = self.results.patients.get_mut(at)
        {
            for identifier in patient.identifiers {
                if !known.identifiers.contains(&identifier)
                    && known.identifiers.len() < MAX_IDENTIFIERS
                {
                    known.identifiers.push(identifier);
                }
            }
        }
        Some(true)
    }

    /// Notes who was seen with an exposure.
    fn people(&mut self, line: &Line, run: usize) {
        let Some(exposure) = &line.phi.exposure else { return };
        // An id may be forged, too: those of exposures are short, and no more are kept than exposures.
        if exposure.id.len() > MAX_TOKEN || self.people.len() >= MAX_ENTRIES {
            return;
        }
        let one = line.phi.patient.as_ref().map(|p| p.same_as.as_ref().unwrap_or(&p.token));
        let listed = line.phi.patients.iter().flat_map(|group| &group.tokens);
        for token in one.into_iter().chain(listed) {
            let people = self.people.entry((run, exposure.id.clone())).or_default();
            people.add(token.as_bytes(), &mut self.room);
        }
    }

    /// Adds a sighting to its patient. Returns the patient's index.
    fn seen(
        &mut self,
        run: usize,
        token: String,
        kinds: &[String],
        seen: PatientObservation,
        exposure: Option<&str>,
    ) -> Option<usize> {
        let held = texts(&seen) + exposure.map_or(0, str::len);
        if token.len() > MAX_TOKEN || !self.grant.fits(held, USUAL_SIGHTING) {
            self.results.losses.patients += 1;
            return None;
        }
        let key = (run, token);
        let at = match self.patients.get(&key) {
            Some(at) => *at,
            None => {
                if self.results.patients.len() >= self.filter.patients {
                    self.results.losses.patients += 1;
                    return None;
                }
                self.results.patients.push(Patient {
                    run,
                    more_runs: Vec::new(),
                    token: key.1.clone(),
                    first: seen.first,
                    last: seen.last,
                    records: 0,
                    kinds: Vec::new(),
                    identifiers: Vec::new(),
                    seen: Vec::new(),
                });
                self.patients.insert(key, self.results.patients.len() - 1);
                self.results.patients.len() - 1
            }
        };
        let patient = self.results.patients.get_mut(at)?;
        patient.first = patient.first.min(seen.first);
        patient.last = patient.last.max(seen.last);
        for kind in kinds {
            note_kind(&mut patient.kinds, kind);
        }
        match self.findings.get(&seen.id) {
            Some((of, place)) if *of == at => {
                if let Some(known) = patient.seen.get_mut(*place) {
                    // A later line with the same id includes everything in the earlier one.
                    patient.records = patient.records.saturating_sub(known.records);
                    patient.records = patient.records.saturating_add(seen.records);
                    *known = PatientObservation { first: known.first.min(seen.first), ..seen };
                }
            }
            _ => {
                patient.records = patient.records.saturating_add(seen.records);
                if patient.seen.len() < MAX_SIGHTINGS {
                    let place = patient.seen.len();
                    self.findings.insert(seen.id.clone(), (at, place));
                    if let Some(exposure) = exposure {
                        self.pending.push((at, place, exposure.to_owned()));
                    }
                    patient.seen.push(seen);
                }
            }
        }
        Some(at)
    }

    /// Links sightings to exposures, and applies the filter.
    fn finish(mut self) -> Results {
        for (patient, place, exposure) in std::mem::take(&mut self.pending) {
            let Some(patient) = self.results.patients.get_mut(patient) else { continue };
            let at = self.exposures.get(&(patient.run, exposure)).copied();
            if let Some(seen) = patient.seen.get_mut(place) {
                seen.exposure = at;
            }
        }
        for (place, people) in std::mem::take(&mut self.people) {
            let at = self.exposures.get(&place).copied();
            if let Some(exposure) = at.and_then(|at| self.results.exposures.get_mut(at)) {
                exposure.people = people;
            }
        }
        select(&mut self.results, self.filter);
        self.results
    }
}

/// Adds an entry, or replaces the earlier one with its id. False if there is no room.
fn put<T>(list: &mut Vec<T>, places: &mut Places, key: (usize, String), entry: T) -> Option<bool> {
    if let Some(known) = places.get(&key).and_then(|at| list.get_mut(*at)) {
        *known = entry;
        return Some(true);
    }
    if list.len() >= MAX_ENTRIES {
        return Some(false);
    }
    places.insert(key, list.len());
    list.push(entry);
    Some(true)
}
