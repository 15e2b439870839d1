//! Counts of a few kinds of things, of which the same few are counted again and again.

use std::collections::BTreeMap;

/// Counts by kind. A kind is found by comparing it with the others, the one counted last first; names of kinds are
/// constants, so there are few.
#[derive(Clone, Debug)]
pub struct KindCounters<K> {
    counts: Vec<(K, u64)>,
    last: usize,
}

impl<K> Default for KindCounters<K> {
    fn default() -> Self {
        Self { counts: Vec::new(), last: 0 }
    }
}

impl<K: Copy + Ord> KindCounters<K> {
    /// Counts `n` things of a kind.
    pub fn add(&mut self, kind: K, n: u64) {
        if let Some((known, count)) = self.counts.get_mut(self.last)
            && *known == kind
        {
            *count += n;
            return;
        }
        match self.counts.iter().position(|(known, _)| *known == kind) {
            Some(at) => {
                self.last = at;
                if let Some((_, count)) = self.counts.get_mut(at) {
                    *count += n;
                }
            }
            None => {
                self.last = self.counts.len();
                self.counts.push((kind, n));
            }
        }
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(kind, n)| self.add(kind, n));
    }

    /// All kinds with their counts, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (K, u64)> + '_ {
        self.counts.iter().copied()
    }

    /// The same, sorted.
    pub fn sorted(&self) -> BTreeMap<K, u64> {
        self.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_counted_once_whatever_was_counted_before() {
        let (mut counts, mut other) = (KindCounters::default(), KindCounters::default());
        for n in 0..90 {
            counts.add(["b", "a", "c"][n % 3], n as u64 % 2 + 1);
            other.add(["d", "a"][n / 50], 1);
        }
        counts.merge(&other);
        let all: Vec<_> = counts.sorted().into_iter().collect();
        assert_eq!(all, [("a", 85), ("b", 45), ("c", 45), ("d", 50)]);
        assert_eq!(counts.iter().count(), 4);
    }
}
