//! Lines of commands and responses: how they are recognised, and the literals at their ends (RFC 9051 4.3, 6, 7).

use super::super::{Position, Probe, Speaker};

/// Longest line examined to recognise the protocol, bytes.
const MAX_HEAD: usize = 512;
/// Longest tag.
const MAX_TAG: usize = 32;
/// Longest plausible literal, bytes.
const MAX_LITERAL: u64 = 1 << 32;

/// Commands that only clients send.
const COMMANDS: [&[u8]; 12] = [
    b"CAPABILITY",
    b"LOGIN",
    b"AUTHENTICATE",
    b"STARTTLS",
    b"SELECT",
    b"EXAMINE",
    b"FETCH",
    b"UID",
    b"APPEND",
    b"ID",
    b"ENABLE",
    b"NAMESPACE",
];

/// Whether a response of a connection that began before the capture looks like a greeting (RFC 3501 7.1.1).
pub(super) fn is_greeting(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    let text = text.trim_ascii_end();
    memchr::memmem::find(text, b"imap").is_some()
        || text.ends_with(b"ready.")
        || text.ends_with(b"ready")
}

pub(super) fn probe(data: &[u8], at: Position) -> Probe {
    if at == Position::Start {
        for greeting in [&b"* OK"[..], b"* PREAUTH", b"* BYE"] {
            let head = data.get(..greeting.len()).unwrap_or(data);
            if greeting.starts_with(head) {
                return match data.get(greeting.len()) {
                    Some(b' ') => Probe::yes(Speaker::Server),
                    Some(_) => Probe::No,
                    None => Probe::More,
                };
            }
        }
        return command(data);
    }
    match boundary(data) {
        Some(offset) => Probe::Yes { speaker: Speaker::Server, offset },
        None => command(data),
    }
}

/// `a1 LOGIN ...`
pub(super) fn command(data: &[u8]) -> Probe {
    let head = data.get(..MAX_HEAD).unwrap_or(data);
    let tag = head.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'.').count();
    if tag == 0 || tag > MAX_TAG || !head.iter().take(tag).any(u8::is_ascii_digit) {
        return if head.is_empty() { Probe::More } else { Probe::No };
    }
    let rest = match head.get(tag..) {
        Some([b' ', rest @ ..]) => rest,
        Some([]) => return Probe::More,
        _ => return Probe::No,
    };
    let mut more = false;
    for word in COMMANDS {
        let start = rest.get(..word.len()).unwrap_or(rest);
        if word.get(..start.len()).is_some_and(|w| w.eq_ignore_ascii_case(start)) {
            match rest.get(word.len()) {
                Some(b' ' | b'\r' | b'\n') => return Probe::yes(Speaker::Client),
                None => more = true,
                Some(_) => {}
            }
        }
    }
    if more { Probe::More } else { Probe::No }
}

/// The first line of a response with a message: `* 12 FETCH (`.
pub(super) fn boundary(data: &[u8]) -> Option<usize> {
    let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', data).map(|at| at + 1));
    starts.into_iter().find(|at| {
        let Some(rest) = data.get(*at..).and_then(|l| l.strip_prefix(b"* ")) else { return false };
        let digits = rest.iter().take(10).take_while(|b| b.is_ascii_digit()).count();
        digits > 0 && rest.get(digits..).is_some_and(|r| r.starts_with(b" FETCH ("))
    })
}

/// A literal that a line announces at its end.
pub(super) struct Literal {
    pub(super) len: u64,
}

/// `{123}`, `{123+}`, `~{123}`.
pub(super) fn literal(line: &[u8]) -> Option<Literal> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|b| *b == b'{')?;
    let digits = inner.get(open + 1..)?;
    let digits = digits.strip_suffix(b"+").or_else(|| digits.strip_suffix(b"-")).unwrap_or(digits);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let len: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (len <= MAX_LITERAL).then_some(Literal { len })
}

/// The content of a literal in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fetched {
    /// A message.
    Message,
    /// The header of the message, or of one of its parts.
    Header(String),
    /// The body of a part, or of the message (empty).
    Part(String),
    /// The same, with the transfer encoding removed.
    Decoded,
}

/// The content of the literal at the end of this line of a response, by the data item before it.
pub(super) fn fetched(line: &[u8]) -> Option<Fetched> {
    let open = line.iter().rposition(|b| *b == b'{')?;
    let before = line.get(..open)?.trim_ascii_end();
    let before = before.strip_suffix(b"~").unwrap_or(before).trim_ascii_end();
    // `BODY[1]<0>`: a part of it.
    let start = before.iter().rposition(|b| matches!(b, b' ' | b'(')).map_or(0, |at| at + 1);
    let section = memchr::memmem::rfind(before, b"[")
        .filter(|at| before.get(*at..).is_some_and(|s| memchr::memchr(b']', s).is_some()));
    let (item, section) = match section {
        Some(at) => {
            let word = before.get(..at)?;
            let start = word.iter().rposition(|b| matches!(b, b' ' | b'(')).map_or(0, |at| at + 1);
            let section = before.get(at + 1..)?;
            let end = memchr::memchr(b']', section)?;
            (word.get(start..)?.to_ascii_uppercase(), section.get(..end)?.to_ascii_uppercase())
        }
        None => (before.get(start..)?.to_ascii_uppercase(), Vec::new()),
    };
    match item.as_slice() {
        b"RFC822" => Some(Fetched::Message),
        b"RFC822.HEADER" => Some(Fetched::Header(String::new())),
        b"RFC822.TEXT" => Some(Fetched::Part(String::new())),
        b"BINARY" | b"BINARY.PEEK" => Some(Fetched::Decoded),
        b"BODY" | b"BODY.PEEK" if section.is_empty() => Some(Fetched::Message),
        b"BODY" | b"BODY.PEEK" => {
            // `HEADER.FIELDS (SUBJECT)`, `1.MIME`, `1.2`, `TEXT`
            let section = String::from_utf8_lossy(&section).into_owned();
            let section = section.split(' ').next().unwrap_or_default();
            let digits = |c: char| c.is_ascii_digit() || c == '.';
            let rest = section.trim_start_matches(digits);
            let path = section.strip_suffix(rest).unwrap_or(section).trim_end_matches('.');
            Some(match rest {
                "" | "TEXT" => Fetched::Part(path.to_owned()),
                _ => Fetched::Header(path.to_owned()),
            })
        }
        _ => None,
    }
}

/// The section and the first byte of a literal that is a part of it: `BODY[]<300>`.
pub(super) fn partial(line: &[u8]) -> Option<(Vec<u8>, u64)> {
    let open = line.iter().rposition(|b| *b == b'{')?;
    let before = line.get(..open)?.trim_ascii_end().strip_suffix(b">")?;
    let from = before.iter().rposition(|b| *b == b'<')?;
    let (section, digits) = (before.get(..from)?, before.get(from + 1..)?);
    let start = section.iter().rposition(|b| matches!(b, b' ' | b'(')).map_or(0, |at| at + 1);
    let first = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((section.get(start..)?.to_ascii_uppercase(), first))
}

/// The number of the message in a line: `* 12 FETCH (`.
pub(super) fn message(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"* ")?;
    let digits = rest.iter().take(10).take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    let fetch = rest.get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b" FETCH "));
    fetch.then(|| std::str::from_utf8(number).ok()?.parse().ok()).flatten()
}

/// The kind of content in the literal at the end of this command line.
pub(super) fn appended(line: &[u8]) -> Option<&'static str> {
    let mut words = line.split(|b| *b == b' ');
    let append = |w: &[u8]| w.eq_ignore_ascii_case(b"APPEND") || w.eq_ignore_ascii_case(b"REPLACE");
    words.nth(1).filter(|w| append(w)).map(|_| "message/rfc822")
}
