//! Kernel-filled rings (TPACKET_V3), one per worker and interface, divided by PACKET_FANOUT.
//!
//! A worker reads packets in place. A block returns to the kernel with its last reference.
//! Reassembly copies what must outlive a batch, such as out-of-order bytes.

mod fanout;
mod frames;
mod lane;
mod map;
mod socket;

pub use lane::{Fill, Lane};
pub use map::Lease;

use super::{LiveCounters, LiveOptions, Refused, fault, nic, reason_of, refusal, text_of};
use crate::capture::{Fault, Input, LinkType};
use crate::time::Span;
use frames::{Reading, TAG};
use lane::{Port, Ring};
use map::Map;
use socket::{Instruction, PacketSocket};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Size of a block, bytes. The largest merged packet (64 KiB) fits.
const BLOCK: usize = 128 << 10;
/// Fewest blocks per ring.
const MIN_BLOCKS: usize = 4;
/// Time after which the kernel delivers a partly filled block, milliseconds. A ring has enough
/// blocks for a worker to be busy for seconds, however few packets arrive.
const RETIRE_MS: u32 = 20;
/// How long a packet waits for older ones of other interfaces. The kernel's timer delivers a block
/// at its second tick at the latest.
const HOLD: Duration = Duration::from_millis(2 * RETIRE_MS as u64 + 15);
const HOLD_SPAN: Span = Span::millis(HOLD.as_millis() as i64);

/// Why rings could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The interface cannot be captured from at all.
    Fault(Fault),
    /// The interface or kernel has no rings, so libpcap must be used; the reason.
    NoRing(String),
}

impl OpenError {
    /// The reason, without the interface's name.
    fn reason(self) -> String {
        match self {
            Self::Fault(fault) => reason_of(&fault),
            Self::NoRing(why) => {
                let why = why.split_once(": ").map_or(why.as_str(), |(_, why)| why);
                format!("{why}, after a restart")
            }
        }
    }
}

/// All rings of all interfaces, for the main thread.
pub struct Rings {
    options: LiveOptions,
    lanes: usize,
    interfaces: Vec<Interface>,
    faults: Vec<Fault>,
    notices: Vec<String>,
}

struct Interface {
    name: String,
    port: Arc<Port>,
    /// `None` while the interface is lost.
    open: Option<Opened>,
    link: Option<Link>,
    counters: LiveCounters,
    nic: nic::Losses,
    /// Whether the interface exists without a link.
    down: bool,
    refused: Refused,
}

/// The sockets of an interface.
struct Opened {
    index: i32,
    sockets: Vec<Arc<PacketSocket>>,
}

/// Link properties that libpcap reports.
#[derive(Clone)]
struct Link {
    kind: LinkType,
    /// The kernel's number for the kind of interface.
    hardware: String,
    filter: Vec<Instruction>,
}

impl Rings {
    /// Opens all interfaces for `lanes` workers. With `wait`, missing ones are waited for.
    ///
    /// # Errors
    /// The first interface that cannot be opened: a sensor that watches only some of them must not
    /// look healthy.
    pub fn open(
        options: &LiveOptions,
        lanes: usize,
        wait: bool,
    ) -> Result<(Self, Vec<Lane>), OpenError> {
        let mut rings = Self {
            options: options.clone(),
            lanes,
            interfaces: Vec::new(),
            faults: Vec::new(),
            notices: Vec::new(),
        };
        for name in &options.interfaces {
            let mut interface = Interface {
                name: name.clone(),
                port: Arc::new(Port::new(lanes)),
                open: None,
                link: None,
                counters: LiveCounters::default(),
                nic: nic::Losses::of(name),
                down: false,
                refused: Refused::default(),
            };
            let absent = !nic::is_up(name);
            match interface.open(options, lanes, &mut rings.notices) {
                Err(OpenError::Fault(fault)) if wait && absent && name != "any" => {
                    rings.faults.push(waiting(&fault));
                }
                other => other?,
            }
            rings.interfaces.push(interface);
        }
        let ports: Vec<Arc<Port>> = rings.interfaces.iter().map(|i| Arc::clone(&i.port)).collect();
        let lanes = (0..lanes).map(|lane| Lane::new(lane, &ports)).collect();
        rings.check();
        Ok((rings, lanes))
    }

    /// Records which interfaces are lost or without link, and reopens lost ones. To be called about
    /// once a second.
    pub fn check(&mut self) {
        for interface in &mut self.interfaces {
            if let Some(reason) = interface.lost() {
                interface.count();
                interface.open = None;
                self.faults.push(waiting(&fault(&interface.name, reason)));
            } else if interface.open.is_none() && nic::is_up(&interface.name) {
                match interface.open(&self.options, self.lanes, &mut self.notices) {
                    Ok(()) => {
                        interface.refused = Refused::default();
                        interface.nic.restart(&interface.name);
                        self.notices.push(format!("{} is back", interface.name));
                    }
                    Err(error) => {
                        let name = &interface.name;
                        let refused = &mut interface.refused;
                        self.faults.extend(refused.again(name, error.reason(), nic::is_up(name)));
                    }
                }
            }
            let open = interface.open.is_some();
            let down = open && nic::is_down(&interface.name);
            if down && !interface.down {
                let reason = "it has no link; check the cable, the mirror, and `ip link`";
                self.faults.push(fault(&interface.name, reason.to_owned()));
            } else if interface.down && !down && open {
                self.notices.push(format!("{} has a link again", interface.name));
            }
            interface.down = down;
        }
    }

    /// Takes the faults since the last call.
    pub fn take_faults(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
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

    /// Counters of each interface so far.
    pub fn inputs(&self) -> Vec<Input> {
        let input = |i: &Interface| Input {
            name: i.name.clone(),
            packets: i.port.packets.load(Ordering::Relaxed),
            bytes: i.port.bytes.load(Ordering::Relaxed),
            fault: i.open.is_none().then(|| "is gone".to_owned()),
            dropped: i.counters,
            down: i.down,
        };
        self.interfaces.iter().map(input).collect()
    }

    /// Names of the interfaces, in the order of [`Packet::interface`].
    ///
    /// [`Packet::interface`]: crate::capture::Packet::interface
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.interfaces.iter().map(|i| i.name.as_str())
    }
}

fn waiting(fault: &Fault) -> Fault {
    super::fault(&fault.name, format!("{}; waiting for it to come back", reason_of(fault)))
}

impl Interface {
    /// Why an open interface is lost, if it is.
    fn lost(&self) -> Option<String> {
        let open = self.open.as_ref()?;
        if nic::index(&self.name) != Some(open.index) {
            return Some("the interface is gone".to_owned());
        }
        // Query all sockets, so that none reports its error again.
        let errors: Vec<_> = open.sockets.iter().filter_map(|s| s.take_error()).collect();
        errors.first().map(|error| match error.raw_os_error() {
            Some(libc::ENETDOWN) => "the interface went down".to_owned(),
            _ => error.to_string(),
        })
    }

    fn count(&mut self) {
        let sockets = self.open.iter().flat_map(|open| &open.sockets);
        for statistics in sockets.filter_map(|socket| socket.statistics().ok()) {
            self.counters.kernel += statistics.drops;
            self.counters.freezes += statistics.freezes;
        }
        self.counters.interface = self.nic.read(&self.name);
    }

    /// Opens a ring for each lane and passes it to the lane.
    fn open(
        &mut self,
        options: &LiveOptions,
        lanes: usize,
        notices: &mut Vec<String>,
    ) -> Result<(), OpenError> {
        let hardware = nic::sys(&self.name, "type").unwrap_or_default();
        let link = match &self.link {
            Some(link) if link.hardware == hardware => link.clone(),
            _ => Link::of(&self.name, hardware, options)?,
        };
        let index = nic::index(&self.name);
        let index =
            index.ok_or_else(|| OpenError::Fault(fault(&self.name, refusal(&self.name, ""))))?;
        let reading = Reading {
            ethernet: link.kind == LinkType::ETHERNET,
            loopback: link.hardware.trim() == "772",
            pace: options.pace,
        };
        let (rings, smaller) = open_rings(&self.name, index, &link, options, lanes, reading)
            .map_err(|error| no_ring(&self.name, &error))?;
        if let Some(size) = smaller {
            let kib = size >> 10;
            notices.push(format!(
                "{}: not enough memory for the requested ring; it has {kib} KiB",
                self.name
            ));
        }
        if options.hardware_time
            && let Err(error) = rings.iter().try_for_each(|r| r.socket.hardware_time(&self.name))
        {
            let name = &self.name;
            notices.push(format!(
                "{name}: no timestamps of the adapter ({error}); using the kernel's"
            ));
        }
        self.link = Some(link);
        let sockets = rings.iter().map(|ring| Arc::clone(&ring.socket)).collect();
        for (ring, fresh) in rings.into_iter().zip(&self.port.fresh) {
            *fresh.lock().unwrap_or_else(PoisonError::into_inner) = Some(ring);
        }
        self.port.generation.fetch_add(1, Ordering::Release);
        self.open = Some(Opened { index, sockets });
        Ok(())
    }
}

/// Maps a failed call to its meaning: no rings for this kernel or interface, or an interface that
/// nothing can read.
fn no_ring(name: &str, error: &io::Error) -> OpenError {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES | libc::ENODEV | libc::ENETDOWN) => {
            OpenError::Fault(fault(name, refusal(name, &error.to_string())))
        }
        _ => OpenError::NoRing(format!("{name}: no ring ({error})")),
    }
}

impl Link {
    /// Reads the link type from libpcap, and has it compile the filter.
    fn of(name: &str, hardware: String, options: &LiveOptions) -> Result<Self, OpenError> {
        let refused = |e: pcap::Error| OpenError::Fault(fault(name, refusal(name, &text_of(&e))));
        let capture = pcap::Capture::from_device(name)
            .map_err(refused)?
            .snaplen(i32::try_from(options.snaplen).unwrap_or(i32::MAX))
            .open()
            .map_err(refused)?;
        let kind = u16::try_from(capture.get_datalink().0).unwrap_or(u16::MAX);
        let kind = LinkType(kind);
        let known = [
            LinkType::ETHERNET,
            LinkType::RAW_BSD,
            LinkType::RAW,
            LinkType::IEEE802_11,
            LinkType::IEEE802_11_RADIOTAP,
        ];
        if !known.contains(&kind) {
            return Err(OpenError::NoRing(format!(
                "{name}: link type {} is read through libpcap",
                kind.name().map_or_else(|| kind.0.to_string(), str::to_owned)
            )));
        }
        let filter = match &options.filter {
            // Accept every packet, up to this length.
            None => vec![Instruction { code: 0x06, jt: 0, jf: 0, k: options.snaplen }],
            Some(expression) => {
                let program = capture.compile(expression, true).map_err(refused)?;
                instructions(&program)
                    .ok_or_else(|| OpenError::NoRing(format!("{name}: the filter is unreadable")))?
            }
        };
        Ok(Self { kind, hardware, filter })
    }
}

/// The instructions of a compiled filter. libpcap's type exposes them only as text.
fn instructions(program: &pcap::BpfProgram) -> Option<Vec<Instruction>> {
    let read = |instruction: &pcap::BpfInstruction| {
        let text = instruction.to_string();
        let mut numbers = text.split_whitespace();
        let found = Instruction {
            code: numbers.next()?.parse().ok()?,
            jt: numbers.next()?.parse().ok()?,
            jf: numbers.next()?.parse().ok()?,
            k: numbers.next()?.parse().ok()?,
        };
        numbers.next().is_none().then_some(found)
    };
    program.get_instructions().iter().map(read).collect()
}

/// Opens the rings of an interface as one group. Returns the size in bytes if it had to be reduced.
fn open_rings(
    name: &str,
    index: i32,
    link: &Link,
    options: &LiveOptions,
    lanes: usize,
    reading: Reading,
) -> io::Result<(Vec<Ring>, Option<usize>)> {
    let wanted = (options.ring / lanes.max(1) / BLOCK).max(MIN_BLOCKS);
    let mut blocks = wanted;
    let mut rings: Vec<Ring> = Vec::new();
    while rings.len() < lanes {
        match open_ring(blocks, link.kind, reading) {
            Ok(ring) => rings.push(ring),
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && blocks > MIN_BLOCKS => {
                blocks = (blocks / 2).max(MIN_BLOCKS);
                rings.clear();
            }
            Err(error) => return Err(error),
        }
    }
    // Accept nothing until the group is complete: each socket would get every packet.
    let nothing = [Instruction { code: 0x06, jt: 0, jf: 0, k: 0 }];
    let mut group = None;
    for ring in &rings {
        let socket = &ring.socket;
        socket.filter(&nothing)?;
        socket.bind(index)?;
        socket.promiscuous(index)?;
        if lanes > 1 {
            match group {
                None => group = Some(socket.found_group()?),
                Some(group) => socket.join_group(group)?,
            }
        }
    }
    if let (Some(_), Some(first)) = (group, rings.first()) {
        first.socket.divide_group(&fanout::program())?;
    }
    for ring in &rings {
        ring.socket.filter(&link.filter)?;
    }
    tracing::info!(interface = name, rings = lanes, bytes = blocks * BLOCK, "opened");
    Ok((rings, (blocks < wanted).then_some(blocks * BLOCK * lanes)))
}

fn open_ring(blocks: usize, link: LinkType, reading: Reading) -> io::Result<Ring> {
    let socket = PacketSocket::new()?;
    let count = u32::try_from(blocks).map_err(|_| io::ErrorKind::InvalidInput)?;
    socket.ring(count, BLOCK as u32, TAG as u32, RETIRE_MS)?;
    let map = Map::new(std::os::fd::AsFd::as_fd(&socket), blocks, BLOCK)?;
    Ok(Ring { socket: Arc::new(socket), map: Arc::new(map), reading, link, next: 0 })
}
