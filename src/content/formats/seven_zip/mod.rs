//! 7z archives (7zFormat.txt of the LZMA SDK): each file in one is a payload of its own.
//!
//! What is in an archive is written at its end, and often packed itself: so an archive is kept until its end.

mod header;
#[cfg(test)]
mod tests;
mod unpack;

use crate::content::extract::record::Marks;
use crate::content::formats::paged_file::PagedFile;
use crate::content::stack::LARGE_DECODER;
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Reason, Scope, Want};
use crate::protocol::bomb::is_bomb;
use header::{Folder, Header};
use std::io::Read;
use unpack::Work;

/// Longest header that is itself packed, bytes.
const MAX_HEADER: u64 = 4 << 20;
/// Headers that are packed in one another.
const MAX_PACKED_HEADERS: usize = 4;
/// What is unpacked at a time, bytes; lies on the stack.
const PIECE: usize = 16 << 10;

/// A 7z archive.
pub struct SevenZip;

impl Format for SevenZip {
    fn name(&self) -> &'static str {
        "7z"
    }

    fn first(&self) -> &'static [u8] {
        b"7"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        head.starts_with(header::MAGIC)
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(PagedFile::new(media, read))
    }
}

/// Reads an archive. False if it has no header that can be read.
fn read(archive: &[u8], _path: Marks, scope: &mut Scope<'_>) -> bool {
    let Some(header) = header::end_header(archive) else { return false };
    if header.is_empty() {
        // An archive without files.
        return true;
    }
    let mut output = Output { taken: archive.len() as u64, given: 0 };
    if let Err(reason) = output.header(header, archive, MAX_PACKED_HEADERS, scope) {
        if reason == Reason::Malformed {
            return false;
        }
        scope.give_up(reason);
    }
    true
}

/// What unpacks a folder, as far as `work` goes.
fn open<'a>(
    folder: &Folder<'a>,
    work: &'a Work,
    scope: &mut Scope<'_>,
) -> Result<Box<dyn Read + 'a>, Reason> {
    if scope.spend(4 * LARGE_DECODER) { unpack::unpack(folder, work) } else { Err(Reason::Budget) }
}

/// Reads the next bytes, at least one, and pays for what all methods of the folder did for them.
fn paid(
    work: &Work,
    scope: &mut Scope<'_>,
    read: impl FnOnce() -> std::io::Result<usize>,
) -> Result<usize, Reason> {
    let allowed = scope.work_left();
    work.allow(allowed);
    let made = read();
    let left = work.left();
    if !scope.spend(allowed - left) || left == 0 {
        return Err(Reason::Budget);
    }
    made.ok().filter(|made| *made > 0).ok_or(Reason::Malformed)
}

/// What one archive unpacks to.
struct Output {
    /// Bytes of the archive.
    taken: u64,
    /// Bytes that came out of it.
    given: u64,
}

impl Output {
    /// Reads what a header describes, which may be another header, `depth` times.
    fn header(
        &mut self,
        header: &[u8],
        archive: &[u8],
        depth: usize,
        scope: &mut Scope<'_>,
    ) -> Result<(), Reason> {
        match header::parse(header, archive)? {
            Header::Plain(streams) => {
                let mut names = streams.names.iter();
                for folder in &streams.folders {
                    let files: Vec<(&str, u64)> = folder
                        .files
                        .iter()
                        .map(|size| (names.next().map_or("", |n| n), *size))
                        .collect();
                    match self.folder(folder, &files, scope) {
                        Ok(()) => {}
                        // The others may be packed by other methods.
                        Err(reason @ (Reason::Unsupported | Reason::Malformed)) => {
                            scope.give_up(reason)
                        }
                        Err(reason) => return Err(reason),
                    }
                }
                Ok(())
            }
            Header::Packed(folder) => {
                let len = folder.methods.last().map_or(0, |last| last.unpacked);
                let depth = depth.checked_sub(1).ok_or(Reason::Limit)?;
                if len > MAX_HEADER {
                    return Err(Reason::Limit);
                }
                let work = Work::default();
                let mut reader = open(&folder, &work, scope)?;
                let mut header = Vec::new();
                let mut piece = [0; PIECE];
                while (header.len() as u64) < len {
                    let left = usize::try_from(len).unwrap_or(usize::MAX) - header.len();
                    let room = piece.get_mut(..left.min(PIECE)).unwrap_or_default();
                    let made = paid(&work, scope, || reader.read(room))?;
                    header.extend_from_slice(piece.get(..made).unwrap_or_default());
                }
                drop(reader);
                // It is read, too.
                if !scope.spend(len) {
                    return Err(Reason::Budget);
                }
                self.header(&header, archive, depth, scope)
            }
        }
    }

    /// Reads the files of a folder, by name and size.
    fn folder(
        &mut self,
        folder: &Folder<'_>,
        files: &[(&str, u64)],
        scope: &mut Scope<'_>,
    ) -> Result<(), Reason> {
        if files.is_empty() {
            return Ok(());
        }
        let work = Work::default();
        let mut reader = open(folder, &work, scope)?;
        for (name, size) in files {
            let mut member = Nested::new(&Media::Type { content_type: "", name });
            let read = self.file((&mut reader, &work), *size, &mut member, scope);
            member.end(Ending::complete_if(read.is_ok()), scope);
            read?;
        }
        Ok(())
    }

    fn file(
        &mut self,
        (reader, work): (&mut dyn Read, &Work),
        size: u64,
        member: &mut Nested,
        scope: &mut Scope<'_>,
    ) -> Result<(), Reason> {
        let mut piece = [0; PIECE];
        let (mut left, mut skip) = (size, 0);
        while left > 0 {
            let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let room = piece.get_mut(..most).unwrap_or_default();
            let made = paid(work, scope, || reader.read(room))?;
            left -= made as u64;
            self.given += made as u64;
            if is_bomb(self.taken, self.given) {
                return Err(Reason::Limit);
            }
            let hidden = (made as u64).min(skip);
            skip -= hidden;
            scope.skipped(hidden);
            let mine = piece.get(hidden as usize..made).unwrap_or_default();
            if !mine.is_empty() {
                let Want { skip: unwanted } = scope.unpacked(|scope| member.data(mine, scope));
                skip = unwanted;
            }
        }
        Ok(())
    }
}
