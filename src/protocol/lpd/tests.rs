use super::super::recorder::{COMPLETE, Piece, play, texts};
use super::super::{Position, Probe, Protocol as _, Speaker};
use super::Lpd;
use Piece::{Client, ClientGap, Server};
use proptest::prelude::*;

const CONTROL: &[u8] = b"Hws3\nPanna\nJReport_of_Roe\nldfA001ws3\nUdfA001ws3\nNnote.txt\n";

fn job(data: &[u8]) -> Vec<u8> {
    let control = format!("\x02{} cfA001ws3\n", CONTROL.len());
    let file = format!("\x03{} dfA001ws3\n", data.len());
    [b"\x02ward3\n", control.as_bytes(), CONTROL, b"\0", file.as_bytes(), data, b"\0"].concat()
}

#[test]
fn a_job_is_its_names_and_its_document() {
    let job = job(b"Patient: Roe, Jane");
    let got = texts(&[Client(&job), Server(b"\0\0\0\0\0")]);
    assert_eq!(
        got,
        [("Report of Roe\nnote.txt\n".into(), COMPLETE), ("Patient: Roe, Jane".into(), COMPLETE),]
    );
    let (sink, _) = play(&[Client(&job)], 7);
    let user = sink.facts.files.and_then(|files| files.user);
    assert_eq!(user.as_deref(), Some("anna"));
}

#[test]
fn a_file_without_a_length_ends_with_the_connection() {
    let got = texts(&[Client(b"\x02raw\n\x030 dfA002x\nsome text")]);
    assert_eq!(got, [("some text".into(), COMPLETE)]);
}

#[test]
fn gaps_and_the_middle() {
    let long = vec![b'x'; 400];
    let job = job(&long);
    let at = job.len() - 300;
    let got = texts(&[Client(&job[..at]), ClientGap(100), Client(&job[at + 100..])]);
    assert_eq!(got[1].0.len(), 300);
    assert_eq!(got[1].1, COMPLETE);
    let middle = [&b"...tail of something\0"[..], b"\x033 dfA009x\nabc\0"].concat();
    let got = texts(&[ClientGap(10), Client(&middle)]);
    assert_eq!(got, [("abc".into(), COMPLETE)]);
}

#[test]
fn a_queue_is_listed() {
    let (sink, _) = play(
        &[Client(b"\x04q list\n"), Server(b"Rank Owner Job Files\n1st anna 7 Roe.pdf\n")],
        usize::MAX,
    );
    assert_eq!(sink.contents[0].bytes, b"Rank Owner Job Files\n1st anna 7 Roe.pdf\n");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Client(b"\x02lp\n"), Client(&bytes), ClientGap(3), Client(&bytes), Server(&bytes)], size);
        play(&[Client(&job(b"x")), Client(&bytes)], size);
    }
}

#[test]
fn questions_without_a_list_have_no_blank() {
    for question in [&b"\x03ward7\n"[..], b"\x04ward7 42\n", b"\x03ward7 \n"] {
        assert_eq!(Lpd.probe(question, Position::Start), Probe::yes(Speaker::Client));
    }
    assert_eq!(Lpd.probe(b"\x03a(b\n", Position::Start), Probe::No);
    assert_eq!(Lpd.probe(b"\x03ward7\nmore", Position::Start), Probe::No);
}
