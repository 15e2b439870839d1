//! Jobs at the broker: the queue, the record of each job, and results.

use super::sets::Capture;
use super::{JobError, QueueName};
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
use std::collections::{BTreeSet, VecDeque};
use std::pin::Pin;
use std::time::Duration;
use tokio::task::JoinSet;

/// Streams and buckets of a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct StreamNames {
    /// The stream of waiting jobs, and its subject.
    pub jobs: String,
    jobs_subject: String,
    /// The stream of results, and its subject.
    pub results: String,
    results_subject: String,
    /// The bucket of records, one for each job.
    pub bucket: String,
    /// The bucket of running workers.
    pub workers: String,
}

impl StreamNames {
    pub fn of(queue: &QueueName) -> Self {
        // Not below `phitap.`, because a stream of events may take all of it. A subject with a name has one word more
        // than one without, so that no two are equal.
        let subjects = queue.join("phitap-jobs", '.');
        Self {
            jobs: queue.join("PHITAP_JOBS", '_'),
            jobs_subject: format!("{subjects}.queue"),
            results: queue.join("PHITAP_RESULTS", '_'),
            results_subject: format!("{subjects}.results"),
            bucket: queue.join("phitap-jobs", '-'),
            workers: queue.join("phitap-workers", '-'),
        }
    }

    /// All streams of the queue; a bucket is a stream too (NATS ADR-8).
    pub fn streams(&self) -> [String; 4] {
        let bucket = |name: &str| format!("KV_{name}");
        [self.jobs.clone(), self.results.clone(), bucket(&self.bucket), bucket(&self.workers)]
    }
}

/// The consumer that all workers share.
const WORKERS: &str = "workers";
/// Longest list of the files of a job, bytes. A message has at most a megabyte.
const MAX_JOB: usize = 900_000;
/// Most objects of a store in one job: a worker reads all of them at once, each with a thread and a connection.
pub(super) const MAX_OBJECTS: usize = 512;
/// A worker that has not announced itself for this long counts as gone.
const PRESENT_FOR: Duration = Duration::from_secs(120);
/// Most records requested at once.
const MAX_ASKED: usize = 64;
/// Most bytes of a result in one message. A message has at most a megabyte.
const MAX_MESSAGE: usize = 512 << 10;
/// Most messages of a result that wait for acknowledgement.
const MAX_UNACKNOWLEDGED: usize = 4;

/// A job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    /// Hash of its files and their sizes: the same files make the same job.
    pub id: String,
    /// Paths and addresses.
    pub files: Vec<String>,
    /// Size of all of them.
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

/// Refuses more than [`MAX_OBJECTS`] files in object stores.
///
/// # Errors
/// There are more.
pub(super) fn check_objects(files: &[String]) -> Result<(), String> {
    let objects = files.iter().filter(|file| file.contains("://")).count();
    if objects > MAX_OBJECTS { Err(too_many(files)) } else { Ok(()) }
}

fn too_many(files: &[String]) -> String {
    let first = files.first().map_or("", String::as_str);
    format!(
        "{first} and {} more files are too many for one job; divide them, or use --together none",
        files.len().saturating_sub(1)
    )
}

/// State of a job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// It waits for a worker.
    Queued,
    /// A worker runs it.
    Running,
    /// Its result is stored.
    Done,
    /// It was given up.
    Failed,
}

/// The record of a job.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub stage: Stage,
    /// The first of its files, and how many there are.
    pub first: String,
    pub files: usize,
    pub bytes: u64,
    /// Number of tries.
    pub tries: u32,
    /// The worker that took it last.
    #[serde(default)]
    pub worker: String,
    /// When the stage began, and when the worker last reported; seconds since 1970.
    pub since: i64,
    pub seen: i64,
    /// How long the last try took, seconds.
    #[serde(default)]
    pub seconds: f64,
    /// When the last try ended, seconds since 1970.
    #[serde(default)]
    pub ended: f64,
    /// Why it failed or was read in part.
    #[serde(default)]
    pub reason: String,
    /// Workers that do not see its files, and when the first of them reported that.
    #[serde(default)]
    pub missed_by: BTreeSet<String>,
    #[serde(default)]
    pub missed_since: i64,
    /// Flows whose beginning, or end, is not in its captures.
    #[serde(default)]
    pub begun_before: u64,
    #[serde(default)]
    pub unended: u64,
}

impl Record {
    /// The record of a job that waits since `now`, seconds since 1970.
    pub fn of(job: &Job, now: i64) -> Self {
        Self {
            stage: Stage::Queued,
            first: job.files.first().cloned().unwrap_or_default(),
            files: job.files.len(),
            bytes: job.bytes,
            tries: 0,
            worker: String::new(),
            since: now,
            seen: now,
            seconds: 0.0,
            ended: 0.0,
            reason: String::new(),
            missed_by: BTreeSet::new(),
            missed_since: 0,
            begun_before: 0,
            unended: 0,
        }
    }
}

/// A queue at a broker.
pub(super) struct Queue {
    pub context: Context,
    pub names: StreamNames,
    client: Client,
    bucket: Store,
    workers: Store,
    jobs: Stream,
}

fn refused(what: &str, error: impl std::fmt::Display) -> JobError {
    JobError::Stream(format!("{what}: {error}"))
}

impl Queue {
    /// Connects, and creates missing streams and buckets.
    pub async fn open(settings: &broker::Settings, queue: &QueueName) -> Result<Self, JobError> {
        let client = Access::open(settings)?.connect().await?;
        let context = jetstream::new(client.clone());
        let names = StreamNames::of(queue);
        let config = |name: &str, subject: &str, retention| StreamConfig {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            retention,
            ..StreamConfig::default()
        };
        let jobs = config(&names.jobs, &names.jobs_subject, RetentionPolicy::WorkQueue);
        let jobs = answer(context.get_or_create_stream(jobs)).await;
        let jobs = jobs.map_err(|error| refused(&names.jobs, error))?;
        let results = config(&names.results, &names.results_subject, RetentionPolicy::Limits);
        let results = answer(context.get_or_create_stream(results)).await;
        results.map_err(|error| refused(&names.results, error))?;
        let records = bucket(&context, &names.bucket, 1, Duration::ZERO).await;
        let workers = bucket(&context, &names.workers, 1, PRESENT_FOR).await;
        Ok(Self {
            context,
            names,
            client,
            bucket: records.map_err(JobError::Stream)?,
            workers: workers.map_err(JobError::Stream)?,
            jobs,
        })
    }

    /// Adds a job unless it exists. Returns whether it was added.
    pub async fn add(&self, job: &Job, now: i64) -> Result<bool, JobError> {
        let payload = serde_json::to_vec(job).unwrap_or_default();
        if payload.len() > MAX_JOB {
            return Err(JobError::Path(too_many(&job.files)));
        }
        check_objects(&job.files).map_err(JobError::Path)?;
        let value = serde_json::to_vec(&Record::of(job, now)).unwrap_or_default();
        let known = answer(self.bucket.entry(&job.id)).await;
        let known = known.map_err(|error| refused(&self.names.bucket, error))?;
        let known = known.filter(|entry| entry.operation == Operation::Put);
        let again = match &known {
            Some(entry) => match serde_json::from_slice::<Record>(&entry.value) {
                Ok(record) if record.stage != Stage::Failed => return Ok(false),
                _ => Some(entry.revision),
            },
            None => None,
        };
        // The message first: a job with a record but without a message would wait for ever.
        let sent =
            answer(self.context.publish(self.names.jobs_subject.clone(), payload.into())).await;
        let stored = answer(sent.map_err(|error| refused(&self.names.jobs, error))?).await;
        stored.map_err(|error| refused(&self.names.jobs, error))?;
        // A worker may have taken it already; then its record is newer.
        let _ = match again {
            Some(of) => answer(self.bucket.update(&job.id, value.into(), of)).await.is_ok(),
            None => answer(self.bucket.create(&job.id, value.into())).await.is_ok(),
        };
        Ok(true)
    }

    /// The record of a job.
    pub async fn record(&self, id: &str) -> Result<Option<Record>, JobError> {
        let value = answer(self.bucket.get(id))
            .await
            .map_err(|error| refused(&self.names.bucket, error))?;
        Ok(value.and_then(|value| serde_json::from_slice(&value).ok()))
    }

    /// Stores the record of a job.
    pub async fn note(&self, id: &str, record: &Record) -> Result<(), JobError> {
        let value = serde_json::to_vec(record).unwrap_or_default();
        let put = answer(self.bucket.put(id, value.into())).await;
        put.map(drop).map_err(|error| refused(&self.names.bucket, error))
    }

    /// All records, by id.
    pub async fn records(&self) -> Result<Vec<(String, Record)>, JobError> {
        let mut records = Vec::new();
        for (id, value) in values(&self.bucket).await? {
            records.extend(serde_json::from_slice(&value).ok().map(|record| (id, record)));
        }
        records.sort_unstable_by(|(a, _): &(String, Record), (b, _)| a.cmp(b));
        Ok(records)
    }

    /// Announces a worker.
    pub async fn announce(&self, worker: &str) -> Result<(), JobError> {
        let put = answer(self.workers.put(key_of(worker), worker.to_owned().into())).await;
        put.map(drop).map_err(|error| refused(&self.names.workers, error))
    }

    /// Removes a worker that ends.
    pub async fn withdraw(&self, worker: &str) {
        // If that fails, its announcement expires.
        let _ = answer(self.workers.delete(key_of(worker))).await;
    }

    /// Names of the workers that run.
    pub async fn present(&self) -> Result<BTreeSet<String>, JobError> {
        let values = values(&self.workers).await?;
        let name = |(_, value): (String, Bytes)| String::from_utf8(value.into()).ok();
        Ok(values.into_iter().filter_map(name).collect())
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
        consumer.map_err(|error| refused(&self.names.jobs, error))
    }

    /// Waits for a job for at most this time.
    pub async fn take(
        &self,
        consumer: &PullConsumer,
        wait: Duration,
    ) -> Result<Option<Message>, JobError> {
        let asked = answer(consumer.batch().max_messages(1).expires(wait).messages()).await;
        let mut asked = asked.map_err(|error| refused(&self.names.jobs, error))?;
        let message = answer(async { next(&mut asked).await.transpose() }).await;
        message.map_err(|error| refused(&self.names.jobs, error))
    }

    /// Whether no job waits or runs: jobs that are done or given up are no longer in the queue.
    pub async fn is_empty(&self) -> Result<bool, JobError> {
        let info =
            answer(self.jobs.get_info()).await.map_err(|error| refused(&self.names.jobs, error))?;
        Ok(info.state.messages == 0)
    }

    /// Sends everything that is buffered.
    pub async fn flush(&self) {
        let _ = answer(self.client.flush()).await;
    }
}

/// The key of a worker: keys of a bucket allow fewer characters than names.
fn key_of(worker: &str) -> String {
    blake3::hash(worker.as_bytes()).to_hex().chars().take(24).collect()
}

/// All values of a bucket, by key.
///
/// Requests the names of the keys, because a subscription to them would wait for ever if a worker stores a record
/// meanwhile: the broker counts a message for the replaced key that never comes.
async fn values(bucket: &Store) -> Result<Vec<(String, Bytes)>, JobError> {
    let fail = |error: String| refused(&bucket.name, error);
    let all = format!("{}>", bucket.prefix);
    let mut subjects = answer(bucket.stream.info_with_subjects(all)).await.map_err(fail)?;
    let (mut asked, mut values) = (JoinSet::new(), Vec::new());
    // Names come in pages; the next is requested when the last was read.
    while let Some(subject) =
        answer(async { Ok::<_, String>(next(&mut subjects).await) }).await.map_err(fail)?
    {
        let (subject, _) = subject.map_err(|error| fail(error.to_string()))?;
        let Some(key) = subject.strip_prefix(&bucket.prefix).map(str::to_owned) else { continue };
        if asked.len() >= MAX_ASKED {
            values.extend(answered(&mut asked).await.map_err(fail)?);
        }
        let bucket = bucket.clone();
        asked.spawn(async move { (answer(bucket.get(&key)).await, key) });
    }
    while !asked.is_empty() {
        values.extend(answered(&mut asked).await.map_err(fail)?);
    }
    Ok(values)
}

/// A requested value; none if it is gone.
async fn answered(
    asked: &mut JoinSet<(Result<Option<Bytes>, String>, String)>,
) -> Result<Option<(String, Bytes)>, String> {
    let Some(joined) = asked.join_next().await else { return Ok(None) };
    let (value, key) = joined.map_err(|error| error.to_string())?;
    Ok(value?.map(|value| (key, value)))
}

/// Sends the result of a job: many lines in one message, each of a megabyte at most.
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
        // The same for each worker that does the job: messages are divided by bytes, not by the clock.
        let hash: String = blake3::hash(&lines).to_hex().chars().take(12).collect();
        let id = format!("{}-{}-{hash}", self.job, self.sent);
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, id.as_str());
        let (context, subject) = (&self.queue.context, self.queue.names.results_subject.clone());
        let sent = answer(context.publish_with_headers(subject, headers, lines.into()));
        self.waiting
            .push_back(sent.await.map_err(|error| refused(&self.queue.names.results, error))?);
        self.sent += 1;
        Ok(())
    }

    /// Waits until the broker has stored the first waiting message.
    async fn stored(&mut self) -> Result<(), JobError> {
        let Some(first) = self.waiting.pop_front() else { return Ok(()) };
        answer(first).await.map(drop).map_err(|error| refused(&self.queue.names.results, error))
    }
}

/// The next item of a stream.
pub(super) async fn next<S: Items + Unpin>(items: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|context| Pin::new(&mut *items).poll_next(context)).await
}
