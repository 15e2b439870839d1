//! Merges results: what several sensors, days, files or workers saw becomes one set of numbers.
//!
//! A [`Summary`] is a set of [facts](fact), one per patient and flow. Merging is the union of these
//! sets, so it is associative, commutative and idempotent: order does not matter, and the same
//! summary twice counts once. All [`Numbers`] are a function of the set, so they do not depend on
//! how the captures were divided.
//!
//! Two sensors saw the same flow if addresses, ports and transport are equal and either
//!
//! 1. the sequence number of the client's SYN is equal and both flows began within
//!    [`CLOCK_TOLERANCE`], or
//! 2. one of them saw no handshake (or there is none, as in UDP) and the times of the flows overlap
//!    within [`CLOCK_TOLERANCE`].
//!
//! For a patient in such a flow, the sensor that saw the most records counts; kinds and traits are
//! joined. People are recognised across flows as in a run ([`crate::identify::People`]), in order
//! of time.
//!
//! What proves that a service answers anyone counts for the exposures of all sensors, whichever of them saw it, and if
//! several saw a part each ([`access`]).
//!
//! Beyond [`MAX_FACTS`] facts a section becomes sketches (HyperLogLog). Its counts are then
//! estimates, and people are counted by pseudonym alone. Pseudonyms of different keys cannot be
//! compared, so each key has its own section.

mod access;
mod fact;
mod numbers;
mod sketch;
mod summary;
mod wire;

#[cfg(test)]
mod tests;

pub use access::{ClientTitle, SeenAccess, ServiceKey};
pub use fact::{Fact, FactKey, FlowId, Pair, ProtocolName, Seen};
pub use numbers::{ExposureNumbers, KeyNumbers, Numbers};
pub use summary::{MAX_FACTS, MAX_RUNS, RunKey, RunNumbers, Section, Summary};
pub use wire::{
    MAX_PART_FACTS, Opened, Part, PartError, Sketches, VERSION, fact_from_json, fact_to_json,
};

use crate::time::Span;

/// Largest difference between the clocks of two sensors.
pub const CLOCK_TOLERANCE: Span = Span::seconds(2);
