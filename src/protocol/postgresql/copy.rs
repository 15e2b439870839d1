//! COPY in both directions: text, CSV and binary (PostgreSQL manual, "COPY", "File Formats").

use super::super::content_writer::ContentWriter;
use super::super::sql::{Catalog, Table, select::table_of, table::MAX_COLUMNS};
use super::super::{ContentSink, Direction, Ending, Hint, Media};
use super::values;
use crate::syntax::sql::{Token, Tokens};
use zeroize::Zeroizing;

/// Longest row, bytes.
const MAX_ROW: usize = 256 << 10;
/// How the binary format begins; flags and the length of an extension follow.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const LAYER: &str = "postgresql";

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Format {
    #[default]
    Text,
    Csv,
    Binary,
}

/// COPY in one direction: rows, and the incomplete row at the end.
#[derive(Default)]
pub struct Copy {
    columns: Vec<Vec<u8>>,
    format: Format,
    header: bool,
    delimiter: Option<u8>,
    table: Table,
    /// The rows can be passed on unchanged as CSV.
    file: Option<ContentWriter>,
    part: Zeroizing<Vec<u8>>,
    /// The header of the binary format was read.
    begun: bool,
    /// Columns of four bytes that hold days.
    dated: Vec<bool>,
}

impl Copy {
    /// A statement that may copy: `COPY t (a, b) FROM STDIN`, `COPY (SELECT a, b FROM t) TO STDOUT`.
    pub fn begin(&mut self, statement: &[u8], catalog: &Catalog) {
        let mut tokens = Tokens::new(statement);
        if !tokens.next().is_some_and(|token| token.is("COPY")) {
            return;
        }
        let table = std::mem::take(&mut self.table);
        *self = Self { table, ..Self::default() };
        let mut name = Vec::new();
        // The source or target, up to the direction.
        while let Some(token) = tokens.next() {
            match &token {
                Token::Punctuation(b'(') if name.is_empty() => self.columns = selected(&mut tokens),
                Token::Punctuation(b'(') => self.columns = listed(&mut tokens),
                token if token.is("TO") || token.is("FROM") => break,
                token if token.is("BINARY") && name.is_empty() => self.format = Format::Binary,
                token => name = token.column().map(<[u8]>::to_vec).unwrap_or(name),
            }
        }
        if self.columns.is_empty() {
            let known = catalog.columns(&name).unwrap_or_default();
            self.columns = known.iter().map(|column| column.name.clone()).collect();
            self.dated = known.iter().map(|column| column.kind == b"date").collect();
        }
        if name.is_empty() {
            name = table_of(statement);
        }
        self.table.set_about(&name);
        self.options(&mut tokens);
    }

    /// `STDIN WITH (FORMAT csv, HEADER, DELIMITER ';')`, and the syntax before version 9.
    fn options(&mut self, tokens: &mut Tokens<'_>) {
        let mut delimiter = false;
        for token in tokens.by_ref() {
            match &token {
                Token::Text(text) if delimiter => self.delimiter = text.first().copied(),
                token if token.is("CSV") => self.format = Format::Csv,
                Token::Text(text) if text.eq_ignore_ascii_case(b"csv") => self.format = Format::Csv,
                token if token.is("BINARY") => self.format = Format::Binary,
                Token::Text(text) if text.eq_ignore_ascii_case(b"binary") => {
                    self.format = Format::Binary;
                }
                token if token.is("HEADER") => self.header = true,
                token if token.is("FALSE") || token.is("OFF") => self.header = false,
                token if token.is("DELIMITER") || token.is("DELIMITERS") => {
                    delimiter = true;
                    continue;
                }
                token if delimiter && token.is("AS") => continue,
                _ => {}
            }
            delimiter = false;
        }
    }

    /// CopyInResponse or CopyOutResponse: whether rows are binary.
    pub fn answered(&mut self, body: &[u8]) {
        if body.first() == Some(&1) {
            self.format = Format::Binary;
        }
    }

    /// CopyData. Its boundaries are not those of rows.
    pub fn data(&mut self, direction: Direction, body: &[u8], sink: &mut dyn ContentSink) {
        if self.format == Format::Csv || self.header {
            return self.file(direction, body, sink);
        }
        if self.table.columns() == 0 {
            for name in &self.columns {
                self.table.column(name);
            }
        }
        let mut part = std::mem::take(&mut self.part);
        part.extend_from_slice(body);
        // A row in many pieces is not searched again with each.
        let waits = match self.format {
            Format::Binary => !sink.reread(part.len() as u64),
            _ => !body.contains(&b'\n'),
        };
        if waits {
            if part.len() <= MAX_ROW {
                self.part = part;
            }
            return;
        }
        let read = match self.format {
            Format::Binary => self.tuples(&part, sink),
            _ => self.lines(&part, sink),
        };
        let read = read.min(part.len());
        part.drain(..read);
        if part.len() <= MAX_ROW {
            self.part = part;
        }
    }

    /// Rows that need no conversion.
    fn file(&mut self, direction: Direction, body: &[u8], sink: &mut dyn ContentSink) {
        let tabs = self.format == Format::Text;
        let separator = self.delimiter.unwrap_or(if tabs { b'\t' } else { b',' });
        let (columns, about) = (&self.columns, self.table.about());
        let headed = self.header;
        let file = self.file.get_or_insert_with(|| {
            sink.unit(if direction == Direction::ClientToServer { "request" } else { "response" });
            let content_type = if tabs { "text/tab-separated-values" } else { "text/csv" };
            let media = Media::Type { content_type, name: about };
            let hint = Hint { direction, media, operation: "COPY", codings: &[], layer: LAYER };
            let mut file = ContentWriter::open(&hint, sink);
            if !headed && !columns.is_empty() {
                let mut heading = columns.join(&separator);
                heading.push(b'\n');
                file.data(&heading, sink);
            }
            file
        });
        file.data(body, sink);
    }

    /// Rows in text: they end in a line feed, columns in a tab. Returns how far they go.
    fn lines(&mut self, data: &[u8], sink: &mut dyn ContentSink) -> usize {
        let delimiter = self.delimiter.unwrap_or(b'\t');
        let mut text = Zeroizing::new(Vec::new());
        let mut at = 0;
        while let Some(end) = memchr::memchr(b'\n', data.get(at..).unwrap_or_default()) {
            let row = data.get(at..at + end).unwrap_or_default();
            for cell in row.split(|b| *b == delimiter) {
                text.clear();
                if cell != b"\\N" {
                    unescape(cell, &mut text);
                }
                self.table.cell(&text);
            }
            self.table.end_row(LAYER, sink);
            at += end + 1;
        }
        at
    }

    /// Rows in binary: the count of columns, then length and bytes of each. Returns how far they go.
    fn tuples(&mut self, data: &[u8], sink: &mut dyn ContentSink) -> usize {
        let mut rest = data;
        if !self.begun {
            if !data.starts_with(SIGNATURE) {
                // Half a header, or rows whose beginning was lost.
                return if SIGNATURE.starts_with(data) { 0 } else { data.len() };
            }
            let extension = super::word(data, SIGNATURE.len() + 4).unwrap_or(u32::MAX) as usize;
            let head = (SIGNATURE.len() + 8).saturating_add(extension);
            let Some(tuples) = data.get(head..) else { return 0 };
            rest = tuples;
            self.begun = true;
        }
        while let Some((count, mut tuple)) = rest.split_first_chunk::<2>() {
            let count = usize::from(u16::from_be_bytes(*count));
            if count > MAX_COLUMNS {
                // The end (-1).
                return data.len();
            }
            self.dated.resize(count.max(self.dated.len()), false);
            let mut whole = true;
            for dated in self.dated.iter_mut().take(count) {
                let Some(value) = values::next(&mut tuple) else {
                    whole = false;
                    break;
                };
                let guess = |text: &mut Vec<u8>| values::guess(value, dated, text);
                if self.table.write_cell(guess).is_none() {
                    self.table.cell(value);
                }
            }
            if !whole {
                self.table.drop_row();
                break;
            }
            self.table.end_row(LAYER, sink);
            rest = tuple;
        }
        data.len() - rest.len()
    }

    /// The rows end.
    pub fn end(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        self.table.reset(ending, sink);
        if let Some(file) = self.file.take() {
            file.close(ending, sink);
        }
        let table = std::mem::take(&mut self.table);
        *self = Self { table, ..Self::default() };
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.table.memory() + self.part.capacity()
    }
}

/// The names in a list, from behind its opening parenthesis.
fn listed(tokens: &mut Tokens<'_>) -> Vec<Vec<u8>> {
    let list = tokens.by_ref().take_while(|token| *token != Token::Punctuation(b')'));
    let names = list.filter_map(|token| token.column().map(<[u8]>::to_vec));
    names.take(MAX_COLUMNS).collect()
}

/// The names of the columns of a query, from behind the parenthesis before it: of each item the last name, which is
/// its alias, if it has one. `None` for `*`.
fn selected(tokens: &mut Tokens<'_>) -> Vec<Vec<u8>> {
    let (mut names, mut name, mut depth) = (Vec::new(), Vec::new(), 0usize);
    let mut reading = true;
    for token in tokens.by_ref() {
        match &token {
            Token::Punctuation(b'(') => depth += 1,
            Token::Punctuation(b')') if depth == 0 => break,
            Token::Punctuation(b')') => depth -= 1,
            _ if !reading => {}
            Token::Punctuation(b',') if depth == 0 && names.len() < MAX_COLUMNS => {
                names.push(std::mem::take(&mut name));
            }
            token if depth == 0 && token.is("FROM") => {
                reading = false;
                names.push(std::mem::take(&mut name));
            }
            token if depth == 0 => name = token.column().map(<[u8]>::to_vec).unwrap_or(name),
            _ => {}
        }
    }
    // `SELECT *` has no name but its verb.
    names.retain(|name| !name.eq_ignore_ascii_case(b"SELECT"));
    names
}

/// A value of the text format with its escapes resolved.
fn unescape(cell: &[u8], text: &mut Vec<u8>) {
    let mut rest = cell;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        text.extend_from_slice(rest.get(..at).unwrap_or_default());
        let escaped = rest.get(at + 1).copied();
        text.extend(escaped.map(|byte| match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            byte => byte,
        }));
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    text.extend_from_slice(rest);
}
