//! `[[key]]`: names of JSON keys, form fields, and CSV and HTML headings, in several languages.
//! `[[key_context]]`: names that show whether a record is about a patient.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::samples::Samples;
use super::sections::Section;
use super::{FieldRule, Kind};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        /// Key names; compared after [`fold`].
        names: Vec<String>,
        kind: Kind,
        #[serde(default)]
        part: NamePart,
        /// The name itself refers to a patient (`patientName`).
        #[serde(default)]
        patient: bool,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// Context names, which show what a record is about.
    pub(in crate::rules) struct Context {
        names: Vec<String>,
        /// What it shows about its own record.
        about: About,
        /// What it shows about the records inside; the same unless given.
        inside: Option<About>,
        /// It shows the same about the whole document.
        #[serde(default)]
        document: bool,
    }
}

/// The part of a person's name or a date that a key holds.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub enum NamePart {
    /// The whole value.
    #[default]
    Whole,
    /// Family name.
    Family,
    /// Given name.
    Given,
    /// Year of a date.
    Year,
    /// Month of a date.
    Month,
    /// Day of a date.
    Day,
}

/// What a context name shows about its own record.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// A patient (`ward`, `diagnosis`).
    Patient,
    /// A diagnosis.
    Diagnosis,
    /// A result.
    Result,
    /// A medication.
    Medication,
    /// An allergy; school records have these, too.
    Allergy,
    /// A procedure.
    Procedure,
    /// Care, usually of a patient; but pupils have wards and allergies, too.
    Care,
    /// Something else (`sku`, `order_total`).
    Other,
    /// People beside a patient (`guardian`): their names and telephone numbers are those of next of kin.
    Relative,
    /// The mother of a patient: as [`About::Relative`], but the patient where the record is about a birth.
    Mother,
    /// A birth: the mother is a patient there.
    Birth,
    /// People in another role, who do not become patients by mentions of care (`salary`, `pupil`).
    Elsewhere,
    /// No person, whatever else is said: an animal, or an example in a manual (`breed`, `Example
    /// value`).
    Nobody,
    /// A species: no person, unless the value is human.
    Species,
    /// Nothing.
    Nothing,
}

/// What a context name shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContextScope {
    /// About its own record.
    pub about: About,
    /// About the records inside it.
    pub inside: About,
    /// What it shows about its own record holds for the whole document.
    pub document: bool,
}

impl ContextScope {
    /// What it shows as a heading or in a path, about everything that follows.
    pub const fn ahead(self) -> About {
        match self.inside {
            About::Patient => About::Patient,
            _ => self.about,
        }
    }
}

/// A key name with its meaning.
#[derive(Debug)]
pub struct Key {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// The part it holds: whole, family or given name.
    pub part: NamePart,
    /// The name itself refers to a patient.
    pub patient: bool,
}

/// Keys and context names by folded name.
#[derive(Debug, Default)]
pub struct KeyRules {
    keys: HashMap<String, Key, foldhash::fast::FixedState>,
    /// Keys of the parts of a person's name and of birth dates, as they mean behind a word for a patient.
    of_patients: HashMap<String, Key, foldhash::fast::FixedState>,
    contexts: HashMap<String, ContextScope, foldhash::fast::FixedState>,
    key_ends: Ends,
    context_ends: Ends,
    /// Names under which other names have a special meaning.
    parents: HashSet<String, foldhash::fast::FixedState>,
}

impl KeyRules {
    /// The meaning of a key name in wire format.
    pub fn get(&self, name: &str) -> Option<&Key> {
        let name = own(name);
        self.find(name).or_else(|| self.find(untyped(name)?))
    }
    /// The meaning of a key name as it is.
    fn find(&self, name: &str) -> Option<&Key> {
        if !self.key_ends.may_be(name) {
            return None;
        }
        with_folded(name, |folded| self.keys.get(folded).or_else(|| self.of_patient(folded)))
    }
    /// The meaning of a folded name that begins with a word for a patient: `patientgeburtsdatum`.
    fn of_patient(&self, folded: &str) -> Option<&Key> {
        let behind = PATIENT_WORDS.iter().filter_map(|word| folded.strip_prefix(word));
        let before = OF_PATIENT.iter().filter_map(|word| folded.strip_suffix(word));
        let rests = behind.chain(before);
        rests.filter(|rest| rest.len() >= MIN_REST).find_map(|rest| self.of_patients.get(rest))
    }
    /// Whether [`KeyRules::get`] or [`KeyRules::context`] may know a name. A quick filter for text
    /// with few known names.
    pub fn may_know(&self, name: &str) -> bool {
        let name = own(name);
        let may_be = |name: &str| self.key_ends.may_be(name) || self.context_ends.may_be(name);
        may_be(name) || untyped(name).is_some_and(may_be)
    }
    /// Whether other names have a special meaning under this one or its singular (`patient.name`).
    pub fn is_parent(&self, name: &str) -> bool {
        let name = own(name);
        with_folded(name, |folded| {
            let stems = [folded.strip_suffix('s'), folded.strip_suffix("es")];
            self.parents.contains(folded)
                || stems.into_iter().flatten().any(|s| self.parents.contains(s))
        })
    }
    /// Adds what a key means behind a word for a patient, unless its name says so itself.
    fn add_of_patients(&mut self, name: &str, folded: &str, key: &Key) {
        let part = matches!(key.part, NamePart::Family | NamePart::Given);
        let personal = key.rule.kind == Kind::Name && part
            || key.rule.kind == Kind::BirthDate && key.part == NamePart::Whole;
        // `patient_medical_record_number`
        let number = key.rule.kind == Kind::PatientId && name.contains("record");
        if !(personal && !key.patient || number)
            || key.rule.confidence < MIN_CONFIDENCE
            || name.contains('.')
        {
            return;
        }
        for word in PATIENT_WORDS {
            self.key_ends.insert_between(word, folded);
        }
        for word in OF_PATIENT {
            self.key_ends.insert_between(folded, word);
        }
        let key = Key { rule: Arc::clone(&key.rule), part: key.part, patient: true };
        self.of_patients.insert(folded.to_owned(), key);
    }
    /// What a key name shows about its own record.
    pub fn context(&self, name: &str) -> Option<About> {
        self.scope_of(name).map(|said| said.about)
    }
    /// What a key name shows about the record it is in or encloses.
    pub fn scope_of(&self, name: &str) -> Option<ContextScope> {
        let name = own(name);
        if !self.context_ends.may_be(name) {
            return None;
        }
        with_folded(name, |folded| self.contexts.get(folded).copied())
    }
}

/// Words for a patient in front of the names of parts of a name and of birth dates, folded.
const PATIENT_WORDS: [&str; 14] = [
    "patient",
    "patients",
    "patienten",
    "patientens",
    "paciente",
    "paziente",
    "pasient",
    "pasientens",
    "pacjent",
    "pacient",
    "pacijent",
    "hasta",
    "beteg",
    "potilaan",
];

/// The same behind such names: `DateNaissancePatient`.
const OF_PATIENT: [&str; 12] = [
    "patient",
    "patiente",
    "dupatient",
    "patienten",
    "paciente",
    "delpaciente",
    "dopaciente",
    "paziente",
    "delpaziente",
    "pacjenta",
    "pacienta",
    "pasient",
];

/// Shortest name beside such a word, bytes.
const MIN_REST: usize = 3;

/// Least confidence of a key that means the same behind such a word.
const MIN_CONFIDENCE: f32 = 0.6;

/// Endings of the dynamic fields of Solr, which give their type (Solr Reference Guide, Dynamic Fields).
const FIELD_TYPES: [&str; 5] = ["_s", "_ss", "_t", "_dt", "_txt"];

/// A name without the type that Solr puts behind those of dynamic fields (`birth_date_dt`), if it has one.
fn untyped(name: &str) -> Option<&str> {
    if !name.contains('_') {
        return None;
    }
    FIELD_TYPES.iter().find_map(|ending| name.strip_suffix(ending))
}

/// A name without what programs add to those of their users: the package and the ending of Salesforce
/// (`First_Name__c`, `HealthCloudGA__MRN__c`), the number of the question that JotForm puts in front
/// (`q3_birthDate`).
fn own(name: &str) -> &str {
    let name = match name.strip_suffix("__c") {
        Some(own) => own.rsplit("__").next().unwrap_or(own),
        None => name,
    };
    let question =
        name.strip_prefix('q').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let behind = question.and_then(|rest| rest.strip_prefix('_'));
    behind.filter(|behind| behind.len() + 2 < name.len() && !behind.is_empty()).unwrap_or(name)
}

/// First and last characters of known names. Most words of a text are rejected by them.
#[derive(Debug)]
struct Ends {
    /// By first character: a bit for each possible last character.
    by_first: [u64; CHARACTERS],
}

impl Default for Ends {
    fn default() -> Self {
        Self { by_first: [0; CHARACTERS] }
    }
}

/// Letters and digits that a folded name of ASCII is made of.
const CHARACTERS: usize = 36;

/// The index of a letter or digit in that alphabet.
const fn number(byte: u8) -> Option<u8> {
    match byte.to_ascii_lowercase() {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        letter @ b'a'..=b'z' => Some(letter - b'a' + 10),
        _ => None,
    }
}

impl Ends {
    /// Adds a folded name.
    fn insert(&mut self, folded: &str) {
        let mut numbers = folded.bytes().map(number);
        let (first, last) = (numbers.next().flatten(), numbers.next_back());
        // In a name of one character it is both first and last.
        if let Some((first, last)) = first.zip(last.unwrap_or(first))
            && let Some(lasts) = self.by_first.get_mut(usize::from(first))
        {
            *lasts |= 1 << last;
        }
    }

    /// Adds a name that begins like one and ends like another.
    fn insert_between(&mut self, front: &str, back: &str) {
        let first = front.bytes().next().and_then(number);
        let last = back.bytes().next_back().and_then(number);
        if let Some((first, last)) = first.zip(last)
            && let Some(lasts) = self.by_first.get_mut(usize::from(first))
        {
            *lasts |= 1 << last;
        }
    }

    /// Whether a name in wire format may be known. Characters beyond ASCII may fold to anything.
    fn may_be(&self, name: &str) -> bool {
        let mut numbers = name.bytes().filter_map(number);
        match numbers.next() {
            Some(first) => {
                let last = numbers.next_back().unwrap_or(first);
                let lasts = self.by_first.get(usize::from(first)).copied().unwrap_or(0);
                lasts >> last & 1 == 1 || !name.is_ascii()
            }
            None => !name.is_ascii(),
        }
    }
}

/// Longest key name that is looked up, bytes.
pub const MAX_NAME: usize = 64;

/// Folds a key name for comparison: letters and digits only, lower case, without diacritics.
/// `Patient_Name`, `patientName` and `PATIENT NAME` are the same. Names longer than [`MAX_NAME`]
/// fold to nothing.
pub fn fold(name: &str) -> String {
    if name.len() > MAX_NAME {
        return String::new();
    }
    if name.is_ascii() {
        let mut folded = String::with_capacity(name.len());
        push_letters(name, &mut folded);
        return folded;
    }
    let folded = name.nfkd().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    let mut out = String::with_capacity(name.len());
    for c in folded {
        match (c, plain_letters(c)) {
            // The sigma at the end of a Greek word is the same letter.
            ('ς', _) => out.push('σ'),
            // Names of columns often have none of these.
            (_, Some(letters)) => out.push_str(letters),
            (c, None) => out.push(c),
        }
    }
    out
}

/// What is written for a letter with a stroke or a ligature, which NFKD leaves whole.
pub const fn plain_letters(c: char) -> Option<&'static str> {
    Some(match c {
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ı' => "i",
        'þ' => "th",
        'æ' => "ae",
        'œ' => "oe",
        'ß' => "ss",
        _ => return None,
    })
}

/// Appends the letters and digits of ASCII text, in lower case.
pub fn push_letters(text: &str, out: &mut String) {
    for piece in text.as_bytes().chunks(MAX_NAME) {
        with_letters(piece, |letters| out.push_str(letters));
    }
}

/// Calls `then` with the letters and digits of at most [`MAX_NAME`] bytes of ASCII, in lower case.
fn with_letters<T>(name: &[u8], then: impl FnOnce(&str) -> T) -> T {
    let mut room = [0; MAX_NAME];
    let mut len = 0;
    for byte in name {
        // Characters that are neither letter nor digit are overwritten.
        if let Some(slot) = room.get_mut(len) {
            *slot = byte.to_ascii_lowercase();
        }
        len += usize::from(byte.is_ascii_alphanumeric());
    }
    then(std::str::from_utf8(room.get(..len).unwrap_or_default()).unwrap_or_default())
}

/// Calls `then` with the folded name. Needs no allocation for ASCII, because names are looked up
/// far more often than stored.
fn with_folded<T>(name: &str, then: impl FnOnce(&str) -> T) -> T {
    if name.len() > MAX_NAME || !name.is_ascii() {
        return then(&fold(name));
    }
    with_letters(name.as_bytes(), then)
}

/// Folds a name of a rule file; refuses one that folds to nothing, which could never be found.
fn folded(name: &str, to: &Compiler<'_>) -> Result<String, LoadError> {
    let folded = fold(name);
    if folded.is_empty() {
        return to
            .fault(format!("name {name:?}: write letters or digits, at most {MAX_NAME} bytes"));
    }
    Ok(folded)
}

/// `[[key]]`.
pub(in crate::rules) struct Keys;

impl Section for Keys {
    const NAME: &'static str = "key";
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &Entry) -> String {
        entry.names.join(", ")
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for name in &entry.names {
            let folded = folded(name, to)?;
            to.claim(folded.clone())?;
            let rule = to.field(&entry.common, entry.kind, name, entry.confidence)?;
            let key = Key { rule, part: entry.part, patient: entry.patient };
            to.rules.keys.add_of_patients(name, &folded, &key);
            if let Some((parent, _)) = name.split_once('.') {
                to.rules.keys.parents.insert(fold(parent));
            }
            to.rules.keys.key_ends.insert(&folded);
            to.rules.keys.keys.insert(folded, key);
        }
        Ok(())
    }
    /// A sample is a name.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        Some(with.rules.keys.get(sample).is_some_and(|key| *key.rule.id == *entry.common.id))
    }
}

/// `[[key_context]]`.
pub(in crate::rules) struct Contexts;

impl Section for Contexts {
    const NAME: &'static str = "key_context";
    type Entry = Context;

    fn subject(entry: &Context) -> String {
        entry.names.join(", ")
    }
    fn compile(entry: &Context, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for name in &entry.names {
            let folded = folded(name, to)?;
            to.claim(folded.clone())?;
            let inside = entry.inside.unwrap_or(entry.about);
            to.rules.keys.context_ends.insert(&folded);
            let said = ContextScope { about: entry.about, inside, document: entry.document };
            to.rules.keys.contexts.insert(folded, said);
        }
        Ok(())
    }
    /// A sample is a name.
    fn takes(entry: &Context, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let named = names(&entry.names, sample);
        Some(named && with.rules.keys.context(sample) == Some(entry.about))
    }
}

/// Whether `list` contains this name.
pub(in crate::rules) fn names(list: &[String], name: &str) -> bool {
    let name = fold(name);
    list.iter().any(|other| fold(other) == name)
}
