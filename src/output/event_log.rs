//! The event log of a sensor: a file that is continued across restarts, and survives a full disk.
//!
//! A sensor must not stop because its disk is full, and must not lose what an earlier run wrote. So the
//! file is appended to and locked against a second writer. What cannot be written waits in memory, up to
//! [`MAX_BACKLOG`]; then the oldest lines are dropped and counted. A file that was renamed or removed
//! (logrotate) is reopened before the next line; one that was truncated in place goes on at its start,
//! because every write appends.

use super::health::Backlog;
use super::metrics::Metrics;
use super::rotate::Rotator;
use super::text::count;
use super::writer::{MODE, WriteError};
use crate::destination::Rotation;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of lines that are kept while the file cannot be written: some ten thousand events.
const MAX_BACKLOG: usize = 16 << 20;
/// Bytes at the end of the file that are searched for the beginning of a cut line.
const MAX_LINE: u64 = 1 << 20;
/// Reason of `phitap_events_dropped_total` for lines that found no room in the backlog.
const REASON: &str = "backlog";

/// Receives changes of state, one line each.
pub type Warn = fn(&str);

/// A file of lines. Writing to it never fails; [`EventLog::open`] may.
pub struct EventLog {
    path: PathBuf,
    /// `None` while it cannot be opened.
    file: Option<File>,
    /// Lines to write; the first may be written in part.
    backlog: Vec<u8>,
    /// Bytes of `backlog` that are in the file.
    written: usize,
    failing: bool,
    /// Lines dropped since it began to fail.
    dropped: u64,
    /// Name of the output, for its metrics.
    output: &'static str,
    metrics: Arc<Metrics>,
    health: Arc<Backlog>,
    warn: Warn,
    rotator: Option<Rotator>,
    /// A replay ends if its file cannot be written.
    strict: bool,
}

impl EventLog {
    /// Opens or creates the file at `path`, locks it, and removes a last line that was cut off.
    ///
    /// # Errors
    /// If it cannot be opened, or another process holds its lock.
    pub fn open(
        path: &Path,
        output: &'static str,
        metrics: Arc<Metrics>,
        health: Arc<Backlog>,
        warn: Warn,
    ) -> Result<Self, WriteError> {
        let fail = |source| WriteError::new(path.display().to_string(), source);
        let mut file = append(path).map_err(fail)?;
        remove_cut_line(&mut file).map_err(fail)?;
        metrics.events_dropped(output, REASON, 0);
        Ok(Self {
            path: path.to_owned(),
            file: Some(file),
            backlog: Vec::new(),
            written: 0,
            failing: false,
            dropped: 0,
            output,
            metrics,
            health,
            warn,
            rotator: None,
            strict: false,
        })
    }

    /// Closes the file as `rotation` requires, and begins a new one.
    pub fn rotated(mut self, rotation: Rotation) -> Self {
        self.rotator = Some(Rotator::new(&self.path, rotation, self.warn));
        self
    }

    /// Fails if the file cannot be written, instead of waiting until it can.
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Closes the file if that is due. If that fails, it is continued.
    fn rotate(&mut self) {
        let (Some(rotator), Some(file)) = (&mut self.rotator, &self.file) else { return };
        let of = file.metadata();
        if !of.is_ok_and(|of| of.is_file() && rotator.is_due(of.len())) {
            return;
        }
        match rotator.close() {
            Ok(()) => self.file = None,
            Err(error) => (self.warn)(&format!("{}: not rotated: {error}", self.path.display())),
        }
    }

    /// Reopens the file if its path leads elsewhere, or nowhere.
    fn follow_path(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            let (ours, there) = (file.metadata()?, std::fs::metadata(&self.path));
            if there.is_ok_and(|t| (t.dev(), t.ino()) == (ours.dev(), ours.ino())) {
                return Ok(());
            }
        }
        self.file = None;
        self.file = Some(append(&self.path)?);
        // The part of a line in the old file is of no use in this one.
        self.written = 0;
        Ok(())
    }

    /// Writes all complete lines of the backlog.
    fn drain(&mut self) -> io::Result<()> {
        let end = memchr::memrchr(b'\n', &self.backlog).map_or(0, |at| at + 1);
        if self.written >= end {
            return Ok(());
        }
        let result = self.follow_path().and_then(|()| self.write_out(end));
        // Lines that are completely in the file are done, even if a later one failed.
        let done = memchr::memrchr(b'\n', &self.backlog[..self.written]).map_or(0, |at| at + 1);
        self.backlog.drain(..done);
        self.written -= done;
        result
    }

    fn write_out(&mut self, end: usize) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        while self.written < end {
            match file.write(&self.backlog[self.written..end]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes room for `len` more bytes: drops the oldest lines, but not one that is partly in the file.
    fn make_room(&mut self, len: usize) {
        let over = (self.backlog.len() + len).saturating_sub(MAX_BACKLOG);
        if over == 0 {
            return;
        }
        let line_end = |from: usize| {
            memchr::memchr(b'\n', &self.backlog[from..])
                .map_or(self.backlog.len(), |n| from + n + 1)
        };
        let from = if self.written > 0 { line_end(self.written) } else { 0 };
        let to = line_end((from + over - 1).min(self.backlog.len()));
        let lines = memchr::memchr_iter(b'\n', &self.backlog[from..to]).count() as u64;
        self.backlog.drain(from..to);
        self.dropped += lines;
        self.metrics.events_dropped(self.output, REASON, lines);
    }

    /// Reports that writing began to fail, or works again.
    fn report(&mut self, result: io::Result<()>) {
        let path = self.path.display();
        match result {
            Err(error) if !self.failing => {
                let kib = MAX_BACKLOG >> 10;
                let error = WriteError::new(path.to_string(), error).while_running();
                (self.warn)(&format!(
                    "{error}; up to {kib} KiB of events wait until it works again"
                ));
                self.failing = true;
            }
            Ok(()) if self.failing => {
                let lost = count(self.dropped, "event");
                (self.warn)(&format!("{path}: written again; {lost} lost"));
                (self.failing, self.dropped) = (false, 0);
            }
            _ => {}
        }
    }
}

impl Write for EventLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.make_room(bytes.len());
        self.backlog.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.drain();
        if self.strict {
            result?;
        } else {
            self.report(result);
        }
        self.health.held((self.backlog.len() - self.written) as u64, self.failing);
        if self.written == 0 {
            self.rotate();
        }
        Ok(())
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        let left = memchr::memchr_iter(b'\n', &self.backlog).count() as u64;
        if left > 0 {
            self.metrics.events_dropped(self.output, REASON, left);
            let path = self.path.display();
            let lost = count(left + self.dropped, "event");
            (self.warn)(&format!("{path}: {lost} could not be written"));
        }
    }
}

/// Opens a file for appending, and locks it. Devices are shared by all.
fn append(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(file);
    }
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "another phitap writes to it; choose another file with --output",
        )),
        // A file system without locks is no reason not to write.
        _ => Ok(file),
    }
}

/// Removes everything behind the last line end: an incomplete line of a killed writer.
fn remove_cut_line(file: &mut File) -> io::Result<()> {
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() == 0 {
        return Ok(());
    }
    let from = meta.len().saturating_sub(MAX_LINE);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    (&*file).take(MAX_LINE).read_to_end(&mut tail)?;
    match memchr::memrchr(b'\n', &tail) {
        Some(at) if at + 1 == tail.len() => Ok(()),
        Some(at) => file.set_len(from + at as u64 + 1),
        None if from == 0 => file.set_len(0),
        // Not a file of lines: what is in it stays.
        None => file.write_all(b"\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog() -> Arc<Backlog> {
        crate::output::SensorHealth::new(None).output("ecs")
    }
    fn open(path: &Path) -> EventLog {
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        EventLog::open(path, "ecs", metrics, backlog(), |_| ()).expect("opens")
    }
    fn write(log: &mut EventLog, text: &str) {
        log.write_all(text.as_bytes()).and_then(|()| log.flush()).expect("never fails");
    }
    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).expect("read")
    }

    #[test]
    fn a_restart_goes_on_behind_the_last_whole_line() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("events.json");
        for (before, after) in [
            ("", "three\n"),
            ("one\ntwo\n", "one\ntwo\nthree\n"),
            ("one\ntwo\ncut o", "one\ntwo\nthree\n"),
            ("cut o", "three\n"),
        ] {
            std::fs::write(&path, before).expect("written");
            write(&mut open(&path), "three\n");
            assert_eq!(read(&path), after, "{before:?}");
        }
    }

    #[test]
    fn a_second_writer_is_refused_and_the_next_run_is_not() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("events.json");
        let first = open(&path);
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        let error =
            EventLog::open(&path, "ecs", metrics, backlog(), |_| ()).err().expect("refused");
        assert!(error.to_string().contains("another phitap"), "{error}");
        drop(first);
        open(&path);
    }

    #[test]
    fn rotation_by_renaming_and_by_copying_loses_no_line() {
        let dir = tempfile::tempdir().expect("folder");
        let (path, old) = (dir.path().join("events.json"), dir.path().join("events.json.1"));
        let mut log = open(&path);
        write(&mut log, "one\n");
        std::fs::rename(&path, &old).expect("renamed");
        write(&mut log, "two\n");
        assert_eq!((read(&old).as_str(), read(&path).as_str()), ("one\n", "two\n"));
        // `copytruncate`: no hole is left where the lines were.
        std::fs::OpenOptions::new().write(true).truncate(true).open(&path).expect("truncated");
        write(&mut log, "three\n");
        assert_eq!(read(&path), "three\n");
    }

    #[test]
    fn lines_wait_while_the_disk_is_full_and_only_whole_ones_are_written() {
        let dir = tempfile::tempdir().expect("folder");
        let (path, real) = (dir.path().join("events.json"), dir.path().join("real"));
        std::os::unix::fs::symlink("/dev/full", &path).expect("link");
        let mut log = open(&path);
        write(&mut log, "one\ntwo\nthr");
        std::fs::remove_file(&path).expect("removed");
        std::os::unix::fs::symlink(&real, &path).expect("link");
        write(&mut log, "");
        assert_eq!(read(&real), "one\ntwo\n");
        write(&mut log, "ee\n");
        assert_eq!(read(&real), "one\ntwo\nthree\n");
    }

    #[test]
    fn a_backlog_without_room_drops_the_oldest_lines_and_counts_them() {
        let dir = tempfile::tempdir().expect("folder");
        let (path, real) = (dir.path().join("events.json"), dir.path().join("real"));
        std::os::unix::fs::symlink("/dev/full", &path).expect("link");
        let mut log = open(&path);
        let metrics = Arc::clone(&log.metrics);
        let line = |n: usize| format!("{n:0>1023}\n");
        let lines = 3 * MAX_BACKLOG / 1024;
        for n in 0..lines {
            write(&mut log, &line(n));
        }
        assert!(log.backlog.len() <= MAX_BACKLOG);
        std::fs::remove_file(&path).expect("removed");
        std::os::unix::fs::symlink(&real, &path).expect("link");
        write(&mut log, "");
        let written = read(&real);
        assert!(written.ends_with(&line(lines - 1)));
        assert!(written.lines().all(|l| l.len() == 1023), "whole lines only");
        let lost = lines - written.lines().count();
        assert!(lost > 0);
        let counted =
            format!("phitap_events_dropped_total{{output=\"ecs\",reason=\"backlog\"}} {lost}");
        assert!(metrics.render().contains(&counted), "{counted}");
    }
}
