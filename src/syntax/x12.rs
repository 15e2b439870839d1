//! Recognises X12 interchanges: `ISA`, its separator and the authorization qualifier (X12.5).

use super::Match;

/// Whether `data` starts with `ISA*00*`: two equal separators around a two-character code.
pub fn interchange(data: &[u8]) -> Match {
    let mut separator = None;
    for at in 0..7 {
        let Some(&byte) = data.get(at) else { return Match::More };
        let fits = match at {
            0..=2 => b"ISA".get(at) == Some(&byte),
            3 => {
                separator = Some(byte);
                byte.is_ascii_punctuation() || (byte.is_ascii_control() && byte != 0)
            }
            6 => separator == Some(byte),
            _ => byte.is_ascii_digit(),
        };
        if !fits {
            return Match::No;
        }
    }
    Match::Yes(())
}

/// Transaction sets with health data (X12.7, HIPAA).
const SETS: [&[u8; 3]; 12] = [
    b"270", b"271", b"275", b"276", b"277", b"278", b"820", b"834", b"835", b"837", b"269", b"148",
];

/// Whether `data` starts with a transaction set, or a group of them, that has no interchange around it, as in parts of
/// files and examples: `ST*837*0001`, `GS*HC*`.
pub fn transaction(data: &[u8]) -> Match {
    const LENGTH: usize = 7;
    let separator = |byte: u8| matches!(byte, b'*' | b'|' | b'^' | b'~' | 0x1D);
    let Some(&[first, second, a, x, y, b, c]) = data.first_chunk::<LENGTH>() else {
        let begins =
            [&b"ST"[..], b"GS"].iter().any(|name| data.starts_with(name) || name.starts_with(data));
        return if begins { Match::More } else { Match::No };
    };
    let found = match [first, second] {
        [b'S', b'T'] => SETS.contains(&&[x, y, b]) && separator(a) && a == c,
        [b'G', b'S'] => x.is_ascii_uppercase() && y.is_ascii_uppercase() && separator(a) && a == b,
        _ => false,
    };
    if found { Match::Yes(()) } else { Match::No }
}

/// Offset of the first interchange in `data`.
pub fn find(data: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(data, b"ISA")
        .find(|at| data.get(*at..).is_some_and(|d| interchange(d).is_yes()))
}
