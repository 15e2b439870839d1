//! Reloads rules during a run: on SIGHUP, or when a file of `--rules` changes.
//!
//! New rules are compiled beside the active ones. They then replace them all at once, or not at all
//! if they are faulty. No flow is lost: an open payload or record finishes under the rules it began
//! with, and its flow continues under the new ones.

use super::content_sink::Shared;
use super::log::{complain, say};
use super::setup::Parts;
use crate::config::Config;
use crate::identify::load_rules;
use crate::output::SensorHealth;
use crate::output::clock::{stopwatch, wall_clock};
use crate::output::metrics::Metrics;
use crate::rules::RuleSet;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the thread checks for a signal.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Signal checks per check of the files. A changed file counts once two checks agree, because an
/// editor may still be writing it.
const FILES_EVERY: u32 = 5;
/// Most files checked.
const MAX_FILES: usize = 4_096;

/// Reloads the rules until dropped.
pub struct Reloader {
    stop: Arc<AtomicBool>,
    signal: signal_hook::SigId,
    thread: Option<JoinHandle<()>>,
}

impl Reloader {
    /// Starts the thread.
    ///
    /// # Errors
    /// The thread or the signal handler cannot be created.
    pub fn start(config: &Config, parts: &Parts) -> io::Result<Self> {
        let (stop, hangup) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let signal = signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&hangup))?;
        let mut watch = RuleWatcher {
            shared: Arc::clone(&parts.shared),
            metrics: Arc::clone(&parts.metrics),
            health: Arc::clone(&parts.health),
            config: config.clone(),
        };
        let stopped = Arc::clone(&stop);
        let run = move || watch.run(&stopped, &hangup);
        let thread = std::thread::Builder::new().name("rules".into()).spawn(run)?;
        Ok(Self { stop, signal, thread: Some(thread) })
    }
}

impl Drop for Reloader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        signal_hook::low_level::unregister(self.signal);
    }
}

/// Metadata of the files in a folder.
type DirSnapshot = Vec<(PathBuf, i64, i64, u64, u64)>;

struct RuleWatcher {
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    health: Arc<SensorHealth>,
    config: Config,
}

impl RuleWatcher {
    fn run(&mut self, stop: &AtomicBool, hangup: &AtomicBool) {
        let mut known = self.snapshot();
        let mut changed: Option<Option<DirSnapshot>> = None;
        let mut looks = 0u32;
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK_EVERY);
            looks = looks.wrapping_add(1);
            if hangup.swap(false, Ordering::Relaxed) {
                known = self.snapshot();
                changed = None;
                if self.reread() {
                    known = self.snapshot();
                    self.reload();
                }
            } else if looks.is_multiple_of(FILES_EVERY) && self.config.rules.is_some() {
                let now = self.snapshot();
                if now == known {
                    changed = None;
                } else if changed.as_ref() == Some(&now) {
                    known = now;
                    changed = None;
                    self.reload();
                } else {
                    changed = Some(now);
                }
            }
        }
    }

    fn snapshot(&self) -> Option<DirSnapshot> {
        self.config.rules.as_deref().and_then(|dir| read_snapshot(dir).ok())
    }

    /// Reads the configuration again and applies what may change during a run: the rules folder and
    /// the regions. Returns false, and changes nothing, if it is faulty.
    fn reread(&mut self) -> bool {
        let Some(reread) = self.config.reread else { return true };
        match reread() {
            Ok(new) => {
                let later = self.config.needs_restart(&new);
                if !later.is_empty() {
                    let keys = later.join(", ");
                    complain(&format!("changes of these keys need a restart: {keys}"));
                }
                self.config.rules.clone_from(&new.rules);
                self.config.regions.clone_from(&new.regions);
                true
            }
            Err(error) => {
                self.keep(&error);
                false
            }
        }
    }

    fn reload(&self) {
        let started = stopwatch();
        // Even if a file makes the loader panic, the active rules stay.
        let load = || load_rules(self.config.rules_folder())?.in_regions(&self.config.regions);
        let loaded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(load));
        match loaded {
            Ok(Ok(rules)) => {
                let (n, now) = (rules.entries.len(), wall_clock());
                warn_of_expired(&rules, now);
                self.shared.rules.replace(rules);
                self.metrics.rules_reloaded(true);
                self.health.rules_failed(false);
                self.metrics.rules_loaded(now);
                let took = started.elapsed().as_millis();
                say(&self.config, &format!("rules reloaded: {n} rules in {took} ms"));
            }
            Ok(Err(error)) => self.keep(&error.to_string()),
            Err(_) => self.keep("internal error"),
        }
    }

    fn keep(&self, why: &str) {
        self.metrics.rules_reloaded(false);
        self.health.rules_failed(true);
        complain(&format!("rules not reloaded, the previous rules stay active: {why}"));
    }
}

/// Warns of expired suppressions.
pub fn warn_of_expired(rules: &RuleSet, now: crate::time::Timestamp) {
    for over in rules.suppressions.expired(now) {
        let (file, line) = &over.source;
        complain(&format!(
            "{file}:{line}: suppression {} expired on {}; ask {}",
            over.id, over.expires, over.owner
        ));
    }
}

/// The rule files of a folder, ordered by name.
fn read_snapshot(dir: &Path) -> io::Result<DirSnapshot> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)?.take(MAX_FILES) {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            // Follows links, because a ConfigMap update swaps one.
            let of = std::fs::metadata(&path)?;
            files.push((path, of.mtime(), of.mtime_nsec(), of.len(), of.ino()));
        }
    }
    files.sort();
    Ok(files)
}
