use super::*;
use crate::flow::Orientation;
use crate::flow::Side;
use crate::protocol::driver::{Driver, DriverEvent, DriverLimits};
use crate::protocol::recorder::{COMPLETE, Piece, Recorder, play, play_with};
use crate::protocol::{Ending, Want};

const MESSAGE: &[u8] =
    b"MSH|^~\\&|ADMIS|NORTH|HIS|SOUTH|2025||ADT^A01|M1|P|2.5\rPID|1||77^^^N^MR||Example^Anna\r";
const OTHER: &[u8] = b"MSH|^~\\&|LAB|NORTH|HIS|SOUTH|2025||ORU^R01|M2|P|2.5\rPID|1||78^^^N^MR||Sample^Otto\rOBX|1|TX|1||text\r";
const ACK: &[u8] = b"MSH|^~\\&|HIS|SOUTH|ADMIS|NORTH|2025||ACK^A01|M2|P|2.5\rMSA|AA|M1\r";

fn framed(message: &[u8]) -> Vec<u8> {
    [b"\x0b", message, b"\x1c\r"].concat()
}

/// The bytes of the payloads, with how each ended.
fn contents(sink: &Recorder) -> Vec<(Direction, Vec<u8>, Option<Ending>)> {
    sink.contents.iter().map(|c| (c.direction, c.bytes.clone(), c.ending)).collect()
}

/// Plays `stream` from the client in pieces of every size and checks what is passed on.
fn check(stream: &[u8], expected: &[&[u8]]) {
    for size in (1..60).chain([1460, usize::MAX]) {
        let (sink, _) = play(&[Piece::Client(stream)], size);
        let got: Vec<_> = sink.contents.iter().map(|c| c.bytes.as_slice()).collect();
        assert_eq!(got, expected, "in pieces of {size}");
        assert!(sink.contents.iter().all(|c| c.ending == COMPLETE), "in pieces of {size}");
        assert!(sink.contents.iter().all(|c| c.layer == "mllp" && c.operation.is_empty()));
    }
}

#[test]
fn one_framed_message_is_one_payload() {
    check(&framed(MESSAGE), &[MESSAGE]);
    let (sink, events) = play(&[Piece::Client(&framed(MESSAGE))], 17);
    assert_eq!(events, [DriverEvent::Recognised("hl7")]);
    assert_eq!((sink.units, sink.contents[0].media.as_str()), (vec!["message"], "hl7v2"));
}

#[test]
fn requests_and_answers_are_read() {
    let (send, answer) = (framed(MESSAGE), framed(ACK));
    let pieces = [
        Piece::Client(&send),
        Piece::Server(&answer),
        Piece::Client(&send),
        Piece::Server(&answer),
    ];
    for size in [1, 5, 100, 4000] {
        let (sink, _) = play(&pieces, size);
        let (up, down) = (Direction::ClientToServer, Direction::ServerToClient);
        let (message, ack) = (MESSAGE.to_vec(), ACK.to_vec());
        assert_eq!(
            contents(&sink),
            [
                (up, message.clone(), COMPLETE),
                (down, ack.clone(), COMPLETE),
                (up, message, COMPLETE),
                (down, ack, COMPLETE)
            ]
        );
    }
}

#[test]
fn several_messages_and_junk_between_them() {
    check(&[framed(MESSAGE), framed(OTHER)].concat(), &[MESSAGE, OTHER]);
    check(
        &[&framed(MESSAGE)[..], b"\0\0\r\n\xff\xfejunk\x0b\x0bQ", &framed(OTHER)].concat(),
        &[MESSAGE, OTHER],
    );
    check(&[b"\r\n\0\0".as_slice(), &framed(MESSAGE)].concat(), &[MESSAGE]);
    // The start block twice, a byte order mark before it.
    check(
        &[b"\x0b".as_slice(), &framed(MESSAGE), b"\x0b", &framed(OTHER)].concat(),
        &[MESSAGE, OTHER],
    );
    for mark in [&b"\xef\xbb\xbf"[..], b"\xff\xfe"] {
        check(&[mark, &framed(MESSAGE), mark, &framed(OTHER)].concat(), &[MESSAGE, OTHER]);
    }
}

#[test]
fn behind_the_header_of_a_load_balancer() {
    let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 2575\r\n".as_slice();
    check(&[line, &framed(MESSAGE), &framed(OTHER)].concat(), &[MESSAGE, OTHER]);
    let binary =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0b\x01\x0b\x02\x0b\x03\x0b\x04\x9c\x40\x0a\x0f";
    check(&[binary, &framed(MESSAGE)[..]].concat(), &[MESSAGE]);
}

#[test]
fn end_blocks_of_every_kind() {
    check(&[b"\x0b", MESSAGE, b"\x1c\x0b", OTHER, b"\x1c"].concat(), &[MESSAGE, OTHER]);
    check(&[b"\x0b", MESSAGE, b"\x1c\n\x0b", OTHER, b"\x1c\r\n"].concat(), &[MESSAGE, OTHER]);
    // None at all.
    check(&[b"\x0b", MESSAGE, b"\x0b", OTHER].concat(), &[MESSAGE, OTHER]);
    // A vertical tab in text is no start block.
    let text = [MESSAGE, b"NTE|1||a\x0bb \x0bMS \x0b\r"].concat();
    check(&framed(&text), &[&text]);
}

#[test]
fn headers_of_the_hybrid_protocol_and_stray_bytes() {
    check(
        &[b"\x0bD23\r", MESSAGE, b"00123456\x1c\r"].concat(),
        &[&[MESSAGE, b"00123456"].concat()],
    );
    check(
        &[b"\x0b\r\n", MESSAGE, b"\x1c\r\x0b\xEF\xBB\xBF", OTHER, b"\x1c\r"].concat(),
        &[MESSAGE, OTHER],
    );
}

#[test]
fn messages_without_framing_are_read() {
    check(MESSAGE, &[MESSAGE]);
    check(&[MESSAGE, OTHER].concat(), &[&[MESSAGE, OTHER].concat()]);
    check(&[b"\r\n", MESSAGE, b"\x1c\r", OTHER].concat(), &[MESSAGE, OTHER]);
}

#[test]
fn stx_and_etx_frame_messages_too() {
    check(&[b"\x02", MESSAGE, b"\x03\x02", OTHER, b"\x03\r\n"].concat(), &[MESSAGE, OTHER]);
    check(&[b"\x02", MESSAGE, b"\x02", OTHER].concat(), &[MESSAGE, OTHER]);
}

#[test]
fn a_patient_is_read_without_a_message_header() {
    let rest = &MESSAGE[MESSAGE.iter().position(|b| *b == b'\r').expect("there") - 4..];
    let stream = [rest, b"\x1c\r", &framed(OTHER)].concat();
    let (sink, _) =
        play(&[Piece::Client(&framed(OTHER)), Piece::ClientGap(40), Piece::Client(&stream)], 1000);
    let found: Vec<_> = sink.contents.iter().map(|c| c.bytes.as_slice()).collect();
    assert_eq!(found, [OTHER, &rest[5..], OTHER]);
}

#[test]
fn batches_are_one_content() {
    let batch = [b"FHS|^~\\&|A\rBHS|^~\\&|A\r", MESSAGE, OTHER, b"BTS|2\rFTS|1\r"].concat();
    check(&framed(&batch), &[&batch]);
    assert_eq!(play(&[Piece::Client(&framed(&batch))], 9).0.units, ["batch"]);
}

#[test]
fn other_contents_in_the_same_framing() {
    let others: &[&[u8]] = &[
        b"<?xml version=\"1.0\"?><ADT_A01/>",
        b"ISA*00*          *00*          *ZZ*A",
        b"UNA:+.? 'UNB+UNOC:3+A+B'UNH+1+MEDRPT:1:901:UN'",
        b"UNB+UNOC:3+SENDER+RECIPIENT'",
        b"UNA:+./*'UIB+UNOA:0++1234'",
        b"01380006310\r\n0178100000123\r\n",
        b"<OBS.R01><HDR/></OBS.R01>",
        b"<Message xmlns=\"http://www.ncpdp.org/schema/SCRIPT\"><Header/></Message>",
        b"<!-- sent by hand --><Bundle xmlns=\"http://hl7.org/fhir\"/>",
        b"{\"resourceType\":\"Bundle\"}",
        b"{\r\n  \"resourceType\": \"Patient\"\r\n}",
        b"H|\\^&|||LIS\rP|1\r",
    ];
    for other in others {
        let stream = [framed(other), framed(MESSAGE), framed(other)].concat();
        check(&stream, &[other, MESSAGE, other]);
        let (sink, events) = play(&[Piece::Client(&stream)], 3);
        assert_eq!(events, [DriverEvent::Recognised("hl7")]);
        assert_eq!((sink.contents[0].media.as_str(), sink.units[0]), ("", "other"));
    }
    // A vertical tab in a text is a line break, whatever follows it.
    for text in [&b"a\x0b<b>bold</b>"[..], b"a\x0b{\"x\":1}", b"a\x0b01380 km", b"\x0bUNATTENDED"] {
        let message = [MESSAGE, b"NTE|1||", text, b"\r"].concat();
        check(&framed(&message), &[&message]);
    }
    for no in [&b"\x0b<<<<"[..], b"\x0b{}", b"\x0b0000000", b"\x0bUNAabcdefghi"] {
        assert_eq!(Mllp.probe(no, Position::Start), Probe::No, "{no:?}");
    }
}

#[test]
fn a_gap_in_a_message_leaves_the_next_message_whole() {
    let (first, second) = (framed(MESSAGE), framed(OTHER));
    // Within a message: the content learns of it, the next message is whole.
    let (sink, _) = play(
        &[
            Piece::Client(&first[..70]),
            Piece::ClientGap(5),
            Piece::Client(&first[75..]),
            Piece::Client(&second),
        ],
        7,
    );
    assert_eq!(sink.contents[0].gaps, 5);
    assert_eq!(sink.contents[1].bytes, OTHER);
    // Over the end of one and the beginning of the next.
    let (sink, _) = play(
        &[
            Piece::Client(&first[..70]),
            Piece::ClientGap(50),
            Piece::Client(&second[20..]),
            Piece::Client(&first),
        ],
        1000,
    );
    assert_eq!(sink.contents.len(), 2);
    assert_eq!(sink.contents[1].bytes, MESSAGE);
    // Between messages.
    let (sink, _) = play(&[Piece::Client(&first), Piece::ClientGap(9), Piece::Client(&second)], 4);
    assert_eq!(sink.contents[1].bytes, OTHER);
}

#[test]
fn from_the_middle_of_a_conversation() {
    let stream = [b"Town^^62701\rPV1|1|I\r\x1c\r", &framed(MESSAGE)[..]].concat();
    let (sink, _) = play(&[Piece::ClientGap(1), Piece::Client(&stream)], 11);
    assert_eq!(contents(&sink), [(Direction::ClientToServer, MESSAGE.to_vec(), COMPLETE)]);
}

#[test]
fn an_acknowledgment_shows_which_end_is_the_server() {
    assert_eq!(Mllp.probe(&framed(ACK), Position::Start), Probe::yes(Speaker::Server));
    assert_eq!(Mllp.probe(&framed(MESSAGE), Position::Start), Probe::yes(Speaker::Any));
    assert_eq!(Mllp.probe(b"\x0b\x06\x1c\r", Position::Start), Probe::yes(Speaker::Server));
    let limits = DriverLimits { buffer: 1 << 20, recognise: 64 << 10 };
    let mut driver = Driver::new(limits, Orientation { client: Side::Low, sure: false });
    let mut sink = Recorder::default();
    driver.gap(Side::Low, 1, &mut sink);
    driver.data(Side::Low, &framed(ACK), &mut sink);
    assert_eq!(sink.contents[0].direction, Direction::ServerToClient);
}

#[test]
fn other_protocols_are_not_taken() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"MSHTML is a library\r\n",
        b"MSH||||\r",
        b"\x0bhello",
        b"\x0b\x0b\x0b\x0b",
        b"\x16\x03\x01\x02\x00",
        b"FHSX^~\\&|",
        &[0; 300],
    ] {
        assert_eq!(Mllp.probe(bytes, Position::Start), Probe::No, "{bytes:?}");
    }
    for bytes in [&b""[..], b"\x0b", b"\x0bMS", b"MSH|^~", b"\r\n", b"\x0bD2"] {
        assert_eq!(Mllp.probe(bytes, Position::Start), Probe::More, "{bytes:?}");
    }
}

#[test]
fn what_is_not_wanted_is_not_delivered() {
    let sink = Recorder {
        want: Some(|c| if c.bytes.len() >= 10 { Want::NOTHING } else { Want::ALL }),
        ..Recorder::default()
    };
    let stream = [framed(MESSAGE), framed(OTHER)].concat();
    let (sink, _) = play_with(&[Piece::Client(&stream)], 10, sink);
    assert_eq!(sink.contents.len(), 2);
    assert!(sink.contents.iter().all(|c| c.bytes.len() < MESSAGE.len() && c.ending == COMPLETE));
}

#[test]
fn a_block_that_never_ends_holds_no_memory() {
    let limits = DriverLimits { buffer: 1 << 20, recognise: 64 << 10 };
    let mut driver = Driver::new(limits, Orientation { client: Side::Low, sure: true });
    let mut sink = Recorder { want: Some(|_| Want::NOTHING), ..Recorder::default() };
    driver.data(Side::Low, b"\x0b", &mut sink);
    driver.data(Side::Low, MESSAGE, &mut sink);
    for _ in 0..1000 {
        driver.data(Side::Low, &[b'x'; 1460], &mut sink);
        driver.data(Side::Low, b"\x0b\x0b\x0bMS", &mut sink);
    }
    assert!(driver.memory() < 4096, "{}", driver.memory());
    driver.data(Side::Low, &framed(OTHER), &mut sink);
    assert_eq!(sink.contents.len(), 2);
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
    let stream = [framed(MESSAGE), framed(OTHER), framed(ACK)].concat();
    for _ in 0..300 {
        let mut bytes = stream.clone();
        for _ in 0..12 {
            // The header stays whole: recognition may well depend on where segments begin.
            let at = 60 + (next() % (bytes.len() as u64 - 60)) as usize;
            bytes[at] = [0x0B, 0x1C, b'\r', b'M', next() as u8][(next() % 5) as usize];
        }
        let whole = contents(&play(&[Piece::Client(&bytes)], usize::MAX).0);
        for size in [1, 2, 9] {
            assert_eq!(contents(&play(&[Piece::Client(&bytes)], size).0), whole);
        }
    }
}
