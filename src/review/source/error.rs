//! Errors of reading a store or events.

use std::path::{Path, PathBuf};

/// Why a store or events could not be read. No message contains text of the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("cannot read {path}: {source}; check the path, and that you may read it", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nothing in it is an event.
    #[error(
        "{path} holds no events of phitap; write them with --format json, or keep a store with --store",
        path = .0.display()
    )]
    NoEvents(PathBuf),
    /// The store cannot be used.
    #[cfg(feature = "store")]
    #[error(transparent)]
    Store(#[from] crate::output::store::StoreError),
    /// This program was built without stores.
    #[error("{path} is a store, and this phitap was built without the feature store", path = .0.display())]
    NoStore(PathBuf),
}

impl ReadError {
    pub(in crate::review) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
