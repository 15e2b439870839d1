//! Which signs a string contains, found in one pass over it: what is looked for in strings needs one of them, and most
//! strings have none.

use crate::syntax::ncpdp::SEGMENT;

/// Longest string that is looked through, bytes. Longer ones may contain anything: single searches are faster there.
const MAX_TEXT: usize = 192;

/// Signs of a string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signs {
    found: u8,
    /// Whether all of it was looked through.
    known: bool,
}

/// `:`
pub const COLON: u8 = 1;
/// `(`, `[` and `,`
pub const LIST: u8 = 2;
/// `<`
pub const MARKUP: u8 = 4;
/// The separator of segments of NCPDP.
pub const SEPARATOR: u8 = 8;
/// A byte beyond ASCII.
pub const FOREIGN: u8 = 16;

/// The sign that each byte is.
static SIGNS: [u8; 256] = {
    let mut signs = [0; 256];
    let mut byte = 0x80;
    while byte < 256 {
        signs[byte] = FOREIGN;
        byte += 1;
    }
    signs[b':' as usize] = COLON;
    signs[b'(' as usize] = LIST;
    signs[b'[' as usize] = LIST;
    signs[b',' as usize] = LIST;
    signs[b'<' as usize] = MARKUP;
    signs[SEGMENT as usize] = SEPARATOR;
    signs
};

impl Signs {
    /// Those of a string.
    #[inline]
    pub fn of(text: &str) -> Self {
        let known = text.len() <= MAX_TEXT;
        let look = || text.bytes().fold(0, |found, byte| found | SIGNS[usize::from(byte)]);
        Self { found: if known { look() } else { u8::MAX }, known }
    }

    /// Whether one of these signs may be in it.
    #[inline]
    pub const fn may(self, signs: u8) -> bool {
        self.found & signs != 0
    }

    /// Whether one of these signs is in it for certain.
    #[inline]
    pub const fn has(self, signs: u8) -> bool {
        self.known && self.found & signs != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_short_and_long_strings() {
        let plain = Signs::of("Jane Roe 1970-01-31 a/b");
        assert!(!plain.may(u8::MAX) && !plain.has(u8::MAX));
        for (text, sign) in
            [("a: b", COLON), ("f(x", LIST), ("<p", MARKUP), ("\u{1e}", SEPARATOR), ("é", FOREIGN)]
        {
            let signs = Signs::of(text);
            assert!(signs.has(sign) && !signs.may(!sign), "{text}");
        }
        let long = Signs::of(&"x".repeat(MAX_TEXT + 1));
        assert!(long.may(COLON) && !long.has(COLON));
    }
}
