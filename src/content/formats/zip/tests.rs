//! On archives written here and on documents of several programs.

use crate::content::testing::{read_as, records, records_of, with_gap_of};
use crate::content::{Media, Reason};
use proptest::prelude::*;

/// How a member is written.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Stored,
    Deflated,
    /// The same with sizes behind the data.
    StoredStream,
    DeflatedStream,
    /// Sizes of eight bytes.
    Long,
    Encrypted,
}

fn deflated(data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder =
        flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

/// A member that is packed by another method (APPNOTE 4.4.5).
fn packed(name: &str, method: u16, bytes: &[u8]) -> Vec<u8> {
    let mut out = member(name, bytes, How::Stored);
    out[8..10].copy_from_slice(&method.to_le_bytes());
    out
}

#[test]
fn members_of_other_methods_are_opened() {
    use std::io::Write as _;
    let table = b"mrn,name,dob\n17,\"Roe, Eva\",1958-03-02\n";
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(table).expect("memory");
    let bzip2 = bzip2.finish().expect("memory");
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = ruzstd::encoding::compress_to_vec(&table[..], level);
    for (method, bytes, layer) in [(12, bzip2, "bzip2"), (93, zstd, "zstd")] {
        let archive = [packed("a.csv", method, &bytes), member("b.csv", table, How::Stored)];
        let row = "csv:~csv [PatientContext] patient_id=17 name=Roe, Eva birth_date=1958-03-02";
        assert_eq!(
            records("application/zip", &archive.concat()),
            [format!("http>zip>{layer}>{row}"), format!("http>zip>{row}")]
        );
    }
}

/// One member.
fn member(name: &str, data: &[u8], how: How) -> Vec<u8> {
    let (method, flags) = match how {
        How::Stored => (0u16, 0u16),
        How::Deflated | How::Long => (8, 0),
        How::StoredStream => (0, 8),
        How::DeflatedStream => (8, 8),
        How::Encrypted => (0, 1),
    };
    let bytes = if method == 8 { deflated(data) } else { data.to_vec() };
    let described = flags & 8 != 0;
    let size = |n: usize| match how {
        How::Long => u32::MAX,
        _ if described => 0,
        _ => n as u32,
    };
    let extra = match how {
        How::Long => [
            &[9, 9, 1, 0, 0, 1, 0, 16, 0][..],
            &(data.len() as u64).to_le_bytes(),
            &(bytes.len() as u64).to_le_bytes(),
        ]
        .concat(),
        _ => Vec::new(),
    };
    let mut out = b"PK\x03\x04\x2d\0".to_vec();
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(&method.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&size(bytes.len()).to_le_bytes());
    out.extend_from_slice(&size(data.len()).to_le_bytes());
    out.extend_from_slice(&(name.len() as u16).to_le_bytes());
    out.extend_from_slice(&(extra.len() as u16).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&extra);
    out.extend_from_slice(&bytes);
    if described {
        out.extend_from_slice(b"PK\x07\x08crc!");
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(&(data.len() as u32).to_le_bytes());
    }
    out
}

/// The central directory, as far as it matters.
const END: &[u8] = b"PK\x01\x02\x14\0\x14\0 and so on PK\x05\x06";

fn csv(n: usize) -> Vec<u8> {
    format!("mrn,last_name,dob\n{n},Roe,1970-01-01\n").into_bytes()
}

fn row(layers: &str, n: usize) -> String {
    format!("http>{layers}csv:~csv [PatientContext] patient_id={n} name=Roe birth_date=1970-01-01")
}

fn given_up(data: &[u8]) -> Vec<(Reason, u64)> {
    read_as(Media::Unknown, &[], data, data.len()).1.given_up
}

#[test]
fn members_are_contents() {
    let all = [How::Stored, How::Deflated, How::StoredStream, How::DeflatedStream, How::Long];
    for (n, first) in all.into_iter().enumerate() {
        for (m, second) in all.into_iter().enumerate() {
            let mut data = member("a/one.csv", &csv(n), first);
            data.extend(member("photo.png", &[7; 1000], second));
            data.extend(member("folder/", b"", How::Stored));
            data.extend(member("two.csv", &csv(m), second));
            data.extend_from_slice(END);
            assert_eq!(records("application/zip", &data), [row("zip>", n), row("zip>", m)]);
        }
    }
}

#[test]
fn archives_in_archives() {
    let mut data = member("x.csv", &csv(1), How::Deflated);
    for depth in 1..12 {
        data = member("inner.zip", &data, if depth % 2 == 0 { How::Stored } else { How::Deflated });
        let got = records("", &data);
        // HTTP, the archives, CSV.
        let allowed = depth + 3 <= crate::content::MAX_DEPTH;
        assert_eq!(got.len(), usize::from(allowed), "depth {depth}");
    }
}

#[test]
fn wrong_sizes_hide_no_member() {
    let mut data = member("one.csv", &csv(1), How::Deflated);
    // The size in the archive is too small, then too large by far.
    for size in [3u32, 200, u32::MAX - 1] {
        data[18..22].copy_from_slice(&size.to_le_bytes());
        let two = [data.clone(), member("two.csv", &csv(2), How::Stored)].concat();
        assert_eq!(records("", &two), [row("zip>", 1), row("zip>", 2)]);
    }
    // The size of a member that is passed over ends within the next header.
    let photo: Vec<u8> = (0..1000u32).map(|n| ((n * n) >> 3) as u8).collect();
    let photo = member("photo.png", &photo, How::Deflated);
    let size = u32::from_le_bytes(photo[18..22].try_into().expect("four bytes"));
    for over in 0..6 {
        let mut data = photo.clone();
        data[18..22].copy_from_slice(&(size + over).to_le_bytes());
        data.extend(member("two.csv", &csv(2), How::Stored));
        assert_eq!(records("", &data), [row("zip>", 2)], "{over} bytes too many");
    }
}

#[test]
fn what_cannot_be_read_is_counted() {
    let mut data = member("secret.csv", &csv(1), How::Encrypted);
    data.extend(member("two.csv", &csv(2), How::Deflated));
    assert_eq!(given_up(&data), [(Reason::Encrypted, 1)]);
    assert_eq!(records("", &data), [row("zip>", 2)]);
    let mut data = member("one.csv", &csv(1), How::Stored);
    data[8] = 14;
    data.extend(member("two.csv", &csv(2), How::Deflated));
    assert_eq!(given_up(&data), [(Reason::Unsupported, 1)]);
    assert_eq!(records("", &data), [row("zip>", 2)]);
}

#[test]
fn a_bomb_costs_little() {
    let text = [b"[\"".to_vec(), vec![b'1'; 64 << 20]].concat();
    let bomb = member("patients.json", &text, How::Deflated);
    assert!(bomb.len() < 100_000);
    // The member, and the document in it.
    assert_eq!(given_up(&bomb), [(Reason::Budget, 2)]);
    let many: Vec<u8> = (0..25_000).flat_map(|_| member("a", b"", How::Stored)).collect();
    assert_eq!(given_up(&many), [(Reason::Limit, 1)]);
}

#[test]
fn a_gap_hides_only_its_member() {
    let mut data = member("one.csv", &csv(1), How::Deflated);
    let cut = data.len() - 10;
    let rest = [member("two.csv", &csv(2), How::DeflatedStream), END.to_vec()].concat();
    data.truncate(cut);
    let lines = with_gap_of(Media::Unknown, &data, 10, &rest);
    assert_eq!(lines.last(), Some(&row("zip>", 2)));
}

const DOCX: &[u8] = include_bytes!("../../../../fixtures/office/python-docx.docx");
const OPENPYXL: &[u8] = include_bytes!("../../../../fixtures/office/openpyxl.xlsx");
const XLSXWRITER: &[u8] = include_bytes!("../../../../fixtures/office/xlsxwriter.xlsx");
const ODT: &[u8] = include_bytes!("../../../../fixtures/office/odfpy.odt");
const ODS: &[u8] = include_bytes!("../../../../fixtures/office/odfpy.ods");
const EXCELJS: &[u8] = include_bytes!("../../../../fixtures/office/exceljs.xlsx");
const EXCELJS_STREAM: &[u8] = include_bytes!("../../../../fixtures/office/exceljs-stream.xlsx");

const WORD: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

/// The rows of the table that all samples have.
fn table(layers: &str, content: &str) -> [String; 2] {
    let row = |id, name, date| {
        format!(
            "http>{layers}:~{content} [PatientContext] [Diagnosis] patient_id={id} name={name} birth_date={date}"
        )
    };
    [row(1001, "Müller, Jörg", "1970-01-31"), row(1002, "Doe, John", "1981-12-02")]
}

fn form(layers: &str, content: &str) -> String {
    format!(
        "http>{layers}:~{content} [PatientContext] name=Jane Roe patient_id=00797402 birth_date=1970-02-03"
    )
}

#[test]
fn letters_of_word_processors_are_read() {
    let [first, second] = table("docx", "docx");
    assert_eq!(records(WORD, DOCX), [first, second, form("docx", "docx")]);
    let [first, second] = table("odt", "odt");
    assert_eq!(records("", ODT), [first, second, form("odt", "odt")]);
    // Of no declared kind, and inside another archive.
    let [first, second] = table("zip>docx", "docx");
    assert_eq!(records("", DOCX), [first, second, form("zip>docx", "docx")]);
    let inside = member("letters/a.docx", DOCX, How::Stored);
    assert_eq!(records("", &inside).last(), Some(&form("zip>docx", "docx")));
}

#[test]
fn workbooks_of_every_writer_are_read() {
    for (data, forms) in [(OPENPYXL, 1), (XLSXWRITER, 0)] {
        let media = Media::Type { content_type: "", name: "/export/list.xlsx" };
        let got = records_of(media, &[], data, 100);
        let mut want = table("xlsx", "xlsx").to_vec();
        want.extend((0..forms).map(|_| form("xlsx", "xlsx")));
        assert_eq!(got, want);
        assert_eq!(records("", data).len(), 2 + forms);
    }
    assert_eq!(records("", ODS), table("ods", "ods"));
    // Sizes behind the data, rich text, strings in the cells.
    for data in [EXCELJS, EXCELJS_STREAM] {
        let media = Media::Type { content_type: "application/octet-stream", name: "a.XLSX" };
        let want = table("xlsx", "xlsx").map(|row| row.replace("Doe, John", "Doe, Jane"));
        assert_eq!(records_of(media, &[], data, 100), want);
    }
}

#[test]
fn cut_documents_are_read_alike_in_pieces() {
    for data in [DOCX, OPENPYXL, XLSXWRITER, ODT, ODS] {
        for end in (0..data.len()).step_by(data.len() / 150) {
            let media = Media::Type { content_type: "", name: "a.zip" };
            let whole = records_of(media, &[], &data[..end], end.max(1));
            assert_eq!(records_of(media, &[], &data[..end], 777), whole, "cut at {end}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn mutations_do_no_harm(
        sample in 0..5usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        piece in 1..5000usize,
    ) {
        let mut data = [DOCX, OPENPYXL, XLSXWRITER, ODT, ODS][sample].to_vec();
        for (at, byte) in edits {
            let at = at.index(data.len());
            data[at] = byte;
        }
        let media = Media::Type { content_type: "", name: "a.zip" };
        let whole = records_of(media, &[], &data, data.len());
        prop_assert_eq!(records_of(media, &[], &data, piece), whole);
    }
}
