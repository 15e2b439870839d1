//! What a heading says of the text below it.

use super::super::record::Marks;
use crate::content::Mark;
use crate::rules::RuleSet;

/// Most words of a heading.
pub(super) const MAX_HEADING_WORDS: usize = 6;

/// Words that make a topic of the word for a patient before them.
pub(super) const TOPICS: [&str; 13] = [
    "advocacy",
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
    // `Duty roster ward 7` is about staff.
    if said.is_elsewhere() && !said.has(Mark::PatientContext) {
        return Marks::default();
    }
    // Headings of shops and software pages say nothing about personal data further down.
    said.ahead()
}
