use super::super::DriverEvent;
use super::super::recorder::{Piece, play};
use Piece::{Client, Server};
use proptest::prelude::*;

const NAMES: &[u8] = b"\0anna\0ward3\0vt100/9600\0";

#[test]
fn what_the_host_shows() {
    for size in [1, 2, 7, usize::MAX] {
        let pieces =
            [Client(NAMES), Server(b"\0Password: "), Client(b"secret\r"), Server(b"\r\nhello")];
        let (mut sink, events) = play(&pieces, size);
        assert!(events.contains(&DriverEvent::Recognised("rlogin")));
        assert_eq!(sink.contents[0].bytes, b"\0Password: \x05\r\nhello");
        assert_eq!(sink.facts.files().user.as_deref(), Some("ward3"));
        assert!(sink.facts.credentials_in_clear);
    }
}

#[test]
fn others_that_begin_with_a_zero() {
    for bytes in [&b"\0\0\0\x85\xffSMBr"[..], b"\x00a\x00b\x00c\x00", b"\0anna\0ward3\0vt100\0"] {
        let (_, events) = play(&[Client(bytes)], usize::MAX);
        assert!(!events.contains(&DriverEvent::Recognised("rlogin")), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), size in 1usize..50) {
        play(&[Client(NAMES), Client(&bytes), Server(&bytes)], size);
        play(&[Client(b"\0a"), Client(&bytes)], size);
    }
}
