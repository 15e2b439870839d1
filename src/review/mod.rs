//! Questions about what runs left: a store ([`crate::output::store`]) or a file of events (`--format ecs`).
//!
//! [`source`] reads either into one model. Everything in it may be forged: lines are counted when they
//! are garbage, sizes are capped, and no text reaches a terminal or a spreadsheet as it is.

mod cut;
mod diff;
mod explain;
mod find;
mod merge;
mod query;
mod report;
pub mod source;
mod table;

use crate::output::Verdict;
use crate::output::text::count;
use crate::time::Timestamp;
use source::{Filter, ReadError, ReadLosses};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use cut::CutError;
pub use find::FindError;
pub use merge::{MergeError, MergeShape, Merged};
pub use query::Listing;
pub use report::report;
pub use table::Shape;

/// A question.
#[derive(Debug)]
pub enum Request {
    /// What is there?
    Query(Query),
    /// Is this person affected?
    Find(Find),
    /// What has changed?
    Diff(Diff),
    /// What is known of this?
    Explain(Explain),
    /// Which packets show it?
    Cut(Cut),
    /// What do several runs come to?
    Merge(Merge),
}

/// `phitap query`.
#[derive(Debug)]
pub struct Query {
    /// Store or events.
    pub source: PathBuf,
    /// What is listed.
    pub listing: Listing,
    /// How.
    pub shape: Shape,
    /// Rows at most.
    pub limit: Option<usize>,
    /// Which ones.
    pub filter: Filter,
}

/// `phitap find`.
#[derive(Debug)]
pub struct Find {
    /// Store or events.
    pub source: PathBuf,
    /// The key of its tokens.
    pub key_file: PathBuf,
    /// The list of people; prompted for if none.
    pub from: Option<PathBuf>,
    /// How the answer is written.
    pub shape: Shape,
    /// Where to look.
    pub filter: Filter,
}

/// `phitap diff`.
#[derive(Debug)]
pub struct Diff {
    /// Store or events, also `STORE@N`.
    pub before: PathBuf,
    /// The same.
    pub after: PathBuf,
    /// How the answer is written.
    pub shape: Shape,
    /// What is compared.
    pub filter: Filter,
}

/// `phitap explain`.
#[derive(Debug)]
pub struct Explain {
    /// An id, a fingerprint, a token, or a rule.
    pub id: String,
    /// Store or events.
    pub source: Option<PathBuf>,
    /// Folder of further rules.
    pub rules: Option<PathBuf>,
}

/// `phitap cut`.
#[derive(Debug)]
pub struct Cut {
    /// Store or events.
    pub source: PathBuf,
    /// The capture to write.
    pub output: PathBuf,
    /// Where the captures are now.
    pub captures: Option<PathBuf>,
    /// Community IDs; any if empty.
    pub flows: Vec<String>,
    /// Who can open it; everybody if empty.
    pub recipients: Vec<String>,
    /// What is cut.
    pub filter: Filter,
}

/// `phitap merge`.
#[derive(Debug)]
pub struct Merge {
    /// Files of events.
    pub sources: Vec<PathBuf>,
    /// How the answer is written.
    pub shape: MergeShape,
    /// Exposures at most.
    pub limit: Option<usize>,
}

/// What a question comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Answered.
    Done,
    /// Answered, but not everything could be read or judged.
    Partial,
    /// What was asked for, or feared, is there.
    Found,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The store or the events cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The person cannot be looked for.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The packets cannot be cut.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// There is nothing to merge.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The rules are faulty.
    #[error(transparent)]
    Rules(#[from] crate::rules::LoadError),
    /// There is nothing of this name.
    #[error("{0}")]
    Unknown(String),
    /// The answer cannot be written.
    #[error("standard output: {0}")]
    Write(#[from] io::Error),
}

impl ReviewError {
    /// Whether the reader of the answer went away.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Answers a question. `now` is the time of day; `note` takes what concerns people beside the answer.
///
/// # Errors
/// What kept it from being answered.
pub fn answer(
    request: &Request,
    now: Timestamp,
    out: &mut dyn Write,
    note: &mut dyn FnMut(String),
) -> Result<Answer, ReviewError> {
    match request {
        Request::Query(query) => query::answer(query, out, note),
        Request::Find(find) => find::answer(find, now, out, note),
        Request::Diff(diff) => diff::answer(diff, out, note),
        Request::Explain(explain) => explain::answer(explain, out, note),
        Request::Cut(cut) => cut::answer(cut, out, note),
        Request::Merge(merge) => merge::answer(merge, out, note),
    }
}

/// Says what could not be read; whether that was everything.
fn report_losses(path: &Path, losses: &ReadLosses, note: &mut dyn FnMut(String)) -> Answer {
    let path = path.display();
    let mut tell = |n: u64, one: &str, what: &str| {
        if n > 0 {
            note(format!("{path}: {}: {what}", count(n, one)));
        }
    };
    tell(losses.garbage, "entry", "no event of phitap, or damaged");
    tell(losses.too_long, "line", "too long for an event");
    tell(losses.entries, "entry", "more than can be held; narrow the selection");
    tell(losses.patients, "patient", "more than can be held; narrow the selection");
    if losses.none() { Answer::Done } else { Answer::Partial }
}

/// Whether runs judged everything that they read; says which did not.
fn judged(path: &Path, runs: &[source::Run], note: &mut dyn FnMut(String)) -> bool {
    let path = path.display();
    let mut all = true;
    for (at, run) in runs.iter().enumerate() {
        let verdict = run.event.pointer("/phi/run/coverage/verdict").and_then(|v| v.as_str());
        if !run.ended {
            note(format!("{path}: run {} did not end", at + 1));
            all = false;
        } else if verdict != Some(Verdict::Complete.as_str()) {
            note(format!("{path}: run {} could not judge everything", at + 1));
            all = false;
        }
    }
    if runs.is_empty() {
        note(format!("{path}: no run is left by the selection"));
    }
    all && !runs.is_empty()
}
