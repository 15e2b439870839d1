//! `[[identifier]]`: numbers of national registers and health systems, with their checks.
//! `[[not_identifier]]`: words that mark a number as something else.
//!
//! A number that a standard or a label declares is checked for any country. In text, only numbers
//! of the enabled regions are searched for ([`IdentifierRules::enable`]).

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
use zeroize::Zeroizing;

/// Longest field name that is looked up, characters.
const MAX_NAME: usize = 128;

/// Share of random numbers that pass a check, above which the check proves nothing.
const MAX_CHANCE: f32 = 0.3;

/// Separators, and a number without them; none if it is too long.
type BareNumber<'r> = (&'r str, Option<Zeroizing<String>>);

/// Represents all regions.
pub const ALL_REGIONS: &str = "all";

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        /// None for a number that is not a patient's, but looks like one.
        kind: Option<Kind>,
        /// ISO 3166 codes of the countries that enable it.
        regions: Vec<String>,
        /// Pattern of the number in text, from its first character to its last.
        pattern: String,
        /// Characters allowed inside the number.
        #[serde(default)]
        separators: String,
        /// Name of a validator; none if only the pattern is known.
        validator: Option<String>,
        /// Fewest and most letters and digits, if the validator does not define them or also counts
        /// other characters.
        length: Option<(usize, usize)>,
        /// Names of the number in the languages of its countries.
        #[serde(default)]
        words: Vec<String>,
        /// Systems, OIDs and authorities that declare it.
        #[serde(default)]
        systems: Vec<String>,
        /// Share of random characters in its form that pass its check.
        chance: f32,
        /// Confidence with one of its words nearby.
        confidence: f32,
        /// Confidence without such a word, if random matches are rare enough.
        alone: Option<f32>,
        /// Only patients have this number.
        #[serde(default)]
        health: bool,
    }
}

section_entry! {
    /// Words that mark something else.
    pub(in crate::rules) struct NotEntry {
        words: Vec<String>,
    }
}

/// A number with everything that distinguishes it.
#[derive(Debug)]
pub struct IdentifierRule {
    /// Its meaning; the field is `text`.
    pub rule: Arc<FieldRule>,
    /// Whether it is a patient's number.
    pub personal: bool,
    /// Confidence without a word nearby; if none, it does not count then.
    pub alone: Option<f32>,
    /// Share of random characters in its form that pass its check.
    pub chance: f32,
    /// Only patients have this number.
    pub health: bool,
    pattern: NumberPattern,
    separators: String,
    validator: Option<&'static Validator>,
    /// Whether its validator also counts characters other than letters and digits.
    signs: bool,
    length: (usize, usize),
    words: Vec<String>,
    regions: Vec<String>,
    /// Its digit-only forms, or that they cannot be listed.
    forms: Vec<Vec<u16>>,
    free: bool,
}

impl IdentifierRule {
    /// Whether `value` passes the check; none if there is no check.
    pub fn verify(&self, value: &str) -> Option<bool> {
        let validator = self.validator?;
        Some(compact(value, &self.separators).is_some_and(|c| validator.check(&c)))
    }
    /// Whether its check accepts a number of `bytes` bytes, separators included, and `digits`
    /// digits.
    fn may_be_as_long(&self, bytes: usize, digits: usize) -> bool {
        let fits = |of: &Validator| bytes >= of.length.0 && digits <= of.length.1;
        self.validator.is_some_and(fits)
    }
    /// Whether a check, or a list of values that pass it, proves more than chance.
    fn is_informative(&self) -> bool {
        self.personal && self.is_checked() && self.chance <= MAX_CHANCE
    }
    /// Whether more than its form can be checked.
    pub const fn is_checked(&self) -> bool {
        self.validator.is_some()
    }
}

/// All rules, and which of them are searched for in text.
#[derive(Debug, Default)]
pub struct IdentifierRules {
    rules: Vec<IdentifierRule>,
    /// By folded name.
    names: HashMap<String, SmallVec<[u16; 2]>, foldhash::fast::FixedState>,
    systems: HashMap<String, u16, foldhash::fast::FixedState>,
    /// Words of other things, as they are in text.
    others: Vec<String>,
    /// Rules searched for in text, by number of letters and digits.
    enabled: Vec<Vec<u16>>,
    /// The same for digit-only numbers.
    bare: Vec<bare::Bare>,
    /// Their context words, compiled for the first search.
    context: OnceLock<Context>,
    /// Bit set of the lengths of numbers that need no context words.
    wordless: u64,
    /// Regions that have rules.
    known: BTreeSet<String>,
}

impl IdentifierRules {
    /// The words of all rules and of other things.
    fn context(&self) -> &Context {
        // Fails only with more words than any rule file may have.
        self.context.get_or_init(|| Context::new(&self.rules, &self.others).unwrap_or_default())
    }

    /// The rule with this index.
    pub fn get(&self, index: u16) -> Option<&IdentifierRule> {
        self.rules.get(usize::from(index))
    }

    /// Whether `value` is a valid personal number of any country, enabled or not.
    pub fn is_valid_number(&self, value: &str) -> bool {
        let digits = value.bytes().filter(u8::is_ascii_digit).count();
        if digits < scan::MIN_DIGITS {
            return false;
        }
        // Most rules have the same separators.
        let mut bare: SmallVec<[BareNumber<'_>; 8]> = SmallVec::new();
        self.rules.iter().any(|rule| {
            let Some(validator) = rule.validator else { return false };
            if !rule.personal || !rule.may_be_as_long(value.len(), digits) {
                return false;
            }
            let at = bare.iter().position(|(separators, _)| *separators == rule.separators);
            let at = at.unwrap_or_else(|| {
                bare.push((rule.separators.as_str(), compact(value, &rule.separators)));
                bare.len() - 1
            });
            let number = bare.get(at).and_then(|(_, number)| number.as_deref());
            number.is_some_and(|number| validator.check(number))
                && rule.pattern.is_match(value.as_bytes())
        })
    }

    /// Whether `value` is a valid national number of any country, enabled or not, with check digits
    /// that at most `max_chance` of other numbers pass.
    pub fn is_national_number(&self, value: &str, max_chance: f32) -> bool {
        self.rules.iter().any(|rule| {
            rule.personal
                && rule.rule.kind == Kind::NationalId
                && rule.chance <= max_chance
                && rule.verify(value) == Some(true)
                && rule.pattern.is_match(value.as_bytes())
        })
    }

    /// The rule for a system, an OID or an authority.
    pub fn of_system(&self, system: &str) -> Option<&IdentifierRule> {
        let bare = system.strip_prefix("urn:oid:").unwrap_or(system);
        self.systems.get(bare).and_then(|index| self.get(*index))
    }

    /// Checks `value` against the rule that `name` names. None if the name is unknown, or if
    /// several countries use it and the value is valid in none.
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

    /// The rule for US social security numbers, which standards declare by kind alone.
    pub fn of_kind(&self, kind: Kind) -> Option<&IdentifierRule> {
        (kind == Kind::Ssn).then(|| self.rules.iter().find(|r| r.rule.kind == kind))?
    }

    /// Whether `word` is a word of `[[not_identifier]]`.
    pub fn is_other(&self, word: &str) -> bool {
        let phrase = phrase(word);
        self.others.contains(&phrase)
    }

    /// Whether a separate value may be a number that needs no context words.
    pub fn may_identify(&self, value: &[u8]) -> bool {
        let parts = || value.iter().filter(|b| b.is_ascii_alphanumeric());
        let len = parts().count();
        len <= MAX_NUMBER
            && self.wordless >> len & 1 == 1
            && parts().filter(|b| b.is_ascii_digit()).count() >= scan::MIN_DIGITS
    }

    /// Examines a separate value by its number alone.
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

    /// Whether a word in a field's name says that its numbers are something else.
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

    /// The countries with rules.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }

    /// Searches text for the numbers of exactly these regions. Returns the first region without
    /// rules as error.
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

/// The result of checking a number.
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'a> {
    /// The rule that was checked.
    pub rule: &'a IdentifierRule,
    /// Whether the number passed.
    pub valid: bool,
}

/// Normalises a text to words: letters and digits in lower case without diacritics, everything else
/// as one blank.
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

/// Normalises words of a rule file so that whole words are found; scripts without word boundaries
/// are exempt.
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
        // Tests compile the shipped patterns. A site's patterns are compiled here, so that faults
        // are reported with their line.
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

/// A checked entry.
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
    /// Registers the names of the next rule, and the systems that declare it.
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
        // A site's rules alone may lack the default region.
        let _ = rules.enable(DEFAULT_REGIONS);
    }
    /// A sample is a word.
    fn takes(entry: &NotEntry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        Some(names(&entry.words, sample) && with.rules.identifiers.is_other(sample))
    }
}
