use super::super::recorder::{Piece, Recorder, play};
use super::super::{Direction, Protocol as _, Reason};
use super::{MAX_FIELDS, MAX_PENDING_FIELDS, MAX_WORD, Redis};
use Piece::{Client, ClientGap, Server};
use proptest::prelude::*;

fn contents(pieces: &[Piece<'_>]) -> Vec<String> {
    let of = |size| {
        let (sink, _) = play(pieces, size);
        let text = |b: &[u8]| String::from_utf8(b.to_vec()).expect("text");
        sink.contents.iter().map(|c| text(&c.bytes)).collect::<Vec<_>>()
    };
    let whole = of(usize::MAX);
    for size in 1..30 {
        assert_eq!(of(size), whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn hashes_are_objects() {
    let got = contents(&[
        Client(b"*6\r\n$4\r\nHSET\r\n$9\r\npatient:7\r\n$4\r\nname\r\n$5\r\nA \"B\"\r\n$3\r\ndob\r\n$10\r\n1970-01-01\r\n"),
        Server(b":2\r\n"),
        Client(b"*2\r\n$7\r\nHGETALL\r\n$9\r\npatient:7\r\n"),
        Server(b"*4\r\n$4\r\nname\r\n$3\r\nA B\r\n$3\r\nage\r\n$-1\r\n"),
        Client(b"*2\r\n$7\r\nhgetall\r\n$1\r\nx\r\n"),
        Server(b"%1\r\n$4\r\nname\r\n:7\r\n"),
    ]);
    assert_eq!(
        got,
        [
            "{\"patient_id\":\"7\",\"name\":\"A \\\"B\\\"\",\"dob\":\"1970-01-01\"}",
            "{\"patient_id\":\"7\",\"name\":\"A B\",\"age\":\"\"}",
            "{\"\":0,\"name\":\"7\"}",
        ]
    );
}

#[test]
fn a_key_says_what_its_value_is_about() {
    let set = b"*3\r\n$3\r\nSET\r\n$9\r\npatient:7\r\n$7\r\n{\"a\":1}\r\n";
    let (sink, _) = play(&[Client(set), Server(b"+OK\r\n")], 7);
    assert_eq!(sink.contents[0].name, "patient/7");
}

#[test]
fn values_have_the_fields_that_were_asked_for() {
    let got = contents(&[
        Client(b"*4\r\n$5\r\nhmget\r\n$9\r\npatient:7\r\n$4\r\nname\r\n$3\r\ndob\r\nHMGET p:8 name\r\n*2\r\n$5\r\nHMGET\r\n$1\r\nx\r\n"),
        Server(b"*2\r\n$3\r\nA B\r\n$-1\r\n*1\r\n$1\r\nC\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    ]);
    assert_eq!(
        got,
        ["{\"patient_id\":\"7\",\"name\":\"A B\",\"dob\":\"\"}", "{\"p_id\":\"8\",\"name\":\"C\"}",]
    );
}

#[test]
fn commands_as_typed_are_read_like_others() {
    let got = contents(&[
        Client(b"HSET patient:7 name \"Roe \\\"J\\\" Jane\" dob 1970-01-31 note 'a \\b'\r\nSET k  {\"mrn\":7}\r\nPING\r\nHGETALL patient:7\r\n"),
        Server(b":3\r\n+OK\r\n+PONG\r\n*2\r\n$3\r\ndob\r\n$10\r\n1970-01-31\r\n"),
    ]);
    assert_eq!(
        got,
        [
            "{\"patient_id\":\"7\",\"name\":\"Roe \\\"J\\\" Jane\",\"dob\":\"1970-01-31\",\"note\":\"a \\\\b\"}",
            "{\"mrn\":7}",
            "{\"patient_id\":\"7\",\"dob\":\"1970-01-31\"}",
        ]
    );
}

#[test]
fn values_are_contents() {
    let got = contents(&[
        Client(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9\r\n{\"mrn\":7}\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nKEYS\r\n"),
        Server(b"+OK\r\n+PONG\r\n$9\r\n{\"mrn\":7}\r\n*1\r\n$1\r\nk\r\n"),
    ]);
    assert_eq!(got, ["{\"mrn\":7}", "{\"mrn\":7}"]);
}

#[test]
fn the_password_of_auth_is_noted_and_not_kept() {
    let (sink, _) = play(&[Client(b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n")], 5);
    assert!(sink.facts.credentials_in_clear && sink.contents.is_empty());
    assert!(!format!("{:?}", sink.facts).contains("secret"));
}

#[test]
fn depth_and_counts_are_capped() {
    let deep = [b"*1\r\n$4\r\nPING\r\n".to_vec(), b"*9\r\n".repeat(1000)].concat();
    play(&[Client(&deep), Server(&deep)], 100);
    play(
        &[
            Client(b"*1\r\n$4\r\nPING\r\n"),
            Server(b"*9223372036854775807\r\n%9223372036854775807\r\n$9223372036854775807\r\nx"),
        ],
        7,
    );
}

#[test]
fn fields_of_commands_without_a_response_are_capped_and_their_bytes_counted() {
    let command = |field: &str| {
        let fields = format!("${}\r\n{field}\r\n", field.len()).repeat(MAX_FIELDS);
        let count = MAX_FIELDS + 2;
        format!("*{count}\r\n$5\r\nHMGET\r\n$3\r\nk:7\r\n{fields}").into_bytes()
    };
    let answer = format!("*{MAX_FIELDS}\r\n{}", "$1\r\nx\r\n".repeat(MAX_FIELDS)).into_bytes();
    let (mut parser, mut sink) = (Redis.open(), Recorder::default());
    let (client, server) = (Direction::ClientToServer, Direction::ServerToClient);
    let empty = parser.memory();
    let kept = MAX_PENDING_FIELDS / MAX_FIELDS;
    let commands = command(&"f".repeat(MAX_WORD)).repeat(kept);
    parser.data(client, &commands, &mut sink).expect("commands");
    let full = parser.memory();
    assert!(full >= MAX_PENDING_FIELDS * MAX_WORD && sink.anomalies.is_empty(), "{full}");
    parser.data(client, &commands, &mut sink).expect("commands");
    assert!(parser.memory() < full + (16 << 10), "{full}, {}", parser.memory());
    assert_eq!(sink.anomalies, vec![Reason::Limit; kept]);
    // Values without their names are passed on by themselves.
    parser.data(server, &answer.repeat(2 * kept), &mut sink).expect("answers");
    assert_eq!(sink.contents.len(), kept + kept * MAX_FIELDS);
    assert!(parser.memory() < empty + (64 << 10), "{}", parser.memory());
    // There is room again.
    sink.contents.clear();
    parser.data(client, &command("mrn"), &mut sink).expect("a command");
    parser.data(server, &answer, &mut sink).expect("an answer");
    assert_eq!(sink.contents.len(), 1);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        let start = b"*2\r\n$4\r\nHSET\r\n$5\r\n";
        play(&[Client(start), Client(&bytes), ClientGap(3), Client(&bytes), Server(&bytes)], size);
        let signs: Vec<u8> = bytes.iter().map(|b| b"*$%\r\n1234:+-~>a_"[usize::from(*b) % 16]).collect();
        play(&[Client(start), Client(&signs), Server(&signs)], size);
    }
}
