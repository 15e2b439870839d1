//! TLS, DTLS and QUIC: facts that a handshake shows about a service. Nothing that needs a secret is decrypted.
//!
//! Hellos are in clear in every version (RFC 8446 4.1, RFC 5246 7.4.1): the version agreed on, the name that the
//! client asks for (RFC 6066 3), the protocol inside (RFC 7301). Certificates are in clear up to TLS 1.2 (RFC 5246
//! 7.4.2); TLS 1.3 encrypts them (RFC 8446 4.4.2). DTLS has the same messages in datagrams (RFC 6347, RFC 9147). QUIC
//! has them in packets whose keys anyone can derive (RFC 9001 5.2).

mod certificate;
mod dtls;
mod facts;
mod handshake;
mod hello;
mod messages;
mod pieces;
mod quic;
#[cfg(test)]
mod tests;

pub use facts::{Certificate, TlsFacts, TlsVersion};
pub use handshake::HandshakeReader;

/// Ports that IANA has registered for protocols over TLS, with the protocol.
pub const OVER_TLS: [(u16, &str); 12] = [
    (443, "http"),
    (465, "smtp"),
    (636, "ldap"),
    (990, "ftp"),
    (992, "telnet"),
    (993, "imap"),
    (995, "pop3"),
    (2762, "dicom"),
    (5671, "amqp"),
    (6514, "syslog"),
    (8443, "http"),
    (8883, "mqtt"),
];

/// Ports that IANA has registered for DICOM and HL7, in cleartext or over TLS.
const MEDICAL_PORTS: [u16; 5] = [104, 2575, 2761, 2762, 11_112];

/// Whether a port is registered for a medical protocol.
pub fn is_medical_port(port: u16) -> bool {
    MEDICAL_PORTS.contains(&port)
}
