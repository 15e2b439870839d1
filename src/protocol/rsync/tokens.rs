//! Files as the sender writes them (`sender.c`, `match.c`, `token.c`): flags and checksum header, then tokens: data,
//! or a reference to a block that the receiver has.

use crate::protocol::content_writer::ContentWriter;
use crate::protocol::{ContentSink, Direction, Ending, Hint, Media, Reason};
use crate::syntax::zstd;
use ruzstd::decoding::FrameDecoder;
use zeroize::Zeroizing;

/// Length of the flags and the block numbers behind them.
const HEAD: usize = 2 + 16;
/// Longest literal (CHUNK_SIZE).
const MAX_LITERAL: u32 = 32 << 10;
/// Most blocks of a file, and the longest block (MAX_BLOCK_SIZE of old versions).
const MAX_BLOCKS: u32 = 1 << 26;
const MAX_BLOCK: u32 = 1 << 29;
/// Bytes of a zstd stream that are kept: it spans all files.
const MAX_ZSTD: usize = 4 << 20;
/// Buffer for decompressed bytes.
const ROOM: usize = 128 << 10;
/// The work of unpacking a stream of zstd again, beside its bytes: its tables are set up anew.
const UNPACKING: u64 = 16 << 10;

/// Compression of the tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Packing {
    None,
    /// Zlib or zstd: the first bytes show it.
    Some,
    /// LZ4: the data of each token is a block of its own.
    Lz4,
}

/// Position of the sender in the stream.
#[derive(Default)]
enum Place {
    /// Before a file: the last bytes, which may hold the beginning of its header.
    #[default]
    Hunt,
    /// Before a token.
    Token,
    /// In data.
    Literal(usize),
    /// In a number behind a token, of this many bytes.
    Number(usize),
}

/// Reads the tokens of one connection.
#[derive(Default)]
pub(super) struct Tokens {
    place: Place,
    /// Unread bytes.
    unread: Zeroizing<Vec<u8>>,
    file: Option<ContentWriter>,
    /// Length of the receiver's blocks.
    block: u32,
    /// A part of the file is missing.
    holed: bool,
    /// Data came since the last flush (zlib).
    flush: bool,
    zstd: Option<Box<Zstd>>,
    /// Whether the compression is known.
    shown: bool,
    /// The incomplete LZ4 block.
    lz4: Zeroizing<Vec<u8>>,
    /// Where blocks of LZ4 are unpacked, once there was one: each may be a few bytes.
    room: Zeroizing<Vec<u8>>,
}

/// One stream of zstd, over all files.
#[derive(Default)]
struct Zstd {
    /// All bytes so far.
    packed: Zeroizing<Vec<u8>>,
    /// Decompressed bytes that were passed on.
    handed_on: u64,
    /// More of it came since.
    fresh: bool,
    failed: bool,
}

/// Reads the header of a file at the front of `data`: the length of its blocks, if one begins here.
fn head(data: &[u8], packed: bool) -> Option<u32> {
    let word = |at: usize| Some(u32::from_le_bytes(*data.get(at..)?.first_chunk::<4>()?));
    // ITEM_TRANSFER, perhaps ITEM_IS_NEW, and nothing behind the flags (`rsync.h`).
    if data.get(1)? & 0xd8 != 0x80 {
        return None;
    }
    let (count, block, sum, rest) = (word(2)?, word(6)?, word(10)?, word(14)?);
    let new = (count, block, sum, rest) == (0, 0, 0, 0);
    let known =
        count <= MAX_BLOCKS && (1..=MAX_BLOCK).contains(&block) && sum <= 64 && rest < block;
    if !new && !known {
        return None;
    }
    let first = if packed {
        match data.get(HEAD)? {
            0x40..=0x7f => true,
            0x20 | 0x21 | 0x80.. => count > 0,
            _ => false,
        }
    } else {
        let token = word(HEAD)?;
        (1..=MAX_LITERAL).contains(&token) || (count > 0 && token > u32::MAX - count)
    };
    first.then_some(block)
}

impl Tokens {
    /// The next bytes of the sender.
    pub(super) fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        packing: Packing,
        sink: &mut dyn ContentSink,
    ) {
        // Everything but data is short and is buffered. Data may begin in it.
        let mut held = std::mem::take(&mut self.unread);
        let joined = if held.is_empty() {
            bytes
        } else {
            held.extend_from_slice(bytes);
            &held
        };
        let mut rest = joined;
        loop {
            if let Place::Literal(left) = &mut self.place {
                let (literal, behind) = rest.split_at((*left).min(rest.len()));
                *left -= literal.len();
                if *left == 0 {
                    self.place = Place::Token;
                }
                self.literal(direction, literal, packing, sink);
                rest = behind;
            } else {
                let used = self.step(rest, packing, sink);
                rest = rest.get(used..).unwrap_or_default();
                if !matches!(self.place, Place::Literal(_)) {
                    break;
                }
            }
            if rest.is_empty() {
                break;
            }
        }
        self.unread = Zeroizing::new(rest.to_vec());
    }

    /// Reads headers and tokens up to the next data, or as far as there are bytes. Returns how far it came.
    fn step(&mut self, bytes: &[u8], packing: Packing, sink: &mut dyn ContentSink) -> usize {
        let packed = packing != Packing::None;
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            match self.place {
                Place::Literal(_) => return at,
                Place::Hunt => {
                    // The header, and a token behind it.
                    let len = HEAD + if packed { 1 } else { 4 };
                    let found = rest.windows(len).position(|window| head(window, packed).is_some());
                    let Some(found) = found else {
                        return at + rest.len().saturating_sub(len - 1);
                    };
                    self.block = head(rest.get(found..).unwrap_or_default(), packed).unwrap_or(0);
                    at += found + HEAD;
                    self.place = Place::Token;
                }
                Place::Number(len) => {
                    if rest.len() < len {
                        return at;
                    }
                    at += len;
                    self.place = Place::Token;
                }
                Place::Token => match self.token(rest, packed, sink) {
                    Some(used) => at += used,
                    None => return at,
                },
            }
        }
    }

    /// A token; its length, if it is there.
    fn token(&mut self, rest: &[u8], packed: bool, sink: &mut dyn ContentSink) -> Option<usize> {
        if packed {
            let first = *rest.first()?;
            return Some(match first {
                0 => {
                    self.end(sink);
                    1
                }
                0x40..=0x7f => {
                    let len = usize::from(first & 0x3f) << 8 | usize::from(*rest.get(1)?);
                    // The first data of the connection shows the compression of all.
                    if !self.shown {
                        let front = rest.get(2..2 + len.min(zstd::MAGIC.len()))?;
                        self.shown = true;
                        self.zstd = (front == zstd::MAGIC).then(Box::default);
                    }
                    if len > 0 {
                        self.place = Place::Literal(len);
                    }
                    2
                }
                _ => {
                    // A block, or a run of them.
                    self.matched(sink);
                    let behind = match first {
                        0x20 => 4,
                        0x21 => 6,
                        0xc0.. => 2,
                        0x80..=0xbf => 0,
                        _ => {
                            self.lose(sink);
                            return Some(1);
                        }
                    };
                    self.place = Place::Number(behind);
                    1
                }
            });
        }
        let token = u32::from_le_bytes(*rest.first_chunk::<4>()?);
        match token {
            0 => self.end(sink),
            1..=MAX_LITERAL => self.place = Place::Literal(token as usize),
            _ if token > u32::MAX - MAX_BLOCKS => self.matched(sink),
            _ => self.lose(sink),
        }
        Some(4)
    }

    /// A reference to the receiver's next block.
    fn matched(&mut self, sink: &mut dyn ContentSink) {
        self.flush(sink);
        self.unpack(sink);
        self.holed = true;
        if let Some(file) = &mut self.file {
            file.gap(u64::from(self.block), sink);
        }
    }

    /// Data of a file.
    fn literal(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        packing: Packing,
        sink: &mut dyn ContentSink,
    ) {
        let packed = packing == Packing::Some;
        let codings: &[&str] = if packed && self.zstd.is_none() { &["deflate"] } else { &[] };
        let file = self.file.get_or_insert_with(|| {
            let sent = direction == Direction::ServerToClient;
            sink.unit(if sent { "response" } else { "request" });
            let media = Media::Type { content_type: "", name: "" };
            let operation = if sent { "READ" } else { "WRITE" };
            ContentWriter::open(
                &Hint { direction, media, operation, codings, layer: "rsync" },
                sink,
            )
        });
        if packing == Packing::Lz4 {
            self.lz4.extend_from_slice(bytes);
            if !matches!(self.place, Place::Literal(_)) {
                self.unpack_block(sink);
            }
            return;
        }
        match &mut self.zstd {
            Some(zstd) => zstd.add(bytes, sink),
            None => {
                file.data(bytes, sink);
                self.flush |= packed;
            }
        }
    }

    /// A block of LZ4 is complete.
    fn unpack_block(&mut self, sink: &mut dyn ContentSink) {
        let block = std::mem::take(&mut self.lz4);
        let Some(file) = &mut self.file else { return };
        self.room.resize(ROOM, 0);
        match lz4_flex::block::decompress_into(&block, &mut self.room) {
            Ok(len) if sink.spend(len as u64) => {
                file.data(self.room.get(..len).unwrap_or(&self.room), sink);
            }
            Ok(_) => sink.anomaly(Reason::Budget),
            Err(_) => {
                sink.anomaly(Reason::Malformed);
                self.holed = true;
            }
        }
    }

    /// The sender omits the end of a deflate run (`token.c`): it is restored.
    fn flush(&mut self, sink: &mut dyn ContentSink) {
        if let (true, Some(file)) = (std::mem::take(&mut self.flush), &mut self.file) {
            file.data(b"\0\0\xff\xff", sink);
        }
    }

    fn unpack(&mut self, sink: &mut dyn ContentSink) {
        if let (Some(zstd), Some(file)) = (&mut self.zstd, &mut self.file) {
            zstd.unpack(file, sink);
        }
    }

    /// The file has ended.
    fn end(&mut self, sink: &mut dyn ContentSink) {
        self.unpack(sink);
        if self.flush {
            self.flush(sink);
            if let Some(file) = &mut self.file {
                // An empty last block (RFC 1951 3.2.4).
                file.data(b"\x01\0\0\xff\xff", sink);
            }
        }
        let ending = Ending::complete_if(!self.holed);
        self.close(ending, sink);
        self.place = Place::Hunt;
    }

    /// The current file ends.
    pub(super) fn close(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        if let Some(file) = self.file.take() {
            file.close(ending, sink);
        }
        (self.holed, self.flush) = (false, false);
    }

    /// Bytes are missing or unexpected: searches for the next file.
    pub(super) fn lose(&mut self, sink: &mut dyn ContentSink) {
        self.close(Ending::Cut, sink);
        self.place = Place::Hunt;
        self.unread.clear();
        self.lz4.clear();
        if let Some(zstd) = &mut self.zstd {
            zstd.failed = true;
        }
    }

    /// `len` bytes are missing: whether they lie inside uncompressed data.
    pub(super) fn lose_inside(&mut self, len: u64, sink: &mut dyn ContentSink) -> bool {
        let Place::Literal(left) = &mut self.place else { return false };
        if len > *left as u64 || self.zstd.is_some() || self.flush || !self.lz4.is_empty() {
            return false;
        }
        let Some(file) = &mut self.file else { return false };
        file.gap(len, sink);
        self.holed = true;
        *left -= usize::try_from(len).unwrap_or(*left);
        if *left == 0 {
            self.place = Place::Token;
        }
        true
    }

    pub(super) fn memory(&self) -> usize {
        let zstd = self.zstd.as_ref().map_or(0, |zstd| zstd.packed.capacity());
        self.unread.capacity() + self.lz4.capacity() + self.room.capacity() + zstd
    }
}

impl Zstd {
    /// Further bytes of the stream.
    fn add(&mut self, bytes: &[u8], sink: &mut dyn ContentSink) {
        if self.failed {
            return;
        }
        if self.packed.len() + bytes.len() > MAX_ZSTD {
            self.fail(Reason::Limit, sink);
            return;
        }
        self.packed.extend_from_slice(bytes);
        self.fresh = true;
    }

    fn fail(&mut self, reason: Reason, sink: &mut dyn ContentSink) {
        sink.anomaly(reason);
        self.failed = true;
        self.packed = Zeroizing::default();
    }

    /// Passes on new bytes. The decoder releases the last window only at the end of a frame, so the frame is
    /// decompressed again from its beginning, with an empty last block behind it.
    fn unpack(&mut self, file: &mut ContentWriter, sink: &mut dyn ContentSink) {
        /// An empty raw block that is the last, and room for a checksum (RFC 8878 3.1.1.2).
        const LAST: &[u8] = b"\x01\0\0\0\0\0\0";
        if self.failed || !std::mem::take(&mut self.fresh) {
            return;
        }
        if !sink.spend(UNPACKING + self.packed.len() as u64) {
            return self.fail(Reason::Budget, sink);
        }
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(zstd::MAX_WINDOW);
        let frame = Zeroizing::new([self.packed.as_slice(), LAST].concat());
        let mut rest = frame.as_slice();
        let mut room = Zeroizing::new(vec![0; ROOM]);
        let mut total = 0u64;
        loop {
            let Ok((read, written)) = decoder.decode_from_to(rest, &mut room) else {
                return self.fail(Reason::Malformed, sink);
            };
            if !sink.spend(written as u64) {
                return self.fail(Reason::Budget, sink);
            }
            let known = self.handed_on.saturating_sub(total);
            let known = usize::try_from(known).unwrap_or(usize::MAX).min(written);
            total += written as u64;
            let new = room.get(known..written).unwrap_or_default();
            if !new.is_empty() {
                file.data(new, sink);
            }
            rest = rest.get(read..).unwrap_or_default();
            if read == 0 && written == 0 {
                break;
            }
        }
        self.handed_on = self.handed_on.max(total);
    }
}
