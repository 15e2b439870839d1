//! Index of a flow's patients: hashes of their ids, names and numbers.
//!
//! Most flows concern one patient or a few. Their clues are in one short sorted list, which costs a fraction of a
//! table; a flow with more gets a table.

use hashbrown::HashTable;
use smallvec::SmallVec;

/// Patients kept for one clue: a common name must not lead to thousands for each record.
const MAX_CANDIDATES: usize = 8;

/// Clues in a list.
const FEW: usize = 96;

/// Clues to patients, by their hashes. Patients are identified by their index in the order of appearance.
#[derive(Default)]
pub(super) struct MatchIndex {
    /// By hash, then by index.
    few: Vec<(u64, u32)>,
    /// An entry for each patient of a clue.
    many: HashTable<(u64, u32)>,
}

impl MatchIndex {
    /// The patients that a clue leads to, in order of appearance.
    pub fn candidates(&self, clue: u64) -> SmallVec<[u32; MAX_CANDIDATES]> {
        if self.many.is_empty() {
            return self.range(clue).map(|(_, place)| *place).collect();
        }
        let of = self.many.iter_hash(clue).filter(|(other, _)| *other == clue);
        let mut places: SmallVec<[u32; MAX_CANDIDATES]> = of.map(|(_, place)| *place).collect();
        places.sort_unstable();
        places
    }

    /// Whether a clue leads to any patient.
    pub fn leads(&self, clue: u64) -> bool {
        match self.many.is_empty() {
            true => self.range(clue).next().is_some(),
            false => self.many.find(clue, |(other, _)| *other == clue).is_some(),
        }
    }

    /// Adds a clue to the patient at `place`. Returns the bytes of heap that it takes, roughly.
    pub fn add(&mut self, clue: u64, place: u32) -> usize {
        if self.many.is_empty() {
            if self.range(clue).len() >= MAX_CANDIDATES {
                return 0;
            }
            let Err(at) = self.few.binary_search(&(clue, place)) else { return 0 };
            if self.few.len() < FEW {
                self.few.insert(at, (clue, place));
                return 2 * size_of::<(u64, u32)>();
            }
            for entry in std::mem::take(&mut self.few) {
                self.many.insert_unique(entry.0, entry, |(clue, _)| *clue);
            }
            let list = 2 * FEW * size_of::<(u64, u32)>();
            let table = self.many.len() * Self::ENTRY;
            return table.saturating_sub(list) + self.put(clue, place);
        }
        self.put(clue, place)
    }

    /// Bytes of an entry of the table, and of the room between them.
    const ENTRY: usize = 2 * size_of::<(u64, u32)>();

    fn put(&mut self, clue: u64, place: u32) -> usize {
        let mut others = 0;
        for (other, known) in self.many.iter_hash(clue) {
            others += usize::from(*other == clue);
            if (*other, *known) == (clue, place) || others >= MAX_CANDIDATES {
                return 0;
            }
        }
        // Clues are hashes already.
        self.many.insert_unique(clue, (clue, place), |(clue, _)| *clue);
        Self::ENTRY
    }

    fn range(&self, clue: u64) -> std::slice::Iter<'_, (u64, u32)> {
        let start = self.few.partition_point(|(other, _)| *other < clue);
        let rest = self.few.get(start..).unwrap_or_default();
        let len = rest.iter().take_while(|(other, _)| *other == clue).count();
        rest.get(..len).unwrap_or_default().iter()
    }
}

#[cfg(test)]
impl MatchIndex {
    /// The longest list of candidates for one clue.
    pub fn most_candidates(&self) -> usize {
        let all = self.few.iter().chain(&self.many);
        all.map(|(clue, _)| self.candidates(*clue).len()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_and_a_table_lead_to_the_same_patients_in_the_same_order() {
        // The same clues, in a list and in a table that others have filled before.
        let (mut list, mut table) = (MatchIndex::default(), MatchIndex::default());
        for other in 0..=FEW as u64 {
            table.add(1 << 32 | other, 7);
        }
        assert!(!table.many.is_empty());
        let mut bytes = 0;
        for (clue, place) in [(3, 9), (3, 2), (5, 2), (3, 2), (4, 9), (3, 11), (5, 1)] {
            bytes += list.add(clue, place);
            table.add(clue, place);
        }
        for place in 20..20 + 2 * MAX_CANDIDATES as u32 {
            list.add(6, place);
            table.add(6, place);
        }
        assert!(list.many.is_empty() && bytes > 0);
        for clue in 0..10 {
            let found = list.candidates(clue);
            assert_eq!(found, table.candidates(clue), "{clue}");
            assert_eq!(list.leads(clue), !found.is_empty());
        }
        assert_eq!(list.candidates(3).as_slice(), [2, 9, 11]);
        assert_eq!(list.most_candidates(), MAX_CANDIDATES);
        // Filled up, the list becomes a table and nothing is lost.
        for clue in 100..100 + FEW as u64 {
            list.add(clue, 1);
        }
        assert!(list.few.is_empty());
        assert_eq!(list.candidates(3).as_slice(), [2, 9, 11]);
        assert!((100..100 + FEW as u64).all(|clue| list.leads(clue)));
    }
}
