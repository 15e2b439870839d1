//! The model, and how the page embeds it.

use super::*;
use crate::exposure::samples::{Sample, at, hl7, http, identifier};
use crate::exposure::{Event, FindingEvent, PatientObservation};
use crate::output::samples::{Shared, context, run, tracker_with_sightings};
use crate::output::{Output as _, ecs};
use crate::rules::Kind;
use serde_json::{Value, json};

/// What findings come to.
fn seen(findings: impl IntoIterator<Item = FindingEvent>) -> (Vec<Event>, Vec<PatientObservation>) {
    let (mut exposures, mut out) = (tracker_with_sightings(), Vec::new());
    for finding in findings {
        exposures.finding(finding, &mut out);
    }
    exposures.finish(at(80), &mut out);
    (out, exposures.take_observations())
}

/// Three exposures with 14 patients.
fn some() -> (Vec<Event>, Vec<PatientObservation>) {
    let dicom = (2..14u64).map(|patient| {
        let time = at(patient as i64);
        Sample { patient, time, ..Sample::default() }.build()
    });
    let last = Sample { time: at(70), ..http(14) }.build();
    seen([hl7(1).build()].into_iter().chain(dicom).chain([last]))
}

fn written((events, observations): &(Vec<Event>, Vec<PatientObservation>), reveal: bool) -> String {
    let to = Shared::default();
    let mut report = Report::new(Box::new(to.clone()), context(), reveal, Provenance::default());
    for event in events {
        report.event(event).expect("memory");
    }
    for observation in observations {
        report.observation(observation).expect("memory");
    }
    report.finish(&run()).expect("memory");
    let bytes = to.0.lock().expect("no panic").clone();
    String::from_utf8(bytes).expect("UTF-8")
}

/// The model as embedded in a page.
fn model(page: &str) -> Value {
    let (_, from) = page.split_once("id=\"data\">").expect("a model");
    let (model, _) = from.split_once("</script>").expect("its end");
    serde_json::from_str(model).expect("JSON")
}

fn ecs_events() -> Vec<Value> {
    let (events, _) = some();
    events.iter().map(|event| ecs::value(event, &context())).collect()
}

#[test]
fn a_report_holds_exposures_masked_findings_and_the_run() {
    let page = written(&some(), false);
    let model = model(&page);
    let exposures = model["exposures"].as_array().expect("a list");
    assert_eq!(exposures.len(), 3);
    for exposure in exposures {
        assert_eq!(exposure["phi"]["exposure"]["state"], "ended", "the last of each");
        let remedies = exposure["phi"]["exposure"]["remedies"].as_array().expect("a list");
        assert!(!remedies.is_empty());
        assert!(exposure["event"]["reason"].as_str().is_some_and(|why| why.len() > 20));
        let id = exposure["phi"]["exposure"]["id"].as_str().expect("an id");
        let findings = model["findings"][id].as_array().expect("a list");
        assert!((1..=10).contains(&findings.len()), "{}", findings.len());
        assert!(findings[0]["identifiers"][0]["value"].as_str().is_some_and(|v| v.contains('*')));
    }
    let bars = model["timeline"]["counts"].as_array().expect("bars");
    assert_eq!(bars.iter().filter_map(Value::as_u64).sum::<u64>(), 14);
    assert_eq!(model["run"]["phi"]["run"]["packets"]["read"], 12_345);
    assert_eq!(model["letters"]["ssn"], "G");
    assert_eq!(model["left"], json!({"exposures": 0, "findings": 2}), "ten of twelve are shown");
}

#[test]
fn nothing_from_the_wire_ends_the_script_or_begins_an_element() {
    let mut sample = Sample::default();
    let title =
        "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>\u{2028}\u{202e}";
    sample.facts.dicom().called_aet = Some(title.into());
    sample.operation = "<script>";
    let page = written(&seen([sample.build()]), false);
    assert_eq!(page.matches("</script>").count(), 2, "the model's and the program's");
    assert!(!page.contains("<img") && !page.contains("alert(1)</"), "{page}");
    assert!(!page.contains('\u{202e}') && !page.contains('\u{2028}'));
    let model = model(&page);
    let exposure = &model["exposures"][0]["phi"];
    assert_eq!(exposure["service"]["called_aet"], title, "as it is, for who reads it as text");
}

#[test]
fn no_value_is_in_a_report_not_even_with_reveal() {
    let mut sample = Sample::default();
    sample.facts.dicom().called_aet = Some("Canary^Title".into());
    let mut d = sample.build();
    let mut name = identifier(Kind::Name, "", "(0010,0010)");
    name.shown = crate::identify::DisplayValue::of("Canary^Jane", false);
    d.finding.identifiers = vec![name].into();
    let page = written(&seen([d]), true);
    assert!(page.contains("phi-exposure"));
    assert!(!page.contains("Canary"), "neither as a value nor as a name of the service");
}

#[test]
fn an_exposure_that_an_earlier_run_saw_is_one_row_with_what_was_seen_before() {
    let all = ecs_events();
    let new = all.iter().find(|e| e["event"]["action"] == "phi-exposure").expect("one").clone();
    let (mut old, mut other) = (new.clone(), new.clone());
    let earlier_id = "01AAAAAAAAAAAAAAAAAAAAAAAA";
    old["phi"]["exposure"]["id"] = json!(earlier_id);
    old["phi"]["exposure"]["records"] = json!(77);
    old["event"]["start"] = json!("2025-01-01T00:00:00.000000Z");
    other["phi"]["exposure"]["id"] = json!("01BBBBBBBBBBBBBBBBBBBBBBBB");
    other["phi"]["exposure"]["fingerprint"] = json!("x_another");
    let mut model = PageModel::default();
    for event in [old, other] {
        assert!(model.take_earlier(event));
    }
    let ids = |model: &PageModel| {
        let mut ids: Vec<Value> =
            model.worst().iter().map(|e| e["phi"]["exposure"]["id"].clone()).collect();
        ids.sort_by_key(Value::to_string);
        ids
    };
    assert_eq!(ids(&model).len(), 2);
    assert!(model.worst().iter().all(|e| e["earlier"] == true));
    let shown = model.clock();
    // What is known of it stays with each update.
    for _ in 0..2 {
        assert!(model.take(new.clone()));
        let id = &new["phi"]["exposure"]["id"];
        assert_eq!(ids(&model), [&json!("01BBBBBBBBBBBBBBBBBBBBBBBB"), id].map(Clone::clone));
        let row = model.worst().into_iter().find(|e| &e["phi"]["exposure"]["id"] == id);
        let row = row.expect("one row");
        assert!(row["earlier"].is_null(), "{row}");
        assert_eq!(
            (&row["before"]["id"], &row["before"]["records"]),
            (&json!(earlier_id), &json!(77))
        );
        assert_eq!(row["before"]["first"], "2025-01-01T00:00:00.000000Z");
    }
    let changes = model.changes(shown).data.expect("changes");
    assert_eq!(changes["gone"], json!([earlier_id]), "an open page removes the row");
    // With --state an exposure keeps its id and its counts.
    let mut same = PageModel::default();
    assert!(same.take_earlier(new.clone()) && same.take(new.clone()));
    assert_eq!(same.worst().len(), 1);
    assert!(same.worst()[0]["before"].is_null() && same.worst()[0]["earlier"].is_null());
}

#[test]
fn an_event_that_is_not_whole_is_refused_and_breaks_nothing() {
    let whole = ecs_events();
    for event in &whole {
        assert!(PageModel::default().take(event.clone()), "{event:#}");
    }
    assert!(PageModel::default().take(ecs::run_value(&run(), &context())));
    let exposure = whole.iter().find(|e| e["event"]["action"] == "phi-exposure").expect("one");
    for (path, wrong) in [
        ("/phi/exposure/id", json!("../../x")),
        ("/phi/exposure/severity", json!("\"><script>")),
        ("/phi/exposure/patients", json!("many")),
        ("/phi/exposure/identifiers", json!({"name": "x"})),
        ("/phi/exposure/remedies", json!("none")),
        ("/phi/exposure/operations", json!([7])),
        ("/phi/service", json!([])),
        ("/event/reason", json!({"x": 1})),
        ("/client/ip", json!(7)),
        ("/server/port", Value::Null),
        ("/network", json!([])),
    ] {
        let mut event = exposure.clone();
        *event.pointer_mut(path).expect("a field") = wrong;
        assert!(!PageModel::default().take(event), "{path}");
    }
    let huge = json!({"event": {"action": "run-summary"}, "x": "y".repeat(100_000)});
    for garbage in [Value::Null, json!([1]), json!({"event": {"action": "x"}}), huge] {
        assert!(!PageModel::default().take(garbage));
    }
}

#[test]
fn of_too_many_exposures_the_least_severe_go_and_are_counted() {
    let whole = ecs_events();
    let exposure = whole.iter().find(|e| e["event"]["action"] == "phi-exposure").expect("one");
    let mut model = PageModel::default();
    for n in 0..1_000u64 {
        let mut event = exposure.clone();
        event["phi"]["exposure"]["id"] = format!("{n:026}").into();
        event["event"]["severity"] = (n % 100).into();
        assert!(model.take(event));
    }
    let worst = model.worst();
    assert_eq!(worst.len(), 800);
    assert_eq!(worst[0]["event"]["severity"], 99);
    assert!(worst.iter().all(|e| e["event"]["severity"].as_u64() >= Some(20)));
    assert_eq!(model.data()["left"]["exposures"], 200);
}

#[test]
fn who_watches_gets_what_changed_and_nothing_else() {
    let whole = ecs_events();
    let mut model = PageModel::default();
    whole.iter().for_each(|event| assert!(model.take(event.clone())));
    let first = model.changes(0);
    assert_eq!(first.data.expect("all")["exposures"].as_array().map(Vec::len), Some(3));
    assert!(model.changes(first.until).data.is_none(), "nothing changed");
    let exposure = whole.iter().find(|e| e["event"]["action"] == "phi-exposure").expect("one");
    model.take(exposure.clone());
    let next = model.changes(first.until).data.expect("one changed");
    assert_eq!(next["exposures"].as_array().map(Vec::len), Some(1));
    assert!(!next.contains_key("services"), "{next:?}");
}

#[test]
fn a_capture_that_changed_or_went_since_the_run_is_named() {
    let dir = tempfile::tempdir().expect("folder");
    let name = dir.path().join("a.pcap");
    std::fs::write(&name, b"abc").expect("file");
    let name = name.to_str().expect("UTF-8");
    // FIPS 180-4, example for SHA-256.
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(Input::of_run(name, Some(hash)).fault(), None);
    assert_eq!(Input::of_run(name, None).fault(), None);
    std::fs::write(name, b"abd").expect("file");
    let fault = Input::of_run(name, Some(hash)).fault().expect("a fault");
    assert!(fault.starts_with("changed") && fault.ends_with(hash), "{fault}");
    std::fs::remove_file(name).expect("file");
    assert!(Input::of_run(name, Some(hash)).fault().expect("a fault").starts_with("gone"));
}
