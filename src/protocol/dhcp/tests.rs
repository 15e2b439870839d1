//! Names that hosts give themselves, of whole packets, cut anywhere, and of garbage.

use super::*;
use crate::protocol::recorder::{Piece, play};

/// A packet with addresses of the client and options.
fn packet(reply: bool, current: [u8; 4], given: [u8; 4], options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 236];
    bytes[..4].copy_from_slice(&[if reply { 2 } else { 1 }, 1, 6, 0]);
    bytes[12..16].copy_from_slice(&current);
    bytes[16..20].copy_from_slice(&given);
    bytes.extend_from_slice(&[0x63, 0x82, 0x53, 0x63]);
    for (code, value) in options {
        bytes.extend_from_slice(&[*code, value.len() as u8]);
        bytes.extend_from_slice(value);
    }
    bytes.extend_from_slice(&[255, 0, 0]);
    bytes
}

fn host(bytes: &[u8]) -> Option<String> {
    let (host, name) = Packet::read(bytes).expect("a packet").host()?;
    Some(format!("{host} {name}"))
}

const NONE: [u8; 4] = [0; 4];

#[test]
fn requests_and_acknowledgments_name_hosts() {
    let request =
        packet(false, NONE, NONE, &[(53, &[3]), (50, &[10, 1, 7, 20]), (12, b"CT-CONSOLE")]);
    assert_eq!(host(&request).as_deref(), Some("10.1.7.20 ct-console"));
    let renewed = packet(false, [10, 1, 7, 21], NONE, &[(53, &[3]), (12, b"ws9\0")]);
    assert_eq!(host(&renewed).as_deref(), Some("10.1.7.21 ws9"));
    let full = packet(
        false,
        [10, 1, 7, 21],
        NONE,
        &[(53, &[3]), (12, b"ws9"), (81, b"\0\0\0ws9.hospital.example")],
    );
    assert_eq!(host(&full).as_deref(), Some("10.1.7.21 ws9.hospital.example"));
    let given = packet(true, NONE, [10, 1, 7, 22], &[(53, &[5]), (12, b"us-2")]);
    assert_eq!(host(&given).as_deref(), Some("10.1.7.22 us-2"));
}

#[test]
fn who_only_looks_for_a_server_has_no_address_yet() {
    assert_eq!(
        host(&packet(false, NONE, NONE, &[(53, &[1]), (50, &[10, 1, 7, 20]), (12, b"ws9")])),
        None
    );
    assert_eq!(host(&packet(false, NONE, NONE, &[(53, &[3]), (12, b"ws9")])), None);
    assert_eq!(host(&packet(false, [10, 1, 7, 21], NONE, &[(53, &[3]), (12, b"a b")])), None);
}

#[test]
fn packets_are_recognised_and_named_through_the_driver() {
    let request = packet(false, [10, 1, 7, 21], NONE, &[(53, &[3]), (12, b"ws9")]);
    let mut frame = Vec::new();
    assert!(Dhcp.datagram(&request, &mut frame));
    let (sink, _) = play(&[Piece::Client(&frame), Piece::Client(&frame)], usize::MAX);
    assert_eq!(sink.units, ["message"; 2]);
    assert_eq!(sink.hosts, vec![("10.1.7.21".parse().expect("address"), "ws9".to_owned()); 2]);
}

#[test]
fn what_is_cut_or_foreign_is_no_packet_and_never_a_panic() {
    let whole = packet(
        false,
        [10, 1, 7, 21],
        NONE,
        &[(53, &[3]), (12, b"ws9"), (81, b"\0\0\0ws9.example")],
    );
    for len in 0..whole.len() {
        Packet::read(&whole[..len]).map(|packet| packet.host());
    }
    assert!(Packet::read(&whole[..239]).is_none());
    for byte in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[byte] ^= 0xff;
        Packet::read(&damaged).map(|packet| packet.host());
    }
    assert!(Packet::read(&[0x63; 400]).is_none());
}
