//! `live --evidence DIR`: the packets of each exposure as pcapng, in a file named by its id.
//!
//! A sensor keeps no packets otherwise. With `--encrypt-to` the files can be opened by whoever has the private key
//! and by no one else, the sensor included. Size and time of each file are limited, and so is their sum.
//!
//! The reading threads ask which exposures are wanted ([`Evidence::wanted`]) and hand over packets
//! ([`Evidence::record`]); a thread of its own writes them. No thread waits for it: what it cannot take is counted.

mod file;
mod writer;

#[cfg(test)]
mod tests;

pub use file::check_recipients;

use super::metrics::Metrics;
use super::{Output, RunSummary};
use crate::capture::{LinkType, Packet};
use crate::config::EvidenceSettings;
use crate::exposure::{Event, EventId, Exposure, ExposureState};
use crate::flow::{FlowKey, Side, Transport};
use crate::time::Timestamp;
#[cfg(test)]
use crossbeam_channel::Receiver;
use crossbeam_channel::{Sender, bounded};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use writer::Writer;

/// Packets waiting for the writer.
const MAX_WAITING: usize = 8_192;
/// Exposures that have files of their own in a run.
const MAX_FILES: usize = 10_000;
/// Files that are written at the same time.
const MAX_OPEN: usize = 256;
/// Bytes of all files of a run, beyond which nothing more is written: this many files of the limit of each.
const MAX_FULL: u64 = 256;
/// How long the writer waits for packets before it flushes.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Client and service of an exposure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ends {
    /// The client.
    pub client: IpAddr,
    /// The service.
    pub server: SocketAddr,
    /// TCP or UDP.
    pub transport: Transport,
}

impl Ends {
    /// Those that a flow may belong to: either end may be the service.
    pub fn of(key: &FlowKey) -> [Self; 2] {
        [Side::Low, Side::High].map(|server| Self {
            client: key.end(server.other()).to_socket_addr().ip(),
            server: key.end(server).to_socket_addr(),
            transport: key.transport,
        })
    }
}

/// A packet, copied.
pub struct Recorded {
    time: Timestamp,
    number: u64,
    /// On the wire, bytes.
    len: u32,
    interface: u16,
    link: LinkType,
    /// As captured.
    pub bytes: Box<[u8]>,
}

impl Recorded {
    /// A copy of `packet`, whose bytes are these.
    pub fn new(packet: &Packet, bytes: &[u8]) -> Self {
        let &Packet { time, number, len, interface, link, .. } = packet;
        Self { time, number, len, interface, link, bytes: bytes.into() }
    }

    /// When it was captured.
    pub const fn time(&self) -> Timestamp {
        self.time
    }
}

/// Messages to the writer.
pub enum Order {
    /// An exposure has opened: its number and id.
    Open(u64, EventId),
    /// A packet of it.
    Packet(u64, Recorded),
    /// There will be no more of it.
    Close(u64),
    /// Of nothing.
    End,
}

#[cfg(test)]
impl Order {
    /// Numbers of exposure and packet.
    pub(crate) fn packet(&self) -> Option<(u64, u64)> {
        match self {
            Self::Packet(exposure, packet) => Some((*exposure, packet.number)),
            _ => None,
        }
    }
}

/// Shared by reading threads and the writer.
#[derive(Default)]
struct Shared {
    /// How often `wanted` has changed.
    version: AtomicU64,
    wanted: Mutex<BTreeMap<Ends, u64>>,
    written: AtomicU64,
    dropped: AtomicU64,
}

/// The exposures whose packets are wanted, and their destination.
#[derive(Clone)]
pub struct Evidence {
    shared: Arc<Shared>,
    to: Sender<Order>,
}

/// Counts of packets of exposures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EvidenceCounts {
    /// Written.
    pub written: u64,
    /// Lost, as the disk did not keep up or was full.
    pub dropped: u64,
}

impl Evidence {
    /// Starts the writer. `complain` takes messages for an administrator.
    ///
    /// # Errors
    /// If the folder cannot be written to, or a recipient is invalid.
    pub fn start(
        settings: EvidenceSettings,
        interfaces: Vec<Arc<str>>,
        metrics: Arc<Metrics>,
        complain: fn(&str),
    ) -> io::Result<(Self, EvidenceOutput)> {
        file::probe(&settings)?;
        let (to, orders) = bounded(MAX_WAITING);
        let evidence = Self { shared: Arc::default(), to };
        let mut writer = Writer::new(settings, interfaces, evidence.shared(), complain);
        let run = move || writer.run(&orders);
        let thread = std::thread::Builder::new().name("evidence".into()).spawn(run)?;
        let output = EvidenceOutput {
            evidence: evidence.clone(),
            metrics,
            numbers: BTreeMap::new(),
            known: BTreeSet::new(),
            thread: Some(thread),
        };
        Ok((evidence, output))
    }

    /// One without a writer, and the messages that it would get.
    #[cfg(test)]
    pub(crate) fn unwritten(waiting: usize) -> (Self, Receiver<Order>) {
        let (to, orders) = bounded(waiting);
        (Self { shared: Arc::default(), to }, orders)
    }

    fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// How often the wanted exposures have changed.
    #[inline]
    pub fn version(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire)
    }

    /// The wanted exposures, each with its number.
    pub fn wanted(&self) -> Vec<(Ends, u64)> {
        self.shared.wanted().iter().map(|(ends, number)| (*ends, *number)).collect()
    }

    /// Packets between these ends are wanted from now on.
    pub fn want(&self, ends: Ends, number: u64) {
        self.shared.wanted().insert(ends, number);
        self.shared.version.fetch_add(1, Ordering::Release);
    }

    /// No more packets of an exposure are wanted.
    pub fn want_no_more(&self, number: u64) {
        self.shared.want_no_more(number);
    }

    /// Passes a packet to the writer, or counts it as lost.
    pub fn record(&self, exposure: u64, packet: Recorded) {
        if self.to.try_send(Order::Packet(exposure, packet)).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts of packets so far.
    pub fn counts(&self) -> EvidenceCounts {
        EvidenceCounts {
            written: self.shared.written.load(Ordering::Relaxed),
            dropped: self.shared.dropped.load(Ordering::Relaxed),
        }
    }
}

impl Shared {
    fn wanted(&self) -> MutexGuard<'_, BTreeMap<Ends, u64>> {
        // It is consistent at any moment, so a panic elsewhere leaves nothing half done.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn want_no_more(&self, number: u64) {
        self.wanted().retain(|_, known| *known != number);
        self.version.fetch_add(1, Ordering::Release);
    }
}

/// Sends the writer the current exposures.
pub struct EvidenceOutput {
    evidence: Evidence,
    metrics: Arc<Metrics>,
    /// Of exposures that are wanted.
    numbers: BTreeMap<EventId, u64>,
    /// Exposures that have, or had, a file.
    known: BTreeSet<EventId>,
    thread: Option<JoinHandle<()>>,
}

impl EvidenceOutput {
    fn exposure(&mut self, e: &Exposure) {
        match e.state {
            ExposureState::Idle | ExposureState::Ended => {
                if let Some(number) = self.numbers.remove(&e.id) {
                    self.evidence.want_no_more(number);
                    // Files that are not closed now are closed at the end.
                    let _ = self.evidence.to.try_send(Order::Close(number));
                }
            }
            ExposureState::Open | ExposureState::Update | ExposureState::Returned => {
                if self.known.len() >= MAX_FILES || self.known.contains(&e.id) {
                    return;
                }
                let number = self.known.len() as u64 + 1;
                // It must know the exposure before its packets; if it is busy now, the next event asks again.
                if self.evidence.to.try_send(Order::Open(number, e.id)).is_err() {
                    return;
                }
                self.known.insert(e.id);
                self.numbers.insert(e.id, number);
                let ends = Ends { client: e.client, server: e.server, transport: e.transport };
                self.evidence.want(ends, number);
            }
        }
    }
}

impl Output for EvidenceOutput {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Event::Exposure(exposure) = event {
            self.exposure(exposure);
        }
        Ok(())
    }

    fn finish(&mut self, _: &RunSummary) -> io::Result<()> {
        let _ = self.evidence.to.send(Order::End);
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| io::Error::other("the evidence thread failed"))?;
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.metrics.sensor().evidence(self.evidence.counts());
        Ok(())
    }
}
