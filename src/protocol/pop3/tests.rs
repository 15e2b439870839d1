use super::super::DriverEvent;
use super::super::Reason;
use super::super::recorder::{COMPLETE, CUT, Piece, play, texts};
use Piece::{Client, Server, ServerGap};
use proptest::prelude::*;

const HELLO: &[u8] = b"+OK Dovecot ready. <1.2.3@mx>\r\n";

#[test]
fn messages_that_are_fetched() {
    let got = texts(&[
        Server(HELLO),
        Client(b"CAPA\r\nUSER anna\r\nPASS secret\r\n"),
        Server(b"+OK\r\nTOP\r\n.\r\n+OK\r\n+OK Logged in.\r\n"),
        Client(b"LIST\r\nLIST 1\r\nRETR 1\r\nRETR 9\r\nTOP 2 0\r\nQUIT\r\n"),
        Server(b"+OK 2 messages:\r\n1 120\r\n2 99\r\n.\r\n+OK 1 120\r\n+OK 120 octets\r\nSubject: a\r\n\r\n..b\r\n.\r\n-ERR no\r\n+OK\r\nSubject: c\r\n.\r\n+OK Bye\r\n"),
    ]);
    assert_eq!(
        got,
        [("Subject: a\r\n\r\n.b\r\n".into(), COMPLETE), ("Subject: c\r\n".into(), COMPLETE)]
    );
}

#[test]
fn what_is_known_of_the_service() {
    let pieces =
        [Server(HELLO), Client(b"USER anna\r\n"), Server(b"+OK\r\n"), Client(b"PASS x\r\n")];
    let (mut sink, _) = play(&pieces, 3);
    assert_eq!(sink.facts.files().user.as_deref(), Some("anna"));
    assert_eq!(sink.facts.software.as_deref(), Some("Dovecot ready."));
    assert!(sink.facts.credentials_in_clear);
    let tls = [
        Server(HELLO),
        Client(b"STLS\r\n"),
        Server(b"+OK go\r\n"),
        Client(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),
    ];
    let (_, events) = play(&tls, usize::MAX);
    assert!(events.contains(&DriverEvent::Opaque("unknown", Reason::Encrypted)), "{events:?}");
}

#[test]
fn gaps_and_the_middle() {
    let got = texts(&[
        ServerGap(9),
        Server(b"...\r\n.\r\n+OK 99 octets\r\nSubject: a\r\n"),
        ServerGap(5),
        Server(b"rest\r\n.\r\n+OK 9 octets\r\nx\r\n.\r\n"),
    ]);
    assert_eq!(got[0], ("Subject: a\r\nrest\r\n".into(), CUT));
    assert_eq!(got[1], ("x\r\n".into(), COMPLETE));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Server(HELLO), Client(b"RETR 1\r\n"), Client(&bytes), Server(b"+OK\r\n"), Server(&bytes), ServerGap(3), Server(&bytes)], size);
    }
}
