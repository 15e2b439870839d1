//! Recognises the protocol at the start of a connection and mid-stream.

use super::ROWS;
use super::frame::{self, HEADER, Header, Segment, Values};
use crate::protocol::{Probe, Speaker};

/// Longest statement by which a connection is recognised mid-stream, bytes.
const MAX_FOUND: usize = 64 << 10;

/// Whether a connection begins at the front of `data`: OPTIONS or STARTUP, or an answer to them.
pub(super) fn front(data: &[u8]) -> Probe {
    let [first, rest @ ..] = data else { return Probe::More };
    if !matches!(first, 0x03..=0x05 | 0x83..=0x85) {
        return Probe::No;
    }
    let opcode = rest.get(3);
    let begins = match opcode {
        Some(0x01 | 0x05) => *first < 0x80,
        Some(0x02 | 0x03 | 0x06) => *first >= 0x80,
        Some(_) => false,
        None => true,
    };
    // No flag but that of a beta version, and a body of less than 64 KiB.
    let flags = rest.first().is_none_or(|flags| flags & !0x10 == 0);
    if !begins || !flags || rest.iter().skip(4).take(2).any(|b| *b != 0) {
        return Probe::No;
    }
    let Some(header) = Header::parse(data) else {
        return if data.len() < HEADER { Probe::More } else { Probe::No };
    };
    let speaker = if header.response { Speaker::Server } else { Speaker::Client };
    let fits = match header.opcode {
        // OPTIONS and READY have no body.
        0x05 | frame::READY => header.length == 0,
        frame::STARTUP => {
            let Some(body) = data.get(HEADER..HEADER + header.length) else { return Probe::More };
            memchr::memmem::find(body, b"\0\x0bCQL_VERSION").is_some()
        }
        frame::AUTHENTICATE => {
            let len = data.get(HEADER..).and_then(|body| body.first_chunk::<2>());
            len.is_none_or(|len| usize::from(u16::from_be_bytes(*len)) + 2 == header.length)
        }
        _ => header.length > 2,
    };
    if fits { Probe::yes(speaker) } else { Probe::No }
}

/// The first unmistakable frame in `data`: a statement, or a result with rows.
pub(super) fn find(data: &[u8]) -> Option<(usize, Speaker)> {
    let statement = memchr::memchr3_iter(3, 4, 5, data)
        .find(|at| data.get(*at..).is_some_and(is_statement))
        .map(|at| (at, Speaker::Client));
    if let Some(speaker) = all_frames(data) {
        return Some((0, speaker));
    }
    if segmented(data).is_some() {
        return Some((0, Speaker::Any));
    }
    let rows = memchr::memchr3_iter(0x83, 0x84, 0x85, data)
        .find(|at| data.get(*at..).is_some_and(is_rows))
        .map(|at| (at, Speaker::Server));
    match (statement, rows) {
        (Some(a), Some(b)) => Some(if a.0 <= b.0 { a } else { b }),
        (a, b) => a.or(b),
    }
}

/// Who sends `data`, if it is whole frames and nothing else, one of which asks for something or answers that.
fn all_frames(data: &[u8]) -> Option<Speaker> {
    let first = Header::parse(data)?;
    let (mut at, mut known) = (0, false);
    while at < data.len() {
        let header = Header::parse(data.get(at..)?)?;
        if (header.version, header.response) != (first.version, first.response) {
            return None;
        }
        let fits = match header.response {
            true => header.opcode == frame::RESULT && header.length >= 4,
            false => {
                let asks = [frame::QUERY, frame::PREPARE, frame::EXECUTE, frame::BATCH];
                asks.contains(&header.opcode) && header.length > 4
            }
        };
        known |= fits;
        at += HEADER + header.length;
    }
    (known && at == data.len()).then_some(if first.response {
        Speaker::Server
    } else {
        Speaker::Client
    })
}

/// Whether `data` is whole segments of version 5 (v5.spec, section 2.3), and if so whether they are compressed.
pub(super) fn segmented(data: &[u8]) -> Option<bool> {
    [false, true].into_iter().find(|compressed| {
        let mut at = 0;
        while let Some(segment) = data.get(at..).and_then(|data| Segment::parse(data, *compressed))
        {
            if segment.length == 0 || segment.length > frame::MAX_SEGMENT {
                return false;
            }
            at += segment.size();
        }
        at > 0 && at == data.len()
    })
}

fn is_statement(data: &[u8]) -> bool {
    let Some(header) = Header::parse(data) else { return false };
    let mut body = Values(data.get(HEADER..).unwrap_or_default());
    let text = body.u32().map_or(0, |len| len as usize);
    let verb = body.bytes(4).is_some_and(|verb| verb.iter().all(u8::is_ascii_alphabetic));
    matches!(header.opcode, frame::QUERY | frame::PREPARE)
        && !header.is_compressed()
        && verb
        // Short statements must be plausible, as random bytes could match.
        && header.length <= MAX_FOUND
        && (8..header.length).contains(&text)
}

fn is_rows(data: &[u8]) -> bool {
    let Some(header) = Header::parse(data) else { return false };
    let mut body = Values(data.get(HEADER..).unwrap_or_default());
    let (kind, flags, count) = (body.u32(), body.u32(), body.u32());
    header.opcode == frame::RESULT
        && !header.is_compressed()
        && kind == Some(ROWS)
        && flags.is_some_and(|flags| flags < 0x10)
        && count.is_some_and(|count| (1..512).contains(&count))
}
