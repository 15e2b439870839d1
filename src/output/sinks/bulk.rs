//! Requests to `_bulk` of Elasticsearch and OpenSearch, and the results for each event.
//!
//! A document has the id of its event, and the time at which the event was written as its version (`external_gte`): a
//! later revision replaces an earlier one, however often and in whatever order they are sent.

use super::{Fate, Outcome};
use crate::output::spool::Record;
use serde::{Deserialize, Serialize};

/// Action and properties of one document.
#[derive(Serialize)]
struct Action<'a> {
    index: Index<'a>,
}

#[derive(Serialize)]
struct Index<'a> {
    #[serde(rename = "_index", skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    #[serde(rename = "_id")]
    id: &'a str,
    version: u64,
    version_type: &'static str,
}

/// The body of a request: for each event a line with the action and a line with the event.
pub(super) fn body(records: &[Record], index: Option<&str>) -> Vec<u8> {
    let mut body = Vec::new();
    for record in records {
        let action = Index {
            index,
            id: record.event_id(),
            version: record.time,
            version_type: "external_gte",
        };
        // Text and numbers always serialise.
        let _ = serde_json::to_writer(&mut body, &Action { index: action });
        body.push(b'\n');
        body.extend_from_slice(&record.line);
        body.push(b'\n');
    }
    body
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: Done,
}

#[derive(Deserialize)]
struct Done {
    status: u16,
    error: Option<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(rename = "type")]
    kind: String,
}

/// The results for `records` events, from the response to their request.
pub(super) fn outcome(answer: &[u8], records: usize) -> Outcome {
    let answer: Answer = match serde_json::from_slice(answer) {
        Ok(answer) => answer,
        Err(_) => return Outcome::broke_off(0, records, "the answer is none of _bulk"),
    };
    if answer.items.len() != records {
        return Outcome::broke_off(0, records, "the answer is of another number of events");
    }
    let mut outcome = Outcome::default();
    for Item { index: Done { status, error } } in answer.items {
        outcome.fates.push(match status {
            // A later revision is stored already.
            200..=299 | 409 => Fate::Taken,
            429 | 500.. => Fate::Again,
            _ => Fate::Refused,
        });
        let of = match outcome.fates.last() {
            Some(Fate::Again) => Some(&mut outcome.fault),
            Some(Fate::Refused) => Some(&mut outcome.refusal),
            _ => None,
        };
        if let Some(of) = of {
            // The full reason may quote the event.
            let kind = error.map(|error| error.kind).unwrap_or_default();
            let word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
            let kind: String = kind.chars().take(64).filter(word).collect();
            of.get_or_insert_with(|| format!("status {status} {kind}").trim_end().to_owned());
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_id_and_a_version_that_only_grows() {
        let record = Record::new("01JABC", 3, 1_772_445_604_123, b"{\"a\":1}".to_vec());
        let body = String::from_utf8(body(&[record], Some("phitap-a"))).expect("text");
        let expected = "{\"index\":{\"_index\":\"phitap-a\",\"_id\":\"01JABC\",\
                        \"version\":1772445604123,\"version_type\":\"external_gte\"}}\n{\"a\":1}\n";
        assert_eq!(body, expected);
    }

    #[test]
    fn the_answer_says_of_each_event_what_became_of_it() {
        let answer = br#"{"took":1,"errors":true,"items":[
            {"index":{"_id":"a","status":201}},
            {"index":{"_id":"b","status":409,"error":{"type":"version_conflict_engine_exception"}}},
            {"index":{"_id":"c","status":429,"error":{"type":"es_rejected_execution_exception"}}},
            {"index":{"_id":"d","status":400,"error":{"type":"mapper_parsing_exception",
                "reason":"value 'Hartman'"}}}]}"#;
        let outcome = outcome(answer, 4);
        let expected = [Fate::Taken, Fate::Taken, Fate::Again, Fate::Refused];
        assert_eq!(outcome.fates, expected);
        let fault = outcome.fault.expect("a reason");
        assert!(fault.contains("429 es_rejected_execution_exception"), "{fault}");
        let refusal = outcome.refusal.expect("another reason");
        assert!(refusal.contains("400 mapper_parsing_exception"), "{refusal}");
        assert!(!fault.contains("Hartman") && !refusal.contains("Hartman"), "{fault} {refusal}");
    }

    #[test]
    fn an_answer_that_cannot_be_matched_with_its_request_takes_nothing() {
        for answer in [&b"<html>"[..], b"{\"items\":[]}", b"{}", b""] {
            assert_eq!(outcome(answer, 2).fates, [Fate::Again, Fate::Again]);
        }
    }
}
