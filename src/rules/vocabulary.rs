//! `[[vocabulary]]`: words that name parts of interfaces, systems and organisations, and not
//! people. Facts of a service show them at once; any other word might be a person's name.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::fold;
use super::samples::Samples;
use super::sections::Section;
use aho_corasick::AhoCorasick;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::OnceLock;

/// Longest word looked up, bytes; longer ones are unknown.
const MAX_WORD: usize = 64;

/// Most known words in a compound (`trackedentitylist`).
const MAX_PIECES: usize = 5;

/// Shortest word of a compound, letters. Shorter ones occur in any name.
const MIN_PIECE: usize = 3;

/// Shortest part that makes a longer word known, letters.
const MIN_PART: usize = 3;

/// Longest part, bytes, that occurs by chance inside a name, but seldom at either end of it.
const MAX_END: usize = 4;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        of: Domain,
        words: Vec<String>,
    }
}

/// Where a word is known.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(in crate::rules) enum Domain {
    /// In paths.
    Path,
    /// Anywhere.
    System,
    /// Anywhere, and the words beside it are not a name.
    Organisation,
    /// Anywhere, also as part of a longer word.
    WordPart,
}

/// Known words, folded.
#[derive(Debug, Default)]
pub struct Vocabulary {
    paths: HashSet<String, foldhash::fast::FixedState>,
    systems: HashSet<String, foldhash::fast::FixedState>,
    organisations: HashSet<String, foldhash::fast::FixedState>,
    /// Parts that count at either end of a word only, and those that count anywhere in it.
    ends: HashSet<String, foldhash::fast::FixedState>,
    parts: Vec<String>,
    /// Finds `parts`; made when a word is first looked for.
    finder: OnceLock<Option<AhoCorasick>>,
}

/// Start and end of the words of a text: runs of letters, split between a small and a capital
/// letter (`getUserList`) and before the last of several capitals (`HTTPServer`).
pub fn words(text: &str) -> Vec<(usize, usize)> {
    if text.is_ascii() {
        return ascii_words(text.as_bytes());
    }
    let mut words = Vec::new();
    let mut start = None;
    let mut before: Option<char> = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !c.is_alphabetic() && !is_mark(c) {
            words.extend(start.take().map(|start| (start, at)));
            before = None;
            continue;
        }
        let next_small = || chars.clone().next().is_some_and(|(_, next)| next.is_lowercase());
        let breaks = c.is_uppercase()
            && before.is_some_and(|b| b.is_lowercase() || b.is_uppercase() && next_small());
        if breaks {
            words.extend(start.replace(at).map(|start| (start, at)));
        }
        start.get_or_insert(at);
        before = Some(c);
    }
    words.extend(start.map(|start| (start, text.len())));
    words
}

/// The same of ASCII, as nearly all texts are.
fn ascii_words(text: &[u8]) -> Vec<(usize, usize)> {
    let mut words = Vec::new();
    let mut start = None;
    let mut before = b' ';
    for (at, &c) in text.iter().enumerate() {
        if !c.is_ascii_alphabetic() {
            words.extend(start.take().map(|start| (start, at)));
        } else if start.is_none() {
            start = Some(at);
        } else if c.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || text.get(at + 1).is_some_and(u8::is_ascii_lowercase))
        {
            words.extend(start.replace(at).map(|start| (start, at)));
        }
        before = c;
    }
    words.extend(start.map(|start| (start, text.len())));
    words
}

/// Combining marks belong to the letter before them.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

impl Vocabulary {
    /// Whether the word is known. One or two letters always are.
    pub fn knows(&self, word: &str) -> bool {
        self.known(word, |folded| self.is_of_system(folded) || self.has_part(folded))
    }

    /// Whether the word is known as part of a path.
    pub fn knows_in_path(&self, word: &str) -> bool {
        self.known(word, |folded| {
            let listed = |word: &str| self.is_in_path(word) || self.is_of_system(word);
            listed(folded) || is_put_together(folded, &listed)
        })
    }

    /// Whether a text contains a word that names an organisation.
    pub fn names_organisation(&self, text: &str) -> bool {
        words(text).into_iter().any(|(start, end)| {
            let folded = fold(text.get(start..end).unwrap_or_default());
            listed(&self.organisations, &folded)
                || folded.len() > MIN_PART && self.has_part(&folded)
        })
    }

    fn known(&self, word: &str, is: impl Fn(&str) -> bool) -> bool {
        if word.len() > MAX_WORD {
            return false;
        }
        let folded = fold(word);
        (folded.len() <= 2 && folded.is_ascii()) || is(&folded)
    }

    fn is_of_system(&self, folded: &str) -> bool {
        listed(&self.systems, folded) || listed(&self.organisations, folded)
    }

    fn is_in_path(&self, folded: &str) -> bool {
        listed(&self.paths, folded)
    }

    fn has_part(&self, folded: &str) -> bool {
        let is_end = |end: Option<&str>| end.is_some_and(|end| self.ends.contains(end));
        let behind = |len: usize| folded.len().checked_sub(len).and_then(|at| folded.get(at..));
        if (MIN_PART..=MAX_END).any(|len| is_end(folded.get(..len)) || is_end(behind(len))) {
            return true;
        }
        let finder = self.finder.get_or_init(|| AhoCorasick::new(&self.parts).ok());
        match finder {
            Some(finder) => finder.is_match(folded),
            None => self.parts.iter().any(|part| folded.contains(part.as_str())),
        }
    }
}

/// Whether a word or its singular is in a list.
fn listed(list: &HashSet<String, foldhash::fast::FixedState>, folded: &str) -> bool {
    list.contains(folded) || folded.strip_suffix('s').is_some_and(|one| list.contains(one))
}

/// Whether a word consists of known words only.
fn is_put_together(folded: &str, known: &impl Fn(&str) -> bool) -> bool {
    // Fewest words that make up each prefix; taking the longest word first would miss some.
    let mut pieces = vec![usize::MAX; folded.len() + 1];
    pieces[0] = 0;
    for start in 0..folded.len() {
        let so_far = pieces[start];
        if so_far >= MAX_PIECES || !folded.is_char_boundary(start) {
            continue;
        }
        for (end, fewest) in pieces.iter_mut().enumerate().skip(start + MIN_PIECE) {
            if folded.get(start..end).is_some_and(known) {
                *fewest = so_far.saturating_add(1).min(*fewest);
            }
        }
    }
    pieces[folded.len()] <= MAX_PIECES
}

/// `[[vocabulary]]`.
pub(in crate::rules) struct Words;

impl Section for Words {
    const NAME: &'static str = "vocabulary";
    type Entry = Entry;

    fn subject(entry: &Entry) -> String {
        format!("{} words", entry.words.len())
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for word in &entry.words {
            let folded = fold(word);
            if folded.is_empty() || folded.len() > MAX_WORD {
                return to.fault(format!("words: {word:?} has no letters, or too many"));
            }
            let vocabulary = &mut *to.rules.vocabulary;
            match entry.of {
                Domain::Path => drop(vocabulary.paths.insert(folded)),
                Domain::System => drop(vocabulary.systems.insert(folded)),
                Domain::Organisation => drop(vocabulary.organisations.insert(folded)),
                Domain::WordPart if folded.len() < MIN_PART => {
                    return to.fault(format!("words: {word:?} is too short for a part of a word"));
                }
                Domain::WordPart if folded.len() <= MAX_END => drop(vocabulary.ends.insert(folded)),
                Domain::WordPart => vocabulary.parts.push(folded),
            }
        }
        Ok(())
    }
    /// A sample is a text whose words are all known where the entry applies, at least one of them
    /// through the entry.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let vocabulary = &with.rules.vocabulary;
        if entry.of == Domain::Organisation {
            return Some(vocabulary.names_organisation(sample));
        }
        let of = words(sample);
        let all = of.iter().all(|&(start, end)| {
            let word = sample.get(start..end).unwrap_or_default();
            match entry.of {
                Domain::Path => vocabulary.knows_in_path(word),
                _ => vocabulary.knows(word),
            }
        });
        Some(!of.is_empty() && all)
    }
}

#[cfg(test)]
mod tests {
    use super::words;
    use crate::rules::RuleSet;

    fn split(text: &str) -> Vec<&str> {
        words(text).into_iter().map(|(start, end)| &text[start..end]).collect()
    }

    #[test]
    fn texts_are_split_into_words() {
        assert_eq!(split("getUserList"), ["get", "User", "List"]);
        assert_eq!(split("HTTPServer/2.1 x86"), ["HTTP", "Server", "x"]);
        assert_eq!(split("Ophelia-Brandywine_1"), ["Ophelia", "Brandywine"]);
        assert_eq!(split("Zürich, Műller"), ["Zürich", "Műller"]);
        assert_eq!(split("山田 ADTA01"), ["山田", "ADTA"]);
        assert!(split("12.3").is_empty());
    }

    #[test]
    fn ascii_is_split_as_any_other_text() {
        let letters = ["a", "B", "z", "Q", " ", "-", "7", "'"];
        for n in 0..letters.len().pow(5) {
            let at = |place: u32| letters[n / letters.len().pow(place) % letters.len()];
            let text: String = (0..5).map(at).collect();
            let mut other = words(&format!("{text} é"));
            other.pop();
            assert_eq!(words(&text), other, "{text:?}");
        }
    }

    #[test]
    fn paths_know_words_put_together_and_titles_know_parts() {
        let rules = RuleSet::shipped().expect("rules");
        let v = &rules.vocabulary;
        for word in ["patientlist", "trackedentityinstances", "wado", "Patients", "de"] {
            assert!(v.knows_in_path(word), "{word}");
        }
        for word in ["jane", "brandywine", "johndoe", "OBRANDY", &"patient".repeat(20)] {
            assert!(!v.knows_in_path(word), "{word}");
        }
        for word in ["MAINPACS", "ORTHANC", "hospital", "Radiologie"] {
            assert!(v.knows(word), "{word}");
        }
        for word in ["Brandywine", "OBRIEN", "doe"] {
            assert!(!v.knows(word), "{word}");
        }
        assert!(v.names_organisation("Lakeside General Hospital"));
        assert!(!v.names_organisation("Ophelia Brandywine"));
    }
}
