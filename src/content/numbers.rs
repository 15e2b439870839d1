//! Numbers found in text: which of them are identifiers, and why.

use super::loose::Meaning;
use super::{Evidence, Numbered, Scope};
use crate::phi::Phi;
use crate::rules::Hit;

/// What a number in a text means, if anything, and whether only those who are cared for have it.
///
/// Words near by come first. Else the flow is asked whether numbers written like it are a list of valid
/// ones; and where chance makes few valid numbers, one may do.
pub fn meaning(hit: &Hit<'_, '_>, scope: &mut Scope<'_>) -> Option<(Meaning, bool)> {
    if let Some(rule) = hit.near {
        let evidence = if rule.is_checked() { Evidence::NearValid } else { Evidence::Near };
        return Some((Meaning::found(&rule.rule, evidence, rule.rule.confidence), rule.health));
    }
    let number = Numbered { value: Phi::new(hit.value), shape: hit.shape, valid: &hit.valid };
    if let Some(rule) = scope.listed(&number).and_then(|place| hit.valid.get(place)) {
        let confidence = rule.rule.confidence;
        return Some((Meaning::found(&rule.rule, Evidence::Listed, confidence), rule.health));
    }
    let (rule, alone) = hit.valid.iter().find_map(|rule| Some((rule, rule.alone?)))?;
    Some((Meaning::found(&rule.rule, Evidence::Checked, alone), false))
}
