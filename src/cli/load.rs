//! Arguments and file become a checked [`Task`].

use super::reveal::{Asked, Destination, allowed};
use super::{Cli, Command, Live, Options, Replay, RulesAction, exit};
use crate::config::{Config, Detail, Limits, Source, StoreSettings};
use crate::net::HomeNets;
use crate::output::FORMATS;
use crate::rules::{ALL_REGIONS, DEFAULT_REGIONS};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Largest `--config` file read, bytes.
const MAX_FILE: u64 = 1 << 20;
/// Smallest useful `--memory`, bytes.
const MIN_MEMORY: u64 = 16 << 20;
/// Most `--workers`.
const MAX_WORKERS: usize = 256;

/// What the command line comes to.
#[derive(Debug)]
pub enum Task {
    /// `replay` or `live`.
    Run(Box<Config>),
    /// `rules`.
    Rules {
        /// List, check or test.
        action: RulesAction,
        /// Folder of further rules.
        rules: Option<PathBuf>,
    },
    /// `completions`.
    Completions(clap_complete::Shell),
    /// `man`.
    Man,
}

/// Why arguments or file were refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}; check the path, and that you may read it", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is faulty.
    #[error("{path}:{line}: {reason}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Values that do not go together or are out of range.
    #[error("{0}")]
    Usage(String),
}

impl ConfigError {
    /// The exit status it leads to.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Io { .. } => exit::FAILED,
            Self::File { .. } | Self::Usage(_) => exit::USAGE,
        }
    }
}

impl TryFrom<Cli> for Task {
    type Error = ConfigError;
    fn try_from(cli: Cli) -> Result<Self, ConfigError> {
        Ok(match cli.command {
            Command::Replay(replay) => Self::Run(Box::new(replay.try_into()?)),
            Command::Live(live) => Self::Run(Box::new(live.try_into()?)),
            Command::Rules(rules) => Self::Rules { action: rules.action, rules: rules.rules },
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

impl TryFrom<Live> for Config {
    type Error = ConfigError;
    fn try_from(live: Live) -> Result<Self, ConfigError> {
        let options = live.options.with_file()?;
        let mut interfaces = live.interface;
        if interfaces.is_empty() {
            interfaces.clone_from(&options.interface);
        }
        if interfaces.is_empty() {
            return Err(usage("name at least one interface to watch: -i IFACE"));
        }
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = interfaces.iter().find(|i| !seen.insert(i.as_str())) {
            return Err(usage(format!("interface {twice:?} is named twice")));
        }
        let mut config = config(Source::Interfaces(interfaces), options)?;
        config.sensor = config.sensor.or_else(host_name);
        Ok(config)
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
    if options.output.is_some() && options.output == options.metrics_file {
        return Err(usage("--output and --metrics-file name the same file"));
    }
    if options.reveal && options.store.is_some() {
        return Err(usage("a store holds masks only: --store and --reveal do not go together"));
    }
    if options.store_keep.is_some() && options.store.is_none() {
        return Err(usage("store-keep says how much a store keeps: name one with --store"));
    }
    let keep_for = options.store_keep.map(|keep| keep.0).unwrap_or_default();
    let store = options.store.clone().map(|path| StoreSettings { path, keep: keep_for });
    if options.reveal {
        let live = matches!(source, Source::Interfaces(_));
        let asked =
            Asked { output: options.output.is_some(), format: options.format.is_some(), live };
        allowed(Destination::of(std::io::stdout()), asked).map_err(ConfigError::Usage)?;
    }
    for path in [&options.key_file, &options.config].into_iter().flatten() {
        keep(path, &options)?;
    }
    for out in [&options.output, &options.metrics_file, &options.store].into_iter().flatten() {
        if is_capture(out) {
            let out = out.display();
            return Err(usage(format!("{out} is a capture and would be overwritten")));
        }
    }
    let home = options.home_net;
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
        output: options.output,
        store,
        metrics: options.metrics.map(|listen| listen.0),
        metrics_file: options.metrics_file,
        reveal: options.reveal,
        key_file: options.key_file,
        rules: options.rules,
        regions: regions(options.regions)?,
        filter: options.filter,
        checksums: options.checksums.unwrap_or_default(),
        home: if home.is_empty() { HomeNets::default() } else { HomeNets::new(home) },
        workers: options.workers,
        limits: Limits { memory, ..Limits::default() },
        fail_on: options.fail_on,
        sensor: options.sensor,
        progress: !options.no_progress && !options.quiet,
        verbose: options.verbose,
        quiet: options.quiet,
    })
}

/// Regions in lower case; those of the rules' default if none is given.
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
    /// These over those of `--config`.
    fn with_file(self) -> Result<Self, ConfigError> {
        match &self.config {
            None => Ok(self),
            Some(path) => {
                let file = read(path)?;
                Ok(self.over(file))
            }
        }
    }

    /// These where given, else `file`'s.
    fn over(self, file: Self) -> Self {
        // A field that is added must be merged too: no `..` here.
        let Self {
            format,
            detail,
            top,
            output,
            store,
            store_keep,
            metrics,
            metrics_file,
            reveal,
            fail_on,
            sensor,
            key_file,
            rules,
            regions,
            filter,
            checksums,
            home_net,
            workers,
            memory,
            config,
            verbose,
            quiet,
            no_progress,
            follow,
            interface,
        } = self;
        Self {
            format: format.or(file.format),
            detail: detail.or(file.detail),
            top: top.or(file.top),
            output: output.or(file.output),
            store: store.or(file.store),
            store_keep: store_keep.or(file.store_keep),
            metrics: metrics.or(file.metrics),
            metrics_file: metrics_file.or(file.metrics_file),
            reveal: reveal || file.reveal,
            fail_on: fail_on.or(file.fail_on),
            sensor: sensor.or(file.sensor),
            key_file: key_file.or(file.key_file),
            rules: rules.or(file.rules),
            regions: if regions.is_empty() { file.regions } else { regions },
            filter: filter.or(file.filter),
            checksums: checksums.or(file.checksums),
            home_net: if home_net.is_empty() { file.home_net } else { home_net },
            workers: workers.or(file.workers),
            memory: memory.or(file.memory),
            config,
            // -v and -q on the command line overrule each other's key.
            verbose: if verbose > 0 || quiet { verbose } else { file.verbose },
            quiet: quiet || (file.quiet && verbose == 0),
            no_progress: no_progress || file.no_progress,
            follow: follow || file.follow,
            interface: if interface.is_empty() { file.interface } else { interface },
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

/// Options, or the line and the fault.
pub(super) fn parse(text: &str) -> Result<Options, (usize, String)> {
    toml::from_str(text).map_err(|e| {
        let start = e.span().map_or(0, |s| s.start);
        let line = 1 + text.bytes().take(start).filter(|&b| b == b'\n').count();
        (line, e.message().to_owned())
    })
}

fn usage(text: impl Into<String>) -> ConfigError {
    ConfigError::Usage(text.into())
}

/// Refuses to write where `path` is read.
fn keep(path: &Path, options: &Options) -> Result<(), ConfigError> {
    let outs = [&options.output, &options.metrics_file, &options.store];
    match outs.into_iter().flatten().find(|out| is_same_file(path, out)) {
        Some(out) => Err(usage(format!("{} is read and would be overwritten", out.display()))),
        None => Ok(()),
    }
}

/// Whether a capture stands where something is to be written: a slip that would cost evidence.
fn is_capture(path: &Path) -> bool {
    // pcap in both byte orders, with microseconds or nanoseconds; pcapng.
    const MAGIC: [[u8; 4]; 5] = [
        [0xa1, 0xb2, 0xc3, 0xd4],
        [0xd4, 0xc3, 0xb2, 0xa1],
        [0xa1, 0xb2, 0x3c, 0x4d],
        [0x4d, 0x3c, 0xb2, 0xa1],
        [0x0a, 0x0d, 0x0d, 0x0a],
    ];
    // Opening a pipe would wait for its other end.
    if !std::fs::metadata(path).is_ok_and(|m| m.is_file()) {
        return false;
    }
    let mut head = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && MAGIC.contains(&head)
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (std::fs::metadata(a), std::fs::metadata(b)) {
        // A terminal or /dev/null may well be both.
        (Ok(a), Ok(b)) => a.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}
