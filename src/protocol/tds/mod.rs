//! Tabular Data Stream 7.x of Microsoft SQL Server (MS-TDS): batches, procedure calls with their parameters, and the
//! rows of results, as tables. If only the login is encrypted, everything behind it is read.

mod calls;
mod connection;
mod login;
mod rows;
mod values;

#[cfg(test)]
mod tests;

use super::sql::is_statement;
use super::{Parser, Position, Probe, Protocol, Speaker};
use connection::TdsParser;

/// Length of a packet's header.
const HEADER: usize = 8;
const SQL_BATCH: u8 = 0x01;
const RPC: u8 = 0x03;
const RESULT: u8 = 0x04;
const BULK_LOAD: u8 = 0x07;
const LOGIN: u8 = 0x10;
const PRELOGIN: u8 = 0x12;
/// The last packet of a message.
const END_OF_MESSAGE: u8 = 1;

/// Microsoft SQL Server.
pub struct Tds;

/// A packet's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Header {
    kind: u8,
    status: u8,
    /// Including the header.
    length: usize,
}

impl Header {
    fn read(data: &[u8]) -> Option<Self> {
        match data {
            [kind, status, a, b, _, _, _, _, ..] => Some(Self {
                kind: *kind,
                status: *status,
                length: usize::from(u16::from_be_bytes([*a, *b])),
            }),
            _ => None,
        }
    }
}

impl Protocol for Tds {
    fn name(&self) -> &'static str {
        "tds"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            let answer = find_columns(data).map(|offset| (offset, Speaker::Server));
            let request = find_request(data).map(|offset| (offset, Speaker::Client));
            let first = [answer, request].into_iter().flatten().min_by_key(|(offset, _)| *offset);
            return first.map_or(Probe::No, |(offset, speaker)| Probe::Yes { speaker, offset });
        }
        let Some(header) = Header::read(data) else {
            let fits = matches!(data, [] | [PRELOGIN | LOGIN] | [PRELOGIN | LOGIN, 0 | 1, ..]);
            return if fits { Probe::More } else { Probe::No };
        };
        let fits = matches!(header.status, 0 | 1) && (HEADER + 6..=0x8000).contains(&header.length);
        match (header.kind, data.get(HEADER..HEADER + 5)) {
            (PRELOGIN | LOGIN, _) if !fits => Probe::No,
            (PRELOGIN | LOGIN, None) => Probe::More,
            // The first option is the version: its offset and its length of six bytes.
            (PRELOGIN, Some([0, 0, _, 0, 6])) => Probe::yes(Speaker::Client),
            // The login repeats its length.
            (LOGIN, Some([_, _, 0, 0, _])) => Probe::yes(Speaker::Client),
            _ => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<TdsParser>::default()
    }
}

/// The first packet of a batch or a call: with headers (MS-TDS 2.2.5.3), or as before TDS 7.2 without.
fn find_request(data: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(SQL_BATCH, RPC, data).find(|at| {
        let rest = data.get(*at..).unwrap_or_default();
        let Some(header) = Header::read(rest).filter(|h| h.status <= END_OF_MESSAGE) else {
            return false;
        };
        let body = rest.get(HEADER..).unwrap_or_default();
        if header.length > 32 && body.starts_with(&[22, 0, 0, 0, 18, 0, 0, 0]) {
            return true;
        }
        // Channel, number, window; the text of a batch is UTF-16.
        let fits = (HEADER + 12..=0x8000).contains(&header.length);
        let text = body.get(..header.length.saturating_sub(HEADER)).unwrap_or(body);
        let halves = text.get(..text.len().min(2 * OPENING)).unwrap_or(text).chunks_exact(2);
        let latin: Option<Vec<u8>> = halves
            .map(|half| if half.get(1) == Some(&0) { half.first().copied() } else { None })
            .collect();
        fits && rest.get(4) == Some(&0)
            && rest.get(7) == Some(&0)
            && header.kind == SQL_BATCH
            && latin.is_some_and(|text| is_statement(&text))
    })
}

/// Letters of a batch that show that it is one.
const OPENING: usize = 16;

/// The first packet of a result that begins with its column descriptions.
fn find_columns(data: &[u8]) -> Option<usize> {
    memchr::memchr_iter(RESULT, data).find(|at| {
        let rest = data.get(*at..).unwrap_or_default();
        Header::read(rest).is_some_and(|h| h.status <= END_OF_MESSAGE && h.length > 32)
            && matches!(rest.get(4..6), Some([0, _]))
            && matches!(rest.get(HEADER..HEADER + 3), Some([0x81, 1..=200, 0]))
    })
}
