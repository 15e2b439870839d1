//! STOMP 1.0 to 1.2 (stomp.github.io): what is sent and delivered (ActiveMQ, Artemis, RabbitMQ).

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::{
    ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Reason, Resync, ServiceFacts, Speaker,
};
use std::borrow::Cow;

/// Longest command with its headers, bytes.
const MAX_HEAD: usize = 64 << 10;
/// Longest body believed, bytes.
const MAX_BODY: u64 = 1 << 30;

/// Commands, and who says them.
const COMMANDS: [(&[u8], Speaker); 15] = [
    (b"CONNECT", Speaker::Client),
    (b"STOMP", Speaker::Client),
    (b"CONNECTED", Speaker::Server),
    (b"SEND", Speaker::Client),
    (b"SUBSCRIBE", Speaker::Client),
    (b"UNSUBSCRIBE", Speaker::Client),
    (b"BEGIN", Speaker::Client),
    (b"COMMIT", Speaker::Client),
    (b"ABORT", Speaker::Client),
    (b"ACK", Speaker::Client),
    (b"NACK", Speaker::Client),
    (b"DISCONNECT", Speaker::Client),
    (b"MESSAGE", Speaker::Server),
    (b"RECEIPT", Speaker::Server),
    (b"ERROR", Speaker::Server),
];

/// STOMP.
pub struct Stomp;

impl Protocol for Stomp {
    fn name(&self) -> &'static str {
        "stomp"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return match find(data) {
                Some((offset, speaker)) => Probe::Yes { speaker, offset },
                None => Probe::No,
            };
        }
        let mut more = false;
        for (word, speaker) in COMMANDS.iter().take(3) {
            let head = data.get(..word.len()).unwrap_or(data);
            if !word.starts_with(head) {
                continue;
            }
            match begins_header(data.get(word.len()..).unwrap_or_default()) {
                Some(true) if head.len() == word.len() => return Probe::yes(*speaker),
                None => more = true,
                Some(_) => {}
            }
        }
        if more { Probe::More } else { Probe::No }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<StompParser>::default()
    }
}

/// Whether a line ends and a header follows: yes, no, or not enough to tell.
fn begins_header(data: &[u8]) -> Option<bool> {
    let rest = data.strip_prefix(b"\r").unwrap_or(data);
    match rest {
        [] => None,
        [b'\n', header @ ..] => {
            let name =
                header.iter().take(64).take_while(|b| b.is_ascii_graphic() && **b != b':').count();
            match header.get(name) {
                Some(b':') => Some(name > 0),
                None if name < 64 => None,
                _ => Some(false),
            }
        }
        _ => Some(false),
    }
}

/// The first frame behind the end of another that carries something.
fn find(data: &[u8]) -> Option<(usize, Speaker)> {
    memchr::memchr_iter(0, data).find_map(|nul| {
        let rest = data.get(nul + 1..)?;
        let blank = rest.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let frame = rest.get(blank..)?;
        let (_, speaker) = COMMANDS
            .iter()
            .filter(|(w, _)| matches!(*w, b"SEND" | b"MESSAGE"))
            .find(|(w, _)| {
                frame.strip_prefix(*w).is_some_and(|rest| begins_header(rest) == Some(true))
            })?;
        Some((nul + 1 + blank, *speaker))
    })
}

/// One flow.
#[derive(Default)]
struct StompParser {
    sides: [Body; 2],
}

/// The body of a frame on its way.
#[derive(Default)]
struct Body {
    open: bool,
    /// Its length, where a header says it; else it ends with a NUL.
    left: Option<u64>,
    writer: Option<ContentWriter>,
}

/// A header of a frame, with its escapes undone (1.2 "Value Encoding").
fn header<'a>(head: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    let text = std::str::from_utf8(head).ok()?;
    let value = text.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })?;
    Some(match value.contains('\\') {
        true => value.replace("\\c", ":").replace("\\n", "\n").replace("\\\\", "\\").into(),
        false => value.into(),
    })
}

impl StompParser {
    fn frame(&mut self, direction: Direction, head: &[u8], sink: &mut dyn ContentSink) {
        let command = head.split(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default();
        match command {
            b"CONNECT" | b"STOMP" if header(head, "passcode").is_some_and(|p| !p.is_empty()) => {
                sink.facts().password_in_clear();
            }
            b"CONNECTED" => {
                if let Some(server) = header(head, "server") {
                    ServiceFacts::set(&mut sink.facts().software, &server);
                }
            }
            _ => {}
        }
        let Some(side) = self.sides.get_mut(direction.index()) else { return };
        side.open = true;
        let length = header(head, "content-length").and_then(|l| l.trim().parse::<u64>().ok());
        side.left = length.filter(|l| *l <= MAX_BODY);
        if !matches!(command, b"SEND" | b"MESSAGE") {
            return;
        }
        sink.unit("message");
        let content_type = header(head, "content-type").unwrap_or_default();
        let name = header(head, "destination").unwrap_or_default();
        let name = name.replace('.', "/");
        let media = Media::Type { content_type: &content_type, name: &name };
        let operation = if command == b"SEND" { "SEND" } else { "MESSAGE" };
        let hint = Hint { direction, media, operation, codings: &[], layer: "stomp" };
        side.writer = Some(ContentWriter::open(&hint, sink));
    }
}

impl Body {
    fn close(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        (self.open, self.left) = (false, None);
        if let Some(writer) = self.writer.take() {
            writer.close(ending, sink);
        }
    }
}

impl Parser for StompParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            let Some(side) = self.sides.get_mut(direction.index()) else { break };
            if side.open {
                let (len, ended) = match side.left {
                    Some(0) => (0, true),
                    Some(left) => {
                        (usize::try_from(left).unwrap_or(usize::MAX).min(rest.len()), false)
                    }
                    None => match memchr::memchr(0, rest) {
                        Some(nul) => (nul, true),
                        None => (rest.len(), false),
                    },
                };
                if let Some(writer) = &mut side.writer {
                    writer.data(rest.get(..len).unwrap_or(rest), sink);
                }
                if let Some(left) = &mut side.left {
                    *left -= len as u64;
                }
                at += len;
                if ended {
                    side.close(Ending::Complete, sink);
                    // The NUL.
                    at += 1;
                }
                continue;
            }
            if matches!(first, b'\r' | b'\n' | 0) {
                at += 1;
                continue;
            }
            let ends = [&b"\n\n"[..], b"\n\r\n"];
            let found = ends
                .iter()
                .filter_map(|end| memchr::memmem::find(rest, end).map(|at| (at, at + end.len())));
            let Some((head, next)) = found.min() else {
                if rest.len() > MAX_HEAD || !first.is_ascii_uppercase() {
                    return Err(ParseError::new(Reason::Malformed, at));
                }
                return Ok(Progress::need(at, rest.len() + 1));
            };
            let known = |(word, _): &(&[u8], Speaker)| rest.starts_with(word);
            if !COMMANDS.iter().any(known) {
                return Err(ParseError::new(Reason::Malformed, at));
            }
            self.frame(direction, rest.get(..head).unwrap_or_default(), sink);
            at += next;
        }
        Ok(Progress::consumed(at.min(data.len())))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let Some(side) = self.sides.get_mut(direction.index()) else { return Resync::Lost };
        if let Some(left) = side.left.as_mut()
            && *left > len
        {
            *left -= len;
            if let Some(writer) = &mut side.writer {
                writer.gap(len, sink);
            }
            return Resync::Known { skip: 0 };
        }
        side.close(Ending::Cut, sink);
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        find(data).map(|(at, _)| at)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if let Some(side) = self.sides.get_mut(direction.index()) {
            side.close(Ending::Cut, sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
