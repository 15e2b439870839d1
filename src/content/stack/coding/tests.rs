use super::*;
use crate::content::Ending;
use crate::content::testing::{Probe, read};
use crate::protocol::bomb::{FREE_OUTPUT, MAX_RATIO};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use std::io::Write;

const PLAIN: &[u8] = b"some text that is long enough to be worth coding, some text that is long";

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(data).expect("to memory");
    out.finish().expect("to memory")
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::default());
    out.write_all(data).expect("to memory");
    out.finish().expect("to memory")
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut out = DeflateEncoder::new(Vec::new(), Compression::default());
    out.write_all(data).expect("to memory");
    out.finish().expect("to memory")
}

fn brotli(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    {
        let mut writer = brotli::CompressorWriter::new(&mut out, 4096, 5, 20);
        writer.write_all(data).expect("to memory");
    }
    out
}

fn zstd(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}

fn bzip2(data: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    out.write_all(data).expect("to memory");
    out.finish().expect("to memory")
}

fn xz(data: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).expect("options");
    out.write_all(data).expect("to memory");
    out.finish().expect("to memory")
}

/// Decodes `coded` in pieces of `piece` bytes.
fn decode(coding: Coding, coded: &[u8], piece: usize) -> (Vec<u8>, Option<Ending>) {
    let probe = Probe::default();
    let nested = Nested::reading("probe", Box::new(probe.document()));
    let mut coded_document = Coded::new(coding, nested);
    read(&mut coded_document, coded.chunks(piece.max(1)));
    probe.result()
}

#[test]
fn every_coding_in_pieces_of_any_size() {
    let long: Vec<u8> =
        (0..50_000u32).flat_map(|i| (i.wrapping_mul(i) / 7).to_le_bytes()).collect();
    for plain in [PLAIN, &long] {
        for (coding, coded) in [
            (Coding::Gzip, gzip(plain)),
            (Coding::Deflate, zlib(plain)),
            (Coding::Deflate, deflate(plain)),
            (Coding::Brotli, brotli(plain)),
            (Coding::Zstd, zstd(plain)),
            (Coding::Bzip2, bzip2(plain)),
            (Coding::Xz, xz(plain)),
        ] {
            for piece in [1, 2, 3, 7, 1460, coded.len()] {
                if plain.len() > 1000 && piece < 7 {
                    continue;
                }
                let (decoded, ending) = decode(coding, &coded, piece);
                assert!(decoded == plain, "{coding:?} in pieces of {piece}");
                assert_eq!(ending, Some(Ending::Complete), "{coding:?} in pieces of {piece}");
            }
        }
    }
}

/// Written by ncompress 5.0 with codes of at most 10 and 16 bits: widths grow, and the table is emptied.
#[test]
fn files_of_compress_in_pieces_of_any_size() {
    let files = [
        &include_bytes!("../../../../fixtures/office/patients-10.csv.Z")[..],
        include_bytes!("../../../../fixtures/office/patients-16.csv.Z"),
    ];
    let whole = files.map(|file| decode(Coding::Compress, file, usize::MAX).0);
    assert_eq!(whole[0], whole[1]);
    let text = String::from_utf8(whole[0].clone()).expect("text");
    assert!(text.starts_with("mrn,last_name,first_name,birth_date\n") && text.ends_with('\n'));
    assert_eq!(text.lines().count(), 251);
    assert!(text.lines().all(|line| line.split(',').count() == 4));
    for (file, whole) in files.iter().zip(&whole) {
        for piece in [1, 2, 3, 1000] {
            let (text, ending) = decode(Coding::Compress, file, piece);
            assert!(text == *whole, "in pieces of {piece}");
            assert_eq!(ending, Some(Ending::Complete));
        }
        for end in 0..200 {
            assert!(whole.starts_with(&decode(Coding::Compress, &file[..end], 7).0));
        }
    }
    let records = crate::content::testing::records("", files[0]);
    assert_eq!(records.len(), 250);
    assert!(records[0].starts_with("http>compress>csv:~csv"), "{}", records[0]);
}

#[test]
fn files_are_known_by_their_first_bytes() {
    let table = b"mrn,name,dob\n17,\"Roe, Eva\",1958-03-02\n";
    for (coded, layer) in [(bzip2(table), "bzip2"), (xz(table), "xz"), (zlib(table), "deflate")] {
        let want = format!(
            "http>{layer}>csv:~csv [PatientContext] patient_id=17 name=Roe, Eva birth_date=1958-03-02"
        );
        assert_eq!(crate::content::testing::records("", &coded), [want]);
    }
    let two = [bzip2(b"mrn,name,dob\n"), bzip2(b"17,\"Roe, Eva\",1958-03-02\n")].concat();
    assert_eq!(crate::content::testing::records("", &two).len(), 1);
}

#[test]
fn members_follow_each_other() {
    let mut coded = gzip(b"one ");
    coded.extend(gzip(b"two"));
    coded.extend([0; 7]);
    for piece in [1, 5, coded.len()] {
        assert_eq!(
            decode(Coding::Gzip, &coded, piece),
            (b"one two".to_vec(), Some(Ending::Complete))
        );
    }
}

#[test]
fn cut_input_gives_what_is_there() {
    for (coding, coded) in [
        (Coding::Gzip, gzip(PLAIN)),
        (Coding::Deflate, zlib(PLAIN)),
        (Coding::Brotli, brotli(PLAIN)),
        (Coding::Zstd, zstd(PLAIN)),
        (Coding::Bzip2, bzip2(PLAIN)),
        (Coding::Xz, xz(PLAIN)),
    ] {
        for end in 0..coded.len() - 9 {
            let (decoded, ending) = decode(coding, &coded[..end], 11);
            assert!(PLAIN.starts_with(&decoded), "{coding:?} cut at {end}");
            assert_ne!(ending, Some(Ending::Complete), "{coding:?} cut at {end}");
        }
    }
}

#[test]
fn garbage_ends_the_content() {
    let garbage: Vec<u8> =
        (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let codings = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];
    for coding in codings.into_iter().chain([Coding::Compress, Coding::Bzip2, Coding::Xz]) {
        for start in 0..64 {
            let (_, ending) = decode(coding, &garbage[start..], 100);
            assert_ne!(ending, Some(Ending::Complete), "{coding:?} from {start}");
        }
    }
}

#[test]
fn a_bomb_is_given_up() {
    let bomb = gzip(&vec![0; 16 << 20]);
    let (decoded, ending) = decode(Coding::Gzip, &bomb, 1460);
    assert!((decoded.len() as u64) < FREE_OUTPUT + MAX_RATIO * bomb.len() as u64);
    assert!(decoded.len() < 16 << 20);
    assert_eq!(ending, Some(Ending::Cut));
}

#[test]
fn a_row_of_tiny_zstd_blocks_stays_small() {
    // A frame of 128 KiB run-length blocks: window descriptor, then four bytes for each.
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    let header = 1 << 1 | (128 << 10) << 3u32;
    for _ in 0..20_000 {
        bomb.extend(&u32::to_le_bytes(header)[..3]);
        bomb.push(b'x');
    }
    let (decoded, ending) = decode(Coding::Zstd, &bomb, 65_536);
    assert!(decoded.len() as u64 <= FREE_OUTPUT + MAX_RATIO * bomb.len() as u64 + (1 << 20));
    assert_eq!(ending, Some(Ending::Cut));
}

/// Signed chunks of S3, of at most `size` bytes.
fn chunks(data: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in data.chunks(size).chain([&[][..]]) {
        out.extend(format!("{:x};chunk-signature={}\r\n", chunk.len(), "ab".repeat(32)).bytes());
        out.extend(chunk);
        out.extend(b"\r\n");
    }
    out
}

#[test]
fn signed_chunks_of_s3_are_decoded() {
    for size in [1, 10, 1000] {
        let mut coded = chunks(PLAIN, size);
        for piece in [1, 3, coded.len()] {
            assert_eq!(
                decode(Coding::Chunks, &coded, piece),
                (PLAIN.to_vec(), Some(Ending::Complete))
            );
        }
        // A checksum may follow.
        let end = coded.len() - 2;
        coded.truncate(end);
        coded.extend(b"x-amz-checksum-crc32:AAAA\r\n\r\n");
        assert_eq!(decode(Coding::Chunks, &coded, 7), (PLAIN.to_vec(), Some(Ending::Complete)));
    }
    for broken in [
        &b"ffffffffffffffffffff;x\r\nabc"[..],
        b"3\r\nabcdef\r\n",
        b"\r\nabc",
        b"zz",
        &[b"1;", [b'x'; 5000].as_slice()].concat(),
    ] {
        assert_ne!(decode(Coding::Chunks, broken, 9).1, Some(Ending::Complete));
    }
}

#[test]
fn several_codings_in_a_row_and_unknown_names() {
    use crate::content::testing::records_of;
    let json = br#"{"resourceType":"Patient","name":[{"family":"Roe"}],"birthDate":"1970-01-01"}"#;
    let media = Media::Type { content_type: "application/fhir+json", name: "" };
    let [plain] = records_of(media, &[], json, 50).try_into().expect("one patient");
    let coded = zstd(&gzip(&brotli(&deflate(json))));
    for (codings, bytes) in [
        (&["deflate", "br", "gzip", "zstd"][..], coded),
        (&["identity", "GZIP", "", "aws-chunked"], chunks(&gzip(json), 20)),
        (&["utf-8"], json.to_vec()),
        (&["x-gzip"], gzip(json)),
    ] {
        let got = records_of(media, codings, &bytes, 11);
        let [got] = got.as_slice() else { panic!("{codings:?}: {got:?}") };
        assert_eq!(got.rsplit(':').next(), plain.rsplit(':').next(), "{codings:?}");
    }
    let many = ["gzip"; MAX_CODINGS + 1];
    assert!(records_of(media, &many, json, 50).is_empty());
}

#[test]
fn nested_bombs_share_one_budget() {
    use crate::content::testing::read_as;
    // Each layer alone keeps its ratio; all together unpack some kilobytes to 64 MiB.
    let zeros = gzip(&vec![b'\n'; 64 << 20]);
    let media = Media::Type { content_type: "text/plain", name: "" };
    let archive = tar_of(&[("a", gzip(&vec![b'x'; 1 << 20]).as_slice()); 64]);
    for (codings, bytes) in [
        (&["gzip", "gzip"][..], gzip(&zeros)),
        (&["gzip"], gzip(&gzip(&zeros))),
        (&[], gzip(&gzip(&zeros))),
        (&["gzip"], gzip(&archive)),
    ] {
        assert!(bytes.len() < 100_000, "{}", bytes.len());
        let (records, counters) = read_as(media, codings, &bytes, 1460);
        assert!(records.is_empty());
        assert!(
            counters.given_up.iter().any(|(reason, _)| *reason == Reason::Budget),
            "{codings:?}"
        );
        assert!(counters.unpaid_bytes > 0);
    }
}

/// A tar archive of these files.
fn tar_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, data) in members {
        let mut block = vec![0; 512];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
        block[148..156].fill(b' ');
        block[156] = b'0';
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out.extend(block);
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out
}

#[test]
fn a_gzip_header_with_all_its_fields_in_pieces_of_any_size() {
    let plain = gzip(PLAIN);
    let (fixed, body) = plain.split_at(10);
    let mut full = fixed.to_vec();
    full[3] = 0x1e;
    full.extend(b"\x05\0extra");
    full.extend(b"name.json\0");
    full.extend(b"a comment\0");
    full.extend([0xab, 0xcd]);
    full.extend(body);
    // Two members, and what tape archives put behind.
    let two = [&full[..], &full, &[0; 9]].concat();
    for piece in [1, 2, 3, 7, two.len()] {
        assert_eq!(
            decode(Coding::Gzip, &full, piece),
            (PLAIN.to_vec(), Some(Ending::Complete)),
            "{piece}"
        );
        assert_eq!(
            decode(Coding::Gzip, &two, piece),
            ([PLAIN, PLAIN].concat(), Some(Ending::Complete))
        );
        // Without its trailer it is not complete.
        let cut = &full[..full.len() - 1];
        assert_eq!(
            decode(Coding::Gzip, cut, piece),
            (PLAIN.to_vec(), Some(Ending::Cut)),
            "{piece}"
        );
        for (at, byte) in [(0, 0x1e), (1, 0), (2, 7), (3, 0x20)] {
            let mut faulty = full.clone();
            faulty[at] = byte;
            assert_eq!(decode(Coding::Gzip, &faulty, piece), (Vec::new(), Some(Ending::Cut)));
        }
    }
}

#[test]
fn what_a_ring_buffer_held_before_shows_in_nothing_that_is_decoded_later() {
    // 512 KiB that no two bytes of the other one equal, in a ring buffer of the same size.
    let long: Vec<u8> =
        (0..512 << 10).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let other: Vec<u8> = long.iter().map(|byte| !byte).collect();
    let mut spare = SpareWindow::default();
    let mut sizes = Vec::new();
    for plain in [&other, &long, &other] {
        let coded = brotli(plain);
        let mut decoder = Decoder::new(Coding::Brotli, &mut spare);
        let (mut out, mut piece, mut at) = (Vec::new(), vec![0; PIECE], 0);
        while let (used, DecodeStep::Output(len)) = decoder.step(&coded[at..], &mut piece) {
            at += used;
            out.extend_from_slice(&piece[..len]);
        }
        assert!(decoder.at_end() && out == *plain, "{} bytes of {}", out.len(), plain.len());
        decoder.retire(&mut spare);
        sizes.push(spare.len());
    }
    assert!(sizes[0] >= 512 << 10 && sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
}
