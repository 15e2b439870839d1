//! Errors of reading a store or events.

use std::path::{Path, PathBuf};

/// Why a store or events could not be read. No message contains text of the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A system call failed.
    #[error("cannot read {path}: {source}; {}", remedy(.source), path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It contains no event.
    #[error("{path} contains no phitap events{remedy}", path = .path.display())]
    NoEvents {
        /// The file.
        path: PathBuf,
        /// What the file seems to be, and what to do.
        remedy: &'static str,
    },
    /// The store cannot be used.
    #[cfg(feature = "store")]
    #[error(transparent)]
    Store(#[from] crate::output::store::StoreError),
    /// The program was built without support for stores.
    #[error("{path} is a store, and this phitap was built without the feature store", path = .0.display())]
    NoStore(PathBuf),
}

/// What to do about a file that cannot be read.
pub(in crate::review) fn remedy(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{FileTooLarge, InvalidInput, IsADirectory, UnexpectedEof};
    match error.kind() {
        IsADirectory => "name a file in it",
        FileTooLarge => "look at what it holds (zcat FILE | head)",
        UnexpectedEof | InvalidInput => "it is damaged, or was cut off",
        _ => "check the path, and that you may read it",
    }
}

impl ReadError {
    pub(in crate::review) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
