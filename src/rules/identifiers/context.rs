//! Words around a number, all looked for at once.

use super::IdentifierRule;
use aho_corasick::AhoCorasick;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Whose a word is, where it is that of something else.
const OTHER: u16 = u16::MAX;

/// Words of all rules and of other things.
#[derive(Debug, Default)]
pub(super) struct Context {
    search: Option<AhoCorasick>,
    /// Whose each word is.
    owners: Vec<SmallVec<[u16; 2]>>,
}

impl Context {
    /// Of phrases as [`super::phrase`] makes them.
    pub(super) fn new(
        rules: &[IdentifierRule],
        others: &[String],
    ) -> Result<Self, aho_corasick::BuildError> {
        let mut words: BTreeMap<&str, SmallVec<[u16; 2]>> = BTreeMap::new();
        for (index, rule) in (0..OTHER).zip(rules) {
            for word in &rule.words {
                words.entry(word).or_default().push(index);
            }
        }
        for word in others {
            words.entry(word).or_default().push(OTHER);
        }
        let search = AhoCorasick::new(words.keys())?;
        Ok(Self { search: Some(search), owners: words.into_values().collect() })
    }

    /// Calls `found` with each word in `words`: where it starts, and the index of its rule, or none
    /// where it is that of something else.
    pub(super) fn each(&self, words: &str, mut found: impl FnMut(usize, Option<u16>)) {
        let Some(search) = &self.search else { return };
        for hit in search.find_overlapping_iter(words) {
            for &owner in self.owners.get(hit.pattern().as_usize()).into_iter().flatten() {
                found(hit.start(), (owner != OTHER).then_some(owner));
            }
        }
    }
}
