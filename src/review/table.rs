//! Prints rows as a table for people, as JSON lines or as CSV. Their texts may come from the wire.

use crate::output::text::{foreign, is_unsafe, number};
use serde_json::{Map, Value};
use std::io::{self, Write};

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
    /// Its value for a row.
    pub value: fn(&T) -> Value,
}

/// A column that is also shown to people.
pub(super) const fn shown<T>(
    name: &'static str,
    heading: &'static str,
    value: fn(&T) -> Value,
) -> Column<T> {
    Column { name, heading: Some(heading), value }
}

/// A column for programs only.
pub(super) const fn hidden<T>(name: &'static str, value: fn(&T) -> Value) -> Column<T> {
    Column { name, heading: None, value }
}

/// Rows with a value for each column.
pub(super) struct Table {
    /// Names and headings.
    columns: Vec<(&'static str, Option<&'static str>)>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// The rows of `items`.
    pub fn of<T>(columns: &[Column<T>], items: impl IntoIterator<Item = T>) -> Self {
        let row = |item: T| columns.iter().map(|column| (column.value)(&item)).collect();
        Self {
            columns: columns.iter().map(|column| (column.name, column.heading)).collect(),
            rows: items.into_iter().map(row).collect(),
        }
    }

    /// The same, with an additional first column of these values for programs.
    pub fn preceded_by(
        mut self,
        name: &'static str,
        values: impl IntoIterator<Item = Value>,
    ) -> Self {
        self.columns.insert(0, (name, None));
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

    pub fn write(&self, shape: Shape, out: &mut dyn Write) -> io::Result<()> {
        match shape {
            Shape::Table => self.people(out),
            Shape::Json => self.rows.iter().try_for_each(|row| self.json(row, out)),
            Shape::Csv => self.csv(out),
        }
    }

    fn people(&self, out: &mut dyn Write) -> io::Result<()> {
        let shown: Vec<(usize, &str)> = self
            .columns
            .iter()
            .enumerate()
            .filter_map(|(i, (_, heading))| Some((i, (*heading)?)))
            .collect();
        let cell = |row: &[Value], at: usize| brief(row.get(at));
        let mut widths: Vec<usize> = shown.iter().map(|(_, h)| h.len()).collect();
        for row in &self.rows {
            for (width, (at, _)) in widths.iter_mut().zip(&shown) {
                *width = (*width).max(cell(row, *at).chars().count());
            }
        }
        let mut line = |cells: Vec<(String, bool)>| -> io::Result<()> {
            let mut text = String::new();
            for ((cell, right), width) in cells.iter().zip(&widths) {
                let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
                if *right {
                    text.push_str(&pad);
                }
                text.push_str(cell);
                if !*right {
                    text.push_str(&pad);
                }
                text.push_str("  ");
            }
            writeln!(out, "{}", text.trim_end())
        };
        if self.rows.is_empty() {
            return line(vec![("Nothing.".into(), false)]);
        }
        let right =
            |at: usize| self.rows.iter().all(|row| row.get(at).is_some_and(Value::is_number));
        line(shown.iter().map(|(at, h)| ((*h).to_owned(), right(*at))).collect())?;
        for row in &self.rows {
            line(shown.iter().map(|(at, _)| (cell(row, *at), right(*at))).collect())?;
        }
        Ok(())
    }

    fn json(&self, row: &[Value], out: &mut dyn Write) -> io::Result<()> {
        let named =
            self.columns.iter().map(|(name, _)| (*name).to_owned()).zip(row.iter().cloned());
        let object: Map<String, Value> = named.filter(|(_, value)| !value.is_null()).collect();
        writeln!(out, "{}", json_text(&Value::Object(object)))
    }

    fn csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        write!(out, "{}\r\n", names.join(","))?;
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(csv_cell).collect();
            write!(out, "{}\r\n", cells.join(","))?;
        }
        Ok(())
    }
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
fn plain(value: Option<&Value>) -> String {
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
        Table::of(COLUMNS, rows).write(shape, &mut out).expect("memory");
        String::from_utf8(out).expect("UTF-8")
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
