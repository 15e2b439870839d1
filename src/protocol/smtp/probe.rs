//! Recognises the greeting of a server, the hello of a client, and mid-stream a mail transaction.

use super::super::{Position, Probe, Speaker};

/// Longest greeting line, bytes (RFC 5321 4.5.3.1.5 allows 512).
const MAX_GREETING: usize = 1024;

/// Commands that only a client sends (RFC 5321 4.1.1, RFC 2033 4.1).
const OPENINGS: &[&[u8]] = &[b"EHLO ", b"HELO ", b"LHLO ", b"MAIL FROM:"];

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
        // `MAIL FROM:<` at the start of a line; a body may quote it, so the bracket must be there.
        let mut lines = memchr::memchr_iter(b'\n', data).map(|at| at + 1);
        let found = lines.find(|at| {
            let line = data.get(*at..at + 11);
            line.is_some_and(|line| line.eq_ignore_ascii_case(b"MAIL FROM:<"))
        });
        return match found {
            Some(offset) => Probe::Yes { speaker: Speaker::Client, offset },
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
