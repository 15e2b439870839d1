//! Table-valued parameters (MS-TDS 2.2.5.5.5): rows that a call sends at once. Their columns have no names on the wire;
//! the definition of their type has them, or the statement that inserts the rows.

use super::super::sql::{
    self, Catalog, Fields, Values, document, statement, table::MAX_COLUMNS, write_cell,
};
use super::super::{ContentSink, Direction};
use super::values::Kind;
use zeroize::Zeroizing;

/// The type of a parameter that is a table.
pub const TABLE: u8 = 0xF3;
/// Rows that are kept; further ones are read over.
const MAX_ROWS: usize = 10_000;
/// Documents in the values of one parameter that are read.
const MAX_DOCUMENTS: usize = 64;
/// Flag of a column without values in the rows: the server takes its default.
const DEFAULT: u64 = 0x0200;
/// The type of a column that is always NULL; no client sends it, and its values have no bytes.
const NULL: u8 = 0x1F;
/// Tokens before the rows: the order of rows, and the order of columns.
const ORDER_UNIQUE: u64 = 0x10;
const COLUMN_ORDERING: u64 = 0x11;

/// The rows of one parameter.
#[derive(Default)]
pub struct Rows {
    /// The name of their type, without its schema.
    kind: Vec<u8>,
    /// The columns in the order of the type: whether the rows have values of them.
    columns: Vec<bool>,
    /// Lines of CSV.
    lines: Vec<Zeroizing<Vec<u8>>>,
    documents: Vec<Zeroizing<Vec<u8>>>,
}

impl Rows {
    /// Reads a parameter from its type on. `None` if it is cut or has a type that is not supported.
    pub fn read(fields: &mut Fields<'_>) -> Option<Self> {
        // The type, the database, the schema.
        fields.bytes(1)?;
        fields.text(1)?;
        fields.text(1)?;
        let mut rows = Self { kind: fields.text(1)?, ..Self::default() };
        let count = match fields.number(2)? {
            0xFFFF => 0,
            count => usize::try_from(count).ok().filter(|count| *count <= MAX_COLUMNS)?,
        };
        let mut kinds = Vec::new();
        for _ in 0..count {
            // User type.
            fields.bytes(4)?;
            let flags = fields.number(2)?;
            if fields.0.first() == Some(&NULL) {
                return None;
            }
            let kind = Kind::read(fields)?;
            // Its name, always empty.
            fields.text(1)?;
            let has_values = flags & DEFAULT == 0;
            rows.columns.push(has_values);
            if has_values {
                kinds.push(kind);
            }
        }
        loop {
            let width = match fields.number(1)? {
                0 => break,
                ORDER_UNIQUE => 3,
                COLUMN_ORDERING => 2,
                _ => return None,
            };
            let count = usize::try_from(fields.number(2)?).ok()?;
            fields.bytes(count.checked_mul(width)?)?;
        }
        loop {
            match fields.number(1)? {
                0 => return Some(rows),
                1 => rows.row(&kinds, fields)?,
                _ => return None,
            }
        }
    }

    fn row(&mut self, kinds: &[Kind], fields: &mut Fields<'_>) -> Option<()> {
        let (mut line, mut text) = (Zeroizing::new(Vec::new()), Zeroizing::new(Vec::new()));
        for (at, kind) in kinds.iter().enumerate() {
            text.clear();
            kind.value(fields, &mut text)?;
            let is_document = document::is_document(&text);
            if is_document && self.documents.len() < MAX_DOCUMENTS {
                self.documents.push(text.clone());
            }
            write_cell(if is_document { &[] } else { &text }, at == 0, &mut line);
        }
        if self.lines.len() < MAX_ROWS {
            line.push(b'\n');
            self.lines.push(line);
        }
        Some(())
    }

    /// Passes on the rows, which are the parameter called `name` of `statement`, and the documents in them.
    pub fn pass_on(
        self,
        name: &[u8],
        statement: &[u8],
        catalog: &Catalog,
        sink: &mut dyn ContentSink,
    ) {
        let names = match catalog.columns(&self.kind) {
            Some(columns) => columns.iter().map(|column| column.name.clone()).collect(),
            None => statement::columns_of_rows(statement, name, catalog),
        };
        let operation = match statement {
            [] => "EXEC",
            _ => statement::operation(statement),
        };
        let columns = self.columns.iter().filter(|has_values| **has_values).count();
        // Names of another number of columns belong to another table.
        if names.len() == self.columns.len() && columns > 0 && !self.lines.is_empty() {
            let names = names.iter().zip(&self.columns).filter(|(_, has_values)| **has_values);
            let mut heading = Zeroizing::new(Vec::new());
            names.enumerate().for_each(|(at, (name, _))| write_cell(name, at == 0, &mut heading));
            heading.push(b'\n');
            let lines = std::iter::once(heading).chain(self.lines).collect();
            sql::pass_on_rows(Values { lines, columns }, &self.kind, operation, "tds", sink);
        }
        for text in &self.documents {
            document::pass_on_document(text, Direction::ClientToServer, operation, "tds", sink);
        }
    }
}
