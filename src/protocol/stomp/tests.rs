use super::super::recorder::{COMPLETE, Piece, play, texts};
use Piece::{Client, Server, ServerGap};
use proptest::prelude::*;

const HELLO: &[u8] = b"CONNECT\naccept-version:1.2\nlogin:a\npasscode:b\n\n\0";

#[test]
fn what_is_sent_and_delivered() {
    let pieces = [
        Client(HELLO),
        Server(b"CONNECTED\nversion:1.2\nserver:ActiveMQ/5.18\n\n\0\n"),
        Client(b"SUBSCRIBE\nid:0\ndestination:/queue/adt\n\n\0SEND\ndestination:/queue/adt\ncontent-length:5\n\na\0b\0c\0"),
        Server(b"MESSAGE\r\ndestination:/queue/adt\r\nsubscription:0\r\n\r\nhello\0\nMESSAGE\nmessage-id:2\n\n\0"),
    ];
    let got = texts(&pieces);
    let text = |t: &str| (t.to_owned(), COMPLETE);
    assert_eq!(got, [text("a\0b\0c"), text("hello"), text("")]);
    let (sink, _) = play(&pieces, 5);
    assert!(sink.facts.credentials_in_clear);
    assert_eq!(sink.facts.software.as_deref(), Some("ActiveMQ/5.18"));
}

#[test]
fn gaps_and_the_middle() {
    let got = texts(&[
        ServerGap(4),
        Server(b"end\0\nMESSAGE\nmessage-id:2\n\nabc\0MESSAGE\ncontent-length:9\n\nabc"),
        ServerGap(3),
        Server(b"ghi\0MESSAGE\na:b\n\nx\0"),
    ]);
    assert_eq!(
        got,
        [("abc".into(), COMPLETE), ("abcghi".into(), COMPLETE), ("x".into(), COMPLETE)]
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Client(HELLO), Client(&bytes), Server(b"CONNECTED\na:b\n\n\0MESSAGE\ncontent-length:99999999999999999999\n\n"), Server(&bytes), ServerGap(3), Server(&bytes)], size);
    }
}
