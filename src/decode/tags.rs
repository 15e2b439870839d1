//! Tags between an Ethernet header and its payload, beside those of IEEE 802.1Q: fabrics, service chains, redundancy,
//! timestamps. Each ends in the EtherType of the payload, or an Ethernet frame follows.

use super::Skip;
use super::ether::typed;
use super::walk::{Layer, Walk};

const SHORT: Skip = Skip::TruncatedTag;

/// The tag of this EtherType; `None` if it is no tag.
pub(super) fn tag(walk: &mut Walk<'_>, ether_type: u16) -> Option<Result<Layer, Skip>> {
    Some(match ether_type {
        // VN-Tag (Cisco, IEEE 802.1Qbh): direction, pointer, virtual interfaces.
        0x8926 => behind(walk, 4),
        // E-TAG (IEEE 802.1BR 7.5).
        0x893f => behind(walk, 6),
        // HSR (IEC 62439-3 5.6.2): path and size, sequence number.
        0x892f => behind(walk, 4),
        // Cisco MetaData with a security group tag: version, length in words, options.
        0x8909 => metadata(walk),
        // Timestamps of Arista switches: kind, version, then 48 or 64 bits.
        0xd28b => arista(walk),
        0x88e5 => macsec(walk),
        // I-TAG of provider backbone bridges (IEEE 802.1ah 9.7): flags and service, then a frame.
        0x88e7 => walk.pass(4, SHORT).map(|()| Layer::Ethernet),
        0x22f3 => trill(walk),
        0x894f => nsh(walk),
        _ => return None,
    })
}

/// `len` bytes, then an EtherType.
fn behind(walk: &mut Walk<'_>, len: usize) -> Result<Layer, Skip> {
    walk.pass(len, SHORT)?;
    let inner = u16::from_be_bytes(*walk.take::<2>(SHORT)?);
    typed(walk, inner)
}

fn metadata(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let &[version, words] = walk.take::<2>(SHORT)?;
    if version != 1 {
        return Err(Skip::NotIp);
    }
    behind(walk, usize::from(words) * 4)
}

fn arista(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let &[_, kind, _, version] = walk.take::<4>(SHORT)?;
    match (kind, version) {
        (1, 0x10 | 0x11) => behind(walk, 8),
        (1, 0x20 | 0x21) => behind(walk, 6),
        _ => Err(Skip::NotIp),
    }
}

/// MACsec (IEEE 802.1AE 9.3): without confidentiality (neither E nor C) the data follows in cleartext, and the
/// integrity check value behind it is no payload.
fn macsec(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    const VERSION: u8 = 0x80;
    const SCI: u8 = 0x20;
    const ENCRYPTED: u8 = 0x08;
    const CHANGED: u8 = 0x04;
    const ICV: usize = 16;
    let &[control, short_length, ..] = walk.take::<6>(SHORT)?;
    if control & VERSION != 0 {
        return Err(Skip::NotIp);
    }
    if control & (ENCRYPTED | CHANGED) != 0 {
        return Err(Skip::Encrypted);
    }
    walk.pass(if control & SCI != 0 { 8 } else { 0 }, SHORT)?;
    match usize::from(short_length & 0x3f) {
        0 => walk.trim(ICV),
        len => walk.bound(len),
    }
    behind(walk, 0)
}

/// TRILL (RFC 6325 3): hop count and lengths, egress and ingress, options, then a frame.
fn trill(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let &[high, low, ..] = walk.take::<6>(SHORT)?;
    let flags = u16::from_be_bytes([high, low]);
    if flags >> 14 != 0 {
        return Err(Skip::NotIp);
    }
    walk.pass(usize::from(flags >> 6 & 0x1f) * 4, SHORT)?;
    Ok(Layer::Ethernet)
}

/// Network service header (RFC 8300 2.2): its length in words, and the next protocol.
pub(super) fn nsh(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let &[first, second, _, next, ..] = walk.peek::<8>().ok_or(SHORT)?;
    let words = usize::from(second & 0x3f);
    if first >> 6 != 0 || words < 2 {
        return Err(Skip::NotIp);
    }
    walk.pass(words * 4, SHORT)?;
    next_protocol(next)
}

/// The next protocol in the numbering of NSH (RFC 8300 2.2) and VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe 3.2).
pub(super) fn next_protocol(next: u8) -> Result<Layer, Skip> {
    match next {
        1 | 2 => Ok(Layer::Ip),
        3 => Ok(Layer::Ethernet),
        4 => Ok(Layer::EtherType(0x894f)),
        5 => Ok(Layer::Mpls),
        _ => Err(Skip::NotIp),
    }
}
