//! IPv4, IPv6 and its extension headers, TCP, UDP.

use super::key::{Endpoint, Transport};
use super::walk::{Fragment, Layer, TcpFields, Walk};
use super::{Checksums, Skip, tcp_flags, tunnel};
use etherparse::{
    Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, TcpHeaderSlice, UdpHeaderSlice,
};

const SHORT: Skip = Skip::TruncatedIp;

#[inline]
pub(super) fn ip(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    match walk.peek::<1>().ok_or(SHORT)?[0] >> 4 {
        4 => ipv4(walk),
        6 => ipv6(walk),
        _ => Err(Skip::MalformedIp),
    }
}

#[inline]
fn ipv4(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let rest = walk.rest();
    let header = Ipv4HeaderSlice::from_slice(rest).map_err(|_| {
        let ihl = rest.first().map_or(0, |b| b & 15);
        if ihl >= 5 { SHORT } else { Skip::MalformedIp }
    })?;
    let len = header.slice().len();
    let total = usize::from(header.total_len());
    if walk.checksums == Checksums::Strict
        && header.to_header().calc_header_checksum() != header.header_checksum()
    {
        return Err(Skip::BadChecksum);
    }
    walk.pass(len, SHORT)?;
    // 0: left to the interface (TSO); use the length of the frame.
    if total != 0 {
        if total < len {
            return Err(Skip::MalformedIp);
        }
        walk.bound(total - len);
    }
    walk.addresses(Endpoint::v4(header.source(), 0), Endpoint::v4(header.destination(), 0));
    walk.ttl = header.ttl();
    let protocol = header.protocol().0;
    if header.is_fragmenting_payload() {
        return Ok(Layer::Fragment(Fragment {
            id: u32::from(header.identification()),
            protocol,
            key_protocol: protocol,
            offset: u32::from(header.fragments_offset().value()) * 8,
            more: header.more_fragments(),
        }));
    }
    protocol_layer(walk, protocol)
}

#[inline]
fn ipv6(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let header = Ipv6HeaderSlice::from_slice(walk.rest()).map_err(|_| SHORT)?;
    walk.pass(header.slice().len(), SHORT)?;
    let len = usize::from(header.payload_length());
    // 0: a jumbogram (RFC 2675) or offload; use the length of the frame.
    if len != 0 {
        walk.bound(len);
    }
    walk.addresses(Endpoint::v6(header.source(), 0), Endpoint::v6(header.destination(), 0));
    walk.ttl = header.hop_limit();
    protocol_layer(walk, header.next_header().0)
}

/// A shortcut for TCP, the usual case.
#[inline]
fn protocol_layer(walk: &mut Walk<'_>, number: u8) -> Result<Layer, Skip> {
    if number == 6 { tcp(walk) } else { Ok(Layer::Protocol(number)) }
}

pub(super) fn protocol(walk: &mut Walk<'_>, number: u8) -> Result<Layer, Skip> {
    match number {
        6 => tcp(walk),
        17 => udp(walk),
        // Hop-by-hop, routing, destination options, mobility, HIP, shim6 (RFC 8200 4)
        0 | 43 | 60 | 135 | 139 | 140 => {
            let &[next, len] = walk.peek::<2>().ok_or(SHORT)?;
            walk.pass((usize::from(len) + 1) * 8, SHORT)?;
            protocol_layer(walk, next)
        }
        44 => {
            let header = Ipv6FragmentHeaderSlice::from_slice(walk.rest()).map_err(|_| SHORT)?;
            walk.pass(header.slice().len(), SHORT)?;
            let next = header.next_header().0;
            // An atomic fragment (RFC 6946) is complete.
            if !header.is_fragmenting_payload() {
                return protocol_layer(walk, next);
            }
            Ok(Layer::Fragment(Fragment {
                id: header.identification(),
                protocol: next,
                key_protocol: 0,
                offset: u32::from(header.fragment_offset().value()) * 8,
                more: header.more_fragments(),
            }))
        }
        // Authentication header (RFC 4302 2.2): length in 4-byte units, minus 2
        51 => {
            let &[next, len] = walk.peek::<2>().ok_or(SHORT)?;
            walk.pass((usize::from(len) + 2) * 4, SHORT)?;
            protocol_layer(walk, next)
        }
        4 | 41 => Ok(Layer::Ip),
        47 => tunnel::gre(walk),
        50 => Err(Skip::Encrypted),
        // EtherIP (RFC 3378), MPLS-in-IP (RFC 4023), L2TPv3 (RFC 3931)
        97 => {
            walk.pass(2, Skip::TruncatedTunnel)?;
            Ok(Layer::Ethernet)
        }
        137 => Ok(Layer::Mpls),
        115 => tunnel::l2tpv3(walk),
        _ => Err(Skip::NotTcpOrUdp),
    }
}

#[inline]
fn tcp(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let rest = walk.rest();
    let header = match TcpHeaderSlice::from_slice(rest) {
        Ok(header) => header,
        // If the snap length cut the options, ports, sequence number and flags can be read, but no payload. A data
        // offset below 5 is invalid.
        Err(_) => {
            let offset = rest.get(12).map_or(0, |b| b >> 4);
            let malformed = rest.len() >= 20 && offset < 5;
            return Err(if malformed {
                Skip::MalformedTransport
            } else {
                Skip::TruncatedTransport
            });
        }
    };
    if walk.checksums == Checksums::Strict && !walk.is_cut() && sum_of(walk, 6, walk.rest()) != 0 {
        return Err(Skip::BadChecksum);
    }
    let ports = (header.source_port(), header.destination_port());
    let mut flags = 0;
    for (set, flag) in [
        (header.fin(), tcp_flags::FIN),
        (header.syn(), tcp_flags::SYN),
        (header.rst(), tcp_flags::RST),
        (header.ack(), tcp_flags::ACK),
    ] {
        flags |= if set { flag } else { 0 };
    }
    flags = tcp_flags::counting(flags);
    if header.window_size() == 0 {
        flags |= tcp_flags::SHUT;
    }
    let fields = TcpFields {
        seq: header.sequence_number(),
        ack: header.acknowledgment_number(),
        flags,
        // At most 40 bytes (RFC 9293 3.1).
        options: header.options().len() as u8,
    };
    walk.pass(header.slice().len(), Skip::TruncatedTransport)?;
    Ok(walk.done(Transport::Tcp, ports, fields))
}

fn udp(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let header = UdpHeaderSlice::from_slice(walk.rest()).map_err(|_| Skip::TruncatedTransport)?;
    let ports = (header.source_port(), header.destination_port());
    let len = usize::from(header.length());
    if walk.checksums == Checksums::Strict
        && header.checksum() != 0
        && !walk.is_cut()
        && sum_of(walk, 17, walk.rest()) != 0
    {
        return Err(Skip::BadChecksum);
    }
    walk.pass(8, Skip::TruncatedTransport)?;
    // 0: a jumbogram or offload
    if len != 0 {
        if len < 8 {
            return Err(Skip::MalformedTransport);
        }
        walk.bound(len - 8);
    }
    if let Some(inner) = tunnel::over_udp(walk, ports) {
        return inner;
    }
    Ok(walk.done(Transport::Udp, ports, TcpFields::default()))
}

/// Whether a datagram has a valid checksum; true for protocols other than TCP, and if it is not to be computed.
pub(super) fn has_checksum(walk: &Walk<'_>, protocol: u8) -> bool {
    protocol != 6 || sum_of(walk, protocol, walk.rest()) == 0
}

/// One's complement sum over the pseudo-header and `bytes`, complemented: 0 where the checksum fits
/// (RFC 9293 3.1).
fn sum_of(walk: &Walk<'_>, protocol: u8, bytes: &[u8]) -> u16 {
    let mut sum = u64::from(protocol) + bytes.len() as u64;
    let mut add = |bytes: &[u8]| {
        let mut words = bytes.chunks_exact(2);
        for word in &mut words {
            sum += u64::from(u16::from_be_bytes([word[0], word[1]]));
        }
        if let [last] = words.remainder() {
            sum += u64::from(*last) << 8;
        }
    };
    let v4 = walk.source.address.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
    let from = if v4 { 12 } else { 0 };
    add(&walk.source.address[from..]);
    add(&walk.destination.address[from..]);
    add(bytes);
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
