//! Records, patients and findings, end to end.

use super::*;
use crate::capture::{PacketRef, PacketSpan};
use crate::content::{ContentId, Evidence, Field, FieldSink, Mark, MarkSet, RecordHead};
use crate::flow::Direction;
use crate::phi::Phi;
use crate::protocol::ServiceFacts;
use crate::rules::{Kind, RuleSet};
use crate::time::Timestamp;
use std::sync::LazyLock;

mod evidence;
mod hostile;
mod left_behind;
mod matching;
mod model;
mod nested;
mod parts;
mod units;

pub(super) const NOW: Timestamp = Timestamp(1_772_360_102_000_000_000); // 2026-03-01
const AT: ContentId = ContentId(1);

static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

/// A flow, as the pipeline holds one.
struct Flow {
    settings: Settings,
    patients: Patients,
    values: ValueCache,
    out: Vec<Finding>,
    counters: IdentifyCounters,
}

impl Flow {
    fn new() -> Self {
        Self::with(Key::fixed(7), 1000, 64)
    }
    fn with(key: Key, patients_per_flow: usize, identifiers_per_patient: usize) -> Self {
        Self {
            settings: Settings { key, reveal: true, patients_per_flow, identifiers_per_patient },
            patients: Patients::default(),
            values: ValueCache::default(),
            out: Vec::new(),
            counters: IdentifyCounters::default(),
        }
    }
    fn sink(&mut self) -> Collector<'_> {
        Collector {
            settings: &self.settings,
            rules: &RULES,
            now: NOW,
            packets: PacketSpan::of(PacketRef { time: NOW, ..PacketRef::default() }),
            since: PacketRef { time: NOW, ..PacketRef::default() },
            patients: &mut self.patients,
            values: &mut self.values,
            out: &mut self.out,
            counters: &mut self.counters,
        }
    }
    fn begin(&mut self, at: ContentId, content: &'static str, structured: bool) {
        self.sink().begin(
            at,
            RecordHead {
                content,
                structured,
                direction: Direction::ServerToClient,
                operation: "GET",
                carrier: &["http", content],
            },
        );
    }
    fn field(&mut self, at: ContentId, (kind, value, issuer): (Kind, &str, &str)) {
        self.sink().field(
            at,
            Field {
                kind,
                value: Phi::new(value),
                name: "F-1",
                rule: "rule",
                issuer: issuer.split('&').next().unwrap_or(""),
                authority: issuer.split('&').nth(1).unwrap_or(""),
                confidence: 1.0,
                evidence: Evidence::Declared,
            },
        );
    }
    fn end(&mut self, at: ContentId) {
        self.sink().end(at, &ServiceFacts::default());
    }
    /// A whole structured record.
    fn record(&mut self, fields: &[(Kind, &str)]) {
        let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, *v, "")).collect();
        self.issued(&fields);
    }
    fn issued(&mut self, fields: &[(Kind, &str, &str)]) {
        self.begin(AT, "hl7v2", true);
        fields.iter().for_each(|f| self.field(AT, *f));
        self.end(AT);
    }
    /// Ordinal and update of every finding.
    fn findings(&self) -> Vec<(u32, bool)> {
        self.out.iter().map(|f| (f.ordinal, f.update)).collect()
    }
    fn lost(&self, reason: Loss) -> u64 {
        self.counters.lost().find(|(r, _)| *r == reason).map_or(0, |(_, n)| n)
    }
}

use Kind::{
    AccessionNumber, Address, BirthDate, InsuranceNumber, Name, PatientId, Phone, Sex, Ssn,
};

#[test]
fn a_record_of_numbers_alone_joins_by_number() {
    let mut flow = Flow::new();
    flow.record(&[(Name, "Ash^Eve"), (AccessionNumber, "ACC9")]);
    flow.record(&[(Address, "1 Elm Street"), (AccessionNumber, "acc-9")]);
    assert_eq!(flow.findings(), [(0, false), (0, true)]);
    flow.record(&[(Name, "Oak^Tom"), (AccessionNumber, "ACC9")]);
    assert_eq!(flow.patients.len(), 2);
}

#[test]
fn a_finding_comes_again_only_with_something_new() {
    let mut flow = Flow::new();
    flow.record(&[(PatientId, "H0709380"), (Name, "Decker^Wendy")]);
    flow.record(&[(PatientId, "H-0709380"), (Name, "DECKER^WENDY^K")]);
    assert_eq!(flow.findings(), [(0, false)]);
    flow.record(&[(PatientId, "H0709380"), (Phone, "(475) 555-0132"), (Sex, "F")]);
    assert_eq!(flow.findings(), [(0, false), (0, true)]);
    flow.record(&[(PatientId, "H0709381"), (Name, "Ash^Eve")]);
    assert_eq!(flow.findings(), [(0, false), (0, true), (1, false)]);

    let last = &flow.out[1];
    let shown: Vec<_> = last.identifiers.iter().map(|i| (i.kind, i.shown.text())).collect();
    assert_eq!(
        shown,
        [(PatientId, "H0709380"), (Name, "Decker^Wendy"), (Phone, "(475) 555-0132"), (Sex, "F")]
    );
    assert_eq!((last.records, last.patient), (3, flow.out[0].patient));
    assert_eq!((last.alert.id.as_str(), &*last.operation), ("hl7-patient", "GET"));
    assert_eq!(*last.carrier, ["http", "hl7v2"]);
    assert_eq!(flow.counters.records, 4);
    let counted: u64 = flow.counters.identifiers().map(|(_, n)| n).sum();
    assert_eq!(counted, 6);
}

#[test]
fn nothing_is_shown_unmasked_without_reveal() {
    let mut flow = Flow::new();
    flow.settings.reveal = false;
    flow.record(&[(Name, "Decker^Wendy"), (BirthDate, "19770615")]);
    let shown: Vec<_> =
        flow.out[0].identifiers.iter().map(|i| (i.shown.text(), i.shown.masked())).collect();
    assert_eq!(shown, [("D*****^W****", true), ("1977****", true)]);
}

#[test]
fn one_person_has_one_pseudonym_across_flows_and_not_across_keys() {
    let token = |key, fields: &[(Kind, &str)]| {
        let mut flow = Flow::with(Key::fixed(key), 10, 10);
        flow.record(fields);
        flow.out[0].patient
    };
    let dicom = token(1, &[(Name, "Hartman^Jason"), (BirthDate, "19591102"), (PatientId, "0042")]);
    let fhir = token(1, &[(BirthDate, "1959-11-02"), (Name, "Jason Hartman"), (Phone, "5550132")]);
    assert_eq!(dicom, fhir);
    assert_eq!(token(1, &[(PatientId, "0042")]), token(1, &[(PatientId, "42")]));
    assert_ne!(dicom, token(2, &[(Name, "Hartman^Jason"), (BirthDate, "19591102")]));
    assert_ne!(dicom, token(1, &[(Name, "Hartman^Jason"), (BirthDate, "19591103")]));
}

#[test]
fn two_patients_of_a_flow_never_share_a_pseudonym() {
    let mut flow = Flow::new();
    for id in ["1", "2", "3"] {
        flow.issued(&[(Name, "Ash^Eve", ""), (BirthDate, "19590102", ""), (PatientId, id, "X")]);
    }
    for issuer in ["A", "B", "C"] {
        flow.issued(&[(PatientId, "99", issuer)]);
    }
    let mut tokens: Vec<Token> = flow.out.iter().map(|f| f.patient).collect();
    assert_eq!(tokens.len(), 6);
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 6);
}

#[test]
fn not_enough_evidence_makes_no_finding() {
    let mut flow = Flow::new();
    flow.record(&[(Sex, "F")]);
    flow.record(&[(BirthDate, "19590102")]);
    flow.record(&[]);
    flow.record(&[(Name, "UNKNOWN"), (PatientId, "0000")]);
    // A name and a birth date in a form that nothing says is about a patient.
    flow.begin(AT, "form", false);
    flow.field(AT, (Name, "Ash^Eve", ""));
    flow.field(AT, (BirthDate, "19590102", ""));
    flow.end(AT);
    assert_eq!(flow.findings(), []);
    assert_eq!((flow.counters.records, flow.counters.below_policy), (5, 3));
    assert_eq!(flow.counters.implausible, 2);
    assert_eq!(flow.lost(Loss::Patients), 0);

    flow.begin(AT, "form", false);
    flow.field(AT, (Name, "Ash^Eve", ""));
    flow.sink().mark(AT, Mark::PatientContext);
    flow.field(AT, (BirthDate, "19590102", ""));
    flow.end(AT);
    assert_eq!(flow.findings(), [(0, false)]);
    assert_eq!(flow.out[0].alert.id, "loose-patient-record");
}

#[test]
fn a_wildcard_query_has_no_patient() {
    for (values, found) in [
        (["HART*", "19590102"], 0),
        (["Hart?an^J", "19590102"], 0),
        (["Hartman^Jason", "19590102"], 1),
    ] {
        let mut flow = Flow::new();
        flow.begin(AT, "dicom", true);
        flow.field(AT, (Name, values[0], ""));
        flow.field(AT, (BirthDate, values[1], ""));
        flow.sink().mark(AT, Mark::Query);
        flow.end(AT);
        assert_eq!(flow.out.len(), found, "{values:?}");
    }
}

#[test]
fn marks_that_weaken_hold_only_if_every_record_has_them() {
    let mut flow = Flow::new();
    let record = |flow: &mut Flow, marks: &[Mark], phone| {
        flow.begin(AT, "hl7v2", true);
        marks.iter().for_each(|m| flow.sink().mark(AT, *m));
        flow.field(AT, (PatientId, "17", ""));
        flow.field(AT, (Phone, phone, ""));
        flow.end(AT);
    };
    record(&mut flow, &[Mark::Query, Mark::Test], "5550131");
    record(&mut flow, &[Mark::Test, Mark::Result], "5550132");
    record(&mut flow, &[Mark::Diagnosis], "5550133");
    let marks: Vec<Vec<Mark>> = flow.out.iter().map(|f| f.marks.iter().collect()).collect();
    assert_eq!(
        marks,
        [
            vec![Mark::Test, Mark::Query],
            vec![Mark::Test, Mark::Result],
            vec![Mark::Diagnosis, Mark::Result]
        ]
    );
}

#[test]
fn every_cap_counts_what_it_costs() {
    let mut flow = Flow::with(Key::fixed(1), 2, 3);
    for id in ["1", "2", "3", "4"] {
        flow.record(&[(PatientId, id)]);
    }
    assert_eq!((flow.patients.len(), flow.lost(Loss::Patients)), (2, 2));
    flow.record(&[(PatientId, "1"), (Phone, "55501"), (Phone, "55502"), (Phone, "55503")]);
    assert_eq!(flow.lost(Loss::RecordIdentifiers), 1);
    flow.record(&[(PatientId, "1"), (Phone, "55504"), (Phone, "55501")]);
    assert_eq!(flow.lost(Loss::PatientIdentifiers), 1);
    assert_eq!(flow.findings(), [(0, false), (1, false), (0, true)]);
    assert!(flow.out.iter().all(|f| f.identifiers.len() <= 3));
}

#[test]
fn a_value_of_any_length_is_held_up_to_a_cap() {
    let mut flow = Flow::new();
    flow.record(&[(Name, &"é".repeat(5000)), (Name, "Ash^Eve")]);
    assert!(flow.out[0].identifiers.iter().all(|i| i.shown.text().len() <= 1024));
    flow.begin(AT, "hl7v2", true);
    flow.field(AT, (Address, &"street ".repeat(5000), ""));
    assert!(flow.patients.memory() < 64 << 10);
}

#[test]
fn a_record_that_only_says_more_of_the_health_is_an_update() {
    let mut flow = Flow::new();
    let with = |flow: &mut Flow, mark: Mark| {
        flow.begin(AT, "hl7v2", true);
        flow.field(AT, (PatientId, "17", "X"));
        flow.sink().mark(AT, mark);
        flow.end(AT);
    };
    flow.record(&[(PatientId, "17")]);
    for mark in [Mark::Result, Mark::Result, Mark::PatientContext, Mark::Diagnosis] {
        with(&mut flow, mark);
    }
    assert_eq!(flow.findings(), [(0, false), (0, true), (0, true)]);
    let last = flow.out.last().expect("found");
    assert!(last.marks.contains(Mark::Result) && last.marks.contains(Mark::Diagnosis));
    assert_eq!(last.identifiers.len(), 1);
}

#[test]
fn the_token_of_an_id_is_that_of_the_universal_id_of_its_issuer() {
    let token = |issuer: &str| {
        let mut flow = Flow::new();
        flow.issued(&[(PatientId, "17", issuer)]);
        flow.out[0].identifiers[0].token
    };
    for (one, other) in [
        ("HOSP&1.2.3", "urn:oid:1.2.3"),
        ("HOSP&1.2.3", "1.2.3"),
        ("HOSP&1.2.3", "OTHER&1.2.3"),
        (
            "HOSP&6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
            "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        ),
    ] {
        assert!(token(one) == token(other), "{one} {other}");
    }
    assert!(token("HOSP") == token("hosp&") && token("HOSP") != token("HOSP&1.2.3"));
    // What was first known by name is learned by its OID.
    let mut flow = Flow::new();
    for issuer in ["HOSP", "HOSP&1.2.3", "1.2.3", "1.2.4"] {
        flow.issued(&[(PatientId, "17", issuer)]);
    }
    assert_eq!(flow.findings(), [(0, false), (1, false)]);
}

#[test]
fn records_still_open_when_the_flow_ends_count() {
    let mut flow = Flow::new();
    flow.begin(AT, "hl7v2", true);
    flow.field(AT, (Name, "Ash^Eve", ""));
    assert!(flow.out.is_empty());
    flow.sink().finish(&ServiceFacts::default());
    assert_eq!(flow.findings(), [(0, false)]);
}

#[test]
fn patients_of_one_name_are_not_gone_through_one_by_one() {
    let mut flow = Flow::with(Key::fixed(1), 100_000, 8);
    for id in 1..=500 {
        let id = format!("MRN{id:06}");
        flow.record(&[(PatientId, &id), (Name, "Smith^John"), (InsuranceNumber, "GROUP-1")]);
    }
    assert_eq!((flow.patients.len(), flow.out.len()), (500, 500));
    assert!(flow.patients.most_candidates() <= 8);
    // Each is still found by its own identifiers.
    flow.record(&[(PatientId, "MRN000499"), (Phone, "5550132")]);
    assert_eq!(flow.out.last().map(|f| (f.ordinal, f.update)), Some((498, true)));
}

#[test]
fn memory_follows_what_is_held() {
    let mut flow = Flow::new();
    let empty = flow.patients.memory();
    flow.record(&[(PatientId, "17"), (Name, "Ash^Eve")]);
    let one = flow.patients.memory();
    flow.record(&[(PatientId, "18"), (Name, "Oak^Tom")]);
    let two = flow.patients.memory();
    assert!(empty < one && one < two && two < 16 << 10, "{empty} {one} {two}");
}

#[test]
fn tokens_know_the_issuer() {
    let shown = |fields: &[(Kind, &str, &str)]| {
        let mut flow = Flow::new();
        flow.issued(fields);
        let finding = flow.out.pop().expect("a finding");
        (finding.patient, finding.identifiers.iter().map(|i| i.token).collect::<Vec<_>>())
    };
    let (north, ids) = shown(&[(PatientId, "0017", "North-1.2.3-ISO")]);
    assert_eq!(shown(&[(PatientId, "17", "NORTH 1.2.3 iso")]), (north, ids.clone()));
    for other in
        [(PatientId, "17", "South"), (PatientId, "17", ""), (PatientId, "18", "North-1.2.3-ISO")]
    {
        let (patient, tokens) = shown(&[other]);
        assert_ne!((patient, &tokens), (north, &ids));
        assert!(patient != north && tokens != ids);
    }
    // One number under two issuers is two identifiers; without an issuer it is the first.
    let two = [(PatientId, "17", ""), (PatientId, "17", "North"), (PatientId, "17", "South")];
    let (patient, tokens) = shown(&two);
    assert_eq!(tokens, [shown(&two[1..2]).1, shown(&two[2..3]).1].concat());
    assert_eq!(patient, shown(&two[1..2]).0);
    // Whatever a sender calls the issuer, there is but one.
    assert_eq!(shown(&[(Ssn, "536-90-4399", "SSA")]), shown(&[(Ssn, "536904399", "")]));
}

#[test]
fn an_issuer_that_a_later_record_names_joins_and_is_shown_from_then_on() {
    let mut flow = Flow::new();
    flow.record(&[(PatientId, "17")]);
    flow.issued(&[(PatientId, "17", "North"), (Phone, "475 555 0132", "")]);
    flow.issued(&[(PatientId, "17", "South")]);
    assert_eq!(flow.findings(), [(0, false), (0, true), (1, false)]);
    let first = flow.out[0].identifiers[0].token;
    let then = flow.out[1].identifiers[0].token;
    assert!(first != then && flow.out[0].patient == flow.out[1].patient);
}

#[test]
fn a_name_alone_is_a_pseudonym_of_its_flow() {
    let patient = |flow: u128, fields: &[(Kind, &str)]| {
        let mut held = Flow::new();
        held.patients = Patients::of_flow(flow, NOW);
        held.record(fields);
        held.out[0].patient
    };
    let name = [(Name, "Ash^Eve")];
    assert_eq!(patient(1, &name), patient(1, &name));
    assert_ne!(patient(1, &name), patient(2, &name));
    let person = [(Name, "Ash^Eve"), (BirthDate, "19590102")];
    assert_eq!(patient(1, &person), patient(2, &person));
    assert_eq!(patient(1, &[(PatientId, "17")]), patient(2, &[(PatientId, "17")]));
}

#[test]
fn values_are_masked_unless_reveal_was_given() {
    for (reveal, shown) in [(true, "Doe^Jane"), (false, "D**^J***")] {
        let mut flow = Flow::new();
        flow.settings.reveal = reveal;
        // The second time, the value is known.
        for _ in 0..2 {
            flow.patients = Patients::default();
            flow.record(&[(Name, "Doe^Jane"), (PatientId, "H0709380")]);
        }
        for finding in &flow.out {
            let name = finding.identifiers.iter().find(|i| i.kind == Name).expect("a name");
            assert_eq!((name.shown.text(), name.shown.masked()), (shown, !reveal));
        }
        assert_eq!(flow.out.len(), 2);
    }
}

#[test]
fn a_known_value_is_judged_anew_on_another_day_and_under_another_label() {
    let mut flow = Flow::new();
    let (born, day) = ("20260401", 86_400_000_000_000);
    let begin = |flow: &mut Flow| flow.begin(AT, "hl7v2", true);
    begin(&mut flow);
    // Not born yet, in March.
    flow.field(AT, (BirthDate, born, ""));
    assert_eq!(flow.counters.implausible, 1);
    let field = Field {
        kind: BirthDate,
        value: Phi::new(born),
        name: "F-1",
        rule: "rule",
        issuer: "",
        authority: "",
        confidence: 1.0,
        evidence: Evidence::Declared,
    };
    let now = Timestamp(NOW.0 + 40 * day);
    Collector { now, ..flow.sink() }.field(AT, field);
    assert_eq!(flow.counters.implausible, 1);
    flow.field(AT, (BirthDate, born, ""));
    assert_eq!(flow.counters.implausible, 2);
}
