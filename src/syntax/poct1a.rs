//! Recognises POCT1-A messages: an optional XML declaration, and a root element such as `OBS.R01`.

use super::Match;

/// Longest prolog (declaration, document type, comments), bytes.
const MAX_PROLOG: usize = 2048;
/// Most framing and white space before a message, bytes.
const MAX_FILLER: usize = 64;
/// Length of `<OBS.R01` and one more byte.
const ROOT: usize = 9;

/// Whether an element is the root of a message (CLSI POCT01-A2, appendix B: topics have three
/// letters).
pub fn is_message(name: &[u8]) -> bool {
    matches!(name, [a, b, c, b'.', b'R', d, e]
        if [a, b, c].iter().all(|x| x.is_ascii_uppercase())
            && [d, e].iter().all(|x| x.is_ascii_digit()))
}

/// Whether a message begins at `data`.
pub fn begins(data: &[u8]) -> Match {
    let filler = data
        .iter()
        .take_while(|b| b.is_ascii_whitespace() || matches!(b, 0x02 | 0xEF | 0xBB | 0xBF))
        .count();
    if filler > MAX_FILLER {
        return Match::No;
    }
    let mut rest = data.get(filler..).unwrap_or(&[]);
    loop {
        if data.len() - rest.len() > MAX_PROLOG {
            return Match::No;
        }
        match rest {
            [] | [b'<'] => return Match::More,
            [b'<', b'?' | b'!', ..] => {
                let Some(end) = memchr::memchr(b'>', rest) else {
                    return if rest.len() > MAX_PROLOG { Match::No } else { Match::More };
                };
                rest = rest.get(end + 1..).unwrap_or(&[]).trim_ascii_start();
            }
            [b'<', root @ ..] => {
                if let (Some(name), Some(end)) = (root.get(..7), root.get(7)) {
                    let ends = end.is_ascii_whitespace() || matches!(end, b'>' | b'/');
                    let yes = ends && is_message(name);
                    return if yes { Match::Yes(()) } else { Match::No };
                }
                let fits = root.iter().enumerate().all(|(at, b)| match at {
                    0..=2 => b.is_ascii_uppercase(),
                    3 => *b == b'.',
                    4 => *b == b'R',
                    _ => b.is_ascii_digit(),
                });
                return if fits { Match::More } else { Match::No };
            }
            _ => return Match::No,
        }
    }
}

/// Offset of the root element of the first message in `data`.
pub fn find(data: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'<', data).find(|at| {
        data.get(*at..at + ROOT).is_some_and(|tag| matches!(begins(tag), Match::Yes(())))
    })
}
