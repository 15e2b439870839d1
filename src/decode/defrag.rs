//! Reassembles IP datagrams from fragments (RFC 791 3.2, RFC 8200 4.5).
//!
//! Fragments may come in any order. Where they overlap, the bytes that came first stay. Where they also
//! contradict each other, most hosts drop the whole datagram (RFC 5722, and Linux for IPv4 as well): it is
//! passed on as one that its receiver may not have taken. Everything is capped: datagrams, bytes of each,
//! bytes in all, and age in packet time.

use super::key::Endpoint;
use super::walk::{Fragment, Walk};
use crate::time::{Span, Timestamp};
use std::collections::{HashMap, VecDeque};

/// Largest datagram, bytes (RFC 791: total length is 16 bits).
pub const MAX_DATAGRAM: usize = 65_535;
/// Datagrams held at the same time.
const MAX_DATAGRAMS: usize = 4096;
/// Bytes of all of them, with their overhead.
pub const MAX_BYTES: usize = 64 << 20;
/// Approximate overhead of a fragment beyond its bytes, and of a datagram with one fragment.
const PIECE: usize = 40;
const DATAGRAM: usize = 256;
/// Fragments of one datagram.
const MAX_FRAGMENTS: usize = 1024;
/// Time after which an incomplete datagram is given up (RFC 8200 4.5: 60 seconds; half of that is Linux's limit).
const TIMEOUT: Span = Span::seconds(30);

/// Identifies a datagram (RFC 791 3.2, with the VLANs).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: [u8; 16],
    destination: [u8; 16],
    id: u32,
    protocol: u8,
    vlans: (u16, u16),
}

struct Partial {
    /// Number of the datagram.
    number: u64,
    started: Timestamp,
    /// Fragments with bytes that were not there before. Kept in pieces: an offset alone takes no memory.
    pieces: Vec<(u32, Box<[u8]>)>,
    /// Filled ranges, sorted, disjoint, not touching.
    filled: Vec<(u32, u32)>,
    /// Length of the whole, once the last fragment was seen.
    total: Option<u32>,
    fragments: u64,
    /// IP protocol number in the first fragment.
    protocol: Option<u8>,
    /// Two fragments gave different bytes for one place.
    contradicted: bool,
    /// Bytes of heap held, about.
    memory: usize,
}

/// A reassembled datagram.
pub(super) struct Datagram {
    pub source: Endpoint,
    pub destination: Endpoint,
    /// The outermost VLAN and the one inside it.
    pub vlans: (u16, u16),
    pub protocol: u8,
    pub payload: Vec<u8>,
    /// Two fragments gave different bytes for one place.
    pub contradicted: bool,
}

/// Holds the fragments of incomplete datagrams.
pub struct Defragmenter {
    /// Most bytes held, and bytes held.
    most: usize,
    held: usize,
    partial: HashMap<Key, Partial, foldhash::fast::RandomState>,
    /// In order of start, for time-outs and the cap.
    order: VecDeque<(Timestamp, Key)>,
    lost: u64,
    /// Datagrams begun so far.
    begun: u64,
    /// Number of the datagram to which the last fragment was added.
    last: u64,
}

impl Default for Defragmenter {
    fn default() -> Self {
        Self::within(MAX_BYTES)
    }
}

impl Defragmenter {
    /// Holds at most `memory` bytes, and at most [`MAX_BYTES`].
    pub fn within(memory: usize) -> Self {
        Self {
            most: memory.min(MAX_BYTES),
            held: 0,
            partial: HashMap::default(),
            order: VecDeque::new(),
            lost: 0,
            begun: 0,
            last: 0,
        }
    }

    /// Adds the fragment at the walk's position. Returns the datagram, if it is now complete.
    pub(super) fn add(
        &mut self,
        now: Timestamp,
        walk: &Walk<'_>,
        fragment: Fragment,
    ) -> Option<Datagram> {
        self.expire(now);
        let key = Key {
            source: walk.source.address,
            destination: walk.destination.address,
            id: fragment.id,
            protocol: fragment.key_protocol,
            vlans: (walk.vlan, walk.inner_vlan),
        };
        let bytes = walk.rest();
        let start = fragment.offset as usize;
        let end = start + bytes.len();
        self.last = 0;
        if end > MAX_DATAGRAM || (bytes.is_empty() && fragment.more) || walk.is_cut() {
            self.lost += 1;
            return None;
        }
        if !self.partial.contains_key(&key) {
            while self.partial.len() >= MAX_DATAGRAMS {
                self.drop_oldest();
            }
            self.order.push_back((now, key));
            self.begun += 1;
        }
        let number = self.begun;
        let partial = self.partial.entry(key).or_insert_with(|| Partial {
            number,
            started: now,
            pieces: Vec::new(),
            filled: Vec::new(),
            total: None,
            fragments: 0,
            protocol: None,
            contradicted: false,
            memory: 0,
        });
        self.last = partial.number;
        partial.fragments += 1;
        if start == 0 {
            partial.protocol.get_or_insert(fragment.protocol);
        }
        if partial.pieces.len() < MAX_FRAGMENTS {
            self.held += partial.fill(start as u32, bytes);
        }
        if !fragment.more {
            partial.total.get_or_insert(end as u32);
        }
        let whole = partial.total.filter(|total| partial.filled.first() == Some(&(0, *total)));
        let Some(total) = whole else {
            while self.held > self.most && self.partial.len() > 1 {
                self.drop_oldest();
            }
            return None;
        };
        let whole = self.partial.remove(&key)?;
        self.held -= whole.memory;
        Some(Datagram {
            source: walk.source,
            destination: walk.destination,
            vlans: (walk.vlan, walk.inner_vlan),
            protocol: whole.protocol.unwrap_or(fragment.protocol),
            contradicted: whole.contradicted,
            payload: whole.assemble(total as usize),
        })
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some((started, _)) = self.order.front() {
            if now - *started < TIMEOUT {
                break;
            }
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((started, key)) = self.order.pop_front()
            && self.partial.get(&key).is_some_and(|p| p.started == started)
            && let Some(partial) = self.partial.remove(&key)
        {
            self.lost += partial.fragments;
            self.held -= partial.memory;
        }
    }

    /// Gives up everything.
    pub(super) fn clear(&mut self) {
        while !self.order.is_empty() {
            self.drop_oldest();
        }
    }

    /// Number of the datagram to which the last fragment belongs, from 1; 0 if the fragment was not taken.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

impl Partial {
    /// Keeps the part of `bytes` that fills gaps. Returns how much memory that took.
    fn fill(&mut self, start: u32, bytes: &[u8]) -> usize {
        let end = start + bytes.len() as u32;
        self.contradicted |= self.contradicts(start, bytes);
        let mut at = start;
        for &(from, to) in &self.filled {
            if to <= at {
                continue;
            }
            if from >= end {
                break;
            }
            if at < from {
                keep(&mut self.pieces, start, bytes, at, from);
            }
            at = at.max(to);
        }
        if at < end {
            keep(&mut self.pieces, start, bytes, at, end);
        }
        let first = self.filled.partition_point(|&(_, to)| to < start);
        let last = self.filled.partition_point(|&(from, _)| from <= end);
        let mut merged = (start, end);
        for &(from, to) in &self.filled[first..last] {
            merged = (merged.0.min(from), merged.1.max(to));
        }
        self.filled.splice(first..last, [merged]);
        let pieces = self.pieces.iter().map(|(_, piece)| piece.len() + PIECE);
        let memory = DATAGRAM + pieces.sum::<usize>();
        let before = std::mem::replace(&mut self.memory, memory);
        memory - before
    }

    /// Whether held bytes differ from `bytes` at the same place.
    fn contradicts(&self, start: u32, bytes: &[u8]) -> bool {
        let end = start + bytes.len() as u32;
        if !self.filled.iter().any(|&(from, to)| from < end && start < to) {
            return false;
        }
        self.pieces.iter().any(|(at, piece)| {
            let (from, to) = (start.max(*at), end.min(at + piece.len() as u32));
            let ours = || piece.get((from - at) as usize..(to - at) as usize);
            let theirs = || bytes.get((from - start) as usize..(to - start) as usize);
            from < to && ours() != theirs()
        })
    }

    /// The complete datagram of `total` bytes.
    fn assemble(&self, total: usize) -> Vec<u8> {
        let mut whole = vec![0; total];
        for (at, piece) in &self.pieces {
            let from = total.min(*at as usize);
            let room = &mut whole[from..];
            let len = room.len().min(piece.len());
            room[..len].copy_from_slice(&piece[..len]);
        }
        whole
    }
}

fn keep(pieces: &mut Vec<(u32, Box<[u8]>)>, start: u32, bytes: &[u8], from: u32, to: u32) {
    pieces.push((from, bytes[(from - start) as usize..(to - start) as usize].into()));
}
