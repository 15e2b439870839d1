//! Runs whose results are merged: what sensors publish, and the result of `phitap merge`.

use super::{Key, list, phitap};
use serde_json::{Value, json};
use std::path::Path;

/// The events of a capture as a sensor publishes them, with summaries. `more`: further options of `replay`.
pub fn replay(key: &Key, sensor: &str, capture: &Path, more: &[&str]) -> String {
    let (key, capture) = (key.path(), capture.display().to_string());
    let options = ["replay", "--quiet", "--format", "ecs", "--summaries", "--detail", "exposures"];
    let whose = ["--key-file", &key, "--sensor", sensor];
    let run = phitap(options.iter().chain(&whose).chain(more).chain(&[capture.as_str()]));
    assert_eq!(run.status, Some(0), "{}", run.err);
    run.out
}

/// The result of `phitap merge` for some files.
pub fn merge<P: AsRef<Path>>(files: &[P]) -> Value {
    let files = files.iter().map(|file| file.as_ref().display().to_string());
    let run = phitap(["merge".to_owned(), "--format=json".to_owned()].into_iter().chain(files));
    assert_eq!(run.status, Some(0), "{}", run.err);
    serde_json::from_str(&run.out).expect("JSON")
}

/// People and exposures of a merged result, without the runs, whose packets differ if two sensors
/// read the same.
pub fn found(merged: &Value) -> Value {
    assert!(!list(&merged["exposures"]).is_empty(), "{merged}");
    json!({"keys": merged["keys"], "exposures": merged["exposures"]})
}

/// The result of one machine for a capture.
pub fn alone(key: &Key, capture: &Path, folder: &Path) -> Value {
    let events = folder.join("alone.json");
    std::fs::write(&events, replay(key, "alone", capture, &[])).expect("written");
    found(&merge(&[events]))
}
