//! Prevents outputs from overwriting inputs; also the host name.

use super::Options;
use super::error::{ConfigError, usage};
use crate::config::Backend;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Refuses to write to `path` if it is an input.
pub(super) fn keep(path: &Path, options: &Options) -> Result<(), ConfigError> {
    let outs = [&options.metrics_file, &options.state, &options.store].into_iter().flatten();
    let files = options.output.iter().filter_map(|output| output.0.target.file());
    match files.chain(outs.map(PathBuf::as_path)).find(|out| is_same_file(path, out)) {
        Some(out) => Err(usage(format!("{} is read and would be overwritten", out.display()))),
        None => Ok(()),
    }
}

/// Longest magic number of a capture, bytes.
const MAGIC: u64 = 16;

/// Whether an output path is a capture, which it would be a mistake to overwrite.
pub(super) fn is_capture(path: &Path) -> bool {
    // Opening a pipe would block until its other end is open.
    if !std::fs::metadata(path).is_ok_and(|m| m.is_file()) {
        return false;
    }
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAGIC).read_to_end(&mut head));
    read.is_ok() && crate::capture::is_capture(&head)
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (std::fs::metadata(a), std::fs::metadata(b)) {
        // A terminal or /dev/null may be both.
        (Ok(a), Ok(b)) => a.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// The host name of this machine.
pub(super) fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Largest `--pace`: a day in 86 seconds.
const MAX_PACE: u32 = 1_000;

/// Pace of packet time.
pub(super) fn pace(options: &Options) -> Result<u32, ConfigError> {
    match (options.pace.unwrap_or(1), options.backend.unwrap_or_default()) {
        (1, _) => Ok(1),
        (times @ 2..=MAX_PACE, Backend::Ring) => Ok(times),
        (2..=MAX_PACE, Backend::Pcap) => Err(usage("--pace needs --backend ring")),
        _ => Err(usage(format!("--pace must be between 1 and {MAX_PACE}"))),
    }
}
