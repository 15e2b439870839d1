//! The header record of ASTM E1394: `H` and the four delimiters.

use super::Match;

/// Whether `data` starts with a header record: `H`, the field, repeat, component and escape
/// delimiters, all different, and the field delimiter again or the end of the record. Some senders
/// (HPRIM) have those of HL7, five of them.
pub fn header(data: &[u8]) -> Match {
    match data {
        [b'H', field, b'^', b'~', b'\\', b'&', rest @ ..] if field.is_ascii_punctuation() => {
            match rest.first() {
                Some(byte) if byte == field || *byte == b'\r' => Match::Yes(()),
                Some(_) => Match::No,
                None => Match::More,
            }
        }
        [b'H', delimiters @ ..] => {
            for (i, &byte) in delimiters.iter().enumerate().take(5) {
                let before = delimiters.get(..i).unwrap_or(&[]);
                let fits = match i {
                    4 => byte == b'\r' || before.first() == Some(&byte),
                    _ => byte.is_ascii_punctuation() && !before.contains(&byte),
                };
                if !fits {
                    return Match::No;
                }
            }
            if delimiters.len() < 5 { Match::More } else { Match::Yes(()) }
        }
        [] => Match::More,
        _ => Match::No,
    }
}
