//! PostgreSQL, frontend/backend protocol 3.0 (PostgreSQL manual, chapter "Message Formats"). The rows
//! of a result are handed on as a table of text, the names of its columns first.

mod row;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::tls_upgrade::TlsUpgrade;
use super::{
    Authentication, ContentSink, Direction, End, Hint, Media, ParseError, Parser, Probe, Progress,
    Protocol, Reason, Resync, Speaker,
};
use row::Columns;

/// Longest row or row description that is read, bytes.
const MAX_ROW: usize = 64 << 10;
/// Longest startup message, bytes (the server's own limit is 10 000).
const MAX_STARTUP: u32 = 10_000;
/// What stands in place of a version to ask for TLS or GSSAPI.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// PostgreSQL.
pub struct Postgresql;

impl Protocol for Postgresql {
    fn name(&self) -> &'static str {
        "postgresql"
    }

    fn probe(&self, data: &[u8], at_start: bool) -> Probe {
        if !at_start {
            return Probe::No;
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
        Box::new(PostgresqlParser {
            started: false,
            tls: TlsUpgrade::default(),
            columns: Columns::default(),
            rows: None,
            line: zeroize::Zeroizing::default(),
        })
    }
}

/// A number at `at`.
fn word(data: &[u8], at: usize) -> Option<u32> {
    let (bytes, _) = data.get(at..)?.split_first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

/// One flow.
struct PostgresqlParser {
    /// The client has sent its startup message.
    started: bool,
    tls: TlsUpgrade,
    columns: Columns,
    /// The table that is being handed on.
    rows: Option<ContentWriter>,
    /// A row as text.
    line: zeroize::Zeroizing<Vec<u8>>,
}

impl PostgresqlParser {
    fn close_rows(&mut self, complete: bool, sink: &mut dyn ContentSink) {
        if let Some(rows) = self.rows.take() {
            rows.close(complete, sink);
        }
    }

    /// A message of the server that is read as a whole.
    fn message(&mut self, kind: u8, body: &[u8], direction: Direction, sink: &mut dyn ContentSink) {
        match kind {
            b'T' => {
                self.close_rows(true, sink);
                self.columns = Columns::new(body);
            }
            b'D' if !self.columns.is_empty() => {
                let columns = &self.columns;
                let rows = self.rows.get_or_insert_with(|| {
                    sink.unit("response");
                    let media = Media::Type { content_type: "text/csv", name: "" };
                    let mut rows = ContentWriter::open(
                        &Hint {
                            direction,
                            media,
                            operation: "SELECT",
                            codings: &[],
                            layer: "postgresql",
                        },
                        sink,
                    );
                    rows.data(columns.heading(), sink);
                    rows
                });
                if !rows.is_done() {
                    self.line.clear();
                    columns.row(body, &mut self.line);
                    rows.data(&self.line, sink);
                }
            }
            // AuthenticationCleartextPassword, ...MD5Password, ...SASL
            b'R' => match word(body, 0) {
                Some(3) => sink.facts().password_in_clear(),
                Some(5 | 10) => sink.facts().authentication = Authentication::Digest,
                _ => {}
            },
            _ => {}
        }
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
                return Ok(Progress::skip(at + 8, u64::from(len - 8)));
            }
            if !client && self.tls.is_asked() && matches!(first, b'S' | b'G' | b'N') {
                // One byte alone; `S` followed by a length would be a parameter.
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
            if client || !matches!(first, b'T' | b'D' | b'R') || size > MAX_ROW {
                match first {
                    // CommandComplete, PortalSuspended, ErrorResponse, ReadyForQuery
                    b'C' | b's' | b'E' | b'Z' if !client => self.close_rows(true, sink),
                    b'T' if !client => self.columns = Columns::default(),
                    _ => {}
                }
                return Ok(Progress::skip(at + 5, u64::from(len)));
            }
            let Some(body) = rest.get(5..5 + size) else {
                return Ok(Progress::need(at, 5 + size));
            };
            self.message(*first, body, direction, sink);
            at += 5 + size;
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        if direction == Direction::ServerToClient {
            self.close_rows(false, sink);
        }
        Resync::Search
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        if direction == Direction::ClientToServer {
            self.started = true;
            // Sync, which has no body.
            return memchr::memmem::find(data, b"S\0\0\0\x04").map(|at| at + 5);
        }
        // ReadyForQuery: its length, and a status of three.
        memchr::memmem::find_iter(data, b"Z\0\0\0\x05")
            .find(|at| matches!(data.get(at + 5), Some(b'I' | b'T' | b'E')))
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if direction == Direction::ServerToClient {
            self.close_rows(false, sink);
        }
    }

    fn memory(&self) -> usize {
        self.columns.memory() + self.line.capacity()
    }
}
