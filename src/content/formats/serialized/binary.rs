//! Reads binary values.

use super::{MAX_DEPTH, MAX_VALUES};

/// The rest of a value, and what may still be read of it.
pub(super) struct Input<'a> {
    rest: &'a [u8],
    values: usize,
}

impl<'a> Input<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, values: 0 }
    }

    /// What was not taken yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// The next bytes.
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    /// A number of so many bytes, the highest first.
    pub(super) fn big(&mut self, len: usize) -> Option<u64> {
        Some(self.take(len)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A number of so many bytes, the lowest first.
    pub(super) fn little(&mut self, len: usize) -> Option<u64> {
        Some(self.take(len)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The text up to a line end.
    pub(super) fn line(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(b'\n', self.rest)?;
        let line = self.take(end)?;
        self.byte()?;
        Some(line)
    }

    /// Counts a value at this depth.
    pub(super) fn count(&mut self, depth: usize) -> Option<()> {
        self.values += 1;
        (depth <= MAX_DEPTH && self.values <= MAX_VALUES).then_some(())
    }
}

/// Whether bytes begin with a name: a letter and readable ASCII.
pub(super) fn is_name(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && bytes.iter().all(|b| b.is_ascii_graphic() || *b == b' ')
}
