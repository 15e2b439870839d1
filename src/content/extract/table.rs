//! Lines and tables of a document that is laid out for reading (PDF, word processing, spreadsheets):
//! labelled values, and rows under the names of their columns.

use super::embedded;
use super::labels::{Labels, key};
use super::numbers::ListPosition;
use super::people_columns::PeopleColumns;
use super::record::{CandidateRecord, Marks, Meaning};
use crate::content::{Ending, Scope};
use crate::rules::{About, Key, Kind, RuleSet};
use zeroize::Zeroizing;

/// The key whose rule says what a number below the name of a patient is.
const NUMBER: &str = "patient_id";

/// Between the lines of a cell that its page shows below each other (U+2028).
pub const LINE_BREAK: char = '\u{2028}';

/// Work of looking up the name of a column, in units of the flow's budget.
const COLUMN: u64 = 128;

/// Columns looked at.
pub const MAX_COLUMNS: usize = 256;

/// Reads a cell that holds an HL7 v2 message, as tables of interface engines do. False if it holds anything else.
pub fn read_message(cell: &str, scope: &mut Scope<'_>) -> bool {
    if !cell.starts_with("MSH|") {
        return false;
    }
    let Some(mut message) = embedded::message(cell.as_bytes()) else { return false };
    message.data(cell.as_bytes(), scope);
    message.end(Ending::Complete, scope);
    true
}

/// The columns of a table by their names: what the cells below them mean. Pages, sheets, grids in JSON and CSV
/// read their rows with it; each decides for itself which row names the columns.
#[derive(Default)]
pub struct TableColumns {
    columns: Vec<Column>,
    /// What the names say of every row.
    marks: Marks,
}

#[derive(Default)]
struct Column {
    meaning: Option<Meaning>,
    /// What its name says of a row in which it is filled.
    marks: Marks,
    /// Where numbers are looked for, if the name has no meaning.
    place: ListPosition,
    /// It says what kind of animal a row is about.
    species: bool,
}

impl TableColumns {
    /// The columns of these names, as in a file.
    pub fn of_fields(names: impl Iterator<Item = impl AsRef<str>>, scope: &mut Scope<'_>) -> Self {
        let mut columns = Self::default();
        for name in names {
            columns.push_field(name.as_ref(), scope.rules);
            scope.spend(COLUMN);
        }
        columns
    }

    /// The next column, whose name means `key` and says `about` of every row.
    pub fn push(&mut self, key: Option<&Key>, about: Option<About>) {
        let species = about == Some(About::Species);
        self.columns.push(Column { meaning: key.map(Meaning::from), species, ..Column::default() });
        self.marks = self.marks.and(about.map_or(Marks::default(), Marks::about));
    }

    /// The next column, whose name is a heading as people write them.
    pub fn push_heading(&mut self, heading: &str, rules: &RuleSet) {
        let name = label(heading);
        let key = key(name, rules).or_else(|| key(explained(name)?, rules));
        // `Member #` is the number of one.
        let key =
            key.or_else(|| rules.keys.get(&format!("{} number", name.strip_suffix('#')?.trim())));
        self.push(key, rules.keys.context(name));
    }

    /// The next column, named as in a file: what the name says holds where the column is filled, and numbers
    /// are looked for in it if the name has no meaning.
    pub fn push_field(&mut self, name: &str, rules: &RuleSet) {
        let name = name.trim();
        let about = rules.keys.context(name);
        let marks = about.map_or(Marks::default(), Marks::about);
        let named = rules.keys.get(name).or_else(|| rules.keys.get(explained(name)?));
        let meaning = named.map(Meaning::from);
        let place = match meaning {
            Some(_) => ListPosition::default(),
            None => ListPosition::named(name, rules),
        };
        let species = about == Some(About::Species);
        self.columns.push(Column { meaning, marks, place, species });
        // A column that only patients have, or none of them, says so of every row.
        self.marks = self.marks.and(marks.inherited());
    }

    /// The first column holds the numbers of the people in the rows, if these have names and birth dates and no other
    /// number of a patient.
    pub fn number_first(&mut self, rules: &RuleSet) {
        let has = |kind| {
            let is = |column: &Column| column.meaning.as_ref().is_some_and(|m| m.rule.kind == kind);
            self.columns.iter().any(is)
        };
        let people = has(Kind::Name) && has(Kind::BirthDate) && !has(Kind::PatientId);
        if let (true, Some(key), Some(first)) =
            (people, rules.keys.get(NUMBER), self.columns.first_mut())
        {
            first.meaning = Some(Meaning::from(key));
        }
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.columns.len()
    }

    /// How many names have a meaning.
    pub fn known(&self) -> usize {
        self.columns.iter().filter(|column| column.meaning.is_some()).count()
    }

    /// Whether the name of this column has a meaning.
    pub fn is_known(&self, column: usize) -> bool {
        self.columns.get(column).is_some_and(|column| column.meaning.is_some())
    }

    /// Whether these are further columns of whoever is under `others`: all have a meaning, none names
    /// a person, and none is in both.
    pub fn go_on(&self, others: &Self) -> bool {
        let of = |columns: &Self, kind| {
            columns.columns.iter().filter_map(|c| c.meaning.as_ref()).any(|m| m.rule.kind == kind)
        };
        !self.columns.is_empty()
            && self.columns.iter().all(|column| {
                column.meaning.as_ref().is_some_and(|m| {
                    let kind = m.rule.kind;
                    kind != Kind::Name && !kind.is_strong_id() && !of(others, kind)
                })
            })
    }

    /// Adds a row to `record`.
    pub fn read_row(
        &self,
        cells: impl IntoIterator<Item = impl AsRef<str>>,
        record: &mut CandidateRecord,
        scope: &mut Scope<'_>,
    ) {
        record.mark(self.marks);
        for (column, cell) in self.columns.iter().zip(cells) {
            let cell = cell.as_ref().trim();
            if cell.is_empty() {
                continue;
            }
            record.mark(column.marks);
            if column.species {
                record.mark(Marks::of_species(cell, &scope.rules.keys));
            }
            if read_message(cell, scope) {
                continue;
            }
            if let Some(meaning) = &column.meaning {
                match cell.split_once(LINE_BREAK) {
                    Some((first, rest)) if meaning.rule.kind == Kind::Name => {
                        record.add(meaning, 0, first);
                        below(rest, record, scope);
                    }
                    Some(_) => record.add(meaning, 0, &cell.replace(LINE_BREAK, " ")),
                    None => record.add(meaning, 0, cell),
                }
            } else if let Some(meaning) = column.place.meaning(cell, scope) {
                record.add(&meaning, 0, cell);
            }
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.columns.capacity() * size_of::<Column>()
    }
}

/// Adds what the lines below the name in a cell say of the person: `Roe, Jane`, `ID 0077 · DOB 1970-01-31`.
fn below(lines: &str, record: &mut CandidateRecord, scope: &mut Scope<'_>) {
    let mut labels = Labels::collecting();
    for line in lines.split(LINE_BREAK) {
        labels.line(line, scope);
        // Below the name of a patient, `ID` alone is that of the patient.
        let mut words = line.split_whitespace();
        let label = words.next().unwrap_or("").trim_end_matches([':', '#']);
        let number = words.next().filter(|_| label.eq_ignore_ascii_case("id"));
        let number = number.filter(|number| number.contains(|c: char| c.is_ascii_digit()));
        if let (Some(number), Some(key)) = (number, scope.rules.keys.get(NUMBER)) {
            record.add(&Meaning::from(key), 0, number);
        }
    }
    for (meaning, value) in labels.take() {
        if meaning.rule.kind != Kind::Name {
            record.add(&meaning, 0, &value);
        }
    }
}

/// Collects the records of one document.
pub struct Sheet {
    content: &'static str,
    labels: Labels,
    /// The columns of the table, once they have been named.
    table: Option<TableColumns>,
    /// Rows that may have a column for each person.
    people: PeopleColumns<Zeroizing<String>>,
}

impl Sheet {
    /// For a document of this format.
    pub fn new(content: &'static str) -> Self {
        Self {
            content,
            labels: Labels::new(content),
            table: None,
            people: PeopleColumns::default(),
        }
    }

    /// What the document's name says of it.
    pub fn mark(&mut self, marks: Marks) {
        self.labels.mark(marks);
    }

    /// A line of text outside tables.
    pub fn line(&mut self, line: &str, scope: &mut Scope<'_>) {
        self.release(scope);
        self.labels.line(line, scope);
    }

    /// The same, of a line that is not remembered. True if it said nothing, whatever is around it, in a place that
    /// [`Sheet::is_plain`].
    pub fn read_line(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        self.release(scope);
        self.labels.read(line, scope)
    }

    /// Whether what a line says does not depend on those before it.
    pub fn is_plain(&self) -> bool {
        self.table.is_none() && self.people.is_empty() && self.labels.is_plain()
    }

    /// A line that says nothing.
    pub fn pass(&mut self, line: &str) {
        self.labels.note(line);
    }

    /// A value under a name.
    pub fn pair(&mut self, name: &str, value: &str, scope: &mut Scope<'_>) {
        self.release(scope);
        self.labels.pair(name, value, scope);
    }

    /// A row of a table, or cells beside each other. True if it named the columns of those below.
    pub fn row(&mut self, row: &[impl AsRef<str>], scope: &mut Scope<'_>) -> bool {
        let row = row.get(..MAX_COLUMNS).unwrap_or(row);
        let rules = scope.rules;
        let mut fits = self.table.is_none() && self.people.fits(row, rules);
        if !fits && !self.people.is_empty() {
            self.release(scope);
            fits = self.table.is_none() && self.people.fits(row, rules);
        }
        if !fits {
            return self.read(row, scope);
        }
        let held = row.iter().map(|cell| Zeroizing::new(cell.as_ref().to_owned()));
        if !self.people.hold(held.collect(), rules) {
            self.release(scope);
        }
        false
    }

    /// Reads the rows that were held.
    fn release(&mut self, scope: &mut Scope<'_>) {
        if self.people.is_empty() {
            return;
        }
        for row in self.people.finish(self.content, self.labels.around(), scope) {
            self.read(&row, scope);
        }
    }

    fn read(&mut self, row: &[impl AsRef<str>], scope: &mut Scope<'_>) -> bool {
        if self.names(row, scope) {
            return true;
        }
        let Some(table) = &self.table else {
            // Labels beside their values.
            self.labels.cells(row, scope);
            return false;
        };
        let mut record = CandidateRecord::default();
        table.read_row(row, &mut record, scope);
        record.mark_from_afar(self.labels.around());
        record.emit(self.content, scope);
        false
    }

    /// How many cells of a row are names of fields.
    pub fn known(row: &[impl AsRef<str>], scope: &Scope<'_>) -> usize {
        let row = row.iter().take(MAX_COLUMNS);
        let known = |name: &str| {
            key(name, scope.rules).or_else(|| key(explained(name)?, scope.rules)).is_some()
        };
        row.filter(|cell| known(label(cell.as_ref()))).count()
    }

    /// Whether a row names the columns of those below: several cells are names of fields, and most of them. In a
    /// row of labels beside their values every other cell is one.
    pub fn names(&mut self, row: &[impl AsRef<str>], scope: &Scope<'_>) -> bool {
        let row = row.get(..MAX_COLUMNS).unwrap_or(row);
        let mut columns = TableColumns::default();
        row.iter().for_each(|cell| columns.push_heading(cell.as_ref(), scope.rules));
        let known = columns.known();
        let filled = row.iter().filter(|cell| !cell.as_ref().trim().is_empty()).count();
        if known < 2 || known * 2 < filled {
            return false;
        }
        let values = (1..row.len()).step_by(2).any(|column| columns.is_known(column));
        if !values && known * 2 == filled {
            return false;
        }
        self.table = Some(columns);
        true
    }

    /// Whether rows are below named columns.
    pub fn in_table(&self) -> bool {
        self.table.is_some()
    }

    /// What follows does not belong to what came before.
    pub fn lose(&mut self) {
        self.people.clear();
        self.labels.forget();
    }

    /// The table ends here.
    pub fn end_table(&mut self, scope: &mut Scope<'_>) {
        self.release(scope);
        self.people.clear();
        self.table = None;
        self.labels.forget();
    }

    /// The document ends, or what is about one person does.
    pub fn end(&mut self, scope: &mut Scope<'_>) {
        self.end_table(scope);
        self.labels.emit(scope);
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.labels.memory()
            + self.people.memory()
            + self.table.as_ref().map_or(0, TableColumns::memory)
    }
}

/// A heading in front of brackets that say how its values are written: `Birth date (MM/DD/YYYY)`, `Name (Last, First)`.
fn explained(heading: &str) -> Option<&str> {
    const MAX_EXPLANATION: usize = 40;
    let (name, inside) = heading.trim_end().strip_suffix([')', ']'])?.rsplit_once(['(', '['])?;
    let inside = inside.to_lowercase();
    let written = inside.len() <= MAX_EXPLANATION
        && (inside.contains([',', '/', '-', '.'])
            || ["first", "last", "required", "optional", "ddmmyyyy", "yyyymmdd", "as on id"]
                .iter()
                .any(|word| inside.contains(word)));
    (written && !name.trim().is_empty()).then(|| name.trim_end())
}

/// A heading without its surroundings.
pub fn label(cell: &str) -> &str {
    cell.trim().trim_end_matches([':', '*', '.', '▲', '▼', '↑', '↓', ' '])
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
    fn a_column_for_each_person() {
        let found = [
            "test:~sheet [PatientContext] name=Roe, Jane birth_date=1970-01-31 patient_id=0077",
            "test:~sheet [PatientContext] name=Penn, Otto birth_date=1951-04-12 patient_id=0078",
        ];
        let (name, birth, id) =
            ("Name|Roe, Jane|Penn, Otto", "Date of birth:|1970-01-31|1951-04-12", "MRN|0077|0078");
        assert_eq!(rows(&[name, birth, id]), found);
        assert_eq!(rows(&["|Patient 1|Patient 2", name, "Ward|3|4", birth, id]), found);
        assert_eq!(rows(&["Patient|1|2", name, birth, id, "Ward|5B|5B"]), found);
        // Neither labels beside their values nor columns of things.
        assert_eq!(rows(&["Name|Roe, Jane|MRN|0077"]).len(), 1);
        for table in [
            [
                "Feature|Basic|Pro",
                "Name|Starter|Professional",
                "Patient ID|yes|yes",
                "Date of birth|no|yes",
            ],
            [
                "field|Patient A|Patient B",
                "name|string|string",
                "birth_date|date|date",
                "mrn|integer|integer",
            ],
        ] {
            assert_eq!(rows(&table), [""; 0]);
        }
    }

    #[test]
    fn tables_of_things_and_of_fields_have_no_patients() {
        assert_eq!(rows(&["order_no|sku|name|phone", "1|2|Lamp|555123"]), [""; 0]);
        assert_eq!(rows(&["Field|Name", "PID-5|Patient Name", "PID-7|Date of Birth"]), [""; 0]);
    }
}
