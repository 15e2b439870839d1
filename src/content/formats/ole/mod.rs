//! Documents in compound files (MS-CFB): Word, Excel and PowerPoint before 2007, and mail saved by Outlook.
//!
//! A file is kept until its end, as its sectors may be anywhere in it.

mod container;
mod excel;
mod mail;
mod slides;
mod strings;
mod word;

#[cfg(test)]
mod tests;

use crate::content::extract::record::Marks;
use crate::content::formats::paged_file::PagedFile;
use crate::content::{Document, Extent, Format, Media, Scope};
use container::{Container, MAGIC};

/// A compound file.
pub struct Ole;

impl Format for Ole {
    fn name(&self) -> &'static str {
        "ole"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        head.starts_with(MAGIC)
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(PagedFile::new(media, read))
    }
}

/// Reads a compound file by the streams in it.
fn read(data: &[u8], marks: Marks, scope: &mut Scope<'_>) -> bool {
    let Some(container) = Container::new(data) else { return false };
    let has = |name: &str| container.named(0, name).is_some();
    if has("WordDocument") {
        scope.within("doc", |scope| word::read(&container, marks, scope));
    } else if has("Workbook") || has("Book") {
        scope.within("xls", |scope| excel::read(&container, marks, scope));
    } else if has("PowerPoint Document") {
        scope.within("ppt", |scope| slides::read(&container, marks, scope));
    } else if mail::is_mail(&container) {
        scope.within("msg", |scope| mail::read(&container, 0, 0, scope));
    }
    true
}
