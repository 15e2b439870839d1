//! Raw identifier values, in types that cannot be printed, logged or serialised by accident.
//!
//! [`Phi`] borrows a value from the wire. [`PhiBuf`] owns one while a record is open, and
//! overwrites it when dropped. [`WipedString`] is text on the way to a token or a mask. Neither has `Debug`, `Display` or `Serialize`. Code that needs the
//! text calls `expose`; only `identify` (masking, tokens, `--reveal`) has a reason to.

use std::ops::{Deref, DerefMut};
use zeroize::Zeroize as _;

/// A borrowed raw value: text in UTF-8, decoded from the wire's charset, otherwise unchanged.
#[derive(Clone, Copy)]
pub struct Phi<'a>(&'a str);

impl<'a> Phi<'a> {
    /// Marks `text` as a raw value.
    pub const fn new(text: &'a str) -> Self {
        Self(text)
    }
    /// The text itself. Never pass it to a formatter, a log or an error.
    pub const fn expose(self) -> &'a str {
        self.0
    }
    /// Whether it is only white space.
    pub fn is_blank(self) -> bool {
        self.0.trim().is_empty()
    }
    /// A copy that wipes itself.
    pub fn to_buf(self) -> PhiBuf {
        PhiBuf(WipedString(self.0.to_owned()))
    }
}

/// An owned raw value; zeroed when dropped.
#[derive(Clone, Default)]
pub struct PhiBuf(WipedString);

impl PhiBuf {
    /// Takes ownership of `text`.
    pub fn new(text: String) -> Self {
        Self(WipedString(text))
    }
    /// Overwrites the value and keeps the memory.
    pub fn wipe(&mut self) {
        self.0.wipe();
    }
    /// Replaces the value. The old one is overwritten, even if the new one needs more memory.
    pub fn set(&mut self, value: Phi<'_>) {
        self.wipe();
        if self.0.capacity() < value.0.len() {
            self.0 = WipedString::with_capacity(value.0.len().next_power_of_two());
        }
        self.0.push_str(value.0);
    }
    /// Borrows the value.
    pub fn as_phi(&self) -> Phi<'_> {
        Phi(&self.0)
    }
    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Overwrites bytes with zeros. `zeroize` writes them one by one.
pub fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    zeroize::optimization_barrier(bytes);
}

/// Text of at most this many bytes is overwritten byte by byte.
const SHORT: usize = 24;

/// Text that is overwritten when dropped, with all the memory that it has. When it grows beyond its capacity, what
/// it held stays where it was.
#[derive(Clone, Default)]
pub struct WipedString(String);

impl WipedString {
    /// An empty text with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(String::with_capacity(capacity))
    }
    /// Takes ownership of `text`.
    pub const fn new(text: String) -> Self {
        Self(text)
    }
    /// Overwrites the text and keeps the memory.
    pub fn wipe(&mut self) {
        if self.0.len() <= SHORT {
            self.0.as_mut_str().zeroize();
            return self.0.clear();
        }
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        wipe(&mut bytes);
        bytes.clear();
        // No bytes are a text.
        self.0 = String::from_utf8(bytes).unwrap_or_default();
    }
}

impl Drop for WipedString {
    fn drop(&mut self) {
        if self.0.capacity() == 0 {
            return;
        }
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        // The text may have been longer before.
        bytes.clear();
        bytes.resize(bytes.capacity(), 0);
        zeroize::optimization_barrier(bytes.as_slice());
    }
}

impl Deref for WipedString {
    type Target = String;
    fn deref(&self) -> &String {
        &self.0
    }
}

impl DerefMut for WipedString {
    fn deref_mut(&mut self) -> &mut String {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overwriting_keeps_the_memory_and_nothing_in_it() {
        let mut bytes = *b"Roe^Jane";
        wipe(&mut bytes[..3]);
        assert_eq!(&bytes, b"\0\0\0^Jane");
        let mut text = WipedString::with_capacity(64);
        let (at, room) = (text.as_ptr(), text.capacity());
        for value in ["", "Roe^Jane", &"Roe^Jane".repeat(7)] {
            text.push_str(value);
            text.wipe();
            assert!(text.is_empty());
        }
        text.push_str("Doe");
        assert_eq!((text.as_ptr(), text.capacity()), (at, room));
        let mut value = PhiBuf::new("Roe^Jane".to_owned());
        value.set(Phi::new("Doe^John^Quincy^Adams"));
        assert_eq!(value.as_phi().expose(), "Doe^John^Quincy^Adams");
        value.wipe();
        assert!(value.is_empty());
    }
}
