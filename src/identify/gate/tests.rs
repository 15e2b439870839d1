use super::*;
use crate::rules::RuleSet;
use std::sync::LazyLock;

static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

use TextKind::{Code, Name, Organisation, Party, Path, Uid, Version};

fn learn(gate: &mut Gate, kind: Kind, value: &str) {
    gate.learn(&hashes(&hasher(&Key::fixed(7)), kind, value));
}

fn gate(settled: bool, known: &[(Kind, &str)]) -> Gate {
    let mut gate = Gate::new(&Key::fixed(7));
    gate.settled = settled;
    known.iter().for_each(|(kind, value)| learn(&mut gate, *kind, value));
    gate
}

fn shown(gate: &mut Gate, kind: TextKind, text: &str) -> String {
    let mut text = text.to_owned();
    gate.pass(kind, &mut text, &RULES, &mut Texts::default());
    text
}

#[test]
fn what_names_systems_stays_readable_while_the_flow_goes_on() {
    let mut gate =
        gate(false, &[(Kind::Name, "Brandywine^Ophelia"), (Kind::PatientId, "H0931558")]);
    for (kind, text) in [
        (Name, "PACS01"),
        (Name, "ORTHANC"),
        (Name, "STORESCU"),
        (Name, "fhir.hospital.org"),
        (Name, "10.1.2.3:8080"),
        (Name, "[2001:db8:5::d1b5]:8080"),
        (Name, "nginx/1.22.1"),
        (Name, "Apache Tomcat/9.0.1 (Ubuntu)"),
        (Name, "Microsoft-IIS/10.0"),
        (Name, "Python/3.11 aiohttp/3.14.5"),
        (Name, "5.5.5-10.11.19-MariaDB-0+deb12u1"),
        (Name, "OFFIS_DCMTK_367"),
        (Name, "MirthConnect"),
        (Organisation, "General Hospital"),
        (Party, "LAB"),
        (Path, "/fhir/Patient/*"),
        (Path, "/fhir/DocumentReference"),
        (Path, "/openmrs/ws/rest/v1/patient/*"),
        (Path, "/dicom-web/studies/*/metadata"),
        (Path, "/reports/*.pdf"),
        (Path, "/_cat/indices"),
        (Code, "ADT^A01"),
        (Code, "GET"),
        (Code, "RefillRequest"),
        (Uid, "1.2.840.10008.5.1.4.1.1.2"),
        (Uid, "1.2.276.0.7230010.3.0.3.6.7"),
        (Version, "2.5.1"),
        (Version, "LIS2-A2"),
    ] {
        assert_eq!(shown(&mut gate, kind, text), text, "{kind:?}");
    }
    gate.settled = true;
    gate.forget();
    for text in
        ["Lakeside", "Lakeside General Hospital", "Universitätsklinikum Zürich", "5790009114207"]
    {
        assert_eq!(shown(&mut gate, Organisation, text), text);
    }
}

#[test]
fn numbers_of_people_are_masked_whoever_they_belong_to() {
    let mut gate = gate(true, &[]);
    for (kind, text, masked) in [
        (Name, "536-90-4399", "***-**-****"),
        (Name, "536-90-4399.clinic.example", "***-**-****.clinic.example"),
        (Organisation, "Clinic 536-90-4399", "Clinic ***-**-****"),
        (Name, "srv 536%2D90%2D4399", "srv ***-**-****"),
        (Uid, "1.2.3.536904399", "1.2.3.*********"),
        (Version, "536-90-4399", "***-**-****"),
        // A Norwegian number, in any region.
        (Name, "host-01010750160", "host-***********"),
    ] {
        assert_eq!(shown(&mut gate, kind, text), masked, "{text}");
    }
}

#[test]
fn what_was_found_in_the_flow_is_masked_in_any_spelling() {
    let mut gate = gate(
        true,
        &[
            (Kind::Name, "Brandywine^Ophelia"),
            (Kind::Name, "Müller, José"),
            (Kind::Name, "山田^太郎"),
            (Kind::Name, "doe john"),
            (Kind::PatientId, "H0931558"),
            (Kind::BirthDate, "1957-02-01"),
            (Kind::Email, "jx.tarrant@x.org"),
        ],
    );
    for (text, masked) in [
        ("BRANDYWINE", "B*********"),
        ("mx.brandywine.example", "mx.b*********.example"),
        ("jdoe", "j***"),
        ("doej", "d***"),
        ("jdoe1978", "j*******"),
        ("johndoe", "j******"),
        ("john-doe", "j***-d**"),
        ("obrandywine7", "o***********"),
        ("jos%C3%A9", "j***"),
        ("JOSE", "J***"),
        ("mueller", "m******"),
        ("muller", "m*****"),
        ("山田", "**"),
        ("host-h0931558", "host-h*******"),
        ("0931558", "*******"),
        ("01021957", "********"),
        ("1957.02.01", "****.**.**"),
        ("tarrant", "t******"),
    ] {
        assert_eq!(shown(&mut gate, Name, text), masked, "{text}");
    }
    // Not everything that looks alike.
    for text in ["doha", "johannes", "1957", "0931"] {
        assert_eq!(shown(&mut gate, Name, text), text);
    }
}

#[test]
fn paths_show_known_words_only() {
    let mut gate = gate(true, &[(Kind::Name, "Chart^Patient")]);
    for (path, masked) in [
        ("/chart/Ophelia-Brandywine", "/chart/*"),
        ("/patients/list/Brandywine", "/patients/list/*"),
        ("/mrn/OBRANDY", "/mrn/*"),
        ("/api/getPatientList", "/api/getPatientList"),
        ("/files/doe.smith", "/files/*"),
        ("/files/jane.pdf", "/files/*.pdf"),
        ("/fhir/Patient", "/fhir/Patient"),
        ("\\\\srv\\jane", "*"),
    ] {
        assert_eq!(shown(&mut gate, Path, path), masked);
    }
}

#[test]
fn words_written_like_names_are_masked_and_others_until_the_flow_has_ended() {
    let mut open = gate(false, &[]);
    let mut over = gate(true, &[]);
    for (kind, text, masked) in [
        (Name, "Brandywine", "B*********"),
        (Name, "srv Ophelia Brandywine", "srv O****** B*********"),
        (Organisation, "Ophelia Brandywine", "O****** B*********"),
        (Party, "Brandywine", "B*********"),
        (Code, "Brandywine", "B*********"),
        (Version, "Brandywine", "B*********"),
        (Uid, "Brandywine 1", "********** *"),
    ] {
        assert_eq!(shown(&mut open, kind, text), masked, "{text}");
        assert_eq!(shown(&mut over, kind, text), masked, "{text}");
    }
    for (text, masked) in
        [("BRANDYWINE", "B*********"), ("gruber.example", "g*****.example"), ("CT12345", "CT*****")]
    {
        let mut waits = text.to_owned();
        assert!(open.pass(Name, &mut waits, &RULES, &mut Texts::default()));
        assert_eq!(waits, masked);
        assert!(!over.pass(Name, &mut text.to_owned(), &RULES, &mut Texts::default()));
        assert_eq!(shown(&mut over, Name, text), text);
    }
}

#[test]
fn a_name_that_is_found_later_is_masked_from_then_on() {
    let mut gate = gate(true, &[]);
    let mut facts = ServiceFacts::default();
    facts.dicom().calling_aet = Some("BRANDYWINE".into());
    facts.dicom().association().outcome = Some(crate::protocol::Outcome::Accepted);
    facts.web().host = Some("ward.example".into());
    let title = |facts: &ServiceFacts| facts.dicom.as_ref().and_then(|d| d.calling_aet.clone());
    let mut texts = Texts::default();
    let before = gate.facts(&facts, true, &RULES, &mut texts);
    assert_eq!(title(&before).as_deref(), Some("BRANDYWINE"));
    assert_eq!(before.admission_key, 0);
    learn(&mut gate, Kind::Name, "Nobody^Else");
    assert!(
        Arc::ptr_eq(&before, &gate.facts(&facts, true, &RULES, &mut texts)),
        "nothing has changed"
    );
    learn(&mut gate, Kind::Name, "Brandywine^Ophelia");
    let after = gate.facts(&facts, true, &RULES, &mut texts);
    assert_eq!(title(&after).as_deref(), Some("B*********"));
    assert_eq!(after.host(), Some("ward.example"));
    assert_ne!(after.admission_key, 0, "titles that are masked are told apart");
}

#[test]
fn more_identifiers_than_are_kept_close_the_gate() {
    let mut gate = gate(true, &[]);
    assert_eq!(shown(&mut gate, Name, "GRUBER"), "GRUBER");
    gate.overflown = true;
    gate.forget();
    assert_eq!(shown(&mut gate, Name, "GRUBER"), "G*****");
    assert_eq!(shown(&mut gate, Name, "PACS01"), "PACS01");
}

#[test]
fn odd_texts_are_taken() {
    let mut gate = gate(false, &[(Kind::Name, "x^y"), (Kind::PatientId, "^^^"), (Kind::Name, "")]);
    let long = "ä".repeat(128);
    for kind in [Name, Organisation, Party, Path, Code, Uid, Version] {
        for text in
            ["", "/", "...", "%", "%zz%4", "\u{301}\u{301}", "a\0b", "😀", &long, "1.", "''"]
        {
            shown(&mut gate, kind, text);
        }
    }
}

#[test]
fn what_other_flows_made_of_a_text_does_not_matter() {
    let mut texts = Texts::default();
    let mut pass = |gate: &mut Gate, text: &str| {
        let mut text = text.to_owned();
        gate.pass(Name, &mut text, &RULES, &mut texts);
        text
    };
    let known = [(Kind::Name, "Brandywine^Ophelia")];
    for _ in 0..2 {
        assert_eq!(pass(&mut gate(true, &[]), "BRANDYWINE"), "BRANDYWINE");
        assert_eq!(pass(&mut gate(true, &known), "BRANDYWINE"), "B*********");
        assert_eq!(pass(&mut gate(false, &[]), "BRANDYWINE"), "B*********");
    }
}

#[test]
fn without_identifiers_names_and_facts_are_shown_as_any_gate_shows_them() {
    for name in
        ["PACS01", "fhir.hospital.org", "Ophelia", "ophelia-pc.clinic.example", "536-90-4399"]
    {
        let by_gate = Gate::new(&Key::fixed(7)).name(name, &RULES, &mut Texts::default());
        assert_eq!(Gate::name_alone(name, &RULES), by_gate);
    }
    let facts = |facility: &str, messages: u32| {
        let mut facts = ServiceFacts::default();
        facts.messages().sending_facility = Some(facility.into());
        (0..messages).for_each(|_| ServiceFacts::count(&mut facts.messages().messages, "ADT^A01"));
        facts
    };
    let (key, mut texts) = (Key::fixed(7), Texts::default());
    let mut kept = Vec::new();
    for (facility, messages) in [("LAB", 1), ("Ophelia", 1), ("LAB", 1), ("LAB", 2), ("Ophelia", 3)]
    {
        let facts = facts(facility, messages);
        let shown = texts.settled_facts(&facts, &key, &RULES);
        let by_gate = Gate::new(&key).facts(&facts, true, &RULES, &mut Texts::default());
        assert!(*shown == *by_gate && shown.counts_as(&facts), "{facility} {messages}");
        kept.push(shown);
    }
    assert!(Arc::ptr_eq(&kept[0], &kept[2]), "the same once more");
}

#[test]
fn senders_that_take_turns_are_judged_once_and_masked_when_one_turns_out_to_be_a_patient() {
    let key = Key::fixed(7);
    let (mut gate, mut texts) = (Gate::new(&key), Texts::default());
    let mut show = |gate: &mut Gate, facility: &str, messages: u32| {
        let mut facts = ServiceFacts::default();
        facts.messages().sending_facility = Some(facility.into());
        (0..messages).for_each(|_| ServiceFacts::count(&mut facts.messages().messages, "ADT^A01"));
        let shown = gate.facts(&facts, true, &RULES, &mut texts);
        assert!(shown.counts_as(&facts), "{facility} {messages}");
        shown
    };
    let facility = |shown: &ServiceFacts| {
        shown.messages.as_ref().and_then(|m| m.sending_facility.clone()).unwrap_or_default()
    };
    let (lab, other) = (show(&mut gate, "LAB", 1), show(&mut gate, "BRANDYWINE", 1));
    assert_eq!((facility(&lab), facility(&other)), ("LAB".into(), "BRANDYWINE".into()));
    assert!(Arc::ptr_eq(&lab, &show(&mut gate, "LAB", 1)), "the same once more");
    assert_eq!(facility(&show(&mut gate, "LAB", 5)), "LAB");
    gate.learn(&hashes(&hasher(&key), Kind::Name, "Brandywine^Ophelia"));
    assert_eq!(facility(&show(&mut gate, "BRANDYWINE", 2)), "B*********");
    assert_eq!(facility(&show(&mut gate, "LAB", 6)), "LAB");
}
