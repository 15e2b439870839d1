//! Lines that wrap at the width of the page, as wide as the terminal but at most [`WIDTH`] columns.

use super::Context;
use std::fmt::Write as _;

/// Columns at most.
const WIDTH: usize = 100;
/// Columns at least, however narrow the terminal is.
const NARROW: usize = 60;
/// Of the block of an exposure.
pub(super) const BLOCK: Columns = Columns { indent: 15, column: 28 };
/// Of the sections below.
pub(super) const SECTION: Columns = Columns { indent: 2, column: 18 };

/// Where a label begins, and where what belongs to it.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub indent: usize,
    pub column: usize,
}

/// The same with the width of the page.
pub(super) fn columns(columns: Columns, context: &Context) -> (Columns, usize) {
    (columns, width(context))
}

/// Columns of the page.
pub(super) fn width(context: &Context) -> usize {
    if context.width == 0 { WIDTH } else { context.width.clamp(NARROW, WIDTH) }
}

/// A label and its items, wrapped between items, or between words where an item is too long for a
/// line, or anywhere where a word is.
pub(super) fn item(
    out: &mut String,
    (Columns { indent, column }, width): (Columns, usize),
    label: &str,
    items: &[String],
    separator: &str,
) {
    if items.is_empty() {
        return;
    }
    let room = width - column;
    let mut line = format!("{:indent$}{label:<gap$}", "", gap = column - indent);
    let mut used = 0;
    for (i, text) in items.iter().enumerate() {
        let end = if i + 1 < items.len() { separator.trim_end() } else { "" };
        let whole = format!("{text}{end}");
        let words: Vec<&str> = if whole.chars().count() <= room {
            vec![&whole]
        } else {
            whole.split_whitespace().collect()
        };
        for word in words {
            let width = word.chars().count();
            if used > 0 {
                if used + 1 + width > room {
                    turn(out, &mut line, column);
                    used = 0;
                } else {
                    line.push(' ');
                    used += 1;
                }
            }
            for c in word.chars() {
                if used == room {
                    turn(out, &mut line, column);
                    used = 0;
                }
                line.push(c);
                used += 1;
            }
        }
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// Ends `line` and starts the next at `column`.
fn turn(out: &mut String, line: &mut String, column: usize) {
    out.push_str(line.trim_end());
    out.push('\n');
    line.clear();
    line.extend(std::iter::repeat_n(' ', column));
}

pub(super) fn heading(out: &mut String, text: &str, context: &Context) {
    let mut lines = String::new();
    let whole = (Columns { indent: 0, column: 0 }, width(context));
    item(&mut lines, whole, "", &[text.to_owned()], "");
    for line in lines.lines() {
        let _ = if context.colour {
            writeln!(out, "\x1b[1m{line}\x1b[0m")
        } else {
            writeln!(out, "{line}")
        };
    }
}
