//! HL7 v2: the values of PID, NK1 and PV1 in generated messages, as hl7apy and python-hl7 read them.

use crate::common::{self, list, string};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Messages that are generated.
const MESSAGES: usize = 544;

#[test]
fn values_are_those_that_other_programs_read() {
    let Some(python) = crate::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let capture = folder.path().join("messages.pcap");
    let capture = capture.to_str().expect("UTF-8");
    let truth = crate::oracle(&python, "hl7v2.py", &[capture, &MESSAGES.to_string()]);
    let truth: BTreeMap<u64, BTreeMap<String, BTreeSet<String>>> =
        serde_json::from_str(&truth).expect("the script prints JSON");
    assert_eq!(truth.len(), MESSAGES);

    let run = common::phitap(["replay", "--format=ecs", "--detail=flows", "--reveal", capture]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let mut read: BTreeMap<u64, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for event in common::events(&run.out) {
        if common::is(&event, "phi-finding") {
            let port = event["client"]["port"].as_u64().expect("port");
            let of: &mut BTreeMap<_, BTreeSet<_>> = read.entry(port).or_default();
            let patient: &Value = &event["phi"]["patient"];
            for identifier in list(&patient["identifiers"]) {
                let field = string(&identifier["field"]).to_owned();
                of.entry(field).or_default().insert(string(&identifier["value"]).to_owned());
            }
        }
    }
    let mut wrong = Vec::new();
    for (port, fields) in &truth {
        let got = read.get(port);
        for (field, values) in fields {
            let got = got.and_then(|g| g.get(field)).cloned().unwrap_or_default();
            if got != *values {
                wrong.push(format!("message {}: {field} {got:?}, not {values:?}", port - 20000));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
