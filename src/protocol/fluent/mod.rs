//! Fluent forward protocol 1.5 (Fluentd, Fluent Bit): log records in MessagePack, under their tag.
//!
//! A message is an array: a tag, then either a time and a record, or entries, as an array or packed into bytes (also
//! compressed by gzip or Zstandard), and options. Everything behind the head of the array is a separate value, so
//! entries are read as they arrive, however long the message is.

mod msgpack;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::unpack::{Compression, UNPACKED_RECORD, unpack};
use super::{
    Authentication, ContentSink, Direction, End, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Reason, Resync, ServiceFacts, Speaker,
};
use crate::syntax::Match;
use crate::syntax::msgpack::Head;
use memchr::memmem;
use zeroize::Zeroizing;

/// Longest entry, and longest compressed run of entries, that is read, bytes.
const MAX_ENTRY: usize = 1 << 20;
const MAX_PACKED: usize = 3 << 20;
/// Longest plausible run of entries, bytes.
const MAX_RUN: usize = 1 << 30;
/// Longest tag, bytes.
const MAX_TAG: usize = 256;
/// An entry with a time in nanoseconds begins with an array of two and an extension of type 0.
const ENTRY: &[u8] = b"\x92\xd7\0";

/// Fluent forward.
pub struct Fluent;

impl Protocol for Fluent {
    fn name(&self) -> &'static str {
        "fluent"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return match find(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Client, offset },
                None => Probe::No,
            };
        }
        match data.first() {
            None => return Probe::More,
            Some(0x92..=0x96 | 0xdc) => {}
            Some(_) => return Probe::No,
        }
        match Front::read(data) {
            Match::Yes((Front::Greeting(speaker), _)) => Probe::yes(speaker),
            Match::Yes((Front::Entry, _)) | Match::No => Probe::No,
            Match::Yes(_) => Probe::yes(Speaker::Client),
            Match::More => Probe::More,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<FluentParser>::default()
    }
}

/// The first unmistakable entry in `data`.
fn find(data: &[u8]) -> Option<usize> {
    memmem::find_iter(data, ENTRY).find(|at| {
        // Seconds, nanoseconds below 10^9, and a map.
        matches!(data.get(at + 7..at + 12), Some([0..=0x3b, _, _, _, 0x80..=0x8f | 0xde | 0xdf]))
    })
}

/// An array at the front of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Front<'a> {
    /// HELO, PING or PONG, and which end sends it.
    Greeting(Speaker),
    /// A tag and a time; one record follows.
    Record(&'a [u8]),
    /// A tag; an array of entries follows.
    Entries(&'a [u8]),
    /// A tag; this many bytes of entries follow.
    Packed(&'a [u8], usize),
    /// A time and its record: an entry.
    Entry,
}

impl<'a> Front<'a> {
    /// What begins at `data`, and how many bytes precede the next value.
    fn read(data: &'a [u8]) -> Match<(Self, usize)> {
        let head = |at: usize| Head::read(data.get(at..).unwrap_or_default());
        macro_rules! wanted {
            ($found:expr) => {
                match $found {
                    Match::Yes(found) => found,
                    Match::More => return Match::More,
                    Match::No => return Match::No,
                }
            };
        }
        let (array, mut at) = wanted!(head(0));
        let Head::Array(count @ 2..=6) = array else { return Match::No };
        let (first, len) = wanted!(head(at));
        let Head::Text(tag_len @ 1..=MAX_TAG) = first else {
            let time = matches!(first, Head::Extension(0, 8) | Head::Unsigned(_) | Head::Array(2));
            return if time && count == 2 { Match::Yes((Self::Entry, 0)) } else { Match::No };
        };
        at += len;
        let come = data.get(at..).unwrap_or_default();
        let come = come.get(..tag_len).unwrap_or(come);
        if !come.iter().all(|b| b.is_ascii_graphic() || *b >= 0x80) {
            return Match::No;
        }
        let Some(tag) = data.get(at..at + tag_len) else { return Match::More };
        at += tag_len;
        let (second, len) = wanted!(head(at));
        at += len;
        let front = match second {
            Head::Map(_) if tag == b"HELO" => Self::Greeting(Speaker::Server),
            Head::Text(_) if tag == b"PING" && count == 6 => Self::Greeting(Speaker::Client),
            Head::Bool(_) if tag == b"PONG" && count == 5 => Self::Greeting(Speaker::Server),
            Head::Array(_) if count <= 3 => Self::Entries(tag),
            Head::Binary(len) | Head::Text(len) if count <= 3 && len <= MAX_RUN => {
                Self::Packed(tag, len)
            }
            Head::Extension(0, 8) if count >= 3 => {
                at += 8;
                Self::Record(tag)
            }
            Head::Unsigned(_) | Head::Float(_) if count >= 3 => Self::Record(tag),
            _ => return Match::No,
        };
        if matches!(front, Self::Record(_)) && !matches!(wanted!(head(at)).0, Head::Map(_)) {
            return Match::No;
        }
        Match::Yes((front, at))
    }
}

/// One flow.
#[derive(Default)]
struct FluentParser {
    sides: [Side; 2],
    room: Zeroizing<Vec<u8>>,
    json: Zeroizing<Vec<u8>>,
}

/// One direction.
#[derive(Default)]
struct Side {
    /// The tag of the last message, as a path.
    tag: String,
    /// The next value is a record without a time.
    record: bool,
    /// Remaining bytes of compressed entries.
    packed: usize,
}

impl FluentParser {
    /// Passes on the record at the front of `data`.
    fn record(&mut self, direction: Direction, data: &[u8], sink: &mut dyn ContentSink) {
        self.json.clear();
        if msgpack::write(data, &mut self.json).is_none() {
            sink.anomaly(Reason::Malformed);
        }
        sink.unit("message");
        let name = self.sides.get(direction.index()).map_or("", |side| side.tag.as_str());
        let media = Media::Type { content_type: "application/json", name };
        let hint = Hint { direction, media, operation: "", codings: &[], layer: "fluent" };
        ContentWriter::whole(&hint, &self.json, sink);
    }

    /// An entry: a time, or a time with metadata, then the record.
    fn entry(&mut self, direction: Direction, data: &[u8], sink: &mut dyn ContentSink) {
        let body = data.get(1..).unwrap_or_default();
        match msgpack::size(body) {
            Ok(time) => self.record(direction, body.get(time..).unwrap_or_default(), sink),
            Err(_) => sink.anomaly(Reason::Malformed),
        }
    }

    /// Compressed entries.
    fn packed(&mut self, direction: Direction, data: &[u8], sink: &mut dyn ContentSink) {
        let compression = match data {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            _ => Compression::Zstd,
        };
        let mut room = std::mem::take(&mut self.room);
        room.clear();
        if let Err(reason) = unpack(compression, data, &mut room, sink) {
            sink.anomaly(reason);
        }
        let mut rest = room.as_slice();
        while let Ok(len) = msgpack::size(rest) {
            // There may be many entries in few bytes on the wire.
            if !sink.spend(UNPACKED_RECORD) {
                break;
            }
            self.entry(direction, rest.get(..len).unwrap_or(rest), sink);
            rest = rest.get(len..).unwrap_or_default();
        }
        room.clear();
        room.shrink_to(MAX_ENTRY);
        self.room = room;
    }

    /// PING: the client's host, a salt, the digest of the shared key, its user, the digest of the password.
    fn greeting(data: &[u8], sink: &mut dyn ContentSink) {
        let mut at = 1;
        let mut texts = Vec::new();
        while let Match::Yes((head @ (Head::Text(len) | Head::Binary(len)), used)) =
            Head::read(data.get(at..).unwrap_or_default())
            && texts.len() < 6
        {
            let _ = head;
            texts.push(data.get(at + used..at + used + len).unwrap_or_default());
            at += used + len;
        }
        if let [b"PING", _, _, _, user, ..] = texts.as_slice() {
            let facts = sink.facts();
            facts.authentication = Authentication::Digest;
            ServiceFacts::set(&mut facts.files().user, &String::from_utf8_lossy(user));
        }
    }

    fn set_tag(&mut self, direction: Direction, tag: &[u8]) {
        if let Some(side) = self.sides.get_mut(direction.index()) {
            side.tag.clear();
            side.tag.push_str(&String::from_utf8_lossy(tag).replace('.', "/"));
        }
    }

    /// One step over `data`: bytes read, or how many are needed. `None` if malformed.
    fn step(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Option<Result<usize, usize>> {
        let side = self.sides.get_mut(direction.index())?;
        if side.packed > 0 {
            let len = side.packed;
            let Some(packed) = data.get(..len) else { return Some(Err(len)) };
            side.packed = 0;
            self.packed(direction, packed, sink);
            return Some(Ok(len));
        }
        if !side.record {
            match Front::read(data) {
                Match::Yes((Front::Record(tag), used)) => {
                    side.record = true;
                    self.set_tag(direction, tag);
                    return Some(Ok(used));
                }
                Match::Yes((Front::Entries(tag), used)) => {
                    self.set_tag(direction, tag);
                    return Some(Ok(used));
                }
                Match::Yes((Front::Packed(tag, len), used)) => {
                    let head = data.get(used..).unwrap_or_default();
                    if head.len() < len.min(4) {
                        return Some(Err(used + len.min(4)));
                    }
                    if matches!(head, [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..]) {
                        // The caller passes over entries that are too long to decompress.
                        side.packed = len;
                    }
                    self.set_tag(direction, tag);
                    return Some(Ok(used));
                }
                Match::More => return Some(Err(data.len() + 1)),
                Match::Yes((Front::Greeting(_) | Front::Entry, _)) | Match::No => {}
            }
        }
        let len = match msgpack::size(data) {
            Ok(len) if len <= MAX_ENTRY => len,
            Err(Some(need)) if need <= MAX_ENTRY => return Some(Err(need)),
            Ok(_) | Err(_) => return None,
        };
        let value = data.get(..len)?;
        let Match::Yes((head, _)) = Head::read(value) else { return None };
        let record = std::mem::take(&mut side.record);
        match head {
            Head::Map(_) if record => self.record(direction, value, sink),
            // Options, and the answers of a server.
            Head::Map(_) | Head::Nil if !record => {}
            Head::Array(_) => match Front::read(value) {
                Match::Yes((Front::Greeting(_), _)) => Self::greeting(value, sink),
                Match::Yes((Front::Entry, _)) => self.entry(direction, value, sink),
                _ => return None,
            },
            _ => return None,
        }
        Some(Ok(len))
    }
}

impl Parser for FluentParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            match self.step(direction, rest, sink) {
                Some(Ok(used)) => at += used,
                Some(Err(need)) => return Ok(Progress::need(at, need)),
                None => return Err(ParseError::new(Reason::Malformed, at)),
            }
            if let Some(side) = self.sides.get_mut(direction.index())
                && side.packed > MAX_PACKED
            {
                sink.anomaly(Reason::Limit);
                return Ok(Progress::skip(at, std::mem::take(&mut side.packed) as u64));
            }
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, _len: u64, _sink: &mut dyn ContentSink) -> Resync {
        if let Some(side) = self.sides.get_mut(direction.index()) {
            (side.record, side.packed) = (false, 0);
        }
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        find(data)
    }

    fn close(&mut self, _: Direction, _: &[u8], _: End, _: &mut dyn ContentSink) {}

    fn memory(&self) -> usize {
        let tags = self.sides.iter().map(|side| side.tag.capacity());
        self.room.capacity() + self.json.capacity() + tags.sum::<usize>()
    }
}
