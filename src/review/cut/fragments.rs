//! Fragments of IP datagrams (RFC 791 3.2): which flow they belong to is known only once their datagram is whole.
//!
//! The captures are read once before anything is written, so that fragments are written in their places.

use super::selector::Selectors;
use super::{CutError, SourceFile, scan};
use crate::decode::{Decoder, Outcome};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Fragments of one datagram that are remembered, copies included.
pub(super) const MAX_OF_ONE: usize = 2048;
/// Fragments of incomplete datagrams that are remembered.
pub(super) const MAX_WAITING: usize = 1 << 18;
/// Fragments that are remembered.
const MAX_FRAGMENTS: usize = 1 << 20;

/// Index of a source, and number of a packet in it.
type Place = (usize, u64);

/// The fragments of datagrams that are not whole yet.
#[derive(Default)]
pub(super) struct Incomplete {
    /// By number of the datagram, in order of their first fragments.
    datagrams: BTreeMap<u64, Parts>,
    /// Fragments of all of them.
    held: usize,
    /// The newest datagram whose fragments were dropped.
    dropped: u64,
}

/// The fragments of one datagram.
#[derive(Default)]
struct Parts {
    places: Vec<Place>,
    /// Those that found no room, or that were dropped: at least so many.
    missing: u64,
}

impl Incomplete {
    pub fn add(&mut self, datagram: u64, place: Place) {
        let missing = u64::from(datagram <= self.dropped);
        let parts = self.datagrams.entry(datagram);
        let parts = parts.or_insert_with(|| Parts { places: Vec::new(), missing });
        if parts.places.len() < MAX_OF_ONE {
            parts.places.push(place);
            self.held += 1;
        } else {
            parts.missing += 1;
        }
        // The oldest datagrams are those that the decoder gives up first.
        while self.held > MAX_WAITING
            && let Some((number, parts)) = self.datagrams.pop_first()
        {
            self.held -= parts.places.len();
            self.dropped = self.dropped.max(number);
        }
    }

    /// The fragments of a datagram that is whole now, and how many at least are not among them.
    pub fn take(&mut self, datagram: u64) -> (Vec<Place>, u64) {
        let Some(parts) = self.datagrams.remove(&datagram) else {
            return (Vec::new(), u64::from(datagram <= self.dropped));
        };
        self.held -= parts.places.len();
        (parts.places, parts.missing)
    }
}

/// The fragments of the chosen flows.
#[derive(Default)]
pub(super) struct Fragments<'a> {
    /// With the events that they belong to.
    chosen: HashMap<Place, Rc<[&'a str]>>,
    /// Fragments of chosen flows that found no room: at least so many.
    pub left_out: u64,
}

impl<'a> Fragments<'a> {
    /// Those of the captures in `sources`.
    pub fn of(sources: &[SourceFile], picks: &'a Selectors) -> Result<Self, CutError> {
        let mut found = Self::default();
        let mut waiting = Incomplete::default();
        let mut decoder = decoder();
        scan(sources, &mut decoder, |at, packet, datagram, outcome| match outcome {
            Outcome::Held if datagram > 0 => waiting.add(datagram, (at, packet.number)),
            Outcome::Whole(decoded, _) => {
                let (places, missing) = waiting.take(datagram);
                let Some(of) = sources.get(at) else { return };
                let of_flow = picks.of_flow(&of.name, &decoded.key);
                let ids = picks.ids(&of_flow, packet, decoded.len > 0);
                if !ids.is_empty() {
                    found.left_out += missing;
                    found.choose(places, &ids.into());
                }
            }
            Outcome::Held | Outcome::Segment(_) | Outcome::Skipped(_) => {}
        })?;
        Ok(found)
    }

    fn choose(&mut self, places: Vec<Place>, ids: &Rc<[&'a str]>) {
        let room = MAX_FRAGMENTS.saturating_sub(self.chosen.len());
        self.left_out += places.len().saturating_sub(room) as u64;
        self.chosen.extend(places.into_iter().take(room).map(|place| (place, Rc::clone(ids))));
    }

    /// The events that a fragment belongs to.
    pub fn ids(&self, source: usize, packet: u64) -> &[&'a str] {
        self.chosen.get(&(source, packet)).map_or(&[], |ids| ids)
    }
}

/// A decoder that holds as many fragments as it may.
pub(super) fn decoder() -> Decoder {
    Decoder::new(crate::decode::Checksums::Accept).with_fragment_memory(super::FRAGMENT_MEMORY)
}
