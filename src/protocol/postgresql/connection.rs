//! One connection.

use super::super::sql::{self, MAX_PREPARED, MAX_STATEMENT, MAX_STATEMENTS, Parameters, Table};
use super::super::{
    Authentication, ContentSink, Direction, End, Ending, ParseError, Parser, Progress, Reason,
    Resync,
};
use super::{
    CANCEL_REQUEST, GSS_REQUEST, MAX_STARTUP, SSL_REQUEST, find_description, values, word,
};
use crate::protocol::tls_upgrade::TlsUpgrade;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Longest row or row description that is read, bytes.
const MAX_ROW: usize = 256 << 10;
/// Longest name of a prepared statement, bytes.
const MAX_NAME: usize = 64;

/// One flow.
#[derive(Default)]
pub struct PostgresqlParser {
    /// The client has sent its startup message.
    started: bool,
    tls: TlsUpgrade,
    table: Table,
    types: Vec<u32>,
    /// Statements by name; the unnamed one among them.
    prepared: BTreeMap<Vec<u8>, Prepared>,
    /// COPY of either direction: rows of text, and what is left of a row that is not complete.
    copy: Copy,
}

#[derive(Default)]
struct Prepared {
    statement: Zeroizing<Vec<u8>>,
    types: Vec<u32>,
}

#[derive(Default)]
struct Copy {
    columns: Vec<Vec<u8>>,
    table: Table,
    part: Zeroizing<Vec<u8>>,
}

impl PostgresqlParser {
    /// A message of the client that is read as a whole.
    fn request(&mut self, kind: u8, body: &[u8], sink: &mut dyn ContentSink) {
        match kind {
            b'Q' => {
                let statement = body.strip_suffix(&[0]).unwrap_or(body);
                self.copy.begin(statement);
                sql::pass_on_values(statement, &Parameters::default(), "postgresql", sink);
            }
            b'P' => self.prepare(body),
            b'B' => self.bind(body, sink),
            b'd' => self.copy.data(body, sink),
            b'c' => self.copy.end(Ending::Complete, sink),
            b'f' => self.copy.end(Ending::Cut, sink),
            _ => {}
        }
    }

    /// Parse: name, statement, types of its parameters.
    fn prepare(&mut self, body: &[u8]) {
        let mut parts = body.splitn(3, |b| *b == 0);
        let (Some(name), Some(statement), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return;
        };
        let known = self.prepared.contains_key(name);
        let room = known || self.prepared.len() < MAX_STATEMENTS;
        if name.len() > MAX_NAME || statement.len() > MAX_PREPARED || !room {
            return;
        }
        self.copy.begin(statement);
        let types = rest.get(2..).unwrap_or_default().chunks_exact(4);
        let types = types.map(|t| word(t, 0).unwrap_or(0)).collect();
        let prepared = Prepared { statement: Zeroizing::new(statement.to_vec()), types };
        self.prepared.insert(name.to_vec(), prepared);
    }

    /// Bind: portal, statement, formats, values.
    fn bind(&self, body: &[u8], sink: &mut dyn ContentSink) {
        let mut parts = body.splitn(3, |b| *b == 0);
        let (_, Some(name), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return;
        };
        let Some(prepared) = self.prepared.get(name) else { return };
        let Some((formats, rest)) = rest.split_first_chunk::<2>() else { return };
        let formats = 2 * usize::from(u16::from_be_bytes(*formats));
        let Some((formats, rest)) = rest.split_at_checked(formats) else { return };
        let Some((count, mut rest)) = rest.split_first_chunk::<2>() else { return };
        let mut parameters = Parameters::default();
        for at in 0..usize::from(u16::from_be_bytes(*count)) {
            let Some(value) = values::next(&mut rest) else { break };
            // One format for all, or one each.
            let format = formats.chunks_exact(2).nth(if formats.len() == 2 { 0 } else { at });
            let kind = prepared.types.get(at).copied().unwrap_or(0);
            let mut text = Zeroizing::new(Vec::new());
            let binary = format == Some(&[0, 1]);
            match values::binary(kind, value, &mut text).filter(|()| binary) {
                Some(()) => parameters.push(&text),
                None => parameters.push(value),
            }
        }
        sql::pass_on_values(&prepared.statement, &parameters, "postgresql", sink);
    }

    /// A message of the server that is read as a whole.
    fn answer(&mut self, kind: u8, body: &[u8], sink: &mut dyn ContentSink) {
        match kind {
            b'T' => {
                self.table.reset(Ending::Complete, sink);
                self.types = values::describe(body, &mut self.table);
            }
            b'D' if !self.table.is_done() => {
                let mut rest = body.get(2..).unwrap_or_default();
                for kind in &self.types {
                    let Some(value) = values::next(&mut rest) else { break };
                    let binary = |text: &mut Vec<u8>| values::binary(*kind, value, text);
                    if self.table.write_cell(binary).is_none() {
                        self.table.cell(value);
                    }
                }
                self.table.end_row("postgresql", sink);
            }
            // AuthenticationOk without a question, ...CleartextPassword, ...MD5Password, ...SASL
            b'R' => match word(body, 0) {
                Some(0) => sink.facts().served(),
                Some(3) => sink.facts().password_in_clear(),
                // Kerberos, MD5, SCM, GSSAPI, SSPI, SASL.
                Some(2 | 5..=7 | 9 | 10) => sink.facts().authentication = Authentication::Digest,
                _ => {}
            },
            b'd' => self.copy.data(body, sink),
            b'c' => self.copy.end(Ending::Complete, sink),
            _ => {}
        }
    }

    /// The startup message, or what comes in its place; none if it is not complete.
    fn start(&mut self, rest: &[u8], at: usize) -> Result<Progress, ParseError> {
        let (Some(len), Some(version)) = (word(rest, 0), word(rest, 4)) else {
            return Ok(Progress::need(at, 8));
        };
        if !(8..=MAX_STARTUP).contains(&len) {
            return Err(ParseError::new(Reason::Malformed, at));
        }
        match version {
            SSL_REQUEST | GSS_REQUEST => self.tls.ask(),
            CANCEL_REQUEST => {}
            _ => self.started = true,
        }
        Ok(Progress::skip(at + 8, u64::from(len - 8)))
    }
}

impl Parser for PostgresqlParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let client = direction == Direction::ClientToServer;
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            if client && !self.started {
                if self.tls.begins(rest) {
                    return Ok(Progress { switch: true, ..Progress::consumed(at) });
                }
                return self.start(rest, at);
            }
            if !client && self.tls.is_asked() && matches!(first, b'S' | b'G' | b'N') {
                // One byte alone; `S` with a length behind it would be a parameter.
                at += 1;
                if self.tls.answered(*first != b'N') {
                    return Ok(Progress { switch: true, ..Progress::consumed(at) });
                }
                continue;
            }
            let Some(len) = word(rest, 1) else { return Ok(Progress::need(at, 5)) };
            let known = first.is_ascii_alphanumeric();
            let Some(len) = len.checked_sub(4).filter(|l| known && *l < 1 << 30) else {
                return Err(ParseError::new(Reason::Malformed, at));
            };
            let size = len as usize;
            let read = match client {
                true => {
                    matches!(first, b'Q' | b'P' | b'B' | b'd' | b'c' | b'f')
                        && size <= MAX_STATEMENT
                }
                false => matches!(first, b'T' | b'D' | b'R' | b'd' | b'c') && size <= MAX_ROW,
            };
            if !read {
                match first {
                    // CommandComplete, PortalSuspended, ErrorResponse, ReadyForQuery
                    b'C' | b's' | b'E' | b'Z' if !client => {
                        self.table.close(Ending::Complete, sink)
                    }
                    b'T' if !client => self.table.reset(Ending::Complete, sink),
                    _ => {}
                }
                return Ok(Progress::skip(at + 5, u64::from(len)));
            }
            let Some(body) = rest.get(5..5 + size) else {
                return Ok(Progress::need(at, 5 + size));
            };
            match client {
                true => self.request(*first, body, sink),
                false => self.answer(*first, body, sink),
            }
            at += 5 + size;
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        self.copy.end(Ending::Cut, sink);
        if direction == Direction::ServerToClient {
            self.table.close(Ending::Cut, sink);
        }
        Resync::Search
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        self.started = true;
        if direction == Direction::ClientToServer {
            // Sync, which has no body; or a query.
            let sync = memchr::memmem::find(data, b"S\0\0\0\x04").map(|at| at + 5);
            let query = memchr::memmem::find_iter(data, b"Q\0").find(|at| {
                let len = word(data, at + 1).unwrap_or(0) as usize;
                (12..MAX_STATEMENT).contains(&len)
                    && data.get(at + len) == Some(&0)
                    && data.get(at + 5..at + 9).is_some_and(|verb| verb.is_ascii())
            });
            return [sync, query].into_iter().flatten().min();
        }
        // ReadyForQuery: its length, and a status of three.
        let ready = memchr::memmem::find_iter(data, b"Z\0\0\0\x05")
            .find(|at| matches!(data.get(at + 5), Some(b'I' | b'T' | b'E')));
        [ready, find_description(data)].into_iter().flatten().min()
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        self.copy.end(Ending::Cut, sink);
        if direction == Direction::ServerToClient {
            self.table.close(Ending::Cut, sink);
        }
    }

    fn memory(&self) -> usize {
        let prepared =
            self.prepared.values().map(|p| p.statement.capacity() + 4 * p.types.capacity());
        self.table.memory()
            + self.copy.table.memory()
            + self.copy.part.capacity()
            + prepared.sum::<usize>()
    }
}

impl Copy {
    /// A statement that names the columns: `COPY t (a, b) FROM STDIN`.
    fn begin(&mut self, statement: &[u8]) {
        let statement = statement.trim_ascii_start();
        if !statement.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"COPY ")) {
            return;
        }
        self.columns.clear();
        let list = memchr::memchr(b'(', statement).zip(memchr::memchr(b')', statement));
        let list = list.and_then(|(from, to)| statement.get(from + 1..to)).unwrap_or_default();
        let names = list.split(|b| *b == b',').map(|n| n.trim_ascii());
        let names =
            names.map(|n| n.strip_prefix(b"\"").and_then(|n| n.strip_suffix(b"\"")).unwrap_or(n));
        let names = names.filter(|n| !n.is_empty() && !n.eq_ignore_ascii_case(b"SELECT"));
        self.columns = names.take(sql::table::MAX_COLUMNS).map(<[u8]>::to_vec).collect();
    }

    /// CopyData in the text format: rows end in a line feed, columns in a tab. Without the names of the columns
    /// nothing says what they hold.
    fn data(&mut self, body: &[u8], sink: &mut dyn ContentSink) {
        if self.columns.is_empty() || self.part.len() + body.len() > MAX_ROW {
            self.part.clear();
            return;
        }
        self.part.extend_from_slice(body);
        if self.table.columns() == 0 {
            for name in &self.columns {
                self.table.column(name);
            }
        }
        let part = std::mem::take(&mut self.part);
        let mut rest = part.as_slice();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let row = rest.get(..end).unwrap_or_default();
            for cell in row.split(|b| *b == b'\t') {
                self.table.cell(if cell == b"\\N" { b"" } else { cell });
            }
            self.table.end_row("postgresql", sink);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        self.part.extend_from_slice(rest);
    }

    fn end(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        self.part.clear();
        self.columns.clear();
        self.table.reset(ending, sink);
    }
}
