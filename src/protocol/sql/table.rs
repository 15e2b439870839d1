//! A result as lines of CSV.

use super::super::content_writer::ContentWriter;
use super::super::{ContentSink, Direction, Ending, Hint, Media};
use super::document::{is_document, pass_on_document};
use super::positional::{self, Names};
use zeroize::Zeroizing;

/// Columns of a result that are read.
pub const MAX_COLUMNS: usize = 512;
/// Bytes of a value that are read, unless it is a document: longer ones are notes and files, and would fill the row.
const MAX_CELL: usize = 8 << 10;
/// Documents in the values of one row that are read.
const MAX_DOCUMENTS: usize = 16;

/// The rows of one result, on their way to the reader of tables.
#[derive(Default)]
pub struct Table {
    /// The names of the columns as a line.
    heading: Vec<u8>,
    /// The label of the character set of names and values, if the protocol declares it.
    charset: Option<&'static str>,
    /// What the rows are about, as the name of a file.
    about: String,
    columns: usize,
    writer: Option<ContentWriter>,
    line: Zeroizing<Vec<u8>>,
    cells: usize,
    /// A value of the row is not empty.
    filled: bool,
    /// The text of a value in binary form.
    text: Zeroizing<Vec<u8>>,
    /// Values of the row that are documents themselves.
    documents: Vec<Zeroizing<Vec<u8>>>,
    /// Names for the values of arrays.
    arrays: Vec<Names>,
    /// A value of this result was a document.
    has_documents: bool,
}

impl Table {
    /// Forgets the columns and ends the rows.
    pub fn reset(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        self.close(ending, sink);
        self.heading.clear();
        self.about.clear();
        self.columns = 0;
    }

    /// The name of the next column.
    pub fn column(&mut self, name: &[u8]) {
        if self.columns < MAX_COLUMNS {
            write_cell(name, self.columns == 0, &mut self.heading);
            self.columns += 1;
        }
    }

    /// The name of the table that the rows are from.
    pub fn set_about(&mut self, table: &[u8]) {
        self.about = super::context(table);
    }

    /// Names for the values of arrays among the values.
    pub fn set_arrays(&mut self, arrays: &[Names]) {
        self.arrays = arrays.to_vec();
    }

    /// What the rows are about, as the name of a file.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The character set of the following rows, as a label (WHATWG Encoding); none to detect it.
    pub const fn set_charset(&mut self, label: Option<&'static str>) {
        self.charset = label;
    }

    /// Number of named columns.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// The next value of the row; an empty one for NULL. A document is read by itself.
    pub fn cell(&mut self, value: &[u8]) {
        let document = is_document(value);
        if document && self.documents.len() < MAX_DOCUMENTS {
            let named = match self.arrays.as_slice() {
                [] => None,
                arrays => positional::named(value, arrays),
            };
            self.documents.push(Zeroizing::new(named.unwrap_or_else(|| value.to_vec())));
            self.has_documents = true;
        }
        if self.cells < self.columns {
            let text: &[u8] = match value {
                _ if document => &[],
                value if value.len() > MAX_CELL && is_binary(value) => &[],
                value => value.get(..MAX_CELL).unwrap_or(value),
            };
            write_cell(text, self.cells == 0, &mut self.line);
            self.filled |= !text.is_empty();
        }
        self.cells += 1;
    }

    /// The next value of the row, as `write` writes it; `None` if it cannot. Nothing is written for NULL.
    pub fn write_cell(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<()> {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let written = write(&mut text);
        if written.is_some() {
            self.cell(&text);
        }
        self.text = text;
        written
    }

    /// Whether further rows are not wanted: their columns mean nothing, and no value was a document.
    pub fn is_done(&self) -> bool {
        !self.has_documents && self.writer.as_ref().is_some_and(ContentWriter::is_done)
    }

    /// Ends the row and passes it on.
    pub fn end_row(&mut self, layer: &'static str, sink: &mut dyn ContentSink) {
        self.write_row(layer, sink);
        for document in self.documents.drain(..) {
            pass_on_document(&document, Direction::ServerToClient, "SELECT", layer, sink);
        }
    }

    fn write_row(&mut self, layer: &'static str, sink: &mut dyn ContentSink) {
        if self.columns == 0 || self.cells == 0 {
            self.line.clear();
            (self.cells, self.filled) = (0, false);
            return;
        }
        self.line.push(b'\n');
        let (heading, about) = (&mut self.heading, &self.about);
        let charset = self.charset.map(|label| format!("text/csv; charset={label}"));
        let writer = self.writer.get_or_insert_with(|| {
            sink.unit("response");
            let content_type = charset.as_deref().unwrap_or("text/csv");
            let media = Media::Type { content_type, name: about };
            let direction = Direction::ServerToClient;
            let hint = Hint { direction, media, operation: "SELECT", codings: &[], layer };
            let mut writer = ContentWriter::open(&hint, sink);
            heading.push(b'\n');
            writer.data(heading, sink);
            heading.pop();
            writer
        });
        // A row of NULLs says nothing, and takes a bit for each of its columns.
        if self.filled {
            writer.data(&self.line, sink);
        }
        self.line.clear();
        (self.cells, self.filled) = (0, false);
    }

    /// Drops an incomplete row.
    pub fn drop_row(&mut self) {
        self.line.clear();
        (self.cells, self.filled) = (0, false);
        self.documents.clear();
    }

    /// Ends the rows; the columns stay for the next result of the same statement.
    pub fn close(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        self.drop_row();
        self.has_documents = false;
        if let Some(writer) = self.writer.take() {
            writer.close(ending, sink);
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let documents = self.documents.iter().map(|d| d.capacity()).sum::<usize>();
        self.heading.capacity() + self.line.capacity() + self.text.capacity() + documents
    }
}

/// Whether a value has control characters near its beginning.
fn is_binary(value: &[u8]) -> bool {
    const HEAD: usize = 256;
    let control = |b: &u8| *b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r');
    value.iter().take(HEAD).any(control)
}

/// Writes a value in quotes, with a comma before it unless it is the first of its line.
pub fn write_cell(value: &[u8], first: bool, line: &mut Vec<u8>) {
    line.extend_from_slice(if first { b"\"" } else { b",\"" });
    for byte in value {
        match byte {
            b'"' => line.extend_from_slice(b"\"\""),
            0 => line.push(b' '),
            _ => line.push(*byte),
        }
    }
    line.push(b'"');
}
