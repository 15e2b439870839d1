//! `--format summary`: what happened, for people, worst first. It shows addresses, counts and kinds,
//! never a value.

mod layout;
mod page;
mod services;

#[cfg(test)]
mod tests;

use super::{Context, Format, Output, RunSummary, text};
use crate::exposure::{Event, EventId, Exposure, ExposureState};
use crate::severity::Severity;
pub(in crate::output) use services::Overview;
use std::collections::BTreeMap;
use std::io::{self, Write};

pub(in crate::output) const FORMAT: Format = Format {
    name: "summary",
    aliases: &[],
    about: "a page for people at the end",
    open: |writer, context| {
        let (exposures, overview) = (BTreeMap::new(), Overview::default());
        Box::new(Summary { writer, context, exposures, overview })
    },
};

/// Exposures held for the page; twice as many are, between two prunings.
const MAX_HELD: usize = 2_048;

struct Summary {
    writer: Box<dyn Write + Send>,
    context: Context,
    exposures: BTreeMap<EventId, Exposure>,
    overview: Overview,
}

impl Summary {
    /// Keeps the worst.
    fn prune(&mut self) {
        let mut order: Vec<_> = self.exposures.values().map(|e| (rank(e), e.id)).collect();
        order.sort_unstable();
        for (_, id) in order.drain(MAX_HELD.min(order.len())..) {
            self.exposures.remove(&id);
        }
    }

    /// One line when an exposure opens, for who watches a live run.
    fn announce(&mut self, e: &Exposure) -> io::Result<()> {
        let severity = page::severity(Severity::of(e.severity), e.severity, self.context.colour);
        writeln!(
            self.writer,
            "{}  {severity}  {} -> {}  {}",
            page::time_of_day(e.time),
            e.client,
            e.server,
            e.protocol
        )?;
        self.writer.flush()
    }
}

/// Sorts the worst first: severity, then patients, then who came first.
fn rank(e: &Exposure) -> (std::cmp::Reverse<(u8, u64)>, crate::time::Timestamp) {
    (std::cmp::Reverse((e.severity, e.patients.value)), e.first)
}

impl Output for Summary {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let Event::Exposure(exposure) = event else { return Ok(()) };
        let opens = matches!(exposure.state, ExposureState::Open | ExposureState::Returned);
        if self.context.follow && opens {
            self.announce(exposure)?;
        }
        self.overview.take(exposure);
        self.exposures.insert(exposure.id, (**exposure).clone());
        if self.exposures.len() >= 2 * MAX_HELD {
            self.prune();
        }
        Ok(())
    }

    fn finish(&mut self, run: &RunSummary) -> io::Result<()> {
        self.prune();
        let mut worst: Vec<&Exposure> = self.exposures.values().collect();
        worst.sort_by_key(|e| (rank(e), e.id));
        let page = page::page(&worst, &self.overview, run, &self.context);
        self.writer.write_all(page.as_bytes())?;
        self.writer.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
