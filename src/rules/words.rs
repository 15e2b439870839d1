//! `[[text_word]]`: words of running text, in many languages, that show what a line or sentence says of the person in
//! it.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::samples::Samples;
use super::sections::Section;
use serde::Deserialize;
use smallvec::SmallVec;
use std::collections::HashMap;

/// Words of a heading that are looked at.
const MAX_HEADING: usize = 8;

/// Longest word or phrase, bytes.
const MAX_WORD: usize = 64;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        means: WordMeaning,
        words: Vec<String>,
    }
}

/// What a word or phrase of running text shows.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum WordMeaning {
    /// Begins a message to a person: `dear`.
    Greeting,
    /// What belongs to the reader of a message: `your`.
    Yours,
    /// What patients are given: `appointment`.
    Given,
    /// Only messages about care have it: `clinic`.
    Care,
    /// Messages about care do not have it: staff are appointed, and animals are treated, too.
    NotCare,
    /// About care wherever it occurs: a phrase of a script without blanks.
    CarePhrase,
    /// The patient, inflected or abbreviated: `pt`.
    Patient,
    /// A document about one person: `report`.
    Document,
    /// Between a document and its person: `for`.
    About,
    /// A place or date of birth follows: `née`.
    Born,
    /// Precedes the person for whom a certificate is issued.
    Issued,
    /// Introduces what a certificate states: `that`.
    That,
    /// A phrase right before a patient's name: `the patient's name is`.
    NameOfPatient,
    /// A phrase before the name of the patient whom a letter is about: `wir berichten über`.
    ReportOnPatient,
    /// In a heading of a manual, below which data are examples: `usage`, `api reference`.
    Documentation,
}

impl WordMeaning {
    /// Whether texts are searched for it. Other words are compared with whole words.
    const fn is_phrase(self) -> bool {
        matches!(self, Self::CarePhrase | Self::NameOfPatient | Self::ReportOnPatient)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The words, in lower case.
#[derive(Debug, Default)]
pub struct TextWords {
    /// The meanings of each word, a bit each.
    words: HashMap<String, u16, foldhash::fast::FixedState>,
    phrases: Vec<(WordMeaning, String)>,
    greetings: Fronts,
}

impl TextWords {
    /// Whether a word, in any case, has the meaning.
    pub fn means(&self, word: &str, meaning: WordMeaning) -> bool {
        if word.len() > MAX_WORD {
            return false;
        }
        let lower = |word: &str| self.words.get(word).is_some_and(|m| m & meaning.bit() != 0);
        if !word.is_ascii() {
            return lower(&word.to_lowercase());
        }
        let folded: SmallVec<[u8; MAX_WORD]> =
            word.bytes().map(|b| b.to_ascii_lowercase()).collect();
        std::str::from_utf8(&folded).is_ok_and(lower)
    }

    /// Whether a heading is one of a manual, whose data are examples: by one of its words, or two together.
    pub fn is_documentation(&self, heading: &str) -> bool {
        let apart = |c: char| !c.is_alphanumeric();
        let words: SmallVec<[&str; MAX_HEADING]> =
            heading.split(apart).filter(|word| !word.is_empty()).take(MAX_HEADING).collect();
        let means = |text: &str| self.means(text, WordMeaning::Documentation);
        words.iter().any(|word| means(word)) || words.windows(2).any(|pair| means(&pair.join(" ")))
    }

    /// The phrases of a meaning.
    pub fn phrases(&self, meaning: WordMeaning) -> impl Iterator<Item = &str> {
        let of = move |(means, _): &&(WordMeaning, String)| *means == meaning;
        self.phrases.iter().filter(of).map(|(_, phrase)| phrase.as_str())
    }

    /// Whether a line begins with the letters of a greeting. Most lines do not.
    pub fn may_greet(&self, line: &[u8]) -> bool {
        self.greetings.may_begin(line)
    }
}

/// The first two letters of words: a bit for each second letter, the last one for any other byte.
#[derive(Debug, Default)]
struct Fronts([u32; 26]);

impl Fronts {
    const OTHER: u32 = 31;

    fn second(byte: u8) -> u32 {
        let lower = byte.to_ascii_lowercase();
        if lower.is_ascii_lowercase() { u32::from(lower - b'a') } else { Self::OTHER }
    }

    fn add(&mut self, word: &str) {
        if let [first @ b'a'..=b'z', second, ..] = word.as_bytes() {
            self.0[usize::from(first - b'a')] |= 1 << Self::second(*second);
        }
    }

    /// Whether a word begins like the text. Those in other than ASCII letters are not held.
    fn may_begin(&self, text: &[u8]) -> bool {
        let [first, second, ..] = text else { return false };
        match first.to_ascii_lowercase() {
            lower @ b'a'..=b'z' => {
                let seconds = self.0.get(usize::from(lower - b'a')).copied().unwrap_or(0);
                seconds & 1 << Self::second(*second) != 0
            }
            _ => !first.is_ascii(),
        }
    }
}

/// `[[text_word]]`.
pub(in crate::rules) struct Words;

impl Section for Words {
    const NAME: &'static str = "text_word";
    type Entry = Entry;

    fn subject(entry: &Entry) -> String {
        format!("{} words", entry.words.len())
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for word in &entry.words {
            let spaced = word.split(' ').all(|part| !part.is_empty());
            if !spaced || word.len() > MAX_WORD || *word != word.to_lowercase() {
                return to.fault(format!(
                    "words: {word:?}: write up to {MAX_WORD} bytes in lower case with single blanks"
                ));
            }
            let words = &mut *to.rules.words;
            if entry.means.is_phrase() {
                words.phrases.push((entry.means, word.clone()));
                continue;
            }
            if entry.means == WordMeaning::Greeting {
                words.greetings.add(word);
            }
            *words.words.entry(word.clone()).or_default() |= entry.means.bit();
        }
        Ok(())
    }
    /// A sample is a word, or a text with a phrase.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let words = &with.rules.words;
        if !entry.means.is_phrase() {
            return Some(words.means(sample, entry.means));
        }
        let lower = sample.to_lowercase();
        Some(words.phrases(entry.means).any(|phrase| lower.contains(phrase)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSet;

    #[test]
    fn words_in_any_case_and_their_first_letters() {
        let rules = RuleSet::shipped().expect("rules");
        for (word, meaning) in [
            ("Dear", WordMeaning::Greeting),
            ("SEHR GEEHRTE FRAU", WordMeaning::Greeting),
            ("Уважаемая", WordMeaning::Greeting),
            ("Née", WordMeaning::Born),
            ("Pt.", WordMeaning::Patient),
        ] {
            assert!(rules.words.means(word, meaning), "{word}");
            assert!(!rules.words.means(word, WordMeaning::That), "{word}");
            assert!(!rules.words.means(&word.repeat(MAX_WORD), meaning), "{word}");
        }
        let greets = |line: &str| rules.words.may_greet(line.as_bytes());
        for line in ["Dear Jane", "dEAR", "Vážená paní", "Уважаемая", "佐藤花子 様", "Yth. Ibu"]
        {
            assert!(greets(line), "{line}");
        }
        for line in ["", "D", "Total: 5", "12 dear", "x\u{e9}"] {
            assert!(!greets(line), "{line}");
        }
    }
}
