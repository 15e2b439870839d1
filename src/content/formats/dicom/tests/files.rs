use super::*;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write;

fn meta(syntax: &str) -> Vec<u8> {
    let group = Build::new(Syntax::ExplicitLe)
        .bytes(0x0002_0001, "OB", &[0, 1])
        .text(0x0002_0002, "UI", "1.2.840.10008.5.1.4.1.1.2")
        .text(0x0002_0010, "UI", syntax)
        .text(0x0002_0012, "UI", "1.2.3")
        .bytes;
    Build::new(Syntax::ExplicitLe)
        .bytes(0x0002_0000, "UL", &(group.len() as u32).to_le_bytes())
        .raw(&group)
        .bytes
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).expect("in memory");
    encoder.finish().expect("in memory")
}

fn same_in_all_pieces(file: &[u8]) -> Log {
    let whole = read_file(file, usize::MAX);
    for size in 1..file.len().min(500) {
        let mut log = read_file(file, size);
        log.memory = whole.memory;
        assert_eq!(log, whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn part_10_files_with_and_without_preamble() {
    for (syntax, uid) in
        [(Syntax::ImplicitLe, IMPLICIT), (Syntax::ExplicitLe, EXPLICIT), (Syntax::ExplicitBe, BIG)]
    {
        let body = Build::new(syntax).patient().pixels(512).bytes;
        let bare = [meta(uid), body].concat();
        let file = [vec![0; 128], b"DICM".to_vec(), bare.clone()].concat();
        for file in [&file, &bare] {
            let log = same_in_all_pieces(file);
            assert_eq!(log.records.len(), 1);
            assert_eq!(log.records[0].len(), 5, "{uid}");
            assert_eq!(log.facts.dicom.as_ref().expect("facts of DICOM").transfer_syntaxes, [uid]);
        }
    }
}

#[test]
fn a_data_set_alone_is_recognised() {
    for syntax in [Syntax::ImplicitLe, Syntax::ExplicitLe, Syntax::ExplicitBe] {
        let log = same_in_all_pieces(&Build::new(syntax).patient().pixels(64).bytes);
        assert_eq!(log.records[0].len(), 5);
    }
}

#[test]
fn other_files_are_not() {
    let media = Media::Unknown;
    let html = b"<!DOCTYPE html><html><head><title>Patients</title></head></html>".repeat(4);
    let zeros = [0u8; 512];
    let ramp: Vec<u8> = (0..=255).cycle().take(512).collect();
    for bytes in [&html[..], &zeros, &ramp, b"\x08\x00\x05\x00", b"\x02\x00\x00\x00"] {
        assert!(!Part10.probe(&media, bytes, Extent::Whole));
    }
}

#[test]
fn deflated_data_sets() {
    let plain = Build::new(Syntax::ExplicitLe).patient().pixels(20_000).bytes;
    let packed = deflate(&plain);
    let log = read_all(DEFLATED, &packed);
    assert_eq!(log.records[0].len(), 5);
    // Undeclared, declared otherwise, declared but sent plain.
    for (declared, bytes) in [("", &packed), (EXPLICIT, &packed), (DEFLATED, &plain)] {
        assert_eq!(read(declared, false, bytes, usize::MAX).records, log.records, "{declared:?}");
    }
    let file = [vec![0; 128], b"DICM".to_vec(), meta(DEFLATED), packed].concat();
    assert_eq!(same_in_all_pieces(&file).records, log.records);
}

#[test]
fn a_deflate_bomb_costs_no_more_than_it_brought() {
    let bomb = Build::new(Syntax::ExplicitLe)
        .text(0x0008_0060, "CS", "CT")
        .head(0x0009_1001, "OB", 0x7FFF_FFFF)
        .raw(&vec![0; 80 << 20])
        .bytes;
    let log = read(DEFLATED, false, &deflate(&bomb), 1460);
    assert_eq!(log.given_up, [Reason::Budget]);
    assert!(log.memory < 256 << 10);
}

#[test]
fn a_media_directory_has_a_record_for_each_patient() {
    let data =
        Build::new(Syntax::ExplicitLe)
            .text(0x0004_1130, "CS", "DISC1")
            .sequence(
                0x0004_1220,
                false,
                &[
                    &|b| {
                        b.text(0x0004_1430, "CS", "PATIENT")
                            .text(0x0010_0010, "PN", "Doe^Jane")
                            .text(0x0010_0020, "LO", "1-1")
                    },
                    &|b| b.text(0x0004_1430, "CS", "STUDY").text(0x0008_0050, "SH", "ACC1"),
                    &|b| {
                        b.text(0x0004_1430, "CS", "PATIENT")
                            .text(0x0010_0010, "PN", "Roe^Ann")
                            .text(0x0010_0020, "LO", "2-2")
                    },
                ],
            )
            .bytes;
    let file = [vec![0; 128], b"DICM".to_vec(), meta(EXPLICIT), data].concat();
    let log = same_in_all_pieces(&file);
    assert_eq!(
        log.records,
        [
            vec![
                "(0010,0010) name Doe^Jane",
                "(0010,0020) patient_id 1-1",
                "(0008,0050) accession_number ACC1"
            ],
            vec!["(0010,0010) name Roe^Ann", "(0010,0020) patient_id 2-2"],
        ]
    );
}
