use super::super::recorder::{COMPLETE, CUT, Piece, play};
use super::super::{Authentication, DriverEvent, Ending, Reason};
use Piece::{Client, ClientGap, Server};
use proptest::prelude::*;

const HELLO: &[u8] = b"EHLO ws1\r\n";
const BANNER: &[u8] = b"220 mx.example.org ESMTP Postfix\r\n";

fn bodies(pieces: &[Piece<'_>]) -> Vec<(String, Option<Ending>)> {
    let of = |size| {
        let (sink, _) = play(pieces, size);
        for content in &sink.contents {
            assert_eq!((content.media.as_str(), content.layer), ("message/rfc822", "smtp"));
            assert_eq!(content.operation, "DATA");
        }
        let text = |b: &[u8]| String::from_utf8(b.to_vec()).expect("text");
        sink.contents.iter().map(|c| (text(&c.bytes), c.ending)).collect::<Vec<_>>()
    };
    let whole = of(usize::MAX);
    for size in 1..40 {
        assert_eq!(of(size), whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn messages_without_their_stuffing() {
    let got = bodies(&[
        Server(BANNER),
        Client(HELLO),
        Server(b"250-mx.example.org\r\n250 HELP\r\n"),
        Client(b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"),
        Server(b"250 OK\r\n550 no\r\n354 go\r\n"),
        Client(b"Subject: x\r\n\r\n..dot\r\na.b\r\n.\r\nMAIL FROM:<c@example.org>\r\n"),
        Server(b"250 queued\r\n250 OK\r\n"),
        Client(b"data\r\n"),
        Server(b"354 go\r\n"),
        Client(b"..\r\n.\r\nQUIT\r\n"),
        Server(b"250 queued\r\n221 Bye\r\n"),
    ]);
    let first = "Subject: x\r\n\r\n.dot\r\na.b\r\n";
    assert_eq!(got, [(first.into(), COMPLETE), (".\r\n".into(), COMPLETE)]);
}

#[test]
fn refused_cut_and_incomplete_messages() {
    let refused = bodies(&[
        Client(HELLO),
        Client(b"DATA\r\n"),
        Server(b"220 x\r\n503 no\r\n"),
        Client(b"QUIT\r\n"),
    ]);
    assert_eq!(refused, []);
    let cut = bodies(&[Client(b"MAIL FROM:<a@b>\r\nDATA\r\n"), Client(b"a\r\nb")]);
    assert_eq!(cut, [("a\r\nb".into(), CUT)]);
    let has_gap = bodies(&[
        Server(BANNER),
        Client(b"HELO a\r\nDATA\r\n"),
        Server(b"250 x\r\n354 go\r\n"),
        Client(b"one\r\n"),
        ClientGap(100),
        Server(b"250 queued\r\n"),
        Client(b"DATA\r\n"),
        Server(b"354 go\r\n"),
        Client(b"two\r\n.\r\n"),
    ]);
    assert_eq!(has_gap, [("one\r\n".into(), CUT), ("two\r\n".into(), COMPLETE)]);
}

#[test]
fn chunks_of_bdat_are_one_message() {
    let got = bodies(&[
        Client(HELLO),
        Client(b"BDAT 5\r\na\r\n.\nBDAT 0\r\nBDAT 3 LAST\r\nxyzRSET\r\nBDAT 0 LAST\r\n"),
    ]);
    assert_eq!(got, [("a\r\n.\nxyz".into(), COMPLETE)]);
}

#[test]
fn what_is_known_of_the_service() {
    let (sink, _) = play(
        &[
            Server(BANNER),
            Client(b"EHLO a\r\nAUTH PLAIN AGEAc2VjcmV0\r\n"),
            Server(b"250 x\r\n235 ok\r\n"),
        ],
        7,
    );
    assert!(sink.facts.credentials_in_clear);
    assert_eq!(sink.facts.authentication, Authentication::Basic);
    assert_eq!(sink.facts.software.as_deref(), Some("ESMTP Postfix"));
    assert!(!format!("{:?}", sink.facts).contains("AGEA"));
}

#[test]
fn starttls_is_encrypted_from_there_on() {
    let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 0];
    for answer in [&b"220 go\r\n"[..], b""] {
        for size in [1, 3, 100] {
            let (_, events) = play(
                &[
                    Server(BANNER),
                    Client(b"EHLO a\r\n"),
                    Server(b"250 STARTTLS\r\n"),
                    Client(b"STARTTLS\r\n"),
                    Server(answer),
                    Client(&hello),
                ],
                size,
            );
            let encrypted =
                |n: &DriverEvent| matches!(n, DriverEvent::Opaque(_, Reason::Encrypted));
            assert!(events.iter().any(encrypted), "{events:?}");
        }
    }
}

#[test]
fn greetings_of_other_protocols_are_not_smtp() {
    for text in [&b"220 ftp.example.org ready\r\n"[..], b"HELP\r\n", b"2200\r\n"] {
        let (_, events) = play(&[Server(text)], 100);
        assert!(!events.contains(&DriverEvent::Recognised("smtp")), "{events:?}");
    }
    // It is known by what its client says.
    assert_eq!(
        bodies(&[Server(b"220 mx ready\r\n"), Client(b"EHLO a\r\nDATA\r\nx\r\n.\r\n")]),
        [("x\r\n".into(), COMPLETE)]
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        for start in [&b"EHLO a\r\n"[..], b"EHLO a\r\nDATA\r\n", b"EHLO a\r\nBDAT 99 LAST\r\n"] {
            play(&[Server(BANNER), Client(start), Server(&bytes), ClientGap(3), Client(&bytes)], size);
        }
    }
}

#[test]
fn joined_in_the_middle() {
    use super::super::recorder::play_joined;
    let text = b"Subject: x\r\n\r\nhello\r\n.\r\n";
    let message = &text[..text.len() - 3];
    for pieces in [
        vec![
            Piece::Client(b"RCPT TO:<a@b>\r\n"),
            Piece::Server(b"250 2.1.5 Ok\r\n"),
            Piece::Client(b"DATA\r\n"),
            Piece::Client(text),
        ],
        vec![
            Piece::Client(b"DATA\r\n"),
            Piece::Server(b"354 End data with .\r\n"),
            Piece::Client(text),
        ],
        // What was asked for is all that was seen.
        vec![
            Piece::Client(text),
            Piece::Server(b"250 2.0.0 Ok: queued as 1\r\n"),
            Piece::Client(b"QUIT\r\n"),
        ],
    ] {
        let (sink, _) = play_joined(&pieces, 9999);
        let texts: Vec<&[u8]> = sink.contents.iter().map(|c| c.bytes.as_slice()).collect();
        assert_eq!(texts, [message], "{pieces:?}");
    }
}
