//! Numbers in text: which of them are identifiers, and why.

use super::record::Meaning;
use crate::content::{Evidence, Numbered, Scope};
use crate::phi::Phi;
use crate::rules::{Hit, RuleSet};
use std::hash::BuildHasher;

/// Decides the meaning of a number in a text.
///
/// Nearby words come first. Otherwise the flow is asked whether numbers with the same pattern are a list of valid
/// ones. Where few numbers are valid by chance, a single one is enough.
pub fn meaning(hit: &Hit<'_, '_>, scope: &mut Scope<'_>) -> Option<Meaning> {
    if let Some(rule) = hit.near {
        let evidence = if rule.is_checked() { Evidence::NearValid } else { Evidence::Near };
        return Some(Meaning::found(rule, evidence, rule.rule.confidence));
    }
    let number = Numbered { value: Phi::new(hit.value), shape: hit.shape, valid: &hit.valid };
    if let Some(rule) = scope.listed(&number).and_then(|place| hit.valid.get(place)) {
        return Some(Meaning::found(rule, Evidence::Listed, rule.rule.confidence));
    }
    let (rule, alone) = hit.valid.iter().find_map(|rule| Some((rule, rule.alone?)))?;
    Some(Meaning { care: false, ..Meaning::found(rule, Evidence::Checked, alone) })
}

/// Longest value that may be a number, bytes.
const MAX_VALUE: usize = 32;

/// Position of values without a known meaning: a column, a name. It identifies lists.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ListPosition(Option<std::num::NonZeroU32>);

impl ListPosition {
    /// Position of values without a name.
    pub const TOP: Self = Self(Some(std::num::NonZeroU32::MIN));

    /// Position of values under a name; `None` if the name has another meaning.
    pub fn named(name: &str, rules: &RuleSet) -> Self {
        if rules.identifiers.is_of_others(name) {
            return Self(None);
        }
        let hash = foldhash::fast::FixedState::default().hash_one(name) as u32;
        Self(std::num::NonZeroU32::new(hash | 1))
    }

    /// Position of the values of a column in a table without names.
    pub fn column(number: u32, name: &str, rules: &RuleSet) -> Self {
        let other = rules.identifiers.is_of_others(name);
        Self(std::num::NonZeroU32::new(number.saturating_add(2)).filter(|_| !other))
    }

    /// The meaning of a value that has no other explanation, if any.
    pub fn meaning(self, value: &str, scope: &mut Scope<'_>) -> Option<Meaning> {
        let numbers = &scope.rules.identifiers;
        let place = self
            .0
            .filter(|_| value.len() <= MAX_VALUE && numbers.may_identify(value.as_bytes()))?;
        let shape = u64::from(place.get()) << 8 | value.len() as u64;
        let Some(hit) = numbers.alone(value) else {
            // It counts against a list.
            scope.listed(&Numbered { value: Phi::new(value), shape, valid: &[] });
            return None;
        };
        let hit = Hit { shape, ..hit };
        meaning(&hit, scope)
    }
}
