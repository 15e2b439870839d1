//! The control connection of FTP (RFC 959): facts of the service only. What is transferred goes over
//! connections of its own.

#[cfg(test)]
mod tests;

use super::tls_upgrade::TlsUpgrade;
use super::{
    ContentSink, Direction, End, ParseError, Parser, Probe, Progress, Protocol, Resync,
    ServiceFacts, Speaker, line,
};
use memchr::memchr;

/// Longest line, bytes.
const MAX_LINE: usize = 8 << 10;

/// FTP.
pub struct Ftp;

impl Protocol for Ftp {
    fn name(&self) -> &'static str {
        "ftp"
    }

    fn probe(&self, data: &[u8], at_start: bool) -> Probe {
        // POP3 has USER too, but its server greets with `+OK`: a name alone does not tell.
        const AUTH: &[u8] = b"AUTH TLS\r\n";
        const USER: &[u8] = b"USER ";
        const GREETING: &[u8] = b"220";
        if !at_start {
            return Probe::No;
        }
        for (word, speaker) in [(AUTH, Speaker::Client), (GREETING, Speaker::Server)] {
            let head = data.get(..word.len()).unwrap_or(data);
            if word.get(..head.len()).is_some_and(|w| w.eq_ignore_ascii_case(head)) {
                if head.len() < word.len() {
                    return Probe::More;
                }
                if speaker == Speaker::Client {
                    return Probe::yes(speaker);
                }
                return greeting(data);
            }
        }
        let head = data.get(..USER.len()).unwrap_or(data);
        if USER.get(..head.len()).is_some_and(|u| u.eq_ignore_ascii_case(head)) {
            // `USER name`, `PASS word`, and a command that only FTP has, if they come at once.
            let commands =
                [&b"\nTYPE "[..], b"\nPASV", b"\nEPSV", b"\nSYST", b"\nPORT ", b"\nCWD "];
            let known = commands.iter().any(|c| memchr::memmem::find(data, c).is_some());
            return if known { Probe::yes(Speaker::Client) } else { Probe::More };
        }
        Probe::No
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<FtpParser>::default()
    }
}

/// `220` and a line that names the protocol; mail servers greet alike.
fn greeting(data: &[u8]) -> Probe {
    let end = memchr(b'\n', data);
    let line = data.get(..end.unwrap_or(data.len())).unwrap_or(data);
    if !matches!(line.get(3), None | Some(b' ' | b'-')) || line.len() > MAX_LINE {
        return Probe::No;
    }
    match end {
        _ if line.windows(3).any(|w| w.eq_ignore_ascii_case(b"FTP")) => Probe::yes(Speaker::Server),
        None => Probe::More,
        Some(_) => Probe::No,
    }
}

/// One control connection.
#[derive(Default)]
struct FtpParser {
    greeted: bool,
    /// RFC 4217.
    tls: TlsUpgrade,
    /// It gave the name that stands for nobody (RFC 1635).
    anonymous: bool,
}

impl FtpParser {
    fn command(&mut self, line: &[u8], facts: &mut ServiceFacts) {
        let (verb, rest) = line::command(line);
        let is = |word: &[u8]| verb.eq_ignore_ascii_case(word);
        if is(b"USER") {
            self.anonymous =
                rest.eq_ignore_ascii_case(b"anonymous") || rest.eq_ignore_ascii_case(b"ftp");
        } else if is(b"PASS") && !self.anonymous {
            facts.password_in_clear();
        } else if is(b"AUTH") {
            self.tls.ask();
        }
    }

    /// True if TLS begins behind the line.
    fn reply(&mut self, line: &[u8], facts: &mut ServiceFacts) -> bool {
        let Some((code, text)) = line.split_first_chunk::<3>() else { return false };
        if !std::mem::replace(&mut self.greeted, true) && code == b"220" {
            let text = String::from_utf8_lossy(text);
            ServiceFacts::set(&mut facts.software, text.trim_matches([' ', '-', '\r']));
        }
        text.first() != Some(&b'-') && self.tls.answered(code == b"234")
    }
}

impl Parser for FtpParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let client = direction == Direction::ClientToServer;
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            if client && self.tls.begins(rest) {
                return Ok(Progress { switch: true, ..Progress::consumed(at) });
            }
            let Some((line, next)) = line::read(data, at, MAX_LINE)? else {
                return Ok(line::more(data, at));
            };
            at = next;
            if client {
                sink.unit("request");
                self.command(line, sink.facts());
            } else if self.reply(line, sink.facts()) {
                return Ok(Progress { switch: true, ..Progress::consumed(at) });
            }
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, _direction: Direction, _len: u64, _host: &mut dyn ContentSink) -> Resync {
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        line::resync(data)
    }

    fn close(
        &mut self,
        _direction: Direction,
        _rest: &[u8],
        _end: End,
        _host: &mut dyn ContentSink,
    ) {
    }

    fn memory(&self) -> usize {
        0
    }
}
