//! Counts distinct patients: exactly up to a cap, then by HyperLogLog.
//!
//! Tokens are keyed hashes and already uniform, so their own bits feed the sketch. Without the key,
//! no value can be chosen to mislead it.

use super::types::{Count, PatientKey};
use foldhash::fast::RandomState;
use hashbrown::HashSet;
use std::hint::black_box;

/// Tokens held one by one before the count becomes an estimate.
pub const MAX_EXACT: usize = 100_000;

/// 2^12 registers: 4 KiB, standard error 1.04 / sqrt(4096) = 1.6 %.
const PRECISION: u32 = 12;
const REGISTERS: usize = 1 << PRECISION;

/// A set of patients that only knows its size.
#[derive(Clone)]
pub struct Distinct(Form);

#[derive(Clone)]
enum Form {
    Exact(HashSet<PatientKey, RandomState>),
    Sketch(Box<Sketch>),
}

/// Registers with the two sums that the estimate needs, so that it can be read at no cost.
#[derive(Clone)]
struct Sketch {
    registers: [u8; REGISTERS],
    /// Sum of 2^-register, in units of 2^-64: exact, whatever the order.
    sum: u128,
    /// Registers still at 0.
    empty: u32,
    /// The exact count when it became a sketch.
    floor: u64,
}

impl Default for Distinct {
    fn default() -> Self {
        Self(Form::Exact(HashSet::default()))
    }
}

impl Distinct {
    /// Adds a patient. `room` says whether another token may be held; without room, or beyond
    /// [`MAX_EXACT`], the set becomes a sketch. True if a token is now held that was not before.
    pub fn insert(&mut self, patient: PatientKey, room: bool) -> bool {
        if let Form::Exact(set) = &mut self.0 {
            if room && set.len() < MAX_EXACT {
                return set.insert(patient);
            }
            if set.contains(&patient) {
                return false;
            }
            self.become_sketch();
        }
        if let Form::Sketch(sketch) = &mut self.0 {
            sketch.insert(patient);
        }
        false
    }

    /// Loads what [`Self::insert`] will need of a patient.
    pub fn warm(&self, patient: PatientKey) {
        if let Form::Exact(set) = &self.0 {
            black_box(set.contains(&patient));
        }
    }

    /// Removes a patient who turned out to be another one. Returns whether it was there; a sketch keeps both.
    pub fn forget(&mut self, patient: PatientKey) -> bool {
        match &mut self.0 {
            Form::Exact(set) => set.remove(&patient),
            Form::Sketch(_) => false,
        }
    }

    /// Adds all of another set, as if each had been inserted here.
    pub fn merge(&mut self, other: &Self) {
        match &other.0 {
            Form::Exact(set) => {
                for &patient in set {
                    self.insert(patient, true);
                }
            }
            Form::Sketch(theirs) => {
                self.become_sketch();
                if let Form::Sketch(ours) = &mut self.0 {
                    ours.merge(theirs);
                }
            }
        }
    }

    /// Tokens held one by one.
    pub fn held(&self) -> usize {
        match &self.0 {
            Form::Exact(set) => set.len(),
            Form::Sketch(_) => 0,
        }
    }

    /// The tokens held one by one.
    pub fn tokens(&self) -> impl Iterator<Item = PatientKey> + '_ {
        let set = match &self.0 {
            Form::Exact(set) => Some(set),
            Form::Sketch(_) => None,
        };
        set.into_iter().flatten().copied()
    }

    /// How many distinct patients were added.
    pub fn count(&self) -> Count {
        match &self.0 {
            Form::Exact(set) => Count { value: set.len() as u64, estimate: false },
            Form::Sketch(sketch) => Count { value: sketch.estimate(), estimate: true },
        }
    }

    fn become_sketch(&mut self) {
        if let Form::Exact(set) = &self.0 {
            let mut sketch = Box::new(Sketch {
                registers: [0; REGISTERS],
                sum: (REGISTERS as u128) << 64,
                empty: REGISTERS as u32,
                floor: set.len() as u64,
            });
            for &token in set {
                sketch.insert(token);
            }
            self.0 = Form::Sketch(sketch);
        }
    }
}

impl Sketch {
    fn insert(&mut self, token: PatientKey) {
        let [a, b, c, d, e, f, g, h, ..] = *token.bytes();
        let hash = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let index = (hash >> (64 - PRECISION)) as usize;
        // The guard bit bounds the rank (53) where all remaining bits are zero.
        let rank = ((hash << PRECISION) | 1 << (PRECISION - 1)).leading_zeros() as u8 + 1;
        self.raise(index, rank);
    }

    fn merge(&mut self, other: &Self) {
        for (index, &rank) in other.registers.iter().enumerate() {
            self.raise(index, rank);
        }
        self.floor = self.floor.max(other.floor);
    }

    fn raise(&mut self, index: usize, rank: u8) {
        if let Some(register) = self.registers.get_mut(index)
            && *register < rank
        {
            self.empty -= u32::from(*register == 0);
            self.sum -= (1 << (64 - *register)) - (1 << (64 - rank));
            *register = rank;
        }
    }

    /// Flajolet et al., "HyperLogLog" (2007), with its small-range correction; 64-bit hashes need
    /// none for large ranges.
    fn estimate(&self) -> u64 {
        let m = REGISTERS as f64;
        let sum = self.sum as f64 / 2f64.powi(64);
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let linear = raw <= 2.5 * m && self.empty > 0;
        let value = if linear { m * (m / f64::from(self.empty)).ln() } else { raw };
        (value.round() as u64).max(self.floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::Token;

    fn token(n: u64) -> Token {
        let hash = blake3::hash(&n.to_be_bytes());
        Token::of(hash.as_bytes()[..12].try_into().expect("12 bytes"))
    }

    #[test]
    fn counts_exactly_up_to_the_cap() {
        let mut set = Distinct::default();
        for n in 0..1000 {
            assert!(set.insert(token(n), true));
            assert!(!set.insert(token(n), true));
        }
        assert_eq!(set.count(), Count { value: 1000, estimate: false });
        assert_eq!(set.held(), 1000);
    }

    #[test]
    fn estimates_within_five_per_cent_beyond_the_cap() {
        let mut set = Distinct::default();
        for n in 0..150_000 {
            set.insert(token(n), true);
        }
        let count = set.count();
        assert!(count.estimate && set.held() == 0);
        assert!((142_500..157_500).contains(&count.value), "{}", count.value);
        // What is known already adds nothing.
        for n in 0..150_000 {
            set.insert(token(n), true);
        }
        assert_eq!(set.count(), count);
    }

    #[test]
    fn merging_is_the_same_as_inserting() {
        let set = |from: u64, to: u64| {
            let mut set = Distinct::default();
            (from..to).for_each(|n| {
                set.insert(token(n), true);
            });
            set
        };
        for (a, b) in [
            ((0, 10), (5, 15)),
            ((0, 120_000), (119_000, 119_010)),
            ((0, 10), (5, 120_000)),
            ((0, 110_000), (50_000, 160_000)),
        ] {
            let mut merged = set(a.0, a.1);
            merged.merge(&set(b.0, b.1));
            let mut whole = set(a.0, a.1);
            (b.0..b.1).for_each(|n| {
                whole.insert(token(n), true);
            });
            assert_eq!(merged.count(), whole.count(), "{a:?} {b:?}");
            let (low, high) = merged.count().bounds();
            let truth = a.1.max(b.1);
            assert!((low..=high).contains(&truth), "{low} {truth} {high}");
        }
    }

    #[test]
    fn who_turned_out_to_be_another_is_counted_once() {
        let mut set = Distinct::default();
        (0..3).for_each(|n| {
            set.insert(token(n), true);
        });
        set.forget(token(1));
        set.forget(token(7));
        assert_eq!(set.count(), Count { value: 2, estimate: false });
        assert_eq!(set.count().bounds(), (2, 2));
    }

    #[test]
    fn without_room_a_small_set_becomes_an_estimate_and_stays_close() {
        let mut set = Distinct::default();
        for n in 0..100 {
            set.insert(token(n), n < 50);
        }
        let count = set.count();
        assert!(count.estimate);
        assert!((95..=105).contains(&count.value), "{}", count.value);
    }
}
