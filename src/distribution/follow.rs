//! `phitap rules follow`, and `live --rules-from`.

use super::bundle::{Bundle, Refusal};
use super::key::PublicKey;
use super::publish::open;
use super::{CURRENT, DistributionError, Follow};
use crate::broker::{Access, Settings, answer};
use crate::config::{Config, Published};
use crate::destination::Service;
use crate::identify::load_rules;
use crate::output::metrics::Metrics;
use crate::output::write_atomically;
use crate::pipeline::{Companion, complain, inform};
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Pause between checks of the bucket.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The result for rules that were not refused.
const TAKEN: &str = "taken";

/// Installs published rules as they arrive, until stopped.
///
/// # Errors
/// A key is invalid or credentials are refused; with `once`, also faulty rules.
pub fn follow(follow: &Follow) -> Result<(), DistributionError> {
    let key = PublicKey::load(&follow.rules_key)?;
    let access = Access::open(&follow.broker)?;
    let io = |source| DistributionError::Io { path: follow.into.clone(), source };
    fs::create_dir_all(&follow.into).map_err(io)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(io)?;
    }
    let mut counters = Counters::default();
    let note = Box::new(move |taken: Result<(), Refusal>, version| {
        counters.note(taken);
        write(follow.metrics_file.as_deref(), &counters, version)
    });
    let place = Place::at(&follow.into);
    let (once, quiet) = (follow.once, follow.quiet);
    Follower { access, key, place, once, quiet, seen: 0, note }.run(&stop)
}

/// The companion of a sensor for `--rules-from`. Reads the files it needs.
///
/// # Errors
/// A key is invalid, credentials cannot be read, or a folder cannot be created.
pub fn companion(config: &Config) -> Result<Option<Companion>, DistributionError> {
    let Some(Published { from, key, folder }) = &config.published else { return Ok(None) };
    let Service::Nats { servers, .. } = &from.service else { return Ok(None) };
    let key = PublicKey::load(key)?;
    let name = config.sensor.as_ref().map(|sensor| format!("phitap rules {sensor}"));
    let access = Access::open(&Settings {
        servers: servers.clone(),
        credentials: from.credentials.clone(),
        tls: from.tls.clone(),
        name: name.unwrap_or_else(|| "phitap rules".to_owned()),
    })?;
    let io = |source| DistributionError::Io { path: folder.clone(), source };
    fs::create_dir_all(folder).map_err(io)?;
    let (place, quiet) = (Place::at(folder), config.quiet);
    let start = move |metrics: &Arc<Metrics>| {
        metrics.sensor().set_active_rules(place.version);
        let metrics = Arc::clone(metrics);
        let note = Box::new(move |taken: Result<(), Refusal>, version| {
            let result = taken.map_or_else(Refusal::as_str, |()| TAKEN);
            metrics.sensor().rules_followed(result, version);
            Ok(())
        });
        let mut follower = Follower { access, key, place, once: false, quiet, seen: 0, note };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Stopped(Arc::clone(&stop));
        let run = move || {
            if let Err(error) = follower.run(&stop) {
                complain(&format!("published rules are not followed: {error}"));
            }
        };
        std::thread::Builder::new().name("published".into()).spawn(run)?;
        Ok(Box::new(stopped) as Box<dyn Any>)
    };
    Ok(Some(Box::new(start)))
}

/// Stops the thread without waiting for it: it may be waiting for a broker, and leaves nothing half
/// done.
struct Stopped(Arc<AtomicBool>);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Called with the result for a bundle, and the active version.
type Note<'a> =
    Box<dyn FnMut(Result<(), Refusal>, u64) -> Result<(), DistributionError> + Send + 'a>;

/// Installs published rules.
struct Follower<'a> {
    access: Access,
    key: PublicKey,
    place: Place,
    once: bool,
    quiet: bool,
    /// Revision of the bucket checked last.
    seen: u64,
    note: Note<'a>,
}

impl Follower<'_> {
    fn run(&mut self, stop: &AtomicBool) -> Result<(), DistributionError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| DistributionError::Stream(error.to_string()))?;
        runtime.block_on(async {
            let mut said = String::new();
            while !stop.load(Ordering::Relaxed) {
                match self.look(stop).await {
                    Ok(()) => return Ok(()),
                    Err(DistributionError::Broker(error)) if !error.is_passing() => {
                        return Err(error.into());
                    }
                    Err(error) if self.once => return Err(error),
                    Err(error) => {
                        let fault = error.to_string();
                        if fault != said {
                            complain(&fault);
                            said = fault;
                        }
                    }
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Ok(())
        })
    }

    async fn look(&mut self, stop: &AtomicBool) -> Result<(), DistributionError> {
        let bucket = open(&self.access).await?;
        while !stop.load(Ordering::Relaxed) {
            let entry = answer(bucket.entry(CURRENT)).await.map_err(DistributionError::Stream)?;
            match entry {
                Some(entry) if entry.revision != self.seen => {
                    self.seen = entry.revision;
                    self.take(&entry.value)?;
                }
                None if self.once => return Err(DistributionError::Nothing),
                _ => {}
            }
            if self.once {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    fn take(&mut self, value: &[u8]) -> Result<(), DistributionError> {
        let taken = Bundle::open(value, &self.key).and_then(|bundle| self.place.take(&bundle));
        (self.note)(taken.map(|_| ()), self.place.version)?;
        match taken {
            Ok(true) if !self.quiet => {
                inform(&format!("rules of version {} are in force", self.place.version));
            }
            Ok(_) => {}
            Err(refusal) if self.once => return Err(refusal.into()),
            Err(refusal) => complain(&format!(
                "the published rules are refused, the previous rules stay active: {refusal}"
            )),
        }
        Ok(())
    }
}

/// Bundles by result.
#[derive(Default)]
struct Counters {
    taken: u64,
    refused: BTreeMap<Refusal, u64>,
}

impl Counters {
    fn note(&mut self, taken: Result<(), Refusal>) {
        match taken {
            Ok(()) => self.taken += 1,
            Err(refusal) => *self.refused.entry(refusal).or_default() += 1,
        }
    }
}

fn write(path: Option<&Path>, counters: &Counters, version: u64) -> Result<(), DistributionError> {
    let Some(path) = path else { return Ok(()) };
    let mut text = String::from(
        "# HELP phitap_rules_followed_total Published rules by what became of them.\n\
         # TYPE phitap_rules_followed_total counter\n",
    );
    let _ = writeln!(text, "phitap_rules_followed_total{{result=\"{TAKEN}\"}} {}", counters.taken);
    for refusal in Refusal::ALL {
        let (name, n) = (refusal.as_str(), counters.refused.get(&refusal).copied().unwrap_or(0));
        let _ = writeln!(text, "phitap_rules_followed_total{{result=\"{name}\"}} {n}");
    }
    text += "# HELP phitap_rules_version Version of the rules in force.\n\
             # TYPE phitap_rules_version gauge\n";
    let _ = writeln!(text, "phitap_rules_version {version}");
    write_atomically(path, text.as_bytes(), 0o644).map_err(|error| DistributionError::Io {
        path: path.to_owned(),
        source: io::Error::other(error),
    })
}

/// The folder of the active rules: `current` is a link to the folder of a version.
pub(super) struct Place {
    folder: PathBuf,
    /// Version of the active rules; 0 if none.
    pub version: u64,
}

fn name_of(version: u64) -> String {
    format!("v{version}")
}

impl Place {
    /// Reads the state of the folder.
    pub fn at(folder: &Path) -> Self {
        let leads = fs::read_link(folder.join(Published::LINK)).ok();
        let name = leads.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
        let version = name.and_then(|name| name.strip_prefix('v')?.parse().ok());
        Self { folder: folder.to_owned(), version: version.unwrap_or(0) }
    }

    /// Activates rules, all at once. Returns false if they are already active. Rules that are older
    /// or cannot be loaded are refused.
    pub fn take(&mut self, bundle: &Bundle) -> Result<bool, Refusal> {
        if bundle.version == self.version {
            return Ok(false);
        }
        if bundle.version < self.version {
            return Err(Refusal::Older);
        }
        let new = self.folder.join(name_of(bundle.version));
        if self.write(&new, bundle).is_err() {
            let _ = fs::remove_dir_all(&new);
            return Err(Refusal::Unwritten);
        }
        if load_rules(Some(&new)).is_err() {
            let _ = fs::remove_dir_all(&new);
            return Err(Refusal::Faulty);
        }
        let next = self.folder.join("next");
        let _ = fs::remove_file(&next);
        let swapped = symlink(name_of(bundle.version), &next)
            .and_then(|()| fs::rename(&next, self.folder.join(Published::LINK)));
        if swapped.is_err() {
            let _ = fs::remove_dir_all(&new);
            return Err(Refusal::Unwritten);
        }
        // Deletes the previous rules. A sensor that is reading them finds the new ones at its next
        // check.
        if self.version != 0 {
            let _ = fs::remove_dir_all(self.folder.join(name_of(self.version)));
        }
        self.version = bundle.version;
        Ok(true)
    }

    fn write(&self, folder: &Path, bundle: &Bundle) -> io::Result<()> {
        // Left by a run that was killed.
        let _ = fs::remove_dir_all(folder);
        fs::create_dir(folder)?;
        for (name, text) in &bundle.files {
            fs::write(folder.join(name), text)?;
        }
        Ok(())
    }
}
