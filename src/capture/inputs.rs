//! Paths of the command line to capture files.

use super::{Fault, FaultKind};
use std::path::{Path, PathBuf};

/// How deep folders are searched.
const MAX_FOLDERS: usize = 32;

/// The files that `paths` name: files as they are, folders searched recursively for what starts like
/// a capture, in order of name.
///
/// Faults are folders that cannot be read or hold no capture.
pub fn expand(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<Fault>) {
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            let clean = faults.len();
            search(path, 0, &mut files, &mut faults);
            if files.len() == before && faults.len() == clean {
                faults.push(fault(path, FaultKind::NoCaptures));
            }
        } else {
            files.push(path.clone());
        }
    }
    (files, faults)
}

fn fault(path: &Path, kind: FaultKind) -> Fault {
    Fault { name: path.display().to_string(), offset: 0, kind }
}

fn search(folder: &Path, depth: usize, files: &mut Vec<PathBuf>, faults: &mut Vec<Fault>) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) => return faults.push(fault(folder, FaultKind::Io(e))),
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.sort();
    for path in paths {
        let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
        if meta.is_dir() {
            if depth < MAX_FOLDERS {
                search(&path, depth + 1, files, faults);
            }
        } else if path.is_file() && starts_like_a_capture(&path) {
            files.push(path);
        }
    }
}

/// A folder holds all sorts of files: only those that start with a known magic number count.
fn starts_like_a_capture(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    let Ok(mut file) = std::fs::File::open(path) else { return true };
    file.read_exact(&mut magic).is_ok()
        && !matches!(
            super::pcap::Header::parse(&magic),
            Err(FaultKind::NotACapture(_) | FaultKind::Empty)
        )
}
