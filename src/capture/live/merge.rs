//! Merges packets of several interfaces by packet time.
//!
//! The kernel delivers a packet within [`LATENCY`] of its time, so a packet waits slightly longer
//! than that for older ones of other interfaces.

use super::LATENCY;
use crate::capture::{BATCH_PACKETS, Batch, Block, Packet};
use std::collections::VecDeque;
use std::time::Duration;

/// How long a packet waits for older ones of other interfaces.
const HOLD: Duration = LATENCY.saturating_add(Duration::from_millis(20));
/// Most bytes of an interface that wait; beyond it the interface is not read.
const MAX_WAITING: usize = 8 << 20;

/// Packets read together.
struct Chunk {
    block: Block,
    packets: VecDeque<Packet>,
    /// When they were read, since the start.
    read: Duration,
}

/// Waiting packets, by interface.
pub(super) struct Merge {
    waiting: Vec<VecDeque<Chunk>>,
}

impl Merge {
    /// Creates a merge of `interfaces` interfaces.
    pub fn new(interfaces: usize) -> Self {
        Self { waiting: (0..interfaces).map(|_| VecDeque::new()).collect() }
    }

    /// Whether packets of an interface may be added.
    pub fn has_room(&self, interface: usize) -> bool {
        let chunks = self.waiting.get(interface).into_iter().flatten();
        chunks.map(|chunk| chunk.block.bytes().len()).sum::<usize>() < MAX_WAITING
    }

    /// Adds packets of an interface in order; their bytes are in `block`.
    pub fn add(&mut self, interface: usize, block: Block, packets: Vec<Packet>, now: Duration) {
        if let (false, Some(waiting)) = (packets.is_empty(), self.waiting.get_mut(interface)) {
            waiting.push_back(Chunk { block, packets: packets.into(), read: now });
        }
    }

    /// Whether packets wait.
    pub fn holds(&self) -> bool {
        self.waiting.iter().any(|chunks| !chunks.is_empty())
    }

    /// Moves packets to `batch` in order of time, as long as no older one can arrive. None can
    /// arrive from interfaces that are not `awaited`.
    pub fn take(&mut self, batch: &mut Batch, awaited: impl Fn(usize) -> bool, now: Duration) {
        while batch.packets.len() < BATCH_PACKETS {
            let heads = self.waiting.iter().enumerate().filter_map(|(interface, chunks)| {
                let chunk = chunks.front()?;
                Some((chunk.packets.front()?.time, interface, chunk.read))
            });
            let Some((_, interface, read)) = heads.min() else { break };
            let empty = |(i, chunks): (usize, &VecDeque<Chunk>)| chunks.is_empty() && awaited(i);
            let may_come = self.waiting.iter().enumerate().any(empty);
            if may_come && now.saturating_sub(read) < HOLD {
                break;
            }
            let Some(chunks) = self.waiting.get_mut(interface) else { break };
            let Some(chunk) = chunks.front_mut() else { break };
            if let Some(packet) = chunk.packets.pop_front() {
                let block = batch.block(&chunk.block);
                batch.packets.push(Packet { block, ..packet });
            }
            if chunk.packets.is_empty() {
                chunks.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::LinkType;
    use crate::time::Timestamp;

    fn packets(times: &[i64]) -> (Block, Vec<Packet>) {
        let packet = |time: &i64| Packet {
            time: Timestamp(*time),
            offset: 0,
            caplen: 1,
            len: 1,
            block: 0,
            number: 0,
            interface: 0,
            link: LinkType(1),
        };
        (Block::owned(vec![times[0] as u8]), times.iter().map(packet).collect())
    }

    fn add(merge: &mut Merge, interface: usize, times: &[i64], now: u64) {
        let (block, packets) = packets(times);
        merge.add(interface, block, packets, Duration::from_millis(now));
    }

    /// Times, and the first byte of each packet's block.
    fn taken(merge: &mut Merge, awaited: [bool; 2], now: u64) -> Vec<(i64, u8)> {
        let mut batch = Batch::default();
        merge.take(&mut batch, |i| awaited[i], Duration::from_millis(now));
        batch.packets.iter().map(|p| (p.time.0, batch.bytes(p)[0])).collect()
    }

    #[test]
    fn the_older_packet_of_another_interface_goes_first() {
        let mut merge = Merge::new(2);
        add(&mut merge, 0, &[1, 4, 5], 0);
        assert!(taken(&mut merge, [true; 2], 1).is_empty(), "an older one may still come");
        add(&mut merge, 1, &[2, 3, 6], 2);
        // After 5, nothing is known of the first interface.
        let expected = [(1, 1), (2, 2), (3, 2), (4, 1), (5, 1)];
        assert_eq!(taken(&mut merge, [true; 2], 3), expected);
        assert!(merge.holds());
        let late = 2 + HOLD.as_millis() as u64;
        assert!(taken(&mut merge, [true; 2], late - 1).is_empty());
        assert_eq!(taken(&mut merge, [true; 2], late), [(6, 2)], "it has waited long enough");
        assert!(!merge.holds());
    }

    #[test]
    fn nothing_waits_for_an_interface_that_is_gone_and_what_waits_has_a_ceiling() {
        let mut merge = Merge::new(2);
        add(&mut merge, 0, &[1, 2], 0);
        assert_eq!(taken(&mut merge, [true, false], 0), [(1, 1), (2, 1)]);
        for n in 0..20 {
            merge.add(0, Block::owned(vec![0; 1 << 20]), packets(&[n]).1, Duration::ZERO);
        }
        assert!(!merge.has_room(0) && merge.has_room(1));
    }
}
