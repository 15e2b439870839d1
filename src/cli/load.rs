//! Turns arguments and the configuration file into a checked [`Task`].

use super::error::{ConfigError, usage};
use super::inputs::{host_name, is_capture, keep};
use super::interfaces::{capture, sandbox};
use super::output::{destinations, spool};
use super::published::published;
use super::reveal::{Destination, RequestedOutput, allowed};
use super::values::Listen;
use super::{Cli, Command, Doctor, Live, Options, Period, Replay, RulesAction};
use crate::config::{
    Config, Detail, Limits, MetricsAccess, Published, Reread, Source, StoreSettings,
};
use crate::net::{Cidr, HomeNets};
use crate::output::{self, FORMATS};
use crate::review::Request;
use crate::rules::{ALL_REGIONS, DEFAULT_REGIONS};
use crate::time::Span;
use clap::Parser as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Largest `--config` file read, bytes.
const MAX_FILE: u64 = 1 << 20;
/// Smallest useful `--memory`, bytes.
const MIN_MEMORY: u64 = 16 << 20;
/// Most `--workers`.
const MAX_WORKERS: usize = 256;

/// Default of `--status-every`.
const STATUS_EVERY: Duration = Duration::from_secs(60);
/// Default of `--max-silence`.
const MAX_SILENCE: Duration = Duration::from_secs(300);
/// A checked command with its settings.
#[derive(Debug)]
pub enum Task {
    /// `replay` or `live`.
    Run(Box<Config>),
    /// `doctor`.
    Doctor {
        /// The configuration that a run would use.
        config: Box<Config>,
        /// Whether to print JSON.
        json: bool,
    },
    /// `report`.
    Report {
        /// A store or a file of events.
        from: PathBuf,
        /// The page to write; standard output if none.
        output: Option<PathBuf>,
    },
    /// `live` without an interface: list them.
    Interfaces,
    /// `rules`.
    Rules {
        /// The action.
        action: RulesAction,
        /// Folder of further rules.
        rules: Option<PathBuf>,
    },
    /// `query`, `find`, `diff`, `explain` or `cut`.
    Review(Box<Request>),
    /// `hub`.
    #[cfg(all(feature = "nats", feature = "store"))]
    Hub(Box<crate::hub::Settings>),
    /// `rules publish`.
    #[cfg(feature = "nats")]
    Publish(Box<crate::distribution::Publish>),
    /// `rules follow`.
    #[cfg(feature = "nats")]
    Follow(Box<crate::distribution::Follow>),
    /// `jobs`.
    #[cfg(feature = "nats")]
    Jobs(Box<super::jobs::JobsTask>),
    /// `worker`.
    #[cfg(feature = "nats")]
    Work(Box<crate::jobs::Work>),
    /// `completions`.
    Completions(clap_complete::Shell),
    /// `man`.
    Man,
}

impl TryFrom<Cli> for Task {
    type Error = ConfigError;
    fn try_from(cli: Cli) -> Result<Self, ConfigError> {
        Ok(match cli.command {
            Command::Replay(replay) => Self::Run(Box::new(replay.try_into()?)),
            Command::Live(live) => live.try_into()?,
            Command::Doctor(doctor) => doctor.try_into()?,
            Command::Report(report) => Self::Report { from: report.from, output: report.output },
            #[cfg(feature = "nats")]
            Command::Rules(super::Rules { action: RulesAction::Publish(args), rules }) => {
                Self::Publish(Box::new(args.with(rules)?))
            }
            #[cfg(feature = "nats")]
            Command::Rules(super::Rules { action: RulesAction::Follow(args), .. }) => {
                Self::Follow(Box::new(args.into()))
            }
            Command::Rules(rules) => Self::Rules { action: rules.action, rules: rules.rules },
            Command::Query(args) => Self::Review(Box::new((*args).into())),
            Command::Find(args) => Self::Review(Box::new((*args).into())),
            Command::Diff(args) => Self::Review(Box::new((*args).into())),
            Command::Explain(args) => Self::Review(Box::new(args.into())),
            Command::Cut(args) => Self::Review(Box::new((*args).try_into()?)),
            Command::Merge(args) => Self::Review(Box::new(args.into())),
            #[cfg(all(feature = "nats", feature = "store"))]
            Command::Hub(args) => Self::Hub(Box::new((*args).try_into()?)),
            #[cfg(feature = "nats")]
            Command::Jobs(args) => Self::Jobs(Box::new(args.action.into())),
            #[cfg(feature = "nats")]
            Command::Worker(args) => Self::Work(Box::new((*args).try_into()?)),
            Command::Completions { shell } => Self::Completions(shell),
            Command::Man => Self::Man,
        })
    }
}

impl TryFrom<Replay> for Config {
    type Error = ConfigError;
    fn try_from(replay: Replay) -> Result<Self, ConfigError> {
        let options = replay.options.with_file()?;
        let stdin = replay.paths.iter().filter(|p| p.as_os_str() == "-").count();
        if stdin > 1 {
            return Err(usage("- (standard input) can be read only once"));
        }
        for path in &replay.paths {
            keep(path, &options)?;
        }
        let follow = replay.follow || options.follow;
        Ok(Self { follow, ..config(Source::Files(replay.paths), options)? })
    }
}

impl TryFrom<Doctor> for Task {
    type Error = ConfigError;
    fn try_from(doctor: Doctor) -> Result<Self, ConfigError> {
        let mut options = doctor.options;
        // In a configuration file, `format` is the format of events, not of this report.
        let json = match options.format.take() {
            None => false,
            Some(format) if format.0 == FORMATS[0].name => false,
            Some(format) if Some(format.0) == output::format("json").map(|f| f.name) => true,
            Some(_) => return Err(usage("doctor writes text, or JSON with --format json")),
        };
        let options = options.with_file()?;
        let mut interfaces = doctor.interface;
        if interfaces.is_empty() {
            interfaces.clone_from(&options.interface);
        }
        let config = config(Source::Interfaces(interfaces), options)?;
        Ok(Self::Doctor { config: Box::new(config), json })
    }
}

impl TryFrom<Live> for Task {
    type Error = ConfigError;
    fn try_from(live: Live) -> Result<Self, ConfigError> {
        let options = live.options.with_file()?;
        let mut interfaces = live.interface;
        if interfaces.is_empty() {
            interfaces.clone_from(&options.interface);
        }
        if interfaces.is_empty() {
            return Ok(Self::Interfaces);
        }
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = interfaces.iter().find(|i| !seen.insert(i.as_str())) {
            return Err(usage(format!("interface {twice:?} is named twice")));
        }
        let count = interfaces.len() as u64;
        let mut config = config(Source::Interfaces(interfaces), options)?;
        // The kernel's ring buffers count towards the program's memory.
        config.limits.rings = count.saturating_mul(config.capture.ring as u64);
        config.sensor = config.sensor.or_else(host_name);
        Ok(Self::Run(Box::new(config)))
    }
}

fn config(source: Source, options: Options) -> Result<Config, ConfigError> {
    let memory = options.memory.map_or(Limits::default().memory, |size| size.0);
    if memory < MIN_MEMORY {
        return Err(usage(format!("--memory must be at least {}MiB", MIN_MEMORY >> 20)));
    }
    if options.workers.is_some_and(|n| n.get() > MAX_WORKERS) {
        return Err(usage(format!("--workers must be at most {MAX_WORKERS}")));
    }
    if options.no_sandbox && options.user.is_some() {
        return Err(usage("--user and --no-sandbox exclude each other"));
    }
    if let Some(path) = &options.assets
        && crate::output::assets::Shape::of(path).is_none()
    {
        let path = path.display();
        return Err(usage(format!("--assets {path}: name it .json, .csv or .graphml")));
    }
    if options.reveal && options.store.is_some() {
        return Err(usage("a store holds masks only: --store and --reveal do not go together"));
    }
    if options.summaries && options.format.as_ref().is_none_or(|format| format.0 != "ecs") {
        return Err(usage("--summaries adds events to --format ecs: give that too"));
    }
    if options.store_keep.is_some() && options.store.is_none() {
        return Err(usage("store-keep says how much a store keeps: name one with --store"));
    }
    let store = store(&options);
    let outputs = destinations(&options)?;
    let spool = spool(&options, &outputs)?;
    if options.reveal {
        let live = matches!(source, Source::Interfaces(_));
        if let Some(sent) = outputs.iter().find(|output| output.target.is_delivered()) {
            return Err(usage(format!(
                "--reveal shows patient data, and output {} would send it; name a file",
                sent.name
            )));
        }
        let output = outputs.iter().all(|output| output.target.file().is_some());
        let asked = RequestedOutput { output, format: options.format.is_some(), live };
        allowed(Destination::of(std::io::stdout()), asked).map_err(ConfigError::Usage)?;
    }
    separate(&options)?;
    let metrics_access = metrics_access(&options)?;
    let evidence = super::evidence::settings(&source, &options)?;
    let (published, sandbox) = (published(&source, &options)?, sandbox(&options));
    let (capture, limits) = (capture(&options, memory, &source)?, limits(&options, memory));
    let detail = match source {
        Source::Files(_) => Detail::Patients,
        Source::Interfaces(_) => Detail::Exposures,
    };
    Ok(Config {
        source,
        follow: false,
        top: options.top,
        format: options.format.map_or(FORMATS[0].name, |f| f.0),
        detail: options.detail.unwrap_or(detail),
        outputs,
        spool,
        report: options.report,
        assets: options.assets,
        store,
        evidence,
        metrics: options.metrics.map(|listen| listen.0),
        metrics_access,
        metrics_file: options.metrics_file,
        reveal: options.reveal,
        key_file: options.key_file,
        rules: published.as_ref().map(Published::active_folder).or(options.rules),
        published,
        regions: regions(options.regions)?,
        filter: options.filter,
        checksums: options.checksums.unwrap_or_default(),
        home: home_nets(options.home_net),
        workers: options.workers,
        capture,
        sandbox,
        reread: options.config.is_some().then_some(reread as Reread),
        log_format: options.log_format.unwrap_or_default(),
        limits,
        status_every: time(options.status_every, STATUS_EVERY),
        max_silence: time(options.max_silence, MAX_SILENCE),
        state: options.state,
        fail_on: options.fail_on,
        summaries: options.summaries,
        sensor: options.sensor,
        progress: !options.no_progress && !options.quiet,
        verbose: options.verbose,
        quiet: options.quiet,
    })
}

/// The store and its retention.
fn store(options: &Options) -> Option<StoreSettings> {
    let keep = options.store_keep.map(|keep| keep.0).unwrap_or_default();
    options.store.clone().map(|path| StoreSettings { path, keep })
}

/// Refuses an output that is used twice, or that would overwrite an input or a capture.
fn separate(options: &Options) -> Result<(), ConfigError> {
    let mut written: Vec<(&str, &Path)> = [
        ("--metrics-file", &options.metrics_file),
        ("--report", &options.report),
        ("--assets", &options.assets),
        ("--store", &options.store),
        ("--state", &options.state),
    ]
    .into_iter()
    .filter_map(|(name, file)| Some((name, file.as_deref()?)))
    .collect();
    let outputs = options.output.iter().filter_map(|output| output.0.target.file());
    written.splice(0..0, outputs.map(|file| ("--output", file)));
    for (i, (name, file)) in written.iter().enumerate() {
        let same = written.iter().skip(i + 1).find(|(_, other)| other == file);
        if let Some((other, _)) = same {
            return Err(usage(format!("{name} and {other} name the same file")));
        }
    }
    let secrets = [&options.metrics_token_file, &options.metrics_cert, &options.metrics_key];
    for path in [&options.key_file, &options.config].into_iter().chain(secrets).flatten() {
        keep(path, options)?;
    }
    for (_, out) in written {
        if is_capture(out) {
            let out = out.display();
            return Err(usage(format!("{out} is a capture and would be overwritten")));
        }
    }
    Ok(())
}

/// The user's own networks; private address space if none is given.
fn home_nets(given: Vec<Cidr>) -> HomeNets {
    if given.is_empty() { HomeNets::default() } else { HomeNets::new(given) }
}

/// Limits on state, as far as options set them.
fn limits(options: &Options, memory: u64) -> Limits {
    let defaults = Limits::default();
    // At zero, an update would be due all the time.
    let update = options.update_every.map(|every| every.span().max(Span::seconds(1)));
    Limits {
        memory,
        exposure_update: update.unwrap_or(defaults.exposure_update),
        exposure_forget: options.forget.map_or(defaults.exposure_forget, Period::span),
        ..defaults
    }
}

/// A duration; 0 means never.
fn time(given: Option<Period>, default: Duration) -> Option<Duration> {
    Some(given.map_or(default, |period| period.0)).filter(|time| !time.is_zero())
}

/// Access control of `--metrics`. Addresses that other hosts can reach need a token.
fn metrics_access(options: &Options) -> Result<MetricsAccess, ConfigError> {
    let access = MetricsAccess {
        token: options.metrics_token_file.clone(),
        certificate: options.metrics_cert.clone(),
        key: options.metrics_key.clone(),
    };
    if access.certificate.is_some() != access.key.is_some() {
        return Err(usage("--metrics-cert and --metrics-key belong together: give both"));
    }
    match options.metrics {
        Some(Listen(address)) if !address.ip().is_loopback() && access.token.is_none() => {
            Err(usage(format!(
                "--metrics {address}: other hosts reach this address; give --metrics-token-file FILE \
                 (openssl rand -hex 32 >FILE), or listen at 127.0.0.1"
            )))
        }
        None if access != MetricsAccess::default() => {
            Err(usage("--metrics-token-file, --metrics-cert and --metrics-key need --metrics"))
        }
        _ => Ok(access),
    }
}

/// Reads the program's arguments and the configuration file again.
fn reread() -> Result<Box<Config>, String> {
    let cli = Cli::try_parse().map_err(|error| error.to_string())?;
    match Task::try_from(cli) {
        Ok(Task::Run(config)) => Ok(config),
        Ok(_) => Err("it no longer names an interface".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Regions in lower case; the default of the rules if none is given.
fn regions(given: Vec<String>) -> Result<Vec<String>, ConfigError> {
    if given.is_empty() {
        return Ok(DEFAULT_REGIONS.iter().map(|r| (*r).to_owned()).collect());
    }
    let lower = given.into_iter().map(|region| region.trim().to_ascii_lowercase());
    lower
        .map(|region| match region.len() {
            2 if region.bytes().all(|b| b.is_ascii_lowercase()) => Ok(region),
            _ if region == ALL_REGIONS => Ok(region),
            _ => Err(usage(format!(
                "--regions {region:?}: write codes of countries (ISO 3166), such as us,gb,de, or all"
            ))),
        })
        .collect()
}

impl Options {
    /// Merges these options over those of `--config`.
    fn with_file(self) -> Result<Self, ConfigError> {
        match &self.config {
            None => Ok(self),
            Some(path) => {
                let file = read(path)?;
                Ok(self.over(file))
            }
        }
    }

    /// Takes each option from `self` if given, and otherwise from `file`.
    fn over(self, file: Self) -> Self {
        // No `..` here, so that a new field cannot be forgotten.
        Self {
            format: self.format.or(file.format),
            detail: self.detail.or(file.detail),
            top: self.top.or(file.top),
            output: if self.output.is_empty() { file.output } else { self.output },
            spool: self.spool.or(file.spool),
            spool_keep: self.spool_keep.or(file.spool_keep),
            report: self.report.or(file.report),
            assets: self.assets.or(file.assets),
            store: self.store.or(file.store),
            store_keep: self.store_keep.or(file.store_keep),
            evidence: self.evidence.or(file.evidence),
            evidence_limit: self.evidence_limit.or(file.evidence_limit),
            encrypt_to: if self.encrypt_to.is_empty() { file.encrypt_to } else { self.encrypt_to },
            metrics: self.metrics.or(file.metrics),
            metrics_token_file: self.metrics_token_file.or(file.metrics_token_file),
            metrics_cert: self.metrics_cert.or(file.metrics_cert),
            metrics_key: self.metrics_key.or(file.metrics_key),
            metrics_file: self.metrics_file.or(file.metrics_file),
            reveal: self.reveal || file.reveal,
            fail_on: self.fail_on.or(file.fail_on),
            summaries: self.summaries || file.summaries,
            sensor: self.sensor.or(file.sensor),
            status_every: self.status_every.or(file.status_every),
            update_every: self.update_every.or(file.update_every),
            state: self.state.or(file.state),
            forget: self.forget.or(file.forget),
            key_file: self.key_file.or(file.key_file),
            rules: self.rules.or(file.rules),
            rules_from: self.rules_from.or(file.rules_from),
            rules_key: self.rules_key.or(file.rules_key),
            regions: if self.regions.is_empty() { file.regions } else { self.regions },
            filter: self.filter.or(file.filter),
            checksums: self.checksums.or(file.checksums),
            home_net: if self.home_net.is_empty() { file.home_net } else { self.home_net },
            workers: self.workers.or(file.workers),
            memory: self.memory.or(file.memory),
            max_silence: self.max_silence.or(file.max_silence),
            backend: self.backend.or(file.backend),
            ring_size: self.ring_size.or(file.ring_size),
            snaplen: self.snaplen.or(file.snaplen),
            timestamps: self.timestamps.or(file.timestamps),
            wait: self.wait || file.wait,
            pace: self.pace.or(file.pace),
            user: self.user.or(file.user),
            no_sandbox: self.no_sandbox || file.no_sandbox,
            log_format: self.log_format.or(file.log_format),
            config: self.config,
            // -v and -q on the command line each override both keys of the file.
            verbose: if self.verbose > 0 || self.quiet { self.verbose } else { file.verbose },
            quiet: self.quiet || (file.quiet && self.verbose == 0),
            no_progress: self.no_progress || file.no_progress,
            follow: self.follow || file.follow,
            interface: if self.interface.is_empty() { file.interface } else { self.interface },
        }
    }
}

fn read(path: &Path) -> Result<Options, ConfigError> {
    let io = |source| ConfigError::Io { path: path.to_path_buf(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(io)?;
    let read = file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(io)?;
    let faulty = |line, reason| ConfigError::File { path: path.to_path_buf(), line, reason };
    if read as u64 > MAX_FILE {
        return Err(faulty(1, format!("more than {MAX_FILE} bytes")));
    }
    parse(&text).map_err(|(line, reason)| faulty(line, reason))
}

/// Parses a configuration file. The error is a line and the fault.
pub(super) fn parse(text: &str) -> Result<Options, (usize, String)> {
    toml::from_str(text).map_err(|e| {
        let start = e.span().map_or(0, |s| s.start);
        let line = 1 + text.bytes().take(start).filter(|&b| b == b'\n').count();
        (line, e.message().to_owned())
    })
}
