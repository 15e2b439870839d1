//! One interface over the decoders of the libraries: pieces in, pieces out, bounded memory.

use super::super::{INFLATER, LARGE_DECODER};
use super::Coding;
use super::chunks::Chunks;
use super::gzip::Gzip;
use super::lzw::Lzw;
use super::window::{SpareWindow, Windows};
use crate::syntax::zstd;
use brotli_decompressor::{
    BrotliDecompressStream, BrotliResult, BrotliState, HuffmanCode, SliceWrapper, StandardAlloc,
};
use flate2::{Decompress, FlushDecompress, Status};
use lzma_rust2::{Action, Status as XzStatus, XzStream};
use ruzstd::decoding::FrameDecoder;

type Brotli = BrotliState<Windows, StandardAlloc, StandardAlloc>;

/// The largest zstd block with its header, a frame header and a checksum (RFC 8878 3.1.1.2.3).
const ZSTD_UNIT: usize = (128 << 10) + 3 + 18 + 4;

/// What the library keeps of a zstd frame: a window, and one block that was not collected yet, in a
/// buffer that doubles.
const ZSTD_BUFFER: usize = 2 * (zstd::MAX_WINDOW as usize + (128 << 10));

/// Tables of a zstd decoder, and its literals.
const ZSTD_TABLES: usize = 256 << 10;

/// Tables of a brotli decoder that each has.
const BROTLI_TABLES: usize = 32 << 10;

/// Largest dictionary of xz, KiB: what `xz -6` uses, and more than files of records are made with.
const XZ_MEMORY: u32 = 16 << 10;

/// What a bzip2 decoder holds of a block of 900 kB, in its slower way.
const BZIP2_BLOCK: usize = 2300 << 10;

/// Bytes of brotli that are decoded at a time.
const BROTLI_PIECE: usize = 256;

/// What came of one step.
pub(super) enum DecodeStep {
    /// So many bytes were decoded; there may be more.
    Output(usize),
    /// More input is needed.
    Starved,
    /// The coded data has ended; what follows is not part of it.
    Done,
    /// It breaks the rules of its coding.
    Malformed,
}

/// A decoder with its state.
pub(super) enum Decoder {
    /// Zlib or bare deflate: the first two bytes decide.
    Undecided(Vec<u8>),
    Inflate {
        state: Box<Decompress>,
        gzip: Option<Gzip>,
        ended: bool,
    },
    Brotli {
        state: Box<Brotli>,
        ended: bool,
    },
    Zstd(Box<Zstd>),
    Chunks(Chunks),
    Lzw(Box<Lzw>),
    Bzip2 {
        state: Box<bzip2::Decompress>,
        ended: bool,
    },
    Xz {
        state: Box<XzStream>,
        ended: bool,
    },
}

/// The library wants whole blocks: `input` holds what is not yet one.
pub(super) struct Zstd {
    frame: FrameDecoder,
    input: Vec<u8>,
    started: bool,
    /// The last block was decoded; only a checksum follows.
    last: bool,
}

impl Decoder {
    /// A decoder, which may use `spare`.
    pub(super) fn new(coding: Coding, spare: &mut SpareWindow) -> Self {
        match coding {
            Coding::Gzip => Self::inflate(Decompress::new(false), Some(Gzip::default())),
            Coding::Deflate => Self::Undecided(Vec::new()),
            Coding::Brotli => Self::Brotli {
                state: Box::new(BrotliState::new(
                    Windows { spare: std::mem::take(spare) },
                    StandardAlloc::default(),
                    StandardAlloc::default(),
                )),
                ended: false,
            },
            Coding::Chunks => Self::Chunks(Chunks::default()),
            Coding::Compress => Self::Lzw(Box::default()),
            Coding::Bzip2 => {
                Self::Bzip2 { state: Box::new(bzip2::Decompress::new(true)), ended: false }
            }
            Coding::Xz => Self::Xz {
                state: Box::new(XzStream::new_mem_limit(false, XZ_MEMORY)),
                ended: false,
            },
            Coding::Zstd => {
                let mut frame = FrameDecoder::new();
                frame.set_max_window_size(zstd::MAX_WINDOW);
                Self::Zstd(Box::new(Zstd { frame, input: Vec::new(), started: false, last: false }))
            }
        }
    }

    /// Ends decoding. What another decoder can use goes to `spare`.
    pub(super) fn retire(self, spare: &mut SpareWindow) {
        if let Self::Brotli { mut state, .. } = self {
            spare.keep(std::mem::take(&mut state.ringbuffer));
            spare.keep(std::mem::take(&mut state.alloc_u8.spare).into_memory());
        }
    }

    fn inflate(state: Decompress, gzip: Option<Gzip>) -> Self {
        Self::Inflate { state: Box::new(state), gzip, ended: false }
    }

    /// Decodes from `input` into `output`; how much of `input` was used, and what came of it.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> (usize, DecodeStep) {
        match self {
            Self::Undecided(first) => {
                let want = 2 - first.len().min(2);
                let (taken, _) = input.split_at(want.min(input.len()));
                first.extend_from_slice(taken);
                let used = taken.len();
                let &[cmf, flg, ..] = first.as_slice() else {
                    return (used, DecodeStep::Starved);
                };
                // RFC 1950 2.2: method 8, window at most 32 KiB, a multiple of 31.
                let zlib = cmf & 0x0f == 8
                    && cmf >> 4 <= 7
                    && (u16::from(cmf) << 8 | u16::from(flg)).is_multiple_of(31);
                let first = [cmf, flg];
                *self = Self::inflate(Decompress::new(zlib), None);
                // Two bytes of input never fill `output`.
                match self.step(&first, output) {
                    (_, DecodeStep::Starved) => (used, DecodeStep::Output(0)),
                    (_, step) => (used, step),
                }
            }
            Self::Inflate { state, gzip, ended } => inflate(state, gzip, ended, input, output),
            Self::Brotli { state, ended } => unbrotli(state, ended, input, output),
            Self::Zstd(zstd) => zstd.step(input, output),
            Self::Chunks(chunks) => chunks.step(input, output),
            Self::Lzw(lzw) => lzw.step(input, output),
            Self::Bzip2 { state, ended } => unbzip2(state, ended, input, output),
            Self::Xz { state, ended } => unxz(state, ended, input, output),
        }
    }

    /// Whether the end of the coded data was reached.
    pub(super) fn at_end(&self) -> bool {
        match self {
            Self::Undecided(_) => false,
            Self::Inflate { ended, .. }
            | Self::Brotli { ended, .. }
            | Self::Bzip2 { ended, .. }
            | Self::Xz { ended, .. } => *ended,
            Self::Lzw(lzw) => lzw.at_end(),
            Self::Zstd(zstd) => zstd.last,
            Self::Chunks(chunks) => chunks.at_end(),
        }
    }

    /// What setting one up costs of the flow's budget.
    pub(super) const fn cost(coding: Coding) -> u64 {
        match coding {
            Coding::Gzip | Coding::Deflate => INFLATER,
            Coding::Brotli | Coding::Zstd | Coding::Compress => LARGE_DECODER,
            Coding::Bzip2 | Coding::Xz => 4 * LARGE_DECODER,
            Coding::Chunks => 0,
        }
    }

    /// Bytes of heap held after `given` bytes of output. Of a window counts what was written to it:
    /// the system gives pages only to what is touched.
    pub(super) fn memory(&self, given: u64) -> usize {
        let touched = usize::try_from(given).unwrap_or(usize::MAX);
        match self {
            Self::Undecided(first) => first.capacity(),
            Self::Chunks(_) => 0,
            Self::Lzw(lzw) => lzw.memory(),
            Self::Bzip2 { .. } => BZIP2_BLOCK,
            Self::Xz { .. } => (XZ_MEMORY as usize * 1024).min(touched + (256 << 10)),
            Self::Inflate { .. } => 48 << 10,
            Self::Brotli { state, .. } => {
                let groups =
                    [&state.literal_hgroup, &state.insert_copy_hgroup, &state.distance_hgroup];
                let codes: usize = groups.iter().map(|group| group.codes.slice().len()).sum();
                size_of::<Brotli>()
                    + BROTLI_TABLES
                    + codes * size_of::<HuffmanCode>()
                    + state.ringbuffer.slice().len().min(touched)
            }
            Self::Zstd(zstd) => ZSTD_TABLES + zstd.input.capacity() + touched.min(ZSTD_BUFFER),
        }
    }
}

fn inflate(
    state: &mut Decompress,
    gzip: &mut Option<Gzip>,
    ended: &mut bool,
    input: &[u8],
    output: &mut [u8],
) -> (usize, DecodeStep) {
    if *ended {
        // RFC 1952 2.2: a gzip file is one or more members; padding with zeros is common.
        match (input.first(), &mut *gzip) {
            (None, _) => return (0, DecodeStep::Starved),
            (Some(0x1f), Some(gzip)) => {
                state.reset(false);
                *gzip = Gzip::default();
                *ended = false;
            }
            (Some(0), Some(_)) => {
                return (input.iter().take_while(|b| **b == 0).count(), DecodeStep::Output(0));
            }
            (Some(_), _) => return (0, DecodeStep::Done),
        }
    }
    if let Some(gzip) = gzip.as_mut().filter(|gzip| !gzip.is_body()) {
        let Some(used) = gzip.read(input) else { return (0, DecodeStep::Malformed) };
        *ended = gzip.is_done();
        return (used, if used == 0 { DecodeStep::Starved } else { DecodeStep::Output(0) });
    }
    let (before_in, before_out) = (state.total_in(), state.total_out());
    let status = state.decompress(input, output, FlushDecompress::None);
    let used = (state.total_in() - before_in) as usize;
    let made = (state.total_out() - before_out) as usize;
    match status {
        // What came before the fault counts, however the bytes were cut.
        Err(_) if made > 0 => (used, DecodeStep::Output(made)),
        Err(_) => (used, DecodeStep::Malformed),
        Ok(Status::StreamEnd) => {
            match gzip {
                Some(gzip) => gzip.end_body(),
                None => *ended = true,
            }
            (used, DecodeStep::Output(made))
        }
        Ok(Status::Ok | Status::BufError) if used == 0 && made == 0 => (0, DecodeStep::Starved),
        Ok(Status::Ok | Status::BufError) => (used, DecodeStep::Output(made)),
    }
}

fn unbzip2(
    state: &mut Box<bzip2::Decompress>,
    ended: &mut bool,
    input: &[u8],
    output: &mut [u8],
) -> (usize, DecodeStep) {
    if *ended {
        // A file is one or more streams.
        match input {
            [] => return (0, DecodeStep::Starved),
            [b'B', ..] => (**state, *ended) = (bzip2::Decompress::new(true), false),
            _ => return (0, DecodeStep::Done),
        }
    }
    let (before_in, before_out) = (state.total_in(), state.total_out());
    let status = state.decompress(input, output);
    let used = (state.total_in() - before_in) as usize;
    let made = (state.total_out() - before_out) as usize;
    match status {
        Err(_) if made > 0 => (used, DecodeStep::Output(made)),
        Err(_) | Ok(bzip2::Status::MemNeeded) => (used, DecodeStep::Malformed),
        Ok(bzip2::Status::StreamEnd) => {
            *ended = true;
            (used, DecodeStep::Output(made))
        }
        Ok(_) if used == 0 && made == 0 => (0, DecodeStep::Starved),
        Ok(_) => (used, DecodeStep::Output(made)),
    }
}

fn unxz(
    state: &mut XzStream,
    ended: &mut bool,
    input: &[u8],
    output: &mut [u8],
) -> (usize, DecodeStep) {
    let before = (state.total_in(), state.total_out());
    let result = state.process(input, output, Action::Run);
    let used = (state.total_in() - before.0) as usize;
    let made = (state.total_out() - before.1) as usize;
    match result {
        Err(_) if made > 0 => (used, DecodeStep::Output(made)),
        Err(_) => (used, DecodeStep::Malformed),
        Ok(result) => {
            *ended = result.status == XzStatus::StreamEnd;
            let (used, made) = (result.bytes_consumed, result.bytes_produced);
            match (used, made) {
                (0, 0) if *ended => (0, DecodeStep::Done),
                (0, 0) => (0, DecodeStep::Starved),
                _ => (used, DecodeStep::Output(made)),
            }
        }
    }
}

fn unbrotli(
    state: &mut Brotli,
    ended: &mut bool,
    input: &[u8],
    output: &mut [u8],
) -> (usize, DecodeStep) {
    if *ended {
        return (0, DecodeStep::Done);
    }
    // After a fault the library keeps back what it decoded in the same call: calls are small.
    let all = input.len();
    let (input, _) = input.split_at(all.min(BROTLI_PIECE));
    let (mut left, mut used) = (input.len(), 0);
    let (mut room, mut made, mut total) = (output.len(), 0, 0);
    let result = BrotliDecompressStream(
        &mut left, &mut used, input, &mut room, &mut made, output, &mut total, state,
    );
    match result {
        BrotliResult::ResultFailure if made > 0 => (used, DecodeStep::Output(made)),
        BrotliResult::ResultFailure => (used, DecodeStep::Malformed),
        BrotliResult::ResultSuccess => {
            *ended = true;
            (used, DecodeStep::Output(made))
        }
        BrotliResult::NeedsMoreInput if made == 0 && used == all => (used, DecodeStep::Starved),
        BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {
            (used, DecodeStep::Output(made))
        }
    }
}

impl Zstd {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> (usize, DecodeStep) {
        let free = ZSTD_UNIT.saturating_sub(self.input.len());
        let (taken, _) = input.split_at(input.len().min(free));
        self.input.extend_from_slice(taken);
        let used = taken.len();
        // The library decodes every block it is given before it hands out anything; one block at a
        // time keeps a row of four-byte blocks of 128 KiB from filling the memory.
        let unit = if !self.started {
            header_len(&self.input)
        } else if self.frame.can_collect() > 0 {
            Some(0)
        } else if self.last {
            // A further frame is rare in HTTP and is not read.
            return (used, DecodeStep::Done);
        } else {
            block_len(&self.input)
        };
        let Some(unit) = unit else {
            return (used, DecodeStep::Malformed);
        };
        if unit > self.input.len() {
            return (used, if used == 0 { DecodeStep::Starved } else { DecodeStep::Output(0) });
        }
        let mut source: Vec<u8> = self.input.drain(..unit).collect();
        if !self.started {
            self.started = true;
        } else if source.first().is_some_and(|b| b & 1 == 1) {
            self.last = true;
            // The library hands out the end only with a checksum behind it, where the header
            // announces one, but does not compare it: a cut stream gets one.
            source.extend_from_slice(&[0; 4]);
        }
        match self.frame.decode_from_to(&source, output) {
            Err(_) => (used, DecodeStep::Malformed),
            // Promised output that does not come must not make an endless loop.
            Ok((_, 0)) if unit == 0 => (used, DecodeStep::Malformed),
            Ok((_, made)) => (used, DecodeStep::Output(made)),
        }
    }
}

/// Length of a zstd block with its header (RFC 8878 3.1.1.2); `None` if it breaks the rules, more
/// than there is if it is not complete.
fn block_len(data: &[u8]) -> Option<usize> {
    let &[a, b, c, ..] = data else {
        return Some(3);
    };
    let header = u32::from_le_bytes([a, b, c, 0]);
    let size = (header >> 3) as usize;
    match header >> 1 & 3 {
        1 => Some(4),
        3 => None,
        _ => Some(3 + size).filter(|n| *n <= ZSTD_UNIT),
    }
}

/// Length of a zstd frame header (RFC 8878 3.1.1.1); `None` if it is none, more than there is if it
/// is not complete. The library would take a short header for an error.
fn header_len(data: &[u8]) -> Option<usize> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    if !MAGIC.starts_with(data.get(..4).unwrap_or(data)) {
        return None;
    }
    let Some(descriptor) = data.get(4) else {
        return Some(5);
    };
    let single = descriptor >> 5 & 1;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = match descriptor >> 6 {
        0 => usize::from(single),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    Some(5 + usize::from(1 - single) + dictionary + size)
}
