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
    heading: Option<Heading>,
}

/// The names of the columns of a table.
pub struct Heading {
    names: Vec<Zeroizing<String>>,
    /// Where each column starts and ends.
    columns: Vec<(f64, f64)>,
}

impl Heading {
    /// The line, if it names columns.
    pub fn of(line: &Line, scope: &mut Scope<'_>) -> Option<Self> {
        Self::read(&line.cells(), &line.pieces(), &mut Sheet::new(""), scope)
    }

    /// The cells of a line or its pieces, if they name the columns of `sheet`.
    fn read(cells: &[Cell], pieces: &[Cell], sheet: &mut Sheet, scope: &Scope<'_>) -> Option<Self> {
        // If columns are close together, only separately placed text distinguishes them.
        let narrow =
            pieces.len() > cells.len() && Sheet::known(pieces, scope) > Sheet::known(cells, scope);
        let row = if narrow { pieces } else { cells };
        if !sheet.names(row, scope) {
            return None;
        }
        let row = || row.iter().take(MAX_COLUMNS);
        Some(Self {
            names: row().map(|cell| Zeroizing::new(cell.as_ref().to_owned())).collect(),
            columns: row().map(|cell| (cell.start, cell.end)).collect(),
        })
    }

    /// Whether texts of a line begin where most columns do, by less than `room`, and the first one in the first.
    pub fn fits(&self, line: &Line, room: f64) -> bool {
        let cells = line.pieces();
        let begins = |column: &&(f64, f64)| cells.iter().any(|c| (c.start - column.0).abs() < room);
        let fitting = self.columns.iter().filter(begins).count();
        let first = cells.first().zip(self.columns.first());
        first.is_some_and(|(cell, column)| (cell.start - column.0).abs() < room)
            && fitting >= 2
            && fitting * 3 >= self.columns.len() * 2
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let names = self.names.iter().map(|name| name.capacity()).sum::<usize>();
        names + self.columns.capacity() * size_of::<(f64, f64)>()
    }
}

impl PageReader {
    /// For a document of this format.
    pub fn new(content: &'static str) -> Self {
        Self { sheet: Sheet::new(content), heading: None }
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

    /// The following lines are under the columns of another page.
    pub fn resume(&mut self, heading: &Heading, scope: &Scope<'_>) {
        self.sheet.names(&heading.names, scope);
        let (names, columns) = (heading.names.clone(), heading.columns.clone());
        self.heading = Some(Heading { names, columns });
    }

    /// The names of columns that came last.
    pub const fn take_heading(&mut self) -> Option<Heading> {
        self.heading.take()
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.sheet.memory() + self.heading.as_ref().map_or(0, Heading::memory)
    }

    /// A line of a page.
    pub fn line(&mut self, line: &Line, scope: &mut Scope<'_>) {
        let (cells, pieces) = (line.cells(), line.pieces());
        if let Some(heading) = Heading::read(&cells, &pieces, &mut self.sheet, scope) {
            self.heading = Some(heading);
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
        let columns = self.heading.as_ref().map_or(&[][..], |heading| &heading.columns);
        let mut row = vec![Zeroizing::new(String::new()); columns.len()];
        for cell in cells {
            // How much of the cell is under a column, or how far away it is.
            let under = |&(start, end): &(f64, f64)| cell.end.min(end) - cell.start.max(start);
            let nearest = columns
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
