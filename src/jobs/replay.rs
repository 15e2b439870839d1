//! One job in a process of its own: what ends it does not end the worker.

use super::Work;
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

/// Lines that wait to be published.
const MAX_WAITING: usize = 64;
/// Longest line of an event, bytes.
const MAX_LINE: u64 = 1 << 20;
/// The end of what a replay says on standard error, bytes.
const MAX_SAID: usize = 2_048;
/// Time that a process has to end once it has closed its output, or was killed.
const END_WITHIN: Duration = Duration::from_secs(30);
/// First and longest pause between two looks whether it has ended.
const LOOK_AFTER: Duration = Duration::from_millis(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often exposures are written again: not at all, as the worker takes summaries only.
const UPDATE_EVERY: &str = "3650d";

/// The arguments of the replay of every job, without its files.
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

/// A replay that runs.
pub(super) struct Replay {
    child: Child,
    /// What it found.
    pub lines: Receiver<Line>,
    /// What it said last on standard error.
    said: oneshot::Receiver<String>,
}

/// What a replay says.
pub(super) enum Line {
    /// A `phi-summary` event, with the end of its line.
    Summary(Vec<u8>),
    /// How many flows began before the captures, and how many had not ended with them.
    Cut { begun_before: u64, unended: u64 },
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
        Some(Self::Cut { begun_before: flows("begun_before"), unended: flows("unended") })
    }
}

/// How a replay ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    /// Everything was read.
    Whole,
    /// A part could not be read, and never can.
    Partly(String),
    /// It could not be done.
    Failed(String),
}

impl Replay {
    /// Starts a replay of `files`, which ends with the thread that calls this: the main one.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start(work: &Work, files: &[PathBuf]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(replay_arguments(&work.key_file, work.config.as_deref(), work.threads))
            .args(["--ends-with", &std::process::id().to_string()]);
        // A name that begins with a dash is no option.
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
                // The worker may have gone on.
                let _ = say.send(end_of(err));
            })?;
        }
        Ok(Self { child, lines, said })
    }

    /// Ends it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// How it ended. Its lines must have been taken before.
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
        // One that the system does not let go, as it waits for a file server, must not hold the worker.
        let begun = stopwatch();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < END_WITHIN {
            std::thread::sleep(LOOK_AFTER);
        }
    }
}

/// The end of what can be read.
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
