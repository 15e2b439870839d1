//! MySQL and MariaDB (MySQL Internals Manual, "Client/Server Protocol", version 10).
//!
//! Result sets, text and binary, are passed on as tables; so are the values of statements, also of prepared ones, and
//! files that LOAD DATA LOCAL sends. Compressed packets (zlib, Zstandard) are decompressed. Commands may be sent
//! before earlier ones are answered.

mod charset;
mod commands;
mod connection;
mod packet;
mod results;
mod statements;
mod values;

#[cfg(test)]
mod tests;

use super::sql::{MAX_STATEMENT, is_statement};
use super::{Parser, Position, Probe, Protocol, Speaker};
use commands::{COM_PREPARE, COM_QUERY};
use connection::MysqlParser;
use packet::Header;

/// MySQL.
pub struct Mysql;

/// Longest version text of a greeting, bytes.
const MAX_VERSION: usize = 96;
/// Bytes behind the version up to the second part of the challenge.
const GREETING_TAIL: usize = 31;
/// Before a statement: no attributes, in one set (CLIENT_QUERY_ATTRIBUTES).
const NO_ATTRIBUTES: &[u8] = &[0, 1];
/// Beginning of a column definition in a packet: the catalog, which is always `def`.
const DEFINITION: &[u8] = b"\x03def";

impl Protocol for Mysql {
    fn name(&self) -> &'static str {
        "mysql"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            let answer = find_definition(data).map(|offset| (offset, Speaker::Server));
            let command = find_command(data).map(|offset| (offset, Speaker::Client));
            let first = [answer, command].into_iter().flatten().min_by_key(|(offset, _)| *offset);
            return first.map_or(Probe::No, |(offset, speaker)| Probe::Yes { speaker, offset });
        }
        // The server speaks first: packet 0, protocol version 10.
        let Some(header) = Header::read(data) else {
            let fits = data.get(3).is_none_or(|n| *n == 0) && data.get(1).is_none_or(|b| *b == 0);
            return if fits { Probe::More } else { Probe::No };
        };
        if header.sequence != 0 || !(40..=512).contains(&header.length) {
            return Probe::No;
        }
        let Some((version, rest)) = data.get(4..).and_then(<[u8]>::split_first) else {
            return Probe::More;
        };
        if *version != 10 {
            return Probe::No;
        }
        let Some(end) = memchr::memchr(0, rest.get(..MAX_VERSION).unwrap_or(rest)) else {
            return if rest.len() > MAX_VERSION { Probe::No } else { Probe::More };
        };
        let text = rest.get(..end).unwrap_or_default();
        let fits = text.first().is_some_and(u8::is_ascii_digit) && text.is_ascii();
        match rest.get(end + 1..end + 1 + GREETING_TAIL) {
            _ if !fits => Probe::No,
            // A zero behind the first part of the challenge.
            Some(tail) if tail.get(12) == Some(&0) => Probe::yes(Speaker::Server),
            Some(_) => Probe::No,
            None => Probe::More,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<MysqlParser>::default()
    }
}

/// The packet of the first command that holds a statement and is there as a whole.
fn find_command(data: &[u8]) -> Option<usize> {
    // The number of the packet is 0, and then comes the command.
    memchr::memchr_iter(0, data).find_map(|at| {
        let start = at.checked_sub(packet::HEADER - 1)?;
        let rest = data.get(start..)?;
        if !matches!(rest.get(packet::HEADER)?, &COM_QUERY | &COM_PREPARE) {
            return None;
        }
        let header = Header::read(rest)?;
        let whole = (8..MAX_STATEMENT).contains(&header.length) && header.sequence == 0;
        let body = rest.get(packet::HEADER + 1..).filter(|_| whole)?;
        let statement = body.get(..header.length - 1)?;
        let statement = statement.strip_prefix(NO_ATTRIBUTES).unwrap_or(statement);
        is_statement(statement).then_some(start)
    })
}

/// Whether `data` is whole packets of answers, of which the first says that all is well or not, or asks for a file.
fn is_answer(data: &[u8]) -> bool {
    let (mut at, mut last) = (0, 0u8);
    while let Some(header) = data.get(at..).and_then(Header::read) {
        let first = data.get(at + packet::HEADER);
        let begins = matches!(first, Some(0 | 0xfb | 0xfe | 0xff)) && header.sequence > 0;
        let follows = header.sequence == last.wrapping_add(1) || header.sequence == 1;
        if header.length == 0 || (if at == 0 { !begins } else { !follows }) {
            return false;
        }
        last = header.sequence;
        at += packet::HEADER + header.length;
    }
    at > 0 && at == data.len()
}

/// The packet of the first column definition of a result, or of the count of columns before it.
fn find_definition(data: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(data, DEFINITION).find_map(|at| {
        let start = at.checked_sub(packet::HEADER)?;
        let header = Header::read(data.get(start..)?)?;
        if !(20..=1024).contains(&header.length) || header.sequence == 0 {
            return None;
        }
        // The count: one byte in a packet of its own.
        let count = start.checked_sub(packet::HEADER + 1);
        let counted = count.and_then(|at| Some((at, Header::read(data.get(at..)?)?)));
        Some(match counted {
            Some((at, h)) if h.length == 1 && h.sequence.wrapping_add(1) == header.sequence => at,
            _ => start,
        })
    })
}
