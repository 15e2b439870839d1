//! One capture file: its bytes, block by block, and the packets in them.

use super::guard;
use super::pcap::{FILE_HEADER, Header, RECORD_HEADER};
use super::{Block, Fault, FaultKind, Input, Packet};
use std::fs::File;
use std::path::Path;

/// A capture file being read. The packets of a mapped file all stand in one block.
pub(super) struct Reader {
    name: String,
    interface: u16,
    block: Block,
    header: Header,
    at: usize,
    next: Option<Packet>,
    packets: u64,
    bytes: u64,
    fault: Option<Fault>,
}

impl Reader {
    /// Opens a file and finds its first packet.
    pub fn open(path: &Path, interface: u16) -> Result<Self, Fault> {
        let name = path.display().to_string();
        let fault = |kind| Fault { name: name.clone(), offset: 0, kind };
        let file = File::open(path).map_err(|e| fault(FaultKind::Io(e)))?;
        let meta = file.metadata().map_err(|e| fault(FaultKind::Io(e)))?;
        if meta.is_file() && meta.len() == 0 {
            return Err(fault(FaultKind::Empty));
        }
        let block = Block::map(guard::map(&file).map_err(|e| fault(FaultKind::Io(e)))?);
        let header = Header::parse(block.bytes()).map_err(fault)?;
        let mut reader = Self {
            name,
            interface,
            block,
            header,
            at: FILE_HEADER,
            next: None,
            packets: 0,
            bytes: 0,
            fault: None,
        };
        reader.advance();
        Ok(reader)
    }

    /// The next packet, not taken.
    #[inline]
    pub fn peek(&self) -> Option<&Packet> {
        self.next.as_ref()
    }

    /// The block that the next packet stands in.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Takes the next packet.
    #[inline]
    pub fn take(&mut self) -> Option<Packet> {
        let packet = self.next.take()?;
        self.packets += 1;
        self.bytes += u64::from(packet.caplen);
        self.advance();
        Some(packet)
    }

    /// What ended the file early.
    pub fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    /// Bytes of the file behind what was read.
    pub fn position(&self) -> u64 {
        self.at as u64
    }

    /// What the file gave so far.
    pub fn input(&self) -> Input {
        Input {
            name: self.name.clone(),
            packets: self.packets,
            bytes: self.bytes,
            fault: self.fault.as_ref().map(Fault::describe),
        }
    }

    #[inline]
    fn advance(&mut self) {
        let bytes = self.block.bytes();
        let rest = bytes.get(self.at..).unwrap_or(&[]);
        guard::prefetch(rest, RECORD_HEADER, self.next.map_or(0, |p| p.caplen));
        let Some(head) = rest.first_chunk::<RECORD_HEADER>() else {
            if !rest.is_empty() {
                self.stop(FaultKind::TruncatedRecord);
            }
            return;
        };
        match self.header.record(head) {
            Err(kind) => self.stop(kind),
            Ok(record) if rest.len() - RECORD_HEADER < record.caplen as usize => {
                self.stop(FaultKind::TruncatedRecord);
            }
            Ok(record) => {
                let fcs = u32::from(self.header.fcs);
                let over = (record.len - record.caplen).min(fcs);
                self.next = Some(Packet {
                    time: record.time,
                    offset: self.at + RECORD_HEADER,
                    // The frame check sequence is no payload
                    caplen: record.caplen.saturating_sub(fcs - over),
                    len: record.len.saturating_sub(fcs),
                    block: 0,
                    interface: self.interface,
                    link: self.header.link,
                });
                self.at += RECORD_HEADER + record.caplen as usize;
            }
        }
    }

    fn stop(&mut self, kind: FaultKind) {
        self.fault = Some(Fault { name: self.name.clone(), offset: self.at as u64, kind });
    }
}
