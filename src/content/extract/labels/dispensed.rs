//! Labels of pharmacies: directions (`Take one tablet daily`), a prescription number or the pharmacy, and the name of the
//! patient in a line or column of its own, without a label.

use super::{Labels, PATIENT_NAME, mention};
use crate::content::Scope;
use crate::content::extract::record::Meaning;
use crate::rules::Kind;
use zeroize::Zeroizing;

/// Lines of a document in which such a label may be.
const MAX_LINES: u8 = 24;

/// Longest name, bytes.
const MAX_NAME: usize = 40;

/// What was seen of a label.
#[derive(Default)]
pub(super) struct Dispensed {
    lines: u8,
    /// Directions for use.
    directions: bool,
    /// The number of a prescription, or a pharmacy.
    pharmacy: bool,
    name: Zeroizing<String>,
}

/// Verbs with which directions begin.
const VERBS: [&str; 11] = [
    "take", "give", "apply", "instill", "inhale", "use", "insert", "chew", "inject", "dissolve",
    "place",
];

/// What is taken, and how often.
const DOSES: [&str; 20] = [
    "tablet",
    "tablets",
    "tab",
    "tabs",
    "capsule",
    "capsules",
    "cap",
    "caps",
    "ml",
    "drop",
    "drops",
    "puff",
    "puffs",
    "spray",
    "sprays",
    "patch",
    "teaspoonful",
    "daily",
    "mouth",
    "times",
];

/// Words of lines that are no names.
const NO_NAMES: [&str; 40] = [
    "pharmacy",
    "chemist",
    "chemists",
    "drug",
    "drugs",
    "drugstore",
    "may",
    "cause",
    "take",
    "with",
    "food",
    "avoid",
    "do",
    "not",
    "caution",
    "warning",
    "no",
    "refill",
    "refills",
    "federal",
    "law",
    "until",
    "keep",
    "out",
    "swallow",
    "finish",
    "generic",
    "discard",
    "street",
    "road",
    "avenue",
    "hydrochloride",
    "sodium",
    "potassium",
    "tablets",
    "capsules",
    "ointment",
    "cream",
    "shake",
    "well",
];

impl Labels {
    /// Takes a line of a label of a pharmacy. True if it may be one, so that what it says depends on the others.
    pub(super) fn dispensed(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        if self.dispensed.lines >= MAX_LINES || self.collected.is_some() {
            return false;
        }
        let text = line.trim();
        if text.is_empty() {
            return false;
        }
        self.dispensed.lines += 1;
        let seen = &mut self.dispensed;
        let before = (seen.directions, seen.pharmacy);
        seen.directions |= directs(text);
        seen.pharmacy |= is_of_pharmacy(text);
        if !(seen.directions || seen.pharmacy) {
            return false;
        }
        if seen.name.is_empty()
            && (before == (seen.directions, seen.pharmacy) || text.contains("  "))
            && let Some(name) = name(text)
        {
            seen.name.push_str(name);
        }
        if seen.directions && seen.pharmacy && !seen.name.is_empty() {
            let name = std::mem::take(&mut seen.name);
            seen.lines = MAX_LINES;
            if !self.record.has(Kind::Name)
                && let Some(key) = scope.rules.keys.get(PATIENT_NAME)
            {
                self.known(&Meaning::from(key), &name, scope);
            }
        }
        true
    }
}

/// Whether a line gives directions for use.
fn directs(line: &str) -> bool {
    let mut words = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let is = |list: &[&str], word: &str| list.iter().any(|one| one.eq_ignore_ascii_case(word));
    words.next().is_some_and(|first| is(&VERBS, first)) && words.any(|word| is(&DOSES, word))
}

/// Whether a line has the number of a prescription, or is of a pharmacy.
fn is_of_pharmacy(line: &str) -> bool {
    let mut words =
        line.split([' ', '\t', ':', '.', ',']).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        let bare = word.trim_end_matches('#');
        let number = |next: &&str| next.contains(|c: char| c.is_ascii_digit());
        if word.eq_ignore_ascii_case("pharmacy")
            || bare.eq_ignore_ascii_case("rx") && words.peek().is_some_and(number)
        {
            return true;
        }
    }
    false
}

/// The name in a line, or in its first column: `JANE ROE    Rx 882211`, `For: Jane Roe`.
fn name(line: &str) -> Option<&str> {
    let front = line.get(..4).filter(|front| front.eq_ignore_ascii_case("for:"));
    let line = line.get(front.map_or(0, str::len)..)?.trim_start();
    let column = line.split("  ").next().unwrap_or(line);
    let column = column.split('\t').next().unwrap_or(column).trim();
    let words = || column.split([' ', ',']).filter(|word| !word.is_empty());
    let other = |word: &str| NO_NAMES.iter().any(|one| one.eq_ignore_ascii_case(word));
    // `DAYTON OH`
    let place = words().next_back().is_some_and(|last| last.len() <= 2);
    let written =
        column.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | ',' | '-' | '\'' | '.'));
    (column.len() <= MAX_NAME
        && written
        && (2..=4).contains(&words().count())
        && words().all(|word| word.starts_with(char::is_uppercase))
        && !words().any(other)
        && !place
        && mention::is_person(column))
    .then_some(column)
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn labels_of_pharmacies() {
        for label in [
            "CVS PHARMACY #4411  (614) 555-0199\nRx# 7712345    Dr. Doe\nJANE ROE\n12 Elm St\nTAKE 1 TABLET BY MOUTH ONCE DAILY\nLISINOPRIL 10 MG TAB\nDOB: 01/31/1970\n",
            "AMOXIL 500MG CAP (20)\nTAKE ONE CAPSULE THREE TIMES A DAY\nJANE ROE    Rx 882211\nDOB: 01/31/1970\nSmith St Pharmacy\n",
            "Rx 551203   03/02/2026\nFor: Jane Roe\nMetformin 500 mg Tablets\nTake 1 tablet twice daily\nDOB: 01/31/1970\n",
        ] {
            let read = records("text/plain", label.as_bytes());
            assert_eq!(read.len(), 1, "{label} {read:?}");
            assert!(
                read.iter().all(|line| line.to_lowercase().contains("name=jane roe")),
                "{read:?}"
            );
            assert!(read.iter().all(|line| line.contains("birth_date=01/31/1970")), "{read:?}");
        }
    }

    #[test]
    fn leaflets_and_stocks_name_nobody() {
        for text in [
            "Patient leaflet\nIbuprofen Acme\nTake one tablet three times a day with food.\nAcme Pharma Ltd\n",
            "PHARMACY STOCK LIST\nAMOXICILLIN SODIUM\nTAKE HOME PACKS\nOrdered by Jane Roe\n",
            "Good Pharmacy\nMAY CAUSE DROWSINESS\nTake 1 tablet daily\nDAYTON OH\n",
        ] {
            let read = records("text/plain", text.as_bytes());
            assert!(read.is_empty(), "{text} {read:?}");
        }
    }
}
