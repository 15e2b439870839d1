//! EtherTypes: tags, labels, PPPoE, LLC.

use super::walk::{Layer, Walk};
use super::{Skip, tags};
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
pub(super) fn typed(walk: &mut Walk<'_>, ether_type: u16) -> Result<Layer, Skip> {
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
            // Identifier 0 is a priority tag, which belongs to no VLAN (IEEE 802.1Q 9.6).
            let vlan = tag.vlan_identifier().value();
            if walk.vlan == 0 {
                walk.vlan = vlan;
            } else if walk.inner_vlan == 0 {
                walk.inner_vlan = vlan;
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
        other => tags::tag(walk, other).unwrap_or(Err(Skip::NotIp)),
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

/// PPP protocol field, one or two bytes (RFC 1661 2), behind the address and control field of RFC 1662, which is
/// often omitted.
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
        // Bridged frames (RFC 3518): flags, MAC type (1: Ethernet), perhaps a frame check sequence.
        0x0031 => {
            let &[_, mac] = walk.take::<2>(SHORT)?;
            if mac == 1 { Ok(Layer::Ethernet) } else { Err(Skip::NotIp) }
        }
        0x0281 | 0x0283 => Ok(Layer::Mpls),
        // Encryption Control Protocol payload
        0x0053 => Err(Skip::Encrypted),
        _ => Err(Skip::NotIp),
    }
}

/// Label stack entries to the bottom (RFC 3032 2.1). What is below is agreed beforehand and must be
/// guessed: by the first nibble (RFC 4928 3), unless a pseudowire's Ethernet header is there, whose
/// first nibble can be any.
pub(super) fn mpls(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    loop {
        let &[_, _, label_end, _] = walk.take::<4>(SHORT)?;
        if label_end & 1 == 1 {
            break;
        }
        walk.step()?;
    }
    let (rest, cut) = (walk.rest(), walk.is_cut());
    let after_word = rest.get(CONTROL_WORD..).unwrap_or(&[]);
    let word = match rest.first().ok_or(SHORT)? >> 4 {
        4 | 6 if !is_frame(rest, cut) => return Ok(Layer::Ip),
        0 if !is_frame(rest, cut) || is_frame(after_word, cut) => CONTROL_WORD,
        _ => 0,
    };
    walk.pass(word, SHORT)?;
    Ok(Layer::Ethernet)
}

/// Length of a pseudowire control word (RFC 4385 3).
const CONTROL_WORD: usize = 4;

/// Whether an Ethernet header is here, judged by its EtherType: that of IP, ARP or a usual tag.
pub(super) fn looks_like_frame(bytes: &[u8]) -> bool {
    matches!(
        bytes.get(12..ETHERNET_HEADER),
        Some([0x08, 0x00 | 0x06] | [0x86, 0xdd] | [0x81, 0x00] | [0x88, 0xa8 | 0x47 | 0x64])
    )
}

/// Whether an Ethernet header is here, followed by bytes that agree with its EtherType.
fn is_frame(bytes: &[u8], cut: bool) -> bool {
    let Some((header, inner)) = bytes.split_at_checked(ETHERNET_HEADER) else { return false };
    match header {
        [.., 0x08, 0x00] => inner.first().is_some_and(|b| b >> 4 == 4) && fits_ip(inner, cut),
        [.., 0x86, 0xdd] => inner.first().is_some_and(|b| b >> 4 == 6) && fits_ip(inner, cut),
        [.., 0x81, 0x00] | [.., 0x88, 0xa8 | 0x47 | 0x48 | 0x64] => !fits_ip(bytes, cut),
        _ => false,
    }
}

/// Whether the lengths of an IP header with this version nibble agree with the available bytes.
fn fits_ip(bytes: &[u8], cut: bool) -> bool {
    let be =
        |at: usize| bytes.get(at..at + 2).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])));
    let (least, total) = match bytes.first().map(|b| (b >> 4, b & 15)) {
        Some((4, words)) if words >= 5 => (usize::from(words) * 4, be(2)),
        Some((6, _)) => (40, be(4).map(|len| len + 40)),
        _ => return false,
    };
    total.is_some_and(|total| total >= least && (total <= bytes.len() || cut))
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
