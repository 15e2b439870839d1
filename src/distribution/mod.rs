//! Rules and suppressions from one place to all sensors: `phitap rules publish` puts the files of a folder, signed with
//! Ed25519 (RFC 8032), into a key-value bucket of JetStream; `phitap rules follow` on each sensor takes what bears a good
//! signature, is newer than what is there and loads without a fault, and puts it in place at once. `live --rules` notices
//! the change and loads it. `live --rules-from` does both.
//!
//! With `rules follow` the sensor itself needs neither a broker nor a place to write. The one who signs need not be
//! reachable.

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
/// The key of what is in force.
const CURRENT: &str = "current";

/// What `rules publish` goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The broker.
    pub broker: broker::Settings,
    /// The folder of rules.
    pub rules: PathBuf,
    /// The private key, PEM.
    pub sign_key: PathBuf,
}

/// What `rules follow` goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The broker.
    pub broker: broker::Settings,
    /// The folder in which `current` leads to the rules in force.
    pub into: PathBuf,
    /// The public key, PEM.
    pub rules_key: PathBuf,
    /// Where counters are written, in the Prometheus text format.
    pub metrics_file: Option<PathBuf>,
    /// Take what is there and end.
    pub once: bool,
    /// No messages but errors.
    pub quiet: bool,
}

/// Why rules cannot be published or followed. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum DistributionError {
    /// The broker cannot be reached, or refuses.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// JetStream refused something.
    #[error("{0}")]
    Stream(String),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The rules are faulty.
    #[error(transparent)]
    Rules(#[from] LoadError),
    /// What was published was refused.
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
        /// What the system said.
        source: std::io::Error,
    },
}
