//! Questions about what runs left: a store ([`crate::output::store`]) or a file of events (`--format ecs`).
//!
//! [`source`] reads either into one model. Everything in it may be forged: lines are counted when they
//! are garbage, sizes are capped, and no text reaches a terminal or a table unescaped.

pub mod source;
