use super::super::recorder::{COMPLETE, CUT, Piece, contents, play, seen};
use super::super::{Authentication, DriverEvent, Position, Probe, Protocol as _, Speaker};
use super::Memcached;
use Piece::{Client, ClientGap, Server, ServerGap};
use proptest::prelude::*;

const PATIENT: &[u8] = b"{\"mrn\":\"712\",\"name\":\"Doe^Jane\"}";

fn binary(magic: u8, operation: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let body = (extras.len() + key.len() + value.len()) as u32;
    let head = [magic, operation, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    [&head[..], &body.to_be_bytes(), &[0; 12], extras, key, value].concat()
}

#[test]
fn values_are_stored_and_fetched() {
    let set = [b"set patient:7 0 3600 31\r\n", PATIENT, b"\r\nget patient:7 other\r\n"].concat();
    let meta = [b"ms patient:7 31 T90\r\n", PATIENT, b"\r\n"].concat();
    let value = [b"STORED\r\nVALUE patient:7 0 31\r\n", PATIENT, b"\r\nEND\r\nHD\r\n"].concat();
    let found = [b"VA 31 t90\r\n", PATIENT, b"\r\nEN\r\n"].concat();
    let (got, sink) = contents(&[Client(&set), Server(&value), Client(&meta), Server(&found)]);
    assert_eq!(
        got,
        [
            seen("SET", PATIENT, 0, COMPLETE),
            seen("GET", PATIENT, 0, COMPLETE),
            seen("SET", PATIENT, 0, COMPLETE),
            seen("GET", PATIENT, 0, COMPLETE),
        ]
    );
    assert_eq!(sink.facts.authentication, Authentication::None);
    // The capture shows the server alone, or begins later.
    let (sink, events) = play(&[Server(&value)], 7);
    assert_eq!(events.first(), Some(&DriverEvent::Recognised("memcached")));
    assert_eq!(sink.contents.len(), 1);
    let (sink, _) = play(&[ServerGap(5), Server(b"rest\r\n"), Server(&value)], 1460);
    assert_eq!(sink.contents[0].bytes, PATIENT);
}

#[test]
fn the_binary_protocol() {
    let set = binary(0x80, 1, &[0; 8], b"patient:7", PATIENT);
    let get = binary(0x80, 0, &[], b"patient:7", b"");
    let stored = binary(0x81, 1, &[], b"", b"");
    let value = binary(0x81, 0, &[0; 4], b"", PATIENT);
    let (got, _) = contents(&[Client(&[set, get].concat()), Server(&[stored, value].concat())]);
    assert_eq!(got, [seen("SET", PATIENT, 0, COMPLETE), seen("GET", PATIENT, 0, COMPLETE)]);
    let login = binary(0x80, 0x21, &[], b"PLAIN", b"\0app\0secret");
    let (sink, _) = play(&[Client(&login)], 5);
    assert!(sink.facts.credentials_in_clear && sink.contents.is_empty());
}

#[test]
fn a_key_says_what_its_value_is_about() {
    let set = [b"set patient:7 0 3600 31\r\n", PATIENT, b"\r\n"].concat();
    for set in [set, binary(0x80, 1, &[0; 8], b"patient:7", PATIENT)] {
        let (sink, _) = play(&[Client(&set)], 9);
        assert_eq!(sink.contents[0].name, "patient/7");
    }
}

#[test]
fn values_that_clients_packed_are_declared() {
    let packed = b"\x78\x9c\x03\0\0\0\0\x01";
    let set = [b"set k 8 0 8\r\n", &packed[..], b"\r\n"].concat();
    let (sink, _) = play(&[Client(&set)], 1);
    assert_eq!(sink.contents[0].codings, ["deflate"]);
}

#[test]
fn gaps_stay_in_their_value() {
    let set = [b"set a 0 0 31\r\n", PATIENT, b"\r\nset b 0 0 31\r\n", PATIENT, b"\r\n"].concat();
    let (sink, _) = play(&[Client(&set[..20]), ClientGap(5), Client(&set[25..])], 1460);
    assert_eq!((sink.contents[0].gaps, sink.contents.len()), (5, 2));
    let (sink, _) =
        play(&[Client(&set[..20]), ClientGap(40), Client(b"x\r\n"), Client(&set)], 1460);
    assert_eq!((sink.contents[0].ending, sink.contents.len()), (CUT, 3));
}

#[test]
fn what_only_looks_like_it_is_not_taken() {
    for other in [
        &b"set x 5\r\n"[..],
        b"set terminal on\r\n",
        b"get key\r\n",
        b"VALUE OF x y\r\n",
        b"VA 12 -\r\n",
        b"add one two three four\r\n",
        b"\x80\x01\0\x04\x02\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x80\xff",
    ] {
        assert_eq!(Memcached.probe(other, Position::Start), Probe::No, "{other:?}");
    }
    let first = Memcached.probe(b"set k 0 0 1\r\n", Position::Start);
    assert_eq!(first, Probe::yes(Speaker::Client));
    assert_eq!(Memcached.probe(b"set k 0", Position::Start), Probe::More);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..60) {
        let set = [b"set a 0 0 400\r\n", &bytes[..]].concat();
        let message = binary(0x81, 0, &[0; 4], b"", &bytes);
        play(&[Client(&set), Client(&bytes), Server(&message), ServerGap(3), Server(&bytes)], size);
    }
}
