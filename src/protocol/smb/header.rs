//! The fixed parts of SMB2 messages (MS-SMB2 2.2). All numbers are little-endian.

/// Length of the header (2.2.1).
pub(super) const HEADER: usize = 64;
/// Protocol identifiers at the front of a message (2.2.1, 2.2.41, 2.2.42; MS-CIFS 2.2.3.1).
pub(super) const SMB2: [u8; 4] = *b"\xfeSMB";
pub(super) const SMB1: [u8; 4] = *b"\xffSMB";
pub(super) const ENCRYPTED: [u8; 4] = *b"\xfdSMB";
pub(super) const COMPRESSED: [u8; 4] = *b"\xfcSMB";
/// `SMB_COM_NEGOTIATE`, with which a client may ask for SMB2 (MS-SMB2 3.3.5.3).
pub(super) const SMB1_NEGOTIATE: u8 = 0x72;

/// Commands that are read (2.2.1.2).
pub(super) const SESSION_SETUP: u16 = 1;
pub(super) const TREE_CONNECT: u16 = 3;
pub(super) const CREATE: u16 = 5;
pub(super) const CLOSE: u16 = 6;
pub(super) const READ: u16 = 8;
pub(super) const WRITE: u16 = 9;
/// The last command, `SERVER_TO_CLIENT_NOTIFICATION`.
const LAST_COMMAND: u16 = 0x13;

const FLAG_RESPONSE: u32 = 1;
const FLAG_ASYNC: u32 = 2;
const FLAG_RELATED: u32 = 4;

/// `STATUS_PENDING`: the final response comes later (3.3.4.4).
pub(super) const PENDING: u32 = 0x103;
/// `STATUS_BUFFER_OVERFLOW`: there is more than was read.
pub(super) const OVERFLOW: u32 = 0x8000_0005;

/// In place of a handle: the one of the request before (2.2.1.2, 3.3.5.2.7.2).
pub(super) const RELATED: [u8; 16] = [0xff; 16];

/// The fields of a header that are used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) status: u32,
    pub(super) command: u16,
    flags: u32,
    /// Offset of the next message of a compound, from this header on; 0 in the last.
    pub(super) next: u32,
    pub(super) message: u64,
    pub(super) tree: u32,
    pub(super) session: u64,
}

impl Header {
    /// Reads the header at the front of `data`.
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let head = data.get(..HEADER)?;
        let command = u16_at(head, 12)?;
        let known = head.starts_with(&SMB2) && u16_at(head, 4)? == 64 && command <= LAST_COMMAND;
        known.then_some(Self {
            status: u32_at(head, 8)?,
            command,
            flags: u32_at(head, 16)?,
            next: u32_at(head, 20)?,
            message: u64_at(head, 24)?,
            tree: u32_at(head, 36)?,
            session: u64_at(head, 40)?,
        })
    }

    pub(super) const fn is_response(&self) -> bool {
        self.flags & FLAG_RESPONSE != 0
    }

    pub(super) const fn is_related(&self) -> bool {
        self.flags & FLAG_RELATED != 0
    }

    /// Whether it is the final response to a request, not an interim one.
    pub(super) const fn is_final(&self) -> bool {
        !(self.status == PENDING && self.flags & FLAG_ASYNC != 0)
    }

    /// Bytes of the body that are needed to read it; `None` if it is not read.
    pub(super) const fn fixed(&self) -> Option<usize> {
        Some(match (self.command, self.is_response()) {
            (SESSION_SETUP, true) => 4,
            (TREE_CONNECT, _) => 8,
            (CREATE, false) => 56,
            (CREATE, true) => 80,
            (CLOSE, false) => 24,
            // A failed response has a body of 8 bytes (2.2.2).
            (CLOSE, true) => 8,
            (READ, true) => 16,
            (READ | WRITE, false) => 48,
            _ => return None,
        })
    }
}

/// Number of two bytes at `at`.
pub(super) fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// Number of four bytes at `at`.
pub(super) fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// Number of eight bytes at `at`.
pub(super) fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// Handle at `at`.
pub(super) fn handle_at(data: &[u8], at: usize) -> Option<[u8; 16]> {
    data.get(at..)?.first_chunk().copied()
}

/// Text in UTF-16, cut to `max` bytes.
pub(super) fn text(data: &[u8], max: usize) -> String {
    let units = data.chunks_exact(2).map(|c| match c {
        [low, high] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    });
    let mut text = String::new();
    for c in char::decode_utf16(units) {
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        if text.len() + c.len_utf8() > max {
            break;
        }
        text.push(c);
    }
    text
}
