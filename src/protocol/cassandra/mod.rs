//! Apache Cassandra's native protocol, versions 3 to 5 (also ScyllaDB): CQL statements with their values, and the
//! rows of results, as tables. Bodies are decompressed from LZ4 and Snappy, version 5 by segments.

mod frame;
mod probe;
mod segments;
mod types;

#[cfg(test)]
mod tests;

use super::sql::{
    self, Catalog, MAX_PREPARED, MAX_STATEMENT, Parameters, PreparedStatement, PreparedStatements,
    Table,
};
use super::{
    Authentication, ContentSink, Direction, End, Ending, ParseError, Parser, Position, Probe,
    Progress, Protocol, Reason, Resync, Role, Roles, ServiceFacts, Speaker,
};
use frame::{Compression, HEADER, Header, MAX_BODY, Segment, Values};
use probe::{find, front, segmented};
use std::collections::BTreeMap;
use types::Columns;
use zeroize::Zeroizing;

/// Largest result that is read as a whole, and most bytes of a larger one in front of its rows.
const MAX_HEAD: usize = 64 << 10;
/// Longest row, bytes.
const MAX_ROW: usize = 1 << 20;
/// Requests that wait for an answer.
const MAX_PENDING: usize = 1024;
/// Statements of one batch that are read.
const MAX_BATCH: u16 = 4096;

/// Cassandra.
pub struct Cassandra;

impl Protocol for Cassandra {
    fn name(&self) -> &'static str {
        "cassandra"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return match find(data) {
                Some((offset, speaker)) => Probe::Yes { speaker, offset },
                None => Probe::No,
            };
        }
        front(data)
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::Database)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<CassandraParser>::default()
    }
}

/// Kinds of results (section 4.2.5).
const ROWS: u32 = 2;
const PREPARED: u32 = 4;

/// A request that its answer refers to.
enum Pending {
    Prepare(Zeroizing<Vec<u8>>),
    Execute(Vec<u8>),
}

/// A prepared statement.
struct Prepared {
    statement: Zeroizing<Vec<u8>>,
    bound: Columns,
    result: Columns,
}

impl PreparedStatement for Prepared {
    fn memory(&self) -> usize {
        self.statement.capacity() + self.bound.memory() + self.result.memory()
    }
}

/// Rows of a result that has begun.
struct Rows {
    kinds: Vec<types::Kind>,
    /// Remaining bytes of the body.
    left: usize,
}

#[derive(Default)]
struct DirectionState {
    /// It is cut into segments.
    segmented: bool,
    /// Unread bytes of segments.
    unread: Zeroizing<Vec<u8>>,
    /// Bytes of segments to skip.
    skip: u64,
    rows: Option<Rows>,
}

/// One connection.
#[derive(Default)]
struct CassandraParser {
    sides: [DirectionState; 2],
    compression: Option<Compression>,
    table: Table,
    pending: BTreeMap<u16, Pending>,
    prepared: PreparedStatements<Vec<u8>, Prepared>,
    catalog: Catalog,
}

const fn index(direction: Direction) -> usize {
    match direction {
        Direction::ClientToServer => 0,
        Direction::ServerToClient => 1,
    }
}

impl CassandraParser {
    /// The next frame at the front of `data`, or rows of one that has begun.
    fn step(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        if self.sides[index(direction)].rows.is_some() {
            return Ok(self.rows(direction, data, sink));
        }
        if data.len() < HEADER {
            return Ok(Progress::need(0, HEADER));
        }
        let sent = direction == Direction::ServerToClient;
        let Some(header) = Header::parse(data).filter(|header| header.response == sent) else {
            return Err(ParseError::new(Reason::Malformed, 0));
        };
        let read = matches!(
            header.opcode,
            frame::STARTUP
                | frame::READY
                | frame::AUTHENTICATE
                | frame::QUERY
                | frame::RESULT
                | frame::PREPARE
                | frame::EXECUTE
                | frame::BATCH
                | frame::AUTH_RESPONSE
        );
        let all = HEADER + header.length;
        let plain_rows = header.opcode == frame::RESULT && !header.is_compressed();
        let limit = if header.is_compressed() { MAX_BODY } else { MAX_STATEMENT };
        if plain_rows && header.length > MAX_HEAD {
            return Ok(self.large_result(&header, data, sink));
        }
        if !read || header.length > limit {
            if read {
                sink.anomaly(Reason::Limit);
            }
            return Ok(Progress::skip(HEADER, header.length as u64));
        }
        let Some(body) = data.get(HEADER..all) else { return Ok(Progress::need(0, all)) };
        let unpacked;
        let mut body = body;
        if header.is_compressed() && !body.is_empty() {
            match self.unpack(body, sink) {
                Ok(bytes) => {
                    unpacked = Zeroizing::new(bytes);
                    body = &unpacked;
                }
                Err(reason) => {
                    sink.anomaly(reason);
                    return Ok(Progress::consumed(all));
                }
            }
        }
        let mut values = Values(body);
        let known = header.pass_extras(&mut values);
        if known.and_then(|()| self.message(&header, values, sink)).is_none() {
            self.table.close(Ending::Cut, sink);
            sink.anomaly(Reason::Malformed);
        }
        // Behind its first message, version 5 uses segments (v5.spec, 2.3).
        if header.version == 5
            && matches!(header.opcode, frame::STARTUP | frame::READY | frame::AUTHENTICATE)
        {
            self.sides[index(direction)].segmented = true;
        }
        Ok(Progress::consumed(all))
    }

    fn unpack(&self, body: &[u8], sink: &mut dyn ContentSink) -> Result<Vec<u8>, Reason> {
        match self.compression {
            Some(compression) => compression.unpack(body, sink),
            // STARTUP was not seen.
            None => match Compression::Lz4.unpack(body, sink) {
                Err(Reason::Malformed | Reason::Limit) => Compression::Snappy.unpack(body, sink),
                other => other,
            },
        }
    }

    /// A complete message; `None` if it is malformed.
    fn message(
        &mut self,
        header: &Header,
        mut body: Values<'_>,
        sink: &mut dyn ContentSink,
    ) -> Option<()> {
        match header.opcode {
            frame::STARTUP => {
                for _ in 0..body.u16()? {
                    let (name, value) = (body.string()?, body.string()?);
                    if name.eq_ignore_ascii_case(b"COMPRESSION") {
                        let snappy = value.eq_ignore_ascii_case(b"snappy");
                        self.compression =
                            Some(if snappy { Compression::Snappy } else { Compression::Lz4 });
                    }
                }
            }
            // The answer to STARTUP where no login is required; later, to other requests.
            frame::READY => sink.facts().served(),
            frame::AUTHENTICATE => sink.facts().shown(Authentication::Unknown),
            // A token of SASL PLAIN: nothing, user, password.
            frame::AUTH_RESPONSE => match body.value()? {
                [0, user @ ..] if user.contains(&0) => sink.facts().password_in_clear(),
                _ => sink.facts().shown(Authentication::Digest),
            },
            frame::QUERY => {
                let statement = body.long_string()?;
                let parameters = parameters(&mut body, header.version, None)?;
                sql::pass_on_values(statement, &parameters, &mut self.catalog, "cassandra", sink);
            }
            frame::PREPARE => {
                let statement = body.long_string()?;
                if statement.len() <= MAX_PREPARED {
                    let statement = Zeroizing::new(statement.to_vec());
                    self.put(header.stream, Pending::Prepare(statement));
                }
            }
            frame::EXECUTE => {
                let id = body.string()?.to_vec();
                if header.version >= 5 {
                    body.string()?;
                }
                if let Some(prepared) = self.prepared.get(&id) {
                    let bound = Some(&prepared.bound);
                    let parameters = parameters(&mut body, header.version, bound)?;
                    // A short frame has a long statement read once more, so that it is paid for.
                    if sql::reread(&prepared.statement, sink) {
                        let (statement, catalog) = (&prepared.statement, &mut self.catalog);
                        sql::pass_on_values(statement, &parameters, catalog, "cassandra", sink);
                    }
                }
                self.put(header.stream, Pending::Execute(id));
            }
            frame::BATCH => self.batch(body, sink)?,
            frame::RESULT => self.result(header, body, sink)?,
            _ => {}
        }
        Some(())
    }

    fn put(&mut self, stream: u16, pending: Pending) {
        if self.pending.len() >= MAX_PENDING && !self.pending.contains_key(&stream) {
            self.pending.pop_first();
        }
        self.pending.insert(stream, pending);
    }

    /// A batch of statements (section 4.1.7).
    fn batch(&mut self, mut body: Values<'_>, sink: &mut dyn ContentSink) -> Option<()> {
        let _kind = body.u8()?;
        for _ in 0..body.u16()?.min(MAX_BATCH) {
            let prepared = match body.u8()? {
                0 => None,
                _ => Some(self.prepared.get(&body.string()?.to_vec())),
            };
            let written = match prepared {
                None => body.long_string()?,
                Some(prepared) => prepared.map_or(&[][..], |p| p.statement.as_slice()),
            };
            let mut parameters = Parameters::default();
            for at in 0..usize::from(body.u16()?) {
                let value = body.value()?;
                push(
                    &mut parameters,
                    value,
                    prepared.flatten().and_then(|p| p.bound.kinds.get(at)),
                );
            }
            // One that was prepared is read once more.
            if prepared.is_none() || sql::reread(written, sink) {
                sql::pass_on_values(written, &parameters, &mut self.catalog, "cassandra", sink);
            }
        }
        Some(())
    }

    // --- results -----------------------------------------------------------------------------

    /// A complete result.
    fn result(
        &mut self,
        header: &Header,
        mut body: Values<'_>,
        sink: &mut dyn ContentSink,
    ) -> Option<()> {
        let pending = self.pending.remove(&header.stream);
        match body.u32()? {
            ROWS => {
                let rows = self.columns(header, &mut body, pending, sink)?;
                // Rows without columns take no bytes, so their number has no natural limit.
                let count = if rows.is_empty() { 0 } else { body.u32()? };
                for _ in 0..count {
                    if self.table.is_done() {
                        break;
                    }
                    self.row(&rows, &mut body, sink)?;
                }
                self.table.close(Ending::Complete, sink);
            }
            PREPARED => {
                let id = body.string()?.to_vec();
                if header.version >= 5 {
                    body.string()?;
                }
                let bound = Columns::read(&mut body, header.version, true)?;
                let result = Columns::read(&mut body, header.version, false)?;
                if let Some(Pending::Prepare(statement)) = pending {
                    self.prepared.insert(id, Prepared { statement, bound, result });
                }
            }
            _ => {}
        }
        Some(())
    }

    /// The columns of a result, which may be those given when its statement was prepared.
    fn columns(
        &mut self,
        header: &Header,
        body: &mut Values<'_>,
        pending: Option<Pending>,
        sink: &mut dyn ContentSink,
    ) -> Option<Vec<types::Kind>> {
        let mut columns = Columns::read(body, header.version, false)?;
        if columns.names.is_empty() {
            let known = match &pending {
                Some(Pending::Execute(id)) => self.prepared.get(id),
                // The capture may show the answer before its request: then it is the only statement with this many
                // columns.
                _ => {
                    let fits = |p: &&Prepared| p.result.count == columns.count;
                    let mut all = self.prepared.values().filter(fits);
                    all.next().filter(|_| all.next().is_none())
                }
            };
            let known = known.filter(|prepared| prepared.result.count == columns.count);
            // A few bytes have the columns read once more, so that they are paid for.
            let work = |p: &Prepared| sql::rereading_names(p.result.names.iter().map(Vec::len));
            if let Some(prepared) = known.filter(|known| sink.reread(work(known))) {
                columns = prepared.result.clone();
            }
        }
        self.table.reset(Ending::Complete, sink);
        let names: Vec<&[u8]> = columns.names.iter().map(|name| name.as_ref()).collect();
        self.catalog.show(&names, &mut self.table);
        // Values are read even if their columns are unknown.
        columns.kinds.resize(columns.count, types::Kind::Opaque);
        Some(columns.kinds)
    }

    fn row(
        &mut self,
        kinds: &[types::Kind],
        body: &mut Values<'_>,
        sink: &mut dyn ContentSink,
    ) -> Option<()> {
        for kind in kinds {
            let Some(value) = body.value() else {
                self.table.drop_row();
                return None;
            };
            self.table.write_cell(|text| {
                kind.write(value, text);
                Some(())
            });
        }
        self.table.end_row("cassandra", sink);
        Some(())
    }

    /// A large result, whose rows are read as they arrive.
    fn large_result(
        &mut self,
        header: &Header,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Progress {
        let whole = data.get(HEADER..).unwrap_or_default();
        let whole = whole.get(..header.length).unwrap_or(whole);
        let mut body = Values(whole);
        let is_rows = header.pass_extras(&mut body).and_then(|()| body.u32()).map(|k| k == ROWS);
        let pending = self.pending.remove(&header.stream);
        let stream = header.stream;
        let kept = match &pending {
            Some(Pending::Execute(id)) => Some(Pending::Execute(id.clone())),
            _ => None,
        };
        let rows = match is_rows {
            Some(true) => self.columns(header, &mut body, pending, sink),
            Some(false) => return Progress::skip(HEADER, header.length as u64),
            None => None,
        };
        let count = body.u32();
        let (Some(kinds), Some(_)) = (rows, count) else {
            if whole.len() >= MAX_HEAD {
                sink.anomaly(Reason::Malformed);
                return Progress::skip(HEADER, header.length as u64);
            }
            if let Some(pending) = kept {
                self.put(stream, pending);
            }
            // The head is parsed again from its beginning, so not for every byte.
            let need = HEADER + (whole.len() + whole.len() / 4 + 64).min(MAX_HEAD);
            return Progress::need(0, need);
        };
        let read = whole.len() - body.0.len();
        let rows = Rows { kinds, left: header.length - read };
        self.sides[index(Direction::ServerToClient)].rows = Some(rows);
        Progress::consumed(HEADER + read)
    }

    /// Rows of a result that has begun.
    fn rows(&mut self, direction: Direction, data: &[u8], sink: &mut dyn ContentSink) -> Progress {
        let Some(mut rows) = self.sides[index(direction)].rows.take() else {
            return Progress::default();
        };
        let here = data.get(..rows.left).unwrap_or(data);
        let mut body = Values(here);
        let mut read = 0;
        while !body.0.is_empty() && !rows.kinds.is_empty() && !self.table.is_done() {
            if self.row(&rows.kinds, &mut body, sink).is_none() {
                break;
            }
            read = here.len() - body.0.len();
        }
        let rest = here.len() - read;
        let whole = here.len() == rows.left;
        if self.table.is_done() || rows.kinds.is_empty() || (whole && rest == 0) {
            self.table.close(Ending::Complete, sink);
            return Progress::skip(read, (rows.left - read) as u64);
        }
        if whole || rest > MAX_ROW {
            // A row longer than the rest of the body or than the limit.
            sink.anomaly(if whole { Reason::Malformed } else { Reason::Limit });
            self.table.close(Ending::Cut, sink);
            return Progress::skip(read, (rows.left - read) as u64);
        }
        rows.left -= read;
        self.sides[index(direction)].rows = Some(rows);
        // Most rows are short.
        Progress::need(read, rest + rest / 4 + 1)
    }
}

/// Values of placeholders (section 4.1.4).
fn parameters(body: &mut Values<'_>, version: u8, bound: Option<&Columns>) -> Option<Parameters> {
    let mut parameters = Parameters::default();
    let _consistency = body.u16()?;
    let flags = if version >= 5 { body.u32()? } else { u32::from(body.u8()?) };
    if flags & 1 == 0 {
        return Some(parameters);
    }
    for at in 0..usize::from(body.u16()?) {
        let name = if flags & 0x40 != 0 { Some(body.string()?) } else { None };
        let value = body.value()?;
        match name {
            Some(name) => parameters.insert(name, value),
            None => push(&mut parameters, value, bound.and_then(|b| b.kinds.get(at))),
        }
    }
    Some(parameters)
}

/// The next value, as text if its type is unknown.
fn push(parameters: &mut Parameters, value: &[u8], kind: Option<&types::Kind>) {
    let mut text = Zeroizing::new(Vec::new());
    match kind {
        Some(kind) => kind.write(value, &mut text),
        None if std::str::from_utf8(value).is_ok_and(|v| !v.contains(char::is_control)) => {
            text.extend_from_slice(value);
        }
        None => {}
    }
    parameters.push(&text);
}

impl Parser for CassandraParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        if self.sides[index(direction)].segmented {
            self.segment(direction, data, sink)
        } else {
            self.step(direction, data, sink)
        }
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        self.drop_frame(direction, sink);
        Resync::Search
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        let begun = self.sides.iter().any(|side| side.segmented);
        if let Some(compressed) = segmented(data).filter(|_| !begun) {
            // What was agreed on was not seen.
            self.sides.iter_mut().for_each(|side| side.segmented = true);
            self.compression = compressed.then_some(Compression::Lz4);
            return Some(0);
        }
        let side = &self.sides[index(direction)];
        if side.segmented {
            let compressed = self.compression.is_some();
            return (0..data.len()).find(|at| {
                let segment = data.get(*at..).and_then(|d| Segment::parse(d, compressed));
                segment.is_some_and(|s| s.length > 0 && s.length <= frame::MAX_SEGMENT)
            });
        }
        // A frame followed by another one, or one with an unmistakable body.
        let sent = direction == Direction::ServerToClient;
        let followed = |at: &usize| {
            let rest = data.get(*at..).unwrap_or_default();
            let Some(header) = Header::parse(rest).filter(|h| h.response == sent) else {
                return false;
            };
            let next = rest.get(HEADER + header.length..).and_then(Header::parse);
            next.is_some_and(|next| (next.response, next.version) == (sent, header.version))
        };
        let firsts = if sent { [0x83, 0x84, 0x85] } else { [3, 4, 5] };
        let [a, b, c] = firsts;
        let known =
            |speaker| if sent { speaker == Speaker::Server } else { speaker == Speaker::Client };
        let followed = memchr::memchr3_iter(a, b, c, data).find(followed);
        let certain = find(data).filter(|(_, speaker)| known(*speaker)).map(|(at, _)| at);
        [followed, certain].into_iter().flatten().min()
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if direction == Direction::ServerToClient {
            self.table.close(Ending::Cut, sink);
        }
    }

    fn memory(&self) -> usize {
        let pending = self.pending.values().map(|p| match p {
            Pending::Prepare(statement) => statement.capacity(),
            Pending::Execute(id) => id.capacity(),
        });
        self.table.memory()
            + self.catalog.memory()
            + self.prepared.memory()
            + pending.sum::<usize>()
            + self.pending.len() * size_of::<(u16, Pending)>()
            + self.sides.iter().map(|side| side.unread.capacity()).sum::<usize>()
    }
}
