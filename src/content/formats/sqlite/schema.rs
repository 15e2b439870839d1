//! The names of columns, from the statement that created their table (sqlite.org/lang_createtable.html).

/// Longest statement that is read, and columns of a table, bytes and number.
const MAX_STATEMENT: usize = 64 << 10;
const MAX_COLUMNS: usize = 512;

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    /// The root page of its b-tree.
    pub root: u32,
    /// In the order of the record.
    pub columns: Vec<String>,
    /// The column that is an alias of the row id.
    pub rowid: Option<usize>,
}

impl Table {
    /// The table that `sql` creates; `None` if it is not an ordinary one.
    pub fn new(name: &str, root: u32, sql: &str) -> Option<Self> {
        if root == 0 || sql.len() > MAX_STATEMENT {
            return None;
        }
        let tokens = tokens(sql);
        let open = tokens.iter().position(|t| *t == Token::Mark('('))?;
        let mut items: Vec<&[Token<'_>]> = Vec::new();
        let (mut depth, mut start, mut end) = (0, open + 1, None);
        for (at, token) in tokens.iter().enumerate().skip(open) {
            match token {
                Token::Mark('(') => depth += 1,
                Token::Mark(')') => depth -= 1,
                Token::Mark(',') if depth == 1 => {
                    items.push(tokens.get(start..at)?);
                    start = at + 1;
                }
                _ => {}
            }
            if depth == 0 {
                items.push(tokens.get(start..at)?);
                end = Some(at);
                break;
            }
        }
        // A cut statement defines no table.
        let end = end?;
        let mut table = Self { name: name.to_owned(), root, columns: Vec::new(), rowid: None };
        let mut key = Vec::new();
        for item in items {
            let constraint = matches!(item.first(), Some(Token::Word(word)) if is_constraint(word));
            let primary = item.windows(2).position(|pair| is(pair, ["PRIMARY", "KEY"]));
            if constraint {
                // `PRIMARY KEY (a, b)`: names behind the bracket.
                let names = primary.and_then(|at| item.get(at + 3..)).unwrap_or_default();
                let depth = names.iter().position(|t| *t == Token::Mark(')'));
                let names = names.get(..depth.unwrap_or(names.len())).unwrap_or_default();
                let first = names.split(|t| *t == Token::Mark(','));
                key.extend(first.filter_map(|name| name.first()).map(Token::text));
                continue;
            }
            let Some(name) = item.first() else { continue };
            if primary.is_some() {
                key.push(name.text());
            }
            if matches!(item.get(1), Some(Token::Word(word)) if word.eq_ignore_ascii_case("INTEGER"))
                && primary.is_some()
            {
                table.rowid = Some(table.columns.len());
            }
            if table.columns.len() < MAX_COLUMNS {
                table.columns.push(name.text());
            }
        }
        let behind = tokens.get(end..).unwrap_or_default();
        if behind.windows(2).any(|pair| is(pair, ["WITHOUT", "ROWID"])) {
            // Its record begins with the key (2.4).
            table.rowid = None;
            let in_key = |name: &String| key.iter().position(|k| k.eq_ignore_ascii_case(name));
            table.columns.sort_by_key(|name| in_key(name).unwrap_or(usize::MAX));
        }
        (!table.columns.is_empty()).then_some(table)
    }
}

/// Whether an item of a table is no column.
fn is_constraint(word: &str) -> bool {
    const WORDS: [&str; 5] = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];
    WORDS.iter().any(|w| w.eq_ignore_ascii_case(word))
}

fn is(pair: &[Token<'_>], words: [&str; 2]) -> bool {
    let word = |token: &Token<'_>, word: &str| matches!(token, Token::Word(text) if text.eq_ignore_ascii_case(word));
    pair.iter().zip(words).all(|(token, wanted)| word(token, wanted))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token<'a> {
    Word(&'a str),
    /// In quotes, and the quote.
    Quoted(&'a str, char),
    Mark(char),
}

impl Token<'_> {
    fn text(&self) -> String {
        match self {
            Self::Word(text) => (*text).to_owned(),
            Self::Quoted(text, quote) => {
                text.replace(&format!("{quote}{quote}"), &quote.to_string())
            }
            Self::Mark(mark) => mark.to_string(),
        }
    }
}

fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let used = match first {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            '"' | '`' | '\'' | '[' => {
                let quote = if first == '[' { ']' } else { first };
                let inner = rest.get(1..).unwrap_or_default();
                let end = close(inner, quote);
                tokens.push(Token::Quoted(inner.get(..end).unwrap_or(inner), quote));
                (end + 2).min(rest.len())
            }
            c if c.is_alphanumeric() || c == '_' => {
                let part = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'));
                let end = rest.find(part).unwrap_or(rest.len());
                tokens.push(Token::Word(rest.get(..end).unwrap_or(rest)));
                end
            }
            mark => {
                tokens.push(Token::Mark(mark));
                mark.len_utf8()
            }
        };
        rest = rest.get(used..).unwrap_or_default().trim_start();
    }
    tokens
}

/// End of the quoted text; two quotes are one.
fn close(inner: &str, quote: char) -> usize {
    let mut chars = inner.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote && (quote == ']' || chars.next_if(|(_, next)| *next == quote).is_none()) {
            return at;
        }
    }
    inner.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(sql: &str) -> Vec<String> {
        Table::new("t", 2, sql).map(|table| table.columns).unwrap_or_default()
    }

    #[test]
    fn columns_of_statements_as_people_write_them() {
        assert_eq!(
            columns(
                "CREATE TABLE \"p\" (id INTEGER PRIMARY KEY, \"Last \"\"Name\"\"\" TEXT, [first name] TEXT, \
                 `dob` DATE DEFAULT ('1,2'), -- a, b\n sex CHECK (sex IN ('F','M')), /* x, */ weight DECIMAL(5,2),\
                 PRIMARY KEY (id), FOREIGN KEY(a) REFERENCES b(c))"
            ),
            ["id", "Last \"Name\"", "first name", "dob", "sex", "weight"]
        );
        let table = Table::new("t", 2, "create table t(a text, mrn integer primary key)");
        assert_eq!(table.and_then(|table| table.rowid), Some(1));
        assert_eq!(
            columns("CREATE TABLE t (a, b, mrn, PRIMARY KEY (mrn, a)) WITHOUT ROWID"),
            ["mrn", "a", "b"]
        );
        assert_eq!(columns("CREATE TABLE t (a, b"), [""; 0]);
        assert_eq!(columns("CREATE TABLE t (\"a, b)"), [""; 0]);
        assert_eq!(columns("CREATE VIRTUAL TABLE t"), [""; 0]);
    }
}
