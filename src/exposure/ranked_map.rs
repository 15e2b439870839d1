//! A table of fixed size that evicts the least valuable entries first.

use crate::protocol::{Role, ServiceFacts};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::hash::Hash;

/// How valuable an entry is, the least first. Anyone can send one request to an invented address; such entries must
/// not displace the services of a hospital.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(in crate::exposure) enum EvictionRank {
    /// It was addressed; no sign that it exists was seen.
    #[default]
    Asked,
    /// It answered.
    Answered,
    /// It speaks a medical protocol or holds medical content, and did not answer.
    MedicalAsked,
    /// It speaks a medical protocol or holds medical content, and answered.
    Medical,
    /// Patients were seen with it.
    Patients,
}

impl EvictionRank {
    /// The rank of a service by its role and its facts.
    pub fn of(role: Role, facts: &ServiceFacts) -> Self {
        let medical = role.is_medical();
        let answered = facts.status().is_some()
            || facts.software().is_some()
            || facts.admission().is_some()
            || facts.messages.as_ref().is_some_and(|m| m.acknowledged == Some(true));
        match (medical, answered) {
            (false, false) => Self::Asked,
            (false, true) => Self::Answered,
            (true, false) => Self::MedicalAsked,
            (true, true) => Self::Medical,
        }
    }
}

struct Entry<V> {
    worth: EvictionRank,
    /// When it was last moved to the end of its rank.
    seen: u64,
    value: V,
}

/// At most this many entries. A new one replaces the least valuable one that was seen least recently, unless all are
/// more valuable.
pub(in crate::exposure) struct RankedMap<K, V> {
    entries: HashMap<K, Entry<V>, RandomState>,
    order: BTreeSet<(EvictionRank, u64, K)>,
    clock: u64,
    most: usize,
    /// New entries that found no room.
    pub refused: u64,
    /// The last entry that was evicted.
    gone: Option<V>,
}

impl<K: Ord + Copy + Hash, V: Default> RankedMap<K, V> {
    pub fn new(most: usize) -> Self {
        Self {
            entries: HashMap::default(),
            order: BTreeSet::new(),
            clock: 0,
            most,
            refused: 0,
            gone: None,
        }
    }

    /// The entry of `key`, seen now, with at least the rank `worth`; created if missing. `None` if there is no room
    /// for it.
    pub fn see(&mut self, key: K, worth: EvictionRank) -> Option<&mut V> {
        self.clock += 1;
        if self.entries.len() >= self.most && !self.entries.contains_key(&key) {
            let &least = self.order.first()?;
            if least.0 > worth {
                self.refused += 1;
                return None;
            }
            self.order.remove(&least);
            self.gone = self.entries.remove(&least.2).map(|entry| entry.value);
        }
        let (order, seen) = (&mut self.order, self.clock);
        let entry = self.entries.entry(key).or_insert_with(|| {
            order.insert((worth, seen, key));
            Entry { worth, seen, value: V::default() }
        });
        // Exact order costs more than it is worth.
        if worth > entry.worth || seen - entry.seen > self.most as u64 / 4 {
            order.remove(&(entry.worth, entry.seen, key));
            entry.worth = entry.worth.max(worth);
            entry.seen = seen;
            order.insert((entry.worth, entry.seen, key));
        }
        Some(&mut entry.value)
    }

    /// The entry that was evicted for the last new one.
    pub fn take_gone(&mut self) -> Option<V> {
        self.gone.take()
    }

    /// The entry of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// All of them, in the order of their keys.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        let mut all: Vec<_> = self.entries.iter_mut().map(|(k, e)| (*k, &mut e.value)).collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worth_least_and_was_not_seen_for_longest_goes_first() {
        let mut held: RankedMap<u32, bool> = RankedMap::new(100);
        for key in 0..10 {
            *held.see(key, EvictionRank::Medical).expect("room") = true;
        }
        for key in 1000..100_000 {
            held.see(key, EvictionRank::Asked).expect("room");
            assert_eq!(held.entries.len(), held.order.len());
        }
        assert_eq!(held.entries.len(), 100);
        assert!((0..10).all(|key| held.get(&key) == Some(&true)));
        assert!((99_910..100_000).all(|key| held.get(&key).is_some()));
        // What proves itself moves up.
        assert!(held.see(99_950, EvictionRank::Answered).is_some());
        for key in 200_000..201_000 {
            held.see(key, EvictionRank::Asked);
        }
        assert!(held.get(&99_950).is_some() && held.get(&99_951).is_none());
    }

    #[test]
    fn nothing_gives_way_to_what_is_worth_less() {
        let mut held: RankedMap<u32, ()> = RankedMap::new(2);
        held.see(1, EvictionRank::Medical);
        held.see(2, EvictionRank::Patients);
        assert!(held.see(3, EvictionRank::Answered).is_none());
        assert!(held.see(4, EvictionRank::Medical).is_some());
        assert_eq!((held.refused, held.get(&1), held.get(&2)), (1, None, Some(&())));
    }
}
