//! Headings of pages and cards that are the name of a person.

use super::adjacent_name::{alone, is_mark};
use super::mention;
use crate::rules::{About, RuleSet};

/// Most words of a heading that is a name.
const MAX_HEADING: usize = 3;

/// Beginnings of words in headings that are no names, in several languages.
const HEADINGS: [&str; 76] = [
    "hour",
    "open",
    "servic",
    "welcome",
    "about",
    "account",
    "active",
    "address",
    "admi",
    "aktuel",
    "alert",
    "allerg",
    "allge",
    "appoint",
    "assess",
    "basic",
    "billing",
    "care",
    "center",
    "centre",
    "chart",
    "city",
    "clinic",
    "comm",
    "contact",
    "current",
    "daten",
    "date",
    "demogra",
    "depart",
    "detail",
    "diagn",
    "document",
    "dossier",
    "emergency",
    "encounter",
    "examin",
    "family",
    "general",
    "good",
    "health",
    "history",
    "home",
    "hospital",
    "identi",
    "imag",
    "info",
    "insurance",
    "klini",
    "lab",
    "last",
    "list",
    "main",
    "medic",
    "name",
    "new",
    "note",
    "order",
    "overview",
    "person",
    "problem",
    "profil",
    "progress",
    "radiolog",
    "record",
    "regist",
    "report",
    "result",
    "search",
    "social",
    "summary",
    "test",
    "treat",
    "view",
    "visit",
    "vital",
];

/// Whether one of the words of a text is none of a name, but of a heading.
pub fn is_topic(text: &str) -> bool {
    let own = |word: &str| {
        let word = word.to_lowercase();
        HEADINGS.iter().any(|heading| word.starts_with(heading))
    };
    text.split_whitespace().map(|word| word.trim_matches(is_mark)).any(own)
}

/// Whether a heading is written like a name of two or three words and contains none of those words.
pub fn is_heading(text: &str, rules: &RuleSet) -> bool {
    let words = || text.split_whitespace().map(|word| word.trim_matches(is_mark));
    let written =
        |word: &str| word.starts_with(char::is_uppercase) && word.contains(char::is_lowercase);
    let full = || words().filter(|word| !mention::is_particle(word));
    let ends = |word: Option<&str>| word.is_some_and(written);
    (2..=MAX_HEADING).contains(&full().count())
        && full().all(written)
        && !is_topic(text)
        && ends(words().find(|word| !mention::is_particle(word)))
        && ends(words().next_back())
        && alone(text, About::Nothing, rules).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

    #[test]
    fn headings_that_are_names() {
        for text in [
            "Jane Roe",
            "Roe, Jane",
            "Latoya Van Delacroix",
            "Truus van den Berg",
            "van 't Hof, Aaltje",
        ] {
            assert!(is_heading(text, &RULES), "{text}");
        }
        for text in [
            "Jane",
            "Patient Summary",
            "Vital Signs",
            "Contact Information",
            "Good Health Clinic",
            "Progress note",
            "MRN Search",
            "Persönliche Daten",
            "Laboratory Results",
            "Terms of Use",
            "JANE ROE",
            "Our Services",
            "Visiting Hours",
        ] {
            assert!(!is_heading(text, &RULES), "{text}");
        }
    }
}
