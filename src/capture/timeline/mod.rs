//! Merges several captures into one timeline.

use super::file::{Reader, Settings, name_of};
use super::{BATCH_PACKETS, Batch, Fault, Input, LiveCounters, Pull, Source, Status};
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::path::{Path, PathBuf};

/// Size of a block, bytes: half of a small second-level cache.
const BLOCK: usize = 256 << 10;
/// Most captures kept open before their first packet is due. Others are closed and reopened, so
/// that many files need few descriptors, buffers and decompressors.
const KEPT_OPEN: usize = 16;
/// Waiting captures checked per batch.
const POLLED: usize = 16;

/// Captures merged by packet time. Each capture keeps its own order. Of equal times, the capture
/// named first comes first.
pub struct Timeline {
    entries: Vec<Entry>,
    /// The time of the next packet of each capture that has one.
    heads: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// Captures without packets at the moment.
    waiting: VecDeque<usize>,
    settings: Settings,
    faults: Vec<Fault>,
    position: u64,
}

struct Entry {
    path: PathBuf,
    state: State,
    input: Input,
    /// Whether its format was recognised.
    readable: bool,
    size: Option<u64>,
}

enum State {
    Open(Box<Reader>),
    /// Closed until its first packet is due.
    Shut,
    Done,
}

impl Timeline {
    /// Opens captures. Those that cannot be opened become faults; the others are read.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Self {
        Self::with(paths, Settings { follow: false, block: BLOCK })
    }

    /// The same for captures that may still grow. One without packets does not hold up the others.
    pub fn follow<P: AsRef<Path>>(paths: &[P]) -> Self {
        Self::with(paths, Settings { follow: true, block: BLOCK })
    }

    pub(super) fn with<P: AsRef<Path>>(paths: &[P], settings: Settings) -> Self {
        let mut timeline = Self {
            entries: Vec::new(),
            heads: BinaryHeap::new(),
            waiting: VecDeque::new(),
            settings,
            faults: Vec::new(),
            position: 0,
        };
        for path in paths {
            timeline.add(path.as_ref());
        }
        timeline
    }

    fn add(&mut self, path: &Path) {
        let number = self.entries.len();
        let mut entry = Entry {
            path: path.to_path_buf(),
            state: State::Done,
            input: Input { name: name_of(path), ..Input::default() },
            readable: false,
            size: None,
        };
        match Reader::open(path, interface(number), self.settings) {
            Ok(reader) => {
                let head = reader.head();
                let kept = self.heads.len() < KEPT_OPEN || !reader.can_reopen();
                entry.readable = reader.is_started() || self.settings.follow;
                entry.size = reader.size();
                entry.state = match head {
                    Pull::Ready(_) if !kept => State::Shut,
                    _ => State::Open(Box::new(reader)),
                };
                if let State::Open(reader) = &entry.state {
                    self.position += reader.position();
                }
                self.entries.push(entry);
                self.place(number, head);
            }
            Err(fault) => {
                entry.input.fault = Some(fault.describe());
                self.faults.push(fault);
                self.entries.push(entry);
            }
        }
    }

    /// Number of inputs recognised as captures so far.
    pub fn readable(&self) -> usize {
        self.entries.iter().filter(|e| e.readable).count()
    }

    /// Total size of all opened files, bytes; `None` if unknown.
    pub fn size(&self) -> Option<u64> {
        let open = self.entries.iter().filter(|e| e.readable);
        open.map(|e| e.size).sum::<Option<u64>>().filter(|_| !self.settings.follow)
    }

    /// Checks pipes for their first packets. Returns false while one has neither delivered any nor
    /// ended; [`readable`](Self::readable) is exact only then.
    pub fn settle(&mut self) -> bool {
        if !self.settings.follow {
            self.poll(self.waiting.len());
        }
        self.settings.follow
            || self.waiting.iter().all(|&n| self.entries.get(n).is_none_or(|e| e.readable))
    }

    /// Files a capture by its head.
    fn place(&mut self, number: usize, head: Pull<Timestamp>) {
        match head {
            Pull::Ready(time) => self.heads.push(Reverse((time, number))),
            Pull::Waiting => self.waiting.push_back(number),
            Pull::End => self.close(number),
        }
    }

    fn close(&mut self, number: usize) {
        let Some(entry) = self.entries.get_mut(number) else { return };
        if let State::Open(mut reader) = std::mem::replace(&mut entry.state, State::Done) {
            entry.readable |= reader.is_started();
            entry.input = entry.report(&reader);
            if let Some(fault) = reader.take_fault().or_else(|| reader.foreign()) {
                entry.input.fault = Some(fault.describe());
                self.faults.push(fault);
            }
        }
    }

    /// Checks whether waiting captures have packets now.
    fn poll(&mut self, turns: usize) {
        for _ in 0..turns.min(self.waiting.len()) {
            let Some(number) = self.waiting.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(number) else { continue };
            let State::Open(reader) = &mut entry.state else { continue };
            let before = reader.position();
            let head = reader.advance();
            self.position += reader.position().saturating_sub(before);
            entry.readable |= reader.is_started();
            self.place(number, head);
        }
    }

    /// Reopens a capture that was closed until its first packet was due. Returns false if its head
    /// has changed.
    fn reopen(&mut self, number: usize, time: Timestamp) -> bool {
        let Some(entry) = self.entries.get_mut(number) else { return false };
        if !matches!(entry.state, State::Shut) {
            return true;
        }
        match Reader::open(&entry.path, interface(number), self.settings) {
            Ok(reader) => {
                let head = reader.head();
                self.position += reader.position();
                entry.state = State::Open(Box::new(reader));
                if head == Pull::Ready(time) {
                    return true;
                }
                self.place(number, head);
            }
            Err(fault) => {
                entry.state = State::Done;
                entry.input.fault = Some(fault.describe());
                self.faults.push(fault);
            }
        }
        false
    }
}

fn interface(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

impl Entry {
    fn report(&self, reader: &Reader) -> Input {
        Input {
            name: self.input.name.clone(),
            packets: reader.packets,
            bytes: reader.bytes,
            dropped: reader.lost(),
            fault: self.input.fault.clone(),
            down: false,
        }
    }
}

impl Source for Timeline {
    fn fill(&mut self, batch: &mut Batch) -> Status {
        let follow = self.settings.follow;
        // While others have packets, check only some: each check is a system call.
        self.poll(if follow && !self.heads.is_empty() { POLLED } else { usize::MAX });
        while batch.packets.len() < BATCH_PACKETS {
            // A pipe that has nothing yet may still have the earliest packet.
            let held = !follow && !self.waiting.is_empty();
            let next = if held { None } else { self.heads.pop() };
            let Some(Reverse((time, number))) = next else {
                return match (batch.packets.is_empty(), self.waiting.is_empty()) {
                    (false, _) => Status::More,
                    (true, false) => Status::Idle,
                    (true, true) => Status::End,
                };
            };
            if !self.reopen(number, time) {
                continue;
            }
            let until = self.heads.peek().map(|&Reverse(head)| head);
            let Some(State::Open(reader)) = self.entries.get_mut(number).map(|e| &mut e.state)
            else {
                continue;
            };
            let before = reader.position();
            let head = reader.fill(batch, number, until);
            self.position += reader.position().saturating_sub(before);
            self.place(number, head);
        }
        Status::More
    }

    fn take_faults(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn inputs(&self) -> Vec<Input> {
        let input = |entry: &Entry| match &entry.state {
            State::Open(reader) => entry.report(reader),
            _ => entry.input.clone(),
        };
        self.entries.iter().map(input).collect()
    }
}

impl Input {
    /// Sums the losses of several inputs.
    pub fn lost(inputs: &[Self]) -> LiveCounters {
        let mut sum = LiveCounters::default();
        inputs.iter().for_each(|input| sum.add(input.dropped));
        sum
    }
}

#[cfg(test)]
mod tests;
