use super::super::recorder::{COMPLETE, Piece, play, texts};
use Piece::{Client, ClientGap, Server, ServerGap};
use proptest::prelude::*;

const INFO: &[u8] =
    b"INFO {\"server_id\":\"N\",\"version\":\"2.10.4\",\"max_payload\":1048576} \r\n";

#[test]
fn what_is_published_and_delivered() {
    let pieces = [
        Server(INFO),
        Client(
            b"CONNECT {\"verbose\":false,\"user\":\"a\",\"pass\":\"b\"}\r\nPING\r\nSUB adt.> 1\r\n",
        ),
        Server(b"PONG\r\n"),
        Client(b"PUB adt.in 7\r\n{\"a\":1}\r\nHPUB adt.in re 12 15\r\nNATS/1.0\r\n\r\nxyz\r\n"),
        Server(b"MSG adt.in 1 7\r\n{\"a\":1}\r\nMSG adt.in 1 0\r\n\r\n"),
    ];
    let got = texts(&pieces);
    let text = |t: &str| (t.to_owned(), COMPLETE);
    assert_eq!(got, [text("{\"a\":1}"), text("xyz"), text("{\"a\":1}")]);
    let (sink, _) = play(&pieces, 5);
    assert!(sink.facts.credentials_in_clear);
    assert_eq!(sink.facts.software.as_deref(), Some("nats-server 2.10.4"));
}

#[test]
fn gaps_and_the_middle() {
    let got = texts(&[
        ClientGap(5),
        Client(b"rest\r\nPUB a.b 4\r\nabcd\r\nPUB a 9\r\nabc"),
        ClientGap(3),
        Client(b"ghi\r\nPUB a 1\r\nx\r\n"),
    ]);
    assert_eq!(
        got,
        [("abcd".into(), COMPLETE), ("abcghi".into(), COMPLETE), ("x".into(), COMPLETE)]
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Server(INFO), Client(b"PUB a 99999999999999999999\r\n"), Client(&bytes), ServerGap(3), Server(b"MSG a 1 12\r\n"), Server(&bytes)], size);
    }
}
