use super::super::DriverEvent;
use super::super::recorder::{COMPLETE, CUT, Piece as Said, play, texts};
use super::*;
use Said::{Client, ClientGap, Server, ServerGap};
use proptest::prelude::*;

const CONNECT: &[u8] = b"[XWB]10304\x0aTCPConnect50010192.0.2.1f00010f0004HOSTf\x04";

fn call(name: &str, parameter: &str) -> Vec<u8> {
    let parameters = match parameter {
        "" => "54f".to_owned(),
        value => format!("50{:03}{value}f", value.len()),
    };
    let name = [&[name.len() as u8][..], name.as_bytes()].concat();
    [&b"[XWB]11302\x051.108"[..], &name, parameters.as_bytes(), b"\x04"].concat()
}

fn answer(text: &str) -> Vec<u8> {
    [&b"\0\0"[..], text.as_bytes(), b"\x04"].concat()
}

#[test]
fn pieces_of_known_answers_are_columns() {
    let client = [
        CONNECT.to_vec(),
        call("ORWPT LIST ALL", "DO"),
        call("ORWPT SELECT", "237"),
        call("TIU GET RECORD TEXT", "88"),
    ]
    .concat();
    let select = "DOE,JANE^F^2600229^666123456^7^WARD 7^B-2^^0^^0^0^^1008^66^";
    let server = [
        answer("accept"),
        answer("237^DOE,JANE^^^^DOE,JANE\r\n238^ROE,EVA"),
        answer(select),
        answer("Progress note.\r\nPatient: DOE,JANE"),
    ]
    .concat();
    let got = texts(&[Client(&client), Server(&server)]);
    let text = |s: &str| (s.to_owned(), COMPLETE);
    assert_eq!(
        got,
        [
            text("DO\n"),
            text("237\n"),
            text("88\n"),
            text("accept"),
            text("\"patient_id\",\"patient_name\"\n\"237\",\"DOE,JANE\"\n\"238\",\"ROE,EVA\"\n"),
            text(
                "\"patient_name\",\"sex\",\"date_of_birth\",\"ssn\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"icn\"\n\
                 \"DOE,JANE\",\"F\",\"1960-02-29\",\"666123456\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"1008\"\n"
            ),
            text("Progress note.\r\nPatient: DOE,JANE"),
        ]
    );
}

#[test]
fn access_codes_are_told_and_not_handed_on() {
    let client = [CONNECT, &call("XUS AV CODE", "secret;code")].concat();
    let (sink, _) = play(&[Client(&client)], 7);
    assert!(sink.facts.credentials_in_clear);
    assert_eq!(sink.contents.len(), 0);
}

#[test]
fn from_the_middle_and_after_holes() {
    let client = [&b"zz"[..], &call("ORWPT LIST ALL", "")].concat();
    let (sink, events) = play(&[ClientGap(4), Client(&client), Server(&answer("1^A,B"))], 9);
    assert!(!events.iter().any(|n| matches!(n, DriverEvent::Opaque(..))), "{events:?}");
    assert_eq!(sink.contents[0].bytes, b"\"patient_id\",\"patient_name\"\n\"1\",\"A,B\"\n");
    // After a hole nothing says whose answer it is.
    let server = [answer("accept"), answer("rest of it"), answer("1^A,B")].concat();
    let (first, rest) = server.split_at(12);
    let pieces = [Client(CONNECT), Server(first), ServerGap(4), Server(&rest[4..])];
    let (sink, _) = play(&pieces, 9);
    assert_eq!(sink.contents[1].ending, CUT);
    assert_eq!(sink.contents[2].bytes, b"1^A,B");
}

#[test]
fn a_call_is_recognised() {
    for len in 1..PREFIX.len() + 5 {
        assert_eq!(Vista.probe(&CONNECT[..len], Position::Start), Probe::More);
    }
    assert_eq!(Vista.probe(CONNECT, Position::Start), Probe::yes(Speaker::Client));
    assert_eq!(Vista.probe(b"[XWB]abcd2", Position::Start), Probe::No);
    assert_eq!(Vista.probe(b"[1, 2]", Position::Start), Probe::No);
}

proptest! {
    #[test]
    fn garbage(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        flips in proptest::collection::vec((0usize..300, any::<u8>()), 0..8),
        size in 1usize..200,
    ) {
        let mut client = [CONNECT.to_vec(), call("ORWPT SELECT", "9"), bytes.clone()].concat();
        let mut server = [answer("accept"), answer("A,B^F^2600229"), bytes].concat();
        for (at, byte) in flips {
            let whole = if at % 2 == 0 { &mut client } else { &mut server };
            let len = whole.len();
            whole[at % len] = byte;
        }
        play(&[Client(&client), Server(&server), ClientGap(5), Client(&server), Server(&client)], size);
    }
}
