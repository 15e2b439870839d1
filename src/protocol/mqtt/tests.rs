use super::super::recorder::{COMPLETE, CUT, Piece, play, texts};
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

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Client(CONNECT), Client(&bytes), ClientGap(9), Client(&bytes), Server(&bytes)], size);
        play(&[Client(CONNECT), Client(b"\x34\xff\x01"), Client(&bytes)], size);
    }
}
