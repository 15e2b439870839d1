//! Heads of values in MessagePack (the specification on msgpack.org).

use super::Match;

/// The head of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Head {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// A number from zero on.
    Unsigned(u64),
    /// A number that may be negative.
    Signed(i64),
    /// The bits of a number of double precision.
    Float(u64),
    /// The bits of a number of single precision.
    Single(u32),
    /// Text of this many bytes, which follow.
    Text(usize),
    /// Bytes of this number, which follow.
    Binary(usize),
    /// An extension type; this many bytes follow.
    Extension(i8, usize),
    /// This many values follow.
    Array(usize),
    /// This many names with values follow.
    Map(usize),
}

impl Head {
    /// The head at the front of `data`, and its length.
    pub fn read(data: &[u8]) -> Match<(Self, usize)> {
        let Some((&first, rest)) = data.split_first() else { return Match::More };
        let number = |len: usize| {
            let bytes = rest.get(..len)?;
            Some(bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b)))
        };
        let head = |len: usize, of: &dyn Fn(u64) -> Self| match number(len) {
            Some(n) => Match::Yes((of(n), 1 + len)),
            None => Match::More,
        };
        let length = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let signed = |n: u64, len: u32| ((n << (64 - 8 * len)) as i64) >> (64 - 8 * len);
        let extension = |len: usize| match rest.first() {
            Some(kind) => Match::Yes((Self::Extension(*kind as i8, len), 2)),
            None => Match::More,
        };
        let counted = |size: usize| match (number(size), rest.get(size)) {
            (Some(len), Some(kind)) => {
                Match::Yes((Self::Extension(*kind as i8, length(len)), 2 + size))
            }
            _ => Match::More,
        };
        let fixed = |head: Self| Match::Yes((head, 1));
        match first {
            0..=0x7f => fixed(Self::Unsigned(first.into())),
            0x80..=0x8f => fixed(Self::Map(usize::from(first & 0x0f))),
            0x90..=0x9f => fixed(Self::Array(usize::from(first & 0x0f))),
            0xa0..=0xbf => fixed(Self::Text(usize::from(first & 0x1f))),
            0xc0 => fixed(Self::Nil),
            0xc1 => Match::No,
            0xc2 | 0xc3 => fixed(Self::Bool(first == 0xc3)),
            0xc4..=0xc6 => head(1 << (first - 0xc4), &|n| Self::Binary(length(n))),
            0xc7..=0xc9 => counted(1 << (first - 0xc7)),
            0xca => head(4, &|n| Self::Single(n as u32)),
            0xcb => head(8, &Self::Float),
            0xcc..=0xcf => head(1 << (first - 0xcc), &Self::Unsigned),
            0xd0..=0xd3 => {
                let len = 1u32 << (first - 0xd0);
                head(len as usize, &|n| Self::Signed(signed(n, len)))
            }
            0xd4..=0xd8 => extension(1 << (first - 0xd4)),
            0xd9..=0xdb => head(1 << (first - 0xd9), &|n| Self::Text(length(n))),
            0xdc | 0xdd => head(2 << (first - 0xdc), &|n| Self::Array(length(n))),
            0xde | 0xdf => head(2 << (first - 0xde), &|n| Self::Map(length(n))),
            0xe0..=0xff => fixed(Self::Signed((first as i8).into())),
        }
    }

    /// Bytes behind the head that belong to the value.
    pub const fn body(self) -> usize {
        match self {
            Self::Text(len) | Self::Binary(len) | Self::Extension(_, len) => len,
            _ => 0,
        }
    }
}
