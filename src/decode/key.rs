//! The key of a flow, the same for both directions.

use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Transport of a flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// As `network.transport` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
    /// IANA protocol number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// One end of a flow, in the canonical order of its key, whichever end opened the flow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// The endpoint that sorts first (address, then port).
    Low,
    /// The endpoint that sorts last.
    High,
}

impl Side {
    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
    /// 0 for `Low`, 1 for `High`.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// An address and a port. IPv4 addresses are in their IPv4-mapped form (RFC 4291 2.5.5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Endpoint {
    /// 16 bytes, network order.
    pub address: [u8; 16],
    /// Port.
    pub port: u16,
}

impl Endpoint {
    /// An IPv4 end.
    pub fn v4(address: [u8; 4], port: u16) -> Self {
        Self { address: Ipv4Addr::from(address).to_ipv6_mapped().octets(), port }
    }
    /// An IPv6 end.
    #[inline]
    pub const fn v6(address: [u8; 16], port: u16) -> Self {
        Self { address, port }
    }
    /// As numbers that sort in the same order.
    #[inline]
    const fn number(&self) -> (u128, u16) {
        (u128::from_be_bytes(self.address), self.port)
    }
    /// As a type of the standard library.
    pub fn to_socket_addr(self) -> SocketAddr {
        let ip = Ipv6Addr::from(self.address);
        let ip = ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4);
        SocketAddr::new(ip, self.port)
    }
}

/// Key of a flow: both ends in canonical order and the transport.
///
/// The VLAN is not part of the key: the two directions of a mirrored or asymmetrically tagged
/// conversation carry different tags. The flow table distinguishes conversations of the same
/// addresses in different VLANs by their sequence numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FlowKey {
    /// The end that sorts first.
    pub low: Endpoint,
    /// The end that sorts last.
    pub high: Endpoint,
    /// TCP or UDP.
    pub transport: Transport,
}

/// The upper bits of an IPv4-mapped address (RFC 4291 2.5.5.2).
const MAPPED: u128 = 0xffff;

impl FlowKey {
    /// The key of a packet between two IPv4 ends, each an address and a port, and which side sent it.
    #[inline]
    pub fn v4(source: (u32, u16), destination: (u32, u16), transport: Transport) -> (Self, Side) {
        let number = |(address, port): (u32, u16)| u64::from(address) << 16 | u64::from(port);
        let end = |number: u64| Endpoint {
            address: (MAPPED << 32 | u128::from(number >> 16)).to_be_bytes(),
            port: number as u16,
        };
        let (source, destination) = (number(source), number(destination));
        if source <= destination {
            (Self { low: end(source), high: end(destination), transport }, Side::Low)
        } else {
            (Self { low: end(destination), high: end(source), transport }, Side::High)
        }
    }
    /// The key of a packet, and which side sent it.
    #[inline]
    pub fn new(source: Endpoint, destination: Endpoint, transport: Transport) -> (Self, Side) {
        // As numbers, which compare without a call.
        if source.number() <= destination.number() {
            (Self { low: source, high: destination, transport }, Side::Low)
        } else {
            (Self { low: destination, high: source, transport }, Side::High)
        }
    }
    /// The key in numbers, for hashing.
    #[inline]
    pub const fn numbers(&self) -> (u128, u128, u64) {
        let ports = (self.low.port as u64) << 16 | self.high.port as u64;
        let transport = (self.transport as u64) << 32;
        (self.low.number().0, self.high.number().0, ports | transport)
    }
    /// The hash of the key, computed over half as many bits if both ends are IPv4.
    #[inline]
    pub fn hash_by(&self, hasher: &impl BuildHasher) -> u64 {
        let (low, high, rest) = self.numbers();
        if low >> 32 == MAPPED && high >> 32 == MAPPED {
            return hasher.hash_one(((low as u64) << 32 | high as u64 & 0xffff_ffff, rest));
        }
        hasher.hash_one((low, high, rest))
    }
    /// One end.
    pub const fn end(&self, side: Side) -> Endpoint {
        match side {
            Side::Low => self.low,
            Side::High => self.high,
        }
    }
}
