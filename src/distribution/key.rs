//! Ed25519 keys in PEM, as written by openssl.

use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Largest file of a key, bytes.
const MAX_FILE: u64 = 16 << 10;
/// Prefix of an Ed25519 public key (RFC 8410 section 4), before its 32 bytes.
const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// A file without a usable key.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}", path = .path.display())]
pub struct KeyFileError {
    path: PathBuf,
    reason: String,
}

/// Signs bundles.
pub(super) struct PrivateKey(Ed25519KeyPair);

/// Verifies signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

fn read(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let fail = |error: std::io::Error| KeyFileError {
        path: path.into(),
        reason: format!("{error}; check the path, and that you may read it"),
    };
    let mut text = Vec::new();
    std::fs::File::open(path).map_err(fail)?.take(MAX_FILE).read_to_end(&mut text).map_err(fail)?;
    Ok(text)
}

/// Refuses a private key that other users can read.
fn closed(path: &Path) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let fail = |reason: String| KeyFileError { path: path.into(), reason };
    let meta = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?;
    let mode = meta.permissions().mode() & 0o777;
    // systemd grants access to a credential by an access list, which shows in the group bits.
    let given = std::env::var_os("CREDENTIALS_DIRECTORY");
    let open = if given.is_some_and(|folder| path.starts_with(folder)) { 0o037 } else { 0o077 };
    match mode & open {
        0 => Ok(()),
        _ => Err(fail(format!(
            "mode {mode:o} lets others read this private key: chmod 600 {}",
            path.display()
        ))),
    }
}

impl PrivateKey {
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let fail = |reason: &str| KeyFileError { path: path.into(), reason: reason.to_owned() };
        let no_key = || {
            fail(
                "no private key of Ed25519; make one with: openssl genpkey -algorithm ed25519 -out FILE",
            )
        };
        let text = zeroize::Zeroizing::new(read(path)?);
        if SubjectPublicKeyInfoDer::from_pem_slice(&text).is_ok() {
            return Err(fail(
                "this is the public key, which sensors get; sign with the private one",
            ));
        }
        closed(path)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&text).map_err(|_| no_key())?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
        pair.map(Self).map_err(|_| no_key())
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

/// From its 32 bytes.
impl From<[u8; 32]> for PublicKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl PublicKey {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// It cannot be read, or holds no such key.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let no_key = || {
            KeyFileError {
            path: path.into(),
            reason: "no public key of Ed25519; make one with: openssl pkey -in PRIVATE -pubout -out FILE"
                .to_owned(),
        }
        };
        let text = read(path)?;
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&text).map_err(|_| no_key())?;
        let bytes = der.as_ref().strip_prefix(&PREFIX).ok_or_else(no_key)?;
        bytes.try_into().map(Self).map_err(|_| no_key())
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
impl PrivateKey {
    pub fn generate() -> (Self, PublicKey) {
        use ring::signature::KeyPair as _;
        let random = ring::rand::SystemRandom::new();
        let der = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).expect("a key");
        let public = pair.public_key().as_ref().try_into().expect("32 bytes");
        (Self(pair), PublicKey(public))
    }
}
