//! SQLite database files (sqlite.org/fileformat2.html): the rows of every table under the names of its columns.
//! Exports, caches and application databases are copied over file shares, mailed and downloaded.
//!
//! A file is kept until its end, as the pages of a table may be anywhere in it.

mod pages;
mod schema;

#[cfg(test)]
mod tests;

use crate::content::extract::record::{CandidateRecord, Marks};
use crate::content::extract::table::TableColumns;
use crate::content::formats::paged_file::PagedFile;
use crate::content::stack::media;
use crate::content::{Document, Extent, Format, Media, Scope};
use pages::{Database, Value};
use schema::Table;
use zeroize::Zeroizing;

/// Tables that are read.
const MAX_TABLES: usize = 1024;
/// Shortest value that may be a document itself, bytes.
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
        Box::new(PagedFile::new(media, open))
    }
}

/// Reads a database.
fn open(data: &[u8], path: Marks, scope: &mut Scope<'_>) -> bool {
    let Some(database) = Database::new(data) else { return false };
    read(&database, path, scope);
    true
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
            // The column that is an alias of the row id is empty in it.
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

/// Reads a value that is a document: resources in JSON, messages, letters.
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
