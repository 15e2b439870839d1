//! What a heading says of the text below it.

use super::super::record::Marks;
use crate::content::Mark;
use crate::rules::{About, RuleSet};

/// Most words of a heading.
pub(super) const MAX_HEADING_WORDS: usize = 6;

/// Words that make a topic of the word for a patient before them.
pub(super) const TOPICS: [&str; 19] = [
    "advocacy",
    "association",
    "coordinator",
    "council",
    "lounge",
    "navigator",
    "transport",
    "education",
    "engagement",
    "experience",
    "flow",
    "journey",
    "lifter",
    "monitor",
    "monitoring",
    "outcomes",
    "rights",
    "safety",
    "satisfaction",
];

/// Meaning of a heading: of all of it, of a few of its words together, or of any word of a `title` (`Patient list`,
/// `Ward 3B`).
pub(super) fn heading(text: &str, title: &str, rules: &RuleSet) -> Marks {
    let about = |word: &str| {
        rules.keys.scope_of(word).map_or(Marks::default(), |said| Marks::about(said.ahead()))
    };
    let words: Vec<&str> =
        title.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    // `Consultant in patient safety`
    let topic =
        |at: usize| words.get(at + 1).is_some_and(|word| TOPICS.contains(&&*word.to_lowercase()));
    let own = words.iter().enumerate().filter(|(at, _)| !topic(*at)).map(|(_, word)| about(word));
    let mut said = own.fold(about(text), Marks::and);
    let words: Vec<&str> = text.split_whitespace().take(MAX_HEADING_WORDS).collect();
    for size in 2..words.len() {
        said = words.windows(size).map(|words| about(&words.concat())).fold(said, Marks::and);
    }
    said = said.and(ending(text, rules));
    // A document that is called so: `Rx`, `Laudo`, `Radiology report`.
    let first = text.split_whitespace().next().unwrap_or("");
    // `Befund Röntgen-Thorax vom 02.01.2026`
    let dated =
        || rules.keys.scope_of(first).filter(|_| text.contains(|c: char| c.is_ascii_digit()));
    let document = rules.keys.scope_of(text).or_else(dated).filter(|_| title == text);
    if document.is_some_and(|said| matches!(said.about, About::Result | About::Medication)) {
        said = said.and(Marks::CARE);
    }
    // `Duty roster ward 7` is about staff.
    if said.is_elsewhere() && !said.has(Mark::PatientContext) {
        return Marks::default();
    }
    // Headings of shops and software pages say nothing about personal data further down.
    said.ahead()
}

/// Shortest and longest end of a heading in a script without blanks, characters.
const MIN_END: usize = 3;
const MAX_END: usize = 10;

/// Meaning of the end of a heading that is one word in a script without blanks: `市立医院检验报告单`.
fn ending(text: &str, rules: &RuleSet) -> Marks {
    let text = text.trim();
    if text.is_ascii() || text.contains(char::is_whitespace) {
        return Marks::default();
    }
    let ends = text.char_indices().rev().take(MAX_END).skip(MIN_END - 1);
    let known = ends.filter_map(|(at, _)| rules.keys.scope_of(text.get(at..)?));
    known.fold(Marks::default(), |said, scope| said.and(Marks::about(scope.ahead())))
}
