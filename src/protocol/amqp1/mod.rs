//! AMQP 1.0 (ISO/IEC 19464; Azure Service Bus, ActiveMQ Artemis, Qpid, RabbitMQ 4): messages transferred in either
//! direction, under the address of their link.

mod types;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::{
    ContentSink, Direction, End, Hint, Media, ParseError, Parser, Position, Probe, Progress,
    Protocol, Reason, Resync, ServiceFacts, Speaker,
};
use std::collections::BTreeMap;
use types::Value;
use zeroize::Zeroizing;

/// Protocol header that both ends send first (2.2): the name, the layer, the version.
const HEADER: usize = 8;
/// Size, offset of the body, type, channel (2.3.1).
const FRAME: usize = 8;
/// Longest frame that is read, bytes; most peers agree on 64 KiB to 1 MiB.
const MAX_FRAME: usize = 2 << 20;
/// Longest plausible frame, bytes.
const MAX_SIZE: usize = 256 << 20;
/// Longest message that is read, and bytes of all incomplete messages of a flow.
const MAX_MESSAGE: usize = 4 << 20;
/// Links of a flow.
const MAX_LINKS: usize = 512;
/// Longest address kept, bytes.
const MAX_ADDRESS: usize = 512;
/// Sections of a message that are read.
const MAX_SECTIONS: usize = 64;

/// Descriptors of performatives (2.7, 5.3.3) and sections (3.2).
const ATTACH: u64 = 0x12;
const TRANSFER: u64 = 0x14;
const DETACH: u64 = 0x16;
const SASL_INIT: u64 = 0x41;
const PROPERTIES: u64 = 0x73;
const APPLICATION_PROPERTIES: u64 = 0x74;
const DATA: u64 = 0x75;
const SEQUENCE: u64 = 0x76;
const VALUE: u64 = 0x77;

/// AMQP 1.0.
pub struct Amqp1;

impl Protocol for Amqp1 {
    fn name(&self) -> &'static str {
        "amqp"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return match find(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
                None => Probe::No,
            };
        }
        let head = data.get(..HEADER).unwrap_or(data);
        let fits = |layer: u8| [b'A', b'M', b'Q', b'P', layer, 1, 0, 0].starts_with(head);
        match head.len() {
            _ if ![0, 2, 3].into_iter().any(fits) => Probe::No,
            HEADER => Probe::yes(Speaker::Any),
            _ => Probe::More,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<Amqp1Parser>::default()
    }
}

/// The first transfer in `data`.
fn find(data: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(data, &[0, 0x53, TRANSFER as u8])
        .filter_map(|at| at.checked_sub(FRAME))
        .find(|at| match data.get(*at..) {
            Some(rest @ [s0, s1, s2, s3, 2, 0, _, _, ..]) => {
                let size = u32::from_be_bytes([*s0, *s1, *s2, *s3]) as usize;
                let list = matches!(rest.get(FRAME + 3), Some(0xc0 | 0xd0));
                list && (FRAME + 8..=MAX_SIZE).contains(&size)
            }
            _ => false,
        })
}

/// A link of one end: by its direction, its channel and its handle.
type Handle = (usize, u16, u64);

/// Properties of a link.
#[derive(Default)]
struct Link {
    /// The queue or topic, as a path.
    address: String,
    /// The transfers so far of an incomplete message.
    message: Zeroizing<Vec<u8>>,
    /// The message is too long.
    dropped: bool,
}

/// One flow.
#[derive(Default)]
struct Amqp1Parser {
    links: BTreeMap<Handle, Link>,
    /// Bytes of incomplete messages.
    held: usize,
    json: Zeroizing<Vec<u8>>,
}

impl Amqp1Parser {
    fn frame(
        &mut self,
        direction: Direction,
        channel: u16,
        body: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Option<()> {
        let (descriptor, fields, payload) = types::described(body)?;
        match descriptor? {
            SASL_INIT => self.init(fields, sink),
            ATTACH => self.attach(direction, channel, fields),
            DETACH => {
                let handle = fields.elements().next()?.number()?;
                if let Some(link) = self.links.remove(&(direction.index(), channel, handle)) {
                    self.held -= link.message.len();
                }
            }
            TRANSFER => {
                // A link is open, and the other end requests messages.
                sink.facts().served();
                let mut elements = fields.elements();
                let handle = elements.next()?.number()?;
                let more = elements.nth(4).and_then(Value::number) == Some(1);
                self.transfer((direction.index(), channel, handle), more, payload, direction, sink);
            }
            _ => {}
        }
        Some(())
    }

    /// The mechanism, the initial response, the host name (5.3.3.2).
    fn init(&mut self, fields: Value<'_>, sink: &mut dyn ContentSink) {
        let mut elements = fields.elements();
        let mechanism = elements.next().and_then(Value::text).unwrap_or_default();
        sink.facts().sasl(mechanism);
        let response = elements.next().and_then(Value::text).unwrap_or_default();
        if mechanism.eq_ignore_ascii_case(b"PLAIN")
            && let Some(user) = response.split(|b| *b == 0).nth(1)
        {
            let user = String::from_utf8_lossy(user);
            ServiceFacts::set(&mut sink.facts().files().user, &user);
        }
    }

    /// Name, handle, role, two modes, source, target (2.7.3). A client sends to the target; a broker sends from the
    /// source.
    fn attach(&mut self, direction: Direction, channel: u16, fields: Value<'_>) {
        let mut elements = fields.elements().skip(1);
        let Some(handle) = elements.next().and_then(Value::number) else { return };
        let mut ends = elements.skip(3);
        let (source, target) = (ends.next(), ends.next());
        let end = match direction {
            Direction::ClientToServer => target,
            Direction::ServerToClient => source,
        };
        let address = end.and_then(|end| end.elements().next()).and_then(Value::text);
        let address = address.unwrap_or_default();
        let address = String::from_utf8_lossy(address.get(..MAX_ADDRESS).unwrap_or(address));
        let key = (direction.index(), channel, handle);
        if self.links.len() < MAX_LINKS || self.links.contains_key(&key) {
            let link = Link { address: address.replace('.', "/"), ..Link::default() };
            if let Some(old) = self.links.insert(key, link) {
                self.held -= old.message.len();
            }
        }
    }

    fn transfer(
        &mut self,
        key: Handle,
        more: bool,
        payload: &[u8],
        direction: Direction,
        sink: &mut dyn ContentSink,
    ) {
        if self.links.len() >= MAX_LINKS && !self.links.contains_key(&key) {
            return;
        }
        let link = self.links.entry(key).or_default();
        if !link.dropped && self.held + payload.len() > MAX_MESSAGE {
            sink.anomaly(Reason::Limit);
            self.held -= link.message.len();
            (link.dropped, link.message) = (true, Zeroizing::default());
        }
        if more || !link.message.is_empty() {
            if !link.dropped {
                link.message.extend_from_slice(payload);
                self.held += payload.len();
            }
            if more {
                return;
            }
        }
        let dropped = std::mem::replace(&mut link.dropped, false);
        let joined = std::mem::take(&mut link.message);
        let address = link.address.clone();
        self.held -= joined.len();
        if !dropped {
            let message = if joined.is_empty() { payload } else { &joined };
            self.message(&address, message, direction, sink);
        }
    }

    /// The sections of a message.
    fn message(
        &mut self,
        address: &str,
        mut rest: &[u8],
        direction: Direction,
        sink: &mut dyn ContentSink,
    ) {
        sink.unit("message");
        let (mut kind, mut coding) = (Vec::new(), Vec::new());
        for _ in 0..MAX_SECTIONS {
            let Some((descriptor, value, tail)) = types::described(rest) else { break };
            rest = tail;
            let mut json = std::mem::take(&mut self.json);
            json.clear();
            let body = match descriptor {
                Some(PROPERTIES) => {
                    let mut elements = value.elements().skip(6);
                    let mut text = || elements.next().and_then(Value::text).map(<[u8]>::to_vec);
                    kind = text().unwrap_or_default();
                    coding = text().unwrap_or_default();
                    None
                }
                Some(APPLICATION_PROPERTIES | SEQUENCE) => {
                    types::write(value, 0, &mut json);
                    (json.len() > 2).then_some(("application/json", json.as_slice()))
                }
                Some(VALUE) => match value.text() {
                    Some(text) if !value.is_binary() => Some(("", text)),
                    Some(bytes) => Some(("", bytes)),
                    None => {
                        types::write(value, 0, &mut json);
                        Some(("application/json", json.as_slice()))
                    }
                },
                Some(DATA) => value.text().map(|data| ("", data)),
                _ => None,
            };
            if let Some((media_type, bytes)) = body.filter(|(_, bytes)| !bytes.is_empty()) {
                let (own, declared) = (!media_type.is_empty(), String::from_utf8_lossy(&kind));
                let coding = String::from_utf8_lossy(&coding);
                let codings = [&*coding];
                let content_type = if own { media_type } else { &*declared };
                let hint = Hint {
                    direction,
                    media: Media::Type { content_type, name: address },
                    operation: "transfer",
                    codings: if own { &[][..] } else { &codings[..] },
                    layer: "amqp",
                };
                ContentWriter::whole(&hint, bytes, sink);
            }
            self.json = json;
        }
    }

    fn drop_all(&mut self, direction: Direction) {
        for (_, link) in self.links.iter_mut().filter(|(key, _)| key.0 == direction.index()) {
            self.held -= link.message.len();
            link.message = Zeroizing::default();
            link.dropped = false;
        }
    }
}

impl Parser for Amqp1Parser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            let Some(head) = rest.first_chunk::<FRAME>() else {
                return Ok(Progress::need(at, FRAME));
            };
            if let [b'A', b'M', b'Q', b'P', layer, 1, 0, 0] = *head {
                at += HEADER;
                if layer == 2 && direction == Direction::ServerToClient {
                    // The server consents to TLS (5.2).
                    return Ok(Progress { switch: true, ..Progress::consumed(at) });
                }
                continue;
            }
            let [s0, s1, s2, s3, offset, kind, c0, c1] = *head;
            let size = u32::from_be_bytes([s0, s1, s2, s3]) as usize;
            let offset = usize::from(offset) * 4;
            if offset < FRAME || size < offset || size > MAX_SIZE || kind > 1 {
                return Err(ParseError::new(Reason::Malformed, at));
            }
            if size > MAX_FRAME {
                sink.anomaly(Reason::Limit);
                return Ok(Progress::skip(at, size as u64));
            }
            let Some(body) = rest.get(offset..size) else { return Ok(Progress::need(at, size)) };
            let channel = u16::from_be_bytes([c0, c1]);
            // An empty body keeps the connection alive.
            if !body.is_empty() && self.frame(direction, channel, body, sink).is_none() {
                sink.anomaly(Reason::Malformed);
            }
            at += size;
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        sink.facts().missed_login();
        self.drop_all(direction);
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        find(data)
    }

    fn close(&mut self, direction: Direction, _: &[u8], _: End, _: &mut dyn ContentSink) {
        self.drop_all(direction);
    }

    fn memory(&self) -> usize {
        let links = self.links.values().map(|l| size_of::<Link>() + l.address.capacity());
        self.held + self.json.capacity() + links.sum::<usize>()
    }
}
