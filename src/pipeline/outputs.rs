//! Turns `--output` into files, queues, spools and receivers.

use super::collector::OutputEnd;
use super::log::complain;
use super::run::RunError;
use super::setup::Parts;
use crate::config::{Config, Source};
use crate::destination::{Destination, Rotation, Target};
use crate::output::sinks::{self, Delivery, Sink as Receiver, Started, Tagged};
use crate::output::spool::{Limits, Pressure, Spool};
use crate::output::{
    self, Context, EventLog, FORMATS, Format, Output, OutputQueue, Sink, WriteError,
};
use std::path::Path;
use std::sync::{Arc, PoisonError};

/// Outputs by name.
type Outputs = Vec<(&'static str, Box<dyn Output>)>;

/// Creates the receiver of each output. Runs before privileges are dropped, because it reads
/// credentials.
pub(super) fn prepare(config: &Config) -> Result<Vec<Option<Box<dyn Receiver>>>, RunError> {
    let sensor = config.sensor.as_deref();
    let prepare = |output: &Destination| {
        sinks::prepare(&output.target, sensor)
            .map_err(|source| RunError::Sink { output: output.name.clone(), source })
    };
    config.outputs.iter().map(prepare).collect()
}

/// Leaks a name, so that it lasts as long as the program. Called once per output.
fn lasting(name: &str) -> &'static str {
    let known = FORMATS.iter().map(|format| format.name).find(|known| *known == name);
    known.unwrap_or_else(|| Box::leak(name.to_owned().into_boxed_str()))
}

/// Whether `path` is, or will be, a regular file: pipes and devices cannot be appended to.
fn is_log(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |of| of.is_file())
}

impl Parts {
    /// Opens every output for events.
    pub(super) fn events(
        &self,
        config: &Config,
        context: &Context,
        outputs: &mut Outputs,
    ) -> Result<Vec<OutputEnd>, RunError> {
        let receivers =
            std::mem::take(&mut *self.sinks.lock().unwrap_or_else(PoisonError::into_inner));
        let mut receivers = receivers.into_iter();
        let mut ends = Vec::new();
        say_what_is_left(config);
        for output in &config.outputs {
            let name = output.format.unwrap_or(config.format);
            let format = output::format(name)
                .ok_or_else(|| RunError::Internal(format!("no output format {name}")))?;
            let name = lasting(&output.name);
            let made = match receivers.next().flatten() {
                Some(receiver) => {
                    let (made, delivery) = self.deliver(config, context, name, format, receiver)?;
                    ends.push(OutputEnd::Delivery(delivery));
                    made
                }
                None => self.write(config, context, (name, format, &output.target), &mut ends)?,
            };
            outputs.push((name, made));
        }
        Ok(ends)
    }

    /// Delivers events to a receiver through a spool.
    fn deliver(
        &self,
        config: &Config,
        context: &Context,
        name: &'static str,
        format: &'static Format,
        receiver: Box<dyn Receiver>,
    ) -> Result<(Box<dyn Output>, Delivery), RunError> {
        let live = matches!(config.source, Source::Interfaces(_));
        let pressure = if live { Pressure::Drop } else { Pressure::Wait };
        let (backlog, metrics) = (self.health.output(name), Arc::clone(&self.metrics));
        let folder = config.spool.as_ref().map(|spool| {
            let limits = Limits { bytes: spool.bytes, age: spool.age };
            (spool.folder.join(name), limits)
        });
        let place = folder.as_ref().map(|(folder, limits)| (folder.as_path(), *limits));
        let spool = Spool::open(
            place,
            pressure,
            name,
            Arc::clone(&backlog),
            Arc::clone(&metrics),
            complain,
            Arc::clone(&self.stop),
        )
        .map_err(|source| {
            let folder = folder.as_ref().map(|(folder, _)| folder.display().to_string());
            WriteError::new(folder.unwrap_or_default(), source)
        })?;
        let spool = Arc::new(spool);
        let context = Context { colour: false, width: 0, ..context.clone() };
        let tagged = Tagged::new(format, context, Arc::clone(&spool));
        let started = Started { output: name, spool, backlog, metrics, warn: complain };
        Ok((Box::new(tagged), Delivery::start(started, receiver)?))
    }

    /// Writes events to a file or standard output. A live run writes in a separate thread, so that
    /// detection does not wait for a reader.
    fn write(
        &self,
        config: &Config,
        context: &Context,
        (name, format, target): (&'static str, &'static Format, &Target),
        ends: &mut Vec<OutputEnd>,
    ) -> Result<Box<dyn Output>, RunError> {
        let live = matches!(config.source, Source::Interfaces(_));
        let (path, rotation) = match target {
            Target::File { path, rotation } => (Some(path.as_path()), *rotation),
            _ => (None, None),
        };
        let context = match path {
            Some(_) => Context { colour: false, width: 0, ..context.clone() },
            None => context.clone(),
        };
        if !live {
            let sink = match (path, rotation) {
                (Some(path), Some(_)) => self.log(path, name, rotation, false)?,
                _ => Sink::open(path)?,
            };
            return Ok((format.open)(Box::new(sink), context));
        }
        let sink = match path {
            Some(path) if is_log(path) => self.log(path, name, rotation, true)?,
            path => Sink::open(path)?,
        };
        let file = sink.name().to_owned();
        let (backlog, metrics) = (self.health.output(name), Arc::clone(&self.metrics));
        let (queue, end) = OutputQueue::start(Box::new(sink), name, backlog, metrics)
            .map_err(|source| WriteError::new(file.clone(), source))?;
        ends.push(OutputEnd::Queue(end));
        Ok((format.open)(Box::new(Sink::new(file, Box::new(queue))), context))
    }

    /// Opens a log file for appending.
    fn log(
        &self,
        path: &Path,
        name: &'static str,
        rotation: Option<Rotation>,
        live: bool,
    ) -> Result<Sink, WriteError> {
        let (metrics, backlog) = (Arc::clone(&self.metrics), self.health.output(name));
        let mut log = EventLog::open(path, name, metrics, backlog, complain)?;
        if let Some(rotation) = rotation {
            log = log.rotated(rotation);
        }
        if !live {
            log = log.strict();
        }
        Ok(Sink::new(path.display().to_string(), Box::new(log)))
    }
}

/// Warns if the spool holds events of an output that this run does not have.
fn say_what_is_left(config: &Config) {
    let Some(spool) = &config.spool else { return };
    let entries = std::fs::read_dir(&spool.folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.path().is_dir()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_segment = |entry: std::fs::DirEntry| {
            entry.path().extension().is_some_and(|ending| ending == "segment")
        };
        let mut files = std::fs::read_dir(entry.path()).into_iter().flatten().flatten();
        if config.outputs.iter().all(|output| output.name != name) && files.any(is_segment) {
            let folder = entry.path();
            complain(&format!(
                "{} holds events of an output {name}, which this run does not have",
                folder.display()
            ));
        }
    }
}
