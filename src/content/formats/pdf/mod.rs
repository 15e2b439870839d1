//! PDF (ISO 32000): the text of the pages in reading order, the values of form fields under their
//! names, and attached files.
//!
//! A document is kept until its end, as pages refer to objects before and behind them, but for its
//! images, which are passed over as they come.

mod cmap;
mod crypt;
mod encoding;
mod file;
mod filters;
mod font;
mod images;
mod layout;
mod object;
mod pages;
mod text;

use crate::content::extract::table::{MAX_COLUMNS, Sheet};
use crate::content::{Document, Format, Media, Reason, Scope, Want};
use file::File;
use images::Images;
use layout::{Cell, Line};
use object::Fuel;
use zeroize::Zeroizing;

/// Longest document without its images, bytes.
pub const MAX_DOCUMENT: usize = 16 << 20;

/// Work that one document may cause, in bytes read, decoded and run.
pub const MAX_WORK: u64 = 64 << 20;

/// What a byte looked at costs of the flow's budget: most are looked at for a token.
const WORK_COST: u64 = 2;

/// Text of one document, bytes.
const MAX_TEXT: usize = 8 << 20;

/// Where `%PDF-` may stand (annex H, implementation note 13).
const MAX_LEAD: usize = 1024;

/// PDF.
pub struct Pdf;

impl Format for Pdf {
    fn name(&self) -> &'static str {
        "pdf"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _whole: bool) -> bool {
        let head = head.get(..MAX_LEAD).unwrap_or(head);
        // In the middle of text it is a word like any other.
        memchr::memmem::find(head, b"%PDF-").is_some_and(|at| {
            let before = head.get(..at).and_then(<[u8]>::last);
            let version = head.get(at + b"%PDF-".len()).is_some_and(u8::is_ascii_digit);
            version && matches!(before, None | Some(b'\r' | b'\n' | 0 | 0xbf))
        })
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(PdfDocument::default())
    }
}

#[derive(Default)]
struct PdfDocument {
    held: Zeroizing<Vec<u8>>,
    images: Images,
    /// Something is missing.
    holed: bool,
    full: bool,
}

impl Document for PdfDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let skip = self.images.take(bytes, &mut self.held, scope);
        if self.held.len() > MAX_DOCUMENT {
            self.full = true;
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        Want { skip }
    }

    fn gap(&mut self, _len: u64, _scope: &mut Scope<'_>) -> Want {
        // Objects are found again behind it.
        self.holed = true;
        Want::ALL
    }

    fn end(&mut self, complete: bool, scope: &mut Scope<'_>) {
        let data = std::mem::take(&mut self.held);
        read(&data, complete && !self.holed && !self.full, scope);
    }

    fn memory(&self) -> usize {
        self.held.capacity()
    }
}

/// Reads a document.
fn read(data: &[u8], complete: bool, scope: &mut Scope<'_>) {
    let work = (scope.work_left() / WORK_COST).min(MAX_WORK);
    let fuel = Fuel::new(work);
    let file = File::new(data, &fuel);
    if file.encrypted {
        scope.give_up(Reason::Encrypted);
        scope.spend((work - fuel.left()) * WORK_COST);
        return;
    }
    let mut reader = Reader { sheet: Sheet::new("pdf"), columns: Vec::new() };
    let limited = write_text(&file, complete, &mut |text| {
        scope.unpacked(|scope| reader.read(text, scope));
    });
    reader.sheet.end(scope);
    scope.spend((work - fuel.left()) * WORK_COST);
    // What is attached is paid out of the same budget.
    let mut paid = fuel.left();
    pages::attachments(&file, |content_type, bytes| {
        scope.spend((paid - fuel.left()) * WORK_COST);
        scope.whole(&Media::Type { content_type, name: "" }, bytes);
        fuel.cap(scope.work_left() / WORK_COST);
        paid = fuel.left();
    });
    scope.spend((paid - fuel.left()) * WORK_COST);
    if fuel.is_empty() && work < MAX_WORK {
        scope.leave(data.len() as u64);
    } else if limited || file.limited || fuel.is_empty() {
        scope.give_up(Reason::Limit);
    }
}

/// Text of a document.
enum Text<'a> {
    /// A line of a page.
    Line(&'a Line),
    /// A form field with its name, or a note.
    Note(&'a str),
}

/// Gives the text of a document to `give`; whether a limit cut it short.
fn write_text(file: &File<'_>, complete: bool, give: &mut dyn FnMut(Text<'_>)) -> bool {
    let mut notes = Zeroizing::new(String::new());
    pages::fields(file, &mut notes);
    pages::about(file, &mut notes);
    notes.lines().for_each(|line| give(Text::Note(line)));
    let mut interpreter = text::Interpreter::new(file, MAX_TEXT);
    let mut used = Default::default();
    let pages = pages::pages(file);
    for page in &pages {
        let Some((content, resources)) = page.content(file, &mut used) else { continue };
        let content = Zeroizing::new(content);
        let lines = interpreter.page(&content, &resources);
        lines.iter().for_each(|line| give(Text::Line(line)));
        notes.clear();
        page.notes(file, &mut notes);
        notes.lines().for_each(|line| give(Text::Note(line)));
        if interpreter.limited {
            return true;
        }
    }
    if pages.is_empty() || !complete {
        for (content, resources) in pages::orphans(file, &used) {
            let lines = interpreter.page(&content, &resources);
            lines.iter().for_each(|line| give(Text::Line(line)));
        }
    }
    interpreter.limited
}

/// Reads lines: as text, or as rows of a table where one has named its columns.
struct Reader {
    sheet: Sheet,
    /// Where each column of the table starts and ends.
    columns: Vec<(f64, f64)>,
}

impl Reader {
    fn read(&mut self, text: Text<'_>, scope: &mut Scope<'_>) {
        let line = match text {
            Text::Line(line) => line,
            Text::Note(note) => return self.sheet.line(note, scope),
        };
        let (cells, pieces) = (line.cells(), line.pieces());
        // Where columns are close together, only what was placed by itself tells them apart.
        let narrow = pieces.len() > cells.len()
            && Sheet::known(&pieces, scope) > Sheet::known(&cells, scope);
        let row = if narrow { &pieces } else { &cells };
        if self.sheet.names(row, scope) {
            let columns = row.iter().take(MAX_COLUMNS).map(|cell| (cell.start, cell.end));
            self.columns = columns.collect();
            return;
        }
        let labelled = cells.iter().any(|cell| has_label(cell.as_ref()));
        if labelled {
            self.sheet.end_table();
        }
        if self.sheet.in_table() {
            let row = self.aligned(&pieces);
            if row.iter().filter(|cell| !cell.is_empty()).count() >= 2 {
                self.sheet.row(&row, scope);
                return;
            }
        }
        if cells.len() >= 2 && !labelled && !self.sheet.in_table() {
            self.sheet.row(&cells, scope);
        } else {
            self.sheet.line(&line.text(), scope);
        }
    }

    /// The cells of a row under the columns they stand under.
    fn aligned(&self, cells: &[Cell]) -> Vec<Zeroizing<String>> {
        let mut row = vec![Zeroizing::new(String::new()); self.columns.len()];
        for cell in cells {
            // How much of the cell is under a column, or how far away it is.
            let under = |&(start, end): &(f64, f64)| cell.end.min(end) - cell.start.max(start);
            let nearest = self
                .columns
                .iter()
                .enumerate()
                .max_by(|(_, a), (_, b)| under(a).total_cmp(&under(b)))
                .and_then(|(at, _)| row.get_mut(at));
            if let Some(column) = nearest {
                if !column.is_empty() {
                    column.push(' ');
                }
                column.push_str(cell.as_ref());
            }
        }
        row
    }
}

/// Whether a word with a colon stands there, which is no time.
fn has_label(cell: &str) -> bool {
    let mut before = ' ';
    cell.chars().any(|c| {
        let label = matches!(c, ':' | '：') && (before.is_alphabetic() || before == ')');
        before = c;
        label
    })
}

#[cfg(test)]
mod tests;
