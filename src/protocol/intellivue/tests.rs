use super::super::recorder::{Piece as Said, play};
use super::super::{DriverEvent, Ending};
use super::*;
use crate::syntax::recording;
use proptest::prelude::*;

fn patient() -> Vec<u8> {
    recording::sample("intellivue", "095C", "Hartman").expect("a sample")
}

#[test]
fn associations_results_and_indications_are_recognised() {
    let mut frame = Vec::new();
    assert!(IntelliVue.datagram(&patient(), &mut frame));
    assert_eq!(IntelliVue.probe(&frame, Position::Start), Probe::yes(Speaker::Server));
    let connect = b"\x0d\xec\x05\x08\x13\x01\x00\x16\x01\x02\x80\x00\x14\x02\x00\x02\xc1\xdc";
    assert!(IntelliVue.datagram(connect, &mut Vec::new()));
    assert_eq!(kind(connect), Some(Kind::Connect));
    let mut indication = vec![0, 1, 0, 0, 0, 1, 0, 10, 0, 1, 0, 0, 0, 4, 0, 0x21, 0, 0];
    assert_eq!(kind(&indication), Some(Kind::Indication));
    indication.push(0);
    assert_eq!(kind(&indication), None, "a length that does not fit");
    assert_eq!(kind(b"\xe1\0\0\x02\0\x02\0\x01xx"), None);
    assert_eq!(kind(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www"), None, "DNS");
}

#[test]
fn only_datagrams_that_may_name_somebody_are_handed_on() {
    let waves = b"\xe1\0\0\x02\0\x05\0\x08\x02\x01\0\x01\0\x07\0\0";
    let mut frames = Vec::new();
    frame_datagram(&patient(), &mut frames);
    frame_datagram(waves, &mut frames);
    let (sink, events) = play(&[Said::Server(&frames)], usize::MAX);
    assert!(!events.iter().any(|n| matches!(n, DriverEvent::Opaque(..))), "{events:?}");
    assert_eq!(sink.contents.len(), 1);
    assert_eq!(sink.contents[0].bytes, patient());
    assert_eq!(sink.contents[0].ending, Some(Ending::Complete));
}

proptest! {
    #[test]
    fn garbage(bytes in proptest::collection::vec(any::<u8>(), 0..100), at in 0usize..60, byte: u8) {
        let mut datagram = patient();
        let len = datagram.len();
        datagram[at % len] = byte;
        let mut frames = Vec::new();
        frame_datagram(&patient(), &mut frames);
        frame_datagram(&datagram, &mut frames);
        frame_datagram(&bytes, &mut frames);
        frames.extend(&bytes);
        play(&[Said::Server(&frames), Said::Client(&bytes)], usize::MAX);
    }
}
