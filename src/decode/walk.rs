//! The walk over one packet: its position, its bounds, and facts from outer headers.

use super::key::{Endpoint, FlowKey, Transport};
use super::{Checksums, Decoded, MAX_LAYERS, Skip};
use crate::capture::LinkType;

/// The next layer.
#[derive(Debug)]
pub(super) enum Layer {
    /// The capture's link layer.
    Link(LinkType),
    /// An IEEE 802.11 frame.
    Wifi,
    /// An Ethernet header.
    Ethernet,
    /// The payload of an EtherType.
    EtherType(u16),
    /// IEEE 802.2 LLC.
    Llc,
    /// An MPLS label stack.
    Mpls,
    /// A PPP protocol number.
    Ppp,
    /// IPv4 or IPv6, by the version nibble.
    Ip,
    /// The payload of an IP protocol number.
    Protocol(u8),
    /// A fragment of a datagram.
    Fragment(Fragment),
    /// The transport header has been read.
    Done(Decoded),
}

/// A fragment of an IP datagram; its bytes are the rest of the walk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment {
    /// Identification (IPv4: 16 bits, IPv6: 32 bits).
    pub id: u32,
    /// IP protocol number of the whole, if this is its first fragment (RFC 8200 4.5).
    pub protocol: u8,
    /// Protocol number that distinguishes datagrams: that of IPv4 does (RFC 791 3.2), that of IPv6 does not: 0.
    pub key_protocol: u8,
    /// Offset in the whole, bytes.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
}

/// A position in a packet.
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
    /// Bytes that were on the wire behind `end`.
    missing: usize,
    layers: u8,
    pub vlan: u16,
    pub inner_vlan: u16,
    pub source: Endpoint,
    pub destination: Endpoint,
    /// Time to live or hop limit of the innermost IP header, 0 if unknown.
    pub ttl: u8,
    pub checksums: Checksums,
}

/// Fields of a TCP header; all 0 for UDP.
#[derive(Clone, Copy, Default)]
pub(super) struct TcpFields {
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    /// Length of its options, bytes.
    pub options: u8,
}

impl<'a> Walk<'a> {
    pub fn new(bytes: &'a [u8], missing: usize, checksums: Checksums) -> Self {
        let nobody = Endpoint::v6([0; 16], 0);
        Self {
            bytes,
            at: 0,
            end: bytes.len(),
            missing,
            layers: 0,
            vlan: 0,
            inner_vlan: 0,
            source: nobody,
            destination: nobody,
            ttl: 0,
            checksums,
        }
    }

    /// Counts another header; refuses it beyond the cap.
    pub fn step(&mut self) -> Result<(), Skip> {
        self.layers += 1;
        if self.layers > MAX_LAYERS { Err(Skip::TooManyLayers) } else { Ok(()) }
    }

    /// The bytes from here to the end.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..self.end).unwrap_or(&[])
    }

    /// The next `N` bytes; moves behind them.
    #[inline]
    pub fn take<const N: usize>(&mut self, short: Skip) -> Result<&'a [u8; N], Skip> {
        let head = self.rest().first_chunk::<N>().ok_or(short)?;
        self.at += N;
        Ok(head)
    }

    /// The next `N` bytes, without moving.
    #[inline]
    pub fn peek<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.rest().first_chunk::<N>()
    }

    /// Moves by `n` bytes.
    #[inline]
    pub fn pass(&mut self, n: usize, short: Skip) -> Result<(), Skip> {
        if n > self.end - self.at {
            return Err(short);
        }
        self.at += n;
        Ok(())
    }

    /// The current header declares that `len` bytes follow it: bytes behind them are padding, and bytes that were not
    /// captured are missing.
    #[inline]
    pub fn bound(&mut self, len: usize) {
        let have = self.end - self.at;
        if len <= have {
            self.end = self.at + len;
            self.missing = 0;
        } else {
            // A length beyond the frame itself is wrong or due to an offload; use the length of the frame.
            self.missing = self.missing.min(len - have);
        }
    }

    /// Removes `n` bytes at the end (a frame check sequence), if they are there.
    pub fn trim(&mut self, n: usize) {
        let cut = n.min(self.missing);
        self.missing -= cut;
        self.end = self.end.saturating_sub(n - cut).max(self.at);
    }

    /// Sets the addresses, ports to follow.
    #[inline]
    pub fn addresses(&mut self, source: Endpoint, destination: Endpoint) {
        self.source = source;
        self.destination = destination;
    }

    /// Offset in the packet, bytes.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether bytes are missing behind the end.
    pub fn is_cut(&self) -> bool {
        self.missing > 0
    }

    /// The payload from here on.
    #[inline]
    pub fn done(&self, transport: Transport, ports: (u16, u16), tcp: TcpFields) -> Layer {
        let source = Endpoint { port: ports.0, ..self.source };
        let destination = Endpoint { port: ports.1, ..self.destination };
        let (key, from) = FlowKey::new(source, destination, transport);
        // Packets are far smaller than 4 GiB: the capture stage rejects larger records.
        Layer::Done(Decoded {
            key,
            from,
            seq: tcp.seq,
            ack: tcp.ack,
            flags: tcp.flags,
            ttl: self.ttl,
            options: tcp.options,
            vlan: self.vlan,
            inner_vlan: self.inner_vlan,
            offset: self.at as u32,
            len: (self.end - self.at) as u32,
            missing: u32::try_from(self.missing).unwrap_or(u32::MAX),
        })
    }
}
