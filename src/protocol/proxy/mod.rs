//! The PROXY protocol (haproxy, proxy-protocol.txt 2.1 and 2.2): a load balancer first sends the address of its
//! client. Another protocol follows.

#[cfg(test)]
mod tests;

use super::{
    ContentSink, Direction, End, ParseError, Parser, Position, Probe, Progress, Protocol, Reason,
    Resync, Speaker,
};
use crate::syntax::Match;

/// Beginning of version 1, a line of text.
const LINE: &[u8] = b"PROXY ";
/// Longest line with its end, bytes (2.1).
const MAX_LINE: usize = 107;
/// Signature of version 2.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED: usize = 16;
/// Longest header of version 2 that is accepted, bytes. Addresses take at most 216, the rest is extensions.
const MAX_BINARY: usize = 4096;

/// The PROXY protocol.
pub struct Proxy;

impl Protocol for Proxy {
    fn name(&self) -> &'static str {
        "proxy"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return Probe::No;
        }
        match header(data) {
            Match::Yes(_) => Probe::yes(Speaker::Client),
            Match::More => Probe::More,
            Match::No => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(ProxyParser)
    }
}

/// Length of the header at the start of `data`.
fn header(data: &[u8]) -> Match<usize> {
    if LINE.starts_with(data) || SIGNATURE.starts_with(data) {
        return Match::More;
    }
    if let Some(rest) = data.strip_prefix(LINE) {
        let known = [&b"TCP4 "[..], b"TCP6 ", b"UNKNOWN"];
        let family = |f: &&&[u8]| f.starts_with(rest.get(..f.len()).unwrap_or(rest));
        if known.iter().find(family).is_none() {
            return Match::No;
        }
        let line = data.get(..MAX_LINE).unwrap_or(data);
        return match memchr::memchr(b'\n', line) {
            Some(end) if line.get(end.wrapping_sub(1)) == Some(&b'\r') => Match::Yes(end + 1),
            Some(_) => Match::No,
            None if data.len() < MAX_LINE => Match::More,
            None => Match::No,
        };
    }
    if !data.starts_with(SIGNATURE) {
        return Match::No;
    }
    match data.get(SIGNATURE.len()..FIXED) {
        Some(&[version, _, high, low]) => {
            let len = FIXED + usize::from(u16::from_be_bytes([high, low]));
            Match::of((version >> 4 == 2 && len <= MAX_BINARY).then_some(len))
        }
        _ => Match::More,
    }
}

struct ProxyParser;

impl Parser for ProxyParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        _sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        if direction == Direction::ServerToClient {
            return Ok(Progress::need(0, data.len() + 1));
        }
        match header(data) {
            Match::Yes(len) if len <= data.len() => {
                Ok(Progress { switch: true, ..Progress::consumed(len) })
            }
            Match::Yes(len) => Ok(Progress::need(0, len)),
            Match::More => Ok(Progress::need(0, data.len() + 1)),
            Match::No => Err(ParseError::new(Reason::Malformed, 0)),
        }
    }

    fn gap(&mut self, _direction: Direction, _len: u64, _sink: &mut dyn ContentSink) -> Resync {
        Resync::Lost
    }

    fn resync(&mut self, _direction: Direction, _data: &[u8]) -> Option<usize> {
        None
    }

    fn close(&mut self, _: Direction, _rest: &[u8], _end: End, _sink: &mut dyn ContentSink) {}

    fn memory(&self) -> usize {
        0
    }
}
