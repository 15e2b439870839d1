//! Checked settings, and all limits with their units.

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
    /// How many findings are written (`--detail`), from least to most. Counts are the same at every
    /// level.
    #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
    pub enum Detail {
        /// Only exposures, services and assets.
        Exposures = "exposures",
        /// Also one finding per patient of an exposure; for a busy service, lists of patients.
        Patients = "patients",
        /// Also one finding per patient of a flow, with everything that was seen.
        #[default]
        Flows = "flows",
    }
}

/// Access control of the metrics address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsAccess {
    /// File with the token that clients must present.
    pub token: Option<PathBuf>,
    /// Certificate chain in PEM, to serve over TLS.
    pub certificate: Option<PathBuf>,
    /// Its private key in PEM.
    pub key: Option<PathBuf>,
}

/// A store and its retention (`--store`, `--store-keep`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The file.
    pub path: PathBuf,
    /// Retention.
    pub keep: Keep,
}

/// Where a live run writes packets of exposures, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// An existing folder.
    pub folder: PathBuf,
    /// Largest size of a file, bytes.
    pub size: u64,
    /// How long packets of an exposure are written after the first, packet time.
    pub time: Span,
    /// Who can decrypt it (`age1...`); not encrypted if empty.
    pub recipients: Vec<String>,
}

/// Retention of a store; the oldest entries are deleted first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Longest age, by the clock.
    pub age: Option<Span>,
    /// Largest size of the file, bytes.
    pub bytes: Option<u64>,
}

/// Reads arguments and file again. The error says what is wrong with them.
pub type Reread = fn() -> Result<Box<Config>, String>;

/// All settings of a run, checked. [`crate::cli`] makes it from arguments and the file.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where packets come from.
    pub source: Source,
    /// Whether capture files may still grow: at their end, wait for more.
    pub follow: bool,
    /// How many exposures the summary shows in full.
    pub top: Option<usize>,
    /// Name of an entry of `output::FORMATS`.
    pub format: &'static str,
    /// How many findings are written.
    pub detail: Detail,
    /// Where events go; at least one. Each has a unique name and a format.
    pub outputs: Vec<Destination>,
    /// Where events wait for receivers; in memory if none.
    pub spool: Option<SpoolSettings>,
    /// Where a report is written at the end.
    pub report: Option<PathBuf>,
    /// Where hosts and services are written at the end, by the name of the file.
    pub assets: Option<PathBuf>,
    /// The store for everything that is found.
    pub store: Option<StoreSettings>,
    /// Where packets of exposures are written, if at all.
    pub evidence: Option<EvidenceSettings>,
    /// Address of `/metrics`, `/healthz` and the web page.
    pub metrics: Option<SocketAddr>,
    /// Access control of that address.
    pub metrics_access: MetricsAccess,
    /// Where metrics are written at the end, in Prometheus text.
    pub metrics_file: Option<PathBuf>,
    /// How often a live run writes its status; never if none.
    pub status_every: Option<Duration>,
    /// How long an interface that had traffic may be silent; for ever if none.
    pub max_silence: Option<Duration>,
    /// File of exposures that are remembered across restarts.
    pub state: Option<PathBuf>,
    /// Whether outputs show values instead of masks.
    pub reveal: bool,
    /// File with the key of pseudonyms and event ids; a random key for this run if none.
    pub key_file: Option<PathBuf>,
    /// Folder of further rules.
    pub rules: Option<PathBuf>,
    /// Rules that a broker distributes.
    pub published: Option<Published>,
    /// Countries whose identifiers are searched for in running text, in lower case; `all` for all.
    pub regions: Vec<String>,
    /// A BPF expression; other packets are ignored.
    pub filter: Option<String>,
    /// Whether packets with wrong checksums are read.
    pub checksums: Checksums,
    /// The user's own networks.
    pub home: HomeNets,
    /// How live interfaces are read.
    pub capture: Capture,
    /// Worker threads; one per core if none.
    pub workers: Option<NonZeroUsize>,
    /// Limits of state.
    pub limits: Limits,
    /// Severity of an exposure from which the exit status is 10.
    pub fail_on: Option<Severity>,
    /// Whether `phi-summary` events are written.
    pub summaries: bool,
    /// `observer.name` of events.
    pub sensor: Option<String>,
    /// Whether a progress bar may be shown (on a terminal).
    pub progress: bool,
    /// Privileges that a live run drops once its interfaces are open; none to keep all.
    pub sandbox: Option<Sandbox>,
    /// Format of messages.
    pub log_format: LogFormat,
    /// Reads the configuration again, if a file was given.
    pub reread: Option<Reread>,
    /// How many `-v` were given.
    pub verbose: u8,
    /// Whether only errors are printed.
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

    /// The folder of further rules, if any. The folder of published rules exists once some have
    /// arrived.
    pub fn rules_folder(&self) -> Option<&Path> {
        let rules = self.rules.as_deref()?;
        (self.published.is_none() || rules.exists()).then_some(rules)
    }

    fn user(&self) -> Option<Option<&str>> {
        self.sandbox.as_ref().map(|sandbox| sandbox.user.as_deref())
    }

    const fn periods(&self) -> (Option<Duration>, Option<Duration>) {
        (self.status_every, self.max_silence)
    }

    /// Keys of `other` that differ and need a restart.
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
            (
                "metrics-token-file, metrics-cert, metrics-key",
                differs(&self.metrics_access, &other.metrics_access),
            ),
            ("metrics-file", self.metrics_file != other.metrics_file),
            ("report", self.report != other.report),
            ("assets", self.assets != other.assets),
            ("state", self.state != other.state),
            ("reveal", self.reveal != other.reveal),
            ("key-file", self.key_file != other.key_file),
            ("rules-from, rules-key", self.published != other.published),
            ("filter", self.filter != other.filter),
            ("checksums", self.checksums != other.checksums),
            ("home-net", differs(&self.home, &other.home)),
            ("workers", self.workers != other.workers),
            ("memory", self.limits.memory != other.limits.memory),
            ("update-every, forget", differs(&self.limits.updates(), &other.limits.updates())),
            ("status-every, max-silence", differs(&self.periods(), &other.periods())),
            ("fail-on", self.fail_on != other.fail_on),
            ("log-format", self.log_format != other.log_format),
            ("backend, ring-size, snaplen, timestamps", differs(&self.capture, &other.capture)),
            // Its folders and ports follow from other keys, and from which folders exist.
            ("user, no-sandbox", differs(&self.user(), &other.user())),
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
    /// The public key for their signature, PEM.
    pub key: PathBuf,
    /// The folder they are stored in.
    pub folder: PathBuf,
}

impl Published {
    /// Name of the link to the active rules.
    pub const LINK: &'static str = "current";

    /// The folder of the active rules.
    pub fn active_folder(&self) -> PathBuf {
        self.folder.join(Self::LINK)
    }
}

/// Limits of state that input can fill. Each bounds memory or work, and each loss it causes is
/// counted.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Resident memory of the process, bytes.
    pub memory: u64,
    /// The part of it for the rings of live interfaces, bytes.
    pub rings: u64,
    /// Most flows of a worker.
    pub flows: usize,
    /// Most out-of-order bytes held per direction of a flow.
    pub window: usize,
    /// Most unconsumed bytes that a parser may leave per direction.
    pub parser_buffer: usize,
    /// Bytes of a direction examined before a flow counts as unrecognised.
    pub recognise: usize,
    /// Time without packets after which a TCP flow ends.
    pub tcp_idle: Span,
    /// Time without packets after which a UDP flow ends.
    pub udp_idle: Span,
    /// Most distinct patients within a flow.
    pub patients_per_flow: usize,
    /// Most identifiers kept per patient and flow.
    pub identifiers_per_patient: usize,
    /// Time without findings after which an exposure is idle.
    pub exposure_idle: Span,
    /// Minimum time between updates of an exposure that does not become worse.
    pub exposure_update: Span,
    /// Time without findings after which an exposure loses its id.
    pub exposure_forget: Span,
}

impl Limits {
    /// How often exposures are updated, and when they are forgotten.
    const fn updates(&self) -> (Span, Span) {
        (self.exposure_update, self.exposure_forget)
    }

    /// Memory of the program itself, bytes: code, rules and queues.
    const BASE: u64 = 40 << 20;

    /// The part of the memory for state.
    const fn state(&self) -> u64 {
        let base = Self::BASE + self.rings;
        let base = if base > self.memory / 2 { self.memory / 2 } else { base };
        self.memory - base
    }

    /// The share of flows, for all workers together, bytes. Less than the others leave, because an
    /// allocator never fills its pages.
    pub const fn flow_memory(&self) -> u64 {
        self.state() / 8 * 5
    }

    /// The share of exposures, services and written findings, bytes.
    pub fn exposure_memory(&self) -> usize {
        usize::try_from(self.state() / 8).unwrap_or(usize::MAX)
    }

    /// The share of fragments of incomplete datagrams, bytes.
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
    /// The backend.
    pub backend: Backend,
    /// Size of the kernel's ring per interface, bytes.
    pub ring: usize,
    /// Most bytes kept per packet.
    pub snaplen: u32,
    /// Source of packet timestamps.
    pub timestamps: Timestamps,
    /// Whether to wait for a missing interface.
    pub wait: bool,
    /// How many times faster than the clock packet time passes.
    pub pace: u32,
}

closed_set! {
    /// Backends of live captures.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub enum Backend {
        /// One ring per worker, filled by the kernel (Linux).
        #[default]
        Ring = "ring",
        /// libpcap, in one thread.
        Pcap = "pcap",
    }
}

closed_set! {
    /// Formats of messages.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub enum LogFormat {
        /// Lines for people.
        #[default]
        Human = "human",
        /// One JSON object per line.
        Json = "json",
    }
}

closed_set! {
    /// Sources of the timestamps of live packets.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub enum Timestamps {
        /// The kernel.
        #[default]
        System = "system",
        /// The network adapter, if it has a clock.
        Hardware = "hardware",
    }
}

closed_set! {
    /// Treatment of wrong checksums.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub enum Checksums {
        /// Accept them: on the sending host, the interface often fills them in after capture.
        #[default]
        Accept = "accept",
        /// Skip packets with a wrong IP, TCP or UDP checksum.
        Strict = "strict",
    }
}
