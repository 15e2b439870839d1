use super::*;
use crate::protocol::recorder::{COMPLETE, Piece, Recorder, play};
use crate::protocol::{DriverEvent, Reason};
use Piece::{Client, ClientGap, Server};
use proptest::prelude::*;

const MESSAGE: &[u8] =
    b"MSH|^~\\&|A|B|C|D|2025||ADT^A01|M1|P|2.5\rPID|1||77^^^N^MR||Example^Anna\r";

/// A frame of a protocol that it is unknown: a head, a length, the payload.
fn frame(payload: &[u8]) -> Vec<u8> {
    [b"\xca\xfe\xba\xbe\x01\x07", &(payload.len() as u32).to_be_bytes()[..], payload, b"\0\x02"]
        .concat()
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(next).collect()
}

fn payloads(sink: &Recorder) -> Vec<&[u8]> {
    for content in &sink.contents {
        assert_eq!((content.layer, content.ending), ("unknown", COMPLETE), "{content:?}");
    }
    sink.contents.iter().map(|c| c.bytes.as_slice()).collect()
}

#[test]
fn payloads_are_found_between_bytes_of_an_unknown_protocol() {
    let xml = b"<?xml version='1.0'?><a>\xc3\xa9</a>";
    let fhir = b"{\"resourceType\":\"Patient\"}";
    let edi = b"ISA*00*          *00*\x1f~";
    let client = [frame(b"hello"), frame(MESSAGE), frame(xml), frame(MESSAGE)].concat();
    let server = [frame(fhir), frame(edi)].concat();
    for size in [1, 2, 3, 7, 16, 61, 1460, 99_999] {
        let (sink, events) = play(&[Server(&[0xde; 300]), Client(&client), Server(&server)], size);
        let mut found = payloads(&sink);
        found.sort_unstable();
        assert_eq!(found, [&xml[..], edi, MESSAGE, MESSAGE, fhir], "in pieces of {size}");
        let opaque = DriverEvent::Opaque("unknown", Reason::Unrecognised);
        assert_eq!(events, [opaque, opaque], "in pieces of {size}");
    }
}

#[test]
fn a_stream_of_one_direction_is_searched_too() {
    let (sink, _) = play(&[Client(&frame(MESSAGE))], 9);
    assert_eq!(payloads(&sink), [MESSAGE]);
    let long: Vec<u8> = frame(b"<?xml version='1.0'?><a/>").repeat(9000);
    let (sink, _) = play(&[Client(&long)], 1460);
    assert_eq!(payloads(&sink).len(), 9000);
}

#[test]
fn a_gap_is_a_gap_of_the_payload() {
    let (head, tail) = MESSAGE.split_at(50);
    let pieces = [
        Server(b"\x01\x02\x03\x04"),
        Client(&frame(b"x")),
        Client(head),
        ClientGap(7),
        Client(tail),
    ];
    let (sink, _) = play(&pieces, 1460);
    assert_eq!((sink.contents.len(), sink.contents[0].gaps), (1, 7));
}

#[test]
fn what_begins_like_a_payload_by_chance_is_none() {
    for chance in [
        &b"MSHello"[..],
        b"ISA 100",
        b"UNBOUND",
        b"PK\x03\x04\xff\xff\0\0\x77\0",
        b"\x1f\x8b\x08\xff\0\0\0\0\0\0",
        b"{\"0008xyz\":1}",
    ] {
        let (sink, _) = play(&[Client(&frame(chance)), Server(b"\x01\x02\x03")], 1460);
        assert!(sink.contents.is_empty(), "{chance:?}");
    }
}

#[test]
fn random_bytes_are_passed_over() {
    let random = noise(SAMPLE);
    assert!(is_random(&random));
    let lines = MESSAGE.repeat(20);
    assert!(!is_random(&lines));
    let mut carver = Carver::default();
    let mut sink = Recorder::default();
    let progress = carver.data(Direction::ClientToServer, &random, &mut sink);
    assert!(progress.is_ok_and(|p| p.skip == PASSED_OVER || p.consumed >= SAMPLE - 32));
    assert!(sink.contents.is_empty());
}

#[test]
fn text_without_a_mark_is_carved_too() {
    let lines = b"PATIENT: EXAMPLE, ANNA\r\nDOB: 1960-04-01\r\nMRN: 77\r\n";
    let object = "{\"patient\":{\"name\":\"Exämple\",\"dob\":\"1960-04-01\"}}".as_bytes();
    let rows = [&b"mrn;name;dob;ward;room;bed;doctor;phone\n"[..], b"1;Example;2"].concat();
    let marked = [&rows[..], b"\n", MESSAGE].concat();
    let client = [frame(lines), frame(b"short text"), frame(object), frame(&marked)].concat();
    for size in [1, 2, 3, 7, 16, 61, 1460, 99_999] {
        let (sink, _) = play(&[Server(&[0xde; 300]), Client(&client)], size);
        let found = payloads(&sink);
        // Before lines and rows there is a length, which may be a letter; an object begins with its brace.
        let head = [&rows[..], b"\n"].concat();
        let [first, second, third, fourth] = found[..] else { panic!("{}", found.len()) };
        assert!(first.ends_with(lines) && third.ends_with(&head), "in pieces of {size}");
        assert_eq!((second, fourth), (object, MESSAGE), "in pieces of {size}");
    }
}

#[test]
fn a_dump_of_bytes_is_one_text_with_what_it_shows() {
    // `hexdump -C`: the letters of the message are in a column of their own.
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x} ")).collect::<String>();
    let shown = |bytes: &[u8]| {
        let letter = |b: &u8| if (b' '..=b'~').contains(b) { char::from(*b) } else { '.' };
        bytes.iter().map(letter).collect::<String>()
    };
    let line = |(n, bytes): (usize, &[u8])| {
        format!("{:08x}  {:<48} |{}|\n", n * 16, hex(bytes), shown(bytes))
    };
    let framed = [b"\x0b", MESSAGE, b"\x1c\r"].concat();
    let dump: String = framed.chunks(16).enumerate().map(line).collect();
    let stream = [b"\xca\xfe\0\x01", dump.as_bytes(), b"\0\x02", &frame(MESSAGE)].concat();
    for size in [1, 2, 3, 7, 16, 61, 79, 1460, 99_999] {
        let (sink, _) = play(&[Client(&stream)], size);
        assert_eq!(payloads(&sink), [dump.as_bytes(), MESSAGE], "in pieces of {size}");
    }
}

#[test]
fn each_datagram_is_searched_by_itself() {
    use crate::protocol::datagrams::{Datagrams, frame_datagram};
    let mut frames = Vec::new();
    for payload in [&frame(MESSAGE)[..], b"PID|1||78^^^N^MR||Other^Eve", &frame(MESSAGE)] {
        frame_datagram(payload, &mut frames);
    }
    let mut sink = Recorder::default();
    let carver = DatagramCarver::of(&frame(MESSAGE)).expect("a payload");
    let read = Datagrams(carver).data(Direction::ClientToServer, &frames, &mut sink);
    assert_eq!(read, Ok(Progress::consumed(frames.len())));
    assert_eq!(payloads(&sink), [MESSAGE, MESSAGE]);
    assert!(DatagramCarver::of(b"\x01\x02 short \x00").is_none());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), size in 1usize..70) {
        let pieces = [Client(&frame(&bytes)), ClientGap(5), Client(&frame(MESSAGE)), Server(&bytes)];
        play(&pieces, size);
    }
}

#[test]
fn messages_in_utf_16_and_ebcdic() {
    let text = std::str::from_utf8(MESSAGE).expect("ASCII");
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let code = |c: char| match c {
        '\r' => 0x0d,
        _ => (0x40..=255u8).find(|b| crate::syntax::ebcdic::character(*b) == c).expect("EBCDIC"),
    };
    let ebcdic: Vec<u8> = text.chars().map(code).collect();
    // A string of a program ends with a NUL, which is as wide as its letters.
    let ended = [&little[..], &[0, 0]].concat();
    let client = [frame(&ended), frame(&big), frame(&ebcdic)].concat();
    for size in [usize::MAX, 1, 2, 3, 5, 64] {
        let (sink, _) = play(&[Client(&client), Server(b"\x01\x02")], size);
        assert_eq!(payloads(&sink), [&little[..], &big, MESSAGE], "in pieces of {size}");
    }
}
