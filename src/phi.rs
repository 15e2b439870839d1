//! Raw identifier values, in types that cannot be printed, logged or serialised by accident.
//!
//! [`Phi`] borrows a value from the wire. [`PhiBuf`] owns one while a record is open, and
//! overwrites it when dropped. Neither has `Debug`, `Display` or `Serialize`. Code that needs the
//! text calls `expose`; only `identify` (masking, tokens, `--reveal`) has a reason to.

use zeroize::{Zeroize, Zeroizing};

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
        PhiBuf(Zeroizing::new(self.0.to_owned()))
    }
}

/// An owned raw value; zeroed when dropped.
#[derive(Clone, Default)]
pub struct PhiBuf(Zeroizing<String>);

impl PhiBuf {
    /// Takes ownership of `text`.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
    /// Overwrites the value and keeps the memory.
    pub fn wipe(&mut self) {
        self.0.as_mut_str().zeroize();
        self.0.clear();
    }
    /// Replaces the value. The old one is overwritten, even if the new one needs more memory.
    pub fn set(&mut self, value: Phi<'_>) {
        self.wipe();
        if self.0.capacity() < value.0.len() {
            self.0 = Zeroizing::new(String::with_capacity(value.0.len().next_power_of_two()));
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
