//! The RPC broker of VistA (RPC Broker 1.1 Developer's Guide, messages that begin with `[XWB]`): hospitals of the
//! United States' Department of Veterans Affairs, of the Indian Health Service, and in Jordan. A call names a
//! procedure. Its answer is text, in which the pieces of known procedures have a meaning.

mod pieces;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::{
    Authentication, ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position,
    Probe, Progress, Protocol, Reason, Resync, Role, Roles, ServiceFacts, Speaker,
};
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// Beginning of a client's message.
const PREFIX: &[u8] = b"[XWB]";
/// End of a message of either end.
const END: u8 = 4;
/// Longest call that is read, bytes.
const MAX_CALL: usize = 256 << 10;
/// Longest line with pieces in an answer, bytes.
const MAX_LINE: usize = 64 << 10;
/// Calls waiting for an answer.
const MAX_PENDING: usize = 256;

/// The broker.
pub struct Vista;

impl Protocol for Vista {
    fn name(&self) -> &'static str {
        "vista"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return match find(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Client, offset },
                None => Probe::No,
            };
        }
        front(data)
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::HealthRecords)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<VistaParser>::default()
    }
}

/// Whether a call begins at the front of `data`: the prefix, four digits, and the chunk type.
fn front(data: &[u8]) -> Probe {
    let head = data.get(..PREFIX.len()).unwrap_or(data);
    if !PREFIX.starts_with(head) {
        return Probe::No;
    }
    match data.get(PREFIX.len()..PREFIX.len() + 5) {
        None => Probe::More,
        Some([digits @ .., b'1' | b'2' | b'4']) if digits.iter().all(u8::is_ascii_digit) => {
            Probe::yes(Speaker::Client)
        }
        Some(_) => Probe::No,
    }
}

fn find(data: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(data, PREFIX)
        .find(|at| matches!(data.get(*at..).map(front), Some(Probe::Yes { .. })))
}

/// The current answer.
struct Answer {
    /// The columns of its pieces, if known.
    columns: Option<&'static [&'static str]>,
    /// Remaining bytes of the two errors in front of it; `None` before the first.
    errors: u8,
    writer: Option<ContentWriter>,
    line: Zeroizing<Vec<u8>>,
}

/// One connection.
#[derive(Default)]
struct VistaParser {
    /// Called procedures.
    pending: VecDeque<String>,
    answer: Option<Answer>,
}

impl VistaParser {
    /// A call, without its end.
    fn call(&mut self, call: &[u8], sink: &mut dyn ContentSink) {
        let kind = call.get(PREFIX.len() + 4);
        let mut rest = call.get(PREFIX.len() + 5..).unwrap_or_default();
        let mut next = || -> Option<&[u8]> {
            let (len, text) = rest.split_first()?;
            let (text, after) = text.split_at_checked(usize::from(*len))?;
            rest = after;
            Some(text)
        };
        let name = match kind {
            // The version of the call, then its name.
            Some(b'2') => next().and_then(|_| next()),
            _ => next(),
        };
        let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        sink.unit("request");
        // Access and verify code, encrypted with a table that every client has.
        if name == "XUS AV CODE" {
            sink.facts().shown(Authentication::UserIdentity);
            sink.facts().credentials_in_clear = true;
        }
        let parameters = rest;
        if kind == Some(&b'2') && parameters.len() > 3 && name != "XUS AV CODE" {
            let hint = self.hint(Direction::ClientToServer, "CALL");
            let mut writer = ContentWriter::open(&hint, sink);
            for value in values(parameters) {
                writer.data(value, sink);
                writer.data(b"\n", sink);
            }
            writer.close(Ending::Complete, sink);
        }
        if self.pending.len() < MAX_PENDING {
            self.pending.push_back(name);
        }
    }

    fn hint(&self, direction: Direction, operation: &'static str) -> Hint<'static> {
        Hint { direction, media: Media::Unknown, operation, codings: &[], layer: "vista" }
    }

    /// Bytes of an answer, in front of its end.
    fn answered(&mut self, bytes: &[u8], sink: &mut dyn ContentSink) {
        let name = &self.pending;
        let answer = self.answer.get_or_insert_with(|| Answer {
            columns: name.front().and_then(|name| pieces::columns(name)),
            errors: 2,
            writer: None,
            line: Zeroizing::default(),
        });
        let mut bytes = bytes;
        // Two errors, each with its length, usually 0.
        while answer.errors > 0 {
            let Some((0, rest)) = bytes.split_first() else {
                if !bytes.is_empty() {
                    answer.errors = 0;
                }
                break;
            };
            answer.errors -= 1;
            bytes = rest;
        }
        if bytes.is_empty() {
            return;
        }
        let direction = Direction::ServerToClient;
        let writer = answer.writer.get_or_insert_with(|| {
            sink.unit("response");
            let content_type = if answer.columns.is_some() { "text/csv" } else { "" };
            let media = Media::Type { content_type, name: "" };
            let operation = "ANSWER";
            let hint = Hint { direction, media, operation, codings: &[], layer: "vista" };
            let mut writer = ContentWriter::open(&hint, sink);
            if let Some(columns) = answer.columns {
                writer.data(&pieces::heading(columns), sink);
            }
            writer
        });
        let Some(columns) = answer.columns else {
            writer.data(bytes, sink);
            return;
        };
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            answer.line.extend_from_slice(rest.get(..end).unwrap_or_default());
            writer.data(&pieces::row(&answer.line, columns), sink);
            answer.line.clear();
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        if answer.line.len() + rest.len() <= MAX_LINE {
            answer.line.extend_from_slice(rest);
        } else {
            sink.anomaly(Reason::Limit);
            answer.line.clear();
        }
    }

    fn end_answer(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        let Some(answer) = self.answer.take() else { return };
        if let Some(mut writer) = answer.writer {
            if let Some(columns) = answer.columns.filter(|_| !answer.line.is_empty()) {
                writer.data(&pieces::row(&answer.line, columns), sink);
            }
            writer.close(ending, sink);
        }
    }
}

/// The values of parameters: a type, then strings with a length of three digits, then `f` or `t`.
fn values(parameters: &[u8]) -> Vec<&[u8]> {
    let mut values = Vec::new();
    let mut rest = parameters;
    while let Some(digits) = rest.get(..3) {
        let len = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<usize>().ok());
        match len.and_then(|len| rest.get(3..3 + len).map(|value| (len, value))) {
            Some((len, value)) if len > 0 => {
                values.push(value);
                rest = rest.get(3 + len..).unwrap_or_default();
            }
            _ => rest = rest.get(1..).unwrap_or_default(),
        }
    }
    values
}

impl Parser for VistaParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let end = memchr::memchr(END, data);
        if direction == Direction::ServerToClient {
            self.answered(data.get(..end.unwrap_or(data.len())).unwrap_or(data), sink);
            let Some(end) = end else { return Ok(Progress::consumed(data.len())) };
            self.end_answer(Ending::Complete, sink);
            self.pending.pop_front();
            return Ok(Progress::consumed(end + 1));
        }
        match front(data) {
            Probe::Yes { .. } => {}
            Probe::More => return Ok(Progress::need(0, data.len() + 1)),
            Probe::No => return Err(ParseError::new(Reason::Malformed, 0)),
        }
        match end {
            Some(end) => {
                self.call(data.get(..end).unwrap_or_default(), sink);
                Ok(Progress::consumed(end + 1))
            }
            None if data.len() > MAX_CALL => Err(ParseError::new(Reason::Limit, 0)),
            None => Ok(Progress::need(0, data.len() + 1)),
        }
    }

    fn gap(&mut self, direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        // Calls and answers can no longer be paired.
        self.pending.clear();
        if direction == Direction::ServerToClient {
            self.end_answer(Ending::Cut, sink);
        }
        Resync::Search
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        match direction {
            Direction::ClientToServer => find(data),
            Direction::ServerToClient => memchr::memchr(END, data).map(|at| at + 1),
        }
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if direction == Direction::ServerToClient {
            self.end_answer(Ending::Cut, sink);
        }
    }

    fn memory(&self) -> usize {
        self.pending.iter().map(|name| name.capacity() + size_of::<String>()).sum::<usize>()
            + self.answer.as_ref().map_or(0, |answer| answer.line.capacity())
    }
}
