//! Lines of tables: what separates their cells, which lines name columns, and the cells of a row.

use crate::content::Extent;

/// Longest name of a column, bytes.
const MAX_NAME: usize = 64;

/// The separator of a header line: the one that occurs most. Exports of some hospital systems have carets.
pub(super) fn separator(line: &[u8]) -> Option<u8> {
    let count = |s: u8| line.iter().filter(|b| **b == s).count();
    [b'\t', b';', b',', b'|', b'^']
        .into_iter()
        .map(|s| (count(s), s))
        .filter(|(n, _)| *n > 0)
        .max()
        .map(|(_, s)| s)
}

/// What all names of a header have in front, up to an underscore or a point.
pub(super) fn common_prefix<'a>(names: &'a [std::borrow::Cow<'_, str>]) -> Option<&'a str> {
    let first = names.first().filter(|_| names.len() >= 3)?;
    let ends = first.match_indices(['_', '.']).map(|(at, _)| first.get(..=at).unwrap_or(""));
    let common = |prefix: &&str| {
        names.iter().all(|name| name.starts_with(prefix) && name.len() > prefix.len())
    };
    ends.take_while(common).last()
}

/// Whether a line looks like column names rather than prose: short cells, most of them words.
pub(super) fn is_header(line: &[u8], separator: u8) -> bool {
    let cells = line.split(|b| *b == separator);
    let (mut count, mut named, mut labelled) = (0, 0, 0);
    for cell in cells {
        let cell = cell.trim_ascii();
        count += 1;
        labelled += usize::from(is_labelled(cell));
        let words = cell.split(|b| *b == b' ').count();
        named += usize::from(
            !cell.is_empty()
                && cell.len() <= MAX_NAME
                && words <= 4
                && cell.iter().any(|b| b.is_ascii_alphabetic() || !b.is_ascii()),
        );
    }
    count >= 3 && named * 4 >= count * 3 && labelled < 2
}

/// Whether the first line of `below` is as wide as the `header`, as far as it is available; any other is text.
pub(super) fn is_row(header: &[u8], below: &[u8], separator: u8, extent: Extent) -> bool {
    let end = below.iter().position(|b| *b == b'\n');
    let count = |line: &[u8]| line.iter().filter(|b| **b == separator).count();
    let row = below.get(..end.unwrap_or(below.len())).unwrap_or(below);
    let cut = end.is_none() && extent == Extent::Beginning;
    match count(row) {
        _ if row.trim_ascii().is_empty() => cut,
        // Commas inside quotes.
        more if more > count(header) => row.contains(&b'"'),
        fewer => fewer == count(header) || cut,
    }
}

/// Whether a cell holds a label and its value (`DOB: 27.04.1965`): no column has such a name.
fn is_labelled(cell: &[u8]) -> bool {
    let mut halves = cell.splitn(2, |b| *b == b':');
    let (label, value) = (halves.next().unwrap_or_default(), halves.next());
    label.iter().any(u8::is_ascii_alphabetic) && value.is_some_and(|v| !v.trim_ascii().is_empty())
}

/// A cell without the single quotes that some programs write around each.
fn unquoted(cell: &str) -> &str {
    let inner = cell.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    inner.unwrap_or(cell)
}

/// Whether the first two lines of a text are rows of one table: several cells, as many in both.
pub(super) fn is_table(head: &[u8]) -> bool {
    let mut lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return false };
    let count = |line: &[u8], s: u8| line.iter().filter(|b| **b == s).count();
    let whole = |s: &u8| count(first, *s) >= 2 && count(first, *s) == count(second, *s);
    !second.is_empty() && b"\t;|".iter().any(whole)
}

/// The cells of a row, without quotes.
pub(super) struct Cells<'a> {
    pub(super) rest: Option<&'a str>,
    pub(super) separator: u8,
}

impl<'a> Iterator for Cells<'a> {
    type Item = std::borrow::Cow<'a, str>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest?;
        let separator = self.separator as char;
        let Some(quoted) = text.trim_start_matches(' ').strip_prefix('"') else {
            let (cell, rest) = match text.split_once(separator) {
                Some((cell, rest)) => (cell, Some(rest)),
                None => (text, None),
            };
            self.rest = rest;
            return Some(unquoted(cell).into());
        };
        let mut from = 0;
        let end = loop {
            match quoted.get(from..).and_then(|q| q.find('"')) {
                None => break quoted.len(),
                Some(at) if quoted.get(from + at + 1..).is_some_and(|q| q.starts_with('"')) => {
                    from += at + 2
                }
                Some(at) => break from + at,
            }
        };
        let cell = quoted.get(..end).unwrap_or("");
        let after = quoted.get(end + 1..).unwrap_or("");
        self.rest = after.split_once(separator).map(|(_, rest)| rest);
        Some(if cell.contains("\"\"") { cell.replace("\"\"", "\"").into() } else { cell.into() })
    }
}
