//! STOMP 1.0 to 1.2 (stomp.github.io): sent and delivered messages (ActiveMQ, Artemis, RabbitMQ).

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::sized_body::SizedBody;
use super::{
    ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Reason, Resync, ServiceFacts, Speaker,
};
use std::borrow::Cow;

/// Longest command with its headers, bytes.
const MAX_HEAD: usize = 64 << 10;
/// Longest plausible body, bytes.
const MAX_BODY: u64 = 1 << 30;

/// Commands, and which end sends them.
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

/// Whether a line ends and a header follows: yes, no, or not enough bytes to decide.
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

/// The first frame with a body behind the end of another frame.
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

/// The current body.
#[derive(Default)]
enum Body {
    #[default]
    None,
    /// A header declares its length.
    Sized(SizedBody),
    /// It ends with a NUL.
    ToNul(Option<ContentWriter>),
}

/// A header of a frame, with its escapes resolved (1.2 "Value Encoding").
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
                sink.facts().served();
                if let Some(server) = header(head, "server") {
                    ServiceFacts::set(&mut sink.facts().software, &server);
                }
            }
            _ => {}
        }
        let Some(side) = self.sides.get_mut(direction.index()) else { return };
        let length = header(head, "content-length").and_then(|l| l.trim().parse::<u64>().ok());
        let length = length.filter(|l| *l <= MAX_BODY);
        if !matches!(command, b"SEND" | b"MESSAGE") {
            *side = length.map_or(Body::ToNul(None), |len| Body::Sized(SizedBody::unread(len)));
            return;
        }
        sink.unit("message");
        let content_type = header(head, "content-type").unwrap_or_default();
        let name = header(head, "destination").unwrap_or_default();
        let name = name.replace('.', "/");
        let media = Media::Type { content_type: &content_type, name: &name };
        let operation = if command == b"SEND" { "SEND" } else { "MESSAGE" };
        let hint = Hint { direction, media, operation, codings: &[], layer: "stomp" };
        let writer = ContentWriter::open(&hint, sink);
        *side = match length {
            Some(0) => {
                writer.close(Ending::Complete, sink);
                Body::None
            }
            Some(len) => Body::Sized(SizedBody::new(len, writer)),
            None => Body::ToNul(Some(writer)),
        };
    }
}

impl Body {
    /// Reads the part of the body at the front of `bytes`. Returns how many bytes that were.
    fn data(&mut self, bytes: &[u8], sink: &mut dyn ContentSink) -> usize {
        match self {
            Self::None => 0,
            Self::Sized(body) => {
                let len = body.data(bytes, sink);
                if !body.is_open() {
                    *self = Self::None;
                }
                len
            }
            Self::ToNul(writer) => {
                let nul = memchr::memchr(0, bytes);
                if let Some(writer) = writer {
                    writer.data(bytes.get(..nul.unwrap_or(bytes.len())).unwrap_or(bytes), sink);
                }
                let Some(nul) = nul else { return bytes.len() };
                if let Some(writer) = writer.take() {
                    writer.close(Ending::Complete, sink);
                }
                *self = Self::None;
                nul + 1
            }
        }
    }

    fn cut(&mut self, sink: &mut dyn ContentSink) {
        match std::mem::take(self) {
            Self::Sized(mut body) => body.cut(sink),
            Self::ToNul(Some(writer)) => writer.close(Ending::Cut, sink),
            Self::None | Self::ToNul(None) => {}
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
            if !matches!(side, Body::None) {
                at += side.data(rest, sink);
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
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let Some(side) = self.sides.get_mut(direction.index()) else { return Resync::Lost };
        if let Body::Sized(body) = side
            && body.gap(len, sink)
        {
            return Resync::Known { skip: 0 };
        }
        side.cut(sink);
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        find(data).map(|(at, _)| at)
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
