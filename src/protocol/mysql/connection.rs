//! One connection.

use super::super::sql::{
    self, Fields, MAX_PREPARED, MAX_STATEMENT, MAX_STATEMENTS, Parameters, Table, is_null, table,
};
use super::super::{
    Authentication, ContentSink, Direction, End, Ending, ParseError, Parser, Progress, Reason,
    Resync, ServiceFacts,
};
use super::packet::{FULL, HEADER, Header};
use super::{DEFINITION, find_definition, values};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Longest row or definition that is read, bytes.
const MAX_ROW: usize = 256 << 10;
/// Bytes of a definition behind its names: their length, character set, length, type, flags, decimals.
const FIXED: usize = 13;
/// Longest stretch of packets out of one compressed packet, bytes.
const MAX_INFLATED: usize = 4 << 20;

const CLIENT_COMPRESS: u64 = 0x20;
const CLIENT_SSL: u64 = 0x800;
const CLIENT_QUERY_ATTRIBUTES: u64 = 1 << 27;

const COM_QUERY: u8 = 0x03;
const COM_PREPARE: u8 = 0x16;
const COM_EXECUTE: u8 = 0x17;
const COM_CLOSE: u8 = 0x19;

/// One flow.
#[derive(Default)]
pub struct MysqlParser {
    phase: Phase,
    /// Capabilities of the client.
    capabilities: u64,
    /// The last command, which says how the answer is to be read.
    command: u8,
    /// Of the result that the server is sending.
    result: ResultSet,
    /// Statements by the number that the server gave them.
    prepared: BTreeMap<u32, Prepared>,
    /// The statement whose number the server has not given yet.
    preparing: Option<Zeroizing<Vec<u8>>>,
    /// What compressed packets of each direction gave and is not read yet.
    inflated: [Zeroizing<Vec<u8>>; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// The greeting, and who the client is.
    #[default]
    Connection,
    /// The client asked for TLS.
    Tls,
    /// The server checks who the client is.
    Authentication,
    Command,
}

#[derive(Default)]
struct Prepared {
    statement: Zeroizing<Vec<u8>>,
    parameters: usize,
    /// Types of the parameters, which are sent once.
    types: Vec<(u8, bool)>,
}

#[derive(Default)]
struct ResultSet {
    stage: Stage,
    table: Table,
    /// Type of each column, and whether it is unsigned.
    types: Vec<(u8, bool)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// The answer to a command begins.
    #[default]
    Answer,
    /// So many definitions are to come.
    Definitions(usize),
    /// The definitions are complete; an EOF packet may come before the rows.
    Defined,
    Rows,
    /// Definitions of a prepared statement, which are described again with its results.
    Passing,
}

impl MysqlParser {
    fn client(&mut self, header: Header, body: &[u8], sink: &mut dyn ContentSink) {
        if self.phase == Phase::Connection && header.sequence > 0 {
            return self.login(body, sink);
        }
        if header.sequence != 0 {
            return;
        }
        self.phase = Phase::Command;
        let Some((&command, body)) = body.split_first() else { return };
        self.command = command;
        self.result.stage = Stage::Answer;
        match command {
            COM_QUERY => {
                let mut fields = Fields(body);
                // Attributes of the query: their count, and the count of their sets.
                if self.capabilities & CLIENT_QUERY_ATTRIBUTES != 0 && body.first() == Some(&0) {
                    fields.bytes(2);
                }
                sql::pass_on_values(fields.0, &Parameters::default(), "mysql", sink);
            }
            COM_PREPARE if body.len() <= MAX_PREPARED => {
                self.preparing = Some(Zeroizing::new(body.to_vec()));
            }
            COM_EXECUTE => self.execute(body, sink),
            COM_CLOSE => {
                let id = Fields(body).number(4).unwrap_or(0);
                self.prepared.remove(&(id as u32));
            }
            _ => {}
        }
    }

    /// The answer to the greeting: capabilities, character set, user; or the request for TLS.
    fn login(&mut self, body: &[u8], sink: &mut dyn ContentSink) {
        let Some(capabilities) = Fields(body).number(4) else { return };
        self.capabilities = capabilities;
        if capabilities & CLIENT_SSL != 0 && body.len() <= 36 {
            self.phase = Phase::Tls;
            return;
        }
        let mut fields = Fields(body);
        // Capabilities, longest packet, character set, reserved; then user and password.
        fields.bytes(32);
        let _user = fields.terminated();
        sink.facts().authentication = match fields.number(1) {
            Some(0) => Authentication::None,
            _ => Authentication::Digest,
        };
        self.phase = Phase::Authentication;
    }

    fn execute(&mut self, body: &[u8], sink: &mut dyn ContentSink) {
        let mut fields = Fields(body);
        let id = fields.number(4).unwrap_or(0) as u32;
        let Some(prepared) = self.prepared.get_mut(&id) else { return };
        let count = prepared.parameters;
        // Flags and the count of iterations.
        if count == 0 || fields.bytes(5).is_none() {
            return;
        }
        if self.capabilities & CLIENT_QUERY_ATTRIBUTES != 0
            && fields.0.first() == Some(&(count as u8))
        {
            fields.bytes(1);
        }
        let Some(nulls) = fields.bytes(count.div_ceil(8)) else { return };
        if fields.number(1) == Some(1) {
            prepared.types.clear();
            for _ in 0..count {
                let Some([kind, flags]) = fields.bytes(2) else { return };
                prepared.types.push((*kind, flags & 0x80 != 0));
                if self.capabilities & CLIENT_QUERY_ATTRIBUTES != 0 {
                    fields.string();
                }
            }
        }
        let mut parameters = Parameters::default();
        let mut text = Zeroizing::new(Vec::new());
        for (at, (kind, unsigned)) in prepared.types.iter().enumerate() {
            text.clear();
            if !is_null(nulls, at)
                && values::read(*kind, *unsigned, &mut fields, &mut text).is_none()
            {
                break;
            }
            parameters.push(&text);
        }
        sql::pass_on_values(&prepared.statement, &parameters, "mysql", sink);
    }

    fn server(&mut self, header: Header, body: &[u8], sink: &mut dyn ContentSink) {
        let Some(&first) = body.first() else { return };
        // The greeting may be seen behind the answer to it.
        let opening = matches!(self.phase, Phase::Connection | Phase::Authentication);
        if opening && first == 10 && header.sequence == 0 {
            let version = Fields(body.get(1..).unwrap_or_default()).terminated();
            let version = String::from_utf8_lossy(version.unwrap_or_default()).into_owned();
            ServiceFacts::set(&mut sink.facts().software, &version);
            return;
        }
        if self.phase == Phase::Connection {
            self.begin_midstream(body);
        }
        if self.phase == Phase::Authentication {
            match first {
                0 => {
                    self.phase = Phase::Command;
                    sink.facts().served();
                }
                // Another way of authentication, or more of it: the password comes behind.
                1 | 0xFE => sink.facts().authentication = Authentication::Digest,
                _ => {}
            }
            return;
        }
        match self.result.stage {
            Stage::Answer => self.answer(first, body),
            Stage::Definitions(left) => self.definition(left, body, sink),
            Stage::Defined | Stage::Rows => self.row(first, body, sink),
            Stage::Passing => {}
        }
    }

    /// The beginning was not seen: `body` is the first packet of a result, or its first definition.
    fn begin_midstream(&mut self, body: &[u8]) {
        self.phase = Phase::Command;
        self.command = 0;
        self.result.stage = Stage::Answer;
        if body.starts_with(DEFINITION) {
            self.result.types.clear();
            self.result.stage = Stage::Definitions(1);
        }
    }

    /// The first packet of an answer.
    fn answer(&mut self, first: u8, body: &[u8]) {
        if self.command == COM_PREPARE && first != 0xFF {
            let mut fields = Fields(body);
            let (status, id) = (fields.number(1), fields.number(4));
            let (_, parameters) = (fields.number(2), fields.number(2));
            if let (Some(0), Some(id), Some(parameters), Some(statement)) =
                (status, id, parameters, self.preparing.take())
                && self.prepared.len() < MAX_STATEMENTS
            {
                let parameters = parameters as usize;
                let prepared = Prepared { statement, parameters, types: Vec::new() };
                self.prepared.insert(id as u32, prepared);
            }
            self.result.stage = Stage::Passing;
            return;
        }
        // OK, an error, or a file that the client is to send.
        if matches!(first, 0 | 0xFF | 0xFB | 0xFE) {
            return;
        }
        let mut fields = Fields(body);
        // MariaDB says behind the count whether the definitions follow, or are those of before
        // (MARIADB_CLIENT_CACHE_METADATA).
        if let Some(count) = fields.length()
            && matches!(fields.0, [] | [0 | 1])
            && (1..=table::MAX_COLUMNS as u64).contains(&count)
        {
            if fields.0 == [0] && self.result.types.len() as u64 == count {
                self.result.stage = Stage::Defined;
                return;
            }
            self.result.types.clear();
            self.result.stage = Stage::Definitions(count as usize);
        }
    }

    fn definition(&mut self, left: usize, body: &[u8], sink: &mut dyn ContentSink) {
        if !body.starts_with(DEFINITION) {
            self.result.stage = Stage::Answer;
            return;
        }
        if self.result.types.is_empty() {
            self.result.table.reset(Ending::Complete, sink);
        }
        let mut fields = Fields(body);
        // Catalog, schema, table and its original name.
        let named = (0..4).all(|_| fields.string().is_some());
        let name = fields.string().filter(|_| named).unwrap_or_default();
        fields.string();
        // MariaDB may describe the type further (MARIADB_CLIENT_EXTENDED_METADATA).
        if fields.0.len() > FIXED {
            fields.string();
        }
        fields.length();
        // Character set and length.
        fields.bytes(6);
        let (kind, flags) = (fields.number(1), fields.number(2));
        self.result.table.column(name);
        self.result.types.push((kind.unwrap_or(253) as u8, flags.unwrap_or(0) & 0x20 != 0));
        self.result.stage = match left {
            0 | 1 => Stage::Defined,
            _ => Stage::Definitions(left - 1),
        };
    }

    fn row(&mut self, first: u8, body: &[u8], sink: &mut dyn ContentSink) {
        if body.starts_with(DEFINITION) && self.command == 0 {
            // From the middle: more columns than were counted.
            return self.definition(1, body, sink);
        }
        // EOF of the definitions or of the rows, OK in its place (`CLIENT_DEPRECATE_EOF`), or an error.
        let defined = std::mem::replace(&mut self.result.stage, Stage::Rows) == Stage::Defined;
        if matches!(first, 0xFE | 0xFF) && (body.len() < 9 || first == 0xFF || !self.is_text(body))
        {
            if !defined || first == 0xFF || body.len() != 5 {
                self.result.table.close(Ending::complete_if(first == 0xFE), sink);
                // Further results of the command may follow (SERVER_MORE_RESULTS_EXISTS).
                self.result.stage = Stage::Answer;
            }
            return;
        }
        let result = &mut self.result;
        if result.table.is_done() {
            return;
        }
        let mut fields = Fields(body);
        let binary = self.command == COM_EXECUTE || (self.command == 0 && first == 0);
        if binary && first == 0 {
            fields.bytes(1);
            let Some(nulls) = fields.bytes((result.types.len() + 9) / 8) else { return };
            for (at, (kind, unsigned)) in result.types.iter().enumerate() {
                let read = result.table.write_cell(|text| match is_null(nulls, at + 2) {
                    true => Some(()),
                    false => values::read(*kind, *unsigned, &mut fields, text),
                });
                if read.is_none() {
                    return result.table.drop_row();
                }
            }
        } else {
            for _ in 0..result.types.len() {
                match fields.0.first() {
                    Some(0xFB) => {
                        fields.bytes(1);
                        result.table.cell(b"");
                    }
                    _ => match fields.string() {
                        Some(value) => result.table.cell(value),
                        None => return result.table.drop_row(),
                    },
                }
            }
        }
        result.table.end_row("mysql", sink);
    }

    /// Whether a packet that begins like an end holds the values of all columns as text.
    fn is_text(&self, body: &[u8]) -> bool {
        let mut fields = Fields(body);
        self.command != COM_EXECUTE
            && (0..self.result.types.len()).all(|_| {
                matches!(fields.0.first(), Some(0xFB)) && fields.bytes(1).is_some()
                    || fields.string().is_some()
            })
            && fields.0.is_empty()
    }

    /// Reads whole packets from the front of `data`; how far it came, and how many bytes it needs.
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
            if header.length > limit || header.length == FULL {
                if !client {
                    self.result.table.drop_row();
                }
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
                // What follows is in the other framing.
                break;
            }
        }
        Ok(Progress::consumed(at))
    }

    const fn is_compressed(&self) -> bool {
        matches!(self.phase, Phase::Command) && self.capabilities & CLIENT_COMPRESS != 0
    }

    /// Reads compressed packets: length, number, length when inflated (0: not compressed).
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
            } else {
                if !sink.spend(INFLATING + plain as u64) {
                    return Err(ParseError::new(Reason::Budget, at));
                }
                inflate(body, plain, &mut buffer).ok_or(ParseError::new(Reason::Malformed, at))?;
            }
            let progress = self.packets(direction, &buffer, sink)?;
            let skip = usize::try_from(progress.skip).unwrap_or(usize::MAX);
            let read = progress.consumed.saturating_add(skip).min(buffer.len());
            buffer.drain(..read);
            self.inflated[direction.index()] = buffer;
            at += HEADER + 3 + length;
        }
        Ok(Progress::consumed(at))
    }
}

/// What setting up an inflater costs of the flow's budget.
const INFLATING: u64 = 4 << 10;

/// Appends what `body` inflates to (RFC 1950), which must be `plain` bytes.
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
        if direction == Direction::ServerToClient {
            self.result.table.reset(Ending::Cut, sink);
            self.result.stage = Stage::Answer;
        }
        self.phase = Phase::Command;
        Resync::Search
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        self.phase = Phase::Command;
        if direction == Direction::ServerToClient {
            let at = find_definition(data)?;
            self.begin_midstream(data.get(at + HEADER..)?);
            return Some(at);
        }
        // A command: packet 0 with a statement.
        memchr::memchr_iter(0, data).find_map(|at| {
            let start = at.checked_sub(3)?;
            let header = Header::read(data.get(start..)?)?;
            let body = data.get(start + HEADER..)?;
            let sql = body.get(1..8)?;
            let verb = sql.iter().take(4).all(u8::is_ascii_alphabetic);
            (header.length > 8 && matches!(body.first()?, &COM_QUERY | &COM_PREPARE) && verb)
                .then_some(start)
        })
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if direction == Direction::ServerToClient {
            self.result.table.close(Ending::Cut, sink);
        }
    }

    fn memory(&self) -> usize {
        let prepared =
            self.prepared.values().map(|p| p.statement.capacity() + 2 * p.types.capacity());
        let inflated = self.inflated.iter().map(|b| b.capacity());
        self.result.table.memory() + prepared.chain(inflated).sum::<usize>()
    }
}
