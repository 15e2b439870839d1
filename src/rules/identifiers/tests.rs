use super::*;
use crate::rules::RuleSet;

fn rules(regions: &[&str]) -> RuleSet {
    let mut rules = RuleSet::shipped().expect("shipped rules");
    rules.identifiers.enable(regions).expect("known regions");
    rules
}

/// `value rule` for numbers explained by words, `value ~rule` for those found by check digits
/// alone.
fn found(regions: &[&str], text: &str) -> Vec<String> {
    let rules = rules(regions);
    let mut found = Vec::new();
    rules.identifiers.scan(text, &mut |hit| match (hit.near, hit.valid.first()) {
        (Some(rule), _) => found.push(format!("{} {}", hit.value, rule.rule.id)),
        (None, Some(rule)) if rule.alone.is_some() => {
            found.push(format!("{} ~{}", hit.value, rule.rule.id));
        }
        _ => {}
    });
    found
}

#[test]
fn regions_switch_numbers_on() {
    let text = "NHS No: 943 476 5919, SSN 536-90-4399, PESEL 44051401359";
    assert_eq!(found(DEFAULT_REGIONS, text), ["536-90-4399 us-ssn"]);
    assert_eq!(found(&["gb"], text), ["943 476 5919 gb-nhs-number"]);
    assert_eq!(found(&[ALL_REGIONS], text).len(), 3);
    assert_eq!(found(&[], text), [""; 0]);
    let mut rules = rules(&[]);
    assert_eq!(rules.identifiers.enable(&["us", "xx"]), Err("xx"));
    assert!(rules.identifiers.regions().count() >= 52);
}

#[test]
fn every_shipped_pattern_compiles() {
    let rules = RuleSet::shipped().expect("shipped rules");
    assert!(rules.identifiers.rules.len() > 70);
    for rule in &rules.identifiers.rules {
        assert_eq!(rule.pattern.check(), Ok(()), "{}", rule.rule.id);
    }
}

#[test]
fn words_in_many_languages() {
    for (text, expected) in [
        ("Versicherten-Nr. A123456780 (AOK)", "A123456780 de-kvnr"),
        ("geboren 6.6.1970, SV-Nr 1237 010180", "1237 010180 at-svnr"),
        ("n° de sécurité sociale 2 95 10 99 126 111 93", "2 95 10 99 126 111 93 fr-nir"),
        ("con D.N.I. 54362315-K", "54362315-K ~"),
        ("DNI 54362315-K", "54362315-K es-dni"),
        ("codice fiscale RCCMNL83S18D969H", "RCCMNL83S18D969H it-codice-fiscale"),
        ("身份证号：360426199101010071。", "360426199101010071 cn-resident-id"),
        ("주민등록번호 971013-9019902", "971013-9019902 kr-rrn"),
        ("ЕГН 8032056031", "8032056031 bg-egn"),
        ("HKID A123456(3)", "A123456(3 hk-hkid"),
        ("943 476 5919 (NHS number)", "943 476 5919 gb-nhs-number"),
    ] {
        let expected: Vec<&str> = if expected.ends_with('~') { vec![] } else { vec![expected] };
        assert_eq!(found(&[ALL_REGIONS], text), expected, "{text}");
    }
}

#[test]
fn what_looks_like_a_number_but_is_none() {
    for text in [
        // Marked as something else.
        "order no 943 476 5919",
        "NHS trust, tel. 943 476 5919",
        "IBAN DE89 3704 0044 0532 0130 00",
        "card 4111 1111 1111 1111",
        "NPI 1234567893",
        // Invented, or not valid.
        "NHS No 123 456 7890",
        "NHS No 9999999999",
        "NHS No 943 476 5918",
        // Part of something else.
        "NHS 1.2.840.113619.2.9434765919.1",
        "NHS 9434765919.5",
        "NHS 9434765919-1",
        "NHS 123e4567-e89b-12d3-a456-9434765919ab",
        "NHS https://x.example/a/9434765919/b",
        "NHS +9434765919",
        "NHS a9434765919",
        "NHS 9434765919%20",
        "NHS 10.94.347.65",
        "SSN 536-90-43991",
        "build 9434765919",
    ] {
        assert_eq!(found(&["us", "gb"], text), [""; 0], "{text}");
    }
}

#[test]
fn anything_may_come_and_nothing_is_found_twice() {
    let rules = rules(&[ALL_REGIONS]);
    let mut text = String::new();
    for n in 0..2000u64 {
        let number = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        text.push_str(&format!("{}é{:x}-{} ", number % 1_000_003, number, number >> 30));
    }
    for text in [text.as_str(), &"9".repeat(100_000), &"1 ".repeat(50_000), &"a1-".repeat(30_000)] {
        let mut last = None;
        rules.identifiers.scan(text, &mut |hit| {
            assert_eq!(text.get(hit.start..hit.start + hit.value.len()), Some(hit.value));
            let place = (hit.start, hit.value.len());
            assert!(last.is_none_or(|l| l < place), "{last:?} {place:?}");
            last = Some(place);
        });
    }
    // The same at any position within a block.
    for before in 0..100 {
        let text = format!("{}NHS No 943 476 5919", ". ".repeat(before));
        assert_eq!(found(&["gb"], &text), ["943 476 5919 gb-nhs-number"], "{before}");
    }
}

/// The fault of an entry in its own file.
#[track_caller]
fn refused(entry: &str, line: usize, reason: &str) {
    let dir = tempfile::tempdir().expect("temporary folder");
    std::fs::write(dir.path().join("site.toml"), entry).expect("write");
    let error = RuleSet::load(Some(dir.path())).expect_err("a faulty file").to_string();
    assert!(error.contains(&format!("site.toml:{line}: ")) && error.contains(reason), "{error}");
}

#[test]
fn faulty_entries_are_refused_with_their_line() {
    let entry = |change: &str, to: &str| {
        let good = "[[identifier]]\nid = \"site-id\"\ntitle = \"A\"\nkind = \"national_id\"\nregions = [\"us\"]\n\
                    pattern = '[0-9]{10}'\nvalidator = \"gb-nhs\"\nwords = [\"site id\"]\nchance = 0.1\nconfidence = 0.9\n";
        assert!(good.contains(change), "{change}");
        good.replacen(change, to, 1)
    };
    refused(&entry("gb-nhs", "nhs"), 7, "there is no \"nhs\"; there are ar-cuit, at-svnr");
    refused(&entry("[0-9]{10}", "[0-9"), 6, "pattern");
    refused(&entry("[0-9]{10}", "(?:(?:[0-9a-z]{50}){50}){50}"), 6, "size");
    refused(&entry("[0-9]{10}", "[0-9]*"), 6, "nothing at all");
    refused(&entry("[\"us\"]", "[\"USA\"]"), 5, "ISO 3166");
    refused(&entry("[\"us\"]", "[]"), 5, "ISO 3166");
    refused(&entry("chance = 0.1", "chance = 7.0"), 1, "from 0 to 1");
    refused(&entry("validator = \"gb-nhs\"\n", ""), 1, "length");
    refused(&entry("[\"site id\"]", "[\"--\"]"), 8, "has no letters");
    refused(&entry("kind = \"national_id\"", "kind = \"passport\""), 4, "passport");
    refused(&entry("chance", "chanse"), 9, "chanse");
    refused(&entry("title = \"A\"", "title = "), 3, "");
    refused(&format!("{}{}", entry("A", "A"), entry("A", "B")), 11, "already used in line 1");
    refused(&entry("site-id", "text-email"), 1, "only an entry of the same section");
    let taken = entry("chance", "systems = [\"2.16.840.1.113883.4.1\"]\nchance");
    refused(&taken.replace("site-id", "zz-id"), 9, "already taken by \"us-ssn\"");
}

#[test]
fn samples_that_do_not_hold_are_named() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let text = "[[identifier]]\nid = \"gb-nhs-number\"\ntitle = \"A\"\nkind = \"national_id\"\nregions = [\"gb\"]\n\
                pattern = '[0-9]{10}'\nvalidator = \"gb-nhs\"\nchance = 0.1\nconfidence = 0.9\n\
                match = [\"9434765918\", \"9434765919\"]\nno_match = [\"9434765919\"]\n";
    std::fs::write(dir.path().join("site.toml"), text).expect("write");
    let rules = RuleSet::load(Some(dir.path())).expect("good rules");
    let failures = crate::identify::test_samples(&rules);
    let failed: Vec<_> = failures.iter().map(|f| (f.rule.as_str(), f.expected)).collect();
    assert_eq!(failed, [("gb-nhs-number", true), ("gb-nhs-number", false)]);
}
