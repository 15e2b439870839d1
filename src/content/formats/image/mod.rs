//! Images, by the text beside their pixels: comments, EXIF, IPTC and XMP of JPEG, PNG, TIFF and WebP. Viewers copy
//! values of the DICOM header into it. The pixels are skipped.

mod exif;
mod iptc;
mod jpeg;
mod png;
mod tiff;
mod xmp;

use crate::content::extract::labels::Labels;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use crate::syntax::Match;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Longest block of text or metadata that is read, bytes; a JPEG segment is no longer.
const MAX_BLOCK: usize = 64 << 10;

/// Blocks read per image.
const MAX_BLOCKS: usize = 64;

/// Lines read per text.
const MAX_LINES: usize = 200;

/// Shortest text that may be a document itself.
const MIN_DOCUMENT: usize = 16;

/// JPEG, PNG, TIFF, WebP.
pub struct Image;

impl Format for Image {
    fn name(&self) -> &'static str {
        "image"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        Kind::of(head).is_some()
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(ImageDocument {
            reader: None,
            head: Vec::new(),
            words: Words { labels: Labels::new("image"), blocks: 0 },
            path: media::path(media),
        })
    }
}

/// The format, by the first bytes.
enum Kind {
    Jpeg,
    Png,
    Tiff,
    Webp,
}

impl Kind {
    /// Bytes needed to decide.
    const LEN: usize = 12;

    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Self::Png),
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(Self::Tiff),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            _ => None,
        }
    }
}

enum Reader {
    /// Consecutive blocks.
    Blocks(Blocks),
    Tiff(tiff::Tiff),
}

struct ImageDocument {
    reader: Option<Reader>,
    head: Vec<u8>,
    words: Words,
    path: Option<Box<str>>,
}

impl Document for ImageDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.words.labels.mark(media::about(&path, scope));
        }
        let joined;
        let mut bytes = bytes;
        if self.reader.is_none() {
            self.head.extend_from_slice(bytes);
            if self.head.len() < Kind::LEN {
                return Want::ALL;
            }
            joined = std::mem::take(&mut self.head);
            bytes = &joined;
            let (reader, used) = match Kind::of(bytes) {
                Some(Kind::Jpeg) => (Reader::Blocks(Blocks::new(jpeg::block)), 2),
                Some(Kind::Png) => (Reader::Blocks(Blocks::new(png::chunk)), 8),
                Some(Kind::Webp) => (Reader::Blocks(Blocks::new(png::riff)), 12),
                Some(Kind::Tiff) => (Reader::Tiff(tiff::Tiff::default()), 0),
                None => return Want::NOTHING,
            };
            self.reader = Some(reader);
            bytes = bytes.get(used..).unwrap_or_default();
        }
        match &mut self.reader {
            Some(Reader::Blocks(blocks)) => blocks.data(bytes, &mut self.words, scope),
            Some(Reader::Tiff(tiff)) => tiff.data(bytes),
            None => Want::NOTHING,
        }
    }

    fn gap(&mut self, _len: u64, _scope: &mut Scope<'_>) -> Want {
        // The position of the next block is unknown.
        Want::NOTHING
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        if let Some(Reader::Tiff(tiff)) = &self.reader {
            tiff.read(&mut self.words, scope);
        }
        self.words.labels.emit(scope);
    }

    fn memory(&self) -> usize {
        let reader = match &self.reader {
            Some(Reader::Blocks(blocks)) => blocks.held.capacity(),
            Some(Reader::Tiff(tiff)) => tiff.memory(),
            None => 0,
        };
        reader + self.head.capacity() + self.words.labels.memory()
    }
}

/// The block at the front of the bytes.
struct Block {
    /// Length of its header.
    header: usize,
    /// Length of the data behind the header.
    len: usize,
    /// It contains text.
    wanted: bool,
}

/// Recognises the block that begins here, or reads a complete one; no match if nothing that follows is read.
type Layout = fn(&[u8], Option<(&mut Words, &mut Scope<'_>)>) -> Match<Block>;

/// An image made of blocks with lengths.
struct Blocks {
    layout: Layout,
    held: Zeroizing<Vec<u8>>,
    /// Length of the buffered block.
    need: usize,
}

impl Blocks {
    fn new(layout: Layout) -> Self {
        Self { layout, held: Zeroizing::default(), need: 0 }
    }

    fn data(&mut self, bytes: &[u8], words: &mut Words, scope: &mut Scope<'_>) -> Want {
        let joined;
        let mut rest = bytes;
        if !self.held.is_empty() {
            self.held.extend_from_slice(bytes);
            if self.held.len() < self.need {
                return Want::ALL;
            }
            joined = std::mem::take(&mut self.held);
            rest = &joined;
        }
        loop {
            match (self.layout)(rest, None) {
                Match::No => return Want::NOTHING,
                Match::More => {
                    self.need = 0;
                    self.held.extend_from_slice(rest);
                    return Want::ALL;
                }
                Match::Yes(Block { header, len, wanted }) => {
                    let whole = header.saturating_add(len);
                    if wanted && len <= MAX_BLOCK && words.blocks < MAX_BLOCKS {
                        let Some(block) = rest.get(..whole) else {
                            self.need = whole;
                            self.held.extend_from_slice(rest);
                            return Want::ALL;
                        };
                        words.blocks += 1;
                        (self.layout)(block, Some((words, scope)));
                    } else if rest.len() < whole {
                        scope.skipped(len as u64);
                        return Want { skip: (whole - rest.len()) as u64 };
                    }
                    rest = rest.get(whole..).unwrap_or_default();
                }
            }
        }
    }
}

/// Receives the texts of an image.
struct Words {
    labels: Labels,
    blocks: usize,
}

impl Words {
    /// Running text: a description, a comment.
    fn text(&mut self, text: &str, scope: &mut Scope<'_>) {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        if text.len() >= MIN_DOCUMENT && text.starts_with(['{', '[']) {
            scope.whole(&Media::Unknown, text.as_bytes());
            return;
        }
        for line in text.split(['\n', '\r', '\0']).take(MAX_LINES) {
            self.labels.line(line, scope);
        }
        self.labels.forget();
    }

    /// A text under a name.
    fn named(&mut self, name: &str, text: &str, scope: &mut Scope<'_>) {
        if scope.rules().keys.get(name).is_some() || scope.rules().keys.context(name).is_some() {
            self.labels.pair(name, text, scope);
        } else {
            self.text(text, scope);
        }
    }
}

/// Text without a declared character set.
fn to_text(bytes: &[u8]) -> Cow<'_, str> {
    crate::content::stack::charset::text(bytes, None)
}

#[cfg(test)]
mod tests;
