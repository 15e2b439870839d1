//! HTTP between nginx, Apache httpd, Node.js and Hypercorn on one side, and curl, a WebSocket
//! client and a browser on the other. phitap must find exactly the people whose data the client
//! read.

use crate::common;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn clients_and_phitap_read_the_same_patients() {
    let Some(python) = crate::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().to_str().expect("UTF-8");
    let told: Value =
        serde_json::from_str(&crate::oracle(&python, "web.py", &[path])).expect("JSON");
    if told["browser"] != true {
        println!("LEFT OUT: the browser, as PHITAP_NO_BROWSER is set");
    }
    let capture = folder.path().join("http.pcap");
    let run = common::phitap([
        "replay".as_ref(),
        "--detail=flows".as_ref(),
        capture.as_os_str(),
        "--format=ecs".as_ref(),
        "--reveal".as_ref(),
    ]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in common::events(&run.out).iter().filter(|e| common::is(e, "phi-finding")) {
        let client = event["client"]["ip"].as_str().expect("an address").to_owned();
        let identifiers = event["phi"]["patient"]["identifiers"].as_array().expect("a list");
        let values = identifiers.iter().filter_map(|i| i["value"].as_str());
        let numbers = values.filter(|v| v.starts_with("H0")).map(str::to_owned);
        found.entry(client).or_default().extend(numbers);
    }
    let mut wrong = Vec::new();
    let cases = told["cases"].as_array().expect("cases");
    for case in cases {
        let list = case["numbers"].as_array().expect("numbers").iter();
        let got: BTreeSet<String> =
            list.map(|n| n.as_str().expect("a number").to_owned()).collect();
        let client = case["client"].as_str().expect("an address");
        let seen = found.remove(client).unwrap_or_default();
        if seen != got {
            let (missed, more) = (got.difference(&seen).count(), seen.difference(&got).count());
            wrong.push(format!("{}: {missed} of {} missed, {more} more", case["name"], got.len()));
        }
    }
    assert!(cases.len() >= 50, "{} cases", cases.len());
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(found.is_empty(), "patients of nobody");
}
