//! Detects a switch to TLS in the middle of a connection (STARTTLS, AUTH TLS, SSLRequest).

use super::encrypted::is_handshake;

/// Whether the client asked for TLS. After the server's consent the connection speaks another protocol. Where the
/// answer was not seen, a handshake of the client shows that the server consented.
#[derive(Default)]
pub struct TlsUpgrade {
    asked: bool,
}

impl TlsUpgrade {
    /// The client asked for TLS.
    pub const fn ask(&mut self) {
        self.asked = true;
    }

    /// Whether an answer is outstanding.
    pub const fn is_asked(&self) -> bool {
        self.asked
    }

    /// Notes the server's answer. True if TLS begins behind it.
    pub const fn answered(&mut self, agreed: bool) -> bool {
        std::mem::replace(&mut self.asked, false) && agreed
    }

    /// Whether `data` of the client is a TLS handshake rather than its next command.
    pub fn begins(&self, data: &[u8]) -> bool {
        self.asked && is_handshake(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_begins_after_consent_or_with_a_handshake() {
        let mut tls = TlsUpgrade::default();
        assert!(!tls.begins(&[22, 3, 1]), "nobody asked");
        assert!(!tls.answered(true));
        tls.ask();
        assert!(tls.begins(&[22, 3, 1]) && tls.begins(&[22]));
        assert!(!tls.begins(b"NOOP\r\n"));
        assert!(!tls.answered(false) && !tls.is_asked());
        tls.ask();
        assert!(tls.answered(true) && !tls.is_asked());
    }
}
