//! Validated settings and every limit, each with its unit.

use crate::closed_set::closed_set;
use crate::net::HomeNets;
use crate::severity::Severity;
use crate::time::Span;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Where packets come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Files, folders (recursively), or `-` for standard input.
    Files(Vec<PathBuf>),
    /// Live interfaces.
    Interfaces(Vec<String>),
}

/// How much is written of what was found (`--detail`). Counts are the same with each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Detail {
    /// Exposures, services and assets.
    Exposures,
    /// Besides, one finding for each patient of an exposure; of a busy service, lists of patients.
    Patients,
    /// Besides, one finding for each patient of a flow, with everything that was seen.
    #[default]
    Flows,
}

impl Detail {
    /// Every one, the least first.
    pub const ALL: [Self; 3] = [Self::Exposures, Self::Patients, Self::Flows];

    /// As `--detail` takes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exposures => "exposures",
            Self::Patients => "patients",
            Self::Flows => "flows",
        }
    }
}

/// A store and what is kept in it (`--store`, `--store-keep`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The file.
    pub path: PathBuf,
    /// What is kept.
    pub keep: Keep,
}

/// How much a store keeps; what was written first goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Time by the clock since it was written.
    pub age: Option<Span>,
    /// Size of the file, bytes.
    pub bytes: Option<u64>,
}

/// Everything a run needs to know, checked. [`crate::cli`] makes it from arguments and file.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where packets come from.
    pub source: Source,
    /// Capture files are still being written: wait for more at their end.
    pub follow: bool,
    /// How many exposures the summary shows in full.
    pub top: Option<usize>,
    /// Name of an entry of `output::FORMATS`.
    pub format: &'static str,
    /// How much is written of what was found.
    pub detail: Detail,
    /// Where events go; standard output if none.
    pub output: Option<PathBuf>,
    /// Where everything that was found is kept.
    pub store: Option<StoreSettings>,
    /// Where `/metrics`, `/healthz` and the web page are served.
    pub metrics: Option<SocketAddr>,
    /// Where metrics are written at the end, in Prometheus text.
    pub metrics_file: Option<PathBuf>,
    /// Whether outputs show values instead of masks.
    pub reveal: bool,
    /// The key of pseudonyms and event ids; a random key for this run if none.
    pub key_file: Option<PathBuf>,
    /// Folder of further rules.
    pub rules: Option<PathBuf>,
    /// Countries whose identifiers are looked for in running text, in lower case; `all` for all.
    pub regions: Vec<String>,
    /// A BPF expression; packets it does not match are not looked at.
    pub filter: Option<String>,
    /// Whether packets with wrong checksums are looked at.
    pub checksums: Checksums,
    /// The networks that count as one's own.
    pub home: HomeNets,
    /// Worker threads; one per core if none.
    pub workers: Option<NonZeroUsize>,
    /// Caps of state.
    pub limits: Limits,
    /// An exposure of at least this severity makes exit status 10.
    pub fail_on: Option<Severity>,
    /// `observer.name` of events.
    pub sensor: Option<String>,
    /// Whether a progress bar is wanted (it still needs a terminal).
    pub progress: bool,
    /// How many `-v` were given.
    pub verbose: u8,
    /// No messages but errors.
    pub quiet: bool,
}

/// Limits of state that input can fill. Each bounds memory or work; each loss behind one is counted.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Resident memory of the process, bytes.
    pub memory: u64,
    /// Flows of one worker.
    pub flows: usize,
    /// Out-of-order bytes held for one direction of a flow.
    pub window: usize,
    /// Unconsumed bytes a parser may leave in one direction.
    pub parser_buffer: usize,
    /// Bytes of one direction looked at before a flow counts as unrecognised.
    pub recognise: usize,
    /// A TCP flow without packets for this long is over.
    pub tcp_idle: Span,
    /// A UDP flow without packets for this long is over.
    pub udp_idle: Span,
    /// Patients told apart within one flow.
    pub patients_per_flow: usize,
    /// Identifiers kept of one patient in one flow.
    pub identifiers_per_patient: usize,
    /// An exposure without findings for this long is closed.
    pub exposure_idle: Span,
}

impl Limits {
    /// What the program takes whatever it reads, bytes: its code, rules and queues.
    const BASE: u64 = 40 << 20;

    /// What of the memory is for state.
    const fn state(&self) -> u64 {
        let base = if Self::BASE > self.memory / 2 { self.memory / 2 } else { Self::BASE };
        self.memory - base
    }

    /// The share of flows: of all workers together, bytes. Less than is left by the others, as an
    /// allocator never fills its pages.
    pub const fn flow_memory(&self) -> u64 {
        self.state() / 8 * 5
    }

    /// The share of exposures, services and findings that were written, bytes.
    pub fn exposure_memory(&self) -> usize {
        usize::try_from(self.state() / 8).unwrap_or(usize::MAX)
    }

    /// The share of fragments of datagrams that are not whole yet, bytes.
    pub fn fragment_memory(&self) -> usize {
        usize::try_from(self.state() / 32).unwrap_or(usize::MAX)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 2 << 30,
            flows: 1 << 20,
            window: 4 << 20,
            parser_buffer: 4 << 20,
            recognise: 64 << 10,
            tcp_idle: Span::seconds(600),
            udp_idle: Span::seconds(60),
            patients_per_flow: 65_536,
            identifiers_per_patient: 64,
            exposure_idle: Span::seconds(900),
        }
    }
}

closed_set! {
    /// Whether checksums must be right.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub enum Checksums {
        /// Any will do: on the sending host they are often filled in by the interface, after capture.
        #[default]
        Accept = "accept",
        /// A packet with a wrong IP, TCP or UDP checksum is passed over.
        Strict = "strict",
    }
}
