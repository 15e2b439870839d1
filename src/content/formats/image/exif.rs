//! The texts in directories of TIFF 6.0 and EXIF (CIPA DC-008).

use super::{MAX_BLOCK, Words, iptc, to_text, xmp};
use crate::content::Scope;
use crate::syntax::ByteOrder;
use encoding_rs::{UTF_16BE, UTF_16LE};
use std::borrow::Cow;

/// Directories followed.
const MAX_DIRECTORIES: usize = 8;

/// Entries read per directory.
const MAX_ENTRIES: usize = 512;

/// Tags of texts that describe the image. `Artist` and `Copyright` name its author.
const DOCUMENT_NAME: u16 = 0x010d;
const DESCRIPTION: u16 = 0x010e;
const PAGE_NAME: u16 = 0x011d;
const XMP: u16 = 0x02bc;
const IPTC: u16 = 0x83bb;
const PHOTOSHOP: u16 = 0x8649;
const EXIF: u16 = 0x8769;
const USER_COMMENT: u16 = 0x9286;
/// `XPTitle`, `XPComment`, `XPKeywords`, `XPSubject`; `XPAuthor` is between them.
const XP: [u16; 4] = [0x9c9b, 0x9c9c, 0x9c9e, 0x9c9f];

/// The available parts of a file.
pub(super) struct Windows<'a> {
    front: &'a [u8],
    at: u64,
    back: &'a [u8],
}

impl<'a> Windows<'a> {
    pub(super) const fn whole(front: &'a [u8]) -> Self {
        Self { front, at: 0, back: &[] }
    }

    pub(super) const fn two(front: &'a [u8], at: u64, back: &'a [u8]) -> Self {
        Self { front, at, back }
    }

    fn get(&self, at: u64, len: usize) -> Option<&'a [u8]> {
        let cut = |data: &'a [u8], at: u64| {
            let at = usize::try_from(at).ok()?;
            data.get(at..at.checked_add(len)?)
        };
        cut(self.front, at).or_else(|| cut(self.back, at.checked_sub(self.at)?))
    }
}

/// Byte order.
#[derive(Clone, Copy)]
struct Order(ByteOrder);

impl Order {
    fn of(head: &[u8]) -> Option<Self> {
        match head.get(..4)? {
            b"II*\0" => Some(Self(ByteOrder::Little)),
            b"MM\0*" => Some(Self(ByteOrder::Big)),
            _ => None,
        }
    }
    fn short(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = bytes.get(at..)?.first_chunk::<2>()?;
        Some(self.0.u16(*bytes))
    }
    fn long(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = bytes.get(at..)?.first_chunk::<4>()?;
        Some(self.0.u32(*bytes))
    }
}

/// Offset of the first directory.
pub(super) fn first_directory(head: &[u8]) -> Option<u64> {
    Order::of(head)?.long(head, 4).map(u64::from)
}

/// Reads the texts of all directories.
pub(super) fn read(file: &Windows<'_>, words: &mut Words, scope: &mut Scope<'_>) {
    let Some(order) = Order::of(file.front) else { return };
    let mut open: Vec<u64> = first_directory(file.front).into_iter().collect();
    let mut followed = 0;
    while let Some(at) = open.pop().filter(|_| followed < MAX_DIRECTORIES) {
        followed += 1;
        let Some(count) = file.get(at, 2).and_then(|b| order.short(b, 0)) else { continue };
        let count = usize::from(count);
        for entry in 0..count.min(MAX_ENTRIES) {
            let Some(entry) = file.get(at + 2 + 12 * entry as u64, 12) else { break };
            if let Some(next) = directory_entry(entry, file, order, words, scope)
                && open.len() < MAX_DIRECTORIES
            {
                open.push(next);
            }
        }
        let next = file.get(at + 2 + 12 * count as u64, 4).and_then(|b| order.long(b, 0));
        if let Some(next) = next.filter(|next| *next != 0) {
            open.insert(0, u64::from(next));
        }
    }
}

/// Reads an entry. Returns the offset of the directory that it points to, if any.
fn directory_entry(
    entry: &[u8],
    file: &Windows<'_>,
    order: Order,
    words: &mut Words,
    scope: &mut Scope<'_>,
) -> Option<u64> {
    let tag = order.short(entry, 0)?;
    if tag == EXIF {
        return order.long(entry, 8).map(u64::from);
    }
    let texts = [DOCUMENT_NAME, DESCRIPTION, PAGE_NAME, XMP, IPTC, PHOTOSHOP, USER_COMMENT];
    if !texts.contains(&tag) && !XP.contains(&tag) {
        return None;
    }
    // ASCII, BYTE, UNDEFINED; IPTC is often written as LONG.
    let size = match order.short(entry, 2)? {
        1 | 2 | 6 | 7 => 1,
        4 => 4,
        _ => return None,
    };
    let len = (order.long(entry, 4)? as usize).checked_mul(size)?.min(MAX_BLOCK);
    let value = match len {
        0..=4 => entry.get(8..8 + len)?,
        _ => file.get(u64::from(order.long(entry, 8)?), len)?,
    };
    match tag {
        XMP => xmp::read(value, words, scope),
        IPTC => iptc::read(value, words, scope),
        PHOTOSHOP => iptc::resources(value, words, scope),
        USER_COMMENT => words.text(&comment(value, order), scope),
        _ if XP.contains(&tag) => {
            words.text(&UTF_16LE.decode_without_bom_handling(value).0, scope);
        }
        _ => words.text(&to_text(value), scope),
    }
    None
}

/// A comment behind the name of its character set (CIPA DC-008 4.6.5, UserComment).
fn comment(value: &[u8], order: Order) -> Cow<'_, str> {
    match value.split_at_checked(8) {
        Some((b"UNICODE\0", text)) => {
            let encoding = match order.0 {
                ByteOrder::Big => UTF_16BE,
                ByteOrder::Little => UTF_16LE,
            };
            encoding.decode(text).0
        }
        Some((b"JIS\0\0\0\0\0", text)) => encoding_rs::ISO_2022_JP.decode(text).0,
        Some((b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0", text)) => to_text(text),
        _ => to_text(value),
    }
}
