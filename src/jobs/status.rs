//! `phitap jobs status`: progress, rate, and what failed.

use super::queue::{Queue, Record, Stage};
use super::{Ask, GONE_AFTER, JobError};
use crate::output::text::{bytes, count, foreign};
use crate::pipeline::wall_clock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;

/// Most jobs named, of each kind.
const MAX_NAMED: usize = 20;
/// Most characters of a path and of a reason.
const MAX_TEXT: usize = 160;

/// The rate is that of jobs which ended within this time before the last one, because the number of workers changes;
/// seconds.
const RECENT: f64 = 3_600.0;
/// Shortest and longest time of a job, seconds.
const BRIEFEST: f64 = 1e-3;
const LONGEST: f64 = 1e9;

/// Whether the worker of a job has not reported for too long, at `now` in seconds since 1970.
pub(super) fn is_gone(of: &Record, now: i64) -> bool {
    let gone = i64::try_from(GONE_AFTER.as_secs() * 2).unwrap_or(i64::MAX);
    of.stage == Stage::Running && now.saturating_sub(of.seen) > gone
}

/// Bytes a second of all workers together while at least one ran; none before a job is done.
fn speed<'a>(done: impl Iterator<Item = &'a Record>) -> Option<f64> {
    let time = |of: &Record| {
        let end = if of.ended > 0.0 { of.ended } else { of.seen as f64 };
        let (end, took) = (end.clamp(0.0, LONGEST * 1e3), of.seconds.clamp(BRIEFEST, LONGEST));
        (end - took, end, of.bytes as f64)
    };
    let mut all: Vec<(f64, f64, f64)> = done.map(time).collect();
    let last = all.iter().map(|(_, end, _)| *end).reduce(f64::max)?;
    all.retain(|(_, end, _)| *end >= last - RECENT);
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut busy, mut until, mut bytes) = (0.0, f64::MIN, 0.0);
    for (from, to, size) in all {
        busy += (to - from.max(until)).max(0.0);
        until = until.max(to);
        bytes += size;
    }
    (bytes > 0.0).then(|| bytes / busy.max(BRIEFEST))
}

/// Progress of all jobs.
#[derive(Default, Debug, PartialEq)]
pub(super) struct Progress {
    /// Jobs and bytes by stage.
    pub jobs: BTreeMap<Stage, (u64, u64)>,
    /// Bytes a second of all workers together while at least one ran.
    pub rate: Option<f64>,
    /// Seconds until all is done, while a worker runs a job.
    pub left: Option<f64>,
    /// Jobs that are done, but could not be read whole.
    pub partly: Vec<(String, String)>,
    pub failed: Vec<(String, String)>,
    /// Flows with payload whose beginning, and whose end, is not in the captures of their job.
    pub begun_before: u64,
    pub unended: u64,
    /// Upper bound for flows that continue from one job in another.
    pub crossing: u64,
    /// Jobs whose workers have not reported for too long.
    pub lost: Vec<(String, String)>,
    /// Jobs that wait for a worker that sees their files.
    pub unseen: Vec<(String, String)>,
    /// Whether jobs wait and none runs.
    pub idle: bool,
    /// Workers that run, with a job or without.
    pub workers: usize,
}

impl Progress {
    pub fn of(records: &[(String, Record)], now: i64) -> Self {
        let mut all = Self::default();
        let (mut open, mut most, mut working) = (0u64, 0u64, false);
        for (_, of) in records {
            all.begun_before = all.begun_before.saturating_add(of.begun_before);
            all.unended = all.unended.saturating_add(of.unended);
            most = most.max(of.begun_before.saturating_add(of.unended));
            let (jobs, size) = all.jobs.entry(of.stage).or_default();
            *jobs += 1;
            *size = size.saturating_add(of.bytes);
            match of.stage {
                Stage::Done if of.reason.is_empty() => {}
                Stage::Done => all.partly.push((of.first.clone(), of.reason.clone())),
                Stage::Failed => all.failed.push((of.first.clone(), of.reason.clone())),
                Stage::Running | Stage::Queued => open = open.saturating_add(of.bytes),
            }
            if is_gone(of, now) {
                let reason = format!("worker {} no longer reports", of.worker);
                all.lost.push((of.first.clone(), reason));
            }
            working |= of.stage == Stage::Running && !is_gone(of, now);
            if of.stage == Stage::Queued && !of.missed_by.is_empty() {
                all.unseen.push((of.first.clone(), of.reason.clone()));
            }
        }
        // An end in one job and a beginning in another may be one flow.
        let others = all.begun_before.saturating_add(all.unended).saturating_sub(most);
        all.crossing = others.min(all.begun_before).min(all.unended);
        all.rate = speed(records.iter().map(|(_, of)| of).filter(|of| of.stage == Stage::Done));
        all.left = all.rate.filter(|_| open > 0 && working).map(|rate| open as f64 / rate);
        all.idle = open > 0 && !working;
        all
    }

    /// How many jobs there are.
    pub fn all(&self) -> u64 {
        self.jobs.values().map(|(jobs, _)| jobs).sum()
    }

    /// Number of jobs without a whole result, by state; none if all have one.
    pub fn missing(&self) -> Option<String> {
        let parts: Vec<String> = [
            (self.stage(Stage::Queued).0, "waiting"),
            (self.stage(Stage::Running).0, "running"),
            (self.stage(Stage::Failed).0, "given up"),
            (self.partly.len() as u64, "read in part"),
        ]
        .into_iter()
        .filter(|(jobs, _)| *jobs > 0)
        .map(|(jobs, what)| format!("{jobs} {what}"))
        .collect();
        let all = count(self.all(), "job");
        (!parts.is_empty()).then(|| format!("of {all}, {}", parts.join(", ")))
    }

    fn stage(&self, stage: Stage) -> (u64, u64) {
        self.jobs.get(&stage).copied().unwrap_or_default()
    }
}

/// Writes the progress. Returns whether no job failed or was read in part.
///
/// # Errors
/// The broker's error.
pub fn status(ask: &Ask, out: &mut dyn Write) -> Result<bool, JobError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (records, workers) = runtime.block_on(async {
        let queue = Queue::open(&ask.broker, &ask.queue).await?;
        Ok::<_, JobError>((queue.records().await?, queue.present().await?.len()))
    })?;
    let progress = Progress { workers, ..Progress::of(&records, wall_clock().0 / 1_000_000_000) };
    if ask.json {
        writeln!(out, "{}", object(&progress))?;
    } else {
        text(&progress, out)?;
    }
    Ok(progress.failed.is_empty() && progress.partly.is_empty())
}

/// What [`status`] writes for these records at `now` (seconds since 1970), as text and as JSON, without a broker.
pub fn status_of(records: &[&[u8]], now: i64) -> (String, Value) {
    let read = |record: &&[u8]| Some((String::new(), serde_json::from_slice(record).ok()?));
    let records: Vec<(String, Record)> = records.iter().filter_map(read).collect();
    let progress = Progress::of(&records, now);
    let mut written = Vec::new();
    // Writing to memory cannot fail.
    let _ = text(&progress, &mut written);
    (String::from_utf8_lossy(&written).into_owned(), object(&progress))
}

fn object(of: &Progress) -> Value {
    let stage = |stage| {
        let (jobs, bytes) = of.stage(stage);
        json!({"jobs": jobs, "bytes": bytes})
    };
    let named = |list: &[(String, String)]| {
        let one = |(file, reason): &(String, String)| json!({"file": file, "reason": reason});
        list.iter().map(one).collect::<Vec<Value>>()
    };
    json!({
        "queued": stage(Stage::Queued),
        "running": stage(Stage::Running),
        "done": stage(Stage::Done),
        "failed": stage(Stage::Failed),
        "bytes_per_second": of.rate,
        "seconds_left": of.left,
        "workers": of.workers,
        "no_worker": of.idle && of.workers == 0,
        "flows_begun_before": of.begun_before,
        "flows_unended": of.unended,
        "flows_crossing_at_most": of.crossing,
        "partly_read": named(&of.partly),
        "given_up": named(&of.failed),
        "worker_gone": named(&of.lost),
        "not_seen": named(&of.unseen),
    })
}

pub(super) fn text(of: &Progress, out: &mut dyn Write) -> std::io::Result<()> {
    if of.all() == 0 {
        return writeln!(out, "No jobs: submit captures with phitap jobs submit");
    }
    for (name, stage) in [
        ("Queued", Stage::Queued),
        ("Running", Stage::Running),
        ("Done", Stage::Done),
        ("Given up", Stage::Failed),
    ] {
        let (jobs, size) = of.stage(stage);
        writeln!(out, "{name:<9}{} ({})", count(jobs, "job"), bytes(size))?;
    }
    if let Some(rate) = of.rate {
        write!(out, "Rate     {}/s", bytes(rate as u64))?;
        match of.left {
            Some(left) => writeln!(out, ", {:.0} min left", (left / 60.0).ceil())?,
            None => writeln!(out)?,
        }
    }
    match (of.idle, of.workers) {
        (false, _) => {}
        (true, 0) => writeln!(out, "Workers  none runs: start phitap worker")?,
        // Between two jobs, or two tries of one.
        (true, 1) => writeln!(out, "Workers  1 runs, and takes the next job in a few seconds")?,
        (true, n) => writeln!(out, "Workers  {n} run, and take the next jobs in a few seconds")?,
    }
    if of.crossing > 0 {
        writeln!(
            out,
            "Cut      at most {} between captures of different jobs, each read in two parts (--together)",
            count(of.crossing, "flow"),
        )?;
    }
    for (heading, list) in [
        ("Given up", &of.failed),
        ("Not wholly read", &of.partly),
        ("Worker gone, another will take it", &of.lost),
        ("Not seen by a worker, waiting for another", &of.unseen),
    ] {
        if !list.is_empty() {
            writeln!(out, "\n{heading}:")?;
        }
        for (file, reason) in list.iter().take(MAX_NAMED) {
            writeln!(out, "  {}: {}", foreign(file, MAX_TEXT), foreign(reason, MAX_TEXT))?;
        }
        if let Some(more) = list.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
            writeln!(out, "  and {more} more; --json lists all")?;
        }
    }
    Ok(())
}
