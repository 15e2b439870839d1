//! Lines and tables of a document that is laid out for reading (PDF, word processing, spreadsheets):
//! labelled values, and rows under the names of their columns.

use super::labels::{Labels, key};
use super::record::{CandidateRecord, Marks, Meaning};
use crate::content::Scope;

/// Columns looked at.
pub const MAX_COLUMNS: usize = 256;

/// Collects the records of one document.
pub struct Sheet {
    content: &'static str,
    labels: Labels,
    /// The columns of the table, once they have been named.
    table: Option<Table>,
}

struct Table {
    columns: Vec<Option<Meaning>>,
    /// What the names of the columns say of every row.
    marks: Marks,
}

impl Sheet {
    /// For a document of this format.
    pub fn new(content: &'static str) -> Self {
        Self { content, labels: Labels::new(content), table: None }
    }

    /// What the document's name says of it.
    pub fn mark(&mut self, marks: Marks) {
        self.labels.mark(marks);
    }

    /// A line of text outside tables.
    pub fn line(&mut self, line: &str, scope: &mut Scope<'_>) {
        self.labels.line(line, scope);
    }

    /// A value under a name.
    pub fn pair(&mut self, name: &str, value: &str, scope: &mut Scope<'_>) {
        self.labels.pair(name, value, scope);
    }

    /// A row of a table, or cells beside each other. True if it named the columns of those below.
    pub fn row(&mut self, row: &[impl AsRef<str>], scope: &mut Scope<'_>) -> bool {
        let row = row.get(..MAX_COLUMNS).unwrap_or(row);
        if self.names(row, scope) {
            return true;
        }
        let Some(table) = &self.table else {
            // Labels beside their values.
            self.labels.cells(row, scope);
            return false;
        };
        let mut record = CandidateRecord::default();
        record.mark(table.marks);
        for (meaning, cell) in table.columns.iter().zip(row) {
            if let Some(meaning) = meaning {
                record.add(meaning, 0, cell.as_ref());
            }
        }
        record.mark_from_afar(self.labels.around());
        record.emit(self.content, scope);
        false
    }

    /// How many cells of a row are names of fields.
    pub fn known(row: &[impl AsRef<str>], scope: &Scope<'_>) -> usize {
        let row = row.iter().take(MAX_COLUMNS);
        row.filter(|cell| key(label(cell.as_ref()), scope.rules).is_some()).count()
    }

    /// Whether a row names the columns of those below: several cells are names of fields, and most of them. In a
    /// row of labels beside their values every other cell is one.
    pub fn names(&mut self, row: &[impl AsRef<str>], scope: &Scope<'_>) -> bool {
        let keys = &scope.rules.keys;
        let row = row.get(..MAX_COLUMNS).unwrap_or(row);
        let columns: Vec<Option<Meaning>> = row
            .iter()
            .map(|cell| key(label(cell.as_ref()), scope.rules).map(Meaning::from))
            .collect();
        let known = columns.iter().flatten().count();
        let filled = row.iter().filter(|cell| !cell.as_ref().trim().is_empty()).count();
        if known < 2 || known * 2 < filled {
            return false;
        }
        let values = columns.iter().skip(1).step_by(2).flatten().count();
        if values == 0 && known * 2 == filled {
            return false;
        }
        let marks = row.iter().filter_map(|cell| keys.context(label(cell.as_ref())));
        let marks = marks.map(Marks::about).fold(Marks::default(), Marks::and);
        self.table = Some(Table { columns, marks });
        true
    }

    /// Whether rows are below named columns.
    pub fn in_table(&self) -> bool {
        self.table.is_some()
    }

    /// What follows does not belong to what came before.
    pub fn lose(&mut self) {
        self.labels.forget();
    }

    /// The table ends here.
    pub fn end_table(&mut self) {
        self.table = None;
        self.labels.forget();
    }

    /// The document ends, or what is about one person does.
    pub fn end(&mut self, scope: &mut Scope<'_>) {
        self.end_table();
        self.labels.emit(scope);
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let columns = self.table.as_ref().map_or(0, |t| t.columns.capacity());
        self.labels.memory() + columns * size_of::<Option<Meaning>>()
    }
}

/// A heading without its surroundings.
fn label(cell: &str) -> &str {
    cell.trim().trim_end_matches([':', '*', '.', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::with_scope;

    /// The records of rows, whose cells are apart by bars.
    fn rows(rows_: &[&str]) -> Vec<String> {
        with_scope(|scope| {
            let mut sheet = Sheet::new("sheet");
            for row in rows_ {
                let cells: Vec<&str> = row.split('|').collect();
                sheet.row(&cells, scope);
            }
            sheet.end(scope);
        })
    }

    #[test]
    fn columns_and_labels() {
        let jane = " name=Jane Roe patient_id=77 birth_date=1970-01-01";
        let row = format!("test:~sheet [PatientContext]{jane}");
        assert_eq!(rows(&["Ward list", "Name:|MRN|Ward|DOB", "Jane Roe|77|3|1970-01-01"]), [&*row]);
        // Labels beside their values are no heading.
        assert_eq!(rows(&["Name|Jane Roe|MRN:|77", "DOB|1970-01-01"]), [&*row]);
        assert_eq!(rows(&["Patient name|Jane Roe", "MRN: 77|DOB: 1970-01-01"]), [&*row]);
    }

    #[test]
    fn tables_of_things_and_of_fields_name_nobody() {
        assert_eq!(rows(&["order_no|sku|name|phone", "1|2|Lamp|555123"]), [""; 0]);
        assert_eq!(rows(&["Field|Name", "PID-5|Patient Name", "PID-7|Date of Birth"]), [""; 0]);
    }
}
