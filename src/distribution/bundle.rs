//! The files of a rules folder as one signed bundle. It comes from a network; its signature is
//! verified before anything else in it is read.

use super::key::{PrivateKey, PublicKey};
use crate::closed_set::closed_set;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

/// Prefix of the signed bytes, so that signatures for other purposes are invalid here.
const DOMAIN: &[u8] = b"phitap rules 1\0";
/// Largest value in the bucket, bytes; the broker limits a message to a megabyte.
pub(super) const MAX_VALUE: usize = 900_000;
/// Most text of all files, bytes, and most files.
const MAX_TEXT: u64 = 16 << 20;
const MAX_FILES: usize = 256;
/// Longest name of a file, bytes.
const MAX_NAME: usize = 100;

/// Rules in published form.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Increasing number: an older bundle never replaces a newer one.
    pub version: u64,
    /// Digest of the rules in a sensor with the publisher's version of phitap.
    pub digest: String,
    /// Text of each file, by name.
    pub files: BTreeMap<String, String>,
}

closed_set! {
    /// Why a bundle was refused.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
    pub enum Refusal {
        /// It is not a bundle.
        #[error("they are damaged")]
        Damaged = "damaged",
        /// The signature was not made with the key.
        #[error("their signature is not of the given key; sign them with the private key of --rules-key")]
        Signature = "signature",
        /// It is older than the active rules.
        #[error("they are older than those in force")]
        Older = "older",
        /// A rule in it is faulty.
        #[error("a rule is faulty")]
        Faulty = "faulty",
        /// The folder cannot be written.
        #[error("they cannot be written to the folder of rules")]
        Unwritten = "unwritten",
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    bundle: String,
    signature: String,
}

fn signed(packed: &[u8]) -> Vec<u8> {
    [DOMAIN, packed].concat()
}

/// Whether this may be the name of a file in the folder.
pub(super) fn is_name(name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.len() <= MAX_NAME
        && name.ends_with(".toml")
        && !name.starts_with('.')
        && name.chars().all(part)
}

impl Bundle {
    /// The value for the bucket; `None` if it is too large.
    pub(super) fn seal(&self, key: &PrivateKey) -> Option<Vec<u8>> {
        let json = serde_json::to_vec(self).ok()?;
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&json).ok()?;
        let packed = encoder.finish().ok()?;
        let envelope = Envelope {
            bundle: BASE64.encode(&packed),
            signature: BASE64.encode(key.sign(&signed(&packed))),
        };
        let value = serde_json::to_vec(&envelope).ok()?;
        (value.len() <= MAX_VALUE).then_some(value)
    }

    /// Opens a value of the bucket.
    ///
    /// # Errors
    /// It was not signed with the key, or is damaged.
    pub fn open(value: &[u8], key: &PublicKey) -> Result<Self, Refusal> {
        if value.len() > MAX_VALUE {
            return Err(Refusal::Damaged);
        }
        let envelope: Envelope = serde_json::from_slice(value).map_err(|_| Refusal::Damaged)?;
        let packed = BASE64.decode(&envelope.bundle).map_err(|_| Refusal::Damaged)?;
        let signature = BASE64.decode(&envelope.signature).map_err(|_| Refusal::Damaged)?;
        if !key.verifies(&signed(&packed), &signature) {
            return Err(Refusal::Signature);
        }
        let mut json = Vec::new();
        let read = DeflateDecoder::new(&*packed).take(MAX_TEXT + 1).read_to_end(&mut json);
        if read.is_err() || json.len() as u64 > MAX_TEXT {
            return Err(Refusal::Damaged);
        }
        Self::read(&json)
    }

    /// Reads JSON whose signature was verified.
    ///
    /// # Errors
    /// It is damaged, or contains invalid file names.
    pub fn read(json: &[u8]) -> Result<Self, Refusal> {
        let bundle: Self = serde_json::from_slice(json).map_err(|_| Refusal::Damaged)?;
        let named = bundle.files.keys().all(|name| is_name(name));
        match named && bundle.files.len() <= MAX_FILES {
            true => Ok(bundle),
            false => Err(Refusal::Damaged),
        }
    }
}
