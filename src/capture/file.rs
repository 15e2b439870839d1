//! Reads one capture block by block, and the packets in its blocks.

use super::format::Format;
use super::origin::{Origin, STDIN};
use super::pcap::FILE_HEADER;
use super::record::{NextRecord, Record};
use super::sniff::Packing;
use super::stream::Stream;
use super::{BATCH_PACKETS, Batch, Block, Fault, FaultKind, LinkType, LiveCounters, Packet, Pull};
use crate::time::Timestamp;
use std::path::Path;

/// How to read a capture.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    /// Whether the file may still grow.
    pub follow: bool,
    /// Size of a stream's block, bytes.
    pub block: usize,
}

/// Records ahead whose headers are prefetched. Only the previous record gives the place of the next
/// one, but most are as long as those before them.
const FETCHED: usize = 8;

/// A capture being read.
pub(super) struct Reader {
    name: String,
    interface: u16,
    format: Option<Format>,
    block: Block,
    /// Offset of the block in the capture.
    base: u64,
    /// Offset in the block of the next record.
    at: usize,
    stream: Stream,
    /// Number of blocks loaded.
    loads: u64,
    /// Whether this is the last block.
    ended: bool,
    next: Option<Packet>,
    fault: Option<Fault>,
    size: Option<u64>,
    /// Frames found so far, the next packet included, numbered as in Wireshark.
    found: u64,
    /// Link type of the last packet, and whether it is supported.
    link: (LinkType, bool),
    /// Packets of unsupported link types, and the first of those types.
    foreign: u64,
    foreign_link: Option<LinkType>,
    /// Packets returned.
    pub packets: u64,
    /// Bytes of the packets returned.
    pub bytes: u64,
}

/// The name of standard input in messages and events.
pub const STDIN_NAME: &str = "standard input";

/// The name of a path in messages.
pub(super) fn name_of(path: &Path) -> String {
    if path.as_os_str() == STDIN { STDIN_NAME.into() } else { path.display().to_string() }
}

impl Reader {
    /// Opens a capture and finds its first packet.
    pub fn open(path: &Path, interface: u16, settings: Settings) -> Result<Self, Fault> {
        let name = name_of(path);
        let fault = |kind| Fault { name: name.clone(), offset: 0, unpacked: false, kind };
        let stdin = path.as_os_str() == STDIN;
        let origin = if stdin {
            let stdin = Origin::stdin().map_err(|e| fault(FaultKind::Io(e)))?;
            stdin.ok_or_else(|| fault(FaultKind::Terminal))?
        } else {
            Origin::open(path).map_err(|e| fault(FaultKind::Io(e)))?
        };
        let size = origin.len();
        if size == Some(0) && !settings.follow {
            return Err(fault(FaultKind::Empty));
        }
        let stream = Stream::new(origin, settings.block, settings.follow);
        let mut reader = Self {
            name,
            interface,
            format: None,
            block: Block::owned(Vec::new()),
            base: 0,
            at: 0,
            stream,
            loads: 0,
            ended: false,
            next: None,
            fault: None,
            size,
            found: 0,
            link: (LinkType::ETHERNET, true),
            foreign: 0,
            foreign_link: None,
            packets: 0,
            bytes: 0,
        };
        reader.advance();
        match reader.fault.take() {
            Some(fault) if !reader.is_started() => Err(fault),
            fault => {
                reader.fault = fault;
                Ok(reader)
            }
        }
    }

    /// Whether its format was recognised.
    pub fn is_started(&self) -> bool {
        self.format.as_ref().is_some_and(Format::started)
    }

    /// Whether it can be closed and opened again without loss.
    pub const fn can_reopen(&self) -> bool {
        self.size.is_some()
    }

    /// Size of the file, bytes, if it is known.
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// The next packet as known so far; reads nothing.
    pub fn head(&self) -> Pull<Timestamp> {
        match self.next {
            Some(packet) => Pull::Ready(packet.time),
            None if self.ended || self.fault.is_some() => Pull::End,
            None => Pull::Waiting,
        }
    }

    /// Takes the fault that ended the capture early.
    pub const fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    /// A fault for packets of unsupported link types, if there were any. A format with one link
    /// type per packet, such as pcapng, reports them only here.
    pub fn foreign(&self) -> Option<Fault> {
        let link = self.foreign_link?;
        let kind = FaultKind::ForeignPackets { link: link.0, packets: self.foreign };
        Some(Fault { name: self.name.clone(), offset: 0, unpacked: false, kind })
    }

    /// Switches to another link type.
    #[cold]
    fn turn_to(&mut self, link: LinkType) {
        self.link = (link, link.name().is_some());
        if !self.link.1 {
            self.foreign_link.get_or_insert(link);
        }
    }

    /// Bytes of the file read so far.
    pub fn position(&self) -> u64 {
        self.stream.position()
    }

    /// Packets that the capturing host reports as lost.
    pub fn lost(&self) -> LiveCounters {
        self.format.as_ref().map(Format::lost).unwrap_or_default()
    }

    /// Adds packets while they precede `until`: the time and number of the next capture in line.
    /// `number` is the number of this one.
    pub fn fill(
        &mut self,
        batch: &mut Batch,
        number: usize,
        until: Option<(Timestamp, usize)>,
    ) -> Pull<Timestamp> {
        let (mut block, mut loads) = (batch.block(&self.block), self.loads);
        while let Some(packet) = self.next {
            let full = batch.packets.len() >= BATCH_PACKETS;
            if full || until.is_some_and(|until| (packet.time, number) > until) {
                return Pull::Ready(packet.time);
            }
            batch.packets.push(Packet { block, ..packet });
            self.packets += 1;
            self.bytes += u64::from(packet.caplen);
            self.next = None;
            let head = self.advance();
            if !matches!(head, Pull::Ready(_)) {
                return head;
            }
            if self.loads != loads {
                (block, loads) = (batch.block(&self.block), self.loads);
            }
        }
        self.head()
    }

    /// Finds the next packet.
    #[inline]
    pub fn advance(&mut self) -> Pull<Timestamp> {
        if self.fault.is_some() {
            return Pull::End;
        }
        loop {
            let rest = self.block.bytes().get(self.at..).unwrap_or(&[]);
            let Some(format) = &mut self.format else {
                match self.recognise() {
                    Pull::Ready(()) => continue,
                    Pull::Waiting => return Pull::Waiting,
                    Pull::End => return Pull::End,
                }
            };
            if let Format::Pcap(header) = format
                && let Some(record) = header.record(rest)
            {
                return self.found(record);
            }
            match format.step(rest) {
                NextRecord::Packet(record) => return self.found(record),
                NextRecord::Pass(size) => self.at += size,
                NextRecord::Other(size) => {
                    self.found += 1;
                    self.at += size;
                }
                NextRecord::Need(size) => match self.more(size) {
                    Pull::Ready(()) => {}
                    Pull::Waiting => return Pull::Waiting,
                    Pull::End => return self.end(),
                },
                NextRecord::Bad(kind) => return self.stop(*kind),
            }
        }
    }

    /// Records the next packet.
    #[inline]
    fn found(&mut self, record: Record) -> Pull<Timestamp> {
        if record.link != self.link.0 {
            self.turn_to(record.link);
        }
        self.foreign += u64::from(!self.link.1);
        self.found += 1;
        self.next = Some(Packet {
            time: record.time,
            offset: self.at + record.start,
            caplen: record.caplen,
            len: record.len,
            block: 0,
            number: self.found,
            interface: self.interface,
            link: record.link,
        });
        self.at += record.size;
        self.block.fetch(self.at + FETCHED * record.size);
        Pull::Ready(record.time)
    }

    /// Detects the format. `Ready` means that it is known, or that more bytes have arrived.
    #[cold]
    fn recognise(&mut self) -> Pull {
        let rest = self.block.bytes().get(self.at..).unwrap_or(&[]);
        if self.stream.is_packed()
            && let Some(packing) = Packing::of(rest)
        {
            return self.stop(FaultKind::PackedTwice(packing.name()));
        }
        match Format::open(rest, self.ended) {
            Ok(Some((format, size))) => {
                self.format = Some(format);
                self.at += size;
                Pull::Ready(())
            }
            Ok(None) => match self.more(FILE_HEADER) {
                Pull::End => Pull::Ready(()),
                other => other,
            },
            Err(kind) => match self.stream.take_fault().filter(|_| self.ended) {
                Some(kind) => self.stop_stream(kind),
                None => self.stop(kind),
            },
        }
    }

    /// Loads bytes until `need` are available from the current offset, or all that are left.
    /// `Ready` means that more bytes have arrived.
    #[cold]
    fn more(&mut self, need: usize) -> Pull {
        if self.ended {
            return Pull::End;
        }
        let stream = &mut self.stream;
        stream.carry(self.block.bytes().get(self.at..).unwrap_or(&[]));
        self.base += self.at as u64;
        self.at = 0;
        self.loads += 1;
        match stream.load(need) {
            Pull::Ready(block) => {
                self.ended = block.bytes().len() < need;
                self.block = block;
                Pull::Ready(())
            }
            Pull::Waiting => {
                self.block = Block::owned(Vec::new());
                Pull::Waiting
            }
            Pull::End => {
                self.block = Block::owned(Vec::new());
                self.ended = true;
                Pull::End
            }
        }
    }

    /// Ends the capture. Bytes that are left are an incomplete record.
    #[cold]
    fn end<T>(&mut self) -> Pull<T> {
        if let Some(kind) = self.stream.take_fault() {
            return self.stop_stream(kind);
        }
        if self.at == self.block.bytes().len() {
            return Pull::End;
        }
        let started = self.is_started();
        self.stop(if started { FaultKind::TruncatedRecord } else { FaultKind::TruncatedHeader })
    }

    /// Stops at the current offset.
    #[cold]
    fn stop<T>(&mut self, kind: FaultKind) -> Pull<T> {
        let unpacked = self.stream.is_packed();
        self.fail(kind, self.base + self.at as u64, unpacked)
    }

    /// Stops where the stream stopped.
    #[cold]
    fn stop_stream<T>(&mut self, kind: FaultKind) -> Pull<T> {
        self.fail(kind, self.position(), false)
    }

    fn fail<T>(&mut self, kind: FaultKind, offset: u64, unpacked: bool) -> Pull<T> {
        self.fault = Some(Fault { name: self.name.clone(), offset, unpacked, kind });
        self.ended = true;
        Pull::End
    }
}
