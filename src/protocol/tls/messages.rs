//! Facts from handshake messages, however they are carried.

use super::hello::{Bytes, Carrier, client_hello, server_hello};
use super::{TlsFacts, TlsVersion, certificate};

/// Longest handshake message that is read, bytes. Certificate chains have a few thousand.
pub(super) const MAX_MESSAGE: usize = 64 << 10;

/// Types of messages (RFC 5246 7.4, RFC 8446 4).
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// DTLS: the client is to start again, with a cookie (RFC 6347 4.2.1).
const HELLO_VERIFY_REQUEST: u8 = 3;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;
const CLIENT_KEY_EXCHANGE: u8 = 16;

/// The role of a side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// It sent a ClientHello.
    Client,
    /// It sent a ServerHello.
    Server,
}

#[derive(Default)]
struct SideState {
    role: Option<Role>,
    done: bool,
}

/// The messages of both sides.
#[derive(Default)]
pub(super) struct Messages {
    sides: [SideState; 2],
    facts: TlsFacts,
    /// Protocols that the client offered.
    offered: Vec<String>,
    /// The server asked for a certificate.
    asked: bool,
}

impl Messages {
    /// A side is no longer read.
    pub fn end(&mut self, side: usize) {
        if let Some(side) = self.sides.get_mut(side) {
            side.done = true;
        }
    }

    /// Whether a side is no longer read.
    pub fn is_over(&self, side: usize) -> bool {
        self.sides.get(side).is_none_or(|side| side.done)
    }

    /// The side of the client, once known.
    pub fn client(&self) -> Option<usize> {
        let of = |role| self.sides.iter().position(|side| side.role == Some(role));
        of(Role::Client).or_else(|| of(Role::Server).map(|server| 1 - server))
    }

    /// The facts; `None` before the server has answered.
    pub fn facts(&self) -> Option<&TlsFacts> {
        (!self.facts.versions.is_empty()).then_some(&self.facts)
    }

    /// Reads the complete messages at the front of `held`. Returns how many bytes they have.
    pub fn take_whole(&mut self, side: usize, carrier: Carrier, held: &[u8]) -> usize {
        let mut at = 0;
        while let Some(&[kind, a, b, c]) = held.get(at..).and_then(<[u8]>::first_chunk::<4>) {
            let len = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
            if len > MAX_MESSAGE {
                self.end(side);
                break;
            }
            let Some(message) = held.get(at + 4..at + 4 + len) else { break };
            self.take(side, carrier, kind, message);
            at += 4 + len;
            if self.is_over(side) {
                break;
            }
        }
        at
    }

    /// Reads a message.
    pub fn take(&mut self, side: usize, carrier: Carrier, kind: u8, body: &[u8]) {
        let Some(state) = self.sides.get_mut(side) else { return };
        match (kind, state.role) {
            (CLIENT_HELLO, None) => {
                state.role = Some(Role::Client);
                let _ = client_hello(body, carrier, &mut self.facts, &mut self.offered);
            }
            (SERVER_HELLO, None) => {
                state.role = Some(Role::Server);
                match server_hello(body, &mut self.facts) {
                    // From here on everything is encrypted, also certificates.
                    Some(TlsVersion::Tls13 | TlsVersion::Dtls13) => self.encrypted(carrier),
                    Some(_) => {}
                    None => self.end(side),
                }
            }
            (HELLO_VERIFY_REQUEST, None) if carrier == Carrier::Dtls => {}
            (CERTIFICATE, Some(Role::Server)) => {
                let read = |chain| certificate::read(Bytes(chain).vector(3)?);
                let found = Bytes(body).vector(3).and_then(read);
                self.facts.certificate = found.map(Box::new);
            }
            (CERTIFICATE, Some(Role::Client)) => {
                self.facts.client_certificate |=
                    Bytes(body).vector(3).is_some_and(|c| !c.is_empty());
            }
            (CERTIFICATE_REQUEST, Some(Role::Server)) => self.asked = true,
            (SERVER_HELLO_DONE, Some(Role::Server)) => {
                self.end(side);
                if !self.asked {
                    self.end(1 - side);
                }
            }
            (CLIENT_KEY_EXCHANGE, Some(Role::Client)) => self.end(side),
            // A handshake begins with a hello.
            (_, None) => self.end(side),
            _ => {}
        }
    }

    /// Nothing behind it is in cleartext.
    fn encrypted(&mut self, carrier: Carrier) {
        if let Carrier::Quic(version) = carrier {
            self.facts.spoke(version);
            // QUIC requires one (RFC 9001 8.1).
            if let [only] = self.offered.as_slice() {
                self.facts.inside = vec![only.clone()];
            }
        }
        (0..2).for_each(|side| self.end(side));
    }
}
