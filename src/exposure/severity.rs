//! The severity score: points of `[severity]` in `rules/policy.toml`, added up, 1 to 100.
//!
//! ```text
//!   base
//! + external               one end is not in the home networks
//! + no_authentication      the service is known not to ask who is there
//! + answers_anyone         the service was seen to serve any client
//! + credentials_in_clear   a secret crossed the wire too
//! + fraud_id               SSN, national id, insurance number, driver's licence, passport
//! + health                 a diagnosis, result, medication, allergy or procedure comes with them
//! - test                   the source says it is test data
//! - deidentified           the source says it was de-identified
//! ```
//!
//! An exposure has the highest score of its findings, plus `patients_10` or `patients_500`.

use super::access::Answers;
use super::types::{Count, FindingEvent, NetworkDirection};
use crate::content::Mark;
use crate::protocol::Authentication;
use crate::rules::{Kind, SeverityEntry};

/// Points that an exposure gets beside those of its findings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExposurePoints {
    /// For 10 to 499.
    pub patients_10: u8,
    /// For 500 and more.
    pub patients_500: u8,
    /// For findings from before the service proved to answer any client.
    pub answers_anyone: u8,
}

/// The worst findings of an exposure so far, without points for the number of patients.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Worst {
    /// Highest score of any, 0 to 100.
    pub score: u8,
    /// Highest score of those graded before the service proved to answer any client; 0 once it has.
    pub unproven: u8,
}

impl From<&SeverityEntry> for ExposurePoints {
    fn from(points: &SeverityEntry) -> Self {
        Self {
            patients_10: points.patients_10,
            patients_500: points.patients_500,
            answers_anyone: points.answers_anyone,
        }
    }
}

impl ExposurePoints {
    /// The score of a finding with `unproven`, whose service proved to answer any client after it.
    pub fn proven(self, unproven: u8) -> u8 {
        unproven.saturating_add(self.answers_anyone).min(100)
    }

    /// The score of an exposure whose worst finding has `worst`.
    pub fn score(self, worst: u8, patients: Count) -> u8 {
        let more = match patients.value {
            0..=9 => 0,
            10..=499 => self.patients_10,
            _ => self.patients_500,
        };
        within(i32::from(worst) + i32::from(more))
    }
}

/// The score of one finding of a service that answers as `answers` says.
pub fn severity(
    points: &SeverityEntry,
    event: &FindingEvent,
    direction: NetworkDirection,
    answers: Answers,
) -> u8 {
    let marks = event.finding.marks;
    let fraud = event.finding.kinds.iter().any(Kind::opens_accounts);
    let facts = &event.finding.facts;
    let mut score = i32::from(points.base);
    let mut add = |applies: bool, points: u8, sign: i32| {
        if applies {
            score += sign * i32::from(points);
        }
    };
    add(direction != NetworkDirection::Internal, points.external, 1);
    add(facts.authentication == Authentication::None, points.no_authentication, 1);
    add(answers == Answers::Anyone, points.answers_anyone, 1);
    add(facts.credentials_in_clear, points.credentials_in_clear, 1);
    add(fraud, points.fraud_id, 1);
    add(!marks.health().is_empty(), points.health, 1);
    add(marks.contains(Mark::Test), points.test, -1);
    add(marks.contains(Mark::Deidentified), points.deidentified, -1);
    within(score)
}

fn within(score: i32) -> u8 {
    u8::try_from(score.clamp(1, 100)).unwrap_or(100)
}
