//! The thread that writes evidence.

use super::file::Sealed;
use super::{FLUSH_EVERY, MAX_FULL, MAX_OPEN, Order, Recorded, Shared};
use crate::capture::Packet;
use crate::config::EvidenceSettings;
use crate::exposure::EventId;
use crate::output::pcapng;
use crate::time::Timestamp;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(super) struct Writer {
    settings: EvidenceSettings,
    interfaces: Vec<Arc<str>>,
    shared: Arc<Shared>,
    complain: fn(&str),
    /// Exposures that are wanted and have no file yet, or have one.
    open: BTreeMap<u64, Open>,
    /// Bytes of packets in all files.
    total: u64,
    /// An error was reported; the same one is not reported again until a packet is written.
    failed: bool,
}

struct Open {
    id: EventId,
    file: Option<pcapng::Writer<Sealed>>,
    /// Bytes of packets.
    bytes: u64,
    first: Timestamp,
}

impl Writer {
    pub fn new(
        settings: EvidenceSettings,
        interfaces: Vec<Arc<str>>,
        shared: Arc<Shared>,
        complain: fn(&str),
    ) -> Self {
        let open = BTreeMap::new();
        Self { settings, interfaces, shared, complain, open, total: 0, failed: false }
    }

    /// Writes until no more packets can come.
    pub fn run(&mut self, orders: &Receiver<Order>) {
        loop {
            match orders.recv_timeout(FLUSH_EVERY) {
                Ok(Order::Open(number, id)) => self.begin(number, id),
                Ok(Order::Packet(number, packet)) => self.packet(number, &packet),
                Ok(Order::Close(number)) => self.close(number),
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let left: Vec<u64> = self.open.keys().copied().collect();
        left.into_iter().for_each(|number| self.close(number));
    }

    fn begin(&mut self, number: u64, id: EventId) {
        if self.open.len() >= MAX_OPEN || self.total >= self.settings.size.saturating_mul(MAX_FULL)
        {
            self.shared.want_no_more(number);
            self.fail("too many exposures or bytes for --evidence: no file for further exposures");
            return;
        }
        let open = Open { id, file: None, bytes: 0, first: Timestamp::default() };
        self.open.insert(number, open);
    }

    fn packet(&mut self, number: u64, packet: &Recorded) {
        let written = match self.open.get_mut(&number) {
            // It has reached its limit.
            None => return,
            Some(open) => write(open, packet, &self.settings, &self.interfaces),
        };
        match written {
            Ok(true) => {
                self.failed = false;
                self.total += packet.bytes.len() as u64;
                self.shared.written.fetch_add(1, Ordering::Relaxed);
            }
            Ok(false) => {
                self.shared.want_no_more(number);
                self.close(number);
            }
            Err(error) => {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
                self.shared.want_no_more(number);
                self.open.remove(&number);
                let folder = self.settings.folder.display();
                self.fail(&format!("{folder}: {error}; evidence of an exposure is not whole"));
            }
        }
    }

    fn close(&mut self, number: u64) {
        let Some(Open { file: Some(file), .. }) = self.open.remove(&number) else { return };
        if let Err(error) = file.into_inner().and_then(Sealed::finish) {
            let folder = self.settings.folder.display();
            self.fail(&format!("{folder}: {error}; evidence of an exposure is not whole"));
        }
    }

    fn flush(&mut self) {
        for open in self.open.values_mut() {
            // An error here would repeat with the next packet.
            let _ = open.file.as_mut().map(pcapng::Writer::flush);
        }
    }

    fn fail(&mut self, text: &str) {
        if !std::mem::replace(&mut self.failed, true) {
            (self.complain)(text);
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
    let file = match &mut open.file {
        Some(_) if open.bytes + len > settings.size => return Ok(false),
        Some(_) if packet.time - open.first > settings.time => return Ok(false),
        Some(file) => file,
        none => {
            let (sealed, path) = Sealed::create(settings, &id)?;
            tracing::info!(path = %path.display(), "evidence");
            open.first = packet.time;
            none.insert(pcapng::Writer::begin(sealed)?)
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
    Ok(true)
}
