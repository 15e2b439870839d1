//! Checks of numbers: the effect on declared and labelled ones, and which of those found in text are something else
//! or part of a list.

use super::date::Date;
use super::normalise::phone_digits;
use super::record::{Record, RecordIdentifier};
use crate::content::{Direction, Evidence, Field, Numbered};
use crate::rules::{IdentifierRule, Kind, RuleSet};
use crate::time::Timestamp;
use smallvec::SmallVec;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Fewest different valid numbers of a list.
const MIN_LISTED: usize = 3;

/// Highest probability of this many valid numbers by chance.
const MAX_LUCK: f32 = 1e-6;

/// Different valid numbers that are counted; more add no evidence.
const MAX_DISTINCT: usize = 16;

/// Patterns counted in one direction of a flow, and kinds for each.
const MAX_SHAPES: usize = 64;
const MAX_KINDS: usize = 8;

/// Days around the packet time in which a plain number is a time rather than an identifier.
const NEAR_DAYS: i64 = 400;

/// The result of checking a field's number; `None` if there is no check.
pub(super) fn verify(field: &Field<'_>, kind: Kind, value: &str, rules: &RuleSet) -> Option<bool> {
    let numbers = &rules.identifiers;
    match field.evidence {
        _ if !matches!(
            kind,
            Kind::Ssn | Kind::NationalId | Kind::InsuranceNumber | Kind::PatientId
        ) =>
        {
            None
        }
        Evidence::Declared => numbers
            .of_system(field.issuer)
            .or_else(|| numbers.of_system(field.authority))
            .or_else(|| numbers.of_kind(kind))
            .and_then(|rule| rule.verify(value)),
        Evidence::Labelled => match numbers.of_kind(kind) {
            Some(rule) => rule.verify(value),
            None => numbers.verify(field.name, value).map(|verdict| verdict.valid),
        },
        _ => None,
    }
}

/// Confidence and evidence of a field, given the result of its check.
pub(super) fn weighed(field: &Field<'_>, valid: Option<bool>) -> (Evidence, f32) {
    match valid {
        None => (field.evidence, field.confidence),
        // A valid number halves the doubt; an invalid one removes a third of the confidence.
        Some(true) => (field.evidence.verified(true), 1.0 - (1.0 - field.confidence) / 2.0),
        Some(false) => (field.evidence.verified(false), field.confidence * 2.0 / 3.0),
    }
}

/// Whether a number that only its digits explain is a time: seconds, milliseconds or microseconds since 1970, or a
/// date with a time, near the time of the packet.
pub(super) fn is_time(value: &str, now: Timestamp) -> bool {
    let digits = value.len();
    if !value.bytes().all(|b| b.is_ascii_digit()) || !(10..=17).contains(&digits) {
        return false;
    }
    let Ok(number) = value.parse::<i64>() else { return false };
    let seconds = match digits {
        10 => Some(number),
        13 => Some(number / 1000),
        16 => Some(number / 1_000_000),
        _ => None,
    };
    let now = now.0 / 1_000_000_000;
    let near = |seconds: i64| (seconds - now).abs() < NEAR_DAYS * 86_400;
    let dated = || {
        let date = value.get(..8).filter(|_| digits >= 12)?;
        let today = Date::of(Timestamp(now * 1_000_000_000))?;
        let year: u16 = date.get(..4)?.parse().ok()?;
        let month: u8 = date.get(4..6)?.parse().ok()?;
        Some(year.abs_diff(today.year) <= 1 && (1..=12).contains(&month))
    };
    seconds.is_some_and(near) || dated().unwrap_or(false)
}

impl Record {
    /// Removes numbers found in text that a field or label of the record gives another meaning: a telephone number,
    /// or the same number under its proper name.
    pub(super) fn settle(&mut self) {
        let digits = |held: &RecordIdentifier| -> String {
            let value = held.value.as_phi();
            match held.kind {
                Kind::Phone | Kind::NextOfKinPhone | Kind::Fax => {
                    phone_digits(value.expose()).collect()
                }
                _ => value.expose().chars().filter(|c| c.is_alphanumeric()).collect(),
            }
        };
        if !self.held.iter().any(|h| h.evidence.is_found() && h.kind.is_strong_id()) {
            return;
        }
        let named: Vec<zeroize::Zeroizing<String>> = self
            .held
            .iter()
            .filter(|h| !h.evidence.is_found() || matches!(h.kind, Kind::Phone | Kind::Fax))
            .map(|h| zeroize::Zeroizing::new(digits(h)))
            .collect();
        let before = self.held.len();
        self.held.retain(|held| {
            let own = zeroize::Zeroizing::new(digits(held));
            let other = |n: &zeroize::Zeroizing<String>| !n.is_empty() && n.ends_with(own.as_str());
            !held.evidence.is_found() || !held.kind.is_strong_id() || !named.iter().any(other)
        });
        if self.held.len() < before {
            self.identify();
        }
    }
}

/// Numbers of one flow that only their check digits explain.
#[derive(Default)]
pub(super) struct NumberLists {
    shapes: Vec<Shape>,
}

/// Numbers of one direction with one pattern.
struct Shape {
    direction: Direction,
    shape: u64,
    total: u32,
    kinds: SmallVec<[ValidCount; 2]>,
}

struct ValidCount {
    rule: Arc<str>,
    valid: u32,
    distinct: SmallVec<[u64; 4]>,
}

impl NumberLists {
    /// Counts a number. Returns the index in `valid` of the kind that lists of such numbers belong to.
    pub fn count(&mut self, direction: Direction, number: &Numbered<'_>) -> Option<usize> {
        let same = |s: &Shape| s.direction == direction && s.shape == number.shape;
        let at = match self.shapes.iter().position(same) {
            Some(at) => at,
            None if self.shapes.len() < MAX_SHAPES => {
                let kinds = SmallVec::new();
                self.shapes.push(Shape { direction, shape: number.shape, total: 0, kinds });
                self.shapes.len() - 1
            }
            None => return None,
        };
        let shape = self.shapes.get_mut(at)?;
        shape.total = shape.total.saturating_add(1);
        let hash = foldhash::fast::FixedState::default().hash_one(number.value.expose());
        let mut listed = None;
        for (place, rule) in number.valid.iter().enumerate() {
            let Some(counted) = shape.counted(&rule.rule.id) else { continue };
            counted.valid = counted.valid.saturating_add(1);
            if counted.distinct.len() < MAX_DISTINCT && !counted.distinct.contains(&hash) {
                counted.distinct.push(hash);
            }
            let (valid, distinct) = (counted.valid, counted.distinct.len());
            // Four of five, and more than by chance.
            if listed.is_none()
                && distinct >= MIN_LISTED
                && u64::from(valid) * 5 >= u64::from(shape.total) * 4
                && luck(rule, distinct) <= MAX_LUCK
            {
                listed = Some(place);
            }
        }
        listed
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.shapes.capacity() * size_of::<Shape>()
    }
}

impl Shape {
    fn counted(&mut self, rule: &Arc<str>) -> Option<&mut ValidCount> {
        let at = match self.kinds.iter().position(|c| c.rule == *rule) {
            Some(at) => at,
            None if self.kinds.len() < MAX_KINDS => {
                let rule = Arc::clone(rule);
                self.kinds.push(ValidCount { rule, valid: 0, distinct: SmallVec::new() });
                self.kinds.len() - 1
            }
            None => return None,
        };
        self.kinds.get_mut(at)
    }
}

/// Probability of this many valid numbers by chance.
fn luck(rule: &IdentifierRule, distinct: usize) -> f32 {
    rule.chance.powi(i32::try_from(distinct).unwrap_or(i32::MAX))
}
