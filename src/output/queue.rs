//! A thread that writes events, so that no slow reader delays detection.
//!
//! A sensor that waits for the reader of a pipe, or for a disk that hangs, drops packets. So a live run
//! hands its events to a thread that writes them. What waits is bounded ([`MAX_QUEUED`]); beyond it the oldest
//! events are dropped and counted, as the newest event of an exposure says all that is known of it.

use super::clock::stopwatch;
use super::health::Backlog;
use super::metrics::Metrics;
use super::text::count;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Most bytes of events that wait for the writer.
const MAX_QUEUED: usize = 16 << 20;
/// Most bytes gathered before a flush.
const MAX_PIECE: usize = 1 << 20;
/// How often an idle writer is flushed: it may hold lines since its disk was full.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Reason of `phitap_events_dropped_total` for events that found no room.
const REASON: &str = "backlog";

/// Queues everything that is written to it. It never waits.
pub struct OutputQueue {
    shared: Arc<Shared>,
    /// Gathered since the last flush.
    piece: Vec<u8>,
}

/// The other end of an [`OutputQueue`], for ending the run.
pub struct QueueEnd {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    output: &'static str,
    backlog: Arc<Backlog>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct State {
    /// Complete lines, and when they were queued.
    pieces: VecDeque<(Instant, Vec<u8>)>,
    /// Bytes of `pieces`, and of the one that is being written.
    queued: usize,
    writing: Option<(Instant, usize)>,
    closed: bool,
    /// The error of the writer; the thread has ended.
    failed: Option<io::Error>,
    ended: bool,
}

impl OutputQueue {
    /// Starts the thread that writes to `writer`.
    ///
    /// # Errors
    /// If a thread cannot be created.
    pub fn start(
        mut writer: Box<dyn Write + Send>,
        output: &'static str,
        backlog: Arc<Backlog>,
        metrics: Arc<Metrics>,
    ) -> io::Result<(Self, QueueEnd)> {
        metrics.events_dropped(output, REASON, 0);
        let state = Mutex::new(State::default());
        let shared = Arc::new(Shared { state, wake: Condvar::new(), output, backlog, metrics });
        let ours = Arc::clone(&shared);
        let run = move || {
            let result = ours.write_all(&mut *writer);
            // Everything queued is written or given up before the run may end.
            drop(writer);
            let mut state = ours.lock();
            state.failed = result.err();
            state.ended = true;
            state.writing = None;
            ours.note(&state);
            ours.wake.notify_all();
        };
        let thread = std::thread::Builder::new().name("output".into()).spawn(run)?;
        let end = QueueEnd { shared: Arc::clone(&shared), thread: Some(thread) };
        Ok((Self { shared, piece: Vec::new() }, end))
    }
}

impl Write for OutputQueue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() > MAX_PIECE
            && let Some(end) = memchr::memrchr(b'\n', &self.piece)
        {
            let rest = self.piece.split_off(end + 1);
            self.shared.push(std::mem::replace(&mut self.piece, rest));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.piece.is_empty() {
            self.shared.push(std::mem::take(&mut self.piece));
        }
        match self.shared.lock().failed.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl QueueEnd {
    /// Waits until everything is written, at most `patience`.
    ///
    /// # Errors
    /// The error of the writer, or that it did not finish; the rest is counted as dropped.
    pub fn close(mut self, patience: Duration) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.closed = true;
        self.shared.wake.notify_all();
        let waits = |state: &mut State| !state.ended;
        state = self
            .shared
            .wake
            .wait_timeout_while(state, patience, waits)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        let failed = state.failed.take();
        let left = state.drop_oldest(usize::MAX);
        if left > 0 {
            self.shared.metrics.events_dropped(self.shared.output, REASON, left);
        }
        let ended = state.ended;
        drop(state);
        match (failed, ended) {
            (Some(error), _) => Err(error),
            (None, true) => {
                let thread = self.thread.take();
                let joined = thread.is_none_or(|thread| thread.join().is_ok());
                if joined { Ok(()) } else { Err(io::Error::other("its thread failed")) }
            }
            // The thread may wait for a reader that never comes: the process ends without it.
            (None, false) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "its reader does not read; {} and one being written are lost",
                    count(left, "event")
                ),
            )),
        }
    }
}

impl State {
    /// Drops the oldest pieces until there is room for `bytes` more. Returns how many events that cost.
    fn drop_oldest(&mut self, bytes: usize) -> u64 {
        let mut lost = 0;
        while self.queued.saturating_add(bytes) > MAX_QUEUED
            && let Some((_, piece)) = self.pieces.pop_front()
        {
            self.queued -= piece.len();
            lost += memchr::memchr_iter(b'\n', &piece).count() as u64;
        }
        lost
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Updates the backlog.
    fn note(&self, state: &State) {
        let bytes = state.queued + state.writing.map_or(0, |(_, bytes)| bytes);
        let first = state.pieces.front().map(|(at, _)| *at);
        self.backlog.queued(bytes as u64, state.writing.map(|(at, _)| at).or(first));
    }

    fn push(&self, piece: Vec<u8>) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        let lost = state.drop_oldest(piece.len());
        state.queued += piece.len();
        state.pieces.push_back((stopwatch(), piece));
        self.note(&state);
        drop(state);
        self.wake.notify_all();
        if lost > 0 {
            self.metrics.events_dropped(self.output, REASON, lost);
        }
    }

    /// Writes everything until the queue is closed and empty.
    fn write_all(&self, writer: &mut dyn Write) -> io::Result<()> {
        loop {
            let mut state = self.lock();
            state.writing = None;
            self.note(&state);
            let waits = |state: &mut State| state.pieces.is_empty() && !state.closed;
            let (mut state, _) = self
                .wake
                .wait_timeout_while(state, FLUSH_EVERY, waits)
                .unwrap_or_else(PoisonError::into_inner);
            let Some((at, piece)) = state.pieces.pop_front() else {
                let closed = state.closed;
                drop(state);
                writer.flush()?;
                if closed {
                    return Ok(());
                }
                continue;
            };
            state.queued -= piece.len();
            state.writing = Some((at, piece.len()));
            self.note(&state);
            drop(state);
            let written = writer.write_all(&piece).and_then(|()| writer.flush());
            if let Err(error) = written {
                let events = memchr::memchr_iter(b'\n', &piece).count() as u64;
                self.metrics.events_dropped(self.output, "write_error", events);
                return Err(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::health::SensorHealth;

    fn start(
        writer: impl Write + Send + 'static,
    ) -> (OutputQueue, QueueEnd, Arc<Metrics>, Arc<Backlog>) {
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        let backlog = SensorHealth::new(None).output("ecs");
        let (queue, end) =
            OutputQueue::start(Box::new(writer), "ecs", Arc::clone(&backlog), Arc::clone(&metrics))
                .expect("thread");
        (queue, end, metrics, backlog)
    }

    #[test]
    fn what_is_written_arrives_in_order_and_closing_waits_for_it() {
        let (reader, writer) = io::pipe().expect("pipe");
        let (mut queue, end, ..) = start(writer);
        for n in 0..1000 {
            writeln!(queue, "{n}").and_then(|()| queue.flush()).expect("never waits");
        }
        let read = std::thread::spawn(move || io::read_to_string(reader).expect("text"));
        end.close(Duration::from_secs(120)).expect("written");
        let expected: String = (0..1000).map(|n| format!("{n}\n")).collect();
        assert_eq!(read.join().expect("reader"), expected);
    }

    #[test]
    fn a_reader_that_does_not_read_costs_the_oldest_events_and_they_are_counted() {
        let (reader, writer) = io::pipe().expect("pipe");
        let (mut queue, end, metrics, backlog) = start(writer);
        let line = format!("{}\n", "x".repeat(99_999));
        for _ in 0..300 {
            queue.write_all(line.as_bytes()).and_then(|()| queue.flush()).expect("never waits");
        }
        // The thread writes the first that it took, and the pipe is full.
        while rustix::io::ioctl_fionread(&reader).expect("a pipe") == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(backlog.bytes() > 15 << 20, "{}", backlog.bytes());
        assert!(backlog.bytes() as usize <= MAX_QUEUED + line.len(), "{}", backlog.bytes());
        let error = end.close(Duration::from_millis(50)).expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let text = metrics.render();
        let dropped = text.lines().find(|l| l.starts_with("phitap_events_dropped_total{"));
        assert!(dropped.is_some_and(|l| l.ends_with(" 299")), "{dropped:?}");
        drop(reader);
    }

    #[test]
    fn a_reader_that_goes_away_is_an_error_at_the_next_flush() {
        let (reader, writer) = io::pipe().expect("pipe");
        let (mut queue, end, ..) = start(writer);
        drop(reader);
        let mut result = Ok(());
        for _ in 0..20_000 {
            result = queue.write_all(b"x\n").and_then(|()| queue.flush());
            if result.is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(result.expect_err("closed").kind(), io::ErrorKind::BrokenPipe);
        end.close(Duration::from_secs(120)).expect("said already");
    }
}
