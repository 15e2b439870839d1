//! Recognises HTTP/1.x, at the start of a stream and mid-stream.

use super::head::{MAX_METHOD, StartLine, is_method, start_line};
use crate::protocol::{Direction, Position, Probe, Speaker};
use crate::syntax::Match;
use memchr::memmem::{Finder, FinderRev};
use memchr::{memchr, memrchr};
use std::sync::LazyLock;

/// Longest incomplete request line that is waited for, bytes. Queries of several KiB occur.
const MAX_LINE: usize = 32 << 10;

/// Empty lines before a message (RFC 9112 2.2 asks servers to ignore at least one).
const MAX_BLANK: usize = 8;

static VERSION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(" HTTP/1."));
static STATUS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("HTTP/1."));

/// Whether the first readable bytes of a direction are HTTP/1.x.
pub fn probe(data: &[u8], at: Position) -> Probe {
    if at == Position::Midstream {
        let status = find(Direction::ServerToClient, data).map(|at| (at, Speaker::Server));
        let request = find(Direction::ClientToServer, data).map(|at| (at, Speaker::Client));
        return match (status, request) {
            (Some(a), Some(b)) => Some(if a.0 <= b.0 { a } else { b }),
            (a, b) => a.or(b),
        }
        .map_or(Probe::More, |(offset, speaker)| Probe::Yes { speaker, offset });
    }
    let blank = data.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    if blank > MAX_BLANK {
        return Probe::No;
    }
    let data = data.get(blank..).unwrap_or_default();
    match begins(Direction::ServerToClient, data) {
        Match::Yes(()) => return Probe::yes(Speaker::Server),
        Match::More if !data.is_empty() => return Probe::More,
        _ => {}
    }
    match begins(Direction::ClientToServer, data) {
        Match::Yes(()) => Probe::yes(Speaker::Client),
        Match::More => Probe::More,
        Match::No => Probe::No,
    }
}

/// Whether `data` begins with a complete and valid start line of this direction.
pub fn begins(direction: Direction, data: &[u8]) -> Match {
    match direction {
        Direction::ServerToClient => {
            // The reason phrase may be missing, and its line end may be in a later segment.
            const SHAPE: &[u8; 12] = b"HTTP/1.0 000";
            for (byte, shape) in data.iter().zip(SHAPE) {
                let fits = if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
                if !fits {
                    return Match::No;
                }
            }
            match data.get(SHAPE.len()) {
                Some(b' ' | b'\r' | b'\n') => Match::Yes(()),
                Some(_) => Match::No,
                None => Match::More,
            }
        }
        Direction::ClientToServer => {
            let head = data.get(..MAX_METHOD + 1).unwrap_or(data);
            let Some(space) = memchr(b' ', head) else {
                let fits = head.len() <= MAX_METHOD && (head.len() < 2 || is_method(head));
                let letter = head.first().is_none_or(u8::is_ascii_uppercase);
                return if fits && letter { Match::More } else { Match::No };
            };
            if !is_method(data.get(..space).unwrap_or_default()) {
                return Match::No;
            }
            match memchr(b'\n', data) {
                Some(lf) => match start_line(trim(data.get(..lf).unwrap_or_default())) {
                    Some(StartLine::Request { .. }) => Match::Yes(()),
                    _ => Match::No,
                },
                None if data.len() > MAX_LINE => Match::No,
                None => Match::More,
            }
        }
    }
}

/// The offset of the first start line of this direction in `data`.
pub fn find(direction: Direction, data: &[u8]) -> Option<usize> {
    match direction {
        Direction::ServerToClient => STATUS
            .find_iter(data)
            .find(|at| begins(direction, data.get(*at..).unwrap_or_default()) == Match::Yes(())),
        Direction::ClientToServer => {
            let mut from = 0;
            loop {
                let version = from + VERSION.find(data.get(from..)?)?;
                // Where this line does not end, no other one behind it does.
                let end = version + memchr(b'\n', data.get(version..)?)?;
                if let Some(offset) = request_in(data, version, end) {
                    return Some(offset);
                }
                // Other versions in the same line would have it read again.
                from = end;
            }
        }
    }
}

/// The start of the request line that ends at `end`, and whose version is at `version`.
fn request_in(data: &[u8], version: usize, end: usize) -> Option<usize> {
    let before = data.get(version.saturating_sub(MAX_LINE)..version)?;
    let line = memrchr(b'\n', before).map_or(0, |lf| lf + 1);
    let offset = version - before.len() + line;
    let whole = data.get(offset..end)?;
    if matches!(start_line(trim(whole)), Some(StartLine::Request { .. })) {
        return Some(offset);
    }
    // The end of a body may precede the method on the same line.
    const METHODS: [&str; 7] =
        ["GET /", "POST /", "PUT /", "HEAD /", "DELETE /", "PATCH /", "OPTIONS /"];
    METHODS.iter().find_map(|m| FinderRev::new(m).rfind(whole)).map(|at| offset + at)
}

fn trim(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
