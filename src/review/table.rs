//! Prints rows as a table for people, as JSON lines or as CSV. Their texts may come from the wire.

use super::Console;
use crate::output::text::{foreign, is_unsafe, number};
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::ops::Range;

/// Format of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Aligned columns; the most important ones only.
    #[default]
    Table,
    /// One JSON object per row.
    Json,
    /// Comma-separated (RFC 4180).
    Csv,
}

/// Most characters of a cell in a table for people.
const MAX_CELL: usize = 48;

/// A column computed from a `T`.
pub(super) struct Column<T> {
    /// Its name in JSON and CSV.
    pub name: &'static str,
    /// Its heading in a table for people; none if it is not shown there.
    pub heading: Option<&'static str>,
    /// Whether its values are times, which people see to the second.
    pub is_time: bool,
    /// Its value for a row.
    pub value: fn(&T) -> Value,
}

/// A column that is also shown to people.
pub(super) const fn shown<T>(
    name: &'static str,
    heading: &'static str,
    value: fn(&T) -> Value,
) -> Column<T> {
    Column { name, heading: Some(heading), is_time: false, value }
}

/// A column of times that is also shown to people.
pub(super) const fn time<T>(
    name: &'static str,
    heading: &'static str,
    value: fn(&T) -> Value,
) -> Column<T> {
    Column { name, heading: Some(heading), is_time: true, value }
}

/// A column for programs only.
pub(super) const fn hidden<T>(name: &'static str, value: fn(&T) -> Value) -> Column<T> {
    Column { name, heading: None, is_time: false, value }
}

/// Rows with a value for each column.
pub(super) struct Table {
    columns: Vec<Named>,
    rows: Vec<Vec<Value>>,
}

/// A column without its function.
#[derive(Clone, Copy)]
struct Named {
    name: &'static str,
    heading: Option<&'static str>,
    is_time: bool,
}

/// Blanks between columns, and before those that continue a row.
const GAP: usize = 2;

impl Table {
    /// The rows of `items`.
    pub fn of<T>(columns: &[Column<T>], items: impl IntoIterator<Item = T>) -> Self {
        let row = |item: T| columns.iter().map(|column| (column.value)(&item)).collect();
        Self {
            columns: columns
                .iter()
                .map(|&Column { name, heading, is_time, .. }| Named { name, heading, is_time })
                .collect(),
            rows: items.into_iter().map(row).collect(),
        }
    }

    /// The same, with an additional first column of these values for programs.
    pub fn preceded_by(
        mut self,
        name: &'static str,
        values: impl IntoIterator<Item = Value>,
    ) -> Self {
        self.columns.insert(0, Named { name, heading: None, is_time: false });
        for (row, value) in self.rows.iter_mut().zip(values) {
            row.insert(0, value);
        }
        self
    }

    /// Appends the rows of a table with the same columns.
    pub fn append(&mut self, mut other: Self) {
        self.rows.append(&mut other.rows);
    }

    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn write(&self, shape: Shape, out: &mut Console<'_>) -> io::Result<()> {
        match shape {
            Shape::Table => self.people(out),
            Shape::Json => self.rows.iter().try_for_each(|row| self.json(row, out)),
            Shape::Csv => self.csv(out),
        }
    }

    /// Aligned columns. On a terminal that is too narrow for all of them, a row continues in further lines.
    fn people(&self, out: &mut Console<'_>) -> io::Result<()> {
        if self.rows.is_empty() {
            return writeln!(out, "Nothing.");
        }
        let shown = |(at, named): (usize, &Named)| Some((at, named.heading?, named.is_time));
        let shown: Vec<(usize, &str, bool)> =
            self.columns.iter().enumerate().filter_map(shown).collect();
        let cell = |row: &[Value], at: usize, is_time: bool| match is_time {
            true => to_the_second(&brief(row.get(at))),
            false => brief(row.get(at)),
        };
        let mut widths: Vec<usize> = shown.iter().map(|(_, h, _)| h.len()).collect();
        for row in &self.rows {
            for (width, (at, _, is_time)) in widths.iter_mut().zip(&shown) {
                *width = (*width).max(cell(row, *at, *is_time).chars().count());
            }
        }
        let right: Vec<bool> = shown
            .iter()
            .map(|(at, ..)| self.rows.iter().all(|row| row.get(*at).is_some_and(Value::is_number)))
            .collect();
        let lines = lines(&widths, out.width());
        let mut write = |cells: &[String]| -> io::Result<()> {
            for (n, columns) in lines.iter().enumerate() {
                let mut text = " ".repeat(if n > 0 { GAP } else { 0 });
                for at in columns.clone() {
                    let (Some(cell), Some(width)) = (cells.get(at), widths.get(at)) else {
                        continue;
                    };
                    let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
                    let is_right = right.get(at).is_some_and(|right| *right);
                    let (before, after) = if is_right { (&*pad, "") } else { ("", &*pad) };
                    text.extend([before, cell, after, "  "]);
                }
                writeln!(out, "{}", text.trim_end())?;
            }
            Ok(())
        };
        write(&shown.iter().map(|(_, h, _)| (*h).to_owned()).collect::<Vec<_>>())?;
        for row in &self.rows {
            let cells = shown.iter().map(|(at, _, is_time)| cell(row, *at, *is_time));
            write(&cells.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn json(&self, row: &[Value], out: &mut dyn Write) -> io::Result<()> {
        let named = self.columns.iter().map(|of| of.name.to_owned()).zip(row.iter().cloned());
        let object: Map<String, Value> = named.filter(|(_, value)| !value.is_null()).collect();
        writeln!(out, "{}", json_text(&Value::Object(object)))
    }

    fn csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let names: Vec<&str> = self.columns.iter().map(|of| of.name).collect();
        write!(out, "{}\r\n", names.join(","))?;
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(csv_cell).collect();
            write!(out, "{}\r\n", cells.join(","))?;
        }
        Ok(())
    }
}

/// The columns of each line of a row, for columns of these widths.
fn lines(widths: &[usize], room: Option<usize>) -> Vec<Range<usize>> {
    let room = room.unwrap_or(usize::MAX);
    let (mut lines, mut first, mut used) = (Vec::new(), 0, 0);
    for (at, width) in widths.iter().enumerate() {
        if at > first && used + width > room {
            lines.push(first..at);
            (first, used) = (at, GAP);
        }
        used += width + GAP;
    }
    lines.push(first..widths.len());
    lines
}

/// `2026-03-02 08:00:04` of `2026-03-02T08:00:04.123456Z`.
fn to_the_second(text: &str) -> String {
    text.get(..19).unwrap_or(text).replacen('T', " ", 1)
}

/// JSON without control or invisible characters.
pub(super) fn json_text(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        if is_unsafe(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// A value for a cell. A list that is too long ends with the number of omitted entries.
fn brief(value: Option<&Value>) -> String {
    let whole = plain(value);
    let list = value.and_then(Value::as_array).filter(|list| list.len() > 1);
    let Some(list) = list.filter(|_| whole.chars().count() > MAX_CELL) else {
        return foreign(&whole, MAX_CELL);
    };
    // Leaves room for `, +1,234`.
    let room = MAX_CELL - 8;
    let (mut shown, mut used) = (Vec::new(), 0);
    for text in list.iter().map(|entry| plain(Some(entry))) {
        used += text.chars().count() + 2;
        if used > room + 2 && !shown.is_empty() {
            break;
        }
        shown.push(text);
    }
    let left = number((list.len() - shown.len()) as u64);
    format!("{}, +{left}", foreign(&shown.join(", "), room))
}

/// A value for people: lists with commas.
pub(super) fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "yes".into(),
        Some(Value::Bool(false)) => "no".into(),
        Some(Value::Array(list)) => {
            list.iter().map(|v| plain(Some(v))).collect::<Vec<_>>().join(", ")
        }
        Some(Value::Object(map)) => map
            .iter()
            .map(|(k, v)| format!("{k} {}", plain(Some(v))))
            .collect::<Vec<_>>()
            .join(", "),
        Some(other) => other.to_string(),
    }
}

/// A cell of a CSV file. Spreadsheets read text that begins with `=`, `+`, `-` or `@` as a formula,
/// which may run commands (OWASP, CSV Injection); an apostrophe before it prevents that.
fn csv_cell(value: &Value) -> String {
    let text = foreign(&plain(Some(value)), usize::MAX);
    let first = text.trim_start().chars().next();
    let formula = value.is_string() || value.is_array();
    let formula = formula && first.is_some_and(|c| matches!(c, '=' | '+' | '-' | '@' | '|' | '%'));
    let text = if formula { format!("'{text}") } else { text };
    if text.contains(['"', ',', ';', '\'']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COLUMNS: &[Column<Vec<Value>>] = &[
        shown("who", "Who", |row| row[0].clone()),
        shown("n", "N", |row| row[1].clone()),
        hidden("why", |row| row[2].clone()),
    ];

    fn written(shape: Shape, rows: Vec<Vec<Value>>) -> String {
        let mut out = Vec::new();
        let console = &mut Console::new(&mut out, None);
        Table::of(COLUMNS, rows).write(shape, console).expect("memory");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn on_a_narrow_terminal_a_row_continues_below_and_loses_nothing() {
        const WIDE: &[Column<u64>] = &[
            shown("severity", "Severity", |_| json!("critical")),
            time("first", "First (UTC)", |_| json!("2026-03-02T08:48:14.999640Z")),
            shown("service", "Service", |n| json!(format!("10.144.152.220:{n}"))),
            shown("n", "N", |n| json!(n)),
            shown("id", "Id", |_| json!("01KJPVQP4QQQJGST4DD09PH6KJ")),
        ];
        for (width, lines) in
            [(None, 1), (Some(200), 1), (Some(60), 2), (Some(41), 3), (Some(1), 3)]
        {
            let mut out = Vec::new();
            let console = &mut Console::new(&mut out, width);
            Table::of(WIDE, [104, 9200]).write(Shape::Table, console).expect("memory");
            let text = String::from_utf8(out).expect("UTF-8");
            assert_eq!(text.lines().count(), 3 * lines, "{width:?}\n{text}");
            let widest = text.lines().map(str::len).max();
            assert!(width.is_none_or(|width| widest <= Some(width.max(40))), "{width:?}\n{text}");
            assert!(!text.contains("08:48:14."), "{text}");
            for part in ["2026-03-02 08:48:14", "10.144.152.220:9200", "104", "PH6KJ"] {
                assert!(text.contains(part), "{width:?}: {part}\n{text}");
            }
            // Values are below their headings.
            let at = |line: usize, part: &str| text.lines().nth(line).and_then(|l| l.find(part));
            let line = text.lines().position(|line| line.contains("Service")).expect("a heading");
            assert_eq!(at(line, "Service"), at(line + lines, "10.144"), "{text}");
        }
    }

    #[test]
    fn a_list_that_is_too_long_ends_with_the_number_that_is_left() {
        let cell = |value: Value| brief(Some(&value));
        assert_eq!(cell(json!(["name", "sex"])), "name, sex");
        let kinds = ["address", "birth_date", "name", "patient_id", "phone", "sex", "ssn"];
        assert_eq!(cell(json!(kinds)), "address, birth_date, name, patient_id, +3");
        let one = "x".repeat(100);
        assert_eq!(cell(json!([one])).chars().count(), MAX_CELL + 1);
        assert_eq!(cell(json!([one, one])), format!("{}…, +1", "x".repeat(MAX_CELL - 8)));
        let many = vec!["a"; 5_000];
        assert!(cell(json!(many)).ends_with(", +4,986"), "{}", cell(json!(many)));
        assert!(cell(json!(["\u{1b}[2J", one])).starts_with("\\u{1b}[2J, +1"));
    }

    #[test]
    fn a_formula_is_a_text_in_csv() {
        for formula in
            ["=HYPERLINK(\"x\")", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", " =1", "|x"]
        {
            let text = written(Shape::Csv, vec![vec![json!(formula), json!(-3), json!([formula])]]);
            let row = text.lines().nth(1).expect("row");
            let cells = row.trim_start_matches('"');
            assert!(cells.starts_with('\''), "{row}");
            assert!(row.contains(",-3,"), "a number stays one: {row}");
            assert!(row.matches('\'').count() >= 2, "{row}");
        }
        let quoted = written(Shape::Csv, vec![vec![json!("a,\"b\"\r\nc"), json!(1), json!(null)]]);
        assert_eq!(quoted, "who,n,why\r\n\"a,\"\"b\"\"\\u{d}\\u{a}c\",1,\r\n");
    }

    #[test]
    fn nothing_written_can_steer_a_terminal() {
        let evil = "\u{1b}[2J\u{9b}31m\u{202e}<script>\u{7}";
        for shape in [Shape::Table, Shape::Json, Shape::Csv] {
            let text = written(shape, vec![vec![json!(evil), json!(1), json!({ evil: evil })]]);
            let bad = text.chars().find(|c| is_unsafe(*c) && !matches!(c, '\r' | '\n'));
            assert_eq!(bad, None, "{text}");
            assert!(text.contains("script"), "{text}");
        }
        let line = written(Shape::Json, vec![vec![json!(evil), json!(1), json!(null)]]);
        let back: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(back, json!({"who": evil, "n": 1}), "and loses nothing");
    }

    #[test]
    fn a_table_is_aligned_and_says_when_there_is_nothing() {
        let rows = vec![
            vec![json!("a"), json!(7), json!("hidden")],
            vec![json!("bcd"), json!(1234), json!(null)],
        ];
        assert_eq!(written(Shape::Table, rows), "Who     N\na       7\nbcd  1234\n");
        assert_eq!(written(Shape::Table, Vec::new()), "Nothing.\n");
        assert_eq!(written(Shape::Json, Vec::new()), "");
    }
}
