//! Tables with a column for each person, and the labels in the first column: comparisons, and exports that were turned
//! around.
//!
//! ```text
//! Name           | Roe, Jane  | Penn, Otto
//! Date of birth  | 1970-01-31 | 1951-04-12
//! MRN            | 0077       | 0078
//! ```

use super::labels::key;
use super::record::{CandidateRecord, Marks};
use super::table::{TableColumns, label};
use crate::content::Scope;
use crate::rules::{About, Kind, RuleSet};

/// Rows that are held until it shows what the columns are.
const MAX_UNDECIDED: usize = 6;

/// Rows read of such a table.
const MAX_ROWS: usize = 64;

/// Columns of such a table.
const MAX_COLUMNS: usize = 64;

/// Text held of it, bytes.
const MAX_TEXT: usize = 64 << 10;

/// Rows that began such a table in vain, after which no other is looked at.
const MAX_FAILURES: u32 = 8;

/// Longest date and number, bytes.
const MAX_NUMBER: usize = 40;

/// The first rows of a table, until it shows whether each column is a person, and then all of them.
pub struct PeopleColumns<C> {
    rows: Vec<Vec<C>>,
    text: usize,
    people: bool,
    /// A row with a label that is known is held.
    labelled: bool,
    failures: u32,
}

impl<C> Default for PeopleColumns<C> {
    fn default() -> Self {
        Self { rows: Vec::new(), text: 0, people: false, labelled: false, failures: 0 }
    }
}

impl<C: AsRef<str>> PeopleColumns<C> {
    /// Whether a row may be one of such a table, beside those that are held. Then it is to be held.
    pub fn fits(&self, row: &[impl AsRef<str>], rules: &RuleSet) -> bool {
        let width = self.rows.first().map_or(row.len(), Vec::len);
        let full = match self.people {
            true => self.rows.len() >= MAX_ROWS || self.text >= MAX_TEXT,
            false => self.failures >= MAX_FAILURES,
        };
        if full || row.len() != width || !(3..=MAX_COLUMNS).contains(&width) {
            return false;
        }
        let Some((first, values)) = row.split_first() else { return false };
        let first = label(first.as_ref());
        let known = key(first, rules).is_some();
        // A row of names of columns comes first, if at all.
        if !known && !self.labelled && !self.rows.is_empty() {
            return false;
        }
        let filled = |cell: &&_| !AsRef::<str>::as_ref(*cell).trim().is_empty();
        let named = |cell: &_| key(label(AsRef::<str>::as_ref(cell)), rules).is_some();
        (self.people || values.iter().filter(filled).nth(1).is_some()) && !values.iter().any(named)
    }

    /// Holds a row that fits. False if it is still unknown what the columns are, and no more rows are held for that.
    pub fn hold(&mut self, row: Vec<C>, rules: &RuleSet) -> bool {
        self.text += row.iter().map(|cell| cell.as_ref().len()).sum::<usize>();
        self.labelled |= row.first().is_some_and(|c| key(label(c.as_ref()), rules).is_some());
        self.rows.push(row);
        self.people = self.people || self.are_people(rules);
        self.people || (self.rows.len() < MAX_UNDECIDED && self.text < MAX_TEXT)
    }

    /// Whether the columns have names in one row, and birth dates or numbers in another.
    fn are_people(&self, rules: &RuleSet) -> bool {
        let (mut named, mut identified) = (false, false);
        for row in &self.rows {
            let Some((first, values)) = row.split_first() else { continue };
            let Some(key) = key(label(first.as_ref()), rules) else { continue };
            let values = || values.iter().map(|v| v.as_ref().trim()).filter(|v| !v.is_empty());
            let all = |is: fn(&str) -> bool| values().nth(1).is_some() && values().all(is);
            match key.rule.kind {
                Kind::Name => named |= all(is_name),
                Kind::BirthDate => identified |= all(is_date),
                kind if kind.is_strong_id() || kind == Kind::EncounterId => {
                    identified |= all(is_number);
                }
                _ => {}
            }
        }
        named && identified
    }

    /// The table ends, or a row does not fit: passes on who is in it. The rows that are held, if they are of no
    /// such table.
    pub fn finish(
        &mut self,
        content: &'static str,
        around: Marks,
        scope: &mut Scope<'_>,
    ) -> Vec<Vec<C>> {
        let rows = std::mem::take(&mut self.rows);
        let people = std::mem::take(&mut self.people);
        (self.text, self.labelled) = (0, false);
        if !people {
            self.failures += u32::from(!rows.is_empty());
            return rows;
        }
        let rules = scope.rules;
        let mut columns = TableColumns::default();
        let mut said = Marks::default();
        for row in &rows {
            let Some((first, values)) = row.split_first() else { continue };
            let name = label(first.as_ref());
            columns.push_heading(name, rules);
            // `Patient 1`, `Patient 2`
            let patient = |word: &str| rules.keys.context(word) == Some(About::Patient);
            let mut words = values.iter().flat_map(|value| value.as_ref().split_whitespace());
            if key(name, rules).is_none() && words.any(patient) {
                said = Marks::PATIENT;
            }
        }
        for person in 1..rows.first().map_or(0, Vec::len) {
            let mut record = CandidateRecord::default();
            let cells = rows.iter().map(|row| row.get(person).map_or("", AsRef::as_ref));
            columns.read_row(cells, &mut record, scope);
            record.mark(said);
            record.mark_from_afar(around);
            record.emit(content, scope);
        }
        Vec::new()
    }

    /// Whether no row is held.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Another table begins.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Bytes of heap held, roughly.
    pub const fn memory(&self) -> usize {
        self.text
    }
}

fn is_name(text: &str) -> bool {
    text.contains(char::is_alphabetic) && !text.contains(char::is_numeric)
}

/// Whether a value has the digits of a date.
fn is_date(text: &str) -> bool {
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    (5..=14).contains(&digits) && text.len() <= MAX_NUMBER
}

fn is_number(text: &str) -> bool {
    text.contains(char::is_numeric) && text.len() <= MAX_NUMBER
}
