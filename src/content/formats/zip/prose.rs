//! The text of an office document: paragraphs as lines, tables as tables. WordprocessingML and DrawingML (ISO/IEC
//! 29500-1 17.3, 21.1) and OpenDocument (ISO/IEC 26300-1 5, 9) use nearly the same names of elements.

use crate::content::Scope;
use crate::content::extract::record::Marks;
use crate::content::extract::table::{MAX_COLUMNS, Sheet};
use crate::content::formats::markup::{Attributes, Markup, Receiver};
use zeroize::Zeroizing;

/// Longest line kept, bytes.
const MAX_LINE: usize = 8 << 10;

/// Longest cell kept, bytes.
const MAX_CELL: usize = 1024;

/// Levels of nested tables.
const MAX_TABLES: usize = 8;

/// What a tab stop is in a line: columns are apart by more than one blank.
const TAB: &str = "   ";

/// Reads the text.
pub(super) struct Prose {
    markup: Markup,
    text: Text,
}

struct Text {
    sheet: Sheet,
    /// OpenDocument: everything in a paragraph is text.
    open: bool,
    line: Zeroizing<String>,
    /// In a text element, and whether it has text.
    shown: bool,
    some: bool,
    /// Open paragraphs: notes are nested in others.
    paragraphs: usize,
    /// The cells so far of the current row of each open table.
    tables: Vec<Vec<Zeroizing<String>>>,
}

struct TokenHandler<'a, 'b> {
    text: &'a mut Text,
    scope: &'a mut Scope<'b>,
}

impl Prose {
    pub(super) fn new(content: &'static str) -> Self {
        let open = content.starts_with("od");
        Self {
            markup: Markup::prose(),
            text: Text {
                sheet: Sheet::new(content),
                open,
                line: Zeroizing::default(),
                shown: false,
                some: false,
                paragraphs: 0,
                tables: Vec::new(),
            },
        }
    }

    pub(super) fn mark(&mut self, marks: Marks) {
        self.text.sheet.mark(marks);
    }

    pub(super) fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        self.markup.read(bytes, &mut TokenHandler { text: &mut self.text, scope });
    }

    pub(super) fn end(&mut self, scope: &mut Scope<'_>) {
        let mut turn = TokenHandler { text: &mut self.text, scope };
        self.markup.finish(&mut turn);
        turn.end_line();
        while !turn.text.tables.is_empty() {
            turn.end_row();
            turn.text.tables.pop();
        }
        self.text.sheet.end(scope);
    }

    pub(super) fn memory(&self) -> usize {
        let cells = self.text.tables.iter().flatten().map(|c| c.capacity() + 24).sum::<usize>();
        self.markup.memory() + self.text.line.capacity() + self.text.sheet.memory() + cells
    }
}

impl TokenHandler<'_, '_> {
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.text.line);
        let trimmed = line.trim();
        match self.text.tables.last_mut().and_then(|row| row.last_mut()) {
            _ if trimmed.is_empty() => {}
            Some(cell) => {
                if !cell.is_empty() {
                    cell.push(' ');
                }
                push(cell, trimmed, MAX_CELL);
            }
            None => self.text.sheet.line(trimmed, self.scope),
        }
    }

    fn end_row(&mut self) {
        if let Some(row) = self.text.tables.last_mut() {
            let row = std::mem::take(row);
            if row.iter().any(|cell| !cell.is_empty()) {
                let row: Vec<&str> = row.iter().map(|cell| cell.as_str()).collect();
                self.text.sheet.row(&row, self.scope);
            }
        }
    }

    fn cell(&mut self, repeated: usize) {
        if let Some(row) = self.text.tables.last_mut() {
            let cells = repeated.min(MAX_COLUMNS.saturating_sub(row.len()));
            row.extend((0..cells).map(|_| Zeroizing::default()));
            // A number in the markup says how many there are.
            self.scope.spend(cells as u64);
        }
    }
}

/// Appends the part of `text` for which there is room.
fn push(to: &mut String, text: &str, cap: usize) {
    let mut room = cap.saturating_sub(to.len()).min(text.len());
    while !text.is_char_boundary(room) {
        room -= 1;
    }
    to.push_str(text.get(..room).unwrap_or(""));
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

impl Receiver for TokenHandler<'_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>, closed: bool) {
        match local(name) {
            "p" | "h" if !closed => self.text.paragraphs += 1,
            "t" if !closed => (self.text.shown, self.text.some) = (true, false),
            "tab" if self.text.paragraphs > 0 => push(&mut self.text.line, TAB, MAX_LINE),
            "s" | "noBreakHyphen" if self.text.paragraphs > 0 => {
                let many = attributes.get("text:c").is_some_and(|c| c != "1");
                push(&mut self.text.line, if many { TAB } else { " " }, MAX_LINE);
            }
            "br" | "cr" | "line-break" => self.end_line(),
            "tbl" | "table" if !closed => {
                self.end_line();
                if self.text.tables.len() < MAX_TABLES {
                    self.text.tables.push(Vec::new());
                }
            }
            "tc" | "table-cell" | "covered-table-cell" => {
                let repeated = attributes.get("table:number-columns-repeated");
                let repeated = repeated.and_then(|n| n.parse().ok()).unwrap_or(1);
                self.cell(repeated);
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match local(name) {
            "p" | "h" => {
                self.end_line();
                self.text.paragraphs = self.text.paragraphs.saturating_sub(1);
            }
            "t" => {
                // `<w:t xml:space="preserve"> </w:t>`.
                if self.text.shown && !self.text.some {
                    push(&mut self.text.line, " ", MAX_LINE);
                }
                self.text.shown = false;
            }
            "tr" | "table-row" => self.end_row(),
            "tbl" | "table" => {
                self.end_row();
                self.text.tables.pop();
                if self.text.tables.is_empty() {
                    self.text.sheet.end_table(self.scope);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.text.shown || (self.text.open && self.text.paragraphs > 0) {
            self.text.some = true;
            for (at, line) in text.split(['\r', '\n']).enumerate() {
                if at > 0 {
                    push(&mut self.text.line, " ", MAX_LINE);
                }
                push(&mut self.text.line, line, MAX_LINE);
            }
        }
    }
}
