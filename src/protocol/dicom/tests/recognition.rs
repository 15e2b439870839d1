use super::*;
use crate::protocol::dicom::Dicom;
use crate::protocol::{Position, Probe, Protocol, Speaker};

fn start(data: &[u8]) -> Probe {
    Dicom.probe(data, Position::Start)
}

#[test]
fn both_directions_from_their_first_bytes() {
    let rq = request(&[(1, CT, &[EXPLICIT])], &[]);
    let ac = accept(&[(1, 0, EXPLICIT)]);
    assert_eq!(start(&rq), Probe::yes(Speaker::Client));
    assert_eq!(start(&ac), Probe::yes(Speaker::Server));
    assert_eq!(start(&pdu(3, &[0, 1, 1, 7])), Probe::yes(Speaker::Server));
    assert_eq!(start(&pdu(7, &[0, 0, 0, 0])), Probe::yes(Speaker::Any));
    for len in 0..99 {
        assert_eq!(start(&rq[..len]), Probe::More, "{len}");
    }
}

#[test]
fn other_protocols_are_turned_away_at_once() {
    for other in [
        // TLS record, RDP over TPKT, SSH, HTTP, SMB over NetBIOS, LDAP, MLLP, Modbus, DNS over TCP.
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"[..],
        b"\x03\x00\x00\x13\x0E\xE0\x00\x00\x00\x00\x00\x01\x00\x08",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"GET / HTTP/1.1\r\n",
        b"\x00\x00\x00\x85\xFFSMB",
        b"0\x0C\x02\x01\x01\x60\x07\x02\x01\x03",
        b"\x0BMSH|^~\\&|",
        b"\x00\x01\x00\x00\x00\x06\x01\x03",
        b"\x00\x1D\x12\x34\x01\x00\x00\x01",
        b"\x01\x01\x05\x00",
        b"\x01\x00\x00\x00\x00\x10\x00\x00",
        b"\x02\x00\x00\x00\x01\x00\x00\x02",
        b"\x04\x00\x00\x00\x00\x20\x00\x00\x00\x99\x01\x03",
        b"\x04\x01\x00\x50\x7F\x00\x00\x01\x00",
        b"\x05\x01\x00",
        b"\x05\x00\x00\x03\x10\x00\x00\x00",
    ] {
        assert_eq!(start(other), Probe::No, "{other:02X?}");
    }
}

#[test]
fn the_middle_of_an_association() {
    let data = data_set(3000);
    let stream = message(1, &store_request(), Some(&data), 1000);
    let first = 6 + 6 + store_request().len();
    // From anywhere within the first PDUs, the next one is found.
    for at in [1, 5, 40, first + 1, first + 500] {
        let rest = &stream[at..];
        let Probe::Yes { offset, speaker } = Dicom.probe(rest, Position::Midstream) else {
            panic!("not recognised from {at}");
        };
        assert_eq!(speaker, Speaker::Any);
        assert_eq!(rest[offset], 4);
        assert_eq!((at + offset - first) % 1006, 0, "from {at}");
    }
    // A command reveals its sender.
    for (field, speaker) in [
        (0x0020, Speaker::Client),
        (0x8020, Speaker::Server),
        (0x0030, Speaker::Client),
        (0x8140, Speaker::Server),
        (0x0001, Speaker::Any),
    ] {
        let stream = [&b"middle"[..], &message(1, &command(field, CT, false, None), None, 1000)];
        assert_eq!(
            Dicom.probe(&stream.concat(), Position::Midstream),
            Probe::Yes { speaker, offset: 6 }
        );
    }
    // Random bytes and zeros are not taken for one.
    let mut state = 1u64;
    let noise: Vec<u8> = (0..200_000)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        })
        .collect();
    assert_eq!(Dicom.probe(&noise, Position::Midstream), Probe::More);
    assert_eq!(Dicom.probe(&[0; 4096], Position::Midstream), Probe::More);
    let grey: Vec<u8> = (0..20_000u32).flat_map(|n| [(n % 9) as u8, 0]).collect();
    assert_eq!(Dicom.probe(&grey, Position::Midstream), Probe::More);
}

#[test]
fn joined_in_the_middle() {
    let data = data_set(3000);
    let stream = [
        message(1, &store_request(), Some(&data), 1000),
        message(1, &store_request(), Some(b"next"), 1000),
    ]
    .concat();
    let (seen, _) = play(&[Piece::ClientGap(100_000), Piece::Client(&stream[400..])], 100);
    let last = seen.contents.last().expect("a content");
    assert_eq!(last.bytes, b"next");
    assert_eq!(last.media, "dicom ");
    assert_eq!(last.operation, "C-STORE");
    assert_eq!(seen.facts.authentication, Authentication::Unknown);
}
