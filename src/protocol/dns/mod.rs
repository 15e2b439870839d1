//! Names of hosts: DNS (RFC 1035), also as multicast DNS (RFC 6762) and LLMNR (RFC 4795), and the NetBIOS name
//! service (RFC 1002 4.2), whose messages have the same form.
//!
//! Only names of addresses are taken, from responses and from hosts that register theirs. Over TCP a message follows
//! its length (RFC 1035 4.2.2), as it does in the frame of a datagram.

mod message;

#[cfg(test)]
mod tests;

use super::datagrams::{frame_datagram, framed_datagram};
use super::{
    ContentSink, Direction, End, ParseError, Parser, Position, Probe, Progress, Protocol, Resync,
    Speaker,
};
use message::Message;

/// DNS and its relatives.
pub struct Dns;

impl Protocol for Dns {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at != Position::Start || !Message::may_begin(data) {
            return Probe::No;
        }
        match framed_datagram(data) {
            None => Probe::More,
            Some((message, _)) => match Message::read(message) {
                Some(message) if message.response => Probe::yes(Speaker::Server),
                Some(_) => Probe::yes(Speaker::Client),
                None => Probe::No,
            },
        }
    }

    fn datagram(&self, data: &[u8], frame: &mut Vec<u8>) -> bool {
        let is_message = Message::read(data).is_some();
        if is_message {
            frame_datagram(data, frame);
        }
        is_message
    }

    fn owns_datagrams(&self) -> bool {
        true
    }

    fn is_service(&self) -> bool {
        false
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(DnsParser)
    }
}

/// Each message is independent.
struct DnsParser;

impl Parser for DnsParser {
    fn data(
        &mut self,
        _: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let Some((bytes, used)) = framed_datagram(data) else {
            let len =
                data.first_chunk::<2>().map_or(0, |len| usize::from(u16::from_be_bytes(*len)));
            return Ok(Progress::need(0, 2 + len));
        };
        // A malformed message is passed over: the length of the next one is known all the same.
        if let Some(message) = Message::read(bytes) {
            sink.unit("message");
            message.hosts(&mut |host, name| sink.host_name(host, name));
        }
        Ok(Progress::consumed(used))
    }

    fn gap(&mut self, _: Direction, _: u64, _: &mut dyn ContentSink) -> Resync {
        Resync::Lost
    }

    fn resync(&mut self, _: Direction, _: &[u8]) -> Option<usize> {
        None
    }

    fn close(&mut self, _: Direction, _: &[u8], _: End, _: &mut dyn ContentSink) {}

    fn memory(&self) -> usize {
        0
    }
}
