//! The command line: clap structs, no work. [`Task`] is what it comes to once checked.
//!
//! [`Options`] serves arguments and `--config` alike, so every option has a key in the file.

mod load;
mod manual;
mod reveal;
mod values;

#[cfg(test)]
mod tests;

pub use load::{ConfigError, Task};
pub use manual::{completions, man};
pub use values::{FormatName, KeepFor, Listen, Size};

use crate::config::Detail;
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
    /// List, check or test the detection rules
    Rules(Rules),
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
    /// Write to a file instead of standard output
    ///
    /// A new file is readable by its owner only. replay replaces an existing file. live appends to it,
    /// opens it anew when it was renamed (logrotate), and goes on when the disk is full.
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
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
    /// Serve /metrics, /healthz and a web page at this address
    ///
    /// A port alone means 127.0.0.1. The page shows addresses and counts, never identifier values.
    #[arg(long, value_name = "ADDR", help_heading = "Output")]
    pub metrics: Option<Listen>,
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
    /// Name of this sensor in events (observer.name)
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub sensor: Option<String>,

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
