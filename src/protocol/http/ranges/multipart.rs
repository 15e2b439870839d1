//! `multipart/byteranges` (RFC 9110 14.6): several parts of one document in one body. Each part declares its length,
//! so its bytes need not be searched for the boundary.

use super::{ContentRange, Origin, Part, Ranges, cut};
use crate::protocol::{ContentSink, Ending, Progress};
use memchr::memchr;

/// Longest line between parts, bytes; the rest of a longer one is passed over.
const MAX_LINE: usize = 1 << 10;

/// Bytes between two parts before the body is given up.
const MAX_BETWEEN: usize = 64 << 10;

/// Reads such a body.
pub(in crate::protocol) struct ByteRanges {
    origin: Origin,
    /// With its two leading hyphens.
    boundary: Box<[u8]>,
    line: Vec<u8>,
    /// Bytes since the last part.
    between: usize,
    state: State,
}

enum State {
    /// Before a boundary.
    Between,
    /// In the head of a part.
    Head {
        range: Option<ContentRange>,
        content_type: Option<Box<str>>,
    },
    /// In its data.
    Bytes {
        part: Option<Part>,
        left: u64,
    },
    Done,
}

impl ByteRanges {
    /// The reader for a body of this media type; `None` for any other.
    pub(in crate::protocol) fn new(content_type: &str, origin: &Origin) -> Option<Self> {
        let mut parameters = content_type.split(';').map(str::trim);
        let essence = parameters.next()?;
        // The name that some old servers use.
        let named = ["multipart/byteranges", "multipart/x-byteranges"]
            .iter()
            .any(|name| essence.eq_ignore_ascii_case(name));
        let boundary = parameters.filter_map(|p| p.split_once('=')).find_map(|(name, value)| {
            name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
        })?;
        // RFC 2046 5.1.1: at most 70 characters.
        if !named || boundary.is_empty() || boundary.len() > 70 {
            return None;
        }
        let origin = Origin { content_type: "".into(), ..origin.clone() };
        Some(Self {
            origin,
            boundary: format!("--{boundary}").into_bytes().into(),
            line: Vec::new(),
            between: 0,
            state: State::Between,
        })
    }

    /// Reads all of `bytes`. Returns how many of the following bytes to skip.
    pub(in crate::protocol) fn push(
        &mut self,
        mut bytes: &[u8],
        ranges: &mut Ranges,
        sink: &mut dyn ContentSink,
    ) -> u64 {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Done => return Progress::REST,
                State::Bytes { part, left } => {
                    let used = (*left).min(bytes.len() as u64) as usize;
                    let (piece, rest) = bytes.split_at(used);
                    if let Some(part) = part {
                        ranges.data(part, piece, sink);
                        // All of it comes.
                        part.unwanted = 0;
                    }
                    bytes = rest;
                    *left -= used as u64;
                    if *left == 0 {
                        self.end_part(Ending::Complete, ranges, sink);
                    }
                }
                State::Between | State::Head { .. } => {
                    let end = memchr(b'\n', bytes);
                    let (piece, rest) =
                        bytes.split_at(end.map_or(bytes.len(), |newline| newline + 1));
                    bytes = rest;
                    self.between += piece.len();
                    if self.between > MAX_BETWEEN {
                        self.state = State::Done;
                        return Progress::REST;
                    }
                    let room = MAX_LINE.saturating_sub(self.line.len());
                    self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
                    if end.is_some() {
                        let line = std::mem::take(&mut self.line);
                        self.read_line(line.trim_ascii_end(), ranges, sink);
                        self.line = line;
                        self.line.clear();
                    }
                }
            }
        }
        if matches!(self.state, State::Done) { Progress::REST } else { 0 }
    }

    fn read_line(&mut self, line: &[u8], ranges: &mut Ranges, sink: &mut dyn ContentSink) {
        match &mut self.state {
            State::Between => match line.strip_prefix(&*self.boundary) {
                Some(b"") => self.state = State::Head { range: None, content_type: None },
                Some(b"--") => self.state = State::Done,
                _ => {}
            },
            State::Head { range, content_type } => {
                if !line.is_empty() {
                    let text = std::str::from_utf8(line).unwrap_or("");
                    let Some((name, value)) = text.split_once(':') else { return };
                    if name.trim().eq_ignore_ascii_case("content-range") {
                        *range = ContentRange::parse(value);
                    } else if name.trim().eq_ignore_ascii_case("content-type") {
                        *content_type = Some(cut(value.trim()));
                    }
                    return;
                }
                let Some(range) = *range else {
                    self.state = State::Between;
                    return;
                };
                self.between = 0;
                if let Some(content_type) = content_type.take() {
                    self.origin.content_type = content_type;
                }
                let part = ranges.part(&self.origin, range, sink);
                self.state = State::Bytes { part, left: range.end - range.start };
            }
            State::Bytes { .. } | State::Done => {}
        }
    }

    fn end_part(&mut self, ending: Ending, ranges: &mut Ranges, sink: &mut dyn ContentSink) {
        if let State::Bytes { part: Some(part), .. } =
            std::mem::replace(&mut self.state, State::Between)
        {
            ranges.end(part, ending, 0, sink);
        }
    }

    /// `len` bytes are missing. Returns how many of the following bytes to skip.
    pub(in crate::protocol) fn gap(
        &mut self,
        len: u64,
        ranges: &mut Ranges,
        sink: &mut dyn ContentSink,
    ) -> u64 {
        match &mut self.state {
            State::Bytes { part, left } if len <= *left => {
                if let Some(part) = part {
                    ranges.gap(part, len, sink);
                }
                *left -= len;
                if *left == 0 {
                    self.end_part(Ending::Complete, ranges, sink);
                }
                0
            }
            // The next boundary will be found.
            State::Bytes { .. } => {
                self.end_part(Ending::Cut, ranges, sink);
                0
            }
            _ => {
                self.line.clear();
                self.state = State::Between;
                0
            }
        }
    }

    /// The body has ended.
    pub(in crate::protocol) fn close(mut self, ranges: &mut Ranges, sink: &mut dyn ContentSink) {
        self.end_part(Ending::Cut, ranges, sink);
        self.state = State::Done;
    }

    pub(in crate::protocol) fn memory(&self) -> usize {
        size_of::<Self>() + self.line.capacity() + self.boundary.len() + self.origin.memory()
    }
}
