//! The flow table of one worker: which packets belong together, and when a flow is over.
//!
//! Time is packet time, the latest seen. Workers share nothing; both directions of a flow reach the same worker.

use super::conversation::{Conversation, StreamSink, TcpSegment};
use super::copies::Copies;
use super::counters::ConversationCounters;
use super::orientation::{answers_as_client, guess, initial, orient};
use super::slab::Slab;
use super::{End, FlowInfo, Orientation, Side, Transport};
use crate::capture::PacketRef;
use crate::decode::{Decoded, FlowKey, tcp_flags, timestamp};
use crate::time::{Span, Timestamp};
use hashbrown::HashTable;
use std::collections::VecDeque;
use std::hint::black_box;

/// How long an ended TCP flow is remembered, so that late copies of its packets start no new one.
const LINGER: Span = Span::seconds(30);
/// Packets of a flow between two measurements of its memory.
const WEIGH_EVERY: u32 = 16;
/// From this many flows on, entries are prefetched before their packets are processed; fewer stay in the cache of a
/// core.
const WARM_FROM: usize = 2_048;

/// Limits of a table.
#[derive(Clone, Copy, Debug)]
pub struct TableLimits {
    /// Flows at the same time.
    pub flows: usize,
    /// Bytes of state.
    pub memory: usize,
    /// Bytes buffered out of order for one direction.
    pub window: usize,
    /// Time after which a silent TCP flow is over.
    pub tcp_idle: Span,
    /// Time after which a silent UDP flow is over.
    pub udp_idle: Span,
}

/// The table's entry of a flow; the flow's state is kept beside it.
#[derive(Clone, Copy, Debug)]
pub struct FlowHead {
    /// The key.
    pub key: FlowKey,
    /// Which end opened it.
    pub orientation: Orientation,
    /// Outermost VLAN identifier of its first packet.
    pub vlan: u16,
    /// Identifier of the VLAN inside it.
    pub inner_vlan: u16,
    /// Interface of its first packet.
    pub interface: u16,
    /// Number of its first packet in the run; unique.
    pub first_packet: u64,
    /// Time of its first packet.
    pub started: Timestamp,
    /// Sequence number of the SYN that opened it, if its first packet shows it.
    pub initial: Option<u32>,
    /// Payload bytes so far, as on the wire, copies included.
    pub bytes: u64,
    /// Those of them that the snap length cut off.
    pub cut: u64,
}

impl FlowHead {
    /// The flow as events describe it, given which side is the client.
    pub fn info(&self, client: Side) -> FlowInfo {
        FlowInfo {
            client: self.key.end(client).to_socket_addr(),
            server: self.key.end(client.other()).to_socket_addr(),
            transport: self.key.transport,
            vlan: self.vlan,
            inner_vlan: self.inner_vlan,
            started: self.started,
            initial: self.initial,
            interface: self.interface,
            announced_by: None,
        }
    }
}

/// Receives the events of flows. The pipeline implements it; `S` is its state of a flow.
pub trait Handler<S> {
    /// A new flow.
    fn open(&mut self, flow: &FlowHead) -> S;
    /// In-order bytes that `packet` carried. Returns how many of the following bytes of this side to skip.
    fn data(
        &mut self,
        flow: &FlowHead,
        state: &mut S,
        side: Side,
        bytes: &[u8],
        packet: PacketRef,
    ) -> u64;
    /// Lost bytes; returns the same.
    fn gap(&mut self, flow: &FlowHead, state: &mut S, side: Side, len: u64) -> u64;
    /// One side has ended.
    fn end(&mut self, flow: &FlowHead, state: &mut S, side: Side, end: End);
    /// A UDP datagram. Returns false if no further one is of interest.
    fn datagram(&mut self, flow: &FlowHead, state: &mut S, side: Side, bytes: &[u8]) -> bool;
    /// The flow is over; nothing more follows.
    fn close(&mut self, flow: &FlowHead, state: S, end: End);
    /// Whether to pass over a segment with payload unread because the worker is overloaded. It leaves a gap.
    fn sheds(&mut self, flow: &FlowHead, state: &mut S, segment: &Decoded) -> bool {
        let _ = (flow, state, segment);
        false
    }
    /// Whether the state of the last flow has grown much since the last call.
    fn grew(&mut self) -> bool {
        false
    }
    /// Bytes of heap that the state holds, roughly.
    fn memory(&self, state: &S) -> usize;
}

/// Counters of a table.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct TableCounters {
    /// Flows opened.
    pub opened: u64,
    /// Flows given up at a limit.
    pub evicted: u64,
    /// Packets of flows that have ended.
    pub late_packets: u64,
    /// Reassembly.
    pub tcp: ConversationCounters,
}

struct Entry<S> {
    head: FlowHead,
    hash: u64,
    last: Timestamp,
    /// Packets that were read, not only counted.
    packets: u32,
    generation: u32,
    weight: usize,
    queued: Class,
    on_watch: bool,
    tcp: Conversation,
    /// `None` once the flow is over.
    state: Option<S>,
    /// UDP: no further datagram is of interest.
    ignored: bool,
    /// TCP: a SYN, perhaps forged, announced another conversation between the same ends while this one continued.
    /// Each packet goes to the conversation whose sequence numbers it fits.
    contested: bool,
    /// UDP: recent datagrams.
    copies: Option<Box<Copies>>,
}

impl<S> Entry<S> {
    /// Counts a packet of the flow.
    #[inline]
    fn count(&mut self, now: Timestamp, segment: &Decoded) {
        self.last = now;
        self.head.bytes += u64::from(segment.len) + u64::from(segment.missing);
        self.head.cut += u64::from(segment.missing);
    }
}

/// Flows with the same time-out share a queue, which therefore stays sorted by time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Tcp = 0,
    Udp = 1,
    Over = 2,
}

/// A queued flow: when it was queued, and which one it is.
type Queued = (Timestamp, u32, u32);

/// Flows of one worker.
pub struct Table<S> {
    limits: TableLimits,
    entries: Slab<Entry<S>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    queues: [VecDeque<Queued>; 3],
    /// Flows in which something waits for a time-out.
    watch: Vec<(u32, u32)>,
    now: Timestamp,
    memory: usize,
    stats: TableCounters,
}

/// Connects a handler, a flow and its state with the reassembler.
struct Sink<'a, S, H> {
    handler: &'a mut H,
    head: &'a FlowHead,
    state: &'a mut S,
}

impl<S, H: Handler<S>> StreamSink for Sink<'_, S, H> {
    fn data(&mut self, side: Side, bytes: &[u8], packet: PacketRef) -> u64 {
        self.handler.data(self.head, self.state, side, bytes, packet)
    }
    fn gap(&mut self, side: Side, len: u64) -> u64 {
        self.handler.gap(self.head, self.state, side, len)
    }
    fn end(&mut self, side: Side, end: End) {
        self.handler.end(self.head, self.state, side, end);
    }
}

/// A packet for the table.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Its number in the run.
    pub number: u64,
    /// Packet time that never runs backwards: the latest of the run so far.
    pub clock: Timestamp,
    /// Hash of its key, the same for both directions.
    pub hash: u64,
    /// Identifies the packet.
    pub packet: PacketRef,
    /// Its headers.
    pub segment: &'a Decoded,
    /// The options of its TCP header.
    pub options: &'a [u8],
    /// Its captured payload.
    pub payload: &'a [u8],
}

impl<S> Table<S> {
    /// An empty table.
    pub fn new(limits: TableLimits) -> Self {
        Self {
            limits,
            entries: Slab::default(),
            free: Vec::new(),
            index: HashTable::new(),
            queues: [VecDeque::new(), VecDeque::new(), VecDeque::new()],
            watch: Vec::new(),
            now: Timestamp(i64::MIN),
            memory: 0,
            stats: TableCounters::default(),
        }
    }

    /// Flows that are not over.
    pub fn active(&self) -> usize {
        self.index.len().saturating_sub(self.queues[Class::Over as usize].len())
    }

    /// Bytes of state, roughly.
    pub const fn memory(&self) -> usize {
        self.memory
    }

    /// What was counted since the last call.
    pub fn take_stats(&mut self) -> TableCounters {
        std::mem::take(&mut self.stats)
    }

    /// Prefetches the flows of the next packets, by their hashes. Where there are more flows than a cache holds,
    /// their memory accesses then overlap.
    #[inline]
    pub fn warm(&self, hashes: impl Iterator<Item = u64>) {
        if self.index.len() < WARM_FROM {
            return;
        }
        for hash in hashes {
            // Most often only one flow has these bits of the hash.
            if let Some(&slot) = self.index.find(hash, |_| true) {
                let entry = &self.entries[slot as usize];
                let [low, high] = &entry.tcp.halves;
                black_box((entry.last, entry.head.bytes, entry.tcp.calm, low.top, high.top));
            }
        }
    }

    /// Hands a packet to its flow.
    #[inline]
    pub fn packet(&mut self, arrival: &Arrival<'_>, handler: &mut impl Handler<S>) {
        self.now = self.now.max(arrival.clock);
        let segment = arrival.segment;
        let mut tcp = tcp_segment(segment, arrival.packet);
        let found = self.find(arrival, &tcp);
        if found.is_some_and(|slot| self.pass(slot, segment, &tcp)) {
            return;
        }
        let Some(slot) = self.slot(found, arrival, &tcp, handler) else { return };
        tcp.timestamp = timestamp(arrival.options);
        let entry = &mut self.entries[slot as usize];
        entry.count(self.now, segment);
        entry.packets = entry.packets.wrapping_add(1);
        let Some(state) = entry.state.as_mut() else {
            self.stats.late_packets += 1;
            return;
        };
        // Packets that open or end a conversation are few and important.
        let framing = tcp_flags::SYN | tcp_flags::FIN | tcp_flags::RST;
        if segment.len > 0
            && segment.flags & framing == 0
            && handler.sheds(&entry.head, state, segment)
        {
            return;
        }
        if segment.key.transport == Transport::Udp {
            if !entry.ignored && !entry.copies.as_mut().is_some_and(|c| c.seen(arrival)) {
                entry.ignored =
                    !handler.datagram(&entry.head, state, segment.from, arrival.payload);
            }
        } else {
            orient(&mut entry.head, segment);
            let mut sink = Sink { handler, head: &entry.head, state };
            entry.tcp.segment(self.now, &tcp, arrival.payload, self.limits.window, &mut sink);
            if entry.tcp.is_ended() {
                self.over(slot, End::Fin, handler);
                return;
            }
            if entry.tcp.waits() && !entry.on_watch {
                entry.on_watch = true;
                self.watch.push((slot, entry.generation));
            }
        }
        let entry = &mut self.entries[slot as usize];
        if handler.grew() || entry.packets % WEIGH_EVERY == 1 || entry.tcp.waits() {
            self.weigh(slot, handler);
            while self.memory > self.limits.memory && self.evict(handler) {}
        }
    }

    /// The slot of a packet's flow, if it is known.
    #[inline]
    fn find(&self, arrival: &Arrival<'_>, tcp: &TcpSegment) -> Option<u32> {
        let (entries, segment) = (&self.entries, arrival.segment);
        let belongs = |&slot: &u32| {
            let entry = &entries[slot as usize];
            entry.head.key == segment.key
                && ((entry.head.vlan == segment.vlan
                    && entry.head.inner_vlan == segment.inner_vlan
                    && !entry.contested)
                    || segment.key.transport == Transport::Udp
                    || entry.tcp.fits(tcp))
        };
        let found = *self.index.find(arrival.hash, belongs)?;
        if !entries[found as usize].contested {
            return Some(found);
        }
        // Of several conversations between the same ports, the one whose numbers are nearest; the order of the hash
        // table must not decide.
        let all = self.index.iter_hash(arrival.hash).copied().filter(belongs);
        all.min_by_key(|&slot| (entries[slot as usize].tcp.distance(tcp), slot))
    }

    /// Hands a packet to its flow if it only advances numbers: most packets of encrypted traffic and of skipped
    /// bodies, and bare acknowledgments.
    #[inline]
    fn pass(&mut self, slot: u32, segment: &Decoded, tcp: &TcpSegment) -> bool {
        let now = self.now;
        let entry = &mut self.entries[slot as usize];
        let len = u64::from(segment.len) + u64::from(segment.missing);
        let passes = segment.key.transport == Transport::Tcp
            && entry.state.is_some()
            && entry.tcp.pass(tcp, len);
        if passes {
            entry.count(now, segment);
        }
        passes
    }

    /// The slot of a packet's flow: `found`, or a new one for the first packet of a flow.
    fn slot(
        &mut self,
        found: Option<u32>,
        arrival: &Arrival<'_>,
        tcp: &TcpSegment,
        handler: &mut impl Handler<S>,
    ) -> Option<u32> {
        let segment = arrival.segment;
        if let Some(slot) = found {
            let is_tcp = segment.key.transport == Transport::Tcp;
            let len = u64::from(segment.len) + u64::from(segment.missing);
            let entry = &mut self.entries[slot as usize];
            let forged = entry.state.is_some() && answers_as_client(&entry.head, segment);
            if !is_tcp || forged || !entry.tcp.is_another(tcp, len) {
                return Some(slot);
            }
            let near = entry.tcp.fits(tcp);
            if entry.state.is_none() || near || entry.tcp.is_finished() || entry.tcp.is_revived() {
                self.remove(slot, End::Cut, handler);
            } else {
                // A forged SYN must not end an active conversation; the old one ends by its time-out.
                entry.contested = true;
                while self.index.len() >= self.limits.flows && self.evict(handler) {}
                let slot = self.insert(arrival, handler);
                self.entries[slot as usize].contested = true;
                return Some(slot);
            }
        }
        // A bare acknowledgment or reset of an unknown flow carries no information.
        let syn = segment.flags & tcp_flags::SYN != 0;
        let says_something = syn || segment.len > 0 || segment.missing > 0;
        if !says_something {
            return None;
        }
        while self.index.len() >= self.limits.flows && self.evict(handler) {}
        Some(self.insert(arrival, handler))
    }

    fn insert(&mut self, arrival: &Arrival<'_>, handler: &mut impl Handler<S>) -> u32 {
        let segment = arrival.segment;
        let head = FlowHead {
            key: segment.key,
            orientation: guess(segment),
            vlan: segment.vlan,
            inner_vlan: segment.inner_vlan,
            interface: arrival.packet.interface,
            first_packet: arrival.number,
            started: arrival.packet.time,
            initial: initial(segment),
            bytes: 0,
            cut: 0,
        };
        let class = if segment.key.transport == Transport::Tcp { Class::Tcp } else { Class::Udp };
        let entry = Entry {
            head,
            hash: arrival.hash,
            last: self.now,
            packets: 0,
            generation: 0,
            weight: std::mem::size_of::<Entry<S>>(),
            queued: class,
            on_watch: false,
            tcp: Conversation::default(),
            state: Some(handler.open(&head)),
            ignored: false,
            contested: false,
            copies: (class == Class::Udp).then(Box::default),
        };
        self.stats.opened += 1;
        self.memory += entry.weight;
        let slot = match self.free.pop() {
            Some(slot) => {
                let generation = self.entries[slot as usize].generation;
                self.entries[slot as usize] = Entry { generation, ..entry };
                slot
            }
            // At most `limits.flows` entries, far below 2^32.
            None => self.entries.push(entry) as u32,
        };
        let entries = &self.entries;
        self.index.insert_unique(arrival.hash, slot, |&s| entries[s as usize].hash);
        let generation = self.entries[slot as usize].generation;
        self.queues[class as usize].push_back((self.now, slot, generation));
        slot
    }

    fn weigh(&mut self, slot: u32, handler: &impl Handler<S>) {
        let entry = &mut self.entries[slot as usize];
        let weight = std::mem::size_of::<Entry<S>>()
            + entry.tcp.memory()
            + entry.state.as_ref().map_or(0, |s| handler.memory(s));
        self.memory = self.memory + weight - entry.weight;
        entry.weight = weight;
    }

    /// Ends a flow: drops its state, and keeps its key for a while.
    fn over(&mut self, slot: u32, end: End, handler: &mut impl Handler<S>) {
        let entry = &mut self.entries[slot as usize];
        if let Some(state) = entry.state.take() {
            handler.close(&entry.head, state, end);
        }
        self.stats.tcp += entry.tcp.take_stats();
        entry.queued = Class::Over;
        let generation = entry.generation;
        self.queues[Class::Over as usize].push_back((self.now, slot, generation));
        self.weigh(slot, handler);
    }

    /// Forgets a flow altogether.
    fn remove(&mut self, slot: u32, end: End, handler: &mut impl Handler<S>) {
        let entry = &mut self.entries[slot as usize];
        if let Some(mut state) = entry.state.take() {
            if entry.head.key.transport == Transport::Tcp {
                let mut sink = Sink { handler, head: &entry.head, state: &mut state };
                entry.tcp.finish(end, &mut sink);
            }
            handler.close(&entry.head, state, end);
        }
        self.stats.tcp += entry.tcp.take_stats();
        entry.generation = entry.generation.wrapping_add(1);
        entry.tcp = Conversation::default();
        self.memory -= std::mem::take(&mut entry.weight);
        if let Ok(found) = self.index.find_entry(entry.hash, |&s| s == slot) {
            found.remove();
        }
        self.free.push(slot);
    }

    /// Gives up the least valuable flow: one that is over, else the one that was idle for longest.
    fn evict(&mut self, handler: &mut impl Handler<S>) -> bool {
        for class in [Class::Over, Class::Udp, Class::Tcp] {
            while let Some((_, slot, generation)) = self.queues[class as usize].pop_front() {
                let entry = &self.entries[slot as usize];
                if entry.generation == generation && entry.queued == class {
                    self.stats.evicted += u64::from(entry.state.is_some());
                    self.remove(slot, End::Cut, handler);
                    return true;
                }
            }
        }
        false
    }

    /// Packet time reached `now`: flows that waited long enough continue, idle flows end.
    pub fn tick(&mut self, now: Timestamp, handler: &mut impl Handler<S>) {
        self.now = self.now.max(now);
        let mut watch = std::mem::take(&mut self.watch);
        watch.retain(|&(slot, generation)| {
            let entry = &mut self.entries[slot as usize];
            if entry.generation != generation {
                return false;
            }
            let Some(state) = entry.state.as_mut() else { return false };
            let mut sink = Sink { handler, head: &entry.head, state };
            entry.tcp.tick(self.now, &mut sink);
            entry.on_watch = entry.tcp.waits();
            if entry.tcp.is_ended() {
                entry.on_watch = false;
                self.over(slot, End::Reset, handler);
                return false;
            }
            // Waiting data was just read, and its reader may have grown.
            self.weigh(slot, handler);
            self.entries[slot as usize].on_watch
        });
        self.watch.append(&mut watch);
        while self.memory > self.limits.memory && self.evict(handler) {}
        let idle = [self.limits.tcp_idle, self.limits.udp_idle, LINGER];
        for class in [Class::Tcp, Class::Udp, Class::Over] {
            let idle = idle[class as usize];
            while let Some(&(since, slot, generation)) = self.queues[class as usize].front() {
                if self.now - since < idle {
                    break;
                }
                self.queues[class as usize].pop_front();
                let entry = &self.entries[slot as usize];
                if entry.generation != generation || entry.queued != class {
                    continue;
                }
                if self.now - entry.last < idle && class != Class::Over {
                    self.queues[class as usize].push_back((self.now, slot, generation));
                    continue;
                }
                self.remove(slot, End::Timeout, handler);
            }
        }
    }

    /// Every flow, the oldest first.
    pub fn oldest_first(&self) -> Vec<u32> {
        let mut slots: Vec<u32> = self.index.iter().copied().collect();
        slots.sort_by_key(|&slot| self.entries[slot as usize].head.first_packet);
        slots
    }

    /// The run has ended: ends these flows of [`Table::oldest_first`]. Returns the first packet of the last one.
    pub fn finish_some(&mut self, slots: &[u32], handler: &mut impl Handler<S>) -> u64 {
        let mut first = 0;
        for &slot in slots {
            first = self.entries[slot as usize].head.first_packet;
            self.remove(slot, End::Cut, handler);
        }
        first
    }

    /// The run has ended: ends every flow, the oldest first.
    pub fn finish(&mut self, handler: &mut impl Handler<S>) {
        let all = self.oldest_first();
        self.finish_some(&all, handler);
    }
}

fn tcp_segment(segment: &Decoded, packet: PacketRef) -> TcpSegment {
    TcpSegment {
        from: segment.from,
        seq: segment.seq,
        ack: segment.ack,
        flags: segment.flags,
        ttl: segment.ttl,
        timestamp: 0,
        missing: segment.missing,
        packet,
    }
}
