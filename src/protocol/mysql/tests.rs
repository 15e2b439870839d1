use super::super::recorder::{COMPLETE, Piece, play, texts};
use super::super::{Authentication, DriverEvent};
use Piece::{Client, Server, ServerGap};
use proptest::prelude::*;
use std::io::Write as _;

fn packet(sequence: u8, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_le_bytes()[..3], &[sequence], body].concat()
}

fn greeting() -> Vec<u8> {
    let body = [
        b"\x0a8.0.36\0".as_slice(),
        &[1, 0, 0, 0],
        &[7; 8],
        &[0],
        &[0xff; 8],
        &[0; 10],
        &[7; 12],
        b"\0x\0",
    ];
    packet(0, &body.concat())
}

/// A greeting of a server without these capabilities.
fn greeting_without(lacking: u32) -> Vec<u8> {
    let mut greeting = greeting();
    let at = 4 + 1 + b"8.0.36\0".len() + 4 + 8 + 1;
    let [a, b, c, d] = (!lacking).to_le_bytes();
    greeting[at..at + 2].copy_from_slice(&[a, b]);
    greeting[at + 5..at + 7].copy_from_slice(&[c, d]);
    greeting
}

fn login(capabilities: u32, password: &[u8]) -> Vec<u8> {
    let body =
        [&capabilities.to_le_bytes()[..], &[0; 28], b"app\0", &[password.len() as u8], password]
            .concat();
    packet(1, &body)
}

fn string(text: &[u8]) -> Vec<u8> {
    [&[text.len() as u8], text].concat()
}

fn definition(sequence: u8, name: &str, kind: u8) -> Vec<u8> {
    let body: Vec<u8> =
        [&b"def"[..], b"clinic", b"p", b"patients", name.as_bytes(), name.as_bytes()]
            .iter()
            .flat_map(|part| string(part))
            .chain([0x0c, 45, 0, 255, 0, 0, 0, kind, 0, 0, 0, 0, 0])
            .collect();
    packet(sequence, &body)
}

const EOF: &[u8] = &[0xFE, 0, 0, 2, 0];
const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
/// OK in place of EOF.
const END: &[u8] = &[0xFE, 0, 0, 2, 0, 0, 0];

fn result(ends: bool, rows: &[Vec<u8>]) -> Vec<u8> {
    let mut packets = vec![
        packet(1, &[3]),
        definition(2, "mrn", 253),
        definition(3, "last_name", 253),
        definition(4, "dob", 10),
    ];
    if ends {
        packets.push(packet(5, EOF));
    }
    packets.extend(rows.iter().map(|row| packet(6, row)));
    packets.push(packet(7, if ends { EOF } else { END }));
    packets.concat()
}

fn text_row(cells: [&str; 3]) -> Vec<u8> {
    cells
        .iter()
        .flat_map(|cell| if cell.is_empty() { vec![0xFB] } else { string(cell.as_bytes()) })
        .collect()
}

#[test]
fn results_in_text_are_tables() {
    let rows = [text_row(["17", "Ng \"K\"", "1970-01-02"]), text_row(["18", "", "1970-01-03"])];
    let expected = "\"mrn\",\"last_name\",\"dob\"\n\"17\",\"Ng \"\"K\"\"\",\"1970-01-02\"\n\"18\",\"\",\"1970-01-03\"\n";
    for ends in [true, false] {
        let (first, query) = (login(0x200, b"12345678"), packet(0, b"\x03select * from patients"));
        let ok = packet(2, OK);
        let answer = result(ends, &rows);
        let greeting = greeting();
        let pieces =
            [Server(&greeting), Client(&first), Server(&ok), Client(&query), Server(&answer)];
        assert_eq!(texts(&pieces), [(expected.to_owned(), COMPLETE)], "EOF: {ends}");
        let (sink, events) = play(&pieces, 5);
        assert_eq!(events.first(), Some(&DriverEvent::Recognised("mysql")));
        assert_eq!(sink.facts.software.as_deref(), Some("8.0.36"));
        assert_eq!(sink.facts.authentication, Authentication::Digest);
        assert!(!sink.facts.anonymous);
    }
}

#[test]
fn statements_and_their_parameters_are_read() {
    let (greeting, login, ok) = (greeting(), login(0x200, b""), packet(2, OK));
    let query = packet(0, b"\x03INSERT INTO p (mrn, dob) VALUES ('17', '1970-01-02')");
    let prepare = packet(0, b"\x16SELECT * FROM p WHERE mrn = ? AND dob = ?");
    let prepared =
        [packet(1, &[0, 9, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]), packet(2, b"\x03def?"), packet(3, EOF)]
            .concat();
    let values = [
        &[0x17, 9, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 253, 0, 10, 0][..],
        &string(b"18"),
        &[4, 0xB2, 7, 1, 3],
    ];
    let execute = packet(0, &values.concat());
    let row = [&[0, 0][..], &string(b"18"), &string(b"Ng"), &[4, 0xB2, 7, 1, 3]].concat();
    let answer = result(true, &[row]);
    let pieces = [
        Server(&greeting),
        Client(&login),
        Server(&ok),
        Client(&query),
        Server(&ok),
        Client(&prepare),
        Server(&prepared),
        Client(&execute),
        Server(&answer),
    ];
    let got: Vec<String> = texts(&pieces).into_iter().map(|(text, _)| text).collect();
    assert_eq!(
        got,
        [
            "\"mrn\",\"dob\"\n\"17\",\"1970-01-02\"\n",
            "\"mrn\",\"dob\"\n\"18\",\"1970-01-03\"\n",
            "\"mrn\",\"last_name\",\"dob\"\n\"18\",\"Ng\",\"1970-01-03\"\n",
        ]
    );
    let facts = play(&pieces, 100).0.facts;
    assert_eq!(facts.authentication, Authentication::None);
    assert!(facts.anonymous, "a user without a password was let in");
}

#[test]
fn compressed_packets_are_opened() {
    let compress = |packets: &[u8]| {
        let mut encoder =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(packets).expect("memory");
        let body = encoder.finish().expect("memory");
        [
            &(body.len() as u32).to_le_bytes()[..3],
            &[0],
            &(packets.len() as u32).to_le_bytes()[..3],
            &body,
        ]
        .concat()
    };
    let (greeting, login, ok) = (greeting(), login(0x220, b"x"), packet(2, OK));
    let query = packet(0, b"\x03select 1");
    let plain = [&(query.len() as u32).to_le_bytes()[..3], &[0, 0, 0, 0], &query].concat();
    let answer = result(true, &[text_row(["17", "Ng", "1970-01-02"])]);
    let (first, second) = answer.split_at(30);
    let answer = [compress(first), compress(second)].concat();
    let pieces = [Server(&greeting), Client(&login), Server(&ok), Client(&plain), Server(&answer)];
    assert_eq!(
        texts(&pieces),
        [("\"mrn\",\"last_name\",\"dob\"\n\"17\",\"Ng\",\"1970-01-02\"\n".to_owned(), COMPLETE)]
    );
}

#[test]
fn results_are_read_from_the_middle_and_after_a_gap() {
    let answer = result(true, &[text_row(["17", "Ng", "1970-01-02"])]);
    let (greeting, login, ok) = (greeting(), login(0x200, b""), packet(2, OK));
    let (sink, _) = play(&[ServerGap(10), Server(&answer)], 7);
    assert_eq!(sink.contents.len(), 1);
    assert!(sink.contents[0].bytes.ends_with(b"\"17\",\"Ng\",\"1970-01-02\"\n"));
    let pieces = [
        Server(&greeting),
        Client(&login),
        Server(&ok),
        Server(&answer[..80]),
        ServerGap(20),
        Server(&answer),
    ];
    let (sink, _) = play(&pieces, 7);
    let whole = sink.contents.iter().filter(|c| c.bytes.ends_with(b"\"1970-01-02\"\n")).count();
    assert_eq!(whole, 1);
}

/// The opening of a connection.
fn opening(capabilities: u32) -> [Vec<u8>; 3] {
    [greeting(), login(capabilities, b""), packet(2, OK)]
}

/// What comes behind the opening, as text.
fn after_opening(capabilities: u32, rest: &[Piece<'_>]) -> Vec<String> {
    let [greeting, login, ok] = opening(capabilities);
    let pieces = [&[Server(&greeting), Client(&login), Server(&ok)], rest].concat();
    texts(&pieces).into_iter().map(|(text, _)| text).collect()
}

const HEADING: &str = "\"mrn\",\"last_name\",\"dob\"\n";

fn prepare(statement: &str) -> Vec<u8> {
    packet(0, &[b"\x16", statement.as_bytes()].concat())
}

/// The answer to a statement that is prepared, with this number and count of parameters.
fn prepared(id: u8, parameters: u8) -> Vec<u8> {
    let mut packets = packet(1, &[0, id, 0, 0, 0, 3, 0, parameters, 0, 0, 0, 0]);
    for at in 0..parameters {
        packets.extend(packet(2 + at, b"\x03def?"));
    }
    packets.extend(packet(9, EOF));
    packets
}

fn binary_row(mrn: &str, name: &str) -> Vec<u8> {
    [&[0, 0][..], &string(mrn.as_bytes()), &string(name.as_bytes()), &[4, 0xB2, 7, 1, 3]].concat()
}

#[test]
fn rows_that_are_fetched_have_the_columns_of_their_statement() {
    let [first, second] = [prepare("SELECT * FROM p"), prepare("SELECT * FROM p")];
    let execute = packet(0, &[0x17, 4, 0, 0, 0, 1, 1, 0, 0, 0]);
    let mut described = [packet(1, &[3]), definition(2, "mrn", 253)].concat();
    described.extend([definition(3, "last_name", 253), definition(4, "dob", 10)].concat());
    // A cursor was opened: no rows yet.
    described.extend(packet(5, &[0xFE, 0, 0, 0x42, 0]));
    let fetch = packet(0, &[0x1C, 4, 0, 0, 0, 2, 0, 0, 0]);
    let rows =
        |mrn| [packet(1, &binary_row(mrn, "Ng")), packet(2, &[0xFE, 0, 0, 0x42, 0])].concat();
    let got = after_opening(
        0x200,
        &[
            Client(&first),
            Server(&prepared(4, 0)),
            Client(&execute),
            Server(&described),
            Client(&second),
            Server(&prepared(5, 0)),
            Client(&fetch),
            Server(&rows("17")),
            Client(&fetch),
            Server(&rows("18")),
        ],
    );
    let row = |mrn| format!("{HEADING}\"{mrn}\",\"Ng\",\"1970-01-03\"\n");
    assert_eq!(got, [row("17"), row("18")]);
}

#[test]
fn results_without_definitions_have_those_of_the_statement() {
    let statement = prepare("SELECT * FROM p WHERE mrn = ?");
    let answer = [
        packet(1, &[0, 4, 0, 0, 0, 3, 0, 1, 0, 0, 0, 0]),
        definition(2, "?", 253),
        packet(3, EOF),
        definition(4, "mrn", 253),
        definition(5, "last_name", 253),
        definition(6, "dob", 10),
        packet(7, EOF),
    ];
    let execute = [&[0x17, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 253, 0][..], &string(b"17")].concat();
    // The count of columns, and that no definitions follow (MARIADB_CLIENT_CACHE_METADATA).
    let rows =
        [packet(1, &[3, 0]), packet(2, EOF), packet(3, &binary_row("17", "Ng")), packet(4, EOF)];
    let got = after_opening(
        0x200,
        &[
            Client(&statement),
            Server(&answer.concat()),
            Client(&packet(0, &execute)),
            Server(&rows.concat()),
        ],
    );
    let row = format!("{HEADING}\"17\",\"Ng\",\"1970-01-03\"\n");
    assert_eq!(got, ["\"mrn\"\n\"17\"\n".to_owned(), row]);
}

#[test]
fn commands_are_answered_in_their_order() {
    // All are sent before the first is answered; the statement is executed by the number of the last one.
    let values = [&[0x17, 0xFF, 0xFF, 0xFF, 0xFF, 0, 1, 0, 0, 0, 0, 1, 253, 0][..], &string(b"17")];
    let commands = [
        packet(0, b"\x03SELECT 1"),
        prepare("SELECT * FROM p WHERE mrn = ?"),
        packet(0, &values.concat()),
        packet(0, b"\x03SELECT 2"),
    ];
    // How far a long statement has come is no answer.
    let progress = packet(1, &[0xFF, 0xFF, 0xFF, 1, 1, 1, 0, 0, 0]);
    let answers = [
        result(true, &[text_row(["16", "Ng", "1970-01-02"])]),
        prepared(4, 1),
        result(true, &[binary_row("17", "Ng")]),
        progress,
        result(false, &[text_row(["18", "Ng", "1970-01-02"])]),
    ];
    let got = after_opening(0x200, &[Client(&commands.concat()), Server(&answers.concat())]);
    let row = |mrn, day| format!("{HEADING}\"{mrn}\",\"Ng\",\"1970-01-0{day}\"\n");
    assert_eq!(got, ["\"mrn\"\n\"17\"\n".to_owned(), row("16", 2), row("17", 3), row("18", 2)]);
}

#[test]
fn files_that_the_server_asks_for_are_read() {
    for (statement, expected) in [
        ("LOAD DATA LOCAL INFILE 'p' INTO TABLE p (mrn, dob)", "mrn\tdob\n17\t1970-01-02\n"),
        (
            "LOAD DATA LOCAL INFILE 'p' INTO TABLE p FIELDS TERMINATED BY ';' IGNORE 1 LINES",
            "17\t1970-01-02\n",
        ),
    ] {
        let query = packet(0, &[b"\x03", statement.as_bytes()].concat());
        let file = [packet(2, b"17\t1970"), packet(3, b"-01-02\n"), packet(4, b"")].concat();
        let (ask, ok) = (packet(1, b"\xFBp"), packet(5, OK));
        let select = packet(0, b"\x03SELECT 1");
        let answer = result(true, &[text_row(["17", "Ng", "1970-01-02"])]);
        let got = after_opening(
            0x200,
            &[
                Client(&query),
                Server(&ask),
                Client(&file),
                Server(&ok),
                Client(&select),
                Server(&answer),
            ],
        );
        let row = format!("{HEADING}\"17\",\"Ng\",\"1970-01-02\"\n");
        assert_eq!(got, [expected.to_owned(), row], "{statement}");
    }
}

#[test]
fn many_rows_and_long_values_are_parameters() {
    let statement = prepare("INSERT INTO p (mrn, last_name) VALUES (?, ?)");
    let types = [253, 0, 253, 0];
    let rows =
        [&[0][..], &string(b"17"), &[0], &string(b"Ng"), &[0], &string(b"18"), &[1]].concat();
    let bulk = packet(0, &[&[0xFA, 4, 0, 0, 0, 128, 0][..], &types, &rows].concat());
    // The second value comes before the others, in two pieces.
    let long = |text: &[u8]| packet(0, &[&[0x18, 4, 0, 0, 0, 1, 0][..], text].concat());
    let execute = [&[0x17, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1][..], &types, &string(b"19")].concat();
    let client = [bulk, long(b"O'Ha"), long(b"ra"), packet(0, &execute)].concat();
    let got = after_opening(0x200, &[Client(&statement), Server(&prepared(4, 2)), Client(&client)]);
    let heading = "\"mrn\",\"last_name\"\n";
    assert_eq!(
        got,
        [
            format!("{heading}\"17\",\"Ng\"\n"),
            format!("{heading}\"18\",\"\"\n"),
            format!("{heading}\"19\",\"O'Hara\"\n"),
        ]
    );
}

#[test]
fn rows_with_large_values_are_read_up_to_these() {
    let picture = [&[0xFD, 0, 0, 0x20][..], &[7; 0x20_0000]].concat();
    // The picture is last, or between other columns; one row is in two packets.
    let large = [string(b"17"), string(b"Ng"), picture.clone()].concat();
    let between = [string(b"18"), picture, string(b"1970-01-02")].concat();
    let full = [string(b"19"), string(b"Roe"), vec![0xFE, 0, 0, 0, 1, 0, 0, 0, 0]].concat();
    let full = [full.clone(), vec![7; 0xFF_FFFF - full.len()]].concat();
    let rows = [large, between, full, vec![7; 100], text_row(["20", "Ito", "1980-02-02"])];
    let query = packet(0, b"\x03select * from patients");
    let answer = result(true, &rows);
    let [greeting, login, ok] = opening(0x200);
    let pieces = [Server(&greeting), Client(&login), Server(&ok), Client(&query), Server(&answer)];
    let (sink, _) = play(&pieces, 1 << 16);
    let got: Vec<_> = sink.contents.iter().map(|c| String::from_utf8_lossy(&c.bytes)).collect();
    assert_eq!(
        got,
        [format!(
            "{HEADING}\"17\",\"Ng\"\n\"18\"\n\"19\",\"Roe\"\n\"20\",\"Ito\",\"1980-02-02\"\n"
        )]
    );
}

#[test]
fn packets_are_unpacked_by_zstandard() {
    let query = packet(0, b"\x03INSERT INTO p (mrn, dob) VALUES ('17', '1970-01-02')");
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let body = ruzstd::encoding::compress_to_vec(&query[..], level);
    let lengths = [(body.len() as u32).to_le_bytes(), (query.len() as u32).to_le_bytes()];
    let packed = [&lengths[0][..3], &[0], &lengths[1][..3], &body].concat();
    let got = after_opening(0x200 | 1 << 26, &[Client(&packed)]);
    assert_eq!(got, ["\"mrn\",\"dob\"\n\"17\",\"1970-01-02\"\n"]);
}

#[test]
fn rows_have_the_character_set_of_their_columns() {
    let mut columns = definition(2, "mrn", 253);
    // koi8r_general_ci, behind the names.
    let at = columns.len() - 12;
    columns[at] = 7;
    let answer = [packet(1, &[1]), columns, packet(3, EOF), packet(4, b"\x01\xe1")].concat();
    let [greeting, login, ok] = opening(0x200);
    let (sink, _) = play(&[Server(&greeting), Client(&login), Server(&ok), Server(&answer)], 99);
    assert_eq!(sink.contents[0].media, "text/csv; charset=koi8-r");
}

proptest! {
    #[test]
    fn garbage_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 1usize..50) {
        let (greeting, login, ok) = (greeting(), login(0x220, b""), packet(2, OK));
        play(&[Server(&greeting), Client(&login), Server(&ok), Client(&bytes), Server(&bytes)], size);
        let answer = result(true, std::slice::from_ref(&bytes));
        play(&[Server(&greeting), Server(&answer), ServerGap(3), Server(&bytes), Server(&answer)], size);
    }
}

#[test]
fn a_capability_that_the_server_lacks_is_not_used() {
    const ATTRIBUTES: u32 = 1 << 27;
    let prepare = packet(0, b"\x16INSERT INTO p (mrn, last_name) VALUES (?, ?)");
    let answer = packet(1, &[0, 7, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
    let parameters = [definition(2, "?", 253), definition(3, "?", 253), packet(4, EOF)].concat();
    let plain = [&[0x17, 7, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 253, 0, 253, 0][..], b"\x0217\x02Ng"];
    let execute = packet(0, &plain.concat());
    for greeting in [greeting_without(ATTRIBUTES), greeting_without(ATTRIBUTES | 0x800)] {
        let login = login(0x00a2_8000 | ATTRIBUTES, b"");
        let ok = packet(2, OK);
        let pieces = [
            Server(&greeting),
            Client(&login),
            Server(&ok),
            Client(&prepare),
            Server(&answer),
            Server(&parameters),
            Client(&execute),
        ];
        assert_eq!(
            texts(&pieces),
            [("\"mrn\",\"last_name\"\n\"17\",\"Ng\"\n".to_owned(), COMPLETE)]
        );
    }
}

#[test]
fn columns_that_a_mapper_renamed_have_their_own_names() {
    let column = |sequence, shown: &str, own: &str| {
        let parts =
            [&b"def"[..], b"clinic", b"p1_", b"tblPatients", shown.as_bytes(), own.as_bytes()];
        let body = parts.iter().flat_map(|part| string(part));
        packet(
            sequence,
            &body.chain([0x0c, 45, 0, 255, 0, 0, 0, 253, 0, 0, 0, 0, 0]).collect::<Vec<_>>(),
        )
    };
    let result = [
        packet(1, &[3]),
        column(2, "mrn1_0_", "mrn"),
        column(3, "last_nam2_0_", "last_name"),
        column(4, "Geb.-Datum", "dob"),
        packet(5, EOF),
        packet(6, b"\x0217\x02Ng\x0a1970-01-02"),
        packet(7, EOF),
    ];
    let got = after_opening(0, &[Client(&packet(0, b"\x03SELECT 1")), Server(&result.concat())]);
    assert_eq!(got, ["\"mrn\",\"last_name\",\"Geb.-Datum\"\n\"17\",\"Ng\",\"1970-01-02\"\n"]);
}
