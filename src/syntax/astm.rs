//! The header record of ASTM E1394: `H` and the four delimiters.

use super::Match;

/// Whether `data` starts with a header record: `H`, then the field, repeat, component and escape
/// delimiters, all different, then a field delimiter or the end of the record. Some senders add a
/// fifth for subcomponents: analysers that copy HL7 (`H|^~\&`), and HPRIM Santé (`H|~^\&`, `H|\^&~`).
pub fn header(data: &[u8]) -> Match {
    let Some(delimiters) = data.strip_prefix(b"H") else {
        return if data.is_empty() { Match::More } else { Match::No };
    };
    // Programs that take the backslash for an escape lose it.
    if data.starts_with(b"H|^&|") {
        return Match::Yes(());
    }
    for (i, &byte) in delimiters.iter().enumerate().take(6) {
        let before = delimiters.get(..i).unwrap_or(&[]);
        let ends = byte == b'\r' || before.first() == Some(&byte);
        if ends && i >= 4 {
            return Match::Yes(());
        }
        let fifth = || match before {
            [_, b'^', b'~', b'\\'] | [_, b'~', b'^', b'\\'] => byte == b'&',
            [_, b'\\', b'^', b'&'] => byte == b'~',
            _ => false,
        };
        let fits = i < 4 || i == 4 && fifth();
        if !fits || !byte.is_ascii_punctuation() || before.contains(&byte) {
            return Match::No;
        }
    }
    Match::More
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_known_by_its_delimiters() {
        for yes in [
            "H|\\^&|||x",
            "H|\\^&\r",
            "H|^~\\&|LAB",
            "H|~^\\&|LAB",
            "H|~^\\&\r",
            "H!\\^&!",
            "H|\\^&~|LAB",
            "H|^&|||LAB",
        ] {
            assert!(header(yes.as_bytes()).is_yes(), "{yes}");
            for cut in 0..5 {
                assert_eq!(
                    header(&yes.as_bytes()[..cut.min(4)]),
                    Match::More,
                    "{yes} cut at {cut}"
                );
            }
        }
        for no in ["H||^&|", "HELO x", "X|", "H|~^\\&&|", "H|^~\\#|"] {
            assert_eq!(header(no.as_bytes()), Match::No, "{no}");
        }
    }
}
