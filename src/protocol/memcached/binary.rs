//! Messages of the binary protocol: a header of 24 bytes, extras, key, value.

use super::super::{Authentication, ContentSink, Probe, Speaker};
use super::{Head, MAX_VALUE};
use crate::syntax::ElementError;

/// Magic of requests and of responses.
pub(super) const REQUEST: u8 = 0x80;
pub(super) const RESPONSE: u8 = 0x81;
/// Length of a header.
pub(super) const HEADER: usize = 24;
/// Longest secret that is passed over, bytes.
const MAX_SECRET: usize = 64 << 10;
/// The highest operation (GATKQ, and bucket operations).
const LAST: u8 = 0x5f;
/// SASL: list, authenticate, step.
const SASL: std::ops::RangeInclusive<u8> = 0x20..=0x22;

/// A header.
struct Header {
    operation: u8,
    extras: usize,
    key: usize,
    body: u64,
}

fn header(data: &[u8]) -> Option<Header> {
    let [_, operation, key_high, key_low, extras, _, _, _, a, b, c, d, ..] = *data else {
        return None;
    };
    Some(Header {
        operation,
        extras: extras.into(),
        key: usize::from(u16::from_be_bytes([key_high, key_low])),
        body: u32::from_be_bytes([a, b, c, d]).into(),
    })
}

impl Header {
    fn fits(&self, data_type: u8) -> bool {
        self.operation <= LAST
            && self.extras <= 20
            && self.key <= 250
            && data_type == 0
            && (self.extras + self.key) as u64 <= self.body
            && self.body <= MAX_VALUE
    }
}

/// Whether a message begins at `data`.
pub(super) fn probe(data: &[u8]) -> Probe {
    let (Some(head), Some(header)) = (data.get(..HEADER), header(data)) else {
        // The available bytes must be plausible already.
        let fits = data.get(1).is_none_or(|operation| *operation <= LAST)
            && data.get(2).is_none_or(|high| *high == 0)
            && data.get(4).is_none_or(|extras| *extras <= 20)
            && data.get(5).is_none_or(|kind| *kind == 0);
        return if fits { Probe::More } else { Probe::No };
    };
    let [kind, _, _, _, _, data_type, status_high, status, ..] = *head else { return Probe::No };
    let request = kind == REQUEST;
    // A request names a bucket below 4096; a response has a status.
    let state = if request { status_high < 16 } else { status_high == 0 && status <= 0x86 };
    let extras = match (header.operation, request) {
        // Get, delete, quit, version and similar ones have none; set has flags and a time.
        (0 | 4 | 7 | 9 | 0x0a | 0x0b | 0x0c | 0x0d | 0x10, true) => header.extras == 0,
        (1..=3 | 0x11..=0x13, true) => header.extras == 8 && header.key > 0,
        _ => true,
    };
    match header.fits(data_type) && state && extras {
        true => Probe::yes(if request { Speaker::Client } else { Speaker::Server }),
        false => Probe::No,
    }
}

/// The head of the message at the front of `data`, with extras and key.
pub(super) fn head<'a>(
    data: &'a [u8],
    sink: &mut dyn ContentSink,
) -> Result<Head<'a>, ElementError> {
    let Some(header) = data.get(..HEADER).and_then(header) else {
        return Err(ElementError::Need(HEADER));
    };
    if !header.fits(data.get(5).copied().unwrap_or(0)) {
        return Err(ElementError::Malformed);
    }
    let len = HEADER + header.extras + header.key;
    let Some(head) = data.get(..len) else { return Err(ElementError::Need(len)) };
    let value = header.body - (header.extras + header.key) as u64;
    if !SASL.contains(&header.operation) {
        let key = head.get(HEADER + header.extras..).unwrap_or_default();
        return Ok(Head { len, key, value });
    }
    // The key is the mechanism; PLAIN carries the password.
    match memchr::memmem::find(head, b"PLAIN") {
        Some(_) => sink.facts().password_in_clear(),
        None => sink.facts().shown(Authentication::Digest),
    }
    let whole = len + usize::try_from(value).unwrap_or(usize::MAX).min(MAX_SECRET);
    if data.len() < whole {
        Err(ElementError::Need(whole))
    } else {
        Ok(Head { len: whole, key: &[], value: 0 })
    }
}
