//! Builds the parts of a run from the configuration.

use super::collector::{Collector, Reporting};
use super::content_sink::Shared;
use super::notify::Notify;
use super::run::RunError;
use super::state::{StateError, StateFile};
use super::worker::Worker;
use crate::config::{Config, Source, StoreSettings};
use crate::exposure::{self, Exposures, KnownExposure};
use crate::identify::{Key, load_rules};
use crate::output::evidence::Evidence;
use crate::output::metrics::Metrics;
use crate::output::sinks;
use crate::output::{
    Context, Dashboard, InputReport, Output, SensorHealth, WholeFile, WriteError, assets, page,
};
use crate::review::source::{self, Filter};
use crate::rules::RuleSet;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Name of the systemd credential that holds the key (systemd.exec(5), LoadCredential=).
const CREDENTIAL: &str = "phitap.key";

/// Columns of the terminal at standard output; none if it is not a terminal, or does not know.
pub fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// The key from a systemd credential, if there is one.
pub fn credential() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
    path.exists().then_some(path)
}

/// A description of the active rules for people.
fn active_rules_text(config: &Config, digest: &str) -> String {
    let own = config.rules.as_ref().map(|dir| format!(" and those of {}", dir.display()));
    let (version, own) = (env!("CARGO_PKG_VERSION"), own.unwrap_or_default());
    let regions = config.regions.join(", ");
    format!("{digest}: those of phitap {version}{own}, regions {regions}")
}

/// The parts of a run before it starts.
pub struct Parts {
    /// Shared by all workers.
    pub shared: Arc<Shared>,
    /// Metrics of the run.
    pub metrics: Arc<Metrics>,
    /// The service manager.
    pub notify: Arc<Notify>,
    /// Health of the run's parts.
    pub health: Arc<SensorHealth>,
    /// What the web page shows.
    pub dashboard: Arc<Dashboard>,
    /// The id of the key, for display.
    pub key_id: String,
    /// Whether the key is persistent, so that later runs have the same pseudonyms.
    pub key_lasts: bool,
    /// Number of workers.
    pub workers: usize,
    /// Whether the run is to end.
    pub stop: Arc<AtomicBool>,
    /// Receivers of events in the order of the outputs, until taken.
    pub(super) sinks: Mutex<Vec<Option<Box<dyn sinks::Sink>>>>,
}

impl Parts {
    /// Loads the rules and the key.
    pub fn new(config: &Config) -> Result<Self, RunError> {
        let live = matches!(config.source, Source::Interfaces(_));
        // A replay loads shipped rules on first use. A sensor loads them all first, so that it
        // never pauses for them.
        let rules = match config.rules_folder() {
            None if !live => RuleSet::when_needed(),
            own => load_rules(own)?,
        };
        let rules = rules.in_regions(&config.regions)?;
        tracing::info!(digest = rules.digest, "rules loaded");
        let (key, key_lasts) = match (&config.key_file, credential()) {
            (Some(path), _) => (Key::from_file(path)?, true),
            (None, Some(path)) => (Key::from_credential(&path)?, true),
            (None, None) => (Key::generate()?, false),
        };
        let sinks = super::outputs::prepare(config)?;
        let metrics = Arc::new(Metrics::new().map_err(|e| RunError::Internal(e.to_string()))?);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // Files and pipes may be silent for hours, so only live captures check for silence.
        let health = Arc::new(SensorHealth::new(config.max_silence.filter(|_| live)));
        Ok(Self {
            dashboard: Arc::new(Dashboard::new(Arc::clone(&metrics), Arc::clone(&health))),
            health,
            notify: Arc::new(Notify::from_environment()),
            metrics,
            sinks: Mutex::new(sinks),
            key_id: key.id(),
            key_lasts,
            stop: Arc::default(),
            workers: config.workers.map_or(cores, std::num::NonZero::get),
            shared: Arc::new(Shared::new(rules, key, config.reveal, &config.limits)),
        })
    }

    /// Creates a worker with its share of the limits.
    pub fn worker(&self, config: &Config) -> Worker {
        Worker::new(Arc::clone(&self.shared), &config.limits, self.workers)
    }

    /// Loads results of earlier runs from the store into the page.
    fn history(&self, config: &Config) {
        let (Some(store), Some(_)) = (&config.store, config.metrics) else { return };
        let exposures_only = Filter { patients: 0, ..Filter::default() };
        match source::read_joined(&store.path, &exposures_only) {
            Ok(earlier) => {
                tracing::info!(exposures = earlier.exposures.len(), "earlier runs in the store");
                earlier.exposures.into_iter().for_each(|e| self.dashboard.earlier(e.event));
            }
            // On the first run there is no store. Other errors appear when it is opened for
            // writing.
            Err(error) => tracing::debug!(%error, "no earlier runs"),
        }
    }

    /// Opens the outputs of `--report` and `--assets`.
    fn pages(
        &self,
        config: &Config,
        context: &Context,
        rules: &str,
        outputs: &mut Vec<(&'static str, Box<dyn Output>)>,
    ) -> Result<(), RunError> {
        if let Some(path) = &config.report {
            let made = page::Provenance {
                at: super::wall_clock().to_string(),
                source: "the packets themselves".to_owned(),
                key: self.key_id.clone(),
                rules: active_rules_text(config, rules),
            };
            let sink = Box::new(WholeFile::new(path, "--report")?);
            let report = page::Report::new(sink, context.clone(), config.reveal, made);
            outputs.push(("report", Box::new(report)));
        }
        if let Some(path) = &config.assets
            && let Some(shape) = assets::Shape::of(path)
        {
            let sink = Box::new(WholeFile::new(path, "--assets")?);
            outputs.push(("assets", Box::new(assets::Assets::new(sink, shape))));
        }
        Ok(())
    }

    /// Sets up the recording of packets for `--evidence`.
    fn evidence(
        &self,
        config: &Config,
        interfaces: &[Arc<str>],
        outputs: &mut Vec<(&'static str, Box<dyn Output>)>,
    ) -> Result<Option<Evidence>, RunError> {
        let Some(settings) = config.evidence.clone() else { return Ok(None) };
        if settings.recipients.is_empty() {
            let text = "--evidence: its files hold patient data as it was sent; protect them, or encrypt with --encrypt-to";
            super::log::say(config, text);
        }
        let name = settings.folder.display().to_string();
        let metrics = Arc::clone(&self.metrics);
        let started = Evidence::start(settings, interfaces.to_vec(), metrics, super::log::complain);
        let (evidence, output) = started.map_err(|source| WriteError::new(name, source))?;
        outputs.push(("evidence", Box::new(output)));
        Ok(Some(evidence))
    }

    /// Creates the collector with its outputs, and the handle for recording packets.
    pub fn collector(
        &self,
        config: &Config,
        inputs: Vec<Arc<str>>,
    ) -> Result<(Collector, Option<Evidence>), RunError> {
        let live = matches!(config.source, Source::Interfaces(_));
        let (state, known) = self.state(config)?;
        let (interfaces, files) = if live { (inputs, Vec::new()) } else { (Vec::new(), inputs) };
        let terminal = config.writes_to_stdout() && std::io::stdout().is_terminal();
        let context = Context {
            sensor: config.sensor.as_deref().map(Into::into),
            interfaces,
            files,
            detail: config.detail,
            summaries: config.summaries,
            key_id: self.key_id.as_str().into(),
            colour: terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
            width: if terminal { terminal_width().unwrap_or(0) } else { 0 },
            top: config.top,
            follow: live,
        };
        let rules = self.shared.rules.current();
        let mut exposures = Exposures::new(exposure::Settings {
            home: config.home.clone(),
            idle: config.limits.exposure_idle,
            update: config.limits.exposure_update,
            forget: config.limits.exposure_forget,
            key: self.shared.event_key,
            severity: rules.policy.severity.clone(),
            suppressions: Arc::clone(&rules.suppressions),
            access: rules.policy.access.clone(),
            detail: config.detail,
            memory: config.limits.exposure_memory(),
            observe_patients: config.store.is_some()
                || config.report.is_some()
                || config.summaries
                || config.metrics.is_some(),
        });
        exposures.resume(known);
        self.dashboard.describe(context.clone(), config.reveal);
        self.history(config);
        let mut outputs: Vec<(&'static str, Box<dyn Output>)> = Vec::new();
        if let Some(settings) = &config.store {
            outputs.push(self.store(settings, &context, live)?);
        }
        self.pages(config, &context, &rules.digest, &mut outputs)?;
        let evidence = self.evidence(config, &context.interfaces, &mut outputs)?;
        let ends = self.events(config, &context, &mut outputs)?;
        // Built only for a page that is served: updating the page costs more than writing the
        // event.
        if config.metrics.is_some() {
            outputs.push(("page", Box::new(Arc::clone(&self.dashboard))));
        }
        let metrics = Arc::clone(&self.metrics);
        let reporting = Reporting {
            outputs,
            metrics,
            health: Arc::clone(&self.health),
            ends,
            live,
            status_every: config.status_every.filter(|_| live),
            state,
        };
        let shared = Arc::clone(&self.shared);
        Ok((Collector::new(exposures, reporting, shared, self.workers), evidence))
    }

    /// Opens the file of `--state` and reads the known exposures.
    fn state(&self, config: &Config) -> Result<(Option<StateFile>, Vec<KnownExposure>), RunError> {
        let Some(path) = &config.state else { return Ok((None, Vec::new())) };
        if !self.key_lasts {
            return Err(StateError::NoKey.into());
        }
        let (state, known) = StateFile::open(path, &self.key_id, Arc::clone(&self.metrics))?;
        Ok((Some(state), known))
    }

    #[cfg(feature = "store")]
    fn store(
        &self,
        settings: &StoreSettings,
        context: &Context,
        live: bool,
    ) -> Result<(&'static str, Box<dyn Output>), RunError> {
        use crate::output::store::{Beginning, NAME, Store};
        let rules = self.shared.rules.current().digest.clone();
        let beginning = Beginning { live, context: context.clone(), rules };
        let metrics = Arc::clone(&self.metrics);
        let store = Store::open(settings, beginning, metrics, super::log::complain)?;
        Ok((NAME, Box::new(store)))
    }

    #[cfg(not(feature = "store"))]
    fn store(
        &self,
        settings: &StoreSettings,
        _: &Context,
        _: bool,
    ) -> Result<(&'static str, Box<dyn Output>), RunError> {
        Err(RunError::NoStore(settings.path.clone()))
    }
}

/// Converts an I/O error of the store to its own error, which names the file.
#[cfg(feature = "store")]
pub(super) fn store_error(error: io::Error) -> Result<io::Error, RunError> {
    match error.downcast::<crate::output::store::StoreError>() {
        Ok(store) => Err(store.into()),
        Err(other) => Ok(other),
    }
}

#[cfg(not(feature = "store"))]
pub(super) fn store_error(error: io::Error) -> Result<io::Error, RunError> {
    Ok(error)
}

/// Hashes the captures, so that `cut` can check later that they are unchanged.
pub(super) fn hash_inputs(inputs: &mut [InputReport], stop: &AtomicBool) {
    for input in inputs {
        // Pipes cannot be read again, and an interrupted run should end quickly.
        let path = Path::new(&input.name);
        if stop.load(Ordering::Relaxed) || !std::fs::metadata(path).is_ok_and(|m| m.is_file()) {
            continue;
        }
        input.sha256 = std::fs::File::open(path).and_then(sha256).ok();
    }
}

fn sha256(mut file: std::fs::File) -> io::Result<String> {
    use sha2::Digest as _;
    use std::io::Read as _;
    let (mut hash, mut piece) = (sha2::Sha256::new(), vec![0; 1 << 18]);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hash.update(piece.get(..read).unwrap_or_default());
    }
}
