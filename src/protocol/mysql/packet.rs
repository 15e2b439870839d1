//! Packets, length-encoded numbers and strings.

use super::super::sql::Fields;

/// Length of a packet's header.
pub const HEADER: usize = 4;
/// A packet of this length is followed by another one that continues it.
pub const FULL: usize = 0xFF_FFFF;

/// A packet's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Bytes behind the header.
    pub length: usize,
    /// Counts the packets of one command from 0.
    pub sequence: u8,
}

impl Header {
    /// From the front of `data`.
    pub fn read(data: &[u8]) -> Option<Self> {
        match data {
            [a, b, c, sequence, ..] => Some(Self {
                length: usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16,
                sequence: *sequence,
            }),
            _ => None,
        }
    }
}

impl<'a> Fields<'a> {
    /// A length-encoded number; `None` also for NULL (0xFB).
    pub fn length(&mut self) -> Option<u64> {
        let len = match self.number(1)? {
            n @ 0..=0xFA => return Some(n),
            0xFC => 2,
            0xFD => 3,
            0xFE => 8,
            _ => return None,
        };
        self.number(len)
    }

    /// A length-encoded string.
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let len = self.length()?;
        self.bytes(usize::try_from(len).ok()?)
    }
}
