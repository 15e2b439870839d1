//! Queries over results: a store ([`crate::output::store`]) or a file of events (`--format ecs`).
//!
//! [`source`] reads both into one model. All of it may be forged: malformed lines are counted,
//! sizes are capped, and all text is escaped for terminals and spreadsheets.

mod console;
mod cut;
mod diff;
mod explain;
mod find;
mod merge;
mod query;
mod report;
mod run_ends;
pub mod source;
mod table;

use crate::output::Verdict;
use crate::output::text::foreign;
use crate::time::Timestamp;
use serde_json::Value;
use source::{Filter, ReadError, ReadLosses};
use std::io;
use std::path::{Path, PathBuf};

/// Most causes that are shown, of a run and of all runs.
const MAX_CAUSES: usize = 12;
/// Longest cause, characters.
const MAX_CAUSE: usize = 300;

pub use console::Console;
pub use cut::CutError;
pub use explain::rule;
pub use find::FindError;
pub use merge::{MergeError, MergeShape, Merged};
pub use query::Listing;
pub use report::report;
pub use table::Shape;

/// The request of a review command.
#[derive(Debug)]
pub enum Request {
    /// List entries.
    Query(Query),
    /// Look up a person.
    Find(Find),
    /// Compare runs.
    Diff(Diff),
    /// Explain an entry.
    Explain(Explain),
    /// Extract packets.
    Cut(Cut),
    /// Merge runs.
    Merge(Merge),
}

/// `phitap query`.
#[derive(Debug)]
pub struct Query {
    /// Store or events.
    pub source: PathBuf,
    /// What to list.
    pub listing: Listing,
    /// Output format.
    pub shape: Shape,
    /// Maximum number of rows.
    pub limit: Option<usize>,
    /// List the entries of each run, even if several runs saw the same.
    pub by_run: bool,
    /// Filters.
    pub filter: Filter,
}

/// `phitap find`.
#[derive(Debug)]
pub struct Find {
    /// Store or events.
    pub source: PathBuf,
    /// The key of its tokens.
    pub key_file: PathBuf,
    /// File with a list of people; none to prompt.
    pub from: Option<PathBuf>,
    /// Output format.
    pub shape: Shape,
    /// Filters.
    pub filter: Filter,
}

/// `phitap diff`.
#[derive(Debug)]
pub struct Diff {
    /// A store or events, also `STORE@N`.
    pub before: PathBuf,
    /// A store or events, also `STORE@N`.
    pub after: PathBuf,
    /// Output format.
    pub shape: Shape,
    /// Filters.
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
    /// Current folder of the captures.
    pub captures: Option<PathBuf>,
    /// Community IDs; any if empty.
    pub flows: Vec<String>,
    /// Recipients of the encryption; not encrypted if empty.
    pub recipients: Vec<String>,
    /// What to cut.
    pub filter: Filter,
}

/// `phitap merge`.
#[derive(Debug)]
pub struct Merge {
    /// Files of events.
    pub sources: Vec<PathBuf>,
    /// Output format.
    pub shape: MergeShape,
    /// Maximum number of exposures.
    pub limit: Option<usize>,
}

/// Outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Answered.
    Done,
    /// Answered, but something could not be read or judged.
    Partial,
    /// Answered, and a person, a difference or an exposure was found.
    Found,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The store or the events cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The person cannot be looked up.
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
    /// There is no such entry.
    #[error("{0}")]
    Unknown(String),
    /// The answer cannot be written.
    #[error("standard output: {0}")]
    Write(#[from] io::Error),
}

/// Answers a request. `now` is the time of day; `note` receives remarks for people.
///
/// # Errors
/// Why it could not be answered.
pub fn answer(
    request: &Request,
    now: Timestamp,
    out: &mut Console<'_>,
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

/// Reports what could not be read. Returns whether everything could.
fn report_losses(path: &Path, losses: &ReadLosses, note: &mut dyn FnMut(String)) -> Answer {
    let path = path.display();
    losses.texts().iter().for_each(|text| note(format!("{path}: {text}")));
    if losses.none() { Answer::Done } else { Answer::Partial }
}

/// Whether the runs that `which` selects judged everything they read; reports those that did not.
fn judged(
    path: &Path,
    runs: &[source::Run],
    which: impl Fn(usize, &source::Run) -> bool,
    note: &mut dyn FnMut(String),
) -> bool {
    let path = path.display();
    let mut all = true;
    for (at, run) in runs.iter().enumerate().filter(|(at, run)| which(*at, run)) {
        let verdict = run.event.pointer("/phi/run/coverage/verdict").and_then(|v| v.as_str());
        if !run.ended {
            note(format!("{path}: run {} did not end", at + 1));
            all = false;
        } else if verdict != Some(Verdict::Complete.as_str()) {
            let causes: Vec<String> = causes(run).iter().map(|of| foreign(of, MAX_CAUSE)).collect();
            let why = if causes.is_empty() { "" } else { ": " };
            let causes = causes.join("; ");
            note(format!("{path}: run {} could not judge everything{why}{causes}", at + 1));
            all = false;
        }
    }
    if runs.is_empty() {
        note(format!("{path}: the selection matches no run"));
    }
    all && !runs.is_empty()
}

/// Why a run could not judge everything, and what to do.
fn causes(run: &source::Run) -> Vec<String> {
    let list = run.event.pointer("/phi/run/coverage/unjudged").and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(|cause| cause["text"].as_str());
    texts.take(MAX_CAUSES).map(|text| text.chars().take(MAX_CAUSE).collect()).collect()
}
