//! Responses of the server: column definitions, and rows in text or binary form.

use super::super::sql::select::is_made;
use super::super::sql::{self, Catalog, Fields, Table, is_null, table};
use super::super::{Authentication, ContentSink, Ending, ServiceFacts};
use super::commands::{COM_EXECUTE, COM_FETCH, COM_PREPARE, Command};
use super::connection::{MysqlParser, Phase};
use super::packet::Header;
use super::statements::Prepared;
use super::{DEFINITION, charset, values};
use std::sync::Arc;

/// Bytes of a definition behind its names: their length, character set, length, type, flags, decimals.
const FIXED: usize = 13;
/// Bytes of a column's name that are kept; names have at most 256 characters (MySQL 8.4 manual, 11.2.1).
const MAX_NAME: usize = 1024;
/// Status: further results of the command follow.
const MORE_RESULTS: u64 = 8;
/// As the code of an error: progress of a long statement (MariaDB).
const PROGRESS: &[u8] = &[0xFF, 0xFF, 0xFF];

/// A column of a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    pub name: Vec<u8>,
    /// Its table; none for an expression.
    table: Vec<u8>,
    pub kind: u8,
    pub unsigned: bool,
    /// Number of its collation.
    pub collation: u16,
}

impl Column {
    /// Of its definition.
    fn read(body: &[u8]) -> Self {
        let mut fields = Fields(body);
        // Catalog, schema, table and its original name, name and original name.
        let mut string = || {
            let text = fields.string().unwrap_or_default();
            text.get(..MAX_NAME).unwrap_or(text)
        };
        let (_, _, _, table, name, original) =
            (string(), string(), string(), string(), string(), string());
        let name = if is_made(name, original) { original } else { name };
        // MariaDB may describe the type further (MARIADB_CLIENT_EXTENDED_METADATA).
        if fields.0.len() > FIXED {
            fields.string();
        }
        fields.length();
        let collation = fields.number(2).unwrap_or(0) as u16;
        // Length.
        fields.bytes(4);
        let (kind, flags) = (fields.number(1), fields.number(2));
        Self {
            name: name.to_vec(),
            table: table.to_vec(),
            kind: kind.unwrap_or(253) as u8,
            unsigned: flags.unwrap_or(0) & 0x20 != 0,
            collation,
        }
    }
}

/// How much of a row there is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Row {
    Whole,
    Beginning,
}

/// The result that the server is sending.
#[derive(Default)]
pub struct ResultSet {
    stage: Stage,
    /// The command that it answers.
    command: Command,
    pub table: Table,
    columns: Arc<Vec<Column>>,
    /// Those that are the heading of the table.
    shown: Arc<Vec<Column>>,
    /// Of the server's last packet.
    sequence: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// The last answer is complete.
    #[default]
    Idle,
    /// A result begins.
    Answer,
    /// This many definitions follow.
    Definitions(usize),
    /// The definitions are complete; an EOF packet may come before the rows.
    Defined,
    Rows,
    /// Definitions of a prepared statement: this many of its parameters, then this many of its columns, which may not be
    /// repeated with its results.
    Prepared(usize, usize),
}

impl ResultSet {
    /// The packets belong to no known command.
    pub fn reset(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        self.hide(ending, sink);
        (self.stage, self.command) = (Stage::Idle, Command::default());
    }

    /// Whether this packet is the first of an answer. Packets are counted from 1, and from 0 behind 255.
    fn begins(&mut self, sequence: u8) -> bool {
        let before = std::mem::replace(&mut self.sequence, sequence);
        self.stage == Stage::Idle || sequence == 1 && before != 0
    }

    /// Ends the rows, and forgets their heading.
    fn hide(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        self.table.reset(ending, sink);
        self.shown = Arc::default();
    }

    /// The columns of a prepared statement, which its result does not repeat. A few bytes have them read once more, so
    /// that they are paid for; where the budget does not suffice, the rows are not read.
    fn show_known(
        &mut self,
        columns: Arc<Vec<Column>>,
        catalog: &Catalog,
        sink: &mut dyn ContentSink,
    ) {
        let names = columns.iter().map(|column| column.name.len());
        if !sink.reread(sql::rereading_names(names)) {
            self.hide(Ending::Complete, sink);
            self.columns = Arc::default();
            return;
        }
        self.columns = columns;
        if !Arc::ptr_eq(&self.columns, &self.shown) {
            self.show(catalog, sink);
        }
    }

    /// The names and character set of the columns, as the heading of the following rows.
    fn show(&mut self, catalog: &Catalog, sink: &mut dyn ContentSink) {
        self.table.reset(Ending::Complete, sink);
        self.shown = Arc::clone(&self.columns);
        let mut label = None;
        let names: Vec<&[u8]> = self.columns.iter().map(|column| column.name.as_slice()).collect();
        catalog.show(&names, &mut self.table);
        let mut tables = self.columns.iter().map(|c| c.table.as_slice()).filter(|t| !t.is_empty());
        let first = tables.next().unwrap_or_default();
        self.table.set_about(if tables.all(|table| table == first) { first } else { b"" });
        for column in self.columns.iter() {
            label = label.or(charset::label(column.collation.into()));
        }
        self.table.set_charset(label);
    }
}

impl MysqlParser {
    pub(super) fn server(&mut self, header: Header, body: &[u8], sink: &mut dyn ContentSink) {
        let Some(&first) = body.first() else { return };
        // The capture may show the greeting behind the response to it.
        let opening = matches!(self.phase, Phase::Connection | Phase::Authentication);
        if opening && first == 10 && header.sequence == 0 {
            let version = Fields(body.get(1..).unwrap_or_default()).terminated();
            let version = String::from_utf8_lossy(version.unwrap_or_default()).into_owned();
            ServiceFacts::set(&mut sink.facts().software, &version);
            self.lacking = lacking(body).unwrap_or(0);
            self.capabilities &= !self.lacking;
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
                // Another authentication method, or a further step of it: the password follows.
                1 | 0xFE => sink.facts().authentication = Authentication::Digest,
                _ => {}
            }
            return;
        }
        if self.result.begins(header.sequence) {
            self.begin_answer(sink);
        }
        match self.result.stage {
            Stage::Idle | Stage::Answer => self.answer(first, body, sink),
            Stage::Definitions(left) => self.definition(left, body, sink),
            Stage::Defined | Stage::Rows => self.row(first, body, sink),
            Stage::Prepared(parameters, columns) => {
                self.prepared_column((parameters, columns), body);
            }
        }
    }

    /// The answer to the next command begins. Rows that are fetched have the columns of the statement.
    fn begin_answer(&mut self, sink: &mut dyn ContentSink) {
        self.result.table.close(Ending::Complete, sink);
        self.result.command = self.asked.pop_front().unwrap_or_default();
        self.result.stage = Stage::Answer;
        let Command { code, statement } = self.result.command;
        if code == COM_FETCH
            && let Some(columns) = self.statements.columns(statement)
        {
            self.result.show_known(columns, &self.catalog, sink);
            self.result.stage = Stage::Rows;
        }
    }

    /// The beginning was not seen: `body` is the first packet of a result, or its first definition.
    pub(super) fn begin_midstream(&mut self, body: &[u8]) {
        self.phase = Phase::Command;
        self.asked.clear();
        self.preparing.clear();
        self.result.command = Command::default();
        self.result.stage = Stage::Answer;
        if body.starts_with(DEFINITION) {
            self.result.columns = Arc::default();
            self.result.stage = Stage::Definitions(1);
        }
    }

    /// The first packet of an answer, or of a further result.
    fn answer(&mut self, first: u8, body: &[u8], sink: &mut dyn ContentSink) {
        if body.starts_with(PROGRESS) {
            return;
        }
        self.result.stage = Stage::Answer;
        if self.result.command.code == COM_PREPARE {
            return self.prepared(body);
        }
        // OK, an error, or a request for a file.
        if matches!(first, 0 | 0xFF | 0xFB | 0xFE) {
            if first == 0xFB {
                return self.load.open(sink);
            }
            self.load.close(Ending::Complete, sink);
            if !(first == 0 && more_results(body)) {
                self.result.stage = Stage::Idle;
            }
            return;
        }
        let mut fields = Fields(body);
        // MariaDB states behind the count whether the definitions follow, or are those of before
        // (MARIADB_CLIENT_CACHE_METADATA).
        if let Some(count) = fields.length()
            && matches!(fields.0, [] | [0 | 1])
            && (1..=table::MAX_COLUMNS as u64).contains(&count)
        {
            if fields.0 == [0] {
                let known = self.statements.columns(self.result.command.statement);
                if let Some(known) = known.filter(|c| c.len() as u64 == count) {
                    self.result.show_known(known, &self.catalog, sink);
                }
                if self.result.columns.len() as u64 == count {
                    self.result.stage = Stage::Defined;
                    return;
                }
            }
            self.result.columns = Arc::default();
            self.result.stage = Stage::Definitions(count as usize);
        }
    }

    /// The answer to a prepared statement: its number, the counts of columns and parameters.
    fn prepared(&mut self, body: &[u8]) {
        let text = self.preparing.pop_front();
        let mut fields = Fields(body);
        let (status, id) = (fields.number(1), fields.number(4));
        let mut count = || fields.number(2).unwrap_or(0) as usize;
        let (columns, parameters) = (count(), count());
        self.result.stage = Stage::Prepared(parameters, columns.min(table::MAX_COLUMNS));
        self.result.columns = Arc::default();
        self.result.command.statement = id.unwrap_or(0) as u32;
        if let (Some(0), Some(id), Some(text)) = (status, id, text) {
            self.statements.insert(id as u32, Prepared::new(text, parameters));
        }
    }

    /// A definition of a statement that was prepared.
    fn prepared_column(&mut self, (parameters, columns): (usize, usize), body: &[u8]) {
        if !body.starts_with(DEFINITION) {
            return;
        }
        if let Some(left) = parameters.checked_sub(1) {
            self.result.stage = Stage::Prepared(left, columns);
        } else if let Some(left) = columns.checked_sub(1) {
            self.result.stage = Stage::Prepared(0, left);
            Arc::make_mut(&mut self.result.columns).push(Column::read(body));
            if left == 0 {
                let id = self.result.command.statement;
                self.statements.set_columns(id, &self.result.columns);
            }
        }
    }

    fn definition(&mut self, left: usize, body: &[u8], sink: &mut dyn ContentSink) {
        if !body.starts_with(DEFINITION) {
            self.result.stage = Stage::Answer;
            return;
        }
        if self.result.columns.is_empty() {
            self.result.hide(Ending::Complete, sink);
        }
        if self.result.columns.len() >= table::MAX_COLUMNS {
            // Rows of so many columns are not read.
            self.result.stage = Stage::Defined;
            return;
        }
        Arc::make_mut(&mut self.result.columns).push(Column::read(body));
        self.result.stage = match left {
            0 | 1 => {
                self.result.show(&self.catalog, sink);
                let Command { code, statement } = self.result.command;
                if code == COM_EXECUTE {
                    self.statements.set_columns(statement, &self.result.columns);
                }
                Stage::Defined
            }
            _ => Stage::Definitions(left - 1),
        };
    }

    /// The beginning of a packet that is too long to be read whole: of a row, the columns before its long values.
    pub(super) fn beginning(&mut self, header: Header, head: &[u8], sink: &mut dyn ContentSink) {
        let Some(&first) = head.first() else { return };
        if self.phase != Phase::Command {
            return;
        }
        if self.result.begins(header.sequence) {
            self.begin_answer(sink);
        }
        if matches!(self.result.stage, Stage::Defined | Stage::Rows) {
            self.result.stage = Stage::Rows;
            self.values(first, head, Row::Beginning, sink);
        }
    }

    fn row(&mut self, first: u8, body: &[u8], sink: &mut dyn ContentSink) {
        if body.starts_with(DEFINITION) && self.result.command.code == 0 {
            // Mid-stream: more columns than were counted.
            return self.definition(1, body, sink);
        }
        if body.starts_with(PROGRESS) {
            return;
        }
        // EOF of the definitions or of the rows, OK in its place (`CLIENT_DEPRECATE_EOF`), or an error.
        let defined = std::mem::replace(&mut self.result.stage, Stage::Rows) == Stage::Defined;
        if matches!(first, 0xFE | 0xFF) && (body.len() < 9 || first == 0xFF || !self.is_text(body))
        {
            if !defined || first == 0xFF || body.len() != 5 {
                self.result.table.close(Ending::complete_if(first == 0xFE), sink);
                let more = first == 0xFE && more_results(body);
                self.result.stage = if more { Stage::Answer } else { Stage::Idle };
            }
            return;
        }
        self.values(first, body, Row::Whole, sink);
    }

    /// The values of a row.
    fn values(&mut self, first: u8, body: &[u8], extent: Row, sink: &mut dyn ContentSink) {
        let code = self.result.command.code;
        let result = &mut self.result;
        if result.table.is_done() {
            return;
        }
        let mut fields = Fields(body);
        let binary = matches!(code, COM_EXECUTE | COM_FETCH) || (code == 0 && first == 0);
        if binary && first == 0 {
            fields.bytes(1);
            let Some(nulls) = fields.bytes((result.columns.len() + 9) / 8) else { return };
            for (at, column) in result.columns.iter().enumerate() {
                let read = result.table.write_cell(|text| match is_null(nulls, at + 2) {
                    true => Some(()),
                    false => values::read(column.kind, column.unsigned, &mut fields, text),
                });
                if read.is_none() {
                    if extent == Row::Beginning {
                        break;
                    }
                    return result.table.drop_row();
                }
            }
        } else {
            for _ in 0..result.columns.len() {
                match fields.0.first() {
                    Some(0xFB) => {
                        fields.bytes(1);
                        result.table.cell(b"");
                    }
                    _ => match fields.string() {
                        Some(value) => result.table.cell(value),
                        None if extent == Row::Beginning => break,
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
        !matches!(self.result.command.code, COM_EXECUTE | COM_FETCH)
            && (0..self.result.columns.len()).all(|_| {
                matches!(fields.0.first(), Some(0xFB)) && fields.bytes(1).is_some()
                    || fields.string().is_some()
            })
            && fields.0.is_empty()
    }
}

/// The capabilities that a server lacks, by its greeting (Protocol::HandshakeV10).
fn lacking(greeting: &[u8]) -> Option<u64> {
    let mut fields = Fields(greeting.get(1..)?);
    fields.terminated()?;
    // The connection's number, the first part of the challenge, and a zero.
    fields.bytes(4 + 8 + 1)?;
    let low = fields.number(2)?;
    // Character set and status.
    fields.bytes(1 + 2)?;
    Some(!(low | fields.number(2)? << 16) & u64::from(u32::MAX))
}

/// Whether an OK or EOF packet says that another result of the same command follows.
fn more_results(body: &[u8]) -> bool {
    let mut fields = Fields(body);
    fields.number(1);
    let status = match body.len() {
        // EOF: warnings, status.
        5 if body.first() == Some(&0xFE) => {
            fields.number(2);
            fields.number(2)
        }
        // OK: rows affected, number of the last row, status.
        _ => {
            fields.length();
            fields.length();
            fields.number(2)
        }
    };
    status.unwrap_or(0) & MORE_RESULTS != 0
}
