use super::super::testing::{
    Seen, Writer, block, enhanced, interface, options, read, section, simple, statistics,
};
use super::*;
use crate::capture::Fault;
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;

fn times(bytes: &[u8]) -> Vec<i64> {
    read(bytes, 1 << 16).packets.iter().map(|p| p.0).collect()
}

fn resolution(value: u8) -> Vec<(u16, Vec<u8>)> {
    vec![(9, vec![value])]
}

/// All kinds of packet blocks, several sections in both byte orders, and unknown blocks.
fn rich() -> (Vec<u8>, Vec<Seen>) {
    let mut bytes = Vec::new();
    let mut seen = Vec::new();
    for big in [false, true, false] {
        bytes.extend(section(big));
        bytes.extend(block(big, 0x0000_0bad, &[7; 33]));
        bytes.extend(interface(big, 1, 0, &[(2, b"eth0".to_vec()), (9, vec![9])]));
        bytes.extend(interface(big, 101, 96, &[]));
        bytes.extend(enhanced(big, 0, 5 * 1_000_000_000 + 7, b"abcde", 9, &[]));
        seen.push((5 * SECOND + 7, b"abcde".to_vec(), 9, 1));
        // Flags (outbound), a comment, a drop count.
        let list = [(2, vec![2, 0, 0, 0]), (1, b"hello".to_vec()), (4, vec![0; 8])];
        bytes.extend(enhanced(big, 1, 6_000_001, b"xyz", 3, &list));
        seen.push((6 * SECOND + 1000, b"xyz".to_vec(), 3, 101));
        bytes.extend(simple(big, b"simple", 6));
        seen.push((6 * SECOND + 1000, b"simple".to_vec(), 6, 1));
        let mut old = Writer::new(big);
        old.u16(1).u16(3).u32(0).u32(7_000_000).u32(4).u32(60).raw(b"late");
        bytes.extend(block(big, 2, &old.bytes));
        seen.push((7 * SECOND, b"late".to_vec(), 60, 101));
        bytes.extend(statistics(big, 0, &[(4, 100), (5, 2), (7, 5)]));
        bytes.extend(statistics(big, 0, &[(5, 3), (7, 5)]));
        bytes.extend(statistics(big, 9, &[(5, 1000)]));
    }
    (bytes, seen)
}

#[test]
fn sections_interfaces_and_every_kind_of_packet() {
    let (bytes, seen) = rich();
    let given = read(&bytes, 1 << 16);
    assert_eq!(given.packets, seen);
    assert!(given.faults.is_empty(), "{:?}", given.faults);
    // Counters run on within a section, so the last value is the sum. The obsolete block counts
    // packets of an interface without statistics.
    assert_eq!(
        given.inputs[0].dropped,
        LiveCounters { kernel: 3 * (5 + 3), interface: 3 * 3, freezes: 0 }
    );
}

#[test]
fn any_block_size_gives_the_same() {
    let (bytes, seen) = rich();
    for size in 1..=bytes.len() + 1 {
        assert_eq!(read(&bytes, size).packets, seen, "blocks of {size}");
    }
}

#[test]
fn a_cut_anywhere_keeps_what_is_whole_and_says_where() {
    let (bytes, seen) = rich();
    let mut ends = vec![0];
    while let Some(at) = ends.last().copied().filter(|&at| at < bytes.len()) {
        let le = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("4"));
        ends.push(at + if le < 1 << 16 { le } else { le.swap_bytes() } as usize);
    }
    for cut in 1..bytes.len() {
        let given = read(&bytes[..cut], 64);
        assert!(seen.starts_with(&given.packets), "cut at {cut}");
        let last = *ends.iter().rfind(|&&e| e <= cut).expect("0 is there");
        if last == cut {
            assert!(given.faults.is_empty(), "cut at {cut}: {:?}", given.faults);
        } else {
            assert_eq!(given.faults.len(), 1, "cut at {cut}");
            assert_eq!(given.faults[0].offset as usize, last, "cut at {cut}");
            assert_eq!(given.readable, usize::from(last > 0), "cut at {cut}");
        }
    }
}

#[test]
fn timestamps_of_every_resolution_are_read() {
    for big in [false, true] {
        for power in 0..=127_u8 {
            let units = 1_234_567_890_123_u64;
            let file = |list: &[_]| {
                [section(big), interface(big, 1, 0, list), enhanced(big, 0, units, b"", 0, &[])]
                    .concat()
            };
            // 10^-power.
            let exact = if power <= 9 {
                i128::from(units) * 10_i128.pow(9 - u32::from(power))
            } else {
                10_i128.checked_pow(u32::from(power) - 9).map_or(0, |d| i128::from(units) / d)
            };
            let expected = exact.min(i64::MAX.into()) as i64;
            assert_eq!(times(&file(&resolution(power))), [expected], "10^-{power}");
            // 2^-power.
            let exact = (i128::from(units) * 1_000_000_000) >> power;
            let expected = exact.min(i64::MAX.into()) as i64;
            assert_eq!(times(&file(&resolution(power | 0x80))), [expected], "2^-{power}");
        }
    }
}

#[test]
fn the_time_offset_is_signed_and_saturates() {
    for big in [false, true] {
        for (offset, expected) in
            [(3_600_i64, 3_601 * SECOND), (-1, 0), (i64::MAX, i64::MAX), (i64::MIN, i64::MIN)]
        {
            let value = if big { offset.to_be_bytes() } else { offset.to_le_bytes() };
            let list = [(14, value.to_vec())];
            let file = [
                section(big),
                interface(big, 1, 0, &list),
                enhanced(big, 0, 1_000_000, b"", 0, &[]),
            ];
            assert_eq!(times(&file.concat()), [expected]);
        }
    }
}

#[test]
fn the_frame_check_sequence_is_no_payload() {
    let head = [section(false), interface(false, 1, 0, &[(13, vec![4])])].concat();
    let lens = |packet: Vec<u8>| {
        let given = read(&[head.clone(), packet].concat(), 1 << 16);
        let p = &given.packets[0];
        (p.1.len(), p.2)
    };
    assert_eq!(lens(enhanced(false, 0, 0, &[0; 64], 64, &[])), (60, 60));
    // The snap length cut off half of the frame check sequence, or more than all of it.
    assert_eq!(lens(enhanced(false, 0, 0, &[0; 62], 64, &[])), (60, 60));
    assert_eq!(lens(enhanced(false, 0, 0, &[0; 40], 64, &[])), (40, 60));
    assert_eq!(lens(enhanced(false, 0, 0, &[0; 2], 2, &[])), (0, 0));
    // The packet's own flags take precedence: two bytes, inbound.
    let flags = [(2, (2_u32 << 5 | 1).to_le_bytes().to_vec())];
    assert_eq!(lens(enhanced(false, 0, 0, &[0; 64], 64, &flags)), (62, 62));
}

#[test]
fn a_simple_packet_is_as_long_as_the_snap_length_lets_it() {
    let file = [section(true), interface(true, 1, 5, &[]), simple(true, b"12345678", 60)].concat();
    assert_eq!(read(&file, 16).packets, [(0, b"12345".to_vec(), 60, 1)]);
}

#[test]
fn packets_of_unknown_link_types_are_handed_on_and_said() {
    let file = [section(true), interface(true, 272, 0, &[]), enhanced(true, 0, 0, b"n", 1, &[])];
    let given = read(&file.concat(), 1 << 16);
    assert_eq!((given.packets.len(), given.packets[0].3), (1, 272));
    let said: Vec<String> = given.faults.iter().map(Fault::describe).collect();
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("has 1 packet of link type 272"), "{said:?}");
}

#[test]
fn lies_stop_the_reading_and_keep_what_came_before() {
    let good = [
        section(false),
        interface(false, 1, 0, &[]),
        enhanced(false, 0, 1_000_000, b"good", 4, &[]),
    ]
    .concat();
    let patched = |at: usize, value: u32| {
        let mut block = enhanced(false, 0, 2_000_000, b"evil", 4, &[]);
        block[at..at + 4].copy_from_slice(&value.to_le_bytes());
        block
    };
    let size = enhanced(false, 0, 0, b"evil", 4, &[]).len();
    for (what, lie) in [
        ("length no multiple of 4", patched(4, size as u32 - 2)),
        ("length 0", patched(4, 0)),
        ("length 8", patched(4, 8)),
        ("length beyond any block", patched(4, 0xffff_fff0)),
        ("two lengths", patched(size - 4, size as u32 + 4)),
        ("captured length beyond the block", patched(20, 5)),
        ("captured length huge", patched(20, u32::MAX)),
        ("unknown interface", patched(8, 1)),
        ("no byte-order magic", block(false, 0x0a0d_0d0a, &[0; 16])),
        ("short section", block(false, 0x0a0d_0d0a, &0x1a2b_3c4d_u32.to_le_bytes())),
        ("short interface", block(false, 1, &[0; 4])),
        ("short packet", block(false, 6, &[0; 16])),
        ("short simple packet", block(false, 3, &[])),
    ] {
        let file = [good.clone(), lie, good.clone()].concat();
        for size in [1, 64, 1 << 16] {
            let given = read(&file, size);
            assert_eq!(given.packets.len(), 1, "{what}");
            assert_eq!(given.faults.len(), 1, "{what}");
            assert_eq!(given.faults[0].offset as usize, good.len(), "{what}");
            assert!(given.inputs[0].fault.is_some(), "{what}");
            assert_eq!(given.readable, 1, "{what}");
        }
    }
}

#[test]
fn lying_options_are_passed_over() {
    let mut w = Writer::new(false);
    w.u16(1).u16(0).u32(0).raw(&options(false, &[(9, vec![9])])[..8]).u16(13).u16(400).raw(&[4; 4]);
    let file = [section(false), block(false, 1, &w.bytes), enhanced(false, 0, 5, b"data", 4, &[])];
    assert_eq!(read(&file.concat(), 1 << 16).packets, [(5, b"data".to_vec(), 4, 1)]);
}

#[test]
fn another_version_is_refused() {
    let mut file = section(false);
    file[12] = 2;
    let given = read(&file, 1 << 16);
    assert!(matches!(given.faults[0].kind, FaultKind::UnknownVersion(2, 0)));
    assert_eq!(given.readable, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn mutations_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
        size in 1_usize..300,
    ) {
        let (mut bytes, _) = rich();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()).max(4));
        // Mapped and streamed reads agree on any input.
        let given = read(&bytes, size);
        prop_assert!(given.packets.iter().all(|p| p.1.len() <= bytes.len()));
    }

    #[test]
    fn garbage_blocks_do_no_harm(body in prop::collection::vec(any::<u8>(), 0..200), kind in 0_u32..8) {
        let file = [section(true), interface(true, 1, 0, &[]), block(true, kind, &body)].concat();
        read(&file, 50);
    }
}
