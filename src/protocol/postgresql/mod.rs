//! PostgreSQL, frontend/backend protocol 3.0 (PostgreSQL manual, chapter "Message Formats").
//!
//! The rows of a result, also in binary form and of COPY, are passed on as a table with the names of the columns as
//! heading; so are the values of statements and the parameters bound to them. Requests may be sent before earlier
//! ones are answered, and prepared statements are described once: requests are kept until they are answered.

mod connection;
mod copy;
mod exchange;
mod values;

#[cfg(test)]
mod tests;

use super::sql::{self, MAX_STATEMENT};
use super::{Parser, Position, Probe, Protocol, Speaker};
use connection::PostgresqlParser;

/// Longest startup message, bytes (the server's own limit is 10 000).
const MAX_STARTUP: u32 = 10_000;
/// Codes in place of a version: the client asks for TLS or GSSAPI, or cancels a statement.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// PostgreSQL.
pub struct Postgresql;

impl Protocol for Postgresql {
    fn name(&self) -> &'static str {
        "postgresql"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            let answer = find_answer(data).map(|offset| (offset, Speaker::Server));
            let request = find_request(data).map(|offset| (offset, Speaker::Client));
            let first = [answer, request].into_iter().flatten().min_by_key(|(offset, _)| *offset);
            return first.map_or(Probe::No, |(offset, speaker)| Probe::Yes { speaker, offset });
        }
        // Four bytes of length, then the version: the upper half of the length is zero.
        if data.iter().take(2).any(|b| *b != 0) {
            return Probe::No;
        }
        let (Some(len), Some(version)) = (word(data, 0), word(data, 4)) else { return Probe::More };
        let startup =
            version >> 16 == 3 && version & 0xffff <= 2 && (9..=MAX_STARTUP).contains(&len);
        let request = matches!(version, SSL_REQUEST | GSS_REQUEST) && len == 8;
        if request {
            return Probe::yes(Speaker::Client);
        }
        // The first parameter: `user`, `database`...
        match data.get(8) {
            _ if !startup => Probe::No,
            None => Probe::More,
            Some(byte) if byte.is_ascii_lowercase() || *byte == b'_' => Probe::yes(Speaker::Client),
            Some(_) => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<PostgresqlParser>::default()
    }
}

/// A number at `at`.
fn word(data: &[u8], at: usize) -> Option<u32> {
    let (bytes, _) = data.get(at..)?.split_first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

/// The first ReadyForQuery or RowDescription of a server in `data`.
fn find_answer(data: &[u8]) -> Option<usize> {
    // ReadyForQuery: its length, and a status of three.
    let ready = memchr::memmem::find_iter(data, b"Z\0\0\0\x05")
        .find(|at| matches!(data.get(at + 5), Some(b'I' | b'T' | b'E')));
    [ready, find_description(data)].into_iter().flatten().min()
}

/// The first Query or Parse of a client in `data`: all of it is there, and it holds a statement.
fn find_request(data: &[u8]) -> Option<usize> {
    let is_request = |at: &usize| {
        let rest = data.get(*at..).unwrap_or_default();
        let len = word(rest, 1).map_or(0, |len| len as usize);
        if !(8..MAX_STATEMENT).contains(&len) {
            return false;
        }
        let Some(body) = rest.get(5..=len) else { return false };
        let statement = match rest.first() {
            // The name of the prepared statement comes first.
            Some(b'P') => memchr::memchr(0, body).and_then(|end| body.get(end + 1..)),
            _ if body.last() == Some(&0) => Some(body),
            _ => None,
        };
        statement.is_some_and(sql::is_statement)
    };
    memchr::memchr2_iter(b'Q', b'P', data).find(is_request)
}

/// The first RowDescription in `data`: its columns fill it to the last byte.
fn find_description(data: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'T', data).find(|at| {
        let rest = data.get(*at..).unwrap_or_default();
        let len = word(rest, 1).map_or(0, |len| len as usize);
        (32..=16 << 10).contains(&len) && rest.get(5..=len).is_some_and(values::is_description)
    })
}
