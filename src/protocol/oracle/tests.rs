use super::super::recorder::{Piece, contents, play};
use super::super::{Authentication, DriverEvent, Role};
use super::{Oracle, Protocol as _};
use Piece::{Client, ClientGap, Server};
use proptest::prelude::*;

const MESSAGE: &[u8] =
    b"MSH|^~\\&|A|B|C|D|2025||ADT^A01|M1|P|2.5\rPID|1||77^^^N^MR||Example^Anna\r";
const DESCRIPTOR: &[u8] = b"(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=his)(CID=(PROGRAM=viewer)(HOST=pc7)(USER=jane)))(ADDRESS=(PROTOCOL=tcp)(HOST=10.0.0.2)(PORT=1521)))";

fn packet(kind: u8, wide: bool, body: &[u8]) -> Vec<u8> {
    let len = body.len() as u32 + 8;
    let length = if wide { len.to_be_bytes() } else { (len << 16).to_be_bytes() };
    [&length[..], &[kind, 0, 0, 0], body].concat()
}

/// CONNECT of this version, with the descriptor inside or behind it.
fn connect(inside: bool) -> Vec<u8> {
    let mut body = vec![0; 50];
    body[..4].copy_from_slice(&[1, 60, 1, 44]);
    body[18] = 0;
    body[19] = 58;
    if inside {
        body.extend_from_slice(DESCRIPTOR);
        return packet(1, false, &body);
    }
    [packet(1, false, &body), data(false, DESCRIPTOR)].concat()
}

fn accept(version: u16) -> Vec<u8> {
    packet(2, false, &[&version.to_be_bytes()[..], &[0; 22]].concat())
}

fn data(wide: bool, carried: &[u8]) -> Vec<u8> {
    packet(6, wide, &[&[0, 0][..], carried].concat())
}

#[test]
fn payloads_are_found_across_packets_and_the_login_is_known() {
    for (version, inside) in [(314, true), (314, false), (319, true)] {
        let wide = version >= 315;
        let (connect, accept) = (connect(inside), accept(version));
        let login = data(wide, b"\x03\x76\x01AUTH_TERMINAL");
        let framed = [b"\x03\x5e\x01", MESSAGE, b"\0\x01"].concat();
        let (head, tail) = framed.split_at(40);
        let client = [login, data(wide, head), data(wide, tail)].concat();
        let (got, sink) = contents(&[Client(&connect), Server(&accept), Client(&client)]);
        assert_eq!(got.len(), 1, "version {version}");
        assert_eq!(got[0].1, MESSAGE);
        assert_eq!(sink.contents[0].layer, "oracle");
        let files = sink.facts.files.expect("facts");
        assert_eq!((files.user.as_deref(), files.path.as_deref()), (Some("jane"), Some("/his")));
        assert_eq!(sink.facts.authentication, Authentication::Digest);
    }
}

#[test]
fn a_gap_inside_a_packet_is_one_of_its_payload() {
    let (connect, accept) = (connect(true), accept(314));
    let login = data(false, b"\x03\x76\x01AUTH_TERMINAL");
    let client = data(false, &[MESSAGE, MESSAGE].concat());
    let pieces = [
        Client(&connect),
        Server(&accept),
        Client(&login),
        Client(&client[..50]),
        ClientGap(8),
        Client(&client[58..]),
    ];
    let (sink, events) = play(&pieces, 1460);
    assert_eq!(events.first(), Some(&DriverEvent::Recognised("oracle")));
    assert_eq!(sink.contents.iter().map(|c| c.gaps).sum::<u64>(), 8);
    assert!(Oracle.roles(&sink.facts, "") == crate::protocol::Roles::server(Role::Database));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0u8..22, size in 1usize..70) {
        let (connect, accept) = (connect(true), accept(319));
        let framed = packet(kind, true, &bytes);
        play(&[Client(&connect), Server(&accept), Client(&framed), Client(&bytes), ClientGap(3), Server(&bytes)], size);
    }
}
