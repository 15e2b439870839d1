use super::super::testing::{
    Folder, drain, gzip, lz4, pcap, pcap_header, pcap_record, read, read_all, xz, zstd,
};
use super::super::{FaultKind, expand};
use super::*;
use proptest::prelude::*;
use std::io::Write as _;

const SECOND: i64 = 1_000_000_000;

fn seconds(packets: &[super::super::testing::Seen]) -> Vec<i64> {
    packets.iter().map(|p| p.0 / SECOND).collect()
}

#[test]
fn classic_pcap_in_both_orders_and_units() {
    for big in [false, true] {
        for nanoseconds in [false, true] {
            let mut file = pcap_header(big, nanoseconds, 1);
            file.extend(pcap_record(big, 7, 1234, b"packet", 60));
            // A wire length that is too small.
            file.extend(pcap_record(big, 8, 0, b"next", 0));
            for size in 1..=file.len() {
                let given = read(&file, size);
                let time = 7 * SECOND + if nanoseconds { 1234 } else { 1_234_000 };
                let first = (time, b"packet".to_vec(), 60, 1);
                assert_eq!(given.packets, [first, (8 * SECOND, b"next".to_vec(), 4, 1)]);
                assert!(given.faults.is_empty());
            }
        }
    }
}

#[test]
fn the_frame_check_sequence_of_a_classic_file_is_no_payload() {
    let mut file = pcap_header(false, false, 0x2400_0001);
    file.extend(pcap_record(false, 1, 0, &[0; 64], 64));
    let given = read(&file, 1 << 16);
    assert_eq!((given.packets[0].1.len(), given.packets[0].2), (60, 60));
}

#[test]
fn a_cut_anywhere_in_a_classic_file() {
    let file = pcap(1..4, 10);
    for cut in 1..file.len() {
        let given = read(&file[..cut], 16);
        let whole = cut.saturating_sub(24) / 26;
        assert_eq!(given.packets.len(), whole, "cut at {cut}");
        let end = if cut < 24 { 0 } else { 24 + whole * 26 };
        if cut == end {
            assert!(given.faults.is_empty(), "cut at {cut}");
        } else {
            assert_eq!(given.faults[0].offset as usize, end, "cut at {cut}");
        }
        assert_eq!(given.readable, usize::from(cut >= 24), "cut at {cut}");
    }
}

#[test]
fn a_record_of_impossible_length_stops_the_reading() {
    let mut file = pcap(1..3, 4);
    let end = file.len();
    let mut record = pcap_record(false, 3, 0, b"", 0);
    record[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    file.extend(record);
    let given = read(&file, 8);
    assert_eq!((given.packets.len(), given.faults[0].offset as usize), (2, end));
    assert!(matches!(given.faults[0].kind, FaultKind::BadLength(u32::MAX)));
}

#[test]
fn every_compression_gives_what_the_plain_file_gives() {
    let folder = Folder::new();
    let file = pcap(0..3000, 100);
    let plain = read_all(&[folder.file("plain", &file)], 1 << 20).packets;
    let halves = file.split_at(file.len() / 2);
    let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9][..], &zstd(&file)].concat();
    for (name, packed) in [
        ("gzip", gzip(&file)),
        ("gzip, members", [gzip(halves.0), gzip(b""), gzip(halves.1)].concat()),
        ("gzip, padded", [gzip(&file), vec![0; 700]].concat()),
        ("zstd", zstd(&file)),
        ("zstd, frames", [zstd(halves.0), zstd(halves.1)].concat()),
        ("zstd, skippable frame", skippable),
        ("xz", xz(&file)),
        ("xz, streams", [xz(halves.0), xz(halves.1)].concat()),
        ("lz4", lz4(&file)),
        ("lz4, frames", [lz4(halves.0), lz4(halves.1)].concat()),
    ] {
        let path = folder.file("packed", &packed);
        for size in [64, 1000, 1 << 20] {
            let given = read_all(std::slice::from_ref(&path), size);
            assert!(given.faults.is_empty(), "{name}: {:?}", given.faults);
            assert!(given.packets == plain, "{name}, blocks of {size}");
        }
    }
}

#[test]
fn a_cut_in_compressed_data_is_reported_and_what_was_read_stays() {
    let folder = Folder::new();
    // Varied bytes, so that truncation loses something.
    let mut file = pcap_header(false, false, 1);
    for n in 0..20_000_u32 {
        let data = n.wrapping_mul(2_654_435_761).to_le_bytes().repeat(8);
        file.extend(pcap_record(false, n, n % 1000, &data, 32));
    }
    let plain = read_all(&[folder.file("plain", &file)], 1 << 20).packets;
    for packed in [gzip(&file), zstd(&file), xz(&file), lz4(&file)] {
        let cut = packed.len() * 3 / 4;
        let given = read_all(&[folder.file("packed", &packed[..cut])], 1 << 16);
        let [fault] = &given.faults[..] else { panic!("{:?}", given.faults) };
        let FaultKind::TruncatedPacked(name) = fault.kind else { panic!("{fault:?}") };
        assert_eq!(fault.offset as usize, cut, "{name}");
        assert!(plain.starts_with(&given.packets), "{name}");
        // All of them decompress in chunks, and only the last one is lost.
        assert!(given.packets.len() > plain.len() / 4, "{name}: {}", given.packets.len());
        assert_eq!(given.readable, 1, "{name}");
    }
}

#[test]
fn damage_in_compressed_data_is_reported() {
    let folder = Folder::new();
    let mut noise = pcap_header(false, false, 1);
    let mut x = 1_u32;
    for n in 0..5_000_u32 {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.extend(pcap_record(false, n, 0, &x.to_le_bytes(), 4));
    }
    // Zeros may pad the end of a gzip member, and only that.
    for mut packed in [gzip(&noise), zstd(&noise), xz(&noise)] {
        let middle = packed.len() / 2;
        for byte in &mut packed[middle..middle + 40] {
            *byte ^= 0x55;
        }
        let given = read_all(&[folder.file("packed", &packed)], 1 << 16);
        let [fault] = &given.faults[..] else { panic!("{:?}", given.faults) };
        let known = matches!(
            fault.kind,
            FaultKind::CorruptPacked(_) | FaultKind::BadLength(_) | FaultKind::TruncatedPacked(_)
        );
        assert!(known, "{fault:?}");
    }
    let trailing = [gzip(&noise), b"garbage".to_vec()].concat();
    let given = read_all(&[folder.file("packed", &trailing)], 1 << 16);
    assert_eq!(given.packets.len(), 5_000);
    assert!(matches!(given.faults[0].kind, FaultKind::CorruptPacked("gzip")));
    assert_eq!(given.faults[0].offset as usize, trailing.len() - 7);
}

#[test]
fn one_layer_of_compression_is_unpacked() {
    let folder = Folder::new();
    let given = read_all(&[folder.file("twice", &gzip(&xz(&pcap(1..2, 4))))], 1 << 16);
    assert!(matches!(given.faults[0].kind, FaultKind::PackedTwice("xz")));
    assert_eq!(given.readable, 0);
    let given = read_all(&[folder.file("text", &gzip(b"no capture at all"))], 1 << 16);
    assert!(matches!(given.faults[0].kind, FaultKind::NotACapture(_)));
    assert!(given.faults[0].describe().contains("of the unpacked data"));
}

#[test]
fn a_window_beyond_the_cap_is_refused_unread() {
    let folder = Folder::new();
    // RFC 8878 3.1.1.1: not a single segment, window descriptor 0x98 = 2^29 bytes.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x98, 0x01, 0x00, 0x00];
    let given = read_all(&[folder.file("zstd", &frame)], 1 << 16);
    assert!(matches!(given.faults[0].kind, FaultKind::BigWindow("zstd")), "{:?}", given.faults);
    // An xz dictionary of 1 GiB: patch the LZMA2 property and checksum of the block header.
    let mut file = xz(&pcap(1..2, 4));
    let property = 12 + 4;
    file[property] = 36;
    let end = 12 + (usize::from(file[12]) + 1) * 4 - 4;
    let mut crc = flate2::Crc::new();
    crc.update(&file[12..end]);
    file[end..end + 4].copy_from_slice(&crc.sum().to_le_bytes());
    let given = read_all(&[folder.file("xz", &file)], 1 << 16);
    assert!(matches!(given.faults[0].kind, FaultKind::BigWindow("xz")), "{:?}", given.faults);
}

#[test]
fn files_merge_by_time_and_equal_times_by_order() {
    let folder = Folder::new();
    let paths = [
        folder.file("a", &pcap([1, 4, 5], 1)),
        folder.file("b", &gzip(&pcap([1, 2, 4], 2))),
        folder.file("c", &pcap([3], 3)),
    ];
    for size in [16, 1 << 20] {
        let given = read_all(&paths, size);
        let order: Vec<_> = given.packets.iter().map(|p| (p.0 / SECOND, p.1.len())).collect();
        assert_eq!(order, [(1, 1), (1, 2), (2, 2), (3, 3), (4, 1), (4, 2), (5, 1)]);
        let counts: Vec<_> = given.inputs.iter().map(|i| (i.packets, i.bytes)).collect();
        assert_eq!(counts, [(3, 3), (3, 6), (1, 3)]);
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[test]
fn a_rotated_set_is_one_timeline_and_few_files_are_open() {
    let folder = Folder::new();
    let before = descriptors();
    // Names whose order is not that of time.
    for n in 0..400_u32 {
        let file = pcap((0..3).map(|s| n * 3 + s), 50);
        let name = format!("cap.pcap{n}");
        if n % 2 == 0 {
            folder.file(&name, &file)
        } else {
            folder.file(&name, &gzip(&file))
        };
    }
    let (paths, faults) = expand(&[folder.path().to_path_buf()]);
    assert!(faults.is_empty());
    assert_eq!(paths.len(), 400);
    let mut timeline = Timeline::open(&paths);
    let mut batch = Batch::default();
    let mut times = Vec::new();
    while timeline.fill(&mut batch) == Status::More {
        // Other tests open files too.
        assert!(descriptors() < before + 150, "{}", descriptors());
        let open = timeline.entries.iter().filter(|e| matches!(e.state, State::Open(_))).count();
        assert!(open <= KEPT_OPEN + 1, "{open}");
        times.extend(batch.packets.iter().map(|p| p.time.0 / SECOND));
        batch.clear();
    }
    assert_eq!(times, (0..1200).collect::<Vec<_>>());
    assert_eq!(timeline.inputs().iter().map(|i| i.packets).sum::<u64>(), 1200);
    assert_eq!(Some(timeline.position()), timeline.size());
}

#[test]
fn folders_are_searched_by_content() {
    let folder = Folder::new();
    let deep = folder.path().join("x/y");
    std::fs::create_dir_all(&deep).expect("made");
    let capture = pcap(1..2, 4);
    std::fs::write(deep.join("no-extension"), &capture).expect("written");
    folder.file("b.bin", &xz(&capture));
    folder.file("log.gz", &gzip(b"not a capture"));
    folder.file("damaged.cap.gz", &gzip(&capture)[..12]);
    folder.file("damaged.log.gz", &gzip(&capture)[..12]);
    folder.file("notes.pcap.txt", b"nothing");
    folder.file("empty.pcap", b"");
    let erf = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/formats/hl7-adt-a01.erf");
    folder.file("link.erf", &std::fs::read(erf).expect("fixture"));
    folder.file("notes.erf", b"Extensible Record Format: notes about its 16 bytes of header");
    std::os::unix::fs::symlink(folder.path(), deep.join("loop")).expect("linked");
    std::os::unix::fs::symlink(deep.join("no-extension"), folder.path().join("again"))
        .expect("linked");
    let (files, faults) = expand(&[folder.path().to_path_buf()]);
    let names: Vec<_> =
        files.iter().map(|f| f.file_name().expect("name").to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["again", "b.bin", "damaged.cap.gz", "link.erf"]);
    assert!(faults.is_empty());
    let (files, faults) = expand(&[deep.join("no-extension"), deep]);
    assert_eq!((files.len(), faults.len()), (1, 0), "taken already is not nothing");
}

#[test]
fn a_file_that_grows_is_followed() {
    let folder = Folder::new();
    let mut file = pcap(1..5, 40);
    file.extend(pcap_record(false, 5, 0, &vec![5; 200_000], 200_000));
    let path = folder.file("growing", b"");
    let mut timeline = Timeline::follow(std::slice::from_ref(&path));
    assert!(timeline.settle());
    let mut packets = Vec::new();
    let mut out = std::fs::File::options().append(true).open(&path).expect("open");
    for piece in file.chunks(17_777).flat_map(|c| c.chunks(c.len().div_ceil(3))) {
        assert_eq!(drain(&mut timeline, &mut packets), Status::Idle);
        out.write_all(piece).expect("written");
    }
    assert_eq!(drain(&mut timeline, &mut packets), Status::Idle);
    assert_eq!(seconds(&packets), [1, 2, 3, 4, 5]);
    assert_eq!(packets[4].1.len(), 200_000);
    assert!(timeline.take_faults().is_empty());
    std::fs::write(&path, b"").expect("cut");
    assert_eq!(drain(&mut timeline, &mut packets), Status::End);
    assert!(matches!(timeline.take_faults()[..], [Fault { kind: FaultKind::Shrunk, .. }]));
}

#[test]
fn a_pipe_is_read_as_it_comes_and_holds_others_back() {
    let folder = Folder::new();
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("made");
    let paths = [folder.file("file", &pcap([2, 9], 1)), pipe.clone()];
    let mut timeline = Timeline::open(&paths);
    assert!(!timeline.settle(), "no writer yet");
    let mut out = std::fs::File::options().write(true).open(&pipe).expect("open");
    let file = pcap([1, 3], 2);
    let mut packets = Vec::new();
    for piece in file.chunks(5) {
        out.write_all(piece).expect("written");
        assert_eq!(drain(&mut timeline, &mut packets), Status::Idle);
    }
    assert!(timeline.settle());
    assert_eq!(timeline.size(), None);
    // Packet 9 must wait: the pipe may still have an earlier one.
    assert_eq!(seconds(&packets), [1, 2, 3]);
    drop(out);
    assert_eq!(drain(&mut timeline, &mut packets), Status::End);
    assert_eq!(seconds(&packets), [1, 2, 3, 9]);
    assert!(timeline.take_faults().is_empty());
    assert_eq!(timeline.readable(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn mutations_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        size in 1_usize..200,
    ) {
        let mut bytes = pcap(1..9, 21);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read(&bytes, size);
    }

    #[test]
    fn mutated_compression_does_no_harm(
        kind in 0_usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let file = pcap(1..400, 21);
        let mut bytes = [gzip, zstd, xz, lz4][kind](&file);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let folder = Folder::new();
        let given = read_all(&[folder.file("packed", &bytes)], 1 << 16);
        prop_assert!(given.packets.len() <= 1 << 20);
    }
}
