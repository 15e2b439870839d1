//! Frame headers (RFC 9113 4.1 and 6), and how to find one again.

use crate::protocol::Direction;
use crate::syntax::Search;

/// Length of a frame header, bytes.
pub const HEADER: usize = 9;

/// The largest payload unless the receiver allows more (RFC 9113 6.5.2), bytes.
pub const DEFAULT_MAX: u32 = 16 << 10;

/// RFC 9113 6.1
pub const DATA: u8 = 0;
/// RFC 9113 6.2
pub const HEADERS: u8 = 1;
/// RFC 9113 6.3
pub const PRIORITY: u8 = 2;
/// RFC 9113 6.4
pub const RST_STREAM: u8 = 3;
/// RFC 9113 6.5
pub const SETTINGS: u8 = 4;
/// RFC 9113 6.6
pub const PUSH_PROMISE: u8 = 5;
/// RFC 9113 6.7
pub const PING: u8 = 6;
/// RFC 9113 6.8
pub const GOAWAY: u8 = 7;
/// RFC 9113 6.9
pub const WINDOW_UPDATE: u8 = 8;
/// RFC 9113 6.10
pub const CONTINUATION: u8 = 9;

/// The last frame of the stream.
pub const END_STREAM: u8 = 1;
/// Acknowledges settings or answers a ping.
pub const ACK: u8 = 1;
/// The block is complete.
pub const END_HEADERS: u8 = 4;
/// The length of the padding comes first.
pub const PADDED: u8 = 8;
/// Priority fields come before the block.
pub const PRIORITIZED: u8 = 0x20;

/// A frame's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Length of the payload, 24 bits.
    pub len: u32,
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream; 0: the connection.
    pub stream: u32,
}

impl Header {
    /// Reads the header at the start of `data`; `None` if it is incomplete.
    pub fn read(data: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, d, e, f, g] = data.first_chunk::<HEADER>()?;
        Some(Self {
            len: u32::from_be_bytes([0, a, b, c]),
            kind,
            flags,
            // The highest bit is reserved and ignored.
            stream: u32::from_be_bytes([d & 0x7f, e, f, g]),
        })
    }

    /// Whether `flag` is set.
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether it obeys the rules whose violation ends a connection (RFC 9113 5.4.1).
    pub fn is_sound(&self) -> bool {
        match self.kind {
            DATA | HEADERS | PUSH_PROMISE | CONTINUATION => self.stream != 0,
            PRIORITY => self.stream != 0 && self.len == 5,
            RST_STREAM => self.stream != 0 && self.len == 4,
            SETTINGS => self.stream == 0 && self.len.is_multiple_of(6),
            PING => self.stream == 0 && self.len == 8,
            GOAWAY => self.stream == 0 && self.len >= 8,
            WINDOW_UPDATE => self.len == 4,
            // RFC 9113 4.1: unknown types are ignored.
            _ => true,
        }
    }

    /// Whether a header among unknown bytes is plausible: nothing unusual, and at most `max` bytes of payload.
    pub fn is_plausible(&self, direction: Option<Direction>, max: u32) -> bool {
        let (flags, small) = match self.kind {
            DATA => (END_STREAM | PADDED, true),
            HEADERS => (END_STREAM | END_HEADERS | PADDED | PRIORITIZED, self.len > 0),
            PRIORITY | RST_STREAM | WINDOW_UPDATE => (0, true),
            SETTINGS => (ACK, self.len <= 192 && (self.len == 0 || !self.has(ACK))),
            PUSH_PROMISE => {
                (END_HEADERS | PADDED, self.len > 4 && direction != Some(Direction::ClientToServer))
            }
            PING => (ACK, true),
            GOAWAY => (0, self.len <= 1024),
            _ => return false,
        };
        self.is_sound() && self.flags & !flags == 0 && small && self.len <= max
    }
}

/// Finds the first of `count` consecutive frames. `last`: nothing follows `data`, so the last of them may be cut.
pub fn find(
    direction: Option<Direction>,
    data: &[u8],
    max: u32,
    count: usize,
    last: bool,
) -> Search {
    let mut perhaps = None;
    'starts: for start in 0..data.len() {
        let mut at = start;
        for _ in 0..count {
            let rest = data.get(at..).unwrap_or_default();
            let Some(header) = Header::read(rest) else {
                // A sequence of frames that ends with the available bytes is accepted.
                if last && at > start && rest.is_empty() {
                    return Search::Found(start, ());
                }
                if at > start || !rest.is_empty() {
                    perhaps = perhaps.or(Some((start, at + HEADER - start)));
                }
                continue 'starts;
            };
            let bit = rest.get(5).is_some_and(|b| b & 0x80 != 0);
            if bit || !header.is_plausible(direction, max) {
                continue 'starts;
            }
            at += HEADER + header.len as usize;
        }
        return Search::Found(start, ());
    }
    perhaps.map_or(Search::None, |(at, need)| Search::Perhaps { at, need })
}
