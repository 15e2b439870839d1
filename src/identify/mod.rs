//! Fields become identifiers, records and patients. The last stage that sees a raw value: what
//! leaves it is masked, or keyed pseudonyms, unless `--reveal` was given.

mod types;

pub use types::{Finding, Identifier, Shown, Token};
