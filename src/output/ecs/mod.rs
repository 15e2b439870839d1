//! `--format ecs`: one JSON object a line with ECS 8 field names and one `phi` object.
//! `schema/event.schema.json` describes every field.

mod build;
mod dicom;
mod model;

#[cfg(test)]
mod tests;

use super::{Context, Format, Output, RunSummary, json};
use crate::exposure::Event;
use crate::identify::Identifier;
use std::io::{self, Write};

pub(in crate::output) const FORMAT: Format = Format {
    name: "ecs",
    aliases: &["json"],
    about: "one JSON event a line, Elastic Common Schema 8",
    open: |writer, context| Box::new(Ecs { writer, context, line: Vec::new() }),
};

/// The event as one line without its end, as the store keeps it.
pub(in crate::output) fn line(event: &Event, context: &Context) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    json::append(&mut line, &build::event(event, context))?;
    Ok(line)
}

/// The run summary as one line without its end.
pub(in crate::output) fn run_line(summary: &RunSummary, context: &Context) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    json::append(&mut line, &build::run(summary, context))?;
    Ok(line)
}

/// Appends an identifier as findings show it.
pub(in crate::output) fn append_identifier(line: &mut Vec<u8>, i: &Identifier) -> io::Result<()> {
    Ok(json::append(line, &build::identifier(i, true))?)
}

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
