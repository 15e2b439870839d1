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

/// Offset of the first interchange in `data`.
pub fn find(data: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(data, b"ISA")
        .find(|at| data.get(*at..).is_some_and(|d| interchange(d).is_yes()))
}
