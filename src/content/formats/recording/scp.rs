//! SCP-ECG (EN 1064, ISO 11073-91064): a record of sections. Section 0 contains their offsets, section 1 the data of
//! the patient as tagged values.

use super::{Read, Values, u16_at, u32_at};
use crate::syntax::recording;

/// Length of the head of a section: checksum, id, length, versions, reserved (5.2.7).
const HEAD: usize = 16;
/// Checksum and length of the record.
const RECORD: usize = 6;
/// Length of a pointer of section 0.
const POINTER: usize = 10;
/// Pointers that are read; there are 12 sections, and some of manufacturers.
const MAX_POINTERS: usize = 64;

pub(super) fn read(head: &[u8], values: &mut Values) -> Read {
    // Carved out of a stream it begins with the name of the standard.
    let lost = if head.starts_with(recording::SCP) { recording::SCP_NAME } else { 0 };
    let at = |position: usize| position.checked_sub(lost);
    let mut pointers = RECORD + HEAD;
    for _ in 0..MAX_POINTERS {
        let Some(pointer) = at(pointers).and_then(|at| head.get(at..at + POINTER)) else {
            return Read::Need(pointers + POINTER);
        };
        let fields = (u16_at(pointer, 0), u32_at(pointer, 2), u32_at(pointer, 6));
        if let (Some(1), Some(len), Some(index)) = fields {
            // Counted from 1 (5.3.3.3).
            let Some(begin) = index.checked_sub(1).and_then(at).filter(|_| len > HEAD) else {
                return Read::Done;
            };
            let end = begin.saturating_add(len);
            let tags = head.get(begin + HEAD..).unwrap_or_default();
            section(tags.get(..len - HEAD).unwrap_or(tags), values);
            return if head.len() < end { Read::Need(end) } else { Read::Done };
        }
        pointers += POINTER;
    }
    Read::Done
}

/// Tags of section 1 (5.4.3): a number, a length of two bytes, a value.
fn section(mut tags: &[u8], values: &mut Values) {
    while let [tag, low, high, rest @ ..] = tags {
        let len = usize::from(u16::from_le_bytes([*low, *high]));
        let Some(value) = rest.get(..len) else { return };
        match *tag {
            0 => values.latin("1-0", value),
            1 => values.latin("1-1", value),
            2 => values.latin("1-2", value),
            3 => values.latin("1-3", value),
            5 => {
                if let (Some(year), [_, _, month, day, ..]) = (u16_at(value, 0), value) {
                    values.date("1-5", year, u16::from(*month), u16::from(*day));
                }
            }
            8 => values.sex("1-8", value.first().copied().unwrap_or_default().into()),
            31 => values.latin("1-31", value),
            // The end of the section.
            255 => return,
            _ => {}
        }
        tags = rest.get(len..).unwrap_or_default();
    }
}
