//! How messages of each notation begin: HL7 v2, X12, EDIFACT, xDT, NCPDP, ASTM and POCT1-A; how files of signals
//! and frames of Zstandard do; the tokens of SQL; and the order of bytes.
//!
//! These notations travel bare over TCP, in framings of several protocols, and inside documents.
//! Protocols and content formats recognise them with the same functions.

pub mod astm;
mod byte_order;
pub mod ebcdic;
pub mod edifact;
pub mod hl7v2;
pub mod ncpdp;
pub mod percent;
pub mod poct1a;
pub mod recording;
pub mod sql;
pub mod x12;
pub mod xdt;
pub mod zstd;

pub use byte_order::ByteOrder;

/// Whether some bytes begin with what is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Match<T = ()> {
    /// They do.
    Yes(T),
    /// They do not, whatever follows.
    No,
    /// Not enough bytes to decide.
    More,
}

/// What a search in some bytes came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Search<T = ()> {
    /// It begins at this offset.
    Found(usize, T),
    /// It may begin at offset `at`: `need` bytes from there decide.
    Perhaps {
        /// Offset.
        at: usize,
        /// Bytes, counted from `at`.
        need: usize,
    },
    /// It does not begin in these bytes.
    None,
}

impl<T> Search<T> {
    /// It may begin at offset `at`, and all of `data` does not suffice to decide.
    pub const fn perhaps(at: usize, data: &[u8]) -> Self {
        Self::Perhaps { at, need: data.len().saturating_sub(at) + 1 }
    }
}

impl<T> Match<T> {
    /// `Yes` or `No`.
    pub fn of(found: Option<T>) -> Self {
        found.map_or(Self::No, Self::Yes)
    }

    /// Whether it is a match for certain.
    pub const fn is_yes(&self) -> bool {
        matches!(self, Self::Yes(_))
    }

    /// The same of something else.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Match<U> {
        match self {
            Self::Yes(found) => Match::Yes(with(found)),
            Self::No => Match::No,
            Self::More => Match::More,
        }
    }
}
