//! TLS to other machines, with the platform's roots or a given CA.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files for TLS. By default the platform's roots are trusted, and no client certificate is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Trusted CA certificates, PEM, in place of the platform's.
    pub ca: Option<PathBuf>,
    /// Client certificate chain and its private key, PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The content of a file is invalid.
    #[error("{path}: {reason}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The platform has no trusted certificates.
    #[error(
        "this system has no certificates of CAs{0}; install them (ca-certificates), or give the CA"
    )]
    NoRoots(String),
    /// An error of the library.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
}

impl TlsFiles {
    /// Whether any file was given, so that TLS is required.
    pub fn is_given(&self) -> bool {
        *self != Self::default()
    }

    /// A client configuration with TLS 1.2 or 1.3 that checks the server's certificate.
    ///
    /// # Errors
    /// A file cannot be read or is invalid, or the platform has no roots.
    pub fn client(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots()?);
        let Some((chain, key)) = &self.certificate else {
            return Ok(builder.with_no_client_auth());
        };
        let certificates = certificates(chain)?;
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| fault(key, error.to_string()))?;
        builder
            .with_client_auth_cert(certificates, private)
            .map_err(|error| fault(key, error.to_string()))
    }

    /// The same files as text, for a library of its own: all that is trusted, in PEM.
    ///
    /// # Errors
    /// As [`Self::client`].
    #[cfg(feature = "kafka")]
    pub(super) fn pem(&self) -> Result<Pem, TlsError> {
        self.client()?;
        let trusted = match &self.ca {
            Some(ca) => certificates(ca)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let text = |path: &Path| {
            std::fs::read_to_string(path).map_err(|error| fault(path, error.to_string()))
        };
        let own = match &self.certificate {
            Some((chain, key)) => Some((text(chain)?, zeroize::Zeroizing::new(text(key)?))),
            None => None,
        };
        Ok(Pem { trusted: trusted.iter().map(|of| pem(of)).collect(), own })
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        let Some(ca) = &self.ca else {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let why = found.errors.first().map(|error| format!(" ({error})"));
                return Err(TlsError::NoRoots(why.unwrap_or_default()));
            }
            return Ok(roots);
        };
        for certificate in certificates(ca)? {
            roots.add(certificate).map_err(|error| fault(ca, error.to_string()))?;
        }
        Ok(roots)
    }
}

/// What a library needs for TLS, in PEM.
#[cfg(feature = "kafka")]
pub(super) struct Pem {
    /// Certificates of trusted CAs.
    pub trusted: String,
    /// The certificate chain of phitap, and its private key.
    pub own: Option<(String, zeroize::Zeroizing<String>)>,
}

/// A certificate in PEM (RFC 7468).
#[cfg(feature = "kafka")]
fn pem(certificate: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut lines = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        lines.push_str(&String::from_utf8_lossy(line));
        lines.push('\n');
    }
    lines.push_str("-----END CERTIFICATE-----\n");
    lines
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = read.map_err(|error| fault(path, error.to_string()))?;
    match found.is_empty() {
        true => Err(fault(path, "it holds no certificate in PEM".to_owned())),
        false => Ok(found),
    }
}

fn fault(path: &Path, reason: String) -> TlsError {
    TlsError::File { path: path.to_path_buf(), reason }
}

/// The error of a connection and its remedy, as text.
pub fn explain_tls(error: &rustls::Error) -> String {
    use rustls::{AlertDescription, CertificateError, Error};
    let words = match error {
        Error::InvalidMessage(_) => {
            "the server offers no TLS there; switch it on, as passwords and tokens go over TLS only"
        }
        // Two CAs may have the same name.
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "its certificate is of an unknown CA; give that CA",
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "its certificate has expired",
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is not for that name",
        Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::BadCertificate,
        ) => "the server asks for a certificate of phitap",
        // What `openssl req -x509` makes is a CA; webpki has no error of its own for it in rustls.
        Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            "its certificate is that of a CA, which may sign others but not serve; let it sign one for the server \
             (basicConstraints CA:FALSE), and give the CA"
        }
        other => return other.to_string(),
    };
    words.to_owned()
}
