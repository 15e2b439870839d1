//! Redis and compatible servers (RESP2 and RESP3). Hashes are passed on as a JSON object of their fields,
//! other values as separate payloads.

mod emit;

#[cfg(test)]
mod tests;

use super::{
    ContentSink, Direction, End, Ending, ParseError, Parser, Position, Probe, Progress, Protocol,
    Reason, Resync, Speaker, line,
};
use emit::{Emitter, Shape};
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// Longest line (a header, a simple string, an inline command), bytes.
const MAX_LINE: usize = 64 << 10;
/// Levels of nested arrays.
const MAX_DEPTH: usize = 16;
/// Commands without a response that are remembered.
const MAX_PENDING: usize = 1024;
/// Words of `HELLO` with a user and a password.
const HELLO_LOGIN: usize = 5;
/// Fields of a command that are kept for its response.
const MAX_FIELDS: usize = 256;
/// Words of a command that was typed.
const MAX_TYPED: usize = 1024;
/// Fields of all commands without a response that are kept; the values of further ones are passed on without.
const MAX_PENDING_FIELDS: usize = 4096;
/// Longest word of a command, or key, that is kept, bytes.
const MAX_WORD: usize = 128;

/// RESP.
pub struct Redis;

impl Protocol for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Start {
            return match command(data) {
                Probe::No => typed(data),
                found => found,
            };
        }
        let found = memchr::memmem::find_iter(data, b"\r\n*")
            .map(|at| at + 2)
            .find(|at| data.get(*at..).is_some_and(|d| matches!(command(d), Probe::Yes { .. })));
        match found {
            Some(offset) => Probe::Yes { speaker: Speaker::Client, offset },
            None => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(RedisParser { sides: [Reader::new(), Reader::new()], pending: Pending::default() })
    }
}

/// Whether a command begins at `data`: `*2`, `$3`, and a word of letters.
fn command(data: &[u8]) -> Probe {
    let mut rest = data;
    for sigil in [b'*', b'$'] {
        let Some((first, tail)) = rest.split_first() else { return Probe::More };
        let digits = tail.iter().take_while(|b| b.is_ascii_digit()).count();
        if *first != sigil || digits > 6 {
            return Probe::No;
        }
        match tail.get(digits..).unwrap_or(b"") {
            [] | [b'\r'] => return Probe::More,
            [b'\r', b'\n', after @ ..] if digits > 0 => rest = after,
            _ => return Probe::No,
        }
    }
    match rest {
        [] | [_] => Probe::More,
        [a, b, ..] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
            Probe::yes(Speaker::Client)
        }
        _ => Probe::No,
    }
}

/// Commands that no other protocol has, as loaders of data type them.
const TYPED: [&[u8]; 12] = [
    b"HSET ",
    b"HMSET ",
    b"HGETALL ",
    b"HGET ",
    b"HMGET ",
    b"XADD ",
    b"RPUSH ",
    b"LPUSH ",
    b"SADD ",
    b"ZADD ",
    b"SETEX ",
    b"JSON.SET ",
];

/// Whether a command without framing begins at `data`.
fn typed(data: &[u8]) -> Probe {
    let begins = |word: &&&[u8]| {
        let len = word.len().min(data.len());
        data.get(..len)
            .is_some_and(|head| word.get(..len).is_some_and(|w| w.eq_ignore_ascii_case(head)))
    };
    match TYPED.iter().filter(begins).map(|word| word.len()).min() {
        Some(len) if data.len() >= len => Probe::yes(Speaker::Client),
        Some(_) => Probe::More,
        None => Probe::No,
    }
}

/// One flow.
struct RedisParser {
    sides: [Reader; 2],
    /// Values in the following responses.
    pending: Pending,
}

/// The commands without a response yet.
#[derive(Default)]
struct Pending {
    commands: VecDeque<PendingCommand>,
    /// Fields of all of them.
    fields: usize,
    /// Bytes of heap that their keys and fields hold.
    bytes: usize,
}

impl Pending {
    /// Adds a command; one too many is not remembered. Of too many fields none is kept.
    fn push(&mut self, mut command: PendingCommand, sink: &mut dyn ContentSink) {
        if self.commands.len() >= MAX_PENDING {
            return;
        }
        if command.fields.len() > MAX_PENDING_FIELDS - self.fields {
            sink.anomaly(Reason::Limit);
            command.fields = Vec::new();
            command.shape = Shape::Values { from: 0, every: 1 };
        }
        self.fields += command.fields.len();
        self.bytes += command.bytes();
        self.commands.push_back(command);
    }

    /// Takes the oldest.
    fn pop(&mut self) -> Option<PendingCommand> {
        let command = self.commands.pop_front()?;
        self.fields -= command.fields.len();
        self.bytes -= command.bytes();
        Some(command)
    }
}

/// A command without a response yet.
struct PendingCommand {
    shape: Shape,
    /// The key, for the response.
    key: Vec<u8>,
    /// The fields that it asks for.
    fields: Vec<Vec<u8>>,
    /// It is rejected (`NOAUTH`) if a login is required and none preceded it.
    needs_login: bool,
}

impl PendingCommand {
    /// Bytes of heap held.
    fn bytes(&self) -> usize {
        self.key.capacity() + held(&self.fields)
    }
}

/// Bytes of heap that fields hold.
fn held(fields: &[Vec<u8>]) -> usize {
    fields.iter().map(|field| size_of::<Vec<u8>>() + field.capacity()).sum()
}

/// One direction.
struct Reader {
    /// Remaining elements of each open array.
    open: Vec<u64>,
    /// The current bulk string.
    bulk: Option<u64>,
    /// Elements of the command or response so far.
    index: usize,
    /// First word of a command.
    verb: Vec<u8>,
    key: Vec<u8>,
    /// The fields that a command asks for, or whose values a response has.
    fields: Vec<Vec<u8>>,
    shape: Shape,
    emitter: Emitter,
}

impl Reader {
    const fn new() -> Self {
        Self {
            open: Vec::new(),
            bulk: None,
            index: 0,
            verb: Vec::new(),
            key: Vec::new(),
            fields: Vec::new(),
            shape: Shape::Nothing,
            emitter: Emitter::new(),
        }
    }

    /// Bytes of an element.
    fn bytes(
        &mut self,
        client: bool,
        bytes: &[u8],
        first: bool,
        direction: Direction,
        sink: &mut dyn ContentSink,
    ) {
        if client && self.index < 2 {
            let word = if self.index == 0 { &mut self.verb } else { &mut self.key };
            if first {
                word.clear();
            }
            let room = MAX_WORD.saturating_sub(word.len());
            word.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            return;
        }
        if client && self.verb == b"HMGET" && (first || !self.fields.is_empty()) {
            if first && self.fields.len() < MAX_FIELDS {
                self.fields.push(Vec::new());
            }
            if let Some(field) = self.fields.get_mut(self.index - 2) {
                let room = MAX_WORD.saturating_sub(field.len());
                field.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            }
            return;
        }
        let part = self.shape.part(self.index);
        if self.shape == Shape::Asked {
            let Some(field) = self.fields.get(self.index) else { return };
            if first {
                self.emitter.bytes(emit::Part::Field, field, true, &self.key, direction, sink);
                self.emitter.element(sink);
            }
        }
        self.emitter.bytes(part, bytes, first, &self.key, direction, sink);
    }

    /// An element is complete.
    fn element(&mut self, client: bool, sink: &mut dyn ContentSink) {
        if client && self.index == 0 {
            self.verb.make_ascii_uppercase();
            self.shape = Shape::of_command(&self.verb);
        } else {
            self.emitter.element(sink);
        }
        self.index += 1;
    }
}

impl Parser for RedisParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let client = direction == Direction::ClientToServer;
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            let Some(reader) = self.sides.get_mut(direction.index()) else { break };
            if let Some(left) = reader.bulk {
                if left > 0 {
                    let len = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    reader.bytes(client, rest.get(..len).unwrap_or(rest), false, direction, sink);
                    reader.bulk = Some(left - len as u64);
                    at += len;
                    continue;
                }
                if rest.len() < 2 {
                    return Ok(Progress::need(at, 2));
                }
                if !rest.starts_with(b"\r\n") {
                    return Err(ParseError::new(Reason::Malformed, at));
                }
                at += 2;
                reader.bulk = None;
                reader.element(client, sink);
                self.settle(direction, sink);
                continue;
            }
            let Some((whole, next)) = line::read(data, at, MAX_LINE)? else {
                return Ok(line::more(data, at));
            };
            if client && reader.open.is_empty() && *first != b'*' {
                at = next;
                self.inline(whole, sink);
                continue;
            }
            let line = whole.get(1..).unwrap_or_default();
            let number = || {
                let text = std::str::from_utf8(line).ok()?;
                text.parse::<i64>().ok()
            };
            match first {
                b'*' | b'~' | b'>' | b'%' | b'|' => {
                    let Some(count) = number() else {
                        return Err(ParseError::new(Reason::Malformed, at));
                    };
                    if reader.open.len() >= MAX_DEPTH {
                        return Err(ParseError::new(Reason::Limit, at));
                    }
                    self.begin(direction, *first, u64::try_from(count).unwrap_or(0), sink);
                }
                b'$' | b'=' | b'!' => {
                    let Some(len) = number() else {
                        return Err(ParseError::new(Reason::Malformed, at));
                    };
                    self.scalar(direction, *first, sink);
                    let Some(reader) = self.sides.get_mut(direction.index()) else { break };
                    if let Ok(len) = u64::try_from(len) {
                        reader.bytes(client, &[], true, direction, sink);
                        reader.bulk = Some(len);
                    } else {
                        if !reader.open.is_empty() {
                            reader.bytes(client, &[], true, direction, sink);
                        }
                        reader.element(client, sink);
                    }
                }
                b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => {
                    self.scalar(direction, *first, sink);
                    let Some(reader) = self.sides.get_mut(direction.index()) else { break };
                    // Numbers are values too; statuses and errors are not.
                    if matches!(first, b':' | b',') && !reader.open.is_empty() {
                        reader.bytes(client, line, true, direction, sink);
                    }
                    reader.element(client, sink);
                }
                _ => return Err(ParseError::new(Reason::Malformed, at)),
            }
            at = next;
            if self.sides.get(direction.index()).is_some_and(|r| r.bulk.is_none()) {
                self.settle(direction, sink);
            }
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let Some(reader) = self.sides.get_mut(direction.index()) else { return Resync::Lost };
        if let Some(left) = reader.bulk
            && len <= left
        {
            reader.emitter.gap(len, sink);
            reader.bulk = Some(left - len);
            return Resync::Known { skip: 0 };
        }
        reader.emitter.close(Ending::Cut, sink);
        sink.facts().missed_login();
        reader.open.clear();
        reader.bulk = None;
        reader.index = 0;
        self.pending = Pending::default();
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        memchr::memmem::find(data, b"\r\n*").map(|at| at + 2)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if let Some(reader) = self.sides.get_mut(direction.index()) {
            reader.emitter.close(Ending::Cut, sink);
        }
    }

    fn memory(&self) -> usize {
        let commands = self.pending.commands.capacity() * size_of::<PendingCommand>();
        let current = self.sides.iter().map(|side| held(&side.fields)).sum::<usize>();
        commands + self.pending.bytes + current
    }
}

impl RedisParser {
    /// A response of this kind begins: whether it answers a query for values.
    fn answer(&mut self, direction: Direction, kind: u8, sink: &mut dyn ContentSink) {
        if direction == Direction::ClientToServer {
            return;
        }
        let several = matches!(kind, b'*' | b'~' | b'%' | b'|');
        let asked = self.pending.pop();
        if !matches!(kind, b'-' | b'!') && asked.as_ref().is_some_and(|asked| asked.needs_login) {
            sink.facts().served();
        }
        let Some(reader) = self.sides.get_mut(direction.index()) else { return };
        reader.index = 0;
        reader.key.clear();
        reader.fields.clear();
        reader.shape = match asked {
            Some(asked) => {
                reader.key = asked.key;
                reader.fields = asked.fields;
                asked.shape
            }
            // Fields and values in turn, as far as is known.
            None if several => Shape::Pairs { from: 0 },
            None => Shape::Values { from: 0, every: 1 },
        };
    }

    fn scalar(&mut self, direction: Direction, kind: u8, sink: &mut dyn ContentSink) {
        if self.sides.get(direction.index()).is_some_and(|r| r.open.is_empty()) {
            self.answer(direction, kind, sink);
        }
    }

    fn begin(&mut self, direction: Direction, kind: u8, count: u64, sink: &mut dyn ContentSink) {
        let top = self.sides.get(direction.index()).is_some_and(|r| r.open.is_empty());
        // Push data (RESP3 `>`) answers no command.
        if top && kind != b'>' {
            self.answer(direction, kind, sink);
        }
        let Some(reader) = self.sides.get_mut(direction.index()) else { return };
        if top {
            reader.index = 0;
            sink.unit(if direction == Direction::ClientToServer { "request" } else { "response" });
        } else {
            // The fields of an entry (XRANGE) are a hash of their own.
            reader.emitter.close(Ending::Complete, sink);
            reader.index = 0;
            if direction == Direction::ServerToClient && count.is_multiple_of(2) {
                reader.fields.clear();
                reader.shape = Shape::Pairs { from: 0 };
            }
        }
        let count = if matches!(kind, b'%' | b'|') { count.saturating_mul(2) } else { count };
        reader.open.push(count.saturating_add(1));
    }

    /// Ends everything that is complete behind an element.
    fn settle(&mut self, direction: Direction, sink: &mut dyn ContentSink) {
        let client = direction == Direction::ClientToServer;
        let Some(reader) = self.sides.get_mut(direction.index()) else { return };
        // An array counts itself, so that one without elements ends like any other.
        while let Some(left) = reader.open.last_mut() {
            *left = left.saturating_sub(1);
            if *left > 0 {
                return;
            }
            reader.open.pop();
            reader.emitter.close(Ending::Complete, sink);
        }
        reader.emitter.close(Ending::Complete, sink);
        if client {
            let words = [std::mem::take(&mut reader.verb), std::mem::take(&mut reader.key)];
            // `HELLO 3 AUTH user password`; without a login it has no more than a name.
            if std::mem::take(&mut reader.index) >= HELLO_LOGIN && words[0] == b"HELLO" {
                sink.facts().password_in_clear();
            }
            let [verb, key] = words;
            let fields = std::mem::take(&mut reader.fields);
            self.asked(&verb, key, fields, sink);
        }
    }

    /// A command without framing, as typed (`PING`): read as an array of its words.
    fn inline(&mut self, line: &[u8], sink: &mut dyn ContentSink) {
        let direction = Direction::ClientToServer;
        let words = typed_words(line);
        if words.is_empty() {
            return;
        }
        self.begin(direction, b'*', words.len() as u64, sink);
        self.settle(direction, sink);
        for word in &words {
            self.scalar(direction, b'$', sink);
            let Some(reader) = self.sides.get_mut(direction.index()) else { return };
            reader.bytes(true, word, true, direction, sink);
            reader.element(true, sink);
            self.settle(direction, sink);
        }
    }

    fn asked(
        &mut self,
        verb: &[u8],
        key: Vec<u8>,
        fields: Vec<Vec<u8>>,
        sink: &mut dyn ContentSink,
    ) {
        if verb == b"AUTH" {
            sink.facts().password_in_clear();
        }
        let needs_login = !matches!(verb, b"AUTH" | b"HELLO" | b"QUIT" | b"RESET");
        let shape = Shape::of_answer(verb);
        let fields = if shape == Shape::Asked { fields } else { Vec::new() };
        self.pending.push(PendingCommand { shape, key, fields, needs_login }, sink);
    }
}

/// The words of a command that was typed. Quotes hold a word together, and in double ones a backslash escapes.
fn typed_words(line: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() && words.len() < MAX_TYPED {
        let mut word = Zeroizing::new(Vec::new());
        let mut quote = None;
        while let Some((&byte, behind)) = rest.split_first() {
            rest = behind;
            match quote {
                None if byte.is_ascii_whitespace() => break,
                None if word.is_empty() && matches!(byte, b'"' | b'\'') => quote = Some(byte),
                Some(open) if byte == open => quote = None,
                Some(b'"') if byte == b'\\' => {
                    let Some((escaped, behind)) = rest.split_first() else { break };
                    rest = behind;
                    word.push(*escaped);
                }
                _ => word.push(byte),
            }
        }
        words.push(word);
        rest = rest.trim_ascii_start();
    }
    words
}
