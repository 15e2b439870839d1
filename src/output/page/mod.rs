//! The page of findings: the file of `--report`, and what a running sensor shows at `--metrics`.
//!
//! Both are the same program in the browser over the same model, [`PageModel`]: events as `--format ecs` writes
//! them, the latest of each. A report contains its model and opens without a network; a sensor serves it
//! and then what changed. The program creates elements one by one and sets texts as texts, so
//! nothing from the wire is parsed as HTML; values are never in the model, not even with `--reveal`.

mod html;
mod model;
mod report;
mod timeline;

#[cfg(test)]
mod tests;

pub use html::{SCRIPT, STYLE, live, report};
pub use model::{Changes, PageModel, Patient, ShownIdentifier};
pub use report::{Input, Provenance, Report, page};
