//! From the configuration to the parts of a run.

use super::collector::Collector;
use super::content_host::Shared;
use super::run::RunError;
use super::worker::Worker;
use crate::config::{Config, Source, StoreSettings};
use crate::exposure::{self, Exposures};
use crate::identify::{Key, load_rules};
use crate::output::metrics::Metrics;
use crate::output::{self, Context, Dashboard, EventLog, Output, Sink};
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the systemd credential that holds the key (systemd.exec(5), LoadCredential=).
const CREDENTIAL: &str = "phitap.key";

/// Columns of the terminal that standard output is; 0 if it does not say.
fn terminal_width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| size.ws_col.into())
}

/// The key that systemd gave the service, if it did.
fn credential() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
    path.exists().then_some(path)
}

/// Whether `path` is a file, or will be one: pipes and devices cannot be appended to.
fn is_log(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |of| of.is_file())
}

/// What a run is made of before it starts.
pub struct Parts {
    /// Shared by all workers.
    pub shared: Arc<Shared>,
    /// Metrics of the run.
    pub metrics: Arc<Metrics>,
    /// What the web page shows.
    pub board: Arc<Dashboard>,
    /// Where the secret's id is shown.
    pub key_id: String,
    /// How many workers.
    pub workers: usize,
}

impl Parts {
    /// Loads rules and key.
    pub fn new(config: &Config) -> Result<Self, RunError> {
        let rules = load_rules(config.rules.as_deref())?.in_regions(&config.regions)?;
        tracing::info!(rules = rules.entries.len(), "loaded");
        let key = match &config.key_file {
            Some(path) => Key::from_file(path)?,
            None => match credential() {
                Some(path) => Key::from_credential(&path)?,
                None => Key::generate()?,
            },
        };
        let metrics = Arc::new(Metrics::new().map_err(|e| RunError::Internal(e.to_string()))?);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            board: Arc::new(Dashboard::new(Arc::clone(&metrics))),
            metrics,
            key_id: key.id(),
            workers: config.workers.map_or(cores, std::num::NonZero::get),
            shared: Arc::new(Shared::new(rules, key, config.reveal, &config.limits)),
        })
    }

    /// A worker with its share of the limits.
    pub fn worker(&self, config: &Config) -> Worker {
        Worker::new(Arc::clone(&self.shared), &config.limits, self.workers)
    }

    /// The collector, with its output opened.
    pub fn collector(&self, config: &Config, inputs: Vec<Arc<str>>) -> Result<Collector, RunError> {
        let format = output::format(config.format)
            .ok_or_else(|| RunError::Internal(format!("no output format {}", config.format)))?;
        let live = matches!(config.source, Source::Interfaces(_));
        let sink = match config.output.as_deref() {
            Some(path) if live && is_log(path) => {
                let metrics = Arc::clone(&self.metrics);
                let log = EventLog::open(path, format.name, metrics, super::run::complain)?;
                Sink::new(path.display().to_string(), Box::new(log))
            }
            path => Sink::open(path)?,
        };
        let (interfaces, files) = if live { (inputs, Vec::new()) } else { (Vec::new(), inputs) };
        let terminal = config.output.is_none() && std::io::stdout().is_terminal();
        let context = Context {
            sensor: config.sensor.as_deref().map(Into::into),
            interfaces,
            files,
            detail: config.detail,
            key_id: self.key_id.as_str().into(),
            colour: terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
            width: if terminal { terminal_width() } else { 0 },
            top: config.top,
            follow: live,
        };
        let rules = self.shared.rules.current();
        let exposures = Exposures::new(exposure::Settings {
            home: config.home.clone(),
            idle: config.limits.exposure_idle,
            key: self.shared.event_key,
            severity: rules.policy.severity.clone(),
            suppressions: Arc::clone(&rules.suppressions),
            access: rules.policy.access.clone(),
            detail: config.detail,
            memory: config.limits.exposure_memory(),
            sightings: config.store.is_some(),
        });
        let mut outputs: Vec<(&'static str, Box<dyn Output>)> = Vec::new();
        if let Some(settings) = &config.store {
            outputs.push(self.store(settings, &context, live)?);
        }
        outputs.push((format.name, (format.open)(Box::new(sink), context)));
        outputs.push(("page", Box::new(Arc::clone(&self.board))));
        let metrics = Arc::clone(&self.metrics);
        Ok(Collector::new(
            exposures,
            outputs,
            metrics,
            Arc::clone(&self.shared),
            self.workers,
            live,
        ))
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
        let store = Store::open(settings, beginning, metrics, super::run::complain)?;
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

/// An error of the store names its own file.
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
