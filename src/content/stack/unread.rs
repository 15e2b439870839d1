//! Bytes of a payload that wait for more.

use zeroize::Zeroizing;

/// The bytes that a reader did not use yet, at most `MAX`.
#[derive(Default)]
pub struct Unread<const MAX: usize>(Zeroizing<Vec<u8>>);

impl<const MAX: usize> Unread<MAX> {
    /// Hands what is held and `bytes` to `read`, which says how many bytes it used and how many to come are
    /// of no interest: these. None if more than `MAX` bytes would wait; they are given up.
    pub fn read(&mut self, bytes: &[u8], read: impl FnOnce(&[u8]) -> (usize, u64)) -> Option<u64> {
        self.0.extend_from_slice(bytes);
        let (used, skip) = read(&self.0);
        let used = used.min(self.0.len());
        self.0.drain(..used);
        if self.0.len() > MAX {
            self.0.clear();
            return None;
        }
        Some(skip)
    }

    /// What is held, which is then gone.
    pub fn take(&mut self) -> Zeroizing<Vec<u8>> {
        std::mem::take(&mut self.0)
    }

    /// Gives up what is held.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.0.capacity()
    }
}
