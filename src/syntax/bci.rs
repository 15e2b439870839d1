//! Recognises the beginning of messages of VITEK 2 and other instruments of bioMérieux (BCI link): `mt` and the type of
//! the message, then fields of two letters and their values, with a bar behind each.

use super::Match;

/// Control characters of the framing before a message (ENQ, STX, RS).
const MAX_FRAMING: usize = 4;
/// Letters of the longest type (`rsl`, `mpr`).
const TYPE: usize = 3;

/// Bytes before a message: those of its framing.
pub fn framing(data: &[u8]) -> usize {
    data.iter().take(MAX_FRAMING).take_while(|b| **b < b' ').count()
}

/// Whether a message begins at `data` or behind its framing.
pub fn begins(data: &[u8]) -> Match {
    let text = data.get(framing(data)..).unwrap_or_default();
    let mut rest = text.iter();
    for expected in b"mt" {
        match rest.next() {
            Some(byte) if byte == expected => {}
            Some(_) => return Match::No,
            None => return Match::More,
        }
    }
    for _ in 0..TYPE {
        match rest.next() {
            Some(byte) if byte.is_ascii_lowercase() => {}
            Some(_) => return Match::No,
            None => return Match::More,
        }
    }
    if rest.next().is_none_or(|bar| *bar != b'|') {
        return if text.len() == 2 + TYPE { Match::More } else { Match::No };
    }
    // A record separator, and the next field.
    let next = rest.as_slice();
    let field = next.strip_prefix(b"\x1e").unwrap_or(next);
    match field {
        [a, b, ..] => Match::of((is_code(*a) && is_code(*b)).then_some(())),
        _ => Match::More,
    }
}

const fn is_code(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_begin_with_their_type() {
        for yes in ["mtrsl|pi77|", "\u{5}\u{2}\u{1e}mtrsl|\u{1e}pi", "mtmpr|s0"] {
            assert_eq!(begins(yes.as_bytes()), Match::Yes(()), "{yes}");
        }
        for cut in ["", "m", "mtrs", "mtrsl", "mtrsl|", "mtrsl|p", "\u{2}"] {
            assert_eq!(begins(cut.as_bytes()), Match::More, "{cut}");
        }
        for no in ["mtu 1500", "MTRSL|pi", "mtrslx|", "mtrsl|Name|", "mt|"] {
            assert_eq!(begins(no.as_bytes()), Match::No, "{no}");
        }
    }
}
