//! PDF (ISO 32000): the text of the pages in reading order, the values of form fields under their
//! names, and attached files. Text goes on as `text/plain`.
//!
//! A document is kept until its end, as pages refer to objects before and behind them, but for its
//! images, which are passed over as they come.

mod cmap;
mod encoding;
mod file;
mod filters;
mod font;
mod images;
mod layout;
mod object;
mod pages;
mod text;

use super::{Document, Format, Media, Nested, Reason, Scope, Want};
use file::File;
use images::Images;
use object::Fuel;
use zeroize::Zeroizing;

/// Longest document without its images, bytes.
pub const MAX_DOCUMENT: usize = 16 << 20;

/// Work that one document may cause, in bytes read, decoded and run.
pub const MAX_WORK: u64 = 96 << 20;

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
        match memchr::memmem::find(head, b"%PDF-") {
            Some(0) => true,
            Some(at) => matches!(head.get(at - 1), Some(b'\r' | b'\n' | 0 | 0xbf | b' ')),
            None => false,
        }
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
    let fuel = Fuel::new(MAX_WORK);
    let file = File::new(data, &fuel);
    if file.encrypted {
        scope.give_up(Reason::Encrypted);
        return;
    }
    let media = Media::Type { content_type: "text/plain; charset=utf-8", name: "" };
    let mut text = Nested::new(&media);
    let mut limited = write_text(&file, complete, &mut |piece| {
        piece.is_empty() || text.data(piece.as_bytes(), scope) != Want::NOTHING
    });
    text.end(complete && !limited, scope);
    pages::attachments(&file, |content_type, bytes| {
        scope.whole(&Media::Type { content_type, name: "" }, bytes);
    });
    limited |= file.limited || fuel.is_empty();
    if limited {
        scope.give_up(Reason::Limit);
    }
}

/// Gives the text of a document to `give`, which tells whether it wants more; whether a limit cut
/// it short.
fn write_text(file: &File<'_>, complete: bool, give: &mut dyn FnMut(&str) -> bool) -> bool {
    let mut form = Zeroizing::new(String::new());
    pages::fields(file, &mut form);
    if !give(&form) {
        return false;
    }
    let mut interpreter = text::Interpreter::new(file, MAX_TEXT);
    let mut used = Default::default();
    let pages = pages::pages(file);
    for page in &pages {
        let Some((content, resources)) = page.content(file, &mut used) else { continue };
        let content = Zeroizing::new(content);
        let mut shown = interpreter.page(&content, &resources);
        page.notes(file, &mut shown);
        if !give(&shown) {
            return false;
        }
        if interpreter.limited {
            return true;
        }
    }
    if pages.is_empty() || !complete {
        for (content, resources) in pages::orphans(file, &used) {
            give(&interpreter.page(&content, &resources));
        }
    }
    interpreter.limited
}

#[cfg(test)]
mod tests;
