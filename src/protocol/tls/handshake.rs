//! Reads the messages of a handshake that are in clear, as far as they are needed.

use super::{TlsFacts, TlsVersion, certificate};
use crate::protocol::ServiceFacts;

/// Bytes of a record's header (RFC 5246 6.2.1, RFC 8446 5.1).
const RECORD_HEADER: usize = 5;
/// Largest record body: 2^14 plus expansion.
const MAX_RECORD: usize = (1 << 14) + 2048;
/// Type of a record that holds handshake messages.
const HANDSHAKE: u8 = 22;
/// Longest handshake message that is read, bytes. Chains of certificates have a few thousand.
const MAX_MESSAGE: usize = 64 << 10;
/// Records of one side that are looked at.
const MAX_RECORDS: u16 = 64;

/// Types of messages (RFC 5246 7.4, RFC 8446 4).
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;
const CLIENT_KEY_EXCHANGE: u8 = 16;

/// Extensions of hellos (RFC 6066 3, RFC 7301, RFC 8446 4.2.1).
const SERVER_NAME: u16 = 0;
const APPLICATION_PROTOCOL: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// Which end a side has shown to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It sent a ClientHello.
    Client,
    /// It sent a ServerHello.
    Server,
}

/// Reads the handshake of one connection, both sides.
#[derive(Default)]
pub struct HandshakeReader {
    sides: [Half; 2],
    facts: TlsFacts,
    /// The server asked for a certificate.
    asked: bool,
}

#[derive(Default)]
struct Half {
    /// The beginning of a record that is not whole yet.
    record: Vec<u8>,
    /// Handshake messages of whole records.
    messages: Vec<u8>,
    role: Option<Role>,
    records: u16,
    done: bool,
}

impl Half {
    fn end(&mut self) {
        *self = Self { role: self.role, done: true, ..Self::default() };
    }
}

impl HandshakeReader {
    /// Reads the next bytes of side 0 or 1. True if no more of that side is needed.
    pub fn read(&mut self, side: usize, bytes: &[u8]) -> bool {
        let Some(half) = self.sides.get_mut(side).filter(|half| !half.done) else { return true };
        half.record.extend_from_slice(bytes);
        while let Some(half) = self.sides.get_mut(side).filter(|half| !half.done) {
            let &[kind, major, _, high, low, ..] = half.record.as_slice() else { break };
            let len = usize::from(u16::from_be_bytes([high, low]));
            half.records += 1;
            // What follows the handshake is encrypted.
            let foreign = kind != HANDSHAKE || major != 3 || len == 0 || len > MAX_RECORD;
            if foreign || half.records > MAX_RECORDS {
                half.end();
                break;
            }
            let Some(body) = half.record.get(RECORD_HEADER..RECORD_HEADER + len) else {
                half.records -= 1;
                break;
            };
            half.messages.extend_from_slice(body);
            half.record.drain(..RECORD_HEADER + len);
            self.messages(side);
        }
        self.sides.get(side).is_none_or(|half| half.done)
    }

    /// Bytes of a side are missing: no more of it is read.
    pub fn gap(&mut self, side: usize) {
        self.sides.get_mut(side).into_iter().for_each(Half::end);
    }

    /// Whether no more of either side is needed.
    pub fn is_done(&self) -> bool {
        self.sides.iter().all(|half| half.done)
    }

    /// The side that has shown to be the client.
    pub fn client(&self) -> Option<usize> {
        let of = |role| self.sides.iter().position(|half| half.role == Some(role));
        of(Role::Client).or_else(|| of(Role::Server).map(|server| 1 - server))
    }

    /// What was learnt; nothing before the server has answered.
    pub fn facts(&self) -> Option<&TlsFacts> {
        (!self.facts.versions.is_empty()).then_some(&self.facts)
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let held = self.sides.iter().map(|half| half.record.capacity() + half.messages.capacity());
        size_of::<Self>() + held.sum::<usize>()
    }

    /// Takes the messages of a side that are whole.
    fn messages(&mut self, side: usize) {
        let Some(half) = self.sides.get_mut(side) else { return };
        let held = std::mem::take(&mut half.messages);
        let mut rest = Bytes(&held);
        while let Some(&[kind, a, b, c]) = rest.0.first_chunk::<4>() {
            let len = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
            if len > MAX_MESSAGE {
                self.end(side);
                return;
            }
            let Some(message) = rest.0.get(4..4 + len) else { break };
            self.message(side, kind, message);
            if self.sides.get(side).is_none_or(|half| half.done) {
                return;
            }
            rest.take(4 + len);
        }
        let rest = rest.0.to_vec();
        if let Some(half) = self.sides.get_mut(side) {
            half.messages = rest;
        }
    }

    fn message(&mut self, side: usize, kind: u8, body: &[u8]) {
        let Some(half) = self.sides.get_mut(side) else { return };
        match (kind, half.role) {
            (CLIENT_HELLO, None) => {
                half.role = Some(Role::Client);
                let _ = client_hello(body, &mut self.facts);
            }
            (SERVER_HELLO, None) => {
                half.role = Some(Role::Server);
                match server_hello(body, &mut self.facts) {
                    // From here on everything is encrypted, certificates too.
                    Some(TlsVersion::Tls13) => (0..2).for_each(|side| self.end(side)),
                    Some(_) => {}
                    None => self.end(side),
                }
            }
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
            // Nothing begins without a hello.
            (_, None) => self.end(side),
            _ => {}
        }
    }

    fn end(&mut self, side: usize) {
        self.sides.get_mut(side).into_iter().for_each(Half::end);
    }
}

/// RFC 5246 7.4.1.2, RFC 8446 4.1.2. None where it breaks off.
fn client_hello(body: &[u8], facts: &mut TlsFacts) -> Option<()> {
    let mut body = Bytes(body);
    // Version, random, session, cipher suites, compression.
    body.take(2 + 32)?;
    body.vector(1)?;
    body.vector(2)?;
    body.vector(1)?;
    let mut extensions = Bytes(body.vector(2)?);
    while let Some((kind, data)) = extensions.extension() {
        if kind != SERVER_NAME {
            continue;
        }
        let mut names = Bytes(Bytes(data).vector(2)?);
        // Name type 0 is a host.
        while let (Some(0), Some(name)) = (names.number(1), names.vector(2)) {
            if let Some(name) = host(name) {
                ServiceFacts::add(&mut facts.server_names, &name);
            }
        }
    }
    Some(())
}

/// RFC 5246 7.4.1.3, RFC 8446 4.1.3: the version that was agreed on; none where it breaks off.
fn server_hello(body: &[u8], facts: &mut TlsFacts) -> Option<TlsVersion> {
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
                let name = name.filter(|name| name.iter().all(u8::is_ascii_graphic));
                let name = name.and_then(|name| std::str::from_utf8(name).ok());
                name.into_iter().for_each(|name| ServiceFacts::add(&mut facts.inside, name));
            }
            _ => {}
        }
    }
    let version = TlsVersion::of(u16::try_from(version).ok()?)?;
    facts.spoke(version);
    Some(version)
}

/// A host name in lower case; none where it is none (RFC 6066 3: no trailing dot, no address).
fn host(name: &[u8]) -> Option<String> {
    const MAX_HOST: usize = 253;
    let of_host = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let fits = !name.is_empty() && name.len() <= MAX_HOST && name.iter().all(of_host);
    fits.then(|| name.to_ascii_lowercase()).and_then(|name| String::from_utf8(name).ok())
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of so many bytes.
    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// Bytes behind their length, which has so many bytes (RFC 8446 3.4).
    fn vector(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let len = self.number(bytes)?;
        self.take(len)
    }

    fn extension(&mut self) -> Option<(u16, &'a [u8])> {
        let kind = u16::try_from(self.number(2)?).ok()?;
        Some((kind, self.vector(2)?))
    }
}
