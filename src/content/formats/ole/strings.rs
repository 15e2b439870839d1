//! Strings of BIFF8 (MS-XLS 2.5.293), which may continue in the next record.

use zeroize::Zeroizing;

/// Text of shared strings that is kept, bytes, and their number.
const MAX_TEXT: usize = 16 << 20;
const MAX_STRINGS: usize = 4 << 20;
/// Longest shared string kept, bytes.
const MAX_STRING: usize = 32 << 10;

/// Flags of a string: two bytes a character, reading aids, formats.
const WIDE: u8 = 1;
const EXTENDED: u8 = 4;
const RICH: u8 = 8;

/// A record and the ones that continue it.
pub struct Segments<'a> {
    all: Vec<&'a [u8]>,
    /// The current segment, and its unread part.
    segment: usize,
    rest: &'a [u8],
}

impl<'a> Segments<'a> {
    pub fn new(first: &'a [u8]) -> Self {
        Self { all: vec![first], segment: 0, rest: first }
    }

    pub fn push(&mut self, more: &'a [u8]) {
        self.all.push(more);
    }

    fn next_segment(&mut self) -> Option<()> {
        self.segment += 1;
        self.rest = self.all.get(self.segment)?;
        Some(())
    }

    /// The next bytes, `len` at most; they lie in one segment.
    fn piece(&mut self, len: usize) -> Option<&'a [u8]> {
        while self.rest.is_empty() {
            self.next_segment()?;
        }
        let (piece, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        Some(piece)
    }

    fn number(&mut self, len: usize) -> Option<usize> {
        let mut number = 0;
        for at in 0..len {
            number |= usize::from(*self.piece(1)?.first()?) << (8 * at);
        }
        Some(number)
    }

    fn skip(&mut self, mut len: usize) -> Option<()> {
        while len > 0 {
            len -= self.piece(len)?.len();
        }
        Some(())
    }

    /// The next string, of which at most `most` bytes are kept.
    pub fn string(&mut self, most: usize) -> Option<String> {
        let mut left = self.number(2)?;
        let mut flags = self.number(1)? as u8;
        let runs = if flags & RICH != 0 { self.number(2)? } else { 0 };
        let extended = if flags & EXTENDED != 0 { self.number(4)? } else { 0 };
        let mut text = String::new();
        while left > 0 {
            if self.rest.is_empty() {
                // In the next record the flag repeats the width of characters.
                self.next_segment()?;
                flags = self.number(1)? as u8;
            }
            let width = if flags & WIDE != 0 { 2 } else { 1 };
            let here = left.min(self.rest.len() / width);
            if here == 0 {
                // Half a character.
                self.rest = &[];
                left -= 1;
                continue;
            }
            let piece = self.piece(here * width)?;
            left -= here;
            if text.len() < most {
                let units: Vec<u16> = match width {
                    2 => piece.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect(),
                    _ => piece.iter().map(|b| u16::from(*b)).collect(),
                };
                text.push_str(&String::from_utf16_lossy(&units));
            }
        }
        self.skip(runs * 4 + extended);
        Some(text)
    }
}

/// The strings that cells refer to.
#[derive(Default)]
pub struct Strings {
    text: Zeroizing<String>,
    /// End of each.
    ends: Vec<u32>,
    limited: bool,
}

impl Strings {
    /// Reads the table: number of references, number of strings, the strings.
    pub fn read(segments: &mut Segments<'_>) -> Self {
        let mut strings = Self::default();
        let count = segments.number(4).and_then(|_| segments.number(4)).unwrap_or(0);
        for _ in 0..count {
            let Some(text) = segments.string(MAX_STRING).map(Zeroizing::new) else { break };
            if strings.text.len() + text.len() > MAX_TEXT || strings.ends.len() >= MAX_STRINGS {
                strings.limited = true;
                break;
            }
            strings.text.push_str(&text);
            strings.ends.push(strings.text.len() as u32);
        }
        strings
    }

    /// Whether some strings were dropped.
    pub const fn is_limited(&self) -> bool {
        self.limited
    }

    pub fn get(&self, number: u32) -> Option<&str> {
        let number = number as usize;
        let start = match number.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)?,
        };
        self.text.get(start as usize..*self.ends.get(number)? as usize)
    }
}
