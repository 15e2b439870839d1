use super::super::recorder::{Piece, Recorder, play};
use super::super::{Authentication, DriverEvent, Position, Probe, Protocol as _};
use super::Amqp1;
use Piece::{Client, Server, ServerGap};
use proptest::prelude::*;

const PATIENT: &str = r#"{"name":"Jane Roe","mrn":"17"}"#;
const HEADER: &[u8] = b"AMQP\0\x01\0\0";
const SASL: &[u8] = b"AMQP\x03\x01\0\0";

fn text(code: u8, text: &[u8]) -> Vec<u8> {
    [&[code, text.len() as u8], text].concat()
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let body = items.concat();
    [&[0xc0, body.len() as u8 + 1, items.len() as u8], &body[..]].concat()
}

fn map(items: &[Vec<u8>]) -> Vec<u8> {
    let mut map = list(items);
    map[0] = 0xc1;
    map
}

fn described(descriptor: u8, value: &[u8]) -> Vec<u8> {
    [&[0, 0x53, descriptor], value].concat()
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], &[2, kind, 0, 0], body].concat()
}

const NULL: u8 = 0x40;

fn attach(handle: u8, address: &str) -> Vec<u8> {
    let end = |code| described(code, &list(&[text(0xa1, address.as_bytes())]));
    let fields = list(&[
        text(0xa1, b"link"),
        vec![0x52, handle],
        vec![0x42],
        vec![NULL],
        vec![NULL],
        end(0x28),
        end(0x29),
    ]);
    frame(0, &described(0x12, &fields))
}

fn transfer(handle: u8, more: bool, payload: &[u8]) -> Vec<u8> {
    let more = if more { 0x41 } else { 0x42 };
    let fields = list(&[
        vec![0x52, handle],
        vec![0x43],
        text(0xa0, b"t"),
        vec![0x43],
        vec![0x41],
        vec![more],
    ]);
    frame(0, &[described(0x14, &fields), payload.to_vec()].concat())
}

fn message(body: &[u8]) -> Vec<u8> {
    let mut properties = vec![vec![NULL]; 6];
    properties.push(text(0xa3, b"application/json"));
    let own = map(&[text(0xa1, b"ward"), text(0xa1, b"3W"), text(0xa1, b"bed"), vec![0x54, 0xff]]);
    let header = described(0x70, &list(&[vec![0x41]]));
    [header, described(0x73, &list(&properties)), described(0x74, &own), body.to_vec()].concat()
}

fn json() -> Vec<u8> {
    described(0x75, &text(0xa0, PATIENT.as_bytes()))
}

fn payloads(sink: &Recorder) -> Vec<String> {
    sink.contents.iter().map(|c| String::from_utf8_lossy(&c.bytes).into_owned()).collect()
}

const OWN: &str = r#"{"ward":"3W","bed":-1}"#;

#[test]
fn messages_are_read_under_their_address() {
    let client = [HEADER, &attach(0, "q.adt"), &transfer(0, false, &message(&json()))].concat();
    let value = described(0x77, &text(0xa1, b"Patient: Jane Roe"));
    let object = described(0x77, &map(&[text(0xa1, b"mrn"), vec![0x70, 0, 0, 0, 17]]));
    let server = [
        HEADER,
        &attach(4, "q"),
        &transfer(4, false, &value),
        &frame(0, b""),
        &transfer(4, false, &object),
    ]
    .concat();
    for size in [1, 3, 8, 50, 999] {
        let (sink, events) = play(&[Client(&client), Server(&server)], size);
        assert_eq!(payloads(&sink), [OWN, PATIENT, "Patient: Jane Roe", r#"{"mrn":17}"#]);
        assert_eq!(events.first(), Some(&DriverEvent::Recognised("amqp")));
        assert_eq!(sink.contents[1].media, "application/json");
        assert_eq!(sink.facts.authentication, Authentication::None);
        assert!(sink.facts.anonymous);
        assert!(sink.anomalies.is_empty());
    }
}

#[test]
fn messages_in_several_transfers_are_put_together_by_their_link() {
    let whole = message(&json());
    let (front, back) = whole.split_at(50);
    let client = [
        HEADER,
        &transfer(0, true, front),
        &transfer(1, false, &json()),
        &transfer(0, false, back),
    ]
    .concat();
    assert_eq!(payloads(&play(&[Client(&client)], 17).0), [PATIENT, OWN, PATIENT]);
    // One that never ends is given up.
    let long: Vec<u8> = (0..90).flat_map(|_| transfer(0, true, &[7; 60_000])).collect();
    let pieces = [HEADER.to_vec(), long, transfer(0, false, &[1]), transfer(0, false, &json())];
    let (sink, _) = play(&[Client(&pieces.concat())], 65_536);
    assert_eq!(payloads(&sink), [PATIENT]);
    assert_eq!(sink.anomalies, [super::Reason::Limit]);
}

#[test]
fn who_logs_in_and_whether_the_password_is_in_clear() {
    let init = |mechanism: &[u8]| {
        let fields = list(&[text(0xa3, mechanism), text(0xa0, b"\0jroe\0secret")]);
        [SASL.to_vec(), frame(1, &described(0x41, &fields)), HEADER.to_vec()].concat()
    };
    let (sink, _) = play(&[Client(&init(b"PLAIN"))], 9);
    assert!(sink.facts.credentials_in_clear);
    assert_eq!(sink.facts.files.as_ref().and_then(|f| f.user.as_deref()), Some("jroe"));
    let (sink, _) = play(&[Client(&init(b"ANONYMOUS"))], 9);
    assert_eq!(sink.facts.authentication, Authentication::None);
    assert!(!sink.facts.anonymous, "nobody was let in yet");
    let (sink, _) = play(&[Client(&init(b"SCRAM-SHA-256"))], 9);
    assert!(!sink.facts.credentials_in_clear);
}

#[test]
fn transfers_are_found_in_the_middle_and_behind_a_gap() {
    let one = transfer(0, false, &json());
    let middle = [&b"noise"[..], &one].concat();
    assert_eq!(payloads(&play(&[ServerGap(1), Server(&middle)], 999).0), [PATIENT]);
    let pieces = [Server(HEADER), Server(&one[..20]), ServerGap(9), Server(&one)];
    assert_eq!(payloads(&play(&pieces, 7).0), [PATIENT]);
    for other in [&b"AMQP\0\0\x09\x01"[..], b"GET / HTTP", &[0; 30]] {
        assert_eq!(Amqp1.probe(other, Position::Start), Probe::No);
        assert_eq!(Amqp1.probe(other, Position::Midstream), Probe::No);
    }
    assert_eq!(Amqp1.probe(b"AMQP", Position::Start), Probe::More);
}

proptest! {
    #[test]
    fn garbage_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..300, size in 1usize..40) {
        let mut broken = [HEADER, &attach(0, "q"), &transfer(0, true, &message(&json())), &transfer(0, false, &json())].concat();
        let at = at % broken.len();
        broken.splice(at..at, bytes.clone());
        play(&[Client(&broken), Server(&bytes), ServerGap(3), Server(&broken)], size);
    }
}
