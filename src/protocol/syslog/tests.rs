use super::super::recorder::{COMPLETE, CUT, Piece, play, texts};
use super::super::{Position, Probe, Protocol as _};
use super::Syslog;
use Piece::{Client, ClientGap};
use proptest::prelude::*;

#[test]
fn counted_and_line_framing_are_read() {
    let counted = texts(&[Client(b"6 <13>ab8 <191>1 \n9 <0>cut")]);
    assert_eq!(
        counted,
        [("<13>ab".into(), COMPLETE), ("<191>1 \n".into(), COMPLETE), ("<0>cut".into(), CUT)]
    );
    let lines = texts(&[Client(b"<13>a\n<14>b\r\n<15>c")]);
    let said: Vec<&str> = lines.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(said, ["<13>a", "<14>b\r", "<15>c"]);
    let has_gap = texts(&[Client(b"<13>a\n<14>b"), ClientGap(10), Client(b"c\n<15>d\n")]);
    assert_eq!(has_gap[1..], [("<14>b".into(), CUT), ("<15>d".into(), COMPLETE)]);
}

#[test]
fn a_null_byte_may_end_a_message() {
    let got = texts(&[Client(b"<13>a\0<14>b\0\n<15>c\0")]);
    assert_eq!(got, ["<13>a", "<14>b", "<15>c"].map(|text| (text.to_owned(), COMPLETE)));
    let got = texts(&[Client(b"<13>a"), ClientGap(4), Client(b"c\0<15>d\0")]);
    assert_eq!(got[1..], [("<15>d".into(), COMPLETE)]);
}

#[test]
fn counted_messages_are_found_in_the_middle_by_the_next_one() {
    let stream = b"d 1 <2>6 <13>ab8 <191>1 \r6 <13>ab";
    let want = ["<13>ab", "<191>1 \r", "<13>ab"].map(|text| (text.to_owned(), COMPLETE));
    assert_eq!(texts(&[ClientGap(5), Client(stream)]), want);
    assert_eq!(Syslog.probe(b"x 6 <13>ab and 7 <13>", Position::Midstream), Probe::No);
}

#[test]
fn a_datagram_with_a_priority_becomes_a_frame() {
    let framed = |data: &[u8]| {
        let mut frame = Vec::new();
        Syslog.datagram(data, &mut frame).then_some(frame)
    };
    assert_eq!(framed(b"<13>x\ny").as_deref(), Some(&b"7 <13>x\ny"[..]));
    for foreign in [&b"<192>x"[..], b"<>x", b"<a>", b"13", b"<0001>", b"", b"<13"] {
        assert_eq!(framed(foreign), None, "{foreign:?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        for start in [&b"<13>"[..], b"40 <13>"] {
            play(&[Client(start), Client(&bytes), ClientGap(9), Client(&bytes)], size);
        }
        Syslog.datagram(&bytes, &mut Vec::new());
    }
}
