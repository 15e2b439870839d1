//! Archives over many machines: `phitap jobs submit`, `phitap worker`, `phitap jobs status`, `phitap jobs result`.
//!
//! A job is a capture, or a set of rotated captures, because a flow may continue in the next file ([`sets`]). Jobs wait in
//! a work queue of JetStream ([`queue`]). A worker takes one, replays it in its own process ([`replay`]), publishes the
//! resulting `phi-summary` events, and acknowledges the job. It reports while it works; if it is gone, another worker takes
//! the job. Results are merged as sets ([`crate::merge`]), so a job that was done twice counts once.

#[cfg(feature = "archives")]
mod archive;
mod clear;
mod missing;
mod queue;
mod replay;
mod result;
mod sets;
mod status;
mod submit;
mod worker;

#[cfg(test)]
mod tests;

pub use clear::clear;
pub use replay::replay_arguments;
pub use result::result;
pub use status::{status, status_of};
pub use submit::submit;
pub use worker::work;

use crate::broker::{self, BrokerError};
use crate::config::Config;
use crate::output::text::foreign;
use crate::pipeline::RunError;
use crate::review::{MergeShape, ReviewError};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Most characters of a name or a reason in a message.
const MAX_SHOWN: usize = 1_024;

/// Default of `--gone-after`: time without a report after which a worker's job goes to another.
pub const GONE_AFTER: Duration = Duration::from_secs(30);

/// The shortest such time: a worker reports four times within it.
pub const MIN_GONE_AFTER: Duration = Duration::from_secs(2);
/// Longest name of a queue, characters.
const MAX_QUEUE_NAME: usize = 32;

/// The name of a queue. Each queue has its own jobs and results, so one broker serves several archives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueName(String);

impl QueueName {
    /// `base`, followed by `joint` and the name of the queue if it has one.
    fn join(&self, base: &str, joint: char) -> String {
        match self.0.as_str() {
            "" => base.to_owned(),
            name => format!("{base}{joint}{name}"),
        }
    }
}

impl FromStr for QueueName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        match !text.is_empty() && text.len() <= MAX_QUEUE_NAME && text.chars().all(fits) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!(
                "the name of a queue has 1 to {MAX_QUEUE_NAME} characters, of a-z, A-Z, 0-9, - and _"
            )),
        }
    }
}

/// Settings of `jobs submit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// The broker.
    pub broker: broker::Settings,
    /// The queue to which jobs are added.
    pub queue: QueueName,
    /// Files, folders, and addresses of object stores.
    pub paths: Vec<String>,
    /// Which captures are read together.
    pub together: Together,
    /// Write only errors.
    pub quiet: bool,
}

/// Which captures are one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Together {
    /// Those of one folder whose names differ in numbers only: what dumpcap and tcpdump rotate.
    #[default]
    Rotated,
    /// Those of one folder.
    Folder,
    /// Each alone.
    None,
}

/// Settings of a worker.
#[derive(Debug)]
pub struct Work {
    /// The broker.
    pub broker: broker::Settings,
    /// The queue from which jobs are taken.
    pub queue: QueueName,
    /// Its name in the list of jobs.
    pub name: String,
    /// The key of pseudonyms, the same for all workers.
    pub key_file: PathBuf,
    /// Options of `replay`, from a file.
    pub config: Option<PathBuf>,
    /// The settings that follow from these options, for every replay.
    pub replay: Config,
    /// Threads of one replay.
    pub threads: Option<usize>,
    /// How often a job is tried before it is given up.
    pub tries: u32,
    /// Time without a report after which a worker's job goes to another.
    pub gone_after: Duration,
    /// End when no job waits.
    pub until_empty: bool,
    /// Write only errors.
    pub quiet: bool,
}

/// Settings of `jobs clear`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clear {
    /// The broker.
    pub broker: broker::Settings,
    /// The queue to empty.
    pub queue: QueueName,
    /// Also while workers run its jobs.
    pub force: bool,
}

/// Settings of `jobs status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The broker.
    pub broker: broker::Settings,
    /// The queue.
    pub queue: QueueName,
    /// JSON instead of text.
    pub json: bool,
}

/// Settings of `jobs result`.
#[derive(Debug)]
pub struct AskResult {
    /// The broker.
    pub broker: broker::Settings,
    /// The queue whose results are merged.
    pub queue: QueueName,
    /// Format of the result.
    pub shape: MergeShape,
    /// Most exposures listed.
    pub limit: Option<usize>,
}

/// Why a command about jobs failed. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The broker cannot be reached, or refuses.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// JetStream refused something.
    #[error("{}", shown(.0))]
    Stream(String),
    /// A path contains nothing to read.
    #[error("{}", shown(.0))]
    Path(String),
    /// Workers run jobs that would be removed.
    #[error("{0}")]
    Busy(String),
    /// No job has a result.
    #[error("{0}")]
    NoResult(String),
    /// Every replay of this worker would fail.
    #[error(transparent)]
    Replay(#[from] RunError),
    /// The result cannot be shown.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// An error of the system.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

impl JobError {
    /// Whether the value of an option is invalid, as for a replay.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Replay(error) if error.is_usage())
    }
}

/// A name or a reason in a message. File names come from elsewhere and must not control a terminal.
fn shown(text: &str) -> String {
    foreign(text, MAX_SHOWN)
}
