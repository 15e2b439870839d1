//! Frame headers (RFC 6455 5.2).

/// Longest header, bytes: two, a length of eight, a mask of four.
pub const MAX_HEADER: usize = 14;

/// Longest payload of a control frame, bytes (RFC 6455 5.5).
const MAX_CONTROL: u64 = 125;

/// The type of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Continues a message.
    Continuation,
    /// Starts a message of text or bytes.
    Message,
    /// The last frame of a direction.
    Close,
    /// Ping or pong.
    Control,
}

/// A frame's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The type of the frame.
    pub kind: Kind,
    /// It ends its message.
    pub last: bool,
    /// RSV1: the message is compressed (RFC 7692 6).
    pub compressed: bool,
    /// Masking key; zeros if there is none, which change nothing.
    pub mask: [u8; 4],
    /// Length of the payload, bytes.
    pub len: u64,
}

/// Length of the header that starts with `bytes`; 2 if fewer than two bytes are available.
pub fn length(bytes: &[u8]) -> usize {
    let Some(second) = bytes.get(1) else { return 2 };
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + extended + if second & 0x80 == 0 { 0 } else { 4 }
}

/// Reads a complete header; `None` if it is malformed.
pub fn parse(bytes: &[u8]) -> Option<Header> {
    let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
    let (len, rest) = match second & 0x7f {
        126 => {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            (u64::from(u16::from_be_bytes(*len)), rest)
        }
        127 => {
            let (len, rest) = rest.split_first_chunk::<8>()?;
            (u64::from_be_bytes(*len), rest)
        }
        short => (u64::from(short), rest),
    };
    let mask = if second & 0x80 == 0 { [0; 4] } else { *rest.first_chunk::<4>()? };
    let kind = match first & 0x0f {
        0 => Kind::Continuation,
        1 | 2 => Kind::Message,
        8 => Kind::Close,
        9 | 10 => Kind::Control,
        _ => return None,
    };
    let (last, compressed) = (first & 0x80 != 0, first & 0x40 != 0);
    let control = matches!(kind, Kind::Close | Kind::Control);
    // The top bit of a length is zero; control frames are short and not fragmented; no extension uses RSV2 and RSV3,
    // and RSV1 is set on the first frame of a message only.
    let sound = len >> 63 == 0
        && first & 0x30 == 0
        && (!control || (last && len <= MAX_CONTROL))
        && (!compressed || kind == Kind::Message);
    sound.then_some(Header { kind, last, compressed, mask, len })
}
