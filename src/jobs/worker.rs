//! `phitap worker`: takes jobs, one at a time, until it is stopped.

use super::missing::{Verdict, missing, note};
#[cfg(feature = "archives")]
use super::queue::check_objects;
use super::queue::{Job, Queue, Record, Results, Stage};
use super::replay::{Ended, Line, Replay};
use super::{JobError, Work, shown};
use crate::broker::{answer, unless_stopped};
use crate::capture::Filter;
use crate::identify::{Key, load_rules};
use crate::pipeline::{RunError, complain, inform, stopwatch, wall_clock};
use crate::rules::RuleSet;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{AckKind, Message};
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long one request for a job waits.
const ASK_FOR: Duration = Duration::from_secs(2);
/// First wait of a worker that ends when no job is left. Later waits are a share of the time without a job, so that it
/// ends soon after the others and asks rarely while they work.
const ASK_LAST_FOR: Duration = Duration::from_millis(20);
const ASK_LAST_SHARE: u32 = 8;
/// Interval between attempts to reach the broker.
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// A failed job is tried again after this time, multiplied by the number of tries.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Longest time that a stopped worker waits for the broker.
const END_WITHIN: Duration = Duration::from_secs(3);
/// Interval between announcements of a worker.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(30);

/// Works until it is stopped, or until no job waits.
///
/// # Errors
/// An error that does not pass by itself: refused credentials; a key, rules or a filter with which no replay starts.
pub fn work(work: &Work) -> Result<(), JobError> {
    check(work)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut said = false;
        while !stop.load(Ordering::Relaxed) {
            let Some(served) = unless_stopped(&stop, END_WITHIN, serve(work, &stop)).await else {
                break;
            };
            match served {
                Ok(()) => return Ok(()),
                Err(JobError::Broker(error)) if !error.is_passing() => return Err(error.into()),
                Err(error) if !said => {
                    complain(&format!("{error}; trying again"));
                    said = true;
                }
                Err(_) => {}
            }
            unless_stopped(&stop, Duration::ZERO, tokio::time::sleep(RETRY_EVERY)).await;
        }
        Ok(())
    })
}

/// Reads what every replay reads before its capture: with a mistake there, every job would fail.
fn check(work: &Work) -> Result<(), RunError> {
    let config = &work.replay;
    config.filter.as_deref().map(Filter::new).transpose()?;
    let rules = match config.rules_folder() {
        None => RuleSet::when_needed(),
        own => load_rules(own)?,
    };
    rules.in_regions(&config.regions)?;
    Key::from_file(&work.key_file)?;
    Ok(())
}

async fn serve(work: &Work, stop: &AtomicBool) -> Result<(), JobError> {
    let queue = Queue::open(&work.broker, &work.queue).await?;
    let consumer = queue.workers(work.gone_after).await?;
    let heartbeat = Heartbeat { queue: &queue, name: &work.name, said: Cell::new(None) };
    let served = take_jobs(work, stop, &heartbeat, &consumer).await;
    if served.is_ok() {
        queue.withdraw(&work.name).await;
    }
    served
}

async fn take_jobs(
    work: &Work,
    stop: &AtomicBool,
    heartbeat: &Heartbeat<'_>,
    consumer: &PullConsumer,
) -> Result<(), JobError> {
    let queue = heartbeat.queue;
    let mut idle = stopwatch();
    while !stop.load(Ordering::Relaxed) {
        heartbeat.show().await?;
        let wait = match work.until_empty {
            true => (idle.elapsed() / ASK_LAST_SHARE).clamp(ASK_LAST_FOR, ASK_FOR),
            false => ASK_FOR,
        };
        match queue.take(consumer, wait).await? {
            Some(message) => {
                Task { work, queue, message, stop, heartbeat }.perform().await?;
                idle = stopwatch();
            }
            None if work.until_empty && queue.is_empty().await? => return Ok(()),
            None => {}
        }
    }
    Ok(())
}

/// Announces this worker to the others.
struct Heartbeat<'a> {
    queue: &'a Queue,
    name: &'a str,
    /// Time of the last announcement.
    said: Cell<Option<Instant>>,
}

impl Heartbeat<'_> {
    /// Announces the worker, if that is due.
    async fn show(&self) -> Result<(), JobError> {
        if self.said.get().is_none_or(|at| at.elapsed() >= ANNOUNCE_EVERY) {
            self.queue.announce(self.name).await?;
            self.said.set(Some(stopwatch()));
        }
        Ok(())
    }
}

/// One job at one worker.
struct Task<'a> {
    work: &'a Work,
    queue: &'a Queue,
    message: Message,
    stop: &'a AtomicBool,
    heartbeat: &'a Heartbeat<'a>,
}

/// Seconds since 1970.
fn now() -> i64 {
    wall_clock().0 / 1_000_000_000
}

/// The record of a job that `worker` takes at `now` (seconds since 1970). `before` is its last record. If a worker
/// returned the job because it was stopped or does not see its files, that is no try.
pub(super) fn taken(
    job: &Job,
    before: Option<Record>,
    delivered: i64,
    worker: &str,
    now: i64,
) -> Record {
    let record = Record {
        stage: Stage::Running,
        tries: 1,
        worker: worker.to_owned(),
        ..Record::of(job, now)
    };
    // A job that was given up and submitted again starts with its first try.
    let before = before.filter(|of| of.stage != Stage::Failed || delivered > 1);
    let Some(before) = before else { return record };
    Record {
        tries: before.tries.saturating_add(1),
        reason: before.reason,
        missed_by: before.missed_by,
        missed_since: before.missed_since,
        ..record
    }
}

impl Task<'_> {
    async fn perform(&self) -> Result<(), JobError> {
        let delivered = self.message.info().map_or(1, |info| info.delivered);
        let Ok(job) = serde_json::from_slice::<Job>(&self.message.payload) else {
            complain("a message in the queue is no job; skipped");
            return self.acknowledge(AckKind::Term).await;
        };
        let before = self.queue.record(&job.id).await?;
        if before.as_ref().is_some_and(|of| of.stage == Stage::Done) {
            // Its acknowledgement was lost.
            return self.acknowledge(AckKind::Ack).await;
        }
        let mut record = taken(&job, before, delivered, &self.work.name, now());
        if let Some(reason) = missing(&job.files) {
            return self.pass_on(&job, record, reason).await;
        }
        if record.tries > self.work.tries {
            record.stage = Stage::Failed;
            if record.reason.is_empty() {
                let gone = record.tries - 1;
                record.reason = format!("{gone} workers went away while they ran it");
            }
            self.queue.note(&job.id, &record).await?;
            complain(&format!("{}: given up: {}", shown(&record.first), shown(&record.reason)));
            return self.acknowledge(AckKind::Term).await;
        }
        self.queue.note(&job.id, &record).await?;
        let begun = stopwatch();
        let ended = self.replay(&job, &mut record).await?;
        record.seconds = begun.elapsed().as_secs_f64();
        self.settle(&job, record, ended).await
    }

    /// Leaves a job to another worker that sees its files, if there is one.
    async fn pass_on(&self, job: &Job, mut record: Record, reason: String) -> Result<(), JobError> {
        let again = record.missed_by.contains(&self.work.name);
        let present = self.queue.present().await?;
        let verdict = note(&mut record, &self.work.name, &present, now());
        record.tries -= 1;
        (record.stage, record.reason) = match verdict {
            Verdict::Wait(_) => (Stage::Queued, reason),
            Verdict::GiveUp => (Stage::Failed, format!("{reason} (at every worker)")),
        };
        self.queue.note(&job.id, &record).await?;
        let reason = shown(&record.reason);
        match verdict {
            Verdict::Wait(time) => {
                if !again {
                    complain(&format!("{reason}: left to workers that see this file"));
                }
                self.acknowledge(AckKind::Nak(Some(time))).await
            }
            Verdict::GiveUp => {
                complain(&format!("{}: given up: {reason}", shown(&record.first)));
                self.acknowledge(AckKind::Term).await
            }
        }
    }

    /// Records how a job ended, and acknowledges it.
    async fn settle(
        &self,
        job: &Job,
        mut record: Record,
        ended: Option<Ended>,
    ) -> Result<(), JobError> {
        record.seen = now();
        record.ended = wall_clock().0 as f64 / 1e9;
        let Some(ended) = ended else {
            // Stopped: another worker takes the job at once.
            record.stage = Stage::Queued;
            record.tries -= 1;
            self.queue.note(&job.id, &record).await?;
            return self.acknowledge(AckKind::Nak(None)).await;
        };
        let (stage, reason) = match ended {
            Ended::Whole => (Stage::Done, String::new()),
            Ended::Partly(reason) => (Stage::Done, reason),
            Ended::Failed(reason) if record.tries >= self.work.tries => (Stage::Failed, reason),
            Ended::Failed(reason) => (Stage::Queued, reason),
        };
        // Of a job with one capture the reason begins with its path, which is named anyway.
        let named = format!("{}: ", record.first);
        let reason = reason.strip_prefix(&named).map(str::to_owned).unwrap_or(reason);
        (record.stage, record.reason) = (stage, reason);
        self.queue.note(&job.id, &record).await?;
        let (first, reason) = (shown(&record.first), shown(&record.reason));
        match stage {
            Stage::Done if record.reason.is_empty() => {
                if !self.work.quiet {
                    inform(&format!("{first}: done in {:.1} s", record.seconds));
                }
                self.acknowledge(AckKind::Ack).await
            }
            Stage::Done => {
                complain(&format!("{first}: done in part: {reason}"));
                self.acknowledge(AckKind::Ack).await
            }
            Stage::Failed => {
                complain(&format!("{first}: given up: {reason}"));
                self.acknowledge(AckKind::Term).await
            }
            Stage::Queued | Stage::Running => {
                complain(&format!("{first}: try {} failed: {reason}", record.tries));
                self.acknowledge(AckKind::Nak(Some(TRY_AGAIN_AFTER * record.tries))).await
            }
        }
    }

    async fn acknowledge(&self, kind: AckKind) -> Result<(), JobError> {
        let sent = answer(self.message.ack_with(kind)).await;
        self.queue.flush().await;
        sent.map_err(JobError::Stream)
    }

    /// Replays the files of a job and publishes the result. None if the worker was stopped.
    async fn replay(&self, job: &Job, record: &mut Record) -> Result<Option<Ended>, JobError> {
        let sources = match Sources::open(&job.files) {
            Ok(sources) => sources,
            Err(reason) => return Ok(Some(Ended::Failed(reason))),
        };
        let mut replay = match Replay::start(self.work, &sources.paths) {
            Ok(replay) => replay,
            Err(error) => return Ok(Some(Ended::Failed(error.to_string()))),
        };
        // The record already says that it runs.
        let mut beat = stopwatch();
        let mut results = Results::new(self.queue, &job.id);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                replay.kill();
                return Ok(None);
            }
            if beat.elapsed() >= self.work.gone_after / 4 {
                beat = stopwatch();
                record.seen = now();
                // If the broker is away for longer than this, another worker does the job too.
                answer(self.message.ack_with(AckKind::Progress)).await.map_err(JobError::Stream)?;
                self.queue.note(&job.id, record).await?;
                self.heartbeat.show().await?;
            }
            let wait = Duration::from_millis(500);
            match tokio::time::timeout(wait, replay.lines.recv()).await {
                Ok(Some(Line::Summary(line))) => results.push(&line).await?,
                Ok(Some(Line::Run { begun_before, unended, unjudged })) => {
                    (record.begun_before, record.unended) = (begun_before, unended);
                    results.push(&unjudged.unwrap_or_default()).await?;
                }
                Ok(None) => break,
                Err(_) => {}
            }
        }
        results.end().await?;
        let ended = replay.end().await;
        Ok(Some(match sources.fault() {
            // The error of the process follows from this one.
            Some(fault) => Ended::Failed(fault),
            None => ended,
        }))
    }
}

/// The files of a job as paths that a replay can read.
struct Sources {
    paths: Vec<PathBuf>,
    #[cfg(feature = "archives")]
    feeds: Option<super::archive::Feeds>,
}

impl Sources {
    #[cfg(feature = "archives")]
    fn open(files: &[String]) -> Result<Self, String> {
        if !files.iter().any(|file| super::archive::is_remote(file)) {
            return Ok(Self { paths: files.iter().map(PathBuf::from).collect(), feeds: None });
        }
        check_objects(files)?;
        let (paths, feeds) = super::archive::Feeds::start(files)?;
        Ok(Self { paths, feeds: Some(feeds) })
    }

    #[cfg(not(feature = "archives"))]
    fn open(files: &[String]) -> Result<Self, String> {
        match files.iter().find(|file| file.contains("://")) {
            Some(file) => {
                Err(format!("{file}: this phitap was built without the feature archives"))
            }
            None => Ok(Self { paths: files.iter().map(PathBuf::from).collect() }),
        }
    }

    /// Why a file was not read to its end.
    fn fault(self) -> Option<String> {
        #[cfg(feature = "archives")]
        return self.feeds.and_then(super::archive::Feeds::fault);
        #[cfg(not(feature = "archives"))]
        None
    }
}
