//! Content codings (RFC 9110 8.4.1): gzip, deflate, brotli, zstd, also as files (`.json.gz`),
//! and the signed chunks of S3.
//!
//! A coding is a document whose one part is what it decodes to. Codings that were applied one after
//! the other nest.

mod chunks;
mod decoder;
mod gzip;
mod lzw;
mod window;

use super::reader::Nested;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use crate::protocol::bomb::is_bomb;
use decoder::{DecodeStep, Decoder};
pub use window::SpareWindow;

/// Codings undone on one content; more are not met outside attacks.
pub const MAX_CODINGS: usize = 4;

/// Registered codings that are not decoded: they are not in use, or need a dictionary.
const UNREAD: [&str; 4] = ["exi", "pack200-gzip", "dcb", "dcz"];

/// What is decoded at a time.
const PIECE: usize = 16 << 10;

/// The content behind `codings`, which were applied in this order.
pub fn undo(codings: &[&str], media: &Media<'_>) -> Nested {
    if codings.len() > MAX_CODINGS {
        return Nested::passed();
    }
    let mut nested = Nested::new(media);
    for name in codings.iter().map(|c| c.trim()) {
        if name.is_empty() || name.eq_ignore_ascii_case("identity") {
            continue;
        }
        let Some(coding) = Coding::named(name) else {
            if UNREAD.iter().any(|unread| unread.eq_ignore_ascii_case(name)) {
                return Nested::passed();
            }
            // What no client knows it takes as it is: `Content-Encoding: utf-8` is met.
            continue;
        };
        nested = Nested::reading(coding.layer(), Box::new(Coded::new(coding, nested)));
    }
    nested
}

/// A coding that can be undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::content) enum Coding {
    /// RFC 1952.
    Gzip,
    /// `deflate` means zlib (RFC 1950), but some servers send bare deflate (RFC 1951).
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// Chunks with signatures, as clients of S3 send them over plain HTTP
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>).
    Chunks,
    /// LZW of Unix `compress`.
    Compress,
    /// bzip2 files.
    Bzip2,
    /// xz files.
    Xz,
}

impl Coding {
    fn named(name: &str) -> Option<Self> {
        const NAMES: [(&str, Coding); 11] = [
            ("gzip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("deflate", Coding::Deflate),
            ("br", Coding::Brotli),
            ("zstd", Coding::Zstd),
            ("x-deflate", Coding::Deflate),
            ("aws-chunked", Coding::Chunks),
            ("compress", Coding::Compress),
            ("x-compress", Coding::Compress),
            ("bzip2", Coding::Bzip2),
            ("xz", Coding::Xz),
        ];
        NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, c)| *c)
    }

    const fn layer(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Chunks => "aws-chunked",
            Self::Compress => "compress",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }
}

/// A gzip file, whatever it is declared as.
pub struct GzipFile;

impl Format for GzipFile {
    fn name(&self) -> &'static str {
        "gzip"
    }
    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        // Method 8 (deflate) is the only one there is; reserved flag bits are zero.
        matches!(head, [0x1f, 0x8b, 8, flags, ..] if flags & 0xe0 == 0)
    }
    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Coded::new(Coding::Gzip, Nested::new(&inside(media, ".gz"))))
    }
}

/// Gzip behind its length or offsets, as files of German health cards have it: `EF.PD` begins with a
/// length of two bytes, `EF.VD` with offsets of eight (gemSpec_eGK_Fach_VSDM 2.2).
pub struct MeasuredGzip;

/// Bytes before the gzip.
const MEASURES: [usize; 2] = [2, 8];

fn measure(head: &[u8]) -> Option<usize> {
    let gzip = |at: &usize| matches!(head.get(*at..), Some([0x1f, 0x8b, 8, flags, ..]) if flags & 0xe0 == 0);
    MEASURES.into_iter().find(gzip)
}

impl Format for MeasuredGzip {
    fn name(&self) -> &'static str {
        "gzip"
    }
    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        measure(head).is_some()
    }
    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Measured {
            head: Vec::new(),
            gzip: Coded::new(Coding::Gzip, Nested::new(&Media::Unknown)),
            begun: false,
        })
    }
}

/// Skips what precedes the gzip.
struct Measured {
    head: Vec<u8>,
    gzip: Coded,
    begun: bool,
}

impl Measured {
    /// Bytes that decide how much precedes it: the longest, and a header as far as its flags.
    const HEAD: usize = 12;

    fn begin(&mut self, scope: &mut Scope<'_>) -> Want {
        self.begun = true;
        let head = std::mem::take(&mut self.head);
        match measure(&head) {
            Some(at) => self.gzip.data(head.get(at..).unwrap_or(&[]), scope),
            None => Want::NOTHING,
        }
    }
}

impl Document for Measured {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if self.begun {
            return self.gzip.data(bytes, scope);
        }
        let (first, rest) =
            bytes.split_at(bytes.len().min(Self::HEAD - self.head.len().min(Self::HEAD)));
        self.head.extend_from_slice(first);
        if self.head.len() < Self::HEAD {
            return Want::ALL;
        }
        match self.begin(scope) {
            Want::ALL if !rest.is_empty() => self.gzip.data(rest, scope),
            want => want,
        }
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if !self.begun {
            self.begin(scope);
        }
        self.gzip.end(ending, scope);
    }

    fn memory(&self) -> usize {
        self.head.capacity() + self.gzip.memory()
    }
}

/// A zstd file, whatever it is declared as.
pub struct ZstdFile;

impl Format for ZstdFile {
    fn name(&self) -> &'static str {
        "zstd"
    }
    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
    }
    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Coded::new(Coding::Zstd, Nested::new(&inside(media, ".zst"))))
    }
}

/// A file of a coding that is known by its first bytes, whatever it is declared as.
pub struct CodedFile {
    coding: Coding,
    suffix: &'static str,
    begins: fn(&[u8]) -> bool,
}

/// A file of Unix `compress`.
pub static COMPRESS: CodedFile = CodedFile {
    coding: Coding::Compress,
    suffix: ".Z",
    begins: |head| matches!(head, [0x1f, 0x9d, flags, ..] if matches!(flags & 0x7f, 9..=16)),
};

/// A bzip2 file: a block, or the end of an empty one.
pub static BZIP2: CodedFile = CodedFile {
    coding: Coding::Bzip2,
    suffix: ".bz2",
    begins: |head| {
        matches!(head, [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..])
    },
};

/// An xz file.
pub static XZ: CodedFile =
    CodedFile { coding: Coding::Xz, suffix: ".xz", begins: |head| head.starts_with(b"\xfd7zXZ\0") };

/// A zlib stream at one of the levels that programs use, as caches hold values (RFC 1950 2.2), and a first block of a
/// known type (RFC 1951 3.2.3).
pub static ZLIB: CodedFile = CodedFile {
    coding: Coding::Deflate,
    suffix: ".z",
    begins: |head| matches!(head, [0x78, 0x01 | 0x9c | 0xda, block, ..] if (block >> 1) & 3 != 3),
};

impl Format for CodedFile {
    fn name(&self) -> &'static str {
        self.coding.layer()
    }
    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        (self.begins)(head)
    }
    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Coded::new(self.coding, Nested::new(&inside(media, self.suffix))))
    }
}

/// What the declaration of a compressed file says of the file in it: its name without `suffix`.
fn inside<'a>(media: &Media<'a>, suffix: &str) -> Media<'a> {
    match *media {
        Media::Type { name, content_type } => {
            let stem = name.len().saturating_sub(suffix.len());
            let named = name.get(stem..).is_some_and(|end| end.eq_ignore_ascii_case(suffix));
            // A declared type other than that of the archive itself means the text inside.
            let archive = ["gzip", "zstd", "bzip", "xz", "compress", "octet-stream"]
                .iter()
                .any(|t| content_type.contains(t));
            Media::Type {
                content_type: if archive { "" } else { content_type },
                name: if named { name.get(..stem).unwrap_or("") } else { name },
            }
        }
        _ => Media::Unknown,
    }
}

/// A payload under one coding.
struct Coded {
    coding: Coding,
    /// Set up with the first bytes: payloads that never come cost nothing.
    decoder: Option<Decoder>,
    nested: Nested,
    /// Decoded bytes that the content inside does not want.
    skip: u64,
    taken: u64,
    given: u64,
}

impl Coded {
    fn new(coding: Coding, nested: Nested) -> Self {
        Self { coding, decoder: None, nested, skip: 0, taken: 0, given: 0 }
    }

    /// Passes on decoded bytes.
    fn give(&mut self, mut bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        self.given += bytes.len() as u64;
        let skip = self.skip.min(bytes.len() as u64);
        self.skip -= skip;
        bytes = bytes.get(skip as usize..).unwrap_or_default();
        if bytes.is_empty() {
            return Want::ALL;
        }
        let want = scope.unpacked(|scope| self.nested.data(bytes, scope));
        self.skip = want.skip;
        want
    }

    fn end_nested(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        scope.unpacked(|scope| self.nested.end(ending, scope));
    }

    fn is_bomb(&self) -> bool {
        is_bomb(self.taken, self.given)
    }
}

impl Document for Coded {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        self.taken += bytes.len() as u64;
        if self.decoder.is_none() && !scope.spend(Decoder::cost(self.coding)) {
            scope.leave(bytes.len() as u64);
            self.end_nested(Ending::Cut, scope);
            return Want::NOTHING;
        }
        // Taken over from the content that was decoded before: to clear one for each segment costs more than
        // many segments do. A coding inside of this one gets its own.
        let mut piece = std::mem::take(&mut scope.counters.piece);
        piece.resize(PIECE, 0);
        let want = self.decode(bytes, &mut piece, scope);
        scope.counters.piece = piece;
        want
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        // Nothing behind a gap can be decoded.
        self.end_nested(Ending::Cut, scope);
        Want::NOTHING
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        let at_end = self.decoder.as_ref().is_some_and(Decoder::at_end);
        if let Some(decoder) = self.decoder.take() {
            decoder.retire(&mut scope.counters.window);
        }
        self.end_nested(ending.and(at_end), scope);
    }

    fn memory(&self) -> usize {
        self.decoder.as_ref().map_or(0, |d| d.memory(self.given)) + self.nested.memory()
    }
}

impl Coded {
    /// Decodes `bytes`, `piece` by piece.
    fn decode(&mut self, mut bytes: &[u8], piece: &mut [u8], scope: &mut Scope<'_>) -> Want {
        loop {
            let decoder = self
                .decoder
                .get_or_insert_with(|| Decoder::new(self.coding, &mut scope.counters.window));
            let (used, step) = decoder.step(bytes, piece);
            bytes = bytes.get(used..).unwrap_or_default();
            match step {
                DecodeStep::Output(n) => {
                    let decoded = piece.get(..n).unwrap_or_default();
                    if !scope.spend(n as u64) {
                        scope.leave(n as u64);
                        self.end_nested(Ending::Cut, scope);
                        return Want::NOTHING;
                    }
                    if self.give(decoded, scope) == Want::NOTHING {
                        return Want::NOTHING;
                    }
                    if self.is_bomb() {
                        scope.give_up(Reason::Limit);
                        self.end_nested(Ending::Cut, scope);
                        return Want::NOTHING;
                    }
                }
                DecodeStep::Starved => return Want::ALL,
                DecodeStep::Done => {
                    self.end_nested(Ending::Complete, scope);
                    return Want::NOTHING;
                }
                DecodeStep::Malformed => {
                    scope.give_up(Reason::Malformed);
                    self.end_nested(Ending::Cut, scope);
                    return Want::NOTHING;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
