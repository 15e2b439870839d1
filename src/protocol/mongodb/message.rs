//! Headers and sections of messages.

use super::super::Reason;
use super::bson;
use crate::syntax::zstd;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::Read as _;

/// Length of a header: length, request id, id of the request that it answers, operation.
pub const HEADER: usize = 16;
const OP_REPLY: i32 = 1;
const OP_INSERT: i32 = 2002;
const OP_QUERY: i32 = 2004;
/// A message inside a compressed one.
pub const OP_COMPRESSED: i32 = 2012;
const OP_MSG: i32 = 2013;
/// A checksum follows the sections.
const CHECKSUM_PRESENT: u32 = 1;
/// Sections of one message that are read.
const MAX_SECTIONS: usize = 64;

/// The header of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Length with the header.
    pub length: usize,
    /// The request that this answers, or 0.
    pub answers: i32,
    /// The operation.
    pub opcode: i32,
}

impl Header {
    /// From the front of `data`.
    pub fn read(data: &[u8]) -> Option<Self> {
        let word = |at: usize| data.get(at..).and_then(|d| d.first_chunk::<4>());
        Some(Self {
            length: u32::from_le_bytes(*word(0)?) as usize,
            answers: i32::from_le_bytes(*word(8)?),
            opcode: i32::from_le_bytes(*word(12)?),
        })
    }

    /// Whether the server sends it.
    pub const fn is_answer(self) -> bool {
        self.answers != 0 || self.opcode == OP_REPLY
    }
}

/// Whether a message begins at `data`: a header with a known operation and its first fields. Inner `None` if more
/// bytes are needed.
pub fn begins(data: &[u8]) -> Option<Option<Header>> {
    let Some(header) = Header::read(data) else {
        let long = data.get(3).is_some_and(|b| *b > 2);
        return (!long).then_some(None);
    };
    if !(HEADER + 5..=super::LONGEST).contains(&header.length) {
        return None;
    }
    let body = data.get(HEADER..).unwrap_or_default();
    let Some(body) = body.get(..HEADER.min(header.length - HEADER)) else {
        return known(header.opcode).then_some(None);
    };
    let fits = match header.opcode {
        // Few flags are ever set; a section with its document follows them.
        OP_MSG => matches!(body, [_, 0, 0 | 1, 0, 0 | 1, ..]) && plausible(body.get(5..)?, header),
        OP_COMPRESSED => matches!(body.get(..9), Some([_, _, 0, 0, .., 0..=3])),
        OP_QUERY => matches!(body, [_, 0, 0, 0, first, ..] if first.is_ascii_graphic()),
        OP_INSERT => matches!(body, [0 | 1, 0, 0, 0, first, ..] if first.is_ascii_graphic()),
        OP_REPLY => header.answers != 0 && matches!(body, [_, 0, 0, 0, ..]),
        _ => false,
    };
    fits.then_some(Some(header))
}

const fn known(opcode: i32) -> bool {
    matches!(opcode, OP_REPLY | OP_INSERT | OP_QUERY | OP_COMPRESSED | OP_MSG)
}

/// Whether a document of `header`'s message can begin here.
fn plausible(data: &[u8], header: Header) -> bool {
    data.len() < 4 || bson::length(data).is_some_and(|len| len <= header.length)
}

/// The first OP_MSG or compressed message in `data`.
pub fn find(data: &[u8]) -> Option<usize> {
    [OP_MSG, OP_COMPRESSED]
        .into_iter()
        .filter_map(|opcode| {
            memchr::memmem::find_iter(data, &opcode.to_le_bytes())
                .filter_map(|at| at.checked_sub(12))
                .find(|at| data.get(*at..).is_some_and(|d| matches!(begins(d), Some(Some(_)))))
        })
        .min()
}

/// Declared length of a decompressed message, bytes.
pub fn inflated_len(body: &[u8]) -> u64 {
    let length = body.get(4..).and_then(|d| d.first_chunk::<4>());
    length.map_or(0, |length| u32::from_le_bytes(*length).into())
}

/// Decompresses a message: original operation, length, compressor, bytes. Returns its operation.
pub fn inflate(body: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<i32, Reason> {
    let (head, data) = body.split_at_checked(9).ok_or(Reason::Malformed)?;
    let word = |at: usize| head.get(at..).and_then(|d| d.first_chunk::<4>()).copied();
    let opcode = i32::from_le_bytes(word(0).ok_or(Reason::Malformed)?);
    let length = u32::from_le_bytes(word(4).ok_or(Reason::Malformed)?) as usize;
    if length > limit {
        return Err(Reason::Limit);
    }
    let read = match head.last() {
        Some(0) => {
            out.extend_from_slice(data.get(..length.min(data.len())).unwrap_or_default());
            Ok(out.len())
        }
        Some(1) => {
            out.resize(length, 0);
            snap::raw::Decoder::new().decompress(data, out).map_err(|_| Reason::Malformed)
        }
        Some(2) => flate2::read::ZlibDecoder::new(data)
            .take(length as u64)
            .read_to_end(out)
            .map_err(|_| Reason::Malformed),
        Some(3) => zstd_decoder(data)
            .and_then(|d| d.take(length as u64).read_to_end(out).map_err(|_| Reason::Malformed)),
        _ => Err(Reason::Unsupported),
    };
    read.map(|_| opcode)
}

/// Decompresses a Zstandard frame.
fn zstd_decoder(data: &[u8]) -> Result<StreamingDecoder<&[u8], FrameDecoder>, Reason> {
    let mut frame = FrameDecoder::new();
    frame.set_max_window_size(zstd::MAX_WINDOW);
    StreamingDecoder::new_with_decoder(data, frame).map_err(|_| Reason::Malformed)
}

/// A document, or several under a name (`documents`, `updates`).
#[derive(Clone, Copy)]
pub struct Section<'a> {
    data: &'a [u8],
    /// The documents of the section that are not the command itself.
    several: bool,
}

impl<'a> Section<'a> {
    /// The command or the response, if this is it.
    pub const fn document(&self) -> Option<&'a [u8]> {
        if self.several { None } else { Some(self.data) }
    }

    /// Every document.
    pub fn documents(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.data;
        std::iter::from_fn(move || {
            let len = bson::length(rest)?;
            let document = rest.get(..len).unwrap_or(rest);
            rest = rest.get(len..).unwrap_or_default();
            Some(document)
        })
    }
}

/// The documents of a message.
pub fn sections(opcode: i32, body: &[u8]) -> impl Iterator<Item = Section<'_>> {
    let (mut rest, message) = match opcode {
        OP_MSG => {
            let flags = body.first_chunk::<4>().map_or(0, |f| u32::from_le_bytes(*f));
            let end = if flags & CHECKSUM_PRESENT == 0 {
                body.len()
            } else {
                body.len().saturating_sub(4)
            };
            (body.get(4..end).unwrap_or_default(), true)
        }
        // Flags, cursor, start, count.
        OP_REPLY => (body.get(20..).unwrap_or_default(), false),
        // Flags and the namespace; a query also has the numbers of documents to skip and to return.
        OP_QUERY | OP_INSERT => {
            let end =
                body.get(4..).and_then(|b| memchr::memchr(0, b)).map_or(body.len(), |at| at + 5);
            let numbers = if opcode == OP_QUERY { 8 } else { 0 };
            (body.get(end + numbers..).unwrap_or_default(), false)
        }
        _ => (&[][..], false),
    };
    let sections = std::iter::from_fn(move || {
        if !message {
            let data = std::mem::take(&mut rest);
            return (!data.is_empty()).then_some(Section { data, several: false });
        }
        let (kind, tail) = rest.split_first()?;
        match kind {
            0 => {
                let len = bson::length(tail)?;
                rest = tail.get(len..).unwrap_or_default();
                Some(Section { data: tail.get(..len).unwrap_or(tail), several: false })
            }
            1 => {
                let len = usize::try_from(i32::from_le_bytes(*tail.first_chunk::<4>()?)).ok()?;
                let section = tail.get(4..len.max(4)).or(tail.get(4..))?;
                rest = tail.get(len.max(4)..).unwrap_or_default();
                let name = memchr::memchr(0, section)?;
                Some(Section { data: section.get(name + 1..)?, several: true })
            }
            _ => None,
        }
    });
    sections.take(MAX_SECTIONS)
}

/// The namespace in a message: of an old request, or of the cursor in a response.
pub fn namespace<'a>(opcode: i32, body: &'a [u8], first: &'a [u8]) -> Option<&'a [u8]> {
    if matches!(opcode, OP_QUERY | OP_INSERT) {
        let rest = body.get(4..)?;
        return rest.get(..memchr::memchr(0, rest)?);
    }
    let at = memchr::memmem::find(first, b"\x02ns\0")?;
    let rest = first.get(at + 4..)?;
    let len = usize::try_from(i32::from_le_bytes(*rest.first_chunk::<4>()?)).ok()?;
    rest.get(4..(4usize).checked_add(len.checked_sub(1)?)?)
}
