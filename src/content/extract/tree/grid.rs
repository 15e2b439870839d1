//! Tables inside documents: names of columns first, then rows of cells without names. InfluxDB,
//! Elasticsearch SQL, Trino, pandas (`split`), Google's visualisation format and BigQuery write them,
//! each with other keys around.

use crate::content::Scope;
use crate::content::extract::record::{CandidateRecord, Marks};
use crate::content::extract::table::{MAX_COLUMNS, TableColumns};
use crate::rules::RuleSet;
use zeroize::Zeroizing;

/// Rows kept until the names of their columns come, and bytes of them.
const MAX_WAITING: usize = 1024;
const MAX_WAITING_BYTES: usize = 128 << 10;

/// Tables that are open at the same time.
const MAX_TABLES: usize = 8;

/// What an object or array is to a table.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Role {
    /// Nothing.
    #[default]
    Plain,
    /// The names of the columns.
    Header,
    /// What is said of one column; its name is in there.
    Column,
    /// A row.
    Row,
    /// A cell that is wrapped in an object.
    Cell,
}

/// Keys that hold the names of columns.
pub(super) fn is_header(key: &str) -> bool {
    const NAMES: [&str; 12] = [
        "columns",
        "cols",
        "column_names",
        "columnNames",
        "fields",
        "headers",
        "header",
        "schema",
        "meta",
        "fieldNames",
        "field_names",
        "titles",
    ];
    NAMES.contains(&key)
}

/// Keys that hold the name of one column.
pub(super) fn is_column(key: &str) -> bool {
    matches!(
        key,
        "name"
            | "label"
            | "field"
            | "title"
            | "column"
            | "columnName"
            | "displayName"
            | "caption"
            | "key"
    )
}

/// Keys that hold a row's cells, once there are columns.
pub(super) fn is_row(key: &str) -> bool {
    matches!(key, "c" | "f" | "cells" | "row")
}

/// Keys that hold the only row, or all rows, once there are columns.
pub(super) fn is_list(key: &str) -> bool {
    matches!(key, "values" | "data" | "record" | "tuple")
}

/// Keys that hold a cell's value.
pub(super) fn is_cell(key: &str) -> bool {
    matches!(key, "v" | "value")
}

/// The tables of a document.
#[derive(Default)]
pub(super) struct Grid {
    tables: Vec<Table>,
    /// The cells of the row, or the names of the columns, so far.
    row: Vec<Zeroizing<String>>,
    /// Rows that came before the names of their columns (members of an object have no order, RFC 8259 4).
    waiting: Waiting,
}

#[derive(Default)]
struct Waiting {
    /// How many objects and arrays were open around each row.
    depth: usize,
    rows: std::collections::VecDeque<Vec<Zeroizing<String>>>,
    bytes: usize,
}

struct Table {
    /// How many objects and arrays were open around the names.
    depth: usize,
    columns: TableColumns,
}

impl Grid {
    pub(super) fn memory(&self) -> usize {
        let columns = self.tables.iter().map(|t| t.columns.memory()).sum::<usize>();
        columns + self.row.iter().map(|c| 24 + c.capacity()).sum::<usize>() + self.waiting.bytes
    }

    /// Whether the names of columns are known here.
    pub(super) const fn is_known(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Whether no cell of the row has come.
    pub(super) const fn is_blank(&self) -> bool {
        self.row.is_empty()
    }

    /// Whether the row has a cell for each column.
    pub(super) fn is_filled(&self) -> bool {
        self.tables.last().is_some_and(|table| table.columns.count() == self.row.len())
    }

    /// Whether rows wait for the names of their columns.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.rows.is_empty()
    }

    /// Whether a row with `depth` objects and arrays around it would wait with others.
    pub(super) fn waits_at(&self, depth: usize) -> bool {
        self.is_waiting() && self.waiting.depth == depth && self.waiting.rows.len() < MAX_WAITING
    }

    /// Keeps `row` until the names of its columns come, if it may be one of a table of people: it holds
    /// words.
    fn keep(&mut self, depth: usize, row: Vec<Zeroizing<String>>) {
        let words = |row: &[Zeroizing<String>]| row.iter().any(|c| c.contains(char::is_alphabetic));
        let bytes: usize = row.iter().map(|c| 24 + c.capacity()).sum();
        let first = self.waiting.rows.is_empty();
        if (!first && self.waiting.depth != depth)
            || row.len() < 2
            || !words(&row)
            || self.waiting.rows.len() >= MAX_WAITING
            || self.waiting.bytes + bytes > MAX_WAITING_BYTES
        {
            return;
        }
        self.waiting.depth = depth;
        self.waiting.bytes += bytes;
        self.waiting.rows.push_back(row);
    }

    /// Takes up the next row that waited for the names that were found last.
    pub(super) fn take_up(&mut self) -> bool {
        if self.tables.last().is_none_or(|table| table.depth + 1 != self.waiting.depth) {
            return false;
        }
        let row = self.waiting.rows.pop_front();
        let found = row.is_some();
        self.row = row.unwrap_or_default();
        if !found {
            self.waiting = Waiting::default();
        }
        found
    }

    /// Whether the next cell of a row is wanted; every cell is, while it may be a name.
    pub(super) fn wants(&self) -> bool {
        self.tables.last().is_none_or(|t| t.columns.is_known(self.row.len()))
    }

    /// The name of the column that was named last.
    pub(super) fn take_last(&mut self) -> Option<Zeroizing<String>> {
        self.row.pop()
    }

    pub(super) fn clear(&mut self) {
        self.row.clear();
    }

    pub(super) fn push(&mut self, cell: &str) {
        if self.row.len() < MAX_COLUMNS {
            self.row.push(Zeroizing::new(cell.to_owned()));
        }
    }

    /// Another name of the column that was named last counts, if that one means nothing (DHIS2 has its own
    /// id of a column first).
    pub(super) fn rename(&mut self, name: &str, rules: &RuleSet) {
        let keys = &rules.keys;
        if let Some(last) = self.row.last_mut()
            && keys.get(bare(last)).is_none()
            && keys.get(bare(name)).is_some()
        {
            *last = Zeroizing::new(name.to_owned());
        }
    }

    /// What was collected names the columns of what follows, if several cells are names of fields
    /// and most are. Otherwise it may be a row, where `may_wait`.
    pub(super) fn name(&mut self, depth: usize, may_wait: bool, rules: &RuleSet) {
        let row = std::mem::take(&mut self.row);
        let keys = &rules.keys;
        let mut columns = TableColumns::default();
        for name in row.iter().map(|cell| bare(cell)) {
            columns.push(keys.get(name), keys.context(name));
        }
        if columns.known() >= 2 && self.tables.len() < MAX_TABLES {
            self.tables.push(Table { depth, columns });
        } else if may_wait {
            self.keep(depth, row);
        }
    }

    /// A row is complete: its cells under the names of their columns.
    pub(super) fn record(
        &mut self,
        around: Marks,
        record: &mut CandidateRecord,
        scope: &mut Scope<'_>,
    ) {
        let row = std::mem::take(&mut self.row);
        let Some(table) = self.tables.last() else { return };
        record.mark(around);
        table.columns.read_row(row.iter().map(|cell| cell.as_str()), record, scope);
    }

    /// Only `depth` objects and arrays are open any more.
    pub(super) fn leave(&mut self, depth: usize) {
        self.tables.retain(|t| t.depth <= depth);
        if self.is_waiting() && self.waiting.depth > depth + 1 {
            self.waiting = Waiting::default();
        }
    }
}

/// The name of a column without that of its table: `p.birth_date`.
fn bare(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name).trim()
}
