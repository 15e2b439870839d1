//! Documents in compound files (MS-CFB): Word, Excel and PowerPoint before 2007, and mail saved by Outlook.
//!
//! A file is kept until its end, as its sectors lie anywhere in it.

mod container;
mod excel;
mod mail;
mod slides;
mod strings;
mod word;

#[cfg(test)]
mod tests;

use crate::content::extract::record::Marks;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use container::{Container, MAGIC};
use zeroize::Zeroizing;

/// Longest file that is kept, bytes. Of a longer one streams are read as far as their sectors are there.
const MAX_FILE: usize = 32 << 20;

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
        Box::new(File { held: Zeroizing::default(), path: media::path(media) })
    }
}

struct File {
    held: Zeroizing<Vec<u8>>,
    path: Option<Box<str>>,
}

impl Document for File {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let room = MAX_FILE.saturating_sub(self.held.len());
        self.held.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if bytes.len() > room {
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        Want::ALL
    }

    fn gap(&mut self, len: u64, _scope: &mut Scope<'_>) -> Want {
        // Sectors that are missing are empty; the others are where they belong.
        let end = usize::try_from(len).ok().and_then(|len| self.held.len().checked_add(len));
        match end.filter(|end| *end <= MAX_FILE) {
            Some(end) => self.held.resize(end, 0),
            None => return Want::NOTHING,
        }
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let data = std::mem::take(&mut self.held);
        let marks = self.path.as_ref().map_or(Marks::default(), |path| media::about(path, scope));
        let Some(container) = Container::new(&data) else {
            scope.give_up(Reason::Malformed);
            return;
        };
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
    }

    fn memory(&self) -> usize {
        self.held.capacity()
    }
}
