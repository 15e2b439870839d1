//! Syslog (RFC 5424, RFC 3164) over UDP (RFC 5426), and over TCP with octet counting or a line each
//! (RFC 6587). A datagram is read as the counted frame that would carry it.

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::{
    ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Resync, Speaker,
};
use memchr::memchr;

/// Digits of a length (RFC 6587 3.4.1 sets no bound; no message is as long).
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
                Start::Yes => Probe::yes(Speaker::Client),
                Start::More => Probe::More,
                Start::No => Probe::No,
            };
        }
        match boundary(data) {
            Some(offset) => Probe::Yes { speaker: Speaker::Client, offset },
            None => Probe::No,
        }
    }

    fn datagram(&self, data: &[u8], frame: &mut Vec<u8>) -> bool {
        if !matches!(priority(data), Start::Yes) {
            return false;
        }
        frame.extend_from_slice(data.len().to_string().as_bytes());
        frame.push(b' ');
        frame.extend_from_slice(data);
        true
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(SyslogParser { sides: [const { DirectionState { left: None, writer: None } }; 2] })
    }
}

enum Start {
    Yes,
    No,
    More,
}

/// `<13>`: up to three digits, not above 191 (RFC 5424 6.2.1).
fn priority(data: &[u8]) -> Start {
    let Some((first, rest)) = data.split_first() else { return Start::More };
    if *first != b'<' {
        return Start::No;
    }
    let digits = rest.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
    let value = rest.iter().take(digits).fold(0u32, |v, b| v * 10 + u32::from(b - b'0'));
    match rest.get(digits) {
        None if digits < 4 => Start::More,
        Some(b'>') if (1..=3).contains(&digits) && value <= 191 => Start::Yes,
        _ => Start::No,
    }
}

/// A message, or the length of one and the message.
fn start(data: &[u8]) -> Start {
    let digits = data.iter().take(MAX_DIGITS + 1).take_while(|b| b.is_ascii_digit()).count();
    match data.get(digits..) {
        Some(rest) if digits == 0 => priority(rest),
        Some([b' ', rest @ ..]) if digits <= MAX_DIGITS => priority(rest),
        Some([]) if digits <= MAX_DIGITS => Start::More,
        _ => Start::No,
    }
}

/// The first line in `data` that a message begins with.
fn boundary(data: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', data)
        .map(|at| at + 1)
        .find(|at| data.get(*at..).is_some_and(|d| matches!(start(d), Start::Yes)))
}

/// One flow.
struct SyslogParser {
    sides: [DirectionState; 2],
}

struct DirectionState {
    /// Bytes of the message to come; `None`: up to the end of the line.
    left: Option<u64>,
    writer: Option<ContentWriter>,
}

impl DirectionState {
    fn close(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        self.left = None;
        if let Some(writer) = self.writer.take() {
            writer.close(ending, sink);
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
        let Some(side) = self.sides.get_mut(direction.index()) else {
            return Ok(Progress::consumed(data.len()));
        };
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            let Some(writer) = side.writer.as_mut() else {
                let digits =
                    rest.iter().take(MAX_DIGITS).take_while(|b| b.is_ascii_digit()).count();
                if matches!(first, b'\r' | b'\n' | 0 | b' ') {
                    at += 1;
                    continue;
                }
                match rest.get(digits) {
                    None if digits > 0 && digits < MAX_DIGITS => {
                        return Ok(Progress::need(at, rest.len() + 1));
                    }
                    Some(b' ') if digits > 0 => {
                        let length = rest.get(..digits).unwrap_or_default();
                        let length = length.iter().fold(0, |v, b| v * 10 + u64::from(b - b'0'));
                        at += digits + 1;
                        if length == 0 {
                            continue;
                        }
                        side.left = Some(length);
                    }
                    _ => side.left = None,
                }
                sink.unit("message");
                let media = Media::Type { content_type: "application/syslog", name: "" };
                let hint = Hint { direction, media, operation: "", codings: &[], layer: "" };
                side.writer = Some(ContentWriter::open(&hint, sink));
                continue;
            };
            let (len, end) = match side.left {
                Some(left) => {
                    let len = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    side.left = Some(left - len as u64);
                    (len, left == len as u64)
                }
                None => match memchr(b'\n', rest) {
                    Some(lf) => (lf, true),
                    None => (rest.len(), false),
                },
            };
            writer.data(rest.get(..len).unwrap_or(rest), sink);
            at += len;
            if end {
                side.close(Ending::Complete, sink);
            }
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let Some(side) = self.sides.get_mut(direction.index()) else { return Resync::Lost };
        if let (Some(left), Some(writer)) = (side.left, side.writer.as_mut())
            && len < left
        {
            writer.gap(len, sink);
            side.left = Some(left - len);
            return Resync::Known { skip: 0 };
        }
        side.close(Ending::Cut, sink);
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        boundary(data)
    }

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if let Some(side) = self.sides.get_mut(direction.index()) {
            if let Some(writer) = side.writer.as_mut() {
                writer.data(rest, sink);
            }
            // The last line may have no end.
            side.close(Ending::from(end).and(side.left.is_none()), sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
