//! The secret of a deployment, and the pseudonyms made with it.

use super::Token;
use crate::content::Object;
use crate::phi::wipe;
use crate::rules::Kind;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// Length of a key, bytes.
const KEY_BYTES: usize = 32;

/// Input of a hash that is put together without allocation, bytes.
const MAX_SHORT: usize = 128;

/// Largest key file that is read, bytes: 64 hexadecimal digits and some white space.
const MAX_KEY_FILE: u64 = 256;

/// The secret behind all pseudonyms: 256 bits, wiped when the last clone is dropped. It has no `Debug`, and cannot be
/// computed from its results.
#[derive(Clone)]
pub struct Key(Arc<Secret>);

/// One derived key per purpose, so that values made for one reveal nothing about another.
struct Secret {
    root: [u8; KEY_BYTES],
    token: [u8; KEY_BYTES],
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.root.zeroize();
        self.token.zeroize();
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read.
    #[error("key file {path}: {source}; check the path, and that you may read it", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It belongs to another user, who could read or replace it.
    #[error(
        "key file {path} belongs to user {owner}; run: chown {user} {path}",
        path = .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The user of this process.
        user: u32,
    },
    /// Others than the owner have access to the file.
    #[error(
        "key file {path} is open to group or others (mode {mode:03o}); run: chmod 600 {path}",
        path = .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// It does not hold a key.
    #[error(
        "key file {path} holds neither 32 bytes nor 64 hexadecimal digits; make one with: \
         (umask 077; head -c 32 /dev/urandom > {path})",
        path = .path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// It holds a key that is easy to guess.
    #[error(
        "key file {path} repeats one byte and is no secret; make one with: \
         (umask 077; head -c 32 /dev/urandom > {path})",
        path = .path.display()
    )]
    Guessable {
        /// The file.
        path: PathBuf,
    },
    /// The system has no random numbers.
    #[error("the system gave no random bytes for a key: {0}; use --key-file")]
    Random(getrandom::Error),
}

impl Key {
    /// A new random key.
    ///
    /// # Errors
    /// If the system has no random numbers to give.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(KeyError::Random)?;
        Ok(Self::new(&bytes))
    }

    /// The key in a file: 32 raw bytes or 64 hexadecimal digits.
    ///
    /// # Errors
    /// If the file cannot be read, is accessible to others than its owner, or holds no key. No error reveals its
    /// content.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        Self::read(path, 0o077)
    }

    /// The key in a systemd credential. systemd may grant access by an access list, which then shows in the group
    /// bits (systemd.exec(5), LoadCredential=); others cannot enter the folder.
    ///
    /// # Errors
    /// As [`Key::from_file`].
    pub fn from_credential(path: &Path) -> Result<Self, KeyError> {
        Self::read(path, 0o037)
    }

    fn read(path: &Path, closed: u32) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(io)?;
        // Checked on the open file: the path may lead to another one by now.
        let metadata = file.metadata().map_err(io)?;
        let mode = metadata.mode() & 0o777;
        if mode & closed != 0 {
            return Err(KeyError::Exposed { path: path.to_path_buf(), mode });
        }
        let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
        if owner != 0 && owner != user {
            return Err(KeyError::Foreign { path: path.to_path_buf(), owner, user });
        }
        let mut content = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE as usize));
        file.take(MAX_KEY_FILE).read_to_end(&mut content).map_err(io)?;
        let bytes = raw(&content)
            .or_else(|| hexadecimal(content.trim_ascii()))
            .ok_or_else(|| KeyError::Malformed { path: path.to_path_buf() })?;
        if bytes.iter().all(|b| *b == bytes[0]) {
            return Err(KeyError::Guessable { path: path.to_path_buf() });
        }
        Ok(Self::new(&bytes))
    }

    fn new(root: &[u8; KEY_BYTES]) -> Self {
        let token = *blake3::keyed_hash(root, b"phitap token").as_bytes();
        Self(Arc::new(Secret { root: *root, token }))
    }

    /// A short public name of the key, for people to see whether two sensors share one.
    pub fn id(&self) -> String {
        let mut id = self.derive("phitap key id", &[]);
        let text = id[..4].iter().map(|b| format!("{b:02x}")).collect();
        id.zeroize();
        text
    }

    /// 256 bits from the key, a purpose and `parts`: equal for equal input, unrelated for any other. Each purpose is
    /// used in one place only.
    pub fn derive(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        framed(&self.0.root, purpose.as_bytes(), parts)
    }

    /// The pseudonym of a normalised value, regardless of its issuer.
    pub(in crate::identify) fn token(&self, kind: Kind, normal: &str) -> Token {
        self.pseudonym(kind.as_str(), &[normal.as_bytes()])
    }

    /// The pseudonym of a normalised value of an issuer, whose name is normalised too.
    pub(in crate::identify) fn issued(&self, kind: Kind, issuer: &str, normal: &str) -> Token {
        self.pseudonym(kind.as_str(), &[issuer.as_bytes(), normal.as_bytes()])
    }

    /// The pseudonym of a patient, from other pseudonyms.
    pub(in crate::identify) fn patient(&self, parts: &[&[u8]]) -> Token {
        self.pseudonym("patient", parts)
    }

    /// The pseudonym of an object by its unique identifier, for counting.
    pub fn object(&self, object: Object, uid: &str) -> Token {
        self.pseudonym(object.as_str(), &[uid.as_bytes()])
    }

    fn pseudonym(&self, purpose: &str, parts: &[&[u8]]) -> Token {
        let hash = framed(&self.0.token, purpose.as_bytes(), parts);
        let mut token = [0; 12];
        token.copy_from_slice(&hash[..12]);
        Token(token)
    }
}

/// Keyed hash over parts with their lengths, so that no two lists of parts collide.
fn framed(key: &[u8; KEY_BYTES], purpose: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let parts = std::iter::once(&purpose).chain(parts);
    let len = parts.clone().map(|part| size_of::<u64>() + part.len()).sum();
    // One block at once is much cheaper than a hasher for any length.
    let (mut short, mut long) = ([0; MAX_SHORT], Vec::new());
    let input = match short.get_mut(..len) {
        Some(input) => input,
        None => {
            long.resize(len, 0);
            long.as_mut_slice()
        }
    };
    let mut rest = &mut *input;
    for part in parts {
        let Some((size, behind)) = rest.split_first_chunk_mut() else { break };
        *size = (part.len() as u64).to_le_bytes();
        let Some((value, behind)) = behind.split_at_mut_checked(part.len()) else { break };
        value.copy_from_slice(part);
        rest = behind;
    }
    let hash = *blake3::keyed_hash(key, input).as_bytes();
    wipe(input);
    hash
}

fn raw(content: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    content.try_into().ok().map(Zeroizing::new)
}

fn hexadecimal(text: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    if text.len() != 2 * KEY_BYTES {
        return None;
    }
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |b: u8| char::from(b).to_digit(16);
        *byte = pair.iter().try_fold(0u8, |n, b| Some(n << 4 | digit(*b)? as u8))?;
    }
    Some(bytes)
}

#[cfg(test)]
impl Key {
    /// A key for tests.
    pub(crate) fn fixed(seed: u8) -> Self {
        let mut root = [seed; KEY_BYTES];
        root[0] = seed.wrapping_add(1);
        Self::new(&root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("key");
        std::fs::write(&path, content).expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod");
        (dir, path)
    }

    #[test]
    fn raw_and_hexadecimal_files_give_the_same_key() {
        let bytes: Vec<u8> = (7..39).collect();
        let hex: String = bytes.iter().map(|b| format!("{b:02X}")).collect();
        let (_a, raw) = file(&bytes, 0o600);
        let (_b, hex) = file(format!("{hex}\n").as_bytes(), 0o400);
        let (raw, hex) = (Key::from_file(&raw).expect("raw"), Key::from_file(&hex).expect("hex"));
        assert_eq!(raw.id(), hex.id());
        assert_eq!(raw.token(Kind::Name, "x"), hex.token(Kind::Name, "x"));
    }

    #[test]
    fn files_open_to_others_are_refused_with_the_remedy() {
        for mode in [0o640, 0o604, 0o660, 0o610] {
            let (_dir, path) = file(&(0..32).collect::<Vec<u8>>(), mode);
            let error = Key::from_file(&path).err().expect("refused").to_string();
            assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
        }
    }

    #[test]
    fn a_credential_may_be_readable_by_its_group_only() {
        let bytes: Vec<u8> = (7..39).collect();
        for (mode, good) in [(0o400, true), (0o440, true), (0o444, false), (0o460, false)] {
            let (_dir, path) = file(&bytes, mode);
            assert_eq!(Key::from_credential(&path).is_ok(), good, "{mode:o}");
        }
    }

    #[test]
    fn a_file_of_somebody_else_is_refused() {
        let (_dir, path) = file(&(7..39).collect::<Vec<u8>>(), 0o600);
        match std::os::unix::fs::chown(&path, Some(65_534), None) {
            Ok(()) => {
                let error = Key::from_file(&path).err().expect("refused").to_string();
                assert!(error.contains("chown 0 ") && error.contains("65534"), "{error}");
            }
            // Only root can give files away; a file of somebody else is one of root.
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
                assert!(Key::from_file(Path::new("/proc/1/environ")).is_err());
            }
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        let long = [b'a'; 300];
        for content in [&b"too short"[..], b"", &[b'g'; 64], &long, &[b'0'; 64], &[0x41; 32]] {
            let (_dir, path) = file(content, 0o600);
            let error = Key::from_file(&path).err().expect("refused").to_string();
            assert!(!error.contains("too short") && !error.contains("aaaa"), "{error}");
            assert!(error.contains("head -c 32 /dev/urandom"), "{error}");
        }
        assert!(matches!(Key::from_file(Path::new("/nonexistent/k")), Err(KeyError::Io { .. })));
    }

    #[test]
    fn parts_of_any_length_are_hashed_behind_their_lengths() {
        let key = [7; KEY_BYTES];
        let value: Vec<u8> = (0..=255).collect();
        for len in [0, 1, 63, 64, 104, 105, 106, 200, 256] {
            let parts: [&[u8]; 2] = [&value[..len], b"x"];
            let mut input = Vec::new();
            for part in [&b"purpose"[..], parts[0], parts[1]] {
                input.extend((part.len() as u64).to_le_bytes());
                input.extend(part);
            }
            let expected = *blake3::keyed_hash(&key, &input).as_bytes();
            assert_eq!(framed(&key, b"purpose", &parts), expected, "{len}");
        }
    }

    #[test]
    fn tokens_differ_by_key_kind_and_value() {
        let (a, b) = (Key::fixed(1), Key::fixed(2));
        let token = a.token(Kind::PatientId, "123");
        assert_eq!(token, a.clone().token(Kind::PatientId, "123"));
        assert_ne!(token, b.token(Kind::PatientId, "123"));
        assert_ne!(token, a.token(Kind::Ssn, "123"));
        assert_ne!(token, a.token(Kind::PatientId, "124"));
        assert_ne!(a.id(), b.id());
        assert_ne!(a.patient(&[b"ab", b"c"]), a.patient(&[b"a", b"bc"]));
        assert_ne!(Key::generate().expect("random").id(), Key::generate().expect("random").id());
    }
}
