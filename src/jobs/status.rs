//! `phitap jobs status`: how far the jobs are, how fast it goes, and what failed.

use super::GONE_AFTER;
use super::queue::{Queue, Record, Stage};
use super::{Ask, JobError};
use crate::output::text::{bytes, count, foreign};
use crate::pipeline::wall_clock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;

/// Jobs that are named, of each kind.
const MAX_NAMED: usize = 20;
/// Characters of a path and of a reason.
const MAX_TEXT: usize = 160;

/// What all jobs come to.
#[derive(Default, Debug, PartialEq)]
pub(super) struct Progress {
    /// Jobs and bytes by stage.
    pub jobs: BTreeMap<Stage, (u64, u64)>,
    /// Bytes a second of all workers together, over the time of the jobs that are done.
    pub rate: Option<f64>,
    /// Seconds until all is done.
    pub left: Option<f64>,
    /// Done, but not all of it could be read.
    pub partly: Vec<(String, String)>,
    pub failed: Vec<(String, String)>,
    /// Their workers have said nothing for too long.
    pub lost: Vec<(String, String)>,
}

impl Progress {
    pub fn of(records: &[(String, Record)], now: i64) -> Self {
        let mut all = Self::default();
        let (mut begun, mut ended, mut done) = (i64::MAX, i64::MIN, 0u64);
        let mut open = 0u64;
        for (_, of) in records {
            let (jobs, size) = all.jobs.entry(of.stage).or_default();
            *jobs += 1;
            *size = size.saturating_add(of.bytes);
            match of.stage {
                Stage::Done => {
                    begun = begun.min(of.since);
                    ended = ended.max(of.seen);
                    done = done.saturating_add(of.bytes);
                    if !of.reason.is_empty() {
                        all.partly.push((of.first.clone(), of.reason.clone()));
                    }
                }
                Stage::Failed => all.failed.push((of.first.clone(), of.reason.clone())),
                Stage::Running | Stage::Queued => open = open.saturating_add(of.bytes),
            }
            let gone = i64::try_from(GONE_AFTER.as_secs() * 2).unwrap_or(i64::MAX);
            if of.stage == Stage::Running && now.saturating_sub(of.seen) > gone {
                let reason = format!("worker {} says nothing any more", of.worker);
                all.lost.push((of.first.clone(), reason));
            }
        }
        if done > 0 {
            let seconds = ended.saturating_sub(begun).max(1) as f64;
            let rate = done as f64 / seconds;
            all.rate = Some(rate);
            all.left = (open > 0).then(|| open as f64 / rate);
        }
        all
    }

    /// How many jobs there are.
    pub fn all(&self) -> u64 {
        self.jobs.values().map(|(jobs, _)| jobs).sum()
    }

    /// How many jobs have no whole result, by what became of them; none if all have.
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

/// Writes how far the jobs are. Whether all are done.
///
/// # Errors
/// What the broker said.
pub fn status(ask: &Ask, out: &mut dyn Write) -> Result<bool, JobError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let records = runtime.block_on(async { Queue::open(&ask.broker).await?.records().await })?;
    let progress = Progress::of(&records, wall_clock().0 / 1_000_000_000);
    if ask.json {
        writeln!(out, "{}", object(&progress))?;
    } else {
        text(&progress, out)?;
    }
    Ok(progress.failed.is_empty() && progress.partly.is_empty())
}

/// How far the jobs are of which these records say what became of them, for people and as JSON, at `now`
/// (seconds since 1970): what [`status`] writes, without a broker.
pub fn status_of(records: &[&[u8]], now: i64) -> (String, Value) {
    let read = |record: &&[u8]| Some((String::new(), serde_json::from_slice(record).ok()?));
    let records: Vec<(String, Record)> = records.iter().filter_map(read).collect();
    let progress = Progress::of(&records, now);
    let mut written = Vec::new();
    // Memory takes everything.
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
        "partly_read": named(&of.partly),
        "given_up": named(&of.failed),
        "worker_gone": named(&of.lost),
    })
}

fn text(of: &Progress, out: &mut dyn Write) -> std::io::Result<()> {
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
    for (heading, list) in [
        ("Given up", &of.failed),
        ("Not wholly read", &of.partly),
        ("Worker gone, another will take it", &of.lost),
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
