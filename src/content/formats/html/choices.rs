//! Selection lists of patients: `<select name="patient"><option value="H-77">Jane Roe (1970-01-31)</option>`.

use super::super::markup::Attributes;
use crate::content::Scope;
use crate::content::extract::labels::Labels;
use crate::content::extract::record::{CandidateRecord, Marks, Meaning};
use crate::rules::{About, ContextScope, Kind, RuleSet};
use zeroize::Zeroizing;

/// Longest text of a choice, bytes.
const MAX_CHOICE: usize = 256;

/// Shortest and longest patient number, bytes, and its fewest digits.
const NUMBER_LEN: std::ops::RangeInclusive<usize> = 3..=24;
const MIN_DIGITS: usize = 3;

/// Most words of a name.
const MAX_NAME_WORDS: usize = 6;

/// Keys whose rules apply to the parts of a choice.
const NAME: &str = "patient_name";
const NUMBER: &str = "patient_id";
const BIRTH_DATE: &str = "birth_date";

/// An open list.
pub(super) struct Choices {
    /// The value and the text of the open choice.
    value: Zeroizing<String>,
    text: Zeroizing<String>,
    open: bool,
}

impl Choices {
    /// The list that an element begins, if its name, or the label before it (`labelled`), refers to patients.
    pub(super) fn of(attributes: Attributes<'_>, labelled: bool, rules: &RuleSet) -> Option<Self> {
        let named = ["name", "id", "aria-label"].iter().any(|attribute| {
            attributes.get(attribute).is_some_and(|name| is_patient(&name, rules))
        });
        (labelled || named).then(|| Self {
            value: Zeroizing::default(),
            text: Zeroizing::default(),
            open: false,
        })
    }

    /// A choice begins.
    pub(super) fn begin(&mut self, attributes: Attributes<'_>, scope: &mut Scope<'_>) {
        self.end(scope);
        self.open = true;
        if let Some(value) = attributes.get("value").filter(|value| value.len() <= MAX_CHOICE) {
            self.value.push_str(&value);
        }
        // The choices of a `<datalist>` may have their text in an attribute.
        if let Some(label) = attributes.get("label") {
            self.text(&label);
        }
    }

    /// Text of the choice.
    pub(super) fn text(&mut self, text: &str) {
        if self.open && self.text.len() + text.len() <= MAX_CHOICE {
            self.text.push_str(text);
        }
    }

    /// The choice ends: it is a patient if it has a name with a number or a date of birth.
    pub(super) fn end(&mut self, scope: &mut Scope<'_>) {
        self.open = false;
        let (value, text) = (std::mem::take(&mut self.value), std::mem::take(&mut self.text));
        let text = if text.trim().is_empty() { &value } else { &text };
        let mut parts = parts(text).filter(|part| !part.is_empty());
        let Some(first) = parts.next() else { return };
        let rules = scope.rules;
        let mut said: Vec<(Meaning, Zeroizing<String>)> = Vec::new();
        let say = |key: &str, value: &str| {
            rules.keys.get(key).map(|key| (Meaning::from(key), Zeroizing::new(value.to_owned())))
        };
        let mut named = false;
        for part in std::iter::once(first).chain(parts) {
            if is_date(part) {
                said.extend(say(BIRTH_DATE, part));
            } else if is_number(part) {
                said.extend(say(NUMBER, part));
            } else if !named && is_name(part, rules) {
                named = true;
                said.extend(say(NAME, part));
            } else {
                let mut labels = Labels::collecting();
                labels.line(part, scope);
                said.extend(labels.take());
            }
        }
        if !named || (said.len() < 2 && !is_number(&value)) {
            return;
        }
        if is_number(&value) && !said.iter().any(|(_, other)| **other == *value) {
            said.extend(say(NUMBER, &value));
        }
        let mut record = CandidateRecord::default();
        record.mark(Marks::PATIENT);
        said.iter().for_each(|(meaning, value)| record.add(meaning, 0, value));
        record.emit("html", scope);
    }
}

/// Whether a name refers to patients.
fn is_patient(name: &str, rules: &RuleSet) -> bool {
    let last = name.rsplit(['_', '.', '$', ':', '-']).next().unwrap_or(name);
    [name, last].into_iter().any(|name| {
        let name = name.trim_end_matches("[]").trim_end_matches(['s', 'S']);
        let name =
            ["_id", "Id", "ID"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let key = rules.keys.get(name);
        key.is_some_and(|key| key.patient && key.rule.kind == Kind::Name)
    })
}

/// The parts of a choice: `Roe, Jane (1970-01-31) - H-77`.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let spaced = text.split(" - ").flat_map(|part| part.split(" – "));
    let spaced = spaced.flat_map(|part| part.split(" — ")).flat_map(|part| part.split("  "));
    let parts = spaced.flat_map(|part| part.split(['(', ')', '[', ']', '|', ';', '·', '•', '\t']));
    parts.map(|part| part.trim().trim_matches([',', ':']).trim())
}

/// Whether a part is a date: three numbers, one of them a year.
fn is_date(part: &str) -> bool {
    let numbers = || part.split(['.', '/', '-', '年', '月', '日']).filter(|n| !n.is_empty());
    numbers().count() == 3
        && numbers().all(|n| n.len() <= 4 && n.bytes().all(|b| b.is_ascii_digit()))
        && numbers().any(|n| n.len() == 4)
}

/// Whether a part is written like a patient number.
fn is_number(part: &str) -> bool {
    NUMBER_LEN.contains(&part.len())
        && part.bytes().filter(u8::is_ascii_digit).count() >= MIN_DIGITS
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/' | b'.'))
        && !is_date(part)
}

/// Whether a part is written like a person's name: several words, or one in a script without blanks.
fn is_name(part: &str, rules: &RuleSet) -> bool {
    let words = || part.split(|c: char| c.is_whitespace() || c == ',').filter(|w| !w.is_empty());
    let known =
        |word: &str| rules.keys.scope_of(word).map(ContextScope::ahead) == Some(About::Patient);
    let count = words().count();
    let dense = part.chars().all(|c| c >= '\u{3040}');
    (count >= 2 || (dense && part.chars().count() >= 2))
        && count <= MAX_NAME_WORDS
        && !part.contains(|c: char| c.is_ascii_digit() || matches!(c, ':' | '/' | '@' | '<' | '='))
        && words().next_back().is_some_and(|word| !word.starts_with(char::is_lowercase))
        && !words().any(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::{records, rules};

    fn choices(select: &str, options: &str) -> Vec<String> {
        let page = format!(
            "<html><body><form>{select}{options}</select><p>Ward 3</p></form></body></html>"
        );
        records("text/html", page.as_bytes())
    }

    #[test]
    fn patients_to_choose_from() {
        let line = |rest: &str| format!("http>html:~html [PatientContext] {rest}");
        for (option, said) in [
            (
                "<option value=H-770>Jane Roe (1970-01-31)",
                "name=Jane Roe birth_date=1970-01-31 patient_id=H-770",
            ),
            (
                "<option value=12 selected>Roe, Jane - 31.01.1970 - MRN-00770</option>",
                "name=Roe, Jane birth_date=31.01.1970 patient_id=MRN-00770",
            ),
            (
                "<option value=77012>Jane Roe [DOB: 01/31/1970]</option>",
                "name=Jane Roe birth_date=01/31/1970 patient_id=77012",
            ),
            ("<option value=77012>五十嵐美智子</option>", "name=五十嵐美智子 patient_id=77012"),
            ("<option value='' label='Jane Roe | 00770'>", "name=Jane Roe patient_id=00770"),
        ] {
            for select in [
                "<select name=patient>",
                "<label>Patient</label><select name=x>",
                "<select id=ctl00_patientId><option value=''>Select a patient...</option>",
                "<datalist id=patients>",
            ] {
                assert_eq!(choices(select, option), [line(said)], "{select} {option}");
            }
        }
    }

    #[test]
    fn other_choices_are_no_patients() {
        for (select, option) in [
            ("<select name=doctor>", "<option value=77012>Jane Roe (1970-01-31)"),
            ("<select name=patient_type>", "<option value=77012>Day Surgery (Adult)"),
            ("<select name=patient>", "<option value=100>All Patients<option value=200>Ward 3B"),
            ("<select name=patient>", "<option value=''>Select Patient<option>Jane Roe"),
            ("<label>Ward</label><select name=w>", "<option value=77012>West Wing (A)"),
        ] {
            assert_eq!(choices(select, option), [""; 0], "{select} {option}");
        }
    }

    #[test]
    fn names_of_lists() {
        for name in ["patient", "Patient", "patient_id", "ctl00$Main$patient", "patient[]"] {
            assert!(is_patient(name, rules()), "{name}");
        }
        for name in ["patient_type", "doctor", "ward", "name"] {
            assert!(!is_patient(name, rules()), "{name}");
        }
    }
}
