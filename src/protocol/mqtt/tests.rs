use super::super::recorder::{COMPLETE, CUT, Piece, play, play_joined, texts};
use super::{Mqtt, Position, Probe, Protocol as _};
use Piece::{Client, ClientGap, Server};
use proptest::prelude::*;

const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a";

#[test]
fn published_by_both_ends() {
    let got = texts(&[
        Client(CONNECT),
        Server(b"\x20\x02\0\0"),
        Client(b"\x30\x08\0\x03a/b{1}\x32\x09\0\x03a/b\0\x07{2\xc0\0"),
        Server(b"\x30\x08\0\x03a/b{3}\x30\x09\0\x01acut"),
    ]);
    assert_eq!(
        got,
        [
            ("{1}".into(), COMPLETE),
            ("{2".into(), COMPLETE),
            ("{3}".into(), COMPLETE),
            ("cut".into(), CUT)
        ]
    );
}

#[test]
fn properties_and_secrets() {
    let connect = b"\x10\x15\0\x04MQTT\x05\xc2\0\x3c\0\0\x01a\0\x01u\0\x02pw";
    let (sink, _) = play(&[Client(connect)], 3);
    assert!(sink.facts.credentials_in_clear);
    let got = texts(&[Client(connect), Client(b"\x30\x0a\0\x01t\x03\x01\x01\x00xyz\xc0\0")]);
    assert_eq!(got, [("xyz".into(), COMPLETE)]);
}

#[test]
fn joined_in_the_middle() {
    let published = b"\x30\x0b\0\x06ward/3{1}\xc0\0";
    let fifth = b"\x30\x0c\0\x06ward/3\0{1}";
    for data in [published.as_slice(), fifth, &[b"\x42\0\x01x".as_slice(), published].concat()] {
        let (sink, _) = play_joined(&[Client(data), Server(b"\xd0\0")], 999);
        let texts: Vec<&[u8]> = sink.contents.iter().map(|c| c.bytes.as_slice()).collect();
        assert_eq!(texts, [b"{1}"], "{data:?}");
    }
    let got = texts(&[Client(CONNECT), ClientGap(3), Client(b"rest"), Client(published)]);
    assert_eq!(got, [("{1}".into(), COMPLETE)]);
    for other in [
        &b"0123456789:;<=> text, 12/34"[..],
        b"\x30\x0b\0\x06ward/3{1}text",
        &[0x30; 400],
        &[0; 400],
    ] {
        assert_eq!(Mqtt.probe(other, Position::Midstream), Probe::No, "{other:?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Client(CONNECT), Client(&bytes), ClientGap(9), Client(&bytes), Server(&bytes)], size);
        play(&[Client(CONNECT), Client(b"\x34\xff\x01"), Client(&bytes)], size);
    }
}
