//! The lines of pages (PDF, PostScript, PCL, labels, terminal screens): labelled values, and rows of a table whose
//! columns a line has named.

use super::layout::{Cell, Line};
use super::record::Marks;
use super::table::{MAX_COLUMNS, Sheet};
use crate::content::Scope;
use zeroize::Zeroizing;

/// Reads lines: as text, or as rows of a table whose columns were named.
pub struct PageReader {
    sheet: Sheet,
    /// Where each column of the table starts and ends.
    columns: Vec<(f64, f64)>,
}

impl PageReader {
    /// For a document of this format.
    pub fn new(content: &'static str) -> Self {
        Self { sheet: Sheet::new(content), columns: Vec::new() }
    }

    /// Notes what the document's name says about it.
    pub fn mark(&mut self, marks: Marks) {
        self.sheet.mark(marks);
    }

    /// A line that does not belong to the page: a form field with its name, a note, a title.
    pub fn note(&mut self, text: &str, scope: &mut Scope<'_>) {
        self.sheet.line(text, scope);
    }

    /// The document ends, or its part about one person does.
    pub fn end(&mut self, scope: &mut Scope<'_>) {
        self.sheet.end(scope);
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.sheet.memory() + self.columns.capacity() * size_of::<(f64, f64)>()
    }

    /// A line of a page.
    pub fn line(&mut self, line: &Line, scope: &mut Scope<'_>) {
        let (cells, pieces) = (line.cells(), line.pieces());
        // If columns are close together, only separately placed text distinguishes them.
        let narrow = pieces.len() > cells.len()
            && Sheet::known(&pieces, scope) > Sheet::known(&cells, scope);
        let row = if narrow { &pieces } else { &cells };
        if self.sheet.names(row, scope) {
            let columns = row.iter().take(MAX_COLUMNS).map(|cell| (cell.start, cell.end));
            self.columns = columns.collect();
            return;
        }
        let labelled = cells.iter().any(|cell| has_label(cell.as_ref()));
        if labelled {
            self.sheet.end_table(scope);
        }
        if self.sheet.in_table() {
            let row = self.aligned(&pieces);
            if row.iter().filter(|cell| !cell.is_empty()).count() >= 2 {
                self.sheet.row(&row, scope);
                return;
            }
        }
        if cells.len() >= 2 && !labelled && !self.sheet.in_table() {
            self.sheet.row(&cells, scope);
        } else {
            self.sheet.line(&line.text(), scope);
        }
    }

    /// The cells of a row, by column.
    fn aligned(&self, cells: &[Cell]) -> Vec<Zeroizing<String>> {
        let mut row = vec![Zeroizing::new(String::new()); self.columns.len()];
        for cell in cells {
            // How much of the cell is under a column, or how far away it is.
            let under = |&(start, end): &(f64, f64)| cell.end.min(end) - cell.start.max(start);
            let nearest = self
                .columns
                .iter()
                .enumerate()
                .max_by(|(_, a), (_, b)| under(a).total_cmp(&under(b)))
                .and_then(|(at, _)| row.get_mut(at));
            if let Some(column) = nearest {
                if !column.is_empty() {
                    column.push(' ');
                }
                column.push_str(cell.as_ref());
            }
        }
        row
    }
}

/// Whether it contains a word with a colon that is not a time.
fn has_label(cell: &str) -> bool {
    let mut before = ' ';
    cell.chars().any(|c| {
        let label = matches!(c, ':' | '：') && (before.is_alphabetic() || before == ')');
        before = c;
        label
    })
}
