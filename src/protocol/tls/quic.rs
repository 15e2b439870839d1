//! QUIC (RFC 9000, RFC 9369): Initial packets, whose keys are derived from the connection id that they carry (RFC
//! 9001 5.2), so that any observer can read them. They hold the hellos of TLS. Nothing else is decrypted.

use super::TlsVersion;
use super::hello::{Bytes, Carrier};
use super::messages::Messages;
use super::pieces::Pieces;
use rustls::Side;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::quic::{DirectionalKeys, Keys, Version};

/// Bytes of hellos reassembled per side; those with large keys have two thousand.
const MAX_CRYPTO: usize = 16 << 10;
/// Datagrams of one side that are read, and packets per datagram.
const MAX_DATAGRAMS: u16 = 32;
const MAX_PACKETS: usize = 8;
/// Frames per packet.
const MAX_FRAMES: usize = 2_048;
/// Longest connection id, bytes (RFC 9000 17.2).
const MAX_ID: usize = 20;
/// Bytes of a packet that are sampled for header protection (RFC 9001 5.4.2).
const SAMPLE: usize = 16;
/// Shortest datagram that is taken for one of an established connection.
const MIN_SHORT: usize = 21;

/// Frames that may occur in Initial packets (RFC 9000 12.4).
const PADDING: u64 = 0;
const PING: u64 = 1;
const ACK: u64 = 2;
const ACK_ECN: u64 = 3;
const CRYPTO: u64 = 6;

/// The version of a long header: its key derivation and its name.
fn version(number: u32) -> Option<(Version, TlsVersion)> {
    match number {
        1 => Some((Version::V1, TlsVersion::Quic1)),
        0x6b33_43cf => Some((Version::V2, TlsVersion::Quic2)),
        0xff00_001d..=0xff00_0020 => Some((Version::V1Draft, TlsVersion::QuicDraft)),
        0xff00_0021..=0xff00_0022 => Some((Version::V1, TlsVersion::QuicDraft)),
        _ => None,
    }
}

/// A packet with a long header whose length is known.
struct Packet<'a> {
    initial: bool,
    version: (Version, TlsVersion),
    /// The destination connection id.
    destination: &'a [u8],
    /// The packet with its header.
    bytes: &'a [u8],
    /// Offset of its packet number.
    number: usize,
}

impl<'a> Packet<'a> {
    /// The packet at the front of `data`, and the bytes behind it.
    fn read(data: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut rest = Bytes(data);
        let first = rest.number(1)?;
        let version = version(u32::try_from(rest.number(4)?).ok()?)?;
        if first & 0xc0 != 0xc0 {
            return None;
        }
        let destination = rest.vector(1).filter(|id| id.len() <= MAX_ID)?;
        rest.vector(1).filter(|id| id.len() <= MAX_ID)?;
        // Initial, 0-RTT, Handshake, Retry; version 2 counts on by one (RFC 9369 3.2).
        let kind = (first >> 4) & 3;
        let kind = if version.1 == TlsVersion::Quic2 { (kind + 3) & 3 } else { kind };
        if kind == 3 {
            return None;
        }
        if kind == 0 {
            let token = usize::try_from(variable(&mut rest)?).ok()?;
            rest.take(token)?;
        }
        let len = usize::try_from(variable(&mut rest)?).ok()?;
        let number = data.len() - rest.0.len();
        rest.take(len)?;
        let bytes = data.get(..number + len)?;
        Some((Self { initial: kind == 0, version, destination, bytes, number }, rest.0))
    }

    /// Its decrypted payload; `None` under other keys.
    fn open(&self, keys: &DirectionalKeys) -> Option<Vec<u8>> {
        let sample = self.bytes.get(self.number + 4..)?.get(..SAMPLE)?;
        let mut bytes = self.bytes.to_vec();
        let mut first = *bytes.first()?;
        let mut number: [u8; 4] = *bytes.get(self.number..)?.first_chunk()?;
        keys.header.decrypt_in_place(sample, &mut first, &mut number).ok()?;
        let number = number.get(..usize::from(first & 3) + 1)?;
        *bytes.first_mut()? = first;
        let behind = self.number + number.len();
        bytes.get_mut(self.number..behind)?.copy_from_slice(number);
        let number = number.iter().fold(0, |n, b| n << 8 | u64::from(*b));
        let (header, payload) = bytes.split_at_mut_checked(behind)?;
        let plain = keys.packet.decrypt_in_place(number, header, payload).ok()?;
        Some(plain.to_vec())
    }
}

/// A variable-length integer of one to eight bytes (RFC 9000 16).
fn variable(rest: &mut Bytes<'_>) -> Option<u64> {
    let first = rest.number(1)?;
    let more = rest.take((1 << (first >> 6)) - 1)?;
    Some(more.iter().fold((first & 0x3f) as u64, |n, b| n << 8 | u64::from(*b)))
}

/// Whether a datagram begins with an Initial packet.
pub(super) fn is_initial(datagram: &[u8]) -> bool {
    Packet::read(datagram).is_some_and(|(packet, _)| packet.initial)
}

/// Both sides of a connection.
#[derive(Default)]
pub(super) struct Quic {
    /// Initial keys: those of the server are `local`.
    keys: Option<Keys>,
    /// The side that is the client.
    client: Option<usize>,
    hellos: [Pieces; 2],
    datagrams: [u16; 2],
}

impl Quic {
    /// Reads a datagram, which may hold several packets.
    pub fn read(&mut self, side: usize, datagram: &[u8], to: &mut Messages) {
        let Some(count) = self.datagrams.get_mut(side).filter(|_| !to.is_over(side)) else {
            return;
        };
        *count += 1;
        // Short headers follow the handshake.
        let begun = datagram.len() >= MIN_SHORT && datagram.first().is_some_and(|b| b & 0x80 == 0);
        if begun || *count > MAX_DATAGRAMS {
            return to.end(side);
        }
        let mut rest = datagram;
        for _ in 0..MAX_PACKETS {
            let Some((packet, behind)) = Packet::read(rest) else { return };
            rest = behind;
            if packet.initial
                && let Some(plain) = self.open(side, &packet)
            {
                self.frames(side, Carrier::Quic(packet.version.1), &plain, to);
            }
            if to.is_over(side) {
                return;
            }
        }
    }

    /// Decrypts a packet.
    fn open(&mut self, side: usize, packet: &Packet<'_>) -> Option<Vec<u8>> {
        if self.client.is_some_and(|client| client != side) {
            return packet.open(&self.keys.as_ref()?.local);
        }
        if let Some(plain) = self.keys.as_ref().and_then(|keys| packet.open(&keys.remote)) {
            return Some(plain);
        }
        // The first packet, or one behind a Retry or another version: its connection id makes the keys.
        let suite = TLS13_AES_128_GCM_SHA256.tls13()?.quic_suite()?;
        let keys = suite.keys(packet.destination, Side::Server, packet.version.0);
        let plain = packet.open(&keys.remote)?;
        self.client = Some(side);
        self.keys = Some(keys);
        Some(plain)
    }

    fn frames(&mut self, side: usize, carrier: Carrier, plain: &[u8], to: &mut Messages) {
        let Some(hellos) = self.hellos.get_mut(side) else { return };
        let mut rest = Bytes(plain);
        for _ in 0..MAX_FRAMES {
            // Padding is most of an Initial packet.
            let padding = rest.0.iter().take_while(|b| u64::from(**b) == PADDING).count();
            rest.take(padding);
            match variable(&mut rest) {
                Some(PING) => {}
                Some(kind @ (ACK | ACK_ECN)) => {
                    if acknowledgement(&mut rest, kind == ACK_ECN).is_none() {
                        break;
                    }
                }
                Some(CRYPTO) => {
                    let (Some(at), Some(len)) = (variable(&mut rest), variable(&mut rest)) else {
                        break;
                    };
                    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
                    let Some(piece) = rest.take(number(len)) else { break };
                    if !hellos.put(number(at), piece, MAX_CRYPTO) {
                        return to.end(side);
                    }
                }
                // Complete, or the connection is refused.
                _ => break,
            }
        }
        // Only a hello follows; parts that were read before are passed over by the reader of messages.
        to.take_whole(side, carrier, hellos.front());
    }

    /// Stops reading a side.
    pub fn forget(&mut self, side: usize) {
        if let Some(hellos) = self.hellos.get_mut(side) {
            *hellos = Pieces::default();
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        /// Memory of a pair of keys.
        const KEYS: usize = 2 << 10;
        let keys = if self.keys.is_some() { KEYS } else { 0 };
        size_of::<Self>() + keys + self.hellos.iter().map(Pieces::memory).sum::<usize>()
    }
}

/// Passes over an acknowledgement (RFC 9000 19.3).
fn acknowledgement(rest: &mut Bytes<'_>, ecn: bool) -> Option<()> {
    // Largest acknowledged, delay.
    variable(rest)?;
    variable(rest)?;
    let ranges = variable(rest)?;
    // The first range; a gap and a range for each other; three ECN counts.
    let numbers = ranges.checked_mul(2)?.checked_add(if ecn { 4 } else { 1 })?;
    for _ in 0..numbers {
        variable(rest)?;
    }
    Some(())
}
