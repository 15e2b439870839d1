//! `phitap jobs result`: the merged result of all jobs.

use super::queue::{Queue, StreamNames, next};
use super::status::Progress;
use super::{AskResult, JobError};
use crate::broker::answer;
use crate::output::text::count;
use crate::pipeline::wall_clock;
use crate::review::{Answer, Console, Merged};
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use std::time::Duration;

/// Longest wait for the next message of a result. A message that the broker has removed never comes.
const NEXT_WITHIN: Duration = Duration::from_secs(30);

/// Merges the results of all jobs and writes them, with the number of jobs without a whole result.
///
/// # Errors
/// The broker's error, or that there is no result yet.
pub fn result(
    ask: &AskResult,
    out: &mut Console<'_>,
    note: &mut dyn FnMut(String),
) -> Result<Answer, JobError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut merged = Merged::default();
    let (progress, messages) = runtime.block_on(read(ask, &mut merged))?;
    let missing = progress.missing();
    if messages == 0 {
        let stream = StreamNames::of(&ask.queue).results;
        return Err(JobError::NoResult(none(&progress, missing, &stream)));
    }
    if let Some(missing) = &missing {
        note(format!("the result is incomplete: {missing}; see phitap jobs status"));
    }
    let answer = merged.answer("results", (ask.shape, ask.limit), out, note)?;
    Ok(if missing.is_some() { Answer::Partial } else { answer })
}

/// Says why there is no result.
pub(super) fn none(progress: &Progress, missing: Option<String>, stream: &str) -> String {
    match (missing, progress.all()) {
        (Some(missing), _) => {
            format!("no job has a result yet: {missing}; see phitap jobs status")
        }
        (None, 0) => "no job has a result: none was submitted; see phitap jobs submit".to_owned(),
        (None, all) => format!(
            "no result is stored, though {} ended; look at the limits of the stream {stream}",
            count(all, "job")
        ),
    }
}

/// Reads the results of all jobs. Returns their progress and the number of messages.
async fn read(ask: &AskResult, merged: &mut Merged) -> Result<(Progress, u64), JobError> {
    let queue = Queue::open(&ask.broker, &ask.queue).await?;
    let results = &queue.names.results;
    let fail = |error: &dyn std::fmt::Display| JobError::Stream(format!("{results}: {error}"));
    // Before the results: everything is stored of a job that is recorded as done now.
    let progress = Progress::of(&queue.records().await?, wall_clock().0 / 1_000_000_000);
    let stream = answer(queue.context.get_stream(results)).await.map_err(|e| fail(&e))?;
    let state = answer(stream.get_info()).await.map_err(|e| fail(&e))?.state;
    // If everything was removed, no message comes.
    let last = if state.messages == 0 { 0 } else { state.last_sequence };
    let config = pull::OrderedConfig { deliver_policy: DeliverPolicy::All, ..Default::default() };
    let consumer = answer(stream.create_consumer(config)).await.map_err(|e| fail(&e))?;
    let mut messages = answer(consumer.messages()).await.map_err(|e| fail(&e))?;
    let (mut at, mut read) = (0, 0);
    while at < last {
        let Ok(message) = tokio::time::timeout(NEXT_WITHIN, next(&mut messages)).await else {
            return Err(fail(&format_args!(
                "message {at} of {last} is the last that came; ask again, or look at the limits of the stream"
            )));
        };
        let Some(message) = message else { break };
        let message = message.map_err(|e| fail(&e))?;
        let lines = message.payload.split(|byte| *byte == b'\n');
        lines.filter(|line| !line.is_empty()).for_each(|line| merged.line(line));
        read += 1;
        at = message.info().map_or(last, |info| info.stream_sequence);
    }
    Ok((progress, read))
}
