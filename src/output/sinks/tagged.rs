//! Connects a format, which writes lines, with the spool, which keeps records: each line gets the id and the level of
//! its event.

use crate::exposure::{Conversation, Event, EventId, PatientObservation};
use crate::output::clock::wall_clock;
use crate::output::spool::{Record, Spool};
use crate::output::{Context, Format, Output, RunSummary, SensorStatus};
use crate::severity::Severity;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Level of events that are no alerts: informational (RFC 5424 section 6.2.1).
const INFORMATIONAL: u8 = 6;

/// A format whose lines go to a spool.
pub struct Tagged {
    format: Box<dyn Output>,
    tag: Arc<Mutex<Tag>>,
}

/// Of the current event.
struct Tag {
    /// Empty if it has no id.
    id: String,
    level: u8,
}

struct Lines {
    spool: Arc<Spool>,
    tag: Arc<Mutex<Tag>>,
    line: Vec<u8>,
}

impl Tagged {
    /// Starts `format`, which must write lines.
    pub fn new(format: &Format, context: Context, spool: Arc<Spool>) -> Self {
        let tag = Arc::new(Mutex::new(Tag { id: String::new(), level: INFORMATIONAL }));
        let lines = Lines { spool, tag: Arc::clone(&tag), line: Vec::new() };
        Self { format: (format.open)(Box::new(lines), context), tag }
    }

    fn set(&self, id: Option<EventId>, level: u8) {
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        *lock(&self.tag) = Tag { id, level };
    }
}

impl Output for Tagged {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let (id, level) = match event {
            Event::Finding { event, severity, .. } => (event.id, level(*severity)),
            Event::Patients(list) => (list.id, INFORMATIONAL),
            Event::Exposure(exposure) => (exposure.id, level(exposure.severity)),
            Event::Asset(asset) => (asset.id, INFORMATIONAL),
            Event::Service(service) => (service.id, INFORMATIONAL),
        };
        self.set(Some(id), level);
        self.format.event(event)
    }

    fn status(&mut self, so_far: &RunSummary, sensor: &SensorStatus) -> io::Result<bool> {
        self.set(None, INFORMATIONAL);
        self.format.status(so_far, sensor)
    }

    fn observation(&mut self, observation: &PatientObservation) -> io::Result<()> {
        // Its lines are no revision of the previous event.
        self.set(None, INFORMATIONAL);
        self.format.observation(observation)
    }

    fn conversation(&mut self, conversation: &Conversation) -> io::Result<()> {
        self.format.conversation(conversation)
    }

    fn finish(&mut self, summary: &RunSummary) -> io::Result<()> {
        self.set(None, INFORMATIONAL);
        self.format.finish(summary)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.set(None, INFORMATIONAL);
        self.format.flush()
    }
}

/// The level of a severity: critical (2) to notice (5).
fn level(severity: u8) -> u8 {
    match Severity::of(severity) {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        _ => 5,
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            self.line.extend_from_slice(line);
            rest = after.get(1..).unwrap_or_default();
            if !self.line.is_empty() {
                let tag = lock(&self.tag);
                let line = std::mem::take(&mut self.line);
                self.spool.push(Record::new(&tag.id, tag.level, wall_clock().unix_millis(), line));
            }
        }
        self.line.extend_from_slice(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock(of: &Mutex<Tag>) -> MutexGuard<'_, Tag> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
