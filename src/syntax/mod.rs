//! Recognises the beginning of messages (HL7 v2, X12, EDIFACT, xDT, NCPDP, ASTM, POCT1-A, BCI),
//! recordings of signals, serialised objects, ESC/POS and Zstandard frames. Also holds the tokens of SQL, EBCDIC,
//! base64, percent-encoding and byte order.
//!
//! These notations travel bare over TCP, in the framings of several protocols, and inside
//! documents. Protocols and content formats share these functions.

pub mod astm;
pub mod base64;
pub mod bci;
mod byte_order;
pub mod ebcdic;
pub mod edifact;
pub mod escpos;
pub mod hl7v2;
pub mod msgpack;
pub mod ncpdp;
pub mod percent;
pub mod poct1a;
pub mod recording;
pub mod serialized;
pub mod sql;
pub mod x12;
pub mod xdt;
pub mod zstd;

pub use byte_order::ByteOrder;

/// Whether some bytes begin with a notation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Match<T = ()> {
    /// They do.
    Yes(T),
    /// They do not, whatever follows.
    No,
    /// Not enough bytes to decide.
    More,
}

/// Why an element cannot be read from the front of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElementError {
    /// There are too few bytes: at least this many are needed, counted from the front.
    Need(usize),
    /// They are malformed.
    Malformed,
}

/// The result of a search in some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Search<T = ()> {
    /// It begins at this offset.
    Found(usize, T),
    /// It may begin at offset `at`; `need` bytes from there decide.
    Perhaps {
        /// Offset in the bytes searched.
        at: usize,
        /// Bytes, counted from `at`.
        need: usize,
    },
    /// It does not begin in these bytes.
    None,
}

impl<T> Search<T> {
    /// It may begin at offset `at`, and `data` ends before that can be decided.
    pub const fn perhaps(at: usize, data: &[u8]) -> Self {
        Self::Perhaps { at, need: data.len().saturating_sub(at) + 1 }
    }
}

impl<T> Match<T> {
    /// `Yes` if found, otherwise `No`.
    pub fn of(found: Option<T>) -> Self {
        found.map_or(Self::No, Self::Yes)
    }

    /// Whether it is `Yes`.
    pub const fn is_yes(&self) -> bool {
        matches!(self, Self::Yes(_))
    }

    /// Maps the value of a match.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Match<U> {
        match self {
            Self::Yes(found) => Match::Yes(with(found)),
            Self::No => Match::No,
            Self::More => Match::More,
        }
    }
}
