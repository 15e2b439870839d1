//! `[[placeholder]]`: values that stand where an identifier could stand and name nobody (`UNKNOWN`,
//! `{{name}}`, `078-05-1120`); `[[name_affix]]`: words beside a name that are no part of it.

use super::load::{Compiled, LoadError, RuleInfo, faulty, info, section_entry};
use super::{Kind, fold};
use std::collections::{HashMap, HashSet};

section_entry! {
    /// An entry as written.
    pub(in crate::rules) struct Entry {
        /// Kinds whose values it takes; empty for all.
        #[serde(default)]
        kinds: Vec<Kind>,
        /// Words or whole values, compared without case; one `*` stands for anything.
        values: Vec<String>,
    }
}

section_entry! {
    /// Titles, degrees and generations.
    pub(in crate::rules) struct Affix {
        /// The words, compared after folding.
        names: Vec<String>,
    }
}

/// What a placeholder applies to.
type Scope = Option<Box<[Kind]>>;

/// Values that name nobody.
#[derive(Debug, Default)]
pub struct Placeholders {
    /// Whole values, in lower case.
    whole: HashMap<String, Vec<Scope>, foldhash::fast::FixedState>,
    /// Single words, folded.
    words: HashMap<String, Vec<Scope>, foldhash::fast::FixedState>,
    /// What stands before and after the `*`.
    shapes: Vec<(String, String, Scope)>,
    affixes: HashSet<String, foldhash::fast::FixedState>,
}

impl Placeholders {
    /// Whether `value`, trimmed and in lower case, stands for nobody: it is a placeholder as a
    /// whole, it has the shape of one, or, for names, each of its words is one.
    pub fn contains(&self, kind: Kind, value: &str) -> bool {
        let applies = |scope: &Scope| scope.as_ref().is_none_or(|kinds| kinds.contains(&kind));
        if self.whole.get(value).is_some_and(|scopes| scopes.iter().any(applies)) {
            return true;
        }
        let shaped = self.shapes.iter().any(|(before, after, scope)| {
            applies(scope)
                && value.len() > before.len() + after.len()
                && value.starts_with(before.as_str())
                && value.ends_with(after.as_str())
        });
        shaped || (is_name(kind) && self.all_words(value, applies))
    }

    /// Whether all words of a name are placeholders, numbers aside (`Test Patient 3`).
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

    /// Whether a folded word is a title, a degree or a generation and no part of a name.
    pub fn is_affix(&self, word: &str) -> bool {
        self.affixes.contains(word)
    }
}

/// Whether values of this kind are names of persons.
const fn is_name(kind: Kind) -> bool {
    matches!(kind, Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName)
}

pub(in crate::rules) fn compile(
    entries: Compiled<Entry>,
    affixes: Compiled<Affix>,
    list: &mut Vec<RuleInfo>,
) -> Result<Placeholders, LoadError> {
    let mut compiled = Placeholders::default();
    for (_, (entry, source)) in entries {
        let scope: Scope = match entry.kinds.as_slice() {
            [] => None,
            kinds => Some(kinds.into()),
        };
        for value in &entry.values {
            let value = value.trim().to_lowercase();
            match value.split_once('*') {
                Some((before, after)) if before.len() + after.len() == 0 || after.contains('*') => {
                    return Err(faulty(
                        &source,
                        format!("value {value:?}: write one * with something before or after it"),
                    ));
                }
                Some((before, after)) => {
                    let shape = (before.to_owned(), after.to_owned(), scope.clone());
                    compiled.shapes.push(shape);
                }
                None if value.is_empty() => {
                    return Err(faulty(&source, "value \"\" is empty; empty fields never count"));
                }
                None => {
                    if value.chars().all(char::is_alphanumeric) {
                        compiled.words.entry(value.clone()).or_default().push(scope.clone());
                    }
                    compiled.whole.entry(value).or_default().push(scope.clone());
                }
            }
        }
        list.push(info(
            "placeholder",
            &entry.common,
            entry.kinds.first().copied(),
            entry.values.join(", "),
            &source,
        ));
    }
    for (_, (entry, source)) in affixes {
        for name in &entry.names {
            let word = fold(name);
            if word.is_empty() {
                return Err(faulty(&source, format!("name {name:?}: write a word")));
            }
            compiled.affixes.insert(word);
        }
        list.push(info(
            "name_affix",
            &entry.common,
            Some(Kind::Name),
            entry.names.join(", "),
            &source,
        ));
    }
    Ok(compiled)
}
