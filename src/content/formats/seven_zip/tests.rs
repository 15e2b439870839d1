//! On archives that 7-Zip 26.02 wrote, whole and damaged.

use super::*;
use crate::content::testing::{read_as, records};

macro_rules! archive {
    ($name:literal) => {
        include_bytes!(concat!("../../../../fixtures/archives/", $name, ".7z"))
    };
}

const LZMA2: &[u8] = archive!("lzma2");
const COPY: &[u8] = archive!("copy");

/// A list, an object, zeros and an empty file.
const FOUND: [&str; 3] = [
    "http>7z>json:~json [PatientContext] patient_id=77120 birth_date=1970-01-02 name=Okafor^Ada",
    "http>7z>csv:~csv [PatientContext] patient_id=48813 name=Roe^Eva birth_date=1958-03-02",
    "http>7z>csv:~csv [PatientContext] patient_id=48814 name=Brandt^Otto birth_date=1971-11-23",
];

fn given_up(data: &[u8]) -> Vec<(Reason, u64)> {
    read_as(Media::Unknown, &[], data, data.len()).1.given_up
}

#[test]
fn files_of_every_method_are_read() {
    let all: [(&str, &[u8]); 8] = [
        ("copy", COPY),
        ("LZMA", archive!("lzma")),
        ("LZMA2", LZMA2),
        ("deflate", archive!("deflate")),
        ("bzip2", archive!("bzip2")),
        ("branches, then LZMA2", archive!("bcj")),
        ("differences, then LZMA2", archive!("delta")),
        ("a folder for each file", archive!("single")),
    ];
    for (method, data) in all {
        let mut got = records("application/x-7z-compressed", data);
        got.sort_unstable_by_key(|line| !line.contains("json"));
        assert_eq!(got, FOUND, "{method}");
        assert_eq!(given_up(data), [], "{method}");
    }
    // Its header is not packed.
    assert_eq!(records("", archive!("plain-header")), FOUND[..1]);
    assert_eq!(records("", archive!("empty")).len(), 0);
    assert_eq!(given_up(archive!("empty")), []);
}

#[test]
fn what_cannot_be_read_is_counted_with_its_reason() {
    assert_eq!(given_up(archive!("ppmd")), [(Reason::Unsupported, 1)]);
    assert_eq!(given_up(archive!("locked")), [(Reason::Encrypted, 1)]);
    assert_eq!(given_up(archive!("hidden")), [(Reason::Encrypted, 1)], "names, too");
    assert_eq!(given_up(&LZMA2[..LZMA2.len() - 1]), [(Reason::Malformed, 1)]);
}

#[test]
fn damaged_archives_do_no_harm() {
    for whole in [LZMA2, COPY, archive!("plain-header"), archive!("bcj")] {
        // Zeros in the middle are the same everywhere.
        let step = if whole.len() > 1000 { 7 } else { 1 };
        for at in (0..whole.len()).step_by(step) {
            records_of(&whole[..at]);
            for flip in [0x01, 0x80, 0xff] {
                let mut broken = whole.to_vec();
                broken[at] ^= flip;
                records_of(&broken);
            }
        }
    }
}

fn records_of(data: &[u8]) {
    read_as(Media::Unknown, &[], data, data.len());
}

/// An archive whose end header is `header`.
fn with_header(packed: &[u8], header: &[u8]) -> Vec<u8> {
    let mut out = header::MAGIC.to_vec();
    out.extend_from_slice(&[0, 4, 0, 0, 0, 0]);
    out.extend_from_slice(&(packed.len() as u64).to_le_bytes());
    out.extend_from_slice(&(header.len() as u64).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(packed);
    out.extend_from_slice(header);
    out
}

#[test]
fn counts_and_sizes_that_lie_cost_nothing() {
    // Each number is as large as it can be.
    let most: &[u8] = &[0xff; 9];
    let streams = [&[0x01, 0x04, 0x06, 0x00][..], most].concat();
    assert_eq!(given_up(&with_header(b"", &streams)), [(Reason::Malformed, 1)]);
    let folders = [&[0x01, 0x04, 0x07, 0x0b][..], most].concat();
    assert_eq!(given_up(&with_header(b"", &folders)), [(Reason::Malformed, 1)]);
    let files = [&[0x01, 0x05][..], most, &[0x00, 0x00]].concat();
    assert_eq!(given_up(&with_header(b"", &files)), [(Reason::Malformed, 1)]);
    // A dictionary of 4 GiB for a file of 4 GiB.
    let dictionary = [
        &[0x01, 0x04, 0x06, 0x00, 0x01, 0x09, 0x02, 0x00][..],
        &[0x07, 0x0b, 0x01, 0x00, 0x01, 0x21, 0x21, 0x01, 40],
        &[0x0c, 0xf0, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00],
    ]
    .concat();
    assert_eq!(given_up(&with_header(&[0, 0], &dictionary)), [(Reason::Limit, 1)]);
    // A header that is packed in itself: its folder is the header again.
    let again =
        [0x17, 0x06, 0x00, 0x01, 0x09, 0x16, 0x00, 0x07, 0x0b, 0x01, 0x00, 0x01, 0x01, 0x00];
    let again = [&again[..], &[0x0c, 0x16, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00]].concat();
    let data = with_header(&again, &again);
    assert_eq!(given_up(&data), [(Reason::Limit, 1)]);
}

/// A header that lists so many folders of one byte each, then their files again and again.
fn listed_again(folders: u16, times: usize) -> Vec<u8> {
    let [low, high] = folders.to_le_bytes();
    let header = [
        &[0x01, 0x04, 0x07, 0x0b, 0x80 | high, low, 0x00][..],
        &[0x01, 0x01, 0x00].repeat(folders.into()),
        &[0x0c],
        &[0x01].repeat(folders.into()),
        &[0x00],
        &[0x08, 0x00].repeat(times),
        &[0x00, 0x00],
    ];
    with_header(b"", &header.concat())
}

#[test]
fn no_part_of_a_header_comes_twice() {
    let (header, parts) = (&[0x01][..], [&[0x04, 0x00][..], &[0x05, 0x00, 0x00], &[0x03, 0x00]]);
    for part in parts {
        let once = [header, part, &[0x00]].concat();
        assert_eq!(given_up(&with_header(b"", &once)), [], "{part:?}");
        let twice = [header, part, part, &[0x00]].concat();
        assert_eq!(given_up(&with_header(b"", &twice)), [(Reason::Malformed, 1)], "{part:?}");
    }
    // Ten thousand bytes of it would list three million files.
    let listed = |archive: &[u8]| {
        let parsed = header::parse(header::end_header(archive).expect("a header"), archive);
        parsed.map(|header| match header {
            Header::Plain(streams) => streams.folders.iter().map(|folder| folder.files.len()).sum(),
            Header::Packed(_) => 0,
        })
    };
    assert_eq!(listed(&listed_again(300, 1)), Ok(300));
    assert_eq!(listed(&listed_again(300, 2)), Err(Reason::Malformed));
}

/// An archive of one folder, whose methods are listed as they unpack it, with what comes out of each.
fn with_methods(packed: &[u8], methods: &[(&[u8], u32)]) -> Vec<u8> {
    let size = |n: u32| [&[0xf0][..], &n.to_le_bytes()].concat();
    let count = methods.len() as u8;
    let mut header =
        [&[0x01, 0x04, 0x06, 0x00, 0x01, 0x09][..], &size(packed.len() as u32)].concat();
    header.extend([0x00, 0x07, 0x0b, 0x01, 0x00, count]);
    // The last one is listed first, and takes what comes out of the next.
    methods.iter().rev().for_each(|(method, _)| header.extend_from_slice(method));
    (1..count).for_each(|at| header.extend([at - 1, at]));
    header.push(0x0c);
    methods.iter().rev().for_each(|(_, unpacked)| header.extend(size(*unpacked)));
    header.extend([0x00, 0x00, 0x00]);
    with_header(packed, &header)
}

fn deflated(data: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut out, data).expect("memory");
    out.finish().expect("memory")
}

const DEFLATE: &[u8] = &[0x03, 0x04, 0x01, 0x08];
/// With a dictionary of 16 MiB.
const LARGE: &[u8] = &[0x21, 0x21, 0x01, 24];

#[test]
fn a_method_pays_for_what_only_the_next_one_sees() {
    let patients = b"mrn,last_name,dob\n48813,Roe,1958-03-02\n";
    let size = patients.len() as u32;
    let once = deflated(patients);
    let twice = with_methods(&deflated(&once), &[(DEFLATE, once.len() as u32), (DEFLATE, size)]);
    assert_eq!(given_up(&twice), []);
    assert_eq!(records("", &twice).len(), 1, "a chain of methods is read");
    // Blocks without a byte, of which nothing comes out.
    let nothing = b"\0\0\0\xff\xff".repeat(4 << 20);
    let packed = deflated(&nothing);
    assert!(packed.len() < 100_000);
    let archive = with_methods(&packed, &[(DEFLATE, nothing.len() as u32), (DEFLATE, 10)]);
    assert_eq!(given_up(&archive), [(Reason::Budget, 1)]);
}

#[test]
fn the_dictionaries_of_a_folder_have_one_limit() {
    let half = 9 << 20;
    let archive = with_methods(b"\0", &[(LARGE, half), (LARGE, 100)]);
    assert_eq!(given_up(&archive), [(Reason::Malformed, 1)]);
    let archive = with_methods(b"\0", &[(LARGE, half), (LARGE, half)]);
    assert_eq!(given_up(&archive), [(Reason::Limit, 1)]);
}
