//! Names that hosts send when they ask for an address: DHCP (RFC 2131, options of RFC 2132) and DHCPv6 (RFC 8415).

mod packet;
mod packet6;

#[cfg(test)]
mod tests;

use super::datagrams::{DatagramParser, Datagrams, frame_datagram, framed_datagram};
use super::{ContentSink, Direction, ParseError, Parser, Position, Probe, Protocol, Speaker};
use packet::Packet;
use packet6::Packet6;
use std::net::IpAddr;

/// DHCP.
pub struct Dhcp;

impl Protocol for Dhcp {
    fn name(&self) -> &'static str {
        "dhcp"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        // DHCP has no streams: this sees its frames only.
        match framed_datagram(data).and_then(|(datagram, _)| read(datagram)) {
            Some((true, _)) if at == Position::Start => Probe::yes(Speaker::Server),
            Some(_) if at == Position::Start => Probe::yes(Speaker::Client),
            _ => Probe::No,
        }
    }

    fn datagram(&self, data: &[u8], frame: &mut Vec<u8>) -> bool {
        let is_packet = read(data).is_some();
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

/// Whether a server sent this packet, and the host that it names; `None` if it is no packet of either version.
fn read(datagram: &[u8]) -> Option<(bool, Option<(IpAddr, String)>)> {
    if let Some(packet) = Packet::read(datagram) {
        return Some((packet.reply, packet.host()));
    }
    Packet6::read(datagram).map(|packet| (packet.is_reply(), packet.host()))
}

/// Each packet is independent.
struct DhcpParser;

impl DatagramParser for DhcpParser {
    fn datagram(
        &mut self,
        _: Direction,
        datagram: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<(), ParseError> {
        if let Some((_, named)) = read(datagram) {
            sink.unit("message");
            if let Some((host, name)) = named {
                sink.host_name(host, &name);
            }
        }
        Ok(())
    }
}
