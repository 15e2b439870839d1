//! Rows of tables in pages: under the names of their columns, beside their labels, or with a column for each person.

use super::{Cell, TokenHandler, is_label};
use crate::content::Scope;
use crate::content::extract::record::{CandidateRecord, Marks};
use crate::content::extract::table::{LINE_BREAK, Sheet, TableColumns};
use crate::content::formats::hl7v2::field_lines;
use smallvec::SmallVec;

impl TokenHandler<'_, '_> {
    pub(super) fn end_row(&mut self) {
        self.end_run();
        let Some(table) = self.page.tables.last_mut() else { return };
        table.in_cell = false;
        let row = std::mem::take(&mut table.row);
        if row.is_empty() {
            return;
        }
        let rules = self.scope.rules;
        let plain = row.iter().all(|cell| cell.span <= 1 && cell.column.is_none());
        let mut fits = plain && !table.headed && table.people.fits(&row, rules);
        if !fits && !table.people.is_empty() {
            self.release();
            let Some(table) = self.page.tables.last_mut() else { return };
            fits = plain && !table.headed && table.people.fits(&row, rules);
        }
        let Some(table) = self.page.tables.last_mut().filter(|_| fits) else {
            return self.row(row);
        };
        if !table.people.hold(row, rules) {
            self.release();
        }
    }

    /// Reads the rows of the table that were held.
    pub(super) fn release(&mut self) {
        let around = self.page.labels.around();
        let Some(table) = self.page.tables.last_mut() else { return };
        for row in table.people.finish("html", around, self.scope) {
            self.row(row);
        }
    }

    fn row(&mut self, mut row: Vec<Cell>) {
        let Some(table) = self.page.tables.last_mut() else { return };
        // The segments of a message, one in each row.
        let last = row.last().map_or("", |cell| cell.text.trim());
        if last.contains('|') && self.page.messages.line(last.as_bytes(), true, self.scope) {
            return;
        }
        {
            let cells: SmallVec<[&str; 8]> = row.iter().map(|cell| cell.text.trim()).collect();
            if table.tags.row(&cells, self.scope) {
                return;
            }
            if let Some((segment, place, value)) = field_lines::cells(&cells) {
                if &segment == b"PID" {
                    table.fields.pid(place, value, self.scope);
                }
                return;
            }
        }
        if !table.headed && named_row(&row, self.page.labels.around(), self.scope) {
            return;
        }
        let known = Sheet::known(&row, self.scope);
        let headings = row.iter().filter(|c| c.heading).count();
        // Cells with a label and its value each: `<th>Patient name: Jane Roe</th><th>MRN: 77</th>`.
        let labelled = row.iter().filter(|cell| has_value(&cell.text)).count();
        // A row of headings, or a first row in which several cells are names of columns.
        if row.len() >= 2
            && labelled * 2 < row.len()
            && (headings == row.len() || (!table.headed && known >= 2 && known * 2 > row.len()))
        {
            return self.headings(&row);
        }
        if table.headed && table.columns.known() > 0 {
            if table.single {
                table.single = false;
                table.first = Some(row);
                return;
            }
            if let Some(first) = table.first.take() {
                // Several people: what is held is of none of them.
                self.end_rows();
                self.record(&first, CandidateRecord::default());
            }
            return self.record(&row, CandidateRecord::default());
        }
        if table.headed {
            return;
        }
        // Labels with their values.
        let rules = self.scope.rules;
        // A label above its value is read from the cell as it is.
        let above = |cell: &Cell| {
            cell.text.split_once(LINE_BREAK).is_some_and(|(first, _)| is_label(first, rules))
        };
        let broken = |cell: &&mut Cell| cell.text.contains(LINE_BREAK) && !above(cell);
        for cell in row.iter_mut().filter(broken) {
            cell.text = zeroize::Zeroizing::new(cell.text.replace(LINE_BREAK, " "));
        }
        self.page.labels.cells(&row, self.scope);
    }
}

impl TokenHandler<'_, '_> {
    /// Takes the names of the columns. Those below the only row of other columns may be further ones of the same person.
    fn headings(&mut self, row: &[Cell]) {
        let mut columns = TableColumns::default();
        for cell in row {
            columns.push_heading(&cell.text, self.scope.rules);
            (1..cell.span).for_each(|_| columns.push(None, None));
        }
        let Some(table) = self.page.tables.last_mut() else { return };
        let goes_on = table.first.is_some() && columns.go_on(&table.columns);
        if let Some(first) = table.first.take_if(|_| goes_on) {
            let mut record = table.held.take().unwrap_or_default();
            table.columns.read_row(cells(&first), &mut record, self.scope);
            table.held = Some(record);
        } else {
            self.end_rows();
        }
        let Some(table) = self.page.tables.last_mut() else { return };
        (table.headed, table.single, table.columns) = (true, true, columns);
    }

    /// Reads the row that is held: with those of other columns if it is the only one, and otherwise alone.
    pub(super) fn end_rows(&mut self) {
        let Some(table) = self.page.tables.last_mut() else { return };
        let (first, held) = (table.first.take(), table.held.take());
        if let Some(first) = first {
            self.record(&first, held.unwrap_or_default());
        } else if let Some(mut record) = held {
            record.mark_from_afar(self.page.labels.around());
            record.emit("html", self.scope);
        }
    }

    /// Passes on a row under the names of its columns.
    fn record(&mut self, row: &[Cell], mut record: CandidateRecord) {
        let Some(table) = self.page.tables.last_mut() else { return };
        table.columns.read_row(cells(row), &mut record, self.scope);
        record.mark_from_afar(self.page.labels.around());
        record.emit("html", self.scope);
    }
}

/// The cells of a row; one that spans several columns is the value of the first.
fn cells(row: &[Cell]) -> impl Iterator<Item = &str> {
    row.iter().flat_map(|cell| std::iter::once(cell.as_ref()).chain((1..cell.span).map(|_| "")))
}

/// Whether a cell holds a label and its value.
fn has_value(text: &str) -> bool {
    let parts = text.split_once([':', '：']);
    parts.is_some_and(|(label, value)| !label.trim().is_empty() && !value.trim().is_empty())
}

/// Reads a row whose cells name their columns; false if they do not.
fn named_row(row: &[Cell], around: Marks, scope: &mut Scope<'_>) -> bool {
    if row.iter().filter(|cell| cell.column.is_some()).count() < 2 {
        return false;
    }
    let mut columns = TableColumns::default();
    for cell in row {
        columns.push_heading(cell.column.as_deref().unwrap_or(""), scope.rules);
    }
    if columns.known() < 2 {
        return false;
    }
    let mut record = CandidateRecord::default();
    columns.read_row(row, &mut record, scope);
    record.mark_from_afar(around);
    record.emit("html", scope);
    true
}
