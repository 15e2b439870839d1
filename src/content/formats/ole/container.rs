//! Compound files (MS-CFB): a file system in a file, in sectors that a table chains.
//!
//! Files that are cut or have gaps are read as far as their sectors are available; libraries for these files reject
//! them.

use crate::content::{Reason, Scope};
use zeroize::Zeroizing;

pub const MAGIC: &[u8; 8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
/// Length of the header, bytes; the first sector lies behind it, and in files with large sectors behind one whole
/// sector.
const HEADER: usize = 512;
/// Sectors of the table that the header lists.
const IN_HEADER: usize = 109;
/// Bytes of an entry of the directory.
const ENTRY: usize = 128;
/// Entries that are read.
const MAX_ENTRIES: usize = 16 << 10;
/// Longest stream that is read, bytes.
const MAX_STREAM: usize = 16 << 20;
/// Numbers from here on are special values.
const LAST_SECTOR: u32 = 0xffff_fffa;

/// Types of entries (2.6.1).
const STORAGE: u8 = 1;
const STREAM: u8 = 2;
const ROOT: u8 = 5;

/// An entry of the directory.
pub struct Entry {
    pub name: String,
    kind: u8,
    /// Siblings in the same storage, and the first child.
    left: u32,
    right: u32,
    child: u32,
    start: u32,
    size: usize,
}

impl Entry {
    fn read(data: &[u8]) -> Option<Self> {
        let data = data.first_chunk::<ENTRY>()?;
        let len = usize::from(u16::from_le_bytes([data[64], data[65]])).saturating_sub(2).min(64);
        let units = data.get(..len)?.chunks_exact(2);
        let units: Vec<u16> = units.map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
        Some(Self {
            name: String::from_utf16_lossy(&units),
            kind: data[66],
            left: four(data, 68)?,
            right: four(data, 72)?,
            child: four(data, 76)?,
            start: four(data, 116)?,
            size: four(data, 120)? as usize,
        })
    }

    /// Whether it is a stream rather than a storage.
    pub const fn is_stream(&self) -> bool {
        self.kind == STREAM
    }
}

pub fn four(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}

/// A compound file.
pub struct Container<'a> {
    data: &'a [u8],
    sector: usize,
    mini: usize,
    /// Streams shorter than this lie in small sectors of the root's stream.
    cutoff: usize,
    /// The allocation tables of sectors and of small sectors.
    table: Vec<u32>,
    mini_table: Vec<u32>,
    /// Sectors of the stream of the root.
    root: Vec<u32>,
    pub entries: Vec<Entry>,
}

impl<'a> Container<'a> {
    /// The file `data`; `None` if its header is malformed (2.2).
    pub fn new(data: &'a [u8]) -> Option<Self> {
        let header = data.get(..HEADER).filter(|header| header.starts_with(MAGIC))?;
        let (sector, mini) = match header.get(30..34)? {
            [9, 0, 6, 0] => (512, 64),
            [12, 0, 6, 0] => (4096, 64),
            _ => return None,
        };
        let mut container = Self {
            data,
            sector,
            mini,
            cutoff: four(header, 56)? as usize,
            table: Vec::new(),
            mini_table: Vec::new(),
            root: Vec::new(),
            entries: Vec::new(),
        };
        let most = container.sectors();
        let numbers = |bytes: &[u8]| -> Vec<u32> {
            bytes.chunks_exact(4).filter_map(|c| four(c, 0)).collect()
        };
        let mut table = numbers(header.get(76..76 + 4 * IN_HEADER)?);
        // Further sectors of the list are chained by their last number.
        let mut next = four(header, 68)?;
        while next < LAST_SECTOR
            && table.len() < most
            && let Some(bytes) = container.sector(next)
        {
            let mut more = numbers(bytes);
            next = more.pop().unwrap_or(LAST_SECTOR);
            table.append(&mut more);
        }
        table.retain(|n| *n < LAST_SECTOR);
        table.truncate(most);
        container.table = table;
        container.mini_table = container.chain(four(header, 60)?, most);
        let directory = container.chain(four(header, 48)?, MAX_ENTRIES * ENTRY / sector);
        let sectors = directory.iter().filter_map(|n| container.sector(*n));
        let entries = sectors.flat_map(|bytes| bytes.chunks_exact(ENTRY)).filter_map(Entry::read);
        container.entries = entries.take(MAX_ENTRIES).collect();
        let root = container.entries.first().filter(|entry| entry.kind == ROOT)?;
        container.root = container.chain(root.start, root.size.div_ceil(sector).min(most));
        Some(container)
    }

    /// Most sectors that there can be.
    const fn sectors(&self) -> usize {
        self.data.len() / self.sector + 1
    }

    /// The bytes of a sector; the last one of a cut file may be short.
    fn sector(&self, number: u32) -> Option<&'a [u8]> {
        let start = (number as usize).checked_add(1)?.checked_mul(self.sector)?;
        let end = start.checked_add(self.sector)?.min(self.data.len());
        self.data.get(start..end).filter(|bytes| !bytes.is_empty())
    }

    /// The sectors of a chain, at most `most`, so that a cycle ends.
    fn chain(&self, first: u32, most: usize) -> Vec<u32> {
        let next = |number: &u32| {
            let number = *number as usize;
            let per_sector = self.sector / 4;
            let bytes = self.sector(*self.table.get(number / per_sector)?)?;
            four(bytes, number % per_sector * 4).filter(|next| *next < LAST_SECTOR)
        };
        let first = Some(first).filter(|first| *first < LAST_SECTOR);
        std::iter::successors(first, next).take(most.min(self.sectors())).collect()
    }

    /// The bytes of a stream, without the part that is missing at its end or exceeds the budget.
    pub fn stream(&self, entry: &Entry, scope: &mut Scope<'_>) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::default();
        let size = entry.size.min(self.data.len());
        if size > MAX_STREAM {
            scope.give_up(Reason::Limit);
        }
        let size = size.min(MAX_STREAM);
        if !entry.is_stream() || !scope.spend(size as u64) {
            return out;
        }
        if entry.size < self.cutoff {
            self.small(entry.start, size, &mut out);
            return out;
        }
        for number in self.chain(entry.start, size.div_ceil(self.sector)) {
            let Some(bytes) = self.sector(number) else { break };
            out.extend_from_slice(bytes);
        }
        out.truncate(size);
        out
    }

    /// A stream of small sectors.
    fn small(&self, first: u32, size: usize, out: &mut Vec<u8>) {
        let (mut number, per_sector) = (first, self.sector / 4);
        while number < LAST_SECTOR && out.len() < size {
            let start = number as usize * self.mini;
            let sector = self.root.get(start / self.sector).and_then(|n| self.sector(*n));
            let at = start % self.sector;
            let bytes = sector.and_then(|bytes| bytes.get(at..(at + self.mini).min(bytes.len())));
            let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { break };
            out.extend_from_slice(bytes);
            let link = self.mini_table.get(number as usize / per_sector);
            let link = link.and_then(|n| self.sector(*n));
            let next = link.and_then(|bytes| four(bytes, number as usize % per_sector * 4));
            number = next.unwrap_or(LAST_SECTOR);
        }
        out.truncate(size);
    }

    /// The entries in a storage, by their index in the directory; 0 is the root.
    pub fn inside(&self, storage: usize) -> Vec<usize> {
        let Some(entry) = self.entries.get(storage) else { return Vec::new() };
        if !matches!(entry.kind, STORAGE | ROOT) {
            return Vec::new();
        }
        let mut seen = vec![false; self.entries.len()];
        let (mut found, mut waiting) = (Vec::new(), vec![entry.child]);
        while let Some(at) = waiting.pop() {
            let at = at as usize;
            let (Some(entry), Some(slot)) = (self.entries.get(at), seen.get_mut(at)) else {
                continue;
            };
            if !std::mem::replace(slot, true) {
                found.push(at);
                waiting.extend([entry.left, entry.right]);
            }
        }
        found.sort_unstable();
        found
    }

    /// The stream of this name in a storage.
    pub fn named(&self, storage: usize, name: &str) -> Option<&Entry> {
        let entries = self.inside(storage).into_iter().filter_map(|at| self.entries.get(at));
        entries.into_iter().find(|entry| entry.name.eq_ignore_ascii_case(name))
    }
}
