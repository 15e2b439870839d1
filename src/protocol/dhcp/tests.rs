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

// --- DHCPv6 --------------------------------------------------------------------------------------

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// A message with the id of a client, an address if it has one, and further options.
fn message6(kind: u8, address: Option<[u8; 16]>, more: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![kind, 1, 2, 3];
    bytes.extend(option(1, &[0, 3, 0, 1, 2, 4, 6, 8, 10, 12]));
    if let Some(address) = address {
        let inside = option(5, &[&address[..], &[0; 8]].concat());
        bytes.extend(option(3, &[&[0; 12][..], &inside].concat()));
    }
    bytes.extend(more.concat());
    bytes
}

fn host6(bytes: &[u8]) -> Option<String> {
    let (host, name) = Packet6::read(bytes).expect("a message").host()?;
    Some(format!("{host} {name}"))
}

const ADDRESS: Option<[u8; 16]> = Some([0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);

#[test]
fn clients_of_version_6_are_named_also_through_relays() {
    let whole = option(39, b"\0\x03ws9\x08hospital\x07example\0");
    let bare = option(39, b"\0\x0aCT-CONSOLE");
    let request = message6(3, ADDRESS, &[option(8, &[0, 0]), whole.clone()]);
    assert_eq!(host6(&request).as_deref(), Some("fd00:1::7 ws9.hospital.example"));
    let renewed = message6(5, ADDRESS, std::slice::from_ref(&bare));
    assert_eq!(host6(&renewed).as_deref(), Some("fd00:1::7 ct-console"));
    assert_eq!(
        host6(&message6(7, ADDRESS, std::slice::from_ref(&whole))).as_deref(),
        Some("fd00:1::7 ws9.hospital.example")
    );
    // Who only looks for a server has no address yet.
    assert_eq!(host6(&message6(1, ADDRESS, std::slice::from_ref(&whole))), None);
    assert_eq!(host6(&message6(3, None, &[whole])), None);
    let mut relayed = request;
    for hop in 0..3 {
        let head = [&[12, hop][..], &[0xfd; 32]].concat();
        relayed = [head, option(18, b"eth0"), option(9, &relayed)].concat();
        assert_eq!(host6(&relayed).as_deref(), Some("fd00:1::7 ws9.hospital.example"));
    }
    let mut frame = Vec::new();
    assert!(Dhcp.datagram(&relayed, &mut frame));
    let (sink, _) = play(&[Piece::Client(&frame)], usize::MAX);
    assert_eq!(
        sink.hosts,
        [("fd00:1::7".parse().expect("address"), "ws9.hospital.example".to_owned())]
    );
}

#[test]
fn what_is_no_message_of_version_6_is_none() {
    let whole = message6(3, ADDRESS, &[option(39, b"\0\x03ws9\0")]);
    for len in 0..whole.len() {
        assert!(Packet6::read(&whole[..len]).is_none_or(|packet| packet.host().is_none()), "{len}");
    }
    for byte in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[byte] ^= 0xff;
        Packet6::read(&damaged).map(|packet| packet.host());
    }
    // Without an id of anybody, and with relays behind relays.
    assert!(Packet6::read(&[3, 1, 2, 3, 0, 8, 0, 2, 0, 0]).is_none());
    let mut deep = whole;
    for _ in 0..9 {
        deep = [&[12; 34][..], &option(9, &deep)].concat();
    }
    assert!(Packet6::read(&deep).is_none());
    assert!(Packet6::read(&[1; 400]).is_none());
}
