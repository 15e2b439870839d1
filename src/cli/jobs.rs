//! The arguments of `jobs` and `worker`.

use super::broker::NatsArgs;
use super::error::{ConfigError, usage};
use super::review::MergeFormat;
use super::values::Period;
use super::{Cli, Command};
use crate::config::Config;
use crate::destination::{Destination, Target};
use crate::jobs::{
    Ask, AskResult, Clear, GONE_AFTER, MIN_GONE_AFTER, QueueName, Submit, Together, Work,
    replay_arguments,
};
use clap::{Args, Parser as _, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

/// Which queue is meant.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
pub struct QueueArgs {
    /// Name of the queue: each holds the jobs and results of one archive [default: a queue without a name]
    #[arg(long, value_name = "NAME")]
    pub queue: Option<QueueName>,
}

/// `phitap jobs`.
#[derive(Args, Debug)]
pub struct JobsArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: JobsAction,
}

/// What to do with jobs.
#[derive(Subcommand, Debug)]
pub enum JobsAction {
    /// Add captures to the queue of the workers
    ///
    /// Workers must see the files at the same paths. Rotated files (names in one folder that differ
    /// only in numbers) form one job, because a flow may continue from one file to the next.
    /// Submitting the same files again adds no job, unless theirs was given up. Built with
    /// --features archives, it also accepts addresses of object stores: s3://bucket/prefix, gs://,
    /// az://.
    Submit {
        /// Files, folders (recursively), or addresses of object stores
        #[arg(required = true, value_name = "PATH|URL")]
        paths: Vec<String>,
        /// Which captures are one job
        #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
        together: TogetherArg,
        /// Write only errors to standard error
        #[arg(short, long)]
        quiet: bool,
        /// The queue.
        #[command(flatten)]
        queue: QueueArgs,
        /// The broker.
        #[command(flatten)]
        nats: NatsArgs,
    },
    /// Show the progress and rate of the jobs, and why any were given up
    Status {
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
        /// The queue.
        #[command(flatten)]
        queue: QueueArgs,
        /// The broker.
        #[command(flatten)]
        nats: NatsArgs,
    },
    /// Write the result of all jobs, like merge
    ///
    /// The exit status is 3 if any job is waiting or running, was given up, or was read only in
    /// part.
    Result {
        /// Output format
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: MergeFormat,
        /// Maximum number of exposures shown [default: all]
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// The queue.
        #[command(flatten)]
        queue: QueueArgs,
        /// The broker.
        #[command(flatten)]
        nats: NatsArgs,
    },
    /// Remove all jobs of a queue and their results from the broker, before another archive is submitted
    Clear {
        /// Also while workers run jobs of the queue
        #[arg(long)]
        force: bool,
        /// The queue.
        #[command(flatten)]
        queue: QueueArgs,
        /// The broker.
        #[command(flatten)]
        nats: NatsArgs,
    },
}

/// Which captures form one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TogetherArg {
    /// Those in one folder whose names differ only in numbers
    #[default]
    Rotated,
    /// Those in one folder
    Folder,
    /// Each file alone; a flow that continues in the next file counts twice
    None,
}

/// `phitap worker`.
///
/// Takes captures from the queue of phitap jobs submit, one job at a time, replays them and
/// publishes the result. A worker may be killed at any moment: another worker then repeats its job.
#[derive(Args, Debug)]
pub struct WorkerArgs {
    /// The broker.
    #[command(flatten)]
    pub nats: NatsArgs,
    /// The queue.
    #[command(flatten)]
    pub queue: QueueArgs,
    /// Key file for pseudonyms; must be the same for every worker
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// Configuration file with options of replay (rules, regions, home-net, memory...), as for its
    /// --config
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Threads per replay [default: one per core]
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,
    /// Attempts after which a job is given up
    #[arg(long, value_name = "N", default_value = "3")]
    pub tries: NonZeroU32,
    /// Time without a sign of life after which a worker's job is given to another [default: 30s]
    ///
    /// The first worker sets it for all.
    #[arg(long, value_name = "TIME")]
    pub gone_after: Option<Period>,
    /// Name of this worker in the list of jobs [default: name of the host]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// End when no job is left
    #[arg(long)]
    pub until_empty: bool,
    /// Write only errors to standard error
    #[arg(short, long)]
    pub quiet: bool,
}

impl TryFrom<WorkerArgs> for Work {
    type Error = ConfigError;

    fn try_from(args: WorkerArgs) -> Result<Self, ConfigError> {
        let name =
            args.name.or_else(super::inputs::host_name).unwrap_or_else(|| "worker".to_owned());
        let gone_after = args.gone_after.map_or(GONE_AFTER, |period| period.0);
        if gone_after < MIN_GONE_AFTER {
            return Err(usage(format!(
                "--gone-after is {} s at least: a worker must have time to say that it is there",
                MIN_GONE_AFTER.as_secs()
            )));
        }
        let threads = args.workers.map(NonZeroUsize::get);
        let of_replay = replay_arguments(&args.key_file, args.config.as_deref(), threads);
        Ok(Self {
            replay: replay(of_replay)?,
            broker: args.nats.settings(format!("phitap worker {name}")),
            queue: args.queue.queue.unwrap_or_default(),
            name,
            key_file: args.key_file,
            config: args.config,
            threads,
            tries: args.tries.get(),
            gone_after,
            until_empty: args.until_empty,
            quiet: args.quiet,
        })
    }
}

/// The configuration of a replay with these arguments. Read when the worker starts, because a
/// mistake would fail every job.
fn replay(arguments: Vec<OsString>) -> Result<Config, ConfigError> {
    let program = [OsString::from("phitap")].into_iter();
    let whole = program.chain(arguments).chain([OsString::from("-")]);
    let cli = Cli::try_parse_from(whole).map_err(|error| usage(error.to_string()))?;
    let Command::Replay(replay) = cli.command else {
        return Err(usage("a worker runs replay"));
    };
    let config = Config::try_from(replay)?;
    // They would change the exit status of a replay, keep it from ending, or write its events elsewhere: all jobs of a
    // worker would write to one place.
    let lines = |output: &Destination| {
        output.target == Target::Stdout && output.format.unwrap_or(config.format) == "ecs"
    };
    let elsewhere = !config.outputs.iter().all(lines);
    for (key, given) in [
        ("fail-on", config.fail_on.is_some()),
        ("follow", config.follow),
        ("output", elsewhere),
        ("spool", config.spool.is_some()),
        ("report", config.report.is_some()),
        ("assets", config.assets.is_some()),
        ("store", config.store.is_some()),
        ("evidence", config.evidence.is_some()),
        ("metrics", config.metrics.is_some()),
        ("metrics-file", config.metrics_file.is_some()),
        ("state", config.state.is_some()),
    ] {
        if given {
            return Err(usage(format!(
                "a worker cannot use {key}: remove it from the file of --config"
            )));
        }
    }
    Ok(config)
}

/// A checked action of `jobs`.
#[derive(Debug)]
pub enum JobsTask {
    /// `jobs submit`.
    Submit(Submit),
    /// `jobs status`.
    Status(Ask),
    /// `jobs result`.
    Result(AskResult),
    /// `jobs clear`.
    Clear(Clear),
}

impl From<JobsAction> for JobsTask {
    fn from(action: JobsAction) -> Self {
        let broker = |nats: NatsArgs| nats.settings("phitap jobs".to_owned());
        match action {
            JobsAction::Submit { paths, together, quiet, queue, nats } => Self::Submit(Submit {
                broker: broker(nats),
                queue: queue.queue.unwrap_or_default(),
                paths,
                together: match together {
                    TogetherArg::Rotated => Together::Rotated,
                    TogetherArg::Folder => Together::Folder,
                    TogetherArg::None => Together::None,
                },
                quiet,
            }),
            JobsAction::Status { json, queue, nats } => Self::Status(Ask {
                broker: broker(nats),
                queue: queue.queue.unwrap_or_default(),
                json,
            }),
            JobsAction::Result { format, limit, queue, nats } => Self::Result(AskResult {
                broker: broker(nats),
                queue: queue.queue.unwrap_or_default(),
                shape: format.into(),
                limit,
            }),
            JobsAction::Clear { force, queue, nats } => Self::Clear(Clear {
                broker: broker(nats),
                queue: queue.queue.unwrap_or_default(),
                force,
            }),
        }
    }
}
