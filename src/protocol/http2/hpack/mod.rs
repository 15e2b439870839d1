//! Header compression (RFC 7541), as far as a passive reader needs it.
//!
//! The table sizes that the two ends agree on are not checked: an encoder announces changes in its blocks. After a
//! loss the table is empty and old indices are invalid; those fields are skipped.

mod huffman;
mod table;

#[cfg(test)]
mod tests;

use crate::protocol::http::head::is_api_key;
use table::{Named, Table};

/// Most bytes of all fields of a list that are passed on: one byte of a block can stand for a field of 4 KiB.
pub const MAX_LIST: usize = 256 << 10;

/// Fields of interest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name {
    /// `:authority`
    Authority,
    /// `:method`
    Method,
    /// `:path`
    Path,
    /// `:protocol` (RFC 8441)
    Protocol,
    /// `:status`
    Status,
    /// `authorization`
    Authorization,
    /// `content-disposition`
    ContentDisposition,
    /// `content-encoding`
    ContentEncoding,
    /// `content-type`
    ContentType,
    /// `cookie`
    Cookie,
    /// `grpc-encoding`, `connect-content-encoding`
    GrpcEncoding,
    /// `host`
    Host,
    /// `sec-websocket-extensions`
    Extensions,
    /// `server`
    Server,
    /// `content-length`
    ContentLength,
    /// `content-range`
    ContentRange,
    /// `etag`
    Etag,
    /// `last-modified`
    LastModified,
    /// `proxy-authorization`
    ProxyAuthorization,
    /// A header with an API key.
    ApiKey,
    /// Any other.
    Other,
}

impl Name {
    fn of(name: &[u8]) -> Self {
        match name {
            b":authority" => Self::Authority,
            b":method" => Self::Method,
            b":path" => Self::Path,
            b":protocol" => Self::Protocol,
            b":status" => Self::Status,
            b"authorization" => Self::Authorization,
            b"content-disposition" => Self::ContentDisposition,
            b"content-encoding" => Self::ContentEncoding,
            b"content-type" => Self::ContentType,
            b"cookie" => Self::Cookie,
            b"grpc-encoding" => Self::GrpcEncoding,
            b"host" => Self::Host,
            b"sec-websocket-extensions" => Self::Extensions,
            b"server" => Self::Server,
            b"connect-content-encoding" => Self::GrpcEncoding,
            b"content-length" => Self::ContentLength,
            b"content-range" => Self::ContentRange,
            b"etag" => Self::Etag,
            b"last-modified" => Self::LastModified,
            b"proxy-authorization" => Self::ProxyAuthorization,
            name if is_api_key(name) => Self::ApiKey,
            _ => Self::Other,
        }
    }
}

/// A malformed block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HpackError;

/// Decodes the blocks of one direction, in order.
pub struct Decoder {
    table: Table,
    /// Decoded Huffman strings.
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { table: Table::new(), name: Vec::new(), value: Vec::new() }
    }
}

impl Decoder {
    /// Decodes a whole block and passes the fields of interest to `take`.
    pub fn decode(
        &mut self,
        block: &[u8],
        take: &mut dyn FnMut(Name, &[u8]),
    ) -> Result<(), HpackError> {
        let done = self.fields(block, take);
        if done.is_none() {
            // What the rest of it would have added to the table is unknown.
            self.table.clear();
        }
        done.ok_or(HpackError)
    }

    /// Blocks were lost.
    pub fn forget(&mut self) {
        self.table.clear();
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.table.memory() + self.name.capacity() + self.value.capacity()
    }

    fn fields(&mut self, mut block: &[u8], take: &mut dyn FnMut(Name, &[u8])) -> Option<()> {
        let mut left = MAX_LIST;
        let mut give = |name: Name, value: &[u8]| {
            if name != Name::Other && value.len() <= left {
                left -= value.len();
                take(name, value);
            }
        };
        while let Some(first) = block.first() {
            if first & 0x80 != 0 {
                // RFC 7541 6.1: a field of the tables.
                let index = integer(&mut block, 7)?;
                if index == 0 {
                    return None;
                }
                if let Some((named, value)) = self.table.get(index) {
                    give(named.name, value);
                }
                continue;
            }
            if first & 0xe0 == 0x20 {
                // RFC 7541 6.3
                let limit = integer(&mut block, 5)?;
                self.table.resize(limit);
                continue;
            }
            // RFC 7541 6.2.1 with, 6.2.2 and 6.2.3 without indexing.
            let indexed = first & 0x40 != 0;
            let named = match integer(&mut block, if indexed { 6 } else { 4 })? {
                0 => {
                    let name = string(&mut block)?.decode(&mut self.name)?;
                    Named { name: Name::of(name), len: name.len() }
                }
                index => match self.table.get(index) {
                    Some((named, _)) => named,
                    None => Named { name: Name::Other, len: 0 },
                },
            };
            let value = string(&mut block)?;
            if indexed || named.name != Name::Other {
                let value = value.decode(&mut self.value)?;
                give(named.name, value);
                if indexed {
                    self.table.insert(named, value);
                }
            }
        }
        Some(())
    }
}

/// A string in a block.
struct Coded<'a> {
    huffman: bool,
    bytes: &'a [u8],
}

impl<'a> Coded<'a> {
    fn decode<'b>(&self, room: &'b mut Vec<u8>) -> Option<&'b [u8]>
    where
        'a: 'b,
    {
        if !self.huffman {
            return Some(self.bytes);
        }
        room.clear();
        huffman::decode(self.bytes, room)?;
        Some(room)
    }
}

/// RFC 7541 5.2.
fn string<'a>(block: &mut &'a [u8]) -> Option<Coded<'a>> {
    let huffman = block.first()? & 0x80 != 0;
    let len = integer(block, 7)?;
    let (bytes, rest) = block.split_at_checked(len)?;
    *block = rest;
    Some(Coded { huffman, bytes })
}

/// RFC 7541 5.1: an integer whose first byte has `prefix` bits of it; at most 28 more bits are accepted, which is
/// always enough.
fn integer(block: &mut &[u8], prefix: u32) -> Option<usize> {
    let (first, mut rest) = block.split_first()?;
    let mask = (1usize << prefix) - 1;
    let mut value = usize::from(*first) & mask;
    if value == mask {
        let mut shift = 0;
        loop {
            let (byte, after) = rest.split_first()?;
            rest = after;
            value += usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            if shift >= 28 {
                return None;
            }
        }
    }
    *block = rest;
    Some(value)
}
