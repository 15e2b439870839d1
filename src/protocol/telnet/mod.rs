//! Telnet (RFC 854, options RFC 855): the output of the host, as the stream of a terminal. Terminals of IBM's
//! mainframes and midrange systems (RFC 2355, RFC 4777) are translated to the same form.
//!
//! The host echoes what a user types, except passwords. Where it does not echo, the user's lines are inserted where
//! they appear.

mod ibm;
mod options;
#[cfg(test)]
mod tests;
mod tn3270;
mod tn5250;

use super::content_writer::ContentWriter;
use super::{
    ContentSink, Direction, End, Hint, Media, ParseError, Parser, Position, Probe, Progress,
    Protocol, Reason, Resync, ServiceFacts, Speaker,
};
use crate::syntax::Match;
use ibm::Ibm;
use options::{Item, Options};
use zeroize::Zeroizing;

/// Media type of screens, and the control character for a user's reaction to them (`content/formats/terminal`).
pub(super) const MEDIA: &str = "application/x-terminal";
pub(super) const REACTION: u8 = 5;
/// Text of the host that is kept to recognise prompts, bytes.
const MAX_PROMPT: usize = 64;
/// Longest name of a user, bytes.
const MAX_TYPED: usize = 64;
/// Longest record of an IBM terminal, bytes.
const MAX_RECORD: usize = 64 << 10;
/// Bytes examined to recognise a screen whose beginning was not seen.
const MAX_LOOK: usize = 4096;

/// Telnet.
pub struct Telnet;

impl Protocol for Telnet {
    fn name(&self) -> &'static str {
        "telnet"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        match data {
            [] => return Probe::More,
            [options::IAC, verb, rest @ ..] => {
                return match options::begins(*verb, rest) {
                    Some(true) => Probe::yes(Speaker::Any),
                    Some(false) => Probe::More,
                    None => Probe::No,
                };
            }
            [options::IAC] => return Probe::More,
            _ => {}
        }
        if at == Position::Midstream {
            if let Some(offset) = ibm::find(data) {
                return Probe::Yes { speaker: Speaker::Any, offset };
            }
            return match shows_screen(data) {
                true => Probe::yes(Speaker::Server),
                false => Probe::No,
            };
        }
        greeting(data)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<TelnetParser>::default()
    }
}

/// Hosts without options clear the screen or show a login prompt.
fn greeting(data: &[u8]) -> Probe {
    const CLEARS: [&[u8]; 6] =
        [b"\x1b[H\x1b[", b"\x1b[2J", b"\x1b[1;1H", b"\x1bc", b"\x1b[?", b"\x1b[0m"];
    let mut more = false;
    for clear in CLEARS {
        let head = data.get(..clear.len()).unwrap_or(data);
        if clear.starts_with(head) {
            match head.len() == clear.len() {
                true => return Probe::yes(Speaker::Server),
                false => more = true,
            }
        }
    }
    let head = data.get(..MAX_LOOK).unwrap_or(data);
    let text = |b: &u8| b.is_ascii_graphic() || matches!(b, b' ' | b'\r' | b'\n' | b'\t' | 7 | 0);
    if more || head.iter().all(text) && head.len() < MAX_LOOK {
        let tail = head.trim_ascii_end().to_ascii_lowercase();
        if tail.ends_with(b"login:")
            || tail.ends_with(b"username:")
            || tail.ends_with(b"access code:")
        {
            return Probe::yes(Speaker::Server);
        }
        // A prompt is short: longer text is something else.
        return if more || head.len() < 512 && begins_a_line(head) {
            Probe::More
        } else {
            Probe::No
        };
    }
    Probe::No
}

/// Whether the first line may be a login prompt; other protocols end their lines differently.
fn begins_a_line(head: &[u8]) -> bool {
    let lower = head.to_ascii_lowercase();
    [&b"login:"[..], b"username:", b"access code:"].iter().any(|prompt| {
        let word = lower.rsplit(|b| matches!(b, b'\n' | b' ' | b'\r')).next().unwrap_or_default();
        prompt.starts_with(word) && !word.is_empty() || prompt.starts_with(&lower)
    })
}

/// Whether the cursor is positioned or something erased repeatedly, which only terminal hosts do.
fn shows_screen(data: &[u8]) -> bool {
    let head = data.get(..MAX_LOOK).unwrap_or(data);
    let placed = memchr::memmem::find_iter(head, b"\x1b[").filter(|at| {
        let rest = head.get(at + 2..).unwrap_or_default();
        let digits = rest.iter().take(8).take_while(|b| b.is_ascii_digit() || **b == b';').count();
        match rest.get(digits) {
            Some(b'H' | b'f') => digits >= 3,
            Some(b'J') => digits <= 1,
            _ => false,
        }
    });
    placed.take(3).count() == 3
}

/// One flow.
#[derive(Default)]
struct TelnetParser {
    screen: Option<ContentWriter>,
    options: Options,
    ibm: Option<Ibm>,
    /// The incomplete record of an IBM terminal, of each end.
    records: [Zeroizing<Vec<u8>>; 2],
    prompt: Prompt,
    plain: Zeroizing<Vec<u8>>,
    /// Of each end: whether what comes is a record of an IBM terminal was decided, at the beginning or behind an option.
    decided: [bool; 2],
    /// Records were assumed before one was seen as a whole.
    unsure: bool,
}

/// The host's last prompt, and what was typed since.
#[derive(Default)]
pub(super) struct Prompt {
    asked: Vec<u8>,
    typed: Zeroizing<Vec<u8>>,
}

impl Prompt {
    /// The host sent this text.
    pub(super) fn shown(&mut self, text: &[u8]) {
        let tail = text.get(text.len().saturating_sub(MAX_PROMPT)..).unwrap_or(text);
        self.asked.extend(tail.iter().map(u8::to_ascii_lowercase));
        let over = self.asked.len().saturating_sub(MAX_PROMPT);
        self.asked.drain(..over);
    }

    fn asks(&self, words: &[&str]) -> bool {
        let asked = String::from_utf8_lossy(&self.asked);
        // The echo follows the prompt.
        words.iter().any(|word| asked.contains(word))
    }

    /// The user typed this.
    pub(super) fn typed(&mut self, text: &[u8], sink: &mut dyn ContentSink) {
        const USER: [&str; 7] = [
            "login:",
            "username:",
            "user name:",
            "user id:",
            "benutzer:",
            "utilisateur:",
            "usuario:",
        ];
        const PASSWORD: [&str; 8] = [
            "password:",
            "passwort:",
            "kennwort:",
            "mot de passe",
            "contrase",
            "senha:",
            "verify code:",
            "passcode:",
        ];
        for byte in text {
            if !matches!(byte, b'\r' | b'\n') {
                if self.typed.len() < MAX_TYPED {
                    self.typed.push(*byte);
                }
                continue;
            }
            if self.typed.is_empty() {
                continue;
            }
            if self.asks(&PASSWORD) {
                sink.facts().password_in_clear();
            } else if self.asks(&USER) {
                let name = String::from_utf8_lossy(&self.typed);
                ServiceFacts::set(&mut sink.facts().files().user, &name);
            }
            self.typed.clear();
            self.asked.clear();
        }
    }
}

/// Opens a screen.
pub(super) fn open(layer: &'static str, sink: &mut dyn ContentSink) -> ContentWriter {
    sink.unit("session");
    let media = Media::Type { content_type: MEDIA, name: "" };
    let direction = Direction::ServerToClient;
    ContentWriter::open(&Hint { direction, media, operation: "", codings: &[], layer }, sink)
}

/// Whether typed text may end an entry: its author has read the screen.
pub(super) fn is_reaction(text: &[u8]) -> bool {
    text.iter().any(|b| matches!(b, b'\r' | b'\n' | 0x1b | 1..=7 | 0x0b..=0x1a))
}

impl TelnetParser {
    fn show(&mut self, bytes: &[u8], sink: &mut dyn ContentSink) {
        if !bytes.is_empty() {
            self.screen.get_or_insert_with(|| open("telnet", sink)).data(bytes, sink);
        }
    }

    /// Characters of one end, without options.
    fn text(&mut self, direction: Direction, text: &[u8], sink: &mut dyn ContentSink) {
        if text.is_empty() {
            return;
        }
        if self.options.has_records() {
            let Some(record) = self.records.get_mut(direction.index()) else { return };
            let room = MAX_RECORD.saturating_sub(record.len());
            record.extend_from_slice(text.get(..room).unwrap_or(text));
            return;
        }
        if direction == Direction::ServerToClient {
            self.prompt.shown(text);
            return self.show(text, sink);
        }
        const SECRETS: [&str; 4] = ["passw", "contrase", "senha", "verify code"];
        // Whether a byte is secret depends on the prompt before it, so only the end of the entry is a reaction.
        let (local, mut secret) = (self.options.shows_locally(), self.prompt.asks(&SECRETS));
        let mut shown = Zeroizing::new(Vec::new());
        for byte in text {
            if is_reaction(&[*byte]) {
                shown.push(REACTION);
            }
            let ends = matches!(byte, b'\r' | b'\n');
            if local && !secret && (*byte >= b' ' || ends) {
                shown.push(*byte);
            }
            self.prompt.typed(&[*byte], sink);
            if ends {
                secret = self.prompt.asks(&SECRETS);
            }
        }
        if self.screen.is_some() {
            self.show(&shown, sink);
        }
    }

    /// Whether it is known what the text at the front of `rest` is: without an agreement that was seen, a record of an
    /// IBM terminal is known by its beginning and its end.
    fn decide(&mut self, direction: Direction, rest: &[u8]) -> bool {
        let Some(decided) = self.decided.get_mut(direction.index()) else { return true };
        if *decided || self.options.has_records() {
            return true;
        }
        let front = ibm::front(rest);
        *decided = !matches!(front, Match::More);
        if matches!(front, Match::Yes(())) {
            let end = memchr::memmem::find(rest, &[options::IAC, options::EOR]);
            self.options.assume_records(rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest));
        }
        *decided
    }

    /// A record of an IBM terminal is complete.
    fn record(&mut self, direction: Direction, sink: &mut dyn ContentSink) {
        let Some(record) = self.records.get_mut(direction.index()) else { return };
        let record = std::mem::take(record);
        if std::mem::take(&mut self.unsure) {
            self.options.assume_records(&record);
        }
        let enhanced = self.options.is_enhanced();
        let ibm = self.ibm.get_or_insert_default();
        let mut shown = Zeroizing::new(Vec::new());
        ibm.record(direction, &record, enhanced, &mut shown);
        self.show(&shown, sink);
    }
}

impl Parser for TelnetParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        while at < data.len() {
            let rest = data.get(at..).unwrap_or_default();
            match options::read(rest) {
                Match::Yes(Item::Text(_)) if plain.is_empty() && !self.decide(direction, rest) => {
                    break;
                }
                Match::Yes(Item::Text(len)) => {
                    plain.extend_from_slice(rest.get(..len).unwrap_or_default());
                    at += len;
                }
                Match::Yes(Item::Escaped) => {
                    plain.push(options::IAC);
                    if let Some(decided) = self.decided.get_mut(direction.index()) {
                        *decided = true;
                    }
                    at += 2;
                }
                Match::Yes(Item::EndOfRecord) => {
                    let is_record = self.options.has_records();
                    self.text(direction, &plain, sink);
                    plain.clear();
                    at += 2;
                    if is_record {
                        self.record(direction, sink);
                    } else {
                        // The end of one whose beginning was not seen.
                        self.options.assume_records(&[]);
                        self.unsure = true;
                    }
                }
                Match::Yes(Item::Option(verb, option)) => {
                    // What came before it is not changed by it.
                    self.text(direction, &plain, sink);
                    plain.clear();
                    self.options.negotiated(direction, verb, option);
                    if let Some(decided) = self.decided.get_mut(direction.index()) {
                        *decided = false;
                    }
                    at += 3;
                }
                Match::Yes(Item::Details(details, len)) => {
                    if self.options.details(details) {
                        return Err(ParseError::new(Reason::Encrypted, at));
                    }
                    at += len;
                }
                Match::Yes(Item::Command) => at += 2,
                Match::More => break,
                Match::No => return Err(ParseError::new(Reason::Limit, at)),
            }
        }
        self.text(direction, &plain, sink);
        plain.clear();
        self.plain = plain;
        Ok(if at < data.len() {
            Progress::need(at, data.len() - at + 1)
        } else {
            Progress::consumed(at)
        })
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if let Some(record) = self.records.get_mut(direction.index()) {
            record.clear();
        }
        if self.options.has_records() {
            return Resync::Search;
        }
        if direction == Direction::ServerToClient
            && let Some(screen) = &mut self.screen
        {
            screen.gap(len, sink);
        }
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        if ibm::begins(data) {
            return Some(0);
        }
        match memchr::memmem::find(data, &[options::IAC, options::EOR]) {
            Some(at) => Some(at + 2),
            // Characters are read wherever they begin.
            None if self.options.has_records() => None,
            None => Some(0),
        }
    }

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        // What might have become a record is text.
        let text = rest.split(|byte| *byte == options::IAC).next().unwrap_or_default();
        if !self.options.has_records() {
            self.text(direction, text, sink);
        }
        if direction == Direction::ServerToClient
            && let Some(screen) = self.screen.take()
        {
            screen.close(end.into(), sink);
        }
    }

    fn memory(&self) -> usize {
        self.plain.capacity()
            + self.records.iter().map(|r| r.capacity()).sum::<usize>()
            + self.ibm.as_ref().map_or(0, Ibm::memory)
    }
}
