//! Pages, b-trees and records.

use crate::content::Scope;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Header of the file, which precedes that of the first page.
const FILE_HEADER: usize = 100;
/// Longest row that is read, bytes.
const MAX_ROW: usize = 256 << 10;
/// Values of a row that are read.
const MAX_VALUES: usize = 512;

/// Cost of a cell beside its bytes.
const CELL: u64 = 16;

/// Types of pages (1.6).
const INDEX_INTERIOR: u8 = 2;
const TABLE_INTERIOR: u8 = 5;
const INDEX_LEAF: u8 = 10;
const TABLE_LEAF: u8 = 13;

/// A value of a row.
#[derive(Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(Cow<'a, str>),
    Blob(&'a [u8]),
}

impl Value<'_> {
    /// As a table shows it; a blob only if it is text.
    pub fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Text(text) => text.clone().into_owned(),
            Self::Blob(bytes) => std::str::from_utf8(bytes).unwrap_or_default().to_owned(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// A file.
pub struct Database<'a> {
    data: &'a [u8],
    page_size: usize,
    /// Usable bytes of a page.
    usable: usize,
    encoding: Encoding,
}

/// Pages that were read.
pub struct Seen(Vec<bool>);

impl Seen {
    /// Whether the page is available and was not read before.
    fn first(&mut self, page: u32) -> bool {
        let slot = usize::try_from(page).ok().and_then(|page| self.0.get_mut(page.checked_sub(1)?));
        slot.is_some_and(|seen| !std::mem::replace(seen, true))
    }
}

/// Receives rows: their ids and their values.
type Take<'t> = dyn FnMut(i64, &[Value<'_>], &mut Scope<'_>) + 't;

impl<'a> Database<'a> {
    /// The file `data`; `None` if its header is malformed (1.3).
    pub fn new(data: &'a [u8]) -> Option<Self> {
        let header = data.get(..FILE_HEADER)?;
        let page_size = match u16::from_be_bytes(*header.get(16..)?.first_chunk::<2>()?) {
            1 => 65_536,
            size => usize::from(size),
        };
        let usable = page_size.checked_sub(usize::from(*header.get(20)?))?;
        let encoding = match header.get(56..60)? {
            [0, 0, 0, 2] => Encoding::Utf16Le,
            [0, 0, 0, 3] => Encoding::Utf16Be,
            _ => Encoding::Utf8,
        };
        let fits = (512..=65_536).contains(&page_size) && page_size.is_power_of_two();
        (fits && usable >= 480).then_some(Self { data, page_size, usable, encoding })
    }

    /// No page was read.
    pub fn unseen(&self) -> Seen {
        Seen(vec![false; self.data.len().div_ceil(self.page_size)])
    }

    fn page(&self, number: u32) -> Option<&'a [u8]> {
        let start = (number.checked_sub(1)? as usize).checked_mul(self.page_size)?;
        let end = start.checked_add(self.usable)?.min(self.data.len());
        self.data.get(start..end)
    }

    /// Passes every row of the b-tree under page `root` to `take`. No page is read twice.
    pub fn rows(&self, root: u32, seen: &mut Seen, scope: &mut Scope<'_>, take: &mut Take<'_>) {
        let mut waiting = vec![root];
        while let Some(number) = waiting.pop() {
            let Some(page) = self.page(number).filter(|_| seen.first(number)) else { continue };
            let start = if number == 1 { FILE_HEADER } else { 0 };
            let Some(header) = page.get(start..) else { continue };
            let (kind, count) = match header {
                [kind, _, _, high, low, ..] => (*kind, u16::from_be_bytes([*high, *low])),
                _ => continue,
            };
            let interior = matches!(kind, INDEX_INTERIOR | TABLE_INTERIOR);
            if !interior && !matches!(kind, INDEX_LEAF | TABLE_LEAF) {
                continue;
            }
            let first = waiting.len();
            let pointers = header.get(if interior { 12 } else { 8 }..).unwrap_or_default();
            for pointer in pointers.chunks_exact(2).take(count.into()) {
                let at =
                    pointer.first_chunk::<2>().map_or(0, |p| usize::from(u16::from_be_bytes(*p)));
                let Some(mut cell) = page.get(at..) else { continue };
                if interior {
                    let Some((child, rest)) = cell.split_first_chunk::<4>() else { continue };
                    waiting.push(u32::from_be_bytes(*child));
                    cell = rest;
                }
                if kind != TABLE_INTERIOR && self.row(kind, cell, scope, take).is_none() {
                    scope.leave(page.len() as u64);
                    return;
                }
            }
            if let (true, Some(last)) =
                (interior, header.get(8..).and_then(|h| h.first_chunk::<4>()))
            {
                waiting.push(u32::from_be_bytes(*last));
            }
            if let Some(children) = waiting.get_mut(first..) {
                children.reverse();
            }
        }
    }

    /// Reads the row in a cell. `None` if the budget is used up.
    fn row(
        &self,
        kind: u8,
        mut cell: &[u8],
        scope: &mut Scope<'_>,
        take: &mut Take<'_>,
    ) -> Option<()> {
        let Some(len) = varint(&mut cell) else { return Some(()) };
        let rowid = match kind {
            TABLE_LEAF => varint(&mut cell),
            _ => Some(0),
        };
        let (Some(rowid), Ok(len)) = (rowid, usize::try_from(len)) else { return Some(()) };
        let local = self.local(kind == TABLE_LEAF, len);
        let read = len.min(MAX_ROW);
        // Cells may overlap.
        if !scope.spend(CELL + read as u64) {
            return None;
        }
        if local == len {
            self.record(cell.get(..len).unwrap_or(cell), rowid, scope, take);
            return Some(());
        }
        let mut payload = Zeroizing::new(cell.get(..local).unwrap_or(cell).to_vec());
        let mut next = cell.get(local..).and_then(|c| c.first_chunk::<4>()).copied();
        while let Some(page) = next.and_then(|n| self.page(u32::from_be_bytes(n))) {
            let Some((link, bytes)) = page.split_first_chunk::<4>() else { break };
            let room = read.saturating_sub(payload.len());
            payload.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            next = (payload.len() < read && !bytes.is_empty()).then_some(*link);
        }
        self.record(&payload, rowid, scope, take);
        Some(())
    }

    /// Bytes of a payload that lie in its page (1.6).
    const fn local(&self, table: bool, len: usize) -> usize {
        let usable = self.usable;
        let most = if table { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
        if len <= most {
            return len;
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let some = least + (len - least) % (usable - 4);
        if some <= most { some } else { least }
    }

    /// Passes on a record (2.1). A cut value is left out.
    fn record(&self, payload: &[u8], rowid: u64, scope: &mut Scope<'_>, take: &mut Take<'_>) {
        let mut rest = payload;
        let Some(size) = varint(&mut rest).and_then(|size| usize::try_from(size).ok()) else {
            return;
        };
        let header = payload.get(payload.len() - rest.len()..size.min(payload.len()));
        let (Some(mut header), Some(mut body)) = (header, payload.get(size..)) else { return };
        let mut values = Vec::new();
        while let Some(kind) = varint(&mut header)
            && values.len() < MAX_VALUES
        {
            let Some(value) = self.value(kind, &mut body) else { break };
            values.push(value);
        }
        take(rowid as i64, &values, scope);
    }

    fn value<'v>(&self, kind: u64, body: &mut &'v [u8]) -> Option<Value<'v>> {
        let mut bytes = |len: usize| {
            let (taken, rest) = body.split_at_checked(len)?;
            *body = rest;
            Some(taken)
        };
        Some(match kind {
            0 => Value::Null,
            1..=6 => {
                let bytes = bytes([1, 2, 3, 4, 6, 8][kind as usize - 1])?;
                let sign = if bytes.first()? & 0x80 == 0 { 0 } else { -1 };
                Value::Integer(bytes.iter().fold(sign, |n, b| n << 8 | i64::from(*b)))
            }
            7 => Value::Real(f64::from_be_bytes(*bytes(8)?.first_chunk::<8>()?)),
            8 | 9 => Value::Integer(kind as i64 - 8),
            12.. if kind.is_multiple_of(2) => {
                Value::Blob(bytes(usize::try_from((kind - 12) / 2).ok()?)?)
            }
            13.. => Value::Text(self.text(bytes(usize::try_from((kind - 13) / 2).ok()?)?)),
            _ => return None,
        })
    }

    fn text<'v>(&self, bytes: &'v [u8]) -> Cow<'v, str> {
        match self.encoding {
            Encoding::Utf8 => String::from_utf8_lossy(bytes),
            Encoding::Utf16Le => encoding_rs::UTF_16LE.decode_without_bom_handling(bytes).0,
            Encoding::Utf16Be => encoding_rs::UTF_16BE.decode_without_bom_handling(bytes).0,
        }
    }
}

/// A varint: groups of seven bits, the most significant first; the ninth byte has eight.
fn varint(data: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for at in 0..9 {
        let (&byte, rest) = data.split_first()?;
        *data = rest;
        if at == 8 {
            return Some(value << 8 | u64::from(byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
