//! `[[recogniser]]`: patterns of identifiers in free text, by form or by the words before them.
//! `[[text_person]]`: words that tell whose telephone number follows.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::load::is_shipped;
use super::samples::Samples;
use super::sections::Section;
use super::{FieldRule, Kind, fold};
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use zeroize::Zeroizing;

/// Largest compiled pattern, bytes.
const MAX_PATTERN: usize = 1 << 20;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        kind: Kind,
        /// A regular expression. Its group `value`, if it has one, is the identifier.
        pattern: String,
        /// Lower-case texts, one of which every match contains. Searched for before the pattern is
        /// compiled.
        #[serde(default)]
        needs: Vec<String>,
        /// The pattern contains the words that say what the value is.
        #[serde(default)]
        labelled: bool,
        /// The value must contain a digit.
        #[serde(default)]
        digit: bool,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// Words that tell whose number follows.
    pub(in crate::rules) struct PersonWords {
        /// The person.
        person: Person,
        /// The words, compared after folding.
        words: Vec<String>,
    }
}

/// Whose telephone number or address it is, by the words before it.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Person {
    /// The patient's.
    Patient,
    /// A relative's.
    Relative,
    /// Another person's: staff, a ward, the letterhead.
    Other,
}

/// A pattern with its meaning.
#[derive(Debug)]
pub struct Recogniser {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// Whether words before the value say what it is; otherwise only its form does.
    pub labelled: bool,
    digit: bool,
    needs: Vec<String>,
    pattern: Pattern,
}

impl Recogniser {
    /// Whether it may find anything in `text`. `lower` is the text in lower case, `digits` whether
    /// it has any.
    fn may_find(&self, lower: &str, digits: bool) -> bool {
        (digits || !self.digit)
            && (self.needs.is_empty()
                || self.needs.iter().any(|need| lower.contains(need.as_str())))
    }
}

/// A pattern that is compiled on first use. Most captures hold no text that needs it, and compiling
/// all patterns takes longer than reading a small capture.
#[derive(Debug)]
struct Pattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// The compiled pattern; none if it is faulty, which is detected when rules are loaded.
    fn get(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| build(&self.text).ok()).as_ref()
    }
}

fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build()
}

/// All recognisers, ordered by id.
#[derive(Debug, Default)]
pub struct TextRules {
    recognisers: Vec<Recogniser>,
    persons: HashMap<String, Person, foldhash::fast::FixedState>,
}

impl TextRules {
    /// The person that a word points to.
    pub fn person(&self, word: &str) -> Option<Person> {
        self.persons.get(&fold(word)).copied()
    }

    /// Calls `found` with each identifier in `text`.
    pub fn find<'t>(&self, text: &'t str, mut found: impl FnMut(&Recogniser, &'t str)) {
        let lower = Zeroizing::new(text.to_ascii_lowercase());
        let digits = text.bytes().any(|b| b.is_ascii_digit());
        for recogniser in self.recognisers.iter().filter(|r| r.may_find(&lower, digits)) {
            let Some(pattern) = recogniser.pattern.get() else { continue };
            for captures in pattern.captures_iter(text) {
                let Some(value) = captures.name("value").or_else(|| captures.get(0)) else {
                    continue;
                };
                let value = value.as_str();
                let digit = !recogniser.digit || value.bytes().any(|b| b.is_ascii_digit());
                if digit && !(recogniser.rule.kind == Kind::Phone && is_date(value)) {
                    found(recogniser, value);
                }
            }
        }
    }
}

/// Whether a value begins like a date: `2024-05-11`, `11.05.2024`, `5/11/2024`. Telephone numbers
/// do not.
fn is_date(value: &str) -> bool {
    let mut parts = value.split(['-', '.', '/', ' ']);
    let lens: [usize; 3] = std::array::from_fn(|_| {
        parts.next().filter(|p| p.bytes().all(|b| b.is_ascii_digit())).map_or(0, str::len)
    });
    matches!(lens, [4, 2, 2] | [1 | 2, 1 | 2, 4]) && !value.starts_with(['+', '('])
}

/// `[[recogniser]]`.
pub(in crate::rules) struct Recognisers;

impl Section for Recognisers {
    const NAME: &'static str = "recogniser";
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(_: &Entry) -> String {
        "text".to_owned()
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let compiled = OnceLock::new();
        // Tests compile the shipped patterns. A site's patterns are compiled here, so that faults
        // are reported with their line.
        if !is_shipped(to.source) {
            let pattern = match build(&entry.pattern) {
                Ok(pattern) => pattern,
                Err(error) => return to.fault(format!("pattern: {error}")),
            };
            if pattern.is_match("") {
                return to.fault("pattern: it also matches nothing at all");
            }
            let _ = compiled.set(Some(pattern));
        }
        if entry.needs.iter().any(|need| need.is_empty() || *need != need.to_ascii_lowercase()) {
            return to.fault("needs: texts in lower case");
        }
        let rule = to.field(&entry.common, entry.kind, "text", entry.confidence)?;
        to.rules.text.recognisers.push(Recogniser {
            rule,
            labelled: entry.labelled,
            digit: entry.digit,
            needs: entry.needs.clone(),
            pattern: Pattern { text: entry.pattern.clone(), compiled },
        });
        Ok(())
    }
    /// A sample is a text.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let mut taken = false;
        with.rules.text.find(sample, |recogniser, value| {
            taken |= *recogniser.rule.id == *entry.common.id
                && with.reader.accepts_found(with.rules, entry.kind, value);
        });
        Some(taken)
    }
}

/// `[[text_person]]`.
pub(in crate::rules) struct Persons;

impl Section for Persons {
    const NAME: &'static str = "text_person";
    type Entry = PersonWords;

    fn subject(entry: &PersonWords) -> String {
        entry.words.join(", ")
    }
    fn compile(entry: &PersonWords, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for word in &entry.words {
            to.claim(fold(word))?;
            to.rules.text.persons.insert(fold(word), entry.person);
        }
        Ok(())
    }
    /// A sample is a word.
    fn takes(entry: &PersonWords, sample: &str, with: &Samples<'_>) -> Option<bool> {
        Some(with.rules.text.person(sample) == Some(entry.person))
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::RuleSet;

    /// The pattern alone finds nothing in text without what it needs.
    #[test]
    fn what_patterns_need_is_in_all_that_they_find() {
        let rules = RuleSet::shipped().expect("shipped rules");
        let words = [
            "Tel",
            "Téléphone",
            "TELÉFONO",
            "telefone",
            "Phone no",
            "mobile",
            "Cell",
            "HANDY",
            "Rufnummer",
            "call her on",
            "contact",
            "reached at",
            "MRN",
            "medical record no",
            "Patient ID",
            "Patienten-Nr",
            "PatientenNummer",
            "Pat.-Nr",
            "numéro de dossier",
            "NHC",
            "historia clínica",
            "HISTORIA CLINICA",
            "born",
            "DOB",
            "d.o.b.",
            "d.ob",
            "do.b",
            "date of birth",
            "birth date",
            "birthdate",
            "Birthday",
            "geb.",
            "geboren",
            "Geburtsdatum",
            "geb.-datum",
            "né le",
            "NÉE LE",
            "nee le",
            "date de naissance",
            "fecha de nacimiento",
            "nacida",
            "data di nascita",
            "nato il",
            "NATA IL",
            "geboortedatum",
            "född",
            "FØDT",
            "Född",
            "født",
        ];
        let values = ["030 901820-11", "H0912-33", "1970-06-06", "6.6.1970", "19700606"];
        let mut texts: Vec<String> = words
            .iter()
            .flat_map(|word| values.iter().map(move |value| format!("{word}: {value}")))
            .collect();
        for label in [
            "Patient name",
            "PATIENT'S NAME",
            "name of the patient",
            "Patientenname",
            "Name des Patienten",
            "nom du patient",
            "nombre del paciente",
            "nome do paciente",
            "nome del paziente",
        ] {
            texts.push(format!("{label}: Beispiel, Anna"));
        }
        texts.extend(
            ["a.b+c@example.co.uk", "+1 (274) 555-0136", "+49 30 901820-11", "186-08-2952"]
                .map(String::from),
        );
        let mut found = 0;
        for text in &texts {
            let lower = text.to_ascii_lowercase();
            for recogniser in &rules.text.recognisers {
                if recogniser.pattern.get().is_some_and(|pattern| pattern.is_match(text)) {
                    found += 1;
                    assert!(recogniser.may_find(&lower, true), "{} in {text}", recogniser.rule.id);
                }
            }
        }
        assert!(found > 120, "{found} of {}", texts.len());
    }

    #[test]
    fn shipped_patterns_compile_and_match_something() {
        let rules = RuleSet::shipped().expect("shipped rules");
        assert!(!rules.text.recognisers.is_empty());
        for recogniser in &rules.text.recognisers {
            let id = &recogniser.rule.id;
            let pattern = recogniser.pattern.get().unwrap_or_else(|| panic!("{id} is faulty"));
            assert!(!pattern.is_match(""), "{id} also matches nothing at all");
        }
    }
}
