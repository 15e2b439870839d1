//! A table of recent entries, by hash.

/// Slots of a new table; it grows as it fills.
const FIRST: usize = 1 << 10;

/// Slots examined for one hash: as many tags as fit a cache line.
const WAYS: usize = 8;

/// The tag of empty slots.
const EMPTY: u64 = 0;

/// Entries under their tags. A tag is a hash, and not 0.
pub(super) struct Recent<T> {
    buckets: Vec<Bucket<T>>,
    filled: usize,
    /// Most slots of the table.
    most: usize,
}

/// The entries that one hash may lead to. A look-up of an unknown tag touches one cache line, others the one behind it.
#[derive(Clone)]
#[repr(align(64))]
struct Bucket<T> {
    tags: [u64; WAYS],
    slots: [T; WAYS],
}

impl<T: Default> Default for Bucket<T> {
    fn default() -> Self {
        Self { tags: [EMPTY; WAYS], slots: std::array::from_fn(|_| T::default()) }
    }
}

impl<T: Clone + Default> Recent<T> {
    /// With at most `most` slots, a power of two.
    pub fn within(most: usize) -> Self {
        Self { buckets: Vec::new(), filled: 0, most: most.max(FIRST) }
    }

    /// Most slots.
    pub const fn most(&self) -> usize {
        self.most
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::within(self.most);
    }

    /// The entry under a tag.
    #[inline]
    pub fn get(&self, tag: u64) -> Option<&T> {
        let bucket = self.buckets.get(self.place(tag))?;
        let way = bucket.tags.iter().position(|t| *t == tag)?;
        bucket.slots.get(way)
    }

    /// Stores an entry under a tag.
    pub fn keep(&mut self, tag: u64, what: T) {
        if 4 * self.filled >= 3 * self.slots() && self.slots() < self.most {
            self.grow();
        }
        let place = self.place(tag);
        let Some(bucket) = self.buckets.get_mut(place) else { return };
        let empty = bucket.tags.iter().position(|t| *t == EMPTY);
        // Which of them is needed least is unknown, so any one is replaced.
        let way = empty.unwrap_or((tag >> 32) as usize % WAYS);
        self.filled += usize::from(empty.is_some());
        bucket.tags[way] = tag;
        bucket.slots[way] = what;
    }

    fn slots(&self) -> usize {
        self.buckets.len() * WAYS
    }

    /// The bucket for a tag.
    fn place(&self, tag: u64) -> usize {
        tag as usize & self.buckets.len().saturating_sub(1)
    }

    /// Makes the table four times as large, and moves its entries.
    fn grow(&mut self) {
        let len = (self.slots() * 4).clamp(FIRST.min(self.most), self.most);
        let before = std::mem::replace(&mut self.buckets, vec![Bucket::default(); len / WAYS]);
        self.filled = 0;
        for (tag, what) in before.into_iter().flat_map(|b| b.tags.into_iter().zip(b.slots)) {
            let place = self.place(tag);
            let Some(bucket) = self.buckets.get_mut(place).filter(|_| tag != EMPTY) else {
                continue;
            };
            if let Some(way) = bucket.tags.iter().position(|t| *t == EMPTY) {
                bucket.tags[way] = tag;
                bucket.slots[way] = what;
                self.filled += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_grows_to_its_size_and_forgets_beyond_it() {
        let tag = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1);
        let mut table = Recent::within(2 * FIRST);
        for n in 0..FIRST as u64 {
            table.keep(tag(n), n);
        }
        let known = (0..FIRST as u64).filter(|n| table.get(tag(*n)) == Some(n)).count();
        assert!(known > FIRST / 2, "{known}");
        for n in 0..100 * FIRST as u64 {
            table.keep(tag(n), n);
        }
        assert_eq!(table.slots(), 2 * FIRST);
        assert!((0..FIRST as u64).all(|n| table.get(tag(n)).is_none_or(|known| *known == n)));
        table.clear();
        assert_eq!(table.get(tag(1)), None);
    }
}
