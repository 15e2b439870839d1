//! `--format ecs`: one JSON object per line with ECS 8 field names and one `phi` object. `schema/event.schema.json`
//! describes every field.

mod build;
mod cut;
mod dicom;
mod model;
mod sensor;
mod summary;

#[cfg(test)]
mod tests;

use super::{Context, Format, Output, RunSummary, SensorStatus, json};
use crate::exposure::{Event, PatientObservation};
use crate::identify::Identifier;
use crate::merge::Part;
use crate::output::summary::Overview;
use crate::time::Timestamp;
use cut::Cut;
use std::io;
use summary::{Summaries, SummaryPart};

pub(in crate::output) const FORMAT: Format = Format {
    name: "ecs",
    aliases: &["json"],
    about: "one JSON event a line, Elastic Common Schema 8",
    open: |writer, context| {
        Box::new(Ecs {
            summaries: context.summaries.then(Summaries::default),
            lines: json::Lines::new(writer),
            context,
            overview: Overview::default(),
        })
    },
};

/// The event as a value, for readers of events.
pub(in crate::output) fn value(event: &Event, context: &Context) -> serde_json::Value {
    serde_json::to_value(build::event(event, Cut::NONE, context)).unwrap_or_default()
}

/// The run summary as a value.
pub(in crate::output) fn run_value(summary: &RunSummary, context: &Context) -> serde_json::Value {
    serde_json::to_value(build::run(summary, &Overview::default(), context)).unwrap_or_default()
}

/// The event as one line without its end, as the store keeps it.
pub(in crate::output) fn line(event: &Event, context: &Context) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    append(&mut line, event, context)?;
    Ok(line)
}

/// The run summary as one line without its end.
pub(in crate::output) fn run_line(
    summary: &RunSummary,
    overview: &Overview,
    context: &Context,
) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    json::append(&mut line, &build::run(summary, overview, context))?;
    Ok(line)
}

/// Appends an identifier as findings show it.
pub(in crate::output) fn append_identifier(line: &mut Vec<u8>, i: &Identifier) -> io::Result<()> {
    Ok(json::append(line, &build::identifier(i, true))?)
}

struct Ecs {
    lines: json::Lines,
    context: Context,
    /// Totals of exposures, for the run summary.
    overview: Overview,
    /// Facts for the next `phi-summary`, if these are written.
    summaries: Option<Summaries>,
}

/// Longest event of an exposure, bytes: it is written again and again as the exposure grows, and must not grow with
/// it.
pub(in crate::output) const MAX_EXPOSURE: usize = 3_000;

/// Limits to try in turn to stay below it. The last always suffices: only numbers and our own words are left.
const CUTS: [Cut; 6] = [
    Cut::NONE,
    Cut { list: 8, text: 96 },
    Cut { list: 4, text: 48 },
    Cut { list: 2, text: 24 },
    Cut { list: 1, text: 12 },
    Cut { list: 0, text: 0 },
];

/// Writes an event to `line`, which was empty, without a line end; shortens an exposure if necessary.
fn append(line: &mut Vec<u8>, event: &Event, context: &Context) -> io::Result<()> {
    for cut in CUTS {
        line.clear();
        json::append(line, &build::event(event, cut, context))?;
        if line.len() < MAX_EXPOSURE || !matches!(event, Event::Exposure(_)) {
            break;
        }
    }
    Ok(())
}

impl Ecs {
    /// Writes a part of the summary.
    fn summary(&mut self, part: Option<SummaryPart>) -> io::Result<()> {
        let Some(part) = part else { return Ok(()) };
        self.lines.write(&build::summary(&part, &self.context))
    }

    /// Writes the remaining facts, and how much the run has read.
    fn rest(&mut self, so_far: &RunSummary, over: bool) -> io::Result<()> {
        let Some(summaries) = &mut self.summaries else { return Ok(()) };
        let facts = summaries.take();
        let figures = summary::figures(so_far, over, &self.context);
        self.summary(facts)?;
        self.summary(figures)
    }
}

/// A line with a part of a summary, without its line end.
///
/// # Errors
/// Never: a part contains nothing that JSON cannot express.
pub fn summary_line(part: &Part, key_id: &str, sensor: &str) -> io::Result<Vec<u8>> {
    let sensor = Some(sensor).filter(|name| !name.is_empty());
    let context =
        Context { key_id: key_id.into(), sensor: sensor.map(Into::into), ..Context::default() };
    let part = SummaryPart { time: Timestamp(0), part: part.clone() };
    let mut line = Vec::new();
    json::append(&mut line, &build::summary(&part, &context))?;
    Ok(line)
}

impl Output for Ecs {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Event::Exposure(exposure) = event {
            self.overview.take(exposure);
        }
        self.lines.write_with(|line| append(line, event, &self.context))?;
        match event {
            Event::Service(service) if self.summaries.is_some() => {
                self.summary(summary::access(service))
            }
            _ => Ok(()),
        }
    }

    fn observation(&mut self, observation: &PatientObservation) -> io::Result<()> {
        let full = self.summaries.as_mut().and_then(|summaries| summaries.add(observation));
        self.summary(full)
    }

    fn status(&mut self, so_far: &RunSummary, sensor: &SensorStatus) -> io::Result<bool> {
        let status = build::status(so_far, &self.overview, sensor, &self.context);
        self.lines.write(&status)?;
        self.rest(so_far, false).map(|()| true)
    }

    fn finish(&mut self, summary: &RunSummary) -> io::Result<()> {
        self.rest(summary, true)?;
        let overview = std::mem::take(&mut self.overview);
        self.lines.write(&build::run(summary, &overview, &self.context))?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.context.follow {
            let due = self.summaries.as_mut().and_then(Summaries::due);
            self.summary(due)?;
        }
        self.lines.flush()
    }
}
