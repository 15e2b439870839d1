//! The packets of TFTP (RFC 1350 5, RFC 2347).

/// Longest file name kept, bytes.
const MAX_PATH: usize = 512;
/// Options read of a packet.
const MAX_OPTIONS: usize = 16;
/// Negotiable block sizes (RFC 2348).
const BLOCKS: std::ops::RangeInclusive<u16> = 8..=65_464;

/// A packet.
pub enum Packet<'a> {
    /// RRQ or WRQ.
    Request(Request),
    /// DATA.
    Data { number: u16, bytes: &'a [u8] },
    /// ACK.
    Acknowledgment,
    /// OACK: the options that the server accepts.
    Agreed { block: Option<u16> },
    /// ERROR: the transfer ends.
    Error,
}

/// A requested or offered file.
#[derive(Clone)]
pub struct Request {
    write: bool,
    /// As the client names it.
    pub path: String,
}

impl Request {
    /// A request, recognised by its mode.
    pub fn read(data: &[u8]) -> Option<Self> {
        let ([0, opcode @ (1 | 2)], rest) = data.split_first_chunk::<2>()? else { return None };
        let (path, rest) = text(rest)?;
        let (mode, rest) = text(rest)?;
        let known = [&b"octet"[..], b"netascii", b"mail"];
        let printable = path.iter().all(|b| *b >= b' ') && !path.is_empty();
        // Options come in pairs of null-terminated strings.
        let ended = rest.last().is_none_or(|b| *b == 0);
        let request = known.iter().any(|m| m.eq_ignore_ascii_case(mode)) && printable && ended;
        request.then(|| Self {
            write: *opcode == 2,
            path: String::from_utf8_lossy(path.get(..MAX_PATH).unwrap_or(path)).into_owned(),
        })
    }

    /// As in `phi.operation`.
    pub const fn operation(&self) -> &'static str {
        if self.write { "WRQ" } else { "RRQ" }
    }
}

impl<'a> Packet<'a> {
    /// The packet in a datagram.
    pub fn read(data: &'a [u8]) -> Option<Self> {
        let ([0, opcode], rest) = data.split_first_chunk::<2>()? else { return None };
        match opcode {
            1 | 2 => Request::read(data).map(Self::Request),
            3 => {
                let (number, bytes) = rest.split_first_chunk::<2>()?;
                Some(Self::Data { number: u16::from_be_bytes(*number), bytes })
            }
            4 => Some(Self::Acknowledgment),
            5 => Some(Self::Error),
            6 => Some(Self::Agreed { block: block(rest) }),
            _ => None,
        }
    }
}

/// The block size among the options.
fn block(mut options: &[u8]) -> Option<u16> {
    for _ in 0..MAX_OPTIONS {
        let (name, rest) = text(options)?;
        let (value, rest) = text(rest)?;
        if name.eq_ignore_ascii_case(b"blksize") {
            let size = std::str::from_utf8(value).ok()?.parse().ok()?;
            return BLOCKS.contains(&size).then_some(size);
        }
        options = rest;
    }
    None
}

/// A null-terminated text, and the bytes behind it.
fn text(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(0, data)?;
    Some((data.get(..end)?, data.get(end + 1..)?))
}
