//! PDF (ISO 32000): the text of the pages in reading order, the values of form fields under their
//! names, and attached files.
//!
//! A document is kept until its end, as pages refer to objects before and behind them, except for its images, which
//! are skipped as they arrive.

mod cmap;
mod crypt;
mod drawn;
pub(in crate::content::formats) mod encoding;
mod file;
pub(in crate::content::formats) mod filters;
pub(in crate::content::formats) mod font;
mod glyphs;
mod images;
mod object;
mod pages;
mod text;

use crate::content::extract::layout::Line;
use crate::content::extract::page::PageReader;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use crate::protocol::encrypted::Encryption;
use file::File;
use images::Images;
use object::Fuel;
use zeroize::Zeroizing;

/// Longest document without its images, bytes.
pub const MAX_DOCUMENT: usize = 16 << 20;

/// Work limit of one document, in bytes read, decoded and run.
pub const MAX_WORK: u64 = 64 << 20;

/// Cost of an examined byte in the flow's budget: most are examined for a token.
const WORK_COST: u64 = 2;

/// Cost of a document, however short it is.
const DOCUMENT: u64 = 4 << 10;

/// Text of one document, bytes.
const MAX_TEXT: usize = 8 << 20;

/// Bytes in which `%PDF-` is allowed (annex H, implementation note 13).
const MAX_LEAD: usize = 1024;

/// PDF.
pub struct Pdf;

impl Format for Pdf {
    fn name(&self) -> &'static str {
        "pdf"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let head = head.get(..MAX_LEAD).unwrap_or(head);
        // In the middle of text it is an ordinary word.
        let begins = |at: &usize| head.get(*at..).is_some_and(|rest| rest.starts_with(b"%PDF-"));
        memchr::memchr_iter(b'%', head).find(begins).is_some_and(|at| {
            let before = head.get(..at).and_then(<[u8]>::last);
            let version = head.get(at + b"%PDF-".len()).is_some_and(u8::is_ascii_digit);
            version && matches!(before, None | Some(b'\r' | b'\n' | 0 | 0xbf))
        })
    }

    fn cost(&self) -> u64 {
        1
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
    has_gap: bool,
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
        self.has_gap = true;
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        let data = std::mem::take(&mut self.held);
        read(&data, ending.and(!self.has_gap && !self.full), scope);
    }

    fn memory(&self) -> usize {
        self.held.capacity()
    }
}

/// Reads a document.
pub(in crate::content::formats) fn read(data: &[u8], ending: Ending, scope: &mut Scope<'_>) {
    if !scope.spend(DOCUMENT) {
        scope.leave(data.len() as u64);
        return;
    }
    let work = (scope.work_left() / WORK_COST).min(MAX_WORK);
    let fuel = Fuel::new(work);
    let file = File::new(data, &fuel);
    if file.encryption == Encryption::Encrypted {
        scope.give_up(Reason::Encrypted);
        scope.spend((work - fuel.left()) * WORK_COST);
        return;
    }
    let mut reader = PageReader::new("pdf");
    let limited = write_text(&file, ending, &mut |text| {
        scope.unpacked(|scope| match text {
            Text::Line(line) => reader.line(line, scope),
            Text::Note(note) => reader.note(note, scope),
        });
    });
    reader.end(scope);
    scope.spend((work - fuel.left()) * WORK_COST);
    // Attached files are paid from the same budget.
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

/// Passes the text of a document to `give`. Returns whether a limit cut it.
fn write_text(file: &File<'_>, ending: Ending, give: &mut dyn FnMut(Text<'_>)) -> bool {
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
    if pages.is_empty() || ending == Ending::Cut {
        for (content, resources) in pages::orphans(file, &used) {
            let lines = interpreter.page(&content, &resources);
            lines.iter().for_each(|line| give(Text::Line(line)));
        }
    }
    interpreter.limited
}

#[cfg(test)]
mod tests;
