//! The thread that writes evidence.

use super::file::Sealed;
use super::{FLUSH_EVERY, MAX_FULL, MAX_OPEN, Order, Recorded, Shared};
use crate::capture::Packet;
use crate::config::EvidenceSettings;
use crate::exposure::EventId;
use crate::output::clock::stopwatch;
use crate::output::{WriteError, pcapng};
use crate::time::Timestamp;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long nothing is tried after the disk has failed.
const PAUSE: Duration = Duration::from_secs(10);

pub(super) struct Writer {
    settings: EvidenceSettings,
    interfaces: Vec<Arc<str>>,
    shared: Arc<Shared>,
    complain: fn(&str),
    /// Exposures that are wanted and have no file yet, or have one.
    open: BTreeMap<u64, Open>,
    /// Bytes of packets in all files.
    total: u64,
    /// When files were last flushed.
    flushed: Instant,
    /// When the disk failed, until a file has been flushed again.
    failed: Option<Instant>,
    pub(super) pause: Duration,
    /// Whether the limit of the run was reported.
    limited: bool,
}

struct Open {
    id: EventId,
    file: Option<(pcapng::Writer<Sealed>, PathBuf)>,
    /// Bytes of packets in its files, and in the current one.
    bytes: u64,
    bytes_here: u64,
    /// Time of the first packet.
    first: Timestamp,
    /// Packets that may not be on the disk yet.
    pending: u64,
    /// Whether a packet of the current file is on the disk.
    is_kept: bool,
}

impl Writer {
    pub fn new(
        settings: EvidenceSettings,
        interfaces: Vec<Arc<str>>,
        shared: Arc<Shared>,
        complain: fn(&str),
    ) -> Self {
        Self {
            settings,
            interfaces,
            shared,
            complain,
            open: BTreeMap::new(),
            total: 0,
            flushed: stopwatch(),
            failed: None,
            pause: PAUSE,
            limited: false,
        }
    }

    /// Writes until no more packets can come.
    pub fn run(&mut self, orders: &Receiver<Order>) {
        loop {
            match orders.recv_timeout(FLUSH_EVERY) {
                Ok(Order::Open(number, id)) => self.begin(number, id),
                Ok(Order::Packet(number, packet)) => self.packet(number, &packet),
                Ok(Order::Close(number)) => self.close(number),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.flushed.elapsed() >= FLUSH_EVERY {
                self.flush();
            }
        }
        let left: Vec<u64> = self.open.keys().copied().collect();
        left.into_iter().for_each(|number| self.close(number));
    }

    pub(super) fn begin(&mut self, number: u64, id: EventId) {
        if self.open.len() >= MAX_OPEN || self.total >= self.settings.size.saturating_mul(MAX_FULL)
        {
            self.shared.want_no_more(number);
            if !std::mem::replace(&mut self.limited, true) {
                let text =
                    "too many exposures or bytes for --evidence: no file for further exposures";
                (self.complain)(text);
            }
            return;
        }
        let open = Open {
            id,
            file: None,
            bytes: 0,
            bytes_here: 0,
            first: Timestamp::default(),
            pending: 0,
            is_kept: false,
        };
        self.open.insert(number, open);
    }

    pub(super) fn packet(&mut self, number: u64, packet: &Recorded) {
        // Without one, it has reached its limit.
        let Some(open) = self.open.get_mut(&number) else { return };
        if self.failed.is_some_and(|since| since.elapsed() < self.pause) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match write(open, packet, &self.settings, &self.interfaces) {
            Ok(true) => self.total += packet.bytes.len() as u64,
            Ok(false) => {
                self.shared.want_no_more(number);
                self.close(number);
            }
            Err(error) => {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
                self.total -= open.abandon(&self.shared);
                self.report(Err(error));
            }
        }
    }

    fn close(&mut self, number: u64) {
        let Some(mut open) = self.open.remove(&number) else { return };
        let Some((file, path)) = open.file.take() else { return };
        let had_pending = open.pending > 0;
        let result = file.into_inner().and_then(Sealed::finish);
        match &result {
            Ok(()) => open.settle(&self.shared),
            Err(_) => {
                open.lose(&self.shared);
                if !open.is_kept {
                    self.total -= open.bytes_here;
                    let _ = std::fs::remove_file(path);
                }
            }
        }
        // A file without anything to write proves nothing.
        if result.is_err() || had_pending {
            self.report(result);
        }
    }

    /// Flushes all files. Packets count as written from then on.
    pub(super) fn flush(&mut self) {
        self.flushed = stopwatch();
        let mut results = Vec::new();
        for open in self.open.values_mut().filter(|open| open.pending > 0) {
            let Some((file, _)) = &mut open.file else { continue };
            let result = file.flush();
            match &result {
                Ok(()) => open.settle(&self.shared),
                Err(_) => self.total -= open.abandon(&self.shared),
            }
            results.push(result);
        }
        // A full disk fails most files, and not every one.
        let failed = results.iter().position(io::Result::is_err);
        let at = failed.unwrap_or(0);
        if at < results.len() {
            self.report(results.swap_remove(at));
        }
    }

    /// Reports that the disk fails, or works again.
    fn report(&mut self, result: io::Result<()>) {
        match result {
            Err(source) => {
                if self.failed.replace(stopwatch()).is_none() {
                    let folder = self.settings.folder.display().to_string();
                    let error = WriteError::new(folder, source).of_option("--evidence");
                    (self.complain)(&format!(
                        "{error}; packets of exposures are not kept until it works again"
                    ));
                }
            }
            Ok(()) if self.failed.is_some() => {
                self.failed = None;
                let folder = self.settings.folder.display();
                (self.complain)(&format!("{folder}: packets of exposures are kept again"));
            }
            Ok(()) => {}
        }
    }
}

impl Open {
    /// What was written is on the disk.
    fn settle(&mut self, shared: &Shared) {
        let written = std::mem::take(&mut self.pending);
        shared.written.fetch_add(written, Ordering::Relaxed);
        self.is_kept |= written > 0;
    }

    /// What was not on the disk yet is lost.
    fn lose(&mut self, shared: &Shared) {
        shared.dropped.fetch_add(std::mem::take(&mut self.pending), Ordering::Relaxed);
    }

    /// Gives up a file that cannot be written. One without any packet is removed. Returns how many bytes
    /// of packets it takes with it.
    fn abandon(&mut self, shared: &Shared) -> u64 {
        self.lose(shared);
        let bytes = std::mem::take(&mut self.bytes_here);
        let is_kept = std::mem::take(&mut self.is_kept);
        match self.file.take() {
            Some((file, path)) if !is_kept => {
                drop(file);
                let _ = std::fs::remove_file(path);
                self.bytes -= bytes;
                bytes
            }
            _ => 0,
        }
    }
}

/// Writes a packet; false if the exposure has reached its limit.
fn write(
    open: &mut Open,
    packet: &Recorded,
    settings: &EvidenceSettings,
    interfaces: &[Arc<str>],
) -> io::Result<bool> {
    let len = packet.bytes.len() as u64;
    let id = open.id.to_string();
    if open.bytes == 0 {
        open.first = packet.time;
    } else if open.bytes + len > settings.size || packet.time - open.first > settings.time {
        return Ok(false);
    }
    let (file, _) = match &mut open.file {
        Some(file) => file,
        none => {
            let (sealed, path) = Sealed::create(settings, &id)?;
            tracing::info!(path = %path.display(), "evidence");
            none.insert((pcapng::Writer::begin(sealed)?, path))
        }
    };
    let name = interfaces.get(usize::from(packet.interface)).map_or("", |name| name);
    let of = Packet {
        time: packet.time,
        offset: 0,
        caplen: packet.bytes.len() as u32,
        len: packet.len,
        block: 0,
        number: packet.number,
        interface: packet.interface,
        link: packet.link,
    };
    file.packet(name, &of, &packet.bytes, &[&id])?;
    open.bytes += len;
    open.bytes_here += len;
    open.pending += 1;
    Ok(true)
}
