//! `winmail.dat`: messages and attachments as Outlook sends them to other mail programs (TNEF, MS-OXTNEF).

use super::mapi::Item;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use zeroize::Zeroizing;

const MAGIC: &[u8] = b"\x78\x9f\x3e\x22";
/// Signature and key.
const HEADER: usize = 6;
/// Longest stream that is kept, bytes.
const MAX_STREAM: usize = 32 << 20;
/// Most attributes, and properties of an attribute.
const MAX_ATTRIBUTES: usize = 4096;
const MAX_PROPERTIES: u32 = 4096;
/// Most values of a property.
const MAX_VALUES: u32 = 256;

/// Attributes (2.1.3).
const SUBJECT: u16 = 0x8004;
const BODY: u16 = 0x800c;
const ATTACH_DATA: u16 = 0x800f;
const ATTACH_TITLE: u16 = 0x8010;
const ATTACH_RENDERING: u16 = 0x9002;
const PROPERTIES: u16 = 0x9003;
const ATTACHMENT: u16 = 0x9005;

/// TNEF.
pub struct Tnef;

impl Format for Tnef {
    fn name(&self) -> &'static str {
        "tnef"
    }

    fn first(&self) -> &'static [u8] {
        b"x"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        head.starts_with(MAGIC)
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Stream { held: Zeroizing::default() })
    }
}

struct Stream {
    held: Zeroizing<Vec<u8>>,
}

impl Document for Stream {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let room = MAX_STREAM.saturating_sub(self.held.len());
        self.held.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if bytes.len() > room {
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let data = std::mem::take(&mut self.held);
        read(data.get(HEADER..).unwrap_or_default(), scope);
    }

    fn memory(&self) -> usize {
        self.held.capacity()
    }
}

fn four(data: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = data.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*head), rest))
}

/// Reads the attributes: level, id, length, value, checksum. The last value may be cut.
fn read(mut rest: &[u8], scope: &mut Scope<'_>) {
    const TEXT: u16 = 0x001e;
    let mut item = Item::default();
    for _ in 0..MAX_ATTRIBUTES {
        let Some((_, tail)) = rest.split_first() else { break };
        let Some((id, tail)) = four(tail) else { break };
        let Some((len, tail)) = four(tail) else { break };
        let len = len as usize;
        let value = tail.get(..len).unwrap_or(tail);
        match id as u16 {
            SUBJECT => item.property(0x0037, TEXT, value),
            BODY => item.property(0x1000, TEXT, value),
            // The first attachment ends the part about the message.
            ATTACH_RENDERING => std::mem::take(&mut item).read("tnef", scope),
            ATTACH_TITLE => item.property(0x3704, TEXT, value),
            ATTACH_DATA => item.property(0x3701, 0x0102, value),
            PROPERTIES | ATTACHMENT if properties(value, &mut item).is_none() => {
                scope.give_up(Reason::Malformed);
            }
            _ => {}
        }
        rest = len.checked_add(2).and_then(|end| tail.get(end..)).unwrap_or_default();
    }
    item.read("tnef", scope);
}

/// Reads properties (2.1.3.4): their number, then type, id, perhaps a name, and the value of each.
fn properties(data: &[u8], item: &mut Item) -> Option<()> {
    let (count, mut rest) = four(data)?;
    for _ in 0..count.min(MAX_PROPERTIES) {
        let (tag, tail) = four(rest)?;
        rest = tail;
        let (kind, id) = (tag as u16, (tag >> 16) as u16);
        if id >= 0x8000 {
            // A property set GUID, then a number or a text.
            let (named, tail) = four(rest.get(16..)?)?;
            let (len, tail) = four(tail)?;
            rest = if named == 0 { tail } else { tail.get(padded(len)?..)? };
        }
        let (values, tail) = match kind & 0x1000 {
            0 => (1, rest),
            _ => four(rest)?,
        };
        rest = tail;
        let kind = kind & !0x1000;
        let fixed = match kind {
            0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b | 0x0001 => Some(4),
            0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => Some(8),
            0x0048 => Some(16),
            _ => None,
        };
        let values = match fixed {
            Some(size) => {
                rest = rest.get(size * values as usize..)?;
                continue;
            }
            // Strings, bytes and objects have a count.
            None if tag & 0x1000 == 0 => {
                let (count, tail) = four(rest)?;
                rest = tail;
                count
            }
            None => values,
        };
        for value in 0..values {
            if value > MAX_VALUES {
                return None;
            }
            let (len, tail) = four(rest)?;
            let bytes = tail.get(..len as usize)?;
            if value == 0 {
                // The interface of an object precedes it.
                let object = if kind == 0x000d { 16.min(bytes.len()) } else { 0 };
                item.property(id, kind, bytes.get(object..).unwrap_or_default());
            }
            rest = tail.get(padded(len)?..).unwrap_or_default();
        }
    }
    Some(())
}

/// A length, with padding to a multiple of four.
fn padded(len: u32) -> Option<usize> {
    usize::try_from(len).ok()?.checked_next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use crate::content::Media;
    use crate::content::testing::{records, with_gap_of};
    use proptest::prelude::*;

    fn attribute(level: u8, id: u32, value: &[u8]) -> Vec<u8> {
        let sum = value.iter().fold(0u16, |sum, b| sum.wrapping_add((*b).into()));
        let len = (value.len() as u32).to_le_bytes();
        [&[level][..], &id.to_le_bytes(), &len, value, &sum.to_le_bytes()].concat()
    }

    fn property(kind: u16, id: u16, value: &[u8]) -> Vec<u8> {
        let name = if id < 0x8000 { vec![] } else { vec![7; 16 + 8] };
        let mut name = name;
        if !name.is_empty() {
            name[16..].copy_from_slice(&[1, 0, 0, 0, 3, 0, 0, 0]);
            name.extend([b'a', 0, 0, 0]);
        }
        let mut body = value.to_vec();
        if !matches!(kind, 3 | 0x40) {
            body = [&1u32.to_le_bytes()[..], &(value.len() as u32).to_le_bytes(), value].concat();
            body.resize(body.len().next_multiple_of(4), 0);
        }
        [&kind.to_le_bytes()[..], &id.to_le_bytes(), &name, &body].concat()
    }

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).chain([0, 0]).collect()
    }

    fn message() -> Vec<u8> {
        let body = [
            vec![4, 0, 0, 0],
            property(3, 0x0e08, &[1, 0, 0, 0]),
            property(0x1f, 0x8001, &wide("x")),
            property(0x40, 0x0039, &[0; 8]),
            property(0x1f, 0x1000, &wide("Patient: Eva Roe\r\nMRN: 77\r\n")),
        ];
        let file = [
            vec![2, 0, 0, 0],
            property(0x1f, 0x3707, &wide("ward_patients.csv")),
            property(0x1e, 0x370e, b"text/csv\0"),
        ];
        [
            b"\x78\x9f\x3e\x22\x17\x00".to_vec(),
            attribute(1, 0x0008_9006, &[0, 0, 1, 0]),
            attribute(1, 0x0001_8004, b"DOB: 1958-03-02\0"),
            attribute(1, 0x0006_9003, &body.concat()),
            attribute(2, 0x0006_9002, &[0; 14]),
            attribute(2, 0x0001_8010, b"WARD~1.CSV\0"),
            attribute(2, 0x0006_800f, b"mrn,name,dob\n18,\"Doe, Ann\",1960-02-29\n"),
            attribute(2, 0x0006_9005, &file.concat()),
        ]
        .concat()
    }

    #[test]
    fn text_and_attachments_of_a_message() {
        assert_eq!(
            records("application/ms-tnef", &message()),
            [
                "http>tnef>text:~text [PatientContext] name=Eva Roe patient_id=77",
                "http>tnef>csv:~csv [PatientContext] patient_id=18 name=Doe, Ann birth_date=1960-02-29",
            ]
        );
    }

    #[test]
    fn what_is_cut_or_has_a_hole_is_read_up_to_there() {
        let all = message();
        for end in 0..all.len() {
            records("", &all[..end]);
        }
        let got = with_gap_of(Media::Unknown, &all[..all.len() - 90], 10, b"x");
        assert_eq!(got.len(), 2, "the name of the file alone is lost");
    }

    proptest! {
        #[test]
        fn mutated_files_never_panic(at in 6usize..500, byte: u8, other in 6usize..500, second: u8) {
            let mut broken = message();
            let len = broken.len();
            broken[at % len] = byte;
            broken[other % len] = second;
            records("", &broken);
        }
    }
}
