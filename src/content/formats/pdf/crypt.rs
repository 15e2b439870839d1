//! Documents encrypted with an empty password, which every viewer opens without asking (ISO 32000-2 7.6): RC4 and AES
//! by the standard security handler, revisions 2 to 6.

use super::object::{Dict, Object};
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit, StreamCipher};
use aes::{Aes128, Aes256, Block};
use md5::Md5;
use rc4::Rc4;
use sha2::{Digest, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

/// Padding of an empty password (algorithm 2, step a).
const PADDING: [u8; 32] = [
    0x28, 0xbf, 0x4e, 0x5e, 0x4e, 0x75, 0x8a, 0x41, 0x64, 0x00, 0x4e, 0x56, 0xff, 0xfa, 0x01, 0x08,
    0x2e, 0x2e, 0x00, 0xb6, 0xd0, 0x68, 0x3e, 0x80, 0x2f, 0x0c, 0xa9, 0xfe, 0x64, 0x53, 0x69, 0x7a,
];

/// Length of a block of AES.
const BLOCK: usize = 16;

/// Rounds of algorithm 2.B: the least, and more than any document needs.
const MIN_ROUNDS: usize = 64;
const MAX_ROUNDS: usize = 1024;

/// The key of a document, and its use.
pub(super) struct Crypt {
    key: Zeroizing<Vec<u8>>,
    streams: Method,
    strings: Method,
    metadata: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    /// Not encrypted.
    None,
    Rc4,
    /// AES-128 under a key of the object.
    Aes,
    /// AES-256 under the key of the document.
    Aes256,
}

impl Crypt {
    /// From the encryption dictionary, with resolved values; `None` if the empty password does not open it, or for
    /// another handler.
    pub(super) fn new(dict: &Dict, id: &[u8]) -> Option<Self> {
        if dict.get(b"Filter").name() != b"Standard" {
            return None;
        }
        let number = |key: &[u8]| dict.get(key).number();
        let version = number(b"V").unwrap_or(0.0) as u8;
        let revision = number(b"R")? as u8;
        let string = |key: &[u8]| match dict.get(key) {
            Object::String(string) => Some(string.as_slice()),
            _ => None,
        };
        let (owner, user) = (string(b"O")?, string(b"U")?);
        let method = |key: &[u8]| match version {
            1 | 2 => Some(Method::Rc4),
            4 | 5 => filter(dict, dict.get(key).name()),
            _ => None,
        };
        let (streams, strings) = (method(b"StmF")?, method(b"StrF")?);
        let metadata = !dict.is_false(b"EncryptMetadata");
        let key = match revision {
            2..=4 => {
                let bits = if version == 1 { 40.0 } else { number(b"Length").unwrap_or(40.0) };
                // Some write the length in bytes.
                let bits = if bits < 40.0 { bits * 8.0 } else { bits };
                let bits = if version == 4 { 128.0 } else { bits };
                let len = if revision == 2 { 5 } else { (bits as usize / 8).clamp(5, 16) };
                let permissions = number(b"P")? as i64 as u32;
                let owner = owner.get(..32)?;
                let seed = [
                    &PADDING[..],
                    owner,
                    &permissions.to_le_bytes(),
                    id,
                    if revision == 4 && !metadata { &[0xff; 4] } else { &[] },
                ];
                let mut digest = Md5::new();
                seed.iter().for_each(|part| digest.update(part));
                let mut key = Zeroizing::new(digest.finalize().to_vec());
                if revision > 2 {
                    for _ in 0..50 {
                        *key = Md5::digest(key.get(..len)?).to_vec();
                    }
                }
                key.truncate(len);
                proves(&key, revision, id, user).then_some(key)
            }
            5 | 6 => {
                let hash = |salt: &[u8]| match revision {
                    5 => Some(Zeroizing::new(Sha256::digest(salt).to_vec())),
                    _ => hardened(salt),
                };
                if hash(user.get(32..40)?)?.get(..32)? != user.get(..32)? {
                    return None;
                }
                let wrapping = hash(user.get(40..48)?)?;
                let cipher = Aes256::new_from_slice(wrapping.get(..32)?).ok()?;
                let wrapped = string(b"UE")?.get(..32)?;
                Some(Zeroizing::new(chain(wrapped, [0; BLOCK], |b| cipher.decrypt_block(b))))
            }
            _ => None,
        }?;
        Some(Self { key, streams, strings, metadata })
    }

    /// Decrypts the strings in an object.
    pub(super) fn strings(&self, object: &mut Object, number: u32, generation: u16) {
        if self.strings != Method::None {
            object.each_string(&mut |string| {
                if let Some(plain) = self.decrypt(self.strings, string, number, generation) {
                    *string = plain;
                }
            });
        }
    }

    /// Decrypts the bytes of a stream; `None` if they are not encrypted.
    pub(super) fn stream(
        &self,
        dict: &Dict,
        raw: &[u8],
        number: u32,
        generation: u16,
    ) -> Option<Vec<u8>> {
        let kind = dict.get(b"Type").name();
        // 7.5.8.2: needed before anything can be decrypted; 7.4.10: a filter of its own.
        let own = match dict.get(b"Filter") {
            Object::Array(filters) => filters.iter().any(|f| f.name() == b"Crypt"),
            filter => filter.name() == b"Crypt",
        };
        if kind == b"XRef" || own || (kind == b"Metadata" && !self.metadata) {
            return None;
        }
        self.decrypt(self.streams, raw, number, generation)
    }

    fn decrypt(
        &self,
        method: Method,
        data: &[u8],
        number: u32,
        generation: u16,
    ) -> Option<Vec<u8>> {
        // Algorithm 1: a key for each object.
        let own = || {
            let mut digest = Md5::new();
            digest.update(&*self.key);
            digest.update(number.to_le_bytes().get(..3).unwrap_or_default());
            digest.update(generation.to_le_bytes());
            if method == Method::Aes {
                digest.update(b"sAlT");
            }
            let mut key = Zeroizing::new(digest.finalize().to_vec());
            key.truncate((self.key.len() + 5).min(16));
            key
        };
        match method {
            Method::None => None,
            Method::Rc4 => {
                let mut data = data.to_vec();
                Rc4::new_from_slice(&own()).ok()?.apply_keystream(&mut data);
                Some(data)
            }
            Method::Aes => {
                let (vector, data) = data.split_first_chunk::<BLOCK>()?;
                let cipher = Aes128::new_from_slice(&own()).ok()?;
                Some(unpadded(chain(data, *vector, |b| cipher.decrypt_block(b))))
            }
            Method::Aes256 => {
                let (vector, data) = data.split_first_chunk::<BLOCK>()?;
                let cipher = Aes256::new_from_slice(&self.key).ok()?;
                Some(unpadded(chain(data, *vector, |b| cipher.decrypt_block(b))))
            }
        }
    }
}

/// The method of a crypt filter (7.6.6).
fn filter(dict: &Dict, name: &[u8]) -> Option<Method> {
    if name.is_empty() || name == b"Identity" {
        return Some(Method::None);
    }
    let Object::Dict(filters) = dict.get(b"CF") else { return None };
    let Object::Dict(filter) = filters.get(name) else { return None };
    match filter.get(b"CFM").name() {
        b"V2" => Some(Method::Rc4),
        b"AESV2" => Some(Method::Aes),
        b"AESV3" => Some(Method::Aes256),
        b"None" | b"" => Some(Method::None),
        _ => None,
    }
}

/// Whether a key is that of the empty password (algorithms 4 to 6).
fn proves(key: &[u8], revision: u8, id: &[u8], user: &[u8]) -> bool {
    let apply = |key: &[u8], data: &mut [u8]| {
        if let Ok(mut cipher) = Rc4::new_from_slice(key) {
            cipher.apply_keystream(data);
        }
    };
    if revision == 2 {
        let mut proof = PADDING;
        apply(key, &mut proof);
        return user.get(..32) == Some(&proof[..]);
    }
    let mut digest = Md5::new();
    digest.update(PADDING);
    digest.update(id);
    let mut proof = digest.finalize().to_vec();
    for round in 0..20u8 {
        let key: Vec<u8> = key.iter().map(|b| b ^ round).collect();
        apply(&key, &mut proof);
    }
    user.get(..16) == Some(proof.as_slice())
}

/// Algorithm 2.B for an empty password.
fn hardened(salt: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut key = Zeroizing::new(Sha256::digest(salt).to_vec());
    for round in 0..MAX_ROUNDS {
        let text = Zeroizing::new(key.repeat(64));
        let cipher = Aes128::new_from_slice(key.get(..BLOCK)?).ok()?;
        let mut last: [u8; BLOCK] = *key.get(BLOCK..)?.first_chunk()?;
        let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
        for block in text.chunks_exact(BLOCK) {
            let mut next = Block::from(last);
            next.iter_mut().zip(block).for_each(|(a, b)| *a ^= b);
            cipher.encrypt_block(&mut next);
            last = next.into();
            out.extend_from_slice(&last);
        }
        // The first 16 bytes as a number, modulo 3.
        let choice = out.iter().take(BLOCK).map(|b| u32::from(*b)).sum::<u32>() % 3;
        *key = match choice {
            0 => Sha256::digest(&*out).to_vec(),
            1 => Sha384::digest(&*out).to_vec(),
            _ => Sha512::digest(&*out).to_vec(),
        };
        let end = usize::from(*out.last()?);
        if round + 1 >= MIN_ROUNDS && end + 32 <= round + 1 {
            key.truncate(32);
            return Some(key);
        }
    }
    None
}

/// Decrypts cipher block chaining; an incomplete block is dropped.
fn chain(data: &[u8], vector: [u8; BLOCK], decrypt: impl Fn(&mut Block)) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut before = vector;
    for block in data.chunks_exact(BLOCK) {
        let Some(block) = block.first_chunk::<BLOCK>() else { break };
        let mut plain = Block::from(*block);
        decrypt(&mut plain);
        out.extend(plain.iter().zip(before).map(|(a, b)| a ^ b));
        before = *block;
    }
    out
}

/// Removes the padding of RFC 8018 6.1.1; unchanged if that is damaged.
fn unpadded(mut data: Vec<u8>) -> Vec<u8> {
    if let Some(&count) = data.last()
        && (1..=BLOCK).contains(&usize::from(count))
    {
        data.truncate(data.len() - usize::from(count));
    }
    data
}
