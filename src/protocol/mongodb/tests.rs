use super::super::recorder::{Piece, play, texts};
use super::super::{Authentication, DriverEvent, Position, Probe, Protocol as _};
use super::Mongodb;
use Piece::{Client, Server, ServerGap};
use proptest::prelude::*;
use std::io::Write as _;

enum Value<'a> {
    Text(&'a str),
    Date(i64),
    Number(i32),
    Document(Vec<u8>),
    Array(Vec<u8>),
}
use Value::{Array, Date, Document, Number, Text};

fn document(elements: &[(&str, Value<'_>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in elements {
        let (kind, bytes) = match value {
            Text(text) => {
                let len = (text.len() as i32 + 1).to_le_bytes();
                (2, [&len[..], text.as_bytes(), &[0]].concat())
            }
            Document(document) => (3, document.clone()),
            Array(document) => (4, document.clone()),
            Date(millis) => (9, millis.to_le_bytes().to_vec()),
            Number(number) => (16, number.to_le_bytes().to_vec()),
        };
        body.push(kind);
        body.extend_from_slice(name.as_bytes());
        body.push(0);
        body.extend_from_slice(&bytes);
    }
    [&(body.len() as i32 + 5).to_le_bytes()[..], &body, &[0]].concat()
}

fn message(answers: i32, opcode: i32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as i32 + 16).to_le_bytes();
    [&length[..], &7i32.to_le_bytes(), &answers.to_le_bytes(), &opcode.to_le_bytes(), body].concat()
}

fn op_msg(answers: i32, sections: &[Vec<u8>]) -> Vec<u8> {
    message(answers, 2013, &[vec![0; 4], sections.concat()].concat())
}

fn single(document: &[u8]) -> Vec<u8> {
    [&[0], document].concat()
}

fn patient() -> Vec<u8> {
    document(&[("mrn", Text("17")), ("dob", Date(86_400_000)), ("visits", Number(3))])
}

fn answer() -> Vec<u8> {
    let batch = document(&[("0", Document(patient()))]);
    let cursor = document(&[("firstBatch", Array(batch)), ("ns", Text("clinic.patients"))]);
    op_msg(7, &[single(&document(&[("cursor", Document(cursor)), ("ok", Number(1))]))])
}

const PATIENT: &str = r#"{"mrn":"17","dob":"1970-01-02","visits":3}"#;

#[test]
fn requests_and_answers_are_under_their_collection() {
    let insert = document(&[("insert", Text("patients"))]);
    let documents = [b"documents\0".to_vec(), patient(), patient()].concat();
    let size = (documents.len() as i32 + 4).to_le_bytes();
    let documents = [&[1], &size[..], &documents].concat();
    let insert = op_msg(0, &[single(&insert), documents]);
    let answer = answer();
    let pieces = [Client(&insert), Server(&answer)];
    let got: Vec<String> = texts(&pieces).into_iter().map(|(text, _)| text).collect();
    assert_eq!(
        got,
        [
            format!(r#"{{"patients":[{{"insert":"patients"}},{PATIENT},{PATIENT}]}}"#),
            format!(
                r#"{{"patients":[{{"cursor":{{"firstBatch":[{PATIENT}],"ns":"clinic.patients"}},"ok":1}}]}}"#
            ),
        ]
    );
    let (sink, events) = play(&pieces, 9);
    assert_eq!(events.first(), Some(&DriverEvent::Recognised("mongodb")));
    assert_eq!(sink.facts.authentication, Authentication::None);
    assert!(sink.facts.anonymous, "the insert was done");
    assert!(!play(&pieces[..1], 9).0.facts.anonymous, "nothing was answered");
}

#[test]
fn compressed_messages_are_opened() {
    let plain = answer();
    let plain = &plain[16..];
    let zlib = {
        let mut encoder =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain).expect("memory");
        encoder.finish().expect("memory")
    };
    let snappy = snap::raw::Encoder::new().compress_vec(plain).expect("memory");
    for (compressor, data) in [(0u8, plain.to_vec()), (1, snappy), (2, zlib)] {
        let head = [&2013i32.to_le_bytes()[..], &(plain.len() as u32).to_le_bytes(), &[compressor]]
            .concat();
        let packed = message(7, 2012, &[head, data].concat());
        let (sink, _) = play(&[Server(&packed)], 11);
        assert_eq!(sink.contents.len(), 1, "{compressor}");
        assert!(String::from_utf8_lossy(&sink.contents[0].bytes).contains(PATIENT), "{compressor}");
    }
}

#[test]
fn older_operations_and_logins_are_read() {
    let query =
        [b"\0\0\0\0clinic.patients\0".to_vec(), vec![0; 8], document(&[("mrn", Text("17"))])]
            .concat();
    let query = message(0, 2004, &query);
    let reply =
        message(7, 1, &[vec![8, 0, 0, 0], vec![0; 12], vec![1, 0, 0, 0], patient()].concat());
    let (sink, _) = play(&[Client(&query), Server(&reply)], 6);
    assert_eq!(
        String::from_utf8_lossy(&sink.contents[1].bytes),
        format!(r#"{{"documents":[{PATIENT}]}}"#)
    );
    let plain = document(&[("saslStart", Number(1)), ("mechanism", Text("PLAIN"))]);
    let login = op_msg(0, &[single(&plain)]);
    assert!(play(&[Client(&login)], 50).0.facts.credentials_in_clear);
}

#[test]
fn messages_are_found_in_the_middle_and_after_a_gap() {
    let answer = answer();
    let noise = [b"zzzz".to_vec(), answer.clone()].concat();
    assert_eq!(play(&[ServerGap(9), Server(&noise)], 999).0.contents.len(), 1);
    let pieces = [Server(&answer), Server(&answer[..20]), ServerGap(5), Server(&answer)];
    assert_eq!(play(&pieces, 7).0.contents.len(), 2);
    assert_eq!(
        Mongodb.probe(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nabcdefgh", Position::Start),
        Probe::No
    );
    assert_eq!(Mongodb.probe(&[0; 40], Position::Start), Probe::No);
}

proptest! {
    #[test]
    fn garbage_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..40) {
        let broken = message(7, 2013, &[&[0, 0, 0, 0, 0], &bytes[..]].concat());
        let answer = answer();
        play(&[Server(&answer), Server(&broken), Client(&bytes), ServerGap(3), Server(&bytes)], size);
    }
}
