//! Shares of files, and paths on them.

/// Segments of a path shown in the facts.
const MAX_SEGMENTS: usize = 8;

/// A share.
#[derive(Clone, Default)]
pub struct Share {
    /// Its name as the client writes it.
    pub name: String,
    /// It has named pipes, not files.
    pub pipes: bool,
}

impl Share {
    /// From a path `\\server\share`.
    pub fn new(path: &str) -> Self {
        let name = path.rsplit('\\').next().unwrap_or_default();
        Self { name: name.to_owned(), pipes: name.eq_ignore_ascii_case("IPC$") }
    }

    /// The path of a file with everything masked that may contain a person's name: all but the share and the suffix.
    pub fn path(&self, file: &str) -> String {
        let mut path = String::new();
        if !self.name.is_empty() {
            path = format!("/{}", self.name);
        }
        let (folders, name) = file.rsplit_once('\\').unwrap_or(("", file));
        for _ in folders.split('\\').filter(|f| !f.is_empty()).take(MAX_SEGMENTS) {
            path.push_str("/*");
        }
        if !name.is_empty() {
            path.push_str("/*");
        }
        // Letters only, as a separator would make it another path.
        let plain = |suffix: &&str| suffix.bytes().all(|b| b.is_ascii_alphabetic());
        if let Some(suffix) = name.rsplit_once('.').map(|(_, suffix)| suffix).filter(plain) {
            path.push('.');
            path.push_str(suffix);
        }
        crate::protocol::http::mask_path(&path)
    }
}
