//! Jobs whose files a worker does not see. Another worker may have the file server mounted, so this is no failed try: the
//! job returns to the queue, and is given up when no running worker sees its files.

use super::queue::Record;
use rustix::fs::{Access, access};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Shortest time before a job is given up, seconds: other workers may be starting.
const AT_LEAST: i64 = 10;
/// Time for which a worker returns a job; the longer one after other workers had time to start.
const SOON: Duration = Duration::from_secs(2);
const LATER: Duration = Duration::from_secs(15);
/// Most workers recorded with a job. If more run and none sees its files, it waits until some of them have ended.
pub(super) const MAX_NOTED: usize = 1024;

/// What happens to a job whose files a worker does not see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It waits for another worker, and may be taken again after this time.
    Wait(Duration),
    /// No worker sees its files.
    GiveUp,
}

/// The first file that cannot be read here, and why. Files in object stores are the same for every worker.
pub(super) fn missing(files: &[String]) -> Option<String> {
    let mut here = files.iter().filter(|file| !file.contains("://"));
    here.find_map(|file| {
        let error = access(Path::new(file), Access::READ_OK).err()?;
        Some(format!("{file}: {}", std::io::Error::from(error)))
    })
}

/// Records that a worker does not see the files of a job, at `now` (seconds since 1970). `present`: names of running
/// workers.
pub(super) fn note(
    record: &mut Record,
    worker: &str,
    present: &BTreeSet<String>,
    now: i64,
) -> Verdict {
    if record.missed_by.is_empty() {
        record.missed_since = now;
    }
    if record.missed_by.len() >= MAX_NOTED {
        // Forget workers that have ended.
        record.missed_by.retain(|name| present.contains(name));
    }
    if record.missed_by.len() < MAX_NOTED {
        record.missed_by.insert(worker.to_owned());
    }
    let waited = now.saturating_sub(record.missed_since) >= AT_LEAST;
    let nobody = present.iter().all(|name| record.missed_by.contains(name));
    match (waited, nobody) {
        (true, true) => Verdict::GiveUp,
        (true, false) => Verdict::Wait(LATER),
        (false, _) => Verdict::Wait(SOON),
    }
}
