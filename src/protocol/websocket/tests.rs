#![allow(clippy::unwrap_used)]

use super::{header, probe};
use crate::flow::{Orientation, Side};
use crate::protocol::driver::{Driver, DriverEvent, DriverLimits};
use crate::protocol::recorder::Piece::{Client, ClientGap, Server, ServerGap};
use crate::protocol::recorder::{COMPLETE, CUT, Piece, Recorded, Recorder, play, play_with};
use crate::protocol::{Authentication, Direction, End, Probe, Want};
use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

const ASK: &[u8] =
    b"GET /feed/Doe HTTP/1.1\r\nHost: ehr\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n";
const YES: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10\r\n\r\n";
const FRESH: &[u8] = b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: \
    permessage-deflate; server_no_context_takeover\r\n\r\n";

const TEXT: u8 = 1;
const LAST: u8 = 0x80;
const DEFLATED: u8 = 0x40;

/// A frame, masked if it has a key; lengths as short as possible.
fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(masked | len as u8),
        len @ 126..65536 => {
            frame.push(masked | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(masked | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(key.unwrap_or_default().iter().filter(|_| key.is_some()));
    let key = key.unwrap_or_default();
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k));
    frame
}

const KEY: Option<[u8; 4]> = Some([0x12, 0x94, 0xf3, 0x07]);

/// One message, compressed as a sender does it: flushed, without the tail.
fn deflate(with: &mut Compress, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    with.compress_vec(message, &mut out, FlushCompress::Sync).unwrap();
    assert_eq!(out.split_off(out.len() - 4), [0, 0, 0xff, 0xff]);
    out
}

/// What comes of `pieces` after the handshake, in segments of several sizes. One line a message.
fn messages(answer: &[u8], pieces: &[Piece<'_>]) -> Vec<String> {
    let all: Vec<Piece<'_>> =
        [Client(ASK), Server(answer)].into_iter().chain(pieces.iter().copied()).collect();
    let lines = |sink: &Recorder| -> Vec<String> {
        let line = |c: &Recorded| {
            assert!(["http/websocket", "http/websocket/deflate"].contains(&c.layer));
            assert_eq!(c.operation, "GET");
            let ended = if c.ending == COMPLETE { "" } else { " cut" };
            format!("{}{ended}", String::from_utf8_lossy(&c.bytes))
        };
        sink.contents.iter().map(line).collect()
    };
    let (whole, _) = play(&all, usize::MAX);
    for size in [1, 2, 3, 5, 7, 100, 1460] {
        let (sink, _) = play(&all, size);
        assert_eq!(lines(&sink), lines(&whole), "in segments of {size}");
        assert_eq!(sink.units, whole.units, "in segments of {size}");
        assert_eq!(sink.anomalies, whole.anomalies, "in segments of {size}");
    }
    assert_eq!(whole.facts.application.as_deref(), Some("websocket"));
    assert_eq!(whole.facts.host(), Some("ehr"));
    assert_eq!(whole.facts.web.as_ref().and_then(|web| web.path.as_deref()), Some("/feed/Doe"));
    assert_eq!(whole.facts.status(), Some(101));
    lines(&whole)
}

#[test]
fn headers_are_read_and_reserved_ones_refused() {
    // RFC 6455 5.7
    let hello = header::parse(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d]).unwrap();
    assert_eq!((hello.last, hello.len, hello.mask), (true, 5, [0x37, 0xfa, 0x21, 0x3d]));
    assert_eq!(header::parse(&[0x82, 0x7e, 1, 0]).map(|h| h.len), Some(256));
    assert_eq!(header::parse(&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]).map(|h| h.len), Some(65536));
    for broken in [
        &[0x83, 0][..],
        &[0x91, 0],
        &[0x09, 0],
        &[0x89, 0x7e, 0, 126],
        &[0xc0, 0],
        &[0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0],
        &[0x82, 0x7f, 0],
        &[0x81],
    ] {
        assert_eq!(header::parse(broken), None, "{broken:?}");
    }
}

#[test]
fn messages_both_ways_with_control_frames_between_fragments() {
    let long = "x".repeat(70_000);
    let mut client = frame(LAST | TEXT, KEY, b"one");
    client.extend(frame(TEXT, KEY, b"tw"));
    client.extend(frame(LAST | 9, KEY, b"ping"));
    client.extend(frame(0, KEY, b""));
    client.extend(frame(LAST, KEY, b"o"));
    client.extend(frame(LAST | 2, KEY, b""));
    let mut server = frame(LAST | 2, None, long.as_bytes());
    server.extend(frame(LAST | 10, None, b""));
    server.extend(frame(LAST | TEXT, None, &[b'y'; 300]));
    server.extend(frame(LAST | 8, None, b"\x03\xe8"));
    server.extend(b"nothing follows a close frame");
    let got = messages(YES, &[Client(&client), Server(&server)]);
    assert_eq!(got, ["one".to_owned(), "two".to_owned(), long, "y".repeat(300)]);
}

#[test]
fn deflate_with_and_without_context_takeover() {
    let record = br#"{"name":"Hartman","given":"Jason","birthDate":"1959-11-02"}"#;
    let text = String::from_utf8_lossy(record).into_owned();
    let mut takeover = Compress::new(Compression::default(), false);
    let mut wire = Vec::new();
    for _ in 0..3 {
        let small = deflate(&mut takeover, record);
        let (a, b) = small.split_at(small.len() / 2);
        wire.extend(frame(DEFLATED | TEXT, None, a));
        wire.extend(frame(LAST, None, b));
        wire.extend(frame(LAST | TEXT, None, b"plain"));
    }
    let got = messages(YES, &[Server(&wire)]);
    assert_eq!(got, [&text, "plain", &text, "plain", &text, "plain"]);

    let mut wire = Vec::new();
    for _ in 0..2 {
        let small = deflate(&mut Compress::new(Compression::default(), false), record);
        wire.extend(frame(DEFLATED | LAST | TEXT, KEY, &small));
    }
    assert_eq!(messages(YES, &[Client(&wire)]), [text.as_str(); 2]);
    assert_eq!(messages(FRESH, &[Server(&wire)]), [text.as_str(); 2]);
}

#[test]
fn examples_of_rfc_7692() {
    let hello: &[u8] = &[0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let fragments: &[u8] = &[0x41, 3, 0xf2, 0x48, 0xcd, 0x80, 4, 0xc9, 0xc9, 0x07, 0];
    let again: &[u8] = &[0xc1, 0x05, 0xf2, 0x00, 0x11, 0x00, 0x00];
    let stored: &[u8] = &[0xc1, 0x0b, 0, 5, 0, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0];
    let last: &[u8] = &[0xc1, 0x08, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let two: &[u8] = &[0xc1, 0x0d, 0xf2, 0x48, 5, 0, 0, 0, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0];
    let all: Vec<Piece<'_>> = [hello, again, fragments, stored, last, two].map(Server).to_vec();
    assert_eq!(messages(YES, &all), ["Hello"; 6]);
}

#[test]
fn a_gap_in_a_frame_leaves_the_next_frame_whole() {
    let plain = frame(LAST | TEXT, KEY, b"0123456789");
    // Six bytes of header; the mask goes on behind the gap.
    let got = messages(YES, &[Client(&plain[..9]), ClientGap(5), Client(&plain[14..])]);
    assert_eq!(got, ["01289"]);
    let got = messages(YES, &[Client(&plain[..9]), ClientGap(7), Client(&plain)]);
    assert_eq!(got, ["012", "0123456789"]);
    // Behind a header that was lost frames are found where they fit each other.
    let mut more = b"\x81\x7e the tail of a message".to_vec();
    more.extend(frame(0x89, KEY, b""));
    more.extend(frame(LAST, KEY, b"the end of another"));
    more.extend(frame(LAST | TEXT, KEY, b"whole"));
    let got = messages(YES, &[Client(&plain[..9]), ClientGap(8), Client(&more)]);
    assert_eq!(got, ["012 cut", "whole"]);
    let (sink, _) = play(&[Client(ASK), Server(YES), ClientGap(9), Client(&plain)], 1460);
    assert_eq!(sink.contents[0].bytes, b"0123456789");
    let (sink, _) = play(&[Client(ASK), Server(YES), ServerGap(9), Server(&plain)], 1460);
    assert!(sink.contents.is_empty(), "servers do not mask");
    for noise in [&[0u8; 900][..], &[0x81; 900], b"\x01\0\0\0\0\0\0\0\0\0", &[b'a'; 900]] {
        let (sink, _) = play(&[Client(ASK), Server(YES), ServerGap(9), Server(noise)], 1460);
        assert!(sink.contents.is_empty(), "{noise:?}");
    }

    // A lost compressed message takes those with it that refer to it.
    let record = b"a record that is always the same, in which nothing repeats";
    let mut takeover = Compress::new(Compression::default(), false);
    let small: Vec<Vec<u8>> = (0..2)
        .map(|_| frame(DEFLATED | LAST | TEXT, None, &deflate(&mut takeover, record)))
        .collect();
    let other = "0 1 2 3 4".to_owned();
    let fresh = deflate(&mut Compress::new(Compression::default(), false), other.as_bytes());
    let fresh = frame(DEFLATED | LAST | TEXT, None, &fresh);
    let lost = small[0].len() as u64 - 3;
    let got = messages(
        YES,
        &[
            Server(&small[0][..3]),
            ServerGap(lost),
            Server(&small[1]),
            Server(&fresh),
            Server(&fresh),
        ],
    );
    assert_eq!(got.last(), Some(&other));
    assert_eq!(got.iter().filter(|g| g.contains("record")).count(), 0);
}

#[test]
fn unwanted_messages_are_skipped() {
    let want = |c: &Recorded| match c.bytes.first() {
        Some(b'i') => Want::NOTHING,
        Some(b'a') if c.bytes.len() == 2 => Want { skip: 4 },
        _ => Want::ALL,
    };
    let mut wire = frame(TEXT, KEY, &[b'i'; 500]);
    wire.extend(frame(LAST, KEY, &[b'i'; 500]));
    wire.extend(frame(LAST | TEXT, KEY, b"abcdefgh"));
    let sink = Recorder { want: Some(want), ..Recorder::default() };
    let (sink, _) = play_with(&[Client(ASK), Server(YES), Client(&wire)], 2, sink);
    assert!(sink.contents[0].bytes.len() <= 2);
    assert_eq!(sink.contents[1].bytes, b"abgh");
    assert_eq!(sink.units.iter().filter(|u| **u == "message").count(), 2);
}

#[test]
fn one_direction_and_early_frames() {
    let hi = frame(LAST | TEXT, KEY, b"hi");
    for pieces in [
        &[Client(ASK), Client(&hi)][..],
        &[Client(ASK), Client(&hi), Server(YES), Client(&hi)],
        &[Server(YES), Server(&hi)],
    ] {
        for size in [1, 4, 1000] {
            let (sink, _) = play(pieces, size);
            assert!(sink.contents.iter().all(|c| c.bytes == b"hi"), "{:?}", sink.contents);
            assert!(!sink.contents.is_empty());
        }
    }
    let refused = b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nnoHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    let (sink, _) = play(&[Client(ASK), Server(refused), Client(b"GET /?a=b HTTP/1.1\r\n\r\n")], 9);
    assert_eq!(sink.facts.application.as_deref(), Some("http/1.1"));
    assert_eq!(sink.contents.len(), 3);
}

#[test]
fn frames_that_break_the_rules_end_the_direction() {
    let opaque = |wire: &[u8]| {
        let (_, events) = play(&[Client(ASK), Server(YES), Server(wire)], 7);
        events.iter().any(|n| matches!(n, DriverEvent::Opaque("http", _)))
    };
    assert!(opaque(&frame(LAST, None, b"continues nothing")));
    assert!(opaque(&[frame(TEXT, None, b"a"), frame(TEXT, None, b"b")].concat()));
    assert!(opaque(&[0x81, 0x7f, 0xff, 0, 0, 0, 0, 0, 0, 1]));
    let floods = frame(0x80 | 9, None, b"").repeat(10_000);
    assert!(!opaque(&floods));

    // A bomb is given up, what follows is read.
    let mut bomb = Vec::new();
    let mut with = Compress::new(Compression::best(), false);
    for _ in 0..8 {
        bomb.extend(deflate(&mut with, &vec![0u8; 1 << 20]));
        bomb.extend([0, 0, 0xff, 0xff]);
    }
    let mut wire = frame(DEFLATED | LAST | 2, None, &bomb);
    wire.extend(frame(LAST | TEXT, None, b"sane"));
    let want = |_: &Recorded| Want { skip: 1 << 40 };
    let sink = Recorder { want: Some(want), ..Recorder::default() };
    let (sink, _) = play_with(&[Client(ASK), Server(YES), Server(&wire)], 1460, sink);
    assert_eq!(sink.anomalies, [crate::protocol::Reason::Limit]);
    assert_eq!(sink.contents[0].ending, CUT);
    assert_eq!(sink.contents[1].bytes, b"sane");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn garbage_does_no_harm(noise in proptest::collection::vec(any::<u8>(), 0..400), at in 0usize..60, size in 1usize..40) {
        play(&[Client(ASK), Server(YES), Server(&noise), Client(&noise)], size);
        let mut with = Compress::new(Compression::default(), false);
        let mut wire = frame(DEFLATED | LAST | TEXT, None, &deflate(&mut with, b"a message, a message"));
        wire.extend(frame(LAST | TEXT, None, b"and another"));
        if let (Some(byte), Some(new)) = (wire.get_mut(at), noise.first()) {
            *byte = *new;
        }
        play(&[Client(ASK), Server(YES), Server(&wire)], size);
    }
}

/// Plays a conversation whose beginning was not seen.
fn joined(pieces: &[(Side, &[u8])]) -> (Recorder, Vec<DriverEvent>) {
    let mut sink = Recorder::default();
    let limits = DriverLimits { buffer: 1 << 20, recognise: 64 << 10 };
    let mut driver = Driver::new(limits, Orientation { client: Side::Low, sure: false });
    for (side, bytes) in pieces {
        driver.data(*side, bytes, &mut sink);
    }
    driver.finish(End::Fin, &mut sink);
    let events = driver.events().collect();
    (sink, events)
}

#[test]
fn joined_in_the_middle() {
    let key = Some([1, 2, 3, 4]);
    let text = br#"{"mrn":"H1"}"#;
    let ask = frame(LAST | TEXT, key, text);
    let answer = frame(LAST | TEXT, None, text);
    let ping = frame(LAST | 9, key, b"");
    let (client, server) = (Side::High, Side::Low);
    for pieces in [
        &[(client, &*ask), (server, &answer)][..],
        &[(server, &answer), (client, &ask)],
        &[(client, &ping), (server, &answer), (client, &ask)],
    ] {
        let (sink, events) = joined(pieces);
        assert_eq!(sink.contents.len(), 2, "{events:?}");
        assert!(sink.contents.iter().all(|c| c.bytes == text && c.layer == "http/websocket"));
        let asked = sink.contents.iter().find(|c| c.direction == Direction::ClientToServer);
        assert!(asked.is_some(), "who masks is the client");
        assert_eq!(sink.facts.application.as_deref(), Some("websocket"));
        assert_eq!(sink.facts.authentication, Authentication::Unknown);
    }
    // The other direction begins in the middle of a frame.
    let (sink, _) = joined(&[(server, b"rest of a frame"), (client, &ask), (server, &answer)]);
    assert_eq!(sink.contents.len(), 2);
    // Compressed messages need a row.
    let mut with = Compress::new(Compression::default(), false);
    let row: Vec<u8> = [b"one one one".as_slice(), b"two two two", b"three"]
        .iter()
        .flat_map(|m| frame(LAST | DEFLATED | TEXT, None, &deflate(&mut with, m)))
        .collect();
    let (sink, _) = joined(&[(server, &row)]);
    let bodies: Vec<&[u8]> = sink.contents.iter().map(|c| c.bytes.as_slice()).collect();
    assert_eq!(bodies, [b"one one one".as_slice(), b"two two two", b"three"]);
}

#[test]
fn what_is_no_websocket() {
    for data in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"\x81\x00\x00\x44 CKFDENECFDEFFCFGEFFCCACACACACACA",
        b"\x82\x05\x01\x02",
        b"\x81\x05\x01\x02\x03\x04\x05",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
        b"\0\0\0\x54\xffSMB",
        b"SSH-2.0-OpenSSH\r\n",
        &[0; 64],
        &[0xff; 64],
    ] {
        assert!(!matches!(probe::probe(data), Probe::Yes { .. }), "{data:02x?}");
    }
}

/// Streams of other protocols, cut into messages anywhere.
#[test]
fn connections_carried_in_messages() {
    const HL7: &[u8] = b"\x0bMSH|^~\\&|A|B|C|D|2025||ADT^A01|M1|P|2.5\rPID|1||77\r\x1c\r";
    const POST: &[u8] = b"POST /fhir HTTP/1.1\r\nHost: ehr\r\nContent-Length: 5\r\n\r\nhello";
    for (stream, expected, layer) in [
        (HL7, HL7.get(1..HL7.len() - 2).unwrap(), "http/websocket/mllp"),
        (POST, &b"hello"[..], "http/websocket/http"),
    ] {
        for at in [1, 2, 20, 50, stream.len() - 1, stream.len()] {
            // A request line of HTTP decides at once; a part of it may be any text.
            if stream == POST && at < 20 {
                continue;
            }
            let (first, rest) = stream.split_at(at);
            let mut frames = frame(LAST | 2, KEY, first);
            frames.extend(frame(LAST | 2, KEY, rest));
            let pieces = [Client(ASK), Server(YES), Client(&frames)];
            for size in [1, 7, 1460] {
                let (sink, _) = play(&pieces, size);
                let found = sink.contents.iter().find(|c| c.layer == layer);
                let found = found.unwrap_or_else(|| panic!("{layer} cut at {at}, size {size}"));
                assert_eq!(found.bytes, expected, "{layer} cut at {at}, size {size}");
                assert_eq!(found.ending, COMPLETE);
            }
        }
    }
}
