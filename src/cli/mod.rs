//! The command line: clap structs, no work. [`Task`] is what it comes to once checked.
//!
//! [`Options`] serves arguments and `--config` alike, so every option has a key in the file.

mod load;
mod manual;
mod output;
mod reveal;
mod review;
mod values;

#[cfg(test)]
mod tests;

pub use load::{ConfigError, Task};
pub use manual::{completions, man};
pub use output::OutputArg;
pub use review::{
    CutArgs, DiffArgs, ExplainArgs, FindArgs, MergeArgs, MergeFormat, QueryArgs, Selection,
    TableFormat, What,
};
pub use values::{FormatName, KeepFor, Listen, Period, Size};

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
    /// Could not do it; a message names the file, the offset and the remedy.
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
  3   done, but part of the input was unreadable or truncated
  10  done, and an exposure of at least the severity of --fail-on was found";

const FIND_HELP: &str = "\
What is typed is not shown, and neither written nor logged: it becomes tokens at once.

Exit status:
  0   nobody was found
  1   could not do it, or the key is another one
  3   nobody was found, but not everything could be judged
  10  somebody was found";

/// Finds patient data (PHI) that crosses a network in cleartext.
///
/// phitap reads packets from capture files or from a SPAN or TAP port, rebuilds the conversations,
/// and reports every patient whose data crosses the wire in cleartext: who sent it to whom, over
/// what, which identifiers, how exposed. It never shows an identifier value unless --reveal is given.
#[derive(Parser, Debug)]
#[command(name = "phitap", version, propagate_version = true, max_term_width = 100)]
#[command(after_long_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the arguments of the program. A capture file where a command is due gets a hint.
    pub fn read() -> Self {
        Self::try_parse().unwrap_or_else(|error| {
            let first = std::env::args_os().nth(1).map(PathBuf::from);
            if error.kind() == clap::error::ErrorKind::InvalidSubcommand
                && let Some(path) = first.filter(|path| path.exists())
            {
                let mut styled = error;
                let hint = format!("to read a capture, run: phitap replay {}", path.display());
                styled.insert(
                    clap::error::ContextKind::Suggested,
                    clap::error::ContextValue::StyledStrs(vec![hint.into()]),
                );
                styled.exit()
            }
            error.exit()
        })
    }
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Read capture files
    Replay(Replay),
    /// Watch network interfaces
    Live(Live),
    /// Look at the host and the configuration of a sensor, and say what to change
    Doctor(Doctor),
    /// Write the report of runs that are over, from a store or a file of events
    Report(Report),
    /// List, check or test the detection rules
    Rules(Rules),
    /// List exposures, patients, services, assets or runs of a store or of events
    Query(Box<QueryArgs>),
    /// Say whether a person is affected: by name, birth date or number, which are asked for
    Find(Box<FindArgs>),
    /// Compare two runs: what is gone, what is new, what remains (then exit status 10)
    Diff(Box<DiffArgs>),
    /// Say all that is known of an exposure, a finding, a patient, a service or a rule
    Explain(ExplainArgs),
    /// Cut the packets of exposures, flows, services, patients or times out of their captures
    Cut(Box<CutArgs>),
    /// Make one result of what several sensors, days, files or workers found
    Merge(MergeArgs),
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
    /// Capture files, folders (recursively), or - for standard input
    ///
    /// pcap, pcapng and formats of other programs, also compressed.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Wait for more at the end of files that are still being written; stop with Ctrl-C
    ///
    /// Compressed files are read to their end only.
    #[arg(short, long, help_heading = "Running")]
    pub follow: bool,
    /// The rest.
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
    /// The rest.
    #[command(flatten)]
    pub options: Options,
}

/// `phitap doctor`.
///
/// Takes the options of live, also from --config, and looks at what they need: interfaces and what their
/// drivers do to packets, rights, memory, the clock, files, the key, the rules, the address of the metrics.
/// Exit status 1 where something must be changed. --format json is for programs.
#[derive(Args, Debug)]
pub struct Doctor {
    /// Interfaces that are to be watched, such as eth1,eth2
    #[arg(short, long, value_name = "IFACE", value_delimiter = ',')]
    pub interface: Vec<String>,
    /// The rest.
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
    /// List every rule in force
    List,
    /// Say all that a rule says: what it matches, why, its samples
    Show {
        /// Its id, as `list` and events give it
        id: String,
    },
    /// Check that every rule file is well formed
    Check,
    /// Run the match and no_match samples of every rule
    Test,
}

/// What `replay` and `live` share. Each is also a key of `--config`, with the same name and without
/// the dashes in front; what is given on the command line wins.
#[derive(Args, Deserialize, Debug, Default, Clone)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Options {
    /// Format of the output; json means ecs [default: summary]
    #[arg(long, value_name = "FORMAT", value_parser = values::format_parser(), help_heading = "Output")]
    pub format: Option<FormatName>,
    /// How much to write of what was found [default: patients in replay, exposures in live]
    ///
    /// exposures: no findings. patients: one finding for each patient of an exposure (client and
    /// service), and again when a new kind of identifier, health data or a higher severity shows.
    /// flows: one for each patient of a flow. Counts are the same with each.
    #[arg(long, value_name = "LEVEL", value_parser = values::detail_parser(), help_heading = "Output")]
    #[serde(deserialize_with = "values::detail")]
    pub detail: Option<Detail>,
    /// Exposures that the summary shows in full, the worst first [default: 10]
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub top: Option<usize>,
    /// Write to a file, or send to a receiver, instead of standard output; may be given several times
    ///
    /// A file: FILE or file:FILE, with rotate=SIZE, every=TIME, keep=N. A new file is readable by its owner
    /// only. replay replaces an existing file; live, and rotation, append to it. live opens it anew when it
    /// was renamed (logrotate), and goes on when the disk is full.
    ///
    /// Or stdout; unix:SOCKET; syslog:udp://HOST, tcp://HOST:PORT or tls://HOST; nats://HOST (subject=);
    /// kafka:HOST (topic=); https://HOST/PATH (api=webhook, elasticsearch, opensearch or splunk, index=,
    /// batch=). Behind a comma follow name=, format=, credentials=FILE, ca=FILE, cert=FILE, key=FILE. In
    /// the file of --config, a list. docs/outputs.md explains each.
    #[arg(short, long, value_name = "[KIND:]TARGET", help_heading = "Output")]
    #[serde(deserialize_with = "output::outputs")]
    pub output: Vec<OutputArg>,
    /// Keep events for receivers that are slow or away in this folder, also over restarts
    ///
    /// Without it they wait in memory. It holds events, so only its owner may read it.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub spool: Option<PathBuf>,
    /// How long, or how much, --spool keeps of each output, such as 7d or 7d,4GiB [default: 1GiB]
    #[arg(long, value_name = "AGE,SIZE", help_heading = "Output", requires = "spool")]
    pub spool_keep: Option<KeepFor>,
    /// Write a report for people to a file: one page of HTML that needs no network
    ///
    /// Written at the end. It shows masks and pseudonyms, never values, not even with --reveal.
    #[arg(long, value_name = "FILE.html", help_heading = "Output")]
    pub report: Option<PathBuf>,
    /// Write the hosts and services that the traffic proves to a file: .json, .csv or .graphml
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub assets: Option<PathBuf>,
    /// Keep everything that was found in a file (SQLite) that several runs and sensors share
    ///
    /// For query, find, diff, explain, cut and report. It holds masks and pseudonyms of every patient of
    /// every exposure, whatever --detail says, and goes with a --key-file: without it, no two runs
    /// can be compared. A new file is readable by its owner only.
    #[arg(long, value_name = "FILE.db", help_heading = "Output", conflicts_with = "reveal")]
    pub store: Option<PathBuf>,
    /// How long, or how much, --store keeps, such as 90d, 10GiB or 90d,10GiB [default: everything]
    ///
    /// What was written first goes first. Days (d), hours (h), minutes (m) or a size.
    #[arg(long, value_name = "AGE,SIZE", help_heading = "Output", requires = "store")]
    pub store_keep: Option<KeepFor>,
    /// Serve /metrics, /healthz, /readyz and a web page at this address
    ///
    /// A port alone means 127.0.0.1. The page shows what --report does, live; never values. An
    /// address that other hosts reach needs --metrics-token-file.
    #[arg(long, visible_alias = "web", value_name = "ADDR", help_heading = "Output")]
    #[serde(alias = "web")]
    pub metrics: Option<Listen>,
    /// Answer --metrics only to who gives the token in this file
    ///
    /// As Authorization: Bearer TOKEN, or as the password where a browser asks for one. /healthz is
    /// answered to all.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub metrics_token_file: Option<PathBuf>,
    /// Serve --metrics over TLS with this certificate chain, PEM
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub metrics_cert: Option<PathBuf>,
    /// The private key of --metrics-cert, PEM
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub metrics_key: Option<PathBuf>,
    /// Write metrics in the Prometheus text format to a file at the end
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub metrics_file: Option<PathBuf>,
    /// Show identifier values instead of masks
    ///
    /// The output is then itself patient data: protect it. It must go to a terminal, to a file given
    /// with --output, or, in replay, where a --format was chosen for who reads standard output. Only
    /// ecs carries values; the other formats have no place for them.
    #[arg(long, help_heading = "Output")]
    pub reveal: bool,
    /// Exit with status 10 if an exposure of at least this severity was found
    #[arg(long, value_name = "SEVERITY", value_parser = values::severity_parser(), help_heading = "Output")]
    #[serde(deserialize_with = "values::severity")]
    pub fail_on: Option<Severity>,
    /// Also write phi-summary events, of which phitap merge and phitap hub make one result of many runs
    ///
    /// With --format ecs. They hold one entry for each patient of each flow, of addresses and pseudonyms, and
    /// need a --key-file that all runs share.
    #[arg(long, help_heading = "Output")]
    pub summaries: bool,
    /// Name of this sensor in events (observer.name)
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub sensor: Option<String>,
    /// How often live writes a sensor-status event; 0 for never [default: 1min]
    #[arg(long, value_name = "TIME", help_heading = "Output")]
    pub status_every: Option<Period>,
    /// How often an exposure that grows no worse is written again at most [default: 1min]
    #[arg(long, value_name = "TIME", help_heading = "Output")]
    pub update_every: Option<Period>,
    /// Keep exposures under their ids over restarts in this file; it needs a key that lasts
    ///
    /// It holds addresses, counts and pseudonyms, never an identifier value.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub state: Option<PathBuf>,
    /// How long an exposure keeps its id without a finding [default: 30d]
    #[arg(long, value_name = "TIME", help_heading = "Output")]
    pub forget: Option<Period>,

    /// File with the key of pseudonyms, readable by its owner only; without it they hold for this run
    ///
    /// 32 bytes or 64 hexadecimal digits. Without the option, a systemd credential named phitap.key
    /// (LoadCredential=) is the key where there is one.
    #[arg(long, value_name = "FILE", help_heading = "Detection")]
    pub key_file: Option<PathBuf>,
    /// Folder of further rules (*.toml), which extend and override those that ship with phitap
    #[arg(long, value_name = "DIR", help_heading = "Detection")]
    pub rules: Option<PathBuf>,
    /// Countries whose identifiers are looked for in running text, such as us,gb,de [default: us]
    ///
    /// Codes of ISO 3166, or all. Fields and labels that say what they hold need none.
    #[arg(long, value_name = "CODES", value_delimiter = ',', help_heading = "Detection")]
    pub regions: Vec<String>,
    /// Look only at packets that match this BPF expression, such as "tcp port 104"
    #[arg(long, value_name = "BPF", help_heading = "Detection")]
    pub filter: Option<String>,
    /// Treatment of packets with a wrong IP, TCP or UDP checksum [default: accept]
    ///
    /// On the sending host the interface often fills checksums in after the packet was captured, so
    /// that a wrong one says nothing. With strict such packets are passed over and counted.
    #[arg(long, value_name = "MODE", value_parser = values::checksums_parser(), help_heading = "Detection")]
    #[serde(deserialize_with = "values::checksums")]
    pub checksums: Option<Checksums>,
    /// Address blocks that count as one's own, such as 10.0.0.0/8,192.0.2.0/24
    ///
    /// Default: private, link-local, loopback and shared address space.
    #[arg(long, value_name = "CIDR", value_delimiter = ',', help_heading = "Detection")]
    #[serde(deserialize_with = "values::cidrs")]
    pub home_net: Vec<Cidr>,

    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", help_heading = "Running")]
    pub workers: Option<NonZeroUsize>,
    /// Ceiling of memory for conversations, such as 512MiB [default: 2GiB]
    #[arg(long, value_name = "SIZE", help_heading = "Running")]
    pub memory: Option<Size>,
    /// How long live may see no packet on an interface before it is not ready; 0 for ever [default: 5min]
    #[arg(long, value_name = "TIME", help_heading = "Running")]
    pub max_silence: Option<Period>,
    /// What reads the interfaces of live [default: ring]
    ///
    /// ring: the kernel fills a ring for each worker (Linux). pcap: libpcap, in one thread. Where the
    /// kernel grants no ring, libpcap is used and a message says so.
    #[arg(long, value_name = "NAME", value_parser = values::backend_parser(), help_heading = "Live capture")]
    #[serde(deserialize_with = "values::backend")]
    pub backend: Option<Backend>,
    /// Memory of the kernel's ring for each interface [default: 64MiB, less if --memory is small]
    ///
    /// A burst waits there until the workers come to it.
    #[arg(long, value_name = "SIZE", help_heading = "Live capture")]
    pub ring_size: Option<Size>,
    /// Bytes that live keeps of each packet [default: 262144]
    #[arg(long, value_name = "BYTES", help_heading = "Live capture")]
    pub snaplen: Option<u32>,
    /// Where the time of a packet comes from [default: system]
    ///
    /// hardware: the clock of the network adapter, which must be set right (phc2sys); needs
    /// CAP_NET_ADMIN.
    #[arg(long, value_name = "CLOCK", value_parser = values::timestamps_parser(), help_heading = "Live capture")]
    #[serde(deserialize_with = "values::timestamps")]
    pub timestamps: Option<Timestamps>,
    /// Start although an interface is not there or switched off, and wait for it
    #[arg(long, help_heading = "Live capture")]
    pub wait: bool,
    /// The user that live becomes once the interfaces are open: a name, UID or UID:GID
    ///
    /// Outputs must be writable for that user.
    #[arg(long, value_name = "USER", help_heading = "Live capture")]
    pub user: Option<String>,
    /// Keep all privileges, to find out whether the sandbox is in the way
    ///
    /// Otherwise live keeps no capability but CAP_NET_RAW once the interfaces are open, writes only to
    /// the folders of its outputs (landlock), and is refused system calls it never makes (seccomp).
    #[arg(long, help_heading = "Live capture")]
    pub no_sandbox: bool,
    /// How messages on standard error are written [default: human]
    #[arg(long, value_name = "FORMAT", value_parser = values::log_format_parser(), help_heading = "Running")]
    #[serde(deserialize_with = "values::log_format")]
    pub log_format: Option<LogFormat>,
    /// Read options from a TOML file
    ///
    /// Each option is a key with the same name: format = "ecs", home-net = ["10.0.0.0/8"]. The
    /// interfaces of live are the list interface. The command line wins.
    #[arg(long, value_name = "FILE", help_heading = "Running")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Say more on standard error; -vv says still more
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Running")]
    pub verbose: u8,
    /// Say nothing but errors on standard error
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Running")]
    pub quiet: bool,
    /// Show no progress bar
    #[arg(long, help_heading = "Running")]
    pub no_progress: bool,

    /// Only in the file: `--follow` of `replay`.
    #[arg(skip)]
    pub follow: bool,
    /// Only in the file: the interfaces of `live`.
    #[arg(skip)]
    pub interface: Vec<String>,
}
