//! Values in XDR (RFC 4506): big-endian, in units of four bytes.

use crate::syntax::ElementError;

/// Reads consecutive values of a message.
#[derive(Clone)]
pub(super) struct Xdr<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Xdr<'a> {
    /// From the first byte of `data` on.
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// Bytes read so far.
    pub(super) const fn position(&self) -> usize {
        self.at
    }

    /// The next `len` bytes, without padding.
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], ElementError> {
        let end = self.at.checked_add(len).ok_or(ElementError::Malformed)?;
        let bytes = self.data.get(self.at..end).ok_or(ElementError::Need(end))?;
        self.at = end;
        Ok(bytes)
    }

    /// An unsigned integer.
    pub(super) fn u32(&mut self) -> Result<u32, ElementError> {
        let bytes = self.bytes(4)?;
        Ok(bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
    }

    /// An unsigned hyper integer.
    pub(super) fn u64(&mut self) -> Result<u64, ElementError> {
        Ok(u64::from(self.u32()?) << 32 | u64::from(self.u32()?))
    }

    /// A boolean.
    pub(super) fn bool(&mut self) -> Result<bool, ElementError> {
        match self.u32()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(ElementError::Malformed),
        }
    }

    /// Opaque bytes or a string of at most `max` bytes, with their length and padding.
    pub(super) fn opaque(&mut self, max: usize) -> Result<&'a [u8], ElementError> {
        let len = self.u32()? as usize;
        if len > max {
            return Err(ElementError::Malformed);
        }
        let bytes = self.bytes(len)?;
        self.bytes(len.next_multiple_of(4) - len)?;
        Ok(bytes)
    }
}
