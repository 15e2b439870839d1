//! rsync daemons (rsync(5), `@RSYNCD:`): copies of archives and exports between servers. After a dialogue in lines
//! both ends send frames (`io.c`), in which the sender's data is a list of files, then each file as tokens. The list
//! is passed over: the numbers before the first token show where a file begins.

mod frames;
mod tokens;

#[cfg(test)]
mod tests;

use super::{
    Authentication, ContentSink, Direction, End, Ending, ParseError, Parser, Position, Probe,
    Progress, Protocol, Reason, Resync, Role, Roles, ServiceFacts, Speaker,
};
use frames::Frames;
use tokens::{Packing, Tokens};

/// Longest line or argument, bytes.
const MAX_LINE: usize = 4096;
/// Arguments of a client.
const MAX_ARGUMENTS: usize = 256;
/// Greeting of both ends.
const GREETING: &[u8] = b"@RSYNCD: ";

/// rsync.
pub struct Rsync;

impl Protocol for Rsync {
    fn name(&self) -> &'static str {
        "rsync"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return Probe::No;
        }
        let head = data.get(..GREETING.len()).unwrap_or(data);
        if !GREETING.starts_with(head) {
            return Probe::No;
        }
        match data.get(GREETING.len()) {
            Some(version) if version.is_ascii_digit() => Probe::yes(Speaker::Any),
            Some(_) => Probe::No,
            None => Probe::More,
        }
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::FileServer)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<RsyncParser>::default()
    }
}

/// State of a direction.
#[derive(Default)]
enum Phase {
    /// Lines; how many so far.
    Lines(usize),
    /// Arguments of the client; how many so far.
    Arguments(usize),
    /// Frames.
    Frames(Box<Frames>),
    /// Skipped, or over.
    #[default]
    Over,
}

/// One connection.
struct RsyncParser {
    sides: [Phase; 2],
    /// The server sends the files, according to the client's arguments.
    pull: Option<bool>,
    packing: Packing,
    tokens: Tokens,
}

impl Default for RsyncParser {
    fn default() -> Self {
        Self {
            sides: [Phase::Lines(0), Phase::Lines(0)],
            pull: None,
            packing: Packing::None,
            tokens: Tokens::default(),
        }
    }
}

const fn index(direction: Direction) -> usize {
    match direction {
        Direction::ClientToServer => 0,
        Direction::ServerToClient => 1,
    }
}

impl RsyncParser {
    /// A line of either end. Returns the next state.
    fn line(
        &mut self,
        direction: Direction,
        number: usize,
        line: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Phase {
        if direction == Direction::ServerToClient {
            if let Some(word) = line.strip_prefix(GREETING) {
                if word == b"OK" {
                    sink.facts().served();
                    return Phase::Frames(Box::default());
                }
                if word.starts_with(b"AUTHREQD ") {
                    sink.facts().shown(Authentication::Digest);
                }
                if word == b"EXIT" {
                    return Phase::Over;
                }
            }
            return Phase::Lines(number + 1);
        }
        match number {
            0 => {}
            // The module, or a request to list modules.
            1 if !line.is_empty() && !line.starts_with(b"#") => {
                let module = String::from_utf8_lossy(line);
                let path = super::http::mask_path(&format!("/{module}"));
                ServiceFacts::set(&mut sink.facts().files().path, &path);
            }
            // The user, and the response to the challenge.
            _ => {
                if let Some(end) = memchr::memchr(b' ', line) {
                    let user = String::from_utf8_lossy(line.get(..end).unwrap_or_default());
                    ServiceFacts::set(&mut sink.facts().files().user, &user);
                }
            }
        }
        Phase::Lines(number + 1)
    }

    /// An argument of the client: which end sends, and the compression.
    fn argument(&mut self, argument: &[u8]) {
        if argument == b"--sender" {
            self.pull = Some(true);
        }
        let long = argument.strip_prefix(b"--");
        let choice = [&b"--compress-choice="[..], b"--zc="]
            .iter()
            .find_map(|option| argument.strip_prefix(*option));
        match choice {
            Some(b"none") => self.packing = Packing::None,
            Some(b"lz4") => self.packing = Packing::Lz4,
            Some(_) => self.packing = Packing::Some,
            None if matches!(long, Some(b"compress" | b"new-compress" | b"old-compress")) => {
                self.packing = Packing::Some;
            }
            None if long.is_none() && argument.first() == Some(&b'-') => {
                // Short options; those behind `e` are capabilities of the client.
                let options = argument.split(|b| *b == b'e').next().unwrap_or_default();
                if options.contains(&b'z') && self.packing == Packing::None {
                    self.packing = Packing::Some;
                }
            }
            None => {}
        }
    }

    /// Whether this direction carries the files.
    fn sends(&self, direction: Direction) -> Option<bool> {
        self.pull.map(|pull| pull == (direction == Direction::ServerToClient))
    }
}

impl Parser for RsyncParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let side = index(direction);
        match &mut self.sides[side] {
            Phase::Over => Ok(Progress::skip(0, Progress::REST)),
            Phase::Lines(number) => {
                let number = *number;
                let client = direction == Direction::ClientToServer;
                if client && number > 1 && data.starts_with(b"-") {
                    self.sides[side] = Phase::Arguments(0);
                    return self.data(direction, data, sink);
                }
                let Some(end) = memchr::memchr(b'\n', data) else {
                    if data.len() > MAX_LINE {
                        return Err(ParseError::new(Reason::Malformed, 0));
                    }
                    return Ok(Progress::need(0, data.len() + 1));
                };
                let line = data.get(..end).unwrap_or_default();
                self.sides[side] = self.line(direction, number, line, sink);
                Ok(Progress::consumed(end + 1))
            }
            Phase::Arguments(count) => {
                // Each ends in a null byte, and an empty one ends the list; older clients end lines.
                let Some(end) = memchr::memchr2(0, b'\n', data) else {
                    if data.len() > MAX_LINE {
                        return Err(ParseError::new(Reason::Malformed, 0));
                    }
                    return Ok(Progress::need(0, data.len() + 1));
                };
                *count += 1;
                if *count > MAX_ARGUMENTS {
                    return Err(ParseError::new(Reason::Limit, 0));
                }
                if end == 0 {
                    self.pull.get_or_insert(false);
                    self.sides[side] = Phase::Frames(Box::default());
                    return Ok(Progress::consumed(1));
                }
                let argument = data.get(..end).unwrap_or_default().to_vec();
                self.argument(&argument);
                Ok(Progress::consumed(end + 1))
            }
            Phase::Frames(frames) => {
                match self.pull {
                    // Until the sender is known nothing is lost: files follow the arguments.
                    None => return Ok(Progress::need(0, data.len() + 1)),
                    Some(pull) if pull != (direction == Direction::ServerToClient) => {
                        return Ok(Progress::skip(0, Progress::REST));
                    }
                    Some(_) => {}
                }
                Ok(frames.read(direction, data, self.packing, &mut self.tokens, sink))
            }
        }
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let sends = self.sends(direction);
        match &mut self.sides[index(direction)] {
            Phase::Over => Resync::Known { skip: Progress::REST },
            Phase::Frames(_) if sends == Some(false) => Resync::Known { skip: Progress::REST },
            Phase::Frames(frames) => {
                if frames.lose(len, &mut self.tokens, sink) {
                    return Resync::Known { skip: 0 };
                }
                self.tokens.lose(sink);
                **frames = Frames::default();
                Resync::Search
            }
            Phase::Lines(_) | Phase::Arguments(_) => {
                self.sides[index(direction)] = Phase::Frames(Box::default());
                // The sender is unknown; most clients fetch.
                self.pull.get_or_insert(true);
                Resync::Search
            }
        }
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        frames::find(data)
    }

    fn close(&mut self, direction: Direction, rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if self.sends(direction) != Some(false) {
            // It may have waited for the arguments of the client.
            let mut rest = rest;
            while let (Some(true), Phase::Frames(frames)) =
                (self.sends(direction), &mut self.sides[index(direction)])
            {
                let read = frames.read(direction, rest, self.packing, &mut self.tokens, sink);
                let skip = usize::try_from(read.skip).unwrap_or(usize::MAX);
                let passed = read.consumed.saturating_add(skip).min(rest.len());
                rest = rest.get(passed..).unwrap_or_default();
                if passed == 0 || rest.is_empty() {
                    break;
                }
            }
            self.tokens.close(Ending::Cut, sink);
        }
        self.sides[index(direction)] = Phase::Over;
    }

    fn memory(&self) -> usize {
        self.tokens.memory() + size_of::<Frames>()
    }
}
