//! Names of hosts out of real messages, in pieces of any size, cut anywhere, and of garbage.

use super::*;
use crate::protocol::DriverEvent;
use crate::protocol::recorder::{Piece, play};

/// A name as labels.
fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn header(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    [[0x12, 0x34], flags.to_be_bytes()]
        .into_iter()
        .chain(counts.map(u16::to_be_bytes))
        .flatten()
        .collect()
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = owner.to_vec();
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&[0, 1, 0, 0, 0x0e, 0x10]);
    bytes.extend_from_slice(&(data.len() as u16).to_be_bytes());
    bytes.extend_from_slice(data);
    bytes
}

/// `pacs.hospital.example` is an alias of `archive-3.hospital.example`, at 10.1.2.3 and fd00::3.
fn answer() -> Vec<u8> {
    let mut bytes = header(0x8180, [1, 3, 0, 1]);
    bytes.extend(name("pacs.hospital.example"));
    bytes.extend([0, 1, 0, 1]);
    // The owner is the question (offset 12); the other name shares its end with it (offset 17).
    let target = [b"\x09archive-3".as_slice(), &[0xc0, 17]].concat();
    bytes.extend(record(&[0xc0, 12], 5, &target));
    let at = (bytes.len() - target.len()) as u8;
    bytes.extend(record(&[0xc0, at], 1, &[10, 1, 2, 3]));
    let v6 = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3];
    bytes.extend(record(&[0xc0, at], 28, &v6));
    // OPT: the root, and a size in place of a class.
    bytes.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    bytes
}

fn hosts(message: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    let read = Message::read(message).expect("a message");
    read.hosts(&mut |host, name| all.push(format!("{host} {name}")));
    all
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame_datagram(message, &mut frame);
    frame
}

#[test]
fn answers_name_addresses_by_what_was_asked_for_and_by_what_they_are() {
    assert_eq!(
        hosts(&answer()),
        [
            "10.1.2.3 archive-3.hospital.example",
            "10.1.2.3 pacs.hospital.example",
            "fd00::3 archive-3.hospital.example",
            "fd00::3 pacs.hospital.example",
        ]
    );
}

#[test]
fn questions_and_failures_name_nobody() {
    let mut question = header(0x0100, [1, 0, 0, 0]);
    question.extend(name("pacs.hospital.example"));
    question.extend([0, 1, 0, 1]);
    assert!(hosts(&question).is_empty());
    let mut failure = answer();
    failure[3] |= 3;
    assert!(hosts(&failure).is_empty());
}

#[test]
fn reverse_lookups_and_multicast_answers_name_addresses() {
    let mut reverse = header(0x8180, [0, 1, 0, 0]);
    reverse.extend(record(&name("3.2.1.10.in-addr.arpa"), 12, &name("PACS.hospital.example")));
    assert_eq!(hosts(&reverse), ["10.1.2.3 pacs.hospital.example"]);
    let digits = "3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa";
    let mut reverse = header(0x8180, [0, 1, 0, 0]);
    reverse.extend(record(&name(digits), 12, &name("v6.example")));
    assert_eq!(hosts(&reverse), ["fd00::3 v6.example"]);
    // RFC 6762 10.2: the first bit of the class says that the name is this host's alone.
    let mut multicast = header(0x8400, [0, 1, 0, 0]);
    let mut of = record(&name("us-scanner-2.local"), 1, &[10, 1, 7, 9]);
    let class = name("us-scanner-2.local").len() + 2;
    of[class] = 0x80;
    multicast.extend(of);
    assert_eq!(hosts(&multicast), ["10.1.7.9 us-scanner-2.local"]);
}

#[test]
fn netbios_names_computers_and_no_groups() {
    let encoded = |text: &str, kind: u8| {
        let mut bytes = format!("{text:15}").into_bytes();
        bytes.push(kind);
        let letters: Vec<u8> =
            bytes.iter().flat_map(|b| [b'A' + (b >> 4), b'A' + (b & 15)]).collect();
        name(std::str::from_utf8(&letters).expect("letters"))
    };
    // RFC 1002 4.2.2: a registration has the name as a question, and again as a record.
    let registration = |text: &str, kind: u8, group: u8| {
        let mut bytes = header(0x2910, [1, 0, 0, 1]);
        bytes.extend(encoded(text, kind));
        bytes.extend([0, 32, 0, 1]);
        bytes.extend(record(&[0xc0, 12], 32, &[group, 0, 10, 1, 7, 20]));
        bytes
    };
    assert_eq!(hosts(&registration("CT-CONSOLE", 0, 0)), ["10.1.7.20 ct-console"]);
    assert!(hosts(&registration("RADIOLOGY", 0, 0x80)).is_empty(), "a group");
    assert!(hosts(&registration("RADIOLOGY", 0x1b, 0)).is_empty(), "a domain");
}

#[test]
fn messages_come_over_tcp_in_pieces_of_any_size() {
    let bytes = [framed(&answer()), framed(&answer())].concat();
    for size in [1, 2, 13, 1000] {
        let (sink, events) = play(&[Piece::Server(&bytes)], size);
        assert_eq!(events, [DriverEvent::Recognised("dns")], "in pieces of {size}");
        assert_eq!(sink.units, ["message"; 2], "in pieces of {size}");
        assert_eq!(sink.hosts.len(), 8, "in pieces of {size}");
    }
}

#[test]
fn what_is_cut_or_has_more_behind_it_or_points_at_itself_is_no_message() {
    let whole = answer();
    for len in 0..whole.len() {
        assert!(Message::read(&whole[..len]).is_none(), "{len} bytes");
    }
    assert!(Message::read(&[whole.as_slice(), &[0]].concat()).is_none());
    let mut circle = header(0x8180, [0, 1, 0, 0]);
    circle.extend(record(&[0xc0, 12], 1, &[10, 1, 2, 3]));
    assert!(Message::read(&circle).is_none());
    for byte in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[byte] ^= 0xff;
        if let Some(message) = Message::read(&damaged) {
            message.hosts(&mut |_, _| {});
        }
    }
    let texts =
        [&b"<34>1 2003-10-11T22:14:15Z host app - - - text"[..], b"{\"a\": 1, \"bcdefgh\": 2}"];
    assert!(texts.iter().all(|text| Message::read(text).is_none()));
}
