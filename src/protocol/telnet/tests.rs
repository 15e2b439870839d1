use super::super::recorder::{Piece, play};
use super::super::{DriverEvent, Position, Probe, Protocol};
use super::{REACTION, Telnet};
use Piece::{Client, ClientGap, Server, ServerGap};
use proptest::prelude::*;

/// The stream of the terminal; the same in pieces of any size.
fn shown(pieces: &[Piece<'_>]) -> String {
    let of = |size| {
        let (sink, _) = play(pieces, size);
        let shown = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        sink.contents.iter().map(|c| shown(&c.bytes)).collect::<String>()
    };
    let whole = of(usize::MAX);
    for size in 1..20 {
        assert_eq!(of(size), whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn options_are_taken_out_and_the_user_is_known() {
    let pieces = [
        Server(b"\xff\xfd\x18\xff\xfd\x20"),
        Client(b"\xff\xfb\x18\xff\xfb\x20"),
        Server(b"\xff\xfa\x18\x01\xff\xf0\xff\xfb\x01login: "),
        Client(b"\xff\xfa\x18\x00xterm\xff\xf0anna\r\n"),
        Server(b"anna\r\nPassword: "),
        Client(b"secret\r\n"),
        Server(b"\r\nName: 50 \xff\xff\r\n"),
    ];
    let text = shown(&pieces);
    assert!(text.starts_with("login: \x05\x05anna\r\nPassword: \x05\x05\r\nName: 50 "), "{text:?}");
    assert!(!text.contains("secret"));
    let (mut sink, _) = play(&pieces, 5);
    assert_eq!(sink.facts.files().user.as_deref(), Some("anna"));
    assert!(sink.facts.credentials_in_clear);
}

#[test]
fn what_is_typed_shows_where_the_host_does_not_echo() {
    let text = shown(&[
        Server(b"\xff\xfd\x18\xff\xfc\x01Name? "),
        Client(b"ROE,JANE\r\n"),
        Server(b"MRN? "),
    ]);
    assert_eq!(text.replace(char::from(REACTION), ""), "Name? ROE,JANE\r\nMRN? ");
}

/// A terminal in line mode sends an entry with its end in one segment.
#[test]
fn a_password_is_no_part_of_the_screen_whatever_pieces_it_comes_in() {
    let text = shown(&[
        Server(b"\xff\xfd\x18\xff\xfc\x01login: "),
        Client(b"anna\r\n"),
        Server(b"Password: "),
        Client(b"hunter2\r\n"),
        Server(b"Name? "),
        Client(b"ROE,JANE\r\n"),
    ]);
    assert!(
        text.contains("anna") && text.contains("ROE,JANE") && !text.contains("hunter2"),
        "{text:?}"
    );
}

#[test]
fn gaps_and_the_middle() {
    let got = shown(&[Server(b"\xff\xfb\x01a"), ServerGap(10), Server(b"b")]);
    assert_eq!(got, "ab");
    let screen = b"\x1b[3;5HPatient Name:\x1b[4;5HMRN:\x1b[5;5HDOB:";
    assert!(matches!(Telnet.probe(screen, Position::Midstream), Probe::Yes { .. }));
    assert_eq!(Telnet.probe(b"plain text [3;5H", Position::Midstream), Probe::No);
}

fn ebcdic(text: &str) -> Vec<u8> {
    let code =
        |c: char| (0..=255u8).find(|b| crate::syntax::ebcdic::character(*b) == c && *b >= 0x40);
    text.chars().map(|c| code(c).expect("a character of EBCDIC")).collect()
}

#[test]
fn screens_of_3270() {
    let agree = [
        Server(b"\xff\xfd\x18"),
        Client(b"\xff\xfb\x18"),
        Server(b"\xff\xfd\x19\xff\xfb\x19\xff\xfd\x00\xff\xfb\x00"),
        Client(b"\xff\xfb\x19\xff\xfd\x19\xff\xfb\x00\xff\xfd\x00"),
    ];
    // Erase and write; address (row 3, column 5 is 164: 12 bits in two bytes), a field, text.
    let mut record = b"\xf5\xc2\x11\xc2\xe4\x1d\x60".to_vec();
    record.extend(ebcdic("PATIENT NAME: ROE,JANE"));
    record.extend(b"\x11\x00\xf0");
    record.extend(ebcdic("MRN: 77123"));
    record.extend(b"\xff\xef");
    let typed =
        [b"\x7d\x40\x40\x11\x00\xf5".to_vec(), ebcdic("88123"), b"\xff\xef".to_vec()].concat();
    let pieces = [&agree[..], &[Server(&record), Client(&typed)]].concat();
    let text = shown(&pieces);
    assert_eq!(
        text,
        "\x1b[2J\x1b[1;1H\x1b[3;5H PATIENT NAME: ROE,JANE\x1b[4;1HMRN: 77123\x1b[4;6H88123\x05"
    );
}

#[test]
fn screens_of_5250() {
    let agree = [
        Server(b"\xff\xfd\x18\xff\xfd\x19\xff\xfb\x19"),
        Client(b"\xff\xfb\x18\xff\xfb\x19\xff\xfd\x19"),
    ];
    let mut body = b"\0\0\x12\xa0\0\0\x04\0\0\x03\x04\x40\x04\x11\0\x18\x11\x03\x05\x20".to_vec();
    body.extend(ebcdic("Patient: ROE,JANE"));
    body.extend(b"\x11\x04\x05\x1d\x40\x00\x20\x00\x0a");
    body.extend(ebcdic("77123"));
    body.extend(b"\xff\xef");
    let text = shown(&[&agree[..], &[Server(&body)]].concat());
    assert_eq!(text, "\x1b[2J\x1b[1;1H\x1b[3;5H Patient: ROE,JANE\x1b[4;5H 77123");
}

#[test]
fn other_conversations_are_not_telnet() {
    for bytes in
        [&b"220 ftp ready\r\n"[..], b"\xff\xd8\xff\xe0\0\x10JFIF", b"\xff\xfb\x90\x44", b"+OK\r\n"]
    {
        let (_, events) = play(&[Server(bytes)], usize::MAX);
        assert!(!events.contains(&DriverEvent::Recognised("telnet")), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Server(b"\xff\xfb\x19\xff\xfd\x19"), Client(b"\xff\xfb\x19\xff\xfd\x19"), Server(&bytes), Server(b"\xff\xef"),
            Client(&bytes), ClientGap(3), Client(&bytes), ServerGap(7), Server(&bytes)], size);
        play(&[Server(b"\xff\xfb\x01"), Server(&bytes), Client(&bytes)], size);
    }
}
