//! MongoDB wire protocol: OP_MSG, OP_COMPRESSED and the operations of older versions (OP_QUERY, OP_REPLY, OP_INSERT).
//!
//! Documents of requests and responses are passed on as JSON under the name of their collection, which describes them
//! as the name of a table does.

mod bson;
mod message;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::{
    Authentication, ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position,
    Probe, Progress, Protocol, Reason, Resync, Speaker,
};
use message::{HEADER, Header, Section};
use zeroize::Zeroizing;

/// Longest message that is read as a whole, bytes. Of a longer one the beginning is read.
const MAX_MESSAGE: usize = 2 << 20;
/// Longest message that the protocol allows, with its header (`maxMessageSizeBytes`).
const LONGEST: usize = 48_000_000 + HEADER;
/// Commands allowed before authentication.
const GREETINGS: [&[u8]; 9] = [
    b"hello",
    b"isMaster",
    b"ismaster",
    b"ping",
    b"buildInfo",
    b"buildinfo",
    b"getParameter",
    b"endSessions",
    b"connectionStatus",
];

/// MongoDB.
pub struct Mongodb;

impl Protocol for Mongodb {
    fn name(&self) -> &'static str {
        "mongodb"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        match message::begins(data) {
            Some(Some(header)) => Probe::yes(match header.is_answer() {
                true => Speaker::Server,
                false => Speaker::Client,
            }),
            Some(None) => Probe::More,
            None if at == Position::Start => Probe::No,
            None => match message::find(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
                None => Probe::No,
            },
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<MongodbParser>::default()
    }
}

/// One flow.
#[derive(Default)]
struct MongodbParser {
    /// The client has begun to authenticate, or has sent its first other command.
    known: bool,
    /// It has requested data.
    asked: bool,
    json: Zeroizing<Vec<u8>>,
}

impl MongodbParser {
    fn message(
        &mut self,
        header: Header,
        body: &[u8],
        direction: Direction,
        sink: &mut dyn ContentSink,
    ) {
        let mut inflated = Zeroizing::new(Vec::new());
        let (opcode, body) = match header.opcode {
            message::OP_COMPRESSED if !sink.spend(message::inflated_len(body)) => return,
            message::OP_COMPRESSED => match message::inflate(body, MAX_MESSAGE, &mut inflated) {
                Ok(opcode) => (opcode, inflated.as_slice()),
                Err(reason) => return sink.anomaly(reason),
            },
            opcode => (opcode, body),
        };
        let sections: Vec<Section<'_>> = message::sections(opcode, body).collect();
        let Some(first) = sections.iter().find_map(|s| s.document()) else { return };
        let command = bson::first(first);
        if direction == Direction::ClientToServer
            && let Some((name, _)) = command
        {
            self.authentication(name, first, sink);
        }
        // `{find: "patients", ...}`, or the namespace in a response (`clinic.patients`).
        let namespace = message::namespace(opcode, body, first);
        let answer = direction == Direction::ServerToClient;
        if answer && self.asked && done(first) {
            sink.facts().served();
        }
        let named = command.and_then(|(_, value)| value).filter(|_| !answer);
        let collection = named.or(namespace).unwrap_or_default();
        let collection = collection.rsplit(|b| *b == b'.').next().unwrap_or_default();
        let operation = match command {
            Some((name, _)) if !answer => std::str::from_utf8(name).unwrap_or(""),
            _ => "find",
        };
        let operation = known_operation(operation);
        self.asked |= !answer && operation != OTHER;
        self.json.clear();
        self.json.push(b'{');
        super::json::name(
            if collection.is_empty() { b"documents" } else { collection },
            &mut self.json,
        );
        self.json.push(b'[');
        for section in &sections {
            for document in section.documents() {
                super::json::comma(&mut self.json);
                if bson::document(document, &mut self.json).is_err() {
                    sink.anomaly(Reason::Malformed);
                    break;
                }
            }
        }
        self.json.extend_from_slice(b"]}");
        sink.unit(if answer { "response" } else { "request" });
        let media = Media::Type { content_type: "application/json", name: "" };
        let hint = Hint { direction, media, operation, codings: &[], layer: "mongodb" };
        let mut writer = ContentWriter::open(&hint, sink);
        writer.data(&self.json, sink);
        writer.close(Ending::Complete, sink);
    }

    /// How the client authenticates, by its first commands.
    fn authentication(&mut self, command: &[u8], document: &[u8], sink: &mut dyn ContentSink) {
        if self.known {
            return;
        }
        let sasl = command == b"saslStart"
            || memchr::memmem::find(document, b"speculativeAuthenticate").is_some();
        if sasl {
            self.known = true;
            // PLAIN carries the password (RFC 4616).
            match memchr::memmem::find(document, b"mechanism\0\x06\0\0\0PLAIN") {
                Some(_) => sink.facts().password_in_clear(),
                None => sink.facts().authentication = Authentication::Digest,
            }
        } else if !GREETINGS.contains(&command) {
            self.known = true;
            sink.facts().authentication = Authentication::None;
        }
    }
}

/// The command, from a closed set.
fn known_operation(command: &str) -> &'static str {
    const KNOWN: [&str; 8] =
        ["find", "insert", "update", "delete", "aggregate", "findAndModify", "getMore", "count"];
    KNOWN.into_iter().find(|k| *k == command).unwrap_or(OTHER)
}

/// A command that requests no data.
const OTHER: &str = "command";

/// Whether a response reports success: `ok` is 1, usually a floating-point number.
fn done(answer: &[u8]) -> bool {
    let ok = [&b"\x01ok\0\0\0\0\0\0\0\xf0\x3f"[..], b"\x10ok\0\x01\0\0\0"];
    ok.iter().any(|ok| memchr::memmem::find(answer, ok).is_some())
}

impl Parser for MongodbParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|r| !r.is_empty()) {
            let Some(header) = Header::read(rest) else { return Ok(Progress::need(at, HEADER)) };
            if !(HEADER..=LONGEST).contains(&header.length) {
                return Err(ParseError::new(Reason::Malformed, at));
            }
            let read = header.length.min(MAX_MESSAGE);
            let Some(body) = rest.get(HEADER..read) else { return Ok(Progress::need(at, read)) };
            self.message(header, body, direction, sink);
            at += read;
            if header.length > read {
                sink.anomaly(Reason::Limit);
                return Ok(Progress::skip(at, (header.length - read) as u64));
            }
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        self.known = true;
        sink.facts().missed_login();
    }

    fn gap(&mut self, _direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        self.begun_before(sink);
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        message::find(data)
    }

    fn close(
        &mut self,
        _direction: Direction,
        _rest: &[u8],
        _end: End,
        _sink: &mut dyn ContentSink,
    ) {
    }

    fn memory(&self) -> usize {
        self.json.capacity()
    }
}
