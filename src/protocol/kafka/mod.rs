//! Apache Kafka (protocol guide of kafka.apache.org): records of Produce requests and Fetch responses, under their
//! topic.
//!
//! A message begins with its length and nothing else that distinguishes it. So boundaries are found again by the
//! header of a request, or by the number of a request that awaits its answer. Until then, record batches are searched
//! for directly.

mod batch;
mod walk;
mod wire;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::unpack::UNPACKED_RECORD;
use super::{
    Authentication, ContentSink, Direction, End, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Reason, Resync, ServiceFacts, Speaker, json,
};
use crate::syntax::ElementError;
use batch::{Record, Records};
use std::collections::VecDeque;
use walk::{Step, Walk};
use wire::{
    API_VERSIONS, FETCH, METADATA, PRODUCE, Reader, Request, SASL_AUTHENTICATE, SASL_HANDSHAKE,
};
use zeroize::Zeroizing;

/// Requests waiting for their answers; clients send five at a time by default.
const MAX_PENDING: usize = 128;
/// Requests by whose numbers an answer is searched for behind a gap.
const MAX_SOUGHT: usize = 8;
/// SASL messages without a header that may follow a handshake of version 0 (KIP-43).
const BARE_TOKENS: u8 = 4;
/// Longest SASL token that is read, bytes.
const MAX_TOKEN: usize = 4 << 10;
/// Longest value of a header that is read, bytes.
const MAX_HEADER: usize = 1 << 10;
/// Headers of a record that are read.
const MAX_HEADERS: usize = 64;
/// Highest number of a client's first request; larger ones belong to another protocol.
const MAX_FIRST: i32 = 1 << 24;
/// Longest first request of a client without a name, bytes.
const MAX_NAMELESS: usize = 4 << 10;
/// Bytes of a request header that contain the client's name.
const MAX_HEAD: usize = 512;
/// Prefix of a value in a schema registry's format: zero, and the schema's number.
const REGISTERED: usize = 5;

/// Kafka.
pub struct Kafka;

impl Protocol for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return match find_request(data).or_else(|| batch::find(data)) {
                Some(offset) => {
                    let request = data.get(offset..).is_some_and(|d| Request::read(d).is_ok());
                    let speaker = if request { Speaker::Client } else { Speaker::Any };
                    Probe::Yes { speaker, offset }
                }
                None => Probe::No,
            };
        }
        // No first request reaches 16 MiB.
        if data.first().is_some_and(|first| *first != 0) {
            return Probe::No;
        }
        match Request::read(data) {
            Ok(request) if is_first(&request) => Probe::yes(Speaker::Client),
            Err(ElementError::Need(_)) => Probe::More,
            Ok(_) | Err(ElementError::Malformed) => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<KafkaParser>::default()
    }
}

/// Whether a client begins like this: it names itself, or asks for versions, for topics or for a login.
fn is_first(request: &Request<'_>) -> bool {
    let asks = matches!(request.api, METADATA | API_VERSIONS | SASL_HANDSHAKE);
    let small = asks && request.size <= MAX_NAMELESS;
    request.correlation < MAX_FIRST && (small || request.client.is_some_and(|c| !c.is_empty()))
}

/// The first request in `data` that names its client.
fn find_request(data: &[u8]) -> Option<usize> {
    // The key of every request is below 256.
    memchr::memchr_iter(0, data).find(|at| {
        data.get(*at..).is_some_and(|rest| {
            matches!(rest, [0, _, _, _, 0, _, 0, ..])
                && Request::read(rest).is_ok_and(|r| r.client.is_some_and(|c| c.len() > 1))
        })
    })
}

/// A request that awaits its answer.
#[derive(Clone, Copy)]
struct Pending {
    correlation: i32,
    api: i16,
    version: i16,
}

/// One flow.
#[derive(Default)]
struct KafkaParser {
    sides: [Side; 2],
    pending: VecDeque<Pending>,
    bare_tokens: u8,
    /// A request was seen.
    begun: bool,
    room: Zeroizing<Vec<u8>>,
    json: Zeroizing<Vec<u8>>,
}

/// One direction.
#[derive(Default)]
struct Side {
    /// Remaining bytes of the message.
    left: u64,
    /// `None` if they are skipped.
    walk: Option<Walk>,
}

impl Side {
    /// Boundaries are lost; batches are searched for in everything that follows.
    fn scan() -> Self {
        Self { left: u64::MAX, walk: Some(Walk::unknown()) }
    }

    const fn is_lost(&self) -> bool {
        self.left > wire::MAX_MESSAGE as u64
    }
}

impl KafkaParser {
    /// Reads the header of a request. Returns the bytes used and the bytes of the request that follow.
    fn request(
        &mut self,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<(usize, Side), ElementError> {
        if !self.begun && batch::begins(data) {
            return Ok((0, Side::scan()));
        }
        let request = match Request::read(data) {
            Err(ElementError::Malformed) if self.bare_tokens > 0 => {
                return self.bare_token(data, sink);
            }
            request => request?,
        };
        let left = (request.size + 4).checked_sub(request.used).ok_or(ElementError::Malformed)?;
        let mut used = request.used;
        match request.api {
            SASL_HANDSHAKE | SASL_AUTHENTICATE if left <= MAX_TOKEN => {
                let body = data.get(used..used + left).ok_or(ElementError::Need(used + left))?;
                used += left;
                self.sasl(&request, body, sink);
            }
            // A client first asks for versions, for topics or for a login: the beginning was not seen.
            PRODUCE | FETCH if !self.begun => sink.facts().shown(Authentication::Unknown),
            _ => {}
        }
        self.begun = true;
        if self.pending.len() == MAX_PENDING {
            self.pending.pop_front();
        }
        let Request { correlation, api, version, .. } = request;
        self.pending.push_back(Pending { correlation, api, version });
        let walk = (api == PRODUCE).then(|| Walk::new(api, version)).flatten();
        sink.unit("request");
        Ok((used, Side { left: (request.size + 4 - used) as u64, walk }))
    }

    fn sasl(&mut self, request: &Request<'_>, body: &[u8], sink: &mut dyn ContentSink) {
        let mut reader = Reader::new(body);
        if request.api == SASL_HANDSHAKE {
            if let Ok(Some(mechanism)) = reader.string(false) {
                sink.facts().sasl(mechanism);
            }
            self.bare_tokens = if request.version == 0 { BARE_TOKENS } else { 0 };
        } else if let Ok(Some(len)) = reader.length(request.version >= 2, false)
            && let Ok(len) = usize::try_from(len)
            && let Ok(token) = reader.bytes(len)
        {
            user(token, sink);
        }
    }

    /// A SASL message with only its length before it.
    fn bare_token(
        &mut self,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<(usize, Side), ElementError> {
        let mut reader = Reader::new(data);
        let len = usize::try_from(reader.i32()?).map_err(|_| ElementError::Malformed)?;
        if len > MAX_TOKEN {
            return Err(ElementError::Malformed);
        }
        user(reader.bytes(len)?, sink);
        self.bare_tokens -= 1;
        Ok((reader.used(), Side::default()))
    }

    /// Reads the header of a response: the request that it answers defines its layout.
    fn response(&mut self, data: &[u8]) -> Result<(usize, Side), ElementError> {
        if !self.begun && batch::begins(data) {
            return Ok((0, Side::scan()));
        }
        let mut reader = Reader::new(data);
        let size = usize::try_from(reader.i32()?).map_err(|_| ElementError::Malformed)?;
        if size > wire::MAX_MESSAGE {
            return Err(ElementError::Malformed);
        }
        if size < 4 {
            // A SASL response without a header.
            reader.bytes(size)?;
            return Ok((reader.used(), Side::default()));
        }
        let correlation = reader.i32()?;
        let walk = match self.pending.iter().position(|p| p.correlation == correlation) {
            Some(at) => {
                let found = self.pending.drain(..=at).next_back();
                let fetch = found.filter(|found| found.api == FETCH);
                let flexible = fetch.is_some_and(|f| wire::is_flexible(f.api, f.version));
                if size > 4 {
                    reader.tags(flexible)?;
                }
                fetch.and_then(|found| Walk::new(found.api, found.version))
            }
            None => Some(Walk::unknown()),
        };
        let left = (size + 4).checked_sub(reader.used()).ok_or(ElementError::Malformed)? as u64;
        Ok((reader.used(), Side { left, walk }))
    }

    /// Passes on the records of a batch.
    fn batch(
        &mut self,
        data: &[u8],
        topic: &str,
        direction: Direction,
        sink: &mut dyn ContentSink,
    ) {
        if direction == Direction::ServerToClient {
            sink.facts().served();
        }
        let mut room = std::mem::take(&mut self.room);
        let packed = batch::is_packed(data);
        for record in Records::open(data, &mut room, sink) {
            // There may be many records in few bytes on the wire.
            if packed && !sink.spend(UNPACKED_RECORD) {
                break;
            }
            self.record(&record, topic, direction, sink);
        }
        room.clear();
        room.shrink_to(batch::MAX_BATCH);
        self.room = room;
    }

    fn record(
        &mut self,
        record: &Record<'_>,
        topic: &str,
        direction: Direction,
        sink: &mut dyn ContentSink,
    ) {
        sink.unit("message");
        let hint = |content_type, operation| Hint {
            direction,
            media: Media::Type { content_type, name: topic },
            operation,
            codings: &[],
            layer: "kafka",
        };
        let operation = match direction {
            Direction::ClientToServer => "produce",
            Direction::ServerToClient => "fetch",
        };
        // Keys of change data capture are objects; others are bare values without names.
        let key = plain(record.key);
        if key.first() == Some(&b'{') {
            ContentWriter::whole(&hint("application/json", operation), key, sink);
        }
        self.json.clear();
        self.json.push(b'{');
        let texts = record
            .headers
            .take(MAX_HEADERS)
            .filter(|(_, value)| value.len() <= MAX_HEADER && !value.iter().any(|b| *b < b' '));
        for (name, value) in texts {
            json::name(name, &mut self.json);
            json::string(value, &mut self.json);
        }
        if self.json.len() > 1 {
            self.json.push(b'}');
            ContentWriter::whole(&hint("application/json", operation), &self.json, sink);
        }
        let value = plain(record.value);
        if !value.is_empty() {
            ContentWriter::whole(&hint("", operation), value, sink);
        }
    }

    /// Whether a message certainly begins at `data`.
    fn is_boundary(&self, direction: Direction, data: &[u8]) -> bool {
        let found = match direction {
            Direction::ClientToServer => find_request(data.get(..MAX_HEAD).unwrap_or(data)),
            Direction::ServerToClient => self.find_response(data.get(..8).unwrap_or(data)),
        };
        found == Some(0)
    }

    /// Offset in `data` of an answer to a known request.
    fn find_response(&self, data: &[u8]) -> Option<usize> {
        let places = |fits: fn(&[u8]) -> bool| {
            let sought = self.pending.iter().take(MAX_SOUGHT);
            let places = sought.filter_map(|pending| {
                memchr::memmem::find_iter(data, &pending.correlation.to_be_bytes())
                    .filter_map(|at| at.checked_sub(4))
                    .find(|at| data.get(*at..).is_some_and(fits))
            });
            places.min()
        };
        // One that ends with what is at hand is no chance.
        places(|d| d.first_chunk().is_some_and(|l| u32::from_be_bytes(*l) as usize + 4 == d.len()))
            .or_else(|| places(|d| matches!(d, [0, _, _, 4..=255, ..])))
    }
}

/// A value without the prefix that a schema registry puts before JSON.
fn plain(value: &[u8]) -> &[u8] {
    match value.split_at_checked(REGISTERED) {
        Some(([0, ..], json @ [b'{' | b'[', ..])) => json,
        _ => value,
    }
}

/// The account in a SASL PLAIN token (RFC 4616): authorization identity, user and password, separated by null bytes.
fn user(token: &[u8], sink: &mut dyn ContentSink) {
    let mut parts = token.split(|b| *b == 0);
    if let (Some(_), Some(user), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
        && sink.facts().authentication == Authentication::Basic
    {
        let user = String::from_utf8_lossy(user);
        ServiceFacts::set(&mut sink.facts().files().user, &user);
    }
}

impl Parser for KafkaParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let index = direction.index();
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            let Some(side) = self.sides.get_mut(index) else { break };
            let (ended, lost) = (side.left == 0, side.is_lost());
            if ended || lost && self.is_boundary(direction, rest) {
                let read = match direction {
                    Direction::ClientToServer => self.request(rest, sink),
                    Direction::ServerToClient => self.response(rest),
                };
                match read {
                    Ok((used, next)) => {
                        at += used;
                        if let Some(side) = self.sides.get_mut(index) {
                            *side = next;
                        }
                    }
                    Err(ElementError::Need(need)) => return Ok(Progress::need(at, need)),
                    Err(ElementError::Malformed) => {
                        return Err(ParseError::new(Reason::Malformed, at));
                    }
                }
                continue;
            }
            let Some(side) = self.sides.get_mut(index) else { break };
            let Some(walk) = side.walk.as_mut() else {
                return Ok(Progress::skip(at, std::mem::take(&mut side.left)));
            };
            let len = usize::try_from(side.left).unwrap_or(usize::MAX).min(rest.len());
            let window = rest.get(..len).unwrap_or(rest);
            let last = window.len() as u64 == side.left;
            let (used, skipped) = match walk.step(window, last) {
                Ok(Step::Read(used)) => (used, 0),
                Ok(Step::Batch(size)) => {
                    walk.passed(size);
                    let topic = std::mem::take(&mut walk.topic);
                    self.batch(window.get(..size).unwrap_or(window), &topic, direction, sink);
                    if let Some(walk) = self.sides.get_mut(index).and_then(|s| s.walk.as_mut()) {
                        walk.topic = topic;
                    }
                    (size, 0)
                }
                Ok(Step::TooLarge(size)) => {
                    sink.anomaly(Reason::Limit);
                    walk.passed(size);
                    (size.min(len), size.saturating_sub(len))
                }
                Ok(Step::Done) => {
                    side.walk = None;
                    continue;
                }
                // No more than the message has, whatever a length in it says.
                Err(ElementError::Need(need)) if !last => {
                    let left = usize::try_from(side.left).unwrap_or(usize::MAX);
                    return Ok(Progress::need(at, need.min(left)));
                }
                // The layout does not match its version, but the end of the message is known.
                Err(_) => {
                    sink.anomaly(Reason::Malformed);
                    side.walk = None;
                    continue;
                }
            };
            at += used;
            let Some(side) = self.sides.get_mut(index) else { break };
            if !side.is_lost() {
                let skipped = (skipped as u64).min(side.left - used as u64);
                side.left -= used as u64 + skipped;
                if skipped > 0 {
                    return Ok(Progress::skip(at, skipped));
                }
            } else if skipped > 0 {
                return Ok(Progress::skip(at, skipped as u64));
            }
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, _len: u64, _sink: &mut dyn ContentSink) -> Resync {
        if let Some(side) = self.sides.get_mut(direction.index()) {
            *side = Side::default();
        }
        Resync::Search
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        let message = match direction {
            Direction::ClientToServer => find_request(data),
            Direction::ServerToClient => self.find_response(data),
        };
        let batch = batch::find(data);
        match (message, batch) {
            (Some(message), Some(batch)) if message < batch => Some(message),
            (_, Some(batch)) => {
                *self.sides.get_mut(direction.index())? = Side::scan();
                Some(batch)
            }
            (message, None) => message,
        }
    }

    fn close(&mut self, _direction: Direction, _rest: &[u8], _end: End, _: &mut dyn ContentSink) {}

    fn memory(&self) -> usize {
        let topics = self.sides.iter().filter_map(|s| s.walk.as_ref()).map(|w| w.topic.capacity());
        self.pending.capacity() * size_of::<Pending>()
            + self.room.capacity()
            + self.json.capacity()
            + topics.sum::<usize>()
    }
}
