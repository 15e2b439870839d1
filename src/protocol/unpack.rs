//! Decompresses parts of messages that a protocol must read itself: gzip, snappy (bare, and in the blocks of its Java
//! library), LZ4 frames, Zstandard.

use super::{ContentSink, Reason};
use crate::syntax::zstd;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::Read;

/// Largest decompressed part, bytes.
const MAX_OUTPUT: usize = 8 << 20;
/// The work of taking a record out of a decompressed part and handing it on, beside that of reading it.
pub const UNPACKED_RECORD: u64 = 64;
/// Bytes decompressed at a time.
const PIECE: usize = 32 << 10;
/// Magic of the blocks of the Java library; version numbers follow (snappy-java).
const BLOCKS: &[u8] = b"\x82SNAPPY\0";
const BLOCKS_HEAD: usize = 16;

/// How a part is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// Appends the decompressed `data` to `out`. Bytes decompressed before an error stay there.
pub fn unpack(
    compression: Compression,
    data: &[u8],
    out: &mut Vec<u8>,
    sink: &mut dyn ContentSink,
) -> Result<(), Reason> {
    match compression {
        Compression::Gzip => pour(flate2::read::MultiGzDecoder::new(data), out, sink),
        Compression::Snappy => snappy(data, out, sink),
        Compression::Lz4 => pour(lz4_flex::frame::FrameDecoder::new(data), out, sink),
        Compression::Zstd => {
            let mut frame = FrameDecoder::new();
            frame.set_max_window_size(zstd::MAX_WINDOW);
            let decoder = StreamingDecoder::new_with_decoder(data, frame);
            pour(decoder.map_err(|_| Reason::Malformed)?, out, sink)
        }
    }
}

/// Reads `from` to its end, as far as the budget allows.
fn pour(mut from: impl Read, out: &mut Vec<u8>, sink: &mut dyn ContentSink) -> Result<(), Reason> {
    while out.len() < MAX_OUTPUT {
        if !sink.spend(PIECE as u64) {
            return Err(Reason::Budget);
        }
        let before = out.len();
        let read = from.by_ref().take(PIECE as u64).read_to_end(out);
        read.map_err(|_| Reason::Malformed)?;
        if out.len() == before {
            return Ok(());
        }
    }
    Err(Reason::Limit)
}

fn snappy(data: &[u8], out: &mut Vec<u8>, sink: &mut dyn ContentSink) -> Result<(), Reason> {
    if !data.starts_with(BLOCKS) {
        return block(data, out, sink);
    }
    let mut rest = data.get(BLOCKS_HEAD..).unwrap_or_default();
    while let Some((len, tail)) = rest.split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*len) as usize;
        let (packed, tail) = tail.split_at_checked(len).ok_or(Reason::Malformed)?;
        block(packed, out, sink)?;
        rest = tail;
    }
    Ok(())
}

fn block(data: &[u8], out: &mut Vec<u8>, sink: &mut dyn ContentSink) -> Result<(), Reason> {
    let len = snap::raw::decompress_len(data).map_err(|_| Reason::Malformed)?;
    let before = out.len();
    if before + len > MAX_OUTPUT {
        return Err(Reason::Limit);
    }
    if !sink.spend(len as u64) {
        return Err(Reason::Budget);
    }
    out.resize(before + len, 0);
    let room = out.get_mut(before..).unwrap_or_default();
    match snap::raw::Decoder::new().decompress(data, room) {
        Ok(_) => Ok(()),
        Err(_) => {
            out.truncate(before);
            Err(Reason::Malformed)
        }
    }
}
