//! Statements of SQL in strings, and their values in lists beside them: `{"query": "insert ...", "bindings": ["77"]}`, as logs of
//! Prisma, Laravel, Knex and OpenTelemetry have them.

use crate::content::Scope;
use crate::content::formats::logged_sql::LoggedSql;
use zeroize::Zeroizing;

/// Longest statement, bytes.
const MAX_STATEMENT: usize = 16 << 10;

/// Names of lists of values.
const LISTS: [&str; 5] = ["params", "parameters", "args", "values", "binds"];

/// The statements of a document.
#[derive(Default)]
pub(super) struct Statements {
    sql: LoggedSql,
    /// The string that may be a statement, or a list of values as text.
    text: Option<Zeroizing<Vec<u8>>>,
    /// Open objects and arrays around the statement.
    depth: Option<u32>,
    /// The same of the list that is being read.
    list: Option<u32>,
    /// The next value is a list of values.
    named: List,
    /// The name of the next value in an object of values.
    key: Zeroizing<String>,
}

/// Whether the next value is a list of values.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum List {
    #[default]
    No,
    Values,
    /// Also in front of the statement (Knex).
    Early,
}

/// Whether a string with this front may be a statement.
fn may_begin(front: &[u8]) -> bool {
    [&b"insert i"[..], b"update ", b"select ", b"delete f"]
        .iter()
        .any(|word| front.get(..word.len()).is_some_and(|f| f.eq_ignore_ascii_case(word)))
}

impl Statements {
    /// A member with this name follows, in so many objects and arrays.
    pub fn key(&mut self, key: &str, depth: u32) {
        if self.list.is_some_and(|list| list < depth) {
            key.clone_into(&mut self.key);
        } else {
            self.named = match key {
                "bindings" => List::Early,
                _ if LISTS.iter().any(|name| name.eq_ignore_ascii_case(key)) => List::Values,
                _ => List::No,
            };
        }
    }

    /// An object or array opens, inside so many.
    pub fn open(&mut self, depth: u32) {
        let named = std::mem::replace(&mut self.named, List::No);
        let fits = match self.depth {
            Some(around) => named != List::No && around == depth,
            None => named == List::Early,
        };
        if fits && self.list.is_none() {
            self.list = Some(depth);
            self.key.clear();
        }
    }

    /// An object or array closes, inside so many.
    pub fn close(&mut self, depth: u32, scope: &mut Scope<'_>) {
        if self.list == Some(depth) {
            self.list = None;
            self.sql.values_end(scope);
        }
        if self.depth.is_some_and(|around| depth < around) {
            self.depth = None;
            self.sql.end(scope);
        }
    }

    /// Whether the values of a list are wanted.
    pub fn wants(&self) -> bool {
        self.list.is_some()
    }

    /// Takes a value of a list. False if there is none.
    pub fn value(&mut self, text: Option<&str>) -> bool {
        if self.list.is_none() {
            return false;
        }
        let name = (!self.key.is_empty()).then_some(self.key.as_str());
        self.sql.value(name, text);
        true
    }

    /// Whether a string with this front is read here.
    pub fn begin(&mut self, front: &[u8]) -> bool {
        let named = std::mem::replace(&mut self.named, List::No) != List::No;
        let list = named && self.depth.is_some() && front.first() == Some(&b'[');
        let reads = self.list.is_none() && (list || may_begin(front));
        self.text = reads.then(Zeroizing::default);
        reads
    }

    /// Takes bytes of such a string. False if there is none.
    pub fn data(&mut self, bytes: &[u8]) -> bool {
        let Some(text) = &mut self.text else { return false };
        let room = MAX_STATEMENT.saturating_sub(text.len());
        text.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        true
    }

    /// Such a string ends, inside so many objects and arrays. Returns it if it is no statement.
    pub fn end_text(&mut self, depth: u32, scope: &mut Scope<'_>) -> Option<Zeroizing<Vec<u8>>> {
        let text = self.text.take()?;
        if text.first() == Some(&b'[') {
            self.sql.line(&text, scope);
            return None;
        }
        match std::str::from_utf8(&text) {
            Ok(line) if self.statement(line, depth, scope) => None,
            _ => Some(text),
        }
    }

    /// Takes a string that is a statement, inside so many objects and arrays.
    pub fn statement(&mut self, text: &str, depth: u32, scope: &mut Scope<'_>) -> bool {
        let is_one = may_begin(text.as_bytes()) && text.len() <= MAX_STATEMENT;
        if !is_one || self.list.is_some() {
            return false;
        }
        let line: Zeroizing<String> = Zeroizing::new(text.replace(['\n', '\r', '\t'], " "));
        let taken = self.sql.line(line.as_bytes(), scope);
        if taken {
            self.depth = Some(depth);
        }
        taken
    }

    pub fn end(&mut self, scope: &mut Scope<'_>) {
        self.sql.end(scope);
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.sql.memory() + self.text.as_ref().map_or(0, |text| text.capacity())
    }
}
