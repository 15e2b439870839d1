//! The same packets in every format, as written by Wireshark's `editcap`, and damaged files of
//! each.

use super::super::testing::{Folder, Given, Seen, read};
use super::*;
use std::path::Path;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/formats");

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(FOLDER).join(name)).expect("a fixture")
}

fn original() -> Vec<Seen> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/captures/hl7-adt-a01.pcap");
    read(&std::fs::read(path).expect("a fixture"), 1 << 16).packets
}

fn faults(given: &Given) -> Vec<String> {
    given.faults.iter().map(crate::capture::Fault::describe).collect()
}

/// Each file with the resolution of its clock, nanoseconds.
const FILES: [(&str, i64); 9] = [
    ("hl7-adt-a01.snoop", 1_000),
    ("hl7-adt-a01.netmon1.cap", 1_000_000),
    ("hl7-adt-a01.netmon2.cap", 1_000),
    // With the frame trailers of versions 2.1 to 2.3.
    ("hl7-adt-a01.netmon21.cap", 1_000),
    ("hl7-adt-a01.netmon22.cap", 1_000),
    ("hl7-adt-a01.netmon23.cap", 1_000),
    ("hl7-adt-a01.enc", 2_000_000),
    ("hl7-adt-a01.trc", 1_000),
    ("hl7-adt-a01.erf", 1_000),
];

#[test]
fn the_packets_are_those_of_the_original() {
    let original = original();
    assert!(original.len() > 5);
    for (name, clock) in FILES {
        let given = read(&bytes_of(name), 1 << 16);
        assert!(given.faults.is_empty(), "{name}: {:?}", faults(&given));
        assert_eq!(given.packets.len(), original.len(), "{name}");
        for (ours, theirs) in given.packets.iter().zip(&original) {
            assert!((ours.0 - theirs.0).abs() <= clock, "{name}: {} {}", ours.0, theirs.0);
            if name.ends_with(".erf") {
                // The record with its header, which the decoder parses.
                assert!(ours.1.windows(theirs.1.len()).any(|w| w == theirs.1), "{name}");
                assert_eq!(ours.3, LinkType::ERF.0);
            } else {
                assert_eq!((&ours.1, ours.2, ours.3), (&theirs.1, theirs.2, theirs.3), "{name}");
            }
        }
    }
}

#[test]
fn a_file_cut_anywhere_gives_the_packets_before_and_says_where_it_ends() {
    for (name, _) in FILES {
        let bytes = bytes_of(name);
        let whole = read(&bytes, 1 << 16).packets;
        for cut in (24..bytes.len()).step_by(7) {
            let given = read(&bytes[..cut], 1 << 16);
            let n = given.packets.len();
            assert!(n <= whole.len() && given.packets[..] == whole[..n], "{name} cut at {cut}");
        }
        // In the middle of the second packet's bytes.
        let second = bytes.len() / 2 + 3;
        let given = read(&bytes[..second], 1 << 16);
        assert!(given.packets.len() < whole.len(), "{name}");
    }
}

#[test]
fn blocks_of_any_size_give_the_same_packets() {
    for (name, _) in FILES {
        let bytes = bytes_of(name);
        let whole = read(&bytes, 1 << 16).packets;
        for block in [256, 333, 1500] {
            assert_eq!(read(&bytes, block).packets, whole, "{name} in blocks of {block}");
        }
    }
}

#[test]
fn lies_end_the_reading_without_harm() {
    for (name, _) in FILES {
        let bytes = bytes_of(name);
        for at in (0..bytes.len().min(400)).step_by(2) {
            for value in [0, 0xff] {
                let mut lie = bytes.clone();
                lie[at] = value;
                let given = read(&lie, 1 << 16);
                let most = bytes.len();
                assert!(given.packets.iter().all(|p| p.1.len() <= most), "{name} at {at}");
            }
        }
    }
}

#[test]
fn text_and_noise_are_no_erf() {
    let text = b"2026-11-29 12:00:00 the quick brown fox jumps over the lazy dog\n".repeat(20);
    assert!(!erf::is_erf(&text, true));
    assert!(!erf::is_erf(&[0; 4096], true) && !erf::is_erf(&[0xff; 4096], true));
    assert!(!erf::is_erf(&[], true));
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..512)
            .map(|_| {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                noise as u8
            })
            .collect();
        assert!(!erf::is_erf(&bytes, true));
    }
}

#[test]
fn folders_are_searched_for_the_formats_with_a_magic_number() {
    let folder = Folder::new();
    for (name, _) in FILES {
        folder.file(name, &bytes_of(name));
    }
    let (files, faults) = crate::capture::expand(&[folder.path().to_path_buf()]);
    assert!(faults.is_empty());
    assert_eq!(files.len(), FILES.len(), "{files:?}");
}

#[test]
fn days_are_those_of_the_calendar() {
    for (date, days) in [
        ((1970, 1, 1), 0),
        ((2000, 2, 29), 11_016),
        ((2000, 3, 1), 11_017),
        ((2026, 11, 29), 20_786),
        ((1969, 12, 31), -1),
    ] {
        assert_eq!(midnight(date.0, date.1, date.2), days * DAY);
    }
}

/// Converted text, and a capture compressed with bzip2.
#[test]
fn k12_text_and_bzip2_give_the_packets_of_the_original() {
    let original = original();
    let packed =
        super::super::testing::read_all(&[Path::new(FOLDER).join("hl7-adt-a01.pcap.bz2")], 1 << 16);
    assert_eq!(packed.packets, original);
    let text =
        super::super::testing::read_all(&[Path::new(FOLDER).join("hl7-adt-a01.k12.txt")], 1 << 16);
    assert!(text.faults.is_empty(), "{:?}", faults(&text));
    // The text has no date.
    let of_day = |packets: &[Seen]| -> Vec<Seen> {
        packets.iter().map(|p| (p.0.rem_euclid(DAY), p.1.clone(), p.2, p.3)).collect()
    };
    assert_eq!(of_day(&text.packets), of_day(&original));
}

#[test]
fn damaged_and_short_bzip2_and_text_are_said() {
    let folder = Folder::new();
    for name in ["hl7-adt-a01.pcap.bz2", "hl7-adt-a01.k12.txt"] {
        let bytes = bytes_of(name);
        let mut damaged = bytes.clone();
        for byte in &mut damaged[bytes.len() / 2..bytes.len() / 2 + 40] {
            *byte ^= 0x15;
        }
        let path = folder.file("damaged", &damaged);
        let given = super::super::testing::read_all(&[path], 1 << 16);
        let said = faults(&given);
        assert!(said.iter().any(|s| s.contains("damaged")), "{name}: {said:?}");
    }
    let bytes = bytes_of("hl7-adt-a01.pcap.bz2");
    let path = folder.file("short", &bytes[..bytes.len() / 2]);
    let said = faults(&super::super::testing::read_all(&[path], 1 << 16));
    assert!(said.iter().any(|s| s.contains("ends within its bzip2 data")), "{said:?}");
}
