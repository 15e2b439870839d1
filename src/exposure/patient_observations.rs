//! Every patient of every exposure, whatever `--detail` says: for outputs that answer questions later.

use super::types::{EventId, FindingEvent, PatientKey};
use crate::capture::PacketSpan;
use smallvec::SmallVec;

/// A patient seen with an exposure.
#[derive(Clone)]
pub struct PatientObservation {
    /// The exposure.
    pub exposure: EventId,
    /// The person.
    pub person: PatientKey,
    /// Records that were not counted before.
    pub records: u64,
    /// The packets of its records; of those without news, the last one.
    pub packets: PacketSpan,
    /// What was found; none if the records brought nothing new.
    pub news: Option<Box<NewFinding>>,
}

/// What a sighting says for the first time.
#[derive(Clone)]
pub struct NewFinding {
    /// The finding. Its id is that of the event that was written of it, where one was.
    pub event: FindingEvent,
    /// 0 to 100.
    pub severity: u8,
    /// People counted separately until now who turned out to be the same.
    pub merged: SmallVec<[PatientKey; 1]>,
}

/// Observations until they are taken; none are kept if no output wants them.
#[derive(Default)]
pub(in crate::exposure) struct PatientObservations(Option<Vec<PatientObservation>>);

impl PatientObservations {
    pub fn wanted(wanted: bool) -> Self {
        Self(wanted.then(Vec::new))
    }

    pub const fn are_wanted(&self) -> bool {
        self.0.is_some()
    }

    pub fn push(&mut self, observation: impl FnOnce() -> PatientObservation) {
        if let Some(observations) = &mut self.0 {
            observations.push(observation());
        }
    }

    pub fn take(&mut self) -> Vec<PatientObservation> {
        self.0.as_mut().map(std::mem::take).unwrap_or_default()
    }
}
