//! One connection: packets, plain or compressed.

use super::super::sql::{Catalog, MAX_STATEMENT};
use super::super::{
    ContentSink, Direction, End, Ending, ParseError, Parser, Progress, Reason, Resync,
};
use super::commands::{Command, Load};
use super::packet::{FULL, HEADER, Header};
use super::results::ResultSet;
use super::statements::{Prepared, Statements};
use super::{find_command, find_definition, is_answer};
use crate::protocol::sql::Fields;
use crate::protocol::unpack::{Compression, unpack};
use crate::syntax::zstd;
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// Longest row or definition that is read whole, bytes. Of a longer row, the columns up to there are read.
const MAX_ROW: usize = 256 << 10;
/// Longest stretch of packets out of one compressed packet, bytes.
const MAX_INFLATED: usize = 4 << 20;

const CLIENT_COMPRESS: u64 = 0x20;
const CLIENT_ZSTD_COMPRESSION: u64 = 1 << 26;
pub(super) const CLIENT_SSL: u64 = 0x800;
pub(super) const CLIENT_QUERY_ATTRIBUTES: u64 = 1 << 27;

/// One flow.
#[derive(Default)]
pub struct MysqlParser {
    pub(super) phase: Phase,
    /// Capabilities of the client, but those that the server lacks: some clients state what they could do.
    pub(super) capabilities: u64,
    /// Capabilities that the server lacks.
    pub(super) lacking: u64,
    /// Commands without an answer yet, the oldest first.
    pub(super) asked: VecDeque<Command>,
    pub(super) result: ResultSet,
    pub(super) statements: Statements,
    /// Statements whose numbers the server has not given yet.
    pub(super) preparing: VecDeque<Zeroizing<Vec<u8>>>,
    /// The last of them, if it is executed before that.
    pub(super) ahead: Prepared,
    pub(super) load: Load,
    pub(super) catalog: Catalog,
    /// The next packet continues one of full length, by direction.
    continues: [bool; 2],
    /// Unread bytes of decompressed packets, by direction, and how many of those to come are not read.
    inflated: [Zeroizing<Vec<u8>>; 2],
    unread: [usize; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    /// The greeting, and authentication.
    #[default]
    Connection,
    /// The client asked for TLS.
    Tls,
    /// The server authenticates the client.
    Authentication,
    Command,
}

impl MysqlParser {
    /// Reads complete packets from the front of `data`. Returns how far it came and how many bytes it needs.
    fn packets(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let client = direction == Direction::ClientToServer;
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|r| !r.is_empty()) {
            if self.phase == Phase::Tls {
                return Ok(Progress { switch: true, ..Progress::consumed(at) });
            }
            let Some(header) = Header::read(rest) else { return Ok(Progress::need(at, HEADER)) };
            let limit = if client { MAX_STATEMENT } else { MAX_ROW };
            let continued = self.continues[direction.index()];
            if continued || header.length > limit || header.length == FULL {
                if !client && !continued {
                    let Some(head) = rest.get(HEADER..HEADER + MAX_ROW) else {
                        return Ok(Progress::need(at, HEADER + MAX_ROW));
                    };
                    self.beginning(header, head, sink);
                }
                self.continues[direction.index()] = header.length == FULL;
                return Ok(Progress::skip(at + HEADER, header.length as u64));
            }
            let Some(body) = rest.get(HEADER..HEADER + header.length) else {
                return Ok(Progress::need(at, HEADER + header.length));
            };
            let compressed = self.is_compressed();
            match client {
                true => self.client(header, body, sink),
                false => self.server(header, body, sink),
            }
            at += HEADER + header.length;
            if !compressed && self.is_compressed() {
                // The following bytes use the other framing.
                break;
            }
        }
        Ok(Progress::consumed(at))
    }

    const fn is_compressed(&self) -> bool {
        matches!(self.phase, Phase::Command)
            && self.capabilities & (CLIENT_COMPRESS | CLIENT_ZSTD_COMPRESSION) != 0
    }

    /// Reads compressed packets: length, number, decompressed length (0: not compressed).
    fn compressed(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|r| !r.is_empty()) {
            let mut fields = Fields(rest);
            let (Some(length), Some(_), Some(plain)) =
                (fields.number(3), fields.number(1), fields.number(3))
            else {
                return Ok(Progress::need(at, HEADER + 3));
            };
            let (length, plain) = (length as usize, plain as usize);
            let mut buffer = std::mem::take(&mut self.inflated[direction.index()]);
            if length > MAX_STATEMENT || plain > MAX_INFLATED || buffer.len() + plain > MAX_INFLATED
            {
                return Err(ParseError::new(Reason::Limit, at));
            }
            let Some(body) = fields.bytes(length) else {
                self.inflated[direction.index()] = buffer;
                return Ok(Progress::need(at, HEADER + 3 + length));
            };
            if plain == 0 {
                buffer.extend_from_slice(body);
            } else if body.starts_with(zstd::MAGIC) {
                let limit = buffer.len() + plain;
                unpack(Compression::Zstd, body, &mut buffer, sink)
                    .map_err(|reason| ParseError::new(reason, at))?;
                buffer.truncate(limit);
            } else {
                if !sink.spend(INFLATING + plain as u64) {
                    return Err(ParseError::new(Reason::Budget, at));
                }
                inflate(body, plain, &mut buffer).ok_or(ParseError::new(Reason::Malformed, at))?;
            }
            let unread = self.unread[direction.index()].min(buffer.len());
            self.unread[direction.index()] -= unread;
            buffer.drain(..unread);
            // One that is too long to be read ends a round.
            loop {
                let progress = self.packets(direction, &buffer, sink)?;
                let skip = usize::try_from(progress.skip).unwrap_or(usize::MAX);
                let end = progress.consumed.saturating_add(skip);
                let read = end.min(buffer.len());
                buffer.drain(..read);
                self.unread[direction.index()] = end - read;
                if skip == 0 || buffer.is_empty() {
                    break;
                }
            }
            self.inflated[direction.index()] = buffer;
            at += HEADER + 3 + length;
        }
        Ok(Progress::consumed(at))
    }
}

/// Cost of setting up an inflater, taken from the flow's budget.
const INFLATING: u64 = 4 << 10;

/// Appends the decompressed `body` (RFC 1950), which must have `plain` bytes.
fn inflate(body: &[u8], plain: usize, buffer: &mut Zeroizing<Vec<u8>>) -> Option<()> {
    let before = buffer.len();
    buffer.resize(before + plain, 0);
    let mut inflater = flate2::Decompress::new(true);
    let out = buffer.get_mut(before..)?;
    inflater.decompress(body, out, flate2::FlushDecompress::Finish).ok()?;
    (inflater.total_out() == plain as u64).then_some(())
}

impl Parser for MysqlParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        if self.is_compressed() {
            return self.compressed(direction, data, sink);
        }
        let progress = self.packets(direction, data, sink)?;
        match data.get(progress.consumed..) {
            Some(rest) if self.is_compressed() && !rest.is_empty() && progress.need == 0 => {
                let after = self.compressed(direction, rest, sink)?;
                Ok(Progress { consumed: progress.consumed + after.consumed, ..after })
            }
            _ => Ok(progress),
        }
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        if self.is_compressed() {
            return Resync::Lost;
        }
        self.asked.clear();
        self.preparing.clear();
        self.continues[direction.index()] = false;
        self.load.close(Ending::Cut, sink);
        if direction == Direction::ServerToClient {
            self.result.reset(Ending::Cut, sink);
        }
        self.phase = Phase::Command;
        Resync::Search
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        self.phase = Phase::Command;
        if direction == Direction::ServerToClient {
            if is_answer(data) {
                return Some(0);
            }
            let at = find_definition(data)?;
            self.begin_midstream(data.get(at + HEADER..)?);
            return Some(at);
        }
        find_command(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        match direction {
            Direction::ClientToServer => self.load.close(Ending::Cut, sink),
            Direction::ServerToClient => self.result.table.close(Ending::Cut, sink),
        }
    }

    fn memory(&self) -> usize {
        let inflated = self.inflated.iter().map(|b| b.capacity()).sum::<usize>();
        let preparing = self.preparing.iter().map(|p| p.capacity()).sum::<usize>();
        self.result.table.memory()
            + self.statements.memory()
            + self.catalog.memory()
            + inflated
            + preparing
    }
}
