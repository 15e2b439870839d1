//! The rings of one worker, one per interface, read as one timeline.

use super::frames::{Frame, Reading, frames};
use super::map::{Lease, Map};
use super::socket::PacketSocket;
use super::{HOLD, HOLD_SPAN};
use crate::capture::live::wait_readable;
use crate::capture::{BATCH_PACKETS, Batch, Block, LinkType, MAX_RECORD, Packet};
use crate::time::Timestamp;
use rustix::event::{PollFd, PollFlags};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Divisor: at most half the blocks of a ring are leased. Beyond it blocks are copied, so that the
/// kernel always has room.
const LEASED_SHARE: usize = 2;

/// A ring of one interface.
pub(super) struct Ring {
    pub socket: Arc<PacketSocket>,
    pub map: Arc<Map>,
    pub reading: Reading,
    pub link: LinkType,
    /// Index of the next block.
    pub next: usize,
}

impl Ring {
    fn lease(&mut self) -> Option<Lease> {
        let lease = self.map.lease(self.next)?;
        self.next = (self.next + 1) % self.map.blocks();
        Some(lease)
    }
}

/// An interface's state that lanes and the main thread share.
pub(super) struct Port {
    /// Incremented each time the interface is opened; a lane with an older number takes the new
    /// ring.
    pub generation: AtomicU64,
    /// The ring that each lane has not taken yet.
    pub fresh: Vec<Mutex<Option<Ring>>>,
    pub packets: AtomicU64,
    pub bytes: AtomicU64,
}

impl Port {
    pub fn new(lanes: usize) -> Self {
        Self {
            generation: AtomicU64::new(0),
            fresh: (0..lanes).map(|_| Mutex::new(None)).collect(),
            packets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }
}

/// The result of [`Lane::fill`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fill {
    /// Packets were added.
    Packets,
    /// Packets are there, but wait for older ones of another interface.
    Waiting,
    /// No packets.
    Idle,
}

/// The rings of one worker.
pub struct Lane {
    index: usize,
    slots: Vec<Slot>,
    /// Number of blocks read, and since when it has not changed. Older packets of other interfaces
    /// may arrive for a while after that.
    stall: (u64, Duration),
}

/// The ring of one interface, and the current block.
struct Slot {
    port: Arc<Port>,
    ring: Option<Ring>,
    generation: u64,
    block: Option<Block>,
    frames: Vec<Frame>,
    /// Index of the next frame in `frames`.
    next: usize,
    packets: u64,
    /// Blocks read so far.
    blocks: u64,
}

impl Slot {
    /// Switches to the ring of a reopened interface once the old one is empty.
    fn refresh(&mut self, lane: usize) {
        if self.port.generation.load(Ordering::Acquire) == self.generation || self.head().is_some()
        {
            return;
        }
        let Some(fresh) = self.port.fresh.get(lane) else { return };
        if let Some(ring) = fresh.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.ring = Some(ring);
        }
        self.generation = self.port.generation.load(Ordering::Acquire);
    }

    /// The time of the next packet.
    fn head(&mut self) -> Option<Timestamp> {
        while self.next >= self.frames.len() {
            let ring = self.ring.as_mut()?;
            self.block = None;
            let mut lease = ring.lease()?;
            self.blocks += 1;
            frames(lease.bytes_mut(), ring.reading, &mut self.frames);
            self.next = 0;
            let crowded = ring.map.leased() > ring.map.blocks() / LEASED_SHARE;
            self.block = Some(if crowded {
                Block::owned(lease.bytes().to_vec())
            } else {
                Block::leased(lease)
            });
        }
        self.frames.get(self.next).map(|frame| frame.time)
    }

    /// Adds the next packet to `batch`.
    fn take(&mut self, interface: u16, batch: &mut Batch) {
        let (Some(frame), Some(block)) = (self.frames.get(self.next), &self.block) else { return };
        let link = self.ring.as_ref().map_or(LinkType::ETHERNET, |ring| ring.link);
        self.next += 1;
        self.packets += 1;
        batch.packets.push(Packet {
            time: frame.time,
            offset: frame.offset as usize,
            caplen: frame.caplen.min(MAX_RECORD),
            len: frame.len,
            block: block.place_in(&mut batch.blocks),
            number: self.packets,
            interface,
            link,
        });
    }
}

impl Lane {
    pub(super) fn new(index: usize, ports: &[Arc<Port>]) -> Self {
        let slot = |port: &Arc<Port>| Slot {
            port: Arc::clone(port),
            ring: None,
            generation: 0,
            block: None,
            frames: Vec::new(),
            next: 0,
            packets: 0,
            blocks: 0,
        };
        Self { index, slots: ports.iter().map(slot).collect(), stall: (0, Duration::ZERO) }
    }

    /// Adds packets to an empty batch in order of time across interfaces. A packet waits until no
    /// older one can arrive: the kernel delivers packets within [`LATENCY`]. `elapsed` is any
    /// monotonic clock.
    ///
    /// [`LATENCY`]: crate::capture::LATENCY
    pub fn fill(&mut self, batch: &mut Batch, elapsed: Duration) -> Fill {
        let mut bytes = 0;
        for slot in &mut self.slots {
            slot.refresh(self.index);
        }
        // Read before any ring is found empty: packets older than this by `HOLD` must have arrived.
        let (newest, overdue) = self.horizon(elapsed);
        let mut waiting = false;
        while batch.packets.len() < BATCH_PACKETS {
            let mut first: Option<(Timestamp, usize)> = None;
            let mut complete = true;
            for (n, slot) in self.slots.iter_mut().enumerate() {
                match slot.head() {
                    Some(time) if first.is_none_or(|(earliest, _)| time < earliest) => {
                        first = Some((time, n));
                    }
                    Some(_) => {}
                    None => complete &= slot.ring.is_none(),
                }
            }
            let Some((time, n)) = first else { break };
            if !complete && !overdue && newest.is_none_or(|newest| time + HOLD_SPAN > newest) {
                waiting = true;
                break;
            }
            self.slots[n].take(n as u16, batch);
            bytes += u64::from(batch.packets.last().map_or(0, |packet| packet.caplen));
        }
        if batch.packets.is_empty() {
            return if waiting { Fill::Waiting } else { Fill::Idle };
        }
        self.count(batch, bytes);
        Fill::Packets
    }

    /// The time of the newest packet in any ring. Also whether no block has arrived for so long
    /// that nothing older can come.
    fn horizon(&mut self, elapsed: Duration) -> (Option<Timestamp>, bool) {
        if self.slots.len() == 1 {
            return (None, true);
        }
        let (mut newest, mut blocks) = (None, 0);
        for slot in &self.slots {
            let Some(ring) = &slot.ring else { continue };
            let (ready, last) = ring.map.waiting(ring.next);
            let last = last.map(|(s, ns)| Timestamp::new(s.into(), ns));
            newest = newest.max(last).max(slot.frames.last().map(|frame| frame.time));
            blocks += slot.blocks + ready as u64;
        }
        if blocks != self.stall.0 {
            self.stall = (blocks, elapsed);
        }
        (newest, elapsed.saturating_sub(self.stall.1) >= HOLD)
    }

    fn count(&self, batch: &Batch, bytes: u64) {
        if let [slot] = self.slots.as_slice() {
            slot.port.packets.fetch_add(batch.packets.len() as u64, Ordering::Relaxed);
            slot.port.bytes.fetch_add(bytes, Ordering::Relaxed);
            return;
        }
        for packet in &batch.packets {
            if let Some(slot) = self.slots.get(usize::from(packet.interface)) {
                slot.port.packets.fetch_add(1, Ordering::Relaxed);
                slot.port.bytes.fetch_add(packet.caplen.into(), Ordering::Relaxed);
            }
        }
    }

    /// Gives up the packets left at the end of a capture. Returns how many there are up to `until`.
    pub fn abandon(&mut self, until: Timestamp) -> u64 {
        let up_to = |frames: &[Frame]| frames.iter().filter(|f| f.time <= until).count() as u64;
        let mut unread = 0;
        for slot in &mut self.slots {
            unread += up_to(slot.frames.get(slot.next..).unwrap_or_default());
            (slot.block, slot.next) = (None, 0);
            slot.frames.clear();
            let Some(ring) = &mut slot.ring else { continue };
            // The kernel keeps filling returned blocks, so read each block once.
            for _ in 0..ring.map.blocks() {
                let Some(mut lease) = ring.lease() else { break };
                frames(lease.bytes_mut(), ring.reading, &mut slot.frames);
                unread += up_to(&slot.frames);
            }
            slot.frames.clear();
        }
        unread
    }

    /// Waits for a block, at most for `timeout`.
    pub fn wait(&mut self, timeout: Duration) {
        let held = self.slots.iter().any(|slot| slot.next < slot.frames.len());
        let timeout = if held { timeout.min(HOLD / 4) } else { timeout };
        // A ring with a leased block always polls as readable.
        let idle = self.slots.iter().filter(|slot| slot.next >= slot.frames.len());
        let rings = idle.filter_map(|slot| slot.ring.as_ref());
        let mut fds: Vec<PollFd<'_>> =
            rings.map(|ring| PollFd::new(&*ring.socket, PollFlags::IN)).collect();
        wait_readable(&mut fds, timeout);
    }

    /// Whether packets are left that can be read without waiting for the kernel.
    pub fn has_more(&self) -> bool {
        let more = |slot: &Slot| {
            let ready = |ring: &Ring| ring.map.is_ready(ring.next);
            slot.next < slot.frames.len() || slot.ring.as_ref().is_some_and(ready)
        };
        self.slots.iter().any(more)
    }

    /// Fill level of the fullest ring, 0 to 1.
    pub fn fullness(&self) -> f64 {
        let full =
            |ring: &Ring| ring.map.waiting(ring.next).0 as f64 / ring.map.blocks().max(1) as f64;
        self.slots.iter().filter_map(|slot| slot.ring.as_ref()).map(full).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Pace;

    /// A lane over rings in plain memory.
    fn lane(rings: usize) -> (Lane, Vec<Arc<Map>>) {
        let ports: Vec<Arc<Port>> = (0..rings).map(|_| Arc::new(Port::new(1))).collect();
        let maps: Vec<Arc<Map>> =
            (0..rings).map(|_| Arc::new(Map::anonymous(4, 1 << 12))).collect();
        for (port, map) in ports.iter().zip(&maps) {
            let Ok(socket) = PacketSocket::without_packets() else { panic!("a descriptor") };
            let ring = Ring {
                socket: Arc::new(socket),
                map: Arc::clone(map),
                reading: Reading { ethernet: true, loopback: false, pace: Pace::REAL },
                link: LinkType::ETHERNET,
                next: 0,
            };
            *port.fresh[0].lock().expect("lock") = Some(ring);
            port.generation.store(1, Ordering::Release);
        }
        (Lane::new(0, &ports), maps)
    }

    fn times(lane: &mut Lane, elapsed: u64) -> (Fill, Vec<(u16, i64)>) {
        let mut batch = Batch::default();
        let fill = lane.fill(&mut batch, Duration::from_millis(elapsed));
        let packets = batch.packets.iter().map(|p| (p.interface, p.time.0 / 1_000_000)).collect();
        (fill, packets)
    }

    #[test]
    fn one_ring_waits_for_no_other() {
        let (mut lane, maps) = lane(1);
        maps[0].hand_over(0, &[5, 6]);
        assert_eq!(times(&mut lane, 0), (Fill::Packets, vec![(0, 5), (0, 6)]));
        assert!(!lane.has_more());
        maps[0].hand_over(1, &[7]);
        assert!(lane.has_more());
        assert_eq!(times(&mut lane, 0), (Fill::Packets, vec![(0, 7)]));
        assert_eq!(times(&mut lane, 0).0, Fill::Idle);
        assert_eq!(maps[0].leased(), 0, "the block is the kernel's again");
    }

    #[test]
    fn two_rings_are_one_timeline() {
        let (mut lane, maps) = lane(2);
        maps[0].hand_over(0, &[10, 12, 14]);
        maps[1].hand_over(0, &[11, 13]);
        assert_eq!(
            times(&mut lane, 0).1,
            [(0, 10), (1, 11), (0, 12), (1, 13)],
            "14 may not be next"
        );
        assert_eq!(times(&mut lane, 1).0, Fill::Waiting);
        maps[1].hand_over(1, &[13, 15]);
        assert_eq!(times(&mut lane, 2).1, [(1, 13), (0, 14)]);
        // Nothing came for long enough, so nothing older can come.
        assert_eq!(times(&mut lane, 3).0, Fill::Waiting);
        assert_eq!(times(&mut lane, 3 + HOLD.as_millis() as u64).1, [(1, 15)]);
    }

    #[test]
    fn what_is_given_up_at_the_end_is_counted_up_to_the_end() {
        let (mut lane, maps) = lane(2);
        maps[0].hand_over(0, &[10, 11, 12]);
        maps[0].hand_over(1, &[13, 20]);
        maps[1].hand_over(0, &[9, 14]);
        assert_eq!(times(&mut lane, 0).1, [(1, 9), (0, 10), (0, 11), (0, 12), (0, 13), (1, 14)]);
        maps[1].hand_over(1, &[15, 16, 30]);
        let until = Timestamp(20_000_000);
        assert_eq!(lane.abandon(until), 3, "20, 15 and 16");
        assert_eq!((maps[0].leased(), maps[1].leased()), (0, 0));
        assert_eq!(lane.abandon(until), 0);
    }

    #[test]
    fn a_silent_interface_delays_a_busy_one_by_a_bounded_time_only() {
        let (mut lane, maps) = lane(2);
        let late = 12 + HOLD.as_millis() as u32;
        maps[0].hand_over(0, &[10, 11]);
        assert_eq!(times(&mut lane, 0).0, Fill::Waiting);
        // A later block of the same interface proves it without a clock.
        maps[0].hand_over(1, &[late, late + 1]);
        assert_eq!(times(&mut lane, 0).1, [(0, 10), (0, 11)]);
        assert_eq!(times(&mut lane, 0).0, Fill::Waiting);
    }
}
