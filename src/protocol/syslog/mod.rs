//! Syslog (RFC 5424, RFC 3164) over UDP (RFC 5426), and over TCP with octet counting or one message a line (RFC
//! 6587). A datagram is read as the counted frame that would carry it.

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::sized_body::SizedBody;
use super::{
    ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Resync, Speaker,
};
use crate::syntax::Match;
use memchr::memchr;

/// Digits of a length (RFC 6587 3.4.1 sets no bound; no message is that long).
const MAX_DIGITS: usize = 7;

/// Syslog.
pub struct Syslog;

impl Protocol for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Start {
            return match start(data) {
                Match::Yes(()) => Probe::yes(Speaker::Client),
                Match::More => Probe::More,
                Match::No => Probe::No,
            };
        }
        match boundary(data) {
            Some(offset) => Probe::Yes { speaker: Speaker::Client, offset },
            None => Probe::No,
        }
    }

    fn datagram(&self, data: &[u8], frame: &mut Vec<u8>) -> bool {
        if !matches!(priority(data), Match::Yes(())) {
            return false;
        }
        frame.extend_from_slice(data.len().to_string().as_bytes());
        frame.push(b' ');
        frame.extend_from_slice(data);
        true
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<SyslogParser>::default()
    }
}

/// `<13>`: up to three digits, not above 191 (RFC 5424 6.2.1).
fn priority(data: &[u8]) -> Match {
    let Some((first, rest)) = data.split_first() else { return Match::More };
    if *first != b'<' {
        return Match::No;
    }
    let digits = rest.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
    let value = rest.iter().take(digits).fold(0u32, |v, b| v * 10 + u32::from(b - b'0'));
    match rest.get(digits) {
        None if digits < 4 => Match::More,
        Some(b'>') if (1..=3).contains(&digits) && value <= 191 => Match::Yes(()),
        _ => Match::No,
    }
}

/// A message, or the length of one and the message.
fn start(data: &[u8]) -> Match {
    let digits = data.iter().take(MAX_DIGITS + 1).take_while(|b| b.is_ascii_digit()).count();
    match data.get(digits..) {
        Some(rest) if digits == 0 => priority(rest),
        Some([b' ', rest @ ..]) if digits <= MAX_DIGITS => priority(rest),
        Some([]) if digits <= MAX_DIGITS => Match::More,
        _ => Match::No,
    }
}

/// The first line in `data` that begins a message.
fn boundary(data: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', data)
        .map(|at| at + 1)
        .find(|at| data.get(*at..).is_some_and(|d| matches!(start(d), Match::Yes(()))))
}

/// One flow.
#[derive(Default)]
struct SyslogParser {
    /// The current message in each direction.
    messages: [Message; 2],
}

#[derive(Default)]
enum Message {
    #[default]
    None,
    /// Its length precedes it (RFC 6587 3.4.1).
    Counted(SizedBody),
    /// It ends with its line (RFC 6587 3.4.2).
    Line(ContentWriter),
}

impl Message {
    /// Reads the part of the message at the front of `bytes`. Returns how many bytes that were.
    fn data(&mut self, bytes: &[u8], sink: &mut dyn ContentSink) -> usize {
        match self {
            Self::None => 0,
            Self::Counted(body) => {
                let len = body.data(bytes, sink);
                if !body.is_open() {
                    *self = Self::None;
                }
                len
            }
            Self::Line(writer) => {
                let end = memchr(b'\n', bytes);
                let len = end.unwrap_or(bytes.len());
                writer.data(bytes.get(..len).unwrap_or(bytes), sink);
                if end.is_some() {
                    self.close(Ending::Complete, sink);
                }
                len
            }
        }
    }

    fn close(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        match std::mem::take(self) {
            Self::Counted(mut body) => body.cut(sink),
            Self::Line(writer) => writer.close(ending, sink),
            Self::None => {}
        }
    }
}

impl Parser for SyslogParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let Some(message) = self.messages.get_mut(direction.index()) else {
            return Ok(Progress::consumed(data.len()));
        };
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            if !matches!(message, Message::None) {
                at += message.data(rest, sink);
                continue;
            }
            let digits = rest.iter().take(MAX_DIGITS).take_while(|b| b.is_ascii_digit()).count();
            if matches!(first, b'\r' | b'\n' | 0 | b' ') {
                at += 1;
                continue;
            }
            let counted = match rest.get(digits) {
                None if digits > 0 => {
                    return Ok(Progress::need(at, rest.len() + 1));
                }
                Some(b' ') if digits > 0 => {
                    let length = rest.get(..digits).unwrap_or_default();
                    at += digits + 1;
                    Some(length.iter().fold(0, |v, b| v * 10 + u64::from(b - b'0')))
                }
                _ => None,
            };
            if counted == Some(0) {
                continue;
            }
            sink.unit("message");
            let media = Media::Type { content_type: "application/syslog", name: "" };
            let hint = Hint { direction, media, operation: "", codings: &[], layer: "" };
            let writer = ContentWriter::open(&hint, sink);
            *message = match counted {
                Some(length) => Message::Counted(SizedBody::new(length, writer)),
                None => Message::Line(writer),
            };
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let Some(message) = self.messages.get_mut(direction.index()) else { return Resync::Lost };
        if let Message::Counted(body) = message
            && body.gap(len, sink)
        {
            return Resync::Known { skip: 0 };
        }
        message.close(Ending::Cut, sink);
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        boundary(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if let Some(message) = self.messages.get_mut(direction.index()) {
            // The last line may lack its line end.
            message.close(end.into(), sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
