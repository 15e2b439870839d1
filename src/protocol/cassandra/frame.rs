//! Frames of the native protocol (native_protocol_v3.spec to v5.spec, section 2), compressed bodies (section 5), and
//! the segments of version 5 (v5.spec, section 2.3).

use super::super::ContentSink;
use super::super::Reason;

/// Length of the header of a frame.
pub(super) const HEADER: usize = 9;
/// Largest frame (section 2.5).
const MAX_LENGTH: usize = 256 << 20;
/// Largest body that is unpacked, bytes.
pub(super) const MAX_BODY: usize = 4 << 20;
/// Largest payload of a segment (2.3).
pub(super) const MAX_SEGMENT: usize = (128 << 10) - 1;

/// Flags (section 2.2).
const COMPRESSED: u8 = 1;
const TRACING: u8 = 2;
const PAYLOAD: u8 = 4;
const WARNING: u8 = 8;

/// Opcodes (section 2.4) that are read.
pub(super) const STARTUP: u8 = 0x01;
pub(super) const READY: u8 = 0x02;
pub(super) const AUTHENTICATE: u8 = 0x03;
pub(super) const QUERY: u8 = 0x07;
pub(super) const RESULT: u8 = 0x08;
pub(super) const PREPARE: u8 = 0x09;
pub(super) const EXECUTE: u8 = 0x0a;
pub(super) const BATCH: u8 = 0x0d;
pub(super) const AUTH_RESPONSE: u8 = 0x0f;

/// A frame header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) response: bool,
    pub(super) version: u8,
    flags: u8,
    pub(super) stream: u16,
    pub(super) opcode: u8,
    /// Length of the body, bytes.
    pub(super) length: usize,
}

impl Header {
    /// Reads the header at the front of `data`; `None` if it is none.
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let [first, flags, high, low, opcode, length @ ..] = data.first_chunk::<HEADER>()?;
        let response = first & 0x80 != 0;
        let version = first & 0x7f;
        let length = u32::from_be_bytes(*length) as usize;
        let known = match opcode {
            0x00 | 0x02 | 0x03 | 0x06 | 0x08 | 0x0c | 0x0e | 0x10 => response,
            0x01 | 0x05 | 0x07 | 0x09 | 0x0a | 0x0b | 0x0d | 0x0f => !response,
            _ => false,
        };
        let fits = (3..=5).contains(&version) && flags & 0xe0 == 0 && length <= MAX_LENGTH;
        (known && fits).then_some(Self {
            response,
            version,
            flags: *flags,
            stream: u16::from_be_bytes([*high, *low]),
            opcode: *opcode,
            length,
        })
    }

    pub(super) const fn is_compressed(&self) -> bool {
        // Version 5 compresses segments instead.
        self.flags & COMPRESSED != 0 && self.version < 5
    }

    /// Skips what precedes the message proper in a body: trace, warnings, custom payload.
    pub(super) fn pass_extras(&self, body: &mut Values<'_>) -> Option<()> {
        if self.response && self.flags & TRACING != 0 {
            body.bytes(16)?;
        }
        if self.response && self.flags & WARNING != 0 {
            for _ in 0..body.u16()? {
                body.string()?;
            }
        }
        if self.flags & PAYLOAD != 0 {
            for _ in 0..body.u16()? {
                body.string()?;
                body.value()?;
            }
        }
        Some(())
    }
}

/// Compression of bodies or segments (`COMPRESSION` of STARTUP).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compression {
    Lz4,
    Snappy,
}

impl Compression {
    /// Decompresses the body of a frame.
    pub(super) fn unpack(self, body: &[u8], sink: &mut dyn ContentSink) -> Result<Vec<u8>, Reason> {
        match self {
            Self::Lz4 => {
                // Its length precedes it.
                let (len, block) = body.split_first_chunk::<4>().ok_or(Reason::Malformed)?;
                unpack_lz4(block, u32::from_be_bytes(*len) as usize, sink)
            }
            Self::Snappy => {
                let len = snap::raw::decompress_len(body).map_err(|_| Reason::Malformed)?;
                pay(len, sink)?;
                let mut out = vec![0; len];
                let read = snap::raw::Decoder::new().decompress(body, &mut out);
                read.map_err(|_| Reason::Malformed)?;
                Ok(out)
            }
        }
    }
}

fn pay(len: usize, sink: &mut dyn ContentSink) -> Result<(), Reason> {
    if len > MAX_BODY {
        return Err(Reason::Limit);
    }
    if sink.spend(len as u64) { Ok(()) } else { Err(Reason::Budget) }
}

fn unpack_lz4(block: &[u8], len: usize, sink: &mut dyn ContentSink) -> Result<Vec<u8>, Reason> {
    pay(len, sink)?;
    let mut out = vec![0; len];
    let read = lz4_flex::block::decompress_into(block, &mut out).map_err(|_| Reason::Malformed)?;
    out.truncate(read);
    Ok(out)
}

/// A segment of version 5 (2.3): a header with a checksum, the payload, another checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Segment {
    /// Bytes of the header.
    pub(super) header: usize,
    /// Bytes of the payload on the wire.
    pub(super) length: usize,
    /// Bytes of the decompressed payload; 0 if it is not compressed.
    unpacked: usize,
    /// The payload holds complete frames only.
    pub(super) whole: bool,
}

/// Length of the checksum behind a payload.
pub(super) const TRAILER: usize = 4;

impl Segment {
    /// Length of a header.
    pub(super) const fn header_length(compressed: bool) -> usize {
        if compressed { 8 } else { 6 }
    }

    /// Reads the header at the front of `data`; `None` if its checksum is wrong.
    pub(super) fn parse(data: &[u8], compressed: bool) -> Option<Self> {
        let header = Self::header_length(compressed);
        let (head, sum) = data.get(..header)?.split_at(header - 3);
        let little = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
        if u64::from(crc24(head)) != little(sum) {
            return None;
        }
        let bits = little(head);
        let length = (bits & 0x1_ffff) as usize;
        let (unpacked, flag) =
            if compressed { ((bits >> 17 & 0x1_ffff) as usize, 34) } else { (0, 17) };
        Some(Self { header, length, unpacked, whole: bits >> flag & 1 == 1 })
    }

    /// Bytes of the segment, with its checksums.
    pub(super) const fn size(&self) -> usize {
        self.header + self.length + TRAILER
    }

    /// Its payload.
    pub(super) fn payload(
        &self,
        segment: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Vec<u8>, Reason> {
        let payload = segment.get(self.header..self.header + self.length).unwrap_or_default();
        match self.unpacked {
            0 => Ok(payload.to_vec()),
            len => unpack_lz4(payload, len, sink),
        }
    }
}

/// The checksum of a segment's header (v5.spec, section 2.3.1).
fn crc24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x87_5060, |crc, byte| {
        let crc = crc ^ u32::from(*byte) << 16;
        (0..8).fold(crc, |crc, _| {
            let next = crc << 1;
            if next & 0x100_0000 == 0 { next } else { next ^ 0x197_4f0b }
        })
    })
}

/// Reads consecutive values (section 3).
#[derive(Clone, Copy)]
pub(super) struct Values<'a>(pub(super) &'a [u8]);

impl<'a> Values<'a> {
    pub(super) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(*self.bytes(2)?.first_chunk()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(*self.bytes(4)?.first_chunk()?))
    }

    /// `[string]` and `[short bytes]`.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.bytes(usize::from(len))
    }

    /// `[long string]`.
    pub(super) fn long_string(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.bytes(len as usize)
    }

    /// `[bytes]` and `[value]`: empty if null or not set, which have negative lengths.
    pub(super) fn value(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.bytes(usize::try_from(len as i32).unwrap_or(0))
    }
}
