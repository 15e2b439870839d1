//! Record batches (magic 2) and the message sets before them (magic 0 and 1).

use super::super::unpack::{Compression, unpack};
use super::super::{ContentSink, Reason};
use super::wire::Reader;
use crate::syntax::ElementError;
use zeroize::Zeroizing;

/// Offset and length, which both begin with.
const FRONT: usize = 12;
/// Offset of the magic in both.
const MAGIC: usize = 16;
/// Bytes of a record batch before its records.
pub const HEAD: usize = 61;
/// Shortest message of a set behind its length: checksum, magic, attributes, no key, no value.
const MIN_MESSAGE: usize = 14;
/// Largest batch that is read, bytes (`max.message.bytes` is 1 MiB by default).
pub const MAX_BATCH: usize = 3 << 20;
/// Largest plausible batch, bytes.
const MAX_LENGTH: usize = 256 << 20;

/// Compression in the attributes.
const CODEC: u8 = 7;
/// A batch of transaction markers.
const CONTROL: u8 = 0x20;

/// The content of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    pub key: &'a [u8],
    pub value: &'a [u8],
    /// Names and values, as on the wire.
    pub headers: Headers<'a>,
}

/// The headers of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Headers<'a> {
    count: u64,
    data: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        let mut reader = Reader::new(self.data);
        let name = reader.measured().ok()??;
        let value = reader.measured().ok()?.unwrap_or_default();
        self.data = self.data.get(reader.used()..)?;
        Some((name, value))
    }
}

/// Length of the batch or message at the front of `data`.
pub fn size(data: &[u8]) -> Result<usize, ElementError> {
    let mut reader = Reader::new(data);
    reader.bytes(8)?;
    let len = usize::try_from(reader.i32()?).map_err(|_| ElementError::Malformed)?;
    if !(MIN_MESSAGE..=MAX_LENGTH).contains(&len) {
        return Err(ElementError::Malformed);
    }
    Ok(FRONT + len)
}

/// Whether a record batch begins at `data`, which contains its whole head.
pub fn begins(data: &[u8]) -> bool {
    let Some(head) = data.first_chunk::<HEAD>() else { return false };
    let word = |at: usize| {
        head.get(at..).and_then(|d| d.first_chunk::<4>()).map_or(-1, |w| i32::from_be_bytes(*w))
    };
    let (last, count) = (word(23), word(57));
    head[0] == 0
        && usize::try_from(word(8)).is_ok_and(|len| (HEAD - FRONT..=MAX_LENGTH).contains(&len))
        && head[MAGIC] == 2
        && head[21] == 0
        && head[22] & CODEC <= 4
        && head[22] < 0x80
        && head[27] == 0
        && head[28] == 0
        && last >= 0
        && count > 0
        && count - 1 <= last
}

/// The first record batch in `data` whose head is complete.
pub fn find(data: &[u8]) -> Option<usize> {
    memchr::memchr_iter(2, data.get(MAGIC..)?).find(|at| data.get(*at..).is_some_and(begins))
}

/// The records of a batch.
pub enum Records<'a> {
    Batch { rest: &'a [u8], left: u64 },
    Set(&'a [u8]),
}

impl<'a> Records<'a> {
    /// Opens the batch or message `data`; decompressed bytes go to `room`. Reports to `sink` why a part is not read.
    pub fn open(
        data: &'a [u8],
        room: &'a mut Zeroizing<Vec<u8>>,
        sink: &mut dyn ContentSink,
    ) -> Self {
        const NOTHING: Records<'static> = Records::Set(&[]);
        if data.get(MAGIC) == Some(&2) {
            let (Some(attributes), Some(body)) = (data.get(22), data.get(HEAD..)) else {
                sink.anomaly(Reason::Malformed);
                return NOTHING;
            };
            if attributes & CONTROL != 0 {
                return NOTHING;
            }
            let count = data.get(57..).and_then(|d| d.first_chunk::<4>()).copied();
            let left = count.map_or(0, u32::from_be_bytes).into();
            let rest = opened(attributes & CODEC, body, room, sink);
            return Records::Batch { rest, left };
        }
        match message(data) {
            Some((_, 0, _)) => Records::Set(data),
            Some((_, codec, record)) => Records::Set(opened(codec, record.value, room, sink)),
            None => {
                sink.anomaly(Reason::Malformed);
                NOTHING
            }
        }
    }
}

/// Whether the records of the batch or message `data` are compressed.
pub fn is_packed(data: &[u8]) -> bool {
    match data.get(MAGIC) {
        Some(2) => data.get(22).is_some_and(|attributes| attributes & CODEC != 0),
        _ => message(data).is_some_and(|(_, codec, _)| codec != 0),
    }
}

fn opened<'a>(
    codec: u8,
    body: &'a [u8],
    room: &'a mut Zeroizing<Vec<u8>>,
    sink: &mut dyn ContentSink,
) -> &'a [u8] {
    room.clear();
    let compression = match codec {
        0 => return body,
        1 => Ok(Compression::Gzip),
        2 => Ok(Compression::Snappy),
        3 => Ok(Compression::Lz4),
        4 => Ok(Compression::Zstd),
        _ => Err(Reason::Unsupported),
    };
    if let Err(reason) = compression.and_then(|how| unpack(how, body, room, sink)) {
        sink.anomaly(reason);
    }
    room
}

/// A message of a set: its length, its compression and its content.
fn message(data: &[u8]) -> Option<(usize, u8, Record<'_>)> {
    let len = size(data).ok()?;
    let mut reader = Reader::new(data.get(..len).unwrap_or(data));
    reader.bytes(MAGIC).ok()?;
    let &[magic, attributes] = reader.bytes(2).ok()? else { return None };
    reader.bytes(if magic == 0 { 0 } else { 8 }).ok()?;
    let mut field = || match usize::try_from(reader.i32().ok()?) {
        Ok(len) => reader.bytes(len).ok(),
        Err(_) => Some(&[][..]),
    };
    let (key, value) = (field()?, field()?);
    (magic < 2).then_some((
        len,
        attributes & CODEC,
        Record { key, value, headers: Headers::default() },
    ))
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        match self {
            Self::Set(rest) => {
                let (len, codec, record) = message(rest)?;
                *rest = rest.get(len..).unwrap_or_default();
                // Sets nest one level deep.
                (codec == 0).then_some(record)
            }
            Self::Batch { rest, left } => {
                *left = left.checked_sub(1)?;
                let mut reader = Reader::new(rest);
                let record = reader.measured().ok()??;
                *rest = rest.get(reader.used()..)?;
                let mut reader = Reader::new(record);
                reader.bytes(1).ok()?;
                reader.signed().ok()?;
                reader.signed().ok()?;
                let key = reader.measured().ok()?.unwrap_or_default();
                let value = reader.measured().ok()?.unwrap_or_default();
                let count = reader.signed().unwrap_or(0);
                let data = record.get(reader.used()..).unwrap_or_default();
                let headers = Headers { count: u64::try_from(count).unwrap_or(0), data };
                Some(Record { key, value, headers })
            }
        }
    }
}
