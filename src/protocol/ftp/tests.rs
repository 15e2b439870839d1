use super::super::recorder::{Piece, play};
use super::super::{Authentication, DriverEvent, Reason};
use Piece::{Client, ClientGap, Server};
use proptest::prelude::*;

const BANNER: &[u8] = b"220 ProFTPD ready\r\n";

#[test]
fn a_password_in_clear_is_known_but_not_kept() {
    for size in [1, 2, 5, 100] {
        let (sink, news) = play(
            &[
                Server(BANNER),
                Client(b"USER ward\r\n"),
                Server(b"331 password\r\n"),
                Client(b"PASS topsecret\r\nSTOR a.csv\r\n"),
            ],
            size,
        );
        assert!(news.contains(&DriverEvent::Recognised("ftp")), "{news:?}");
        assert!(sink.facts.credentials_in_clear);
        assert_eq!(sink.facts.authentication, Authentication::Basic);
        assert_eq!(sink.facts.software.as_deref(), Some("ProFTPD ready"));
        assert!(!format!("{:?}", sink.facts).contains("secret"));
    }
}

#[test]
fn nobody_has_no_secret() {
    let (sink, _) = play(&[Server(BANNER), Client(b"USER anonymous\r\nPASS a@b\r\n")], 9);
    assert!(!sink.facts.credentials_in_clear);
}

#[test]
fn tls() {
    let (_, news) = play(
        &[
            Server(BANNER),
            Client(b"AUTH TLS\r\n"),
            Server(b"234 go\r\n"),
            Client(&[22, 3, 1, 0, 5, 1, 0, 0, 1, 0]),
        ],
        4,
    );
    assert!(
        news.iter().any(|n| matches!(n, DriverEvent::Opaque(_, Reason::Encrypted))),
        "{news:?}"
    );
}

proptest! {
    #[test]
    fn garbage(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Server(BANNER), Client(&bytes), ClientGap(3), Client(&bytes), Server(&bytes)], size);
    }
}
