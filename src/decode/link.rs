//! The headers of link types.

use super::walk::{Layer, Walk};
use super::{Skip, ether, wan};
use crate::capture::LinkType;

impl LinkType {
    pub(super) const fn first_layer(self) -> Layer {
        match self {
            Self::ETHERNET => Layer::Ethernet,
            Self::IEEE802_11 => Layer::Wifi,
            Self::RAW | Self::RAW_BSD | Self::RAW_OPENBSD | Self::IPV4 | Self::IPV6 => Layer::Ip,
            other => Layer::Link(other),
        }
    }
}

/// ARPHRD_ types of cooked captures whose protocol field is no EtherType.
const ARPHRD_IEEE80211_RADIOTAP: u16 = 803;
const ARPHRD_IPGRE: u16 = 778;
const ARPHRD_NETLINK: u16 = 824;

pub(super) fn decode(walk: &mut Walk<'_>, link: LinkType) -> Result<Layer, Skip> {
    const SHORT: Skip = Skip::TruncatedLink;
    match link {
        LinkType::NULL | LinkType::LOOP => {
            let family = *walk.take::<4>(SHORT)?;
            // The byte order is that of the capturing host; AF_INET6 differs by system.
            let family = u32::from_be_bytes(family);
            let family = if family > 0xffff { family.swap_bytes() } else { family };
            match family {
                2 | 10 | 24 | 28 | 30 => Ok(Layer::Ip),
                _ => Err(Skip::NotIp),
            }
        }
        LinkType::LINUX_SLL => {
            let head = walk.take::<16>(SHORT)?;
            cooked(u16::from_be_bytes([head[2], head[3]]), u16::from_be_bytes([head[14], head[15]]))
        }
        LinkType::LINUX_SLL2 => {
            let head = walk.take::<20>(SHORT)?;
            cooked(u16::from_be_bytes([head[8], head[9]]), u16::from_be_bytes([head[0], head[1]]))
        }
        LinkType::PPP | LinkType::PPP_HDLC => wan::ppp_or_cisco_hdlc(walk),
        LinkType::PPP_WITH_DIR => {
            walk.pass(1, SHORT)?;
            wan::ppp_or_cisco_hdlc(walk)
        }
        LinkType::C_HDLC_WITH_DIR => {
            walk.pass(1, SHORT)?;
            wan::cisco_hdlc(walk)
        }
        LinkType::FRELAY => wan::frame_relay(walk),
        LinkType::FRELAY_WITH_DIR => {
            walk.pass(1, SHORT)?;
            wan::frame_relay(walk)
        }
        LinkType::PPP_ETHER => ether::pppoe(walk),
        LinkType::C_HDLC => wan::cisco_hdlc(walk),
        LinkType::IEEE802_11_RADIOTAP => super::wifi::radiotap(walk),
        LinkType::PRISM => {
            walk.pass(144, SHORT)?;
            Ok(Layer::Wifi)
        }
        LinkType::IEEE802_11_AVS => {
            let head = walk.peek::<8>().ok_or(SHORT)?;
            let len = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
            walk.pass(usize::try_from(len).map_err(|_| SHORT)?.max(8), SHORT)?;
            Ok(Layer::Wifi)
        }
        LinkType::PPI => {
            let head = walk.peek::<8>().ok_or(SHORT)?;
            let len = usize::from(u16::from_le_bytes([head[2], head[3]]));
            let inner = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
            walk.pass(len.max(8), SHORT)?;
            match u16::try_from(inner).map(LinkType) {
                Ok(LinkType::PPI) | Err(_) => Err(Skip::UnsupportedLink),
                Ok(inner) => Ok(inner.first_layer()),
            }
        }
        LinkType::IEEE802_5 => token_ring(walk),
        // Frame control, destination, source.
        LinkType::FDDI => walk.pass(13, SHORT).map(|()| Layer::Llc),
        LinkType::ATM_RFC1483 => Ok(Layer::Llc),
        LinkType::APPLE_IP_OVER_IEEE1394 => {
            walk.pass(16, SHORT)?;
            ether_type_behind(walk)
        }
        // Two addresses of 20 bytes, then RFC 4391: an EtherType and two reserved bytes.
        LinkType::IPOIB => {
            let head = walk.take::<44>(SHORT)?;
            Ok(Layer::EtherType(u16::from_be_bytes([head[40], head[41]])))
        }
        LinkType::ENC => walk.pass(12, SHORT).map(|()| Layer::Ip),
        LinkType::MPLS => Ok(Layer::Mpls),
        LinkType::NFLOG => nflog(walk),
        LinkType::PFLOG => {
            let len = usize::from(walk.peek::<1>().ok_or(SHORT)?[0]);
            walk.pass(len.next_multiple_of(4).max(4), SHORT)?;
            Ok(Layer::Ip)
        }
        LinkType::PKTAP | LinkType::PKTAP_BSD => pktap(walk),
        LinkType::ERF => erf(walk),
        LinkType::JUNIPER_ETHER => juniper(walk),
        _ => Err(Skip::UnsupportedLink),
    }
}

/// Two bytes of an EtherType.
fn ether_type_behind(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let ether_type = u16::from_be_bytes(*walk.take::<2>(Skip::TruncatedLink)?);
    Ok(Layer::EtherType(ether_type))
}

/// Token Ring (IEEE 802.5 3.2): access and frame control, addresses, and a route if the source address announces one.
fn token_ring(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let head = walk.take::<14>(Skip::TruncatedLink)?;
    if head[8] & 0x80 != 0 {
        let len = usize::from(walk.peek::<1>().ok_or(Skip::TruncatedLink)?[0] & 0x1f);
        walk.pass(len.max(2), Skip::TruncatedLink)?;
    }
    Ok(Layer::Llc)
}

/// NFLOG of Linux: family, version, resource, then attributes; the packet is one of them. Lengths
/// are in the byte order of the host.
fn nflog(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    const SHORT: Skip = Skip::TruncatedLink;
    const PAYLOAD: u16 = 9;
    const MAX_ATTRIBUTES: usize = 64;
    let family = walk.take::<4>(SHORT)?[0];
    for _ in 0..MAX_ATTRIBUTES {
        let head = walk.peek::<4>().ok_or(SHORT)?;
        let order: fn([u8; 2]) -> u16 =
            if head[3] == 0 { u16::from_le_bytes } else { u16::from_be_bytes };
        let len = usize::from(order([head[0], head[1]]));
        let kind = order([head[2], head[3]]) & 0x7fff;
        if len < 4 {
            return Err(Skip::MalformedLink);
        }
        if kind == PAYLOAD {
            walk.pass(4, SHORT)?;
            walk.bound(len - 4);
            // AF_INET, AF_INET6; 7 is a bridge, whose frames lack their header here.
            return match family {
                2 | 10 | 7 => Ok(Layer::Ip),
                _ => Err(Skip::NotIp),
            };
        }
        walk.pass(len.next_multiple_of(4), SHORT)?;
    }
    Err(Skip::MalformedLink)
}

/// PKTAP of macOS: length, kind of record (1: a packet), and the link type of the packet behind it.
fn pktap(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    const LEAST: u32 = 108;
    let head = walk.peek::<12>().ok_or(Skip::TruncatedLink)?;
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (len, record, inner) = (word(0), word(4), word(8));
    if len < LEAST || record != 1 {
        return Err(Skip::UnsupportedLink);
    }
    walk.pass(usize::try_from(len).unwrap_or(usize::MAX), Skip::TruncatedLink)?;
    match u16::try_from(inner).map(LinkType) {
        Ok(LinkType::PKTAP | LinkType::PKTAP_BSD) | Err(_) => Err(Skip::UnsupportedLink),
        Ok(inner) => Ok(inner.first_layer()),
    }
}

/// Records of Endace cards: a timestamp, type, lengths, perhaps further headers, then a frame.
fn erf(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    const SHORT: Skip = Skip::TruncatedLink;
    const MAX_EXTENSIONS: usize = 16;
    const MORE: u8 = 0x80;
    let head = walk.take::<16>(SHORT)?;
    let mut more = head[8] & MORE != 0;
    for _ in 0..MAX_EXTENSIONS {
        if !more {
            break;
        }
        more = walk.take::<8>(SHORT)?[0] & MORE != 0;
    }
    let wire = usize::from(u16::from_be_bytes([head[14], head[15]]));
    match head[8] & !MORE {
        // Ethernet, also with colours and DSM: an offset and padding before the frame.
        2 | 11 | 16 | 20 => {
            walk.pass(2, SHORT)?;
            walk.bound(wire);
            Ok(Layer::Ethernet)
        }
        // Packets over SONET.
        1 | 10 | 15 | 17 => wan::ppp_or_cisco_hdlc(walk),
        22 | 23 => Ok(Layer::Ip),
        _ => Err(Skip::UnsupportedLink),
    }
}

/// Juniper routers: a mark, flags, perhaps further headers; then a frame, or its payload alone.
fn juniper(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    const SHORT: Skip = Skip::TruncatedLink;
    const EXTENDED: u8 = 0x80;
    const NO_LINK_HEADER: u8 = 0x02;
    let &[b'M', b'G', b'C', flags] = walk.take::<4>(SHORT)? else {
        return Err(Skip::MalformedLink);
    };
    if flags & EXTENDED != 0 {
        let len = u16::from_be_bytes(*walk.take::<2>(SHORT)?);
        walk.pass(usize::from(len), SHORT)?;
    }
    if flags & NO_LINK_HEADER != 0 {
        // The protocol family, then the packet.
        walk.pass(4, SHORT)?;
        return Ok(Layer::Ip);
    }
    Ok(Layer::Ethernet)
}

fn cooked(hardware: u16, protocol: u16) -> Result<Layer, Skip> {
    match (hardware, protocol) {
        (ARPHRD_NETLINK, _) => Err(Skip::NotIp),
        // The packet behind the GRE header, by the protocol in that header.
        (ARPHRD_IPGRE, protocol) => Ok(Layer::EtherType(protocol)),
        (ARPHRD_IEEE80211_RADIOTAP, _) => Ok(Layer::Link(LinkType::IEEE802_11_RADIOTAP)),
        // ETH_P_ALL: an Ethernet frame follows
        (_, 3) => Ok(Layer::Ethernet),
        // LINUX_SLL_P_802_2: an LLC header follows
        (_, 4) => Ok(Layer::Llc),
        (_, protocol) => Ok(Layer::EtherType(protocol)),
    }
}
