//! Commands and options in the stream (RFC 854, 855, 1091, 885, 856, 2355).

use super::super::Direction;
use crate::syntax::Match;

/// Interpret as command.
pub(super) const IAC: u8 = 255;
/// End of record (RFC 885).
pub(super) const EOR: u8 = 239;
const SE: u8 = 240;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
/// Options.
const ECHO: u8 = 1;
const END_OF_RECORD: u8 = 25;
const ENCRYPT: u8 = 38;
const TN3270E: u8 = 40;
const START_TLS: u8 = 46;
/// Options are below this, except one (255).
const MAX_OPTION: u8 = 50;
const MSP_OPTIONS: [u8; 9] = [69, 70, 85, 86, 87, 90, 91, 93, 201];
/// Longest subnegotiation, bytes.
const MAX_DETAILS: usize = 4096;

/// The item at the front of the stream.
pub(super) enum Item<'a> {
    /// This many characters.
    Text(usize),
    /// A character that equals a command byte.
    Escaped,
    EndOfRecord,
    /// Verb and option.
    Option(u8, u8),
    /// Subnegotiation, and its length in bytes.
    Details(&'a [u8], usize),
    /// A command of two bytes.
    Command,
}

/// Whether a stream may begin with `IAC verb ...`: yes, not known yet, no. The first end to speak offers or requests
/// an option; a UTF-16 byte order mark looks like a refusal.
pub(super) fn begins(verb: u8, rest: &[u8]) -> Option<bool> {
    let known = |option: u8| option < MAX_OPTION || option == 255 || MSP_OPTIONS.contains(&option);
    match (verb, rest) {
        (WILL | DO | SB, [option, next, ..]) => {
            // Another option or text follows.
            let text = *next == IAC || *next < 0x80 || verb == SB;
            (known(*option) && text).then_some(true)
        }
        (WILL | DO, [option]) => known(*option).then_some(true),
        (WILL | DO | SB, _) => Some(false),
        _ => None,
    }
}

/// Reads the item at the front of `data`; no match if it is longer than any of its kind.
pub(super) fn read(data: &[u8]) -> Match<Item<'_>> {
    let text = memchr::memchr(IAC, data).unwrap_or(data.len());
    if text > 0 {
        return Match::Yes(Item::Text(text));
    }
    match data {
        [_, IAC, ..] => Match::Yes(Item::Escaped),
        [_, EOR, ..] => Match::Yes(Item::EndOfRecord),
        [_, verb @ WILL..=DONT, option, ..] => Match::Yes(Item::Option(*verb, *option)),
        [_, WILL..=DONT] | [_] | [] => Match::More,
        [_, SB, details @ ..] => {
            let mut at = 0;
            while let Some(iac) = memchr::memchr(IAC, details.get(at..).unwrap_or_default()) {
                match details.get(at + iac + 1) {
                    Some(&SE) => {
                        let end = at + iac;
                        let details = details.get(..end).unwrap_or_default();
                        return Match::Yes(Item::Details(details, 2 + end + 2));
                    }
                    Some(_) => at += iac + 2,
                    None => break,
                }
            }
            if details.len() > MAX_DETAILS { Match::No } else { Match::More }
        }
        _ => Match::Yes(Item::Command),
    }
}

/// The negotiated options.
#[derive(Default)]
pub(super) struct Options {
    /// The host announced whether it echoes.
    echo: Option<bool>,
    /// Both ends send records, as each has announced.
    records: [bool; 2],
    enhanced: bool,
}

impl Options {
    /// One end announces what it will do, or what the other may.
    pub(super) fn negotiated(&mut self, direction: Direction, verb: u8, option: u8) {
        let host = direction == Direction::ServerToClient;
        match (option, verb) {
            (ECHO, WILL | WONT) if host => self.echo = Some(verb == WILL),
            (END_OF_RECORD, WILL | WONT) => {
                if let Some(records) = self.records.get_mut(direction.index()) {
                    *records = verb == WILL;
                }
            }
            (TN3270E, WILL | DO)
                // In effect when both agreed; the client is the last to do so.
                if !host && verb == WILL => {
                    self.enhanced = true;
                }
            (TN3270E, WONT | DONT) => self.enhanced = false,
            _ => {}
        }
    }

    /// A subnegotiation. Returns whether the stream is encrypted behind it.
    pub(super) fn details(&mut self, details: &[u8]) -> bool {
        // Names of devices and functions (RFC 2355 7).
        self.enhanced |= matches!(details, [TN3270E, 2 | 3, 4 | 7, ..]);
        // START (RFC 2946 3); FOLLOWS of START_TLS.
        matches!(details, [ENCRYPT, 3, ..] | [START_TLS, 1, ..])
    }

    /// Whether characters come in records of an IBM terminal.
    pub(super) fn has_records(&self) -> bool {
        self.enhanced || self.records == [true, true]
    }

    /// `record` ended, and no agreement on records was seen.
    pub(super) fn assume_records(&mut self, record: &[u8]) {
        self.records = [true, true];
        self.enhanced |= super::ibm::has_header(record);
    }

    /// Whether records have a header of TN3270E (RFC 2355 8.1).
    pub(super) const fn is_enhanced(&self) -> bool {
        self.enhanced
    }

    /// Whether typed characters show without the host: it announced that it does not echo.
    pub(super) fn shows_locally(&self) -> bool {
        self.echo == Some(false)
    }
}
