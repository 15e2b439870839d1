//! memcached (doc/protocol.txt with the meta commands, and the binary protocol of version 1.4): stored and fetched
//! values, each a payload of its own.

mod binary;
mod text;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::sized_body::SizedBody;
use super::{
    ContentSink, Direction, End, Hint, Media, ParseError, Parser, Position, Probe, Progress,
    Protocol, Reason, Resync, Role, Roles, ServiceFacts, line, stored_key,
};
use crate::syntax::ElementError;

/// Longest line of a command or a response, bytes (`KEY_MAX_LENGTH` is 250; one command may ask for many keys).
const MAX_LINE: usize = 64 << 10;
/// Longest plausible value, bytes (`-I` allows up to a gigabyte).
const MAX_VALUE: u64 = 1 << 30;

/// memcached.
pub struct Memcached;

impl Protocol for Memcached {
    fn name(&self) -> &'static str {
        "memcached"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return text::find(data)
                .map_or(Probe::No, |(offset, speaker)| Probe::Yes { speaker, offset });
        }
        match data.first() {
            None => Probe::More,
            Some(&(binary::REQUEST | binary::RESPONSE)) => binary::probe(data),
            Some(_) => text::probe(data),
        }
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::Database)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<MemcachedParser>::default()
    }
}

/// One flow.
#[derive(Default)]
struct MemcachedParser {
    /// The current value in each direction.
    values: [SizedBody; 2],
}

/// The header of a value.
struct Head<'a> {
    /// Bytes of it.
    len: usize,
    /// Under which key the value is stored; empty if that is not said.
    key: &'a [u8],
    /// Bytes of the value behind it.
    value: u64,
}

impl MemcachedParser {
    fn open(
        &mut self,
        direction: Direction,
        head: &Head<'_>,
        first: &[u8],
        sink: &mut dyn ContentSink,
    ) {
        let stored = direction == Direction::ClientToServer;
        sink.unit(if stored { "request" } else { "response" });
        // Clients compress long values with zlib.
        let zlib =
            matches!(first, [0x78, flags, ..] if (0x7800 | u16::from(*flags)).is_multiple_of(31));
        let codings: &[&str] = if zlib { &["deflate"] } else { &[] };
        let name = stored_key::path(head.key);
        let media = Media::Type { content_type: "", name: &name };
        let operation = if stored { "SET" } else { "GET" };
        let hint = Hint { direction, media, operation, codings, layer: "memcached" };
        let writer = ContentWriter::open(&hint, sink);
        self.values[direction.index()] = SizedBody::new(head.value, writer);
    }
}

impl Parser for MemcachedParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            if self.values[direction.index()].is_open() {
                at += self.values[direction.index()].data(rest, sink);
                continue;
            }
            let head = match *first {
                binary::REQUEST | binary::RESPONSE => match binary::head(rest, sink) {
                    Ok(head) => head,
                    Err(ElementError::Need(len)) => return Ok(Progress::need(at, len)),
                    Err(ElementError::Malformed) => {
                        return Err(ParseError::new(Reason::Malformed, at));
                    }
                },
                _ => {
                    let Some((line, next)) = line::read(data, at, MAX_LINE)? else {
                        return Ok(line::more(data, at));
                    };
                    Head {
                        len: next - at,
                        key: text::key(line),
                        value: text::value(line, direction),
                    }
                }
            };
            if head.value == 0 {
                at += head.len;
                continue;
            }
            // The first bytes of the value show its compression.
            let first = match rest.get(head.len..) {
                Some(value) if value.len() >= 2 || value.len() as u64 >= head.value => value,
                _ => return Ok(Progress::need(at, head.len + 2)),
            };
            self.open(direction, &head, first, sink);
            at += head.len;
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        match self.values[direction.index()].gap(len, sink) {
            true => Resync::Known { skip: 0 },
            false => Resync::Search,
        }
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        text::find(data).map(|(offset, _)| offset)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        self.values[direction.index()].cut(sink);
    }

    fn memory(&self) -> usize {
        0
    }
}
