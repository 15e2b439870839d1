//! Credentials, read from a file and never from an argument, which every user of the machine can
//! see.

use crate::closed_set::closed_set;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use zeroize::Zeroizing;

/// Largest file of credentials, bytes: a JWT of NATS has a few kilobytes.
const MAX_FILE: u64 = 64 << 10;
/// Length of the seed of an nkey, characters.
const SEED: usize = 58;
/// How a `.creds` file begins.
const CREDS: &str = "-----BEGIN NATS USER JWT-----";

closed_set! {
    /// How a user and a password are shown to a Kafka broker (SASL).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub enum SaslMechanism {
        /// The password itself (RFC 4616).
        #[default]
        Plain = "plain",
        /// A proof of it (RFC 7677).
        ScramSha256 = "scram-sha-256",
        /// The same with a longer hash.
        ScramSha512 = "scram-sha-512",
    }
}

/// Credentials of phitap. Wiped when dropped; without `Debug` and `Display`.
pub enum Credentials {
    /// A user and a password.
    Password {
        /// User name.
        user: String,
        /// Password.
        password: Zeroizing<String>,
    },
    /// A token.
    Token(Zeroizing<String>),
    /// The seed of a NATS nkey: the server gets a signature, never the seed.
    Seed(Zeroizing<String>),
    /// The content of a NATS `.creds` file: a JWT, and the seed that signs.
    Nats(Zeroizing<String>),
}

/// Why a file of credentials cannot be used. Messages never show its content.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("credentials {path}: {source}; check the path, and that you may read it", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It belongs to another user, who could read or replace it.
    #[error("credentials {path} belong to user {owner}; run: chown {user} {path}", path = .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The user phitap runs as.
        user: u32,
    },
    /// Users other than the owner have access to the file.
    #[error(
        "credentials {path} are open to group or others (mode {mode:03o}); run: chmod 600 {path}",
        path = .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// It holds no credentials.
    #[error(
        "credentials {path} hold neither one line (a token or the seed of an nkey), nor two (user and \
         password), nor a .creds file of NATS",
        path = .path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl Credentials {
    /// Reads a file: one line is a token or the seed of an nkey, two lines are a user name and a
    /// password; or a NATS `.creds` file.
    ///
    /// # Errors
    /// The file cannot be read, other users have access to it, or it holds no credentials.
    pub fn load(path: &Path) -> Result<Self, CredentialsError> {
        let owned = || path.to_path_buf();
        let io = |source| CredentialsError::Io { path: owned(), source };
        let file = File::open(path).map_err(io)?;
        // Check the open file: the path may name another one by now.
        let metadata = file.metadata().map_err(io)?;
        let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
        // An administrator, systemd or Kubernetes (fsGroup) may grant access by group.
        let closed = if owner == 0 && user != 0 { 0o037 } else { 0o077 };
        let closed = if is_systemd_credential(path) { 0o037 } else { closed };
        let mode = metadata.mode() & 0o777;
        if mode & closed != 0 {
            return Err(CredentialsError::Exposed { path: owned(), mode });
        }
        if owner != 0 && owner != user {
            return Err(CredentialsError::Foreign { path: owned(), owner, user });
        }
        let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
        let read = file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(io)?;
        let known = if read as u64 > MAX_FILE { None } else { Self::parse(&text) };
        known.ok_or_else(|| CredentialsError::Malformed { path: owned() })
    }

    /// The credentials in the text of a file.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.trim_start().starts_with(CREDS) {
            return Some(Self::Nats(Zeroizing::new(text.to_owned())));
        }
        let mut lines = text.trim_end_matches(['\r', '\n']).lines();
        let (first, second, more) = (lines.next()?, lines.next(), lines.next());
        let printable = |line: &str| !line.is_empty() && !line.contains(char::is_control);
        if more.is_some() || !printable(first) || !second.is_none_or(printable) {
            return None;
        }
        Some(match second {
            Some(password) => Self::Password {
                user: first.to_owned(),
                password: Zeroizing::new(password.to_owned()),
            },
            None if is_seed(first) => Self::Seed(Zeroizing::new(first.to_owned())),
            None => Self::Token(Zeroizing::new(first.trim().to_owned())),
        })
    }

    /// Whether the server gets the secret itself, and not a signature made with it.
    pub fn shows_secret(&self) -> bool {
        matches!(self, Self::Password { .. } | Self::Token(_))
    }
}

/// Whether it is the seed of a user's nkey: base32 with the prefixes of seeds and users.
fn is_seed(line: &str) -> bool {
    let base32 = |b: u8| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b);
    line.len() == SEED && line.starts_with("SU") && line.bytes().all(base32)
}

/// The folder of systemd credentials (systemd.exec(5), LoadCredential=).
fn systemd_folder() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

fn is_systemd_credential(path: &Path) -> bool {
    systemd_folder().is_some_and(|folder| path.starts_with(folder))
}

/// The file that an option names. A name without a folder is first searched for among systemd
/// credentials.
pub fn locate(given: &Path) -> PathBuf {
    let mut parts = given.components();
    if let (Some(Component::Normal(name)), None) = (parts.next(), parts.next())
        && let Some(path) = systemd_folder().map(|folder| folder.join(name))
        && path.exists()
    {
        return path;
    }
    given.to_path_buf()
}
