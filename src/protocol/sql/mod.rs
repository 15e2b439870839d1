//! What the protocols of relational databases share: results as tables, and the values in statements.
//!
//! Rows and values are passed on as CSV (RFC 4180) with the names of the columns as heading, so that one
//! reader, with one set of rules for column names, serves every database.

pub mod catalog;
pub mod document;
pub mod fields;
pub mod positional;
pub mod prepared;
pub mod select;
pub mod statement;
pub mod table;

#[cfg(test)]
mod tests;

pub use catalog::Catalog;
pub use fields::{Fields, is_null};
pub use prepared::{PreparedStatement, PreparedStatements};
pub use statement::{Parameters, Values, is_statement};
pub use table::{Table, write_cell};

use super::content_writer::ContentWriter;
use super::{ContentSink, Direction, Ending, Hint, Media};
use zeroize::Zeroizing;

/// Longest statement that is read, bytes. Database restores insert megabytes of rows at once.
pub const MAX_STATEMENT: usize = 1 << 20;
/// Longest prepared statement that is kept, bytes.
pub const MAX_PREPARED: usize = 16 << 10;
/// The work of each byte of a statement that is read once more, and of each row of values in it.
const REREADING: u64 = 6;
const ROW: u64 = 200;
/// What the name of a column costs beside its bytes: it is looked up among the keys of the rules.
const NAME: usize = 16;

/// Pays for reading a statement once more. False if the budget does not suffice.
pub fn reread(statement: &[u8], sink: &mut dyn ContentSink) -> bool {
    // Rows are counted only if the rest was paid.
    sink.reread(REREADING * statement.len() as u64)
        && sink.reread(ROW * memchr::memchr_iter(b'(', statement).count() as u64)
}

/// The work of reading names of columns once more, whose lengths are `lengths`.
pub fn rereading_names(lengths: impl Iterator<Item = usize>) -> u64 {
    REREADING * lengths.map(|len| (len + NAME) as u64).sum::<u64>()
}
const SECONDS_A_DAY: i64 = 86_400;

/// Writes a day as `YYYY-MM-DD`; nothing for an impossible one. Days count from 1970-01-01.
pub fn write_day(days: i64, text: &mut Vec<u8>) {
    let moment = time::OffsetDateTime::from_unix_timestamp(days.saturating_mul(SECONDS_A_DAY));
    if let Ok(day) = moment {
        let (year, month, day) = (day.year(), u8::from(day.month()), day.day());
        text.extend_from_slice(format!("{year:04}-{month:02}-{day:02}").as_bytes());
    }
}

/// Passes on the values of `statement` that belong to named columns, as one table for each set of columns, and
/// those that are documents. `parameters` are the values of its placeholders; `catalog` knows the columns of
/// tables, and learns those that the statement defines.
pub fn pass_on_values(
    statement: &[u8],
    parameters: &Parameters,
    catalog: &mut Catalog,
    layer: &'static str,
    sink: &mut dyn ContentSink,
) {
    catalog.learn(statement);
    let tables = statement::tables(statement, parameters, catalog);
    let operation = statement::operation(statement);
    let about = if tables.is_empty() { Vec::new() } else { select::table_of(statement) };
    pass_on_tables(&tables, &context(&about), operation, layer, sink);
    for value in statement::documents(statement, parameters) {
        let direction = Direction::ClientToServer;
        document::pass_on_document(&value, direction, operation, layer, sink);
    }
}

/// Passes on the named arguments of a procedure call.
pub fn pass_on_arguments(
    arguments: &[(Vec<u8>, Zeroizing<Vec<u8>>)],
    layer: &'static str,
    sink: &mut dyn ContentSink,
) {
    pass_on_tables(&statement::arguments(arguments), "", "EXEC", layer, sink);
}

/// Passes on the rows of `values`, whose table or type is called `about`.
pub fn pass_on_rows(
    values: Values,
    about: &[u8],
    operation: &str,
    layer: &'static str,
    sink: &mut dyn ContentSink,
) {
    pass_on_tables(&[values], &context(about), operation, layer, sink);
}

/// The words in the name of a table, as readers of tables look for them: `tbl_Patients` for `tblPatients`.
pub fn context(table: &[u8]) -> String {
    let mut words = String::new();
    let mut lower = false;
    for c in String::from_utf8_lossy(table).chars() {
        if lower && c.is_uppercase() {
            words.push('_');
        }
        lower = c.is_lowercase();
        words.push(c);
    }
    words
}

fn pass_on_tables(
    tables: &[Values],
    about: &str,
    operation: &str,
    layer: &'static str,
    sink: &mut dyn ContentSink,
) {
    if tables.is_empty() {
        return;
    }
    sink.unit("request");
    for table in tables {
        let hint = Hint {
            direction: Direction::ClientToServer,
            // A search by a single value has found no one yet.
            media: Media::Type {
                content_type: "text/csv",
                name: if table.columns > 1 { about } else { "" },
            },
            operation,
            codings: &[],
            layer,
        };
        let mut writer = ContentWriter::open(&hint, sink);
        for line in &table.lines {
            writer.data(line, sink);
        }
        writer.close(Ending::Complete, sink);
    }
}
