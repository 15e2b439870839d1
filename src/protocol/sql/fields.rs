//! Numbers and strings from the front of a message. Numbers are little-endian.

/// The unread bytes of a message.
#[derive(Clone, Copy)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of `len` bytes, at most 8.
    pub fn number(&mut self, len: usize) -> Option<u64> {
        Some(little(self.bytes(len.min(8))?))
    }

    /// A null-terminated string.
    pub fn terminated(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(0, self.0)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Some(text)
    }
}

/// The number in the first 8 bytes, the least significant first.
pub fn little(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

/// The same, signed; of fewer than 8 bytes the highest bit is the sign.
pub fn signed(bytes: &[u8]) -> i64 {
    let shift = 64 - 8 * bytes.len().clamp(1, 8) as u32;
    ((little(bytes) << shift) as i64) >> shift
}

/// Whether the bit of a value is set in a bitmap of NULLs.
pub fn is_null(bitmap: &[u8], at: usize) -> bool {
    bitmap.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1)
}
