//! Tables, columns and rows in statements.

use crate::content::extract::table::MAX_COLUMNS;
use crate::syntax::sql::{Token, Tokens};
use zeroize::Zeroizing;

/// Words that begin a constraint instead of a column definition.
const CONSTRAINTS: [&str; 9] =
    ["PRIMARY", "KEY", "UNIQUE", "CONSTRAINT", "INDEX", "FOREIGN", "CHECK", "FULLTEXT", "SPATIAL"];

fn text(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
}

/// The last part of a table name (`public.patient`, `[dbo].[Patient]`), and the token behind it.
fn table<'a>(
    first: Option<Token<'a>>,
    tokens: &mut Tokens<'a>,
) -> Option<(Vec<u8>, Option<Token<'a>>)> {
    let mut name = first?.column()?.to_vec();
    loop {
        let next = tokens.next();
        if next != Some(Token::Punctuation(b'.')) {
            return Some((name.to_ascii_lowercase(), next));
        }
        name = tokens.next()?.column()?.to_vec();
    }
}

/// The table behind `INSERT`, `INSERT INTO` or `COPY`, and the names of columns in parentheses behind it. The next
/// token of `tokens` is the one behind these.
pub(super) fn target(tokens: &mut Tokens<'_>) -> Option<(Vec<u8>, Vec<Box<str>>)> {
    let mut first = tokens.next();
    while first.as_ref().is_some_and(|t| ["INTO", "IGNORE", "DELAYED"].iter().any(|w| t.is(w))) {
        first = tokens.next();
    }
    let (table, next) = table(first, tokens)?;
    let mut names = Vec::new();
    if next == Some(Token::Punctuation(b'(')) {
        for token in tokens.by_ref() {
            match &token {
                Token::Punctuation(b')') => break,
                Token::Punctuation(b',') => {}
                token if names.len() < MAX_COLUMNS => names.push(text(token.column()?)),
                _ => {}
            }
        }
    }
    Some((table, names))
}

/// The table of a `CREATE TABLE`, and its columns.
pub(super) fn definition(tokens: &mut Tokens<'_>) -> Option<(Vec<u8>, Vec<Box<str>>)> {
    let mut next = tokens.next();
    while !next.as_ref()?.is("TABLE") {
        next = tokens.next();
    }
    next = tokens.next();
    while next.as_ref().is_some_and(|t| ["IF", "NOT", "EXISTS"].iter().any(|w| t.is(w))) {
        next = tokens.next();
    }
    let (table, next) = table(next, tokens)?;
    if next != Some(Token::Punctuation(b'(')) {
        return None;
    }
    let mut names = Vec::new();
    let mut depth = 1;
    let mut first = true;
    for token in tokens.by_ref() {
        let begins = std::mem::take(&mut first);
        match &token {
            Token::Punctuation(b'(') => depth += 1,
            Token::Punctuation(b')') => depth -= 1,
            Token::Punctuation(b',') if depth == 1 => first = true,
            token if begins && names.len() < MAX_COLUMNS => {
                let constraint = CONSTRAINTS.iter().any(|word| token.is(word));
                if let Some(name) = token.column().filter(|_| !constraint) {
                    names.push(text(name));
                }
            }
            _ => {}
        }
        if depth == 0 {
            return Some((table, names));
        }
    }
    None
}

/// The table of an `UPDATE`, its columns and their values: those that it sets, and those that `WHERE` compares with a
/// literal. Dumps do not contain the values of placeholders.
#[expect(clippy::type_complexity, reason = "one caller takes it apart")]
pub(super) fn assigned(
    tokens: &mut Tokens<'_>,
) -> Option<(Vec<u8>, Vec<Box<str>>, Vec<Zeroizing<String>>)> {
    let first = tokens.next();
    let (table, mut next) = table(first, tokens)?;
    while !next.as_ref()?.is("SET") {
        next = tokens.next();
    }
    let (mut names, mut cells) = (Vec::new(), Vec::new());
    // The last name, and whether `=` is behind it.
    let mut name: Option<Box<str>> = None;
    let mut equals = false;
    for token in tokens.by_ref() {
        if names.len() >= MAX_COLUMNS {
            break;
        }
        let value = match &token {
            Token::Text(value) | Token::Double(value) if equals => value,
            Token::Punctuation(b'=') => {
                equals = name.is_some();
                continue;
            }
            Token::Punctuation(b',') => {
                (name, equals) = (None, false);
                continue;
            }
            // `CAST(N'1970-01-31' AS Date)`
            Token::Punctuation(_) => continue,
            Token::Word(word) if equals && word.first().is_some_and(u8::is_ascii_digit) => {
                &word.to_vec()
            }
            token if !equals || token.is("WHERE") || token.is("AND") => {
                (name, equals) = (token.column().map(text), false);
                continue;
            }
            _ => continue,
        };
        if let Some(name) = name.take() {
            names.push(name);
            cells.push(Zeroizing::new(String::from_utf8_lossy(value).into_owned()));
        }
        equals = false;
    }
    Some((table, names, cells))
}

/// The cells of a row in parentheses: for each its string (`CAST(N'1970-01-31' AS Date)`, `DATE '1970-01-31'`) or
/// number. Dumps do not contain the values of placeholders.
pub(super) fn cells(row: &[u8]) -> Vec<Zeroizing<String>> {
    let mut cells = Vec::new();
    let mut cell: Zeroizing<String> = Zeroizing::default();
    let mut depth = 0;
    let mut found = false;
    for token in Tokens::new(row) {
        if cells.len() >= MAX_COLUMNS {
            break;
        }
        match token {
            Token::Punctuation(b'(') => depth += 1,
            Token::Punctuation(b')') => depth -= 1,
            Token::Punctuation(b',') if depth == 1 => {
                cells.push(std::mem::take(&mut cell));
                found = false;
            }
            Token::Text(value) | Token::Double(value) if !found => {
                let value = Zeroizing::new(value);
                *cell = String::from_utf8_lossy(&value).into_owned();
                found = true;
            }
            Token::Word(word)
                if depth == 1
                    && cell.is_empty()
                    && word.first().is_some_and(u8::is_ascii_digit) =>
            {
                *cell = String::from_utf8_lossy(word).into_owned();
            }
            _ => {}
        }
    }
    cells.push(cell);
    cells
}

/// The cells of a line of `COPY` in its text format (PostgreSQL, COPY, "Text Format").
pub(super) fn copied(line: &[u8]) -> Vec<Zeroizing<String>> {
    let cell = |cell: &[u8]| {
        if cell == b"\\N" {
            return Zeroizing::default();
        }
        let mut text = Zeroizing::new(Vec::with_capacity(cell.len()));
        let mut bytes = cell.iter();
        while let Some(byte) = bytes.next() {
            let byte = match byte {
                b'\\' => match bytes.next() {
                    Some(b'n') => b'\n',
                    Some(b't') => b'\t',
                    Some(b'r') => b'\r',
                    Some(other) => *other,
                    None => break,
                },
                other => *other,
            };
            text.push(byte);
        }
        Zeroizing::new(String::from_utf8_lossy(&text).into_owned())
    };
    line.split(|b| *b == b'\t').take(MAX_COLUMNS).map(cell).collect()
}
