//! SMTP (RFC 5321), with chunks (RFC 3030), pipelining (RFC 2920), AUTH (RFC 4954) and STARTTLS (RFC 3207); also LMTP
//! (RFC 2033). Each message is one payload.
//!
//! Secrets are skipped, never copied; only the fact that they crossed in cleartext is kept.

mod probe;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::dotted::{Dotted, Piece};
use super::tls_upgrade::TlsUpgrade;
use super::{
    ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Resync, Role, Roles, ServiceFacts, line,
};

/// Longest command or reply line, bytes: what AUTH needs (RFC 4954 4).
const MAX_LINE: usize = 16 << 10;

/// The commands of a client (RFC 5321 4.1, RFC 3030, RFC 3207, RFC 4954, RFC 2033).
const COMMANDS: &[&str] = &[
    "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "VRFY", "EXPN",
    "HELP", "AUTH", "STARTTLS",
];

/// SMTP.
pub struct Smtp;

impl Protocol for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        probe::probe(data, at)
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::MailServer)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<SmtpParser>::default()
    }
}

/// One flow.
#[derive(Default)]
struct SmtpParser {
    mode: Mode,
    message: Option<ContentWriter>,
    tls: TlsUpgrade,
    /// The greeting was read.
    greeted: bool,
}

/// State of the client.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    /// Commands.
    #[default]
    Command,
    /// A message up to the line with a dot (RFC 5321 4.5.2).
    Text {
        at: Dotted,
        /// A part of it was lost, perhaps its end.
        has_gap: bool,
    },
    /// A chunk with this many bytes left (RFC 3030 2).
    Chunk { left: u64, last: bool },
}

impl SmtpParser {
    fn deliver(&mut self, direction: Direction, bytes: &[u8], sink: &mut dyn ContentSink) {
        let message = self.message.get_or_insert_with(|| {
            sink.unit("message");
            let media = Media::Type { content_type: "message/rfc822", name: "" };
            let hint = Hint { direction, media, operation: "DATA", codings: &[], layer: "smtp" };
            ContentWriter::open(&hint, sink)
        });
        message.data(bytes, sink);
    }

    fn finish(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        self.mode = Mode::Command;
        if let Some(message) = self.message.take() {
            message.close(ending, sink);
        }
    }

    fn command(&mut self, line: &[u8], sink: &mut dyn ContentSink) {
        let (verb, rest) = line::command(line);
        let is = |word: &[u8]| verb.eq_ignore_ascii_case(word);
        if is(b"DATA") && rest.is_empty() {
            self.mode = Mode::Text { at: Dotted::new(), has_gap: false };
        } else if is(b"BDAT") {
            let text = String::from_utf8_lossy(rest);
            let mut words = text.split_ascii_whitespace();
            if let Some(left) = words.next().and_then(|n| n.parse().ok()) {
                let last = words.next().is_some_and(|w| w.eq_ignore_ascii_case("LAST"));
                self.mode = Mode::Chunk { left, last };
            }
        } else if is(b"STARTTLS") {
            self.tls.ask();
        } else if is(b"AUTH") {
            sink.facts().sasl(rest);
        } else if is(b"RSET") || is(b"MAIL") {
            self.finish(Ending::Cut, sink);
        }
    }

    /// A line of the server. True if TLS begins behind it.
    fn reply(&mut self, line: &[u8], sink: &mut dyn ContentSink) -> bool {
        let Some((code, text)) = line.split_first_chunk::<3>() else { return false };
        if !std::mem::replace(&mut self.greeted, true) && code == b"220" {
            // The host name, then the server's own description.
            let text = String::from_utf8_lossy(text);
            let software = text.trim_start_matches([' ', '-']).split_once(' ');
            if let Some((_, software)) = software {
                ServiceFacts::set(&mut sink.facts().software, software.trim());
            }
            return false;
        }
        if text.first() == Some(&b'-') {
            return false;
        }
        let refused = matches!(code, [b'4' | b'5', ..]);
        if self.tls.answered(code == b"220") {
            return true;
        }
        match self.mode {
            Mode::Command if code == b"354" && self.message.is_none() => {
                self.mode = Mode::Text { at: Dotted::new(), has_gap: false };
            }
            // A rejected message is not sent.
            Mode::Text { .. } if refused && self.message.is_none() => self.mode = Mode::Command,
            // It was answered, so its end was in the gap.
            Mode::Text { has_gap: true, .. } => self.finish(Ending::Cut, sink),
            _ => {}
        }
        false
    }
}

impl Parser for SmtpParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let client = direction == Direction::ClientToServer;
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            let mode = if client { self.mode } else { Mode::Command };
            match mode {
                Mode::Command if client && self.tls.begins(rest) => {
                    return Ok(Progress { switch: true, ..Progress::consumed(at) });
                }
                Mode::Command => {
                    let Some((line, next)) = line::read(data, at, MAX_LINE)? else {
                        return Ok(line::more(data, at));
                    };
                    at = next;
                    if client {
                        self.command(line, sink);
                    } else if self.reply(line, sink) {
                        return Ok(Progress { switch: true, ..Progress::consumed(at) });
                    }
                }
                Mode::Text { at: mut text, has_gap } => {
                    let piece = text.next(rest);
                    self.mode = Mode::Text { at: text, has_gap };
                    match piece {
                        Piece::Text(len) => {
                            self.deliver(direction, rest.get(..len).unwrap_or(rest), sink);
                            at += len;
                        }
                        Piece::Stuffed => at += 1,
                        Piece::End(len) => {
                            at += len;
                            self.finish(Ending::complete_if(!has_gap), sink);
                        }
                        Piece::More => return Ok(Progress::need(at, rest.len() + 1)),
                    }
                }
                Mode::Chunk { left, last } => {
                    let len = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    self.deliver(direction, rest.get(..len).unwrap_or(rest), sink);
                    at += len;
                    self.chunk(left - len as u64, last, sink);
                }
            }
            // A chunk without bytes ends where it begins.
            if client && let Mode::Chunk { left: 0, last } = self.mode {
                self.chunk(0, last, sink);
            }
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if direction != Direction::ClientToServer {
            return Resync::Search;
        }
        match self.mode {
            Mode::Command => return Resync::Search,
            Mode::Text { .. } => {
                self.mode = Mode::Text { at: Dotted::after_gap(), has_gap: true };
                self.lose(len, sink);
            }
            Mode::Chunk { left, last } => {
                self.lose(len.min(left), sink);
                self.chunk(left.saturating_sub(len), last, sink);
                if len > left {
                    return Resync::Search;
                }
            }
        }
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        if direction == Direction::ServerToClient {
            return line::resync_from(data, line::is_reply);
        }
        if probe::is_message(data) {
            self.mode = Mode::Text { at: Dotted::new(), has_gap: false };
            return Some(0);
        }
        // The answer to what is at hand may have been seen before it.
        if line::begins_with(data, COMMANDS) && self.message.is_none() {
            self.mode = Mode::Command;
            return Some(0);
        }
        line::resync(data)
    }

    fn close(&mut self, direction: Direction, rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if direction == Direction::ClientToServer {
            if self.mode != Mode::Command && !rest.is_empty() {
                self.deliver(direction, rest, sink);
            }
            self.finish(Ending::Cut, sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}

impl SmtpParser {
    /// The chunk has `left` bytes left.
    fn chunk(&mut self, left: u64, last: bool, sink: &mut dyn ContentSink) {
        match (left, last) {
            (0, true) => self.finish(Ending::Complete, sink),
            (0, false) => self.mode = Mode::Command,
            _ => self.mode = Mode::Chunk { left, last },
        }
    }

    fn lose(&mut self, len: u64, sink: &mut dyn ContentSink) {
        if let Some(message) = self.message.as_mut() {
            message.gap(len, sink);
        }
    }
}
