use super::DriverEvent;
use crate::protocol::Reason;
use crate::protocol::recorder::{Piece, play};
use Piece::{Client, ClientGap};

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
    let (sink, events) = play(&[Client(&noise), Piece::Server(&noise)], 500);
    assert!(sink.contents.is_empty());
    let lost = |e: &&DriverEvent| matches!(e, DriverEvent::Opaque("unknown", Reason::Unrecognised));
    assert_eq!(events.iter().filter(lost).count(), 2, "{events:?}");
}
