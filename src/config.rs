//! Validated settings and every limit, each with its unit.

use crate::closed_set::closed_set;
use crate::destination::{Destination, Remote, SpoolSettings, Target};
use crate::net::HomeNets;
use crate::sandbox::Sandbox;
use crate::severity::Severity;
use crate::time::Span;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where packets come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Files, folders (recursively), or `-` for standard input.
    Files(Vec<PathBuf>),
    /// Live interfaces.
    Interfaces(Vec<String>),
}

closed_set! {
    /// How much is written of what was found (`--detail`), the least first. Counts are the same with each.
    #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
    pub enum Detail {
        /// Exposures, services and assets.
        Exposures = "exposures",
        /// Besides, one finding for each patient of an exposure; of a busy service, lists of patients.
        Patients = "patients",
        /// Besides, one finding for each patient of a flow, with everything that was seen.
        #[default]
        Flows = "flows",
    }
}

/// Who may ask at the metrics address, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsAccess {
    /// File with the token that a client must give.
    pub token: Option<PathBuf>,
    /// Certificate chain in PEM, to serve over TLS.
    pub certificate: Option<PathBuf>,
    /// Its private key in PEM.
    pub key: Option<PathBuf>,
}

/// A store and what is kept in it (`--store`, `--store-keep`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The file.
    pub path: PathBuf,
    /// What is kept.
    pub keep: Keep,
}

/// Where packets of exposures go in a live run, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// The folder; it must be there.
    pub folder: PathBuf,
    /// Bytes of one file.
    pub size: u64,
    /// How long packets of an exposure are written, packet time, from the first.
    pub time: Span,
    /// Who can open it (`age1...`); everybody if empty.
    pub recipients: Vec<String>,
}

/// How much a store keeps; what was written first goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Time by the clock since it was written.
    pub age: Option<Span>,
    /// Size of the file, bytes.
    pub bytes: Option<u64>,
}

/// Reads arguments and file again; what is wrong with them, if they are.
pub type Reread = fn() -> Result<Box<Config>, String>;

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
    /// Where events go, at least one; each has a name of its own and a format.
    pub outputs: Vec<Destination>,
    /// Where events wait for receivers; in memory if none.
    pub spool: Option<SpoolSettings>,
    /// Where a report is written at the end.
    pub report: Option<PathBuf>,
    /// Where hosts and services are written at the end, by the name of the file.
    pub assets: Option<PathBuf>,
    /// Where everything that was found is kept.
    pub store: Option<StoreSettings>,
    /// Where packets of exposures go; nowhere if none.
    pub evidence: Option<EvidenceSettings>,
    /// Where `/metrics`, `/healthz` and the web page are served.
    pub metrics: Option<SocketAddr>,
    /// Who may ask there, and how.
    pub metrics_access: MetricsAccess,
    /// Where metrics are written at the end, in Prometheus text.
    pub metrics_file: Option<PathBuf>,
    /// How often a live run writes how it is; never if none.
    pub status_every: Option<Duration>,
    /// How long an interface may bring no packet where there used to be some; for ever if none.
    pub max_silence: Option<Duration>,
    /// Where exposures are kept across restarts.
    pub state: Option<PathBuf>,
    /// Whether outputs show values instead of masks.
    pub reveal: bool,
    /// The key of pseudonyms and event ids; a random key for this run if none.
    pub key_file: Option<PathBuf>,
    /// Folder of further rules.
    pub rules: Option<PathBuf>,
    /// Rules that a broker distributes.
    pub published: Option<Published>,
    /// Countries whose identifiers are looked for in running text, in lower case; `all` for all.
    pub regions: Vec<String>,
    /// A BPF expression; packets it does not match are not looked at.
    pub filter: Option<String>,
    /// Whether packets with wrong checksums are looked at.
    pub checksums: Checksums,
    /// The networks that count as one's own.
    pub home: HomeNets,
    /// How live interfaces are read.
    pub capture: Capture,
    /// Worker threads; one per core if none.
    pub workers: Option<NonZeroUsize>,
    /// Caps of state.
    pub limits: Limits,
    /// An exposure of at least this severity makes exit status 10.
    pub fail_on: Option<Severity>,
    /// Whether `phi-summary` events are written.
    pub summaries: bool,
    /// `observer.name` of events.
    pub sensor: Option<String>,
    /// Whether a progress bar is wanted (it still needs a terminal).
    pub progress: bool,
    /// What a live run gives up once its interfaces are open; nothing if none.
    pub sandbox: Option<Sandbox>,
    /// How messages are written.
    pub log_format: LogFormat,
    /// Reads the configuration again, if a file was given.
    pub reread: Option<Reread>,
    /// How many `-v` were given.
    pub verbose: u8,
    /// No messages but errors.
    pub quiet: bool,
}

impl Config {
    /// The files that events are written to.
    pub fn output_files(&self) -> impl Iterator<Item = &Path> {
        self.outputs.iter().filter_map(|output| output.target.file())
    }

    /// Whether events go to standard output.
    pub fn writes_to_stdout(&self) -> bool {
        self.outputs.iter().any(|output| output.target == Target::Stdout)
    }

    /// The folder of further rules, if there is one: published ones are there once some have come.
    pub fn rules_folder(&self) -> Option<&Path> {
        let rules = self.rules.as_deref()?;
        (self.published.is_none() || rules.exists()).then_some(rules)
    }

    /// Keys of `other` that differ and take effect with the next start only.
    pub fn needs_restart(&self, other: &Self) -> Vec<&'static str> {
        let differs =
            |a: &dyn std::fmt::Debug, b: &dyn std::fmt::Debug| format!("{a:?}") != format!("{b:?}");
        [
            ("interface", differs(&self.source, &other.source)),
            ("format", self.format != other.format),
            ("detail", self.detail != other.detail),
            ("output", self.outputs != other.outputs),
            ("spool", self.spool != other.spool),
            ("store", differs(&self.store, &other.store)),
            ("evidence", differs(&self.evidence, &other.evidence)),
            ("metrics", self.metrics != other.metrics),
            ("key-file", self.key_file != other.key_file),
            ("rules-from, rules-key", self.published != other.published),
            ("filter", self.filter != other.filter),
            ("checksums", self.checksums != other.checksums),
            ("home-net", differs(&self.home, &other.home)),
            ("workers", self.workers != other.workers),
            ("memory", differs(&self.limits, &other.limits)),
            ("backend, ring-size, snaplen, timestamps", differs(&self.capture, &other.capture)),
            ("user, no-sandbox", differs(&self.sandbox, &other.sandbox)),
            ("summaries", self.summaries != other.summaries),
            ("sensor", self.sensor != other.sensor),
        ]
        .into_iter()
        .filter_map(|(key, differs)| differs.then_some(key))
        .collect()
    }
}

/// Rules that a broker distributes (`--rules-from`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The NATS server.
    pub from: Remote,
    /// The public key that they are signed with, PEM.
    pub key: PathBuf,
    /// Where they are kept.
    pub folder: PathBuf,
}

impl Published {
    /// Name of the link to the rules in force.
    pub const LINK: &'static str = "current";

    /// The rules in force.
    pub fn in_force(&self) -> PathBuf {
        self.folder.join(Self::LINK)
    }
}

/// Limits of state that input can fill. Each bounds memory or work; each loss behind one is counted.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Resident memory of the process, bytes.
    pub memory: u64,
    /// What of it the rings of live interfaces take, bytes.
    pub rings: u64,
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
    /// Distinct patients within one flow.
    pub patients_per_flow: usize,
    /// Identifiers kept of one patient in one flow.
    pub identifiers_per_patient: usize,
    /// An exposure without findings for this long is idle.
    pub exposure_idle: Span,
    /// An exposure that grows no worse is written again at most this often.
    pub exposure_update: Span,
    /// An exposure without findings for this long loses its id.
    pub exposure_forget: Span,
}

impl Limits {
    /// What the program takes whatever it reads, bytes: its code, rules and queues.
    const BASE: u64 = 40 << 20;

    /// What of the memory is for state.
    const fn state(&self) -> u64 {
        let base = Self::BASE + self.rings;
        let base = if base > self.memory / 2 { self.memory / 2 } else { base };
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
            rings: 0,
            flows: 1 << 20,
            window: 4 << 20,
            parser_buffer: 4 << 20,
            recognise: 64 << 10,
            tcp_idle: Span::seconds(600),
            udp_idle: Span::seconds(60),
            patients_per_flow: 65_536,
            identifiers_per_patient: 64,
            exposure_idle: Span::seconds(900),
            exposure_update: Span::seconds(60),
            exposure_forget: Span::seconds(30 * 86_400),
        }
    }
}

/// How live interfaces are read.
#[derive(Clone, Debug)]
pub struct Capture {
    /// What reads them.
    pub backend: Backend,
    /// Bytes of the kernel's ring, for each interface.
    pub ring: usize,
    /// Bytes kept of each packet.
    pub snaplen: u32,
    /// Where the time of a packet comes from.
    pub timestamps: Timestamps,
    /// Whether an interface that is not there yet is waited for.
    pub wait: bool,
    /// How many times as fast as the clock packet time passes.
    pub pace: u32,
}

closed_set! {
    /// What reads live interfaces.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub enum Backend {
        /// A ring for each worker, filled by the kernel (Linux).
        #[default]
        Ring = "ring",
        /// libpcap, in one thread.
        Pcap = "pcap",
    }
}

closed_set! {
    /// How messages are written.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub enum LogFormat {
        /// Lines for people.
        #[default]
        Human = "human",
        /// A JSON object a line.
        Json = "json",
    }
}

closed_set! {
    /// Where the time of a live packet comes from.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub enum Timestamps {
        /// The kernel.
        #[default]
        System = "system",
        /// The network adapter, where it has a clock.
        Hardware = "hardware",
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
