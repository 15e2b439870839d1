//! A name in two lines below its label, as forms for insured people in Germany print them:
//!
//! ```text
//! Name, Vorname des Versicherten
//! Roe
//! Jane                    geb. am
//! ```

use super::find::key;
use super::{LINE_BREAK, Labels, Meaning, is_padding};
use crate::content::Scope;
use crate::rules::{Kind, NamePart, RuleSet};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Longest half of a name, bytes, and its most words.
const MAX_HALF: usize = 48;
const MAX_WORDS: usize = 3;

/// The family name in the line before.
pub(super) struct Family {
    meaning: Meaning,
    name: Zeroizing<String>,
}

/// Whether a label asks for the family name and the given name, in this order.
pub(super) fn asks_for_both(label: &str) -> bool {
    // Most labels have none of the letters of which one begins the given name.
    if memchr::memchr3(b'v', b'V', 0xc3, label.as_bytes()).is_none() {
        return false;
    }
    let label = label.to_lowercase();
    let given = ["vorname", "prénom"].iter().find_map(|word| label.find(word));
    let family = ["name", "nom"].iter().find_map(|word| label.find(word));
    matches!((family, given), (Some(family), Some(given)) if family < given)
}

/// Whether a text is written like one half of a name.
fn is_half(text: &str, rules: &RuleSet) -> bool {
    let words = text.split_whitespace().count();
    let written = |c: char| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’' | '.');
    (1..=MAX_WORDS).contains(&words)
        && text.len() <= MAX_HALF
        && text.chars().all(written)
        && text.contains(char::is_uppercase)
        && key(text, rules).is_none()
        && rules.keys.context(text).is_none()
}

impl Labels {
    /// Holds a family name that is alone below a label that asks for both. True if it does.
    pub(super) fn hold_family(&mut self, meaning: &Meaning, text: &str, rules: &RuleSet) -> bool {
        let whole = meaning.rule.kind == Kind::Name && meaning.part == NamePart::Whole;
        let holds = std::mem::take(&mut self.both) && whole && is_half(text, rules);
        if holds {
            let name = Zeroizing::new(text.to_owned());
            self.family = Some(Family { meaning: meaning.clone(), name });
        }
        holds
    }

    /// Joins the family name in the line before with the given name at the front of this one. Returns the line without
    /// it.
    pub(super) fn join_family<'a>(&mut self, line: &'a str, scope: &mut Scope<'_>) -> Cow<'a, str> {
        let Some(Family { meaning, name }) = self.family.take() else { return Cow::Borrowed(line) };
        let start = line.len() - line.trim_start().len();
        let text = line.get(start..).unwrap_or("");
        let end = text.find("  ").or_else(|| text.find('\t')).unwrap_or(text.len());
        let (first, _) = text.split_at(end);
        let first = first.trim_end_matches(is_padding);
        // `Jane geb. am 31.01.1970`
        let first = first.split(" geb").next().unwrap_or(first);
        if !is_half(first, scope.rules) {
            self.known(&meaning, &name, scope);
            return Cow::Borrowed(line);
        }
        let whole = Zeroizing::new(format!("{}, {first}", *name));
        self.known(&meaning, &whole, scope);
        // What is beside it keeps its column, and that this is the second one.
        let blank = "-".repeat(first.chars().count());
        let before = line.get(..start).unwrap_or("");
        let behind = text.get(first.len()..).unwrap_or("");
        Cow::Owned(format!("{before}{blank}{behind}"))
    }

    /// No line follows that may have the given name.
    pub(super) fn end_family(&mut self, scope: &mut Scope<'_>) {
        if let Some(Family { meaning, name }) = self.family.take() {
            self.known(&meaning, &name, scope);
        }
    }

    /// Reads a cell that is such a label with both halves below it. True if it is.
    pub(super) fn parted_cell(&mut self, text: &str, scope: &mut Scope<'_>) -> bool {
        let mut lines = text.split(LINE_BREAK).map(str::trim);
        let (Some(label), Some(family), Some(given), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return false;
        };
        let label = label.trim_end_matches([':', '：', '*', ' ']);
        let rules = scope.rules;
        if !asks_for_both(label) || !is_half(family, rules) || !is_half(given, rules) {
            return false;
        }
        let Some(key) = key(label, rules).filter(|key| key.rule.kind == Kind::Name) else {
            return false;
        };
        let whole = Zeroizing::new(format!("{family}, {given}"));
        self.known(&Meaning::from(key), &whole, scope);
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn family_and_given_name_in_two_lines() {
        for form in [
            "Krankenkasse\nBarmer\nName, Vorname des Versicherten\nRoe\nJane                     geb. am\nElmweg 12                31.01.1970\n",
            "Krankenkasse\nName, Vorname des Versicherten\nRoe\nJane\n            geb. am 31.01.1970\n",
            "Krankenkasse\nName, Vorname des Versicherten\nRoe\nJane        geb. am 31.01.1970\nElmweg 12\n",
            "Krankenkasse\nName, Vorname des Versicherten:\nRoe, Jane\ngeb. am: 31.01.1970\n",
        ] {
            let read = records("text/plain", form.as_bytes());
            assert_eq!(
                read,
                ["http>text:~text [PatientContext] name=Roe, Jane birth_date=31.01.1970"],
                "{form}"
            );
        }
        let page = "<table><tr><td>Name, Vorname des Versicherten<br>Roe<br>Jane</td><td>geb. am<br>31.01.1970</td></tr></table>";
        let read = records("text/html", page.as_bytes());
        assert!(
            read.iter().any(|line| line.contains("name=Roe, Jane birth_date=31.01.1970")),
            "{read:?}"
        );
    }
}
