//! `phitap jobs clear`: removes the jobs of a queue and what they found.

use super::queue::{Queue, Stage, StreamNames};
use super::status::is_gone;
use super::{Clear, JobError};
use crate::broker::{Access, answer};
use crate::output::text::count;
use crate::pipeline::wall_clock;
use async_nats::jetstream::{self, Context};
use std::io::Write;

/// Removes all jobs of a queue and their results, and says how many there were.
///
/// # Errors
/// What the broker said, or if workers are at jobs of the queue.
pub fn clear(clear: &Clear, out: &mut dyn Write) -> Result<(), JobError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let jobs = runtime.block_on(async {
        let client = Access::open(&clear.broker)?.connect().await?;
        let context = jetstream::new(client);
        let names = StreamNames::of(&clear.queue);
        if !exists(&context, &names.jobs).await && !exists(&context, &names.results).await {
            return Ok(None);
        }
        let records = Queue::open(&clear.broker, &clear.queue).await?.records().await?;
        let now = wall_clock().0 / 1_000_000_000;
        let runs = |record: &&super::queue::Record| {
            record.stage == Stage::Running && !is_gone(record, now)
        };
        let running = records.iter().map(|(_, record)| record).filter(runs).count() as u64;
        if running > 0 && !clear.force {
            return Err(JobError::Busy(format!(
                "workers are at {} of this queue; stop them first, or use --force",
                count(running, "job")
            )));
        }
        // The waiting jobs first: no worker takes one whose record is gone.
        for stream in names.streams() {
            if exists(&context, &stream).await {
                let gone = answer(context.delete_stream(&stream)).await;
                gone.map_err(|error| JobError::Stream(format!("{stream}: {error}")))?;
            }
        }
        Ok(Some(records.len() as u64))
    })?;
    match jobs {
        Some(jobs) => writeln!(out, "{} and their results removed", count(jobs, "job"))?,
        None => writeln!(out, "the queue has no jobs and no results")?,
    }
    Ok(())
}

async fn exists(context: &Context, stream: &str) -> bool {
    answer(context.get_stream(stream)).await.is_ok()
}
