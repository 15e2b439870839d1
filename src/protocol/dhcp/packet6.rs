//! A message of DHCPv6 (RFC 8415): the address that a client has or asks for, and its name (RFC 4704).

use super::packet::host_name;
use std::net::{IpAddr, Ipv6Addr};

/// Options per message that are read, nested ones included.
const MAX_OPTIONS: usize = 128;
/// Most relays of a message (RFC 8415 7.6, HOP_COUNT_LIMIT).
const MAX_RELAYS: usize = 8;
/// Header of a relay message, bytes (9).
const RELAY_HEAD: usize = 34;
/// Longest name, bytes, and labels of one (RFC 1035 2.3.4).
const MAX_NAME: usize = 255;

/// Kinds of messages (7.3).
const REQUEST: u8 = 3;
const RENEW: u8 = 5;
const REBIND: u8 = 6;
const REPLY: u8 = 7;
const ADVERTISE: u8 = 2;
const RECONFIGURE: u8 = 10;
const INFORMATION: u8 = 11;
const RELAY_FORWARD: u8 = 12;
const RELAY_REPLY: u8 = 13;

/// Options (21, RFC 4704 4).
const CLIENT: u16 = 1;
const SERVER: u16 = 2;
const ASSOCIATION: u16 = 3;
const ADDRESS: u16 = 5;
const RELAYED: u16 = 9;
const FULL_NAME: u16 = 39;

/// What a message shows of its client.
pub(super) struct Packet6<'a> {
    kind: u8,
    /// A client sent it or receives it; or also a server.
    known: bool,
    address: Option<Ipv6Addr>,
    name: Option<&'a [u8]>,
}

impl<'a> Packet6<'a> {
    /// Reads a message, also a relayed one; `None` if it is none.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut bytes = bytes;
        for _ in 0..=MAX_RELAYS {
            let (kind, rest) = bytes.split_first()?;
            match *kind {
                RELAY_FORWARD | RELAY_REPLY => {
                    let mut inside = None;
                    options(bytes.get(RELAY_HEAD..)?, |code, value| {
                        if code == RELAYED {
                            inside = Some(value);
                        }
                    })?;
                    bytes = inside?;
                }
                1..=INFORMATION => {
                    let mut packet = Self { kind: *kind, known: false, address: None, name: None };
                    // The transaction id comes first.
                    options(rest.get(3..)?, |code, value| packet.option(code, value))?;
                    return packet.known.then_some(packet);
                }
                _ => return None,
            }
        }
        None
    }

    /// Sent by a server.
    pub const fn is_reply(&self) -> bool {
        matches!(self.kind, ADVERTISE | REPLY | RECONFIGURE)
    }

    fn option(&mut self, code: u16, value: &'a [u8]) {
        match (code, value) {
            // A DUID of one of four kinds (11).
            (CLIENT | SERVER, [0, 1..=4, _, _, ..]) => self.known = true,
            // An identifier and two times precede its own options.
            (ASSOCIATION, value) => {
                let _ = options(value.get(12..).unwrap_or_default(), |code, value| {
                    if let (ADDRESS, Some(address)) = (code, value.first_chunk::<16>()) {
                        self.address.get_or_insert(Ipv6Addr::from(*address));
                    }
                });
            }
            (FULL_NAME, [_, name @ ..]) => self.name = Some(name),
            _ => {}
        }
    }

    /// The address that a host has or asks for, and its name.
    pub fn host(&self) -> Option<(IpAddr, String)> {
        let decided = matches!(self.kind, REQUEST | RENEW | REBIND | REPLY);
        let address = self.address.filter(|a| decided && !a.is_unspecified())?;
        Some((address.into(), host_name(&dotted(self.name?)?)?))
    }
}

/// Calls `of` with each option. `None` unless they fill `bytes` exactly.
fn options<'a>(mut bytes: &'a [u8], mut of: impl FnMut(u16, &'a [u8])) -> Option<()> {
    for _ in 0..MAX_OPTIONS {
        if bytes.is_empty() {
            return Some(());
        }
        let ([c0, c1, l0, l1], rest) = bytes.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])))?;
        of(u16::from_be_bytes([*c0, *c1]), value);
        bytes = rest;
    }
    None
}

/// A name of length-prefixed labels (RFC 4704 4.2). A partial name has no empty label at its end.
fn dotted(mut name: &[u8]) -> Option<Vec<u8>> {
    if name.len() > MAX_NAME {
        return None;
    }
    let mut text = Vec::with_capacity(name.len());
    while let Some((len, rest)) = name.split_first().filter(|(len, _)| **len > 0) {
        let (label, rest) = rest.split_at_checked(usize::from(*len))?;
        if !text.is_empty() {
            text.push(b'.');
        }
        text.extend_from_slice(label);
        name = rest;
    }
    Some(text)
}
