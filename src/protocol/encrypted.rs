//! Recognises encrypted traffic: TLS and SSH over TCP, DTLS and QUIC over UDP. It is counted, and [`super::tls`]
//! reads the cleartext handshakes of all but SSH.

use super::{Position, Probe, Speaker};

/// Largest TLS record body: 2^14 plus expansion (RFC 8446 5.2, RFC 5246 6.2.3).
const MAX_TLS_RECORD: u16 = (1 << 14) + 2048;

/// TLS record type of a handshake (RFC 8446 5.1).
const HANDSHAKE: u8 = 22;

/// Whether bytes are encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encryption {
    /// In clear, as far as is known.
    #[default]
    Clear,
    /// Not readable.
    Encrypted,
}

/// Whether `data` begins like a TLS handshake and unlike any command of a text protocol.
pub fn is_handshake(data: &[u8]) -> bool {
    matches!(data, [HANDSHAKE] | [HANDSHAKE, 3, ..])
}

/// Whether a TCP stream is TLS or SSH. Mid-stream any TLS record counts; at the start it must be a handshake or an
/// alert.
pub fn probe(data: &[u8], at: Position) -> Probe {
    const SSH: &[u8] = b"SSH-";
    let head = &data[..data.len().min(SSH.len())];
    if !head.is_empty() && SSH.starts_with(head) {
        return if head.len() == SSH.len() { Probe::yes(Speaker::Any) } else { Probe::More };
    }
    // change_cipher_spec 20, alert 21, handshake 22, application_data 23
    if !matches!(data.first(), None | Some(20..=23)) || !matches!(data.get(1), None | Some(3)) {
        return Probe::No;
    }
    if !matches!(data.get(2), None | Some(0..=4)) {
        return Probe::No;
    }
    let &[kind, _, _, high, low, ref body @ ..] = data else {
        return Probe::More;
    };
    let len = u16::from_be_bytes([high, low]);
    let fits = match kind {
        20 => len == 1,
        21 => len == 2 || at == Position::Midstream,
        // client_hello 1, server_hello 2, or further handshake messages
        HANDSHAKE => body.first().is_none_or(|t| *t <= 24) || at == Position::Midstream,
        _ => at == Position::Midstream || len >= 16,
    };
    if fits && len > 0 && len <= MAX_TLS_RECORD { Probe::yes(Speaker::Any) } else { Probe::No }
}

/// Whether a UDP datagram is DTLS (RFC 9147 4, RFC 6347 4.1) or QUIC (RFC 9000 17).
pub fn probe_datagram(data: &[u8]) -> bool {
    match *data {
        // DTLS 1.0 and 1.2 record: type, version, epoch, sequence number, length
        [20..=26, 0xfe, 0xfd | 0xff, _, _, _, _, _, _, _, _, high, low, ..] => {
            usize::from(u16::from_be_bytes([high, low])) <= data.len() - 13
        }
        // QUIC long header: form and fixed bit, then version 1, 2 or a draft
        [first, a, b, c, d, ..] if first & 0xc0 == 0xc0 => {
            matches!(u32::from_be_bytes([a, b, c, d]), 1 | 0x6b33_43cf | 0xff00_0000..=0xff00_00ff)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_and_ssh_from_the_first_bytes() {
        let hello = [22, 3, 1, 2, 0, 1, 0, 1, 0xfc];
        for cut in 1..5 {
            assert_eq!(probe(&hello[..cut], Position::Start), Probe::More, "{cut} bytes");
        }
        assert_eq!(probe(&hello, Position::Start), Probe::yes(Speaker::Any));
        assert_eq!(probe(b"SSH-2.0-OpenSSH", Position::Start), Probe::yes(Speaker::Any));
        assert_eq!(probe(b"SS", Position::Start), Probe::More);
        assert_eq!(probe(b"GET / HTTP/1.1", Position::Start), Probe::No);
        assert_eq!(probe(&[22, 3, 1, 0xff, 0xff], Position::Start), Probe::No);
    }

    #[test]
    fn datagrams_of_quic_and_dtls_are_encrypted() {
        assert!(probe_datagram(&[0xc3, 0, 0, 0, 1, 8, 1, 2]));
        assert!(probe_datagram(&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]));
        assert!(!probe_datagram(b"<34>1 2003-10-11"));
        assert!(!probe_datagram(&[]));
    }
}
