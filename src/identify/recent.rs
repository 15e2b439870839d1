//! A table of recent entries, by hash.

/// Slots of a new table; it grows as it fills.
const FIRST: usize = 1 << 10;

/// Slots examined for one hash: as many tags as fit a cache line.
const WAYS: usize = 8;

/// The tag of empty slots.
const EMPTY: u64 = 0;

/// Entries under their tags. A tag is a hash, and not 0.
pub(super) struct Recent<T> {
    /// Separate from the entries: most look-ups touch two cache lines.
    tags: Vec<u64>,
    slots: Vec<T>,
    filled: usize,
    /// Most slots of the table.
    most: usize,
}

impl<T: Clone + Default> Recent<T> {
    /// With at most `most` slots, a power of two.
    pub fn within(most: usize) -> Self {
        Self { tags: Vec::new(), slots: Vec::new(), filled: 0, most: most.max(FIRST) }
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
        let first = self.first(tag);
        let way = self.tags.get(first..first + WAYS)?.iter().position(|t| *t == tag)?;
        self.slots.get(first + way)
    }

    /// Stores an entry under a tag.
    pub fn keep(&mut self, tag: u64, what: T) {
        if 4 * self.filled >= 3 * self.slots.len() && self.slots.len() < self.most {
            self.grow();
        }
        let first = self.first(tag);
        let Some(tags) = self.tags.get_mut(first..first + WAYS) else { return };
        let empty = tags.iter().position(|t| *t == EMPTY);
        // Which of them is needed least is unknown, so any one is replaced.
        let way = empty.unwrap_or((tag >> 32) as usize % WAYS);
        self.filled += usize::from(empty.is_some());
        if let (Some(place), Some(slot)) = (tags.get_mut(way), self.slots.get_mut(first + way)) {
            *place = tag;
            *slot = what;
        }
    }

    /// The first slot for a tag.
    fn first(&self, tag: u64) -> usize {
        (tag as usize & (self.tags.len() / WAYS).saturating_sub(1)) * WAYS
    }

    /// Makes the table four times as large, and moves its entries.
    fn grow(&mut self) {
        let len = (self.slots.len() * 4).clamp(FIRST.min(self.most), self.most);
        let tags = std::mem::replace(&mut self.tags, vec![EMPTY; len]);
        let slots = std::mem::replace(&mut self.slots, vec![T::default(); len]);
        self.filled = 0;
        for (tag, what) in tags.into_iter().zip(slots).filter(|(tag, _)| *tag != EMPTY) {
            let first = self.first(tag);
            let Some(tags) = self.tags.get_mut(first..first + WAYS) else { continue };
            let Some(way) = tags.iter().position(|t| *t == EMPTY) else { continue };
            if let Some(slot) = self.slots.get_mut(first + way) {
                tags[way] = tag;
                *slot = what;
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
        assert_eq!(table.slots.len(), 2 * FIRST);
        assert!((0..FIRST as u64).all(|n| table.get(tag(n)).is_none_or(|known| *known == n)));
        table.clear();
        assert_eq!(table.get(tag(1)), None);
    }
}
