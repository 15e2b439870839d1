//! Lines of the text protocol.

use super::super::{Direction, Probe, Speaker};
use super::MAX_VALUE;

/// Longest key with its command, bytes.
const MAX_HEAD: usize = 320;

/// Commands with a value behind them: key, flags, time, length.
const STORES: [&[u8]; 6] = [b"set", b"add", b"replace", b"append", b"prepend", b"cas"];
/// Responses without a value that only this protocol has.
const ANSWERS: [&[u8]; 4] = [b"STORED\r\n", b"NOT_STORED\r\n", b"VERSION 1.", b"STAT pid "];

/// Whether `data` begins as a command or an answer does.
pub(super) fn probe(data: &[u8]) -> Probe {
    let head = data.get(..MAX_HEAD).unwrap_or(data);
    let mut more = false;
    for answer in ANSWERS {
        let begin = head.get(..answer.len()).unwrap_or(head);
        if answer.starts_with(begin) {
            if begin.len() == answer.len() {
                return Probe::yes(Speaker::Server);
            }
            more = true;
        }
    }
    match memchr::memchr(b'\n', head) {
        Some(end) => match line(head.get(..end).unwrap_or_default()) {
            Some((speaker, _)) => Probe::yes(speaker),
            None if more => Probe::More,
            None => Probe::No,
        },
        None if head.len() < MAX_HEAD && (more || begins(head)) => Probe::More,
        None => Probe::No,
    }
}

/// Whether an incomplete line may announce a value.
fn begins(head: &[u8]) -> bool {
    let mut words = head.splitn(2, |b| *b == b' ');
    let (verb, rest) = (words.next().unwrap_or_default(), words.next());
    let known = STORES.into_iter().chain([&b"VALUE"[..], b"ms", b"VA"]);
    match rest {
        Some(_) => known.into_iter().any(|word| word == verb),
        None => known.into_iter().any(|word| word.starts_with(verb)),
    }
}

/// Which end sends this line, if a value follows it, and the length of the value.
fn line(line: &[u8]) -> Option<(Speaker, u64)> {
    let line = line.strip_suffix(b"\r")?;
    let words: Vec<&[u8]> = line.split(|b| *b == b' ').take(8).collect();
    let number = |word: &[u8]| -> Option<u64> {
        let digits = !word.is_empty() && word.len() <= 10 && word.iter().all(u8::is_ascii_digit);
        digits.then(|| word.iter().fold(0, |n, b| n * 10 + u64::from(b - b'0')))
    };
    let key = |key: &[u8]| (1..=250).contains(&key.len()) && !key.iter().any(u8::is_ascii_control);
    let (speaker, len) = match words.as_slice() {
        [verb, name, flags, time, len, ..] if STORES.contains(verb) && key(name) => {
            number(flags)?;
            number(time.strip_prefix(b"-").unwrap_or(time))?;
            (Speaker::Client, number(len)?)
        }
        [b"VALUE", name, flags, len, ..] if key(name) => {
            number(flags)?;
            (Speaker::Server, number(len)?)
        }
        // Meta commands: flags are letters.
        [b"ms", name, len, ..] if key(name) => (Speaker::Client, number(len)?),
        [b"VA", len, flags @ ..] => {
            let letters = flags.iter().all(|f| f.first().is_some_and(u8::is_ascii_alphabetic));
            (Speaker::Server, letters.then(|| number(len)).flatten()?)
        }
        _ => return None,
    };
    (len <= MAX_VALUE).then_some((speaker, len))
}

/// The length of the value behind this line; 0 if none follows.
pub(super) fn value(text: &[u8], direction: Direction) -> u64 {
    let with_end = [text, b"\r"].concat();
    match (line(&with_end), direction) {
        (Some((Speaker::Client, len)), Direction::ClientToServer) => len,
        (Some((Speaker::Server, len)), Direction::ServerToClient) => len,
        _ => 0,
    }
}

/// The key in a line that announces a value. The answer to a meta command need not name it.
pub(super) fn key(line: &[u8]) -> &[u8] {
    let mut words = line.split(|b| *b == b' ');
    match words.next() {
        Some(b"VA") | None => &[],
        Some(_) => words.next().unwrap_or_default(),
    }
}

/// The first line in `data` that announces a value.
pub(super) fn find(data: &[u8]) -> Option<(usize, Speaker)> {
    let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', data).map(|at| at + 1));
    starts.into_iter().find_map(|at| {
        let rest = data.get(at..)?;
        let head = rest.get(..MAX_HEAD).unwrap_or(rest);
        let (speaker, _) = line(head.get(..memchr::memchr(b'\n', head)?)?)?;
        Some((at, speaker))
    })
}
