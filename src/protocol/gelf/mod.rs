//! GELF, the log messages of Graylog (Graylog documentation, GELF payload specification 1.1): JSON over UDP, whole or
//! in chunks, plain or compressed by zlib or gzip, and over TCP with a null byte behind each message, or with
//! its length before it as forwarders of logs send it (RFC 6587 3.4.1).

mod chunks;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::datagrams::{frame_datagram, framed_datagram};
use super::framed_message::{Count, FramedMessage};
use super::{
    ContentSink, Direction, End, Hint, Media, ParseError, Parser, Position, Probe, Progress,
    Protocol, Reason, Resync, Speaker,
};
use crate::syntax::Match;
use chunks::{Chunk, Chunks};
use memchr::{memchr, memmem};

/// Bytes of a message that are searched for its names; an incomplete message must show them within these.
const MAX_LOOK: usize = 8 << 10;
const MAX_WAIT: usize = 2 << 10;
/// Bytes of a compressed message that are decompressed to recognise it.
const MAX_PEEK: usize = 512;

/// GELF.
pub struct Gelf;

impl Protocol for Gelf {
    fn name(&self) -> &'static str {
        "gelf"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return match boundary(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Client, offset },
                None => Probe::No,
            };
        }
        let message = match Count::read(data) {
            Match::Yes(count) => data.get(count.len..).unwrap_or_default(),
            Match::More => &[],
            Match::No => data,
        };
        if matches!(message, [] | [b'{', ..]) {
            return match is_message(message) {
                true => Probe::yes(Speaker::Client),
                false if may_begin(message) => Probe::More,
                false => Probe::No,
            };
        }
        match framed_datagram(data) {
            Some((datagram, _)) if is_datagram(datagram) => Probe::yes(Speaker::Client),
            _ => Probe::No,
        }
    }

    fn datagram(&self, data: &[u8], frame: &mut Vec<u8>) -> bool {
        let found = is_datagram(data);
        if found {
            frame_datagram(data, frame);
        }
        found
    }

    fn owns_datagrams(&self) -> bool {
        true
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<GelfParser>::default()
    }
}

/// Whether an object with the mandatory names begins at `data`.
fn is_message(data: &[u8]) -> bool {
    if data.first() != Some(&b'{') {
        return false;
    }
    let head = data.get(..MAX_LOOK).unwrap_or(data);
    let head = head.get(..memchr(0, head).unwrap_or(head.len())).unwrap_or(head);
    let has = |name: &[u8]| memmem::find(head, name).is_some();
    has(b"\"host\"")
        && (has(b"\"short_message\"") || has(b"\"version\":\"1.") || has(b"\"version\": \"1."))
}

/// Whether an incomplete message may begin at `data`.
pub(in crate::protocol) fn may_begin(data: &[u8]) -> bool {
    const FIRST: [&[u8]; 5] =
        [b"\"version\"", b"\"host\"", b"\"short_message\"", b"\"timestamp\"", b"\"_"];
    let Some(rest) = data.strip_prefix(b"{") else { return data.is_empty() };
    let rest = rest.trim_ascii_start();
    let first = |name: &[u8]| rest.starts_with(name) || name.starts_with(rest);
    data.len() < MAX_WAIT
        && memchr(0, data).is_none()
        && !is_message(data)
        && FIRST.into_iter().any(first)
}

/// Whether a datagram is a message or a chunk of one.
fn is_datagram(data: &[u8]) -> bool {
    match data {
        [b'{', ..] => is_message(data),
        [0x1e, 0x0f, ..] => Chunk::read(data).is_some(),
        [0x1f, 0x8b, 8, ..] => opens(flate2::read::GzDecoder::new(data)),
        [0x78, flags, ..] if (0x7800 | u16::from(*flags)).is_multiple_of(31) => {
            opens(flate2::read::ZlibDecoder::new(data))
        }
        _ => false,
    }
}

/// Whether a compressed message begins like this.
fn opens(mut from: impl std::io::Read) -> bool {
    let mut head = [0; MAX_PEEK];
    let mut len = 0;
    while let Some(room) = head.get_mut(len..).filter(|room| !room.is_empty()) {
        match from.read(room) {
            Ok(0) | Err(_) => break,
            Ok(read) => len += read,
        }
    }
    let head = head.get(..len).unwrap_or_default();
    let has = |name: &[u8]| memmem::find(head, name).is_some();
    head.first() == Some(&b'{')
        && (has(b"\"version\"") || has(b"\"short_message\"") || has(b"\"host\""))
}

/// Offset at which a message begins: behind the end of another one, or at its length.
fn boundary(data: &[u8]) -> Option<usize> {
    let behind = memchr::memchr_iter(0, data).find_map(|at| {
        let rest = data.get(at + 1..)?.trim_ascii_start();
        is_message(rest).then_some(data.len() - rest.len())
    });
    let counted =
        Count::places(data, b'{').find_map(|(at, _, message)| is_message(message).then_some(at));
    behind.into_iter().chain(counted).min()
}

/// Framing of messages.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Framing {
    #[default]
    Unknown,
    Datagrams,
    /// A null byte ends each, or its length precedes it.
    Stream,
}

/// One flow.
#[derive(Default)]
struct GelfParser {
    framing: Framing,
    chunks: Chunks,
    /// The incomplete message in each direction of a stream.
    messages: [FramedMessage; 2],
}

fn hint<'a>(direction: Direction, codings: &'a [&'a str]) -> Hint<'a> {
    let media = Media::Type { content_type: "application/json", name: "" };
    Hint { direction, media, operation: "", codings, layer: "gelf" }
}

/// Passes on a complete message.
fn whole(direction: Direction, message: &[u8], sink: &mut dyn ContentSink) {
    let codings: &[&str] = match message {
        [0x1f, 0x8b, ..] => &["gzip"],
        [0x78, ..] => &["deflate"],
        _ => &[],
    };
    sink.unit("message");
    ContentWriter::whole(&hint(direction, codings), message, sink);
}

impl GelfParser {
    fn datagram(&mut self, direction: Direction, data: &[u8], sink: &mut dyn ContentSink) {
        match data {
            [0x1e, 0x0f, ..] => {
                if let Some(chunk) = Chunk::read(data) {
                    let now = sink.now();
                    let (message, lost) = self.chunks.add(&chunk, now);
                    (0..lost).for_each(|_| sink.anomaly(Reason::Gap));
                    if let Some(message) = message {
                        whole(direction, &message, sink);
                    }
                }
            }
            [b'{' | 0x1f | 0x78, ..] => whole(direction, data, sink),
            _ => sink.anomaly(Reason::Malformed),
        }
    }

    fn stream(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let Some(message) = self.messages.get_mut(direction.index()) else {
            return Ok(Progress::consumed(data.len()));
        };
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            if !message.is_none() {
                at += message.data(rest, |bytes| memchr(0, bytes), sink);
                continue;
            }
            if matches!(first, 0 | b'\r' | b'\n' | b' ') {
                at += 1;
                continue;
            }
            let count = match Count::read(rest) {
                Match::More => return Ok(Progress::need(at, rest.len() + 1)),
                Match::Yes(count) => Some(count),
                Match::No => None,
            };
            let len = count.map_or(0, |count| count.len);
            if count.is_some_and(|count| count.length == 0) {
                at += len;
                continue;
            }
            match rest.get(len) {
                None => return Ok(Progress::need(at, len + 1)),
                Some(b'{') => {}
                Some(_) => return Err(ParseError::new(Reason::Malformed, at)),
            }
            at += len;
            sink.unit("message");
            let writer = ContentWriter::open(&hint(direction, &[]), sink);
            *message = FramedMessage::new(count, writer);
        }
        Ok(Progress::consumed(at))
    }
}

impl Parser for GelfParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        if self.framing == Framing::Unknown {
            // The length of a datagram may look like a digit, but no blank follows it.
            self.framing = match (data.first(), Count::read(data)) {
                (Some(b'{'), _) | (_, Match::Yes(_)) => Framing::Stream,
                (Some(b'0'..=b'9'), Match::More) => return Ok(Progress::need(0, data.len() + 1)),
                _ => Framing::Datagrams,
            };
        }
        if self.framing == Framing::Stream {
            return self.stream(direction, data, sink);
        }
        let mut at = 0;
        while let Some((datagram, len)) = data.get(at..).and_then(framed_datagram) {
            self.datagram(direction, datagram, sink);
            at += len;
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if self.framing == Framing::Datagrams {
            // Datagrams are either complete or missing.
            return Resync::Known { skip: 0 };
        }
        self.framing = Framing::Stream;
        let Some(message) = self.messages.get_mut(direction.index()) else { return Resync::Lost };
        match message.gap(len, sink) {
            true => Resync::Known { skip: 0 },
            false => Resync::Search,
        }
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        boundary(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if let Some(message) = self.messages.get_mut(direction.index()) {
            // The last message may lack its null byte.
            message.close(end.into(), sink);
        }
    }

    fn memory(&self) -> usize {
        self.chunks.memory()
    }
}
