//! Records whose source says that they were de-identified, and phantoms.

use super::*;
use crate::rules::Kind::{Email, OtherId};

/// The finding of a de-identified record, if it makes one: values with their fields (`F-1` by default), and a
/// question mark for those found in texts.
fn finding(marks: &[Mark], fields: &[(Kind, &str, &str)]) -> Option<Vec<String>> {
    let mut flow = Flow::new();
    flow.begin(AT, "dicom", true);
    marks.iter().for_each(|m| flow.sink().mark(AT, *m));
    for (kind, value, name) in fields {
        let (name, in_text) = name.strip_suffix('?').map_or((*name, false), |n| (n, true));
        flow.sink().field(
            AT,
            Field {
                kind: *kind,
                value: Phi::new(value),
                name: if name.is_empty() { "F-1" } else { name },
                rule: "rule",
                issuer: "",
                authority: "",
                confidence: 1.0,
                evidence: if in_text { Evidence::Labelled } else { Evidence::Declared },
            },
        );
    }
    flow.end(AT);
    let silent = flow.counters.deidentified + flow.counters.phantoms + flow.counters.below_policy;
    assert_eq!(flow.out.len() as u64 + silent, u64::from(!fields.is_empty()));
    let found = flow.out.first()?;
    let badly = marks.contains(&Mark::Deidentified);
    assert_eq!(found.alert.id == "dicom-badly-deidentified", badly, "{}", found.alert.id);
    Some(found.identifiers.iter().map(|i| i.shown.text().to_owned()).collect())
}

const REMOVED: &[Mark] = &[Mark::Deidentified];

#[test]
fn pseudonyms_alone_are_silent() {
    for fields in [
        &[(Name, "TRIAL01-7539", ""), (PatientId, "TRIAL01-7539", ""), (Sex, "M", "")][..],
        &[(Name, "TRIAL01-7539", ""), (BirthDate, "19590101", ""), (AccessionNumber, "77", "")],
        &[(Name, "TRIAL01-7539", ""), (Kind::Age, "045Y", ""), (Kind::Occupation, "Cook", "")],
        // A tool that makes up whole names.
        &[(Name, "Campbell^Joe", ""), (PatientId, "8812", "")],
    ] {
        assert_eq!(finding(REMOVED, fields), None, "{fields:?}");
    }
}

#[test]
fn what_was_left_behind_is_found_without_the_pseudonyms() {
    let subject = (PatientId, "TRIAL01-7539", "");
    for (left, value) in [
        ((BirthDate, "19590614", ""), "19590614"),
        ((Address, "1 Elm Street", ""), "1 Elm Street"),
        ((Ssn, "536-90-4399", ""), "536-90-4399"),
        ((OtherId, "X0003094", "(0010,1002)"), "X0003094"),
        ((Name, "Hartman^Jason", "(0010,1001)?"), "Hartman^Jason"),
        ((PatientId, "00773500", "(0040,A160)?"), "00773500"),
        ((Email, "anna@example.org", "private?"), "anna@example.org"),
    ] {
        let found = finding(REMOVED, &[(Name, "TRIAL01-7539", ""), subject, left]);
        let last = found.as_ref().and_then(|f| f.last()).map(String::as_str);
        assert_eq!(last, Some(value));
        assert_eq!(found.map(|f| f.len()), Some(1), "{value}");
    }
    // A name that may not have been replaced stays, and its number with it.
    let found = finding(
        REMOVED,
        &[(Name, "Hartman^Jason", ""), (PatientId, "00912033", ""), (BirthDate, "19591102", "")],
    );
    assert_eq!(found.map(|f| f.len()), Some(3));
}

#[test]
fn a_picture_that_shows_identifiers_was_not_deidentified() {
    let both = &[Mark::Deidentified, Mark::BurnedIn];
    let subject = &[(Name, "TRIAL01-7539", ""), (PatientId, "TRIAL01-7539", "")];
    assert_eq!(finding(both, subject).map(|f| f.len()), Some(2));
    assert_eq!(finding(both, &[]), None);
}

#[test]
fn phantoms_are_not_patients() {
    let fields = &[(Name, "Daily^Check", ""), (PatientId, "771", ""), (BirthDate, "19590614", "")];
    assert_eq!(finding(&[Mark::Phantom], fields), None);
    assert!(finding(&[], fields).is_some());
}
