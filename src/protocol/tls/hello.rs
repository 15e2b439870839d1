//! Hellos of client and server, which are in cleartext in every version.

use super::{TlsFacts, TlsVersion};
use crate::protocol::ServiceFacts;

/// Extensions of hellos (RFC 6066 3, RFC 7301, RFC 8446 4.2.1).
const SERVER_NAME: u16 = 0;
const APPLICATION_PROTOCOL: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// How messages are carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Carrier {
    /// TLS, over TCP.
    Tls,
    /// DTLS, over UDP (RFC 6347, RFC 9147).
    Dtls,
    /// QUIC of this version (RFC 9001).
    Quic(TlsVersion),
}

/// RFC 5246 7.4.1.2, RFC 8446 4.1.2: adds the server name and the application protocols that the client offers.
/// `None` if it is cut.
pub(super) fn client_hello(
    body: &[u8],
    carrier: Carrier,
    facts: &mut TlsFacts,
    offered: &mut Vec<String>,
) -> Option<()> {
    let mut body = Bytes(body);
    // Version, random, session, cipher suites, compression.
    body.take(2 + 32)?;
    body.vector(1)?;
    if carrier == Carrier::Dtls {
        // The cookie (RFC 6347 4.2.1).
        body.vector(1)?;
    }
    body.vector(2)?;
    body.vector(1)?;
    let mut extensions = Bytes(body.vector(2)?);
    while let Some((kind, data)) = extensions.extension() {
        match kind {
            SERVER_NAME => {
                let mut names = Bytes(Bytes(data).vector(2)?);
                // Name type 0 is a host.
                while let (Some(0), Some(name)) = (names.number(1), names.vector(2)) {
                    if let Some(name) = host(name) {
                        ServiceFacts::add(&mut facts.server_names, &name);
                    }
                }
            }
            APPLICATION_PROTOCOL => {
                let mut names = Bytes(Bytes(data).vector(2)?);
                while let Some(name) = names.vector(1) {
                    protocol(name).into_iter().for_each(|name| ServiceFacts::add(offered, name));
                }
            }
            _ => {}
        }
    }
    Some(())
}

/// RFC 5246 7.4.1.3, RFC 8446 4.1.3: the negotiated version; `None` if it is cut.
pub(super) fn server_hello(body: &[u8], facts: &mut TlsFacts) -> Option<TlsVersion> {
    let mut body = Bytes(body);
    let mut version = body.number(2)?;
    body.take(32)?;
    body.vector(1)?;
    body.take(2 + 1)?;
    let mut extensions = Bytes(body.vector(2).unwrap_or_default());
    while let Some((kind, data)) = extensions.extension() {
        match kind {
            SUPPORTED_VERSIONS => version = Bytes(data).number(2).unwrap_or(version),
            APPLICATION_PROTOCOL => {
                let name = Bytes(data).vector(2).and_then(|list| Bytes(list).vector(1));
                let name = name.and_then(protocol);
                name.into_iter().for_each(|name| ServiceFacts::add(&mut facts.inside, name));
            }
            _ => {}
        }
    }
    let version = TlsVersion::of(u16::try_from(version).ok()?)?;
    facts.spoke(version);
    Some(version)
}

/// The name of an application protocol (RFC 7301 3.1).
fn protocol(name: &[u8]) -> Option<&str> {
    let name = Some(name).filter(|name| name.iter().all(u8::is_ascii_graphic))?;
    std::str::from_utf8(name).ok()
}

/// A host name in lower case; `None` if it is none (RFC 6066 3: no trailing dot, no address).
fn host(name: &[u8]) -> Option<String> {
    const MAX_HOST: usize = 253;
    let of_host = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let fits = !name.is_empty() && name.len() <= MAX_HOST && name.iter().all(of_host);
    fits.then(|| name.to_ascii_lowercase()).and_then(|name| String::from_utf8(name).ok())
}

/// Reads bytes from the front.
pub(super) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of this many bytes.
    pub fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// Bytes behind their length, which has this many bytes (RFC 8446 3.4).
    pub fn vector(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let len = self.number(bytes)?;
        self.take(len)
    }

    fn extension(&mut self) -> Option<(u16, &'a [u8])> {
        let kind = u16::try_from(self.number(2)?).ok()?;
        Some((kind, self.vector(2)?))
    }
}
