//! Rows of several tables, each an element of its own, tied together by the numbers of people:
//! `<person person_id="7" gender="F"/><person_name person_id="7" given_name="Jane"/>` (flat XML of DbUnit, exports
//! of databases).

use super::record::{CandidateRecord, Marks, Meaning};
use crate::content::Scope;
use crate::rules::{About, Key, KeyRules, Kind, NamePart};
use zeroize::Zeroizing;

/// People of one document.
const MAX_PEOPLE: usize = 4096;

/// Columns of one row, and values kept of one person.
const MAX_COLUMNS: usize = 64;

/// Rows by the number that ties them together.
#[derive(Default)]
pub struct Rows {
    people: Vec<Person>,
    index: std::collections::HashMap<Box<str>, usize, foldhash::fast::FixedState>,
}

struct Person {
    number: Zeroizing<String>,
    /// The rule for the number, if it is one of a patient.
    meaning: Option<Meaning>,
    fields: Vec<(Meaning, Zeroizing<String>)>,
    marks: Marks,
}

/// The part of a name that says whose number a column holds: `person_id`.
const PERSON_ID: &str = "person_id";

/// The column that says whose a row is: the number of a patient, or of a person.
fn tie<'a>(columns: &[(&str, &'a str)], keys: &KeyRules) -> Option<(&'a str, Option<Meaning>)> {
    let patient = columns.iter().find_map(|(name, value)| {
        let key = keys.get(name).filter(|key| key.rule.kind == Kind::PatientId && key.patient)?;
        Some((*value, Some(Meaning::from(key))))
    });
    let person = || columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(PERSON_ID));
    patient
        .or_else(|| person().map(|(_, value)| (*value, None)))
        .filter(|(value, _)| !value.is_empty())
}

impl Rows {
    /// A row of `table`; false if it has no owner.
    pub fn row(&mut self, table: &str, columns: &[(&str, &str)], scope: &Scope<'_>) -> bool {
        let keys = &scope.rules().keys;
        let columns = columns.get(..MAX_COLUMNS).unwrap_or(columns);
        let Some((number, meaning)) = tie(columns, keys) else { return false };
        let at = match self.index.get(number) {
            Some(at) => *at,
            None if self.people.len() < MAX_PEOPLE => {
                let fields = Vec::new();
                let number_ = Zeroizing::new(number.to_owned());
                self.people.push(Person {
                    number: number_,
                    meaning: None,
                    fields,
                    marks: Marks::default(),
                });
                self.index.insert(number.into(), self.people.len() - 1);
                self.people.len() - 1
            }
            None => return true,
        };
        let Some(person) = self.people.get_mut(at) else { return true };
        // Those who work there are persons, too.
        let about =
            words_of(table).filter_map(|word| keys.context(word)).chain(keys.context(table));
        let about = about.map(Marks::about).fold(Marks::default(), Marks::and);
        person.marks = person.marks.and(about);
        if meaning.is_some() {
            person.meaning = meaning;
        }
        // A row with a number of its own is about something of that person.
        let own_id = format!("{table}_id");
        let thing = columns
            .iter()
            .any(|(name, value)| name.eq_ignore_ascii_case(&own_id) && *value != number);
        let says = |key: &&Key| {
            !thing || key.patient || key.rule.kind != Kind::Name || key.part != NamePart::Whole
        };
        for (name, value) in
            columns.iter().filter(|(_, value)| *value != number && !value.is_empty())
        {
            let under = keys.get(&format!("{table}.{name}"));
            let Some(key) = under.or_else(|| keys.get(name)).filter(says) else {
                let said = keys.context(name).map_or(About::Nothing, |about| about);
                person.marks = person.marks.and(Marks::about(said).health());
                continue;
            };
            if person.fields.len() < MAX_COLUMNS {
                person.fields.push((Meaning::from(key), Zeroizing::new((*value).to_owned())));
            }
        }
        true
    }

    /// The document ends: passes on who was in it.
    pub fn finish(&mut self, content: &'static str, around: Marks, scope: &mut Scope<'_>) {
        self.index.clear();
        for person in std::mem::take(&mut self.people) {
            let mut record = CandidateRecord::default();
            record.mark(person.marks);
            let numbered = |(meaning, _): &(Meaning, _)| meaning.rule.kind == Kind::PatientId;
            // A number that only ties rows together is not one that people know.
            let known = person.fields.iter().any(numbered);
            if let Some(meaning) = person.meaning {
                record.mark(Marks::PATIENT);
                if !known {
                    record.add(&meaning, 0, &person.number);
                }
            }
            for (meaning, value) in &person.fields {
                if !record.contradicts(meaning, value) {
                    record.add(meaning, 0, value);
                }
            }
            record.mark_from_afar(around);
            record.emit(content, scope);
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let fields = self.people.iter().flat_map(|p| &p.fields);
        self.people.capacity() * size_of::<Person>()
            + fields.map(|(_, v)| 64 + v.capacity()).sum::<usize>()
    }
}

/// The words of the name of a table.
fn words_of(table: &str) -> impl Iterator<Item = &str> {
    table.split(['_', '-', '.'])
}
