//! `phitap find`: looks up whether a person is affected.
//!
//! Input is turned into tokens under the run's key, then wiped. It is never a command-line
//! argument, which other users of the machine could read, and is never shown, written or logged.

mod people;

use super::query::{HasEvidence, evidence_columns};
use super::source::{
    self, Evidence, Exposure, Filter, Identifier, Patient, PatientObservation, Results, Run,
};
use super::table::{Column, Table, hidden, shown, time};
use super::{Answer, Console, Find, ReviewError, judged, report_losses};
use crate::identify::{Key, KeyError, Token, is_date, lookup_token};
use crate::output::text::count;
use crate::phi::PhiBuf;
use crate::rules::{Kind, RuleSet};
use crate::severity::Severity;
use crate::time::Timestamp;
use people::{MAX_PEOPLE, MAX_VALUES, Person, people};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, Write as _};

/// Kinds that a number is looked up as, because the sender's kind is unknown.
const NUMBERS: [Kind; 12] = [
    Kind::PatientId,
    Kind::Ssn,
    Kind::NationalId,
    Kind::InsuranceNumber,
    Kind::DriversLicence,
    Kind::PassportNumber,
    Kind::OtherId,
    Kind::AccountNumber,
    Kind::EncounterId,
    Kind::AccessionNumber,
    Kind::DeviceId,
    Kind::Phone,
];

/// Why a search is impossible. No message contains typed input.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The key file is unusable.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The runs were made with other keys.
    #[error(
        "this is key {ours}, and the runs were made with {theirs}; give the --key-file they had (a run \
         without one made a key that is gone)"
    )]
    OtherKey {
        /// Id of the key in the file.
        ours: String,
        /// Ids of the runs' keys.
        theirs: String,
    },
    /// The results can be read only once.
    #[error(
        "{0} can be read only once, and a search reads it several times: write it to a file first"
    )]
    Stream(String),
    /// The list of people cannot be read.
    #[error("{list}: {source}")]
    Input {
        /// Its path.
        list: String,
        /// The system's error.
        source: io::Error,
    },
    /// No person was given.
    #[error(
        "no person to look up: give a name or a number; a birth date alone does not identify a person"
    )]
    Nobody,
    /// A birth date that no patient could have.
    #[error("invalid birth date of person {0}: write it like 1952-03-01")]
    Birth(usize),
    /// A line of the list is not a valid value.
    #[error(
        "line {0} of the list is not a name, birth date or number; write name:, birth: or number: before the value"
    )]
    Line(usize),
    /// A line of the list contains several values.
    #[error(
        "line {0} of the list holds several values, or a table: write each value in a line of its own, such as \
         `name: Doe^Jane`, `birth: 1952-03-01`, `number: 12345`, and an empty line between people"
    )]
    Several(usize),
    /// A person with two birth dates.
    #[error(
        "line {0} of the list is a second birth date of one person: write an empty line between people"
    )]
    SecondBirth(usize),
    /// The list is too long.
    #[error("at most {MAX_PEOPLE} people with {MAX_VALUES} values each can be looked up at once")]
    TooMany,
}

/// The tokens of a person.
struct Tokens {
    names: Vec<Token>,
    /// Tokens of birth dates, with the year.
    births: Vec<(Token, Option<[u8; 4]>)>,
    numbers: Vec<Token>,
}

/// How well a patient matches the person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum MatchStrength {
    /// Same name, but another birth date: a different person.
    Contradicted,
    /// Same name; the birth date is missing on one side.
    Name,
    /// Same name, and the visible part of the masked birth date agrees.
    BirthYear,
    /// Same name and birth date.
    NameAndBirth,
    /// Same number.
    Number,
}

impl MatchStrength {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Contradicted => "another birth date",
            Self::Name => "name",
            Self::BirthYear => "name and year of birth",
            Self::NameAndBirth => "name and birth date",
            Self::Number => "number",
        }
    }
}

/// A patient who may be the person, seen in one exposure.
struct Row<'a> {
    results: &'a Results,
    patient: &'a Patient,
    seen: &'a PatientObservation,
    exposure: Option<&'a Exposure>,
    /// Number of the person, from 1.
    person: usize,
    strength: MatchStrength,
}

impl Row<'_> {
    fn exposure(&self, of: fn(&Exposure) -> Value) -> Value {
        self.exposure.map_or(Value::Null, of)
    }
}

impl HasEvidence for Row<'_> {
    fn evidence(&self) -> Option<&Evidence> {
        self.seen.evidence.as_ref()
    }

    fn community_id(&self) -> &str {
        &self.seen.community_id
    }
}

fn columns<'a>() -> Vec<Column<Row<'a>>> {
    let mut columns: Vec<Column<Row<'a>>> = vec![
        shown("person", "Person", |r| json!(r.person)),
        shown("match", "Same", |r| json!(r.strength.as_str())),
        time("first", "First (UTC)", |r| json!(r.seen.first.to_string())),
        time("last", "Last (UTC)", |r| json!(r.seen.last.to_string())),
        shown("records", "Records", |r| json!(r.seen.records)),
        shown("client", "Client", |r| r.exposure(|e| json!(e.client.to_string()))),
        shown("service", "Service", |r| r.exposure(|e| json!(e.server.to_string()))),
        shown("protocol", "Protocol", |r| r.exposure(|e| json!(e.protocol))),
        shown("severity", "Severity", |r| json!(Severity::of(r.seen.severity).as_str())),
        shown("kinds", "Kinds", |r| json!(r.patient.kinds)),
        hidden("operation", |r| json!(r.seen.operation)),
    ];
    columns.extend(evidence_columns());
    columns.push(hidden("sensor", |r| {
        json!(r.results.runs.get(r.seen.run).map_or("", |run| &run.sensor))
    }));
    columns.push(hidden("run", |r| json!(r.seen.run + 1)));
    columns.push(hidden("patient", |r| json!(r.patient.token)));
    columns.push(hidden("finding", |r| json!(r.seen.id)));
    columns.push(hidden("exposure", |r| r.exposure(|e| json!(e.id))));
    columns
}

pub(super) fn answer(
    find: &Find,
    now: Timestamp,
    out: &mut Console<'_>,
    note: &mut dyn FnMut(String),
) -> Result<Answer, ReviewError> {
    let key = Key::from_file(&find.key_file).map_err(FindError::Key)?;
    if source::is_stream(&find.source) && !find.source.is_dir() {
        let name = match find.source.as_os_str() == "-" {
            true => "standard input".to_owned(),
            false => find.source.display().to_string(),
        };
        return Err(FindError::Stream(name).into());
    }
    // In events, the key id is in exposures; patients are not needed here.
    let filter = Filter { patients: 0, ..find.filter.clone() };
    let runs = source::runs(&find.source, &filter)?;
    let others = other_keys(&runs, &key)?;
    // Rules are needed for names (they tell which words are titles), and to recognise the head of a table.
    let rules = RuleSet::shipped()?;
    let people = people(find, &rules, note)?;
    let (mut table, mut found, mut contradicted) = (Table::of(&columns(), []), 0, 0u64);
    let mut worst = Answer::Done;
    let mut listed = 0;
    for (number, person) in people.iter().enumerate() {
        let tokens = tokens(number + 1, person, &key, &rules, now)?;
        let of = |tokens: &[Token]| source::lookup(&find.source, tokens, &find.filter);
        let mut all = tokens.numbers.clone();
        all.extend(&tokens.names);
        let mut results = of(&all)?;
        results.join_runs();
        listed = listed.max(results.losses.listed);
        if number == 0 {
            worst = report_losses(&find.source, &results.losses, note);
        }
        let births: Vec<Token> = tokens.births.iter().map(|(token, _)| *token).collect();
        let born = if births.is_empty() { Results::default() } else { of(&births)? };
        let born: BTreeSet<&str> = born.patients.iter().map(|p| p.token.as_str()).collect();
        let by_number =
            if tokens.numbers.is_empty() { Results::default() } else { of(&tokens.numbers)? };
        let numbered: BTreeSet<&str> =
            by_number.patients.iter().map(|p| p.token.as_str()).collect();
        let before = table.len();
        for patient in &results.patients {
            let strength = match numbered.contains(patient.token.as_str()) {
                true => MatchStrength::Number,
                false => compare(patient, &tokens, born.contains(patient.token.as_str())),
            };
            if strength == MatchStrength::Contradicted {
                contradicted += 1;
                continue;
            }
            table.append(rows(&results, patient, number + 1, strength));
        }
        found += usize::from(table.len() > before);
    }
    let shape = find.shape;
    if shape == super::Shape::Table {
        writeln!(out, "{}", headline(people.len(), found))?;
        if !table.is_empty() {
            writeln!(out)?;
            table.write(shape, out)?;
        }
    } else {
        table.write(shape, out)?;
    }
    if contradicted > 0 {
        let (who, have) = (count(contradicted, "patient"), have(contradicted));
        note(format!("{who} of the same name {have} another birth date"));
    }
    if others > 0 {
        let runs = count(others as u64, "run");
        note(format!("{runs} made with another key could not be searched"));
        worst = Answer::Partial;
    }
    if listed > 0 {
        note(format!(
            "{} listed without a name could not be searched: use a store, or --detail flows",
            count(listed, "patient")
        ));
        worst = Answer::Partial;
    }
    if found < people.len() && !judged(&find.source, &runs, |_, _| true, note) {
        worst = Answer::Partial;
    }
    Ok(if found > 0 { Answer::Found } else { worst })
}

/// Counts the runs with other keys, which cannot be searched. Refuses a key that fits none.
fn other_keys(runs: &[Run], key: &Key) -> Result<usize, ReviewError> {
    let ours = key.id();
    let (same, others): (Vec<_>, Vec<_>) = runs.iter().partition(|run| run.key_id == ours);
    let known: BTreeSet<&str> =
        others.iter().map(|run| run.key_id.as_str()).filter(|id| !id.is_empty()).collect();
    if same.is_empty() && !known.is_empty() {
        let theirs = known.into_iter().take(3).collect::<Vec<_>>().join(", ");
        return Err(FindError::OtherKey { ours, theirs }.into());
    }
    Ok(others.iter().filter(|run| !run.key_id.is_empty()).count())
}

const fn have(n: u64) -> &'static str {
    if n == 1 { "has" } else { "have" }
}

fn headline(people: usize, found: usize) -> String {
    match (people, found) {
        (1, 0) => "NOT FOUND in what was read".into(),
        (all, 0) => format!("NONE of {all} people FOUND in what was read"),
        (1, _) => "AFFECTED: seen in cleartext".into(),
        (all, 1) => format!("1 of {all} people is AFFECTED: seen in cleartext"),
        (all, found) => format!("{found} of {all} people are AFFECTED: seen in cleartext"),
    }
}

/// Compares the birth dates of a patient and a person of the same name.
fn compare(patient: &Patient, tokens: &Tokens, born: bool) -> MatchStrength {
    if born {
        return MatchStrength::NameAndBirth;
    }
    if tokens.births.is_empty() {
        return MatchStrength::Name;
    }
    let dates: Vec<&Identifier> =
        patient.identifiers.iter().filter(|i| i.kind == "birth_date").collect();
    let years: Vec<&str> = dates.iter().filter_map(|i| year(&i.value)).collect();
    let same =
        |year: &&str| tokens.births.iter().any(|(_, y)| y.is_some_and(|y| y == year.as_bytes()));
    match (dates.is_empty(), years.iter().any(same)) {
        (true, _) => MatchStrength::Name,
        (false, true) => MatchStrength::BirthYear,
        // A mask without year (for ages over 89) decides nothing.
        (false, false) if years.is_empty() => MatchStrength::Name,
        (false, false) => MatchStrength::Contradicted,
    }
}

/// The year in a masked birth date.
fn year(mask: &str) -> Option<&str> {
    let run = |at: usize| mask.get(at..at + 4).filter(|y| y.bytes().all(|b| b.is_ascii_digit()));
    (0..mask.len().saturating_sub(3)).find_map(run)
}

fn rows(results: &Results, patient: &Patient, person: usize, strength: MatchStrength) -> Table {
    let rows = patient.seen.iter().map(|seen| {
        let exposure = seen.exposure.and_then(|at| results.exposures.get(at));
        Row { results, patient, seen, exposure, person, strength }
    });
    Table::of(&columns(), rows)
}

/// The tokens of a person. `number`: that of the person, from 1.
fn tokens(
    number: usize,
    person: &Person,
    key: &Key,
    rules: &RuleSet,
    now: Timestamp,
) -> Result<Tokens, FindError> {
    let token = |kind, value: &PhiBuf| lookup_token(key, rules, kind, value.as_phi(), now);
    let mut numbers = Vec::new();
    for value in &person.numbers {
        let email = value.as_phi().expose().contains('@').then_some(Kind::Email);
        numbers.extend(NUMBERS.into_iter().chain(email).filter_map(|kind| token(kind, value)));
    }
    let names: Vec<Token> = person.names.iter().filter_map(|n| token(Kind::Name, n)).collect();
    if !person.births.iter().all(|birth| is_date(birth.as_phi(), now)) {
        return Err(FindError::Birth(number));
    }
    let births = person.births.iter().filter_map(|b| {
        let text = b.as_phi().expose();
        let year = year(text).and_then(|y| y.as_bytes().try_into().ok());
        Some((token(Kind::BirthDate, b)?, year))
    });
    if names.is_empty() && numbers.is_empty() {
        return Err(FindError::Nobody);
    }
    Ok(Tokens { names, births: births.collect(), numbers })
}
