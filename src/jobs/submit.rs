//! `phitap jobs submit`: captures become jobs.

use super::queue::{Job, Queue};
use super::sets::{Capture, sets};
use super::{JobError, Submit};
use crate::capture::expand;
use crate::output::text::{bytes, count};
use crate::pipeline::wall_clock;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Puts captures into the queue, and says how many.
///
/// # Errors
/// A path that cannot be read, or what the broker said.
pub fn submit(submit: &Submit, out: &mut dyn Write) -> Result<(), JobError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut captures = Vec::new();
    for path in &submit.paths {
        match path.contains("://") {
            true => captures.extend(runtime.block_on(remote(path))?),
            false => captures.extend(local(Path::new(path))?),
        }
    }
    let sets = sets(captures, submit.together);
    runtime.block_on(async {
        let queue = Queue::open(&submit.broker).await?;
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

/// The captures at a path of this machine, which workers must see at the same path.
fn local(path: &Path) -> Result<Vec<Capture>, JobError> {
    let fail = |error: std::io::Error| JobError::Path(format!("{}: {error}", path.display()));
    let whole = std::fs::canonicalize(path).map_err(fail)?;
    let (found, faults) = expand(&[whole]);
    if let Some(fault) = faults.first() {
        return Err(JobError::Path(fault.to_string()));
    }
    let capture = |file: PathBuf| {
        let bytes = std::fs::metadata(&file).map_err(fail)?.len();
        let path = file.into_os_string().into_string();
        let path = path.map_err(|name| {
            JobError::Path(format!("{}: the name is no text", Path::new(&name).display()))
        })?;
        Ok(Capture { path, bytes })
    };
    found.into_iter().map(capture).collect()
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
