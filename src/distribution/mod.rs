//! Distributes rules and suppressions to all sensors. `phitap rules publish` writes the files of a
//! folder, signed with Ed25519 (RFC 8032), to a key-value bucket of JetStream. `phitap rules
//! follow` runs on each sensor. It installs what has a valid signature, is newer and loads without
//! fault, all at once. `live --rules` notices the change and loads it; `live --rules-from` does
//! both.
//!
//! With `rules follow`, the sensor itself needs neither a broker nor a writable folder. The
//! publisher need not be reachable.

mod bundle;
mod follow;
mod key;
mod publish;

#[cfg(test)]
mod tests;

pub use bundle::{Bundle, Refusal};
pub use follow::{companion, follow};
pub use key::{KeyFileError, PublicKey};
pub use publish::{latest, publish};

use crate::broker::{self, BrokerError};
use crate::rules::LoadError;
use std::path::PathBuf;

/// The bucket of rules.
const BUCKET: &str = "phitap-rules";
/// The key of the current bundle.
const CURRENT: &str = "current";

/// Settings of `rules publish`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The broker.
    pub broker: broker::Settings,
    /// The folder of rules.
    pub rules: PathBuf,
    /// The private key, PEM.
    pub sign_key: PathBuf,
}

/// Settings of `rules follow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The broker.
    pub broker: broker::Settings,
    /// The folder in which `current` links to the active rules.
    pub into: PathBuf,
    /// The public key, PEM.
    pub rules_key: PathBuf,
    /// Where counters are written, in the Prometheus text format.
    pub metrics_file: Option<PathBuf>,
    /// Install the current rules and exit.
    pub once: bool,
    /// Print only errors.
    pub quiet: bool,
}

/// Why rules cannot be published or followed. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum DistributionError {
    /// The broker cannot be reached, or refuses.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// JetStream refused a request.
    #[error("{0}")]
    Stream(String),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The rules are faulty.
    #[error(transparent)]
    Rules(#[from] LoadError),
    /// The published rules were refused.
    #[error("the published rules are refused: {0}")]
    Refused(#[from] Refusal),
    /// There is no rule to publish.
    #[error(
        "{path}: no file of rules (*.toml), and every sensor would lose the rules it has; to go back to the shipped rules, \
         publish a file with a comment only",
        path = .0.display()
    )]
    Empty(PathBuf),
    /// Nothing was published yet.
    #[error("no rules were published yet; see phitap rules publish")]
    Nothing,
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}
