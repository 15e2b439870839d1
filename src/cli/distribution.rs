//! The arguments of `rules publish` and `rules follow`.

use super::broker::NatsArgs;
use super::error::{ConfigError, usage};
use crate::distribution::{Follow, Publish};
use clap::Args;
use std::path::PathBuf;

/// `phitap rules publish`.
///
/// The whole folder goes into the key-value bucket phitap-rules. It must load without an error.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
pub struct PublishArgs {
    /// The private key, PEM: openssl genpkey -algorithm ed25519 -out FILE
    #[arg(long, value_name = "FILE")]
    pub sign_key: PathBuf,
    /// The broker.
    #[command(flatten)]
    pub nats: NatsArgs,
}

/// `phitap rules follow`.
///
/// Runs beside a sensor. live --rules INTO/current notices new rules and loads them. Rules that are
/// older, faulty or without a valid signature are refused with a message and counted, and the
/// active rules stay.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
pub struct FollowArgs {
    /// The folder in which the link current points to the active rules
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
    /// The public key, PEM: openssl pkey -in PRIVATE -pubout -out FILE
    #[arg(long, value_name = "FILE")]
    pub rules_key: PathBuf,
    /// Write counters in the Prometheus text format to a file
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Install the published rules and exit; the exit status is 1 if they are refused
    #[arg(long)]
    pub once: bool,
    /// Write only errors to standard error
    #[arg(short, long)]
    pub quiet: bool,
    /// The broker.
    #[command(flatten)]
    pub nats: NatsArgs,
}

impl PublishArgs {
    pub(super) fn with(self, rules: Option<PathBuf>) -> Result<Publish, ConfigError> {
        let rules = rules.ok_or_else(|| usage("name the folder to publish: --rules DIR"))?;
        let broker = self.nats.settings("phitap rules".to_owned());
        Ok(Publish { broker, rules, sign_key: self.sign_key })
    }
}

impl From<FollowArgs> for Follow {
    fn from(args: FollowArgs) -> Self {
        Self {
            broker: args.nats.settings("phitap rules".to_owned()),
            into: args.into,
            rules_key: args.rules_key,
            metrics_file: args.metrics_file,
            once: args.once,
            quiet: args.quiet,
        }
    }
}
