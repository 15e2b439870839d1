use super::*;
use crate::protocol::DriverEvent;
use crate::protocol::recorder::{COMPLETE, CUT, Piece, play};
use proptest::prelude::*;

const HELLO: &[u8] =
    b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<!-- x --><HEL.R01><HDR/></HEL.R01>";
const RESULT: &[u8] = b"<OBS.R01><HDR/><SVC><PT/></SVC></OBS.R01>\n";
const ACK: &[u8] = b"<ACK.R01><ACK><ACK.type_cd V=\"AA\"/></ACK></ACK.R01>";

#[test]
fn messages_of_both_directions() {
    for size in [1, 2, 7, 39, 4000] {
        let pieces = [Piece::Client(HELLO), Piece::Server(ACK), Piece::Client(RESULT)];
        let (sink, events) = play(&pieces, size);
        assert_eq!(events.first(), Some(&DriverEvent::Recognised("poct1a")), "in pieces of {size}");
        assert_eq!(sink.contents[0].bytes, [HELLO, RESULT].concat(), "in pieces of {size}");
        assert_eq!(sink.contents[1].bytes, ACK);
    }
}

#[test]
fn gaps_and_midstream_starts() {
    let pieces = [
        Piece::Client(HELLO),
        Piece::ClientGap(10),
        Piece::Client(b"V=\"1\"/></PT>"),
        Piece::Client(RESULT),
    ];
    let (sink, _) = play(&pieces, 5);
    let found: Vec<_> = sink.contents.iter().map(|c| (c.bytes.as_slice(), c.ending)).collect();
    assert_eq!(found, [(HELLO, CUT), (RESULT, COMPLETE)]);
    let (sink, _) = play(&[Piece::ClientGap(1), Piece::Client(&[b"/></a>", RESULT].concat())], 100);
    assert_eq!(sink.contents[0].bytes, RESULT);
}

#[test]
fn other_documents_are_not_taken() {
    for bytes in [
        &b"<?xml version='1.0'?><ClinicalDocument/>"[..],
        b"<html>",
        b"<OBS.R1>",
        b"<OBS.R012>",
        b"OBS.R01",
    ] {
        assert_eq!(Poct1a.probe(bytes, Position::Start), Probe::No, "{bytes:?}");
    }
    for bytes in [&b""[..], b"\n", b"<", b"<?xml", b"<?xml ?>", b"<!-- ", b"<OBS.R0"] {
        assert_eq!(Poct1a.probe(bytes, Position::Start), Probe::More, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Piece::Client(HELLO), Piece::ClientGap(3), Piece::Client(&bytes), Piece::Server(&bytes)], size);
        play(&[Piece::Client(&bytes)], size);
    }
}
