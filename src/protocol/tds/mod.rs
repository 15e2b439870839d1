//! Tabular Data Stream 7.x of Microsoft SQL Server (MS-TDS): batches, procedure calls with their parameters, and the
//! rows of results, as tables. If only the login is encrypted, everything behind it is read.

mod calls;
mod connection;
mod login;
mod values;

#[cfg(test)]
mod tests;

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
            return match find_columns(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Server, offset },
                None => Probe::No,
            };
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

/// The first packet of a result that begins with its column descriptions.
fn find_columns(data: &[u8]) -> Option<usize> {
    memchr::memchr_iter(RESULT, data).find(|at| {
        let rest = data.get(*at..).unwrap_or_default();
        Header::read(rest).is_some_and(|h| h.status <= END_OF_MESSAGE && h.length > 32)
            && matches!(rest.get(4..6), Some([0, _]))
            && matches!(rest.get(HEADER..HEADER + 3), Some([0x81, 1..=200, 0]))
    })
}
