use super::super::recorder::{COMPLETE, CUT, Piece, play, texts};
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
                COMPLETE
            ),
            (format!("{heading}\"8\",\"2000-03-01\",\"12\"\n"), CUT),
        ]
    );
}

#[test]
fn rows_after_a_gap_are_read() {
    let columns = description(&[("mrn", 25)]);
    let result = [message(b'Z', b"I"), columns, row(&[Some(b"7")]), message(b'C', b"")].concat();
    let got =
        texts(&[Client(STARTUP), Server(b"R\0"), ServerGap(50), Server(b"xyz"), Server(&result)]);
    assert_eq!(got, [("\"mrn\"\n\"7\"\n".into(), COMPLETE)]);
}

#[test]
fn tls_and_secrets() {
    let request = b"\0\0\0\x08\x04\xd2\x16\x2f";
    let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 0];
    for answer in [&b"S"[..], b""] {
        let (_, events) = play(&[Client(request), Server(answer), Client(&hello)], 3);
        assert!(
            events.iter().any(|n| matches!(n, DriverEvent::Opaque(_, Reason::Encrypted))),
            "{events:?}"
        );
    }
    let ask = message(b'R', &[0, 0, 0, 3]);
    let (sink, _) = play(&[Client(request), Server(b"N"), Client(STARTUP), Server(&ask)], 3);
    assert!(sink.facts.credentials_in_clear);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        let (rows, described) = (message(b'D', &bytes), message(b'T', &bytes));
        let known = description(&[("a", 1082), ("b", 23)]);
        play(&[Client(STARTUP), Server(&described), Server(&rows), Server(&known), Server(&rows), ServerGap(5), Server(&bytes), Client(&bytes)], size);
    }
}

#[test]
fn statements_and_bound_parameters_are_values_of_their_columns() {
    let query = message(b'Q', b"INSERT INTO p (mrn, dob) VALUES ('17', '1970-01-02')\0");
    let parse = message(
        b'P',
        b"s1\0SELECT * FROM p WHERE mrn = $1 AND dob = $2\0\0\x02\0\0\0\x19\0\0\x04\x3a",
    );
    let bind =
        message(b'B', b"\0s1\0\0\x02\0\0\0\x01\0\x02\0\0\0\x0218\0\0\0\x04\xff\xff\xd5\x34\0\0");
    let pieces = [STARTUP.to_vec(), query, parse, bind].concat();
    let got: Vec<String> = texts(&[Client(&pieces)]).into_iter().map(|(text, _)| text).collect();
    assert_eq!(
        got,
        ["\"mrn\",\"dob\"\n\"17\",\"1970-01-02\"\n", "\"mrn\",\"dob\"\n\"18\",\"1970-01-02\"\n"]
    );
}

#[test]
fn copied_rows_have_the_columns_of_the_statement() {
    let query = message(b'Q', b"COPY p (mrn, dob) FROM STDIN\0");
    let rows =
        [message(b'd', b"17\t1970-0"), message(b'd', b"1-02\n18\t\\N\n"), message(b'c', b"")];
    let pieces = [STARTUP.to_vec(), query, rows.concat()].concat();
    assert_eq!(
        texts(&[Client(&pieces)]),
        [("\"mrn\",\"dob\"\n\"17\",\"1970-01-02\"\n\"18\",\"\"\n".to_owned(), COMPLETE)]
    );
}

#[test]
fn rows_are_read_from_the_middle() {
    let result =
        [b"xxT".to_vec(), description(&[("mrn", 25), ("dob", 1082)]), row(&[Some(b"17"), None])]
            .concat();
    let (sink, _) = play(&[ServerGap(5), Server(&result)], 4);
    assert_eq!(sink.contents.len(), 1);
    assert!(sink.contents[0].bytes.ends_with(b"\"17\",\"\"\n"));
}
