//! What is written of hosts and services, in each shape.

use super::*;
use crate::exposure::samples::{Sample, at};
use crate::output::samples::{Shared, events, run, tracker};

fn written(shape: Shape, events: &[Event]) -> String {
    let to = Shared::default();
    let mut assets = Assets::new(Box::new(to.clone()), shape);
    for event in events {
        assets.event(event).expect("memory");
    }
    assets.finish(&run()).expect("memory");
    let bytes = to.0.lock().expect("no panic").clone();
    String::from_utf8(bytes).expect("UTF-8")
}

fn hostile() -> Vec<Event> {
    let mut sample = Sample::default();
    sample.facts.dicom().called_aet = Some("=<PACS>&\"\r\nx\u{1b}[1m".into());
    let (mut x, mut out) = (tracker(), Vec::new());
    x.finding(sample.build(), &mut out);
    x.finish(at(80), &mut out);
    out
}

#[test]
fn shapes_are_known_by_the_ending_of_the_file() {
    let of = |name: &str| Shape::of(Path::new(name));
    assert_eq!(of("a.json"), Some(Shape::Json));
    assert_eq!(of("a.CSV"), Some(Shape::Csv));
    assert_eq!(of("a.b/a.graphml"), Some(Shape::GraphMl));
    assert_eq!((of("a.xml"), of("json")), (None, None));
}

#[test]
fn services_say_who_asked_them_and_how_bad_it_is() {
    let all: serde_json::Value =
        serde_json::from_str(&written(Shape::Json, &events())).expect("JSON");
    let services = all["services"].as_array().expect("a list");
    let hl7 = services.iter().find(|s| s["protocol"] == "hl7").expect("a service");
    assert_eq!((&hl7["ip"], &hl7["port"]), (&"10.1.2.9".into(), &2575.into()));
    assert_eq!((&hl7["patients"], &hl7["clients"][0]), (&1.into(), &"203.0.113.9".into()));
    assert_eq!(hl7["severity"], "critical");
    let hosts = all["hosts"].as_array().expect("a list");
    let client = hosts.iter().find(|h| h["ip"] == "203.0.113.9").expect("a host");
    assert_eq!(client["peers"], serde_json::json!(["10.1.2.9"]));
    assert!(client["first_seen"].as_str() <= client["last_seen"].as_str());
}

#[test]
fn names_from_the_wire_break_no_shape() {
    let events = hostile();
    let json = written(Shape::Json, &events);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    assert!(!json.contains('\u{1b}'), "{json}");

    let csv = written(Shape::Csv, &events);
    assert!(csv.contains("\"'=<PACS>&\"\"  x [1m\""), "{csv}");
    let columns = |line: &str| line.matches(',').count();
    assert!(csv.lines().all(|line| columns(line) == 23), "{csv}");

    let graph = written(Shape::GraphMl, &events);
    assert!(graph.contains("=&lt;PACS&gt;&amp;&quot;"), "{graph}");
    assert!(!graph.contains("<PACS>") && !graph.contains('\u{1b}'), "{graph}");
    assert_eq!(graph.matches("<node ").count(), graph.matches("</node>").count());
    assert!(graph.matches("<edge ").count() >= 1);
}
