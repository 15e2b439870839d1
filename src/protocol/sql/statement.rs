//! The values in a statement of SQL that belong to a named column: `INSERT INTO t (a, b) VALUES (1, 2)`, `a = 'x'`,
//! `a LIKE 'x%'`, `a IN ('x', 'y')`, and the named arguments of a procedure. Anything else is passed over: this is no
//! SQL parser, and reads each token once.

use super::catalog::Catalog;
use super::document::is_document;
use super::table::write_cell;
use crate::syntax::sql::{Placeholder, Token, Tokens};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Tables taken from one statement.
const MAX_TABLES: usize = 16;
/// Documents taken from one statement.
const MAX_DOCUMENTS: usize = 64;
/// Lines of one table.
const MAX_ROWS: usize = 10_000;
/// Columns of one table.
const MAX_COLUMNS: usize = 256;
/// Levels of parentheses inside a value that are followed.
const MAX_DEPTH: usize = 32;

/// The values of placeholders, by number (`?`, `$1`) or by name (`@p1`, `:name`).
#[derive(Default)]
pub struct Parameters {
    numbered: Vec<Zeroizing<Vec<u8>>>,
    named: BTreeMap<Vec<u8>, Zeroizing<Vec<u8>>>,
}

impl Parameters {
    /// Placeholders that are kept.
    pub const MAX: usize = 4096;

    /// The value of the next placeholder.
    pub fn push(&mut self, value: &[u8]) {
        if self.numbered.len() < Self::MAX {
            self.numbered.push(Zeroizing::new(value.to_vec()));
        }
    }

    /// The value of the placeholder `name`, without its sign.
    pub fn insert(&mut self, name: &[u8], value: &[u8]) {
        if self.named.len() < Self::MAX {
            self.named.insert(name.to_ascii_lowercase(), Zeroizing::new(value.to_vec()));
        }
    }

    fn get(&self, placeholder: Placeholder<'_>) -> Option<&[u8]> {
        match placeholder {
            Placeholder::Number(at) => self.numbered.get(at).map(|v| v.as_slice()),
            Placeholder::Name(name) => {
                self.named.get(&name.to_ascii_lowercase()).map(|v| v.as_slice())
            }
        }
    }
}

/// Bytes of a statement in which its first word must be, behind comments.
const MAX_OPENING: usize = 512;

/// Values under the same columns, as lines of CSV, the heading first.
pub struct Values {
    /// Lines with their line ends.
    pub lines: Vec<Zeroizing<Vec<u8>>>,
    /// Number of columns.
    pub columns: usize,
}

/// The kind of statement, as in `phi.operation`.
pub fn operation(statement: &[u8]) -> &'static str {
    const KNOWN: [&str; 9] =
        ["SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "CALL", "EXEC", "COPY"];
    let word = Tokens::new(statement).find_map(|t| match t {
        Token::Word(word) => Some(word),
        _ => None,
    });
    let word = word.unwrap_or_default();
    KNOWN.into_iter().find(|k| word.eq_ignore_ascii_case(k.as_bytes())).unwrap_or("SQL")
}

/// Whether `text` begins as a statement does: with a word that statements begin with, or a comment before it.
pub fn is_statement(text: &[u8]) -> bool {
    const FIRST: [&str; 29] = [
        "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "CALL", "EXEC", "EXECUTE",
        "COPY", "WITH", "BEGIN", "START", "COMMIT", "ROLLBACK", "SET", "SHOW", "USE", "CREATE",
        "DROP", "ALTER", "EXPLAIN", "DECLARE", "FETCH", "LOAD", "TRUNCATE", "VALUES", "PREPARE",
        "DISCARD",
    ];
    let text = text.trim_ascii_start();
    if !text.first().is_some_and(|b| b.is_ascii_alphabetic() || b"/-(".contains(b)) {
        return false;
    }
    let head = text.get(..MAX_OPENING).unwrap_or(text);
    let word = Tokens::new(head).find(|token| *token != Token::Punctuation(b'('));
    word.is_some_and(|word| FIRST.into_iter().any(|first| word.is(first)))
}

/// The values of a statement.
pub fn tables(statement: &[u8], parameters: &Parameters, catalog: &Catalog) -> Vec<Values> {
    let (tokens, found) = (Tokens::new(statement), Found::default());
    let mut reader = Reader { tokens, parameters, catalog, found };
    reader.statement();
    reader.found.tables
}

/// The literals and parameters of a statement that are documents of their own.
pub fn documents(statement: &[u8], parameters: &Parameters) -> Vec<Zeroizing<Vec<u8>>> {
    let text = |token| match token {
        Token::Text(text) | Token::Double(text) => Some(Zeroizing::new(text)),
        _ => None,
    };
    let literals = Tokens::new(statement).filter_map(text).filter(|text| is_document(text));
    let values = parameters.numbered.iter().chain(parameters.named.values());
    literals.chain(values.filter(|v| is_document(v)).cloned()).take(MAX_DOCUMENTS).collect()
}

/// The values of named arguments, by name.
pub fn arguments(arguments: &[(Vec<u8>, Zeroizing<Vec<u8>>)]) -> Vec<Values> {
    let mut found = Found::default();
    for (name, value) in arguments.iter().filter(|(name, _)| !name.is_empty()) {
        found.pair(name.clone(), trimmed(value));
    }
    found.end_pairs();
    found.tables
}

/// The columns of `t` that get those of the rows `parameter`, in their order: `INSERT INTO t (a, b) SELECT * FROM @rows`,
/// or all columns of a table that `catalog` knows.
pub fn columns_of_rows(statement: &[u8], parameter: &[u8], catalog: &Catalog) -> Vec<Vec<u8>> {
    let mut tokens = Tokens::new(statement);
    while tokens.by_ref().any(|token| token.is("INTO")) {
        let (mut table, mut columns, mut listed) = (Vec::new(), Vec::new(), false);
        for token in tokens.by_ref().take_while(|token| !token.is("SELECT")) {
            match token.column() {
                Some(name) if listed && columns.len() < MAX_COLUMNS => columns.push(name.to_vec()),
                Some(name) if !listed && columns.is_empty() => table = name.to_vec(),
                _ => {
                    listed = (listed || token == Token::Punctuation(b'('))
                        && token != Token::Punctuation(b')')
                }
            }
        }
        let is_rows = |token: Token<'_>| matches!(token, Token::Placeholder(Placeholder::Name(name)) if name.eq_ignore_ascii_case(parameter));
        if tokens.next() == Some(Token::Punctuation(b'*'))
            && tokens.next().is_some_and(|token| token.is("FROM"))
            && tokens.next().is_some_and(is_rows)
        {
            let known = || catalog.columns(&table).unwrap_or_default().iter();
            return match columns.is_empty() {
                true => known().map(|column| column.name.clone()).collect(),
                false => columns,
            };
        }
    }
    Vec::new()
}

/// A value without surrounding blanks and wildcards of LIKE.
fn trimmed(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    let value = value.strip_prefix(b"%").unwrap_or(value);
    value.strip_suffix(b"%").unwrap_or(value)
}

/// Values that arrive one by one with their columns; a column that repeats begins a new row.
#[derive(Default)]
struct Pairs {
    columns: Vec<Vec<u8>>,
    cells: Vec<Zeroizing<Vec<u8>>>,
}

/// The tables so far.
#[derive(Default)]
struct Found {
    tables: Vec<Values>,
    pairs: Pairs,
}

impl Found {
    fn pair(&mut self, column: Vec<u8>, value: &[u8]) {
        let known = |c: &Vec<u8>| c.eq_ignore_ascii_case(&column);
        if self.pairs.columns.len() >= MAX_COLUMNS || self.pairs.columns.iter().any(known) {
            self.end_pairs();
        }
        if !value.is_empty() {
            self.pairs.columns.push(column);
            self.pairs.cells.push(Zeroizing::new(value.to_vec()));
        }
    }

    fn end_pairs(&mut self) {
        let pairs = std::mem::take(&mut self.pairs);
        if pairs.columns.is_empty() || self.tables.len() >= MAX_TABLES {
            return;
        }
        let columns: Vec<&[u8]> = pairs.columns.iter().map(Vec::as_slice).collect();
        let row: Vec<&[u8]> = pairs.cells.iter().map(|c| c.as_slice()).collect();
        // Further values of the same columns are further rows of the same table.
        let heading = line(&columns);
        match self.tables.last_mut() {
            Some(table)
                if table.lines.first() == Some(&heading) && table.lines.len() < MAX_ROWS =>
            {
                table.lines.push(line(&row));
            }
            _ => self.tables.push(Values { lines: vec![heading, line(&row)], columns: row.len() }),
        }
    }
}

struct Reader<'a> {
    tokens: Tokens<'a>,
    parameters: &'a Parameters,
    catalog: &'a Catalog,
    found: Found,
}

impl<'a> Reader<'a> {
    fn statement(&mut self) {
        // The column that may get a value: the last name before an operator.
        let mut column: Option<Vec<u8>> = None;
        let mut into = false;
        // The table of an INSERT.
        let mut table: Vec<u8> = Vec::new();
        while let Some(token) = self.tokens.next() {
            if self.found.tables.len() >= MAX_TABLES {
                return;
            }
            match &token {
                Token::Punctuation(b'(') if into => {
                    into = false;
                    self.insert();
                    column = None;
                }
                Token::Punctuation(b'=') => {
                    if let Some(column) = column.take() {
                        self.value_of(column);
                    }
                }
                Token::Punctuation(b';') => {
                    self.found.end_pairs();
                    (column, into) = (None, false);
                }
                // `a <= b`, `lower(a) = b`: the name stays.
                Token::Punctuation(_) => {}
                token if token.is("LIKE") || token.is("ILIKE") => {
                    if let Some(column) = column.take() {
                        self.value_of(column);
                    }
                }
                token if token.is("IN") => {
                    if let Some(column) = column.take() {
                        self.list_of(&column);
                    }
                }
                token if token.is("INTO") => into = true,
                token if into && (token.is("VALUES") || token.is("VALUE")) => {
                    into = false;
                    let columns = self.catalog.columns(&table).unwrap_or_default();
                    let columns: Vec<&[u8]> = columns.iter().map(|c| c.name.as_slice()).collect();
                    self.rows(&columns);
                    column = None;
                }
                token if token.is("SELECT") || token.is("SET") => into = false,
                token => {
                    column = token.column().map(<[u8]>::to_vec).or(column);
                    if into {
                        table = column.clone().unwrap_or_default();
                    }
                }
            }
        }
        self.found.end_pairs();
    }

    /// The literal or the parameter in a token.
    fn literal(&self, token: &Token<'_>) -> Option<Zeroizing<Vec<u8>>> {
        Some(Zeroizing::new(match token {
            Token::Text(text) | Token::Double(text) => text.clone(),
            Token::Word(word) if word.first().is_some_and(u8::is_ascii_digit) => word.to_vec(),
            Token::Placeholder(placeholder) => self.parameters.get(*placeholder)?.to_vec(),
            _ => return None,
        }))
    }

    /// The value behind an operator: a literal, or the first one in a call or behind a type (`DATE '...'`).
    fn value_of(&mut self, column: Vec<u8>) {
        let mut depth = 0;
        for _ in 0..MAX_DEPTH {
            let Some(token) = self.tokens.next() else { return };
            if let Some(value) = self.literal(&token) {
                self.found.pair(column, trimmed(&value));
                return;
            }
            match token {
                Token::Punctuation(b'(') => depth += 1,
                Token::Word(word) if word.eq_ignore_ascii_case(b"SELECT") => return,
                Token::Word(_) => {}
                _ if depth == 0 => return,
                _ => {}
            }
        }
    }

    /// `('x', 'y')`: each is a row.
    fn list_of(&mut self, column: &[u8]) {
        if self.tokens.next() != Some(Token::Punctuation(b'(')) {
            return;
        }
        while let Some(token) = self.tokens.next() {
            if token == Token::Punctuation(b')') {
                return;
            }
            if let Some(value) = self.literal(&token) {
                self.found.pair(column.to_vec(), &value);
            } else if token != Token::Punctuation(b',') {
                return;
            }
        }
    }

    /// `INSERT INTO t (a, b) VALUES (1, 2), (3, 4)`, from behind the first parenthesis.
    fn insert(&mut self) {
        let mut columns: Vec<Vec<u8>> = Vec::new();
        loop {
            match self.tokens.next() {
                None => return,
                Some(Token::Punctuation(b')')) => break,
                Some(Token::Punctuation(_)) => {}
                Some(token) => {
                    let Some(column) = token.column() else { return };
                    if columns.len() < MAX_COLUMNS {
                        columns.push(column.to_vec());
                    }
                }
            }
        }
        // MERGE and OUTPUT clauses may come between.
        loop {
            match self.tokens.next() {
                None => return,
                Some(token) if token.is("VALUES") || token.is("VALUE") => break,
                Some(token) if token.is("SELECT") => return self.unnest(&columns),
                Some(_) => {}
            }
        }
        let names: Vec<&[u8]> = columns.iter().map(Vec::as_slice).collect();
        self.rows(&names);
    }

    /// `* FROM unnest($1, $2)`: each array holds the values of a column.
    fn unnest(&mut self, columns: &[Vec<u8>]) {
        if !self.tokens.by_ref().take(MAX_DEPTH).any(|token| token.is("UNNEST")) {
            return;
        }
        let mut arrays = Vec::new();
        for token in self.tokens.by_ref() {
            match token {
                Token::Punctuation(b')') => break,
                Token::Placeholder(placeholder) if arrays.len() < columns.len() => {
                    let array = self.parameters.get(placeholder).unwrap_or_default();
                    arrays.push(elements(array));
                }
                _ => {}
            }
        }
        let rows = arrays.iter().map(Vec::len).max().unwrap_or(0).min(MAX_ROWS);
        let names: Vec<&[u8]> = columns.iter().map(Vec::as_slice).take(arrays.len()).collect();
        let mut lines = vec![line(&names)];
        for row in 0..rows {
            let cell = |array: &'_ Vec<Zeroizing<Vec<u8>>>| array.get(row).cloned();
            let cells: Vec<_> = arrays.iter().map(|a| cell(a).unwrap_or_default()).collect();
            lines.push(line(&cells.iter().map(|c| c.as_slice()).collect::<Vec<_>>()));
        }
        if rows > 0 {
            self.found.tables.push(Values { lines, columns: names.len() });
        }
    }

    /// The rows behind VALUES. Without names for their columns they are passed over.
    fn rows(&mut self, columns: &[&[u8]]) {
        let mut lines = vec![line(columns)];
        while let Some(token) = self.tokens.next() {
            match token {
                Token::Punctuation(b'(') if lines.len() < MAX_ROWS => {
                    let Some(row) = self.row(columns.len()) else { break };
                    let cells: Vec<&[u8]> = row.iter().map(|c| c.as_slice()).collect();
                    lines.push(line(&cells));
                }
                Token::Punctuation(b',') => {}
                _ => break,
            }
        }
        if lines.len() > 1 && !columns.is_empty() {
            self.found.tables.push(Values { lines, columns: columns.len() });
        }
    }

    /// The values up to the closing parenthesis; of an expression its first literal.
    fn row(&mut self, columns: usize) -> Option<Vec<Zeroizing<Vec<u8>>>> {
        let mut row: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        let (mut depth, mut cell) = (0usize, None);
        loop {
            let token = self.tokens.next()?;
            match token {
                Token::Punctuation(b'(') => depth += 1,
                Token::Punctuation(b')') if depth == 0 => break,
                Token::Punctuation(b')') => depth -= 1,
                Token::Punctuation(b',') if depth == 0 => {
                    if row.len() < columns {
                        row.push(cell.take().unwrap_or_default());
                    }
                    cell = None;
                }
                token => {
                    if cell.is_none() {
                        cell = self.literal(&token);
                    }
                }
            }
        }
        if row.len() < columns {
            row.push(cell.unwrap_or_default());
        }
        Some(row)
    }
}

/// The elements of an array in PostgreSQL's syntax: `{a,"b, c",NULL}`.
pub fn elements(array: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let inner = array.strip_prefix(b"{").and_then(|a| a.strip_suffix(b"}")).unwrap_or_default();
    let mut out = Vec::new();
    let (mut element, mut quoted, mut escaped) = (Zeroizing::new(Vec::new()), false, false);
    for byte in inner {
        match byte {
            _ if escaped => {
                element.push(*byte);
                escaped = false;
            }
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted && out.len() < MAX_ROWS => out.push(std::mem::take(&mut element)),
            _ => element.push(*byte),
        }
    }
    if !inner.is_empty() {
        out.push(element);
    }
    for element in out.iter_mut().filter(|e| e.as_slice() == b"NULL") {
        element.clear();
    }
    out
}

/// A line of CSV.
fn line(cells: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut line = Zeroizing::new(Vec::new());
    for (at, cell) in cells.iter().enumerate() {
        write_cell(cell, at == 0, &mut line);
    }
    line.push(b'\n');
    line
}
