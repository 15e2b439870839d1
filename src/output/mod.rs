//! Events, metrics and the summary, for people and machines.
//!
//! An output is a file plus one line in [`FORMATS`]. It takes [`Event`]s in order and, last, the [`RunSummary`].
//! Nothing here knows a raw value: `identify` decided what may be shown of an identifier.

mod cef;
pub mod certificates;
pub mod clock;
mod community_id;
mod coverage;
mod csv;
mod ecs;
mod eve;
mod event_log;
mod flow_uid;
pub mod health;
mod json;
pub(crate) mod labelled;
mod ocsf;
mod progress;
mod queue;
mod remedy;
mod rotate;
mod run;
mod sentence;
mod shares;
mod summary;
pub(crate) mod text;
mod threshold_metrics;
mod writer;
mod zeek;

pub mod assets;
pub mod dashboard;
pub mod evidence;
pub mod metrics;
pub mod page;
pub mod pcapng;
pub mod serve;
pub mod sinks;
pub mod spool;
#[cfg(feature = "store")]
pub mod store;

pub use crate::output::dashboard::{Dashboard, HubView};
pub use community_id::{community_id, community_id_of};
pub use coverage::{Cause, Shortfall, Verdict};
pub use ecs::summary_line;
pub use event_log::EventLog;
pub use health::{SensorHealth, SensorStatus};
pub use json::{MAX_WEIGHT, weight};
pub use progress::Progress;
pub use queue::{OutputQueue, QueueEnd};
pub use remedy::{login_remedy, reason_of, urgency};
pub use run::{InputReport, Interrupted, RunSummary};
pub use sentence::exposure_sentence;
pub use serve::{Access, ServeError, Server};
pub use writer::{Sink, WholeFile, WriteError, check_replaceable, write_atomically};

use crate::config::Detail;
use crate::exposure::{Conversation, Event, HostName, PatientObservation};
use std::io::{self, Write};
use std::sync::Arc;

/// Receives events.
pub trait Output: Send {
    /// Takes the next event.
    ///
    /// # Errors
    /// The error of the writer below; the output cannot be used further.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Takes the status and the counters of a running sensor. Returns whether it writes them.
    ///
    /// # Errors
    /// As [`Output::event`].
    fn status(&mut self, _so_far: &RunSummary, _sensor: &SensorStatus) -> io::Result<bool> {
        Ok(false)
    }

    /// Takes a patient of an exposure, whatever `--detail` says; an output without patients ignores it.
    ///
    /// # Errors
    /// As [`Output::event`].
    fn observation(&mut self, _: &PatientObservation) -> io::Result<()> {
        Ok(())
    }

    /// Takes a flow that has ended, of a known protocol or encrypted; most outputs ignore it.
    ///
    /// # Errors
    /// As [`Output::event`].
    fn conversation(&mut self, _: &Conversation) -> io::Result<()> {
        Ok(())
    }

    /// Takes a name of a host; most outputs have it from `asset-seen`.
    ///
    /// # Errors
    /// As [`Output::event`].
    fn named(&mut self, _: &HostName) -> io::Result<()> {
        Ok(())
    }

    /// Takes the end of the run.
    ///
    /// # Errors
    /// As [`Output::event`].
    fn finish(&mut self, summary: &RunSummary) -> io::Result<()>;

    /// Writes everything that is buffered: after each batch, so that a reader soon sees complete lines.
    ///
    /// # Errors
    /// As [`Output::event`].
    fn flush(&mut self) -> io::Result<()>;
}

/// Context of a run that an output needs before it starts.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// `observer.name`.
    pub sensor: Option<Arc<str>>,
    /// Names of capture interfaces by `FlowInfo::interface`; empty for files.
    pub interfaces: Vec<Arc<str>>,
    /// Level of detail of findings.
    pub detail: Detail,
    /// Whether findings are also written in a form that can be merged.
    pub summaries: bool,
    /// Names of capture files by `FlowInfo::interface`; empty for interfaces.
    pub files: Vec<Arc<str>>,
    /// Which key made tokens and ids; reveals nothing about the key.
    pub key_id: Arc<str>,
    /// Whether to use colour: the caller checks the terminal.
    pub colour: bool,
    /// Columns of the terminal; 0 if there is none.
    pub width: usize,
    /// Number of exposures that the summary shows in full, if set.
    pub top: Option<usize>,
    /// Whether to show exposures when they open, for people who watch a live run.
    pub follow: bool,
}

/// A format that `--format` takes.
pub struct Format {
    /// As `--format` takes it.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// One line of help.
    pub about: &'static str,
    /// Starts it.
    pub open: fn(Box<dyn Write + Send>, Context) -> Box<dyn Output>,
}

/// Every format, the default first.
pub static FORMATS: &[Format] = &[
    summary::FORMAT,
    ecs::FORMAT,
    ocsf::FORMAT,
    cef::FORMAT,
    eve::FORMAT,
    zeek::FORMAT,
    csv::FORMAT,
];

/// The format that `--reveal` changes: no other has a field for values.
pub const FORMAT_OF_VALUES: &str = ecs::FORMAT.name;

/// The format with this name or alias.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|f| f.name == name || f.aliases.contains(&name))
}

#[cfg(test)]
mod samples;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_of_formats_are_unique() {
        let mut names: Vec<&str> = FORMATS
            .iter()
            .flat_map(|f| std::iter::once(f.name).chain(f.aliases.iter().copied()))
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(format("json").map(|f| f.name), Some("ecs"));
        assert!(format("xml").is_none());
    }
}
