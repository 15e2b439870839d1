use super::super::recorder::{Piece, play, texts};
use super::super::{DriverEvent, Reason};
use Piece::{Client, Server, ServerGap};
use proptest::prelude::*;

const STARTUP: &[u8] = b"\0\0\0\x12\0\x03\0\0user\0bob\0\0";

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

fn description(columns: &[(&str, u32)]) -> Vec<u8> {
    let mut body = (columns.len() as u16).to_be_bytes().to_vec();
    for (name, kind) in columns {
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&[0; 7]);
        body.extend_from_slice(&kind.to_be_bytes());
        body.extend_from_slice(&[0; 8]);
    }
    message(b'T', &body)
}

fn row(cells: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = (cells.len() as u16).to_be_bytes().to_vec();
    for cell in cells {
        let len = cell.map_or(-1, |c| c.len() as i32);
        body.extend_from_slice(&len.to_be_bytes());
        body.extend_from_slice(cell.unwrap_or_default());
    }
    message(b'D', &body)
}

#[test]
fn results_are_tables() {
    let columns = description(&[("mrn", 25), ("dob", 1082), ("n", 23)]);
    let result = [
        message(b'R', &[0; 4]),
        message(b'Z', b"I"),
        columns,
        row(&[Some(b"a\"b"), Some(b"1970-01-02"), None]),
        row(&[Some(b"7"), Some(&(-10_956i32).to_be_bytes()), Some(&[0xff, 0xff, 0xff, 0xfe])]),
        message(b'C', b"SELECT 2\0"),
        message(b'Z', b"I"),
        // A prepared statement again, without a description.
        row(&[Some(b"8"), Some(&60i32.to_be_bytes()), Some(b"12")]),
    ]
    .concat();
    let query = message(b'Q', b"select 1\0");
    let got = texts(&[Client(STARTUP), Client(&query), Server(&result)]);
    let heading = "\"mrn\",\"dob\",\"n\"\n";
    assert_eq!(
        got,
        [
            (
                format!("{heading}\"a\"\"b\",\"1970-01-02\",\"\"\n\"7\",\"1970-01-02\",\"-2\"\n"),
                Some(true)
            ),
            (format!("{heading}\"8\",\"2000-03-01\",\"12\"\n"), Some(false)),
        ]
    );
}

#[test]
fn after_a_hole() {
    let columns = description(&[("mrn", 25)]);
    let result = [message(b'Z', b"I"), columns, row(&[Some(b"7")]), message(b'C', b"")].concat();
    let got =
        texts(&[Client(STARTUP), Server(b"R\0"), ServerGap(50), Server(b"xyz"), Server(&result)]);
    assert_eq!(got, [("\"mrn\"\n\"7\"\n".into(), Some(true))]);
}

#[test]
fn tls_and_secrets() {
    let request = b"\0\0\0\x08\x04\xd2\x16\x2f";
    let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 0];
    for answer in [&b"S"[..], b""] {
        let (_, news) = play(&[Client(request), Server(answer), Client(&hello)], 3);
        assert!(
            news.iter().any(|n| matches!(n, DriverEvent::Opaque(_, Reason::Encrypted))),
            "{news:?}"
        );
    }
    let ask = message(b'R', &[0, 0, 0, 3]);
    let (sink, _) = play(&[Client(request), Server(b"N"), Client(STARTUP), Server(&ask)], 3);
    assert!(sink.facts.credentials_in_clear);
}

proptest! {
    #[test]
    fn garbage(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        let (rows, described) = (message(b'D', &bytes), message(b'T', &bytes));
        let known = description(&[("a", 1082), ("b", 23)]);
        play(&[Client(STARTUP), Server(&described), Server(&rows), Server(&known), Server(&rows), ServerGap(5), Server(&bytes), Client(&bytes)], size);
    }
}
