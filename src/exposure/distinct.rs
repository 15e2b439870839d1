//! How many distinct patients: exactly up to a cap, then by HyperLogLog.
//!
//! Tokens are keyed hashes, uniform already, so their own bits serve the sketch, and nobody without
//! the key can choose values that fool it.

use super::types::{Count, PatientKey};
use foldhash::fast::RandomState;
use hashbrown::HashSet;

/// Tokens held one by one before the count becomes an estimate.
pub const MAX_EXACT: usize = 100_000;

/// 2^12 registers: 4 KiB, standard error 1.04 / sqrt(4096) = 1.6 %.
const PRECISION: u32 = 12;
const REGISTERS: usize = 1 << PRECISION;

/// A set of patients that only tells its size.
#[derive(Clone)]
pub struct Distinct(Form);

#[derive(Clone)]
enum Form {
    Exact(HashSet<PatientKey, RandomState>),
    Sketch {
        registers: Box<[u8; REGISTERS]>,
        /// What was certain when it became a sketch.
        floor: u64,
    },
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
            if set.contains(&patient) {
                return false;
            }
            if room && set.len() < MAX_EXACT {
                return set.insert(patient);
            }
            self.become_sketch();
        }
        if let Form::Sketch { registers, .. } = &mut self.0 {
            register(registers, patient);
        }
        false
    }

    /// Tokens held one by one.
    pub fn held(&self) -> usize {
        match &self.0 {
            Form::Exact(set) => set.len(),
            Form::Sketch { .. } => 0,
        }
    }

    /// How many distinct patients were added.
    pub fn count(&self) -> Count {
        match &self.0 {
            Form::Exact(set) => Count { value: set.len() as u64, estimate: false },
            Form::Sketch { registers, floor } => {
                Count { value: estimate(registers).max(*floor), estimate: true }
            }
        }
    }

    fn become_sketch(&mut self) {
        if let Form::Exact(set) = &self.0 {
            let mut registers = Box::new([0; REGISTERS]);
            for &token in set {
                register(&mut registers, token);
            }
            self.0 = Form::Sketch { registers, floor: set.len() as u64 };
        }
    }
}

fn register(registers: &mut [u8; REGISTERS], token: PatientKey) {
    let [a, b, c, d, e, f, g, h, ..] = *token.bytes();
    let hash = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let index = (hash >> (64 - PRECISION)) as usize;
    // The guard bit bounds the rank where all remaining bits are zero.
    let rank = ((hash << PRECISION) | 1 << (PRECISION - 1)).leading_zeros() as u8 + 1;
    if let Some(register) = registers.get_mut(index) {
        *register = (*register).max(rank);
    }
}

/// Flajolet et al., "HyperLogLog" (2007), with its small-range correction; 64-bit hashes need none
/// for large ranges.
fn estimate(registers: &[u8; REGISTERS]) -> u64 {
    let m = REGISTERS as f64;
    let sum: f64 = registers.iter().map(|&r| 2f64.powi(-i32::from(r))).sum();
    let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
    let empty = registers.iter().filter(|&&r| r == 0).count();
    let value = if raw <= 2.5 * m && empty > 0 { m * (m / empty as f64).ln() } else { raw };
    value.round() as u64
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
