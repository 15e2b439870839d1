//! Names without a label of their own: a name beside, above or in front of a number or a
//! birth date.

use super::find::{self, LabelMeaning};
use super::{BIRTH_DATE, Labels, NAME, NUMBER, PATIENT_NAME, adjacent_name, mention, value};
use crate::content::Scope;
use crate::content::extract::record::{self, Meaning};
use crate::rules::{About, Kind, RuleSet};

/// Longest rest of a bracket that is looked at for a number or a birth date, bytes.
const MAX_DESCRIPTION: usize = 160;

impl Labels {
    /// A name right before the label of a birth date or number; `behind`: what follows the label.
    pub(super) fn beside(
        &mut self,
        meaning: &Meaning,
        before: &str,
        behind: &str,
        scope: &mut Scope<'_>,
    ) {
        let birth = matches!(meaning.rule.kind, Kind::BirthDate | Kind::NationalId);
        // A name without a birth date gets this one. Where the person is known, the text may be about others.
        let number = meaning.rule.kind == Kind::PatientId;
        if !(birth || number)
            || self.collected.is_some()
            || (self.record.has(Kind::Name) && !self.record.has(meaning.rule.kind))
        {
            return;
        }
        let rules = scope.rules;
        // `Reminder for Jane Roe (MRN 77123, DOB 01/31/1970)`: both in one bracket are a patient's.
        if let Some(name) = mention::in_front(before, rules)
            && (is_described(meaning.rule.kind, behind, rules)
                || (number && mention::announces_patient(before, name, rules))
                || mention::is_reported(before, name))
            && let Some(key) = rules.keys.get(PATIENT_NAME)
        {
            return self.known(&Meaning::from(key), name, scope);
        }
        if let Some(name) = mention::greeted(before, rules)
            && is_described(meaning.rule.kind, behind, rules)
            && let Some(key) = rules.keys.get(PATIENT_NAME)
        {
            return self.known(&Meaning::from(key), name, scope);
        }
        let before = if number { without_link(before) } else { before };
        if let Some(beside) = adjacent_name::name(before, rules) {
            // Beside a number, only the word for a patient says that this is one: `Loaded patient Jane Roe (MRN 77)`.
            if number && !(beside.patient && mention::is_person(beside.name)) {
                return;
            }
            let key = if beside.patient { PATIENT_NAME } else { NAME };
            if let Some(key) = rules.keys.get(key) {
                self.known(&Meaning::from(key), beside.name, scope);
            }
        }
    }

    /// A name in the line above that of a birth date: `Roe, Jane`, `Re: Mrs Jane Roe`.
    pub(super) fn below(&mut self, meaning: &Meaning, scope: &mut Scope<'_>) {
        let kind = meaning.rule.kind;
        let known =
            kind == Kind::BirthDate || (self.introduced.is_some() && kind == Kind::PatientId);
        // The heading of another card, where the one before is complete.
        let whole = self.record.has(Kind::Name) && self.record.has(kind);
        let new = self.introduced.is_some() && whole
            || self.introduced == Some(About::Patient) && self.record.has(kind);
        if !known
            || self.collected.is_some()
            || (self.record.has(Kind::Name) && !new)
            || self.before.is_empty()
        {
            return;
        }
        if new {
            // The head of another record is in between.
            self.emit(scope);
        }
        let rules = scope.rules;
        let above = std::mem::take(&mut self.before);
        let introduced = std::mem::take(&mut self.introduced);
        let alone = || adjacent_name::alone(&above, introduced?, rules);
        if let Some(adjacent) = adjacent_name::above(&above, rules).or_else(alone) {
            let key = if adjacent.patient { PATIENT_NAME } else { NAME };
            if let Some(key) = rules.keys.get(key) {
                self.known(&Meaning::from(key), adjacent.name, scope);
            }
        }
    }

    /// Takes the birth date in a line that gives sex, age and birth date of the person named above it:
    /// `Female, 73 y.o., 01/31/1953`.
    pub(super) fn aged(&mut self, date: &str, scope: &mut Scope<'_>) -> bool {
        let Some(key) = scope.rules.keys.get(BIRTH_DATE) else { return false };
        if !self.record.has(Kind::Name) && self.before.is_empty() {
            return false;
        }
        let meaning = Meaning::from(key);
        self.below(&meaning, scope);
        if self.record.has(Kind::Name) && !self.record.has(Kind::BirthDate) {
            self.known(&meaning, date, scope);
        }
        true
    }

    /// Takes the heading of a page about a patient that is a name and a number: `Roe, Jane (77123)`.
    pub(super) fn numbered_title(&mut self, text: &str, scope: &mut Scope<'_>) -> bool {
        let numbered = record::numbered(text).filter(|_| self.around.is_patient());
        let Some((number, name)) = numbered else { return false };
        if !value::is_number(number) || !adjacent_name::is_heading(name, scope.rules) {
            return false;
        }
        let Some(key) = scope.rules.keys.get(NUMBER) else { return false };
        self.introduces = Some(About::Patient);
        self.note(name);
        self.known(&Meaning::from(key), number, scope);
        true
    }
}

/// Whether the rest of a bracket that begins with a number or birth date has the other of the two.
fn is_described(kind: Kind, behind: &str, rules: &RuleSet) -> bool {
    let end = (0..=behind.len().min(MAX_DESCRIPTION)).rfind(|at| behind.is_char_boundary(*at));
    let near = end.and_then(|end| behind.get(..end)).unwrap_or("");
    let Some((inside, _)) = near.split_once([')', ']']) else { return false };
    let other = |found: Kind| {
        found != kind
            && (found == Kind::PatientId || found == Kind::BirthDate || found == Kind::Ssn)
    };
    value::inline(inside, rules).is_some_and(|found| other(found.meaning.rule.kind))
        || find::labels(inside, rules).any(
            |label| matches!(label.said, LabelMeaning::Key(meaning) if other(meaning.rule.kind)),
        )
}

/// A text without the word or sign that ties a name to the number behind it: `Jane Roe with`, `Jane Roe /`.
fn without_link(text: &str) -> &str {
    const LINKS: [&str; 7] = [" with", " has", " mit", " avec", " con", " /", " -"];
    let text = text.trim_end();
    LINKS.iter().find_map(|link| text.strip_suffix(link)).unwrap_or(text)
}
