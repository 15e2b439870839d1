//! Lists of patients that a line announces: `Please call these patients:`, a heading `Patient recall list`. Their lines
//! are a name and a telephone number, and nothing else.

use super::{Labels, PATIENT_NAME, mention, name_heading};
use crate::content::Scope;
use crate::content::extract::record::{Marks, Meaning};
use crate::rules::{About, RuleSet};

/// Longest line that announces a list, bytes.
const MAX_ANNOUNCEMENT: usize = 120;

/// Lines of a list behind the one that announces it, or behind its last one.
const MAX_GAP: u8 = 8;

/// Digits of a telephone number.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// The key whose rule applies to a telephone number.
const PHONE: &str = "phone";

impl Labels {
    /// Takes a line that announces a list of patients, or one of its lines. True if it did.
    pub(super) fn listed(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        let text = line.trim();
        let announced = text.strip_suffix(':').filter(|text| !text.contains(':'));
        if announced.is_some_and(|text| announces(text, scope.rules)) {
            self.mark(Marks::PATIENT.ahead());
            self.listed = MAX_GAP;
            return true;
        }
        if self.listed == 0 || text.is_empty() || self.collected.is_some() {
            return false;
        }
        self.listed -= 1;
        let keys = &scope.rules.keys;
        if let Some((name, number)) = entry(text)
            && let (Some(of_name), Some(of_number)) = (keys.get(PATIENT_NAME), keys.get(PHONE))
        {
            let (of_name, of_number) = (Meaning::from(of_name), Meaning::from(of_number));
            self.emit(scope);
            self.known(&of_name, name, scope);
            self.known(&of_number, number, scope);
            self.emit(scope);
            self.listed = MAX_GAP;
        }
        // What a line says depends on the one that announced it.
        true
    }

    /// A heading may announce a list: `Patients to call back`.
    pub(super) fn announce(&mut self, heading: &str, rules: &RuleSet) {
        if announces(heading.trim(), rules) {
            self.listed = MAX_GAP;
        }
    }
}

/// Whether a line is about several patients: one of its words means them, or a word for one and a word for a list.
fn announces(line: &str, rules: &RuleSet) -> bool {
    const LISTS: [&str; 6] = ["list", "liste", "lista", "lijst", "listado", "elenco"];
    if line.len() > MAX_ANNOUNCEMENT {
        return false;
    }
    let words = || line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let said = |word: &str| rules.keys.scope_of(word);
    let several = |word: &str| {
        said(word).is_some_and(|s| s.inside == About::Patient && s.about != About::Patient)
    };
    let one = |word: &str| said(word).is_some_and(|s| s.about == About::Patient);
    let list = |word: &str| LISTS.iter().any(|list| list.eq_ignore_ascii_case(word));
    let elsewhere = |word: &str| {
        said(word).is_some_and(|s| {
            matches!(s.about, About::Elsewhere | About::Nobody) || s.inside == About::Elsewhere
        })
    };
    !words().any(elsewhere) && (words().any(several) || words().any(one) && words().any(list))
}

/// The name and the telephone number of an entry: `1. Jane Roe - (503) 555-0199`.
fn entry(line: &str) -> Option<(&str, &str)> {
    let item = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let line = match item.strip_prefix(['.', ')']) {
        Some(rest) if item.len() < line.len() => rest,
        _ => line,
    };
    let line = line.trim_start_matches([' ', '\t', '-', '*', '•', '·']);
    let at = line.find(|c: char| c.is_ascii_digit() || matches!(c, '+' | '('))?;
    let (name, number) = line.split_at_checked(at)?;
    let apart = |c: char| c.is_whitespace() || matches!(c, '-' | '–' | ':' | ',' | ';' | '|' | '.');
    let name = name.trim_end_matches(apart);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let written =
        |c: char| c.is_ascii_digit() || matches!(c, ' ' | '+' | '(' | ')' | '-' | '.' | '/');
    let named = mention::is_person(name) && !name_heading::is_topic(name);
    (named && DIGITS.contains(&digits) && number.chars().all(written)).then_some((name, number))
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn names_and_telephone_numbers_below_an_announcement() {
        let list = "Please call these patients to rebook:\n\n1. Jane Roe  (503) 555-0199\nMax van Doe - +1 503 555 0147\n";
        let read = records("text/plain", list.as_bytes());
        assert_eq!(
            read,
            [
                "http>text:~text [PatientContext] name=Jane Roe phone=(503) 555-0199",
                "http>text:~text [PatientContext] name=Max van Doe phone=+1 503 555 0147"
            ]
        );
        let page = "<h3>Patient recall list</h3><ul><li>Jane Roe - 503 555 0199</li></ul>";
        let read = records("text/html", page.as_bytes());
        assert!(read.iter().any(|line| line.contains("name=Jane Roe")), "{read:?}");
    }

    #[test]
    fn other_lists_say_nothing() {
        for list in [
            "Team phone list:\n\nJane Roe  (503) 555-0199\n",
            "Staff who see patients:\nJane Roe  (503) 555-0199\n",
            "Information for the ward:\nJane Roe 503 555 0199\n",
            "Patients to call:\nReception Desk 503 555 0199\nJane Roe is on holiday\n",
        ] {
            let read = records("text/plain", list.as_bytes());
            assert!(!read.iter().any(|line| line.contains("PatientContext")), "{list} {read:?}");
        }
    }
}
