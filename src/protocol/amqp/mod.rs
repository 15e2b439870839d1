//! AMQP 0-9-1 (RabbitMQ and others): published and delivered messages, under their exchange and routing key.

mod table;
#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::sized_body::SizedBody;
use super::{
    ContentSink, Direction, End, Hint, Media, ParseError, Parser, Position, Probe, Progress,
    Protocol, Reason, Resync, ServiceFacts, Speaker,
};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Protocol header that a client sends first (4.2.2).
const HEADER: &[u8] = b"AMQP\0\0\x09\x01";
/// Type, channel, size, and the octet at the end of a frame (4.2.3).
const FRAME: usize = 7;
const FRAME_END: u8 = 0xce;
/// Longest plausible frame, bytes; brokers agree on 128 KiB.
const MAX_FRAME: usize = 1 << 20;
/// Channels with an incomplete message, in one direction.
const MAX_CHANNELS: usize = 256;

/// AMQP 0-9-1.
pub struct Amqp;

impl Protocol for Amqp {
    fn name(&self) -> &'static str {
        "amqp"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        let head = data.get(..HEADER.len()).unwrap_or(data);
        if at == Position::Start && HEADER.starts_with(head) {
            return match head.len() == HEADER.len() {
                true => Probe::yes(Speaker::Client),
                false => Probe::More,
            };
        }
        // Connection.Start, or mid-stream a message.
        if at == Position::Start {
            return match frame(data) {
                Some(Some((1, 0, [0, 10, 0, 10, ..], _))) => Probe::yes(Speaker::Server),
                Some(None) if data.len() < 64 && data.first() == Some(&1) => Probe::More,
                _ => Probe::No,
            };
        }
        match find(data) {
            Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
            None => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<AmqpParser>::default()
    }
}

/// Type, channel, payload and bytes taken.
type Frame<'a> = (u8, u16, &'a [u8], usize);

/// The frame at the front. Outer `None` if it is no frame, inner `None` if it is incomplete.
fn frame(data: &[u8]) -> Option<Option<Frame<'_>>> {
    let Some(head) = data.first_chunk::<FRAME>() else { return Some(None) };
    let [kind, c0, c1, s0, s1, s2, s3] = *head;
    let size = u32::from_be_bytes([s0, s1, s2, s3]) as usize;
    if !(matches!(kind, 1..=3) || kind == 8) || size > MAX_FRAME {
        return None;
    }
    let (Some(body), Some(end)) = (data.get(FRAME..FRAME + size), data.get(FRAME + size)) else {
        return Some(None);
    };
    (*end == FRAME_END).then_some(Some((
        kind,
        u16::from_be_bytes([c0, c1]),
        body,
        FRAME + size + 1,
    )))
}

/// The first method of `data` that announces a message (class 60: 40, 60, 71).
fn find(data: &[u8]) -> Option<usize> {
    const CLASS: &[u8] = &[0, 60, 0];
    memchr::memmem::find_iter(data, CLASS).find_map(|at| {
        let start = at.checked_sub(FRAME)?;
        let rest = data.get(start..)?;
        let method = rest.get(FRAME + 3)?;
        let known = matches!(method, 40 | 60 | 71) && rest.first() == Some(&1);
        let whole = matches!(frame(rest), Some(Some(_)));
        (known && whole).then_some(start)
    })
}

/// One flow.
#[derive(Default)]
struct AmqpParser {
    /// By direction and channel.
    messages: BTreeMap<(usize, u16), Message>,
}

/// An incomplete message.
struct Message {
    operation: &'static str,
    name: String,
    body: SizedBody,
}

/// Reads values in the order of a method's arguments (4.2.5).
struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    fn skip(&mut self, len: usize) -> Option<()> {
        self.0 = self.0.get(len..)?;
        Some(())
    }

    /// A string of up to 255 octets.
    fn short(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_first()?;
        let text = rest.get(..usize::from(*len))?;
        self.0 = rest.get(usize::from(*len)..)?;
        Some(text)
    }

    /// A string or a table with its length in four octets.
    fn long(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_first_chunk::<4>()?;
        let len = u32::from_be_bytes(*len) as usize;
        let text = rest.get(..len)?;
        self.0 = rest.get(len..)?;
        Some(text)
    }
}

impl AmqpParser {
    fn method(
        &mut self,
        direction: Direction,
        channel: u16,
        body: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Option<()> {
        let (ids, rest) = body.split_first_chunk::<4>()?;
        let mut arguments = Arguments(rest);
        let (operation, exchange) = match ids {
            // Connection.StartOk: properties, mechanism, response.
            [0, 10, 0, 11] => {
                arguments.long()?;
                let mechanism = arguments.short()?;
                let response = arguments.long()?;
                let facts = sink.facts();
                facts.sasl(mechanism);
                if mechanism.eq_ignore_ascii_case(b"PLAIN") {
                    let user = response.split(|b| *b == 0).nth(1).unwrap_or_default();
                    ServiceFacts::set(&mut facts.files().user, &String::from_utf8_lossy(user));
                }
                return Some(());
            }
            // Connection.Tune: the client is authenticated.
            [0, 10, 0, 30] => {
                sink.facts().served();
                return Some(());
            }
            // Basic.Publish: a reserved number; Basic.Deliver: consumer, tag, redelivered; Basic.GetOk.
            [0, 60, 0, 40] => {
                arguments.skip(2)?;
                ("publish", arguments.short()?)
            }
            [0, 60, 0, 60] => {
                arguments.short()?;
                arguments.skip(9)?;
                ("deliver", arguments.short()?)
            }
            [0, 60, 0, 71] => {
                arguments.skip(9)?;
                ("get", arguments.short()?)
            }
            _ => return Some(()),
        };
        let key = arguments.short()?;
        let name = [exchange, b"/", key].concat();
        let name = String::from_utf8_lossy(&name).replace('.', "/");
        if self.messages.len() < MAX_CHANNELS * 2 {
            let message = Message { operation, name, body: SizedBody::default() };
            if let Some(mut old) = self.messages.insert((direction.index(), channel), message) {
                old.body.cut(sink);
            }
        }
        Some(())
    }

    /// A content header: class, weight, body size, flags of the properties, and these (2.3.5.2).
    fn header(
        &mut self,
        direction: Direction,
        channel: u16,
        body: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Option<()> {
        let message = self.messages.get_mut(&(direction.index(), channel))?;
        let size = u64::from_be_bytes(body.get(4..12)?.try_into().ok()?);
        let flags = u16::from_be_bytes(body.get(12..14)?.try_into().ok()?);
        let mut properties = Arguments(body.get(14..)?);
        let kind = if flags & 0x8000 != 0 { properties.short()? } else { b"" };
        let coding = if flags & 0x4000 != 0 { properties.short()? } else { b"" };
        let (kind, coding) = (String::from_utf8_lossy(kind), String::from_utf8_lossy(coding));
        sink.unit("message");
        if flags & 0x2000 != 0 {
            let mut json: Zeroizing<Vec<u8>> = Zeroizing::default();
            if table::write(properties.long()?, &mut json) {
                let hint = Hint {
                    direction,
                    media: Media::Type { content_type: "application/json", name: &message.name },
                    operation: message.operation,
                    codings: &[],
                    layer: "amqp",
                };
                ContentWriter::whole(&hint, &json, sink);
            }
        }
        if size == 0 {
            self.messages.remove(&(direction.index(), channel));
            return Some(());
        }
        // Some programs put a character set into the content coding.
        let codings = [&*coding];
        let hint = Hint {
            direction,
            media: Media::Type { content_type: &kind, name: &message.name },
            operation: message.operation,
            codings: &codings,
            layer: "amqp",
        };
        message.body = SizedBody::new(size, ContentWriter::open(&hint, sink));
        Some(())
    }

    fn body(
        &mut self,
        direction: Direction,
        channel: u16,
        body: &[u8],
        sink: &mut dyn ContentSink,
    ) {
        let key = (direction.index(), channel);
        let Some(message) = self.messages.get_mut(&key) else { return };
        message.body.data(body, sink);
        if !message.body.is_open() {
            self.messages.remove(&key);
        }
    }

    fn drop_all(&mut self, direction: Direction, sink: &mut dyn ContentSink) {
        let keys: Vec<_> =
            self.messages.keys().filter(|k| k.0 == direction.index()).copied().collect();
        for key in keys {
            if let Some(mut message) = self.messages.remove(&key) {
                message.body.cut(sink);
            }
        }
    }
}

impl Parser for AmqpParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            if *first == b'A' {
                // The protocol header, which a broker sends if it does not support the client's version.
                if rest.len() < HEADER.len() {
                    return Ok(Progress::need(at, HEADER.len()));
                }
                if !rest.starts_with(b"AMQP") {
                    return Err(ParseError::new(Reason::Malformed, at));
                }
                at += HEADER.len();
                continue;
            }
            let Some(frame) = frame(rest) else {
                return Err(ParseError::new(Reason::Malformed, at));
            };
            let Some((kind, channel, body, used)) = frame else {
                let size = rest.get(3..FRAME).and_then(|s| <[u8; 4]>::try_from(s).ok());
                let size = size.map_or(0, |s| u32::from_be_bytes(s) as usize);
                return Ok(Progress::need(at, FRAME + size + 1));
            };
            let read = match kind {
                1 => self.method(direction, channel, body, sink),
                2 => self.header(direction, channel, body, sink),
                3 => {
                    self.body(direction, channel, body, sink);
                    Some(())
                }
                _ => Some(()),
            };
            if read.is_none() && kind == 1 {
                sink.anomaly(Reason::Malformed);
            }
            at += used;
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        self.drop_all(direction, sink);
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        find(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        self.drop_all(direction, sink);
    }

    fn memory(&self) -> usize {
        self.messages.values().map(|m| size_of::<Message>() + m.name.capacity()).sum()
    }
}
