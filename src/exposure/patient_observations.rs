//! Every patient of every exposure, whatever `--detail` says: for outputs that are queried later.

use super::severity::Worst;
use super::types::{EventId, FindingEvent, FlowActivity, PatientKey};
use crate::capture::PacketSpan;
use crate::flow::FlowInfo;
use crate::identify::Repeated;
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
    /// The flow, and the patient in it.
    pub within: SeenIn,
    /// The packets of its records; of records with nothing new, the last one.
    pub packets: PacketSpan,
    /// The exposure's worst findings so far.
    pub worst: Worst,
    /// The finding; `None` if the records contained nothing new.
    pub news: Option<Box<NewFinding>>,
}

impl PatientObservation {
    /// Records that contained nothing new.
    pub(in crate::exposure) const fn again(
        exposure: EventId,
        person: PatientKey,
        what: &FlowActivity<'_>,
        again: &Repeated,
        worst: Worst,
    ) -> Self {
        Self {
            exposure,
            person,
            records: again.new as u64,
            within: SeenIn::again(what, again),
            packets: PacketSpan::of(what.repeated),
            worst,
            news: None,
        }
    }
}

/// A patient in a flow.
#[derive(Clone, Copy)]
pub struct SeenIn {
    /// The flow.
    pub flow: FlowInfo,
    /// `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// The patient's pseudonym in that flow.
    pub patient: PatientKey,
    /// Records of the patient in that flow so far.
    pub records: u32,
}

impl SeenIn {
    pub(in crate::exposure) const fn of(event: &FindingEvent) -> Self {
        let (patient, records) = (event.finding.patient, event.finding.records);
        Self { flow: event.flow, protocol: event.protocol, patient, records }
    }

    pub(in crate::exposure) const fn again(what: &FlowActivity<'_>, again: &Repeated) -> Self {
        let (patient, records) = (again.patient, again.total);
        Self { flow: *what.flow, protocol: what.protocol, patient, records }
    }
}

/// What an observation shows for the first time.
#[derive(Clone)]
pub struct NewFinding {
    /// The finding, with the id of its event if one was written.
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
