//! Findings grouped by client and service, with severity.
//!
//! [`Exposures`] takes findings in the order of packet time and emits [`Event`]s. It is the only state of this stage.
//! [`severity`] adds up points from `rules/policy.toml`, [`Distinct`] counts patients by their pseudonyms, hosts get
//! a [`Role`], and services are watched for which clients they accept ([`Access`]).

mod access;
mod announced;
mod ceiling;
mod counters;
mod distinct;
mod handshakes;
mod known;
mod lists;
mod live;
mod moves;
mod names;
mod open;
mod patient_observations;
mod proven;
mod ranked_map;
mod service_observations;
mod services;
mod severity;
mod thresholds;
mod tracker;
mod types;
mod warm;
mod withheld;

pub use crate::exposure::counters::ExposureTotals;
pub use access::{AcceptedTitle, AcceptedTitles, Access, Answers, Proof, same_title};
pub use ceiling::WrittenBytes;
pub use distinct::Distinct;
pub use handshakes::{Certificates, EXPIRES_SOON};
pub use known::KnownExposure;
pub use lists::{PatientGroup, PatientList};
pub use patient_observations::SeenIn;
pub use patient_observations::{NewFinding, PatientObservation};
pub use severity::{ExposurePoints, Worst, severity};
pub use thresholds::{PATIENTS, ThresholdCounters};
pub use tracker::{Exposures, Settings};
pub use types::{
    Asset, Conversation, Count, Event, EventId, Exposure, ExposureState, FindingEvent,
    FlowActivity, HostName, Intake, Losses, NetworkDirection, PatientKey, Service,
    ServiceObservation, Suppressed,
};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
