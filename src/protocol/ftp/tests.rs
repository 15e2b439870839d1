use super::super::expected::{Peer, Port};
use super::super::recorder::{Piece, Recorder, play};
use super::super::{Authentication, Direction, DriverEvent, Reason};
use Piece::{Client, ClientGap, Server};
use proptest::prelude::*;

const BANNER: &[u8] = b"220 ProFTPD ready\r\n";

#[test]
fn a_password_in_clear_is_known_but_not_kept() {
    for size in [1, 2, 5, 100] {
        let (sink, events) = play(
            &[
                Server(BANNER),
                Client(b"USER ward\r\n"),
                Server(b"331 password\r\n"),
                Client(b"PASS topsecret\r\nSTOR a.csv\r\n"),
            ],
            size,
        );
        assert!(events.contains(&DriverEvent::Recognised("ftp")), "{events:?}");
        assert!(sink.facts.credentials_in_clear);
        assert_eq!(sink.facts.authentication, Authentication::Basic);
        assert_eq!(sink.facts.software.as_deref(), Some("ProFTPD ready"));
        assert!(!format!("{:?}", sink.facts).contains("secret"));
    }
}

#[test]
fn an_anonymous_login_has_no_secret() {
    let (sink, _) = play(&[Server(BANNER), Client(b"USER anonymous\r\nPASS a@b\r\n")], 9);
    assert!(!sink.facts.credentials_in_clear);
}

#[test]
fn after_auth_tls_the_connection_counts_as_encrypted() {
    let (_, events) = play(
        &[
            Server(BANNER),
            Client(b"AUTH TLS\r\n"),
            Server(b"234 go\r\n"),
            Client(&[22, 3, 1, 0, 5, 1, 0, 0, 1, 0]),
        ],
        4,
    );
    assert!(
        events.iter().any(|n| matches!(n, DriverEvent::Opaque(_, Reason::Encrypted))),
        "{events:?}"
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Server(BANNER), Client(&bytes), ClientGap(3), Client(&bytes), Server(&bytes)], size);
    }
}

/// What a control connection announces: end and port, and what the data connection then passes on.
fn announced(pieces: &[Piece<'_>]) -> Vec<(Peer, u16, String, Option<String>)> {
    let of = |size| {
        let (mut sink, _) = play(pieces, size);
        let flows = sink.expected.drain(..).map(|mut flow| {
            let Port::Number(port) = flow.port else { panic!("{:?}", flow.port) };
            let mut data = Recorder::default();
            let progress = flow.parser.data(Direction::ServerToClient, b"a,b\n", &mut data);
            assert_eq!(progress.map(|p| p.consumed), Ok(4));
            let [file] = data.contents.as_slice() else { panic!("{:?}", data.contents) };
            assert_eq!((file.bytes.as_slice(), file.layer), (&b"a,b\n"[..], "ftp"));
            assert_eq!(
                data.facts.files.as_ref().and_then(|files| files.user.as_deref()),
                Some("ward")
            );
            assert!(data.facts.credentials_in_clear);
            (flow.end, port, file.operation.clone(), data.facts.files.and_then(|files| files.path))
        });
        flows.collect::<Vec<_>>()
    };
    let whole = of(usize::MAX);
    for size in [1, 2, 7] {
        assert_eq!(of(size), whole, "in pieces of {size}");
    }
    whole
}

const LOGIN: &[u8] = b"USER ward\r\nPASS pw\r\n";

#[test]
fn a_transfer_announces_its_data_connection() {
    let path = |text: &str| Some(text.to_owned());
    let flows = announced(&[
        Server(BANNER),
        Client(LOGIN),
        Client(b"CWD /lab\r\nPASV\r\n"),
        Server(b"227 Entering Passive Mode (10,0,0,1,19,136)\r\n"),
        Client(b"STOR doe.csv\r\n"),
        Server(b"150 go\r\n226 done\r\n"),
        Client(b"EPSV\r\n"),
        Server(b"229 Entering Extended Passive Mode (|||5001|)\r\n"),
        Client(b"RETR /other/x.txt\r\nPORT 10,0,0,2,19,138\r\n"),
        Client(b"LIST\r\nEPRT |2|fe80::1|5003|\r\nAPPE b\r\n"),
    ]);
    assert_eq!(
        flows,
        [
            (Peer::Server, 5000, "STOR".to_owned(), path("/lab/*.csv")),
            (Peer::Server, 5001, "RETR".to_owned(), path("/other/*.txt")),
            (Peer::Client, 5002, "LIST".to_owned(), path("/lab/")),
            (Peer::Client, 5003, "APPE".to_owned(), path("/lab/b")),
        ]
    );
}

#[test]
fn a_transfer_waits_for_its_port_and_is_dropped_when_refused() {
    let flows = announced(&[
        Server(BANNER),
        Client(LOGIN),
        Client(b"PASV\r\nRETR a.csv\r\n"),
        Server(b"227 (10,0,0,1,19,136)\r\n"),
        Client(b"RETR b.csv\r\n"),
        Server(b"425 no connection\r\n227 (10,0,0,1,19,137)\r\n"),
    ]);
    assert_eq!(flows.len(), 1);
    assert_eq!(flows[0].1, 5000);
}
