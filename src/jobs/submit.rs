//! `phitap jobs submit`: makes jobs of captures.

use super::queue::{Job, Queue};
use super::sets::{Capture, sets};
use super::{JobError, Submit, shown};
use crate::capture::expand;
use crate::output::text::{bytes, count};
use crate::pipeline::{complain, inform, wall_clock};
use std::collections::HashSet;
use std::fs::Metadata;
use std::io::Write;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Most skipped files that are named.
const MAX_NAMED: usize = 3;
/// Most levels of folders searched for skipped files, as for captures.
const MAX_FOLDERS: usize = 32;

/// Puts captures into the queue, and writes how many.
///
/// # Errors
/// A path cannot be read, or the broker's error.
pub fn submit(submit: &Submit, out: &mut dyn Write) -> Result<(), JobError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut captures = Vec::new();
    let mut skipped = Skipped::default();
    for path in &submit.paths {
        match path.contains("://") {
            true => captures.extend(runtime.block_on(remote(path))?),
            false => captures.extend(local(Path::new(path), &mut skipped)?),
        }
    }
    skipped.say(submit.quiet);
    let sets = sets(captures, submit.together);
    runtime.block_on(async {
        let queue = Queue::open(&submit.broker, &submit.queue).await?;
        let (mut added, mut files, mut size, mut known) = (0u64, 0u64, 0u64, 0u64);
        for set in &sets {
            let job = Job::of(set);
            if queue.add(&job, wall_clock().0 / 1_000_000_000).await? {
                added += 1;
                files += set.len() as u64;
                size += job.bytes;
            } else {
                known += 1;
            }
        }
        if !submit.quiet {
            write!(
                out,
                "{} of {} ({})",
                count(added, "job"),
                count(files, "capture"),
                bytes(size)
            )?;
            match known {
                0 => writeln!(out, " submitted")?,
                n => writeln!(out, " submitted; {} known already", count(n, "job"))?,
            }
        }
        Ok(())
    })
}

/// The captures at a path of this machine. Workers must see them at the same path.
fn local(path: &Path, skipped: &mut Skipped) -> Result<Vec<Capture>, JobError> {
    let fail = |error: std::io::Error| JobError::Path(format!("{}: {error}", path.display()));
    let whole = std::fs::canonicalize(path).map_err(fail)?;
    let (found, faults) = expand(std::slice::from_ref(&whole));
    if let Some(fault) = faults.first() {
        return Err(JobError::Path(fault.to_string()));
    }
    let mut captures = Vec::new();
    for file in found {
        let meta = std::fs::metadata(&file).map_err(fail)?;
        skipped.known.insert(identity(&meta));
        let named = file.into_os_string().into_string();
        match named {
            Ok(path) => captures.push(Capture { path, bytes: meta.len() }),
            Err(name) if whole.to_str().is_some() => skipped.unnamed.add(Path::new(&name)),
            Err(name) => {
                let name = Path::new(&name).display();
                return Err(JobError::Path(format!("{name}: the name is no text")));
            }
        }
    }
    if whole.is_dir() {
        skipped.search(&whole, 0);
    }
    Ok(captures)
}

/// Identity of a file.
fn identity(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Files in folders that were not submitted.
#[derive(Default)]
struct Skipped {
    /// Files that were submitted or counted.
    known: HashSet<(u64, u64)>,
    /// Empty files and those that are no captures.
    other: Names,
    /// Captures whose names are not UTF-8.
    unnamed: Names,
}

/// Number of files, and the first of them.
#[derive(Default)]
pub(super) struct Names {
    all: u64,
    first: Vec<String>,
}

impl Names {
    pub fn add(&mut self, path: &Path) {
        self.all += 1;
        if self.first.len() < MAX_NAMED {
            self.first.push(shown(&path.display().to_string()));
        }
    }

    /// In one line, if there are any.
    pub fn line(&self, what: &str) -> Option<String> {
        let more = match self.all - self.first.len() as u64 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let all = count(self.all, "file");
        (self.all > 0).then(|| format!("{all} skipped ({what}): {}{more}", self.first.join(", ")))
    }
}

impl Skipped {
    /// Counts the files of a folder without captures.
    fn search(&mut self, folder: &Path, depth: usize) {
        // The search for captures has reported a folder that cannot be read.
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        let mut entries: Vec<_> = entries.flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if depth < MAX_FOLDERS {
                    self.search(&path, depth + 1);
                }
                continue;
            }
            let counts = match path.metadata() {
                Ok(meta) => meta.is_file() && self.known.insert(identity(&meta)),
                Err(_) => true,
            };
            if counts {
                self.other.add(&path);
            }
        }
    }

    fn say(&self, quiet: bool) {
        if let Some(line) = self.other.line("empty, or no capture").filter(|_| !quiet) {
            inform(&line);
        }
        if let Some(line) = self.unnamed.line("the name is no text") {
            complain(&line);
        }
    }
}

#[cfg(feature = "archives")]
async fn remote(url: &str) -> Result<Vec<Capture>, JobError> {
    let found = super::archive::list(url).await.map_err(JobError::Path)?;
    match found.is_empty() {
        true => Err(JobError::Path(format!("{url} holds no captures"))),
        false => Ok(found),
    }
}

#[cfg(not(feature = "archives"))]
#[expect(clippy::unused_async, reason = "it asks a server where the feature is on")]
async fn remote(url: &str) -> Result<Vec<Capture>, JobError> {
    Err(JobError::Path(format!("{url}: this phitap was built without the feature archives")))
}
