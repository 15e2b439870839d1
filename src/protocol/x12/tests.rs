use super::*;
use crate::protocol::Direction;
use crate::protocol::recorder::{COMPLETE, Piece, play};

const CLAIM: &[u8] = b"ISA*00*          *00*          *ZZ*S              *ZZ*R              *250301*1200*^*00501*000000001*0*P*:~GS*HC~ST*270*1~SE*1*1~GE*1*1~IEA*1*1~";

#[test]
fn interchanges_of_both_directions() {
    for size in [1, 7, 4000] {
        let pieces = [Piece::Client(CLAIM), Piece::Server(CLAIM), Piece::Client(CLAIM)];
        let (sink, _) = play(&pieces, size);
        let found: Vec<_> = sink.contents.iter().map(|c| (c.direction, c.bytes.len())).collect();
        let (up, down) = (Direction::ClientToServer, Direction::ServerToClient);
        assert_eq!(found, [(up, 2 * CLAIM.len()), (down, CLAIM.len())], "{size}");
        assert!(sink.contents.iter().all(|c| c.ending == COMPLETE));
    }
}

#[test]
fn gaps_and_midstream_starts() {
    let pieces = [Piece::Client(CLAIM), Piece::ClientGap(10), Piece::Client(CLAIM)];
    let (sink, _) = play(&pieces, 9);
    assert_eq!((sink.contents.len(), sink.contents[0].gaps), (1, 10));
    let cut = [b"*E~IEA*1*1~", CLAIM].concat();
    let (sink, _) = play(&[Piece::ClientGap(1), Piece::Client(&cut)], 1000);
    assert_eq!(sink.contents[0].bytes, CLAIM);
}

#[test]
fn other_protocols_are_not_taken() {
    for bytes in [&b"ISABELLA"[..], b"ISA 1", b"ISA*00~", b"ISA\0", b"GET /", b"\0\0\0\0I*"] {
        assert_eq!(X12.probe(bytes, Position::Start), Probe::No, "{bytes:?}");
    }
    for bytes in [&b""[..], b"I", b"\r\nISA*0"] {
        assert_eq!(X12.probe(bytes, Position::Start), Probe::More, "{bytes:?}");
    }
}
