use super::DriverEvent;
use crate::protocol::Reason;
use crate::protocol::recorder::{Piece, play, play_joined};
use Piece::{Client, ClientGap, Server};

const MESSAGE: &[u8] = b"\x0bMSH|^~\\&|A|B|C|D|20260302||ADT^A01|1|P|2.5\rPID|1||17\r\x1c\r";
const REQUEST: &[u8] = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn the_first_bytes_decide_however_they_are_cut() {
    for size in [1, 2, 5, 1000] {
        let (sink, events) = play(&[Client(MESSAGE), Client(MESSAGE)], size);
        assert_eq!(events.first(), Some(&DriverEvent::Recognised("hl7")), "in pieces of {size}");
        assert_eq!(sink.contents.len(), 2, "in pieces of {size}");
    }
}

#[test]
fn a_gap_costs_what_it_hides_and_no_more() {
    for size in [1, 7, 1000] {
        let (sink, _) =
            play(&[Client(MESSAGE), ClientGap(20), Client(&MESSAGE[20..]), Client(MESSAGE)], size);
        let message = &MESSAGE[1..MESSAGE.len() - 2];
        let whole = sink.contents.iter().filter(|c| c.bytes == message).count();
        assert_eq!(whole, 2, "in pieces of {size}");
    }
}

#[test]
fn garbage_in_order_does_not_silence_what_follows() {
    let garbage = [b"\xff\xfe no request \r\n\r\n".as_slice(), REQUEST].concat();
    for size in [1, 9, 1000] {
        let (sink, _) = play(&[Client(REQUEST), Client(&garbage), Client(REQUEST)], size);
        let bodies = sink.contents.iter().filter(|c| c.bytes == b"ok").count();
        assert!(bodies >= 2, "{bodies} in pieces of {size}");
    }
}

#[test]
fn what_no_protocol_claims_is_counted_once_for_each_direction() {
    let noise: Vec<u8> = (0..2000u32).map(|n| (n * 7 + 128) as u8 | 0x80).collect();
    let (sink, events) = play(&[Client(&noise), Server(&noise)], 500);
    assert!(sink.contents.is_empty());
    let lost = |e: &&DriverEvent| matches!(e, DriverEvent::Opaque("unknown", Reason::Unrecognised));
    assert_eq!(events.iter().filter(lost).count(), 2, "{events:?}");
}

const ROW: &[u8] = b"T\0\0\0\x20\0\x01patient\0\0\0\0\x01\0\0\0\0\x04\x13\xff\xff\0\0\0\x68\0\0\
    D\0\0\0\x0e\0\x01\0\0\0\x04Rowe";

#[test]
fn a_flow_joined_in_the_middle_is_known_by_what_shows_there() {
    let rest = b"\0\0\0\x02xy";
    let query = b"Q\0\0\0\x1dselect * from patients a\0";
    for pieces in [
        // The answer to a question that was not seen; what came first is lost.
        vec![Server(rest), Client(query), Server(ROW)],
        vec![Client(query), Server(ROW)],
        // One side alone.
        vec![Server(rest), Server(ROW)],
        vec![Server(ROW)],
    ] {
        let (sink, events) = play_joined(&pieces, 9999);
        assert_eq!(events.first(), Some(&DriverEvent::Recognised("postgresql")), "{pieces:?}");
        let rows: Vec<&[u8]> = sink.contents.iter().map(|c| c.bytes.as_slice()).collect();
        assert_eq!(rows, [b"\"patient\"\n\"Rowe\"\n"], "{pieces:?}");
    }
    // The handshake was seen, but nothing of the client.
    let (_, events) = play(&[Server(ROW)], 9999);
    assert_eq!(events.first(), Some(&DriverEvent::Recognised("postgresql")));
    // A client does not speak like that.
    let (_, events) = play(&[Client(ROW)], 9999);
    assert!(!events.contains(&DriverEvent::Recognised("postgresql")), "{events:?}");
}

#[test]
fn the_first_payload_of_an_unknown_flow_is_kept_until_it_is_clear_what_it_is() {
    let message = b"MSH|^~\\&|A|B|C|D|20260302||ADT^A01|1|P|2.5\rPID|1||17^^^H^MR||Roe^Ann\r";
    let carried = [b"\x01\x02QUEUE\0\0".as_slice(), message, b"\0\0\x7f"].concat();
    let (sink, events) =
        play_joined(&[Client(&carried), Server(b"\x01\x02\0\0ok"), Client(&carried)], 9999);
    let found = sink.contents.iter().filter(|c| c.bytes.starts_with(b"MSH|")).count();
    assert_eq!(found, 2, "{:?}", sink.contents.len());
    let lost = |e: &&DriverEvent| matches!(e, DriverEvent::Opaque("unknown", Reason::Unrecognised));
    assert_eq!(events.iter().filter(lost).count(), 2, "{events:?}");
}

/// What one side sends for long is read as that of no protocol until the other one shows which it is.
#[test]
fn the_second_side_of_a_joined_flow_may_still_show_the_protocol() {
    let rest = b"D\0\0\0\x10\0\x01\0\0\0\x06Anna R".repeat(5000);
    let query = b"Q\0\0\0\x1dselect * from patients a\0";
    let (sink, events) = play_joined(&[Server(&rest), Client(query), Server(ROW)], 1460);
    assert!(events.contains(&DriverEvent::Recognised("postgresql")), "{events:?}");
    assert!(sink.contents.iter().any(|c| c.bytes == b"\"patient\"\n\"Rowe\"\n"));
}

#[test]
fn whole_messages_behind_the_rest_of_one_are_read() {
    let first = [b"|x|\r\x1c\r".as_slice(), MESSAGE, MESSAGE].concat();
    let (sink, _) = play_joined(&[Client(&first), Client(MESSAGE)], 9999);
    assert_eq!(sink.contents.len(), 3);
}
