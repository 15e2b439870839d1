//! `--format ecs`: one JSON object a line with ECS 8 field names and one `phi` object.
//! `schema/event.schema.json` describes every field.

mod build;
mod dicom;
mod model;

#[cfg(test)]
mod tests;

use super::{Context, Format, Output, RunSummary, json};
use crate::exposure::{Event, Exposure};
use model::Cut;
use std::io::{self, Write};

pub(in crate::output) const FORMAT: Format = Format {
    name: "ecs",
    aliases: &["json"],
    about: "one JSON event a line, Elastic Common Schema 8",
    open: |writer, context| Box::new(Ecs { writer, context, line: Vec::new() }),
};

struct Ecs {
    writer: Box<dyn Write + Send>,
    context: Context,
    /// Reused, so that a line is written at once and costs no allocation.
    line: Vec<u8>,
}

/// Longest event of an exposure, bytes: it is written again and again as the exposure grows, and must not
/// grow with it.
pub(in crate::output) const MAX_EXPOSURE: usize = 3_000;

/// What is tried, one after the other, to keep to it. The last always does: what is left are numbers and
/// words of ours.
const CUTS: [Cut; 5] = [
    Cut::NONE,
    Cut { list: 8, text: 96 },
    Cut { list: 4, text: 48 },
    Cut { list: 2, text: 24 },
    Cut { list: 0, text: 12 },
];

impl Ecs {
    /// Makes the line of an exposure, short enough.
    fn exposure(&mut self, exposure: &Exposure, context: &Context) -> io::Result<()> {
        for cut in CUTS {
            self.line.clear();
            json::append(&mut self.line, &build::exposure(exposure, cut, context))?;
            self.line.push(b'\n');
            if self.line.len() <= MAX_EXPOSURE {
                break;
            }
        }
        self.writer.write_all(&self.line)
    }

    fn write(&mut self, event: &model::Event<'_>) -> io::Result<()> {
        self.line.clear();
        json::append(&mut self.line, event)?;
        self.line.push(b'\n');
        self.writer.write_all(&self.line)
    }
}

impl Output for Ecs {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        // Only names are borrowed of the context; cloning it would cost more.
        let context = std::mem::take(&mut self.context);
        let result = match event {
            Event::Exposure(exposure) => self.exposure(exposure, &context),
            event => self.write(&build::event(event, &context)),
        };
        self.context = context;
        result
    }

    fn finish(&mut self, summary: &RunSummary) -> io::Result<()> {
        let context = std::mem::take(&mut self.context);
        let result = self.write(&build::run(summary, &context));
        self.context = context;
        result?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
