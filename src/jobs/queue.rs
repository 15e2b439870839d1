//! Jobs at the broker: the queue, what became of each, and results.

use super::JobError;
use super::sets::Capture;
use crate::broker::{self, Access, answer, bucket};
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::Config as PullConfig;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::kv::{Operation, Store};
use async_nats::jetstream::stream::{Config as StreamConfig, RetentionPolicy, Stream};
use async_nats::jetstream::{self, Context, Message};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_core::Stream as Items;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;
use tokio::task::JoinSet;

/// The stream of jobs that wait.
const JOBS: &str = "PHITAP_JOBS";
/// Not below `phitap.`, which a stream of events may take whole.
const JOBS_SUBJECT: &str = "phitap-jobs.queue";
/// The stream of results.
pub(super) const RESULTS: &str = "PHITAP_RESULTS";
const RESULTS_SUBJECT: &str = "phitap-jobs.results";
/// The bucket with what became of each job.
const BUCKET: &str = "phitap-jobs";
/// The consumer that all workers share.
const WORKERS: &str = "workers";
/// Longest list of the files of a job, bytes: a message of the broker has a megabyte.
const MAX_JOB: usize = 900_000;
/// Records that are asked for at once.
const MAX_ASKED: usize = 64;
/// Lines of a result that one message holds, bytes: a message of the broker has a megabyte.
const MAX_MESSAGE: usize = 512 << 10;
/// Messages of a result that wait for their acknowledgement.
const MAX_UNACKNOWLEDGED: usize = 4;

/// A job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    /// Of its files and their sizes: the same files again are the same job.
    pub id: String,
    /// Paths and addresses.
    pub files: Vec<String>,
    /// Of all of them.
    pub bytes: u64,
}

impl Job {
    pub fn of(set: &[Capture]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for capture in set {
            hasher.update(&(capture.path.len() as u64).to_be_bytes());
            hasher.update(capture.path.as_bytes());
            hasher.update(&capture.bytes.to_be_bytes());
        }
        Self {
            id: hasher.finalize().to_hex().chars().take(24).collect(),
            files: set.iter().map(|capture| capture.path.clone()).collect(),
            bytes: set.iter().map(|capture| capture.bytes).sum(),
        }
    }
}

/// Where a job is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// It waits for a worker.
    Queued,
    /// A worker is at it.
    Running,
    /// Its result is there.
    Done,
    /// It was given up.
    Failed,
}

/// What became of a job.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub stage: Stage,
    /// The first of its files, and how many there are.
    pub first: String,
    pub files: usize,
    pub bytes: u64,
    /// How often it was taken.
    pub tries: u32,
    /// Who took it last.
    #[serde(default)]
    pub worker: String,
    /// Seconds since 1970: when the stage began, and when the worker last reported.
    pub since: i64,
    pub seen: i64,
    /// How long the last try took, seconds.
    #[serde(default)]
    pub seconds: f64,
    /// What was wrong.
    #[serde(default)]
    pub reason: String,
}

/// The broker, as jobs need it.
pub(super) struct Queue {
    pub context: Context,
    client: Client,
    bucket: Store,
    jobs: Stream,
}

fn refused(what: &str, error: impl std::fmt::Display) -> JobError {
    JobError::Stream(format!("{what}: {error}"))
}

impl Queue {
    /// Connects, and makes the streams and the bucket that are not there.
    pub async fn open(settings: &broker::Settings) -> Result<Self, JobError> {
        let client = Access::open(settings)?.connect().await?;
        let context = jetstream::new(client.clone());
        let config = |name: &str, subject: &str, retention| StreamConfig {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            retention,
            ..StreamConfig::default()
        };
        let jobs = config(JOBS, JOBS_SUBJECT, RetentionPolicy::WorkQueue);
        let jobs = answer(context.get_or_create_stream(jobs)).await;
        let jobs = jobs.map_err(|error| refused(JOBS, error))?;
        let results = config(RESULTS, RESULTS_SUBJECT, RetentionPolicy::Limits);
        let results = answer(context.get_or_create_stream(results)).await;
        results.map_err(|error| refused(RESULTS, error))?;
        let bucket = bucket(&context, BUCKET, 1, Duration::ZERO).await.map_err(JobError::Stream)?;
        Ok(Self { context, client, bucket, jobs })
    }

    /// Adds a job, unless it is there already. Whether it was added.
    pub async fn add(&self, job: &Job, now: i64) -> Result<bool, JobError> {
        let payload = serde_json::to_vec(job).unwrap_or_default();
        if payload.len() > MAX_JOB {
            let first = job.files.first().map_or("", String::as_str);
            return Err(JobError::Path(format!(
                "{first} and {} more files are too many for one job; divide them, or use --together none",
                job.files.len()
            )));
        }
        let record = Record {
            stage: Stage::Queued,
            first: job.files.first().cloned().unwrap_or_default(),
            files: job.files.len(),
            bytes: job.bytes,
            tries: 0,
            worker: String::new(),
            since: now,
            seen: now,
            seconds: 0.0,
            reason: String::new(),
        };
        let value = serde_json::to_vec(&record).unwrap_or_default();
        let known = answer(self.bucket.entry(&job.id)).await;
        let known = known.map_err(|error| refused(BUCKET, error))?;
        let known = known.filter(|entry| entry.operation == Operation::Put);
        let again = match &known {
            Some(entry) => match serde_json::from_slice::<Record>(&entry.value) {
                Ok(record) if record.stage != Stage::Failed => return Ok(false),
                _ => Some(entry.revision),
            },
            None => None,
        };
        // The message first: a job that is listed and in no queue would wait for ever.
        let sent = answer(self.context.publish(JOBS_SUBJECT, payload.into())).await;
        let stored = answer(sent.map_err(|error| refused(JOBS, error))?).await;
        stored.map_err(|error| refused(JOBS, error))?;
        // A worker may have taken it by now: what it noted is newer.
        let _ = match again {
            Some(of) => answer(self.bucket.update(&job.id, value.into(), of)).await.is_ok(),
            None => answer(self.bucket.create(&job.id, value.into())).await.is_ok(),
        };
        Ok(true)
    }

    /// What became of a job.
    pub async fn record(&self, id: &str) -> Result<Option<Record>, JobError> {
        let value = answer(self.bucket.get(id)).await.map_err(|error| refused(BUCKET, error))?;
        Ok(value.and_then(|value| serde_json::from_slice(&value).ok()))
    }

    /// Notes what became of a job.
    pub async fn note(&self, id: &str, record: &Record) -> Result<(), JobError> {
        let value = serde_json::to_vec(record).unwrap_or_default();
        let put = answer(self.bucket.put(id, value.into())).await;
        put.map(drop).map_err(|error| refused(BUCKET, error))
    }

    /// What became of all jobs, by id.
    ///
    /// The broker is asked for the names of the keys. A subscription to them would wait for ever when a worker notes
    /// something while they are listed: of a key that is replaced the broker counts a message that never comes.
    pub async fn records(&self) -> Result<Vec<(String, Record)>, JobError> {
        let all = format!("{}>", self.bucket.prefix);
        let subjects = answer(self.bucket.stream.info_with_subjects(all)).await;
        let mut subjects = subjects.map_err(|error| refused(BUCKET, error))?;
        let (mut asked, mut records) = (JoinSet::new(), Vec::new());
        // A page of names is asked for when the one before it was read.
        while let Some(subject) = answer(async { Ok::<_, String>(next(&mut subjects).await) })
            .await
            .map_err(|error| refused(BUCKET, error))?
        {
            let (subject, _) = subject.map_err(|error| refused(BUCKET, error))?;
            let Some(id) = subject.strip_prefix(&self.bucket.prefix).map(str::to_owned) else {
                continue;
            };
            if asked.len() >= MAX_ASKED {
                records.extend(answered(&mut asked).await?);
            }
            let bucket = self.bucket.clone();
            asked.spawn(async move { (answer(bucket.get(&id)).await, id) });
        }
        while !asked.is_empty() {
            records.extend(answered(&mut asked).await?);
        }
        records.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(records)
    }

    /// The consumer that all workers share.
    pub async fn workers(&self, gone_after: Duration) -> Result<PullConsumer, JobError> {
        let config = PullConfig {
            durable_name: Some(WORKERS.to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: gone_after,
            ..PullConfig::default()
        };
        let consumer = answer(self.jobs.get_or_create_consumer(WORKERS, config)).await;
        consumer.map_err(|error| refused(JOBS, error))
    }

    /// Waits for a job, at most for this time.
    pub async fn take(
        &self,
        consumer: &PullConsumer,
        wait: Duration,
    ) -> Result<Option<Message>, JobError> {
        let asked = answer(consumer.batch().max_messages(1).expires(wait).messages()).await;
        let mut asked = asked.map_err(|error| refused(JOBS, error))?;
        let message = answer(async { next(&mut asked).await.transpose() }).await;
        message.map_err(|error| refused(JOBS, error))
    }

    /// Whether no job waits or is at a worker: what is done or given up is no longer in the queue.
    pub async fn is_empty(&self) -> Result<bool, JobError> {
        let info = answer(self.jobs.get_info()).await.map_err(|error| refused(JOBS, error))?;
        Ok(info.state.messages == 0)
    }

    /// Sends what waits to be sent.
    pub async fn flush(&self) {
        let _ = answer(self.client.flush()).await;
    }
}

/// A record that was asked for; none if it is gone or no record.
async fn answered(
    asked: &mut JoinSet<(Result<Option<Bytes>, String>, String)>,
) -> Result<Option<(String, Record)>, JobError> {
    let Some(joined) = asked.join_next().await else { return Ok(None) };
    let (value, id) = joined.map_err(|error| refused(BUCKET, error))?;
    let value = value.map_err(|error| refused(BUCKET, error))?;
    Ok(value.and_then(|value| Some((id, serde_json::from_slice(&value).ok()?))))
}

/// The result of a job on its way to the broker: lines of a megabyte at most, many in one message.
pub(super) struct Results<'a> {
    queue: &'a Queue,
    job: &'a str,
    lines: Vec<u8>,
    sent: u64,
    waiting: VecDeque<PublishAckFuture>,
}

impl<'a> Results<'a> {
    pub const fn new(queue: &'a Queue, job: &'a str) -> Self {
        Self { queue, job, lines: Vec::new(), sent: 0, waiting: VecDeque::new() }
    }

    /// Adds a line with its end.
    pub async fn push(&mut self, line: &[u8]) -> Result<(), JobError> {
        if self.lines.len() + line.len() > MAX_MESSAGE {
            self.send().await?;
        }
        self.lines.extend_from_slice(line);
        Ok(())
    }

    /// Sends the rest, and waits until the broker has everything.
    pub async fn end(mut self) -> Result<(), JobError> {
        self.send().await?;
        while !self.waiting.is_empty() {
            self.stored().await?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), JobError> {
        if self.lines.is_empty() {
            return Ok(());
        }
        if self.waiting.len() >= MAX_UNACKNOWLEDGED {
            self.stored().await?;
        }
        let lines = std::mem::take(&mut self.lines);
        // The same whoever does the job: a message is full by its bytes, not by the clock.
        let hash: String = blake3::hash(&lines).to_hex().chars().take(12).collect();
        let id = format!("{}-{}-{hash}", self.job, self.sent);
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, id.as_str());
        let context = &self.queue.context;
        let sent = answer(context.publish_with_headers(RESULTS_SUBJECT, headers, lines.into()));
        self.waiting.push_back(sent.await.map_err(|error| refused(RESULTS, error))?);
        self.sent += 1;
        Ok(())
    }

    /// Waits until the broker has the first of the messages that wait.
    async fn stored(&mut self) -> Result<(), JobError> {
        let Some(first) = self.waiting.pop_front() else { return Ok(()) };
        answer(first).await.map(drop).map_err(|error| refused(RESULTS, error))
    }
}

/// The next of a stream of things.
pub(super) async fn next<S: Items + Unpin>(items: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|context| Pin::new(&mut *items).poll_next(context)).await
}
