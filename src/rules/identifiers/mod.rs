//! `[[identifier]]`: numbers of national registers and health systems, country by country, with what
//! they must satisfy; `[[not_identifier]]`: words before a number that is something else.
//!
//! A number that a standard or a label declares is checked whatever its country. In text, numbers are
//! looked for only in the regions that are switched on ([`IdentifierRules::enable`]).

mod bare;
mod context;
mod pattern;
mod scan;
#[cfg(test)]
mod tests;

pub use scan::Hit;

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::keys::{fold, names};
use super::load::is_shipped;
use super::samples::Samples;
use super::sections::Section;
use super::validators::{MAX_NUMBER, Validator, compact};
use super::{FieldRule, Kind, RuleSet};
use context::Context;
use pattern::NumberPattern;
use smallvec::SmallVec;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use unicode_normalization::UnicodeNormalization;

/// Longest name of a field that is looked at, characters.
const MAX_NAME: usize = 128;

/// Share of random numbers of a form that pass, above which no check separates them from chance.
const MAX_CHANCE: f32 = 0.3;

/// Every region at once.
pub const ALL_REGIONS: &str = "all";

section_entry! {
    /// An entry as written.
    pub(in crate::rules) struct Entry {
        /// None: a number that is no patient's, but looks like one.
        kind: Option<Kind>,
        /// ISO 3166 codes of the countries that switch it on.
        regions: Vec<String>,
        /// How it is written in text, from its first character to its last.
        pattern: String,
        /// Characters allowed between its own.
        #[serde(default)]
        separators: String,
        /// A validator by name; none where nothing but the pattern is known.
        validator: Option<String>,
        /// Fewest and most letters and digits, where no validator says it or it counts other signs, too.
        length: Option<(usize, usize)>,
        /// What it is called, in the languages of its countries.
        #[serde(default)]
        words: Vec<String>,
        /// Systems, OIDs and authorities that declare it.
        #[serde(default)]
        systems: Vec<String>,
        /// Share of random characters of its form that pass.
        chance: f32,
        /// Confidence with one of its words nearby.
        confidence: f32,
        /// Confidence without, where chance is small enough.
        alone: Option<f32>,
        /// Only those who are cared for are known by it.
        #[serde(default)]
        health: bool,
    }
}

section_entry! {
    /// Words of something else.
    pub(in crate::rules) struct NotEntry {
        words: Vec<String>,
    }
}

/// A number with everything that distinguishes it from others.
#[derive(Debug)]
pub struct IdentifierRule {
    /// What it means; its field is `text`.
    pub rule: Arc<FieldRule>,
    /// It is a patient's at all.
    pub personal: bool,
    /// Confidence without a word nearby; none if it then does not count.
    pub alone: Option<f32>,
    /// Share of random characters of its form that pass.
    pub chance: f32,
    /// Only those who are cared for are known by it.
    pub health: bool,
    pattern: NumberPattern,
    separators: String,
    validator: Option<&'static Validator>,
    /// Its validator counts signs that are neither letters nor digits.
    signs: bool,
    length: (usize, usize),
    words: Vec<String>,
    regions: Vec<String>,
    /// The forms with digits only, or that they cannot be listed.
    forms: Vec<Vec<u16>>,
    free: bool,
}

impl IdentifierRule {
    /// Whether `value` passes its check; nothing where there is none.
    pub fn verify(&self, value: &str) -> Option<bool> {
        let validator = self.validator?;
        Some(compact(value, &self.separators).is_some_and(|c| validator.check(&c)))
    }
    /// Whether its check takes a number of so many bytes, some of which may be separators, and digits.
    fn may_be_as_long(&self, bytes: usize, digits: usize) -> bool {
        let fits = |of: &Validator| bytes >= of.length.0 && digits <= of.length.1;
        self.validator.is_some_and(fits)
    }
    /// Whether its check, or a list of it, separates it from chance.
    fn is_informative(&self) -> bool {
        self.personal && self.is_checked() && self.chance <= MAX_CHANCE
    }
    /// Whether it has more to go by than its form.
    pub const fn is_checked(&self) -> bool {
        self.validator.is_some()
    }
}

/// Every rule, and which of them are looked for in text.
#[derive(Debug, Default)]
pub struct IdentifierRules {
    rules: Vec<IdentifierRule>,
    /// By what it is called, folded.
    names: HashMap<String, SmallVec<[u16; 2]>, foldhash::fast::FixedState>,
    systems: HashMap<String, u16, foldhash::fast::FixedState>,
    /// Words of other things, as in text.
    others: Vec<String>,
    /// What is looked for in text, by the number of its letters and digits.
    enabled: Vec<Vec<u16>>,
    /// The same for numbers of nothing but digits.
    bare: Vec<bare::Bare>,
    /// Their words, put together when a text is first searched.
    context: OnceLock<Context>,
    /// A bit each for the lengths of numbers that need no words near by.
    wordless: u64,
    /// Switched off by region, but known.
    known: BTreeSet<String>,
}

impl IdentifierRules {
    /// The words of all rules and of other things.
    fn context(&self) -> &Context {
        // A failure needs more words than any rule file may have.
        self.context.get_or_init(|| Context::new(&self.rules, &self.others).unwrap_or_default())
    }

    /// The rule of this index.
    pub fn get(&self, index: u16) -> Option<&IdentifierRule> {
        self.rules.get(usize::from(index))
    }

    /// Whether `value`, as it is written, is a valid number of some person in some country, switched on
    /// or not.
    pub fn is_valid_number(&self, value: &str) -> bool {
        let digits = value.bytes().filter(u8::is_ascii_digit).count();
        digits >= scan::MIN_DIGITS
            && self.rules.iter().any(|rule| {
                rule.personal
                    && rule.may_be_as_long(value.len(), digits)
                    && rule.verify(value) == Some(true)
                    && rule.pattern.is_match(value.as_bytes())
            })
    }

    /// Whether `value`, as it is written, is a valid national number of some country, switched on or not, by check digits
    /// that no more than this share of other numbers passes.
    pub fn is_national_number(&self, value: &str, max_chance: f32) -> bool {
        self.rules.iter().any(|rule| {
            rule.personal
                && rule.rule.kind == Kind::NationalId
                && rule.chance <= max_chance
                && rule.verify(value) == Some(true)
                && rule.pattern.is_match(value.as_bytes())
        })
    }

    /// The rule of a system, an OID or an authority.
    pub fn of_system(&self, system: &str) -> Option<&IdentifierRule> {
        let bare = system.strip_prefix("urn:oid:").unwrap_or(system);
        self.systems.get(bare).and_then(|index| self.get(*index))
    }

    /// Whether `value` is valid as what `name` calls it; nothing if that is not known, or if several
    /// countries call theirs so and it is valid in none.
    pub fn verify(&self, name: &str, value: &str) -> Option<Verdict<'_>> {
        let known = self.names.get(&fold(name))?;
        let rules = known.iter().filter_map(|index| self.get(*index));
        let mut checked = rules.filter_map(|rule| Some((rule, rule.verify(value)?)));
        if let Some((rule, _)) = checked.clone().find(|(_, valid)| *valid) {
            return Some(Verdict { rule, valid: true });
        }
        let (rule, _) = checked.next().filter(|_| known.len() == 1)?;
        Some(Verdict { rule, valid: false })
    }

    /// The rule for US social security numbers, which standards declare by their kind alone.
    pub fn of_kind(&self, kind: Kind) -> Option<&IdentifierRule> {
        (kind == Kind::Ssn).then(|| self.rules.iter().find(|r| r.rule.kind == kind))?
    }

    /// Whether a word of `[[not_identifier]]` is this one.
    pub fn is_other(&self, word: &str) -> bool {
        let phrase = phrase(word);
        self.others.contains(&phrase)
    }

    /// Whether a separate value may be a number that needs no words nearby.
    pub fn may_identify(&self, value: &[u8]) -> bool {
        let parts = || value.iter().filter(|b| b.is_ascii_alphanumeric());
        let len = parts().count();
        len <= MAX_NUMBER
            && self.wordless >> len & 1 == 1
            && parts().filter(|b| b.is_ascii_digit()).count() >= scan::MIN_DIGITS
    }

    /// Examines a separate value: only the number in it counts.
    pub fn alone<'r, 't>(&'r self, value: &'t str) -> Option<Hit<'r, 't>> {
        let value = value.trim();
        let mut whole = None;
        self.scan(value, &mut |hit| {
            if hit.value.len() == value.len() {
                whole = Some(hit);
            }
        });
        whole
    }

    /// Whether a word of the name of a field says that its numbers are of something else.
    pub fn is_of_others(&self, name: &str) -> bool {
        let mut apart = String::with_capacity(name.len() + 8);
        let mut lower = false;
        for c in name.chars().take(MAX_NAME) {
            if lower && c.is_uppercase() {
                apart.push(' ');
            }
            lower = c.is_lowercase();
            apart.push(c);
        }
        let mut others = false;
        self.context().each(&words_of(&apart), |_, rule| {
            others |= rule.and_then(|r| self.get(r)).is_none_or(|rule| !rule.personal);
        });
        others
    }

    /// Countries for which there are rules.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }

    /// Looks in text for the numbers of these regions from now on, and for no others. The first region
    /// that no rule knows is the error.
    ///
    /// # Errors
    /// A region without rules.
    pub fn enable<'r>(&mut self, regions: &[&'r str]) -> Result<(), &'r str> {
        let unknown = |r: &&&str| **r != ALL_REGIONS && !self.known.contains(**r);
        if let Some(region) = regions.iter().find(unknown) {
            return Err(region);
        }
        let all = regions.contains(&ALL_REGIONS);
        self.enabled = vec![Vec::new(); MAX_NUMBER + 1];
        for (index, rule) in (0u16..).zip(&self.rules) {
            if all || rule.regions.iter().any(|r| regions.contains(&r.as_str())) {
                let (least, most) = rule.length;
                for bucket in self.enabled.iter_mut().take(most + 1).skip(least) {
                    bucket.push(index);
                }
            }
        }
        let mut wordless = 0;
        for (len, bucket) in self.enabled.iter().enumerate() {
            let rules = bucket.iter().filter_map(|index| self.get(*index));
            wordless |= u64::from(rules.into_iter().any(IdentifierRule::is_informative)) << len;
        }
        self.wordless = wordless;
        self.bare = bare::Bare::tables(&self.enabled, &self.rules);
        Ok(())
    }
}

/// What the check of a number says.
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'a> {
    /// Whose check it is.
    pub rule: &'a IdentifierRule,
    /// It passed.
    pub valid: bool,
}

/// A text as words: letters and digits in lower case without diacritics, all else one blank.
fn words_of(text: &str) -> String {
    let mut words = String::with_capacity(text.len() + 2);
    words.push(' ');
    let push = |c: char| {
        if c.is_alphanumeric() {
            words.extend(c.to_lowercase());
        } else if !words.ends_with(' ') {
            words.push(' ');
        }
    };
    if text.is_ascii() {
        let mut blank = true;
        for byte in text.bytes() {
            let part = byte.is_ascii_alphanumeric();
            if part || !blank {
                words.push(if part { byte.to_ascii_lowercase() as char } else { ' ' });
            }
            blank = !part;
        }
    } else {
        let mark = |c: &char| !matches!(c, '\u{300}'..='\u{36f}');
        text.nfkd().filter(mark).for_each(push);
    }
    if !words.ends_with(' ') {
        words.push(' ');
    }
    words
}

/// Words of a rule file as they are looked for: whole words, but for scripts that write none.
fn phrase(words: &str) -> String {
    let folded = words_of(words);
    match folded.trim().chars().next() {
        Some(first) if first >= '\u{2E80}' => folded.trim().to_owned(),
        _ => folded,
    }
}

/// The default regions.
pub const DEFAULT_REGIONS: &[&str] = &["us"];

/// `[[identifier]]`.
pub(in crate::rules) struct Identifiers;

impl Section for Identifiers {
    const NAME: &'static str = "identifier";
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        entry.kind
    }
    fn subject(entry: &Entry) -> String {
        let validator = entry.validator.as_deref().unwrap_or_default();
        format!("{} {validator}", entry.regions.join(",")).trim_end().to_owned()
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let checked = entry.check().and_then(|checked| {
            to.rules.identifiers.name(entry)?;
            Ok(checked)
        });
        let Checked { validator, length } = match checked {
            Ok(checked) => checked,
            Err(reason) => return to.fault(reason),
        };
        let pattern = NumberPattern::new(&entry.pattern);
        // A test compiles the shipped patterns; those of a site are compiled here, to refuse them with their line.
        if !is_shipped(to.source)
            && let Err(reason) = pattern.check()
        {
            return to.fault(reason);
        }
        let forms = bare::forms(&entry.pattern);
        let kind = entry.kind.unwrap_or(Kind::OtherId);
        let rule = to.field(&entry.common, kind, "text", Some(entry.confidence))?;
        let rules = &mut *to.rules.identifiers;
        rules.known.extend(entry.regions.iter().cloned());
        rules.rules.push(IdentifierRule {
            rule,
            personal: entry.kind.is_some(),
            alone: entry.alone,
            chance: entry.chance,
            health: entry.health,
            pattern,
            separators: entry.separators.clone(),
            validator,
            signs: validator.is_some() && entry.length.is_some(),
            length,
            words: entry.words.iter().map(|w| phrase(w)).collect(),
            regions: entry.regions.clone(),
            free: forms.is_none(),
            forms: forms.unwrap_or_default(),
        });
        Ok(())
    }
    /// A sample is a text.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        Some(with.rules.identifiers.takes(&entry.common.id, sample))
    }
}

/// What an entry says, checked.
struct Checked {
    validator: Option<&'static Validator>,
    length: (usize, usize),
}

impl Entry {
    fn check(&self) -> Result<Checked, String> {
        let validator = match &self.validator {
            None => None,
            Some(name) => Some(Validator::named(name).ok_or_else(|| {
                let all: Vec<_> = super::validators::ALL.iter().map(|v| v.name).collect();
                format!("validator: there is no {name:?}; there are {}", all.join(", "))
            })?),
        };
        let Some(length) = self.length.or(validator.map(|v| v.length)) else {
            return Err("length: write [fewest, most] where there is no validator".to_owned());
        };
        if length.0 < 4 || length.0 > length.1 || length.1 > MAX_NUMBER {
            return Err(format!("length {length:?}: write [fewest, most], from 4 to {MAX_NUMBER}"));
        }
        let shares = [Some(self.chance), Some(self.confidence), self.alone];
        if let Some(share) = shares.into_iter().flatten().find(|s| !(0.0..=1.0).contains(s)) {
            return Err(format!("{share}: write chance and confidence as numbers from 0 to 1"));
        }
        let code = |r: &String| r.len() == 2 && r.bytes().all(|b| b.is_ascii_lowercase());
        if self.regions.is_empty() || !self.regions.iter().all(code) {
            return Err("regions: write codes of ISO 3166 in lower case, [\"us\"]".to_owned());
        }
        if self.separators.contains(char::is_alphanumeric) {
            return Err("separators: letters and digits are part of a number".to_owned());
        }
        Ok(Checked { validator, length })
    }
}

impl IdentifierRules {
    /// Notes what the next rule is called, and the systems that declare it.
    fn name(&mut self, entry: &Entry) -> Result<(), String> {
        let index = u16::try_from(self.rules.len())
            .map_err(|_| "id: there are too many identifiers".to_owned())?;
        for word in &entry.words {
            let folded = fold(word);
            if !word.contains(char::is_alphanumeric) {
                return Err(format!("words: {word:?} has no letters"));
            }
            if folded.is_empty() {
                // Too long for a label.
                continue;
            }
            let known = self.names.entry(folded).or_default();
            if !known.contains(&index) {
                known.push(index);
            }
        }
        for system in &entry.systems {
            let bare = system.strip_prefix("urn:oid:").unwrap_or(system);
            if let Some(other) = self.systems.insert(bare.to_owned(), index) {
                let other = self.get(other).map(|r| r.rule.id.to_string()).unwrap_or_default();
                return Err(format!("systems: {system:?} is already taken by {other:?}"));
            }
        }
        Ok(())
    }
}

/// `[[not_identifier]]`.
pub(in crate::rules) struct Others;

impl Section for Others {
    const NAME: &'static str = "not_identifier";
    type Entry = NotEntry;

    fn subject(entry: &NotEntry) -> String {
        entry.words.join(", ")
    }
    fn compile(entry: &NotEntry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        to.rules.identifiers.others.extend(entry.words.iter().map(|w| phrase(w)));
        Ok(())
    }
    fn finish(rules: &mut RuleSet) {
        let rules = &mut *rules.identifiers;
        // Site rules alone may lack the default region.
        let _ = rules.enable(DEFAULT_REGIONS);
    }
    /// A sample is a word.
    fn takes(entry: &NotEntry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        Some(names(&entry.words, sample) && with.rules.identifiers.is_other(sample))
    }
}
