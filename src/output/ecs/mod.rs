//! `--format ecs`: one JSON object a line with ECS 8 field names and one `phi` object.
//! `schema/event.schema.json` describes every field.

mod build;
mod dicom;
mod model;

#[cfg(test)]
mod tests;

use super::{Context, Format, Output, RunSummary, SensorStatus, json};
use crate::exposure::Event;
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

impl Ecs {
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
        let result = self.write(&build::event(event, &context));
        self.context = context;
        result
    }

    fn status(&mut self, so_far: &RunSummary, sensor: &SensorStatus) -> io::Result<()> {
        let context = std::mem::take(&mut self.context);
        let result = self.write(&build::status(so_far, sensor, &context));
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
