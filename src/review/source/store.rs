//! Reads stores. Rows may be forged: malformed ones are counted.

use super::event::{self, Line};
use super::model::{
    Evidence, Exposure, Identifier, Patient, PatientObservation, Results, Run, select,
};
use super::{Filter, MAX_ENTRIES, MAX_IDENTIFIERS, MAX_PEOPLE, MAX_SIGHTINGS, ReadError};
use crate::exposure::EventId;
use crate::identify::Token;
use crate::output::store::{StoreError, open_to_read};
use crate::time::Timestamp;
use rusqlite::{Connection, Row, params};
use std::collections::HashMap;
use std::path::Path;

type Sql<T> = Result<T, rusqlite::Error>;

/// Reads the store at `path`.
pub(super) fn read(path: &Path, filter: &Filter) -> Result<Results, ReadError> {
    let connection = open_to_read(path)?;
    let mut reader = Reader::default();
    let read = reader.all(&connection, filter);
    read.map_err(|error| StoreError::of(path, error))?;
    select(&mut reader.results, filter);
    Ok(reader.results)
}

/// The patients with one of these tokens, and everything else that `filter` selects.
pub(super) fn lookup(path: &Path, tokens: &[Token], filter: &Filter) -> Result<Results, ReadError> {
    let connection = open_to_read(path)?;
    let mut reader = Reader::default();
    let found = reader.found(&connection, tokens);
    found.map_err(|error| StoreError::of(path, error))?;
    select(&mut reader.results, filter);
    Ok(reader.results)
}

/// The runs of the store at `path` alone.
pub(super) fn runs(path: &Path, filter: &Filter) -> Result<Vec<Run>, ReadError> {
    let connection = open_to_read(path)?;
    let mut reader = Reader::default();
    reader.runs(&connection, Spans::Unread).map_err(|error| StoreError::of(path, error))?;
    select(&mut reader.results, filter);
    Ok(reader.results.runs)
}

/// Reads who was seen with these exposures of a store.
pub(super) fn people<'a>(
    path: &Path,
    exposures: impl Iterator<Item = &'a mut Exposure>,
) -> Result<(), ReadError> {
    let connection = open_to_read(path)?;
    let fill = || -> Sql<()> {
        let mut of = connection.prepare("SELECT patient FROM findings WHERE exposure = ?1")?;
        let mut room = MAX_PEOPLE;
        for exposure in exposures {
            let mut rows = of.query([exposure.row])?;
            while let Some(row) = rows.next()? {
                exposure.people.add(row.get_ref(0)?.as_blob()?, &mut room);
            }
        }
        Ok(())
    };
    fill().map_err(|error| StoreError::of(path, error).into())
}

/// Columns of a finding.
const FINDING: &str =
    "SELECT f.exposure, f.patient, f.id, f.first, f.last, f.records, f.severity, f.rule,
    f.operation, f.carrier, f.direction, f.community_id, f.first_file, f.first_packet, f.last_file,
    f.last_packet, f.kinds, f.identifiers FROM findings f";

/// Whether the time span of each run is read, which takes all of its exposures.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spans {
    Read,
    Unread,
}

#[derive(Default)]
struct Reader {
    results: Results,
    /// Indexes of runs and exposures by their numbers in the store.
    runs: HashMap<i64, usize>,
    exposures: HashMap<i64, usize>,
    patients: HashMap<(usize, [u8; 12]), usize>,
}

impl Reader {
    fn all(&mut self, connection: &Connection, filter: &Filter) -> Sql<()> {
        self.runs(connection, Spans::Read)?;
        self.exposures(connection)?;
        let query = "SELECT run, event FROM services ORDER BY run, id";
        self.entries(connection, query, event::service, |results| &mut results.services)?;
        let query = "SELECT run, event FROM assets ORDER BY run, id";
        self.entries(connection, query, event::asset, |results| &mut results.assets)?;
        if filter.patients == 0 {
            return Ok(());
        }
        if filter.tokens.is_empty() {
            let mut rows = connection.prepare(&format!("{FINDING} ORDER BY f.n"))?;
            let mut rows = rows.query([])?;
            while let Some(row) = rows.next()? {
                self.finding(row, filter.patients)?;
            }
            return Ok(());
        }
        let mut of = connection.prepare(&format!("{FINDING} WHERE f.patient = ?1 ORDER BY f.n"))?;
        for token in filter.tokens.iter().filter_map(|token| bytes(token)) {
            let mut rows = of.query(params![token])?;
            while let Some(row) = rows.next()? {
                self.finding(row, filter.patients)?;
            }
        }
        Ok(())
    }

    fn found(&mut self, connection: &Connection, tokens: &[Token]) -> Sql<()> {
        self.runs(connection, Spans::Unread)?;
        let mut of = connection.prepare(&format!(
            "{FINDING} WHERE f.n IN (SELECT finding FROM tokens WHERE token = ?1) ORDER BY f.n"
        ))?;
        let mut exposure = connection.prepare(
            "SELECT n, run, event FROM exposures WHERE n =
                (SELECT exposure FROM findings WHERE n = ?1)",
        )?;
        let mut numbers = connection.prepare("SELECT finding FROM tokens WHERE token = ?1")?;
        let mut seen = std::collections::BTreeSet::new();
        for token in tokens {
            let found = numbers.query_map(params![token.bytes()], |row| row.get::<_, i64>(0))?;
            let found: Vec<i64> = found.take(MAX_ENTRIES).collect::<Sql<_>>()?;
            for number in found {
                let mut rows = exposure.query([number])?;
                while let Some(row) = rows.next()? {
                    self.exposure(row)?;
                }
            }
            let mut rows = of.query(params![token.bytes()])?;
            while let Some(row) = rows.next()? {
                // Several tokens of one person lead to the same row.
                if seen.insert(row.get::<_, Vec<u8>>(2)?) {
                    self.finding(row, MAX_ENTRIES)?;
                }
            }
        }
        Ok(())
    }

    fn runs(&mut self, connection: &Connection, spans: Spans) -> Sql<()> {
        let mut rows = connection.prepare(match spans {
            Spans::Read => {
                "SELECT n, sensor, version, rules, key_id, live, files, began, event, seen.first, seen.last
                 FROM runs LEFT JOIN (SELECT run, min(first) AS first, max(last) AS last FROM exposures GROUP BY run)
                    AS seen ON seen.run = runs.n ORDER BY began, n"
            }
            Spans::Unread => {
                "SELECT n, sensor, version, rules, key_id, live, files, began, event, NULL, NULL
                 FROM runs ORDER BY began, n"
            }
        })?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            if self.results.runs.len() >= MAX_ENTRIES {
                self.results.losses.entries += 1;
                continue;
            }
            let event: Option<String> = row.get(8)?;
            let parsed = event.as_deref().map(serde_json::from_str::<serde_json::Value>);
            let figures = event.as_deref().and_then(|text| {
                serde_json::from_str::<Line>(text).ok().and_then(|line| line.phi.run)
            });
            let figures = figures.unwrap_or_default();
            let bound = |text: Option<String>| text.as_deref().and_then(event::time);
            let seen = |at: usize| row.get::<_, Option<i64>>(at).map(|at| at.map(Timestamp));
            self.results.losses.garbage += u64::from(matches!(&parsed, Some(Err(_))));
            let run = Run {
                sensor: row.get(1)?,
                version: row.get(2)?,
                rules: row.get(3)?,
                key_id: row.get(4)?,
                live: row.get(5)?,
                files: serde_json::from_str(&row.get::<_, String>(6)?).unwrap_or_default(),
                began: Some(Timestamp(row.get(7)?)),
                first: bound(figures.started).or(seen(9)?),
                last: bound(figures.ended).or(seen(10)?),
                ended: event.is_some(),
                event: parsed.and_then(Result::ok).unwrap_or_default(),
            };
            self.runs.insert(row.get(0)?, self.results.runs.len());
            self.results.runs.push(run);
        }
        Ok(())
    }

    fn exposures(&mut self, connection: &Connection) -> Sql<()> {
        let mut rows =
            connection.prepare("SELECT n, run, event FROM exposures ORDER BY run, first, n")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            self.exposure(row)?;
        }
        Ok(())
    }

    fn exposure(&mut self, row: &Row<'_>) -> Sql<()> {
        let number: i64 = row.get(0)?;
        if self.exposures.contains_key(&number) {
            return Ok(());
        }
        let Some((run, line, event)) = self.event(row.get(1)?, &row.get::<_, String>(2)?) else {
            return Ok(());
        };
        match event::exposure(line, run, event) {
            Some(_) if self.results.exposures.len() >= MAX_ENTRIES => {
                self.results.losses.entries += 1;
            }
            Some(exposure) => {
                let exposure = Exposure { row: number, ..exposure };
                self.exposures.insert(number, self.results.exposures.len());
                self.results.exposures.push(exposure);
            }
            None => self.results.losses.garbage += 1,
        }
        Ok(())
    }

    /// Reads services or assets: rows with a run and an event.
    fn entries<T>(
        &mut self,
        connection: &Connection,
        query: &str,
        parse: fn(Line, usize, serde_json::Value) -> Option<T>,
        list: fn(&mut Results) -> &mut Vec<T>,
    ) -> Sql<()> {
        let mut rows = connection.prepare(query)?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let Some((run, line, event)) = self.event(row.get(0)?, &row.get::<_, String>(1)?)
            else {
                continue;
            };
            match parse(line, run, event) {
                Some(_) if list(&mut self.results).len() >= MAX_ENTRIES => {
                    self.results.losses.entries += 1;
                }
                Some(entry) => list(&mut self.results).push(entry),
                None => self.results.losses.garbage += 1,
            }
        }
        Ok(())
    }

    /// The run and event of a row. None if either is malformed, which is counted.
    fn event(&mut self, run: i64, text: &str) -> Option<(usize, Line, serde_json::Value)> {
        let run = self.runs.get(&run).copied();
        let line = serde_json::from_str(text).ok();
        let all = run.zip(line).zip(serde_json::from_str(text).ok());
        self.results.losses.garbage += u64::from(all.is_none());
        all.map(|((run, line), event)| (run, line, event))
    }

    fn finding(&mut self, row: &Row<'_>, most: usize) -> Sql<()> {
        let exposure = self.exposures.get(&row.get(0)?).copied();
        let run = exposure.and_then(|at| self.results.exposures.get(at)).map(|of| of.run);
        let token: Option<[u8; 12]> = row.get::<_, Vec<u8>>(1)?.try_into().ok();
        let (Some(run), Some(token)) = (run, token) else {
            self.results.losses.garbage += 1;
            return Ok(());
        };
        let (first, last) = (Timestamp(row.get(3)?), Timestamp(row.get(4)?));
        let at = match self.patients.get(&(run, token)) {
            Some(at) => *at,
            None if self.results.patients.len() >= most => {
                self.results.losses.patients += 1;
                return Ok(());
            }
            None => {
                self.results.patients.push(Patient {
                    run,
                    more_runs: Vec::new(),
                    token: text('p', &token),
                    first,
                    last,
                    records: 0,
                    kinds: Vec::new(),
                    identifiers: Vec::new(),
                    seen: Vec::new(),
                });
                self.patients.insert((run, token), self.results.patients.len() - 1);
                self.results.patients.len() - 1
            }
        };
        let seen = self.observation(row, run, exposure, (first, last))?;
        let kinds: String = row.get(16)?;
        let identifiers: Result<Vec<Identifier>, _> =
            serde_json::from_str(&row.get::<_, String>(17)?);
        self.results.losses.garbage += u64::from(identifiers.is_err());
        let Some(patient) = self.results.patients.get_mut(at) else { return Ok(()) };
        patient.first = patient.first.min(first);
        patient.last = patient.last.max(last);
        patient.records = patient.records.saturating_add(seen.records);
        for kind in kinds.split_ascii_whitespace() {
            if !patient.kinds.iter().any(|known| known == kind) {
                patient.kinds.push(kind.to_owned());
            }
        }
        for identifier in identifiers.unwrap_or_default() {
            if patient.identifiers.len() < MAX_IDENTIFIERS
                && !patient.identifiers.contains(&identifier)
            {
                patient.identifiers.push(identifier);
            }
        }
        if patient.seen.len() < MAX_SIGHTINGS {
            patient.seen.push(seen);
        }
        Ok(())
    }

    fn observation(
        &self,
        row: &Row<'_>,
        run: usize,
        exposure: Option<usize>,
        (first, last): (Timestamp, Timestamp),
    ) -> Sql<PatientObservation> {
        let files = self.results.runs.get(run).map_or(&[][..], |run| &run.files);
        let file = |at: i64| usize::try_from(at).ok().and_then(|at| files.get(at)).cloned();
        let number = |at: i64| u64::try_from(at).unwrap_or(0);
        let evidence = match (file(row.get(12)?), file(row.get(14)?)) {
            (Some(file), Some(last_file)) => Some(Evidence {
                file,
                first_packet: number(row.get(13)?),
                last_file,
                last_packet: number(row.get(15)?),
            }),
            _ => None,
        };
        let carrier: String = row.get(9)?;
        Ok(PatientObservation {
            run,
            exposure,
            id: ulid(&row.get::<_, Vec<u8>>(2)?),
            first,
            last,
            records: number(row.get(5)?),
            severity: u8::try_from(row.get::<_, i64>(6)?).unwrap_or(0).min(100),
            rule: row.get(7)?,
            operation: row.get(8)?,
            carrier: carrier.split_ascii_whitespace().map(str::to_owned).collect(),
            direction: row.get(10)?,
            community_id: row.get(11)?,
            evidence,
        })
    }
}

/// A token in the notation of events.
fn text(prefix: char, token: &[u8; 12]) -> String {
    format!("{prefix}_{}", Token::from_bytes(*token))
}

/// Parses a token, `p_...` or `i_...`.
pub(super) fn bytes(text: &str) -> Option<[u8; 12]> {
    Token::parse(text.get(2..)?).map(|token| *token.bytes())
}

/// An event id in the notation of events.
fn ulid(bytes: &[u8]) -> String {
    let id: [u8; 16] = bytes.try_into().unwrap_or_default();
    EventId(u128::from_be_bytes(id)).to_string()
}
