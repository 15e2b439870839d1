use super::*;
use crate::protocol::driver::DriverEvent;
use crate::protocol::recorder::{COMPLETE, CUT, Piece, Recorder, play};

const RECORDS: &[&str] = &[
    "H|\\^&|||ANALYZER^1.0|||||||P|LIS2-A2|20250101\r",
    "P|1||MRN1||Example^Anna||20010726|F\r",
    "O|1|S0||^^^GLU|R\r",
    "R|1|^^^GLU|5.4|mmol/L||N||F\r",
    "L|1|N\r",
];

fn frame(number: usize, text: &str, last: bool) -> Vec<u8> {
    let mut body = vec![b'0' + (number % 8) as u8];
    body.extend_from_slice(text.as_bytes());
    body.push(if last { ETX } else { ETB });
    let sum = body.iter().fold(0u8, |sum, b| sum.wrapping_add(*b));
    [b"\x02", body.as_slice(), format!("{sum:02X}\r\n").as_bytes()].concat()
}

fn all() -> String {
    RECORDS.concat()
}

fn texts(sink: &Recorder) -> Vec<String> {
    sink.contents.iter().map(|c| String::from_utf8_lossy(&c.bytes).into_owned()).collect()
}

#[test]
fn one_record_a_frame_with_answers() {
    let frames: Vec<_> = RECORDS.iter().enumerate().map(|(i, r)| frame(i + 1, r, true)).collect();
    let mut pieces = vec![Piece::Client(b"\x05"), Piece::Server(b"\x06")];
    for frame in &frames {
        pieces.extend([Piece::Client(frame), Piece::Server(b"\x06")]);
    }
    pieces.push(Piece::Client(b"\x04"));
    for size in [1, 2, 7, 1000] {
        let (sink, events) = play(&pieces, size);
        assert_eq!(events[0], DriverEvent::Recognised("astm"), "{size}");
        assert_eq!(texts(&sink), [all()], "{size}");
        assert_eq!(sink.contents[0].ending, COMPLETE);
        assert_eq!(sink.contents[0].layer, "e1381");
        let messages = sink.facts.messages.expect("facts of messages");
        assert_eq!((messages.acknowledged, sink.units), (Some(true), vec!["message"]));
    }
}

#[test]
fn records_that_go_on_in_the_next_frame() {
    let text = all();
    let chunks: Vec<&str> =
        (0..text.len()).step_by(20).map(|i| &text[i..text.len().min(i + 20)]).collect();
    let mut stream = vec![ENQ];
    for (i, chunk) in chunks.iter().enumerate() {
        stream.extend(frame(i + 1, chunk, i + 1 == chunks.len()));
    }
    stream.push(EOT);
    for size in 1..50 {
        assert_eq!(texts(&play(&[Piece::Client(&stream)], size).0), [text.as_str()], "{size}");
    }
}

#[test]
fn a_refused_frame_counts_once() {
    let (h, p) = (frame(1, RECORDS[0], true), frame(2, RECORDS[1], true));
    let mut pieces = vec![Piece::Client(b"\x05"), Piece::Server(b"\x06"), Piece::Client(&h)];
    pieces.extend([Piece::Server(b"\x06"), Piece::Client(&p), Piece::Server(b"\x15")]);
    pieces.extend([Piece::Client(&p), Piece::Server(b"\x06"), Piece::Client(b"\x04")]);
    let (sink, _) = play(&pieces, 1000);
    assert_eq!(texts(&sink), [RECORDS[..2].concat()]);
    assert_eq!(sink.anomalies, [Reason::Malformed]);
    // A sender that never counts is not taken for one that repeats.
    let (h, p) = (frame(1, RECORDS[0], true), frame(1, RECORDS[1], true));
    let pieces = [Piece::Client(&h), Piece::Server(b"\x06"), Piece::Client(&p)];
    assert_eq!(texts(&play(&pieces, 1000).0), [RECORDS[..2].concat()]);
}

#[test]
fn several_sessions_and_a_lost_end() {
    let session = [&b"\x05"[..], &frame(1, &all(), true), b"\x04"].concat();
    let (sink, _) = play(&[Piece::Client(&session), Piece::Client(&session)], 9);
    assert_eq!(texts(&sink), [all(), all()]);
    let cut = [&session[..session.len() - 1], &session].concat();
    let (sink, _) = play(&[Piece::Client(&cut)], 9);
    assert_eq!(texts(&sink), [all(), all()]);
    assert_eq!(sink.contents[0].ending, CUT);
}

#[test]
fn records_without_framing_are_read() {
    let text = all();
    for size in [1, 3, 1000] {
        assert_eq!(texts(&play(&[Piece::Client(text.as_bytes())], size).0), [text.as_str()]);
    }
    let framed = [b"\x0b", text.as_bytes(), b"\x1c\r\x0b", text.as_bytes(), b"\x1c\r"].concat();
    for size in [1, 6, 1000] {
        assert_eq!(texts(&play(&[Piece::Client(&framed)], size).0), [text.as_str(), &text]);
    }
    let numberless = [b"\x02", text.as_bytes(), b"\x03\r\n\x04"].concat();
    assert_eq!(texts(&play(&[Piece::Client(&numberless)], 4).0), [text.as_str()]);
}

#[test]
fn an_end_of_text_ends_the_record() {
    let stream =
        [frame(1, RECORDS[0].trim_end(), true), frame(2, RECORDS[1].trim_end(), true)].concat();
    assert_eq!(texts(&play(&[Piece::Client(&stream)], 5).0), [RECORDS[..2].concat()]);
}

#[test]
fn midstream_and_after_gaps() {
    let stream = [&b"4|mmol/L\r\x0304\r\n"[..], &frame(5, RECORDS[1], true), b"\x04"].concat();
    let (sink, _) = play(&[Piece::ClientGap(1), Piece::Client(&stream)], 6);
    assert_eq!(texts(&sink), [RECORDS[1]]);
    let (h, p) = (frame(1, RECORDS[0], true), frame(2, RECORDS[1], true));
    let (sink, _) = play(
        &[Piece::Client(&h[..9]), Piece::ClientGap(5), Piece::Client(&h[14..]), Piece::Client(&p)],
        6,
    );
    assert_eq!(texts(&sink), [[&RECORDS[0][..7], RECORDS[1]].concat()]);
    assert_eq!(sink.contents[0].gaps, 5);
}

#[test]
fn other_protocols_are_not_taken() {
    for bytes in [
        &b"\x05\x01\x00"[..],
        b"HTTP/1.1 200",
        b"\x02\x00\x00",
        b"HELO example.org\r\n",
        b"H|||||",
        b"\x16\x03\x01",
    ] {
        assert_eq!(Astm.probe(bytes, Position::Start), Probe::No, "{bytes:?}");
        assert_eq!(Astm.probe(bytes, Position::Midstream), Probe::No, "{bytes:?}");
    }
    for bytes in [&b""[..], b"\x05", b"\x05\x02", b"\x05\x021", b"\x05\x021H|\\", b"H|\\^"] {
        assert_eq!(Astm.probe(bytes, Position::Start), Probe::More, "{bytes:?}");
    }
}

#[test]
fn garbage_does_not_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let session = [&b"\x05"[..], &frame(1, &all(), true), b"\x04"].concat();
    let stream = [session.clone(), session].concat();
    for _ in 0..300 {
        let mut bytes = stream.clone();
        for _ in 0..8 {
            let at = 60 + (next() % (bytes.len() as u64 - 60)) as usize;
            bytes[at] = [STX, ETX, ETB, ENQ, EOT, NAK, b'H', next() as u8][(next() % 8) as usize];
        }
        let whole = texts(&play(&[Piece::Client(&bytes)], usize::MAX).0);
        for size in [1, 2, 9] {
            assert_eq!(texts(&play(&[Piece::Client(&bytes)], size).0), whole);
        }
    }
}
