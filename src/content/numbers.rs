//! Numbers found in text: which of them are identifiers, and why.

use super::loose::Meaning;
use super::{Evidence, Numbered, Scope};
use crate::phi::Phi;
use crate::rules::Hit;

/// What a number in a text means, if anything.
///
/// Words near by come first. Else the flow is asked whether numbers written like it are a list of valid
/// ones; and where chance makes few valid numbers, one may do.
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
