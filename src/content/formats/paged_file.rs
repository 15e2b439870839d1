//! Files with random access (sectors, pages): they are kept until their end.

use crate::content::extract::record::Marks;
use crate::content::stack::media;
use crate::content::{Document, Ending, Media, Reason, Scope, Want};
use zeroize::Zeroizing;

/// Longest file that is kept, bytes. A longer one is read as far as its parts are available.
pub(in crate::content::formats) const MAX_FILE: usize = 32 << 20;

/// Reads a file; `Marks`: what its path shows. False if it is not of the format.
type Read = fn(&[u8], Marks, &mut Scope<'_>) -> bool;

/// A file that is read at its end.
pub(in crate::content::formats) struct PagedFile {
    held: Zeroizing<Vec<u8>>,
    path: Option<Box<str>>,
    read: Read,
}

impl PagedFile {
    /// A file declared as `media`.
    pub fn new(media: &Media<'_>, read: Read) -> Self {
        Self { held: Zeroizing::default(), path: media::path(media), read }
    }
}

impl Document for PagedFile {
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
        // Missing parts are empty; the others are in their places.
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
        if !(self.read)(&data, marks, scope) {
            scope.give_up(Reason::Malformed);
        }
    }

    fn memory(&self) -> usize {
        self.held.capacity()
    }
}
