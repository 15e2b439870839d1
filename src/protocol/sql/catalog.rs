//! The columns of tables whose definition crossed the connection. Statements without column names (`INSERT INTO t
//! VALUES (...)`, `COPY t FROM STDIN`) refer to these.

use super::positional::{self, Names};
use super::select::SelectLists;
use super::table::{MAX_COLUMNS, Table};
use crate::syntax::sql::{Token, Tokens};
use std::collections::VecDeque;

/// Tables kept per connection; beyond it the oldest are dropped.
const MAX_TABLES: usize = 32;
/// Longest name that is kept, bytes.
const MAX_NAME: usize = 128;
/// Items of a table definition that are no columns.
const CONSTRAINTS: [&str; 14] = [
    "CONSTRAINT",
    "PRIMARY",
    "UNIQUE",
    "FOREIGN",
    "CHECK",
    "KEY",
    "INDEX",
    "FULLTEXT",
    "SPATIAL",
    "EXCLUDE",
    "PERIOD",
    "LIKE",
    "PARTITION",
    "WITH",
];

/// A column of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name.
    pub name: Vec<u8>,
    /// The first word of its type, in lower case (`varchar`).
    pub kind: Vec<u8>,
}

/// The tables defined on one connection.
#[derive(Default)]
pub struct Catalog {
    tables: VecDeque<(Vec<u8>, Vec<Column>)>,
    selected: SelectLists,
    /// The arrays for which the latest statement with some asked.
    arrays: Vec<Names>,
}

impl Catalog {
    /// Keeps the columns of the tables that `statement` defines, and those that it selects.
    pub fn learn(&mut self, statement: &[u8]) {
        self.selected.learn(statement);
        let arrays = positional::lists(statement);
        if !arrays.is_empty() {
            self.arrays = arrays;
        }
        let verb = statement.trim_ascii_start().get(..6);
        let begins = verb.is_some_and(|verb| verb.eq_ignore_ascii_case(b"CREATE"));
        // Scripts have several statements: CREATE comes first or behind a semicolon.
        if !begins && memchr::memchr(b';', statement).is_none() {
            return;
        }
        let mut tokens = Tokens::new(statement);
        let mut first = true;
        while let Some(token) = tokens.next() {
            if first && token.is("CREATE") {
                self.create(&mut tokens);
                first = false;
            } else {
                first = token == Token::Punctuation(b';');
            }
        }
    }

    /// `[TEMPORARY] TABLE [IF NOT EXISTS] name (columns)`, or `TYPE name AS TABLE (columns)`, from behind CREATE.
    fn create(&mut self, tokens: &mut Tokens<'_>) {
        // Words between: GLOBAL, LOCAL, TEMPORARY, UNLOGGED, OR REPLACE.
        let Some(last) = tokens.take(4).find(|token| token.is("TABLE") || token.is("TYPE")) else {
            return;
        };
        let is_type = last.is("TYPE");
        let mut name = Vec::new();
        for token in tokens.by_ref() {
            match &token {
                Token::Punctuation(b'(') => break,
                token if is_type && token.is("AS") => {
                    let mut next = || tokens.next();
                    if !next().is_some_and(|token| token.is("TABLE"))
                        || next() != Some(Token::Punctuation(b'('))
                    {
                        return;
                    }
                    break;
                }
                Token::Punctuation(b'.') => {}
                token if token.is("IF") || token.is("NOT") || token.is("EXISTS") => {}
                token => match token.column() {
                    Some(part) => name = part.to_vec(),
                    None => return,
                },
            }
        }
        let columns = columns(tokens);
        if name.len() > MAX_NAME || columns.is_empty() {
            return;
        }
        self.tables.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        if self.tables.len() >= MAX_TABLES {
            self.tables.pop_front();
        }
        self.tables.push_back((name, columns));
    }

    /// The columns of the table called `name`, without its schema; `None` if unknown.
    pub fn columns(&self, name: &[u8]) -> Option<&[Column]> {
        let (_, columns) =
            self.tables.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(columns)
    }

    /// Gives `table` the columns `names` of a result: the names of the columns that were selected, where a program
    /// gave them others.
    pub fn show<'a>(&'a self, names: &[&'a [u8]], table: &mut Table) {
        let (names, about) = self.selected.meanings(names);
        names.iter().for_each(|name| table.column(name));
        table.set_arrays(&self.arrays);
        table.set_about(about);
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let column = |c: &Column| c.name.capacity() + c.kind.capacity() + size_of::<Column>();
        let tables =
            self.tables.iter().map(|(_, columns)| columns.iter().map(column).sum::<usize>());
        let arrays = self.arrays.iter().flatten().map(|name| name.capacity()).sum::<usize>();
        tables.sum::<usize>() + self.selected.memory() + arrays
    }
}

/// The columns of a definition, from behind its opening parenthesis up to its closing one.
fn columns(tokens: &mut Tokens<'_>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    // Words of the current item, and its open parentheses.
    let (mut words, mut depth, mut constraint) = (0, 0usize, false);
    for token in tokens.by_ref() {
        match &token {
            Token::Punctuation(b'(') => depth += 1,
            Token::Punctuation(b')') if depth == 0 => break,
            Token::Punctuation(b')') => depth -= 1,
            Token::Punctuation(b',') if depth == 0 => (words, constraint) = (0, false),
            _ if depth > 0 || constraint => {}
            token => {
                words += 1;
                let Some(word) = token.column().filter(|w| w.len() <= MAX_NAME) else { continue };
                match words {
                    1 if CONSTRAINTS.iter().any(|c| token.is(c)) => constraint = true,
                    1 if columns.len() < MAX_COLUMNS => {
                        columns.push(Column { name: word.to_vec(), kind: Vec::new() });
                    }
                    2 => {
                        if let Some(column) = columns.last_mut() {
                            column.kind = word.to_ascii_lowercase();
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(catalog: &Catalog, table: &[u8]) -> Vec<String> {
        let columns = catalog.columns(table).unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        columns.iter().map(|c| format!("{} {}", text(&c.name), text(&c.kind))).collect()
    }

    #[test]
    fn columns_of_created_tables_are_kept() {
        let expected = ["mrn varchar", "last_name text", "dob date", "weight decimal"];
        for statement in [
            "CREATE TABLE p (mrn varchar(20) PRIMARY KEY, last_name text NOT NULL DEFAULT ',', dob date, weight decimal(5,2))",
            "set x = 1; create temporary table if not exists `db`.`p` (`mrn` varchar(20), `last_name` text, `dob` date, `weight` decimal(5,2), primary key (`mrn`), constraint c check (weight > 0))",
            "CREATE UNLOGGED TABLE \"s\".\"p\" (\"mrn\" VARCHAR, \"last_name\" TEXT, \"dob\" DATE, \"weight\" DECIMAL);",
        ] {
            let mut catalog = Catalog::default();
            catalog.learn(statement.as_bytes());
            assert_eq!(names(&catalog, b"P"), expected, "{statement}");
        }
        let mut catalog = Catalog::default();
        catalog.learn(b"CREATE TYPE [dbo].[Rows] AS TABLE (mrn varchar(20) NOT NULL, dob date)");
        assert_eq!(names(&catalog, b"rows"), ["mrn varchar", "dob date"]);
        for other in ["type mood as enum ('a')", "type mood from int", "type mood as table", "type"]
        {
            catalog.learn(format!("create {other}").as_bytes());
        }
        assert_eq!(catalog.tables.len(), 1);
        let mut catalog = Catalog::default();
        for at in 0..40 {
            catalog.learn(format!("create table t{at} (a int)").as_bytes());
        }
        catalog.learn(b"create index i on t39 (a)");
        assert_eq!(catalog.tables.len(), MAX_TABLES);
        assert_eq!(names(&catalog, b"t39"), ["a int"]);
        assert!(catalog.columns(b"t0").is_none(), "the oldest went first");
    }
}
