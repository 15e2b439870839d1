//! Compares OCSF events with the published schema.

use crate::common;
use serde_json::Value;

#[test]
fn every_ocsf_event_is_what_the_published_schema_says() {
    let Some(python) = crate::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let events = folder.path().join("events.json");
    for detail in ["flows", "patients"] {
        let run = common::phitap([
            "replay".as_ref(),
            "--format=ocsf".as_ref(),
            "--detail".as_ref(),
            detail.as_ref(),
            "--output".as_ref(),
            events.as_os_str(),
            common::hospital().as_os_str(),
        ]);
        assert_eq!(run.status, Some(0), "{}", run.err);
        let path = events.to_str().expect("UTF-8");
        let told: Value =
            serde_json::from_str(&crate::oracle(&python, "ocsf.py", &[path])).expect("JSON");
        assert_eq!(told["wrong"].as_object().map(serde_json::Map::len), Some(0), "{told:#}");
        for (class, least) in [("2006", 200), ("5001", 20), ("6007", 1)] {
            let n = told["classes"][class].as_u64().unwrap_or(0);
            assert!(n >= least, "{n} events of class {class}");
        }
    }
}
