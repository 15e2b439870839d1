use super::super::recorder::{COMPLETE, Piece, play, texts};
use super::super::{Authentication, DriverEvent, Parser as _, Position, Probe, Protocol as _};
use super::{Ldap, LdapParser};
use Piece::{Client, ClientGap, Server, ServerGap};
use proptest::prelude::*;

fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = match body.len() {
        n @ 0..=127 => vec![n as u8],
        n => vec![0x82, (n >> 8) as u8, n as u8],
    };
    [&[tag][..], &length, body].concat()
}

fn string(text: &str) -> Vec<u8> {
    element(4, text.as_bytes())
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    element(0x30, &[&[2, 1, 7][..], &element(tag, body)].concat())
}

fn attribute(name: &str, values: &[&str]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|v| string(v)).collect();
    element(0x30, &[string(name), element(0x31, &values)].concat())
}

fn entry(tag: u8, dn: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    message(tag, &[string(dn), element(0x30, &attributes.concat())].concat())
}

fn patient() -> Vec<u8> {
    entry(
        0x64,
        "uid=17,ou=Patients,dc=example,dc=org",
        &[attribute("sn;lang-de", &["Ng"]), attribute("mail", &["a@b.example", "c@d.example"])],
    )
}

fn done() -> Vec<u8> {
    message(0x65, &[10, 1, 0, 4, 0, 4, 0])
}

fn bind(password: &str) -> Vec<u8> {
    message(
        0x60,
        &[&[2, 1, 3][..], &string("cn=admin"), &element(0x80, password.as_bytes())].concat(),
    )
}

#[test]
fn entries_of_an_answer_are_one_list() {
    let answer = [patient(), patient(), done()].concat();
    let bind = bind("secret");
    let pieces = [Client(&bind), Server(&answer)];
    let one = r#"{"Patients":{"uid":"17","surname":"Ng","mail":["a@b.example","c@d.example"]}}"#;
    assert_eq!(texts(&pieces), [(format!("[{one},{one}]"), COMPLETE)]);
    let (sink, events) = play(&pieces, 3);
    assert_eq!(events.first(), Some(&DriverEvent::Recognised("ldap")));
    assert!(sink.facts.credentials_in_clear);
    assert_eq!(sink.facts.authentication, Authentication::Basic);
    let anonymous = self::bind("");
    assert_eq!(play(&[Client(&anonymous)], 3).0.facts.authentication, Authentication::None);
}

#[test]
fn requests_say_whom_they_are_about() {
    let equal = |name: &str, value: &str| element(0xA3, &[string(name), string(value)].concat());
    let part =
        element(0xA4, &[string("givenName"), element(0x30, &element(0x80, b"Kim"))].concat());
    let filter = element(0xA0, &[equal("objectClass", "person"), equal("sn", "Ng"), part].concat());
    let search = message(
        0x63,
        &[
            string("ou=patients,dc=x"),
            b"\x0a\x01\x02\x0a\x01\0\x02\x01\0\x02\x01\0\x01\x01\0".to_vec(),
            filter,
            element(0x30, b""),
        ]
        .concat(),
    );
    let add = entry(0x68, "uid=17,dc=x", &[attribute("sn", &["Ng"])]);
    let change =
        element(0x30, &[b"\x0a\x01\x02".to_vec(), attribute("telephoneNumber", &["555"])].concat());
    let modify = message(0x66, &[string("uid=17,dc=x"), element(0x30, &change)].concat());
    let compare = message(
        0x6E,
        &[string("uid=17"), element(0x30, &[string("sn"), string("Ng")].concat())].concat(),
    );
    let requests = [search, add, modify, compare].concat();
    let got: Vec<String> = texts(&[Client(&requests)]).into_iter().map(|(text, _)| text).collect();
    assert_eq!(
        got,
        [
            r#"{"patients":{"surname":"Ng","givenName":"Kim"}}"#,
            r#"{"uid":"17","surname":"Ng"}"#,
            r#"{"uid":"17","telephoneNumber":"555"}"#,
            r#"{"surname":"Ng"}"#
        ]
    );
}

#[test]
fn entries_are_found_in_the_middle_and_after_a_gap() {
    let answer = [patient(), done()].concat();
    let noise = [b"xx0\x03zz".to_vec(), answer.clone()].concat();
    assert_eq!(play(&[ServerGap(3), Server(&noise)], 999).0.contents.len(), 1);
    let bind = bind("x");
    let (sink, _) = play(
        &[Client(&bind), ClientGap(2), Server(&answer[..30]), ServerGap(9), Server(&answer)],
        8,
    );
    assert_eq!(sink.contents.iter().filter(|c| c.ending == COMPLETE).count(), 1);
}

#[test]
fn what_is_not_a_message_is_turned_away() {
    for bytes in [
        &b"GET / HTTP/1.1"[..],
        &[0x30, 0x84, 0, 0, 0, 1, 2],
        &[0x30, 0x80, 2, 1, 1],
        &[0x30, 7, 2, 1, 1, 0x99, 2, 1, 1],
    ] {
        assert_eq!(Ldap.probe(bytes, Position::Start), Probe::No, "{bytes:x?}");
    }
    let bind = bind("secret");
    for end in 0..10 {
        assert_eq!(Ldap.probe(&bind[..end], Position::Start), Probe::More, "{end}");
    }
}

#[test]
fn an_upgrade_to_tls_hands_the_connection_over() {
    let request = message(0x77, &element(0x80, b"1.3.6.1.4.1.1466.20037"));
    let hello = [&[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[7; 194]].concat();
    let (_, events) = play(&[Client(&request), Client(&hello)], 64);
    assert!(
        events.iter().any(|e| matches!(e, DriverEvent::Opaque(_, super::Reason::Encrypted))),
        "{events:?}"
    );
    assert_eq!(LdapParser::default().memory(), 0);
}

proptest! {
    #[test]
    fn garbage_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..40) {
        let (bind, entry) = (bind("x"), patient());
        play(&[Client(&bind), Server(&entry), ServerGap(3), Server(&bytes), Client(&bytes)], size);
        play(&[Server(&bytes)], size);
    }
}

#[test]
fn the_name_of_an_entry_has_what_its_attributes_lack() {
    let name = "cn=Ng\\, Ana \\C3\\9C+UID=17,ou=Patients,dc=x";
    let entry_ = entry(0x64, name, &[attribute("uid", &["17"]), attribute("dob", &["1970-01-02"])]);
    let answer = [bind("x"), [entry_, done()].concat()];
    let pieces = [Client(&answer[0]), Server(&answer[1])];
    let expected = r#"[{"Patients":{"full_name":"Ng, Ana Ü","uid":"17","dob":"1970-01-02"}}]"#;
    assert_eq!(texts(&pieces), [(expected.to_owned(), COMPLETE)]);
    for name in ["dc=x", "ou=a,dc=x", "=", "cn", "cn=", "cn=\\", "a b=c", ""] {
        let answer = [entry(0x64, name, &[attribute("dob", &["x"])]), done()].concat();
        let got = texts(&[Client(&bind("x")), Server(&answer)]);
        assert!(got.len() == 1 && !got[0].0.contains("full_name"), "{name}: {got:?}");
    }
}

#[test]
fn the_first_attributes_in_a_name_are_read() {
    let name: String = (0..9).map(|n| format!("a{n}=v{n}+")).collect();
    let answer = [entry(0x64, &name, &[attribute("dob", &["x"])]), done()].concat();
    let got = texts(&[Client(&bind("x")), Server(&answer)]);
    assert!(got.len() == 1 && got[0].0.contains("\"a7\":\"v7\""), "{got:?}");
    assert!(!got[0].0.contains("a8"), "{got:?}");
}
