//! NATS client protocol (docs.nats.io, reference of the protocol): what is published and delivered, under its
//! subject.

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::sized_body::SizedBody;
use super::{
    Authentication, ContentSink, Direction, End, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Reason, Resync, ServiceFacts, Speaker, line,
};

/// Longest control line, bytes (INFO and CONNECT are JSON).
const MAX_LINE: usize = 64 << 10;
/// Longest payload believed, bytes (`max_payload` is 64 MiB at most).
const MAX_PAYLOAD: u64 = 64 << 20;

/// NATS.
pub struct Nats;

impl Protocol for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return match find(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
                None => Probe::No,
            };
        }
        let mut more = false;
        let openings = [(&b"INFO {\""[..], Speaker::Server), (b"CONNECT {\"", Speaker::Client)];
        for (word, speaker) in openings {
            let head = data.get(..word.len()).unwrap_or(data);
            if word.starts_with(head) {
                match head.len() == word.len() {
                    true => return Probe::yes(speaker),
                    false => more = true,
                }
            }
        }
        if more { Probe::More } else { Probe::No }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<NatsParser>::default()
    }
}

/// What precedes a payload.
struct Message<'a> {
    subject: &'a str,
    /// Bytes of headers, and of all.
    headers: u64,
    total: u64,
    operation: &'static str,
}

/// `PUB subject [reply] size`, `HPUB subject [reply] headers total`, `MSG subject sid [reply] size`,
/// `HMSG subject sid [reply] headers total`.
fn message(line: &[u8]) -> Option<Message<'_>> {
    let text = std::str::from_utf8(line).ok()?;
    let words: Vec<&str> = text.split_ascii_whitespace().take(7).collect();
    let (operation, fixed, headers) = match *words.first()? {
        w if w.eq_ignore_ascii_case("PUB") => ("PUB", 1, false),
        w if w.eq_ignore_ascii_case("HPUB") => ("PUB", 1, true),
        w if w.eq_ignore_ascii_case("MSG") => ("MSG", 2, false),
        w if w.eq_ignore_ascii_case("HMSG") => ("MSG", 2, true),
        _ => return None,
    };
    let sizes = if headers { 2 } else { 1 };
    let rest = words.len().checked_sub(1 + fixed + sizes)?;
    if rest > 1 {
        return None;
    }
    let number = |back: usize| words.get(words.len() - back)?.parse::<u64>().ok();
    let total = number(1).filter(|n| *n <= MAX_PAYLOAD)?;
    let headers = if headers { number(2).filter(|n| *n <= total)? } else { 0 };
    Some(Message { subject: words.get(1)?, headers, total, operation })
}

/// The first line that announces a payload.
fn find(data: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', data).map(|at| at + 1).find(|at| {
        let rest = data.get(*at..).unwrap_or_default();
        let known = [&b"PUB "[..], b"HPUB ", b"MSG ", b"HMSG "].iter().any(|w| rest.starts_with(w));
        let head = rest.get(..512).unwrap_or(rest);
        known
            && memchr::memmem::find(head, b"\r\n")
                .is_some_and(|end| rest.get(..end).is_some_and(|l| message(l).is_some()))
    })
}

/// One flow.
#[derive(Default)]
struct NatsParser {
    sides: [DirectionState; 2],
}

/// What of a message is to come in one direction.
#[derive(Default)]
struct DirectionState {
    headers: SizedBody,
    payload: SizedBody,
}

impl NatsParser {
    fn line(&mut self, direction: Direction, line: &[u8], sink: &mut dyn ContentSink) {
        if let Some(json) = line.strip_prefix(b"CONNECT ") {
            let is_filled = |key: &[u8]| is_filled(json, key);
            if is_filled(b"\"pass\"") || is_filled(b"\"auth_token\"") {
                sink.facts().password_in_clear();
            } else if is_filled(b"\"sig\"") || is_filled(b"\"jwt\"") {
                // The client signs what the server gave it.
                sink.facts().authentication = Authentication::Digest;
            }
            return;
        }
        let Some(found) = message(line) else { return };
        // Without a login where one is required, the server ends the connection.
        if direction == Direction::ServerToClient {
            sink.facts().served();
        }
        sink.unit("message");
        let Some(side) = self.sides.get_mut(direction.index()) else { return };
        side.headers = SizedBody::unread(found.headers);
        let len = found.total - found.headers;
        if len > 0 {
            let name = found.subject.replace('.', "/");
            let media = Media::Type { content_type: "", name: &name };
            let operation = found.operation;
            let hint = Hint { direction, media, operation, codings: &[], layer: "nats" };
            side.payload = SizedBody::new(len, ContentWriter::open(&hint, sink));
        }
    }
}

/// Whether a key of CONNECT has a text that is not empty.
fn is_filled(json: &[u8], key: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(json, key) else { return false };
    let value = json.get(at + key.len()..).unwrap_or_default().trim_ascii_start();
    let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
    matches!(value, [b'"', first, ..] if *first != b'"')
}

impl DirectionState {
    fn cut(&mut self, sink: &mut dyn ContentSink) {
        self.headers.cut(sink);
        self.payload.cut(sink);
    }
}

impl Parser for NatsParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            let Some(side) = self.sides.get_mut(direction.index()) else { break };
            if let Some(body) =
                [&mut side.headers, &mut side.payload].into_iter().find(|body| body.is_open())
            {
                at += body.data(rest, sink);
                continue;
            }
            let Some((line, next)) = line::read(data, at, MAX_LINE)? else {
                return Ok(line::more(data, at));
            };
            if line.iter().take(8).any(|b| *b < b' ' && *b != b'\t') {
                return Err(ParseError::new(Reason::Malformed, at));
            }
            if direction == Direction::ServerToClient
                && let Some(json) = line.strip_prefix(b"INFO ")
                && let Some(version) = version(json)
            {
                ServiceFacts::set(&mut sink.facts().software, &format!("nats-server {version}"));
            }
            self.line(direction, line, sink);
            at = next;
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let Some(side) = self.sides.get_mut(direction.index()) else { return Resync::Lost };
        if !side.headers.is_open() && side.payload.gap(len, sink) {
            return Resync::Known { skip: 0 };
        }
        side.cut(sink);
        sink.facts().missed_login();
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        find(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if let Some(side) = self.sides.get_mut(direction.index()) {
            side.cut(sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}

/// `"version":"2.10.4"` of INFO.
fn version(json: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"version\":\"";
    let at = memchr::memmem::find(json, KEY)? + KEY.len();
    let rest = json.get(at..)?;
    std::str::from_utf8(rest.get(..memchr::memchr(b'"', rest)?)?).ok()
}
