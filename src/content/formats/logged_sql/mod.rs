//! Statements of SQL in logs, and the values that a log shows apart from them: in the lines behind (Hibernate, MyBatis,
//! SQLAlchemy, PostgreSQL), in front (Entity Framework), or in the same line (Rails, Django, TypeORM, Doctrine). The values
//! are put in the place of the parameters, and the statement is read like one of a dump.

#[cfg(test)]
mod tests;
mod values;

use super::sql;
use crate::content::{Ending, Format, Media, Nested, Scope};
use memchr::memmem;
use values::{Value, bound};
use zeroize::Zeroizing;

/// Longest statement that is kept, bytes.
const MAX_STATEMENT: usize = 16 << 10;
/// Lines of one statement.
const MAX_LINES: u32 = 64;
/// Lines between a statement and its values.
const MAX_BETWEEN: u32 = 4;
/// Parameters of a statement.
const MAX_VALUES: usize = 128;

/// The letters behind the first one of the words with which statements begin, in both cases.
const MARKS: [&[u8]; 8] =
    [b"NSERT", b"nsert", b"PDATE", b"pdate", b"ELECT", b"elect", b"ELETE", b"elete"];
/// Such words.
const BEGINS: [&str; 4] = ["insert into ", "update ", "select ", "delete from "];

/// What a log showed last.
#[derive(Default)]
pub struct LoggedSql {
    statement: Zeroizing<String>,
    lines: u32,
    /// Lines since the last one of the statement or of its values.
    between: u32,
    values: Vec<Value>,
    /// Different parameters of the statement, if they were counted.
    parameters: Option<usize>,
}

/// Where a statement begins in a line. The last one of several: `prepared|effective`.
fn begins(line: &str) -> Option<usize> {
    if !MARKS.iter().any(|mark| memmem::find(line.as_bytes(), mark).is_some()) {
        return None;
    }
    let lower = Zeroizing::new(line.to_ascii_lowercase());
    let starts = |word: &str| {
        let apart = |at: &usize| {
            let before = at.checked_sub(1).and_then(|at| lower.as_bytes().get(at));
            before.is_none_or(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'_' | b'.' | b'\''))
        };
        let found: Vec<usize> = lower.match_indices(word).map(|(at, _)| at).filter(apart).collect();
        found.last().copied()
    };
    let alone = |at: usize| lower.get(at..).is_some_and(|rest| rest.trim_end() == "insert");
    let first = BEGINS.iter().filter_map(|word| {
        let at = starts(word)?;
        // In prose these words have others behind them.
        let rest = lower.get(at + word.len()..)?;
        let fits = match *word {
            "update " => rest.contains(" set ") && rest.contains('='),
            "select " => rest.contains(" from ") && rest.contains(" where ") && rest.contains('='),
            "delete from " => rest.contains(" where "),
            _ => rest.contains('(') || rest.trim_end().split(' ').count() == 1,
        };
        fits.then_some(at)
    });
    first.min().or_else(|| starts("insert").filter(|at| alone(*at)))
}

impl LoggedSql {
    /// Takes a line of a statement or of its values.
    pub fn line(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        let Ok(line) = std::str::from_utf8(line) else { return false };
        let line = line.trim_end();
        if let Some(at) = begins(line) {
            let (front, text) = line.split_at(at);
            // A statement in a string ends with it.
            let quote = front.chars().next_back().filter(|c| matches!(c, '"' | '\''));
            let early = self.statement.is_empty() && !self.values.is_empty();
            if !early {
                self.end(scope);
                bound(front, &mut self.values, MAX_VALUES);
            }
            self.begin(text, quote, scope);
            return true;
        }
        if self.statement.is_empty() {
            // Parameters in front of the statement.
            let named = memmem::find(line.as_bytes(), b"[Parameters=[").is_some();
            if named {
                self.values.clear();
                bound(line, &mut self.values, MAX_VALUES);
                self.between = 0;
            } else if !self.values.is_empty() {
                self.between += 1;
                if self.between > MAX_BETWEEN {
                    self.values.clear();
                }
            }
            return named;
        }
        let before = self.values.len();
        if bound(line, &mut self.values, MAX_VALUES) && self.values.len() > before {
            self.between = 0;
            self.try_emit(scope);
            return true;
        }
        // Further lines of the statement.
        let indented =
            line.starts_with([' ', '\t', ')', '(']) || self.lines == 1 && is_clause(line);
        if indented
            && self.lines < MAX_LINES
            && self.statement.len() + line.len() < MAX_STATEMENT
            && !line.trim().is_empty()
        {
            self.parameters = None;
            self.statement.push(' ');
            self.statement.push_str(line.trim());
            self.lines += 1;
            if !self.values.is_empty() {
                self.try_emit(scope);
            }
            return true;
        }
        self.between += 1;
        if self.between > MAX_BETWEEN {
            self.end(scope);
        }
        false
    }

    /// A statement begins; values may be behind it.
    fn begin(&mut self, text: &str, quote: Option<char>, scope: &mut Scope<'_>) {
        let closed = quote.and_then(|quote| text.find(quote));
        let ends = closed.unwrap_or_else(|| values::ends(text));
        let (statement, behind) = text.split_at_checked(ends).unwrap_or((text, ""));
        self.lines = 1;
        self.between = 0;
        self.parameters = None;
        self.statement.clear();
        if statement.len() <= MAX_STATEMENT {
            self.statement.push_str(statement);
        }
        bound(behind, &mut self.values, MAX_VALUES);
        if !self.values.is_empty() {
            self.try_emit(scope);
        }
    }

    /// Takes a value that is listed apart.
    pub fn value(&mut self, name: Option<&str>, text: Option<&str>) {
        if self.values.len() < MAX_VALUES {
            self.values.push(Value::new(name, text));
        }
    }

    /// The list of values ends.
    pub fn values_end(&mut self, scope: &mut Scope<'_>) {
        if !self.statement.is_empty() {
            self.try_emit(scope);
        }
    }

    /// Reads the statement if all of its parameters have values.
    fn try_emit(&mut self, scope: &mut Scope<'_>) {
        let parameters = match self.parameters {
            Some(parameters) => parameters,
            None => *self.parameters.insert(values::parameters(&self.statement)),
        };
        if parameters == 0 || self.values.len() < parameters {
            return;
        }
        // Several rows, one behind the other.
        let rows = self.values.len() / parameters;
        let whole =
            rows * parameters == self.values.len() && self.values.iter().all(Value::is_plain);
        let (statement, values) =
            (std::mem::take(&mut self.statement), std::mem::take(&mut self.values));
        for row in values.chunks(if whole { parameters } else { values.len() }) {
            if let Some((text, _)) = values::filled(&statement, row) {
                read(&text, scope);
            }
        }
    }

    /// No further line belongs to the statement.
    pub fn end(&mut self, scope: &mut Scope<'_>) {
        // A statement with its values in it.
        if !self.statement.is_empty()
            && let Some((text, 0)) = values::filled(&self.statement, &[])
        {
            read(&text, scope);
        }
        self.statement.clear();
        self.values.clear();
        self.between = 0;
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.statement.capacity() + self.values.iter().map(Value::memory).sum::<usize>()
    }
}

/// Whether a line goes on with a statement whose first line it follows.
fn is_clause(line: &str) -> bool {
    const CLAUSES: [&str; 6] = ["values", "set ", "where ", "from ", "into", "("];
    let line = line.trim_start();
    CLAUSES.iter().any(|clause| {
        line.get(..clause.len()).is_some_and(|front| front.eq_ignore_ascii_case(clause))
    })
}

/// Reads a statement with its values. What a query compares is read like what an update compares.
fn read(statement: &str, scope: &mut Scope<'_>) {
    let statement = statement.trim().trim_end_matches(';');
    let lower = Zeroizing::new(statement.to_ascii_lowercase());
    let mut text = Zeroizing::new(String::with_capacity(statement.len() + 32));
    if lower.starts_with("select ") || lower.starts_with("delete ") {
        let parts = || {
            let from = lower.find(" from ")? + " from ".len();
            let table = statement.get(from..)?.split([' ', ',']).find(|word| !word.is_empty())?;
            let compared = statement.get(lower.find(" where ")? + " where ".len()..)?;
            Some((table, compared))
        };
        let Some((table, compared)) = parts() else { return };
        text.push_str("UPDATE ");
        text.push_str(table);
        text.push_str(" SET x = NULL WHERE ");
        text.push_str(&values::without_aliases(compared));
    } else {
        let quoted = values::with_quotes(statement);
        text.push_str(quoted.as_ref().map_or(statement, |quoted| quoted.as_str()));
    }
    text.push_str(";\n");
    let format: &dyn Format = &sql::Dump;
    let mut nested = Nested::reading(format.name(), format.open(&Media::Unknown));
    nested.data(text.as_bytes(), scope);
    nested.end(Ending::Complete, scope);
}
