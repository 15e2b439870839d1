use super::super::datagrams::frame_datagram;
use super::super::recorder::{COMPLETE, CUT, Piece, play, texts};
use super::super::{DriverEvent, Position, Probe, Protocol as _};
use super::Gelf;
use Piece::{Client, ClientGap};
use proptest::prelude::*;
use std::io::Write as _;

const ONE: &str = r#"{"version":"1.1","host":"ehr1","short_message":"chart opened","_mrn":"17"}"#;
const TWO: &str = r#"{"_mrn":"18","short_message":"x","host":"ehr1"}"#;

fn framed(datagrams: &[&[u8]]) -> Vec<u8> {
    let mut stream = Vec::new();
    datagrams.iter().for_each(|d| frame_datagram(d, &mut stream));
    stream
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Default::default());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

fn chunk(id: u8, number: u8, count: u8, bytes: &[u8]) -> Vec<u8> {
    [&[0x1e, 0x0f, id, 0, 0, 0, 0, 0, 0, 0, number, count], bytes].concat()
}

#[test]
fn zeros_end_the_messages_of_a_stream() {
    let stream = format!("{ONE}\0{TWO}\0\n{ONE}");
    let got = texts(&[Client(stream.as_bytes())]);
    let want = [ONE, TWO, ONE].map(|text| (text.to_owned(), COMPLETE));
    assert_eq!(got, want);
    let (_, events) = play(&[Client(stream.as_bytes())], 7);
    assert_eq!(events.first(), Some(&DriverEvent::Recognised("gelf")));
    let (front, back) = stream.split_at(90);
    let pieces = [Client(front.as_bytes()), ClientGap(9), Client(back.as_bytes())];
    let got = texts(&pieces);
    assert_eq!(got[1].1, CUT);
    assert_eq!(got[2], (ONE.to_owned(), COMPLETE));
    // From the middle.
    assert_eq!(texts(&[ClientGap(1), Client(&stream.as_bytes()[20..])]).len(), 2);
}

#[test]
fn lengths_may_precede_the_messages_of_a_stream() {
    let counted = |text: &str| format!("{} {text}", text.len());
    let stream = [ONE, TWO, ONE].map(counted).concat();
    let want = [ONE, TWO, ONE].map(|text| (text.to_owned(), COMPLETE));
    for size in [1, 3, 40, 999] {
        let (sink, events) = play(&[Client(stream.as_bytes())], size);
        assert_eq!(events.first(), Some(&DriverEvent::Recognised("gelf")), "pieces of {size}");
        let got = sink.contents.iter().map(|c| c.bytes.clone());
        assert!(got.eq([ONE, TWO, ONE].map(|text| text.as_bytes().to_vec())), "pieces of {size}");
    }
    assert_eq!(texts(&[Client(stream.as_bytes())]), want);
    // A gap inside a message leaves the next one where it is.
    let (front, back) = stream.split_at(40);
    let got = texts(&[Client(front.as_bytes()), ClientGap(9), Client(&back.as_bytes()[9..])]);
    assert_eq!(got[1..], want[1..]);
    // One over the end of a message, and a flow from its middle.
    let later = &stream.as_bytes()[90..];
    let got = texts(&[Client(front.as_bytes()), ClientGap(50), Client(later)]);
    assert_eq!((got[0].1, &got[1..]), (CUT, &want[2..]));
    assert_eq!(texts(&[ClientGap(1), Client(&stream.as_bytes()[20..])]), want[1..]);
    // The last message may be cut.
    let got = texts(&[Client(&stream.as_bytes()[..stream.len() - 1])]);
    assert_eq!(got[2].1, CUT);
}

#[test]
fn lengths_that_lie_do_not_take_the_flow_along() {
    for (stream, messages) in [
        // Too short: the rest is found again as a message that was cut.
        (format!("10 {ONE}"), 2),
        (format!("9999999 {ONE}"), 1),
    ] {
        let (sink, _) = play(&[Client(stream.as_bytes())], 50);
        assert_eq!(sink.contents.len(), messages, "{stream}");
    }
}

#[test]
fn datagrams_are_plain_compressed_or_in_chunks() {
    let packed = zlib(ONE.as_bytes());
    let (front, back) = packed.split_at(20);
    let stream = framed(&[
        &packed,
        TWO.as_bytes(),
        &chunk(1, 1, 2, back),
        &chunk(2, 0, 2, front),
        &chunk(1, 1, 2, back),
        &chunk(1, 0, 2, front),
        b"nonsense",
    ]);
    for size in [1, 2, 5, 30, 999] {
        let (sink, _) = play(&[Client(&stream)], size);
        let got: Vec<_> =
            sink.contents.iter().map(|c| (c.bytes.clone(), c.codings.join(","))).collect();
        let zlib = || (packed.clone(), "deflate".to_owned());
        assert_eq!(got, [zlib(), (TWO.into(), String::new()), zlib()], "pieces of {size}");
        assert_eq!(sink.anomalies.len(), 1);
    }
}

#[test]
fn chunks_that_never_become_a_message_are_bounded() {
    let datagrams: Vec<Vec<u8>> =
        (0..200u8).flat_map(|id| (0..2).map(move |n| chunk(id, n, 128, &[7; 8000]))).collect();
    let refs: Vec<&[u8]> = datagrams.iter().map(Vec::as_slice).collect();
    let stream = framed(&refs);
    let mut parser = Gelf.open();
    let mut sink = super::super::recorder::Recorder::default();
    parser.data(super::Direction::ClientToServer, &stream, &mut sink).expect("read");
    assert!(parser.memory() < 3 << 20, "{}", parser.memory());
    assert_eq!(sink.anomalies.len(), 200 - super::chunks::MAX_WAITING);
}

#[test]
fn what_is_no_log_message_is_left_to_others() {
    let is = |data: &[u8]| Gelf.datagram(data, &mut Vec::new());
    assert!(is(ONE.as_bytes()) && is(&zlib(ONE.as_bytes())) && is(&chunk(0, 0, 1, b"{")));
    for other in [
        &b"{\"name\":\"Jane Roe\",\"host\":\"x\"}"[..],
        b"{}",
        b"",
        b"\x1e\x0f",
        &chunk(0, 2, 2, b"x"),
        &chunk(0, 0, 200, b"x"),
        &zlib(b"Patient: Jane Roe"),
        b"x\x9c broken",
        b"\x1f\x8b\x08\0",
    ] {
        assert!(!is(other), "{other:?}");
        assert_eq!(Gelf.probe(&framed(&[other]), Position::Start), Probe::No);
    }
    assert_eq!(Gelf.probe(b"{\"name\":1}\0", Position::Start), Probe::No);
    assert_eq!(Gelf.probe(b"{\"version\":", Position::Start), Probe::More);
}

proptest! {
    #[test]
    fn garbage_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..40) {
        play(&[Client(ONE.as_bytes()), Client(b"\0"), Client(&bytes), ClientGap(2), Client(&bytes)], size);
        play(&[Client(b"10 "), Client(ONE.as_bytes()), Client(&bytes), ClientGap(2), Client(&bytes)], size);
        let stream = framed(&[ONE.as_bytes(), &chunk(1, 0, 2, &[1]), &bytes, &chunk(1, 1, 2, &bytes)]);
        play(&[Client(&stream)], size);
    }
}
