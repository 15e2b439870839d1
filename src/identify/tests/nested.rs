//! Nested records, and payloads open at the same time.

use super::*;

const OTHER: ContentId = ContentId(2);

#[test]
fn what_a_nested_record_repeats_joins_the_record_around_it() {
    let mut flow = Flow::new();
    flow.begin(AT, "hl7v2", true);
    flow.field(AT, (Name, "Decker^Wendy", ""));
    flow.field(AT, (PatientId, "H0709380", ""));
    flow.begin(AT, "pdf", false);
    flow.field(AT, (Name, "Wendy Decker", ""));
    flow.field(AT, (Phone, "(475) 555-0132", ""));
    flow.sink().mark(AT, Mark::Diagnosis);
    flow.end(AT);
    assert!(flow.out.is_empty());
    flow.end(AT);
    assert_eq!(flow.findings(), [(0, false)]);
    let kinds: Vec<_> = flow.out[0].identifiers.iter().map(|i| i.kind).collect();
    assert_eq!(kinds, [Name, PatientId, Phone]);
    assert_eq!(flow.out[0].marks, MarkSet::of(Mark::Diagnosis));
    assert_eq!((flow.out[0].records, flow.counters.records), (1, 1));
}

#[test]
fn a_nested_record_of_somebody_else_is_a_patient_of_its_own() {
    for nested in [(PatientId, "999", ""), (Name, "Oak^Tom", ""), (BirthDate, "19800102", "")] {
        let mut flow = Flow::new();
        flow.begin(AT, "hl7v2", true);
        for f in [(PatientId, "17", ""), (Name, "Ash^Eve", ""), (BirthDate, "19590102", "")] {
            flow.field(AT, f);
        }
        flow.begin(AT, "hl7v2", true);
        flow.field(AT, nested);
        flow.field(AT, (Address, "1 Elm Street", ""));
        flow.end(AT);
        flow.end(AT);
        assert_eq!(flow.findings(), [(0, false), (1, false)], "{nested:?}");
    }
}

#[test]
fn a_record_that_wraps_a_list_keeps_the_people_apart() {
    let mut flow = Flow::new();
    flow.begin(AT, "json", false);
    for (name, birth) in [("Ash^Eve", "19590102"), ("Oak^Tom", "19600102"), ("Elm^Ida", "19610102")]
    {
        flow.begin(AT, "json", false);
        flow.sink().mark(AT, Mark::PatientContext);
        flow.field(AT, (Name, name, ""));
        flow.field(AT, (BirthDate, birth, ""));
        flow.end(AT);
    }
    // The list's own: the hospital's phone.
    flow.field(AT, (Phone, "(475) 555-0100", ""));
    flow.end(AT);
    assert_eq!(flow.findings(), [(0, false), (1, false), (2, false)]);
    assert!(flow.out.iter().all(|f| f.identifiers.len() == 2));
}

#[test]
fn a_nested_record_before_the_name_waits_for_it() {
    for (name, patients) in [("Eve Ash", 1), ("Tom Oak", 2)] {
        let mut flow = Flow::new();
        flow.begin(AT, "json", false);
        flow.sink().mark(AT, Mark::PatientContext);
        flow.begin(AT, "json", false);
        flow.sink().mark(AT, Mark::PatientContext);
        flow.field(AT, (Name, "Ash^Eve", ""));
        flow.field(AT, (PatientId, "17", ""));
        flow.end(AT);
        flow.field(AT, (Name, name, ""));
        flow.field(AT, (BirthDate, "19590102", ""));
        flow.end(AT);
        assert_eq!(flow.patients.len(), patients, "{name}");
    }
}

#[test]
fn a_report_in_a_deidentified_object_is_not_silenced_by_it() {
    for (outer, inner, found) in
        [("", "Ash^Eve", 1), ("TRIAL-7", "Ash^Eve", 1), ("TRIAL-7", "TRIAL-7", 0)]
    {
        let mut flow = Flow::new();
        flow.begin(AT, "dicom", true);
        flow.sink().mark(AT, Mark::Deidentified);
        flow.field(AT, (PatientId, "TRIAL-7", ""));
        flow.field(AT, (Name, outer, ""));
        flow.begin(AT, "pdf", false);
        flow.sink().mark(AT, Mark::PatientContext);
        flow.field(AT, (Name, inner, ""));
        flow.field(AT, (AccessionNumber, "77", ""));
        flow.end(AT);
        flow.end(AT);
        assert_eq!(flow.out.len(), found, "{outer} {inner}");
    }
}

#[test]
fn a_structured_record_inside_a_loose_one_is_what_counts() {
    let mut flow = Flow::new();
    flow.begin(AT, "json", false);
    flow.begin(AT, "hl7v2", true);
    flow.field(AT, (PatientId, "17", ""));
    flow.end(AT);
    flow.end(AT);
    assert_eq!(flow.out[0].alert.id, "hl7-patient");
    assert_eq!(*flow.out[0].carrier, ["http", "hl7v2"]);
}

#[test]
fn contents_open_at_the_same_time_do_not_mix() {
    let mut flow = Flow::new();
    flow.begin(AT, "hl7v2", true);
    flow.begin(OTHER, "hl7v2", true);
    flow.field(AT, (Name, "Ash^Eve", ""));
    flow.field(OTHER, (Name, "Oak^Tom", ""));
    flow.field(AT, (Phone, "(475) 555-0101", ""));
    flow.field(OTHER, (Phone, "(475) 555-0202", ""));
    flow.end(AT);
    flow.end(OTHER);
    let shown: Vec<Vec<_>> =
        flow.out.iter().map(|f| f.identifiers.iter().map(|i| i.shown.text()).collect()).collect();
    assert_eq!(shown, [["Ash^Eve", "(475) 555-0101"], ["Oak^Tom", "(475) 555-0202"]]);
}

#[test]
fn fields_marks_and_ends_without_a_record_are_passed_over() {
    let mut flow = Flow::new();
    flow.field(AT, (Name, "Ash^Eve", ""));
    flow.sink().mark(AT, Mark::Test);
    flow.end(AT);
    flow.sink().finish(&ServiceFacts::default());
    assert_eq!((flow.out.len(), flow.counters.records), (0, 0));
}

#[test]
fn nesting_beyond_the_cap_is_counted_and_brackets_stay_paired() {
    let mut flow = Flow::new();
    for _ in 0..600 {
        flow.begin(AT, "json", false);
    }
    flow.field(AT, (Name, "Oak^Tom", "")); // of a record that was not opened
    for _ in 0..599 {
        flow.end(AT);
    }
    flow.field(AT, (Name, "Ash^Eve", ""));
    flow.field(AT, (PatientId, "17", ""));
    flow.sink().mark(AT, Mark::PatientContext);
    flow.begin(OTHER, "hl7v2", true);
    flow.end(AT);
    assert_eq!(flow.findings(), [(0, false)]);
    let shown: Vec<_> = flow.out[0].identifiers.iter().map(|i| i.shown.text()).collect();
    assert_eq!(shown, ["Ash^Eve", "17"]);
    assert_eq!(flow.lost(Loss::OpenRecords), 88);
}
