//! Reads the cleartext messages of a handshake, as far as they are needed.

use super::TlsFacts;
use super::dtls::Dtls;
use super::hello::Carrier;
use super::messages::Messages;
use super::quic::{self, Quic};
use crate::protocol::datagrams::framed_datagram;

/// Bytes of a record's header (RFC 5246 6.2.1, RFC 8446 5.1).
const RECORD_HEADER: usize = 5;
/// Largest record body: 2^14 plus expansion.
const MAX_RECORD: usize = (1 << 14) + 2048;
/// Type of a record that holds handshake messages.
pub(super) const HANDSHAKE: u8 = 22;
/// Records of one side that are read.
pub(super) const MAX_RECORDS: u16 = 64;

/// Reads the handshake of one connection, both sides.
#[derive(Default)]
pub struct HandshakeReader {
    messages: Messages,
    framing: Framing,
}

/// How the messages of both sides are carried.
enum Framing {
    Stream([Records; 2]),
    Dtls([Dtls; 2]),
    Quic(Box<Quic>),
}

impl Default for Framing {
    fn default() -> Self {
        Self::Stream(Default::default())
    }
}

impl HandshakeReader {
    /// A reader for a flow of datagrams that begins with this one; `None` if it begins no handshake. It reads frames
    /// ([`super::super::datagrams::frame_datagram`]).
    pub fn of_datagram(datagram: &[u8]) -> Option<Self> {
        let framing = if matches!(datagram, [HANDSHAKE, 0xfe, ..]) {
            Framing::Dtls(Default::default())
        } else if quic::is_initial(datagram) {
            Framing::Quic(Box::default())
        } else {
            return None;
        };
        Some(Self { messages: Messages::default(), framing })
    }

    /// Reads the next bytes of side 0 or 1. True if no more of that side is needed.
    pub fn read(&mut self, side: usize, bytes: &[u8]) -> bool {
        let Self { messages, framing } = self;
        match framing {
            Framing::Stream(sides) => {
                if let Some(records) = sides.get_mut(side) {
                    records.read(side, bytes, messages);
                }
            }
            Framing::Dtls(sides) => each(bytes, |datagram| {
                if let Some(dtls) = sides.get_mut(side) {
                    dtls.read(side, datagram, messages);
                }
            }),
            Framing::Quic(quic) => each(bytes, |datagram| quic.read(side, datagram, messages)),
        }
        self.forget();
        self.messages.is_over(side)
    }

    /// Bytes of a side are missing: stops reading it.
    pub fn gap(&mut self, side: usize) {
        self.messages.end(side);
        self.forget();
    }

    /// Whether no more of either side is needed.
    pub fn is_done(&self) -> bool {
        (0..2).all(|side| self.messages.is_over(side))
    }

    /// The side of the client, once known.
    pub fn client(&self) -> Option<usize> {
        self.messages.client()
    }

    /// The facts; `None` before the server has answered.
    pub fn facts(&self) -> Option<&TlsFacts> {
        self.messages.facts()
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let held: usize = match &self.framing {
            Framing::Stream(sides) => sides.iter().map(Records::memory).sum(),
            Framing::Dtls(sides) => sides.iter().map(Dtls::memory).sum(),
            Framing::Quic(quic) => quic.memory(),
        };
        size_of::<Self>() + held
    }

    /// Frees the buffers of a side that is no longer read.
    fn forget(&mut self) {
        for side in (0..2).filter(|side| self.messages.is_over(*side)) {
            match &mut self.framing {
                Framing::Stream(sides) => sides[side] = Records::default(),
                Framing::Dtls(sides) => sides[side] = Dtls::default(),
                Framing::Quic(quic) => quic.forget(side),
            }
        }
    }
}

/// Calls `read` with each datagram of frames.
fn each(mut frames: &[u8], mut read: impl FnMut(&[u8])) {
    while let Some((datagram, len)) = framed_datagram(frames) {
        read(datagram);
        frames = frames.get(len..).unwrap_or_default();
    }
}

/// One side of TLS over TCP.
#[derive(Default)]
struct Records {
    /// The beginning of an incomplete record.
    record: Vec<u8>,
    /// Handshake messages of complete records.
    messages: Vec<u8>,
    count: u16,
}

impl Records {
    fn read(&mut self, side: usize, bytes: &[u8], to: &mut Messages) {
        if to.is_over(side) {
            return;
        }
        self.record.extend_from_slice(bytes);
        while let &[kind, major, _, high, low, ..] = self.record.as_slice() {
            let len = usize::from(u16::from_be_bytes([high, low]));
            // Everything behind the handshake is encrypted.
            let foreign = kind != HANDSHAKE || major != 3 || len == 0 || len > MAX_RECORD;
            if foreign || self.count >= MAX_RECORDS {
                return to.end(side);
            }
            let Some(body) = self.record.get(RECORD_HEADER..RECORD_HEADER + len) else { return };
            self.count += 1;
            self.messages.extend_from_slice(body);
            self.record.drain(..RECORD_HEADER + len);
            let used = to.take_whole(side, Carrier::Tls, &self.messages);
            self.messages.drain(..used);
            if to.is_over(side) {
                return;
            }
        }
    }

    const fn memory(&self) -> usize {
        self.record.capacity() + self.messages.capacity()
    }
}
