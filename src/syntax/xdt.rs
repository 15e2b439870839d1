//! Recognises xDT files (KBV: BDT, LDT, KVDT; QMS: GDT): a line `013` `8000` with the record type.

use super::Match;

/// Length of the first line, bytes. Record types have four characters; those of some headers up to
/// eight.
const LINE: std::ops::RangeInclusive<usize> = 11..=17;
/// Longest byte order mark and white space before it, bytes.
const MAX_FILLER: usize = 8;

/// Whether xDT begins at `data`.
pub fn begins(data: &[u8]) -> Match {
    let filler = data
        .iter()
        .take_while(|b| b.is_ascii_whitespace() || matches!(b, 0xEF | 0xBB | 0xBF | 0x02))
        .count();
    if filler > MAX_FILLER {
        return Match::No;
    }
    let data = data.get(filler..).unwrap_or(&[]);
    let mut length = 0;
    for (at, &byte) in data.iter().enumerate() {
        match (at, byte) {
            (0..=2, b'0'..=b'9') => length = length * 10 + usize::from(byte - b'0'),
            (3, b'8') | (4..=6, b'0') => {}
            (7.., b'\r' | b'\n') => {
                // The length may count CR LF, one of them, or neither.
                let fits = LINE.contains(&length) && (at..=at + 2).contains(&length) && at >= 11;
                return if fits { Match::Yes(()) } else { Match::No };
            }
            (7..=15, _) if byte.is_ascii_alphanumeric() => {}
            _ => return Match::No,
        }
    }
    Match::More
}
