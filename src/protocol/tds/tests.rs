use super::super::recorder::{COMPLETE, Piece, play, texts};
use super::super::{Authentication, DriverEvent, Position, Probe, Protocol as _};
use super::Tds;
use Piece::{Client, Server, ServerGap};
use proptest::prelude::*;

fn packet(kind: u8, last: bool, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 8).to_be_bytes();
    [&[kind, u8::from(last)][..], &length, &[0, 55, 1, 0], body].concat()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn short(text: &str) -> Vec<u8> {
    let wide = wide(text);
    [&(wide.len() as u16).to_le_bytes()[..], &wide].concat()
}

fn name(text: &str) -> Vec<u8> {
    [&[text.encode_utf16().count() as u8][..], &wide(text)].concat()
}

const NVARCHAR: &[u8] = &[0xE7, 100, 0, 9, 4, 0xD0, 0, 0x34];
const HEADERS: &[u8] = &[22, 0, 0, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];

fn prelogin(encryption: u8) -> Vec<u8> {
    let options = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF];
    [&options[..], &[16, 0, 16, 32, 0, 0], &[encryption]].concat()
}

fn columns() -> Vec<u8> {
    let column = |kind: &[u8], text: &str| [&[0; 6][..], kind, &name(text)].concat();
    [
        vec![0x81, 4, 0],
        column(NVARCHAR, "mrn"),
        column(&[0xA7, 40, 0, 9, 4, 0xD0, 0, 0x34], "last_name"),
        column(&[0x28], "birth_date"),
        column(&[0x26, 4], "visits"),
    ]
    .concat()
}

fn row() -> Vec<u8> {
    // 719 163 days after 0001-01-01.
    [
        &[0xD1][..],
        &short("MÜ17"),
        &[2, 0],
        b"Ng",
        &[3, 0x3B, 0xF9, 0x0A],
        &[4, 0xFE, 0xFF, 0xFF, 0xFF],
    ]
    .concat()
}

fn sparse() -> Vec<u8> {
    [&[0xD2, 0b1110][..], &short("18")].concat()
}

const DONE: &[u8] = &[0xFD, 16, 0, 0xC1, 0, 2, 0, 0, 0, 0, 0, 0, 0];
const TABLE: &str = "\"mrn\",\"last_name\",\"birth_date\",\"visits\"\n\"MÜ17\",\"Ng\",\"1970-01-02\",\"-2\"\n\"18\",\"\",\"\",\"\"\n";

fn opening(encryption: u8) -> [Vec<u8>; 3] {
    // With a password of eight characters.
    let mut login = vec![0; 94];
    (login[0], login[46]) = (94, 8);
    [
        packet(0x12, true, &prelogin(encryption)),
        packet(4, true, &prelogin(encryption)),
        packet(0x10, true, &login),
    ]
}

#[test]
fn results_over_packets_are_tables() {
    let [hello, answer, login] = opening(2);
    let result = [columns(), row(), sparse(), DONE.to_vec()].concat();
    let (first, second) = result.split_at(70);
    let result = [packet(4, false, first), packet(4, true, second)].concat();
    let pieces = [Client(&hello), Server(&answer), Client(&login), Server(&result)];
    assert_eq!(texts(&pieces), [(TABLE.to_owned(), COMPLETE)]);
    let (sink, events) = play(&pieces, 13);
    assert_eq!(events.first(), Some(&DriverEvent::Recognised("tds")));
    assert!(sink.facts.credentials_in_clear);
    assert_eq!(sink.facts.software.as_deref(), Some("SQL Server 16.0.4128"));
}

#[test]
fn batches_and_calls_give_their_values() {
    let [hello, answer, login] = opening(2);
    let batch = wide("INSERT INTO p (mrn, last_name) VALUES (N'17', 'Ng')");
    let batch = packet(1, true, &[HEADERS, &batch].concat());
    let parameter =
        |label: &str, value: &str| [&name(label)[..], &[0], NVARCHAR, &short(value)].concat();
    let call = [
        HEADERS.to_vec(),
        vec![0xFF, 0xFF, 10, 0, 0, 0],
        parameter("", "SELECT * FROM p WHERE mrn = @P1"),
        parameter("", "@P1 nvarchar(20)"),
        parameter("@P1", "18"),
    ];
    let call = packet(3, true, &call.concat());
    let own = [
        HEADERS.to_vec(),
        short("find")[..0].to_vec(),
        vec![4, 0],
        wide("find"),
        vec![0, 0],
        parameter("@mrn", "19"),
    ];
    let own = packet(3, true, &own.concat());
    let pieces = [
        Client(&hello),
        Server(&answer),
        Client(&login),
        Client(&batch),
        Client(&call),
        Client(&own),
    ];
    let got: Vec<String> = texts(&pieces).into_iter().map(|(text, _)| text).collect();
    assert_eq!(
        got,
        ["\"mrn\",\"last_name\"\n\"17\",\"Ng\"\n", "\"mrn\"\n\"18\"\n", "\"mrn\"\n\"19\"\n"]
    );
}

#[test]
fn where_only_the_login_is_encrypted_the_rest_is_read() {
    let [hello, answer, _] = opening(0);
    let record = [&[0x17, 3, 3, 0, 20][..], &[9; 20]].concat();
    let result = packet(4, true, &[columns(), row(), sparse(), DONE.to_vec()].concat());
    let pieces = [Client(&hello), Server(&answer), Client(&record), Server(&result)];
    assert_eq!(texts(&pieces), [(TABLE.to_owned(), COMPLETE)]);
    let [hello, answer, _] = opening(1);
    let hello_tls = [&[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[7; 194]].concat();
    let (_, events) = play(&[Client(&hello), Server(&answer), Client(&hello_tls)], 100);
    assert!(
        events.iter().any(|e| matches!(e, DriverEvent::Opaque(_, super::super::Reason::Encrypted))),
        "{events:?}"
    );
}

#[test]
fn a_server_that_lets_a_name_without_a_password_in_is_open_and_one_whose_login_was_not_seen_is_not_known()
 {
    let [hello, answer, with_password] = opening(2);
    let mut without = with_password.clone();
    without[8 + 46] = 0;
    let accepted =
        packet(4, true, &[&[0xAD, 10, 0, 1, 0x74, 0, 0, 4, 0, 0, 0, 0, 0][..], DONE].concat());
    let refused = packet(4, true, DONE);
    let of = |login: &[u8], reply: &[u8], size| {
        let pieces = [Client(&hello), Server(&answer), Client(login), Server(reply)];
        let facts = play(&pieces, size).0.facts;
        (facts.authentication, facts.anonymous, facts.credentials_in_clear)
    };
    for size in [1, 50, 1_000] {
        assert_eq!(of(&without, &accepted, size), (Authentication::None, true, false));
        assert_eq!(of(&without, &refused, size), (Authentication::None, false, false));
        assert_eq!(of(&with_password, &accepted, size), (Authentication::Basic, false, true));
        let record = [&[0x17, 3, 3, 0, 20][..], &[9; 20]].concat();
        assert_eq!(of(&record, &accepted, size), (Authentication::Unknown, false, false));
    }
    let result = packet(4, true, &[columns(), row(), DONE.to_vec()].concat());
    let (sink, _) = play(&[ServerGap(4), Server(&result)], 500);
    assert_eq!(sink.facts.authentication, Authentication::Unknown);
}

#[test]
fn results_are_found_in_the_middle_and_after_a_gap() {
    let result = packet(4, true, &[columns(), row(), sparse(), DONE.to_vec()].concat());
    let noise = [b"xxxx".to_vec(), result.clone()].concat();
    assert_eq!(play(&[ServerGap(4), Server(&noise)], 500).0.contents.len(), 1);
    let pieces = [Server(&result), Server(&result[..50]), ServerGap(9), Server(&result)];
    let (sink, _) = play(&[&[ServerGap(1)], &pieces[..]].concat(), 9);
    assert_eq!(sink.contents.iter().filter(|c| c.ending == COMPLETE).count(), 2);
    for bytes in [&b"\x12\x01GET / HTTP/1.1"[..], &[0x10; 40], &[0x12, 1, 0, 9, 0, 0, 0, 0, 1]] {
        assert_eq!(Tds.probe(bytes, Position::Start), Probe::No, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn garbage_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..40) {
        let [hello, answer, login] = opening(2);
        let broken = packet(4, false, &[columns(), row(), bytes.clone()].concat());
        let call = packet(3, true, &bytes);
        play(&[Client(&hello), Server(&answer), Client(&login), Server(&broken), Client(&call), ServerGap(3), Server(&bytes)], size);
    }
}

/// A parameter of text without a name, and one that is a number.
fn value(text: &str) -> Vec<u8> {
    [&[0, 0][..], NVARCHAR, &short(text)].concat()
}

fn number(n: u32) -> Vec<u8> {
    [&[0, 0, 0x26, 4, 4][..], &n.to_le_bytes()].concat()
}

#[test]
fn prepared_statements_are_known_by_their_handles() {
    let [hello, answer, login] = opening(2);
    let declared = value("@P0 nvarchar(20), @P1 nvarchar(20)");
    let statement = value("SELECT * FROM p WHERE mrn = @P0 AND last_name = @P1");
    let prepare = [
        HEADERS.to_vec(),
        vec![0xFF, 0xFF, 13, 0, 0, 0],
        vec![0, 1, 0x26, 4, 0],
        declared,
        statement,
        value("17"),
        value("Ng"),
    ];
    let prepare = packet(3, true, &prepare.concat());
    let handle = [&[0xAC, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x26, 4, 4][..], &7u32.to_le_bytes()];
    let prepared = packet(4, true, &[&handle.concat()[..], DONE].concat());
    // Two calls in one message.
    let call = |mrn| [vec![0xFF, 0xFF, 12, 0, 0, 0], number(7), value(mrn), value("Ho")].concat();
    let execute = packet(3, true, &[HEADERS, &call("18"), &[0xFF], &call("19")].concat());
    let pieces = [
        Client(&hello),
        Server(&answer),
        Client(&login),
        Client(&prepare),
        Server(&prepared),
        Client(&execute),
    ];
    let got: Vec<String> = texts(&pieces).into_iter().map(|(text, _)| text).collect();
    let row = |cells| format!("\"mrn\",\"last_name\"\n{cells}\n");
    assert_eq!(got, [row("\"17\",\"Ng\""), row("\"18\",\"Ho\""), row("\"19\",\"Ho\"")]);
}

#[test]
fn older_versions_have_shorter_descriptions() {
    let [hello, answer, login] = opening(2);
    let column = [&[0; 4][..], NVARCHAR, &name("mrn")].concat();
    // LOGINACK of version 7.1, and ends with counts of four bytes.
    let logged_in = [0xAD, 10, 0, 1, 0x71, 0, 0, 1, 0, 0, 0, 0, 0, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0];
    let result = [
        &logged_in[..],
        &[0x81, 1, 0],
        &column,
        &[0xD1],
        &short("17"),
        &[0xFD, 0, 0, 0, 0, 1, 0, 0, 0],
    ];
    let result = packet(4, true, &result.concat());
    let pieces = [Client(&hello), Server(&answer), Client(&login), Server(&result)];
    assert_eq!(texts(&pieces), [("\"mrn\"\n\"17\"\n".to_owned(), COMPLETE)]);
}

#[test]
fn rows_that_are_copied_in_are_a_table() {
    let [hello, answer, login] = opening(2);
    let rows = [columns(), row(), sparse(), DONE.to_vec()].concat();
    let (first, second) = rows.split_at(70);
    let rows = [packet(7, false, first), packet(7, true, second)].concat();
    let pieces = [Client(&hello), Server(&answer), Client(&login), Client(&rows)];
    assert_eq!(texts(&pieces), [(TABLE.to_owned(), COMPLETE)]);
}

#[test]
fn a_procedure_that_was_created_gives_its_arguments_names() {
    let [hello, answer, login] = opening(2);
    let create = wide(
        "create proc #jtds01 @P0 varchar(8000), @P1 int as insert into p (last_name, mrn) values (@P0, @P1)",
    );
    let create = packet(1, true, &[HEADERS, &create].concat());
    let call = [HEADERS, &[7, 0], &wide("#JTDS01"), &[0, 0], &value("Ng"), &number(17)].concat();
    let call = packet(3, true, &call);
    let pieces = [Client(&hello), Server(&answer), Client(&login), Client(&create), Client(&call)];
    assert_eq!(texts(&pieces), [("\"last_name\",\"mrn\"\n\"Ng\",\"17\"\n".to_owned(), COMPLETE)]);
    for text in [
        "create proc",
        "create proc x",
        "create proc x @a int",
        "create proc x @a as",
        "create proc x as",
    ] {
        let create = packet(1, true, &[HEADERS, &wide(text)].concat());
        play(
            &[Client(&hello), Server(&answer), Client(&login), Client(&create), Client(&call)],
            50,
        );
    }
}

/// Calls as tedious 19 sends them (node): two rows for a procedure, with one more parameter, and two for a statement.
const ROWS_FOR_A_PROCEDURE: &str = "\
160000001200000002000000000000000000010000000e0049006d0070006f0072007400500061007400690065006e007400\
7300000005400072006f007700730000f30003640062006f000b500061007400690065006e0074004c006900730074000500\
000000000000a71400000000000000000000000000e750000000000000000000000000002800000000000000260400000000\
000000e7ffff000000000000000104003437313104004d00fc00033bf90a0402000000ffffffffffffffff01040034373132\
04004e0067000000feffffffffffffff020000007800000000000009400077006100720064005f006d0072006e0000e72800\
0904d00034040057003700";
const ROWS_FOR_A_STATEMENT: &str = "\
16000000120000000200000000000000000001000000ffff0a0000000a4000730074006100740065006d0065006e00740000\
e790010904d00034980049004e005300450052005400200049004e0054004f0020007000200028006d0072006e002c002000\
6c006100730074005f006e0061006d0065002c002000620069007200740068005f0064006100740065002c00200076006900\
73006900740073002c0020006e006f007400650029002000530045004c0045004300540020002a002000460052004f004d00\
2000400072006f007700730007400070006100720061006d00730000e790010904d000343c00400072006f00770073002000\
640062006f002e00500061007400690065006e0074004c00690073007400200072006500610064006f006e006c0079000540\
0072006f007700730000f30003640062006f000b500061007400690065006e0074004c006900730074000500000000000000\
a71400000000000000000000000000e750000000000000000000000000002800000000000000260400000000000000e7ffff\
000000000000000104003437313104004d00fc00033bf90a0402000000ffffffffffffffff0104003437313204004e006700\
0000feffffffffffffff0200000078000000000000";
const ROWS: &str = "\"mrn\",\"last_name\",\"birth_date\",\"visits\",\"note\"\n\
    \"4711\",\"Mü\",\"1970-01-02\",\"2\",\"\"\n\"4712\",\"Ng\",\"\",\"\",\"x\"\n";

fn hex(digits: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("digits")
    };
    digits.as_bytes().chunks(2).map(byte).collect()
}

fn calls(batch: &str, call: &[u8]) -> Vec<String> {
    let [hello, answer, login] = opening(2);
    let batch = packet(1, true, &[HEADERS, &wide(batch)].concat());
    let call = packet(3, true, call);
    let pieces = [Client(&hello), Server(&answer), Client(&login), Client(&batch), Client(&call)];
    texts(&pieces).into_iter().map(|(text, _)| text).collect()
}

#[test]
fn rows_of_a_parameter_belong_to_the_columns_into_which_they_are_inserted() {
    let call = hex(ROWS_FOR_A_STATEMENT);
    assert_eq!(calls("SELECT 1", &call), [ROWS]);
    // A column more than the rows have: another table.
    let visits = wide("visits");
    let at = call.windows(visits.len()).position(|part| part == visits).expect("column");
    let mut other = call.clone();
    other[at..at + 4].copy_from_slice(&wide("a,"));
    assert_eq!(calls("SELECT 1", &other), [""; 0]);
    // Cut anywhere.
    for len in 0..call.len() {
        assert_eq!(calls("SELECT 1", &call[..len]), [""; 0], "{len} bytes");
    }
}

#[test]
fn rows_of_a_parameter_have_the_columns_of_their_type_and_the_next_parameter_is_read() {
    let call = hex(ROWS_FOR_A_PROCEDURE);
    let next = "\"ward_mrn\"\n\"W7\"\n";
    assert_eq!(calls("SELECT 1", &call), [next]);
    let create = "CREATE TYPE dbo.PatientList AS TABLE (mrn varchar(20) PRIMARY KEY, \
        last_name nvarchar(40), birth_date date, visits int, note nvarchar(max))";
    assert_eq!(calls(create, &call), [next, ROWS]);
    // A column whose default the server takes has no values.
    let flags = [&[0; 6][..], &[0x26, 4, 0, 0]].concat();
    let at = call.windows(flags.len()).position(|part| part == flags).expect("column");
    let mut sparse = call.clone();
    sparse[at + 5] = 2;
    let visits = [&[4][..], &2u32.to_le_bytes()].concat();
    let at = sparse.windows(5).position(|part| part == visits).expect("value");
    sparse.drain(at..at + 5);
    let second = [&[0, 0][..], &[0xFE, 0xFF]].concat();
    let at = sparse.windows(4).position(|part| part == second).expect("value");
    sparse.remove(at);
    let without =
        ROWS.replace(",\"visits\"", "").replace(",\"2\"", "").replace("Ng\",\"\"", "Ng\"");
    assert_eq!(calls(create, &sparse), [next, &without]);
}

#[test]
fn documents_in_rows_of_a_parameter_are_read_without_names() {
    let message = format!("MSH|^~\\&|A|B|||||ADT^A01|1|P|2.5\rPID|1||4711||Roe^Jane{}", "\r");
    let rows = [
        &[4, 0][..],
        &wide("Load"),
        &[0, 0],
        &name("@rows"),
        &[0, 0xF3, 0, 0],
        &name("Messages"),
        // One column, an order that is unique by it, an order of columns.
        &[1, 0, 0, 0, 0, 0, 0, 0],
        &[0xE7, 0x40, 0x1F, 9, 4, 0xD0, 0, 0x34, 0],
        &[0x10, 1, 0, 1, 0, 1, 0x11, 1, 0, 1, 0, 0],
        &[1],
        &short(&message),
        &[1],
        &short("x"),
        &[0],
    ];
    let call = [HEADERS, &rows.concat()].concat();
    assert_eq!(calls("SELECT 1", &call), [message]);
    // No rows at all: NULL.
    let none = [&[4, 0][..], &wide("Load"), &[0, 0], &name("@rows"), &[0, 0xF3, 0, 0]];
    let none =
        [HEADERS, &none.concat(), &name("M"), &[0xFF, 0xFF, 0, 0], &name("@mrn"), &value("7")[1..]];
    assert_eq!(calls("SELECT 1", &none.concat()), ["\"mrn\"\n\"7\"\n"]);
}

proptest! {
    #[test]
    fn garbage_in_rows_of_a_parameter_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..60), at in 0usize..400) {
        let mut call = hex(ROWS_FOR_A_PROCEDURE);
        let at = at.min(call.len());
        call.splice(at..(at + bytes.len()).min(call.len()), bytes);
        calls("SELECT 1", &call);
    }
}
