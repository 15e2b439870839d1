//! The spool of one output on disk: records in order, in segments that are appended to and removed as a whole.
//!
//! A record is in the file when `write` has returned, so a killed process loses none that was appended; what was
//! being appended is cut off at the next start. What a power cut takes is what was not synced, a second at most.
//! The file `position` holds the number of the first record that was not delivered. It is written after a
//! delivery, so that a kill between the two delivers again rather than never.

use super::record::{HEAD, Record};
use rustix::fs::{FlockOperation, flock};
use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Largest segment, bytes.
const MAX_SEGMENT: u64 = 64 << 20;
/// A full spool has this many segments, so that making room costs a small part of it.
const SEGMENTS: u64 = 64;
/// Bytes of delivered events that may stay in the last segment, so that not every event makes a file.
const KEPT_OPEN: u64 = 64 << 10;
/// Mode of files: they hold events.
const MODE: u32 = 0o600;
/// Upper bound of record numbers: no disk lives to see more, and their sums fit.
const MAX_NUMBER: u64 = 1 << 62;
/// Name of the file with the number of the first undelivered record.
const POSITION: &str = "position";

/// Limits of a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all segments.
    pub bytes: u64,
    /// Time since a record was written.
    pub age: Option<Duration>,
}

/// Records that were given up, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// There was no room.
    pub full: u64,
    /// They were too old.
    pub old: u64,
    /// The file was changed or damaged.
    pub damaged: u64,
}

/// Records on disk.
pub struct Log {
    folder: PathBuf,
    limits: Limits,
    segments: VecDeque<Segment>,
    /// The file of the last segment.
    writer: Option<File>,
    /// The file of the first, for reading.
    reader: Option<(u64, File)>,
    position: File,
    /// Number of the first undelivered record, and its offset in the first segment.
    first: u64,
    offset: u64,
    /// Number of the first record that was not handed out, with its segment and offset.
    out: u64,
    out_at: (u64, u64),
    lost: Lost,
    buffer: Vec<u8>,
    /// Held as long as this is used.
    _lock: File,
}

struct Segment {
    /// Number of its first record; also its name.
    first: u64,
    records: u64,
    bytes: u64,
    /// When its last record was written, milliseconds of Unix time.
    newest: u64,
}

impl Segment {
    const fn end(&self) -> u64 {
        self.first + self.records
    }
}

impl Log {
    /// Opens the spool in `folder`, which is created if missing.
    ///
    /// # Errors
    /// If it cannot be read or written, or another process uses it.
    pub fn open(folder: &Path, limits: Limits) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = open_file(&folder.join("lock"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive)
            == Err(rustix::io::Errno::WOULDBLOCK)
        {
            let text = "another phitap uses this spool; choose another folder with --spool";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
        }
        let position = open_file(&folder.join(POSITION))?;
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".segment"));
            names.extend(number.and_then(|number| number.parse().ok()).filter(is_number));
        }
        names.sort_unstable();
        let mut log = Self {
            folder: folder.to_path_buf(),
            limits,
            segments: VecDeque::new(),
            writer: None,
            reader: None,
            first: read_position(&position),
            position,
            offset: 0,
            out: 0,
            out_at: (0, 0),
            lost: Lost::default(),
            buffer: Vec::new(),
            _lock: lock,
        };
        for first in names {
            log.recover(first)?;
        }
        let next = log.next();
        // A position beyond the end belongs to segments that are gone.
        log.first = log.first.min(next).max(log.segments.front().map_or(next, |s| s.first));
        log.out = log.first;
        log.forget_delivered()?;
        log.seek()?;
        Ok(log)
    }

    /// Opens a segment of an earlier run: its complete records. What follows them is incomplete or damaged.
    fn recover(&mut self, first: u64) -> io::Result<()> {
        let path = self.path(first);
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let length = file.metadata()?.len();
        let mut segment = Segment { first, records: 0, bytes: 0, newest: 0 };
        while let Some((record, bytes)) = read_record(&file, segment.bytes, &mut self.buffer)? {
            segment.records += 1;
            segment.bytes += bytes;
            segment.newest = segment.newest.max(record.time);
        }
        if segment.bytes < length {
            file.set_len(segment.bytes)?;
        }
        // Record numbers are unique: records from the beginning of the next segment on are damage.
        if let Some(last) = self.segments.back_mut().filter(|last| last.end() > first) {
            self.lost.damaged += last.end() - first;
            last.records = first - last.first;
        }
        // Numbers that no segment has were lost with the end of the previous one.
        let gap = first.saturating_sub(self.next().max(self.first));
        if !self.segments.is_empty() {
            self.lost.damaged += gap;
        }
        if segment.records == 0 {
            return std::fs::remove_file(path);
        }
        self.segments.push_back(segment);
        Ok(())
    }

    /// Number of the next record.
    fn next(&self) -> u64 {
        self.segments.back().map_or(self.first, Segment::end)
    }

    fn path(&self, first: u64) -> PathBuf {
        self.folder.join(format!("{first:020}.segment"))
    }

    /// Appends a record. The oldest are removed if there is no room.
    ///
    /// # Errors
    /// If it cannot be written, even after the oldest were removed; it is then not in the spool.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        let size = record.size() as u64;
        while self.segments.len() > 1 && self.bytes() + size > self.limits.bytes {
            self.drop_oldest(|lost| &mut lost.full)?;
        }
        loop {
            match self.write(record) {
                Err(error) if is_full(&error) && self.segments.len() > 1 => {
                    self.drop_oldest(|lost| &mut lost.full)?;
                }
                result => return result,
            }
        }
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        let size = record.size() as u64;
        let largest = (self.limits.bytes / SEGMENTS).min(MAX_SEGMENT);
        let is_full = |segment: &Segment| segment.records > 0 && segment.bytes + size > largest;
        if self.writer.is_none() || self.segments.back().is_none_or(is_full) {
            self.begin_segment()?;
        }
        let (Some(file), Some(segment)) = (&mut self.writer, self.segments.back_mut()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        self.buffer.clear();
        record.encode(&mut self.buffer);
        if let Err(error) = file.write_all(&self.buffer) {
            // A part of it may be there; if that cannot be removed, the next record begins a new segment.
            if file.set_len(segment.bytes).is_err() {
                self.writer = None;
            }
            return Err(error);
        }
        segment.records += 1;
        segment.bytes += self.buffer.len() as u64;
        segment.newest = segment.newest.max(record.time);
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        if let Some(file) = self.writer.take() {
            // A disk that cannot sync has lost no more than a power cut would take.
            let _ = file.sync_data();
        }
        let first = self.next();
        let path = self.path(first);
        let file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
        file.set_len(0)?;
        self.writer = Some(file);
        if self.segments.back().is_none_or(|last| last.records > 0) {
            self.segments.push_back(Segment { first, records: 0, bytes: 0, newest: 0 });
        }
        Ok(())
    }

    /// The next records that were not handed out, at most this many bytes, but at least one.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read(&mut self, most: usize, bytes: usize) -> io::Result<Vec<Record>> {
        let (mut records, mut size) = (Vec::new(), 0);
        self.out = self.first;
        let (mut segment, mut offset) = (0, self.offset);
        while records.len() < most && size < bytes {
            let Some(of) = self.segments.get(segment) else { break };
            let (first, end) = (of.first, of.end());
            if self.out >= end {
                (segment, offset) = (segment + 1, 0);
                continue;
            }
            let file = reader(&mut self.reader, first, || {
                self.folder.join(format!("{first:020}.segment"))
            })?;
            match read_record(file, offset, &mut self.buffer)? {
                Some((record, length)) => {
                    offset += length;
                    size += record.size();
                    self.out += 1;
                    self.out_at = (first, offset);
                    records.push(record);
                }
                // The file was changed by another program.
                None if records.is_empty() => {
                    self.lost.damaged += end - self.out;
                    self.out = end;
                    if self.segments.len() == 1 {
                        // Further records go to another one.
                        self.writer = None;
                    }
                    self.delivered()?;
                    (segment, offset) = (0, 0);
                }
                None => break,
            }
        }
        Ok(records)
    }

    /// The records handed out last are delivered, and are not handed out again.
    ///
    /// # Errors
    /// If that cannot be stored; they are then delivered again after a restart.
    pub fn delivered(&mut self) -> io::Result<()> {
        self.first = self.first.max(self.out);
        if self.first == self.next() && self.segments.back().is_some_and(|s| s.bytes > KEPT_OPEN) {
            self.writer = None;
        }
        self.forget_delivered()?;
        match self.segments.front() {
            Some(oldest) if self.first == self.out && oldest.first == self.out_at.0 => {
                self.offset = self.out_at.1;
            }
            _ => self.seek()?,
        }
        self.position.write_all_at(format!("{:020}\n", self.first).as_bytes(), 0)
    }

    /// Removes records that are too old at `now`, milliseconds of Unix time.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn expire(&mut self, now: u64) -> io::Result<()> {
        let Some(age) = self.limits.age else { return Ok(()) };
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        while self.segments.front().is_some_and(|s| s.newest.saturating_add(age) < now) {
            self.drop_oldest(|lost| &mut lost.old)?;
        }
        Ok(())
    }

    /// Gives up the oldest segment, and counts its records that were neither delivered nor handed out.
    fn drop_oldest(&mut self, cause: fn(&mut Lost) -> &mut u64) -> io::Result<()> {
        let Some(oldest) = self.segments.front() else { return Ok(()) };
        let (first, end) = (oldest.first, oldest.end());
        std::fs::remove_file(self.path(first))?;
        *cause(&mut self.lost) += end.saturating_sub(self.first.max(self.out));
        self.segments.pop_front();
        if self.segments.is_empty() {
            self.writer = None;
        }
        self.first = self.first.max(end);
        self.out = self.out.max(self.first);
        self.seek()?;
        self.position.write_all_at(format!("{:020}\n", self.first).as_bytes(), 0)
    }

    /// Removes segments that were delivered completely, except the current one.
    fn forget_delivered(&mut self) -> io::Result<()> {
        while let Some(oldest) = self.segments.front()
            && oldest.end() <= self.first
            && (self.segments.len() > 1 || self.writer.is_none())
        {
            std::fs::remove_file(self.path(oldest.first))?;
            self.segments.pop_front();
            self.offset = 0;
        }
        Ok(())
    }

    /// Finds the offset of the first undelivered record.
    fn seek(&mut self) -> io::Result<()> {
        let Some(oldest) = self.segments.front() else {
            self.offset = 0;
            return Ok(());
        };
        let (first, end) = (oldest.first, oldest.end());
        let folder = &self.folder;
        let file = reader(&mut self.reader, first, || folder.join(format!("{first:020}.segment")))?;
        let (mut number, mut offset) = (first, 0);
        while number < self.first.min(end) {
            let mut head = [0; 4];
            file.read_exact_at(&mut head, offset)?;
            let Some(length) = Record::length(head) else { break };
            offset += length as u64;
            number += 1;
        }
        self.offset = offset;
        Ok(())
    }

    /// Bytes waiting for delivery.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes).sum::<u64>().saturating_sub(self.offset)
    }

    /// Records waiting for delivery.
    pub fn records(&self) -> u64 {
        self.next().saturating_sub(self.first)
    }

    /// Whether the next record would displace older ones.
    pub fn is_full(&self) -> bool {
        self.bytes() + (1 << 16) > self.limits.bytes
    }

    /// When the oldest waiting record was written, milliseconds of Unix time.
    pub fn oldest(&mut self) -> Option<u64> {
        if self.records() == 0 {
            return None;
        }
        let (first, offset) = (self.segments.front()?.first, self.offset);
        let folder = &self.folder;
        let file = reader(&mut self.reader, first, || folder.join(format!("{first:020}.segment")));
        let mut head = [0; HEAD];
        file.ok()?.read_exact_at(&mut head, offset).ok()?;
        let time: [u8; 8] = head.get(12..20)?.try_into().ok()?;
        Some(u64::from_le_bytes(time))
    }

    /// Records given up since the last call.
    pub fn take_lost(&mut self) -> Lost {
        std::mem::take(&mut self.lost)
    }

    /// The current file, to be synced without holding this.
    pub fn file(&self) -> Option<File> {
        self.writer.as_ref()?.try_clone().ok()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Only a kill leaves delivered events behind.
        self.writer = None;
        let _ = self.forget_delivered();
    }
}

/// The file of the segment that begins with `first`.
fn reader(
    open: &mut Option<(u64, File)>,
    first: u64,
    path: impl Fn() -> PathBuf,
) -> io::Result<&File> {
    let file = match open.take() {
        Some((of, file)) if of == first => file,
        _ => File::open(path())?,
    };
    Ok(&open.insert((first, file)).1)
}

/// The record at `offset`, and its length; `None` if no complete record begins there.
fn read_record(
    file: &File,
    offset: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<(Record, u64)>> {
    let mut head = [0; 4];
    let cut = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Ok(None),
        _ => Err(error),
    };
    if let Err(error) = file.read_exact_at(&mut head, offset) {
        return cut(error);
    }
    let Some(length) = Record::length(head) else { return Ok(None) };
    buffer.clear();
    buffer.resize(length, 0);
    if let Err(error) = file.read_exact_at(buffer, offset) {
        return cut(error);
    }
    Ok(Record::decode(buffer).map(|record| (record, length as u64)))
}

fn read_position(file: &File) -> u64 {
    let mut text = [0; 20];
    let read = file.read_exact_at(&mut text, 0);
    // Missing or damaged: all records are delivered again.
    let text = if read.is_ok() { std::str::from_utf8(&text).unwrap_or_default() } else { "" };
    text.trim_end().parse().ok().filter(is_number).unwrap_or(0)
}

fn is_number(number: &u64) -> bool {
    *number < MAX_NUMBER
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(path)
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
