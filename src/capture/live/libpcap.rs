//! Live interfaces through libpcap, where no ring is available.
//!
//! Does not use immediate mode, which replaces the kernel's block ring (TPACKET_V3) by one wake-up
//! per packet, about twenty times as expensive. Packets are copied once, into a block that is then
//! shared by reference.

use super::merge::Merge;
use super::nic::{self, is_down};
use super::{
    LATENCY, LiveCounters, LiveOptions, Refused, fault, reason_of, refusal, text_of, wait_readable,
};
use crate::capture::filter::is_optimised;
use crate::capture::{
    BATCH_PACKETS, Batch, Block, Fault, Input, LinkType, MAX_RECORD, Packet, Source, Status,
};
use crate::time::Timestamp;
use rustix::event::{PollFd, PollFlags};
use std::time::Duration;

/// Size of a block of copied packets, bytes.
const BLOCK: usize = 1 << 20;
/// Size of the first block, bytes; later ones begin with the size that the last one needed.
const FIRST_BLOCK: usize = 16 << 10;

struct Interface {
    name: String,
    /// `None` while the interface is lost.
    capture: Option<pcap::Capture<pcap::Active>>,
    link: LinkType,
    packets: u64,
    bytes: u64,
    counters: LiveCounters,
    /// libpcap's drop counters at the last call; they are 32 bits and wrap.
    stat: u32,
    nic: nic::Losses,
    /// Whether the interface exists without a link.
    down: bool,
    refused: Refused,
}

/// Several interfaces as one timeline.
///
/// A failed interface is reported once as a fault and reopened when it is back; the others are
/// still read.
pub struct Live {
    options: LiveOptions,
    interfaces: Vec<Interface>,
    /// Packets that wait for older ones of other interfaces.
    merge: Merge,
    faults: Vec<Fault>,
    notices: Vec<String>,
    next: usize,
    position: u64,
    /// Size of the last block, bytes.
    room: usize,
}

impl Live {
    /// Opens all interfaces.
    ///
    /// # Errors
    /// The first that cannot be opened: a sensor that watches only some of them must not look
    /// healthy.
    pub fn open(options: &LiveOptions) -> Result<Self, Fault> {
        let mut interfaces = Vec::new();
        for name in &options.interfaces {
            let (capture, link) = open(name, options)?;
            interfaces.push(Interface {
                name: name.clone(),
                capture: Some(capture),
                link,
                packets: 0,
                bytes: 0,
                counters: LiveCounters::default(),
                nic: nic::Losses::of(name),
                stat: 0,
                down: false,
                refused: Refused::default(),
            });
        }
        let mut live = Self {
            options: options.clone(),
            merge: Merge::new(interfaces.len()),
            interfaces,
            faults: Vec::new(),
            notices: Vec::new(),
            next: 0,
            position: 0,
            room: FIRST_BLOCK,
        };
        live.check();
        Ok(live)
    }

    /// Waits for packets or a signal, at most for `timeout`.
    pub fn wait(&self, timeout: Duration) {
        let open = self.interfaces.iter().filter_map(|i| i.capture.as_ref());
        let mut fds: Vec<PollFd<'_>> = open.map(|c| PollFd::new(c, PollFlags::IN)).collect();
        wait_readable(&mut fds, timeout);
    }

    /// Reopens lost interfaces, and records which have no link. To be called about once a second.
    pub fn check(&mut self) {
        for interface in &mut self.interfaces {
            if interface.capture.is_none() {
                match open(&interface.name, &self.options) {
                    Ok((capture, link)) => {
                        interface.capture = Some(capture);
                        interface.link = link;
                        interface.stat = 0;
                        interface.refused = Refused::default();
                        self.notices.push(format!("{} is back", interface.name));
                    }
                    Err(fault) => {
                        let name = &interface.name;
                        let refused = &mut interface.refused;
                        self.faults.extend(refused.again(
                            name,
                            reason_of(&fault),
                            nic::is_up(name),
                        ));
                    }
                }
            }
            let down = interface.capture.is_some() && is_down(&interface.name);
            if down && !interface.down {
                let reason = "it has no link; check the cable, the mirror, and `ip link`";
                self.faults.push(fault(&interface.name, reason.to_owned()));
            } else if interface.down && !down && interface.capture.is_some() {
                self.notices.push(format!("{} has a link again", interface.name));
            }
            interface.down = down;
        }
    }

    /// Whether packets wait for older ones of other interfaces.
    pub fn holds(&self) -> bool {
        self.merge.holds()
    }

    /// Adds packets to an empty batch, those of several interfaces in order of packet time. `now`
    /// is the time since the start.
    pub fn fill_at(&mut self, batch: &mut Batch, now: Duration) -> Status {
        if self.interfaces.len() < 2 {
            return self.fill(batch);
        }
        for index in 0..self.interfaces.len() {
            if !self.merge.has_room(index) {
                continue;
            }
            let mut read = Batch::default();
            if let Some(block) = self.read(index, &mut read) {
                self.merge.add(index, block, read.packets, now);
            }
        }
        let Self { merge, interfaces, .. } = self;
        let awaited = |index: usize| {
            interfaces.get(index).is_some_and(|i: &Interface| i.capture.is_some() && !i.down)
        };
        merge.take(batch, awaited, now);
        if batch.packets.is_empty() { Status::Idle } else { Status::More }
    }

    /// Reads packets of an interface and returns their block. A failed interface becomes a fault.
    fn read(&mut self, index: usize, batch: &mut Batch) -> Option<Block> {
        let interface = self.interfaces.get_mut(index)?;
        let mut bytes = Vec::with_capacity(self.room);
        if let Err(error) = interface.read(index as u16, batch, &mut bytes) {
            // The other interfaces continue; this one is reopened when it is back.
            interface.count();
            interface.capture = None;
            let reason = format!("{}; waiting for it to come back", text_of(&error));
            self.faults.push(fault(&interface.name, reason));
        }
        if bytes.is_empty() {
            return None;
        }
        self.position += bytes.len() as u64;
        // Queued blocks must not be much larger than their packets.
        self.room = bytes.len().clamp(FIRST_BLOCK, BLOCK);
        if bytes.capacity() / 2 > bytes.len() {
            bytes.shrink_to_fit();
        }
        Some(Block::owned(bytes))
    }

    /// Takes the messages about recovered interfaces.
    pub fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// Losses on all interfaces so far.
    pub fn counters(&mut self) -> LiveCounters {
        self.interfaces.iter_mut().for_each(Interface::count);
        LiveCounters::sum(self.interfaces.iter().map(|interface| interface.counters))
    }

    /// Names of the interfaces, in the order of [`Packet::interface`].
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.interfaces.iter().map(|i| i.name.as_str())
    }
}

impl Interface {
    fn count(&mut self) {
        self.counters.interface = self.nic.read(&self.name);
        let Some(Ok(stat)) = self.capture.as_mut().map(pcap::Capture::stats) else { return };
        self.counters.kernel += u64::from(stat.dropped.wrapping_sub(self.stat));
        self.stat = stat.dropped;
    }

    /// Copies packets to `bytes` until the block or batch is full or no packet is left. An error
    /// means that the interface failed.
    fn read(
        &mut self,
        index: u16,
        batch: &mut Batch,
        bytes: &mut Vec<u8>,
    ) -> Result<(), pcap::Error> {
        let Some(capture) = self.capture.as_mut() else { return Ok(()) };
        while batch.packets.len() < BATCH_PACKETS && bytes.len() < BLOCK {
            let packet = match capture.next_packet() {
                Ok(packet) => packet,
                Err(pcap::Error::TimeoutExpired) => break,
                Err(error) => return Err(error),
            };
            let time = packet.header.ts;
            let data = packet.data.get(..MAX_RECORD as usize).unwrap_or(packet.data);
            batch.packets.push(Packet {
                // With nanosecond precision tv_usec holds nanoseconds.
                time: Timestamp::new(time.tv_sec, u32::try_from(time.tv_usec).unwrap_or(0)),
                offset: bytes.len(),
                caplen: data.len() as u32,
                len: packet.header.len,
                block: batch.blocks.len() as u16,
                number: self.packets + 1,
                interface: index,
                link: self.link,
            });
            bytes.extend_from_slice(data);
            self.packets += 1;
            self.bytes += data.len() as u64;
        }
        Ok(())
    }
}

fn open(
    name: &str,
    options: &LiveOptions,
) -> Result<(pcap::Capture<pcap::Active>, LinkType), Fault> {
    let capture = || -> Result<_, pcap::Error> {
        let mut capture = pcap::Capture::from_device(name)?
            .promisc(true)
            .snaplen(i32::try_from(options.snaplen).unwrap_or(i32::MAX))
            .buffer_size(i32::try_from(options.ring).unwrap_or(i32::MAX))
            .timeout(LATENCY.as_millis() as i32)
            .precision(pcap::Precision::Nano)
            .open()?;
        if let Some(filter) = &options.filter {
            capture.filter(filter, is_optimised(filter))?;
        }
        capture.setnonblock()
    };
    let capture = capture().map_err(|e| fault(name, refusal(name, &text_of(&e))))?;
    let link = capture.get_datalink().0;
    let link = LinkType(u16::try_from(link).unwrap_or(u16::MAX));
    if link.name().is_none() {
        let reason = format!(
            "its link type is {}, which phitap does not read; choose an Ethernet, Wi-Fi, cooked or \
             raw IP interface",
            link.0
        );
        return Err(fault(name, reason));
    }
    Ok((capture, link))
}

impl Source for Live {
    fn fill(&mut self, batch: &mut Batch) -> Status {
        let count = self.interfaces.len();
        for turn in 0..count {
            let index = (self.next + turn) % count;
            if let Some(block) = self.read(index, batch) {
                batch.blocks.push(block);
                self.next = (index + 1) % count;
                return Status::More;
            }
        }
        Status::Idle
    }

    fn take_faults(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn inputs(&self) -> Vec<Input> {
        let input = |i: &Interface| Input {
            name: i.name.clone(),
            packets: i.packets,
            bytes: i.bytes,
            fault: i.capture.is_none().then(|| "is gone".to_owned()),
            dropped: i.counters,
            down: i.down,
        };
        self.interfaces.iter().map(input).collect()
    }
}
