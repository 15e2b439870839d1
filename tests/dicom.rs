//! DICOM services as recorded between real programs: who is accepted, what is requested and
//! answered, what is transferred, and where it is forwarded.

mod common;

use common::{ROOT, cases, events, is, list, phitap, string};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

fn replay(capture: &Path, workers: &str) -> Vec<Value> {
    let arguments = ["replay", "--format=ecs", "--workers", workers].map(std::ffi::OsStr::new);
    let run = phitap(arguments.into_iter().chain([capture.as_os_str()]));
    assert_eq!(run.status, Some(0), "{}", run.err);
    events(&run.out)
}

/// The `phi` object of the last event about the service at an address.
fn service<'a>(events: &'a [Value], ip: &str, port: u64) -> &'a Value {
    let there = |e: &&Value| {
        is(e, "service-seen") && e["server"]["ip"] == ip && e["server"]["port"] == port
    };
    let all: Vec<&Value> = events.iter().filter(there).collect();
    let ids: BTreeSet<&str> = all.iter().map(|e| string(&e["event"]["id"])).collect();
    assert_eq!(ids.len(), 1, "one service, one id");
    &all.last().unwrap_or_else(|| panic!("no service {ip}:{port}"))["phi"]
}

/// The `phi` object of the last event about the exposure between two hosts.
fn exposure<'a>(events: &'a [Value], client: &str, server: &str) -> &'a Value {
    let there = |e: &&Value| {
        is(e, "phi-exposure") && e["client"]["ip"] == client && e["server"]["ip"] == server
    };
    &events.iter().rfind(there).unwrap_or_else(|| panic!("none of {client} and {server}"))["phi"]
}

/// Recorded by `fixtures/services/dicom.py`, which describes it.
fn recorded() -> Vec<Value> {
    let capture = Path::new(ROOT).join("fixtures/services/dicom.pcap");
    let one = replay(&capture, "1");
    assert_eq!(one.len(), replay(&capture, "2").len());
    one
}

const ARCHIVE: &str = "10.77.0.2";

#[test]
fn whom_a_service_lets_in() {
    let events = recorded();
    let access = |port| service(&events, ARCHIVE, port)["service"]["access"].clone();
    assert_eq!(
        access(11115),
        json!({"answers": "anyone", "evidence": ["default-title-accepted"], "clients": 1,
            "calling_titles": 1, "refused_titles": 0})
    );
    // Two hosts, each with one title.
    assert_eq!(access(11116), Value::Null);
    let shared = &service(&events, ARCHIVE, 11116)["dicom"];
    assert_eq!(shared["accepted_titles"], json!(["CT01", "WS1"]));
    assert_eq!(access(11113)["answers"], "known");
    assert_eq!(access(11113)["evidence"], json!(["calling-title-refused"]));
    let strict = &service(&events, ARCHIVE, 11113)["dicom"];
    assert_eq!(
        (&strict["accepted_titles"], &strict["refused_titles"]),
        (&json!(["CT01"]), &json!(["XRAY7"]))
    );
    assert_eq!(strict["operations"]["rejection"], json!({"calling-ae-title-not-recognized": 1}));
    let named = &service(&events, ARCHIVE, 11114)["service"];
    assert_eq!(named["association"]["outcome"], "called-ae-title-not-recognized");
    assert_eq!(access(11112)["answers"], "anyone");
    // All exposures of the archive show it, for any client.
    for client in ["10.77.0.1", "10.77.0.4"] {
        assert_eq!(exposure(&events, client, ARCHIVE)["service"]["access"]["answers"], "anyone");
    }
}

#[test]
fn what_was_asked_of_an_archive_and_what_came_of_it() {
    let events = recorded();
    let archive = service(&events, ARCHIVE, 11112);
    assert_eq!(
        archive["dicom"]["operations"],
        json!({
            "C-CANCEL": {"request": 1},
            "C-ECHO": {"request": 1, "success": 1},
            "C-FIND": {"pending": 48, "request": 4, "success": 4},
            "C-GET": {"pending": 2, "request": 1, "success": 1},
            "C-MOVE": {"pending": 3, "refused": 1, "request": 2, "success": 1},
            "C-STORE": {"request": 6, "success": 6},
            "N-ACTION": {"request": 2, "success": 2},
            "N-CREATE": {"request": 2, "success": 2},
            "N-GET": {"request": 1, "success": 1},
            "N-SET": {"request": 1, "success": 1},
            "abort": {"service-user": 1},
            "association": {"aborted": 1, "accepted": 7, "released": 6},
            "status": {"move-destination-unknown": 1},
            "sub-operation": {"completed": 5},
        })
    );
    let dicom = &archive["dicom"];
    // Four images of two studies and two of one by C-GET; C-FIND lists twelve more studies.
    assert_eq!((&dicom["instances"], &dicom["studies"]), (&json!(6), &json!(15)));
    assert_eq!((&dicom["commitments"], &dicom["patients"]), (&json!(4), &json!(18)));
    let service = &archive["service"];
    assert_eq!(service["credentials_in_clear"], true);
    assert_eq!((&service["station"], &service["institution"]), (&json!("CT9"), &json!("Lakeside")));
    assert_eq!(service["modalities"], json!(["CT"]));
    let names: Vec<&str> = list(&service["sop_class_names"]).iter().map(string).collect();
    for name in [
        "CT Image Storage",
        "Modality Performed Procedure Step SOP Class",
        "Modality Worklist Information Model - FIND",
        "Storage Commitment Push Model SOP Class",
        "Study Root Query/Retrieve Information Model - MOVE",
        "Unified Procedure Step - Push SOP Class",
        "Verification SOP Class",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let operations: BTreeSet<&str> = events
        .iter()
        .filter(|e| is(e, "phi-finding"))
        .map(|e| string(&e["phi"]["operation"]))
        .collect();
    assert_eq!(Vec::from_iter(operations), ["C-FIND", "C-STORE", "N-CREATE", "N-GET"]);
    let negotiated = &exposure(&events, "10.77.0.1", ARCHIVE)["service"]["association"];
    assert_eq!(
        (&negotiated["operations_invoked"], &negotiated["provider_roles"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(negotiated["extended_negotiation"], json!(["1.2.840.10008.5.1.4.1.2.2.1"]));
}

#[test]
fn a_move_is_tied_to_what_is_stored_for_it() {
    let events = recorded();
    let asked = exposure(&events, "10.77.0.1", ARCHIVE);
    assert_eq!(asked["dicom"]["moved_to"], json!([{"ip": "10.77.0.3", "port": 104}]));
    let destinations = &service(&events, ARCHIVE, 11112)["service"]["association"];
    assert_eq!(destinations["move_destinations"], json!(["VIEWER", "NOWHERE"]));
    // This archive replaces the workstation's title by its own.
    let stored = exposure(&events, ARCHIVE, "10.77.0.3");
    assert_eq!(stored["dicom"]["moved_for"], json!(["10.77.0.1"]));
    assert_eq!(
        (&stored["dicom"]["instances"], &stored["dicom"]["studies"]),
        (&json!(3), &json!(1))
    );
    // A host that stores for another is not a modality, and a host that reports a commitment is the
    // archive.
    let roles = |ip: &str| -> BTreeSet<&str> {
        events
            .iter()
            .filter(|e| is(e, "asset-seen") && e["host"]["ip"][0] == ip)
            .map(|e| string(&e["phi"]["asset"]["role"]))
            .collect()
    };
    assert!(!roles(ARCHIVE).contains("modality") && roles(ARCHIVE).contains("pacs"));
    assert!(!roles("10.77.0.3").contains("pacs") && !roles("10.77.0.4").contains("pacs"));
    assert!(roles("10.77.0.4").contains("modality"));
}

/// For each capture whose truth has figures.
#[test]
fn figures_are_those_of_the_truth() {
    let mut compared = 0;
    let (mut aborted, mut rejected, mut moved) = (0, 0, 0);
    for case in cases().iter().filter(|c| c.truth["family"] == "dicom") {
        let events = replay(&case.capture, "1");
        for flow in list(&case.truth["flows"]).iter().filter(|f| f["encrypted"] != true) {
            let facts = &flow["service_facts"];
            let port = flow["server_port"].as_u64().expect("port");
            let seen = service(&events, string(&flow["server"]), port);
            let operations = &seen["dicom"]["operations"];
            for key in ["calling_aet", "called_aet"] {
                assert_eq!(seen["service"][key], facts[key], "{}", case.name);
            }
            for operation in string(&facts["dimse"]).split(", ").filter(|o| *o != "none") {
                assert!(operations[operation]["request"].is_u64(), "{}: {operation}", case.name);
            }
            let mut compare = |truth: &str, have: &Value| {
                if facts[truth].is_u64() {
                    compared += 1;
                    assert_eq!(have, &facts[truth], "{}: {truth}", case.name);
                }
            };
            compare("instances", &seen["dicom"]["instances"]);
            compare("responses", &operations["C-FIND"]["pending"]);
            compare("suboperations", &operations["sub-operation"]["completed"]);
            if facts["ended"] == "A-ABORT" {
                aborted += 1;
                assert_eq!(operations["association"]["aborted"], 1, "{}", case.name);
            }
            if facts["association"] == "rejected" {
                rejected += 1;
                assert_eq!(operations["association"], json!({"rejected": 1}), "{}", case.name);
            }
            if let Some(destination) = facts["move_destination"].as_str() {
                moved += 1;
                let association = &seen["service"]["association"];
                assert_eq!(association["move_destinations"], json!([destination]), "{}", case.name);
            }
        }
    }
    assert!(compared >= 20, "{compared}");
    assert!(aborted > 0 && rejected > 0 && moved > 0, "{aborted} {rejected} {moved}");
}
