//! Names without a label of their own: a name beside, above or in front of a number or a
//! birth date.

use super::find::{self, LabelMeaning};
use super::{
    BIRTH_DATE, Labels, NAME, NUMBER, PATIENT_NAME, adjacent_name, greeting, mention, name_heading,
    value,
};
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
                || mention::is_reported(before, name, &rules.words))
            && let Some(key) = rules.keys.get(PATIENT_NAME)
        {
            return self.known(&Meaning::from(key), name, scope);
        }
        if let Some(name) = followed(meaning, before, behind, rules)
            && let Some(key) = rules.keys.get(PATIENT_NAME)
        {
            return self.known(&Meaning::from(key), name, scope);
        }
        if let Some(name) = greeting::greeted(before, rules)
            && (meaning.patient || is_described(meaning.rule.kind, behind, rules))
            && let Some(key) = rules.keys.get(PATIENT_NAME)
        {
            return self.known(&Meaning::from(key), name, scope);
        }
        let (before, own) = if birth { numbered(before) } else { (without_link(before), None) };
        if let Some(beside) = adjacent_name::name(before, rules) {
            // Beside a number, only the word for a patient says that this is one: `Loaded patient Jane Roe (MRN 77)`,
            // or the kind of number behind a form of address: `Mrs Jane Roe, MRN 77`.
            let patient = beside.patient || (meaning.patient && beside.addressed);
            if number && !(patient && mention::is_person(beside.name)) {
                return;
            }
            if let (Some(own), Some(key)) = (own, rules.keys.get(NUMBER)) {
                self.known(&Meaning::from(key), own, scope);
            }
            let key = if beside.patient { PATIENT_NAME } else { NAME };
            if let Some(key) = rules.keys.get(key) {
                self.known(&Meaning::from(key), beside.name, scope);
            }
        }
    }

    /// A name in the line above that of a birth date: `Roe, Jane`, `Re: Mrs Jane Roe`.
    pub(super) fn below(&mut self, meaning: &Meaning, value: &str, scope: &mut Scope<'_>) {
        let kind = meaning.rule.kind;
        let known =
            kind == Kind::BirthDate || (self.introduced.is_some() && kind == Kind::PatientId);
        // The heading of another card, where the one before is complete.
        let whole = self.record.has(Kind::Name) && self.record.has(kind);
        let another = kind == Kind::BirthDate && self.record.contradicts(meaning, value);
        let new = (self.introduced.is_some() || another) && whole
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
        self.below(&meaning, date, scope);
        if self.record.has(Kind::Name) && !self.record.has(Kind::BirthDate) {
            self.known(&meaning, date, scope);
        }
        true
    }

    /// Takes the heading of a page about a patient that is a name and a number: `Roe, Jane (77123)`.
    pub(super) fn numbered_title(&mut self, text: &str, scope: &mut Scope<'_>) -> bool {
        let numbered = record::numbered(text).filter(|_| self.around.is_patient());
        let Some((number, name)) = numbered else { return false };
        if !value::is_number(number) || !name_heading::is_heading(name, scope.rules) {
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

/// The name right in front of the number of a patient and a birth date, in any order: `New admit: Jane Roe, MRN 77123,
/// DOB 01/31/1970`. A title or the label of somebody else before it says whose name it is.
fn followed<'a>(
    meaning: &Meaning,
    before: &'a str,
    behind: &str,
    rules: &RuleSet,
) -> Option<&'a str> {
    let kind = meaning.rule.kind;
    if !(meaning.patient || kind == Kind::BirthDate) {
        return None;
    }
    let text = before.trim_end().trim_end_matches([',', ';', '-', '|', ' ']);
    let name = mention::in_front(text, rules)?;
    // `Laboratory Report  DOB: 01/31/1970  MRN: 77123`
    let apart = name.contains(',') || before.trim_end().ends_with([',', ';', '|']);
    if !apart || name_heading::is_topic(name) {
        return None;
    }
    let front = text.get(..text.len().checked_sub(name.len())?)?.trim_end();
    let last = front.split_whitespace().next_back().unwrap_or("");
    let label = last.trim_end_matches(':');
    let titled =
        adjacent_name::is_title(label, rules) && !adjacent_name::is_form_of_address(label, rules);
    let labelled = last.ends_with(':') && rules.keys.scope_of(label).is_some();
    if titled || labelled {
        return None;
    }
    let end = (0..=behind.len().min(MAX_DESCRIPTION)).rfind(|at| behind.is_char_boundary(*at));
    let near = end.and_then(|end| behind.get(..end)).unwrap_or("");
    let other = |found: &Meaning| match kind {
        Kind::BirthDate => found.patient && found.rule.kind == Kind::PatientId,
        _ => found.rule.kind == Kind::BirthDate,
    };
    // The first number behind belongs to this label.
    let near = near.trim_start().split_once([' ', ',', ';']).map_or("", |(_, rest)| rest);
    let described = value::inline(near, rules).is_some_and(|found| other(&found.meaning))
        || find::labels(near, rules)
            .any(|label| matches!(&label.said, LabelMeaning::Key(meaning) if other(meaning)));
    described.then_some(name)
}

/// A text in front of a birth date, without the number in brackets behind the name and the sex: `Roe, Jane (H-77123) F`.
fn numbered(before: &str) -> (&str, Option<&str>) {
    let text = before.trim_end();
    let bare = text.trim_end_matches(|c: char| c.is_alphabetic()).trim_end();
    let sex = text.get(bare.len()..).unwrap_or("").trim();
    let shown = if sex.is_empty() || adjacent_name::is_sex_or_age(sex) { bare } else { text };
    let inside = shown.strip_suffix(')').and_then(|text| text.rsplit_once('('));
    match inside {
        Some((name, number)) if value::is_number(number) && name.contains(',') => {
            // The bracket keeps them apart.
            (before.get(..=name.len()).unwrap_or(name), Some(number))
        }
        _ => (before, None),
    }
}

/// A text without the word or sign that ties a name to the number behind it: `Jane Roe with`, `Jane Roe /`.
fn without_link(text: &str) -> &str {
    const LINKS: [&str; 7] = [" with", " has", " mit", " avec", " con", " /", " -"];
    let text = text.trim_end();
    LINKS.iter().find_map(|link| text.strip_suffix(link)).unwrap_or(text)
}
