//! Syslog (RFC 5424, RFC 3164) over UDP (RFC 5426), and over TCP with octet counting, or with a line end or a null
//! byte behind each message (RFC 6587). A datagram is read as the counted frame that would carry it.

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::framed_message::{Count, FramedMessage};
use super::{
    ContentSink, Direction, End, Hint, Media, ParseError, Parser, Position, Probe, Progress,
    Protocol, Resync, Speaker,
};
use crate::syntax::Match;
use memchr::memchr2;

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
    match Count::read(data) {
        Match::Yes(count) => priority(data.get(count.len..).unwrap_or_default()),
        Match::More => Match::More,
        Match::No => priority(data),
    }
}

/// Where a message begins in `data`: behind the end of another one, or at a length that another one follows.
fn boundary(data: &[u8]) -> Option<usize> {
    let begins = |at: usize| {
        data.get(at..).filter(|d| !d.is_empty()).is_some_and(|d| start(d) == Match::Yes(()))
    };
    let line = memchr::memchr2_iter(b'\n', 0, data).map(|at| at + 1).find(|at| begins(*at));
    let counted = Count::places(data, b'<').find_map(|(at, count, _)| {
        let next =
            usize::try_from(count.length).ok().and_then(|len| (at + count.len).checked_add(len));
        (begins(at) && next.is_some_and(begins)).then_some(at)
    });
    line.into_iter().chain(counted).min()
}

/// One flow.
#[derive(Default)]
struct SyslogParser {
    /// The current message in each direction.
    messages: [FramedMessage; 2],
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
            if !message.is_none() {
                at += message.data(rest, |bytes| memchr2(b'\n', 0, bytes), sink);
                continue;
            }
            if matches!(first, b'\r' | b'\n' | 0 | b' ') {
                at += 1;
                continue;
            }
            let count = match Count::read(rest) {
                Match::More => return Ok(Progress::need(at, rest.len() + 1)),
                Match::Yes(count) => Some(count),
                Match::No => None,
            };
            at += count.map_or(0, |count| count.len);
            if count.is_some_and(|count| count.length == 0) {
                continue;
            }
            sink.unit("message");
            let media = Media::Type { content_type: "application/syslog", name: "" };
            let hint = Hint { direction, media, operation: "", codings: &[], layer: "" };
            let writer = ContentWriter::open(&hint, sink);
            *message = FramedMessage::new(count, writer);
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let Some(message) = self.messages.get_mut(direction.index()) else { return Resync::Lost };
        match message.gap(len, sink) {
            true => Resync::Known { skip: 0 },
            false => Resync::Search,
        }
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
