//! How an EDIFACT interchange begins (ISO 9735): `UNA` with the delimiters, `UNB` (interactive `UIB`) with
//! the syntax, or a bare message.

use super::Match;

/// Most white space and framing before an interchange, bytes.
const MAX_FILLER: usize = 16;
/// Length of the delimiters and the padding after `UNA`, bytes.
const UNA: usize = 6;
/// Longest reference number of a message, bytes.
const MAX_REFERENCE: usize = 35;

/// Whether an interchange begins at `data`.
pub fn begins(data: &[u8]) -> Match {
    let filler = data
        .iter()
        .take_while(|b| b.is_ascii_whitespace() || matches!(b, 0x02 | 0x0B | 0xEF | 0xBB | 0xBF))
        .count();
    if filler > MAX_FILLER {
        return Match::No;
    }
    let data = data.get(filler..).unwrap_or(&[]);
    let Some(mut rest) = data.strip_prefix(b"UNA") else {
        return if b"UNA".starts_with(data) { Match::More } else { segment(data) };
    };
    let delimiters = rest.get(..rest.len().min(UNA)).unwrap_or(&[]);
    if delimiters.iter().any(u8::is_ascii_alphanumeric) {
        return Match::No;
    }
    let Some(behind) = rest.get(UNA..) else { return Match::More };
    rest = behind;
    while let Some((b'\r' | b'\n' | b' ', tail)) = rest.split_first() {
        rest = tail;
    }
    match rest.get(..3).unwrap_or(rest) {
        b"UNB" | b"UIB" | b"UNH" | b"UIH" | b"UNG" => Match::Yes(()),
        name if [b"UNB", b"UIB", b"UNH", b"UIH", b"UNG"].iter().any(|s| s.starts_with(name)) => {
            Match::More
        }
        _ => Match::No,
    }
}

/// `UNB+UNOC:`, `UNH+1+MEDRPT:`.
fn segment(data: &[u8]) -> Match {
    let name = data.get(..3).unwrap_or(data);
    if ![b"UNB", b"UIB", b"UNH", b"UIH"].iter().any(|s| s.starts_with(name)) {
        return Match::No;
    }
    let Some((&separator, rest)) = data.get(3..).and_then(<[u8]>::split_first) else {
        return Match::More;
    };
    if separator.is_ascii_alphanumeric() || separator == b' ' {
        return Match::No;
    }
    if matches!(name, b"UNB" | b"UIB") {
        for (at, byte) in rest.iter().enumerate().take(5) {
            let fits = match at {
                0..=2 => b"UNO".get(at) == Some(byte),
                3 => byte.is_ascii_uppercase(),
                _ => !byte.is_ascii_alphanumeric(),
            };
            if !fits {
                return Match::No;
            }
        }
        return if rest.len() < 5 { Match::More } else { Match::Yes(()) };
    }
    // The reference number, then the message type.
    let rest = match name {
        b"UIH" => rest,
        _ => match rest.iter().take(MAX_REFERENCE).position(|b| *b == separator) {
            Some(at) => rest.get(at + 1..).unwrap_or(&[]),
            None if rest.len() > MAX_REFERENCE => return Match::No,
            None => return Match::More,
        },
    };
    let letters = rest.iter().take_while(|b| b.is_ascii_uppercase()).count();
    match (letters, rest.get(letters)) {
        (..=6, None) => Match::More,
        (4..=6, Some(b)) if !b.is_ascii_alphanumeric() && *b != separator => Match::Yes(()),
        _ => Match::No,
    }
}
