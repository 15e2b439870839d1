//! Decompresses captures while reading: gzip, zstd, xz, lz4 and bzip2, with any number of members.
//! Memory does not depend on the size of the output.

use super::k12::K12;
use super::sniff::{Packing, SNIFF};
use super::{FaultKind, origin::Origin};
use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Compressed bytes read at a time.
const READ: usize = 64 << 10;
/// Largest window or dictionary allowed, bytes; the largest that `zstd --long` and `xz -9` use by
/// default.
const MAX_WINDOW: u32 = 128 << 20;

/// Compressed input, buffered and counted.
struct Packed {
    origin: Origin,
    /// Bytes from `at` to `filled` are read but unused.
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    /// Bytes used so far.
    used: u64,
    /// Whether the input has ended.
    ended: bool,
    /// The error of the last read; some decompressors do not return it.
    error: Option<io::ErrorKind>,
}

impl Packed {
    /// The next bytes: at least `n`, or all that are left.
    fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        if self.filled - self.at < n {
            self.buffer.copy_within(self.at..self.filled, 0);
            self.filled -= self.at;
            self.at = 0;
            self.buffer.resize(READ.max(n), 0);
            while self.filled < n {
                match self.origin.read(&mut self.buffer[self.filled..]) {
                    Ok(0) => {
                        self.ended = true;
                        break;
                    }
                    Ok(read) => self.filled += read,
                    Err(e) => {
                        self.error = Some(e.kind());
                        return Err(e);
                    }
                }
            }
        }
        Ok(&self.buffer[self.at..self.filled])
    }
}

impl BufRead for Packed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)
    }
    fn consume(&mut self, n: usize) {
        let n = n.min(self.filled - self.at);
        self.at += n;
        self.used += n as u64;
    }
}

impl Read for Packed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let n = ready.len().min(bytes.len());
        bytes[..n].copy_from_slice(&ready[..n]);
        self.consume(n);
        Ok(n)
    }
}

/// The state of decompression.
enum Member {
    /// Before the next member or the end.
    Between(Packed),
    Gzip(Box<flate2::bufread::GzDecoder<Packed>>),
    Zstd(Box<ruzstd::decoding::FrameDecoder>, Packed),
    Xz(Box<lzma_rust2::XzReader<Packed>>),
    Lz4 {
        decoder: Box<lz4_flex::frame::FrameDecoder<Packed>>,
        /// Legacy frames end with the file.
        legacy: bool,
    },
    Bzip2(Box<bzip2::bufread::BzDecoder<Packed>>),
    K12(Box<K12<Packed>>),
    /// Ended, or given up.
    Done,
}

impl Member {
    fn packed(&self) -> Option<&Packed> {
        match self {
            Self::Between(packed) | Self::Zstd(_, packed) => Some(packed),
            Self::Gzip(decoder) => Some(decoder.get_ref()),
            Self::Xz(decoder) => Some(decoder.inner()),
            Self::Lz4 { decoder, .. } => Some(decoder.get_ref()),
            Self::Bzip2(decoder) => Some(decoder.get_ref()),
            Self::K12(decoder) => Some(decoder.get_ref()),
            Self::Done => None,
        }
    }
}

/// Decompresses a file.
pub(super) struct Unpack {
    packing: Packing,
    member: Member,
    position: u64,
}

/// Why a member could not be unpacked.
enum Failure {
    Window,
    Corrupt,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // xz reports this for a dictionary beyond the limit.
            io::ErrorKind::OutOfMemory => Self::Window,
            _ => Self::Corrupt,
        }
    }
}

impl Unpack {
    /// Decompresses `prefix` and what `origin` holds after it.
    pub fn new(packing: Packing, prefix: Vec<u8>, mut origin: Origin) -> Self {
        origin.wait();
        let filled = prefix.len();
        let packed =
            Packed { origin, buffer: prefix, at: 0, filled, used: 0, ended: false, error: None };
        Self { packing, member: Member::Between(packed), position: 0 }
    }

    /// The name of the compression.
    pub const fn name(&self) -> &'static str {
        self.packing.name()
    }

    /// Compressed bytes used so far.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Decompresses some bytes; 0 at the end.
    pub fn read(&mut self, bytes: &mut [u8]) -> Result<usize, FaultKind> {
        // A panic in a decompressor must not end the run.
        let result = catch_unwind(AssertUnwindSafe(|| self.unpack(bytes)));
        if let Some(packed) = self.member.packed() {
            self.position = packed.used;
        }
        let failure = match result {
            Ok(Ok(n)) => return Ok(n),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Corrupt,
        };
        let member = std::mem::replace(&mut self.member, Member::Done);
        if let Some(kind) = member.packed().and_then(|p| p.error) {
            return Err(FaultKind::Io(kind.into()));
        }
        let ended = member.packed().is_some_and(|p| p.ended);
        Err(match failure {
            Failure::Window => FaultKind::BigWindow(self.name()),
            _ if ended => FaultKind::TruncatedPacked(self.name()),
            _ => FaultKind::CorruptPacked(self.name()),
        })
    }

    fn unpack(&mut self, bytes: &mut [u8]) -> Result<usize, Failure> {
        loop {
            let n = match &mut self.member {
                Member::Done => return Ok(0),
                Member::Between(_) => {
                    self.begin()?;
                    continue;
                }
                Member::Gzip(decoder) => decoder.read(bytes)?,
                Member::Zstd(decoder, packed) => zstd(decoder, packed, bytes)?,
                Member::Xz(decoder) => decoder.read(bytes)?,
                Member::Bzip2(decoder) => decoder.read(bytes)?,
                Member::K12(decoder) => decoder.read(bytes)?,
                Member::Lz4 { decoder, legacy } => {
                    let n = decoder.read(bytes)?;
                    // The decoder mistakes an end between two blocks for the end of the frame.
                    if n == 0 && !*legacy && decoder.get_ref().ended {
                        return Err(Failure::Corrupt);
                    }
                    n
                }
            };
            if n > 0 || bytes.is_empty() {
                return Ok(n);
            }
            self.member = match std::mem::replace(&mut self.member, Member::Done) {
                Member::Gzip(decoder) => Member::Between(decoder.into_inner()),
                Member::Zstd(_, packed) | Member::Between(packed) => Member::Between(packed),
                Member::Xz(decoder) => Member::Between(decoder.into_inner()),
                Member::Bzip2(decoder) => Member::Between(decoder.into_inner()),
                Member::K12(decoder) => Member::Between(decoder.into_inner()),
                Member::Lz4 { decoder, .. } => Member::Between(decoder.into_inner()),
                Member::Done => Member::Done,
            };
        }
    }

    /// Starts the next member.
    fn begin(&mut self) -> Result<(), Failure> {
        let Member::Between(mut packed) = std::mem::replace(&mut self.member, Member::Done) else {
            return Ok(());
        };
        let begun = self.begin_with(&mut packed);
        self.member = match begun {
            Ok(NextMember::End) => {
                self.position = packed.used;
                Member::Done
            }
            Ok(NextMember::Skipped) => Member::Between(packed),
            Ok(NextMember::Gzip) => Member::Gzip(Box::new(flate2::bufread::GzDecoder::new(packed))),
            Ok(NextMember::Xz) => {
                let kib = MAX_WINDOW >> 10;
                Member::Xz(Box::new(lzma_rust2::XzReader::new_mem_limit(packed, true, kib)))
            }
            Ok(NextMember::Lz4 { legacy }) => {
                let decoder = Box::new(lz4_flex::frame::FrameDecoder::new(packed));
                Member::Lz4 { decoder, legacy }
            }
            Ok(NextMember::Bzip2) => {
                Member::Bzip2(Box::new(bzip2::bufread::BzDecoder::new(packed)))
            }
            Ok(NextMember::K12) => Member::K12(Box::new(K12::new(packed))),
            Ok(NextMember::Zstd(decoder)) => Member::Zstd(decoder, packed),
            Err(failure) => {
                self.member = Member::Between(packed);
                return Err(failure);
            }
        };
        Ok(())
    }

    fn begin_with(&mut self, packed: &mut Packed) -> Result<NextMember, Failure> {
        // Zeros after the last member are padding, which tapes and some writers leave.
        loop {
            let bytes = packed.fill_buf()?;
            if bytes.is_empty() {
                return Ok(NextMember::End);
            }
            let zeros = bytes.iter().take_while(|&&b| b == 0).count();
            packed.consume(zeros);
            if zeros == 0 {
                break;
            }
        }
        let magic = packed.peek(SNIFF)?;
        let legacy = magic.starts_with(&[0x02, 0x21]);
        let packing = Packing::of(magic).ok_or(Failure::Corrupt)?;
        if self.packing == Packing::Skippable {
            self.packing = packing;
        }
        Ok(match packing {
            Packing::Gzip => NextMember::Gzip,
            Packing::Xz => NextMember::Xz,
            Packing::Lz4 => NextMember::Lz4 { legacy },
            Packing::Bzip2 => NextMember::Bzip2,
            Packing::K12 => NextMember::K12,
            Packing::Zstd => {
                use ruzstd::decoding::errors::FrameDecoderError;
                let mut decoder = Box::new(ruzstd::decoding::FrameDecoder::new());
                decoder.set_max_window_size(MAX_WINDOW.into());
                decoder.init(packed).map_err(|e| match e {
                    FrameDecoderError::WindowSizeTooBig { .. } => Failure::Window,
                    _ => Failure::Corrupt,
                })?;
                NextMember::Zstd(decoder)
            }
            Packing::Skippable => {
                let mut head = [0; 8];
                packed.read_exact(&mut head)?;
                let len = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
                if io::copy(&mut packed.take(len), &mut io::sink())? < len {
                    return Err(Failure::Corrupt);
                }
                NextMember::Skipped
            }
        })
    }
}

/// What follows a member.
enum NextMember {
    End,
    Skipped,
    Gzip,
    Zstd(Box<ruzstd::decoding::FrameDecoder>),
    Xz,
    Lz4 { legacy: bool },
    Bzip2,
    K12,
}

fn zstd(
    decoder: &mut ruzstd::decoding::FrameDecoder,
    packed: &mut Packed,
    bytes: &mut [u8],
) -> Result<usize, Failure> {
    use ruzstd::decoding::BlockDecodingStrategy;
    while decoder.can_collect() == 0 && !decoder.is_finished() {
        decoder
            .decode_blocks(&mut *packed, BlockDecodingStrategy::UptoBlocks(1))
            .map_err(|_| Failure::Corrupt)?;
    }
    let n = decoder.read(bytes)?;
    if n == 0
        && let Some(written) = decoder.get_checksum_from_data()
        && decoder.get_calculated_checksum() != Some(written)
    {
        return Err(Failure::Corrupt);
    }
    Ok(n)
}
