//! IEEE 802.11: data frames in clear, with or without radiotap.

use super::Skip;
use super::walk::{Layer, Walk};

const SHORT: Skip = Skip::TruncatedLink;
/// Transmitters whose last sequence number is remembered, to suppress retries.
const RETRY_SLOTS: usize = 256;

/// The last frame seen of each transmitter, in a small table that forgets on collision.
pub(super) struct Retries(Box<[([u8; 6], u16)]>);

impl Default for Retries {
    fn default() -> Self {
        Self(vec![([0; 6], u16::MAX); RETRY_SLOTS].into())
    }
}

impl Retries {
    /// Whether this frame repeats the transmitter's last one.
    fn seen(&mut self, transmitter: [u8; 6], sequence: u16, retry: bool) -> bool {
        let slot = transmitter.iter().fold(0usize, |h, b| (h * 31 + usize::from(*b)) % RETRY_SLOTS);
        let entry = &mut self.0[slot];
        let repeated = retry && *entry == (transmitter, sequence);
        *entry = (transmitter, sequence);
        repeated
    }
}

/// Radiotap: length at 2, little endian; the flags field says whether a frame check sequence ends
/// the frame.
pub(super) fn radiotap(walk: &mut Walk<'_>) -> Result<Layer, Skip> {
    let head = walk.peek::<8>().ok_or(SHORT)?;
    let len = usize::from(u16::from_le_bytes([head[2], head[3]]));
    if head[0] != 0 || len < 8 {
        return Err(Skip::MalformedLink);
    }
    let fcs = radiotap_flags(walk.rest().get(..len).ok_or(SHORT)?) & 0x10 != 0;
    walk.pass(len, SHORT)?;
    if fcs {
        walk.trim(4);
    }
    Ok(Layer::Wifi)
}

/// The flags field of a radiotap header: after the present words, behind an aligned TSFT.
fn radiotap_flags(head: &[u8]) -> u8 {
    let word =
        |at: usize| head.get(at..at + 4).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
    let Some(first) = word(4) else { return 0 };
    let (mut at, mut present) = (8, first);
    while present >> 31 == 1 {
        match word(at) {
            Some(next) => present = next,
            None => return 0,
        }
        at += 4;
    }
    if first & 1 != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    if first & 2 == 0 { 0 } else { head.get(at).copied().unwrap_or(0) }
}

pub(super) fn decode(walk: &mut Walk<'_>, retries: &mut Retries) -> Result<Layer, Skip> {
    let head = walk.peek::<24>().ok_or_else(|| {
        // Acknowledgments and clear-to-send are shorter than a data header.
        if walk.rest().first().is_some_and(|b| b & 0x0c != 0x08) {
            Skip::WifiManagement
        } else {
            SHORT
        }
    })?;
    let (control, flags) = (head[0], head[1]);
    // Version 0, type data (2)
    if control & 0x03 != 0 {
        return Err(Skip::MalformedLink);
    }
    if control & 0x0c != 0x08 {
        return Err(Skip::WifiManagement);
    }
    let subtype = control >> 4;
    // Null frames carry no data
    if subtype & 0x04 != 0 {
        return Err(Skip::WifiManagement);
    }
    if flags & 0x40 != 0 {
        return Err(Skip::Encrypted);
    }
    let mut transmitter = [0; 6];
    transmitter.copy_from_slice(&head[10..16]);
    if retries.seen(transmitter, u16::from_le_bytes([head[22], head[23]]), flags & 0x08 != 0) {
        return Err(Skip::WifiRetry);
    }
    let qos = subtype & 0x08 != 0;
    let four_addresses = flags & 0x03 == 0x03;
    let mut len = 24 + if four_addresses { 6 } else { 0 };
    let mut aggregated = false;
    if qos {
        // QoS control: bit 7 says that the body is an A-MSDU (IEEE 802.11-2020 9.2.4.5)
        aggregated = walk.rest().get(len).is_some_and(|b| b & 0x80 != 0);
        len += 2;
        // +HTC/Order
        len += if flags & 0x80 != 0 { 4 } else { 0 };
    }
    walk.pass(len, SHORT)?;
    if aggregated {
        // Subframe: destination, source, length, LLC. The first one is read.
        let sub = walk.take::<14>(SHORT)?;
        walk.bound(usize::from(u16::from_be_bytes([sub[12], sub[13]])));
    }
    Ok(Layer::Llc)
}
