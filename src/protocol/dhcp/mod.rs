//! Names that hosts give themselves when they ask for an address: DHCP (RFC 2131, options of RFC 2132).

mod packet;

#[cfg(test)]
mod tests;

use super::expected::{frame_datagram, framed_datagram};
use super::{
    ContentSink, Direction, End, ParseError, Parser, Position, Probe, Progress, Protocol, Resync,
    Speaker,
};
use packet::Packet;

/// DHCP.
pub struct Dhcp;

impl Protocol for Dhcp {
    fn name(&self) -> &'static str {
        "dhcp"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        // DHCP has no streams: this sees its frames only.
        match framed_datagram(data).and_then(|(datagram, _)| Packet::read(datagram)) {
            Some(packet) if at == Position::Start && packet.reply => Probe::yes(Speaker::Server),
            Some(_) if at == Position::Start => Probe::yes(Speaker::Client),
            _ => Probe::No,
        }
    }

    fn needs_begin(&self) -> bool {
        true
    }

    fn datagram(&self, data: &[u8], frame: &mut Vec<u8>) -> bool {
        let is_packet = Packet::read(data).is_some();
        if is_packet {
            frame_datagram(data, frame);
        }
        is_packet
    }

    fn owns_datagrams(&self) -> bool {
        true
    }

    fn is_service(&self) -> bool {
        false
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(DhcpParser)
    }
}

/// Each packet stands for itself.
struct DhcpParser;

impl Parser for DhcpParser {
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
        if let Some(packet) = Packet::read(bytes) {
            sink.unit("message");
            if let Some((host, name)) = packet.host() {
                sink.host_name(host, &name);
            }
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
