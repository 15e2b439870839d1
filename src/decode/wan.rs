//! Links of wide area networks: Frame Relay and Cisco HDLC.

use super::Skip;
use super::walk::{Layer, Walk};

const SHORT: Skip = Skip::TruncatedLink;

/// Cisco HDLC: address, control, then an EtherType.
pub(super) fn cisco_hdlc(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let head = walk.take::<4>(SHORT)?;
    Ok(Layer::EtherType(u16::from_be_bytes([head[2], head[3]])))
}

/// A link declared as PPP that carries Cisco HDLC has its address, unicast (0x0F) or multicast (0x8F), and its
/// control field.
pub(super) fn ppp_or_cisco_hdlc(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    match walk.peek::<2>() {
        Some([0x0f | 0x8f, 0]) => cisco_hdlc(walk),
        _ => Ok(Layer::Ppp),
    }
}

/// Frame Relay (ITU-T Q.922 A.3.3): an address of two to four bytes whose last has bit 0 set, then
/// RFC 2427, or Cisco's EtherType.
pub(super) fn frame_relay(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    const MAX_ADDRESS: usize = 4;
    let address = walk.rest().iter().take(MAX_ADDRESS).position(|b| b & 1 == 1);
    let len = address.filter(|at| *at > 0).ok_or(Skip::MalformedLink)?;
    walk.pass(len + 1, SHORT)?;
    if walk.peek::<1>() != Some(&[0x03]) {
        let ether_type = u16::from_be_bytes(*walk.take::<2>(SHORT)?);
        return Ok(Layer::EtherType(ether_type));
    }
    walk.pass(1, SHORT)?;
    // A byte of padding aligns SNAP.
    if walk.peek::<1>() == Some(&[0]) {
        walk.pass(1, SHORT)?;
    }
    match walk.take::<1>(SHORT)?[0] {
        0xcc | 0x8e => Ok(Layer::Ip),
        0xcf => Ok(Layer::Ppp),
        0x80 => match walk.take::<5>(SHORT)? {
            [0, 0, 0, high, low] => Ok(Layer::EtherType(u16::from_be_bytes([*high, *low]))),
            // Bridged Ethernet, with or without its frame check sequence.
            [0, 0x80, 0xc2, 0, 1 | 7] => Ok(Layer::Ethernet),
            _ => Err(Skip::NotIp),
        },
        _ => Err(Skip::NotIp),
    }
}
