//! IEEE 802.11: unencrypted data frames, with or without radiotap.

use super::Skip;
use super::walk::{Layer, Walk};

const SHORT: Skip = Skip::TruncatedLink;
/// Transmitters whose last sequence number is remembered, to suppress retransmissions.
const RETRY_SLOTS: usize = 256;

/// Subframes of one aggregate that are read.
const MAX_SUBFRAMES: usize = 64;

/// State between frames.
pub(super) struct Wifi {
    /// The last frame seen of each transmitter, in a small table that forgets on collision.
    last: Box<[([u8; 6], u16)]>,
    /// Positions of further subframes of this frame, the last one first.
    subframes: Vec<(usize, usize)>,
}

impl Default for Wifi {
    fn default() -> Self {
        Self { last: vec![([0; 6], u16::MAX); RETRY_SLOTS].into(), subframes: Vec::new() }
    }
}

impl Wifi {
    /// Whether this frame is a retransmission of the transmitter's last one.
    fn seen(&mut self, transmitter: [u8; 6], sequence: u16, retry: bool) -> bool {
        let slot = transmitter.iter().fold(0usize, |h, b| (h * 31 + usize::from(*b)) % RETRY_SLOTS);
        let entry = &mut self.last[slot];
        let repeated = retry && *entry == (transmitter, sequence);
        *entry = (transmitter, sequence);
        repeated
    }

    /// The next subframe's start and end in the packet.
    #[inline]
    pub fn take_subframe(&mut self) -> Option<(usize, usize)> {
        self.subframes.pop()
    }

    /// Notes the subframes of an A-MSDU and goes to the first (IEEE 802.11-2020 9.3.2.2): each is destination,
    /// source, length, LLC, and all but the last are padded to four bytes.
    fn aggregate(&mut self, walk: &mut Walk<'_>) -> Result<(), Skip> {
        const HEAD: usize = 14;
        let (rest, base) = (walk.rest(), walk.position());
        let mut at = 0;
        while let Some(head) = rest.get(at..at + HEAD) {
            let len = usize::from(u16::from_be_bytes([head[12], head[13]]));
            let end = (at + HEAD + len).min(rest.len());
            if self.subframes.len() >= MAX_SUBFRAMES {
                break;
            }
            self.subframes.push((base + at + HEAD, base + end));
            at = (at + HEAD + len).next_multiple_of(4);
        }
        self.subframes.reverse();
        let (start, end) = self.subframes.pop().ok_or(SHORT)?;
        walk.pass(start - base, SHORT)?;
        walk.bound(end - start);
        Ok(())
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

pub(super) fn decode(walk: &mut Walk<'_>, wifi: &mut Wifi) -> Result<Layer, Skip> {
    wifi.subframes.clear();
    let head = walk.peek::<24>().ok_or_else(|| {
        // Acknowledgments and clear-to-send are shorter than a data header.
        if walk.rest().first().is_some_and(|b| b & 0x0c != 0x08) {
            Skip::WifiManagement
        } else {
            SHORT
        }
    })?;
    // Some controllers send the two bytes of frame control in the other order (CAPWAP).
    let swapped = head[0] & 0x03 != 0 && head[1] & 0x0f == 0x08;
    let (control, flags) = if swapped { (head[1], head[0]) } else { (head[0], head[1]) };
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
    if wifi.seen(transmitter, u16::from_le_bytes([head[22], head[23]]), flags & 0x08 != 0) {
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
        wifi.aggregate(walk)?;
    }
    Ok(Layer::Llc)
}
