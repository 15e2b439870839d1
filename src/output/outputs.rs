//! All outputs of a run together.

use super::metrics::Metrics;
use super::writer::{Sink, WriteError};
use super::{Context, Format, Output, RunSummary};
use crate::exposure::{Event, Severity};
use std::io;
use std::sync::Arc;

/// Hands each event to every output, counts it, and names the place of a failure.
pub struct Outputs {
    metrics: Arc<Metrics>,
    list: Vec<Named>,
}

struct Named {
    /// Metric label.
    name: &'static str,
    /// For messages: a file, or `standard output`.
    place: String,
    output: Box<dyn Output>,
    /// Written since the last flush.
    written: u64,
}

impl Outputs {
    /// None yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, list: Vec::new() }
    }

    /// Adds `format`, which writes to `sink`.
    pub fn add(&mut self, format: &Format, sink: Sink, context: Context) {
        let place = sink.name().to_owned();
        let output = (format.open)(Box::new(sink), context);
        self.list.push(Named { name: format.name, place, output, written: 0 });
    }

    /// Adds an output that writes nowhere, such as the board.
    pub fn add_other(&mut self, name: &'static str, output: Box<dyn Output>) {
        self.list.push(Named { name, place: name.to_owned(), output, written: 0 });
    }

    /// Takes the next events.
    ///
    /// # Errors
    /// The first output that cannot write. The run cannot go on: what it found would be lost.
    pub fn events(&mut self, events: &[Event]) -> Result<(), WriteError> {
        for event in events {
            if let Event::Disclosure { disclosure, severity, .. } = event
                && !disclosure.finding.update
            {
                self.metrics.disclosure(disclosure.protocol, Severity::of(*severity));
            }
            for to in &mut self.list {
                match to.output.event(event) {
                    Ok(()) => to.written += 1,
                    Err(error) => {
                        to.written += 1;
                        return Err(to.failed(&self.metrics, error));
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes out what is buffered. Call it per batch.
    ///
    /// # Errors
    /// As [`Outputs::events`].
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.each(|output| output.flush())
    }

    /// Takes the end of the run.
    ///
    /// # Errors
    /// As [`Outputs::events`].
    pub fn finish(&mut self, summary: &RunSummary) -> Result<(), WriteError> {
        self.each(|output| output.finish(summary))
    }

    fn each(
        &mut self,
        mut act: impl FnMut(&mut dyn Output) -> io::Result<()>,
    ) -> Result<(), WriteError> {
        for to in &mut self.list {
            match act(&mut *to.output) {
                Ok(()) => self.metrics.events_written(to.name, std::mem::take(&mut to.written)),
                Err(error) => return Err(to.failed(&self.metrics, error)),
            }
        }
        Ok(())
    }
}

impl Named {
    fn failed(&mut self, metrics: &Metrics, source: io::Error) -> WriteError {
        let error = WriteError::new(self.place.clone(), source);
        let reason = if error.is_closed_pipe() { "closed" } else { "error" };
        // Nobody knows which of those since the last flush arrived: count none as written.
        metrics.events_dropped(self.name, reason, std::mem::take(&mut self.written));
        error
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{context, events, run};
    use super::super::{FORMATS, board::Board, format};
    use super::*;
    use std::path::Path;

    #[test]
    fn every_output_gets_every_event_and_each_is_counted() {
        let dir = tempfile::tempdir().expect("folder");
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        let mut outputs = Outputs::new(Arc::clone(&metrics));
        for format in FORMATS {
            let sink = Sink::open(Some(&dir.path().join(format.name))).expect("open");
            outputs.add(format, sink, context());
        }
        let board = Arc::new(Board::new(Arc::clone(&metrics)));
        outputs.add_other("board", Box::new(Arc::clone(&board)));
        let events = events();
        outputs.events(&events).and_then(|()| outputs.flush()).expect("written");
        outputs.finish(&run()).expect("written");
        let text = metrics.render();
        let n = events.len();
        for name in ["summary", "ecs", "board"] {
            let line = format!("phitap_events_written_total{{output=\"{name}\"}} {n}\n");
            assert!(text.contains(&line), "{line}{text}");
        }
        assert!(text.contains("disclosures_total{protocol=\"dicom\",severity=\"medium\"} 12"));
        assert_eq!(board.rows().len(), 3);
        for format in FORMATS {
            let written = std::fs::metadata(dir.path().join(format.name)).expect("file");
            assert!(written.len() > 500, "{}", format.name);
        }
    }

    #[test]
    fn a_failure_names_its_place_and_loses_no_count() {
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        let mut outputs = Outputs::new(Arc::clone(&metrics));
        let sink = Sink::open(Some(Path::new("/dev/full"))).expect("open");
        outputs.add(format("ecs").expect("format"), sink, context());
        let few = &events()[..2];
        let error = outputs.events(few).and_then(|()| outputs.flush()).expect_err("full");
        assert_eq!((error.name.as_str(), error.is_closed_pipe()), ("/dev/full", false));
        let text = metrics.render();
        let line = "phitap_events_dropped_total{output=\"ecs\",reason=\"error\"} 2\n";
        assert!(text.contains(line), "{text}");
    }
}
