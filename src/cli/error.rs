//! Errors in arguments and in the configuration file.

use super::exit;
use std::path::PathBuf;

/// Why the arguments or the file were refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}; check the path, and that you may read it", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is faulty.
    #[error("{path}:{line}: {reason}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Values that are out of range or contradict each other.
    #[error("{0}")]
    Usage(String),
}

impl ConfigError {
    /// The exit status for the error.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Io { .. } => exit::FAILED,
            Self::File { .. } | Self::Usage(_) => exit::USAGE,
        }
    }
}

/// An error in the usage of options.
pub(super) fn usage(text: impl Into<String>) -> ConfigError {
    ConfigError::Usage(text.into())
}
