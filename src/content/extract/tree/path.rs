//! Keys that are paths or URIs: the FLAT form of openEHR compositions
//! (`ehr/person_name:0/family_name|value`, <https://specifications.openehr.org/releases/SM/latest/serial_data_formats.html>),
//! claims of SAML and WS-Federation (`http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname`).

use crate::content::Mark;
use crate::content::extract::record::{Marks, Meaning};
use crate::rules::{KeyRules, Kind, NamePart, RuleSet};

/// Steps of a path that are read, from its end.
const MAX_STEPS: usize = 24;

/// Head of a FLAT composition: its members belong to the composition, not to the patient.
const CONTEXT: &str = "ctx";

/// A step without its index and the part of its value: `name:0|value`.
fn bare(step: &str) -> &str {
    step.split(['|', ':']).next().unwrap_or(step)
}

/// Meaning of a key that is a path.
pub(super) fn meaning(key: &str, rules: &RuleSet) -> Option<Meaning> {
    let uri = key.starts_with("urn:");
    let separator = if uri { ':' } else { '/' };
    let (front, last) = key.trim_end_matches(separator).rsplit_once(separator)?;
    let keys = &rules.keys;
    // Of a coded value, the text is wanted.
    if matches!(last.split_once('|'), Some((_, part)) if !matches!(part, "value" | "id" | "name" | "other"))
    {
        return None;
    }
    let last = bare(last);
    let steps = || front.rsplit(separator).map(bare).take(MAX_STEPS);
    if front.split(separator).next() == Some(CONTEXT) || steps().any(|step| is_other(step, keys)) {
        return None;
    }
    let patient = steps().any(|step| Marks::about_name(step, keys).has(Mark::PatientContext));
    let under = steps().next().and_then(|parent| keys.get(&format!("{parent}.{last}")));
    let found = under.or_else(|| keys.get(last))?;
    // Any path may end in `name`.
    let general = found.rule.kind == Kind::Name && found.part == NamePart::Whole && !found.patient;
    (!general || patient).then(|| {
        let mut meaning = Meaning::from(found);
        meaning.patient |= patient;
        meaning
    })
}

/// What a key shows of the subject of the document: only the record of a patient has a context.
pub(super) fn marks(key: &str) -> Marks {
    match key.split_once('/') {
        Some((CONTEXT, _)) => Marks::PATIENT,
        _ => Marks::default(),
    }
}

/// Whether what is below a step is about another person or a thing.
fn is_other(step: &str, keys: &KeyRules) -> bool {
    Marks::about_name(step, keys).is_other()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::rules;

    fn kind(key: &str) -> Option<(Kind, NamePart)> {
        meaning(key, rules()).map(|meaning| (meaning.rule.kind, meaning.part))
    }

    #[test]
    fn the_last_step_says_what_it_is() {
        for key in [
            "ehr/demographics:0/any_event/family_name|value",
            "person/personenname/nachname",
            "x/person_name:1/apellidos:0",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
            "urn:example:claims:family_name",
        ] {
            assert_eq!(kind(key), Some((Kind::Name, NamePart::Family)), "{key}");
        }
        assert_eq!(kind("a/patient/name"), Some((Kind::Name, NamePart::Whole)));
        assert_eq!(kind("a/birth_data:0/date_of_birth"), Some((Kind::BirthDate, NamePart::Whole)));
    }

    #[test]
    fn others_and_things_say_nothing() {
        for key in [
            "ctx/composer_name",
            "report/composer/family_name",
            "encounter/performer:0/last_name",
            "vital_signs/blood_pressure/name",
            "lab/test_name|code",
            "a/date_of_birth|terminology",
            "image/png",
            "/",
            "",
        ] {
            assert_eq!(kind(key), None, "{key}");
        }
    }
}
