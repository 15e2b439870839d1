//! IMAP (RFC 9051, RFC 3501): fetched and appended messages, also compressed (RFC 4978).

mod lines;
mod structure;
#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::sized_body::SizedBody;
use super::tls_upgrade::TlsUpgrade;
use super::websocket::inflate::Inflater;
use super::{
    ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Reason, Resync, ServiceFacts, line,
};
use lines::{Fetched, Literal, literal};
use structure::Messages;
use zeroize::Zeroizing;

/// Longest line without its literals, bytes.
const MAX_LINE: usize = 64 << 10;
/// Bytes of a header that are read to learn the type of its body.
const MAX_HEADER: usize = 16 << 10;
/// Bytes decompressed at a time.
const STEP: usize = 4 << 10;

/// IMAP.
pub struct Imap;

impl Protocol for Imap {
    fn name(&self) -> &'static str {
        "imap"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        lines::probe(data, at)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<ImapParser>::default()
    }
}

/// One flow.
#[derive(Default)]
struct ImapParser {
    sides: [DirectionState; 2],
    tls: TlsUpgrade,
    greeted: bool,
    /// The connection began before the capture: its greeting was not seen, unless a response looks like one.
    joined: bool,
    /// The tag of the last command with a literal: a server that rejects the command gets no literal.
    appending: Vec<u8>,
    /// The tag of the command that asked for compression, until it is answered.
    compress: Option<Vec<u8>>,
    compressed: bool,
    /// What responses said about messages.
    messages: Messages,
    /// The message of the current response.
    message: u64,
    /// The current header: of which part, and its bytes so far.
    header: Option<(String, Zeroizing<Vec<u8>>)>,
    /// What is fetched in pieces.
    partial: Option<Partial>,
}

/// A message, or a part of one, that a client fetches piece by piece (RFC 9051 6.4.5).
struct Partial {
    message: u64,
    section: Vec<u8>,
    /// The byte at which the next piece begins.
    next: u64,
    /// Not while a piece is being read.
    writer: Option<ContentWriter>,
}

/// One direction.
#[derive(Default)]
struct DirectionState {
    literal: SizedBody,
    inflate: Option<Box<Inflater>>,
    /// Decompressed bytes that were not consumed.
    unpacked: Zeroizing<Vec<u8>>,
}

impl ImapParser {
    /// Reads uncompressed bytes. Returns the bytes consumed, and whether another protocol follows.
    fn plain(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let client = direction == Direction::ClientToServer;
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            let Some(side) = self.sides.get_mut(direction.index()) else { break };
            if side.literal.is_open() {
                let len = side.literal.data(rest, sink);
                let ended = !side.literal.is_open();
                at += len;
                if let (Some(writer), Some(partial)) = (side.literal.release(), &mut self.partial) {
                    partial.writer = Some(writer);
                }
                if !client {
                    self.header_bytes(rest.get(..len).unwrap_or(rest), ended);
                }
                continue;
            }
            if client && self.tls.begins(rest) {
                return Ok(Progress { switch: true, ..Progress::consumed(at) });
            }
            let Some((line, next)) = line::read(data, at, MAX_LINE)? else {
                return Ok(line::more(data, at));
            };
            at = next;
            let packed = self.compressed;
            let switch = match client {
                true => {
                    self.command(line, sink);
                    false
                }
                false => self.answer(line, sink),
            };
            if let Some(found) = literal(line) {
                self.open(direction, line, &found, sink);
            }
            if switch {
                return Ok(Progress { switch: true, ..Progress::consumed(at) });
            }
            if !packed && self.compressed {
                // The following bytes are compressed.
                break;
            }
        }
        Ok(Progress::consumed(at))
    }

    fn open(
        &mut self,
        direction: Direction,
        line: &[u8],
        found: &Literal,
        sink: &mut dyn ContentSink,
    ) {
        let client = direction == Direction::ClientToServer;
        let Some(side) = self.sides.get_mut(direction.index()) else { return };
        side.literal = SizedBody::unread(found.len);
        if found.len == 0 {
            return;
        }
        let piece = if client { None } else { lines::partial(line) };
        let before = if client { None } else { self.partial.take() };
        if let Some(mut partial) = before {
            let next = piece.as_ref().is_some_and(|(section, first)| {
                (partial.message, partial.next) == (self.message, *first)
                    && partial.section == *section
            });
            match partial.writer.take() {
                Some(writer) if next => {
                    partial.next = partial.next.saturating_add(found.len);
                    self.partial = Some(partial);
                    side.literal = SizedBody::part(found.len, writer);
                    return;
                }
                Some(writer) => writer.close(Ending::Complete, sink),
                None => {}
            }
        }
        let mut head = None;
        let content_type = match client {
            true => lines::appended(line),
            false => lines::fetched(line).map(|fetched| match fetched {
                Fetched::Message => "message/rfc822",
                Fetched::Header(path) => {
                    self.header = Some((path, Zeroizing::default()));
                    "message/rfc822"
                }
                Fetched::Part(path) => {
                    let part = self.messages.part(self.message, &path);
                    head = part.and_then(structure::Head::message);
                    if head.is_some() { "message/rfc822" } else { "" }
                }
                Fetched::Decoded => "",
            }),
        };
        let Some(content_type) = content_type else { return };
        sink.unit("message");
        let media = Media::Type { content_type, name: "" };
        let operation = if client { "APPEND" } else { "FETCH" };
        let hint = Hint { direction, media, operation, codings: &[], layer: "imap" };
        let mut writer = ContentWriter::open(&hint, sink);
        if let Some(head) = head {
            writer.data(&head, sink);
        }
        side.literal = match piece {
            Some((section, 0)) => {
                let next = found.len;
                self.partial = Some(Partial { message: self.message, section, next, writer: None });
                SizedBody::part(found.len, writer)
            }
            _ => SizedBody::new(found.len, writer),
        };
    }

    /// Bytes of a literal of the server, possibly a header, which shows the types of parts.
    fn header_bytes(&mut self, bytes: &[u8], ended: bool) {
        let Some((_, header)) = &mut self.header else { return };
        let room = MAX_HEADER.saturating_sub(header.len());
        header.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if ended && let Some((path, header)) = self.header.take() {
            self.messages.header(self.message, &path, &header);
        }
    }

    fn command(&mut self, line: &[u8], sink: &mut dyn ContentSink) {
        let (tag, rest) = line::command(line);
        let (verb, rest) = line::command(rest);
        let is = |word: &[u8]| verb.eq_ignore_ascii_case(word);
        if literal(line).is_some() {
            self.appending = tag.to_vec();
        }
        let facts = sink.facts();
        if is(b"LOGIN") {
            facts.password_in_clear();
            let user = rest.split(|b| *b == b' ').next().unwrap_or_default();
            if !user.starts_with(b"{") {
                let user = String::from_utf8_lossy(user);
                ServiceFacts::set(&mut facts.files().user, user.trim_matches('"'));
            }
        } else if is(b"AUTHENTICATE") {
            facts.sasl(rest);
        } else if is(b"SELECT") || is(b"EXAMINE") {
            self.messages.clear();
        } else if is(b"STARTTLS") {
            self.tls.ask();
        } else if is(b"COMPRESS") && rest.eq_ignore_ascii_case(b"DEFLATE") {
            self.compress = Some(tag.to_vec());
        }
    }

    /// A line of the server. True if TLS begins behind it.
    fn answer(&mut self, line: &[u8], sink: &mut dyn ContentSink) -> bool {
        let (tag, rest) = line::command(line);
        let positive = rest.get(..2).is_some_and(|w| w.eq_ignore_ascii_case(b"OK"));
        if let Some(message) = lines::message(line) {
            self.message = message;
        }
        if let Some(at) = memchr::memmem::find(line, b"BODYSTRUCTURE (") {
            let structure = line.get(at + b"BODYSTRUCTURE ".len()..).unwrap_or_default();
            self.messages.structure(self.message, structure);
        }
        if tag == b"*" {
            let first = !std::mem::replace(&mut self.greeted, true);
            if first && positive && (!self.joined || lines::is_greeting(rest)) {
                let text = rest.rsplit(|b| *b == b']').next().unwrap_or_default();
                let text = text.strip_prefix(b"OK").unwrap_or(text).trim_ascii();
                ServiceFacts::set(&mut sink.facts().software, &String::from_utf8_lossy(text));
            }
            return false;
        }
        if tag == b"+" {
            return false;
        }
        if !positive && !tag.is_empty() && self.appending == tag {
            // Instead of its literal, the next command follows.
            let client = Direction::ClientToServer.index();
            if let Some(side) = self.sides.get_mut(client) {
                side.literal.cut(sink);
            }
        }
        if self.compress.as_deref() == Some(tag) {
            self.compress = None;
            if positive {
                self.compressed = true;
                for side in &mut self.sides {
                    side.inflate = Some(Box::new(Inflater::new()));
                }
            }
            return false;
        }
        self.tls.answered(positive)
    }
}

impl Parser for ImapParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let index = direction.index();
        if self.sides.get(index).is_none_or(|s| s.inflate.is_none()) {
            return self.plain(direction, data, sink);
        }
        for (step, packed) in data.chunks(STEP).enumerate() {
            let Some(side) = self.sides.get_mut(index) else { break };
            let mut unpacked = std::mem::take(&mut side.unpacked);
            let Some(inflater) = &mut side.inflate else { break };
            let mut take = |bytes: &[u8]| {
                unpacked.extend_from_slice(bytes);
                true
            };
            if inflater.feed(packed, &mut take).is_err() {
                return Err(ParseError::new(Reason::Unsupported, step * STEP));
            }
            inflater.end_message(false);
            let used = self.plain(direction, &unpacked, sink)?.consumed.min(unpacked.len());
            unpacked.drain(..used);
            if unpacked.len() > MAX_LINE {
                return Err(ParseError::new(Reason::Limit, step * STEP));
            }
            if let Some(side) = self.sides.get_mut(index) {
                side.unpacked = unpacked;
            }
        }
        Ok(Progress::consumed(data.len()))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
        self.joined = true;
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        self.header = None;
        let Some(side) = self.sides.get_mut(direction.index()) else { return Resync::Lost };
        if side.inflate.is_some() {
            side.literal.cut(sink);
            return Resync::Lost;
        }
        match side.literal.gap(len, sink) {
            true => Resync::Known { skip: 0 },
            false => Resync::Search,
        }
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        if direction == Direction::ServerToClient {
            return lines::boundary(data);
        }
        line::resync_from(data, |line| matches!(lines::command(line), Probe::Yes { .. }))
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        let server = direction == Direction::ServerToClient;
        let partial = if server { self.partial.take() } else { None };
        if let Some(writer) = partial.and_then(|partial| partial.writer) {
            writer.close(Ending::Complete, sink);
        }
        if let Some(side) = self.sides.get_mut(direction.index()) {
            side.literal.cut(sink);
        }
    }

    fn memory(&self) -> usize {
        let side = |s: &DirectionState| {
            s.unpacked.capacity() + s.inflate.as_ref().map_or(0, |_| Inflater::memory())
        };
        self.sides.iter().map(side).sum::<usize>() + self.messages.memory()
    }
}
