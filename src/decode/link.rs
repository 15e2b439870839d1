//! The headers of link types.

use super::walk::{Layer, Walk};
use super::{Skip, ether};
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

/// ARPHRD_ types of cooked captures that do not hold an EtherType.
const ARPHRD_IEEE80211_RADIOTAP: u16 = 803;
const ARPHRD_IPGRE: u16 = 778;
const ARPHRD_NETLINK: u16 = 824;

pub(super) fn decode(walk: &mut Walk<'_>, link: LinkType) -> Result<Layer, Skip> {
    const SHORT: Skip = Skip::TruncatedLink;
    match link {
        LinkType::NULL | LinkType::LOOP => {
            let family = *walk.take::<4>(SHORT)?;
            // The host's byte order, which may not be ours; AF_INET6 differs by system.
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
        LinkType::PPP | LinkType::PPP_HDLC => Ok(Layer::Ppp),
        LinkType::PPP_ETHER => ether::pppoe(walk),
        LinkType::C_HDLC => {
            let head = walk.take::<4>(SHORT)?;
            Ok(Layer::EtherType(u16::from_be_bytes([head[2], head[3]])))
        }
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
        _ => Err(Skip::UnsupportedLink),
    }
}

fn cooked(hardware: u16, protocol: u16) -> Result<Layer, Skip> {
    match (hardware, protocol) {
        (ARPHRD_NETLINK, _) => Err(Skip::NotIp),
        (ARPHRD_IPGRE, _) => Ok(Layer::Protocol(47)),
        (ARPHRD_IEEE80211_RADIOTAP, _) => Ok(Layer::Link(LinkType::IEEE802_11_RADIOTAP)),
        // LINUX_SLL_P_802_2: an LLC header follows
        (_, 4) => Ok(Layer::Llc),
        (_, protocol) => Ok(Layer::EtherType(protocol)),
    }
}
