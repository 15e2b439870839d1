//! Tests of what is reported as lost: everything that was lost, and no more.

use super::conversation::GRACE_TIME;
use super::tests::{HIGH, LOW, Log, WINDOW, one, run};
use super::*;
use crate::decode::tcp_flags::{ACK, FIN, SYN};
use crate::time::Timestamp;

/// Ports used again although neither the end of the first connection nor the handshake of the second was seen. The
/// sequence numbers of the second are near, as they grow with time (RFC 9293 3.4.1). Nothing is lost.
#[test]
fn ports_used_again_without_a_handshake_are_no_loss() {
    let first = [
        one(LOW, 1000, 0, SYN, b""),
        one(HIGH, 5000, 1001, SYN | ACK, b""),
        one(LOW, 1001, 5001, ACK, b"hello"),
        one(HIGH, 5001, 1006, ACK, b"world"),
    ];
    let mut log = Log::default();
    let mut conversation = run(&first, &mut log);
    let (ahead, bit) = (12_000_000, 66_000);
    for packet in [
        one(LOW, 1006 + ahead, 5006 + bit, ACK, b"again"),
        one(HIGH, 5006 + bit, 1006 + ahead, ACK, b"and again"),
    ] {
        assert!(conversation.is_another(&packet.segment, packet.payload.len() as u64));
        assert!(!conversation.fits(&packet.segment), "it must not end what may go on");
    }
    // Bare acknowledgments and ends of the second connection report no loss in the first.
    for (n, flags) in [ACK, ACK | FIN].into_iter().enumerate() {
        let packet = one(HIGH, 5006 + bit, 1006 + ahead, flags, b"");
        let now = Timestamp(n as i64);
        conversation.segment(now, &packet.segment, &[], WINDOW, &mut log);
    }
    conversation.finish(End::Cut, &mut log);
    assert_eq!(conversation.take_stats().gap_bytes, 0);
    // Data of one end while the other is silent belongs to the same connection, however much is missing.
    let conversation = run(&first, &mut Log::default());
    let same = one(LOW, 1006 + ahead, 5006, ACK, b"x");
    assert!(!conversation.is_another(&same.segment, 1) && conversation.fits(&same.segment));
}

#[test]
fn a_handshake_behind_a_stream_read_from_its_middle_is_no_loss() {
    let mut log = Log::default();
    let conversation =
        run(&[one(LOW, 1001, 5001, ACK, b"hello"), one(HIGH, 5001, 1006, ACK, b"world")], &mut log);
    let mut conversation = conversation;
    conversation.tick(Timestamp(0) + GRACE_TIME + GRACE_TIME, &mut log);
    let syn = one(LOW, 90_000, 0, SYN, b"");
    conversation.segment(Timestamp(0) + GRACE_TIME, &syn.segment, &[], WINDOW, &mut log);
    let answer = one(HIGH, 70_000, 90_001, SYN | ACK, b"");
    assert!(conversation.is_another(&answer.segment, 0));
    conversation.finish(End::Cut, &mut log);
    assert_eq!(conversation.take_stats().gap_bytes, 0);
}

#[test]
fn the_number_of_an_end_that_was_not_seen_is_no_lost_byte() {
    let mut log = Log::default();
    let mut conversation = run(
        &[
            one(LOW, 0, 0, SYN, b""),
            one(HIGH, 100, 1, SYN | ACK, b""),
            one(LOW, 1, 101, ACK, b"all"),
            // The FIN of LOW took number 4, and was not captured.
            one(HIGH, 101, 5, ACK | FIN, b""),
        ],
        &mut log,
    );
    conversation.finish(End::Cut, &mut log);
    assert_eq!(conversation.take_stats().gap_bytes, 0);
}

#[test]
fn what_the_snap_length_cut_off_is_counted_apart() {
    let mut log = Log::default();
    let mut cut = one(LOW, 1, 0, ACK, b"head");
    cut.segment.missing = 6;
    let packets = [one(LOW, 0, 0, SYN, b""), cut, one(LOW, 15, 0, ACK, b"next")];
    let mut conversation = run(&packets, &mut log);
    conversation.finish(End::Cut, &mut log);
    let stats = conversation.take_stats();
    assert_eq!((stats.gap_bytes, stats.cut_bytes), (10, 6));
}
