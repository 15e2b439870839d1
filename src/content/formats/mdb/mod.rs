//! Databases of Microsoft Access (Jet 3 and 4, ACE: `.mdb`, `.accdb`): the rows of every table under the names of its
//! columns. There is no public standard; the layout is described in the notes of mdbtools (HACKING.md).
//!
//! A file is kept until its end, as the definition of a table may be anywhere in it.

mod pages;
mod row;

#[cfg(test)]
mod tests;

use crate::content::extract::record::{CandidateRecord, Marks};
use crate::content::extract::table::TableColumns;
use crate::content::formats::paged_file::PagedFile;
use crate::content::stack::media;
use crate::content::{Document, Extent, Format, Media, Scope};
use pages::{File, Table};
use std::collections::BTreeMap;

/// Tables that are read.
const MAX_TABLES: usize = 1024;
/// The table of all tables begins here.
const CATALOG: u32 = 2;
/// The type of a table in it.
const USER_TABLE: &str = "1";

/// Access.
pub struct Access;

impl Format for Access {
    fn name(&self) -> &'static str {
        "mdb"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let name = head.strip_prefix(b"\0\x01\0\0Standard ");
        name.is_some_and(|name| name.starts_with(b"Jet DB\0") || name.starts_with(b"ACE DB\0"))
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(PagedFile::new(media, open))
    }
}

/// Reads a database.
fn open(data: &[u8], path: Marks, scope: &mut Scope<'_>) -> bool {
    let Some(file) = File::new(data) else { return false };
    read(&file, path, scope);
    true
}

/// A table with the meanings of its columns.
struct Known {
    table: Table,
    columns: TableColumns,
    about: Marks,
}

/// Reads all rows.
fn read(file: &File<'_>, path: Marks, scope: &mut Scope<'_>) {
    let names = names(file, scope);
    let mut tables: BTreeMap<u32, Option<Known>> = BTreeMap::new();
    for page in file.data_pages() {
        if !tables.contains_key(&page.table) && tables.len() < MAX_TABLES {
            let known = file.table(page.table).filter(|table| !table.is_system).map(|table| {
                let mut columns = TableColumns::default();
                table.columns.iter().for_each(|c| columns.push_field(&c.name, scope.rules));
                let name = names.get(&page.table).map_or("", String::as_str);
                Known { table, columns, about: path.and(media::about(name, scope)) }
            });
            tables.insert(page.table, known);
        }
        let Some(Some(known)) = tables.get(&page.table) else { continue };
        for row in page.rows() {
            // Rows of a page may share their bytes.
            if !scope.spend(row.len() as u64) {
                return;
            }
            let Some(cells) = row::cells(file, &known.table, row) else { continue };
            let mut record = CandidateRecord::default();
            known.columns.read_row(cells.iter().map(|c| c.as_str()), &mut record, scope);
            record.mark_from_afar(known.about);
            record.emit("mdb", scope);
        }
    }
}

/// The names of tables, by the pages of their definitions.
fn names(file: &File<'_>, scope: &mut Scope<'_>) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    let Some(catalog) = file.table(CATALOG) else { return names };
    let place = |name: &str| catalog.columns.iter().position(|column| column.name == name);
    let places = place("Id").zip(place("Name")).zip(place("Type"));
    let Some(((id, name), kind)) = places else { return names };
    for row in file.data_pages().filter(|page| page.table == CATALOG).flat_map(|page| page.rows()) {
        if names.len() >= MAX_TABLES || !scope.spend(row.len() as u64) {
            break;
        }
        let Some(cells) = row::cells(file, &catalog, row) else { continue };
        let cell = |at: usize| cells.get(at).map_or("", |cell| cell.as_str());
        if cell(kind) == USER_TABLE
            && let Ok(page) = cell(id).parse::<u32>()
        {
            names.insert(page & 0x00ff_ffff, cell(name).to_owned());
        }
    }
    names
}
