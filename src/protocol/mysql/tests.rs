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

proptest! {
    #[test]
    fn garbage_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 1usize..50) {
        let (greeting, login, ok) = (greeting(), login(0x220, b""), packet(2, OK));
        play(&[Server(&greeting), Client(&login), Server(&ok), Client(&bytes), Server(&bytes)], size);
        let answer = result(true, std::slice::from_ref(&bytes));
        play(&[Server(&greeting), Server(&answer), ServerGap(3), Server(&bytes), Server(&answer)], size);
    }
}
