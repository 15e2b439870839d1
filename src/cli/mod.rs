//! The command line: clap structs and no logic. [`Task`] is the checked result.
//!
//! [`Options`] serves both arguments and `--config`, so every option has a key in the file.

#[cfg(feature = "nats")]
mod broker;
#[cfg(feature = "nats")]
mod distribution;
mod error;
mod evidence;
#[cfg(all(feature = "nats", feature = "store"))]
mod hub;
mod inputs;
mod interfaces;
#[cfg(feature = "nats")]
mod jobs;
mod load;
mod manual;
mod output;
mod published;
mod reveal;
mod review;
mod values;

#[cfg(test)]
mod tests;

pub use error::ConfigError;
#[cfg(all(feature = "nats", feature = "store"))]
pub use hub::HubArgs;
pub use load::Task;
pub use manual::{completions, man};
pub use output::OutputArg;
pub use published::RulesFrom;
pub use review::{
    CutArgs, DiffArgs, ExplainArgs, FindArgs, MergeArgs, MergeFormat, QueryArgs, QueryKind,
    Selection, TableFormat,
};
pub use values::{FormatName, KeepFor, Listen, Period, Size};
#[cfg(feature = "nats")]
pub use {
    broker::NatsArgs,
    distribution::{FollowArgs, PublishArgs},
    jobs::{JobsAction, JobsArgs, JobsTask, TogetherArg, WorkerArgs},
};

use crate::config::{Backend, Detail, LogFormat, Timestamps};
use crate::decode::Checksums;
use crate::net::Cidr;
use crate::severity::Severity;
use clap::{Args, Parser, Subcommand};
use serde::Deserialize;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Exit status.
pub mod exit {
    /// Done.
    pub const DONE: u8 = 0;
    /// Failed; a message names the file, the offset and the remedy.
    pub const FAILED: u8 = 1;
    /// Wrong usage.
    pub const USAGE: u8 = 2;
    /// Done, but part of the input was unreadable or truncated.
    pub const PARTIAL: u8 = 3;
    /// Done, and an exposure of at least the severity of `--fail-on` was found.
    pub const FOUND: u8 = 10;
}

const AFTER_HELP: &str = "\
Exit status:
  0   done (also when the reader of a pipe goes away)
  1   could not do it; the message names the file, the offset and the remedy
  2   wrong usage
  3   done, but part of the input was unreadable, truncated or not reached, or there was nothing to judge
  10  done, and an exposure of at least the severity of --fail-on was found";

const FIND_HELP: &str = "\
Input is neither echoed, written nor logged: it is converted to tokens at once.

Exit status:
  0   no person was found
  1   could not do it, or the key does not match
  3   no person was found, but not everything could be judged
  10  a person was found";

/// Finds patient data (PHI) that crosses a network in cleartext.
///
/// phitap reads packets from capture files or from a SPAN or TAP port and reassembles the
/// conversations. For each patient whose data crosses the wire in cleartext, it reports who sent it
/// to whom, over what, which identifiers it held, and how exposed it was. It never shows an
/// identifier value unless --reveal is given.
#[derive(Parser, Debug)]
#[command(name = "phitap", version, propagate_version = true, max_term_width = 100)]
#[command(after_long_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The process whose end also ends this one.
    pub const fn ends_with(&self) -> Option<u32> {
        match &self.command {
            Command::Replay(replay) => replay.ends_with,
            _ => None,
        }
    }

    /// Parses the program's arguments. A capture file in place of a command gets a hint.
    pub fn read() -> Self {
        Self::try_parse().unwrap_or_else(|mut error| {
            hide_credentials(&mut error);
            let first = std::env::args_os().nth(1).map(PathBuf::from);
            if error.kind() == clap::error::ErrorKind::InvalidSubcommand
                && let Some(path) = first.filter(|path| path.exists())
            {
                let hint = format!("to read a capture, run: phitap replay {}", path.display());
                error.insert(
                    clap::error::ContextKind::Suggested,
                    clap::error::ContextValue::StyledStrs(vec![hint.into()]),
                );
            }
            error.exit()
        })
    }
}

/// Removes the user name and password of an address quoted in an error.
fn hide_credentials(error: &mut clap::Error) {
    use clap::error::{ContextKind, ContextValue};
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else { return };
    let Some((scheme, rest)) = value.split_once("://") else { return };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let Some(at) = authority.rfind('@') else { return };
    let hidden = format!("{scheme}://***{}", rest.get(at..).unwrap_or_default());
    error.insert(ContextKind::InvalidValue, ContextValue::String(hidden));
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Read capture files
    Replay(Replay),
    /// Watch network interfaces
    Live(Live),
    /// Check the host and the configuration of a sensor, and suggest changes
    Doctor(Doctor),
    /// Write the report of finished runs, from a store or a file of events
    Report(Report),
    /// List, check or test the detection rules
    Rules(Rules),
    /// List exposures, patients, services, assets or runs of a store or of events
    Query(Box<QueryArgs>),
    /// Look up whether a person is affected, by name, birth date or number (prompted for)
    Find(Box<FindArgs>),
    /// Compare two runs: what is gone, what is new, what remains (exit status 10 if anything
    /// remains or is new)
    Diff(Box<DiffArgs>),
    /// Show everything about an exposure, a finding, a patient, a service or a rule
    Explain(ExplainArgs),
    /// Extract the packets of exposures, flows, services, patients or times from their captures
    Cut(Box<CutArgs>),
    /// Merge the results of several sensors, days, files or workers
    Merge(MergeArgs),
    /// Merge the results that many sensors publish to a broker, while they run
    #[cfg(all(feature = "nats", feature = "store"))]
    Hub(Box<HubArgs>),
    /// Distribute archives of captures over many machines
    #[cfg(feature = "nats")]
    Jobs(JobsArgs),
    /// Process the captures that phitap jobs submitted
    #[cfg(feature = "nats")]
    Worker(Box<WorkerArgs>),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

/// `phitap replay`.
#[derive(Args, Debug)]
#[command(after_long_help = AFTER_HELP)]
pub struct Replay {
    /// Capture files, folders (searched recursively), or - for standard input
    ///
    /// Reads pcap, pcapng and formats of other programs, also compressed.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// At the end of a file that is still being written, wait for more; stop with Ctrl-C
    ///
    /// Compressed files are read to their end only.
    #[arg(short, long, help_heading = "Running")]
    pub follow: bool,
    /// End when the process with this number ends, which must be the parent process
    #[arg(long, value_name = "PID", hide = true)]
    pub ends_with: Option<u32>,
    /// Options shared by replay and live.
    #[command(flatten)]
    pub options: Options,
}

/// `phitap live`.
#[derive(Args, Debug)]
#[command(after_long_help = AFTER_HELP)]
pub struct Live {
    /// Interfaces to watch, such as eth1,eth2
    #[arg(short, long, value_name = "IFACE", value_delimiter = ',')]
    pub interface: Vec<String>,
    /// Options shared by replay and live.
    #[command(flatten)]
    pub options: Options,
}

/// `phitap doctor`.
///
/// Takes the options of live, also from --config, and checks what they require: interfaces and
/// their offloads, privileges, memory, the clock, files, the key, the rules, and the metrics
/// address. The exit status is 1 if something must be changed. --format json prints JSON for
/// programs.
#[derive(Args, Debug)]
pub struct Doctor {
    /// Interfaces that live will watch, such as eth1,eth2
    #[arg(short, long, value_name = "IFACE", value_delimiter = ',')]
    pub interface: Vec<String>,
    /// Options shared by replay and live.
    #[command(flatten)]
    pub options: Options,
}

/// `phitap report`.
#[derive(Args, Debug)]
pub struct Report {
    /// A file of --store, or a file of events (--format ecs), or - for standard input
    #[arg(value_name = "STORE|EVENTS")]
    pub from: PathBuf,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE.html")]
    pub output: Option<PathBuf>,
}

/// `phitap rules`.
#[derive(Args, Debug)]
pub struct Rules {
    /// What to do with them.
    #[command(subcommand)]
    pub action: RulesAction,
    /// Folder of further rules (*.toml), which extend and override those that ship with phitap
    #[arg(long, value_name = "DIR", global = true)]
    pub rules: Option<PathBuf>,
}

/// What to do with the rules.
#[derive(Subcommand, Debug, Clone, PartialEq, Eq)]
pub enum RulesAction {
    /// List every active rule
    List,
    /// Show a rule: what it matches, why, and its samples
    Show {
        /// Its id, as in rules list and in events
        id: String,
    },
    /// Check that every rule file is valid
    Check,
    /// Test every rule with its match and no_match samples
    Test,
    /// Publish the rules of --rules to all sensors, signed
    #[cfg(feature = "nats")]
    Publish(PublishArgs),
    /// Install published rules into a folder as they arrive, if their signature is valid
    #[cfg(feature = "nats")]
    Follow(FollowArgs),
}

/// Options of `replay` and `live`. Each is also a key of `--config` with the same name, without the
/// leading dashes; the command line takes precedence.
#[derive(Args, Deserialize, Debug, Default, Clone)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Options {
    /// Format of the output [default: summary]
    #[arg(long, value_name = "FORMAT", value_parser = values::format_parser(), help_heading = "Output")]
    pub format: Option<FormatName>,
    /// Level of detail of findings [default: patients in replay, exposures in live]
    ///
    /// exposures: no findings. patients: one finding for each patient of an exposure (client and
    /// service), repeated when a new kind of identifier, health data or a higher severity appears.
    /// flows: one for each patient of a flow. Counts are the same at every level.
    #[arg(long, value_name = "LEVEL", value_parser = values::detail_parser(), help_heading = "Output")]
    #[serde(deserialize_with = "values::detail")]
    pub detail: Option<Detail>,
    /// Number of exposures that the summary shows in full, the worst first [default: 10]
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub top: Option<usize>,
    /// Write to a file, or send to a receiver, instead of standard output; may be given several
    /// times
    ///
    /// A file: FILE or file:FILE, with rotate=SIZE, every=TIME, keep=N. A new file is readable by
    /// its owner only. replay replaces an existing file; live appends to it, and so does rotation.
    /// live reopens a file that was renamed (logrotate), and continues when the disk is full.
    ///
    /// Other targets: stdout; unix:SOCKET; syslog:udp://HOST, tcp://HOST:PORT or tls://HOST;
    /// nats://HOST (subject=); kafka:HOST (topic=, sasl=); https://HOST/PATH (api=webhook, elasticsearch,
    /// opensearch or splunk, index=, batch=). These may be followed by a comma and name=, format=,
    /// credentials=FILE, ca=FILE, cert=FILE, key=FILE. In the configuration file, outputs are a
    /// list. docs/outputs.md explains each.
    #[arg(short, long, value_name = "[KIND:]TARGET", help_heading = "Output")]
    #[serde(deserialize_with = "output::outputs")]
    pub output: Vec<OutputArg>,
    /// Keep events for slow or absent receivers in this folder, across restarts
    ///
    /// Without it, events wait in memory. Only its owner can read the folder.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub spool: Option<PathBuf>,
    /// Limits of --spool for each output: time, size or both, such as 7d or 7d,4GiB [default: 1GiB]
    #[arg(long, value_name = "AGE,SIZE", help_heading = "Output", requires = "spool")]
    pub spool_keep: Option<KeepFor>,
    /// Write a report to a file: one self-contained HTML page
    ///
    /// Written at the end of the run. It shows masks and pseudonyms, never values, even with --reveal.
    #[arg(long, value_name = "FILE.html", help_heading = "Output")]
    pub report: Option<PathBuf>,
    /// Write the hosts and services seen in traffic to a file: .json, .csv or .graphml
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub assets: Option<PathBuf>,
    /// Store everything that was found in a SQLite file; several runs and sensors may share it
    ///
    /// query, find, diff, explain, cut and report read it. It holds masks and pseudonyms of every
    /// patient of every exposure, at any --detail. Use it with --key-file: runs with different keys
    /// cannot be compared. A new file is readable by its owner only.
    #[arg(long, value_name = "FILE.db", help_heading = "Output", conflicts_with = "reveal")]
    pub store: Option<PathBuf>,
    /// Retention of --store by age, size or both, such as 90d, 10GiB or 90d,10GiB [default: keep
    /// all]
    ///
    /// The oldest entries are deleted first. An age is in days (d), hours (h) or minutes (m).
    #[arg(long, value_name = "AGE,SIZE", help_heading = "Output", requires = "store")]
    pub store_keep: Option<KeepFor>,
    /// Keep the packets of each exposure that live finds in this folder, as pcapng files named by
    /// its id
    ///
    /// These files are unmasked patient data: encrypt them with --encrypt-to, or protect the
    /// folder. They include the packets before the exposure was found, up to 256 KiB of a
    /// connection.
    #[arg(long, value_name = "DIR", help_heading = "Live capture")]
    pub evidence: Option<PathBuf>,
    /// Limits of --evidence for each exposure: time, size or both [default: 10m,16MiB]
    #[arg(long, value_name = "TIME,SIZE", help_heading = "Live capture")]
    pub evidence_limit: Option<KeepFor>,
    /// Encrypt --evidence for this age public key, so that only the holder of the private key can open it
    ///
    /// May be given several times. Requires a build with --features age.
    #[arg(long, value_name = "AGE1...", help_heading = "Live capture")]
    pub encrypt_to: Vec<String>,
    /// Serve /metrics, /healthz, /readyz and a web page at this address
    ///
    /// A port alone means 127.0.0.1. The page is a live --report and shows no values. An address
    /// that other hosts can reach requires --metrics-token-file.
    #[arg(long, visible_alias = "web", value_name = "ADDR", help_heading = "Output")]
    #[serde(alias = "web")]
    pub metrics: Option<Listen>,
    /// Require the token in this file for --metrics
    ///
    /// Sent as Authorization: Bearer TOKEN, or as the password of basic authentication. /healthz
    /// needs no token.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub metrics_token_file: Option<PathBuf>,
    /// Serve --metrics over TLS with this certificate chain, PEM
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub metrics_cert: Option<PathBuf>,
    /// The private key of --metrics-cert, PEM
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub metrics_key: Option<PathBuf>,
    /// Write metrics in the Prometheus text format to a file at the end of the run
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub metrics_file: Option<PathBuf>,
    /// Show identifier values instead of masks
    ///
    /// The output is then itself patient data: protect it. It must go to a terminal, to a file
    /// given with --output, or, in replay, to standard output with an explicit --format. Only ecs
    /// contains values; the other formats have no field for them.
    #[arg(long, help_heading = "Output")]
    pub reveal: bool,
    /// Exit with status 10 if an exposure of at least this severity was found
    #[arg(long, value_name = "SEVERITY", value_parser = values::severity_parser(), help_heading = "Output")]
    #[serde(deserialize_with = "values::severity")]
    pub fail_on: Option<Severity>,
    /// Also write phi-summary events, which phitap merge and phitap hub combine into one result of
    /// many runs
    ///
    /// Requires --format ecs, and a --key-file that all runs share. The events contain addresses
    /// and pseudonyms, with one entry for each patient of each flow.
    #[arg(long, help_heading = "Output")]
    pub summaries: bool,
    /// Name of this sensor in events (observer.name)
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub sensor: Option<String>,
    /// How often live writes a sensor-status event; 0 for never [default: 1min]
    #[arg(long, value_name = "TIME", help_heading = "Output")]
    pub status_every: Option<Period>,
    /// Minimum time between updates of an exposure that does not become worse [default: 1min]
    #[arg(long, value_name = "TIME", help_heading = "Output")]
    pub update_every: Option<Period>,
    /// Keep the ids of exposures across restarts in this file; requires a persistent key
    ///
    /// It holds addresses, counts and pseudonyms, never an identifier value.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub state: Option<PathBuf>,
    /// Time without findings after which an exposure ends [default: 30d]
    #[arg(long, value_name = "TIME", help_heading = "Output")]
    pub forget: Option<Period>,

    /// File with the key of pseudonyms, readable by its owner only [default: a random key per run]
    ///
    /// 32 bytes or 64 hexadecimal digits. Without the option, a systemd credential named phitap.key
    /// (LoadCredential=) is used if there is one.
    #[arg(long, value_name = "FILE", help_heading = "Detection")]
    pub key_file: Option<PathBuf>,
    /// Folder of further rules (*.toml), which extend and override those that ship with phitap
    #[arg(long, value_name = "DIR", help_heading = "Detection")]
    pub rules: Option<PathBuf>,
    /// Take published rules from a NATS server: nats://HOST:4222[,credentials=FILE][,ca=FILE]
    ///
    /// live keeps them in the folder of --rules and applies them at once, also after a restart
    /// without the server. Rules that are older, faulty or without a valid signature are refused.
    /// See phitap rules publish.
    #[arg(long, value_name = "ADDR", help_heading = "Detection")]
    pub rules_from: Option<RulesFrom>,
    /// The public key that rules of --rules-from are signed with, PEM
    #[arg(long, value_name = "FILE", help_heading = "Detection")]
    pub rules_key: Option<PathBuf>,
    /// Countries whose identifiers are detected in running text, such as us,gb,de [default: us]
    ///
    /// ISO 3166 codes, or all. Declared fields and labelled values are checked for all countries.
    #[arg(long, value_name = "CODES", value_delimiter = ',', help_heading = "Detection")]
    pub regions: Vec<String>,
    /// Read only packets that match this BPF expression, such as "tcp port 104"
    ///
    /// At most 4 KiB: write networks instead of hundreds of hosts.
    #[arg(long, value_name = "BPF", help_heading = "Detection")]
    pub filter: Option<String>,
    /// Treatment of packets with a wrong IP, TCP or UDP checksum [default: accept]
    ///
    /// On the sending host, the network adapter often fills in checksums after the packet was
    /// captured, so a wrong one means nothing. With strict, such packets are skipped and counted.
    #[arg(long, value_name = "MODE", value_parser = values::checksums_parser(), help_heading = "Detection")]
    #[serde(deserialize_with = "values::checksums")]
    pub checksums: Option<Checksums>,
    /// Address blocks of your own networks, such as 10.0.0.0/8,192.0.2.0/24
    ///
    /// Default: private, link-local, loopback and shared address space.
    #[arg(long, value_name = "CIDR", value_delimiter = ',', help_heading = "Detection")]
    #[serde(deserialize_with = "values::cidrs")]
    pub home_net: Vec<Cidr>,

    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", help_heading = "Running")]
    pub workers: Option<NonZeroUsize>,
    /// Maximum memory, such as 512MiB [default: 2GiB]
    #[arg(long, value_name = "SIZE", help_heading = "Running")]
    pub memory: Option<Size>,
    /// Time without packets on an interface after which live reports not ready; 0 for never [default: 5min]
    #[arg(long, value_name = "TIME", help_heading = "Running")]
    pub max_silence: Option<Period>,
    /// Capture backend of live [default: ring]
    ///
    /// ring: one kernel ring per worker (Linux). pcap: libpcap, in one thread. Where the kernel
    /// offers no ring, libpcap is used, and a message says so.
    #[arg(long, value_name = "NAME", value_parser = values::backend_parser(), help_heading = "Live capture")]
    #[serde(deserialize_with = "values::backend")]
    pub backend: Option<Backend>,
    /// Size of the kernel's packet rings per interface [default: 64MiB, less if --memory is small]
    ///
    /// They buffer bursts that the workers have not read yet.
    #[arg(long, value_name = "SIZE", help_heading = "Live capture")]
    pub ring_size: Option<Size>,
    /// Bytes that live keeps of each packet [default: 262144]
    #[arg(long, value_name = "BYTES", help_heading = "Live capture")]
    pub snaplen: Option<u32>,
    /// Source of packet timestamps [default: system]
    ///
    /// hardware: the clock of the network adapter, which must be synchronised (phc2sys); requires
    /// CAP_NET_ADMIN.
    #[arg(long, value_name = "CLOCK", value_parser = values::timestamps_parser(), help_heading = "Live capture")]
    #[serde(deserialize_with = "values::timestamps")]
    pub timestamps: Option<Timestamps>,
    /// Start even if an interface is missing or down, and wait for it
    #[arg(long, help_heading = "Live capture")]
    pub wait: bool,
    /// Run packet time this many times faster than the clock, to test days of operation in minutes
    #[arg(long, value_name = "N", hide = true, help_heading = "Live capture")]
    pub pace: Option<u32>,
    /// User to switch to once the interfaces are open: a name, UID or UID:GID
    ///
    /// Outputs must be writable by that user.
    #[arg(long, value_name = "USER", help_heading = "Live capture")]
    pub user: Option<String>,
    /// Keep all privileges, to test whether the sandbox causes a problem
    ///
    /// Without this option, once the interfaces are open, live keeps only CAP_NET_RAW, may write
    /// only to the folders of its outputs (Landlock), and may make only the system calls that it
    /// needs (seccomp).
    #[arg(long, help_heading = "Live capture")]
    pub no_sandbox: bool,
    /// Format of messages on standard error [default: human]
    #[arg(long, value_name = "FORMAT", value_parser = values::log_format_parser(), help_heading = "Running")]
    #[serde(deserialize_with = "values::log_format")]
    pub log_format: Option<LogFormat>,
    /// Read options from a TOML file
    ///
    /// Each option is a key with the same name: format = "ecs", home-net = ["10.0.0.0/8"]. The
    /// interfaces of live are the list interface. The command line takes precedence.
    #[arg(long, value_name = "FILE", help_heading = "Running")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Verbose messages on standard error; -vv for more
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Running")]
    pub verbose: u8,
    /// Write only errors to standard error
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Running")]
    pub quiet: bool,
    /// Show no progress bar
    #[arg(long, help_heading = "Running")]
    pub no_progress: bool,

    /// Key for `--follow` of `replay`; only in the file.
    #[arg(skip)]
    pub follow: bool,
    /// Key for the interfaces of `live`; only in the file.
    #[arg(skip)]
    pub interface: Vec<String>,
}
