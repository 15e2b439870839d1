//! What the client sends: statements, their parameters, files that the server asked for.

use super::super::content_writer::ContentWriter;
use super::super::sql::{self, Fields, MAX_PREPARED, Parameters};
use super::super::{Authentication, ContentSink, Direction, Ending, Hint, Media};
use super::NO_ATTRIBUTES;
use super::connection::{CLIENT_QUERY_ATTRIBUTES, CLIENT_SSL, MysqlParser, Phase};
use super::packet::Header;
use super::statements::{LAST, Prepared};
use super::values;
use crate::syntax::sql::{Token, Tokens};
use zeroize::Zeroizing;

const COM_QUIT: u8 = 0x01;
pub const COM_QUERY: u8 = 0x03;
pub const COM_PREPARE: u8 = 0x16;
pub const COM_EXECUTE: u8 = 0x17;
const COM_LONG_DATA: u8 = 0x18;
const COM_CLOSE: u8 = 0x19;
pub const COM_FETCH: u8 = 0x1C;
/// MariaDB's: one statement with many rows of parameters.
const COM_BULK: u8 = 0xFA;
/// In its flags: types of the parameters follow.
const BULK_TYPES: u64 = 128;
/// Rows of parameters of one command that are read.
const MAX_BULK: usize = 10_000;
/// Texts of statements whose numbers the server has not given yet, bytes.
const MAX_PREPARING: usize = 1 << 20;
/// Commands waiting for their answers.
const MAX_ASKED: usize = 4096;
/// Most parameters of a statement whose parameters the server has not counted yet.
const MAX_PARAMETERS: usize = 4096;

/// A command that the server has not answered yet.
#[derive(Clone, Copy, Default)]
pub struct Command {
    /// Its first byte; 0 for one that was not seen.
    pub code: u8,
    /// The statement that it executes or fetches from.
    pub statement: u32,
}

/// LOAD DATA options for the file that the server will request.
#[derive(Default)]
pub struct Load {
    columns: Vec<Vec<u8>>,
    /// What the rows are about, by the name of their table.
    about: String,
    separator: Option<u8>,
    /// Heading lines before the rows.
    headed: bool,
    /// The file, once the server requested it.
    file: Option<ContentWriter>,
}

impl MysqlParser {
    pub(super) fn client(&mut self, header: Header, body: &[u8], sink: &mut dyn ContentSink) {
        if self.phase == Phase::Connection && header.sequence > 0 {
            return self.login(body, sink);
        }
        if header.sequence != 0 {
            return self.load.data(body, sink);
        }
        self.phase = Phase::Command;
        let Some((&code, body)) = body.split_first() else { return };
        let statement = Fields(body).number(4).unwrap_or(0) as u32;
        if !matches!(code, COM_QUIT | COM_LONG_DATA | COM_CLOSE) {
            if self.asked.len() >= MAX_ASKED {
                self.asked.clear();
                self.preparing.clear();
            }
            self.asked.push_back(Command { code, statement });
        }
        match code {
            COM_QUERY => self.query(body, sink),
            COM_PREPARE => {
                // A command that is too long still has its place in the order.
                let held: usize = self.preparing.iter().map(|text| text.len()).sum();
                let kept = body.len() <= MAX_PREPARED && held + body.len() <= MAX_PREPARING;
                let text = if kept { body } else { &[] };
                self.preparing.push_back(Zeroizing::new(text.to_vec()));
            }
            COM_EXECUTE => self.execute(body, sink),
            COM_BULK => self.bulk(body, sink),
            COM_LONG_DATA => {
                self.statements.append(statement, body.get(4..).unwrap_or_default());
            }
            COM_CLOSE => self.statements.remove(statement),
            _ => {}
        }
    }

    /// The response to the greeting: capabilities, character set, user; or the request for TLS.
    fn login(&mut self, body: &[u8], sink: &mut dyn ContentSink) {
        let Some(capabilities) = Fields(body).number(4) else { return };
        self.capabilities = capabilities & !self.lacking;
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

    fn query(&mut self, body: &[u8], sink: &mut dyn ContentSink) {
        let mut fields = Fields(body);
        // Attributes of the query: their count, and the count of their sets.
        if self.capabilities & CLIENT_QUERY_ATTRIBUTES != 0
            && let Some(count @ 0..=64) = fields.length()
            && fields.length() == Some(1)
        {
            if count > 0 && attributes(count as usize, &mut fields).is_none() {
                return;
            }
        } else {
            // What the client can do was not seen, and no statement begins with these.
            fields = Fields(body.strip_prefix(NO_ATTRIBUTES).unwrap_or(body));
        }
        self.pass_on_values(fields.0, &Parameters::default(), sink);
        let columns = |name: &[u8]| -> Vec<Vec<u8>> {
            let known = self.catalog.columns(name).unwrap_or_default();
            known.iter().map(|column| column.name.clone()).collect()
        };
        if let Some(load) = Load::of(fields.0, columns) {
            self.load = load;
        }
    }

    fn pass_on_values(
        &mut self,
        statement: &[u8],
        parameters: &Parameters,
        sink: &mut dyn ContentSink,
    ) {
        sql::pass_on_values(statement, parameters, &mut self.catalog, "mysql", sink);
    }

    /// The statement with this number. One without a number yet is the last one prepared.
    fn statement(&mut self, id: u32) -> Option<&mut Prepared> {
        if id == LAST
            && let Some(text) = self.preparing.back()
        {
            if self.ahead.statement != *text {
                let asked = |token: &Token<'_>| matches!(token, Token::Placeholder(_));
                let count = Tokens::new(text).filter(asked).take(MAX_PARAMETERS).count();
                self.ahead = Prepared::new(text.clone(), count);
            }
            return Some(&mut self.ahead);
        }
        self.statements.get_mut(id)
    }

    fn execute(&mut self, body: &[u8], sink: &mut dyn ContentSink) {
        let attributes = self.capabilities & CLIENT_QUERY_ATTRIBUTES != 0;
        let mut fields = Fields(body);
        let id = fields.number(4).unwrap_or(0) as u32;
        let Some(prepared) = self.statement(id) else { return };
        let count = prepared.parameters;
        // Flags and the count of iterations.
        if count == 0 || fields.bytes(5).is_none() {
            return;
        }
        if attributes && fields.0.first() == Some(&(count as u8)) {
            fields.bytes(1);
        }
        let Some(nulls) = fields.bytes(count.div_ceil(8)) else { return };
        if fields.number(1) == Some(1) && prepared.read_types(&mut fields, attributes).is_none() {
            return;
        }
        let parameters = prepared.values(nulls, &mut fields);
        // A few bytes have a long statement read once more, so that it is paid for.
        if sql::reread(&prepared.statement, sink) {
            let text = prepared.statement.clone();
            self.pass_on_values(&text, &parameters, sink);
        }
    }

    /// The number of the statement, flags, types, rows of parameters.
    fn bulk(&mut self, body: &[u8], sink: &mut dyn ContentSink) {
        let mut fields = Fields(body);
        let (id, flags) = (fields.number(4).unwrap_or(0) as u32, fields.number(2).unwrap_or(0));
        let Some(prepared) = self.statement(id) else { return };
        if prepared.parameters == 0
            || flags & BULK_TYPES != 0 && prepared.read_types(&mut fields, false).is_none()
        {
            return;
        }
        let text = prepared.statement.clone();
        let mut rows = Vec::new();
        while !fields.0.is_empty() && rows.len() < MAX_BULK {
            let Some(row) = prepared.row(&mut fields) else { break };
            rows.push(row);
        }
        for row in rows {
            // The statement is read again for each.
            if !sql::reread(&text, sink) {
                return;
            }
            self.pass_on_values(&text, &row, sink);
        }
    }
}

/// Passes over query attributes: null bitmap, a flag, types with names, values.
fn attributes(count: usize, fields: &mut Fields<'_>) -> Option<()> {
    let nulls = fields.bytes(count.div_ceil(8))?;
    fields.number(1)?;
    let mut types = Vec::new();
    for _ in 0..count {
        let [kind, flags] = fields.bytes(2)? else { return None };
        types.push((*kind, flags & 0x80 != 0));
        fields.string();
    }
    let mut text = Zeroizing::new(Vec::new());
    for (at, (kind, unsigned)) in types.into_iter().enumerate() {
        if !sql::is_null(nulls, at) {
            values::read(kind, unsigned, fields, &mut text)?;
        }
    }
    Some(())
}

impl Load {
    /// `LOAD DATA LOCAL INFILE 'x' INTO TABLE t FIELDS TERMINATED BY ',' IGNORE 1 LINES (a, b)`.
    fn of(statement: &[u8], columns: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> Option<Self> {
        let mut tokens = Tokens::new(statement);
        if !tokens.next().is_some_and(|t| t.is("LOAD")) || !tokens.any(|t| t.is("INTO")) {
            return None;
        }
        let mut load = Self::default();
        let (mut table, mut fields, mut ignored) = (Vec::new(), false, false);
        while let Some(token) = tokens.next() {
            match &token {
                Token::Punctuation(b'(') => {
                    let list = tokens.by_ref().take_while(|t| *t != Token::Punctuation(b')'));
                    load.columns = list.filter_map(|t| t.column().map(<[u8]>::to_vec)).collect();
                    break;
                }
                token if token.is("FIELDS") || token.is("COLUMNS") => fields = true,
                token if token.is("LINES") => fields = false,
                Token::Text(text) if fields && load.separator.is_none() => {
                    load.separator = text.first().copied();
                }
                token if token.is("IGNORE") => ignored = true,
                Token::Word(count) if ignored => {
                    load.headed = count.first().is_some_and(|b| (b'1'..=b'9').contains(b));
                    ignored = false;
                }
                token if token.is("TABLE") || token.is("SET") => {}
                token if !fields && table.is_empty() => {
                    table = token.column().map(<[u8]>::to_vec).unwrap_or_default();
                }
                _ => {}
            }
        }
        if load.columns.is_empty() {
            load.columns = columns(&table);
        }
        load.about = sql::context(&table);
        Some(load)
    }

    /// The server requests the file.
    pub(super) fn open(&mut self, sink: &mut dyn ContentSink) {
        sink.unit("request");
        let separator = self.separator.unwrap_or(b'\t');
        let content_type = match separator {
            b'\t' => "text/tab-separated-values",
            _ => "text/csv",
        };
        let media = Media::Type { content_type, name: &self.about };
        let direction = Direction::ClientToServer;
        let hint = Hint { direction, media, operation: "LOAD", codings: &[], layer: "mysql" };
        let mut file = ContentWriter::open(&hint, sink);
        if !self.headed && !self.columns.is_empty() {
            let mut heading = self.columns.join(&separator);
            heading.push(b'\n');
            file.data(&heading, sink);
        }
        self.file = Some(file);
    }

    /// A packet of the file; an empty one ends it.
    fn data(&mut self, body: &[u8], sink: &mut dyn ContentSink) {
        let Some(file) = &mut self.file else { return };
        file.data(body, sink);
        if body.is_empty() {
            self.close(Ending::Complete, sink);
        }
    }

    /// The file ends.
    pub(super) fn close(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        if let Some(file) = self.file.take() {
            file.close(ending, sink);
        }
    }
}
