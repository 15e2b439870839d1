//! Finds context words around a number, all in one pass.

use super::IdentifierRule;
use aho_corasick::AhoCorasick;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Owner of words that belong to something else.
const OTHER: u16 = u16::MAX;

/// Words of all rules and of other things.
#[derive(Debug, Default)]
pub(super) struct Context {
    search: Option<AhoCorasick>,
    /// The owners of each word.
    owners: Vec<SmallVec<[u16; 2]>>,
}

impl Context {
    /// Compiles phrases from [`super::phrase`].
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

    /// Calls `found` for each phrase in `words` with its offset and the index of its rule; none if
    /// the phrase belongs to something else.
    pub(super) fn each(&self, words: &str, mut found: impl FnMut(usize, Option<u16>)) {
        let Some(search) = &self.search else { return };
        for hit in search.find_overlapping_iter(words) {
            for &owner in self.owners.get(hit.pattern().as_usize()).into_iter().flatten() {
                found(hit.start(), (owner != OTHER).then_some(owner));
            }
        }
    }
}
