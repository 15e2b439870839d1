//! Tunnels: GRE and ERSPAN, and those over UDP.

use super::Skip;
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
            // Source routes (RFC 1701) are deprecated and nowhere in use.
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
        // ERSPAN: type I has neither sequence number nor header, type II has both
        0x88be if !sequence => Ok(Layer::Ethernet),
        0x88be => {
            walk.pass(8, SHORT)?;
            Ok(Layer::Ethernet)
        }
        0x22eb => erspan3(walk),
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
    // The cookie (0, 4 or 8 bytes) and the sublayer (0 or 4) are agreed out of band; the EtherType
    // tells where the frame starts.
    for skip in [0usize, 4, 8, 12] {
        let ether_type = walk.rest().get(skip + 12..skip + 14);
        if matches!(ether_type, Some([0x08, 0x00] | [0x86, 0xdd] | [0x81, 0x00])) {
            walk.pass(skip, SHORT)?;
            return Ok(Layer::Ethernet);
        }
    }
    Err(Skip::MalformedTunnel)
}

/// What a UDP payload between these ports carries, if it is a tunnel. The header must fit too: any
/// application may use these ports.
pub(super) fn over_udp(walk: &mut Walk<'_>, ports: (u16, u16)) -> Option<Result<Layer, Skip>> {
    let rest = walk.rest();
    let len = match (ports.0, ports.1) {
        // VXLAN (RFC 7348 5): flags with the I bit, reserved bytes zero; 8472 is Linux's old default
        (_, 4789 | 8472) => match rest {
            [0x08, 0, 0, 0, _, _, _, 0, ..] => return Some(ethernet_after(walk, 8)),
            _ => return None,
        },
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
