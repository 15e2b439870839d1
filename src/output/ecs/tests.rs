//! Events against the contract and the schema.

use super::FORMAT;
use crate::capture::PacketSpan;
use crate::config::Detail;
use crate::content::Mark;
use crate::exposure::samples::{KEY, Sample, T0, at, identifier, packet, token};
use crate::exposure::{Count, Event, EventId, FlowActivity};
use crate::identify::DisplayValue;
use crate::output::health::Check;
use crate::output::samples::{
    Shared, busy, context, events, run, status_written, tracker, tracker_with_sightings, written,
};
use crate::output::{Cause, Context, Interrupted, RunSummary, Verdict};
use crate::protocol::tls::{Certificate, TlsFacts, TlsVersion};
use crate::protocol::{
    Activity, Association, Authentication, DicomFacts, FileFacts, FlowLosses, Interface,
    MessageFacts, Object, Outcome, Reason, Role, ServiceFacts, WebFacts,
};
use crate::rules::{Kind, Secret, ServiceKind};
use crate::severity::Severity;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

const SCHEMA: &str = include_str!("../../../schema/event.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("schema is JSON")
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).expect("schema is a schema")
}

fn lines(events: &[Event], run: &RunSummary) -> Vec<Value> {
    let text = written(&FORMAT, context(), events, run);
    text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

/// Every fact that protocols may learn.
fn tls() -> TlsFacts {
    let full = |n: &str| Some(n.to_owned());
    TlsFacts {
        versions: vec![TlsVersion::Tls10, TlsVersion::Tls12],
        server_names: vec!["pacs.example".into()],
        inside: vec!["h2".into()],
        certificate: Some(Box::new(Certificate {
            subject: full("pacs.example"),
            names: vec!["pacs.example".into()],
            issuer: full("CA"),
            not_before: T0.to_string(),
            not_after: at(9).to_string(),
            expires: at(9),
            self_signed: true,
            fingerprint: "ab".repeat(32),
        })),
        client_certificate: true,
    }
}

fn all_facts() -> ServiceFacts {
    let full = |n: &str| Some(n.to_owned());
    let dicom = DicomFacts {
        calling_aet: full("A"),
        called_aet: full("B"),
        implementation_class: [full("1.2"), full("1.3")],
        implementation_version: [full("V1"), full("V2")],
        sop_classes: vec!["1.2.840.10008.5.1.4.31".into()],
        transfer_syntaxes: vec!["1.2.840.10008.1.2".into()],
        dimse: vec!["C-STORE".into()],
        modalities: vec!["CT".into()],
        station: full("S"),
        institution: full("I"),
        rejected: full("1 2"),
        aborted: full("0 1"),
        association: Some(Box::new(Association {
            outcome: Some(Outcome::CallingRefused),
            contexts: [2, 1],
            max_pdu: [Some(16384), Some(0)],
            user_identity: Some("passcode"),
            identity_confirmed: true,
            asynchronous: Some([4, 0]),
            provider_roles: [2, 1],
            extended: vec!["1.2.840.10008.5.1.4.1.2.2.1".into()],
            move_destinations: vec!["VIEWER".into()],
            move_originators: vec!["WS1".into()],
        })),
    };
    ServiceFacts {
        withheld: false,
        admission_key: 0,
        authentication: Authentication::UserIdentity,
        anonymous: false,
        credentials_in_clear: true,
        credentials: vec![Secret::Form],
        interfaces: vec![Interface {
            kind: ServiceKind::SearchIndex,
            product: "Solr".into(),
            open: true,
        }],
        software: full("s"),
        application: full("http/1.1"),
        tls: Some(Box::new(tls())),
        dicom: Some(Box::new(dicom)),
        messages: Some(Box::new(MessageFacts {
            sending_application: full("C"),
            sending_facility: full("D"),
            receiving_application: full("E"),
            receiving_facility: full("F"),
            version: full("2.5"),
            processing_id: full("P"),
            types: vec!["ADT^A01".into()].into(),
            messages: vec![("ADT^A01".into(), 2)],
            acknowledged: Some(false),
            acknowledgments: vec![("AE".into(), 2)],
        })),
        web: Some(Box::new(WebFacts {
            method: full("GET"),
            host: full("h"),
            path: full("/p"),
            status: Some(200),
        })),
        files: Some(Box::new(FileFacts { method: full("GET"), user: full("u"), path: full("/p") })),
    }
}

/// Every field of every kind of event is filled at least once in these.
fn samples() -> Vec<Value> {
    let mut all = lines(&events(), &run());
    all.extend(lines(&[longest()], &run()));
    let marks = vec![
        Mark::Deidentified,
        Mark::Test,
        Mark::Query,
        Mark::PatientContext,
        Mark::Diagnosis,
        Mark::Result,
        Mark::Medication,
        Mark::BurnedIn,
        Mark::Phantom,
    ];
    let kinds = Kind::ALL.iter().map(|k| (*k, "**")).collect();
    let mut event = Sample { facts: all_facts(), marks, kinds, ..Sample::default() }.build();
    event.flow.vlan = 12;
    event.flow.inner_vlan = 7;
    let (mut x, mut out) = (tracker(), Vec::new());
    let mut opened = event.clone();
    let mut accepted = Sample::default().facts;
    accepted.dicom().association().outcome = Some(Outcome::Accepted);
    opened.finding.facts = Arc::new(accepted);
    x.finding(event.clone(), &mut out);
    x.finding(opened, &mut out);
    let mut activity = Activity::default();
    activity.count("C-MOVE", "request");
    activity.losses = FlowLosses { gap_bytes: 9, cut_bytes: 4, directions: 1, shed_packets: 2 };
    for performed in [false, true] {
        activity.moved(performed, "WS1", "VIEWER");
        // The archive is the server of the one and the client of the other.
        let mut flow = event.flow;
        if performed {
            std::mem::swap(&mut flow.client, &mut flow.server);
            let mut stored = event.clone();
            stored.flow = flow;
            x.finding(stored, &mut out);
        }
        let objects = Object::ALL.map(|object| (object, token(object as u64)));
        let (time, activity) = (event.finding.time, &activity);
        let what = FlowActivity {
            time,
            flow: &flow,
            protocol: "dicom",
            activity,
            objects: &objects,
            records: &[],
            repeated: packet(T0),
        };
        x.performed(what, &mut out);
    }
    // A client of many services.
    for port in 1..6 {
        let mut other = event.clone();
        other.flow.server.set_port(port);
        x.finding(other, &mut out);
    }
    x.finish(at(9), &mut out);
    for event in &mut out {
        match event {
            Event::Finding { event, .. } => {
                event.person = Some(event.finding.patient);
                event.clients = 12;
                across_files(&mut event.finding.packets);
            }
            Event::Exposure(exposure) => {
                exposure.patients.estimate = true;
                exposure.uncaptured = 3;
                across_files(&mut exposure.packets);
            }
            Event::Asset(asset) => asset.names = vec!["pacs.example".into()],
            Event::Patients(_) | Event::Service(_) => {}
        }
    }
    let run = full_run();
    all.extend(lines(&out, &run));
    all.push(serde_json::from_str(&status_written(&FORMAT, &out, &run)).expect("one line"));
    // With all that is known, exposures are longer than they are written.
    let context = context();
    let exposures = out.iter().filter(|event| matches!(event, Event::Exposure(_)));
    all.extend(exposures.map(|event| {
        serde_json::to_value(super::build::event(event, super::Cut::NONE, &context)).expect("JSON")
    }));
    all.extend(folded());
    all.extend(summaries());
    all
}

/// A run in which everything happened.
fn full_run() -> RunSummary {
    RunSummary {
        interrupted: Some(Interrupted { at: Some(0.43) }),
        opaque: Reason::ALL.iter().map(|r| (("unknown", *r), 1)).collect(),
        identifiers: Kind::ALL.iter().map(|k| (*k, 1)).collect(),
        patients: Count { estimate: true, ..run().patients },
        ..run()
    }
}

/// Parts of a summary: the patient of a finding, and what the run has read.
fn summaries() -> Vec<Value> {
    let (mut x, mut out) = (tracker_with_sightings(), Vec::new());
    x.finding(Sample::default().build(), &mut out);
    let to = Shared::default();
    let context = Context { summaries: true, ..context() };
    let mut output = (FORMAT.open)(Box::new(to.clone()), context);
    for observation in x.take_observations() {
        output.observation(&observation).expect("memory");
    }
    output.finish(&run()).expect("memory");
    let text = String::from_utf8(to.0.lock().expect("no panic").clone()).expect("UTF-8");
    let lines = text.lines().map(|l| serde_json::from_str(l).expect("JSON"));
    lines.filter(|event: &Value| event["event"]["action"] == "phi-summary").collect()
}

/// Events with `--detail patients`, of a service with one client and of one with several.
fn folded() -> Vec<Value> {
    let context = Context { detail: Detail::Patients, ..context() };
    let text = written(&FORMAT, context, &busy(), &run());
    text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

/// From the first of the sample's files to the second.
fn across_files(packets: &mut PacketSpan) {
    packets.first.time = at(-1);
    packets.last.interface = 1;
}

/// An exposure whose lists and texts are as long as they come.
fn longest() -> Event {
    let mut facts = all_facts();
    let long = |n: usize| format!("{n:02}{}", "x".repeat(ServiceFacts::MAX_TEXT - 2));
    let list = || (0..ServiceFacts::MAX_LIST).map(long).collect::<Vec<_>>();
    facts.for_each_text_mut(&mut |_, text| *text = long(0));
    let dicom = facts.dicom();
    (dicom.sop_classes, dicom.transfer_syntaxes) = (list(), list());
    (dicom.dimse, dicom.modalities) = (list(), list());
    let messages = facts.messages();
    messages.types = list().into();
    messages.messages = list().into_iter().map(|text| (text.into(), u64::MAX)).collect();
    messages.acknowledgments = messages.messages.clone();
    facts.interfaces = (0..ServiceFacts::MAX_LIST)
        .map(|n| Interface { kind: ServiceKind::SearchIndex, product: long(n).into(), open: true })
        .collect();
    let kinds = Kind::ALL.iter().map(|k| (*k, "**")).collect();
    let mut event = Sample { facts, kinds, ..Sample::default() }.build();
    let (mut x, mut out) = (tracker(), Vec::new());
    for n in 0..64 {
        event.finding.operation = long(n).into();
        event.finding.patient = token(1_000 + n as u64);
        x.finding(event.clone(), &mut out);
    }
    x.finish(at(9), &mut out);
    out.into_iter().rfind(|e| matches!(e, Event::Exposure(_))).expect("an exposure")
}

#[test]
fn an_exposure_has_at_most_3_kb_whatever_its_service_shows_and_however_many_patients() {
    let check = |event: Event| {
        let text = written(&FORMAT, context(), &[event], &run());
        let line = text.lines().next().expect("a line").to_owned();
        assert!(line.len() < super::MAX_EXPOSURE, "{} bytes", line.len());
        let value: Value = serde_json::from_str(&line).expect("JSON");
        assert!(validator().is_valid(&value), "{line}");
        value["phi"]["exposure"].clone()
    };
    let cut = check(longest());
    assert_eq!(cut["shortened"], true);
    assert_eq!(cut["records"], 64);
    // Patients are counted, not listed.
    let (mut x, mut out) = (tracker(), Vec::new());
    for n in 0..5_000 {
        x.finding(Sample { patient: n, ..Sample::default() }.build(), &mut out);
    }
    x.finish(at(9), &mut out);
    let last = out.into_iter().rfind(|e| matches!(e, Event::Exposure(_))).expect("an exposure");
    let whole = check(last);
    assert_eq!(whole.get("shortened"), None);
    assert_eq!(whole["patients"], 5_000);
}

#[test]
fn every_event_is_what_the_schema_says() {
    let validator = validator();
    let samples = samples();
    let mut actions = BTreeSet::new();
    for event in samples.iter().chain(&lines(&[], &RunSummary::default())) {
        let faults: Vec<String> = validator.iter_errors(event).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{event:#}\n{faults:#?}");
        actions.insert(event["event"]["action"].as_str().expect("action").to_owned());
    }
    let all = [
        "asset-seen",
        "phi-exposure",
        "phi-finding",
        "phi-summary",
        "run-summary",
        "sensor-status",
        "service-seen",
    ];
    assert_eq!(actions.iter().map(String::as_str).collect::<Vec<_>>(), all);
}

/// Calls `change` on a copy for every object inside `value`, at any depth.
fn in_every_object(
    value: &Value,
    change: &dyn Fn(&mut Map<String, Value>),
    check: &mut dyn FnMut(&str, Value),
) {
    fn paths(value: &Value, at: String, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                out.push(at.clone());
                for (key, inner) in map {
                    paths(
                        inner,
                        format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                        out,
                    );
                }
            }
            Value::Array(list) => {
                for (i, inner) in list.iter().enumerate() {
                    paths(inner, format!("{at}/{i}"), out);
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    paths(value, String::new(), &mut all);
    for path in all {
        let mut copy = value.clone();
        let inner = copy.pointer_mut(&path).and_then(Value::as_object_mut).expect("object");
        change(inner);
        check(&path, copy);
    }
}

#[test]
fn an_unknown_field_is_refused_at_every_depth() {
    let validator = validator();
    let mut objects = 0;
    for event in samples() {
        in_every_object(
            &event,
            &|map| {
                map.insert("Not a field".into(), json!(1));
            },
            &mut |path, changed| {
                objects += 1;
                assert!(!validator.is_valid(&changed), "{path} of {event:#}");
            },
        );
    }
    assert!(objects > 200, "{objects}");
}

#[test]
fn the_schema_describes_no_field_that_is_never_written() {
    fn fields(value: &Value, at: &str, out: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                for (key, inner) in map {
                    let path = format!("{at}.{key}");
                    fields(inner, &path, out);
                    out.insert(path);
                }
            }
            Value::Array(list) => list.iter().for_each(|inner| fields(inner, at, out)),
            _ => {}
        }
    }
    fn described(root: &Value, node: &Value, at: &str, out: &mut BTreeSet<String>) {
        let node = match node["$ref"].as_str() {
            Some(to) => root.pointer(&to[1..]).expect("reference"),
            None => node,
        };
        if !node["items"].is_null() {
            described(root, &node["items"], at, out);
        }
        for (key, inner) in node["properties"].as_object().into_iter().flatten() {
            let path = format!("{at}.{key}");
            described(root, inner, &path, out);
            out.insert(path);
        }
    }
    let schema = schema();
    let mut written = BTreeSet::new();
    for event in samples() {
        let action = event["event"]["action"].as_str().expect("action").to_owned();
        fields(&event, &action, &mut written);
    }
    let mut known = BTreeSet::new();
    for variant in schema["oneOf"].as_array().expect("variants") {
        let action = variant["$ref"].as_str().and_then(|r| r.rsplit('/').next()).expect("name");
        described(&schema, variant, action, &mut known);
    }
    // The capture interface is only known per flow.
    let missing: Vec<_> = known
        .difference(&written)
        .filter(|f| !f.contains(".observer.ingress") || f.starts_with("phi-finding"))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn closed_sets_of_schema_and_code_are_the_same() {
    let schema = schema();
    let listed = |pointer: &str| -> BTreeSet<String> {
        let list = schema.pointer(pointer).and_then(Value::as_array).expect("enum");
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let set = |names: &mut dyn Iterator<Item = &'static str>| -> BTreeSet<String> {
        names.map(str::to_owned).collect()
    };
    assert_eq!(listed("/$defs/kind/enum"), set(&mut Kind::ALL.iter().map(|k| k.as_str())));
    assert_eq!(listed("/$defs/reason/enum"), set(&mut Reason::ALL.iter().map(|r| r.as_str())));
    assert_eq!(
        listed("/$defs/asset-seen/properties/phi/properties/asset/properties/role/enum"),
        set(&mut Role::ALL.iter().map(|r| r.as_str()))
    );
    assert_eq!(
        listed("/$defs/phi-exposure/properties/phi/properties/exposure/properties/severity/enum"),
        set(&mut Severity::ALL.iter().map(|s| s.as_str()))
    );
    assert_eq!(
        listed(
            "/$defs/sensor-status/properties/phi/properties/sensor/properties/problems/items/properties/check/enum"
        ),
        set(&mut Check::ALL.iter().map(|c| c.as_str()))
    );
    let coverage =
        "/$defs/run-summary/properties/phi/properties/run/properties/coverage/properties";
    assert_eq!(
        listed(&format!("{coverage}/verdict/enum")),
        set(&mut Verdict::ALL.iter().map(|v| v.as_str()))
    );
    assert_eq!(
        listed(&format!("{coverage}/unjudged/items/properties/cause/enum")),
        set(&mut Cause::ALL.iter().map(|c| c.as_str()))
    );
}

#[test]
fn a_finding_looks_like_the_contract() {
    let mut d = Sample { records: 3, ..Sample::default() }.build();
    d.flow.client = "203.0.113.9:50112".parse().expect("address");
    Arc::make_mut(&mut d.finding.identifiers).truncate(1);
    Arc::make_mut(&mut d.finding.identifiers)[0].token = token(9);
    Arc::make_mut(&mut d.finding.identifiers)[0].unissued = token(8);
    let (mut x, mut out) = (tracker(), Vec::new());
    x.finding(d.clone(), &mut out);
    d.id = EventId::of_finding(&KEY, &d.flow, &d.finding.patient);
    let all = lines(&out, &RunSummary::default());
    let mut event = all.into_iter().find(|e| e["event"]["action"] == "phi-finding").expect("event");
    let exposure = event["phi"]["exposure"]["id"].take();
    assert_eq!(exposure.as_str().map(str::len), Some(26));
    let expected = json!({
        "@timestamp": "2026-03-01T10:15:02.000000Z",
        "message": "Patient data in cleartext between 203.0.113.9 and 10.1.2.3:11112 over dicom",
        "ecs": {"version": "8.17"},
        "event": {"kind": "event", "category": ["network"], "type": ["info"],
            "action": "phi-finding", "module": "phitap", "dataset": "phitap.finding", "id": d.id.to_string(),
            "severity": 83},
        "observer": {"product": "phitap", "type": "network-monitor",
            "version": env!("CARGO_PKG_VERSION"), "name": "sensor-1",
            "ingress": {"interface": {"name": "eth1"}}},
        "related": {"ip": ["203.0.113.9", "10.1.2.3"]},
        "client": {"ip": "203.0.113.9", "port": 50112},
        "server": {"ip": "10.1.2.3", "port": 11112},
        "network": {"transport": "tcp", "protocol": "dicom", "direction": "inbound",
            "community_id": "1:pTvBCM42OKZQGQiwlxgMILnV3dI="},
        "rule": {"id": "a-sample"},
        "phi": {"operation": "C-FIND", "carrier": ["dicom"], "direction": "server_to_client",
            "records": 3,
            "evidence": {"file": "captures/ward.pcap", "first_packet": 1, "last_packet": 1},
            "patient": {"token": format!("p_{}", token(1)), "identifiers": [
                {"kind": "name", "value": "D**^J***", "masked": true,
                 "token": format!("i_{}", token(9)), "any_issuer": format!("i_{}", token(8)), "field": "(0010,0010)",
                 "confidence": 0.9, "evidence": ["declared-field"]}]},
            "exposure": {"id": null}}
    });
    let community = event["network"]["community_id"].take();
    assert!(community.as_str().is_some_and(|c| c.starts_with("1:")), "{community}");
    let mut expected = expected;
    expected["network"]["community_id"].take();
    // As text, so that 0.9 is 0.9 and not what an f32 makes of it.
    assert_eq!(event.to_string(), expected.to_string());
}

#[test]
fn a_revealed_value_is_unchanged_on_one_line() {
    let mut d = Sample::default().build();
    let mut name = identifier(Kind::Name, "", "PID-5");
    name.shown = DisplayValue::of("M\u{fc}ller^\"J\u{f6}rg\"\r\n\u{2028}\u{1f600}", false);
    d.finding.identifiers = vec![name].into();
    let (mut x, mut out) = (tracker(), Vec::new());
    x.finding(d, &mut out);
    let text = written(&FORMAT, Context::default(), &out, &RunSummary::default());
    assert_eq!(text.lines().count(), out.len() + 1, "one line an event");
    let event: Value = text
        .lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .find(|e: &Value| e["event"]["action"] == "phi-finding")
        .expect("event");
    let shown = &event["phi"]["patient"]["identifiers"][0];
    assert_eq!(shown["value"], "M\u{fc}ller^\"J\u{f6}rg\"\r\n\u{2028}\u{1f600}");
    assert_eq!(shown["masked"], false);
    // Nothing is known of sensor, interface and key: nothing is said.
    assert!(event["observer"].get("name").is_none() && event["observer"].get("ingress").is_none());
    assert!(event["phi"].get("key_id").is_none());
}

#[test]
fn the_status_of_a_sensor_says_what_the_summary_would_and_how_it_is() {
    let status: Value =
        serde_json::from_str(&status_written(&FORMAT, &[], &run())).expect("one line");
    let summary = lines(&[], &run()).pop().expect("summary");
    assert_eq!(status["phi"]["run"], summary["phi"]["run"]);
    let sensor = &status["phi"]["sensor"];
    assert_eq!(sensor["ready"], false);
    assert_eq!(sensor["problems"][0]["check"], "interface");
    assert_eq!(sensor["problems"][0]["subject"], "eth2");
    assert_eq!(sensor["problems"][1]["check"], "output");
    assert_eq!(sensor["interfaces"][0]["last_packet"], "2026-03-01T10:16:40.500000Z");
    assert!(sensor["interfaces"][1].get("last_packet").is_none(), "{sensor}");
    assert_eq!(sensor["backlog_bytes"], json!({"ecs": 700}));
}

#[test]
fn the_run_summary_is_the_last_line_and_repeats() {
    let mut run = run();
    let first = written(&FORMAT, context(), &events(), &run);
    run.wall_seconds = 99.0;
    assert_eq!(first, written(&FORMAT, context(), &events(), &run), "no clock in events");
    let last: Value = serde_json::from_str(first.lines().last().expect("line")).expect("JSON");
    assert_eq!(last["event"]["action"], "run-summary");
    let figures = &last["phi"]["run"];
    assert_eq!(figures["packets"]["skipped"], json!({"arp": 40, "cut_short": 3}));
    assert_eq!(figures["streams"]["opaque"]["dicom"]["malformed"], 1);
    assert_eq!(figures["inputs"]["faulty"][0]["name"], "captures/cut.pcapng");
    assert_eq!((&figures["patients"], &figures["reveal"]), (&json!(14), &json!(false)));
    let _ = T0;
}
