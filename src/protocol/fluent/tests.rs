use super::super::recorder::{Piece, play, texts};
use super::super::{Authentication, DriverEvent, Position, Probe, Protocol as _};
use super::{Fluent, Head, Match, msgpack};
use Piece::{Client, ClientGap, Server};
use proptest::prelude::*;
use std::io::Write as _;

fn text(text: &str) -> Vec<u8> {
    match text.len() {
        len @ ..32 => [&[0xa0 | len as u8], text.as_bytes()].concat(),
        len => [&[0xd9, len as u8], text.as_bytes()].concat(),
    }
}

fn patient(mrn: &str) -> Vec<u8> {
    let dose = [&[0xcb][..], &1.5f64.to_be_bytes()].concat();
    [vec![0x83], text("mrn"), text(mrn), text("ok"), vec![0xc3], text("dose"), dose].concat()
}

fn json(mrn: &str) -> String {
    format!(r#"{{"mrn":"{mrn}","ok":true,"dose":1.5}}"#)
}

const TIME: &[u8] = b"\xd7\0\x65\0\0\0\x01\x02\x03\x04";

fn entry(mrn: &str) -> Vec<u8> {
    [&[0x92], TIME, &patient(mrn)].concat()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

fn option() -> Vec<u8> {
    [vec![0x81], text("chunk"), text("p8n9")].concat()
}

fn binary(data: &[u8]) -> Vec<u8> {
    [&[0xc5, (data.len() >> 8) as u8, data.len() as u8], data].concat()
}

/// Every form that a message has.
fn conversation() -> Vec<u8> {
    let tag = text("ehr.audit");
    let unix = b"\xce\x65\0\0\0".to_vec();
    let metadata = [&[0x92, 0x92][..], TIME, &[0x80], &patient("6")].concat();
    let packed = [entry("3"), entry("4")].concat();
    [
        vec![0x93],
        [tag.clone(), unix, patient("1")].concat(),
        vec![0x94],
        [tag.clone(), TIME.to_vec(), patient("2"), option()].concat(),
        vec![0x93],
        [tag.clone(), binary(&packed), option()].concat(),
        vec![0x93],
        [tag.clone(), vec![0xdc, 0, 2], entry("5"), metadata, option()].concat(),
        vec![0x92],
        [tag, binary(&gzip(&[entry("7"), entry("8")].concat()))].concat(),
    ]
    .concat()
}

#[test]
fn every_form_of_a_message_is_read() {
    let stream = conversation();
    let ack = [vec![0x81], text("ack"), text("p8n9")].concat();
    let got = texts(&[Client(&stream), Server(&ack), Client(&stream)]);
    let want: Vec<String> =
        ["1", "2", "3", "4", "5", "6", "7", "8"].into_iter().map(json).collect();
    let got: Vec<String> = got.into_iter().map(|(text, _)| text).collect();
    assert_eq!(got, [want.clone(), want].concat());
    let (_, events) = play(&[Client(&stream)], 3);
    assert_eq!(events.first(), Some(&DriverEvent::Recognised("fluent")));
}

#[test]
fn who_logs_in_shows_a_digest() {
    let helo = [vec![0x92], text("HELO"), vec![0x81], text("keepalive"), vec![0xc3]].concat();
    let ping = ["PING", "ward7", "salt", "digest", "jroe", "digest"].map(text).concat();
    let ping = [vec![0x96], ping].concat();
    let (sink, _) = play(&[Server(&helo), Client(&ping), Client(&conversation())], 11);
    assert_eq!(sink.facts.authentication, Authentication::Digest);
    assert!(!sink.facts.credentials_in_clear);
    assert_eq!(sink.facts.files.as_ref().and_then(|f| f.user.as_deref()), Some("jroe"));
    assert_eq!(sink.contents.len(), 8);
}

#[test]
fn entries_are_found_behind_a_gap_and_in_the_middle() {
    let run = [entry("1"), entry("2"), option(), conversation()].concat();
    let (sink, _) = play(&[ClientGap(1), Client(&run[4..])], 999);
    assert_eq!(sink.contents.len(), 9);
    let stream = conversation();
    let pieces = [Client(&stream[..30]), ClientGap(9), Client(&run)];
    assert_eq!(play(&pieces, 13).0.contents.len(), 10);
}

#[test]
fn other_protocols_are_no_fluent() {
    for other in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"\x94\0\x01\xa4call\x90",
        b"\x92\xa3\x01\x02\x03\x90",
        b"\x93\xa3abc\xc0",
        &[0x92; 40],
        &[0; 9],
    ] {
        assert_eq!(Fluent.probe(other, Position::Start), Probe::No, "{other:?}");
        assert_eq!(Fluent.probe(other, Position::Midstream), Probe::No, "{other:?}");
    }
    assert_eq!(Fluent.probe(b"\x93\xa3ab", Position::Start), Probe::More);
}

#[test]
fn every_type_is_json_and_nesting_is_bounded() {
    let values: [(&[u8], &str); 10] = [
        (b"\xc0", "null"),
        (b"\xe0", "-32"),
        (b"\xd1\xff\x00", "-256"),
        (b"\xcd\x01\x00", "256"),
        (b"\xca\x3f\x80\0\0", "1"),
        (b"\xcb\x7f\xf0\0\0\0\0\0\0", "null"),
        (b"\xd6\x01abcd", "null"),
        (b"\xc4\x02ab", "\"ab\""),
        (b"\xda\0\x02\xc3\xa9", "\"\u{e9}\""),
        (b"\x93\x01\x90\x80", "[1,[],{}]"),
    ];
    for (bytes, want) in values {
        let mut out = Vec::new();
        assert_eq!(msgpack::write(bytes, &mut out), Some(bytes.len()));
        assert_eq!(String::from_utf8(out).expect("text"), want);
        assert_eq!(msgpack::size(bytes), Ok(bytes.len()));
        for cut in 0..bytes.len() {
            assert!(matches!(msgpack::size(&bytes[..cut]), Err(Some(need)) if need > cut));
        }
    }
    let mut out = Vec::new();
    assert_eq!(msgpack::write(&[0x91; 100_000], &mut out), None);
    assert!(out.len() < 200);
    assert_eq!(Head::read(&[0xc1]), Match::No);
}

proptest! {
    #[test]
    fn garbage_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..200, size in 1usize..40) {
        let mut broken = conversation();
        let at = at % broken.len();
        broken.splice(at..at, bytes.clone());
        play(&[Client(&broken), Server(&bytes), ClientGap(3), Client(&broken)], size);
    }
}
