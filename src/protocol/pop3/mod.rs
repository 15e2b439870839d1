//! POP3 (RFC 1939, RFC 2449, RFC 2595): each retrieved message is one payload.

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::dotted::{Dotted, Piece};
use super::tls_upgrade::TlsUpgrade;
use super::{
    Authentication, ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position,
    Probe, Progress, Protocol, Resync, ServiceFacts, Speaker, line,
};
use std::collections::VecDeque;

/// Longest line, bytes (RFC 2449 4; AUTH needs more).
const MAX_LINE: usize = 16 << 10;
/// Commands waiting for their responses.
const MAX_PENDING: usize = 1024;

/// The commands of a client (RFC 1939, RFC 2449, RFC 2595, RFC 5034).
const COMMANDS: &[&str] = &[
    "USER", "PASS", "APOP", "AUTH", "CAPA", "STLS", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE",
    "NOOP", "RSET", "QUIT",
];

/// POP3.
pub struct Pop3;

impl Protocol for Pop3 {
    fn name(&self) -> &'static str {
        "pop3"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        const GREETING: &[u8] = b"+OK";
        if at == Position::Start {
            let head = data.get(..GREETING.len()).unwrap_or(data);
            if !GREETING.starts_with(head) {
                return Probe::No;
            }
            return match data.get(GREETING.len()) {
                None => Probe::More,
                // Other servers greet without a text (a bare `+OK` is also a response of Redis).
                Some(b' ') => Probe::yes(Speaker::Server),
                Some(_) => Probe::No,
            };
        }
        let mut lines = std::iter::once(0).chain(memchr::memchr_iter(b'\n', data).map(|at| at + 1));
        let found = lines.find(|at| {
            let line = data.get(*at..).unwrap_or_default();
            let end = memchr::memchr(b'\n', line.get(..80).unwrap_or(line));
            end.is_some_and(|end| is_fetched(line.get(..end).unwrap_or_default()))
        });
        match found {
            Some(offset) => Probe::Yes { speaker: Speaker::Server, offset },
            None => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<Pop3Parser>::default()
    }
}

/// `+OK 1234 octets`: a message follows.
fn is_fetched(line: &[u8]) -> bool {
    line.starts_with(b"+OK ") && line.trim_ascii_end().ends_with(b"octets")
}

/// The command that a response belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    /// A message.
    Message,
    /// Lines up to one with a dot.
    List,
    /// One line.
    Line,
}

/// Whether the text of a response is a typical greeting: the name of the protocol, `ready`, or a timestamp for APOP
/// (RFC 1939 7).
fn is_greeting(line: &[u8]) -> bool {
    let text = line.to_ascii_lowercase();
    memchr::memmem::find(&text, b"pop").is_some()
        || text.trim_ascii_end().ends_with(b"ready.")
        || text.trim_ascii_end().ends_with(b"ready")
        || text.trim_ascii_end().ends_with(b">")
}

/// One flow.
#[derive(Default)]
struct Pop3Parser {
    greeted: bool,
    /// The connection began before the capture: its greeting was not seen, unless a response looks like one.
    joined: bool,
    pending: VecDeque<Command>,
    /// Position in the text of a response.
    text: Option<Dotted>,
    message: Option<ContentWriter>,
    has_gap: bool,
    tls: TlsUpgrade,
    /// The client responds to AUTH challenges with secrets.
    authenticating: bool,
}

impl Pop3Parser {
    fn command(&mut self, line: &[u8], sink: &mut dyn ContentSink) {
        let (verb, rest) = line::command(line);
        let is = |word: &[u8]| verb.eq_ignore_ascii_case(word);
        if self.authenticating {
            return;
        }
        let facts = sink.facts();
        if is(b"USER") {
            ServiceFacts::set(&mut facts.files().user, &String::from_utf8_lossy(rest));
        } else if is(b"PASS") {
            facts.password_in_clear();
        } else if is(b"APOP") {
            facts.authentication = Authentication::Digest;
        } else if is(b"AUTH") && !rest.is_empty() {
            self.authenticating = true;
            facts.sasl(rest);
        } else if is(b"STLS") {
            self.tls.ask();
        }
        let command = match () {
            () if is(b"RETR") || is(b"TOP") => Command::Message,
            () if is(b"CAPA")
                || ((is(b"LIST") || is(b"UIDL") || is(b"AUTH")) && rest.is_empty()) =>
            {
                Command::List
            }
            () => Command::Line,
        };
        if self.pending.len() < MAX_PENDING {
            self.pending.push_back(command);
        }
    }

    /// A line of the server that begins a response. True if TLS begins behind it.
    fn answer(&mut self, line: &[u8], sink: &mut dyn ContentSink) -> bool {
        let positive = line.starts_with(b"+OK");
        let first = !std::mem::replace(&mut self.greeted, true);
        // The capture may show the greeting behind the first command.
        let before_all = self.pending.is_empty() || self.pending.len() == 1 && is_greeting(line);
        let greets = before_all && (!self.joined || is_greeting(line));
        if first && positive && greets && !is_fetched(line) {
            let software = String::from_utf8_lossy(line.get(3..).unwrap_or_default());
            // A timestamp for APOP is no product name.
            let software = software.split('<').next().unwrap_or("").trim();
            ServiceFacts::set(&mut sink.facts().software, software);
            return false;
        }
        // A challenge is no response.
        if line.starts_with(b"+ ") || line == b"+" {
            return false;
        }
        self.authenticating = false;
        // The answer to an earlier command was not seen.
        if is_fetched(line) && self.pending.contains(&Command::Message) {
            while self.pending.front().is_some_and(|command| *command != Command::Message) {
                self.pending.pop_front();
            }
        }
        let command = self.pending.pop_front();
        if self.tls.answered(positive) {
            return true;
        }
        let known =
            command.unwrap_or(if is_fetched(line) { Command::Message } else { Command::Line });
        if positive && known != Command::Line {
            self.text = Some(Dotted::new());
            if known == Command::Message {
                sink.unit("message");
                let media = Media::Type { content_type: "message/rfc822", name: "" };
                let direction = Direction::ServerToClient;
                let hint =
                    Hint { direction, media, operation: "RETR", codings: &[], layer: "pop3" };
                self.message = Some(ContentWriter::open(&hint, sink));
            }
        }
        false
    }

    fn end(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        self.text = None;
        let has_gap = std::mem::take(&mut self.has_gap);
        if let Some(message) = self.message.take() {
            message.close(ending.and(!has_gap), sink);
        }
    }
}

impl Parser for Pop3Parser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let client = direction == Direction::ClientToServer;
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            if !client && let Some(text) = &mut self.text {
                match text.next(rest) {
                    Piece::Text(len) => {
                        if let Some(message) = &mut self.message {
                            message.data(rest.get(..len).unwrap_or(rest), sink);
                        }
                        at += len;
                    }
                    Piece::Stuffed => at += 1,
                    Piece::End(len) => {
                        at += len;
                        self.end(Ending::Complete, sink);
                    }
                    Piece::More => return Ok(Progress::need(at, rest.len() + 1)),
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
            if client {
                self.command(line, sink);
            } else if self.answer(line, sink) {
                return Ok(Progress { switch: true, ..Progress::consumed(at) });
            }
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
        self.joined = true;
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if direction == Direction::ClientToServer || self.text.is_none() {
            self.pending.clear();
            return Resync::Search;
        }
        self.text = Some(Dotted::after_gap());
        self.has_gap = true;
        if let Some(message) = &mut self.message {
            message.gap(len, sink);
        }
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        match direction {
            Direction::ClientToServer => {
                line::resync_from(data, |line| line::begins_with(line, COMMANDS))
            }
            Direction::ServerToClient => {
                line::resync_from(data, |line| line::begins_with(line, &["+OK", "-ERR"]))
            }
        }
    }

    fn close(&mut self, direction: Direction, rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if direction == Direction::ServerToClient {
            if let Some(message) = &mut self.message {
                message.data(rest, sink);
            }
            self.end(Ending::Cut, sink);
        }
    }

    fn memory(&self) -> usize {
        self.pending.capacity()
    }
}
