//! Expands paths of the command line to capture files.

use super::origin::{Origin, STDIN};
use super::sniff::{self, Packing, SNIFF};
use super::unpack::Unpack;
use super::{Fault, FaultKind, formats};
use std::collections::HashSet;
use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Bytes read to recognise ERF.
const ERF_SNIFF: u64 = 8 << 10;

/// Deepest folder searched.
const MAX_FOLDERS: usize = 32;

/// The files that `paths` name. Files are taken as they are. Folders are searched recursively, in
/// order of name, for what begins like a capture, compressed or not. A file found again under
/// another name (a link) is taken once.
///
/// The faults are folders that cannot be read or hold no capture.
pub fn expand(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<Fault>) {
    let mut search = Search::default();
    for path in paths.iter().filter(|p| !p.is_dir()) {
        search.seen.extend(path.metadata().ok().as_ref().map(identity));
    }
    for path in paths {
        if path.as_os_str() != STDIN && path.is_dir() {
            let before = (search.files.len(), search.faults.len(), search.again);
            search.folder(path, 0);
            if before == (search.files.len(), search.faults.len(), search.again) {
                search.faults.push(fault(path, FaultKind::NoCaptures));
            }
        } else {
            search.files.push(path.clone());
        }
    }
    (search.files, search.faults)
}

fn fault(path: &Path, kind: FaultKind) -> Fault {
    Fault { name: path.display().to_string(), offset: 0, unpacked: false, kind }
}

/// Identifies a file: device and inode.
fn identity(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

#[derive(Default)]
struct Search {
    files: Vec<PathBuf>,
    faults: Vec<Fault>,
    seen: HashSet<(u64, u64)>,
    /// Number of captures found again.
    again: usize,
}

impl Search {
    fn folder(&mut self, folder: &Path, depth: usize) {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) => return self.faults.push(fault(folder, FaultKind::Io(e))),
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
        paths.sort();
        for path in paths {
            // Links to folders are not followed, because they may lead back.
            if std::fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir()) {
                if depth < MAX_FOLDERS {
                    self.folder(&path, depth + 1);
                }
                continue;
            }
            let Ok(meta) = path.metadata() else { continue };
            if !meta.is_file() || !starts_like_a_capture(&path) {
                continue;
            }
            if self.seen.insert(identity(&meta)) {
                self.files.push(path);
            } else {
                self.again += 1;
            }
        }
    }
}

/// Whether a file in a folder begins with a known magic number, also inside compressed data.
fn starts_like_a_capture(path: &Path) -> bool {
    let Ok(mut origin) = Origin::open(path) else {
        // Cannot be read now; opening it will report why.
        return true;
    };
    let mut start = Vec::with_capacity(SNIFF);
    if origin.by_ref().take(SNIFF as u64).read_to_end(&mut start).is_err() {
        return true;
    }
    let Some(packing) = Packing::of(&start) else {
        return sniff::is_capture(&start) || (named_like_erf(path) && is_erf(start, origin));
    };
    let mut unpack = Unpack::new(packing, start, origin);
    let mut inner = [0; 4];
    let mut filled = 0;
    while let Some(room) = inner.get_mut(filled..).filter(|r| !r.is_empty()) {
        match unpack.read(room) {
            Ok(0) => return false,
            Ok(n) => filled += n,
            // Damaged, so go by the name.
            Err(_) => return named_like_a_capture(path),
        }
    }
    sniff::is_capture(&inner)
}

/// ERF has no magic number, so go by the name.
fn named_like_erf(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("erf"))
}

/// Whether a file that begins with `start` has plausible ERF records.
fn is_erf(mut start: Vec<u8>, origin: impl Read) -> bool {
    let ended =
        origin.take(ERF_SNIFF).read_to_end(&mut start).is_ok_and(|n| (n as u64) < ERF_SNIFF);
    formats::is_erf(&start, ended)
}

fn named_like_a_capture(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().contains("cap"))
}
