//! The replay of one job in its own process, so that a crash does not end the worker.

use super::Work;
use crate::output::Verdict;
use crate::pipeline::stopwatch;
use serde_json::Value;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::oneshot;

/// Most lines that wait to be published.
const MAX_WAITING: usize = 64;
/// Longest line of an event, bytes.
const MAX_LINE: u64 = 1 << 20;
/// How much is kept of the end of a replay's standard error, bytes.
const MAX_SAID: usize = 2_048;
/// Longest time until a process ends after it closed its output or was killed.
const END_WITHIN: Duration = Duration::from_secs(30);
/// First and longest pause between checks whether it has ended.
const LOOK_AFTER: Duration = Duration::from_millis(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Interval of exposure updates: never, because the worker uses summaries only.
const UPDATE_EVERY: &str = "3650d";

/// The arguments of every replay, without the files.
pub fn replay_arguments(
    key_file: &Path,
    config: Option<&Path>,
    threads: Option<usize>,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> =
        ["replay", "--quiet", "--no-progress", "--format", "ecs", "--summaries"]
            .into_iter()
            .chain(["--detail", "exposures", "--update-every", UPDATE_EVERY, "--key-file"])
            .map(OsString::from)
            .collect();
    arguments.push(key_file.into());
    if let Some(config) = config {
        arguments.extend(["--config".into(), config.into()]);
    }
    if let Some(threads) = threads {
        arguments.extend(["--workers".into(), threads.to_string().into()]);
    }
    arguments
}

/// A running replay.
pub(super) struct Replay {
    child: Child,
    /// Its lines.
    pub lines: Receiver<Line>,
    /// The end of its standard error.
    said: oneshot::Receiver<String>,
}

/// A line of a replay.
pub(super) enum Line {
    /// A `phi-summary` event, with the end of its line.
    Summary(Vec<u8>),
    /// The end of the run.
    Run {
        /// Number of flows that began before the captures.
        begun_before: u64,
        /// Number of flows that did not end in them.
        unended: u64,
        /// A `run-summary` event with what was not judged, if anything, and the end of its line.
        unjudged: Option<Vec<u8>>,
    },
}

impl Line {
    fn of(line: &[u8]) -> Option<Self> {
        let is = |action: &[u8]| memchr::memmem::find(line, action).is_some();
        if is(b"\"action\":\"phi-summary\"") {
            return Some(Self::Summary(line.to_vec()));
        }
        let run = is(b"\"action\":\"run-summary\"");
        let event: Value = run.then(|| serde_json::from_slice(line).ok()).flatten()?;
        let flows = |name: &str| event["phi"]["run"]["flows"][name].as_u64().unwrap_or(0);
        Some(Self::Run {
            begun_before: flows("begun_before"),
            unended: flows("unended"),
            unjudged: unjudged(&event),
        })
    }
}

/// The parts of a `run-summary` event that a merged result repeats, the same for each worker that does the job. That
/// captures are empty or were read in part is in the records of the jobs.
fn unjudged(event: &Value) -> Option<Vec<u8>> {
    let (phi, run) = (&event["phi"], &event["phi"]["run"]);
    let coverage = &run["coverage"];
    let verdict = Verdict::ALL.iter().find(|of| coverage["verdict"] == of.as_str())?;
    if *verdict == Verdict::Complete || verdict.is_of_nothing() {
        return None;
    }
    let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    let event = serde_json::json!({
        "event": {"action": "run-summary", "module": "phitap"},
        "observer": {"name": text(&event["observer"]["name"])},
        "phi": {"key_id": text(&phi["key_id"]), "run": {
            "started": run["started"], "ended": run["ended"],
            "coverage": {"verdict": coverage["verdict"], "unjudged": coverage["unjudged"]},
        }},
    });
    Some(format!("{event}\n").into_bytes())
}

/// How a replay ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    /// Everything was read.
    Whole,
    /// A part could not be read; another try would not help.
    Partly(String),
    /// The replay failed.
    Failed(String),
}

impl Replay {
    /// Starts a replay of `files`. It ends when the calling thread, the main one, ends.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start(work: &Work, files: &[PathBuf]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(replay_arguments(&work.key_file, work.config.as_deref(), work.threads))
            .args(["--ends-with", &std::process::id().to_string()]);
        // A file name may begin with a dash.
        command.arg("--").args(files);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (send, lines) = channel(MAX_WAITING);
        if let Some(out) = child.stdout.take() {
            std::thread::Builder::new().name("phitap-job-out".into()).spawn(move || {
                let mut out = BufReader::with_capacity(1 << 16, out);
                let mut line = Vec::new();
                loop {
                    line.clear();
                    match (&mut out).take(MAX_LINE).read_until(b'\n', &mut line) {
                        Ok(0) | Err(_) => return,
                        Ok(_) => {}
                    }
                    if Line::of(&line).is_some_and(|line| send.blocking_send(line).is_err()) {
                        return;
                    }
                }
            })?;
        }
        let (say, said) = oneshot::channel();
        if let Some(err) = child.stderr.take() {
            std::thread::Builder::new().name("phitap-job-err".into()).spawn(move || {
                // The worker may no longer wait for it.
                let _ = say.send(end_of(err));
            })?;
        }
        Ok(Self { child, lines, said })
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// Waits for the end. All lines must have been received before.
    pub async fn end(mut self) -> Ended {
        let status = self.status().await;
        let said = tokio::time::timeout(END_WITHIN, &mut self.said).await;
        let said = last_line(&said.ok().and_then(Result::ok).unwrap_or_default());
        match status {
            Ok(status) => match status.code() {
                Some(0) => Ended::Whole,
                Some(3) if said.is_empty() => Ended::Partly("a part could not be read".to_owned()),
                Some(3) => Ended::Partly(said),
                Some(_) if !said.is_empty() => Ended::Failed(said),
                _ => Ended::Failed(format!("the replay ended with {status}")),
            },
            Err(error) => Ended::Failed(error.to_string()),
        }
    }

    async fn status(&mut self) -> io::Result<ExitStatus> {
        let (begun, mut pause) = (stopwatch(), LOOK_AFTER);
        while begun.elapsed() < END_WITHIN {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_EVERY);
        }
        Err(io::Error::other("the replay wrote everything and did not end"))
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.kill();
        // A process that cannot end because it waits for a file server must not block the worker.
        let begun = stopwatch();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < END_WITHIN {
            std::thread::sleep(LOOK_AFTER);
        }
    }
}

/// Reads everything and keeps the end.
fn end_of(mut from: impl io::Read) -> String {
    let mut end: VecDeque<u8> = VecDeque::new();
    let mut piece = [0; 1_024];
    while let Ok(read) = from.read(&mut piece) {
        if read == 0 {
            break;
        }
        end.extend(piece.get(..read).unwrap_or_default());
        end.drain(..end.len().saturating_sub(MAX_SAID));
    }
    String::from_utf8_lossy(&Vec::from(end)).into_owned()
}

/// The last line, without the name of the program.
fn last_line(said: &str) -> String {
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.trim().trim_start_matches("phitap: ").to_owned()
}

/// The last part of an address, as a name of a file.
#[cfg(feature = "archives")]
pub(super) fn name_of(path: &str) -> &Path {
    Path::new(path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("capture"))
}
