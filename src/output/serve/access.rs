//! Access control: a token that is compared in constant time and cannot be guessed at any speed, and TLS.

use super::ServeError;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hashbrown::HashMap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::Read as _;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// The settings for TLS connections.
pub(super) type Tls = tokio_rustls::TlsAcceptor;

/// Shortest token, bytes: 16 random hexadecimal digits are 64 bits.
const MIN_TOKEN: usize = 16;
/// Longest token, bytes.
const MAX_TOKEN: u64 = 4 << 10;
/// Wrong tokens from one address in [`WINDOW`], after which it is rejected.
const MAX_FAILURES: u32 = 8;
/// How long they are remembered.
const WINDOW: Duration = Duration::from_secs(10);
/// The addresses concerned.
const MAX_REMEMBERED: usize = 1024;

/// Access control of the server.
#[derive(Default)]
pub struct Access {
    /// If there is none, anyone who reaches the address has access.
    token: Option<Token>,
    pub(super) tls: Option<Tls>,
}

impl Access {
    /// With the token in a file, and a certificate and its key in PEM.
    ///
    /// # Errors
    /// A file that cannot be read, or has invalid content.
    pub fn load(
        token: Option<&Path>,
        certificate: Option<(&Path, &Path)>,
    ) -> Result<Self, ServeError> {
        Ok(Self {
            token: token.map(Token::load).transpose()?,
            tls: certificate.map(|(chain, key)| load_tls(chain, key)).transpose()?,
        })
    }

    /// Whether responses are encrypted.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether to answer a request from `address` with these headers; else the status with the reason.
    pub(super) fn check(
        &self,
        address: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> Result<(), StatusCode> {
        match &self.token {
            None => Ok(()),
            Some(token) => token.check(address, headers),
        }
    }
}

struct Token {
    /// Two hashes are compared in constant time, which reveals nothing about the token.
    hash: blake3::Hash,
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

struct Failures {
    since: Instant,
    count: u32,
}

impl Token {
    fn load(path: &Path) -> Result<Self, ServeError> {
        let fault = |reason: String| ServeError::File { path: path.to_path_buf(), reason };
        let mut text = Zeroizing::new(String::new());
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_TOKEN + 1).read_to_string(&mut text))
            .map_err(|error| fault(error.to_string()))?;
        let token = text.trim();
        let len = token.len();
        if len < MIN_TOKEN || len as u64 > MAX_TOKEN {
            return Err(fault(format!(
                "a token has {MIN_TOKEN} to {MAX_TOKEN} characters; make one with: openssl rand -hex 32"
            )));
        }
        Ok(Self { hash: blake3::hash(token.as_bytes()), failures: Mutex::default() })
    }

    #[expect(clippy::disallowed_methods, reason = "guesses are counted by the clock")]
    fn check(&self, address: Option<IpAddr>, headers: &HeaderMap) -> Result<(), StatusCode> {
        let address = network(address.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
        let now = Instant::now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |f: &Failures| now.duration_since(f.since) < WINDOW;
        if failures.get(&address).is_some_and(|f| recent(f) && f.count >= MAX_FAILURES) {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        // A request without a token is no guess.
        headers.get(AUTHORIZATION).ok_or(StatusCode::UNAUTHORIZED)?;
        let given = given(headers).unwrap_or_default();
        if blake3::hash(&given) == self.hash {
            return Ok(());
        }
        if failures.len() >= MAX_REMEMBERED {
            failures.retain(|_, f| recent(f));
        }
        if failures.len() >= MAX_REMEMBERED {
            failures.clear();
        }
        let entry = failures.entry(address).or_insert(Failures { since: now, count: 0 });
        if !recent(entry) {
            *entry = Failures { since: now, count: 0 };
        }
        entry.count += 1;
        Err(StatusCode::UNAUTHORIZED)
    }
}

/// What counts as one address: for IPv6 the network from which one host may choose addresses (RFC 7421).
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

/// The token of `Authorization: Bearer`, or the password of `Basic`, which browsers ask for.
fn given(headers: &HeaderMap) -> Option<Zeroizing<Vec<u8>>> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let at = value.iter().position(|&b| b == b' ')?;
    let (scheme, rest) = (value.get(..at)?, value.get(at..)?.trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(Zeroizing::new(rest.to_vec()));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = Zeroizing::new(STANDARD.decode(rest).ok()?);
    let colon = pair.iter().position(|&b| b == b':')?;
    pair.get(colon + 1..).map(|password| Zeroizing::new(password.to_vec()))
}

fn load_tls(chain: &Path, key: &Path) -> Result<Tls, ServeError> {
    fn fault(path: &Path, reason: impl std::fmt::Display) -> ServeError {
        ServeError::File { path: path.to_path_buf(), reason: reason.to_string() }
    }
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .map_err(|error| fault(chain, error))?;
    if certificates.is_empty() {
        return Err(fault(chain, "there is no certificate in it; it must be in PEM"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| fault(key, error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fault(chain, error))?
        .with_no_client_auth()
        .with_single_cert(certificates, private)
        .map_err(|error| fault(chain, error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}
