//! Results that can be merged: what several sensors, days, files or workers saw comes to one set of numbers.
//!
//! A [`Summary`] is a set of [facts](fact): one for each patient of each flow. Merging is the union of these sets, so
//! it is associative, commutative and idempotent: the same summary twice counts once, and no order matters. All
//! numbers are a function of the set ([`Numbers`]), which makes them the same however the captures were divided.
//!
//! Two sensors saw the same flow if addresses, ports and transport are equal and
//!
//! 1. the sequence number of the client's SYN is equal and both flows began within [`CLOCK_TOLERANCE`], or
//! 2. where one of them saw no handshake (or there is none, as in UDP), the times of the flows overlap, give or take
//!    [`CLOCK_TOLERANCE`].
//!
//! Of one patient in one flow the sensor counts that saw most records; kinds and traits are joined. People are
//! recognised across flows as in a run ([`crate::identify::People`]), in the order of time.
//!
//! Beyond [`MAX_FACTS`] facts a section becomes sketches (HyperLogLog): its counts are estimates from then on, and
//! people are counted by pseudonym alone. Pseudonyms of two keys cannot be compared: each key has its own section.

mod fact;
mod numbers;
mod sketch;
mod summary;
mod wire;

#[cfg(test)]
mod tests;

pub use fact::{Fact, FactKey, FlowId, Pair, ProtocolName, Seen};
pub use numbers::{ExposureNumbers, KeyNumbers, Numbers};
pub use summary::{MAX_FACTS, MAX_RUNS, RunKey, RunNumbers, Section, Summary};
pub use wire::{
    MAX_PART_FACTS, Opened, Part, PartError, Sketches, VERSION, fact_from_json, fact_to_json,
};

use crate::time::Span;

/// How far the clocks of two sensors may differ.
pub const CLOCK_TOLERANCE: Span = Span::seconds(2);
