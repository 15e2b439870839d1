//! Names that hosts give themselves when they ask for an address: DHCP (RFC 2131, options of RFC 2132).

mod packet;

#[cfg(test)]
mod tests;

use super::datagrams::{DatagramParser, Datagrams, frame_datagram, framed_datagram};
use super::{ContentSink, Direction, ParseError, Parser, Position, Probe, Protocol, Speaker};
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
        Box::new(Datagrams(DhcpParser))
    }
}

/// Each packet stands for itself.
struct DhcpParser;

impl DatagramParser for DhcpParser {
    fn datagram(
        &mut self,
        _: Direction,
        datagram: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<(), ParseError> {
        if let Some(packet) = Packet::read(datagram) {
            sink.unit("message");
            if let Some((host, name)) = packet.host() {
                sink.host_name(host, &name);
            }
        }
        Ok(())
    }
}
