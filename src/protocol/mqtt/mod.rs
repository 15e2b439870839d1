//! MQTT 3.1, 3.1.1 and 5: published messages, under their topics.

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::sized_body::SizedBody;
use super::{
    ContentSink, Direction, End, Hint, Media, ParseError, Parser, Position, Probe, Progress,
    Protocol, Reason, Resync, Speaker,
};
use crate::syntax::{ElementError, Match};

/// Bytes of CONNECT that are read: protocol name, level and flags, properties (MQTT 5 3.1.2).
const CONNECT_HEAD: usize = 512;
/// Bytes of CONNACK: flags, and the result (3.2.2).
const CONNACK_HEAD: usize = 2;
/// Longest topic and properties of a PUBLISH, bytes; both have lengths of their own.
const MAX_HEAD: usize = 70 << 10;

/// Longest topic of a PUBLISH in mid-stream, and shortest one of a single level, bytes.
const MAX_TOPIC: usize = 1024;
const MIN_TOPIC: usize = 6;
/// Longest and shortest PUBLISH in mid-stream, bytes.
const MAX_FOUND: u64 = 16 << 20;
const MIN_FOUND: usize = 8;
/// Bytes behind a topic that tell whether properties come first.
const PROPERTIES: usize = 256;

const CONNECT: u8 = 1;
const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;

/// MQTT.
pub struct Mqtt;

impl Protocol for Mqtt {
    fn name(&self) -> &'static str {
        "mqtt"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return match find(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
                None => Probe::No,
            };
        }
        match data.first() {
            None => return Probe::More,
            Some(0x10) => {}
            Some(_) => return Probe::No,
        }
        let Some((_, used)) = (match length(data.get(1..).unwrap_or(b"")) {
            Match::Yes((len, used)) => Some((len, used)),
            Match::More => return Probe::More,
            Match::No => None,
        }) else {
            return Probe::No;
        };
        let rest = data.get(1 + used..).unwrap_or(b"");
        for name in [&b"\0\x04MQTT"[..], b"\0\x06MQIsdp"] {
            let head = rest.get(..name.len()).unwrap_or(rest);
            if name.starts_with(head) {
                return if head.len() == name.len() {
                    Probe::yes(Speaker::Client)
                } else {
                    Probe::More
                };
            }
        }
        Probe::No
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(MqttParser { version: Some(4), nameless: false, payloads: Default::default() })
    }
}

/// A variable byte integer (MQTT 5 1.5.5), and the bytes it takes.
fn length(data: &[u8]) -> Match<(u64, usize)> {
    let mut value = 0;
    for at in 0..4 {
        let Some(byte) = data.get(at) else { return Match::More };
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Match::Yes((value, at + 1));
        }
    }
    Match::No
}

/// The properties at the front of `data` (MQTT 5 2.2.2), without their length.
fn properties(data: &[u8]) -> Option<&[u8]> {
    let Match::Yes((len, used)) = length(data) else { return None };
    data.get(used..)?.get(..usize::try_from(len).ok()?)
}

/// Bytes of the string at the front of `data`, with its length (MQTT 5 1.5.4).
fn string(data: &[u8]) -> Option<usize> {
    Some(2 + usize::from(u16::from_be_bytes(*data.first_chunk::<2>()?)))
}

/// Bytes of the pair of strings at the front of `data` (MQTT 5 1.5.7).
fn string_pair(data: &[u8]) -> Option<usize> {
    let name = string(data)?;
    Some(name + string(data.get(name..)?)?)
}

/// Whether CONNECT names an extended authentication method (MQTT 5 3.1.2.11.9), or may.
fn has_method(data: &[u8]) -> bool {
    let Some(mut rest) = properties(data) else { return true };
    while let Some((kind, after)) = rest.split_first() {
        // Session expiry, receive maximum, maximum packet size, topic aliases, request flags, user properties.
        let size = match kind {
            0x11 | 0x27 => Some(4),
            0x21 | 0x22 => Some(2),
            0x17 | 0x19 => Some(1),
            0x26 => string_pair(after),
            _ => return true,
        };
        let Some(behind) = size.and_then(|size| after.get(size..)) else { return true };
        rest = behind;
    }
    false
}

/// Whether the properties of a PUBLISH (MQTT 5 3.3.2.3) are at the front of `data`: earlier versions have none.
fn has_properties(data: &[u8]) -> bool {
    let Some(mut rest) = properties(data) else { return false };
    while let Some((kind, after)) = rest.split_first() {
        // Form and life of the payload, alias; type, topic and data for an answer; subscription; what a user adds.
        let size = match kind {
            0x01 => Some(1),
            0x02 => Some(4),
            0x23 => Some(2),
            0x03 | 0x08 | 0x09 => string(after),
            0x0b => match length(after) {
                Match::Yes((_, used)) => Some(used),
                Match::More | Match::No => None,
            },
            0x26 => string_pair(after),
            _ => None,
        };
        let Some(behind) = size.and_then(|size| after.get(size..)) else { return false };
        rest = behind;
    }
    true
}

/// Bytes of the packet at the front of `data`, if its type, flags and length fit (MQTT 5 2.1).
fn packet(data: &[u8]) -> Option<u64> {
    let (first, after) = data.split_first()?;
    let Match::Yes((len, used)) = length(after) else { return None };
    let fits = match first {
        0x30..=0x3d => first & 0x06 != 0x06 && is_published(after.get(used..)?, len),
        // Answers to what was published; subscriptions and their answers; pings.
        0x40 | 0x50 | 0x62 | 0x70 => (2..=256).contains(&len),
        0x82 | 0x90 | 0xa2 | 0xb0 => (2..=64 << 10).contains(&len),
        0xc0 | 0xd0 => len == 0,
        _ => false,
    };
    fits.then_some(1 + used as u64 + len)
}

/// Whether a PUBLISH of `len` bytes begins with the name of a topic (MQTT 5 4.7).
fn is_published(body: &[u8], len: u64) -> bool {
    let Some((size, rest)) = body.split_first_chunk::<2>() else { return false };
    let size = usize::from(u16::from_be_bytes(*size));
    let fits = (1..=MAX_TOPIC).contains(&size) && (2 + size) as u64 <= len && len <= MAX_FOUND;
    let topic = rest.get(..size).filter(|_| fits).and_then(|topic| std::str::from_utf8(topic).ok());
    // A short one could be anything.
    let named = |topic: &str| topic.contains('/') || topic.len() >= MIN_TOPIC && topic.is_ascii();
    topic.is_some_and(|topic| {
        named(topic) && !topic.contains(|c: char| c.is_control() || matches!(c, '#' | '+'))
    })
}

/// The first PUBLISH in `data` that another packet follows, or the end; one that goes on behind `data` is at its
/// front and has a topic of several levels.
fn find(data: &[u8]) -> Option<usize> {
    (0..data.len()).find(|at| {
        let rest = data.get(*at..).unwrap_or_default();
        if !matches!(rest.first(), Some(0x30..=0x3d)) {
            return false;
        }
        let Some(size) = packet(rest).and_then(|size| usize::try_from(size).ok()) else {
            return false;
        };
        match rest.get(size..) {
            Some([]) => size > MIN_FOUND,
            Some(next) => packet(next).is_some(),
            None => {
                *at == 0
                    && rest
                        .iter()
                        .take(MAX_TOPIC)
                        .take_while(|b| b.is_ascii_graphic() || **b < b' ')
                        .any(|b| *b == b'/')
            }
        }
    })
}

/// One flow.
struct MqttParser {
    /// Protocol level: 3, 4 or 5. None: CONNECT was not seen, and no PUBLISH since.
    version: Option<u8>,
    /// The client asked to connect without a user name.
    nameless: bool,
    /// The current payload in each direction.
    payloads: [SizedBody; 2],
}

impl MqttParser {
    /// What CONNECT declares (MQTT 5 3.1.2.3).
    fn connect(&mut self, body: &[u8], sink: &mut dyn ContentSink) {
        let name = usize::from(body.get(1).copied().unwrap_or(0));
        let version = body.get(2 + name).copied().unwrap_or(4);
        self.version = Some(version);
        let flags = body.get(3 + name).copied().unwrap_or(0);
        if flags & 0x40 != 0 {
            sink.facts().password_in_clear();
        }
        // Behind the flags: the keep-alive time.
        let properties = body.get(6 + name..).unwrap_or_default();
        let other = version >= 5 && has_method(properties);
        self.nameless = flags & 0xc0 == 0 && !other;
    }

    /// The broker's answer: a client without a user name was accepted, or not.
    fn connected(&self, body: &[u8], sink: &mut dyn ContentSink) {
        if self.nameless && body.get(1) == Some(&0) {
            sink.facts().served();
        }
    }

    /// Reads the head of a PUBLISH before its payload. Returns its length in bytes, and the topic.
    fn head<'a>(
        &mut self,
        flags: u8,
        body: &'a [u8],
        len: u64,
    ) -> Result<(usize, &'a [u8]), ElementError> {
        let (topic, _) = body.split_first_chunk::<2>().ok_or(ElementError::Need(2))?;
        let mut used = 2 + usize::from(u16::from_be_bytes(*topic));
        let topic_end = used;
        // A packet identifier for all but "at most once".
        used += if flags & 0x06 == 0 { 0 } else { 2 };
        let behind = body.get(used..).ok_or(ElementError::Need(used))?;
        let (have, all) = (body.len() as u64, len.min((used + PROPERTIES) as u64));
        if self.version.is_none() && have < all {
            return Err(ElementError::Need(usize::try_from(all).unwrap_or(MAX_HEAD)));
        }
        let version =
            *self.version.get_or_insert_with(|| if has_properties(behind) { 5 } else { 4 });
        if version >= 5 && (used as u64) < len {
            match length(body.get(used..).unwrap_or(b"")) {
                Match::Yes((properties, bytes)) => {
                    used = used.saturating_add(bytes);
                    used = used.saturating_add(usize::try_from(properties).unwrap_or(MAX_HEAD));
                }
                Match::More => return Err(ElementError::Need((used + 1).max(body.len() + 1))),
                Match::No => return Err(ElementError::Malformed),
            }
        }
        match body.get(2..topic_end) {
            _ if used as u64 > len || used > MAX_HEAD => Err(ElementError::Malformed),
            Some(topic) if body.len() >= used => Ok((used, topic)),
            _ => Err(ElementError::Need(used)),
        }
    }
}

impl Parser for MqttParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest @ [first, after @ ..]) = data.get(at..) {
            let Some(payload) = self.payloads.get_mut(direction.index()) else { break };
            if payload.is_open() {
                at += payload.data(rest, sink);
                continue;
            }
            let (len, used) = match length(after) {
                Match::Yes((len, used)) => (len, used),
                Match::More => return Ok(Progress::need(at, rest.len() + 1)),
                Match::No => return Err(ParseError::new(Reason::Malformed, at)),
            };
            let body = after.get(used..).unwrap_or(b"");
            let (kind, flags) = (first >> 4, first & 0x0f);
            if kind == 0 {
                return Err(ParseError::new(Reason::Malformed, at));
            }
            if kind == CONNECT {
                let want = usize::try_from(len).unwrap_or(usize::MAX).min(CONNECT_HEAD);
                if body.len() < want {
                    return Ok(Progress::need(at, 1 + used + want));
                }
                self.connect(body.get(..want).unwrap_or(body), sink);
            }
            if kind == CONNACK && direction == Direction::ServerToClient {
                let want = usize::try_from(len).unwrap_or(usize::MAX).min(CONNACK_HEAD);
                if body.len() < want {
                    return Ok(Progress::need(at, 1 + used + want));
                }
                self.connected(body, sink);
            }
            if kind != PUBLISH || len == 0 {
                return Ok(Progress::skip(at + 1 + used, len));
            }
            let whole = usize::try_from(len).unwrap_or(usize::MAX).min(body.len());
            let (head, topic) = match self.head(flags, body.get(..whole).unwrap_or(body), len) {
                Ok(head) => head,
                Err(ElementError::Need(need)) if need as u64 <= len && need <= MAX_HEAD => {
                    return Ok(Progress::need(at, 1 + used + need));
                }
                Err(_) => return Err(ParseError::new(Reason::Malformed, at)),
            };
            sink.unit("message");
            at += 1 + used + head;
            let left = len - head as u64;
            if left > 0 {
                let topic = String::from_utf8_lossy(topic);
                let hint = Hint {
                    direction,
                    media: Media::Type { content_type: "", name: &topic },
                    operation: "PUBLISH",
                    codings: &[],
                    layer: "mqtt",
                };
                let writer = ContentWriter::open(&hint, sink);
                if let Some(payload) = self.payloads.get_mut(direction.index()) {
                    *payload = SizedBody::new(left, writer);
                }
            }
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
        self.version = None;
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let payload = self.payloads.get_mut(direction.index());
        match payload.is_some_and(|payload| payload.gap(len, sink)) {
            true => Resync::Known { skip: 0 },
            false => Resync::Search,
        }
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        find(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if let Some(payload) = self.payloads.get_mut(direction.index()) {
            payload.cut(sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
