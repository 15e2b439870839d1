//! Builds packets and capture files for tests.

// Each test is a separate program that uses part of this.
#![allow(dead_code)]

use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader};
use phitap::decode::tcp_flags;
use std::net::SocketAddr;

/// A TCP segment as an IP packet with its checksums.
pub fn tcp(
    from: SocketAddr,
    to: SocketAddr,
    seq: u32,
    ack: u32,
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let ip = match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64)
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            PacketBuilder::ipv6(from.ip().octets(), to.ip().octets(), 64)
        }
        _ => panic!("{from} and {to} are of different versions"),
    };
    let has = |flag: u8| flags & flag != 0;
    let header = TcpHeader {
        acknowledgment_number: ack,
        fin: has(tcp_flags::FIN),
        syn: has(tcp_flags::SYN),
        rst: has(tcp_flags::RST),
        psh: has(PSH),
        ack: has(tcp_flags::ACK),
        ..TcpHeader::new(from.port(), to.port(), seq, 65_535)
    };
    let packet: PacketBuilderStep<TcpHeader> = ip.tcp_header(header);
    let mut bytes = Vec::with_capacity(packet.size(payload.len()));
    packet.write(&mut bytes, payload).expect("a packet");
    bytes
}

/// The flag PSH (RFC 9293 3.1), which reassembly does not need.
pub const PSH: u8 = 0x08;

/// An IP packet in an Ethernet frame.
pub fn ethernet(packet: &[u8]) -> Vec<u8> {
    let ether_type: [u8; 2] = if packet[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] };
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &ether_type, packet].concat()
}

/// The header of a pcap file with microseconds and this link type.
pub fn pcap_header(link: u32) -> Vec<u8> {
    [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, link].map(u32::to_le_bytes).concat()
}

/// Appends a packet to a pcap file.
pub fn push_record(file: &mut Vec<u8>, second: u32, micros: u32, frame: &[u8]) {
    let len = u32::try_from(frame.len()).expect("a length");
    file.extend([second, micros, len, len].map(u32::to_le_bytes).concat());
    file.extend(frame);
}

/// Bytes of the header of a pcap file, and of the header of a packet in it.
const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;

/// A capture that began `packets` packets later. None if nothing is left of it, or if it is no pcap file with
/// microseconds in this machine's order of bytes.
pub fn begun_later(capture: &[u8], packets: usize) -> Option<Vec<u8>> {
    if capture.get(..4)? != 0xa1b2_c3d4_u32.to_le_bytes() {
        return None;
    }
    let mut at = FILE_HEADER;
    for _ in 0..packets {
        let len = capture.get(at + 8..at + 12)?.try_into().ok()?;
        at += PACKET_HEADER + u32::from_le_bytes(len) as usize;
    }
    let rest = capture.get(at..).filter(|rest| !rest.is_empty())?;
    Some([capture.get(..FILE_HEADER)?, rest].concat())
}
