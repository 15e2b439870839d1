//! Live interfaces, by libpcap.
//!
//! Never in immediate mode: it gives up the kernel's block ring (TPACKET_V3) for one packet a wake,
//! at some twenty times the cost. Packets are copied once, into a block that then travels by
//! reference like a mapped file's.

use super::{
    BATCH_PACKETS, Batch, Block, Fault, FaultKind, Input, LinkType, Packet, Source, Status,
};
use crate::time::Timestamp;

/// Bytes of one block of copied packets.
const BLOCK: usize = 1 << 20;
/// Milliseconds after which libpcap hands on a block that is not full.
const TIMEOUT_MS: i32 = 60;

/// How to capture.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Interfaces by name.
    pub interfaces: Vec<String>,
    /// A BPF expression for the kernel.
    pub filter: Option<String>,
    /// Bytes of the kernel's ring, for each interface.
    pub buffer: i32,
    /// Bytes kept of each packet.
    pub snaplen: i32,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self { interfaces: Vec::new(), filter: None, buffer: 64 << 20, snaplen: 262_144 }
    }
}

/// Packets that were lost before phitap saw them, since the start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct LiveCounters {
    /// Dropped by the kernel: the ring was full.
    pub kernel: u64,
    /// Dropped by the interface or its driver.
    pub interface: u64,
}

struct Interface {
    name: String,
    capture: pcap::Capture<pcap::Active>,
    link: LinkType,
    packets: u64,
    bytes: u64,
    counters: LiveCounters,
}

/// Some interfaces, read in turn.
pub struct Live {
    interfaces: Vec<Interface>,
    faults: Vec<Fault>,
    next: usize,
    position: u64,
}

impl Live {
    /// Opens every interface.
    ///
    /// # Errors
    /// The first that cannot be opened: a sensor that watches only part must not look healthy.
    pub fn open(options: &LiveOptions) -> Result<Self, Fault> {
        let mut interfaces = Vec::new();
        for name in &options.interfaces {
            interfaces.push(open(name, options).map_err(|e| fault(name, &e))?);
        }
        Ok(Self { interfaces, faults: Vec::new(), next: 0, position: 0 })
    }

    /// What was lost on all interfaces so far.
    pub fn counters(&mut self) -> LiveCounters {
        let mut sum = LiveCounters::default();
        for interface in &mut self.interfaces {
            if let Ok(stat) = interface.capture.stats() {
                interface.counters = LiveCounters {
                    kernel: u64::from(stat.dropped),
                    interface: u64::from(stat.if_dropped),
                };
            }
            sum.kernel += interface.counters.kernel;
            sum.interface += interface.counters.interface;
        }
        sum
    }

    /// Names of the interfaces, in the order of [`Packet::interface`].
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.interfaces.iter().map(|i| i.name.as_str())
    }
}

fn open(name: &str, options: &LiveOptions) -> Result<Interface, pcap::Error> {
    let mut capture = pcap::Capture::from_device(name)?
        .promisc(true)
        .snaplen(options.snaplen)
        .buffer_size(options.buffer)
        .timeout(TIMEOUT_MS)
        .precision(pcap::Precision::Nano)
        .open()?;
    if let Some(filter) = &options.filter {
        capture.filter(filter, true)?;
    }
    let link = LinkType(u16::try_from(capture.get_datalink().0).unwrap_or(u16::MAX));
    let capture = capture.setnonblock()?;
    Ok(Interface {
        name: name.to_owned(),
        capture,
        link,
        packets: 0,
        bytes: 0,
        counters: LiveCounters::default(),
    })
}

fn fault(name: &str, error: &pcap::Error) -> Fault {
    Fault {
        name: name.to_owned(),
        offset: 0,
        unpacked: false,
        kind: FaultKind::Interface(error.to_string()),
    }
}

impl Source for Live {
    fn fill(&mut self, batch: &mut Batch) -> Status {
        let count = self.interfaces.len();
        for turn in 0..count {
            let index = (self.next + turn) % count;
            let interface = &mut self.interfaces[index];
            let mut bytes: Vec<u8> = Vec::new();
            while batch.packets.len() < BATCH_PACKETS {
                let packet = match interface.capture.next_packet() {
                    Ok(packet) => packet,
                    Err(pcap::Error::TimeoutExpired) => break,
                    Err(error) => {
                        // Gone or down: the others go on, and this one is asked again.
                        let new = fault(&interface.name, &error);
                        if self.faults.iter().all(|f| f.name != new.name) {
                            self.faults.push(new);
                        }
                        break;
                    }
                };
                if bytes.capacity() == 0 {
                    bytes.reserve(BLOCK);
                }
                let time = packet.header.ts;
                batch.packets.push(Packet {
                    // With nanosecond precision tv_usec holds nanoseconds.
                    time: Timestamp::new(time.tv_sec, u32::try_from(time.tv_usec).unwrap_or(0)),
                    offset: bytes.len(),
                    caplen: packet.header.caplen,
                    len: packet.header.len,
                    block: batch.blocks.len() as u16,
                    interface: index as u16,
                    link: interface.link,
                });
                bytes.extend_from_slice(packet.data);
                interface.packets += 1;
                interface.bytes += u64::from(packet.header.caplen);
                if bytes.len() + super::MAX_RECORD as usize > BLOCK * 2 {
                    break;
                }
            }
            if !bytes.is_empty() {
                self.position += bytes.len() as u64;
                batch.blocks.push(Block::owned(bytes));
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
            dropped: i.counters,
            fault: None,
        };
        self.interfaces.iter().map(input).collect()
    }
}
