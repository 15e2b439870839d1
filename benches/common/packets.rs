//! Conversations as packets, and packets as a capture file.

use super::{Conversation, NOW, SEGMENT};
use phitap::decode::tcp_flags::{ACK, FIN, SYN};
use std::io::{self, Write};

/// An Ethernet header for IPv4 or IPv6.
pub fn ethernet(ether_type: u16) -> Vec<u8> {
    let mut head = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    head.extend(ether_type.to_be_bytes());
    head
}

/// An IPv4 packet without options. The header checksum is left out, as offloading interfaces do.
pub fn ipv4(protocol: u8, from: [u8; 4], to: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len()) as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(len.to_be_bytes());
    packet.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
    packet.extend(from);
    packet.extend(to);
    packet.extend(payload);
    packet
}

/// An IPv6 packet without extension headers.
pub fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend(payload);
    packet
}

/// A TCP segment with a timestamp option.
pub fn tcp(ports: (u16, u16), seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(32 + payload.len());
    segment.extend(ports.0.to_be_bytes());
    segment.extend(ports.1.to_be_bytes());
    segment.extend(seq.to_be_bytes());
    segment.extend(ack.to_be_bytes());
    segment.extend([0x80, flags, 0xff, 0xff, 0, 0, 0, 0, 1, 1, 8, 10]);
    segment.extend([0; 8]);
    segment.extend(payload);
    segment
}

/// A UDP datagram.
pub fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(8 + payload.len());
    datagram.extend(ports.0.to_be_bytes());
    datagram.extend(ports.1.to_be_bytes());
    datagram.extend((8 + payload.len() as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

/// The frames of a TCP conversation between client number `n` and a service at `port`: handshake,
/// full segments, and an acknowledgment for every other one.
pub fn frames(conversation: &Conversation, n: usize, port: u16) -> Vec<Vec<u8>> {
    let client = [10, 1, (n >> 8) as u8, n as u8];
    let server = [10, 2, 0, (port % 200) as u8];
    let own = 40_000 + (n % 20_000) as u16;
    let mut next = [1000u32, 5_000_000];
    let mut frames = Vec::new();
    let mut frame = |from_client: bool, next: &[u32; 2], flags: u8, payload: &[u8]| {
        let packet = if from_client {
            ipv4(6, client, server, &tcp((own, port), next[0], next[1], flags, payload))
        } else {
            ipv4(6, server, client, &tcp((port, own), next[1], next[0], flags, payload))
        };
        frames.push([ethernet(0x0800), packet].concat());
    };
    frame(true, &next, SYN, &[]);
    next[0] += 1;
    frame(false, &next, SYN | ACK, &[]);
    next[1] += 1;
    frame(true, &next, ACK, &[]);
    for (from_client, bytes) in &conversation.0 {
        for (number, segment) in bytes.chunks(SEGMENT).enumerate() {
            frame(*from_client, &next, ACK, segment);
            let side = usize::from(!from_client);
            next[side] = next[side].wrapping_add(segment.len() as u32);
            if number % 2 == 1 {
                frame(!from_client, &next, ACK, &[]);
            }
        }
    }
    frame(true, &next, FIN | ACK, &[]);
    next[0] = next[0].wrapping_add(1);
    frame(false, &next, FIN | ACK, &[]);
    next[1] = next[1].wrapping_add(1);
    frame(true, &next, ACK, &[]);
    frames
}

/// Writes flows as one capture file, their packets in turn, ten microseconds apart. Its size.
pub fn write_pcap(out: &mut impl Write, flows: &[Vec<Vec<u8>>]) -> io::Result<u64> {
    let mut size = 24;
    out.write_all(&[0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
    out.write_all(&[0, 0, 4, 0, 1, 0, 0, 0])?;
    let mut time = NOW.0;
    let longest = flows.iter().map(Vec::len).max().unwrap_or(0);
    // Some packets of one flow, then some of the next, as traffic comes.
    const BURST: usize = 8;
    for start in (0..longest).step_by(BURST) {
        for flow in flows {
            for frame in flow.iter().skip(start).take(BURST) {
                time += 10_000;
                out.write_all(&((time / 1_000_000_000) as u32).to_le_bytes())?;
                out.write_all(&((time % 1_000_000_000) as u32).to_le_bytes())?;
                let len = (frame.len() as u32).to_le_bytes();
                out.write_all(&[len, len].concat())?;
                out.write_all(frame)?;
                size += 16 + frame.len() as u64;
            }
        }
    }
    Ok(size)
}
