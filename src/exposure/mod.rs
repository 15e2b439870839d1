//! Disclosures grouped by client and service, and graded.

mod types;

pub use types::{
    Asset, Disclosure, Event, EventId, Exposure, ExposureState, NetworkDirection, PatientKey,
    Severity,
};
