//! rlogin (RFC 1282): two user names and the terminal type, then the output of the host.

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::telnet::{Prompt, REACTION, is_reaction, open};
use super::{
    ContentSink, Direction, End, ParseError, Parser, Position, Probe, Progress, Protocol, Reason,
    Resync, ServiceFacts, Speaker,
};
use crate::syntax::Match;

/// Longest name, bytes.
const MAX_NAME: usize = 64;

/// rlogin.
pub struct Rlogin;

impl Protocol for Rlogin {
    fn name(&self) -> &'static str {
        "rlogin"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return Probe::No;
        }
        match names(data) {
            Match::Yes((..)) => Probe::yes(Speaker::Client),
            Match::More => Probe::More,
            Match::No => Probe::No,
        }
    }

    fn needs_begin(&self) -> bool {
        true
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<RloginParser>::default()
    }
}

/// `NUL client-user NUL server-user NUL terminal/speed NUL`.
/// The user at the host, and the bytes all names take.
fn names(data: &[u8]) -> Match<(&[u8], usize)> {
    let mut at = match data {
        [] => return Match::More,
        [0, ..] => 1,
        _ => return Match::No,
    };
    let mut user: &[u8] = b"";
    for part in 0..3 {
        let rest = data.get(at..).unwrap_or_default();
        let len = rest.iter().take(MAX_NAME + 1).take_while(|b| b.is_ascii_graphic()).count();
        match rest.get(len) {
            Some(0) if (1..=MAX_NAME).contains(&len) => {}
            None if len <= MAX_NAME => return Match::More,
            _ => return Match::No,
        }
        let name = rest.get(..len).unwrap_or_default();
        match part {
            1 => user = name,
            // A terminal with its speed.
            2 => {
                let speed = name.rsplit(|b| *b == b'/').next().unwrap_or_default();
                if !name.contains(&b'/') || !speed.iter().all(u8::is_ascii_digit) {
                    return Match::No;
                }
            }
            _ => {}
        }
        at += len + 1;
    }
    Match::Yes((user, at))
}

/// One flow.
#[derive(Default)]
struct RloginParser {
    named: bool,
    screen: Option<ContentWriter>,
    prompt: Prompt,
}

impl Parser for RloginParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        if direction == Direction::ServerToClient {
            self.prompt.shown(data);
            self.screen.get_or_insert_with(|| open("rlogin", sink)).data(data, sink);
            return Ok(Progress::consumed(data.len()));
        }
        let mut typed = data;
        if !self.named {
            match names(data) {
                Match::Yes((user, len)) => {
                    self.named = true;
                    ServiceFacts::set(
                        &mut sink.facts().files().user,
                        &String::from_utf8_lossy(user),
                    );
                    typed = data.get(len..).unwrap_or_default();
                }
                Match::More => return Ok(Progress::need(0, data.len() + 1)),
                Match::No => return Err(ParseError::new(Reason::Malformed, 0)),
            }
        }
        self.prompt.typed(typed, sink);
        if let Some(screen) = &mut self.screen {
            typed
                .iter()
                .filter(|b| is_reaction(&[**b]))
                .for_each(|_| screen.data(&[REACTION], sink));
        }
        Ok(Progress::consumed(data.len()))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        self.named = true;
        if direction == Direction::ServerToClient
            && let Some(screen) = &mut self.screen
        {
            screen.gap(len, sink);
        }
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, _direction: Direction, _data: &[u8]) -> Option<usize> {
        None
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if direction == Direction::ServerToClient
            && let Some(screen) = self.screen.take()
        {
            screen.close(end.into(), sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
