//! What is learnt of handshakes in datagrams: QUIC that rustls makes, the packet of RFC 9001, and DTLS.

use super::super::{HandshakeReader, TlsFacts, TlsVersion};
use crate::protocol::datagrams::frame_datagram;
use proptest::prelude::*;
use rustls::quic::{Keys, Version};
use std::sync::Arc;

/// What datagrams show of a flow: from whom, and the bytes.
fn shown(datagrams: &[(usize, Vec<u8>)]) -> Option<TlsFacts> {
    let (_, first) = datagrams.first()?;
    let mut reader = HandshakeReader::of_datagram(first)?;
    for (side, datagram) in datagrams {
        let mut frame = Vec::new();
        frame_datagram(datagram, &mut frame);
        reader.read(*side, &frame);
        assert!(reader.memory() < 512 << 10, "{} bytes held", reader.memory());
    }
    reader.facts().cloned()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16);
    digits.chunks(2).map(|pair| byte(pair).expect("digits")).collect()
}

/// A number in two bytes.
fn two(n: usize) -> [u8; 2] {
    (0x4000 | n as u16).to_be_bytes()
}

/// A first packet. `kind` is its type with the form bits.
struct Initial<'a> {
    kind: u8,
    version: u32,
    destination: &'a [u8],
    number: u8,
}

impl Initial<'_> {
    fn seal(&self, keys: &rustls::quic::DirectionalKeys, frames: &[u8]) -> Vec<u8> {
        let mut packet = vec![self.kind];
        packet.extend_from_slice(&self.version.to_be_bytes());
        packet.push(self.destination.len() as u8);
        packet.extend_from_slice(self.destination);
        // No id of the sender, no token.
        packet.extend_from_slice(&[0, 0]);
        packet.extend_from_slice(&two(1 + frames.len() + 16));
        packet.push(self.number);
        let header = packet.clone();
        let mut payload = frames.to_vec();
        let tag = keys.packet.encrypt_in_place(self.number.into(), &header, &mut payload);
        packet.extend_from_slice(&payload);
        packet.extend_from_slice(tag.expect("sealed").as_ref());
        let number = header.len() - 1;
        let sample: Vec<u8> = packet[number + 4..number + 20].to_vec();
        let (first, rest) = packet.split_at_mut(1);
        let masked =
            keys.header.encrypt_in_place(&sample, &mut first[0], &mut rest[number - 1..number]);
        masked.expect("masked");
        packet
    }
}

fn crypto(at: usize, bytes: &[u8]) -> Vec<u8> {
    [&[6][..], &two(at), &two(bytes.len()), bytes].concat()
}

fn keys(version: Version, destination: &[u8], side: rustls::Side) -> Keys {
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let suite = suite.tls13().and_then(rustls::Tls13CipherSuite::quic_suite).expect("a suite");
    suite.keys(destination, side, version)
}

/// The hellos of both ends, as rustls makes them.
fn hellos(version: Version) -> (Vec<u8>, Vec<u8>) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let names = ["pacs.hospital.example".to_owned()];
    let parameters = rcgen::CertificateParams::new(names).expect("parameters");
    let certificate = parameters.self_signed(&key).expect("a certificate").der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a server");
    server.alpn_protocols = vec![b"h3".to_vec()];
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h3".to_vec()];
    let name = "PACS.hospital.example".try_into().expect("a name");
    let client = rustls::quic::ClientConnection::new(
        Arc::new(client),
        version,
        name,
        b"\x01\x01\x05".to_vec(),
    );
    let mut client = client.expect("a client");
    let server = rustls::quic::ServerConnection::new(Arc::new(server), version, Vec::new());
    let mut server = server.expect("a server");
    let (mut hello, mut answer) = (Vec::new(), Vec::new());
    client.write_hs(&mut hello);
    server.read_hs(&hello).expect("a hello");
    server.write_hs(&mut answer);
    (hello, answer)
}

const ID: &[u8] = b"\x83\x94\xc8\xf0\x3e\x51\x57\x08";

/// A connection as datagrams: the hello in two packets, the second part first, and the answer.
fn connection(version: Version, number: u32, kind: u8) -> Vec<(usize, Vec<u8>)> {
    let (hello, answer) = hellos(version);
    let keys = keys(version, ID, rustls::Side::Client);
    let of = |number_of_packet, destination| Initial {
        kind,
        version: number,
        destination,
        number: number_of_packet,
    };
    let (front, back) = hello.split_at(hello.len() / 2);
    let late = [crypto(front.len(), back), vec![1], vec![0; 700]].concat();
    // Acknowledgements with a gap between two ranges.
    let early = [vec![2, 3, 0, 1, 0, 1, 0], crypto(0, front), vec![0; 700]].concat();
    let answer = [vec![2, 1, 0, 0, 1], crypto(0, &answer)].concat();
    vec![
        (0, of(0, ID).seal(&keys.local, &late)),
        (0, of(1, ID).seal(&keys.local, &early)),
        (1, of(0, b"client").seal(&keys.remote, &answer)),
    ]
}

#[test]
fn quic_shows_its_version_and_the_name_that_is_asked_for() {
    for (version, number, kind, expected) in [
        (Version::V1, 1, 0xc0, TlsVersion::Quic1),
        (Version::V2, 0x6b33_43cf, 0xd0, TlsVersion::Quic2),
        (Version::V1Draft, 0xff00_001d, 0xc0, TlsVersion::QuicDraft),
    ] {
        let datagrams = connection(version, number, kind);
        let facts = shown(&datagrams).expect("a handshake");
        assert_eq!(facts.versions, [TlsVersion::Tls13, expected]);
        assert_eq!(facts.server_names, ["pacs.hospital.example"]);
        assert_eq!(facts.inside, ["h3"]);
        // Without an answer nothing shows that there is a service.
        assert!(shown(&datagrams[..2]).is_none());
        // All in one datagram; each twice.
        let joined = [datagrams[0].1.clone(), datagrams[1].1.clone()].concat();
        assert_eq!(shown(&[(0, joined), datagrams[2].clone()]).as_ref(), Some(&facts));
        let twice: Vec<_> = datagrams.iter().flat_map(|d| [d.clone(), d.clone()]).collect();
        assert_eq!(shown(&twice), Some(facts));
    }
}

#[test]
fn behind_a_retry_the_new_id_makes_the_keys() {
    let mut datagrams = connection(Version::V1, 1, 0xc0);
    let first = Initial { kind: 0xc0, version: 1, destination: b"firstid0", number: 0 };
    let old = keys(Version::V1, b"firstid0", rustls::Side::Client);
    let hello = first.seal(&old.local, &[crypto(0, b"\x01\x00\x01\x00"), vec![0; 700]].concat());
    let retry = [&[0xf0, 0, 0, 0, 1, 0, 8][..], ID, &[7; 40]].concat();
    datagrams.splice(0..0, [(0, hello), (1, retry)]);
    let facts = shown(&datagrams).expect("a handshake");
    assert_eq!(facts.server_names, ["pacs.hospital.example"]);
}

/// The hello of RFC 9001 A.2, before it is protected.
const RFC_HELLO: &str = "
    060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868
    04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578
    616d706c652e636f6dff01000100000a00080006001d00170018001000070005
    04616c706e000500050100000000003300260024001d00209370b2c9caa47fba
    baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400
    0d0010000e0403050306030203080408050806002d00020101001c0002400100
    3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000
    75300901100f088394c8f03e51570806048000ffff";

#[test]
fn the_packet_of_the_standard_is_read() {
    let mut frames = hex(RFC_HELLO);
    frames.resize(1162, 0);
    let keys = keys(Version::V1, ID, rustls::Side::Client);
    let mut packet = hex("c300000001088394c8f03e5157080000449e00000002");
    let header = packet.clone();
    let tag = keys.local.packet.encrypt_in_place(2, &header, &mut frames).expect("sealed");
    packet.extend_from_slice(&frames);
    packet.extend_from_slice(tag.as_ref());
    let sample: Vec<u8> = packet[22..38].to_vec();
    // A.2 gives the sample, and the header once it is protected.
    assert_eq!(sample, hex("d1b1c98dd7689fb8ec11d242b123dc9b"));
    let (first, rest) = packet.split_at_mut(1);
    keys.local.header.encrypt_in_place(&sample, &mut first[0], &mut rest[17..21]).expect("masked");
    assert_eq!(packet[..22], hex("c000000001088394c8f03e5157080000449e7b9aec34"));
    assert_eq!(packet.len(), 1200);
    let mut answer =
        hex("020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a04");
    answer.extend(hex("5a1200130100002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081"));
    answer.extend(hex("287c834d5311bcf32bb9da1a002b00020304"));
    let server = Initial { kind: 0xc0, version: 1, destination: b"", number: 1 };
    let answer = server.seal(&keys.remote, &crypto(0, &answer));
    let facts = shown(&[(0, packet), (1, answer)]).expect("a handshake");
    assert_eq!(facts.server_names, ["example.com"]);
    assert_eq!(facts.inside, ["alpn"]);
    assert_eq!(facts.versions, [TlsVersion::Tls13, TlsVersion::Quic1]);
}

// --- DTLS ----------------------------------------------------------------------------------------

/// A handshake message in fragments of at most `size` bytes, each in a record.
fn fragments(kind: u8, sequence: u16, body: &[u8], size: usize) -> Vec<Vec<u8>> {
    let three = |n: usize| (n as u32).to_be_bytes()[1..].to_vec();
    let pieces: Vec<&[u8]> = if body.is_empty() { vec![&[]] } else { body.chunks(size).collect() };
    let mut at = 0;
    let record = |piece: &[u8]| {
        let mut fragment = vec![kind];
        fragment.extend(three(body.len()));
        fragment.extend(sequence.to_be_bytes());
        fragment.extend(three(at));
        fragment.extend(three(piece.len()));
        fragment.extend_from_slice(piece);
        at += piece.len();
        let len = (fragment.len() as u16).to_be_bytes();
        [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1][..], &len, &fragment].concat()
    };
    pieces.into_iter().map(record).collect()
}

fn vector(bytes: usize, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[4 - bytes..], body].concat()
}

fn client_hello(cookie: &[u8]) -> Vec<u8> {
    let name = vector(2, &[&[0][..], &vector(2, b"PACS.hospital.example")].concat());
    let extensions = [&[0, 0][..], &vector(2, &name)].concat();
    [
        &[0xfe, 0xfd][..],
        &[7; 32],
        &[0],
        &vector(1, cookie),
        &[0, 2, 0xc0, 0x2b, 1, 0],
        &vector(2, &extensions),
    ]
    .concat()
}

fn server_hello(version: u16) -> Vec<u8> {
    let extensions = match version {
        0xfefc => [&[0, 43][..], &vector(2, &version.to_be_bytes())].concat(),
        _ => Vec::new(),
    };
    let spoken = if version == 0xfeff { [0xfe, 0xff] } else { [0xfe, 0xfd] };
    [&spoken[..], &[9; 32], &[0, 0xc0, 0x2b, 0], &vector(2, &extensions)].concat()
}

/// Client and server, with a cookie that the server asks for.
fn dtls(version: u16, size: usize, certificate: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let chain = vector(3, &vector(3, certificate));
    let mut all: Vec<(usize, Vec<Vec<u8>>)> = vec![
        (0, fragments(1, 0, &client_hello(b""), size)),
        (1, fragments(3, 0, b"\xfe\xff\x04cook", size)),
        (0, fragments(1, 1, &client_hello(b"cook"), size)),
        (1, fragments(2, 1, &server_hello(version), size)),
    ];
    if version != 0xfefc {
        all.push((1, fragments(11, 2, &chain, size)));
        all.push((1, fragments(14, 3, b"", size)));
        all.push((0, fragments(16, 2, &[5; 66], size)));
    }
    let each = |(side, records): (usize, Vec<Vec<u8>>)| records.into_iter().map(move |r| (side, r));
    all.into_iter().flat_map(each).collect()
}

fn certificate() -> Vec<u8> {
    let key = rcgen::KeyPair::generate().expect("a key");
    let names = vec!["pacs.hospital.example".to_owned()];
    let parameters = rcgen::CertificateParams::new(names).expect("parameters");
    parameters.self_signed(&key).expect("a certificate").der().to_vec()
}

#[test]
fn dtls_shows_its_version_the_name_and_up_to_1_2_the_certificate() {
    let certificate = certificate();
    for (version, expected) in
        [(0xfeff, TlsVersion::Dtls10), (0xfefd, TlsVersion::Dtls12), (0xfefc, TlsVersion::Dtls13)]
    {
        for size in [64, 200, 9_000] {
            let datagrams = dtls(version, size, &certificate);
            let facts = shown(&datagrams).expect("a handshake");
            assert_eq!(facts.versions, [expected], "fragments of {size}");
            assert_eq!(facts.server_names, ["pacs.hospital.example"]);
            assert_eq!(facts.certificate.is_some(), version != 0xfefc);
            // Neighbours changed places, and each came twice.
            let mut mixed: Vec<_> = datagrams.iter().flat_map(|d| [d.clone(), d.clone()]).collect();
            (2..mixed.len() - 1).step_by(3).for_each(|at| mixed.swap(at, at + 1));
            assert_eq!(shown(&mixed), Some(facts));
        }
    }
    assert!(TlsVersion::Dtls10.is_deprecated() && !TlsVersion::Dtls12.is_deprecated());
    // In one datagram; only the hello of the client.
    let joined = dtls(0xfefd, 9_000, &certificate);
    let of = |side| joined.iter().filter(move |(of, _)| *of == side).map(|(_, d)| d.clone());
    let whole = [(0, of(0).collect::<Vec<_>>().concat()), (1, of(1).collect::<Vec<_>>().concat())];
    assert!(shown(&whole).is_some_and(|facts| facts.certificate.is_some()));
    assert!(shown(&whole[..1]).is_none());
}

proptest! {
    #[test]
    fn damaged_handshakes_show_nothing_else_and_hold_little(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), quic in any::<bool>(), cut in any::<prop::sample::Index>()
    ) {
        let mut datagrams = match quic {
            true => connection(Version::V1, 1, 0xc0),
            false => dtls(0xfefd, 90, &[0x30; 500]),
        };
        let n = at.index(datagrams.len());
        let place = at.index(datagrams[n].1.len());
        datagrams[n].1[place] = byte;
        shown(&datagrams);
        let len = cut.index(datagrams[n].1.len());
        datagrams[n].1.truncate(len);
        let facts = shown(&datagrams);
        if quic {
            prop_assert!(facts.is_none_or(|facts| facts.server_names.len() <= 1));
        }
    }

    #[test]
    fn arbitrary_datagrams_never_panic(
        pieces in proptest::collection::vec((0usize..2, proptest::collection::vec(any::<u8>(), 0..200)), 0..30)
    ) {
        let starts = [&[0xc3, 0, 0, 0, 1, 1, 9, 0, 0, 64, 50][..], &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0]];
        for start in starts {
            let begun = pieces.iter().map(|(side, rest)| (*side, [start, rest].concat()));
            shown(&begun.collect::<Vec<_>>());
        }
    }
}
