//! `[[placeholder]]`: values in place of an identifier that identify no person (`UNKNOWN`,
//! `{{name}}`, `078-05-1120`). `[[name_affix]]`: words beside a name that are not part of it.
//! `[[test_patient]]`: values of test patients, whose records are still reported. `[[phantom]]`:
//! names of objects examined in place of people.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::keys::names;
use super::samples::Samples;
use super::sections::Section;
use super::{Kind, RuleSet, fold};
use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        /// Kinds it applies to; empty for all.
        #[serde(default)]
        kinds: Vec<Kind>,
        /// Words or whole values, compared without case. One `*` matches any text.
        values: Vec<String>,
        /// Whether de-identification writes them.
        #[serde(default)]
        deidentified: bool,
    }
}

section_entry! {
    /// Test objects of imaging.
    pub(in crate::rules) struct Phantom {
        /// Words that mark a phantom.
        words: Vec<String>,
        /// Words that may accompany them.
        #[serde(default)]
        beside: Vec<String>,
        /// Whether laboratories measure it in place of patients. Checked for their messages only.
        #[serde(default)]
        laboratory: bool,
    }
}

section_entry! {
    /// Titles, degrees and generations.
    pub(in crate::rules) struct Affix {
        /// The words, compared after folding.
        names: Vec<String>,
    }
}

/// The kinds a placeholder applies to; none for all.
type Scope = Option<Box<[Kind]>>;

/// The first or last byte of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Outer {
    First(u8),
    Last(u8),
}

impl Outer {
    fn first(text: &str) -> Option<Self> {
        text.as_bytes().first().copied().map(Self::First)
    }

    fn last(text: &str) -> Option<Self> {
        text.as_bytes().last().copied().map(Self::Last)
    }
}

/// Values that identify no person.
#[derive(Debug, Default)]
pub struct Placeholders {
    /// Whole values, in lower case.
    whole: HashMap<String, Vec<Scope>, foldhash::fast::FixedState>,
    /// Single words, folded.
    words: HashMap<String, Vec<Scope>, foldhash::fast::FixedState>,
    /// The text before and after the `*`, by the byte that the value must begin or end with.
    shapes: HashMap<Outer, Vec<(String, String, Scope)>, foldhash::fast::FixedState>,
    affixes: HashSet<String, foldhash::fast::FixedState>,
    /// Placeholders that de-identification writes.
    deidentified: Vec<(String, Option<String>)>,
    /// Words of phantoms: true if the word decides, false if it may only accompany one that does.
    phantoms: HashMap<String, bool, foldhash::fast::FixedState>,
    /// The same for what laboratories measure in place of patients.
    materials: HashMap<String, bool, foldhash::fast::FixedState>,
}

impl Placeholders {
    /// Whether `value`, trimmed and in lower case, is a placeholder: as a whole, by its pattern,
    /// or, for names, because all of its words are placeholders.
    pub fn contains(&self, kind: Kind, value: &str) -> bool {
        let applies = |scope: &Scope| scope.as_ref().is_none_or(|kinds| kinds.contains(&kind));
        if self.whole.get(value).is_some_and(|scopes| scopes.iter().any(applies)) {
            return true;
        }
        let outer = [Outer::first(value), Outer::last(value)];
        let shapes = outer.iter().flatten().filter_map(|outer| self.shapes.get(outer));
        let shaped = shapes.flatten().any(|(before, after, scope)| {
            value.len() > before.len() + after.len()
                && value.starts_with(before.as_str())
                && value.ends_with(after.as_str())
                && applies(scope)
        });
        shaped || (is_name(kind) && self.all_words(value, applies))
    }

    /// Whether all words of a name are placeholders; numbers are ignored (`Test Patient 3`).
    fn all_words(&self, value: &str, applies: impl Fn(&Scope) -> bool + Copy) -> bool {
        let mut any = false;
        for word in value.split(|c: char| !c.is_alphanumeric()) {
            if word.is_empty() || word.bytes().all(|b| b.is_ascii_digit()) {
                continue;
            }
            if !self.words.get(word).is_some_and(|scopes| scopes.iter().any(applies)) {
                return false;
            }
            any = true;
        }
        any
    }

    /// Whether `name`, trimmed and in lower case, is a name that de-identification writes.
    pub fn says_deidentified(&self, name: &str) -> bool {
        let fits = |text: &str| {
            self.deidentified.iter().any(|(before, after)| match after {
                Some(after) => {
                    text.len() > before.len() + after.len()
                        && text.starts_with(before.as_str())
                        && text.ends_with(after.as_str())
                }
                None => text == before,
            })
        };
        let mut words = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
        fits(name) || words.next().is_some_and(fits) && words.all(fits)
    }

    /// Whether a name or ID belongs to a phantom. One of its words must decide, and the others must
    /// be allowed beside it; numbers and single letters always are.
    pub fn is_phantom(&self, value: &str) -> bool {
        says_so(value, |word| self.phantoms.get(word).copied())
    }

    /// Whether a name or ID in a laboratory message belongs to a control, a calibrator or a unit of
    /// blood.
    pub fn is_material(&self, value: &str) -> bool {
        says_so(value, |word| self.materials.get(word).copied())
    }

    /// Whether a laboratory record is about material and not a patient, by its names or, if it has
    /// none, by its IDs. `born`: it has a birth date, so the name may be a person's family name.
    pub fn is_material_record<'v>(
        &self,
        names: impl Iterator<Item = &'v str>,
        mut ids: impl Iterator<Item = &'v str>,
        born: bool,
    ) -> bool {
        let mut named = false;
        for name in names.filter(|name| name.contains(char::is_alphabetic)) {
            named = true;
            let words = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
            if !self.is_material(name) || (born && words.count() < 2) {
                return false;
            }
        }
        named || (!born && ids.any(|id| self.is_material(id)))
    }

    /// Whether a folded word is a title, a degree or a generation, and not part of a name.
    pub fn is_affix(&self, word: &str) -> bool {
        self.affixes.contains(word)
    }
}

/// Whether one word of a value decides, and all others are allowed beside it.
fn says_so(value: &str, known: impl Fn(&str) -> Option<bool>) -> bool {
    let mut says_so = false;
    for word in value.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()) {
        match known(word.to_lowercase().as_str()) {
            Some(says) => says_so |= says,
            None if word.chars().nth(1).is_none() => {}
            None => return false,
        }
    }
    says_so
}

/// Whether values of this kind are names of people.
const fn is_name(kind: Kind) -> bool {
    matches!(kind, Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName)
}

impl Placeholders {
    /// Adds the values of an entry.
    fn add(&mut self, entry: &Entry) -> Result<(), String> {
        let scope: Scope = match entry.kinds.as_slice() {
            [] => None,
            kinds => Some(kinds.into()),
        };
        for value in &entry.values {
            let value = value.trim().to_lowercase();
            if entry.deidentified {
                let (before, after) = match value.split_once('*') {
                    Some((before, after)) => (before.to_owned(), Some(after.to_owned())),
                    None => (value.clone(), None),
                };
                self.deidentified.push((before, after));
            }
            match value.split_once('*') {
                Some((before, after)) if before.len() + after.len() == 0 || after.contains('*') => {
                    return Err(format!(
                        "value {value:?}: write one * with something before or after it"
                    ));
                }
                Some((before, after)) => {
                    let outer = Outer::first(before).or(Outer::last(after));
                    let Some(outer) = outer else { continue };
                    let shape = (before.to_owned(), after.to_owned(), scope.clone());
                    self.shapes.entry(outer).or_default().push(shape);
                }
                None if value.is_empty() => {
                    return Err("value \"\" is empty; empty fields never count".to_owned());
                }
                None => {
                    if value.chars().all(char::is_alphanumeric) {
                        self.words.entry(value.clone()).or_default().push(scope.clone());
                    }
                    self.whole.entry(value).or_default().push(scope.clone());
                }
            }
        }
        Ok(())
    }

    /// Whether a sample is one of these values, for any kind of the entry.
    fn takes(&self, entry: &Entry, sample: &str) -> bool {
        let kind = entry.kinds.first().copied().unwrap_or(Kind::Name);
        self.contains(kind, &sample.trim().to_lowercase())
    }
}

/// The list of values that a section fills.
pub(in crate::rules) trait ValueList: 'static {
    const NAME: &'static str;
    fn of(all: &RuleSet) -> &Placeholders;
    fn of_mut(all: &mut RuleSet) -> &mut Placeholders;
}

/// Values that identify no person.
pub(in crate::rules) struct Placeholder;

impl ValueList for Placeholder {
    const NAME: &'static str = "placeholder";
    fn of(all: &RuleSet) -> &Placeholders {
        &all.placeholders
    }
    fn of_mut(all: &mut RuleSet) -> &mut Placeholders {
        &mut all.placeholders
    }
}

/// Values of patients invented for tests.
pub(in crate::rules) struct TestPatient;

impl ValueList for TestPatient {
    const NAME: &'static str = "test_patient";
    fn of(all: &RuleSet) -> &Placeholders {
        &all.test_patients
    }
    fn of_mut(all: &mut RuleSet) -> &mut Placeholders {
        &mut all.test_patients
    }
}

/// `[[placeholder]]` and `[[test_patient]]`.
pub(in crate::rules) struct Values<L>(PhantomData<L>);

impl<L: ValueList> Section for Values<L> {
    const NAME: &'static str = L::NAME;
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        entry.kinds.first().copied()
    }
    fn subject(entry: &Entry) -> String {
        entry.values.join(", ")
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        L::of_mut(to.rules).add(entry).or_else(|reason| to.fault(reason))
    }
    /// A sample is a value.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        Some(L::of(with.rules).takes(entry, sample))
    }
}

/// `[[name_affix]]`.
pub(in crate::rules) struct Affixes;

impl Section for Affixes {
    const NAME: &'static str = "name_affix";
    type Entry = Affix;

    fn kind(_: &Affix) -> Option<Kind> {
        Some(Kind::Name)
    }
    fn subject(entry: &Affix) -> String {
        entry.names.join(", ")
    }
    fn compile(entry: &Affix, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for name in &entry.names {
            let word = fold(name);
            if word.is_empty() {
                return to.fault(format!("name {name:?}: write a word"));
            }
            to.rules.placeholders.affixes.insert(word);
        }
        Ok(())
    }
    /// A sample is a word.
    fn takes(entry: &Affix, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let named = names(&entry.names, sample);
        Some(named && with.rules.placeholders.is_affix(&fold(sample)))
    }
}

/// `[[phantom]]`.
pub(in crate::rules) struct Phantoms;

impl Section for Phantoms {
    const NAME: &'static str = "phantom";
    type Entry = Phantom;

    fn subject(entry: &Phantom) -> String {
        entry.words.join(", ")
    }
    fn compile(entry: &Phantom, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        if entry.words.is_empty() {
            return to.fault("words is empty: this could never apply");
        }
        let words = entry.words.iter().map(|w| (w, true));
        for (word, says) in words.chain(entry.beside.iter().map(|w| (w, false))) {
            let word = word.trim().to_lowercase();
            if word.is_empty() || !word.chars().all(char::is_alphabetic) {
                return to.fault(format!("word {word:?}: write letters only"));
            }
            let placeholders = &mut to.rules.placeholders;
            let known = match entry.laboratory {
                true => &mut placeholders.materials,
                false => &mut placeholders.phantoms,
            };
            *known.entry(word).or_default() |= says;
        }
        Ok(())
    }
    /// A sample is a name or an id.
    fn takes(entry: &Phantom, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let placeholders = &with.rules.placeholders;
        Some(match entry.laboratory {
            true => placeholders.is_material(sample),
            false => placeholders.is_phantom(sample),
        })
    }
}
