//! `phitap rules follow`.

use super::bundle::{Bundle, Refusal};
use super::key::PublicKey;
use super::publish::open;
use super::{CURRENT, DistributionError, Follow};
use crate::identify::load_rules;
use crate::output::write_atomically;
use crate::pipeline::{complain, inform};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Between two looks at the bucket.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What leads to the rules in force.
const LINK: &str = "current";

/// Takes published rules as they come, until it is told to stop.
///
/// # Errors
/// A key that is none, credentials that are refused; with `once` also what is wrong with the rules.
pub fn follow(follow: &Follow) -> Result<(), DistributionError> {
    let key = PublicKey::load(&follow.rules_key)?;
    let io = |source| DistributionError::Io { path: follow.into.clone(), source };
    fs::create_dir_all(&follow.into).map_err(io)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(io)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    let mut place = Place::at(&follow.into);
    let mut counters = Counters::default();
    runtime.block_on(async {
        let mut said = String::new();
        let mut seen = 0;
        while !stop.load(Ordering::Relaxed) {
            let ended = look(follow, &key, &mut place, &mut counters, &mut seen, &stop).await;
            match ended {
                Ok(()) => return Ok(()),
                Err(DistributionError::Broker(error)) if !error.is_passing() => {
                    return Err(error.into());
                }
                Err(error) if follow.once => return Err(error),
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

async fn look(
    follow: &Follow,
    key: &PublicKey,
    place: &mut Place,
    counters: &mut Counters,
    seen: &mut u64,
    stop: &AtomicBool,
) -> Result<(), DistributionError> {
    let bucket = open(&follow.broker).await?;
    while !stop.load(Ordering::Relaxed) {
        let entry = bucket.entry(CURRENT).await;
        let entry = entry.map_err(|error| DistributionError::Stream(error.to_string()))?;
        match entry {
            Some(entry) if entry.revision != *seen => {
                *seen = entry.revision;
                let taken = Bundle::open(&entry.value, key).and_then(|bundle| place.take(&bundle));
                counters.note(taken.map(|_| ()));
                write(follow, counters, place)?;
                match taken {
                    Ok(true) if !follow.quiet => {
                        inform(&format!("rules of version {} are in force", place.version));
                    }
                    Ok(_) => {}
                    Err(refusal) if follow.once => return Err(refusal.into()),
                    Err(refusal) => complain(&format!(
                        "the published rules are refused, those in force stay: {refusal}"
                    )),
                }
            }
            None if follow.once => return Err(DistributionError::Nothing),
            _ => {}
        }
        if follow.once {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Bundles by what became of them.
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

fn write(follow: &Follow, counters: &Counters, place: &Place) -> Result<(), DistributionError> {
    let Some(path) = &follow.metrics_file else { return Ok(()) };
    let mut text = String::from(
        "# HELP phitap_rules_followed_total Published rules by what became of them.\n\
         # TYPE phitap_rules_followed_total counter\n",
    );
    let _ = writeln!(text, "phitap_rules_followed_total{{result=\"taken\"}} {}", counters.taken);
    for refusal in Refusal::ALL {
        let (name, n) = (refusal.as_str(), counters.refused.get(&refusal).copied().unwrap_or(0));
        let _ = writeln!(text, "phitap_rules_followed_total{{result=\"{name}\"}} {n}");
    }
    text += "# HELP phitap_rules_version Version of the rules in force.\n\
             # TYPE phitap_rules_version gauge\n";
    let _ = writeln!(text, "phitap_rules_version {}", place.version);
    write_atomically(path, text.as_bytes(), 0o644).map_err(|error| DistributionError::Io {
        path: path.clone(),
        source: io::Error::other(error),
    })
}

/// The folder with the rules in force: `current` is a link to a folder of a version.
pub(super) struct Place {
    folder: PathBuf,
    /// Of the rules in force; 0 for none.
    pub version: u64,
}

fn name_of(version: u64) -> String {
    format!("v{version}")
}

impl Place {
    /// What is there.
    pub fn at(folder: &Path) -> Self {
        let leads = fs::read_link(folder.join(LINK)).ok();
        let name = leads.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
        let version = name.and_then(|name| name.strip_prefix('v')?.parse().ok());
        Self { folder: folder.to_owned(), version: version.unwrap_or(0) }
    }

    /// Puts rules in force, all at once; false if they are already. What cannot be loaded, or is older, is refused.
    pub fn take(&mut self, bundle: &Bundle) -> Result<bool, Refusal> {
        if bundle.version == self.version {
            return Ok(false);
        }
        if bundle.version < self.version {
            return Err(Refusal::Older);
        }
        let new = self.folder.join(name_of(bundle.version));
        let written = self.write(&new, bundle);
        if written.is_err() || load_rules(Some(&new)).is_err() {
            let _ = fs::remove_dir_all(&new);
            return Err(Refusal::Faulty);
        }
        let next = self.folder.join("next");
        let _ = fs::remove_file(&next);
        let swapped = symlink(name_of(bundle.version), &next)
            .and_then(|()| fs::rename(&next, self.folder.join(LINK)));
        if swapped.is_err() {
            let _ = fs::remove_dir_all(&new);
            return Err(Refusal::Faulty);
        }
        // Those that were in force go: a sensor that reads them right now finds the new ones at its next look.
        if self.version != 0 {
            let _ = fs::remove_dir_all(self.folder.join(name_of(self.version)));
        }
        self.version = bundle.version;
        Ok(true)
    }

    fn write(&self, folder: &Path, bundle: &Bundle) -> io::Result<()> {
        // Left by a run that was killed before it was done.
        let _ = fs::remove_dir_all(folder);
        fs::create_dir(folder)?;
        for (name, text) in &bundle.files {
            fs::write(folder.join(name), text)?;
        }
        Ok(())
    }
}
