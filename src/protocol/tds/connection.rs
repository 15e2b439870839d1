//! One connection.

use super::super::sql::{
    self, Catalog, Fields, MAX_STATEMENT, Parameters, Table, is_null, table::MAX_COLUMNS,
};
use super::super::{
    Authentication, ContentSink, Direction, End, Ending, ParseError, Parser, Progress, Reason,
    Resync, ServiceFacts,
};
use super::calls::Calls;
use super::login;
use super::values::{Kind, utf16};
use super::{
    BULK_LOAD, END_OF_MESSAGE, HEADER, Header, LOGIN, PRELOGIN, RESULT, RPC, SQL_BATCH,
    find_columns, find_request,
};
use crate::protocol::encrypted::Encryption;
use zeroize::Zeroizing;

/// Longest token that is read, bytes: a row with its texts.
const MAX_TOKEN: usize = 512 << 10;
/// The first version whose user types have four bytes and whose row counts have eight (7.2), as in LOGINACK.
const WIDE: u32 = 0x7200_0000;
/// PRELOGIN option: encryption.
const ENCRYPTION: u8 = 1;

/// One flow.
#[derive(Default)]
pub struct TdsParser {
    /// The encryption setting of the server.
    encryption: Encryption,
    /// The incomplete message of each direction.
    messages: [Zeroizing<Vec<u8>>; 2],
    /// Bytes that a message must have before its tokens are read again: a token may come in packets of a byte each.
    need: [usize; 2],
    /// The rest of the message is passed over.
    lost: [bool; 2],
    columns: Vec<Kind>,
    table: Table,
    catalog: Catalog,
    calls: Calls,
    /// The version is older than 7.2.
    narrow: bool,
    /// The login came in clear.
    login_seen: bool,
}

/// Result of reading a token.
enum Token {
    Read(usize),
    /// It is incomplete.
    Cut,
    /// The bytes behind it cannot be delimited.
    Unknown,
}

impl TdsParser {
    fn packet(
        &mut self,
        header: Header,
        body: &[u8],
        direction: Direction,
        sink: &mut dyn ContentSink,
    ) {
        let at = direction.index();
        let last = header.status & END_OF_MESSAGE != 0;
        if !self.lost[at] {
            let room = self.messages[at].len() + body.len() <= MAX_STATEMENT;
            match room {
                true => self.messages[at].extend_from_slice(body),
                false => {
                    sink.anomaly(Reason::Limit);
                    self.lose(direction, sink);
                }
            }
        }
        // Rows of a bulk load are described like those of a result.
        let tokens = matches!(
            (direction, header.kind),
            (Direction::ServerToClient, RESULT) | (Direction::ClientToServer, BULK_LOAD)
        );
        if tokens && !last && !self.lost[at] && self.messages[at].len() < self.need[at] {
            return;
        }
        let message = std::mem::take(&mut self.messages[at]);
        let mut left = 0;
        if !self.lost[at] {
            match (direction, header.kind) {
                _ if tokens => left = self.tokens(&message, sink),
                (Direction::ServerToClient, _) => {}
                (_, SQL_BATCH) if last => self.batch(&message, sink),
                (_, RPC) if last => self.calls.message(&message, &mut self.catalog, sink),
                (_, LOGIN) if last => self.login(&message, sink),
                _ => left = message.len(),
            }
        }
        self.need[at] = if tokens && !last { left + left / 4 } else { 0 };
        if last {
            self.lost[at] = false;
            if direction == Direction::ServerToClient {
                self.table.close(Ending::Complete, sink);
            }
            return;
        }
        self.messages[at] = message;
        let read = self.messages[at].len() - left;
        self.messages[at].drain(..read);
        if direction == Direction::ServerToClient && self.messages[at].len() > MAX_TOKEN {
            sink.anomaly(Reason::Limit);
            self.lose(direction, sink);
        }
    }

    /// Reads the tokens that wait for more of the last one.
    fn read_waiting(&mut self, direction: Direction, sink: &mut dyn ContentSink) {
        if std::mem::take(&mut self.need[direction.index()]) > 0 {
            let message = std::mem::take(&mut self.messages[direction.index()]);
            self.tokens(&message, sink);
        }
    }

    fn lose(&mut self, direction: Direction, sink: &mut dyn ContentSink) {
        self.messages[direction.index()].clear();
        self.need[direction.index()] = 0;
        self.lost[direction.index()] = true;
        if direction == Direction::ServerToClient {
            self.table.reset(Ending::Cut, sink);
            self.columns.clear();
        }
    }

    /// LOGIN7 in clear.
    fn login(&mut self, message: &[u8], sink: &mut dyn ContentSink) {
        self.login_seen = true;
        match login::authentication(message) {
            Authentication::Basic => sink.facts().password_in_clear(),
            how => {
                sink.facts().shown(how);
                sink.facts().credentials_in_clear |= how == Authentication::Bearer;
            }
        }
    }

    /// The login was encrypted, or was not captured.
    fn login_missed(&mut self, sink: &mut dyn ContentSink) {
        if !self.login_seen {
            sink.facts().missed_login();
        }
    }

    /// PRELOGIN of the server: its encryption setting.
    fn prelogin(&mut self, body: &[u8], sink: &mut dyn ContentSink) {
        let options = body.chunks_exact(5).take_while(|o| o.first() != Some(&0xFF));
        for option in options {
            let [token, a, b, ..] = *option else { continue };
            let value = body.get(usize::from(u16::from_be_bytes([a, b]))..).unwrap_or_default();
            match (token, value) {
                // On, or required; off encrypts the login alone, and not supported nothing.
                (ENCRYPTION, [1 | 3, ..]) => self.encryption = Encryption::Encrypted,
                (0, [major, minor, build @ ..]) => {
                    let build = build.first_chunk::<2>().map_or(0, |b| u16::from_be_bytes(*b));
                    let version = format!("SQL Server {major}.{minor}.{build}");
                    ServiceFacts::set(&mut sink.facts().software, &version);
                }
                _ => {}
            }
        }
    }

    fn batch(&mut self, message: &[u8], sink: &mut dyn ContentSink) {
        let statement = utf16(without_headers(message));
        // The values of a procedure come when it is called.
        if !self.calls.learn(&statement) {
            let none = Parameters::default();
            sql::pass_on_values(&statement, &none, &mut self.catalog, "tds", sink);
        }
    }

    /// Reads the complete tokens of a result. Returns how many bytes are left.
    fn tokens(&mut self, message: &[u8], sink: &mut dyn ContentSink) -> usize {
        let mut rest = message;
        while !rest.is_empty() {
            match self.token(rest, sink) {
                Token::Read(len) => rest = rest.get(len..).unwrap_or_default(),
                Token::Cut => break,
                Token::Unknown => {
                    sink.anomaly(Reason::Unsupported);
                    self.lose(Direction::ServerToClient, sink);
                    return 0;
                }
            }
        }
        rest.len()
    }

    fn token(&mut self, data: &[u8], sink: &mut dyn ContentSink) -> Token {
        let mut fields = Fields(data);
        let kind = fields.number(1).unwrap_or(0);
        let read = match kind {
            0x81 => match self.describe(&mut fields, sink) {
                Some(true) => Some(()),
                Some(false) => return Token::Unknown,
                None => None,
            },
            0xD1 | 0xD2 => self.row(&mut fields, kind == 0xD2, sink),
            // DONE, DONEPROC, DONEINPROC
            0xFD..=0xFF => {
                let len = if self.narrow { 8 } else { 12 };
                fields.bytes(len).map(|_| self.table.close(Ending::Complete, sink))
            }
            // RETURNSTATUS
            0x79 => fields.bytes(4).map(|_| ()),
            // RETURNVALUE: number, name, status, user type, flags, type, value
            0xAC => {
                let len = if self.narrow { 5 } else { 7 };
                let head =
                    fields.bytes(2).and_then(|_| fields.text(1)).and_then(|_| fields.bytes(len));
                let kind = head.and_then(|_| Kind::read(&mut fields));
                let mut text = Zeroizing::new(Vec::new());
                let value = kind.and_then(|k| k.value(&mut fields, &mut text));
                value.map(|()| self.calls.returned(&text))
            }
            // LOGINACK: a length, an interface, the version
            0xAD => fields.number(2).and_then(|len| fields.bytes(len as usize)).map(|body| {
                let version = body.get(1..).and_then(|b| b.first_chunk::<4>());
                self.narrow = version.is_some_and(|v| u32::from_be_bytes(*v) < WIDE);
                if self.login_seen {
                    sink.facts().served();
                }
            }),
            // FEATUREEXTACK: features until the last one
            0xAE => loop {
                match fields.number(1) {
                    Some(0xFF) => break Some(()),
                    Some(_) => {
                        let len = fields.number(4).and_then(|len| usize::try_from(len).ok());
                        if len.and_then(|len| fields.bytes(len)).is_none() {
                            break None;
                        }
                    }
                    None => break None,
                }
            },
            // ERROR, INFO, ENVCHANGE, ORDER, TABNAME, COLINFO, SSPI: a length
            0xA4 | 0xA5 | 0xA9 | 0xAA | 0xAB | 0xE3 | 0xED => {
                fields.number(2).and_then(|len| fields.bytes(len as usize)).map(|_| ())
            }
            _ => return Token::Unknown,
        };
        match read {
            Some(()) => Token::Read(data.len() - fields.0.len()),
            None => Token::Cut,
        }
    }

    /// COLMETADATA. `None` if it is cut, false if a type is not supported.
    fn describe(&mut self, fields: &mut Fields<'_>, sink: &mut dyn ContentSink) -> Option<bool> {
        let count = fields.number(2)?;
        if count == 0xFFFF {
            return Some(true);
        }
        let mut columns = Vec::new();
        let mut names = Vec::new();
        for _ in 0..count {
            if columns.len() >= MAX_COLUMNS {
                return Some(false);
            }
            // User type and flags.
            fields.bytes(if self.narrow { 4 } else { 6 })?;
            let before = fields.0;
            let Some(kind) = Kind::read(fields) else {
                // Cut, or unknown: the complete description of a type is short.
                return if before.len() < 16 { None } else { Some(false) };
            };
            if kind.names_table() {
                let parts = if self.narrow { 1 } else { fields.number(1)?.min(4) };
                for _ in 0..parts {
                    fields.text(2)?;
                }
            }
            names.push(fields.text(1)?);
            columns.push(kind);
        }
        self.table.reset(Ending::Complete, sink);
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        self.catalog.show(&names, &mut self.table);
        self.columns = columns;
        Some(true)
    }

    fn row(
        &mut self,
        fields: &mut Fields<'_>,
        nulls: bool,
        sink: &mut dyn ContentSink,
    ) -> Option<()> {
        let bitmap = match nulls {
            true => fields.bytes(self.columns.len().div_ceil(8))?,
            false => &[],
        };
        for (at, kind) in self.columns.iter().enumerate() {
            let read = self.table.write_cell(|text| match is_null(bitmap, at) {
                true => Some(()),
                false => kind.value(fields, text),
            });
            if read.is_none() {
                self.table.drop_row();
                return None;
            }
        }
        match self.table.is_done() {
            true => self.table.drop_row(),
            false => self.table.end_row("tds", sink),
        }
        Some(())
    }
}

/// The part behind ALL_HEADERS (MS-TDS 2.2.5.3), with which requests of newer versions begin: their length, then each
/// with a length and a type.
pub(super) fn without_headers(message: &[u8]) -> &[u8] {
    let mut fields = Fields(message);
    let (total, first, kind) = (fields.number(4), fields.number(4), fields.number(2));
    match (total, first, kind) {
        (Some(total), Some(first), Some(1..=3)) if first + 4 <= total => {
            message.get(total as usize..).unwrap_or(message)
        }
        _ => message,
    }
}

/// The length of the TLS record at the front of `data`, if the login is encrypted.
fn tls_record(data: &[u8]) -> Option<usize> {
    match data {
        [0x14..=0x17, 3, 0..=4, a, b, ..] => Some(5 + usize::from(u16::from_be_bytes([*a, *b]))),
        _ => None,
    }
}

impl Parser for TdsParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|r| !r.is_empty()) {
            if rest.len() < HEADER {
                return Ok(Progress::need(at, HEADER));
            }
            if let Some(len) = tls_record(rest) {
                if self.encryption == Encryption::Encrypted {
                    return Ok(Progress { switch: true, ..Progress::consumed(at) });
                }
                self.login_missed(sink);
                return Ok(Progress::skip(at, len as u64));
            }
            let header = Header::read(rest).filter(|h| h.length >= HEADER && h.kind <= 0x18);
            let Some(header) = header else {
                return Err(ParseError::new(Reason::Malformed, at));
            };
            let Some(body) = rest.get(HEADER..header.length) else {
                return Ok(Progress::need(at, header.length));
            };
            let prelogin = direction == Direction::ServerToClient
                && matches!(header.kind, PRELOGIN | RESULT)
                && matches!(body, [0, 0, _, 0, 6, ..]);
            match prelogin {
                true => self.prelogin(body, sink),
                false => self.packet(header, body, direction, sink),
            }
            at += header.length;
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        self.read_waiting(direction, sink);
        self.lose(direction, sink);
        self.lost[direction.index()] = false;
        self.login_missed(sink);
        Resync::Search
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        self.login_missed(sink);
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        if direction == Direction::ServerToClient {
            return find_columns(data);
        }
        find_request(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        self.read_waiting(direction, sink);
        if direction == Direction::ServerToClient {
            self.table.close(Ending::Cut, sink);
        }
    }

    fn memory(&self) -> usize {
        let messages: usize = self.messages.iter().map(|m| m.capacity()).sum();
        messages
            + self.table.memory()
            + self.columns.capacity() * size_of::<Kind>()
            + self.catalog.memory()
            + self.calls.memory()
    }
}
