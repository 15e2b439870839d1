//! Forged messages of a hub, which anyone who may publish may have written: they change nothing that other messages
//! said, and cost in proportion to their length.

use crate::linear::clock;
use crate::run::{ATTEMPTS, SECONDS_PER_BYTE, SLOWER, affordable, hospital, watched};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use phitap::hub::test_harness::TestHub;
use serde_json::{Value, json};
use std::io::Write as _;

/// Allowance for the clock and the machine, seconds.
const SLACK: f64 = 0.05;

/// What a sensor publishes about a hospital's traffic.
fn genuine() -> Vec<Value> {
    let options = ["replay", "--format=ecs", "--no-progress", "-q", "--summaries", "--sensor=ward"];
    let captures = hospital();
    let run = watched(options.into_iter().chain(captures.iter().map(String::as_str)), |_| Ok(()));
    assert_eq!(run.status, Some(0), "{}", run.err);
    crate::common::events(&run.out)
}

fn deflated(data: &[u8]) -> String {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).expect("memory");
    BASE64_STANDARD.encode(encoder.finish().expect("memory"))
}

/// Data that a summary may claim to be: bombs, levels, lists and numbers beyond all limits, and none at all.
fn data() -> Vec<String> {
    let fact = r#"{"c":"10.0.0.1:1","s":"10.0.0.2:2","t":6,"b":0,"p":"hl7","w":"x","f":0,"l":0,"n":1,"v":1,"k":[]}"#;
    let facts = |facts: String| format!("{{\"facts\":[{facts}]}}");
    let sketch = |set: &str| {
        format!(
            "{{\"sketches\":[{{\"c\":\"10.0.0.1\",\"s\":\"10.0.0.2:2\",\"t\":6,\"p\":\"hl7\",\"f\":0,\"l\":0,\"v\":1,\
             \"patients\":{set},\"findings\":{set},\"flows\":{set},\"records\":{set},\"kinds\":{{}}}}]}}"
        )
    };
    let texts = [
        "0".repeat(8 << 20),
        "[".repeat(1 << 20),
        facts(vec![fact; 20_000].join(",")),
        facts(fact.replace("\"v\":1", "\"v\":255")),
        sketch(&format!("{{\"members\":[{}]}}", vec!["1"; 100_000].join(","))),
        sketch("{\"registers\":\"/////w==\"}"),
        sketch(&format!("{{\"registers\":\"{}\"}}", "/".repeat(1 << 20))),
        String::new(),
    ];
    texts
        .iter()
        .map(|text| deflated(text.as_bytes()))
        .chain(["????".to_owned(), String::new()])
        .collect()
}

fn forged(genuine: &[Value]) -> Vec<Vec<u8>> {
    let texts: Vec<String> = genuine.iter().map(Value::to_string).collect();
    let mut forged: Vec<Vec<u8>> = Vec::new();
    // The same again, in another order; cut off anywhere; with bytes that are no text.
    forged.extend(texts.iter().rev().chain(&texts).map(|text| text.clone().into_bytes()));
    for text in &texts {
        forged.extend(
            (0..text.len()).step_by(1 + text.len() / 16).map(|at| text.as_bytes()[..at].into()),
        );
        forged.push([text.as_bytes(), b"\xff"].concat());
    }
    for event in genuine {
        let mut evil = event.clone();
        evil["observer"]["name"] = json!("ward\u{1b}[2J");
        forged.push(evil.to_string().into_bytes());
        // An id that is new, and objects that take a hundred times their length in memory.
        let mut padded = event.clone();
        padded["event"]["id"] = json!("01J00000000000000000000001");
        padded["padding"] = vec![json!({"": 0}); 8000].into();
        if event["event"]["action"] != "phi-summary" {
            forged.push(padded.to_string().into_bytes());
        }
    }
    let summary = genuine.iter().find(|event| event["phi"]["summary"]["data"].is_string());
    let summary = summary.expect("a summary");
    for data in data() {
        let mut bomb = summary.clone();
        bomb["phi"]["summary"]["data"] = json!(data);
        forged.push(bomb.to_string().into_bytes());
    }
    forged.push("[".repeat(1 << 20).into_bytes());
    forged.push("{\"observer\":".repeat(1 << 16).into_bytes());
    forged.push(vec![0; 1 << 20]);
    forged
}

#[test]
fn forged_messages_change_nothing_of_a_hub() {
    let genuine = genuine();
    let mut hub = TestHub::default();
    genuine.iter().for_each(|event| hub.take(event.to_string().as_bytes()));
    let before = hub.shown();
    assert!(!before.0.is_empty(), "exposures are shown");
    let forged = forged(&genuine);
    for (n, message) in forged.iter().enumerate() {
        let granted = SLACK + message.len() as f64 * SECONDS_PER_BYTE * SLOWER;
        let mut take = || {
            let begun = clock();
            hub.take(message);
            clock() - begun
        };
        let affordable = (0..ATTEMPTS).any(|_| affordable(take(), granted));
        let head = String::from_utf8_lossy(&message[..message.len().min(300)]).into_owned();
        assert!(affordable, "too slow with {} bytes: {head}", message.len());
        if n % 64 == 0 || message.len() > 1 << 14 || n + 1 == forged.len() {
            assert_eq!(before, hub.shown(), "after {head}");
        }
    }
}

/// Names that mean something to a broker, a shell or a file system are names and nothing else.
#[test]
fn names_of_sensors_with_wildcards_and_separators_are_names() {
    let genuine = genuine();
    let mut hub = TestHub::default();
    let names = ["*", ">", "ward.*", "$KV.>", "../../etc/passwd", "a b", "'; DROP TABLE runs; --"];
    for name in names {
        for event in &genuine {
            let mut event = event.clone();
            event["observer"]["name"] = json!(name);
            hub.take(event.to_string().as_bytes());
        }
    }
    let shown = hub.shown().1.to_string();
    for name in names {
        assert!(shown.contains(&json!(name).to_string()), "{name} is missing in {shown}");
    }
}
