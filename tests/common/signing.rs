//! Keys for signing rules, in files like those of openssl.

use base64::Engine as _;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::path::Path;

/// A pair of keys in files of `folder`: private, public.
pub fn keys(folder: &Path, name: &str) -> (String, String) {
    let random = ring::rand::SystemRandom::new();
    let private = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(private.as_ref()).expect("a key");
    // RFC 8410 section 4.
    let mut public = vec![0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    public.extend_from_slice(pair.public_key().as_ref());
    let write = |end: &str, label: &str, der: &[u8]| {
        let path = folder.join(format!("{name}.{end}"));
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let pem = format!("-----BEGIN {label} KEY-----\n{text}\n-----END {label} KEY-----\n");
        std::fs::write(&path, pem).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, mode).expect("mode");
        path.display().to_string()
    };
    (write("key", "PRIVATE", private.as_ref()), write("pub", "PUBLIC", &public))
}
