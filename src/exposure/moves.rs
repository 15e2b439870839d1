//! Relates C-MOVE requests to the C-STORE operations that follow from them, on two associations of the same archive.

use crate::protocol::Move;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// Moves remembered; beyond it the oldest are forgotten.
const MAX_MOVES: usize = 4_096;
/// Hosts remembered for one archive and destination, at either end.
const MAX_HOSTS: usize = 8;
/// Moves listed per exposure.
pub const MAX_LISTED: usize = 16;

/// What both sides have in common: the archive, and the title that asked.
#[derive(Clone, PartialEq, Eq, Hash)]
struct MoveKey {
    archive: IpAddr,
    destination: String,
}

/// A move as seen from one side.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::exposure) struct MoveLeg {
    tie: MoveKey,
    /// Empty if an archive does not name the requester.
    originator: String,
    performed: bool,
}

/// Both ends, with the title of the requester.
#[derive(Default)]
struct Ends {
    asked_by: Vec<(String, IpAddr)>,
    sent_to: Vec<(String, SocketAddr)>,
}

/// The moves of a run.
#[derive(Default)]
pub(in crate::exposure) struct Moves {
    ends: HashMap<MoveKey, Ends, RandomState>,
    order: VecDeque<MoveKey>,
}

impl Moves {
    /// Notes what a flow between `client` and `server` shows of a move.
    pub fn see(&mut self, moved: &Move, client: IpAddr, server: SocketAddr) -> MoveLeg {
        // The archive answers the request, and opens the association on which it stores.
        let archive = if moved.performed { client } else { server.ip() };
        let tie = MoveKey { archive, destination: moved.destination.clone() };
        if !self.ends.contains_key(&tie) {
            if self.order.len() >= MAX_MOVES
                && let Some(oldest) = self.order.pop_front()
            {
                self.ends.remove(&oldest);
            }
            self.order.push_back(tie.clone());
        }
        let ends = self.ends.entry(tie.clone()).or_default();
        let originator = moved.originator.clone();
        if moved.performed {
            add(&mut ends.sent_to, (originator.clone(), server), MAX_HOSTS);
        } else {
            add(&mut ends.asked_by, (originator.clone(), client), MAX_HOSTS);
        }
        MoveLeg { tie, originator, performed: moved.performed }
    }

    /// Who requested what these sides of moves transferred, and where requested objects went.
    pub fn ends(&self, sides: &[MoveLeg]) -> (Vec<IpAddr>, Vec<SocketAddr>) {
        let (mut asked_by, mut sent_to) = (Vec::new(), Vec::new());
        for side in sides {
            let Some(ends) = self.ends.get(&side.tie) else { continue };
            if side.performed {
                collect(&ends.asked_by, &side.originator, &mut asked_by);
            } else {
                collect(&ends.sent_to, &side.originator, &mut sent_to);
            }
        }
        (asked_by, sent_to)
    }
}

/// The hosts on sides that agree on the requester, as far as they name it.
fn collect<T: Copy + PartialEq>(ends: &[(String, T)], originator: &str, out: &mut Vec<T>) {
    for (title, host) in ends {
        if title == originator || title.is_empty() || originator.is_empty() {
            add(out, *host, MAX_LISTED);
        }
    }
}

/// Adds new ones as long as there is room.
pub(in crate::exposure) fn add<T: PartialEq>(list: &mut Vec<T>, item: T, max: usize) {
    if list.len() < max && !list.contains(&item) {
        list.push(item);
    }
}
