//! A TLS, DTLS or QUIC handshake of both sides gives the same facts in pieces of any size, and
//! memory has a ceiling.

use super::turns;
use phitap::protocol::TlsFacts;
use phitap::protocol::datagrams::frame_datagram;
use phitap::protocol::tls::HandshakeReader;

/// Most memory of a reader: a record and an incomplete message of each side, with room to grow.
const MAX_MEMORY: usize = 1 << 20;

/// The facts of turns that arrive in pieces of at most `size` bytes.
fn shown(turns: &[turns::Turn], size: usize) -> Option<TlsFacts> {
    let mut reader = HandshakeReader::default();
    for turn in turns {
        let side = usize::from(turn.server);
        if turn.lost > 0 {
            reader.gap(side);
        }
        for piece in turn.bytes.chunks(size) {
            if reader.read(side, piece) {
                break;
            }
            assert!(reader.memory() < MAX_MEMORY, "{} bytes held", reader.memory());
        }
    }
    reader.facts().cloned()
}

/// The facts of turns that are datagrams.
fn shown_of_datagrams(turns: &[turns::Turn]) -> Option<TlsFacts> {
    let mut reader = HandshakeReader::of_datagram(&turns.first()?.bytes)?;
    for turn in turns {
        let mut frame = Vec::new();
        frame_datagram(&turn.bytes, &mut frame);
        reader.read(usize::from(turn.server), &frame);
        assert!(reader.memory() < MAX_MEMORY, "{} bytes held", reader.memory());
    }
    reader.facts().cloned()
}

/// Runs an input: a byte for the size of pieces, then turns.
pub fn run(input: &[u8]) {
    let Some((&how, rest)) = input.split_first() else { return };
    let turns = turns::parse(rest);
    let of_datagrams = shown_of_datagrams(&turns);
    assert!(of_datagrams.is_none_or(|facts| !facts.versions.is_empty()));
    let whole = shown(&turns, usize::MAX);
    assert_eq!(whole, shown(&turns, usize::from(how % 64) + 1), "pieces show something else");
}
