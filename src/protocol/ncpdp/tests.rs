use super::*;
use crate::protocol::DriverEvent;
use crate::protocol::recorder::{COMPLETE, CUT, Piece, play};
use proptest::prelude::*;

const CLAIM: &[u8] = b"610066D0B1ACMEPCN   1011234567893     20260302SW00000001\x1E\x1CAM01\x1CC419620927\x1CCADELTA\
    \x1D\x1E\x1CAM07\x1CEM1\x1CD2123456";
const PAID: &[u8] = b"D0B11A011234567893     20260302\x1E\x1CAM20\x1CF4OK\x1D\x1E\x1CAM21\x1CANP";

#[test]
fn transmissions_in_every_framing() {
    assert_eq!(ncpdp::at_end(&CLAIM[..REQUEST]).map(|h| h.1), Some(0));
    assert_eq!(ncpdp::at_end(&PAID[..RESPONSE]).map(|h| h.1), Some(0));
    let framings: [(&[u8], &[u8]); 4] =
        [(b"", b""), (b"\x02", b"\x03"), (b"\0\0\0\x6F", b""), (b"0111", b"")];
    for (before, after) in framings {
        let request = [before, CLAIM, after].concat();
        let response = [before, PAID, after].concat();
        for size in [1, 3, 7, 4000] {
            let pieces =
                [Piece::Client(&request), Piece::Server(&response), Piece::Client(&request)];
            let (sink, events) = play(&pieces, size);
            assert_eq!(
                events.first(),
                Some(&DriverEvent::Recognised("ncpdp")),
                "{before:?} {size}"
            );
            let sent = [&request[before.len()..], &request].concat();
            assert_eq!(sink.contents[0].bytes, sent, "{before:?} in pieces of {size}");
            assert!(sink.contents[1].bytes.ends_with(&response), "{before:?} {size}");
        }
    }
}

#[test]
fn gaps_and_midstream_starts() {
    let pieces = [
        Piece::Client(CLAIM),
        Piece::ClientGap(9),
        Piece::Client(b"x\x1CCBy\x03\x02"),
        Piece::Client(CLAIM),
    ];
    let (sink, _) = play(&pieces, 6);
    let found: Vec<_> = sink.contents.iter().map(|c| (c.bytes.as_slice(), c.ending)).collect();
    assert_eq!(found, [(CLAIM, CUT), (CLAIM, COMPLETE)]);
    let (sink, _) = play(&[Piece::ClientGap(1), Piece::Client(&[b"zz\x03", CLAIM].concat())], 999);
    assert_eq!(sink.contents[0].bytes, CLAIM);
}

#[test]
fn other_protocols_are_not_taken() {
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: a"[..],
        b"610066 is a number of a bank",
        b"MSH|^~\\&|A|B|C|D|E|F",
        &[0; 40],
    ] {
        assert_eq!(Ncpdp.probe(bytes, Position::Start), Probe::No, "{bytes:?}");
    }
    for end in 0..REQUEST + 1 {
        assert_eq!(Ncpdp.probe(&CLAIM[..end], Position::Start), Probe::More, "{end}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Piece::Client(CLAIM), Piece::ClientGap(3), Piece::Client(&bytes), Piece::Server(&bytes)], size);
        play(&[Piece::Client(&bytes)], size);
    }
}
