//! Patients whom a sentence names: `I certify that the patient Jane Roe, tax number 77, was seen`, and lines of logs
//! that say what was done with one: `Patient created: id=77, name=Jane Roe`.

use super::find::Label;
use super::{Labels, Meaning, NUMBER, PATIENT_NAME, adjacent_name, mention};
use crate::content::Scope;
use crate::content::extract::record::Marks;
use crate::rules::{About, Kind, RuleSet};

/// Words of a name.
const MIN_WORDS: usize = 2;
const MAX_WORDS: usize = 5;

/// Longest line looked at, bytes.
const MAX_LINE: usize = 2048;

/// Words for a patient in one line after which no name is looked for.
const MAX_TRIES: usize = 8;

/// Longest line that introduces what follows, bytes.
const MAX_INTRODUCTION: usize = 120;

/// Most words of a clause that says what was done with a patient, and its last bytes that are looked at.
const MAX_CLAUSE: usize = 4;
const MAX_ANNOUNCEMENT: usize = 64;

/// What the labels of a line that no rule knows said.
#[derive(Default)]
pub(super) struct Seen {
    /// One is `ID`.
    number: bool,
    /// What follows is about others.
    others: bool,
    /// Something was done with a patient.
    announced: bool,
}

/// The name behind a word for a patient in a sentence.
fn patient<'a>(line: &'a str, rules: &RuleSet) -> Option<&'a str> {
    let line = line.get(..MAX_LINE).unwrap_or(line);
    let mut at = 0;
    let mut tries = 0;
    for word in line.split_inclusive(' ') {
        at += word.len();
        let bare = word.trim_end();
        if bare.len() < 2 || !mention::is_patient_word(bare.trim_start_matches('('), rules) {
            continue;
        }
        if let Some(name) = name_at(line.get(at..)?, rules) {
            return Some(name);
        }
        tries += 1;
        if tries == MAX_TRIES {
            return None;
        }
    }
    None
}

/// The name at the front of a text, which ends with it, with a mark, or in front of a word that is part of no name.
fn name_at<'a>(text: &'a str, rules: &RuleSet) -> Option<&'a str> {
    let (mut end, mut start, mut parts) = (0, 0, 0);
    let mut at = 0;
    for word in text.split_inclusive(' ').take(MAX_WORDS + 2) {
        let begin = at;
        at += word.len();
        let word = word.trim_end();
        if parts == 0 && adjacent_name::is_form_of_address(word, rules) {
            start = at;
            continue;
        }
        let bare = word.trim_end_matches([',', ';', ')', '.', '\'', '’']);
        let bare = bare.strip_suffix("'s").unwrap_or(bare);
        let known = rules.keys.get(bare).is_some() || rules.keys.scope_of(bare).is_some();
        if mention::is_part(bare) && !known {
            parts += 1;
            end = begin + bare.len();
            if parts > MAX_WORDS {
                return None;
            }
            if bare.len() < word.len() && bare.chars().count() > 1 {
                break;
            }
        } else if !(parts > 0 && mention::is_particle(bare)) {
            break;
        }
    }
    text.get(start..end).filter(|_| parts >= MIN_WORDS)
}

/// Whether a text in front of a label ends with a clause that says what was done with a patient: `Patient created:`,
/// `Loaded patient `.
pub(super) fn announces(text: &str, rules: &RuleSet) -> bool {
    const DONE: &[&str] = &[
        "created",
        "updated",
        "saved",
        "loaded",
        "registered",
        "admitted",
        "discharged",
        "added",
        "inserted",
        "deleted",
        "fetched",
        "found",
        "merged",
        "transferred",
        "received",
        "imported",
        "exported",
        "opened",
        "selected",
        "processing",
        "saving",
        "loading",
        "creating",
        "updating",
        "admitting",
        "registering",
        "angelegt",
        "gespeichert",
        "geladen",
        "créé",
    ];
    let Some(clause) = text.strip_suffix(':') else { return false };
    // No more than that of a line that is nothing but labels.
    let from = (clause.len().saturating_sub(MAX_ANNOUNCEMENT)..=clause.len())
        .find(|at| clause.is_char_boundary(*at));
    let clause = clause.get(from.unwrap_or(0)..).unwrap_or("").trim_end();
    let mut words = clause.rsplit([' ', '\t']).take(MAX_CLAUSE);
    let (Some(last), Some(before)) = (words.next(), words.next()) else { return false };
    let done = |word: &str| DONE.iter().any(|done| word.eq_ignore_ascii_case(done));
    let is_patient = |word: &str| mention::is_patient_word(word, rules);
    (done(last) && is_patient(before)) || (is_patient(last) && done(before))
}

impl Labels {
    /// Notes what an introduction says of other people in all that follows: `The student details are as follows:`. True
    /// if it did.
    pub(super) fn of_others(&mut self, before: &str, line: &str, rules: &RuleSet) -> bool {
        if line.trim_end_matches([' ', '-']).len() > before.len() || line.len() > MAX_INTRODUCTION {
            return false;
        }
        let others = |word: &str| rules.keys.context(word) == Some(About::Elsewhere);
        let said = before.split(|c: char| !c.is_alphanumeric()).any(others);
        if said {
            self.mark(Marks::about(About::Elsewhere));
        }
        said
    }

    /// The record, and how many of the values that identify a person it has, as far as a name belongs to them.
    pub(super) fn identified(&self) -> (u32, usize) {
        let kinds =
            [Kind::PatientId, Kind::BirthDate, Kind::NationalId, Kind::InsuranceNumber, Kind::Ssn];
        (self.group, kinds.iter().filter(|kind| self.record.has(**kind)).count())
    }

    /// The meaning of a label that no rule knows: `ID` beside a word for a patient is the number of the patient.
    /// `patient`: a value of a patient precedes it.
    pub(super) fn own_number(
        &mut self,
        label: &mut Label,
        line: &str,
        patient: bool,
        seen: &mut Seen,
        rules: &RuleSet,
    ) -> Option<Meaning> {
        let before = line.get(..label.value).unwrap_or("");
        let number = label.is_number(line);
        seen.number |= number;
        seen.others |= self.of_others(before, line, rules);
        seen.announced |= announces(before, rules);
        // The name of a card, or of an item of a list of patients, precedes it.
        let listed = self.introduced.is_some() && self.around.is_patient();
        let begun = self.record.is_empty() || self.record.has(Kind::Name);
        let named = seen.announced || patient || self.record.names_patient();
        let named = named || listed || (self.section && begun);
        let first = listed || !self.record.has(Kind::PatientId) || seen.announced;
        (number && named && first).then(|| rules.keys.get(NUMBER).map(Meaning::from)).flatten()
    }

    /// Notes what a line said of its patient. True if it said nothing.
    pub(super) fn conclude(&mut self, seen: &Seen) -> bool {
        if seen.announced && !self.record.is_empty() {
            self.said = self.said.and(Marks::PATIENT);
        }
        !(seen.number || seen.others || seen.announced)
    }

    /// Takes the name of a patient from a sentence that has given a number or the birth date.
    pub(super) fn name_in_sentence(&mut self, line: &str, scope: &mut Scope<'_>) {
        if self.collected.is_some() || self.record.has(Kind::Name) || self.identified().1 == 0 {
            return;
        }
        let rules = scope.rules;
        if let (Some(name), Some(key)) = (patient(line, rules), rules.keys.get(PATIENT_NAME)) {
            self.known(&Meaning::from(key), name, scope);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

    #[test]
    fn patients_in_sentences() {
        for (line, name) in [
            ("certifico que el paciente Ana Ruiz Gil con C.I. 1712345678", "Ana Ruiz Gil"),
            ("que o(a) paciente Inês de Prado, portador(a) do CPF", "Inês de Prado"),
            ("please look at pt Jane Roe (MRN 77123)", "Jane Roe"),
            ("the patient Mr. John Q. Roe was seen", "John Q. Roe"),
        ] {
            assert_eq!(patient(line, &RULES), Some(name), "{line}");
        }
        for line in [
            "Patient Safety Board, 01.02.2026",
            "the patient was seen by Jane Roe",
            "patient Roe was seen",
            "Patient portal of Jane Roe",
            "",
        ] {
            assert_eq!(patient(line, &RULES), None, "{line}");
        }
    }

    #[test]
    fn lines_that_announce_a_patient() {
        for line in
            ["INFO PatientService - Patient created:", "Loaded patient:", "saving patient :"]
        {
            assert!(announces(line, &RULES), "{line}");
        }
        for line in ["Patient portal:", "created:", "user created:", "patient", ":"] {
            assert!(!announces(line, &RULES), "{line}");
        }
    }
}
