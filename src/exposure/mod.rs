//! Findings grouped by client and service, and graded.
//!
//! [`Exposures`] takes findings in the order of packet time and hands on [`Event`]s. It is the
//! only state here; [`severity`] is a sum of points from `rules/policy.toml`, [`Distinct`] counts
//! patients without keeping more than their pseudonyms, hosts get a [`Role`], and DICOM services are
//! watched for whom they let in ([`Access`]).

mod access;
mod announced;
mod ceiling;
mod counters;
mod distinct;
mod inventory;
mod known;
mod lists;
mod live;
mod moves;
mod observations;
mod open;
mod services;
mod severity;
mod sightings;
mod steps;
mod tracker;
mod types;
mod withheld;

pub use crate::exposure::counters::ExposureTotals;
pub use access::{Access, Answers};
pub use ceiling::Written;
pub use distinct::Distinct;
pub use known::KnownExposure;
pub use lists::{PatientGroup, PatientList};
pub use severity::severity;
pub use sightings::{News, SeenIn, Sighting};
pub use steps::{PATIENTS, Steps};
pub use tracker::{Exposures, Settings};
pub use types::{
    Asset, Conversation, Count, Event, EventId, Exposure, ExposureState, FindingEvent,
    FlowActivity, Losses, NetworkDirection, PatientKey, Service, ServiceObservation, Suppressed,
    Taken,
};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
