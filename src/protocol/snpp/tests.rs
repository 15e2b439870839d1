use super::super::recorder::{COMPLETE, CUT, Piece, play, texts};
use super::super::{DriverEvent, Position, Probe, Protocol as _};
use super::Snpp;
use Piece::{Client, ClientGap, Server};
use proptest::prelude::*;

const GREETING: &[u8] = b"220 QuickPage v3.3 SNPP server ready\r\n";

#[test]
fn messages_of_one_line_and_of_several() {
    let client = b"PAGE 5551234\r\nMESS Bed 3: Roe, Eva MRN 17\r\nSEND\r\npage drq\r\nData\r\n\
        Patient: Jan Ott\r\n..5 mg\r\n.\r\nSEND\r\nQUIT\r\n";
    let got = texts(&[Server(GREETING), Client(client)]);
    let want = ["Bed 3: Roe, Eva MRN 17", "Patient: Jan Ott\r\n.5 mg\r\n"];
    assert_eq!(got, want.map(|text| (text.to_owned(), COMPLETE)));
    let (sink, events) = play(&[Server(GREETING), Client(client)], 6);
    assert_eq!(events.first(), Some(&DriverEvent::Recognised("snpp")));
    assert!(!sink.facts.credentials_in_clear);
}

#[test]
fn texts_that_are_refused_logins_and_gaps() {
    let pieces = [
        Server(GREETING),
        Client(b"LOGI jroe secret\r\nPAGE 1\r\nDATA\r\n"),
        Server(b"250 ok\r\n250 ok\r\n550 no\r\n"),
        Client(b"MESS a\r\nDATA\r\nPatient: \r\n"),
        ClientGap(5),
        Client(b"tail\r\n.\r\nMESS b\r\nDATA\r\nx"),
    ];
    let got = texts(&pieces);
    let want = [("a", COMPLETE), ("Patient: \r\ntail\r\n", COMPLETE), ("b", COMPLETE), ("x", CUT)];
    assert_eq!(got, want.map(|(text, ending)| (text.to_owned(), ending)));
    let (sink, _) = play(&pieces, 50);
    assert!(sink.facts.credentials_in_clear);
    assert_eq!(sink.facts.files.as_ref().and_then(|f| f.user.as_deref()), Some("jroe"));
}

#[test]
fn mail_and_files_are_no_pages() {
    for other in [
        &b"220 mail.example ESMTP\r\n"[..],
        b"PAGE two of the report\r\n",
        b"PASS x\r\n",
        b"GET / HTTP/1.1\r\n",
    ] {
        assert_eq!(Snpp.probe(other, Position::Start), Probe::No, "{other:?}");
        assert_eq!(Snpp.probe(other, Position::Midstream), Probe::No, "{other:?}");
    }
    assert_eq!(Snpp.probe(b"220 Q", Position::Start), Probe::More);
    assert_eq!(Snpp.probe(b"PAG", Position::Start), Probe::More);
    let middle = b"x\r\nPAGE 5551234\r\nMESS a\r\n";
    assert_eq!(texts(&[ClientGap(1), Client(middle)]).len(), 1);
}

proptest! {
    #[test]
    fn garbage_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..200), size in 1usize..40) {
        play(&[Server(GREETING), Client(b"PAGE 1\r\nDATA\r\n"), Client(&bytes), Server(&bytes), ClientGap(2), Client(&bytes)], size);
    }
}
