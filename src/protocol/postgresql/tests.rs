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
fn rows_with_large_values_are_read_up_to_these() {
    let picture = vec![7; 300 << 10];
    let result = [
        message(b'Z', b"I"),
        description(&[("mrn", 25), ("photo", 17), ("dob", 1082)]),
        row(&[Some(b"7"), Some(&picture), Some(b"1970-01-02")]),
        row(&[Some(b"8"), None, Some(b"1970-01-03")]),
        message(b'C', b""),
    ]
    .concat();
    let (sink, _) = play(&[Client(STARTUP), Server(&result)], 10_000);
    let got: Vec<_> = sink.contents.iter().map(|c| String::from_utf8_lossy(&c.bytes)).collect();
    let rows = "\"mrn\",\"photo\",\"dob\"\n\"7\"\n\"8\",\"\",\"1970-01-03\"\n";
    assert_eq!(got, [rows]);
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

/// Parse of `name`, and Describe of it.
fn parse(name: &str, statement: &str) -> Vec<u8> {
    let body = [name.as_bytes(), b"\0", statement.as_bytes(), b"\0\0\0"].concat();
    [message(b'P', &body), message(b'D', &[b"S", name.as_bytes(), b"\0"].concat())].concat()
}

/// Bind of `name` with texts as parameters and results in binary form, and Execute.
fn run(name: &str, values: &[&[u8]]) -> Vec<u8> {
    let mut body = [b"\0", name.as_bytes(), b"\0\0\x01\0\x01"].concat();
    body.extend_from_slice(&(values.len() as u16).to_be_bytes());
    for value in values {
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value);
    }
    body.extend_from_slice(b"\0\x01\0\x01");
    [message(b'B', &body), message(b'E', b"\0\0\0\0\0")].concat()
}

#[test]
fn rows_of_prepared_statements_have_the_columns_of_theirs() {
    let sync = message(b'S', b"");
    let prepare =
        [parse("s1", "SELECT mrn, dob FROM p WHERE dob = $1"), parse("s2", "SELECT ward, room")];
    let types = message(b't', b"\0\x01\0\0\x04\x3a");
    let prepared = [
        message(b'1', b""),
        types,
        description(&[("mrn", 25), ("dob", 1082)]),
        message(b'1', b""),
        message(b't', b"\0\0"),
        description(&[("ward", 25), ("room", 23)]),
        message(b'Z', b"I"),
    ];
    let day = (-10_956i32).to_be_bytes();
    // Both are executed before either is answered, in the other order.
    let executed = [run("s2", &[]), run("s1", &[&day]), run("s2", &[]), sync.clone()].concat();
    let answer = |row: Vec<u8>| [message(b'2', b""), row, message(b'C', b"SELECT 1\0")].concat();
    let ward = || answer(row(&[Some(b"3B"), Some(&0x3132_3334u32.to_be_bytes())]));
    let answers = [ward(), answer(row(&[Some(b"17"), Some(&day)])), ward(), message(b'Z', b"I")];
    let got = texts(&[
        Client(STARTUP),
        Client(&[prepare.concat(), sync].concat()),
        Server(&prepared.concat()),
        Client(&executed),
        Server(&answers.concat()),
    ]);
    let got: Vec<&str> = got.iter().map(|(text, _)| text.as_str()).collect();
    // The digits `1234` are a number in binary form.
    let ward = "\"ward\",\"room\"\n\"3B\",\"825373492\"\n";
    assert_eq!(
        got,
        ["\"dob\"\n\"1970-01-02\"\n", ward, "\"mrn\",\"dob\"\n\"17\",\"1970-01-02\"\n", ward]
    );
}

#[test]
fn an_error_passes_over_what_waits_for_the_next_sync() {
    let sync = message(b'S', b"");
    let requests = [
        parse("", "SELECT nothing"),
        run("", &[]),
        sync.clone(),
        parse("", "SELECT mrn"),
        run("", &[]),
        sync,
    ];
    let answers = [
        message(b'E', b"SERROR\0\0"),
        message(b'Z', b"I"),
        message(b'1', b""),
        message(b't', b"\0\0"),
        description(&[("mrn", 1700)]),
        message(b'2', b""),
        // 71234.5 in groups of four digits.
        row(&[Some(b"\0\x03\0\x01\0\0\0\x01\0\x07\x04\xd2\x13\x88")]),
        message(b'C', b"SELECT 1\0"),
        message(b'Z', b"I"),
    ];
    let got = texts(&[Client(STARTUP), Client(&requests.concat()), Server(&answers.concat())]);
    assert_eq!(got, [("\"mrn\"\n\"71234.5\"\n".to_owned(), COMPLETE)]);
}

#[test]
fn rows_are_copied_in_binary_form_and_in_csv() {
    let cells = |mrn: &[u8], day: i32| {
        let lengths = [&[0, 2][..], &(mrn.len() as u32).to_be_bytes(), mrn];
        [&lengths.concat()[..], &4u32.to_be_bytes(), &day.to_be_bytes()].concat()
    };
    let head = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let stream = [&head[..], &cells(b"17", -10_956), &cells(b"18", 60), b"\xff\xff"].concat();
    let query = message(b'Q', b"COPY (SELECT p.mrn, birth AS dob FROM p) TO STDOUT BINARY\0");
    let parts: Vec<u8> = stream.chunks(9).flat_map(|part| message(b'd', part)).collect();
    let server = [message(b'H', b"\x01\0\x02\0\x01\0\x01"), parts, message(b'c', b"")].concat();
    assert_eq!(
        texts(&[Client(STARTUP), Client(&query), Server(&server)]),
        [("\"mrn\",\"dob\"\n\"17\",\"1970-01-02\"\n\"18\",\"2000-03-01\"\n".to_owned(), COMPLETE)]
    );
    // The columns are those of the table.
    let client = [
        message(b'Q', b"CREATE TABLE p (mrn text, dob date)\0"),
        message(b'Q', b"COPY p FROM STDIN (FORMAT csv, DELIMITER ';')\0"),
        message(b'd', b"17;1970-01-02\n18"),
        message(b'd', b";2000-03-01\n"),
        message(b'c', b""),
    ];
    assert_eq!(
        texts(&[Client(STARTUP), Client(&client.concat())]),
        [("mrn;dob\n17;1970-01-02\n18;2000-03-01\n".to_owned(), COMPLETE)]
    );
}

#[test]
fn documents_in_values_are_payloads_of_their_own() {
    let patient = format!("{{\"resourceType\":\"Patient\",\"id\":\"{}\"}}", "7".repeat(40));
    let binary = [&[1][..], patient.as_bytes()].concat();
    let bytea = format!("\\x{}", "255044462d".repeat(12));
    let columns = description(&[("id", 25), ("resource", 3802), ("scan", 17)]);
    let result = [columns, row(&[Some(b"5"), Some(&binary), Some(bytea.as_bytes())])].concat();
    let (sink, _) = play(&[Client(STARTUP), Server(&result)], 99);
    let got: Vec<&[u8]> = sink.contents.iter().map(|c| c.bytes.as_slice()).collect();
    let row = b"\"id\",\"resource\",\"scan\"\n\"5\",\"\",\"\"\n";
    assert_eq!(got, [&row[..], patient.as_bytes(), &b"%PDF-".repeat(12)]);
}
