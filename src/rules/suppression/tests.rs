//! What suppressions cover, and what is refused.

use super::*;
use crate::rules::{LoadError, RuleSet};

const HEAD: &str = "[[suppression]]\nid = \"s\"\ntitle = \"S\"\nowner = \"it@example.org\"\n\
                    reason = \"Accepted in CR-7\"\nexpires = 2026-12-31\n";

fn load(text: &str) -> Result<RuleSet, LoadError> {
    let dir = tempfile::tempdir().expect("folder");
    std::fs::write(dir.path().join("site.toml"), text).expect("write");
    RuleSet::load(Some(dir.path()))
}

#[track_caller]
fn one(keys: &str) -> RuleSet {
    load(&format!("{HEAD}{keys}\n")).unwrap_or_else(|e| panic!("{e}"))
}

#[track_caller]
fn covers(rules: &RuleSet, sample: &str) -> bool {
    rules.suppressions.all()[0].covers_sample(sample).expect("a sample")
}

#[test]
fn each_criterion_covers_what_it_names() {
    let token = "p_aaaaaaaaaaaaaaaaaaaa";
    for (keys, yes, no) in [
        ("client = [\"10.1.0.0/16\"]", "client=10.1.2.3", "client=10.2.2.3"),
        ("client = [\"10.1.0.0/16\", \"2001:db8::1\"]", "client=2001:db8::1", "client=2001:db8::2"),
        ("service = [\"10.1.2.9\"]", "service=10.1.2.9:5", "service=10.1.2.8:5"),
        ("service = [\"10.1.2.9:104\"]", "service=10.1.2.9:104", "service=10.1.2.9:105"),
        (
            "service = [\"[2001:db8::9]:104\"]",
            "service=[2001:db8::9]:104",
            "service=[2001:db8::9]:1",
        ),
        ("service = [\"10.1.2.0/24\"]", "service=10.1.2.77:5", "service=10.1.3.77:5"),
        ("service = [\":2575\"]", "service=10.9.9.9:2575", "service=10.9.9.9:2576"),
        ("service = [\"Pacs.Example.org\"]", "host=pacs.example.ORG:80", "host=ris.example.org"),
        (
            "service = [\"pacs.example.org:8042\"]",
            "host=pacs.example.org service=10.1.2.9:8042",
            "host=pacs.example.org service=10.1.2.9:80",
        ),
        ("rule = [\"hl7-patient\"]", "rule=hl7-patient", "rule=structured-patient"),
        (
            "patient = [\"p_aaaaaaaaaaaaaaaaaaaa\"]",
            "patient=p_aaaaaaaaaaaaaaaaaaaa",
            "patient=p_baaaaaaaaaaaaaaaaaaa",
        ),
        (
            "client = [\"10.1.2.3\"]\nservice = [\":104\"]",
            "client=10.1.2.3 service=10.1.2.9:104",
            "client=10.1.2.3 service=10.1.2.9:105",
        ),
    ] {
        let rules = one(keys);
        assert!(covers(&rules, yes), "{keys}: {yes}");
        assert!(!covers(&rules, no), "{keys}: {no}");
    }
    assert_eq!(token.parse::<Pseudonym>(), Ok(Pseudonym([0; 12])));
}

#[test]
fn a_pseudonym_reads_back_what_events_show() {
    let bytes: [u8; 12] = std::array::from_fn(|n| (n * 37 + 11) as u8);
    let token = crate::identify::Token::of(bytes);
    assert_eq!(format!("p_{token}").parse::<Pseudonym>(), Ok(Pseudonym(bytes)));
}

#[test]
fn it_holds_to_the_end_of_its_day() {
    let rules = one("rule = [\"hl7-patient\"]");
    let seen = SuppressionQuery {
        client: IpAddr::from([10, 0, 0, 1]),
        server: SocketAddr::from(([10, 0, 0, 2], 2575)),
        host: None,
        rule: "hl7-patient",
        patient: [None; 2],
    };
    // 2027-01-01T00:00:00Z
    let over = Timestamp(1_798_761_600 * 1_000_000_000);
    let find = |now| rules.suppressions.find(&seen, now).map(|r| r.is_ok());
    assert_eq!(find(Timestamp(over.0 - 1)), Some(true));
    assert_eq!(find(over), Some(false));
    assert_eq!(rules.suppressions.expired(over).count(), 1);
    let other = SuppressionQuery { rule: "x12", ..seen };
    assert!(rules.suppressions.find(&other, over).is_none());
}

#[test]
fn faults_are_named_with_line_and_reason() {
    let keys = "rule = [\"hl7-patient\"]\n";
    let whole = format!("{HEAD}{keys}");
    for (from, to, line, words) in [
        ("owner = \"it@example.org\"\n", "", 1, &["missing field", "owner"][..]),
        ("reason = \"Accepted in CR-7\"\n", "", 1, &["missing field", "reason"]),
        ("expires = 2026-12-31\n", "", 1, &["missing field", "expires"]),
        ("it@example.org", " ", 4, &["owner is empty"]),
        ("Accepted in CR-7", "", 5, &["reason is empty"]),
        ("2026-12-31", "\"31.12.2026\"", 6, &["31.12.2026", "2026-12-31"]),
        ("2026-12-31", "\"2026-02-30\"", 6, &["no such day"]),
        ("2026-12-31", "7", 6, &["a day such as"]),
        (keys, "", 1, &["covers everything"]),
        (keys, "rule = [\"hl7-patint\"]\n", 7, &["hl7-patint", "hl7-patient"]),
        (keys, "rules = [\"hl7-patient\"]\n", 7, &["unknown field", "rules"]),
        (keys, "client = [\"10.1.2.3/8\"]\n", 7, &["10.1.2.3/8", "10.0.0.0/8"]),
        (keys, "client = [\"ward\"]\n", 7, &["ward", "address block"]),
        (keys, "service = [\"10.1.2:104\"]\n", 7, &["10.1.2:104", "no service"]),
        (keys, "service = [\"pacs:port\"]\n", 7, &["pacs:port"]),
        (keys, "patient = [\"i_aaaaaaaaaaaaaaaaaaaa\"]\n", 7, &["phi.patient.token"]),
        (keys, "patient = [\"p_AAAAAAAAAAAAAAAAAAAA\"]\n", 7, &["phi.patient.token"]),
    ] {
        let text = whole.replacen(from, to, 1);
        let error = load(&text).map(|_| ()).expect_err(&text).to_string();
        assert!(error.contains(&format!("site.toml:{line}: ")), "{from:?} {to:?}: {error}");
        for word in words {
            assert!(error.contains(word), "{word:?} not in {error}");
        }
    }
    // A date as a string is accepted.
    assert!(load(&whole.replace("2026-12-31", "\"2026-12-31\"")).is_ok());
}
