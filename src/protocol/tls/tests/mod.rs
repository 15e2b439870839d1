//! What is learnt of handshakes that rustls makes, in pieces of any size, cut anywhere, and of garbage.

mod datagrams;

use super::*;
use crate::protocol::recorder::{Piece, play};
use crate::protocol::{Authentication, DriverEvent, Reason, ServiceFacts};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::sync::Arc;

type Versions = &'static [&'static rustls::SupportedProtocolVersion];
const TLS12: Versions = &[&rustls::version::TLS12];
const TLS13: Versions = &[&rustls::version::TLS13];

/// What a server would show, and what makes a client accept it.
struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

fn identity(days: i64) -> Identity {
    let key = rcgen::KeyPair::generate().expect("a key");
    let names = ["pacs.hospital.example".to_owned(), "archive.hospital.example".to_owned()];
    let mut parameters = rcgen::CertificateParams::new(names).expect("parameters");
    let mut name = rcgen::DistinguishedName::new();
    name.push(rcgen::DnType::CommonName, "pacs.hospital.example");
    name.push(rcgen::DnType::OrganizationName, "Hospital");
    parameters.distinguished_name = name;
    parameters.not_before = rcgen::date_time_ymd(2026, 1, 1);
    parameters.not_after = parameters.not_before + time::Duration::days(days);
    let certificate = parameters.self_signed(&key).expect("a certificate");
    Identity {
        certificate: certificate.der().clone(),
        key: PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
    }
}

/// The bytes of both sides of a handshake, in turns.
fn handshake(versions: Versions, mutual: bool) -> Vec<(bool, Vec<u8>)> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // It need not hold today for a client that does not look: it is accepted whatever it is.
    let of = identity(365);
    let mut roots = RootCertStore::empty();
    roots.add(of.certificate.clone()).expect("a root");
    let roots = Arc::new(roots);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .expect("versions");
    let builder = if mutual {
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::clone(&roots),
            Arc::clone(&provider),
        );
        builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
    } else {
        builder.with_no_client_auth()
    };
    let chain = || vec![of.certificate.clone()];
    let mut server = builder.with_single_cert(chain(), of.key.clone_key()).expect("a server");
    server.alpn_protocols = vec![b"h2".to_vec()];
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting));
    let mut client = if mutual {
        builder.with_client_auth_cert(chain(), of.key.clone_key()).expect("a client")
    } else {
        builder.with_no_client_auth()
    };
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("PACS.hospital.example").expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a client");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a server");
    let mut turns = Vec::new();
    for _ in 0..6 {
        for of_client in [true, false] {
            let mut bytes = Vec::new();
            let (from, to): (&mut dyn Tls, &mut dyn Tls) = match of_client {
                true => (&mut client, &mut server),
                false => (&mut server, &mut client),
            };
            from.write(&mut bytes);
            to.read(&bytes);
            if !bytes.is_empty() {
                turns.push((of_client, bytes));
            }
        }
    }
    assert!(!client.is_handshaking());
    turns
}

/// Both ends of a connection.
trait Tls {
    fn write(&mut self, to: &mut Vec<u8>);
    fn read(&mut self, from: &[u8]);
}

macro_rules! tls {
    ($of:ty) => {
        impl Tls for $of {
            fn write(&mut self, to: &mut Vec<u8>) {
                while self.wants_write() {
                    self.write_tls(to).expect("memory");
                }
            }
            fn read(&mut self, mut from: &[u8]) {
                while !from.is_empty() {
                    self.read_tls(&mut from).expect("memory");
                    // A server that wants no client of 1970 says so here; what was sent stays sent.
                    let _ = self.process_new_packets();
                }
            }
        }
    };
}
tls!(ClientConnection);
tls!(ServerConnection);

/// Accepts any certificate.
#[derive(Debug)]
struct Trusting;

impl rustls::client::danger::ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn played(turns: &[(bool, Vec<u8>)], size: usize) -> (ServiceFacts, Vec<DriverEvent>) {
    let piece = |(client, bytes): &'_ (bool, Vec<u8>)| match client {
        true => Piece::Client(bytes.clone().leak()),
        false => Piece::Server(bytes.clone().leak()),
    };
    let pieces: Vec<Piece<'_>> = turns.iter().map(piece).collect();
    let (sink, events) = play(&pieces, size);
    assert!(sink.contents.is_empty() && sink.units.is_empty());
    (sink.facts, events)
}

#[test]
fn up_to_tls_1_2_the_certificate_is_seen() {
    let turns = handshake(TLS12, false);
    for size in [1, 3, 100, 1 << 16] {
        let (facts, events) = played(&turns, size);
        let encrypted = DriverEvent::Opaque("unknown", Reason::Encrypted);
        assert_eq!(events, [encrypted; 2], "in pieces of {size}");
        let tls = facts.tls.expect("a handshake");
        assert_eq!(tls.versions, [TlsVersion::Tls12]);
        assert_eq!(tls.server_names, ["pacs.hospital.example"]);
        assert_eq!(tls.inside, ["h2"]);
        let certificate = tls.certificate.expect("a certificate");
        assert_eq!(certificate.subject.as_deref(), Some("pacs.hospital.example"));
        assert_eq!(certificate.names, ["pacs.hospital.example", "archive.hospital.example"]);
        assert_eq!(certificate.not_before, "2026-01-01T00:00:00.000000Z");
        assert_eq!(certificate.not_after, "2027-01-01T00:00:00.000000Z");
        assert!(certificate.self_signed && certificate.fingerprint.len() == 64);
        assert_eq!(facts.authentication, Authentication::Unknown, "what is inside is not seen");
    }
}

#[test]
fn a_certificate_of_the_client_is_a_proof_of_who_it_is() {
    for size in [1, 1 << 16] {
        let (facts, _) = played(&handshake(TLS12, true), size);
        assert_eq!(facts.authentication, Authentication::ClientCertificate);
        assert!(facts.tls.expect("a handshake").client_certificate);
    }
}

#[test]
fn tls_1_3_shows_version_and_name_and_no_certificate() {
    for mutual in [false, true] {
        let (facts, _) = played(&handshake(TLS13, mutual), 7);
        let tls = facts.tls.expect("a handshake");
        assert_eq!(tls.versions, [TlsVersion::Tls13]);
        assert_eq!(tls.server_names, ["pacs.hospital.example"]);
        assert!(tls.certificate.is_none() && !tls.client_certificate);
    }
}

#[test]
fn one_direction_alone_shows_what_it_has() {
    let turns = handshake(TLS12, false);
    let of = |client: bool| -> Vec<(bool, Vec<u8>)> {
        turns.iter().filter(|(of, _)| *of == client).cloned().collect()
    };
    let (facts, _) = played(&of(false), 100);
    assert!(facts.tls.is_some_and(|tls| tls.certificate.is_some() && tls.server_names.is_empty()));
    // Without an answer nothing shows that there is a service.
    assert!(played(&of(true), 100).0.tls.is_none());
}

#[test]
fn a_handshake_that_breaks_off_or_is_damaged_anywhere_gives_no_panic_and_no_more_than_was_there() {
    let turns = handshake(TLS12, false);
    let answer = turns.iter().position(|(client, _)| !client).expect("an answer");
    let len = turns[answer].1.len();
    for at in (0..len).step_by(11) {
        let mut cut = turns[..=answer].to_vec();
        cut[answer].1.truncate(at);
        let (facts, _) = played(&cut, 50);
        assert!(facts.tls.is_none_or(|tls| tls.certificate.is_none() || at > 200));
        let mut damaged = turns[..=answer].to_vec();
        damaged[answer].1[at] ^= 0xff;
        played(&damaged, 1 << 16);
    }
}

#[test]
fn what_connections_show_adds_up() {
    let mut earlier = TlsFacts::default();
    earlier.spoke(TlsVersion::Tls12);
    earlier.spoke(TlsVersion::Tls10);
    earlier.server_names = vec!["a.example".to_owned()];
    earlier.certificate = Some(Box::default());
    let mut later = TlsFacts::default();
    later.spoke(TlsVersion::Tls13);
    later.server_names = vec!["b.example".to_owned(), "a.example".to_owned()];
    let all = later.merged(&earlier);
    assert_eq!(all.versions, [TlsVersion::Tls10, TlsVersion::Tls12, TlsVersion::Tls13]);
    assert_eq!(all.server_names, ["b.example", "a.example"]);
    assert!(all.certificate.is_some() && all.versions[0].is_deprecated());
}
