//! The part of a run that can be merged, as `phi-summary` events.

use super::super::clock::stopwatch;
use super::super::{Context, RunSummary};
use crate::exposure::{PatientObservation, Service};
use crate::identify::Token;
use crate::merge::{Fact, MAX_PART_FACTS, Part, RunNumbers, Section, SeenAccess};
use crate::time::{Span, Timestamp};
use std::path::Path;
use std::time::{Duration, Instant};

/// Packet time for which facts are collected.
const PART_EVERY: Span = Span::seconds(10);
/// The same by the clock, if a live run sees nothing new.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

/// A part of a summary and the time of its event.
pub(super) struct SummaryPart {
    pub time: Timestamp,
    pub part: Part,
}

/// Facts until the next event. Those of one patient in one flow are joined; nothing else is kept.
#[derive(Default)]
pub(super) struct Summaries {
    waiting: Section,
    /// Packet time of the first collected fact, and of the last one.
    span: Option<(Timestamp, Timestamp)>,
    /// When the first fact came, by the clock.
    since: Option<Instant>,
}

impl Summaries {
    /// Takes an observation. Returns what is to be written, if it is enough or its time has come.
    pub fn add(&mut self, observation: &PatientObservation) -> Option<SummaryPart> {
        let fact = Fact::of(observation)?;
        let time = fact.seen.last;
        self.waiting.add(&fact, usize::MAX);
        let (first, last) = self.span.map_or((time, time), |(a, b)| (a.min(time), b.max(time)));
        self.span = Some((first, last));
        let full = self.waiting.facts().is_some_and(|facts| facts.len() >= MAX_PART_FACTS);
        (full || last - first >= PART_EVERY).then(|| self.take()).flatten()
    }

    /// The collected facts.
    pub fn take(&mut self) -> Option<SummaryPart> {
        let (_, time) = self.span.take()?;
        self.since = None;
        let waiting = std::mem::take(&mut self.waiting);
        Some(SummaryPart { time, part: Part::of_facts(waiting.facts()?.iter()) })
    }

    /// Facts that were collected for long enough in a live run.
    pub fn due(&mut self) -> Option<SummaryPart> {
        self.span?;
        let now = stopwatch();
        let since = *self.since.get_or_insert(now);
        (now - since >= FLUSH_EVERY).then(|| self.take()).flatten()
    }
}

/// Whom a service answers, if anything is known of that.
pub(super) fn access(service: &Service) -> Option<SummaryPart> {
    let (key, seen) = SeenAccess::of(service)?;
    Some(SummaryPart { time: service.time, part: Part::of_service(&key, &seen) })
}

/// What a run has read; `None` before its first packet. Its id is the same whenever the same input is read.
pub(super) fn figures(run: &RunSummary, over: bool, context: &Context) -> Option<SummaryPart> {
    let (started, ended) = (run.started?, run.ended?);
    let mut hasher = blake3::Hasher::new();
    let sensor = context.sensor.as_deref().unwrap_or_default();
    let mut names: Vec<&str> = run.inputs.iter().map(|input| input.name.as_str()).collect();
    names.sort_unstable();
    for part in std::iter::once(sensor).chain(names) {
        let name = Path::new(part).file_name().map_or(part.as_bytes(), |n| n.as_encoded_bytes());
        hasher.update(&(name.len() as u64).to_be_bytes());
        hasher.update(name);
    }
    hasher.update(&started.0.to_be_bytes());
    let (payload_bytes, unjudged_bytes) = run.unjudged_bytes();
    let figures = RunNumbers {
        packets: run.packets_read,
        bytes: run.bytes_read,
        flows: run.flows,
        payload_bytes,
        unjudged_bytes,
        unjudged_flows: run.unjudged_flows(),
        lost_packets: run.dropped.values().chain(run.lost.values()).sum(),
        started: started.0,
        ended: ended.0,
        over: over && run.interrupted.is_none(),
        patients_10: run.points.patients_10,
        patients_500: run.points.patients_500,
        answers_anyone: run.points.answers_anyone,
    };
    let id = format!("r_{}", Token::of_hash(hasher.finalize().as_bytes()));
    Some(SummaryPart { time: ended, part: Part::of_run(id, figures) })
}
