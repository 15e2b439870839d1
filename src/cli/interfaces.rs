//! Settings of live captures: interfaces and sandbox.

use super::error::{ConfigError, usage};
use super::inputs::pace;
use super::{Options, Size};
use crate::config::{Capture, Source, Timestamps};
use crate::destination::Target;
use crate::sandbox::Sandbox;
use std::path::{Path, PathBuf};

/// DNS port, which the sandbox allows for answers over TCP.
const DNS: u16 = 53;
/// Default, smallest and largest `--ring-size`, bytes.
const RING: u64 = 64 << 20;
const MIN_RING: u64 = 1 << 20;
const MAX_RING: u64 = 4 << 30;
/// Default and largest `--snaplen` (libpcap's value for everything), and the smallest, which holds
/// headers.
const SNAPLEN: u32 = 262_144;
const MIN_SNAPLEN: u32 = 128;

/// Settings of the capture.
pub(super) fn capture(
    options: &Options,
    memory: u64,
    source: &Source,
) -> Result<Capture, ConfigError> {
    let interfaces = match source {
        Source::Interfaces(names) => names.len() as u64,
        Source::Files(_) => 0,
    };
    Ok(Capture {
        backend: options.backend.unwrap_or_default(),
        ring: ring_size(options.ring_size, memory, interfaces)?,
        snaplen: snaplen(options.snaplen)?,
        timestamps: options.timestamps.unwrap_or_default(),
        wait: options.wait,
        pace: pace(options)?,
    })
}

/// The sandbox of a live run, which may still write to the folders of its outputs.
pub(super) fn sandbox(options: &Options) -> Option<Sandbox> {
    let outputs =
        [&options.metrics_file, &options.report, &options.assets, &options.store, &options.state];
    let files = options.output.iter().filter_map(|output| output.0.target.file());
    let outputs = files.chain(outputs.into_iter().flatten().map(PathBuf::as_path));
    let folder = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let mut writes: Vec<PathBuf> = outputs.map(folder).collect();
    // A missing folder is created.
    let spool = options.spool.as_ref();
    writes.extend(
        spool.map(|path| if path.is_dir() { path.clone() } else { folder(path.as_path()) }),
    );
    writes.extend(options.evidence.clone());
    let rules_from = options.rules_from.iter().map(|from| Target::Remote(from.0.clone()));
    let outputs = options.output.iter().map(|output| output.0.target.clone());
    let mut connects: Vec<u16> =
        outputs.chain(rules_from).flat_map(|target| target.ports()).collect();
    if options.rules_from.is_some() {
        writes.extend(options.rules.clone());
    }
    if !connects.is_empty() {
        connects.push(DNS);
    }
    (!options.no_sandbox).then(|| Sandbox {
        user: options.user.clone(),
        administers: options.timestamps == Some(Timestamps::Hardware),
        writes,
        connects: Some(connects),
    })
}

/// The ring size of an interface, bytes: a share of the memory unless given. All rings together take
/// half of the memory at most.
fn ring_size(given: Option<Size>, memory: u64, interfaces: u64) -> Result<usize, ConfigError> {
    let most = memory / 2 / interfaces.max(1);
    let share = || RING.min(memory / 16).min(most).max(MIN_RING);
    let size = given.map_or_else(share, |size| size.0);
    if !(MIN_RING..=MAX_RING).contains(&size) {
        let (least, most) = (MIN_RING >> 20, MAX_RING >> 20);
        return Err(usage(format!("--ring-size must be between {least}MiB and {most}MiB")));
    }
    if interfaces > 0 && size > most {
        let (all, memory) = (size.saturating_mul(interfaces) >> 20, memory >> 20);
        return Err(usage(format!(
            "rings of {all}MiB in all take more than half of --memory {memory}MiB: lower \
             --ring-size, or raise --memory"
        )));
    }
    usize::try_from(size).map_err(|_| usage("--ring-size is more than this system can address"))
}

fn snaplen(given: Option<u32>) -> Result<u32, ConfigError> {
    match given.unwrap_or(SNAPLEN) {
        length @ MIN_SNAPLEN..=SNAPLEN => Ok(length),
        _ => Err(usage(format!("--snaplen must be between {MIN_SNAPLEN} and {SNAPLEN}"))),
    }
}
