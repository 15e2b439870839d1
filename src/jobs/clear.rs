//! `phitap jobs clear`: removes the jobs of a queue and their results.

use super::queue::{Queue, Stage, StreamNames};
use super::status::is_gone;
use super::{Clear, JobError};
use crate::broker::{Access, answer};
use crate::output::text::count;
use crate::pipeline::wall_clock;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::{self, Context, ErrorCode};
use std::io::Write;

/// Removes all jobs of a queue and their results, and writes how many there were.
///
/// # Errors
/// The broker's error, or that workers run jobs of the queue.
pub fn clear(clear: &Clear, out: &mut dyn Write) -> Result<(), JobError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let jobs = runtime.block_on(async {
        let client = Access::open(&clear.broker)?.connect().await?;
        let context = jetstream::new(client);
        let names = StreamNames::of(&clear.queue);
        if !exists(&context, &names.jobs).await? && !exists(&context, &names.results).await? {
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
        // The waiting jobs first, so that no worker takes one whose record is gone.
        for stream in names.streams() {
            if exists(&context, &stream).await? {
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

/// Whether a stream exists. No answer is an error, because its jobs may exist.
async fn exists(context: &Context, stream: &str) -> Result<bool, JobError> {
    let asked = async {
        match context.get_stream(stream).await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error.kind()) => Ok(false),
            Err(error) => Err(error),
        }
    };
    answer(asked).await.map_err(|error| JobError::Stream(format!("{stream}: {error}")))
}

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(of) if of.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Settings;
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;

    /// A broker that answers every request of JetStream with `answer`. Its address.
    fn broker(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let address = listener.local_addr().expect("address").to_string();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let info = r#"INFO {"server_id":"x","server_name":"x","version":"2.10.0","go":"go","host":"127.0.0.1","port":4222,"headers":true,"max_payload":1048576,"proto":1}"#;
                let _ = write!(stream, "{info}\r\n");
                let reader = BufReader::new(stream.try_clone().expect("stream"));
                let mut inboxes = String::new();
                for line in reader.lines().map_while(Result::ok) {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    match words.as_slice() {
                        ["PING"] => {
                            let _ = stream.write_all(b"PONG\r\n");
                        }
                        ["SUB", _, id] => (*id).clone_into(&mut inboxes),
                        // Subject, where to answer, and how long what follows is.
                        ["PUB", _, inbox, _] => {
                            let size = answer.len();
                            let _ = write!(stream, "MSG {inbox} {inboxes} {size}\r\n{answer}\r\n");
                        }
                        _ => {}
                    }
                }
            }
        });
        address
    }

    fn cleared(answer: &'static str) -> Result<String, String> {
        let server = format!("nats://{}", broker(answer));
        let settings = Clear {
            broker: Settings { servers: vec![server], ..Settings::default() },
            queue: crate::jobs::QueueName::default(),
            force: false,
        };
        let mut out = Vec::new();
        clear(&settings, &mut out).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn only_a_stream_that_does_not_exist_counts_as_an_empty_queue() {
        let none = r#"{"type":"x","error":{"code":404,"err_code":10059,"description":"stream not found"}}"#;
        assert_eq!(cleared(none).expect("an answer"), "the queue has no jobs and no results\n");
        for (answer, part) in [
            (
                r#"{"type":"x","error":{"code":503,"err_code":10008,"description":"not available"}}"#,
                "not available",
            ),
            ("garbage", "PHITAP_JOBS"),
        ] {
            let error = cleared(answer).expect_err("it is not known");
            assert!(error.contains(part), "{error}");
        }
    }
}
