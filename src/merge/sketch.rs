//! Counts distinct members: exactly while the set is small, then by HyperLogLog. Its form depends
//! only on its members, so union is associative.

use crate::exposure::Count;
use std::collections::BTreeSet;

/// Most members held individually.
const MAX_EXACT: usize = 128;
/// 2^12 registers: standard error 1.6 %.
const PRECISION: u32 = 12;
/// Registers of a sketch, one byte each.
pub(super) const REGISTERS: usize = 1 << PRECISION;
/// The highest rank: 52 bits that are all zero.
const MAX_RANK: u8 = 64 - PRECISION as u8 + 1;

/// A set of hashes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum HashedSet {
    Exact(BTreeSet<u64>),
    Sketch(Box<[u8; REGISTERS]>),
}

impl Default for HashedSet {
    fn default() -> Self {
        Self::Exact(BTreeSet::new())
    }
}

impl HashedSet {
    /// Restores a sketch from its registers; none if their number or values are impossible.
    pub fn of_registers(registers: &[u8]) -> Option<Self> {
        let registers: [u8; REGISTERS] = registers.try_into().ok()?;
        registers.iter().all(|rank| *rank <= MAX_RANK).then(|| Self::Sketch(Box::new(registers)))
    }

    pub fn insert(&mut self, hash: u64) {
        match self {
            Self::Exact(set) => {
                set.insert(hash);
                if set.len() > MAX_EXACT {
                    self.registers();
                }
            }
            Self::Sketch(registers) => raise(registers, hash),
        }
    }

    pub fn union(&mut self, other: &Self) {
        match other {
            Self::Exact(set) => set.iter().for_each(|hash| self.insert(*hash)),
            Self::Sketch(theirs) => {
                let ours = self.registers();
                ours.iter_mut().zip(theirs.iter()).for_each(|(a, b)| *a = (*a).max(*b));
            }
        }
    }

    /// Converts the set to registers, and returns them.
    fn registers(&mut self) -> &mut [u8; REGISTERS] {
        if let Self::Exact(set) = self {
            let mut registers = Box::new([0; REGISTERS]);
            set.iter().for_each(|hash| raise(&mut registers, *hash));
            *self = Self::Sketch(registers);
        }
        match self {
            Self::Sketch(registers) => registers,
            Self::Exact(_) => unreachable!("made a sketch above"),
        }
    }

    /// The number of members.
    pub fn count(&self) -> Count {
        match self {
            Self::Exact(set) => Count { value: set.len() as u64, estimate: false },
            Self::Sketch(registers) => Count { value: estimate(registers), estimate: true },
        }
    }
}

fn raise(registers: &mut [u8; REGISTERS], hash: u64) {
    let index = (hash >> (64 - PRECISION)) as usize;
    // The guard bit bounds the rank if all remaining bits are zero.
    let rank = ((hash << PRECISION) | 1 << (PRECISION - 1)).leading_zeros() as u8 + 1;
    if let Some(register) = registers.get_mut(index) {
        *register = (*register).max(rank);
    }
}

/// Flajolet et al., "HyperLogLog" (2007), with the small-range correction.
fn estimate(registers: &[u8; REGISTERS]) -> u64 {
    let m = REGISTERS as f64;
    let sum: f64 = registers.iter().map(|rank| 0.5f64.powi(i32::from(*rank))).sum();
    let empty = registers.iter().filter(|rank| **rank == 0).count();
    let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
    let linear = raw <= 2.5 * m && empty > 0;
    let value = if linear { m * (m / empty as f64).ln() } else { raw };
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(from: u64, to: u64) -> HashedSet {
        let mut set = HashedSet::default();
        for n in from..to {
            let hash = blake3::hash(&n.to_be_bytes());
            set.insert(u64::from_be_bytes(hash.as_bytes()[..8].try_into().expect("8 bytes")));
        }
        set
    }

    #[test]
    fn is_exact_while_small_and_close_beyond() {
        assert_eq!(set(0, 128).count(), Count { value: 128, estimate: false });
        for (n, most) in [(129, 132), (20_000, 21_000), (200_000, 210_000)] {
            let count = set(0, n).count();
            assert!(count.estimate && count.value.abs_diff(n) <= most - n, "{n}: {count:?}");
        }
    }

    #[test]
    fn the_form_depends_on_the_members_alone() {
        for (a, b, c) in [((0, 60), (50, 90), (30, 128)), ((0, 90), (90, 200), (0, 9))] {
            let [a, b, c] = [a, b, c].map(|(from, to)| set(from, to));
            let (mut left, mut right, mut twice) = (a.clone(), b.clone(), c.clone());
            left.union(&b);
            left.union(&c);
            right.union(&c);
            right.union(&a);
            twice.union(&a);
            twice.union(&a);
            twice.union(&b);
            assert_eq!(left, right);
            assert_eq!(left, twice);
        }
    }

    #[test]
    fn registers_that_no_sketch_has_are_refused() {
        assert!(HashedSet::of_registers(&[0; REGISTERS]).is_some());
        assert!(HashedSet::of_registers(&[MAX_RANK; REGISTERS]).is_some());
        assert!(HashedSet::of_registers(&[MAX_RANK + 1; REGISTERS]).is_none());
        assert!(HashedSet::of_registers(&[0; 12]).is_none());
    }
}
