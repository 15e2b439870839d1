//! How an interchange begins, or a transaction set without one: both tell the delimiters.

use super::{Delimiters, ISA_ELEMENTS, MAX_BARE, MAX_ISA, Reader, is_filler, is_separator};
use crate::content::Reason;

impl Reader {
    /// Collects ISA until its delimiters are known. Returns how much of `bytes` was used.
    pub(super) fn header(&mut self, bytes: &[u8]) -> Result<usize, Reason> {
        let mut used = 0;
        for &byte in bytes {
            used += 1;
            if self.pending.is_empty() && is_filler(byte) {
                continue;
            }
            self.pending.push(byte);
            if self.pending.len() <= MAX_BARE && self.without_envelope()? {
                break;
            }
            if self.is_bare() {
                continue;
            }
            if !b"ISA".iter().zip(self.pending.iter()).all(|(a, b)| a == b) {
                return Err(Reason::Malformed);
            }
            let Some(&element) = self.pending.get(3) else { continue };
            if !is_separator(element) || self.pending.len() > MAX_ISA {
                return Err(Reason::Malformed);
            }
            // Behind the sixteenth separator: the component separator, then the terminator.
            if let [before @ .., component, terminator] = self.pending.as_slice()
                && *component != element
                && before.last() == Some(&element)
                && before.iter().filter(|b| **b == element).count() == ISA_ELEMENTS
            {
                self.delimiters = Some(Delimiters { element, terminator: *terminator });
                self.pending.clear();
                break;
            }
        }
        Ok(used)
    }

    /// Whether a transaction set or a functional group begins without an interchange around it.
    fn is_bare(&self) -> bool {
        [&b"ST"[..], b"GS"].iter().any(|name| self.pending.starts_with(name))
            || matches!(self.pending.as_slice(), [b'S' | b'G'])
    }

    /// Learns the delimiters of a transaction set without an envelope from its first segment, which is read then: the
    /// terminator is the first byte that is neither the separator nor part of an element.
    fn without_envelope(&mut self) -> Result<bool, Reason> {
        if !self.is_bare() {
            return Ok(false);
        }
        let [.., last] = self.pending.as_slice() else { return Ok(false) };
        let Some(&element) = self.pending.get(2) else { return Ok(false) };
        let inside = *last == element
            || last.is_ascii_alphanumeric()
            || matches!(last, b' ' | b'.' | b'-' | b'_' | b':' | b'>' | b'/');
        if inside || self.pending.len() <= 3 {
            return if self.pending.len() < MAX_BARE { Ok(false) } else { Err(Reason::Malformed) };
        }
        self.delimiters = Some(Delimiters { element, terminator: *last });
        self.pending.pop();
        Ok(true)
    }
}
