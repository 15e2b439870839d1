use super::*;
use crate::protocol::recorder::{COMPLETE, CUT, Piece, Recorder, play};
use crate::protocol::{End, Progress};
use Piece::{Client, Server};
use proptest::prelude::*;

fn frames(datagrams: &[&[u8]]) -> Vec<u8> {
    let mut stream = Vec::new();
    datagrams.iter().for_each(|d| frame_datagram(d, &mut stream));
    stream
}

fn data(number: u16, bytes: &[u8]) -> Vec<u8> {
    [&[0, 3][..], &number.to_be_bytes(), bytes].concat()
}

/// What the flow that a request announces makes of datagrams of the server.
fn transfer(request: &[u8], datagrams: &[&[u8]]) -> Recorder {
    let (mut sink, _) = play(&[Client(&frames(&[request]))], 100);
    let mut flow = sink.expected.pop().expect("a flow is announced");
    assert_eq!((flow.end, flow.port, flow.client), (Peer::Client, Port::Same, Peer::Client));
    let mut sink = Recorder::default();
    let direction = Direction::ServerToClient;
    for datagram in datagrams {
        let frame = frames(&[datagram]);
        let progress = flow.parser.data(direction, &frame, &mut sink).expect("progress");
        assert_eq!(progress, Progress::consumed(frame.len()));
    }
    flow.parser.close(direction, &[], End::Timeout, &mut sink);
    sink
}

const READ: &[u8] = b"\0\x01/exam/doe.csv\0octet\0";

#[test]
fn only_requests_are_recognised() {
    let mut frame = Vec::new();
    assert!(Tftp.datagram(READ, &mut frame) && frame == frames(&[READ]));
    assert!(Tftp.datagram(b"\0\x02a\0NetASCII\0blksize\x001428\0", &mut frame));
    for other in [
        &b"\0\x03\0\x01data"[..],
        b"\0\x01\0octet\0",
        b"\0\x01a\0ascii\0",
        b"\0\x01a\0octet",
        b"\0\x01a\0octet\0blk",
        b"\0\x01",
        b"",
    ] {
        assert!(!Tftp.datagram(other, &mut frame), "{other:?}");
    }
}

#[test]
fn a_file_comes_in_blocks_of_the_agreed_size() {
    let full = [b'a'; 512];
    let sink =
        transfer(READ, &[&data(1, &full), &data(1, &full), &data(2, b"end"), &data(3, b"x")]);
    let [file] = sink.contents.as_slice() else { panic!("{:?}", sink.contents) };
    assert_eq!(file.bytes, [&full[..], b"end"].concat(), "a block that is repeated counts once");
    assert_eq!((file.ending, file.operation.as_str(), file.layer), (COMPLETE, "RRQ", "tftp"));
    assert_eq!(file.direction, Direction::ServerToClient);
    let path = sink.facts.files.and_then(|files| files.path);
    assert_eq!(path.as_deref(), Some("/exam/*.csv"));
    let sink = transfer(
        READ,
        &[b"\0\x06tsize\x009\0blksize\x008\0", &data(1, b"12345678"), &data(2, b"9")],
    );
    assert_eq!(sink.contents[0].bytes, b"123456789");
    assert_eq!(sink.contents[0].ending, COMPLETE);
}

#[test]
fn lost_blocks_are_gaps_and_an_error_ends_the_file() {
    let full = [b'a'; 512];
    let sink = transfer(READ, &[&data(1, &full), &data(4, &full), b"\0\x05\0\0gone\0"]);
    assert_eq!((sink.contents[0].gaps, sink.contents[0].ending), (1024, CUT));
    let numbers: Vec<Vec<u8>> = (1..=65_540u32).map(|n| data(n as u16, &full)).collect();
    let numbers: Vec<&[u8]> = numbers.iter().map(Vec::as_slice).collect();
    let sink = transfer(READ, &numbers);
    assert_eq!((sink.contents[0].bytes.len(), sink.contents[0].gaps), (65_540 * 512, 0));
}

#[test]
fn a_server_may_answer_from_the_port_that_was_asked() {
    let answer = frames(&[&data(1, b"all")]);
    let (sink, _) = play(&[Client(&frames(&[READ])), Server(&answer)], 3);
    assert_eq!(sink.contents[0].bytes, b"all");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let mut all = vec![READ];
        all.extend(packets.iter().map(Vec::as_slice));
        play(&[Client(&frames(&all)), Server(&frames(&all))], 9);
    }
}
