//! Facts that handshakes show of a service.

use crate::closed_set::closed_set;
use crate::protocol::service::{FactList, FamilyFacts, Phrase, ServiceFacts, TextKind};
use crate::time::Timestamp;

closed_set! {
    /// Versions of TLS, DTLS and QUIC (`tls.versions` in events).
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub enum TlsVersion {
        /// RFC 6101; prohibited by RFC 7568.
        Ssl30 = "ssl3.0",
        /// RFC 2246; deprecated by RFC 8996.
        Tls10 = "1.0",
        /// RFC 4346; deprecated by RFC 8996.
        Tls11 = "1.1",
        /// RFC 5246.
        Tls12 = "1.2",
        /// RFC 8446.
        Tls13 = "1.3",
        /// DTLS of RFC 4347; deprecated by RFC 8996.
        Dtls10 = "dtls1.0",
        /// RFC 6347.
        Dtls12 = "dtls1.2",
        /// RFC 9147.
        Dtls13 = "dtls1.3",
        /// QUIC of RFC 9000, which contains TLS 1.3.
        Quic1 = "quic1",
        /// RFC 9369.
        Quic2 = "quic2",
        /// Drafts of QUIC.
        QuicDraft = "quic-draft",
    }
}

impl TlsVersion {
    /// By its number on the wire; drafts of 1.3 count as 1.3.
    pub const fn of(number: u16) -> Option<Self> {
        match number {
            0x0300 => Some(Self::Ssl30),
            0x0301 => Some(Self::Tls10),
            0x0302 => Some(Self::Tls11),
            0x0303 => Some(Self::Tls12),
            0x0304 | 0x7f00..=0x7fff => Some(Self::Tls13),
            0xfeff => Some(Self::Dtls10),
            0xfefd => Some(Self::Dtls12),
            0xfefc => Some(Self::Dtls13),
            _ => None,
        }
    }

    /// Whether it is deprecated or prohibited (RFC 7568, RFC 8996).
    pub const fn is_deprecated(self) -> bool {
        matches!(self, Self::Ssl30 | Self::Tls10 | Self::Tls11 | Self::Dtls10)
    }
}

/// Facts from the TLS handshakes of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsFacts {
    /// Negotiated versions, in order.
    pub versions: Vec<TlsVersion>,
    /// Hosts that clients asked for (RFC 6066 3), to a cap.
    pub server_names: Vec<String>,
    /// Negotiated application protocols (RFC 7301), to a cap: `h2`.
    pub inside: Vec<String>,
    /// The server's certificate, of the last connection that showed one.
    pub certificate: Option<Box<Certificate>>,
    /// A client sent a certificate.
    pub client_certificate: bool,
}

/// A server's certificate (RFC 5280). Its texts come from the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// Common name of the subject, or its organisation.
    pub subject: Option<String>,
    /// Hosts that it is valid for (4.2.1.6), to a cap.
    pub names: Vec<String>,
    /// Common name of the issuer, or its organisation.
    pub issuer: Option<String>,
    /// Beginning of its validity, RFC 3339.
    pub not_before: String,
    /// End of its validity.
    pub not_after: String,
    /// The same.
    pub expires: Timestamp,
    /// Self-signed: subject and issuer are the same.
    pub self_signed: bool,
    /// SHA-256 of it in hexadecimal digits.
    pub fingerprint: String,
}

impl TlsFacts {
    /// Notes that the service was used in this version.
    pub fn spoke(&mut self, version: TlsVersion) {
        if let Err(place) = self.versions.binary_search(&version) {
            self.versions.insert(place, version);
        }
    }

    /// Merges what was known before.
    pub fn merged(&self, earlier: &Self) -> Self {
        let mut all = self.clone();
        all.merge(earlier);
        all
    }
}

impl FamilyFacts for TlsFacts {
    fn for_each_text_mut(&mut self, of: &mut dyn FnMut(TextKind, &mut String)) {
        self.server_names.iter_mut().for_each(|text| of(TextKind::Name, text));
        self.inside.iter_mut().for_each(|text| of(TextKind::Code, text));
        let Some(certificate) = &mut self.certificate else { return };
        certificate.subject.iter_mut().for_each(|text| of(TextKind::Name, text));
        certificate.names.iter_mut().for_each(|text| of(TextKind::Name, text));
        certificate.issuer.iter_mut().for_each(|text| of(TextKind::Organisation, text));
    }

    fn list<'a>(&'a self, to: &mut FactList<'a>) {
        let mut tls = FactList::default();
        tls.words("versions", self.versions.iter().map(|version| version.as_str()).collect());
        tls.list("server_names", &self.server_names);
        tls.list("application_protocols", &self.inside);
        tls.flag("client_certificate", self.client_certificate.then_some(true));
        if let Some(of) = &self.certificate {
            let mut certificate = FactList::default();
            certificate.text("subject", of.subject.as_deref());
            certificate.list("names", &of.names);
            certificate.text("issuer", of.issuer.as_deref());
            certificate.text("not_before", Some(&of.not_before));
            certificate.text("not_after", Some(&of.not_after));
            certificate.flag("self_signed", Some(of.self_signed));
            certificate.text("sha256", Some(&of.fingerprint));
            tls.group("certificate", Some(certificate));
        }
        to.group("tls", Some(tls));
    }

    fn phrases<'a>(&'a self, to: &mut Vec<Phrase<'a>>) {
        to.extend(self.server_names.first().map(|name| Phrase::Text("host", name)));
    }

    fn accumulates(&self) -> bool {
        true
    }

    fn merge(&mut self, earlier: &Self) {
        earlier.versions.iter().for_each(|version| self.spoke(*version));
        ServiceFacts::add_earlier(&mut self.server_names, &earlier.server_names);
        ServiceFacts::add_earlier(&mut self.inside, &earlier.inside);
        if self.certificate.is_none() {
            self.certificate.clone_from(&earlier.certificate);
        }
        self.client_certificate |= earlier.client_certificate;
    }
}
