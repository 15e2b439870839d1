use super::super::recorder::{COMPLETE, CUT, Piece, play, texts};
use super::super::{Authentication, DriverEvent, Position, Probe, Protocol as _};
use super::Xmpp;
use Piece::{Client, Server, ServerGap};
use proptest::prelude::*;

const OPEN: &str = "<?xml version='1.0'?><stream:stream to='clinic.example' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const MESSAGE: &str = "<message from='drq@clinic.example/ward' to=\"lab@clinic.example\"><body>MRN: 17 \
    &lt;&gt; '</body><x a='>'/></message>";
const QUERY: &str = "<iq type='set' id='1'><query xmlns='urn:x'><patient mrn='17'/></query></iq>";

#[test]
fn messages_and_queries_are_documents() {
    let client = format!("{OPEN}\n{MESSAGE}<presence/> <r xmlns='urn:xmpp:sm:3'/>{QUERY}");
    let server =
        format!("{OPEN}<stream:features><bind/></stream:features>{MESSAGE}</stream:stream>");
    let got = texts(&[Client(client.as_bytes()), Server(server.as_bytes())]);
    let want = [MESSAGE, QUERY, MESSAGE].map(|text| (text.to_owned(), COMPLETE));
    assert_eq!(got, want);
    let (sink, events) = play(&[Client(client.as_bytes())], 5);
    assert_eq!(events.first(), Some(&DriverEvent::Recognised("xmpp")));
    assert_eq!(sink.contents[1].operation, "iq");
    assert!(sink.anomalies.is_empty());
}

#[test]
fn passwords_in_clear_and_the_way_to_tls() {
    let auth = |mechanism: &str| {
        format!(
            "{OPEN}<auth mechanism='{mechanism}' xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AGpyb2UAc2VjcmV0</auth>{OPEN}"
        )
    };
    let (sink, _) = play(&[Client(auth("PLAIN").as_bytes())], 7);
    assert!(sink.facts.credentials_in_clear);
    assert_eq!(sink.facts.files.as_ref().and_then(|f| f.user.as_deref()), Some("jroe"));
    let (sink, _) = play(&[Client(auth("SCRAM-SHA-1").as_bytes())], 7);
    assert_eq!(sink.facts.authentication, Authentication::Digest);
    let old = format!(
        "{OPEN}<iq type='set'><query xmlns='jabber:iq:auth'><username>j</username><password>s</password></query></iq>"
    );
    assert!(play(&[Client(old.as_bytes())], 999).0.facts.credentials_in_clear);
    let start = format!("{OPEN}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    let proceed = format!("{OPEN}<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    let hello = [22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    let pieces = [Client(start.as_bytes()), Server(proceed.as_bytes()), Client(&hello)];
    let (_, events) = play(&pieces, 999);
    assert!(matches!(events.last(), Some(DriverEvent::Opaque(_, super::super::Reason::Encrypted))));
}

#[test]
fn stanzas_are_found_behind_a_gap_and_in_the_middle() {
    let server = format!("{OPEN}{MESSAGE}");
    let tail = format!("y></message>{QUERY}{MESSAGE}");
    let cut = &server.as_bytes()[..server.len() - 20];
    let got = texts(&[Server(cut), ServerGap(8), Server(tail.as_bytes())]);
    assert_eq!(got[0].1, CUT);
    assert_eq!(got[1..], [QUERY, MESSAGE].map(|text| (text.to_owned(), COMPLETE)));
    let got = texts(&[ServerGap(1), Server(tail.as_bytes())]);
    assert_eq!(got, [(MESSAGE.to_owned(), COMPLETE)]);
}

#[test]
fn other_documents_are_no_xmpp() {
    for other in ["<?xml version='1.0'?><patients>", "<html>", "<stream>", "GET /", "x", "<?xmlx"] {
        assert_eq!(Xmpp.probe(other.as_bytes(), Position::Start), Probe::No, "{other}");
    }
    let html = b"<message>hello</message><p><iq type='x'>";
    assert_eq!(Xmpp.probe(html, Position::Midstream), Probe::No);
    for end in 1..OPEN.find("stream:stream").expect("root") + 13 {
        assert_eq!(Xmpp.probe(&OPEN.as_bytes()[..end], Position::Start), Probe::More, "{end}");
    }
}

proptest! {
    #[test]
    fn garbage_is_bounded(bytes in "[<>/a-z'\"= ?!]{0,200}", at in 0usize..300, size in 1usize..40) {
        let mut broken = format!("{OPEN}{MESSAGE}{QUERY}");
        let at = at % broken.len();
        broken.insert_str(at, &bytes);
        play(&[Client(broken.as_bytes()), Server(bytes.as_bytes()), ServerGap(3), Server(broken.as_bytes())], size);
    }
}
