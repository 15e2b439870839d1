//! Fields become identifiers, records and patients. This is the last stage that sees a raw value: its output is
//! masked, or keyed pseudonyms, unless `--reveal` was given.
//!
//! A field passes, in this order:
//!
//! 1. [`plausible()`]: is it a value at all, or a placeholder, a template, an impossible date?
//! 2. `numbers`: does it pass the check of its kind, is it a time or a telephone number?
//! 3. `normalise`: the form in which two spellings of one value are equal;
//! 4. [`Key`]: the keyed pseudonym of that form, by which everything behind this point compares;
//!    (what the first four steps say of a value is kept for a while: `values`);
//! 5. the open record, which holds the raw value until it ends;
//! 6. the policy (`rules/policy.toml`): is the record enough for an alert?
//! 7. [`Patients`]: whose record is it, and what does it add to what is known?
//! 8. `mask`: what may be shown of a value that was added;
//! 9. `gate`: what may be shown of the facts of the service, which must not hold such a value.
//!
//! Across flows, [`People`] decides which patients are one person, for the counts of `exposure`.

mod collector;
mod counters;
mod date;
mod gate;
mod key;
mod lookup;
mod mask;
mod match_index;
mod normalise;
mod numbers;
mod parts;
mod patients;
mod people;
mod plausible;
mod profile;
mod pseudonym;
mod recent;
mod record;
mod samples;
mod traits;
mod types;
mod units;
mod values;

#[cfg(test)]
mod tests;

pub use crate::identify::counters::{IdentifyCounters, Loss};
pub use collector::Collector;
pub use key::{Key, KeyError};
pub use lookup::{is_date, lookup_token};
pub use patients::Patients;
pub use people::{MAX_PEOPLE, People, Recognised};
pub use plausible::plausible;
pub use samples::{load_rules, samples_text, test_samples};
pub use traits::{StrongTrait, TraitSet};
pub use types::{DisplayValue, Finding, Identifier, Repeated, Token, Traits};
pub use units::UnitTable;
pub use values::ValueCache;

/// Shared by all workers.
pub struct Settings {
    /// The secret of this deployment.
    pub key: Key,
    /// Show values as they are (`--reveal`).
    pub reveal: bool,
    /// Patients tracked separately in one flow; records of further ones are counted as lost.
    pub patients_per_flow: usize,
    /// Identifiers kept of one patient in one flow, and of one record.
    pub identifiers_per_patient: usize,
}
