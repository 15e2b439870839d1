//! `--format ecs`: one JSON object a line with ECS 8 field names and one `phi` object.
//! `schema/event.schema.json` describes every field.

mod build;
mod cut;
mod dicom;
mod model;
mod sensor;

#[cfg(test)]
mod tests;

use super::{Context, Format, Output, RunSummary, SensorStatus, json};
use crate::exposure::Event;
use crate::identify::Identifier;
use crate::output::summary::Overview;
use cut::Cut;
use std::io;

pub(in crate::output) const FORMAT: Format = Format {
    name: "ecs",
    aliases: &["json"],
    about: "one JSON event a line, Elastic Common Schema 8",
    open: |writer, context| {
        Box::new(Ecs { lines: json::Lines::new(writer), context, overview: Overview::default() })
    },
};

/// The event as a value, for what reads events rather than writes them.
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
    /// What exposures come to, for the run summary.
    overview: Overview,
}

/// Longest event of an exposure, bytes: it is written again and again as the exposure grows, and must not
/// grow with it.
pub(in crate::output) const MAX_EXPOSURE: usize = 3_000;

/// What is tried, one after the other, to keep to it. The last always does: what is left are numbers and
/// words of ours.
const CUTS: [Cut; 6] = [
    Cut::NONE,
    Cut { list: 8, text: 96 },
    Cut { list: 4, text: 48 },
    Cut { list: 2, text: 24 },
    Cut { list: 1, text: 12 },
    Cut { list: 0, text: 0 },
];

/// Writes an event to `line`, which was empty, without an end of line; an exposure short enough.
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

impl Output for Ecs {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Event::Exposure(exposure) = event {
            self.overview.take(exposure);
        }
        self.lines.write_with(|line| append(line, event, &self.context))
    }

    fn status(&mut self, so_far: &RunSummary, sensor: &SensorStatus) -> io::Result<bool> {
        let status = build::status(so_far, &self.overview, sensor, &self.context);
        self.lines.write(&status).map(|()| true)
    }

    fn finish(&mut self, summary: &RunSummary) -> io::Result<()> {
        let overview = std::mem::take(&mut self.overview);
        self.lines.write(&build::run(summary, &overview, &self.context))?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lines.flush()
    }
}
