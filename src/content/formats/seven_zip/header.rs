//! The headers of an archive (7zFormat.txt of the LZMA SDK): where its packed streams lie, which methods unpack them,
//! and which files come out.
//!
//! Counts are believed only as far as bytes are there for what they count.

use crate::content::Reason;

/// Bytes before the packed streams: signature, version, and where the end header lies.
pub(super) const START: usize = 32;
/// The signature.
pub(super) const MAGIC: &[u8] = b"7z\xbc\xaf\x27\x1c";

/// Folders, which are streams packed as one.
const MAX_FOLDERS: usize = 10_000;
/// Files with data.
const MAX_FILES: usize = 20_000;
/// Methods one after the other in a folder.
const MAX_METHODS: usize = 4;
/// Longest name kept, UTF-16 code units.
const MAX_NAME: usize = 1024;

/// Property IDs.
mod id {
    pub const END: u64 = 0x00;
    pub const HEADER: u64 = 0x01;
    pub const ARCHIVE_PROPERTIES: u64 = 0x02;
    pub const ADDITIONAL_STREAMS: u64 = 0x03;
    pub const MAIN_STREAMS: u64 = 0x04;
    pub const FILES: u64 = 0x05;
    pub const PACK_INFO: u64 = 0x06;
    pub const UNPACK_INFO: u64 = 0x07;
    pub const SUB_STREAMS: u64 = 0x08;
    pub const SIZE: u64 = 0x09;
    pub const CRC: u64 = 0x0a;
    pub const FOLDER: u64 = 0x0b;
    pub const UNPACK_SIZE: u64 = 0x0c;
    pub const STREAMS_IN_FOLDER: u64 = 0x0d;
    pub const EMPTY_STREAM: u64 = 0x0e;
    pub const NAMES: u64 = 0x11;
    pub const ENCODED_HEADER: u64 = 0x17;
}

/// A method of a folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Method<'a> {
    /// Its ID, big-endian.
    pub id: u64,
    pub properties: &'a [u8],
    /// Bytes that come out of it.
    pub unpacked: u64,
}

/// Streams packed as one.
#[derive(Clone, Debug, Default)]
pub(super) struct Folder<'a> {
    /// In the order in which they unpack it. Empty if they are no chain.
    pub methods: Vec<Method<'a>>,
    /// Packed streams that belong to it.
    packed_streams: usize,
    /// Where its packed stream lies.
    pub packed: &'a [u8],
    /// The sizes of its files.
    pub files: Vec<u64>,
    /// A checksum was given for the folder as a whole.
    has_crc: bool,
}

/// What a header describes.
#[derive(Default, Debug)]
pub(super) struct Streams<'a> {
    pub folders: Vec<Folder<'a>>,
    /// Names of the files with data, in the order of the folders' files.
    pub names: Vec<String>,
}

/// A header as it is in the file.
pub(super) enum Header<'a> {
    /// It describes the archive.
    Plain(Streams<'a>),
    /// It is packed itself, as the only stream of a folder.
    Packed(Folder<'a>),
}

/// The header that the start of an archive refers to.
pub(super) fn end_header(archive: &[u8]) -> Option<&[u8]> {
    let number = |at: usize| {
        let bytes = archive.get(at..at + 8)?.try_into().ok()?;
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    };
    let begin = START.checked_add(number(12)?)?;
    archive.get(begin..begin.checked_add(number(20)?)?)
}

/// The parts of a header that were read. Each is written once; with one that comes again, a few bytes would have all
/// folders or files listed again.
#[derive(Default)]
struct Parts(u64);

impl Parts {
    /// Notes the part `id`, which is less than 64.
    fn once(&mut self, id: u64) -> Result<(), Reason> {
        let bit = 1 << id;
        if self.0 & bit != 0 {
            return Err(Reason::Malformed);
        }
        self.0 |= bit;
        Ok(())
    }
}

/// Reads a header of `archive`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse<'a>(header: &'a [u8], archive: &'a [u8]) -> Result<Header<'a>, Reason> {
    let mut reader = Reader { rest: header, archive };
    match reader.number()? {
        id::HEADER => Ok(Header::Plain(reader.header()?)),
        id::ENCODED_HEADER => {
            let mut streams = Streams::default();
            reader.streams(&mut streams)?;
            streams.folders.into_iter().next().map(Header::Packed).ok_or(Reason::Malformed)
        }
        _ => Err(Reason::Malformed),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    archive: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Reason> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Reason::Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, Reason> {
        Ok(self.bytes(1)?.first().copied().unwrap_or_default())
    }

    /// A number of one to nine bytes: the leading ones of the first say how many bytes follow, its other bits are
    /// the highest.
    fn number(&mut self) -> Result<u64, Reason> {
        let first = self.byte()?;
        let more = first.leading_ones() as usize;
        let low = self.bytes(more)?.iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
        // Behind the ones there is a zero.
        let high = u64::from(first) & (0x7f_u64 >> more);
        Ok(if more < 8 { low | high << (8 * more) } else { low })
    }

    /// A count of things, each of which takes at least a bit of what follows.
    fn count(&mut self, most: usize) -> Result<usize, Reason> {
        let count = usize::try_from(self.number()?).map_err(|_| Reason::Malformed)?;
        if count > self.rest.len().saturating_mul(8) {
            return Err(Reason::Malformed);
        }
        if count > most { Err(Reason::Limit) } else { Ok(count) }
    }

    fn expect(&mut self, id: u64) -> Result<(), Reason> {
        if self.number()? == id { Ok(()) } else { Err(Reason::Malformed) }
    }

    /// Flags, the first in the highest bit.
    fn bits(&mut self, count: usize) -> Result<impl Iterator<Item = bool> + 'a, Reason> {
        let bytes = self.bytes(count.div_ceil(8))?;
        Ok(bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte << bit & 0x80 != 0)).take(count))
    }

    /// Which of `count` streams have a checksum.
    fn digests(&mut self, count: usize) -> Result<Vec<bool>, Reason> {
        let defined: Vec<bool> = match self.byte()? {
            0 => self.bits(count)?.collect(),
            _ => vec![true; count],
        };
        self.bytes(4 * defined.iter().filter(|defined| **defined).count())?;
        Ok(defined)
    }

    fn header(&mut self) -> Result<Streams<'a>, Reason> {
        let mut streams = Streams::default();
        let mut parts = Parts::default();
        loop {
            match self.number()? {
                id::END => return Ok(streams),
                part @ id::ARCHIVE_PROPERTIES => {
                    parts.once(part)?;
                    while self.number()? != id::END {
                        self.property()?;
                    }
                }
                part @ id::ADDITIONAL_STREAMS => {
                    parts.once(part)?;
                    self.streams(&mut Streams::default())?;
                }
                part @ id::MAIN_STREAMS => {
                    parts.once(part)?;
                    self.streams(&mut streams)?;
                }
                part @ id::FILES => {
                    parts.once(part)?;
                    self.files(&mut streams)?;
                }
                _ => return Err(Reason::Malformed),
            }
        }
    }

    /// The bytes of a property.
    fn property(&mut self) -> Result<Self, Reason> {
        let len = usize::try_from(self.number()?).map_err(|_| Reason::Malformed)?;
        Ok(Self { rest: self.bytes(len)?, archive: self.archive })
    }

    fn streams(&mut self, streams: &mut Streams<'a>) -> Result<(), Reason> {
        let mut packed = Vec::new();
        let mut has_files = false;
        let mut parts = Parts::default();
        loop {
            match self.number()? {
                id::END => break,
                part @ id::PACK_INFO => {
                    parts.once(part)?;
                    packed = self.packed()?;
                }
                part @ id::UNPACK_INFO => {
                    parts.once(part)?;
                    streams.folders = self.folders()?;
                }
                part @ id::SUB_STREAMS => {
                    parts.once(part)?;
                    self.sub_streams(&mut streams.folders)?;
                    has_files = true;
                }
                _ => return Err(Reason::Malformed),
            }
        }
        let mut packed = packed.into_iter();
        for folder in &mut streams.folders {
            if !has_files {
                folder.files =
                    folder.methods.last().map(|last| last.unpacked).into_iter().collect();
            }
            folder.packed = packed.next().unwrap_or_default();
            packed.by_ref().take(folder.packed_streams.saturating_sub(1)).for_each(|_| ());
        }
        Ok(())
    }

    /// The packed streams.
    fn packed(&mut self) -> Result<Vec<&'a [u8]>, Reason> {
        let begin = usize::try_from(self.number()?).map_err(|_| Reason::Malformed)?;
        let count = self.count(MAX_FOLDERS)?;
        let mut at = START.checked_add(begin).ok_or(Reason::Malformed)?;
        let mut streams = Vec::new();
        let mut parts = Parts::default();
        loop {
            match self.number()? {
                id::END => return Ok(streams),
                part @ id::SIZE => {
                    parts.once(part)?;
                    for _ in 0..count {
                        let len = usize::try_from(self.number()?).map_err(|_| Reason::Malformed)?;
                        let end = at.checked_add(len).ok_or(Reason::Malformed)?;
                        streams.push(self.archive.get(at..end).ok_or(Reason::Malformed)?);
                        at = end;
                    }
                }
                part @ id::CRC => {
                    parts.once(part)?;
                    self.digests(count)?;
                }
                _ => return Err(Reason::Malformed),
            }
        }
    }

    fn folders(&mut self) -> Result<Vec<Folder<'a>>, Reason> {
        self.expect(id::FOLDER)?;
        let count = self.count(MAX_FOLDERS)?;
        // Folders that lie in another stream: no program writes them.
        if self.byte()? != 0 {
            return Err(Reason::Unsupported);
        }
        let mut folders = Vec::new();
        let mut orders = Vec::new();
        for _ in 0..count {
            let (folder, order) = self.folder()?;
            folders.push(folder);
            orders.push(order);
        }
        self.expect(id::UNPACK_SIZE)?;
        for (folder, order) in folders.iter_mut().zip(orders) {
            let methods = std::mem::take(&mut folder.methods);
            let mut sized = Vec::new();
            for method in methods {
                sized.push(Method { unpacked: self.number()?, ..method });
            }
            folder.methods = order.iter().filter_map(|at| sized.get(*at).copied()).collect();
        }
        let mut parts = Parts::default();
        loop {
            match self.number()? {
                id::END => return Ok(folders),
                part @ id::CRC => {
                    parts.once(part)?;
                    let defined = self.digests(count)?;
                    folders.iter_mut().zip(defined).for_each(|(folder, has)| folder.has_crc = has);
                }
                _ => return Err(Reason::Malformed),
            }
        }
    }

    /// A folder with its methods as they are listed, and the order in which they unpack it.
    fn folder(&mut self) -> Result<(Folder<'a>, Vec<usize>), Reason> {
        let count = self.count(usize::MAX)?;
        if count == 0 || count > MAX_METHODS {
            return Err(Reason::Unsupported);
        }
        let mut folder = Folder::default();
        let mut inputs = 0;
        for _ in 0..count {
            let flags = self.byte()?;
            let id = self.bytes(usize::from(flags & 15))?;
            let id = id.iter().fold(0u64, |id, byte| id << 8 | u64::from(*byte));
            let (mut ins, mut outs) = (1, 1);
            if flags & 0x10 != 0 {
                (ins, outs) = (self.number()?, self.number()?);
            }
            // Only BCJ2 has more than one input, and nothing has more than one output.
            if outs != 1 || ins > 4 || flags & 0x80 != 0 {
                return Err(Reason::Unsupported);
            }
            inputs += ins as usize;
            let properties = match flags & 0x20 {
                0 => &[],
                _ => self.property()?.rest,
            };
            folder.methods.push(Method { id, properties, unpacked: 0 });
        }
        let mut bound = Vec::new();
        for _ in 1..count {
            bound.push((self.number()?, self.number()?));
        }
        folder.packed_streams = inputs.checked_sub(bound.len()).ok_or(Reason::Malformed)?;
        if folder.packed_streams > 1 {
            for _ in 0..folder.packed_streams {
                self.number()?;
            }
        }
        Ok((folder, if inputs == count { chain(count, &bound) } else { Vec::new() }))
    }

    /// The sizes of the files in each folder.
    fn sub_streams(&mut self, folders: &mut [Folder<'a>]) -> Result<(), Reason> {
        let mut counts = vec![1; folders.len()];
        let mut id = self.number()?;
        if id == id::STREAMS_IN_FOLDER {
            let mut left = MAX_FILES;
            for count in &mut counts {
                *count = usize::try_from(self.number()?).map_err(|_| Reason::Malformed)?;
                left = left.checked_sub(*count).ok_or(Reason::Limit)?;
            }
            id = self.number()?;
        }
        let sized = id == id::SIZE;
        for (folder, count) in folders.iter_mut().zip(&counts) {
            let mut left = folder.methods.last().map_or(0, |last| last.unpacked);
            // The last one has what the others leave.
            for _ in 1..*count {
                let size = if sized { self.number()? } else { 0 };
                left = left.saturating_sub(size);
                folder.files.push(size);
            }
            if *count > 0 {
                folder.files.push(left);
            }
        }
        if sized {
            id = self.number()?;
        }
        if id == id::CRC {
            let known = |folder: &Folder<'_>, count: usize| folder.has_crc && count == 1;
            let unknown = folders.iter().zip(&counts).filter(|(f, n)| !known(f, **n));
            let count = unknown.map(|(_, n)| *n).sum();
            self.digests(count)?;
            id = self.number()?;
        }
        if id == id::END { Ok(()) } else { Err(Reason::Malformed) }
    }

    /// Names, and which files have no data.
    fn files(&mut self, streams: &mut Streams<'a>) -> Result<(), Reason> {
        let count = self.count(MAX_FILES)?;
        let mut empty = vec![false; count];
        let mut parts = Parts::default();
        loop {
            match self.number()? {
                id::END => break,
                part @ id::EMPTY_STREAM => {
                    parts.once(part)?;
                    empty = self.property()?.bits(count)?.collect();
                }
                part @ id::NAMES => {
                    parts.once(part)?;
                    let mut names = self.property()?;
                    if names.byte()? != 0 {
                        return Err(Reason::Unsupported);
                    }
                    let units = names.rest.chunks_exact(2).map(|b| [b[0], b[1]]);
                    let units: Vec<u16> = units.map(u16::from_le_bytes).collect();
                    let names = units.split(|unit| *unit == 0).take(count);
                    streams.names = names.map(name).collect();
                }
                _ => {
                    self.property()?;
                }
            }
        }
        let mut at = 0;
        streams.names.retain(|_| {
            at += 1;
            empty.get(at - 1) == Some(&false)
        });
        Ok(())
    }
}

fn name(units: &[u16]) -> String {
    String::from_utf16_lossy(units.get(..MAX_NAME).unwrap_or(units))
}

/// The order in which methods with one input each unpack a folder: `bound` are the inputs that take what comes out of
/// another. Empty if they are no chain.
fn chain(count: usize, bound: &[(u64, u64)]) -> Vec<usize> {
    // The input that takes nothing from another takes the packed stream.
    let is_bound = |at: usize| bound.iter().any(|(input, _)| *input == at as u64);
    let mut next = (0..count).find(|at| !is_bound(*at));
    let mut order = Vec::new();
    while let Some(at) = next.filter(|at| *at < count && order.len() < count) {
        order.push(at);
        next = bound
            .iter()
            .find(|(_, output)| *output == at as u64)
            .and_then(|(input, _)| usize::try_from(*input).ok());
    }
    if order.len() == count { order } else { Vec::new() }
}
