//! Dumps of databases as statements of SQL: `INSERT INTO patient (mrn, name) VALUES (...)` as mysqldump, pg_dump
//! and SQL Server write them, and the rows behind `COPY ... FROM stdin` (PostgreSQL). Each row is a record under the
//! names of its columns, which the statement gives, or the definition of its table before it.

mod messages;
mod row;
#[cfg(test)]
mod tests;

use crate::content::extract::record::{CandidateRecord, Marks};
use crate::content::extract::table::{MAX_COLUMNS, TableColumns};
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use crate::syntax::sql::{Token, Tokens};
use messages::RowMessages;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// Longest statement without its rows, and longest row, bytes.
const MAX_PIECE: usize = 64 << 10;

/// Tables whose columns are remembered, and bytes of their names.
const MAX_TABLES: usize = 256;
const MAX_TABLE_BYTES: usize = 128 << 10;

/// Tokens between the table of an `UPDATE` and its first sign of equality.
const MAX_TARGET: usize = 8;

/// Bytes examined to recognise a dump.
const MAX_HEAD: usize = 4 << 10;

/// Statements of SQL in a file.
pub struct Dump;

/// Beginnings of statements in a dump.
const STATEMENTS: [&[&str]; 13] = [
    &["INSERT", "INTO"],
    &["REPLACE", "INTO"],
    &["CREATE", "TABLE"],
    &["CREATE", "DATABASE"],
    &["CREATE", "SCHEMA"],
    &["DROP", "TABLE"],
    &["LOCK", "TABLES"],
    &["START", "TRANSACTION"],
    &["BEGIN", "TRANSACTION"],
    &["SET", "NAMES"],
    &["SET", "IDENTITY_INSERT"],
    &["SET", "FOREIGN_KEY_CHECKS"],
    &["SET", "client_encoding"],
];

impl Format for Dump {
    fn name(&self) -> &'static str {
        "sql"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let head = head.get(..MAX_HEAD).unwrap_or(head);
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let text = !head.iter().any(|b| *b < b' ' && !matches!(b, b'\t' | b'\r' | b'\n' | 0x0c));
        text && (media::says(media, "sql", &["sql"]) || begins(head))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn cost(&self) -> u64 {
        4
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Reader {
            path: media::path(media),
            around: Marks::default(),
            piece: Zeroizing::default(),
            state: State::Statement,
            inside: LexicalState::Nothing,
            depth: 0,
            line: 0,
            cut: false,
            tables: HashMap::new(),
            bytes: 0,
            messages: RowMessages::default(),
        })
    }
}

/// Whether the first statement of `head` belongs to a dump, or a comment declares one.
fn begins(head: &[u8]) -> bool {
    let comment = head.trim_ascii_start();
    if comment.starts_with(b"-- MySQL dump")
        || comment.starts_with(b"-- MariaDB dump")
        || (comment.starts_with(b"--") && memchr::memmem::find(comment, b"database dump").is_some())
    {
        return true;
    }
    // Comments for one system end with an empty statement.
    let mut tokens = Tokens::new(head).filter(|token| *token != Token::Punctuation(b';'));
    let (Some(first), Some(second)) = (tokens.next(), tokens.next()) else { return false };
    let third = tokens.next();
    let known =
        STATEMENTS.iter().any(|words| matches!(words, [a, b] if first.is(a) && second.is(b)));
    // `USE [EMR]`, `INSERT [dbo].[Patient]` and `COPY t (a) FROM stdin` begin with words of prose.
    let bracket = (first.is("USE") || first.is("INSERT")) && matches!(second, Token::Name(_));
    let copy = first.is("COPY")
        && memchr::memmem::find(head, b" FROM stdin").is_some()
        && second.column().is_some();
    let pragma = first.is("PRAGMA") && third == Some(Token::Punctuation(b'='));
    // `Update patient set` begins a sentence, too.
    let update = first.is("UPDATE")
        && third
            .as_ref()
            .is_some_and(|third| third.is("SET") || *third == Token::Punctuation(b'.'))
        && tokens.take(MAX_TARGET).any(|token| token == Token::Punctuation(b'='));
    known || bracket || copy || pragma || update
}

/// The current part.
enum State {
    /// A statement, up to its end.
    Statement,
    /// Rows in parentheses behind `VALUES`.
    Values(Columns),
    /// Lines behind `COPY ... FROM stdin`.
    Copy(Columns),
}

/// The context of the next byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LexicalState {
    Nothing,
    /// A string or name, up to this quote; whether a backslash is before the next byte.
    Quoted(u8, bool),
    /// A comment up to the end of the line.
    Line,
    /// A comment up to `*/`; whether a star is before the next byte.
    Comment(bool),
}

/// A table: its columns, and the context from its name.
struct Columns {
    columns: TableColumns,
    marks: Marks,
}

struct Reader {
    path: Option<Box<str>>,
    /// Context from the path.
    around: Marks,
    /// The statement, row or line so far.
    piece: Zeroizing<Vec<u8>>,
    state: State,
    inside: LexicalState,
    /// Open parentheses.
    depth: u32,
    /// Where the line of the statement begins.
    line: usize,
    /// The piece has exceeded its limit: its end is awaited.
    cut: bool,
    /// Names of columns by table, as the dump defined them.
    tables: HashMap<Vec<u8>, Vec<Box<str>>>,
    /// Bytes of these names.
    bytes: usize,
    messages: RowMessages,
}

impl Reader {
    fn push(&mut self, byte: u8, scope: &mut Scope<'_>) {
        if self.piece.len() < MAX_PIECE {
            self.piece.push(byte);
        } else if !std::mem::replace(&mut self.cut, true) {
            scope.give_up(Reason::Limit);
        }
    }

    fn clear(&mut self) {
        self.piece.clear();
        self.line = 0;
        self.cut = false;
    }

    fn byte(&mut self, byte: u8, scope: &mut Scope<'_>) {
        if matches!(self.state, State::Copy(_)) {
            return self.copied(byte, scope);
        }
        match self.inside {
            LexicalState::Line => {
                if byte == b'\n' {
                    self.inside = LexicalState::Nothing;
                }
                return;
            }
            LexicalState::Comment(star) => {
                self.inside = match (star, byte) {
                    (true, b'/') => LexicalState::Nothing,
                    _ => LexicalState::Comment(byte == b'*'),
                };
                return;
            }
            LexicalState::Quoted(quote, escaped) => {
                self.inside = match byte {
                    _ if escaped => LexicalState::Quoted(quote, false),
                    b'\\' if quote != b']' => LexicalState::Quoted(quote, true),
                    // A doubled quote ends one string and begins the next.
                    _ if byte == quote => LexicalState::Nothing,
                    _ => LexicalState::Quoted(quote, false),
                };
                return self.push(byte, scope);
            }
            LexicalState::Nothing => {}
        }
        match (self.piece.last(), byte) {
            (Some(b'-'), b'-') => {
                self.piece.pop();
                self.inside = LexicalState::Line;
                return;
            }
            (Some(b'/'), b'*') => {
                self.piece.pop();
                self.inside = LexicalState::Comment(false);
                return;
            }
            _ => {}
        }
        if let b'\'' | b'"' | b'`' = byte {
            self.inside = LexicalState::Quoted(byte, false);
        }
        match &self.state {
            State::Values(_) => self.value(byte, scope),
            _ => self.statement(byte, scope),
        }
    }

    /// A byte of a statement outside strings and comments.
    fn statement(&mut self, byte: u8, scope: &mut Scope<'_>) {
        match byte {
            b';' => self.end_statement(scope),
            b'(' if self.depth == 0 && self.ends_with_values() => {
                let columns = self.inserted(scope);
                self.clear();
                if let Some(columns) = columns {
                    self.state = State::Values(columns);
                    self.value(byte, scope);
                }
            }
            b'\n' => {
                // SQL Server ends statements with a line of its own.
                let last = self.piece.get(self.line..).unwrap_or_default();
                if last.trim_ascii().eq_ignore_ascii_case(b"GO") {
                    self.end_statement(scope);
                } else {
                    self.push(byte, scope);
                    self.line = self.piece.len();
                }
            }
            _ => {
                match byte {
                    b'(' => self.depth = self.depth.saturating_add(1),
                    b')' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                self.push(byte, scope);
            }
        }
    }

    /// A byte of or between the rows of an `INSERT`.
    fn value(&mut self, byte: u8, scope: &mut Scope<'_>) {
        match (byte, self.depth) {
            (b'(', _) => {
                self.depth = self.depth.saturating_add(1);
                self.push(byte, scope);
            }
            (b')', 1) => {
                self.depth = 0;
                self.push(byte, scope);
                self.row(scope);
                self.clear();
            }
            (b')', _) => {
                self.depth = self.depth.saturating_sub(1);
                self.push(byte, scope);
            }
            (b',' | b' ' | b'\t' | b'\r' | b'\n', 0) => {}
            // The statement ends, or continues (`ON CONFLICT`).
            (_, 0) => {
                self.state = State::Statement;
                self.clear();
                if byte != b';' {
                    self.push(byte, scope);
                }
            }
            _ => self.push(byte, scope),
        }
    }

    /// A row is complete.
    fn row(&mut self, scope: &mut Scope<'_>) {
        let State::Values(columns) = &self.state else { return };
        let part = RowMessages::wants(&self.piece);
        if self.cut || !part && !columns.wants(&self.piece) {
            return;
        }
        let cells = row::cells(&self.piece);
        if !(part && self.messages.row(&cells, scope)) {
            columns.emit(&cells, self.around, scope);
        }
    }

    /// A byte of the lines behind `COPY`.
    fn copied(&mut self, byte: u8, scope: &mut Scope<'_>) {
        if byte != b'\n' {
            return self.push(byte, scope);
        }
        let line = self.piece.strip_suffix(b"\r").unwrap_or(&self.piece);
        if line == b"\\." {
            self.state = State::Statement;
        } else if let State::Copy(columns) = &self.state
            && columns.wants(line)
            && !self.cut
            && !line.is_empty()
        {
            columns.emit(&row::copied(line), self.around, scope);
        }
        self.clear();
    }

    /// Whether the statement so far is an `INSERT` whose rows follow.
    fn ends_with_values(&self) -> bool {
        let end = self.piece.trim_ascii_end();
        let word = |word: &str| {
            let at = end.len().checked_sub(word.len());
            at.and_then(|at| end.get(at..)).is_some_and(|w| w.eq_ignore_ascii_case(word.as_bytes()))
        };
        word("VALUES") || word("VALUE")
    }

    /// The table and columns of the `INSERT` so far.
    fn inserted(&mut self, scope: &Scope<'_>) -> Option<Columns> {
        let mut tokens = Tokens::new(&self.piece);
        let first = tokens.next()?;
        if !first.is("INSERT") && !first.is("REPLACE") {
            return None;
        }
        let (table, names) = row::target(&mut tokens)?;
        let known = || self.tables.get(&table).map_or(&[][..], Vec::as_slice);
        let names = if names.is_empty() { known() } else { &names };
        Some(Columns::new(&table, names, scope))
    }

    /// The statement is complete.
    fn end_statement(&mut self, scope: &mut Scope<'_>) {
        self.depth = 0;
        let statement = Zeroizing::new(std::mem::take(&mut *self.piece));
        let cut = self.cut;
        self.clear();
        if cut {
            return;
        }
        let mut tokens = Tokens::new(&statement);
        let Some(first) = tokens.next() else { return };
        if first.is("CREATE") {
            if let Some((table, names)) = row::definition(&mut tokens) {
                let bytes = table.len() + names.iter().map(|name| name.len()).sum::<usize>();
                if self.tables.len() < MAX_TABLES && self.bytes + bytes <= MAX_TABLE_BYTES {
                    self.bytes += bytes;
                    self.tables.insert(table, names);
                }
            }
        } else if first.is("UPDATE")
            && let Some((table, names, cells)) = row::assigned(&mut tokens)
        {
            Columns::new(&table, &names, scope).emit(&cells, self.around, scope);
        } else if first.is("COPY")
            && let Some((table, names)) = row::target(&mut tokens)
            && tokens.next().is_some_and(|token| token.is("FROM"))
            && tokens.next().is_some_and(|token| token.is("STDIN"))
        {
            // The rest of the line is empty.
            self.inside = LexicalState::Line;
            self.state = State::Copy(Columns::new(&table, &names, scope));
        }
    }
}

impl Columns {
    fn new(table: &[u8], names: &[Box<str>], scope: &Scope<'_>) -> Self {
        let mut columns = TableColumns::default();
        names.iter().take(MAX_COLUMNS).for_each(|name| columns.push_field(name, scope.rules()));
        Self { columns, marks: media::about(&String::from_utf8_lossy(table), scope) }
    }

    /// Whether a row may be of interest: a column has a meaning, or a cell holds an HL7 v2 message.
    fn wants(&self, row: &[u8]) -> bool {
        self.columns.known() > 0 || memchr::memmem::find(row, b"MSH|").is_some()
    }

    fn emit(&self, cells: &[Zeroizing<String>], around: Marks, scope: &mut Scope<'_>) {
        let mut record = CandidateRecord::default();
        self.columns.read_row(cells.iter().map(|cell| cell.as_str()), &mut record, scope);
        record.mark_from_afar(around.and(self.marks));
        record.emit("sql", scope);
    }
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.around = media::about(&path, scope);
        }
        for byte in bytes {
            self.byte(*byte, scope);
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, _scope: &mut Scope<'_>) -> Want {
        // The cut part is lost; the lines of a COPY continue with the next one.
        self.clear();
        self.cut = true;
        self.inside = LexicalState::Nothing;
        self.depth = 0;
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if ending == Ending::Complete && matches!(self.state, State::Statement) {
            self.end_statement(scope);
        }
        self.messages.end(ending, scope);
    }

    fn memory(&self) -> usize {
        let columns = match &self.state {
            State::Statement => 0,
            State::Values(columns) | State::Copy(columns) => columns.columns.memory(),
        };
        self.piece.capacity() + self.bytes + columns + self.messages.memory()
    }
}
