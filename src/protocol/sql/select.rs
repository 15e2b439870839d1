//! What the columns of a result mean: the select list of its statement. Mappers between objects and tables name the
//! columns of their results themselves (`family2_0_`, `name_1`, `a3`), and expressions have no names; the
//! statement says which columns these are.

use crate::syntax::sql::{Token, Tokens};
use std::collections::VecDeque;

/// Select lists kept per connection; beyond it the oldest are dropped.
const MAX_LISTS: usize = 16;
/// Columns of a list; a longer one is not kept.
const MAX_COLUMNS: usize = 128;
/// Longest name of a column or table that is kept, bytes.
const MAX_NAME: usize = 128;
/// Tokens of an expression that are looked at.
const MAX_TOKENS: usize = 64;
/// Tables of a statement whose short names are known.
const MAX_TABLES: usize = 16;
/// Columns that say what they are only with their table (`patient_identifier.identifier`).
const GENERAL: [&str; 4] = ["identifier", "number", "nr", "no"];
/// Longest name before a number that says nothing.
const SHORT: usize = 2;
/// Words of statements that have no select list, unless they ask for one: these may be long, and are not read again.
const CHANGES: [&str; 8] =
    ["INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "COPY", "LOAD", "CREATE"];
/// Words of statements that have no result, or that of an earlier statement: what that one selected holds on.
const PASSED_OVER: [&str; 11] = [
    "BEGIN",
    "START",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "SET",
    "USE",
    "CLOSE",
    "FETCH",
    "EXECUTE",
];
/// Words that end a select list.
const ENDS: [&str; 10] =
    ["FROM", "WHERE", "UNION", "INTO", "LIMIT", "ORDER", "GROUP", "HAVING", "EXCEPT", "INTERSECT"];
/// Words in expressions that are no columns.
const WORDS: [&str; 22] = [
    "CASE", "WHEN", "THEN", "ELSE", "END", "AND", "OR", "NOT", "NULL", "IS", "IN", "LIKE",
    "BETWEEN", "DISTINCT", "ALL", "SELECT", "TRUE", "FALSE", "CAST", "INTERVAL", "COLLATE", "OVER",
];

/// A column of a select list.
#[derive(Default, PartialEq, Eq)]
struct Item {
    /// Its name in the result; none for an expression, which each server names in its own way.
    shown: Option<Vec<u8>>,
    /// The column, or the member of a document, that it is.
    column: Option<Vec<u8>>,
    /// The table of that column, by its name in the statement.
    table: Vec<u8>,
    /// What it means, whatever it is called.
    meaning: Option<Vec<u8>>,
}

/// The columns of a statement's result; none of a statement without a select list (`SHOW ...`).
#[derive(Default, PartialEq, Eq)]
struct List {
    items: Vec<Item>,
    /// It has `*`.
    all: bool,
    /// The table, where there is only one.
    table: Vec<u8>,
}

/// The select lists of the latest statements of a connection.
#[derive(Default)]
pub struct SelectLists {
    lists: VecDeque<List>,
}

impl SelectLists {
    /// Keeps the select list of `statement`.
    pub fn learn(&mut self, statement: &[u8]) {
        let first = Tokens::new(statement).find(|token| *token != Token::Punctuation(b'('));
        let changes = first.as_ref().is_some_and(|first| CHANGES.iter().any(|word| first.is(word)));
        let returns = |word: &&[u8]| memchr::memmem::find(statement, word).is_some();
        let changes = changes && ![&b"RETURNING"[..], b"returning"].iter().any(returns);
        // OUTPUT of SQL Server is no select list either, nor has a plan the columns of its query.
        let explains = first.as_ref().is_some_and(|first| first.is("EXPLAIN"));
        let list = if changes || explains { None } else { List::of(statement) };
        let passed_over = |token: &Token<'_>| PASSED_OVER.iter().any(|word| token.is(word));
        if list.is_none() && first.as_ref().is_none_or(passed_over) {
            return;
        }
        let list = list.unwrap_or_default();
        // Most statements are repeated.
        self.lists.retain(|known| *known != list);
        if self.lists.len() >= MAX_LISTS {
            self.lists.pop_front();
        }
        self.lists.push_back(list);
    }

    /// What the columns `names` of a result mean, and the table that they are from: by the latest statement whose result
    /// has that many columns of these names. A list without names says nothing but the number, and is taken for the last
    /// statement only.
    pub fn meanings<'a>(&'a self, names: &[&'a [u8]]) -> (Vec<&'a [u8]>, &'a [u8]) {
        let mut latest = self.lists.iter().rev().enumerate();
        let found = latest.find(|(age, list)| list.fits(names) && (*age == 0 || list.is_named()));
        let Some((_, list)) = found else {
            let all = self.lists.back().filter(|list| list.all);
            return (names.to_vec(), all.map_or(&[], |list| &list.table));
        };
        if list.items.iter().all(|item| item.column.is_none()) {
            return (names.to_vec(), &[]);
        }
        let means = |(name, item): (&&'a [u8], &'a Item)| match &item.column {
            _ if item.meaning.is_some() => item.meaning.as_deref().unwrap_or(name),
            Some(column) if item.shown.is_none() || is_made(name, column) => column.as_slice(),
            _ => name,
        };
        (names.iter().zip(&list.items).map(means).collect(), &list.table)
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let name = |name: &Option<Vec<u8>>| name.as_ref().map_or(0, Vec::capacity);
        let item = |item: &Item| {
            let names = name(&item.shown) + name(&item.column) + name(&item.meaning);
            names + item.table.capacity() + size_of::<Item>()
        };
        let list = |list: &List| list.items.iter().map(item).sum::<usize>() + list.table.capacity();
        self.lists.iter().map(list).sum()
    }
}

/// Whether a program made the name `shown` of `column`: it is what is left of the column, or nothing, with numbers
/// behind it (`family_n2_0_`, `name_1`, `a3`).
pub fn is_made(shown: &[u8], column: &[u8]) -> bool {
    let is_number = |b: &&u8| b.is_ascii_digit() || **b == b'_';
    let stem = shown.len() - shown.iter().rev().take_while(is_number).count();
    let (stem, numbers) = shown.split_at_checked(stem).unwrap_or_default();
    // Mappers that name columns by properties write `pat_nr` for `PatNr`.
    let letters = |name: &[u8]| {
        name.iter().filter(|b| **b != b'_').map(u8::to_ascii_lowercase).collect::<Vec<u8>>()
    };
    let begins = letters(column).starts_with(&letters(stem));
    match numbers.iter().any(u8::is_ascii_digit) {
        _ if column.is_empty() || shown.eq_ignore_ascii_case(column) => false,
        true => begins || stem.len() <= SHORT || stem.eq_ignore_ascii_case(b"col"),
        false => shown.len() == 1,
    }
}

impl List {
    /// Of the first query that is not in parentheses: of a cursor, of a statement that is prepared, and behind the
    /// definitions of WITH.
    fn of(statement: &[u8]) -> Option<Self> {
        let mut tokens = Tokens::new(statement);
        let mut depth = 0usize;
        loop {
            match tokens.next()? {
                Token::Punctuation(b'(') => depth += 1,
                Token::Punctuation(b')') => depth = depth.saturating_sub(1),
                token if depth == 0 && (token.is("SELECT") || token.is("RETURNING")) => break,
                _ => {}
            }
        }
        let mut list = Self::default();
        let mut item: Vec<Token<'_>> = Vec::new();
        let mut from = false;
        for token in tokens.by_ref() {
            match &token {
                Token::Punctuation(b'(') => depth += 1,
                Token::Punctuation(b')') => depth = depth.saturating_sub(1),
                Token::Punctuation(b';') => break,
                Token::Punctuation(b',') if depth == 0 => {
                    list.push(&item)?;
                    item.clear();
                    continue;
                }
                token if depth == 0 && ENDS.iter().any(|end| token.is(end)) => {
                    from = token.is("FROM");
                    break;
                }
                _ => {}
            }
            if item.len() < MAX_TOKENS {
                item.push(token);
            }
        }
        list.push(&item)?;
        if from {
            let mut joined = Tokens::new(tokens.rest());
            list.table = table(&mut tokens);
            let tables = tables(&mut joined);
            list.items.iter_mut().for_each(|item| item.explain(&tables));
        }
        Some(list)
    }

    /// Another column; `None` if there are too many.
    fn push(&mut self, tokens: &[Token<'_>]) -> Option<()> {
        if self.items.len() >= MAX_COLUMNS {
            return None;
        }
        if let [.., Token::Punctuation(b'*')] = tokens {
            self.all = true;
        }
        self.items.push(Item::of(tokens));
        Some(())
    }

    /// Whether a result with the columns `names` may be of this statement.
    fn fits(&self, names: &[&[u8]]) -> bool {
        let same = |(name, item): (&&[u8], &Item)| {
            item.shown.as_ref().is_none_or(|shown| shown.eq_ignore_ascii_case(name))
        };
        !self.all && self.items.len() == names.len() && names.iter().zip(&self.items).all(same)
    }

    /// Whether a column has a name that its result must have.
    fn is_named(&self) -> bool {
        self.items.iter().any(|item| item.shown.is_some())
    }
}

impl Item {
    fn of(tokens: &[Token<'_>]) -> Self {
        let tokens = match tokens {
            [first, rest @ ..] if first.is("DISTINCT") || first.is("ALL") => rest,
            tokens => tokens,
        };
        let name = |token: &Token<'_>| {
            let letter = |b: &u8| b.is_ascii_alphabetic() || *b >= 0x80;
            let name = token.column().filter(|n| n.len() <= MAX_NAME && n.iter().any(letter));
            name.filter(|_| !WORDS.iter().any(|word| token.is(word))).map(<[u8]>::to_vec)
        };
        let (expression, alias) = match tokens {
            // `x AS y`, also with a string for a name.
            [before @ .., keyword, alias] if keyword.is("AS") => {
                let text = match alias {
                    Token::Text(text) => Some(text).filter(|t| t.len() <= MAX_NAME).cloned(),
                    alias => name(alias),
                };
                (before, text)
            }
            // `x y`
            [before @ .., last, alias]
                if !matches!(last, Token::Punctuation(other) if *other != b')')
                    && !WORDS.iter().any(|word| last.is(word) && !last.is("END")) =>
            {
                let before_alias = tokens.get(..before.len() + 1).unwrap_or_default();
                match name(alias) {
                    Some(alias) => (before_alias, Some(alias)),
                    None => (tokens, None),
                }
            }
            _ => (tokens, None),
        };
        // A column, with its table before a point.
        let (plain, table) = match expression {
            [column] => (name(column), None),
            [.., table, Token::Punctuation(b'.'), column]
                if expression.iter().skip(1).step_by(2).all(|t| *t == Token::Punctuation(b'.')) =>
            {
                (name(column), name(table))
            }
            _ => (None, None),
        };
        let table = table.unwrap_or_default();
        match plain {
            Some(column) => {
                let shown = alias.or_else(|| Some(column.clone()));
                let meaning = shown.as_deref().and_then(|shown| unnumbered(shown, &column));
                Self { shown, column: Some(column), table, meaning }
            }
            None => Self { shown: alias, column: inner(expression, name), ..Self::default() },
        }
    }

    /// Finds the table of a column that says little by itself, unless the statement gives it another name.
    fn explain(&mut self, tables: &[(Vec<u8>, Vec<u8>)]) {
        let (Some(column), Some(shown)) = (&self.column, &self.shown) else { return };
        let general = GENERAL.iter().any(|word| column.eq_ignore_ascii_case(word.as_bytes()));
        if !general || !(shown == column || is_made(shown, column)) {
            return;
        }
        let known = tables.iter().find(|(short, _)| short.eq_ignore_ascii_case(&self.table));
        self.meaning = known.map(|(_, table)| [table, &b"."[..], column].concat());
    }
}

/// The name of a column behind that of its table, without the number that a mapper gave the table:
/// `patients_family` of `patients_1_family`.
fn unnumbered(shown: &[u8], column: &[u8]) -> Option<Vec<u8>> {
    let at = shown.len().checked_sub(column.len())?;
    let (table, name) = shown.split_at_checked(at)?;
    let table = table.strip_suffix(b"_").filter(|_| name.eq_ignore_ascii_case(column))?;
    let digits = table.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let table = table.get(..table.len() - digits)?.strip_suffix(b"_")?;
    (digits > 0 && !table.is_empty()).then(|| [table, b"_", name].concat())
}

/// The only column in an expression, or the member of a document that it takes: `upper(p.last_name)`,
/// `doc->>'birthDate'`, `json_value(doc, '$.name.family')`.
fn inner(
    expression: &[Token<'_>],
    name: impl Fn(&Token<'_>) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut column: Option<Vec<u8>> = None;
    let mut member = None;
    for (at, token) in expression.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| expression.get(at));
        let next = expression.get(at + 1);
        match token {
            Token::Text(text) => {
                let path = text.strip_prefix(b"$");
                let arrow = before == Some(&Token::Punctuation(b'>'));
                if path.is_some() || arrow {
                    member = last_member(path.unwrap_or(text)).or(member);
                }
            }
            // The name of a function, of a table, or of a type.
            _ if matches!(next, Some(Token::Punctuation(b'(' | b'.'))) => {}
            _ if before.is_some_and(|before| before.is("AS")) => {}
            token => {
                let Some(found) = name(token) else { continue };
                match &column {
                    Some(known) if !known.eq_ignore_ascii_case(&found) => return member,
                    _ => column = Some(found),
                }
            }
        }
    }
    member.or(column)
}

/// The last member of a path: `family` of `.name[0].family`, and of `{name,0,family}`.
fn last_member(path: &[u8]) -> Option<Vec<u8>> {
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-') || *b >= 0x80;
    let words = path.rsplit(|b| !is_word(b));
    let mut words = words.filter(|word| word.iter().any(|b| !b.is_ascii_digit()));
    words.next().filter(|word| word.len() <= MAX_NAME).map(<[u8]>::to_vec)
}

/// The table that a statement is about, without its schema: of INSERT, UPDATE and DELETE, or the only one behind FROM.
/// Empty where there are several.
pub fn table_of(statement: &[u8]) -> Vec<u8> {
    let mut tokens = Tokens::new(statement);
    loop {
        match tokens.next() {
            None => return Vec::new(),
            Some(token) if token.is("FROM") || token.is("UPDATE") => return table(&mut tokens),
            Some(token) if token.is("INTO") => return name(&mut tokens).0,
            Some(_) => {}
        }
    }
}

/// A name with its schema before it, and the token behind it.
fn name<'a>(tokens: &mut Tokens<'a>) -> (Vec<u8>, Option<Token<'a>>) {
    let mut name = Vec::new();
    let mut begins = true;
    for token in tokens {
        match &token {
            Token::Punctuation(b'.') => begins = true,
            token if name.is_empty() && (token.is("ONLY") || token.is("TABLE")) => {}
            other => match other.column().filter(|part| begins && part.len() <= MAX_NAME) {
                Some(part) => {
                    name = part.to_vec();
                    begins = false;
                }
                None => return (name, Some(token)),
            },
        }
    }
    (name, None)
}

/// The tables behind FROM and JOIN, with the names that the statement gives them.
fn tables(tokens: &mut Tokens<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut tables = Vec::new();
    let mut depth = 0usize;
    // The table whose short name may follow, and whether a table follows.
    let (mut table, mut begins) = (Vec::new(), true);
    for token in tokens {
        match &token {
            Token::Punctuation(b'(') => depth += 1,
            Token::Punctuation(b')') => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            Token::Punctuation(b'.') => begins = true,
            Token::Punctuation(b',') => (table, begins) = (Vec::new(), true),
            token if token.is("JOIN") => (table, begins) = (Vec::new(), true),
            token if token.is("AS") => {}
            token if ENDS.iter().any(|end| token.is(end)) => break,
            token => match token.column().filter(|name| name.len() <= MAX_NAME) {
                Some(name) if begins => (table, begins) = (name.to_vec(), false),
                Some(short) if !table.is_empty() && tables.len() < MAX_TABLES => {
                    tables.push((short.to_vec(), std::mem::take(&mut table)));
                }
                _ => table = Vec::new(),
            },
        }
    }
    tables
}

/// The table behind FROM, if it is the only one.
fn table(tokens: &mut Tokens<'_>) -> Vec<u8> {
    let (name, behind) = name(tokens);
    let mut depth = 0usize;
    let mut further = false;
    for token in behind.into_iter().chain(tokens) {
        match &token {
            Token::Punctuation(b'(') => depth += 1,
            Token::Punctuation(b')') => depth = depth.saturating_sub(1),
            Token::Punctuation(b',') if depth == 0 && !further => return Vec::new(),
            Token::Punctuation(_) => {}
            token if token.is("JOIN") || depth == 0 && token.is("APPLY") => return Vec::new(),
            _ if depth > 0 || further => {}
            token if token.is("SET") || ENDS.iter().any(|end| token.is(end)) => further = true,
            _ => {}
        }
    }
    name
}
