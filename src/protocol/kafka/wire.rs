//! The types of the protocol (KIP-482 for the compact ones), and the headers of requests.

use crate::syntax::ElementError;

/// Longest string or group of tagged fields that is read, bytes.
const MAX_ELEMENT: usize = 32 << 10;
/// Aborted transactions of a partition that are passed over.
const MAX_ABORTED: u64 = 1024;
/// Tagged fields of a structure.
const MAX_TAGS: u64 = 64;
/// Longest name of a client, bytes.
const MAX_CLIENT: usize = 255;
/// Largest plausible request or response, bytes (`socket.request.max.bytes` and `fetch.max.bytes` are 100 MiB or
/// less).
pub const MAX_MESSAGE: usize = 256 << 20;
/// Highest plausible key and version of a request.
const MAX_API: i16 = 127;
const MAX_VERSION: i16 = 31;

pub const PRODUCE: i16 = 0;
pub const FETCH: i16 = 1;
pub const METADATA: i16 = 3;
pub const SASL_HANDSHAKE: i16 = 17;
pub const API_VERSIONS: i16 = 18;
pub const SASL_AUTHENTICATE: i16 = 36;

/// Reads elements from the front of some bytes.
pub struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// Bytes read so far.
    pub const fn used(&self) -> usize {
        self.at
    }

    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], ElementError> {
        let end = self.at.checked_add(len).ok_or(ElementError::Malformed)?;
        let taken = self.data.get(self.at..end).ok_or(ElementError::Need(end))?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ElementError> {
        self.bytes(N)?.first_chunk::<N>().copied().ok_or(ElementError::Need(N))
    }

    pub fn i16(&mut self) -> Result<i16, ElementError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub fn i32(&mut self) -> Result<i32, ElementError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// An unsigned varint: groups of seven bits, the least significant first.
    pub fn varint(&mut self) -> Result<u64, ElementError> {
        let mut value = 0;
        for group in 0..10 {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f).checked_shl(7 * group).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ElementError::Malformed)
    }

    /// A signed varint in zigzag.
    pub fn signed(&mut self) -> Result<i64, ElementError> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Bytes behind their zigzag length; `None` if it is negative.
    pub fn measured(&mut self) -> Result<Option<&'a [u8]>, ElementError> {
        match usize::try_from(self.signed()?) {
            Ok(len) => self.bytes(len).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// A length. In `flexible` versions it is stored plus one, so that 0 is null.
    pub fn length(&mut self, flexible: bool, short: bool) -> Result<Option<u64>, ElementError> {
        if flexible {
            return Ok(self.varint()?.checked_sub(1));
        }
        let len = if short { i32::from(self.i16()?) } else { self.i32()? };
        Ok(u64::try_from(len).ok())
    }

    /// A string; `None` if it is null.
    pub fn string(&mut self, flexible: bool) -> Result<Option<&'a [u8]>, ElementError> {
        match self.length(flexible, true)? {
            None => Ok(None),
            Some(len) if len > MAX_ELEMENT as u64 => Err(ElementError::Malformed),
            Some(len) => self.bytes(len as usize).map(Some),
        }
    }

    /// Passes over tagged fields.
    pub fn tags(&mut self, flexible: bool) -> Result<(), ElementError> {
        if !flexible {
            return Ok(());
        }
        let count = self.varint()?;
        if count > MAX_TAGS {
            return Err(ElementError::Malformed);
        }
        for _ in 0..count {
            self.varint()?;
            let len = self.varint()?;
            if len > MAX_ELEMENT as u64 {
                return Err(ElementError::Malformed);
            }
            self.bytes(len as usize)?;
        }
        Ok(())
    }

    /// Passes over the aborted transactions of a partition.
    pub fn aborted(&mut self, flexible: bool) -> Result<(), ElementError> {
        let count = self.length(flexible, false)?.unwrap_or(0);
        if count > MAX_ABORTED {
            return Err(ElementError::Malformed);
        }
        for _ in 0..count {
            self.bytes(16)?;
            self.tags(flexible)?;
        }
        Ok(())
    }
}

/// The header of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    /// Bytes behind the size.
    pub size: usize,
    pub api: i16,
    pub version: i16,
    pub correlation: i32,
    pub client: Option<&'a [u8]>,
    /// Bytes of the header, including the size.
    pub used: usize,
}

impl<'a> Request<'a> {
    /// Reads the header at the front of `data`.
    pub fn read(data: &'a [u8]) -> Result<Self, ElementError> {
        let mut reader = Reader::new(data);
        let size = usize::try_from(reader.i32()?).map_err(|_| ElementError::Malformed)?;
        if !(10..=MAX_MESSAGE).contains(&size) {
            return Err(ElementError::Malformed);
        }
        let api = reader.i16()?;
        if !(0..=MAX_API).contains(&api) {
            return Err(ElementError::Malformed);
        }
        let version = reader.i16()?;
        if !(0..=MAX_VERSION).contains(&version) {
            return Err(ElementError::Malformed);
        }
        let correlation = reader.i32()?;
        let len = reader.i16()?;
        let client = match usize::try_from(len) {
            Err(_) if len == -1 => None,
            Ok(len) if len <= MAX_CLIENT && len + 10 <= size => Some(reader.bytes(len)?),
            _ => return Err(ElementError::Malformed),
        };
        if correlation < 0 || client.is_some_and(|c| !c.iter().all(|b| matches!(b, b' '..=b'~'))) {
            return Err(ElementError::Malformed);
        }
        if is_flexible(api, version) {
            reader.tags(true)?;
        }
        Ok(Self { size, api, version, correlation, client, used: reader.used() })
    }
}

/// Whether this version of these requests uses compact types and tagged fields.
pub const fn is_flexible(api: i16, version: i16) -> bool {
    match api {
        PRODUCE => version >= 9,
        FETCH => version >= 12,
        API_VERSIONS => version >= 3,
        SASL_AUTHENTICATE => version >= 2,
        _ => false,
    }
}
