//! Tunnels: GRE and ERSPAN, and those over UDP.

use super::Skip;
use super::ether::looks_like_frame;
use super::tags::next_protocol;
use super::walk::{Layer, Walk};
use crate::capture::LinkType;

const SHORT: Skip = Skip::TruncatedTunnel;

/// GRE (RFC 2784, key and sequence RFC 2890, version 1 RFC 2637).
pub(super) fn gre(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let &[flags, version, high, low] = walk.take::<4>(SHORT)?;
    let protocol = u16::from_be_bytes([high, low]);
    let (checksum, routing, key, sequence) =
        (flags & 0x80 != 0, flags & 0x40 != 0, flags & 0x20 != 0, flags & 0x10 != 0);
    match version & 7 {
        0 => {
            // Source routes (RFC 1701) are deprecated and not in use.
            if routing {
                return Err(Skip::MalformedTunnel);
            }
            for present in [checksum, key, sequence] {
                walk.pass(if present { 4 } else { 0 }, SHORT)?;
            }
        }
        1 => {
            let acknowledgment = version & 0x80 != 0;
            walk.pass(4, SHORT)?;
            for present in [sequence, acknowledgment] {
                walk.pass(if present { 4 } else { 0 }, SHORT)?;
            }
        }
        _ => return Err(Skip::MalformedTunnel),
    }
    match protocol {
        // ERSPAN: type I has neither sequence number nor header, type II has both.
        0x88be if !sequence => Ok(Layer::Ethernet),
        0x88be => {
            walk.pass(8, SHORT)?;
            Ok(Layer::Ethernet)
        }
        0x22eb => erspan3(walk),
        // Aruba: Wi-Fi frames between access points and controllers.
        0x8200..=0x83f0 if protocol & 0x0f == 0 => Ok(Layer::Wifi),
        // WCCP (draft-wilson-wrec-wccp-v2 4.12): version 2 has a redirect header of four bytes.
        0x883e => {
            let v1 = walk.peek::<1>().is_some_and(|[first]| *first == 0x45);
            walk.pass(if v1 { 0 } else { 4 }, SHORT)?;
            Ok(Layer::Ip)
        }
        other => Ok(Layer::EtherType(other)),
    }
}

/// ERSPAN type III: a 12-byte header, then 8 bytes more if its O bit is set.
fn erspan3(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let head = walk.take::<12>(SHORT)?;
    let tail = u16::from_be_bytes([head[10], head[11]]);
    if tail & 1 == 1 {
        walk.pass(8, SHORT)?;
    }
    match (tail >> 10) & 0x1f {
        2 => Ok(Layer::Ip),
        _ => Ok(Layer::Ethernet),
    }
}

/// L2TP version 3 over IP (RFC 3931 4.1.1), without cookie, carrying Ethernet.
pub(super) fn l2tpv3(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let session = u32::from_be_bytes(*walk.take::<4>(SHORT)?);
    if session == 0 {
        // A control message
        return Err(Skip::NotTcpOrUdp);
    }
    // The cookie (0, 4 or 8 bytes) and the sublayer (0 or 4) are negotiated out of band; the EtherType shows where
    // the frame starts.
    for skip in [0usize, 4, 8, 12] {
        let ether_type = walk.rest().get(skip + 12..skip + 14);
        if matches!(ether_type, Some([0x08, 0x00] | [0x86, 0xdd] | [0x81, 0x00])) {
            walk.pass(skip, SHORT)?;
            return Ok(Layer::Ethernet);
        }
    }
    Err(Skip::MalformedTunnel)
}

/// The content of a UDP payload between these ports, if it is a tunnel. The header must be valid too, as any
/// application may use these ports.
pub(super) fn over_udp(walk: &mut Walk<'_>, ports: (u16, u16)) -> Option<Result<Layer, Skip>> {
    let rest = walk.rest();
    let len = match (ports.0, ports.1) {
        (_, 4789 | 8472 | 48879) => return vxlan(walk),
        (_, 4790) => return vxlan_gpe(walk),
        (5247, _) | (_, 5247) => return capwap(walk),
        // LISP data (RFC 9300 5.1): flags, nonce, instance, then IP.
        (_, 4341) => match rest.get(8..) {
            Some([first, ..]) if matches!(first >> 4, 4 | 6) && rest.len() >= 28 => 8,
            _ => return None,
        },
        // MPLS in UDP (RFC 7510)
        (_, 6635) => return Some(Ok(Layer::Mpls)),
        // Juniper mirroring: intercept and session, then IP.
        (_, 30030) => match rest.get(8..) {
            Some([first, ..]) if matches!(first >> 4, 4 | 6) && rest.len() >= 28 => 8,
            _ => return None,
        },
        // ESP in UDP (RFC 3948 2.2): four zero bytes mark IKE, a single byte is a keep-alive.
        (4500, _) | (_, 4500) => match rest {
            [0, 0, 0, 0, ..] => return None,
            [_, _, _, _, _, _, _, _, ..] => return Some(Err(Skip::Encrypted)),
            _ => return None,
        },
        (51820, _) | (_, 51820) if is_wireguard(rest) => return Some(Err(Skip::Encrypted)),
        // GENEVE (RFC 8926 3.4)
        (_, 6081) => match rest {
            &[first, _, high, low, _, _, _, 0, ..] if first >> 6 == 0 => {
                let len = 8 + usize::from(first & 0x3f) * 4;
                let protocol = u16::from_be_bytes([high, low]);
                return Some(walk.pass(len, SHORT).map(|()| Layer::EtherType(protocol)));
            }
            _ => return None,
        },
        // GTP-U (3GPP TS 29.281 5.1): version 1, G-PDU
        (2152, _) | (_, 2152) => gtp_u(rest)?,
        // L2TP version 2 (RFC 2661 3.1), data messages
        (1701, _) | (_, 1701) => return l2tpv2(walk),
        // TZSP
        (_, 37008) => return tzsp(walk),
        // Teredo (RFC 4380): IPv6 straight in UDP
        (3544, _) | (_, 3544) => match rest {
            [first, ..] if first >> 4 == 6 && rest.len() >= 40 => 0,
            _ => return None,
        },
        _ => return None,
    };
    Some(walk.pass(len, SHORT).map(|()| Layer::Ip))
}

/// VXLAN (RFC 7348 5): the I flag is set; all else is reserved and ignored, because group policies
/// (draft-smith-vxlan-group-policy) and fabrics use it. Where they do, the frame must look like one.
/// 8472 is Linux's old default, 48879 that of Cisco ACI.
fn vxlan(walk: &mut Walk<'_>) -> Option<Result<Layer, Skip>> {
    let rest = walk.rest();
    let plain = matches!(rest, [0x08, 0, 0, 0, _, _, _, 0, ..]);
    let flagged = rest.first().is_some_and(|flags| flags & 0x08 != 0);
    let frame = || rest.get(8..).is_some_and(looks_like_frame);
    (plain || flagged && frame()).then(|| ethernet_after(walk, 8))
}

/// VXLAN with the protocol of what follows (draft-ietf-nvo3-vxlan-gpe 3.1), if the P flag is set.
fn vxlan_gpe(walk: &mut Walk<'_>) -> Option<Result<Layer, Skip>> {
    let &[flags, _, _, next, ..] = walk.peek::<8>()?;
    if flags & 0x08 == 0 || flags >> 6 != 0 {
        return None;
    }
    let layer = if flags & 0x04 == 0 { Ok(Layer::Ethernet) } else { next_protocol(next) };
    Some(walk.pass(8, SHORT).and(layer))
}

/// Data of CAPWAP (RFC 5415 4.3), between Wi-Fi access points and their controller: in cleartext unless DTLS is used.
/// An IEEE 802.3 frame follows, or an 802.11 frame (RFC 5416 2.3).
fn capwap(walk: &mut Walk<'_>) -> Option<Result<Layer, Skip>> {
    const NATIVE: u8 = 0x01;
    const FRAGMENT: u8 = 0x80;
    const KEEP_ALIVE: u8 = 0x08;
    let &[preamble, length, binding, flags, ..] = walk.peek::<8>()?;
    match preamble {
        0x00 => {}
        0x01 => return Some(Err(Skip::Encrypted)),
        _ => return None,
    }
    let len = usize::from(length >> 3) * 4;
    if len < 8 {
        return None;
    }
    if flags & (FRAGMENT | KEEP_ALIVE) != 0 {
        return Some(Err(if flags & FRAGMENT != 0 { Skip::NestedFragments } else { Skip::NotIp }));
    }
    let layer = if binding & NATIVE != 0 { Layer::Wifi } else { Layer::Ethernet };
    Some(walk.pass(len, SHORT).map(|()| layer))
}

/// Messages of WireGuard (whitepaper 5.4): their type, three zero bytes, and fixed lengths.
fn is_wireguard(rest: &[u8]) -> bool {
    match rest {
        [1, 0, 0, 0, ..] => rest.len() == 148,
        [2, 0, 0, 0, ..] => rest.len() == 92,
        [3, 0, 0, 0, ..] => rest.len() == 64,
        [4, 0, 0, 0, ..] => rest.len() >= 32 && rest.len().is_multiple_of(16),
        _ => false,
    }
}

fn ethernet_after(walk: &mut Walk<'_>, len: usize) -> Result<Layer, Skip> {
    walk.pass(len, SHORT).map(|()| Layer::Ethernet)
}

/// Length of a GTP-U header with its extension headers.
fn gtp_u(rest: &[u8]) -> Option<usize> {
    let &[flags, 0xff, ..] = rest else { return None };
    if flags >> 4 != 3 {
        return None;
    }
    let mut at = 8;
    if flags & 7 != 0 {
        at = 12;
        let mut next = if flags & 4 != 0 { *rest.get(11)? } else { 0 };
        while next != 0 {
            let len = usize::from(*rest.get(at)?) * 4;
            if len == 0 {
                return None;
            }
            next = *rest.get(at + len - 1)?;
            at += len;
        }
    }
    matches!(rest.get(at)? >> 4, 4 | 6).then_some(at)
}

fn l2tpv2(walk: &mut Walk<'_>) -> Option<Result<Layer, Skip>> {
    let &[flags, version, ..] = walk.rest() else { return None };
    if version & 0x0f != 2 || flags & 0x80 != 0 {
        return None;
    }
    let mut len = 6;
    len += if flags & 0x40 != 0 { 2 } else { 0 };
    len += if flags & 0x08 != 0 { 4 } else { 0 };
    if flags & 0x02 != 0 {
        let at = walk.rest().get(len..len + 2)?;
        len += 2 + usize::from(u16::from_be_bytes([at[0], at[1]]));
    }
    Some(walk.pass(len, SHORT).map(|()| Layer::Ppp))
}

/// TaZmen Sniffer Protocol: 4 bytes, then tags up to the end tag.
fn tzsp(walk: &mut Walk<'_>) -> Option<Result<Layer, Skip>> {
    let rest = walk.rest();
    let &[1, 0 | 1, high, low, ..] = rest else { return None };
    let mut at = 4;
    loop {
        match *rest.get(at)? {
            0 => at += 1,
            1 => break,
            _ => at += 2 + usize::from(*rest.get(at + 1)?),
        }
    }
    let layer = match u16::from_be_bytes([high, low]) {
        0x01 => Layer::Ethernet,
        0x12 => Layer::Wifi,
        0x77 => Layer::Link(LinkType::PRISM),
        0x7f => Layer::Link(LinkType::IEEE802_11_AVS),
        _ => return None,
    };
    Some(walk.pass(at + 1, SHORT).map(|()| layer))
}
