//! Closed event logs: renamed by the time of their end, compressed, and removed beyond a number.
//!
//! `events.json` becomes `events.json.20260302T080000Z`, then `events.json.20260302T080000Z.gz`. What a killed run
//! left uncompressed is compressed with the next one.

use super::clock::wall_clock;
use super::event_log::Warn;
use super::writer::MODE;
use crate::destination::Rotation;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, UNIX_EPOCH};

/// Most files closed in one second; a rotation without a free name waits for the next second.
const MAX_OF_A_SECOND: u32 = 100;
/// Ending of compressed files, and of those that are being written.
const COMPRESSED: &str = ".gz";
const TEMPORARY: &str = ".gz.tmp";

/// Decides when to close a log, and manages the closed ones.
pub(super) struct Rotator {
    path: PathBuf,
    rotation: Rotation,
    /// When the current file began, milliseconds of Unix time.
    began: u64,
    warn: Warn,
    compressing: Option<JoinHandle<()>>,
}

impl Rotator {
    /// For the log at `path`, which may exist already.
    pub fn new(path: &Path, rotation: Rotation, warn: Warn) -> Self {
        let made = std::fs::metadata(path).and_then(|of| of.created().or_else(|_| of.modified()));
        let since = made.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let began =
            since.map_or_else(|| wall_clock().unix_millis(), |since| since.as_millis() as u64);
        Self { path: path.to_path_buf(), rotation, began, warn, compressing: None }
    }

    /// Whether a file of this size is to be closed now.
    pub fn is_due(&self, bytes: u64) -> bool {
        let age = Duration::from_millis(wall_clock().unix_millis().saturating_sub(self.began));
        let large = self.rotation.bytes.is_some_and(|most| bytes >= most);
        bytes > 0 && (large || self.rotation.age.is_some_and(|most| age >= most))
    }

    /// Renames the log, which must not be written to any more, and compresses it in a separate thread.
    ///
    /// # Errors
    /// If it cannot be renamed; then it is continued.
    pub fn close(&mut self) -> io::Result<()> {
        let stamp = stamp(wall_clock().unix_millis());
        let mut closed = with_ending(&self.path, &format!(".{stamp}"));
        let taken = |path: &Path| path.exists() || with_ending(path, COMPRESSED).exists();
        for n in 1..MAX_OF_A_SECOND {
            if !taken(&closed) {
                break;
            }
            closed = with_ending(&self.path, &format!(".{stamp}_{n:02}"));
        }
        if taken(&closed) {
            return Ok(());
        }
        std::fs::rename(&self.path, &closed)?;
        self.began = wall_clock().unix_millis();
        self.wait();
        let (path, keep, warn) = (self.path.clone(), self.rotation.keep, self.warn);
        let run = move || {
            if let Err(error) = tidy(&path, keep) {
                warn(&format!("{}: closed files stay as they are: {error}", path.display()));
            }
        };
        self.compressing = std::thread::Builder::new().name("compress".into()).spawn(run).ok();
        Ok(())
    }

    fn wait(&mut self) {
        if let Some(thread) = self.compressing.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Rotator {
    fn drop(&mut self) {
        self.wait();
    }
}

/// Compresses closed logs that are not compressed yet, and removes the oldest beyond `keep`.
fn tidy(path: &Path, keep: Option<usize>) -> io::Result<()> {
    let mut closed = closed(path)?;
    for file in &mut closed {
        if file.extension().is_none_or(|ending| ending != "gz") {
            let compressed = with_ending(file, COMPRESSED);
            compress(file, &compressed)?;
            *file = compressed;
        }
    }
    closed.sort();
    let most = keep.unwrap_or(usize::MAX);
    for old in closed.iter().take(closed.len().saturating_sub(most)) {
        std::fs::remove_file(old)?;
    }
    Ok(())
}

/// Closed files of a log, recognised by its name and a time.
fn closed(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?.path();
        let of = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(ending) = of.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.')) else {
            continue;
        };
        if ending.ends_with(".tmp") && is_stamp(ending.trim_end_matches(TEMPORARY)) {
            // Left by a killed run.
            let _ = std::fs::remove_file(&entry);
        } else if is_stamp(ending.trim_end_matches(COMPRESSED)) {
            found.push(entry);
        }
    }
    Ok(found)
}

/// `20260302T080000Z`, or the same with `_01` to `_99`, which sort behind it.
fn is_stamp(text: &str) -> bool {
    let (stamp, number) = text.split_once('_').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let parts = stamp.strip_suffix('Z').and_then(|stamp| stamp.split_once('T'));
    digits(number)
        && parts.is_some_and(|(day, time)| {
            (day.len(), time.len()) == (8, 6) && digits(day) && digits(time)
        })
}

fn stamp(millis: u64) -> String {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let time = time::OffsetDateTime::from_unix_timestamp((millis / 1000) as i64);
    let text = time.ok().and_then(|time| time.format(&format).ok());
    text.unwrap_or_else(|| "19700101T000000Z".to_owned())
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path.file_name().unwrap_or_default());
    name.push(ending);
    path.with_file_name(name)
}

/// A reader sees either the file, or the complete compressed one.
fn compress(from: &Path, to: &Path) -> io::Result<()> {
    let temporary = with_ending(from, TEMPORARY);
    let mut source = File::open(from)?;
    let target =
        OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(&temporary)?;
    let mut encoder = GzEncoder::new(target, Compression::default());
    io::copy(&mut source, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    std::fs::rename(&temporary, to)?;
    std::fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("list").map(|e| e.expect("entry").path());
        let mut names: Vec<String> = entries
            .map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn closed_files_are_compressed_and_the_oldest_are_removed() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("events.json");
        for (name, text) in [
            ("events.json.20260301T000000Z.gz", "x"),
            ("events.json.20260301T000000Z_01", "left by a killed run\n"),
            ("events.json.20260301T000100Z.gz.tmp", "half"),
            ("events.json.bak", "of the user"),
            ("other.json.20260301T000000Z", "of another log"),
        ] {
            std::fs::write(dir.path().join(name), text).expect("written");
        }
        let rotation = Rotation { bytes: Some(5), age: None, keep: Some(2) };
        let mut rotator = Rotator::new(&path, rotation, |_| ());
        assert!(!rotator.is_due(0) && !rotator.is_due(4) && rotator.is_due(5));
        std::fs::write(&path, "now\n").expect("written");
        rotator.close().expect("closed");
        drop(rotator);
        let names = names(dir.path());
        assert_eq!(names.len(), 4, "{names:?}");
        assert_eq!(names[0], "events.json.20260301T000000Z_01.gz");
        assert!(names[1].starts_with("events.json.2") && names[1].ends_with("Z.gz"), "{names:?}");
        assert_eq!(names[2..], ["events.json.bak", "other.json.20260301T000000Z"]);
        let file = File::open(dir.path().join(&names[1])).expect("open");
        let text = io::read_to_string(flate2::read::GzDecoder::new(file)).expect("gzip");
        assert_eq!(text, "now\n");
    }

    #[test]
    fn a_file_that_is_old_enough_is_closed_whatever_its_size() {
        let dir = tempfile::tempdir().expect("folder");
        let due = |age| {
            let rotation = Rotation { bytes: None, age: Some(age), keep: None };
            let rotator = Rotator::new(&dir.path().join("events.json"), rotation, |_| ());
            std::thread::sleep(Duration::from_millis(60));
            (rotator.is_due(1), rotator.is_due(0))
        };
        assert_eq!(due(Duration::from_millis(50)), (true, false));
        assert_eq!(due(Duration::from_secs(3600)), (false, false));
    }
}
