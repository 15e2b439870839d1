//! C-MOVE requests and the C-STOREs that come of them, on two associations of the same archive.

use crate::protocol::Move;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// Moves remembered; beyond it the oldest is forgotten.
const MAX_MOVES: usize = 4_096;
/// Hosts listed of one move.
const MAX_HOSTS: usize = 4;
/// Moves listed of one exposure.
pub const MAX_LISTED: usize = 16;

/// What ties both sides together: the archive, who asked it and for whom.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::exposure) struct Tie {
    archive: IpAddr,
    originator: String,
    destination: String,
}

/// A move seen from one side.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::exposure) struct Side {
    tie: Tie,
    performed: bool,
}

#[derive(Default)]
struct Ends {
    asked_by: Vec<IpAddr>,
    sent_to: Vec<SocketAddr>,
}

/// The moves of a run.
#[derive(Default)]
pub(in crate::exposure) struct Moves {
    ends: HashMap<Tie, Ends, RandomState>,
    order: VecDeque<Tie>,
}

impl Moves {
    /// Takes note of what a flow between `client` and `server` says of a move.
    pub fn see(&mut self, moved: &Move, client: IpAddr, server: SocketAddr) -> Side {
        // The archive answers the request, and opens the association on which it stores.
        let archive = if moved.performed { client } else { server.ip() };
        let (originator, destination) = (moved.originator.clone(), moved.destination.clone());
        let tie = Tie { archive, originator, destination };
        if !self.ends.contains_key(&tie) {
            if self.order.len() >= MAX_MOVES
                && let Some(oldest) = self.order.pop_front()
            {
                self.ends.remove(&oldest);
            }
            self.order.push_back(tie.clone());
        }
        let ends = self.ends.entry(tie.clone()).or_default();
        if moved.performed {
            add(&mut ends.sent_to, server, MAX_HOSTS);
        } else {
            add(&mut ends.asked_by, client, MAX_HOSTS);
        }
        Side { tie, performed: moved.performed }
    }

    /// Who asked for what these sides of moves performed, and where what they asked for went.
    pub fn ends(&self, sides: &[Side]) -> (Vec<IpAddr>, Vec<SocketAddr>) {
        let (mut asked_by, mut sent_to) = (Vec::new(), Vec::new());
        for side in sides {
            let Some(ends) = self.ends.get(&side.tie) else { continue };
            if side.performed {
                ends.asked_by.iter().for_each(|&client| add(&mut asked_by, client, MAX_LISTED));
            } else {
                ends.sent_to.iter().for_each(|&server| add(&mut sent_to, server, MAX_LISTED));
            }
        }
        (asked_by, sent_to)
    }
}

/// Adds what is new as long as there is room.
pub(in crate::exposure) fn add<T: PartialEq>(list: &mut Vec<T>, item: T, max: usize) {
    if list.len() < max && !list.contains(&item) {
        list.push(item);
    }
}
