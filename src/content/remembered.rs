//! Texts that gave nothing when they were read: the same lines, cells and answers come again and again.

use foldhash::quality::RandomState;
use std::hash::{BuildHasher as _, Hash};

/// Hashes of recent texts that gave nothing, at most `MOST`, with a random seed. A new one replaces another.
pub(in crate::content) struct Remembered<const MOST: usize> {
    seed: RandomState,
    /// Each at the place that its low bits give; empty until the first.
    tags: Box<[u64]>,
}

impl<const MOST: usize> Default for Remembered<MOST> {
    fn default() -> Self {
        Self { seed: RandomState::default(), tags: Box::default() }
    }
}

/// Says nothing of the texts.
impl<const MOST: usize> std::fmt::Debug for Remembered<MOST> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remembered").finish_non_exhaustive()
    }
}

impl<const MOST: usize> Remembered<MOST> {
    /// The tag of a text, with all that its reading depends on.
    pub fn tag(&self, text: impl Hash) -> u64 {
        self.seed.hash_one(text).max(1)
    }

    /// Whether a text with this tag gave nothing.
    pub fn knows(&self, tag: u64) -> bool {
        self.tags.get(tag as usize % MOST) == Some(&tag)
    }

    /// The text with this tag gave nothing.
    pub fn note(&mut self, tag: u64) {
        if self.tags.is_empty() {
            self.tags = vec![0; MOST].into();
        }
        if let Some(place) = self.tags.get_mut(tag as usize % MOST) {
            *place = tag;
        }
    }

    /// The rules were replaced.
    pub fn forget(&mut self) {
        self.tags = Box::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_replaced_and_forgotten() {
        let mut known = Remembered::<16>::default();
        let tag = known.tag("Back to top");
        assert!(!known.knows(tag));
        known.note(tag);
        assert!(known.knows(tag) && !known.knows(known.tag("Patient")));
        (0..1000).for_each(|n: u32| known.note(known.tag(n)));
        assert!((0..1000).filter(|n: &u32| known.knows(known.tag(n))).count() <= 16);
        known.forget();
        assert!((0..1000).all(|n: u32| !known.knows(known.tag(n))));
    }
}
