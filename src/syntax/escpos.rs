//! How jobs in ESC/POS (Epson) begin.

use super::Match;

/// The command that initialises the printer, with which most jobs begin.
const RESET: &[u8] = b"\x1b@";
/// Commands before the first text that are looked at, and those that show the language.
const MAX_COMMANDS: usize = 16;
const MIN_COMMANDS: usize = 2;

/// Whether a job begins at `data`: with a reset, or with settings that have values of ESC/POS, and text behind them.
/// PCL 5 and terminals have some of the letters, with other bytes behind them.
pub fn begins(data: &[u8]) -> Match {
    if data.starts_with(RESET) {
        return Match::Yes(());
    }
    let mut rest = data;
    for count in 0..MAX_COMMANDS {
        rest = match rest {
            [] | [0x1b | 0x1d] => return Match::More,
            [0x1b, b'2', rest @ ..] => rest,
            [
                0x1b,
                b'!' | b'E' | b'G' | b'a' | b'-' | b'M' | b'{' | b'r' | b't' | b'R' | b'd' | b'3',
            ]
            | [0x1d, b'!' | b'B' | b'b'] => return Match::More,
            [0x1b, b'E' | b'G' | b'a' | b'-' | b'M' | b'{' | b'r', 0..=2, rest @ ..]
            | [0x1b, b't', 0..=50, rest @ ..]
            | [0x1b, b'R', 0..=20, rest @ ..]
            | [0x1b, b'!' | b'd' | b'3', _, rest @ ..]
            | [0x1d, b'!' | b'B' | b'b', _, rest @ ..] => rest,
            [first, ..] if count >= MIN_COMMANDS && *first >= b' ' => return Match::Yes(()),
            _ => return Match::No,
        };
    }
    Match::No
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_before_the_first_text() {
        let job = b"\x1bE\x01\x1ba\x01\x1bt\x00LAB";
        assert_eq!(begins(job), Match::Yes(()));
        for len in 0..9 {
            assert_eq!(begins(&job[..len]), Match::More, "{len}");
        }
        assert_eq!(begins(b"\x1b@"), Match::Yes(()));
        for other in [&b"\x1bE\x1b&l1O text"[..], b"\x1b[2J", b"\x1b!\x01text", b"text"] {
            assert_eq!(begins(other), Match::No, "{other:?}");
        }
    }
}
