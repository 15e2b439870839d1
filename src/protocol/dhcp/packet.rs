//! A packet of DHCP (RFC 2131 2).

use std::net::{IpAddr, Ipv4Addr};

/// Bytes before the options, and the magic cookie (RFC 2132 2).
const FIXED: usize = 236;
const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
/// Options per packet that are read.
const MAX_OPTIONS: usize = 128;

/// Options (RFC 2132, RFC 4702).
const HOST_NAME: u8 = 12;
const REQUESTED: u8 = 50;
const KIND: u8 = 53;
const FULL_NAME: u8 = 81;

/// Kinds of messages (RFC 2132 9.6).
const REQUEST: u8 = 3;
const ACKNOWLEDGED: u8 = 5;
const INFORM: u8 = 8;

/// What a packet shows of its client.
pub(super) struct Packet<'a> {
    /// Sent by a server.
    pub reply: bool,
    kind: u8,
    /// The address that the client has or gets.
    current: Ipv4Addr,
    given: Ipv4Addr,
    requested: Option<Ipv4Addr>,
    name: Option<&'a [u8]>,
    full_name: Option<&'a [u8]>,
}

impl<'a> Packet<'a> {
    /// Reads a packet; `None` if it is none.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED)?;
        let options = rest.strip_prefix(&COOKIE)?;
        // A hardware address has at most 16 bytes.
        if !matches!(fixed[0], 1 | 2) || fixed[2] > 16 {
            return None;
        }
        let at = |start: usize| {
            Ipv4Addr::new(fixed[start], fixed[start + 1], fixed[start + 2], fixed[start + 3])
        };
        let mut packet = Self {
            reply: fixed[0] == 2,
            kind: 0,
            current: at(12),
            given: at(16),
            requested: None,
            name: None,
            full_name: None,
        };
        let mut options = options;
        for _ in 0..MAX_OPTIONS {
            match *options {
                // Padding, then the end option.
                [0, ref rest @ ..] => options = rest,
                [] | [255, ..] => break,
                [code, len, ref rest @ ..] => {
                    let (value, rest) = rest.split_at_checked(usize::from(len))?;
                    packet.option(code, value);
                    options = rest;
                }
                [_] => return None,
            }
        }
        // Without a message type it is BOOTP, which names no host.
        (packet.kind != 0).then_some(packet)
    }

    fn option(&mut self, code: u8, value: &'a [u8]) {
        match (code, value) {
            (HOST_NAME, name) => self.name = Some(name),
            // Flags and two codes precede it.
            (FULL_NAME, [flags, _, _, name @ ..]) if flags & 4 == 0 => self.full_name = Some(name),
            (REQUESTED, &[a, b, c, d]) => self.requested = Some(Ipv4Addr::new(a, b, c, d)),
            (KIND, &[kind]) => self.kind = kind,
            _ => {}
        }
    }

    /// The address that a host has or asks for, and its name.
    pub fn host(&self) -> Option<(IpAddr, String)> {
        let address = match self.kind {
            ACKNOWLEDGED => Some(self.given).filter(|given| !given.is_unspecified()),
            REQUEST | INFORM => self.requested,
            _ => return None,
        };
        let address = address.unwrap_or(self.current);
        let name = self.full_name.filter(|name| !name.is_empty()).or(self.name)?;
        let name = host_name(name)?;
        (!address.is_unspecified()).then(|| (address.into(), name))
    }
}

/// A name in the form in which it is shown; `None` if it is no host name.
pub(super) fn host_name(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?.trim_end_matches(['\0', '.']);
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    let is_host = name.chars().all(fits) && name.contains(char::is_alphabetic);
    is_host.then(|| name.to_lowercase())
}
