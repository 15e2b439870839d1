//! Why a number is accepted: fields, labels, nearby words, check digits, lists.

use super::super::numbers::is_time;
use super::*;
use crate::content::Numbered;
use crate::rules::IdentifierRule;
use Kind::NationalId;

const NHS: &str = "https://fhir.nhs.uk/Id/nhs-number";
const PESEL: &str = "urn:oid:2.16.840.1.113883.3.4424.1.1.616";

struct Put<'a>(Kind, &'a str, &'a str, &'a str, Evidence);

impl Flow {
    /// A record, loose or structured: kind, value, name, issuer, evidence.
    fn put(&mut self, structured: bool, fields: &[Put<'_>]) {
        self.begin(AT, if structured { "fhir" } else { "text" }, structured);
        self.sink().mark(AT, Mark::PatientContext);
        for Put(kind, value, name, issuer, evidence) in fields {
            let (kind, evidence, value) = (*kind, *evidence, Phi::new(value));
            let field = Field {
                kind,
                value,
                name,
                rule: "r",
                issuer,
                authority: "",
                confidence: 0.8,
                evidence,
            };
            self.sink().field(AT, field);
        }
        self.end(AT);
    }
    /// Evidence and confidence in percent of what the last finding has of this kind.
    fn why(&self, kind: Kind) -> Vec<(String, u32)> {
        let all = self.out.last().map_or(&[][..], |f| &f.identifiers);
        let of_kind = all.iter().filter(|i| i.kind == kind);
        of_kind
            .map(|i| (i.evidence.slugs().join(" "), (i.confidence * 100.0).round() as u32))
            .collect()
    }
}

#[test]
fn numbers_that_are_declared_or_labelled_are_checked() {
    for (value, name, issuer, evidence, expected) in [
        ("943 476 5919", "", NHS, Evidence::Declared, ("declared-field check-digit", 90)),
        ("9434765918", "", NHS, Evidence::Declared, ("declared-field check-digit-failed", 53)),
        ("9434765918", "", "urn:other", Evidence::Declared, ("declared-field", 80)),
        ("9434765919", "NHS_number", "", Evidence::Labelled, ("label check-digit", 90)),
        ("9434765918", "nhs number", "", Evidence::Labelled, ("label check-digit-failed", 53)),
        ("9434765918", "member_no", "", Evidence::Labelled, ("label", 80)),
        // Called so in several countries: what is wrong in one may be right in another.
        ("12345678A", "dni", "", Evidence::Labelled, ("label", 80)),
        ("54362315K", "dni", "", Evidence::Labelled, ("label check-digit", 90)),
    ] {
        let mut flow = Flow::new();
        flow.put(true, &[Put(NationalId, value, name, issuer, evidence)]);
        let (why, percent) = expected;
        assert_eq!(flow.why(NationalId), [(why.to_owned(), percent)], "{value} {name} {issuer}");
    }
    let mut flow = Flow::new();
    flow.put(true, &[Put(Ssn, "536-90-4399", "PID-19", "", Evidence::Declared)]);
    assert_eq!(flow.why(Ssn), [("declared-field check-digit".to_owned(), 90)]);
}

#[test]
fn every_reason_is_in_the_schema_and_they_are_in_order() {
    let schema = include_str!("../../../schema/event.schema.json");
    for slug in Evidence::ALL.iter().flat_map(|evidence| evidence.slugs()) {
        assert!(schema.contains(&format!("\"{slug}\"")), "{slug}");
        assert!(Evidence::SLUGS.contains(slug), "{slug}");
    }
    assert!(Evidence::ALL.is_sorted());
}

#[test]
fn the_better_reason_stays() {
    let mut flow = Flow::new();
    flow.put(
        true,
        &[
            Put(NationalId, "9434765919", "text", "", Evidence::NearValid),
            Put(NationalId, "943 476 5919", "", NHS, Evidence::Declared),
        ],
    );
    assert_eq!(flow.why(NationalId), [("declared-field check-digit".to_owned(), 90)]);
}

#[test]
fn check_digits_alone_prove_nothing_in_a_loose_record() {
    let id = || Put(PatientId, "H0931", "mrn", "", Evidence::Labelled);
    for (evidence, findings) in
        [(Evidence::Checked, 0), (Evidence::Pattern, 0), (Evidence::NearValid, 1)]
    {
        let mut flow = Flow::new();
        flow.put(false, &[id(), Put(NationalId, "44051401359", "text", "", evidence)]);
        assert_eq!(flow.out.len(), findings, "{evidence:?}");
    }
    // It is shown where the rest is enough.
    let mut flow = Flow::new();
    let name = Put(Name, "Roe, Jane", "name", "", Evidence::Labelled);
    flow.put(false, &[id(), name, Put(NationalId, "44051401359", "text", "", Evidence::Checked)]);
    assert_eq!(flow.why(NationalId), [("check-digit".to_owned(), 80)]);
    // A list alone is enough, about patients.
    let mut flow = Flow::new();
    flow.put(false, &[Put(NationalId, "44051401359", "text", "", Evidence::Listed)]);
    assert_eq!(flow.out.last().map(|f| f.alert.id.as_str()), Some("loose-patient-numbers"));
}

#[test]
fn a_telephone_number_is_no_identifier() {
    let phone = || Put(Phone, "+44 943 476 5919", "phone", "", Evidence::Labelled);
    let number = || Put(NationalId, "9434765919", "text", "", Evidence::NearValid);
    let id = || Put(PatientId, "H0931", "mrn", "", Evidence::Labelled);
    for fields in [[id(), phone(), number()], [id(), number(), phone()]] {
        let mut flow = Flow::new();
        flow.put(false, &fields);
        assert_eq!((flow.out.len(), flow.why(NationalId).len()), (1, 0));
    }
    // A declared field is trusted.
    let mut flow = Flow::new();
    flow.put(true, &[phone(), Put(NationalId, "9434765919", "", NHS, Evidence::Declared)]);
    assert_eq!(flow.why(NationalId).len(), 1);
}

#[test]
fn times_near_the_packet_are_no_numbers() {
    for time in
        ["1772360102", "1772360102123", "1772360102123456", "20260301101502", "202603011015"]
    {
        assert!(is_time(time, NOW), "{time}");
    }
    for number in ["9434765919", "44051401359", "196001011234", "880320-0016", "7503305044089", "é"]
    {
        assert!(!is_time(number, NOW), "{number}");
    }
}

/// After how many numbers, every `nth` of them valid, they are a list.
fn listed_after(rule: &IdentifierRule, nth: usize, distinct: usize) -> Option<usize> {
    let mut flow = Flow::new();
    (0..200).find(|n| {
        let value = format!("{:011}", 44_051_401_359 + (n % distinct) as u64);
        let valid = [rule];
        let valid = if n % nth == 0 { &valid[..] } else { &[] };
        let number = Numbered { value: Phi::new(&value), shape: 7, valid };
        flow.sink().listed(Direction::ServerToClient, &number).is_some()
    })
}

#[test]
fn lists_of_valid_numbers_are_distinguished_from_chance() {
    let rule = |system| RULES.identifiers.of_system(system).expect("a rule");
    // One in 55 is valid by chance: the fourth is enough; of one in eleven, the sixth.
    assert_eq!(listed_after(rule(PESEL), 1, 200), Some(3));
    assert_eq!(listed_after(rule(NHS), 1, 200), Some(5));
    // As chance has it, or every other; and one number again and again.
    assert_eq!(listed_after(rule(NHS), 11, 200), None);
    assert_eq!(listed_after(rule(NHS), 2, 200), None);
    assert_eq!(listed_after(rule(PESEL), 1, 2), None);
    // Each direction for itself.
    let mut flow = Flow::new();
    for n in 0..6u64 {
        let direction =
            if n % 2 == 0 { Direction::ClientToServer } else { Direction::ServerToClient };
        let (value, valid) = (format!("{:011}", 44_051_401_359 + n), [rule(PESEL)]);
        let number = Numbered { value: Phi::new(&value), shape: 7, valid: &valid };
        assert!(flow.sink().listed(direction, &number).is_none());
    }
    // Whatever comes, memory is bounded.
    for shape in 0..10_000 {
        let number = Numbered { value: Phi::new("12345"), shape, valid: &[] };
        flow.sink().listed(Direction::ClientToServer, &number);
    }
    assert!(flow.patients.memory() < 64 << 10);
}

#[test]
fn a_word_three_times_is_a_name_only_where_a_standard_says_so() {
    for value in ["Weiß^Weiß^Weiß", "Ash)^Eve"] {
        let names = |evidence| {
            let mut flow = Flow::new();
            let id = Put(Kind::PatientId, "17", "PID-3", "", Evidence::Declared);
            flow.put(true, &[id, Put(Kind::Name, value, "PID-5", "", evidence)]);
            flow.why(Kind::Name).len()
        };
        assert_eq!(names(Evidence::Declared), 1, "{value}");
        assert_eq!(names(Evidence::Labelled), 0, "{value}");
        assert_eq!(names(Evidence::Pattern), 0, "{value}");
    }
}
