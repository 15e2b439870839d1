//! EtherTypes: tags, labels, PPPoE, LLC.

use super::Skip;
use super::walk::{Layer, Walk};
use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

const SHORT: Skip = Skip::TruncatedTag;
/// Destination, source, EtherType (IEEE 802.3 3.2).
const ETHERNET_HEADER: usize = 14;
/// Below this an EtherType field is a length (IEEE 802.3 3.2.6).
const MIN_ETHER_TYPE: u16 = 0x0600;

pub(super) fn ethernet(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let header = Ethernet2HeaderSlice::from_slice(walk.rest()).map_err(|_| Skip::TruncatedLink)?;
    let ether_type = header.ether_type().0;
    walk.pass(ETHERNET_HEADER, Skip::TruncatedLink)?;
    typed(walk, ether_type)
}

/// An EtherType, or the length of an IEEE 802.3 frame.
fn typed(walk: &mut Walk<'_>, ether_type: u16) -> Result<Layer, Skip> {
    if ether_type < MIN_ETHER_TYPE {
        walk.bound(usize::from(ether_type));
        return Ok(Layer::Llc);
    }
    ether_type_layer(ether_type)
}

fn ether_type_layer(ether_type: u16) -> Result<Layer, Skip> {
    Ok(match ether_type {
        0x0800 | 0x86dd => Layer::Ip,
        other => Layer::EtherType(other),
    })
}

pub(super) fn ether_type(walk: &mut Walk<'_>, ether_type: u16) -> Result<Layer, Skip> {
    match ether_type {
        0x0800 | 0x86dd => Ok(Layer::Ip),
        // 802.1Q, 802.1ad and the older QinQ types
        0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
            let tag = SingleVlanHeaderSlice::from_slice(walk.rest()).map_err(|_| SHORT)?;
            if walk.vlan == 0 {
                walk.vlan = tag.vlan_identifier().value();
            }
            let inner = tag.ether_type().0;
            walk.pass(tag.slice().len(), SHORT)?;
            typed(walk, inner)
        }
        // MPLS unicast and multicast (RFC 5332)
        0x8847 | 0x8848 => Ok(Layer::Mpls),
        0x8864 => pppoe(walk),
        0x880b => Ok(Layer::Ppp),
        // Transparent Ethernet bridging
        0x6558 => Ok(Layer::Ethernet),
        // MACsec: confidentiality is the rule
        0x88e5 => Err(Skip::Encrypted),
        _ => Err(Skip::NotIp),
    }
}

/// PPPoE session header (RFC 2516 4).
pub(super) fn pppoe(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let &[version_type, code, _, _, high, low] = walk.take::<6>(SHORT)?;
    if version_type != 0x11 || code != 0 {
        return Err(Skip::NotIp);
    }
    walk.bound(usize::from(u16::from_be_bytes([high, low])));
    Ok(Layer::Ppp)
}

/// PPP protocol field, one or two bytes (RFC 1661 2), behind the address and control field of RFC
/// 1662, which is often left out.
pub(super) fn ppp(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    if walk.peek::<2>() == Some(&[0xff, 0x03]) {
        walk.pass(2, SHORT)?;
    }
    let &[first] = walk.take::<1>(SHORT)?;
    let protocol = if first & 1 == 1 {
        u16::from(first)
    } else {
        let &[second] = walk.take::<1>(SHORT)?;
        u16::from_be_bytes([first, second])
    };
    match protocol {
        0x0021 | 0x0057 => Ok(Layer::Ip),
        0x0281 | 0x0283 => Ok(Layer::Mpls),
        // Encryption Control Protocol payload
        0x0053 => Err(Skip::Encrypted),
        _ => Err(Skip::NotIp),
    }
}

/// Label stack entries to the bottom (RFC 3032 2.1); what is below is told by its first nibble.
pub(super) fn mpls(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    loop {
        let &[_, _, label_end, _] = walk.take::<4>(SHORT)?;
        if label_end & 1 == 1 {
            break;
        }
        walk.step()?;
    }
    match walk.peek::<1>().ok_or(SHORT)?[0] >> 4 {
        4 | 6 => Ok(Layer::Ip),
        // Pseudowire control word (RFC 4385 3), then Ethernet
        0 => {
            walk.pass(4, SHORT)?;
            Ok(Layer::Ethernet)
        }
        // Pseudowire without control word
        _ => Ok(Layer::Ethernet),
    }
}

/// IEEE 802.2 LLC with SNAP (RFC 1042).
pub(super) fn llc(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let head = walk.peek::<8>().ok_or(Skip::NotIp)?;
    match head {
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, high, low] => {
            walk.pass(8, SHORT)?;
            ether_type_layer(u16::from_be_bytes([*high, *low]))
        }
        _ => Err(Skip::NotIp),
    }
}
