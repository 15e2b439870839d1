//! Tables of dBASE III to 7 and (Visual) FoxPro: files with the rows of practice systems, registries and accounting
//! (dBASE file structure, dbase.com; Microsoft, "Table File Structure"). Memos are in separate files and are not
//! read.

use crate::content::extract::record::{CandidateRecord, Marks};
use crate::content::extract::table::TableColumns;
use crate::content::stack::charset::dos_text;
use crate::content::stack::{Unread, media};
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use encoding_rs::Encoding;
use zeroize::Zeroizing;

/// Header of a file, before the fields; that of dBASE 7 is longer.
const HEADER: usize = 32;
const HEADER_7: usize = 68;
/// Description of a field, and in dBASE 7.
const FIELD: usize = 32;
const FIELD_7: usize = 48;
/// Longest header, and longest row: their lengths have 16 bits.
const MAX_HELD: usize = (64 << 10) - 1;
/// Fields of a row.
const MAX_FIELDS: usize = 512;
/// Behind the last field.
const END: u8 = 0x0d;
/// From the day 0 of the Julian calendar to 1970-01-01.
const JULIAN: i64 = 2_440_588;

/// dBASE and FoxPro.
pub struct Dbf;

impl Format for Dbf {
    fn name(&self) -> &'static str {
        "dbf"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        Header::read(head).is_some_and(|header| {
            let first = head.get(header.fields..).and_then(|rest| header.field(rest));
            first.is_some()
        })
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Table {
            held: Unread::default(),
            path: media::path(media),
            header: None,
            fields: Vec::new(),
            columns: TableColumns::default(),
            about: Marks::default(),
        })
    }
}

/// The header of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Header {
    /// Bytes before the rows, and of a row.
    len: usize,
    row: usize,
    /// Offset of the field descriptors, and the length of one.
    fields: usize,
    field: usize,
    code_page: u8,
}

impl Header {
    fn read(head: &[u8]) -> Option<Self> {
        let head = head.first_chunk::<HEADER>()?;
        let seven = match head[0] {
            0x03 | 0x30..=0x32 | 0x43 | 0x63 | 0x83 | 0x8b | 0xcb | 0xe5 | 0xf5 | 0xfb => false,
            0x04 | 0x8c => true,
            _ => return None,
        };
        // The day of the last change, by the year since 1900.
        if !matches!(head[2..4], [1..=12, 1..=31]) {
            return None;
        }
        let (len, row) = (word(head, 8), word(head, 10));
        let (fields, field) = if seven { (HEADER_7, FIELD_7) } else { (HEADER, FIELD) };
        (len > fields + field && row >= 2).then_some(Self {
            len,
            row,
            fields,
            field,
            code_page: head[29],
        })
    }

    /// The field whose descriptor is at the front of `data`; `None` behind the last one.
    fn field(&self, data: &[u8]) -> Option<Field> {
        let data = data.get(..self.field)?;
        let (name, rest) = data.split_at_checked(if self.field == FIELD { 11 } else { 32 })?;
        let name = name.split(|b| *b == 0).next().unwrap_or_default();
        let kind = *rest.first()?;
        // A character field of FoxPro has a length of two bytes.
        let len = match self.field {
            FIELD if kind == b'C' => word(rest, 5),
            FIELD => usize::from(*rest.get(5)?),
            _ => usize::from(*rest.get(1)?),
        };
        let known = b"CNFDLMTIYBGPQVWO@+0".contains(&kind);
        let printable = name.iter().all(|b| *b > b' ' && *b != 0x7f);
        (known && len > 0 && !name.is_empty() && printable).then(|| Field {
            name: name.to_vec(),
            kind,
            len,
        })
    }
}

fn word(data: &[u8], at: usize) -> usize {
    let bytes = data.get(at..).and_then(|d| d.first_chunk::<2>());
    bytes.map_or(0, |bytes| u16::from_le_bytes(*bytes).into())
}

/// A field of every row.
struct Field {
    name: Vec<u8>,
    kind: u8,
    len: usize,
}

impl Field {
    /// The value as text.
    fn value(&self, bytes: &[u8], code_page: u8) -> Zeroizing<String> {
        let int = |at: usize| {
            let bytes = bytes.get(at..).and_then(|b| b.first_chunk::<4>());
            bytes.map_or(0, |b| i32::from_le_bytes(*b))
        };
        Zeroizing::new(match self.kind {
            b'C' | b'N' | b'F' | b'D' | b'L' | b'V' => decode(bytes, code_page),
            b'I' if bytes.len() == 4 => int(0).to_string(),
            b'T' if bytes.len() == 8 => day(i64::from(int(0)) - JULIAN),
            // Numbers of memo blocks, images, sums.
            _ => String::new(),
        })
    }
}

/// A day, counted from 1970-01-01; nothing for an impossible one.
fn day(days: i64) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(days.saturating_mul(86_400));
    moment.map_or(String::new(), |day| {
        format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
    })
}

/// Text in the code page of the file (its language driver).
fn decode(bytes: &[u8], code_page: u8) -> String {
    let bytes = bytes.trim_ascii_end();
    if bytes.is_ascii() {
        return bytes.iter().map(|b| char::from(*b)).collect();
    }
    let label: &[u8] = match code_page {
        // DOS code pages without a table: most of their letters are where page 437 has them.
        0x01
        | 0x02
        | 0x08..=0x12
        | 0x14..=0x25
        | 0x37
        | 0x40
        | 0x64
        | 0x66
        | 0x67
        | 0x69..=0x6c => {
            return dos_text(bytes);
        }
        0x26 | 0x65 => b"ibm866",
        0x04 => b"macintosh",
        0x13 | 0x7b => b"shift_jis",
        0x4d | 0x7a => b"gbk",
        0x4e | 0x79 => b"euc-kr",
        0x4f | 0x78 => b"big5",
        0x50 | 0x7c => b"windows-874",
        0x7d => b"windows-1255",
        0x7e => b"windows-1256",
        0xc8 => b"windows-1250",
        0xc9 => b"windows-1251",
        0xca => b"windows-1254",
        0xcb => b"windows-1253",
        0xcc => b"windows-1257",
        0 => match std::str::from_utf8(bytes) {
            Ok(text) => return text.to_owned(),
            Err(_) => b"windows-1252",
        },
        _ => b"windows-1252",
    };
    let encoding = Encoding::for_label(label).unwrap_or(encoding_rs::WINDOWS_1252);
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

struct Table {
    held: Unread<MAX_HELD>,
    path: Option<Box<str>>,
    header: Option<Header>,
    fields: Vec<Field>,
    columns: TableColumns,
    /// What the file name says about it.
    about: Marks,
}

impl Table {
    /// Reads the header from the front of `data`: bytes used, or `None` if it is incomplete.
    fn header(&mut self, data: &[u8], scope: &mut Scope<'_>) -> Option<usize> {
        let header = Header::read(data)?;
        let whole = data.get(..header.len)?;
        let mut rest = whole.get(header.fields..).unwrap_or_default();
        // The first byte of a row says whether it was deleted.
        let mut row = 1;
        while rest.first().is_some_and(|first| *first != END)
            && self.fields.len() < MAX_FIELDS
            && let Some(field) = header.field(rest)
        {
            row += field.len;
            if row > header.row {
                break;
            }
            let name = decode(&field.name, header.code_page);
            self.columns.push_field(&name, scope.rules);
            self.fields.push(field);
            rest = rest.get(header.field..).unwrap_or_default();
        }
        self.header = Some(header);
        Some(header.len)
    }

    fn row(&self, row: &[u8], code_page: u8, scope: &mut Scope<'_>) {
        let mut rest = row.get(1..).unwrap_or_default();
        let cells = self.fields.iter().map(|field| {
            let (value, tail) = rest.split_at_checked(field.len).unwrap_or((rest, &[]));
            rest = tail;
            field.value(value, code_page)
        });
        let cells: Vec<Zeroizing<String>> = cells.collect();
        let mut record = CandidateRecord::default();
        self.columns.read_row(cells.iter().map(|cell| cell.as_str()), &mut record, scope);
        record.mark_from_afar(self.about);
        record.emit("dbf", scope);
    }

    /// Reads header and rows. Returns the bytes used.
    fn read(&mut self, data: &[u8], scope: &mut Scope<'_>) -> usize {
        let mut at = 0;
        if self.header.is_none() {
            match self.header(data, scope) {
                Some(used) => at = used,
                None => return 0,
            }
        }
        let Some(header) = self.header else { return at };
        while let Some(row) = data.get(at..at + header.row) {
            // 0x1A ends the file.
            if matches!(row.first(), Some(b' ' | b'*')) {
                self.row(row, header.code_page, scope);
            }
            at += header.row;
        }
        at
    }
}

impl Document for Table {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.about = media::about(&path, scope);
        }
        for piece in bytes.chunks(MAX_HELD / 2) {
            let mut held = std::mem::take(&mut self.held);
            let read = held.read(piece, |data| (self.read(data, scope), 0));
            self.held = held;
            if read.is_none() {
                scope.give_up(Reason::Malformed);
                return Want::NOTHING;
            }
        }
        Want::ALL
    }

    fn gap(&mut self, len: u64, _scope: &mut Scope<'_>) -> Want {
        let Some(header) = self.header else { return Want::NOTHING };
        // Rows have equal lengths, so the position of the next one behind the gap is known.
        let lost = self.held.take().len() as u64 + len;
        let row = header.row as u64;
        Want { skip: (row - lost % row) % row }
    }

    fn end(&mut self, _ending: Ending, _scope: &mut Scope<'_>) {}

    fn memory(&self) -> usize {
        self.held.memory()
            + self.columns.memory()
            + self.fields.iter().map(|f| size_of::<Field>() + f.name.capacity()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::Media;
    use crate::content::testing::{records, with_gap_of};
    use proptest::prelude::*;

    /// A table as dBASE III writes it.
    fn table(version: u8, code_page: u8, fields: &[(&str, u8, u8)], rows: &[&[u8]]) -> Vec<u8> {
        let row: usize = 1 + fields.iter().map(|f| usize::from(f.2)).sum::<usize>();
        let mut out = vec![version, 126, 11, 29];
        out.extend((rows.len() as u32).to_le_bytes());
        out.extend((33 + 32 * fields.len() as u16).to_le_bytes());
        out.extend((row as u16).to_le_bytes());
        out.extend([0; 17]);
        out.push(code_page);
        out.extend([0, 0]);
        for (name, kind, len) in fields {
            let mut field = [0; 32];
            field[..name.len()].copy_from_slice(name.as_bytes());
            (field[11], field[16]) = (*kind, *len);
            out.extend(field);
        }
        out.push(0x0d);
        rows.iter().for_each(|row| out.extend_from_slice(row));
        out.push(0x1a);
        out
    }

    const FIELDS: &[(&str, u8, u8)] =
        &[("PAT_NAME", b'C', 12), ("MRN", b'N', 6), ("DOB", b'D', 8), ("NOTE", b'M', 10)];

    fn patients(version: u8, code_page: u8) -> Vec<u8> {
        table(
            version,
            code_page,
            FIELDS,
            &[
                b" Roe, Eva        7719580302         1",
                b"*M\x81ller, Jan     1819600229          ",
                b" Doe, Ann        1919610101          ",
            ],
        )
    }

    fn line(name: &str, id: &str, birth: &str) -> String {
        format!("http>dbf:~dbf [PatientContext] name={name} patient_id={id} birth_date={birth}")
    }

    #[test]
    fn rows_and_deleted_rows_in_the_code_page_of_the_file() {
        for version in [0x03, 0x83, 0x30, 0xf5] {
            assert_eq!(
                records("", &patients(version, 0x01)),
                [
                    line("Roe, Eva", "77", "19580302"),
                    line("Müller, Jan", "18", "19600229"),
                    line("Doe, Ann", "19", "19610101"),
                ]
            );
        }
    }

    #[test]
    fn numbers_and_days_of_foxpro_are_binary() {
        let fields = [("PATIENT", b'C', 8), ("MRN", b'I', 4), ("BIRTHDATE", b'T', 8)];
        let julian = (2_440_588u32 + 59).to_le_bytes();
        let row = [b" Eva Roe ", &77u32.to_le_bytes()[..], &julian, &[0; 4]].concat();
        assert_eq!(
            records("", &table(0x30, 0x03, &fields, &[&row])),
            [line("Eva Roe", "77", "1970-03-01")]
        );
    }

    #[test]
    fn rows_behind_a_gap_are_where_they_belong() {
        let all = patients(0x03, 0x01);
        let rows = 33 + 32 * 4;
        let row = 37;
        let (from, to) = (rows + 5, rows + 5 + 40);
        let got = with_gap_of(Media::Unknown, &all[..from], (to - from) as u64, &all[to..]);
        assert_eq!(got, [line("Doe, Ann", "19", "19610101")]);
        assert_eq!(all.len(), rows + 3 * row + 1);
        assert!(with_gap_of(Media::Unknown, &all[..40], 3, &all[43..]).is_empty());
    }

    #[test]
    fn tables_of_things_and_other_files_are_silent() {
        let fields = [("SKU", b'C', 4), ("NAME", b'C', 8), ("QTY", b'N', 4)];
        assert_eq!(records("", &table(0x03, 0, &fields, &[b" A1  Lamp       3"])), [""; 0]);
        let mut none = patients(0x03, 0);
        none[2] = 13;
        assert_eq!(records("", &none), [""; 0]);
        assert_eq!(records("", &[3; 200]), [""; 0]);
    }

    proptest! {
        #[test]
        fn mutated_files_never_panic(at in 0usize..260, byte: u8, other in 0usize..260, second: u8, end in 1usize..260) {
            let mut broken = patients(0x03, 0x01);
            let len = broken.len();
            broken[at % len] = byte;
            broken[other % len] = second;
            records("", &broken);
            records("", &broken[..end.min(len)]);
        }
    }
}
