//! Required fields and the arithmetic of OCSF.

use super::FORMAT;
use crate::exposure::samples::Sample;
use crate::output::samples::{busy, context, events, run, status_written, tracker, written};
use serde_json::{Value, json};
use std::sync::Arc;

fn lines(events: &[crate::exposure::Event]) -> Vec<Value> {
    let text = written(&FORMAT, context(), events, &run());
    text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

#[test]
fn every_event_has_what_its_class_requires() {
    let mut lines = lines(&events());
    lines.extend(self::lines(&busy()));
    let status: Value =
        serde_json::from_str(&status_written(&FORMAT, &[], &run())).expect("one line");
    assert_eq!((&status["activity_id"], &status["activity_name"]), (&json!(99), &json!("Status")));
    assert_eq!(status["unmapped"]["problems"], json!(["interface", "output"]));
    lines.push(status);
    let mut classes = std::collections::BTreeSet::new();
    for event in &lines {
        let number =
            |key: &str| event[key].as_u64().unwrap_or_else(|| panic!("{key} of {event:#}"));
        let class = number("class_uid");
        assert_eq!(number("category_uid"), class / 1000, "{event:#}");
        assert_eq!(number("type_uid"), class * 100 + number("activity_id"), "{event:#}");
        assert!((1..=5).contains(&number("severity_id")), "{event:#}");
        assert!(number("time") >= 1_772_360_102_000, "milliseconds: {event:#}");
        assert_eq!(event["metadata"]["version"], "1.4.0");
        assert_eq!(event["metadata"]["product"]["name"], "phitap");
        match class {
            2006 => {
                assert!(event["finding_info"]["uid"].is_string());
                assert_eq!(event["data_security"]["data_lifecycle_state_id"], 2);
                // Only a list of patients has several clients.
                let client = event["src_endpoint"]["ip"].is_string();
                assert!(client || event["unmapped"]["patient_tokens"].is_array());
                assert!(event["dst_endpoint"]["port"].is_number());
            }
            5001 => {
                assert!(event["device"]["ip"].is_string() && event["device"]["type_id"].is_number())
            }
            6007 => assert_eq!(event["scan"]["type_id"], 1),
            other => panic!("class {other}"),
        }
        classes.insert(class);
        assert!(event["message"].is_string(), "{event:#}");
        assert!(!has_null(event), "{event:#}");
    }
    assert_eq!(classes.into_iter().collect::<Vec<_>>(), [2006, 5001, 6007]);
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        _ => false,
    }
}

#[test]
fn exposures_are_created_and_updated_under_one_uid_and_never_closed() {
    let lines = lines(&events());
    let dicom: Vec<&Value> = lines
        .iter()
        .filter(|e| {
            e["finding_info"]["types"][0] == "phi-exposure"
                && e["src_endpoint"]["ip"] == "10.1.7.20"
        })
        .collect();
    let activities: Vec<u64> = dicom.iter().filter_map(|e| e["activity_id"].as_u64()).collect();
    assert_eq!(activities, [1, 2, 2, 2], "open, worse, a minute later, ended");
    let states: Vec<_> = dicom.iter().map(|e| e["unmapped"]["state"].as_str()).collect();
    assert_eq!(states, ["open", "update", "update", "ended"].map(Some));
    assert!(dicom.iter().all(|e| e["is_alert"] == true));
    assert!(dicom.iter().all(|e| e["finding_info"]["uid"] == dicom[0]["finding_info"]["uid"]));
    assert_eq!(dicom[3]["unmapped"]["patients"], 12);
}

#[test]
fn identifiers_are_types_and_counts_without_values() {
    let (mut x, mut out) = (tracker(), Vec::new());
    let mut d = Sample::default().build();
    for identifier in Arc::make_mut(&mut d.finding.identifiers) {
        identifier.shown = crate::identify::DisplayValue::of("Canary", false);
    }
    x.finding(d, &mut out);
    let text = written(&FORMAT, context(), &out, &run());
    assert!(!text.contains("Canary"));
    let lines = lines(&out);
    let event =
        lines.iter().find(|e| e["finding_info"]["types"][0] == "phi-finding").expect("finding");
    assert_eq!(
        event["data_security"]["discovery_details"],
        json!([{"type": "birth_date", "count": 1}, {"type": "name", "count": 1},
               {"type": "patient_id", "count": 1}])
    );
    assert_eq!(event["confidence_score"], 90);
    let exposure = event["finding_info"]["related_events"][0]["uid"].as_str();
    assert!(lines.iter().any(|e| e["finding_info"]["uid"].as_str() == exposure));
}
