//! Identifiers in the path of a request: `/patients/MRN0012345/labs`, `/mrn/0012345`,
//! `/patient/name=Roe;dob=1970-01-31`.

use crate::content::extract::record::{CandidateRecord, Meaning};
use crate::rules::{About, ContextScope, Kind, RuleSet};

/// Segments that are read.
const MAX_SEGMENTS: usize = 32;

/// Fewest digits of a record number.
const MIN_DIGITS: usize = 3;

/// Longest number, bytes.
const MAX_NUMBER: usize = 32;

/// Reads the segments of a decoded path.
pub(super) fn read(path: &str, record: &mut CandidateRecord, rules: &RuleSet) {
    let keys = &rules.keys;
    let mut before: Option<&str> = None;
    for segment in path.split('/').filter(|s| !s.is_empty()).take(MAX_SEGMENTS) {
        // Matrix parameters (RFC 3986 3.3).
        for (name, value) in segment.split(';').filter_map(|part| part.split_once('=')) {
            if let Some(key) = keys.get(name) {
                record.add(&Meaning::from(key), 0, value);
            }
        }
        let value = segment.split(';').next().unwrap_or("");
        if let Some(name) = before.replace(segment).filter(|_| !value.contains('=')) {
            pair(name, value, record, rules);
        }
    }
}

/// A segment behind another that may name its kind.
fn pair(name: &str, value: &str, record: &mut CandidateRecord, rules: &RuleSet) {
    let keys = &rules.keys;
    let patients = keys.scope_of(name).map(ContextScope::ahead) == Some(About::Patient);
    let mut put = |name: &str| {
        if let Some(key) = keys.get(name) {
            record.add(&Meaning::from(key), 0, value);
        }
    };
    // `Patient/17` of FHIR is no number of the hospital, but `Patient/MRN0012345` names its kind.
    let front = value.trim_end_matches(|c: char| !c.is_alphabetic()).trim_end_matches('-');
    let named = keys.get(front).is_some_and(|key| key.rule.kind == Kind::PatientId);
    if patients && is_number(value) && (named || !rules.fhir.is_person(name)) {
        put("patient_id");
    } else if patients && is_name(value) {
        put("patient_name");
    } else if let Some(key) = keys.get(name).filter(|_| !patients) {
        let fits = match key.rule.kind {
            Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName => {
                key.part != crate::rules::NamePart::Whole || is_name(value)
            }
            Kind::Address | Kind::Sex | Kind::Employer => false,
            Kind::Email => value.contains('@'),
            _ => value.chars().filter(char::is_ascii_digit).count() >= MIN_DIGITS,
        };
        // Words of the interface itself: `/mrn/search`.
        if fits && keys.get(value).is_none() && keys.scope_of(value).is_none() {
            put(name);
        }
    }
}

/// A record number: digits, perhaps with letters; no UUID, no date, no version.
fn is_number(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let dashes = value.bytes().filter(|b| *b == b'-').count();
    digits >= MIN_DIGITS
        && value.len() <= MAX_NUMBER
        && dashes <= 2
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && !(dashes == 2 && value.len() == 10 && digits == 8)
}

/// Two capitalised words.
fn is_name(value: &str) -> bool {
    let words = value.split([' ', '+', ',', '^', '_', '.']).filter(|w| !w.is_empty());
    let capital = |word: &str| {
        word.starts_with(char::is_uppercase) && word.chars().all(|c| c.is_alphabetic() || c == '-')
    };
    (2..=4).contains(&words.clone().count()) && words.into_iter().all(capital)
}
