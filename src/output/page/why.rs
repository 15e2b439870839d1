//! Why an exposure has its severity, in one sentence.

use serde_json::Value;

/// Of an exposure event. The points behind it are those of `rules/policy.toml`.
pub(super) fn sentence(event: &Value) -> String {
    let text = |at: &str| event.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let has = |at: &str, what: &str| {
        let list = event.pointer(at).and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|v| v == what))
    };
    let mut reasons = vec!["names or numbers of patients can be read on the wire".to_owned()];
    match text("/network/direction") {
        "inbound" => reasons.push("the client is outside the home networks".to_owned()),
        "outbound" => reasons.push("the service is outside the home networks".to_owned()),
        "external" => reasons.push("both ends are outside the home networks".to_owned()),
        _ => {}
    }
    if text("/phi/service/access/answers") == "anyone" {
        reasons.push("the service answered whoever asked".to_owned());
    } else if text("/phi/service/authentication") == "none" {
        reasons.push("no login was asked for".to_owned());
    }
    if event.pointer("/phi/service/credentials_in_clear") == Some(&Value::Bool(true)) {
        reasons.push("passwords or keys crossed in clear too".to_owned());
    }
    let numbers = ["ssn", "national_id", "insurance_number", "drivers_licence", "passport_number"];
    let kinds = event.pointer("/phi/exposure/identifiers").and_then(Value::as_object);
    if numbers.iter().any(|n| kinds.is_some_and(|kinds| kinds.contains_key(*n))) {
        reasons.push("there are numbers that identity fraud needs".to_owned());
    }
    let health = ["diagnosis", "result", "medication", "allergy", "procedure"];
    if health.iter().any(|mark| has("/phi/marks", mark)) {
        reasons.push("there is data about health beside them".to_owned());
    }
    match event.pointer("/phi/exposure/patients").and_then(Value::as_u64).unwrap_or(0) {
        0..=9 => {}
        10..=499 => reasons.push("there are ten patients or more".to_owned()),
        _ => reasons.push("there are five hundred patients or more".to_owned()),
    }
    if has("/phi/marks", "test") {
        reasons.push("the source says that it is test data, which lowers it".to_owned());
    }
    if has("/phi/marks", "deidentified") {
        reasons.push("the source says that it was de-identified, which lowers it".to_owned());
    }
    let severity = text("/phi/exposure/severity");
    let score = event.pointer("/event/severity").and_then(Value::as_u64).unwrap_or(0);
    let severity = crate::output::sentence::capitalised(severity);
    format!("{severity}, {score} of 100: {}.", reasons.join("; "))
}
