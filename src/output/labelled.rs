//! A label and what belongs to it, in lines of a given width.

/// Where a label begins, and where what belongs to it.
#[derive(Clone, Copy)]
pub(crate) struct Columns {
    pub indent: usize,
    pub column: usize,
}

/// A label and its items, wrapped between items, or between words where an item is too long for a
/// line, or anywhere where a word is.
pub(crate) fn item(
    out: &mut String,
    (Columns { indent, column }, width): (Columns, usize),
    label: &str,
    items: &[String],
    separator: &str,
) {
    if items.is_empty() {
        return;
    }
    let room = width.saturating_sub(column).max(1);
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
