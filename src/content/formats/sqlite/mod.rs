//! SQLite database files (sqlite.org/fileformat2.html): the rows of every table under the names of its columns.
//! Exports, caches and databases of applications that are copied over file shares, mailed and fetched.
//!
//! A file is kept until its end, as the pages of a table lie anywhere in it.

mod pages;
mod schema;

#[cfg(test)]
mod tests;

use crate::content::extract::record::{CandidateRecord, Marks};
use crate::content::extract::table::TableColumns;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use pages::{Database, Value};
use schema::Table;
use zeroize::Zeroizing;

/// Longest file that is kept, bytes. Of a longer one the tables are read as far as their pages are there.
const MAX_FILE: usize = 32 << 20;
/// Tables that are read.
const MAX_TABLES: usize = 1024;
/// Shortest value that may be a document of its own, bytes.
const MIN_DOCUMENT: usize = 64;

const MAGIC: &[u8] = b"SQLite format 3\0";

/// SQLite.
pub struct Sqlite;

impl Format for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn first(&self) -> &'static [u8] {
        b"S"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        head.starts_with(MAGIC)
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(File { held: Zeroizing::default(), path: media::path(media), full: false })
    }
}

struct File {
    held: Zeroizing<Vec<u8>>,
    path: Option<Box<str>>,
    full: bool,
}

impl Document for File {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let room = MAX_FILE.saturating_sub(self.held.len());
        self.held.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if bytes.len() > room {
            self.full = true;
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        Want::ALL
    }

    fn gap(&mut self, len: u64, _scope: &mut Scope<'_>) -> Want {
        // Pages that are missing are empty; the others are where they belong.
        let end = usize::try_from(len).ok().and_then(|len| self.held.len().checked_add(len));
        match end.filter(|end| *end <= MAX_FILE) {
            Some(end) => self.held.resize(end, 0),
            None => return Want::NOTHING,
        }
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let data = std::mem::take(&mut self.held);
        let path = self.path.as_ref().map_or(Marks::default(), |path| media::about(path, scope));
        match Database::new(&data) {
            Some(database) => read(&database, path, scope),
            None => scope.give_up(Reason::Malformed),
        }
    }

    fn memory(&self) -> usize {
        self.held.capacity()
    }
}

/// Reads all tables.
fn read(database: &Database<'_>, path: Marks, scope: &mut Scope<'_>) {
    let mut tables = Vec::new();
    let mut seen = database.unseen();
    // type, name, tbl_name, rootpage, sql (2.6).
    database.rows(1, &mut seen, scope, &mut |_, values, _| {
        if let [kind, name, _, Value::Integer(root), sql, ..] = values
            && kind.text() == "table"
            && tables.len() < MAX_TABLES
            && let Ok(root) = u32::try_from(*root)
        {
            tables.extend(Table::new(&name.text(), root, &sql.text()));
        }
    });
    for table in tables {
        let mut columns = TableColumns::default();
        table.columns.iter().for_each(|name| columns.push_field(name, scope.rules));
        let about = path.and(media::about(&table.name, scope));
        database.rows(table.root, &mut seen, scope, &mut |rowid, values, scope| {
            let mut cells: Vec<Zeroizing<String>> =
                values.iter().map(|value| Zeroizing::new(value.text())).collect();
            // The column that stands for the number of the row is empty in it.
            if let Some(cell) = table.rowid.and_then(|at| cells.get_mut(at)) {
                **cell = rowid.to_string();
            }
            let mut record = CandidateRecord::default();
            columns.read_row(cells.iter().map(|cell| cell.as_str()), &mut record, scope);
            record.mark_from_afar(about);
            record.emit("sqlite", scope);
            values.iter().for_each(|value| document(value, scope));
        });
    }
}

/// Reads a value that is a document of its own: resources in JSON, messages, letters.
fn document(value: &Value<'_>, scope: &mut Scope<'_>) {
    let bytes = match value {
        Value::Text(text) => text.as_bytes(),
        Value::Blob(bytes) => bytes,
        Value::Null | Value::Integer(_) | Value::Real(_) => return,
    };
    let begins = matches!(value, Value::Blob(_))
        || matches!(bytes.first(), Some(b'{' | b'[' | b'<'))
        || bytes.starts_with(b"MSH|");
    if begins && bytes.len() >= MIN_DOCUMENT {
        scope.whole(&Media::Unknown, bytes);
    }
}
