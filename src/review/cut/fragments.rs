//! Fragments of IP datagrams (RFC 791 3.2): which flow they belong to is known only once their datagram is whole.
//!
//! The captures are read once before anything is written, so that fragments are written in their places.

use super::selector::Selectors;
use super::{CutError, SourceFile, scan};
use crate::decode::{Decoder, Outcome};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Datagrams whose fragments wait; as many as the decoder holds.
const MAX_DATAGRAMS: usize = 4096;
/// Fragments of one datagram that are remembered, copies included.
const MAX_OF_ONE: usize = 2048;
/// Fragments that are remembered.
const MAX_FRAGMENTS: usize = 1 << 20;

/// Index of a source, and number of a packet in it.
type Place = (usize, u64);

/// The fragments of the chosen flows.
#[derive(Default)]
pub(super) struct Fragments<'a> {
    /// With the events that they belong to.
    chosen: HashMap<Place, Rc<[&'a str]>>,
    /// Fragments of chosen flows that found no room.
    pub left_out: u64,
}

impl<'a> Fragments<'a> {
    /// Those of the captures in `sources`.
    pub fn of(sources: &[SourceFile], picks: &'a Selectors) -> Result<Self, CutError> {
        let mut found = Self::default();
        let mut waiting: BTreeMap<u64, Vec<Place>> = BTreeMap::new();
        let mut decoder = decoder();
        scan(sources, &mut decoder, |at, packet, datagram, outcome| match outcome {
            Outcome::Held if datagram > 0 => {
                if waiting.len() >= MAX_DATAGRAMS {
                    waiting.pop_first();
                }
                let places = waiting.entry(datagram).or_default();
                if places.len() < MAX_OF_ONE {
                    places.push((at, packet.number));
                }
            }
            Outcome::Whole(decoded, _) => {
                let places = waiting.remove(&datagram).unwrap_or_default();
                let Some(of) = sources.get(at) else { return };
                let of_flow = picks.of_flow(&of.name, &decoded.key);
                let ids = picks.ids(&of_flow, packet, decoded.len > 0);
                if !ids.is_empty() {
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
