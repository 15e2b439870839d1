//! Checks `rules/annex-e.txt`, which lists every attribute of PS3.15 table E.1-1 with its
//! treatment.

use super::RuleSet;
use std::collections::BTreeSet;

const LIST: &str = include_str!("../../rules/annex-e.txt");

/// Reasons why an attribute of the table does not identify a patient.
const NOBODY: [&str; 14] = [
    "demographic",
    "staff",
    "institution",
    "device",
    "camera",
    "date",
    "procedure",
    "trial",
    "plan",
    "code",
    "template",
    "signature",
    "pixel",
    "uid",
];

#[test]
fn every_attribute_of_the_table_is_a_rule_or_excluded_with_a_reason() {
    let rules = RuleSet::shipped().expect("shipped rules").dicom;
    let (mut seen, mut faults) = (BTreeSet::new(), Vec::new());
    for line in LIST.lines().filter(|l| l.starts_with('(')) {
        let (tag, rest) = line.split_at(11);
        let class = rest.split_whitespace().next().unwrap_or_default();
        let hex = tag.replace(['(', ',', ')'], "");
        let number = u32::from_str_radix(&hex, 16).expect("a tag");
        assert!(seen.insert(number), "{tag} is listed twice");
        let (field, text) = (rules.get(number).is_some(), rules.text(number).is_some());
        let health = rules.health(number).is_some();
        let right = match class {
            "patient" => field,
            "text" => text && !field,
            "health" => health && !field,
            "structure" => !field && !text,
            other => NOBODY.contains(&other) && !field && !text && !health,
        };
        if !right {
            faults.push(line);
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(seen.len() > 650, "{}", seen.len());
}

#[test]
fn every_identifying_kind_has_its_letter() {
    let rules = RuleSet::shipped().expect("shipped rules");
    let kinds: BTreeSet<_> = rules
        .entries
        .iter()
        .filter(|r| r.section.starts_with("dicom"))
        .filter_map(|r| r.kind)
        .collect();
    // 45 CFR 164.514(b)(2)(i): kinds without a letter are no identifiers and never raise an alert
    // alone.
    for kind in kinds.iter().filter(|k| k.safe_harbor() == '-') {
        let alone = super::RecordEvidence {
            content: "dicom",
            structured: true,
            kinds: &[*kind],
            patient_context: true,
            query: false,
            deidentified: None,
            listed: false,
        };
        assert!(rules.policy.alert(&alone).is_none(), "{}", kind.as_str());
    }
    assert!(kinds.iter().any(|k| k.safe_harbor() == 'A'));
}
