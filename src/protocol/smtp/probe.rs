//! Recognises the greeting of a server, the hello of a client, and mid-stream a mail transaction.

use super::super::{Position, Probe, Speaker, line};

/// Longest greeting line, bytes (RFC 5321 4.5.3.1.5 allows 512).
const MAX_GREETING: usize = 1024;

/// Commands that only a client sends (RFC 5321 4.1.1, RFC 2033 4.1).
const OPENINGS: &[&[u8]] = &[b"EHLO ", b"HELO ", b"LHLO ", b"MAIL FROM:"];

/// What only a client says within a transaction.
const MIDDLE: &[&[u8]] = &[b"MAIL FROM:<", b"RCPT TO:<"];

/// Whether a line is a reply that no other protocol has: `354`, which asks for a message, or a code with an enhanced
/// one (RFC 3463 2) of the same class: `250 2.1.5 Ok`.
fn is_answer(line: &[u8]) -> bool {
    match line {
        [b'3', b'5', b'4', b' ', next, ..] => next.is_ascii_alphabetic() || next.is_ascii_digit(),
        [
            class @ (b'2' | b'4' | b'5'),
            b'0'..=b'5',
            b'0'..=b'9',
            b' ' | b'-',
            again,
            b'.',
            subject,
            rest @ ..,
        ] => {
            let digits = rest.iter().take(2).take_while(|b| b.is_ascii_digit()).count();
            class == again && subject.is_ascii_digit() && rest.get(digits) == Some(&b'.')
        }
        _ => false,
    }
}

/// Whether `data` begins with a field of a message's header (RFC 5322 2.2) that messages begin with.
pub fn is_message(data: &[u8]) -> bool {
    const FIRST: [&[u8]; 14] = [
        b"return-path",
        b"received",
        b"from",
        b"to",
        b"subject",
        b"date",
        b"message-id",
        b"mime-version",
        b"content-type",
        b"dkim-signature",
        b"reply-to",
        b"sender",
        b"delivered-to",
        b"user-agent",
    ];
    let end = memchr::memchr(b':', data.get(..32).unwrap_or(data)).unwrap_or(0);
    let name = data.get(..end).unwrap_or_default();
    let known = FIRST.iter().any(|first| name.eq_ignore_ascii_case(first));
    known && matches!(data.get(end + 1), Some(b' ' | b'\t'))
}

/// Whether `data` begins with a command of a client or the greeting of a server.
pub fn probe(data: &[u8], at: Position) -> Probe {
    let mut more = false;
    for opening in OPENINGS {
        let head = data.get(..opening.len()).unwrap_or(data);
        if opening.get(..head.len()).is_some_and(|o| o.eq_ignore_ascii_case(head)) {
            if head.len() == opening.len() {
                return Probe::yes(Speaker::Client);
            }
            more = true;
        }
    }
    if at == Position::Midstream {
        // At the start of a line; a body may quote it, so the bracket must be there.
        let found = line::starts(data).find_map(|at| {
            let line = data.get(at..)?;
            let begins =
                |word: &[u8]| line.get(..word.len()).is_some_and(|l| l.eq_ignore_ascii_case(word));
            if MIDDLE.iter().any(|word| begins(word)) {
                return Some((at, Speaker::Client));
            }
            is_answer(line).then_some((at, Speaker::Server))
        });
        return match found {
            Some((offset, speaker)) => Probe::Yes { speaker, offset },
            None if more => Probe::More,
            None => Probe::No,
        };
    }
    match greeting(data) {
        Probe::No if more => Probe::More,
        answer => answer,
    }
}

/// `220`, and a line that names the protocol; FTP greets in the same way. A server that does not name it is
/// recognised by its client.
fn greeting(data: &[u8]) -> Probe {
    const CODE: &[u8] = b"220";
    let head = data.get(..CODE.len()).unwrap_or(data);
    if !CODE.starts_with(head) {
        return Probe::No;
    }
    match data.get(CODE.len()) {
        None => return Probe::More,
        Some(b' ' | b'-') => {}
        Some(_) => return Probe::No,
    }
    let end = memchr::memchr(b'\n', data);
    let line = data.get(..end.unwrap_or(data.len()).min(MAX_GREETING)).unwrap_or(data);
    let named =
        line.windows(4).any(|w| w.eq_ignore_ascii_case(b"SMTP") || w.eq_ignore_ascii_case(b"LMTP"));
    match end {
        _ if named => Probe::yes(Speaker::Server),
        None if data.len() < MAX_GREETING => Probe::More,
        _ => Probe::No,
    }
}
