//! A service that does what a client asks that has not shown who it is, is open to anybody; one that asks is not.

use super::super::ServiceFacts;
use crate::protocol::Authentication;
use crate::protocol::recorder::{Piece, play};
use Piece::{Client, ClientGap, Server};

/// What a conversation shows, in pieces of any size.
fn facts(pieces: &[Piece<'_>]) -> ServiceFacts {
    let whole = play(pieces, usize::MAX).0.facts;
    for size in [1, 3, 11] {
        assert_eq!(play(pieces, size).0.facts, whole, "in pieces of {size}");
    }
    whole
}

#[track_caller]
fn open(pieces: &[Piece<'_>]) {
    let facts = facts(pieces);
    assert!(facts.anonymous, "{facts:?}");
    assert!(!facts.credentials_in_clear);
}

#[track_caller]
fn closed(pieces: &[Piece<'_>]) -> ServiceFacts {
    let facts = facts(pieces);
    assert!(!facts.anonymous, "{facts:?}");
    facts
}

#[test]
fn redis_is_open_where_it_answers_without_auth() {
    let get = Client(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    let value = Server(b"$1\r\nv\r\n");
    open(&[get, value]);
    open(&[Client(b"*1\r\n$4\r\nPING\r\n"), Server(b"+PONG\r\n")]);
    closed(&[get, Server(b"-NOAUTH Authentication required.\r\n")]);
    // HELLO is answered, and refused, before a login.
    closed(&[Client(b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"), Server(b"%1\r\n+server\r\n+redis\r\n")]);
    let auth = Client(b"*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n");
    assert!(closed(&[auth, Server(b"+OK\r\n"), get, value]).credentials_in_clear);
    let hello = b"*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$4\r\nward\r\n$2\r\npw\r\n";
    let facts = closed(&[Client(hello), Server(b"%1\r\n+server\r\n+redis\r\n"), get, value]);
    assert_eq!(facts.authentication, Authentication::Basic);
    // A login may have come before the capture.
    let begun = [ClientGap(9), Client(b"x\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), value];
    assert_eq!(closed(&begun).authentication, Authentication::Unknown);
}

#[test]
fn mqtt_is_open_where_a_client_without_a_name_is_let_in() {
    let connect = Client(b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a");
    open(&[connect, Server(b"\x20\x02\0\0")]);
    closed(&[connect, Server(b"\x20\x02\0\x05")]);
    closed(&[connect]);
    let named = Client(b"\x10\x10\0\x04MQTT\x04\x82\0\x3c\0\x01a\0\x01u");
    closed(&[named, Server(b"\x20\x02\0\0")]);
    // Version 5: with a session of a minute; with another way of authentication.
    let five = Client(b"\x10\x13\0\x04MQTT\x05\x02\0\x3c\x05\x11\0\0\0\x3c\0\x01a");
    open(&[five, Server(b"\x20\x03\0\0\0")]);
    let method = Client(b"\x10\x12\0\x04MQTT\x05\x02\0\x3c\x04\x15\0\x01k\0\x01a");
    closed(&[method, Server(b"\x20\x03\0\0\0")]);
}

#[test]
fn file_servers_are_open_to_guests() {
    let banner = Server(b"220 ProFTPD ready\r\n");
    let guest = [banner, Client(b"USER anonymous\r\nPASS a@b\r\n"), Server(b"230 welcome\r\n")];
    open(&guest);
    closed(&[guest[0], guest[1], Server(b"530 no guests\r\n")]);
    let user = Client(b"USER ward\r\nPASS pw\r\n");
    assert!(closed(&[banner, user, Server(b"331 ?\r\n230 in\r\n")]).credentials_in_clear);
    let (server, client) = (Server(b"@RSYNCD: 31.0\n@RSYNCD: OK\n"), b"@RSYNCD: 31.0\nresults\n");
    open(&[Client(client), server]);
    let asked = Server(b"@RSYNCD: 31.0\n@RSYNCD: AUTHREQD abc\n@RSYNCD: OK\n");
    closed(&[Client(b"@RSYNCD: 31.0\nresults\nward x0\n"), asked]);
}

#[test]
fn a_directory_is_open_where_its_entries_are_for_anybody() {
    const ROOT: &[u8] = b"\x30\x09\x02\x01\x07\x64\x04\x04\x00\x30\x00";
    const ENTRY: &[u8] = b"\x30\x0d\x02\x01\x07\x64\x08\x04\x04cn=a\x30\x00";
    let guest = Client(b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00");
    open(&[guest, Server(ENTRY)]);
    // What a server is, anybody may ask.
    closed(&[guest, Server(ROOT)]);
    let user = Client(b"\x30\x12\x02\x01\x01\x60\x0d\x02\x01\x03\x04\x04cn=a\x80\x02pw");
    closed(&[user, Server(ENTRY)]);
    // SASL.
    let sasl = Client(b"\x30\x13\x02\x01\x01\x60\x0e\x02\x01\x03\x04\x00\xa3\x07\x04\x05GSSAP");
    assert_eq!(closed(&[sasl, Server(ENTRY)]).authentication, Authentication::Digest);
}

#[test]
fn databases_are_open_where_they_ask_for_no_login() {
    let startup = Client(b"\0\0\0\x12\0\x03\0\0user\0bob\0\0");
    open(&[startup, Server(b"R\0\0\0\x08\0\0\0\0")]);
    for kind in [3, 5, 7, 10] {
        let asked = [b'R', 0, 0, 0, 8, 0, 0, 0, kind, b'R', 0, 0, 0, 8, 0, 0, 0, 0];
        closed(&[startup, Server(&asked)]);
    }
    let startup = Client(b"\x04\0\0\0\x01\0\0\0\x16\0\x01\0\x0bCQL_VERSION\0\x053.0.0");
    open(&[startup, Server(b"\x84\0\0\0\x02\0\0\0\0")]);
    let asked = Server(b"\x84\0\0\0\x03\0\0\0\x03\0\x01x\x84\0\0\x01\x02\0\0\0\0");
    closed(&[startup, asked]);
}

#[test]
fn brokers_are_open_where_messages_come_without_a_login() {
    let info = Server(b"INFO {\"server_id\":\"a\",\"version\":\"2.10.4\"}\r\n");
    let message = Server(b"MSG ward.a 1 2\r\n{}\r\n");
    open(&[
        info,
        Client(b"CONNECT {\"verbose\":false,\"pass\":\"\"}\r\nSUB ward.a 1\r\n"),
        message,
    ]);
    let password = Client(b"CONNECT {\"pass\": \"pw\", \"user\": \"u\"}\r\nSUB ward.a 1\r\n");
    assert!(closed(&[info, password, message]).credentials_in_clear);
    closed(&[info, Client(b"CONNECT {\"sig\":\"abc\"}\r\nSUB ward.a 1\r\n"), message]);
    let connected = Server(b"CONNECTED\nversion:1.2\n\n\0");
    open(&[Client(b"CONNECT\naccept-version:1.2\n\n\0"), connected]);
    closed(&[Client(b"CONNECT\nlogin:u\npasscode:pw\n\n\0"), connected]);
    let start = |mechanism: &str| {
        let mut body = vec![0, 10, 0, 11, 0, 0, 0, 0, mechanism.len() as u8];
        body.extend_from_slice(mechanism.as_bytes());
        body.extend_from_slice(b"\0\0\0\x05\0u\0pw\x05en_US");
        let len = body.len() as u32;
        [b"AMQP\0\0\x09\x01\x01\0\0", &len.to_be_bytes()[..], &body, b"\xce"].concat()
    };
    let tune = Server(b"\x01\0\0\0\0\0\x0c\0\x0a\0\x1e\0\0\0\0\0\0\0\0\xce");
    open(&[Client(&start("ANONYMOUS")), tune]);
    assert!(closed(&[Client(&start("PLAIN")), tune]).credentials_in_clear);
    assert!(closed(&[Client(&start("AMQPLAIN")), tune]).credentials_in_clear);
    closed(&[Client(&start("EXTERNAL")), tune]);
}
