//! `--format zeek`: lines as Zeek writes its logs in JSON, each with its log in `_path`.
//!
//! Exposures are `notice` lines (`PHI::Exposure`); services `known_services`, the run `stats`: logs
//! that Zeek has itself, with its fields. Findings (`phi`) and hosts in a role (`phi_hosts`) are logs of
//! their own.

use super::{Context, Format, RunSummary, community_id, flow_uid, json, remedy, sentence};
use crate::exposure::{Event, EventId, Exposure, FindingEvent, PatientList};
use crate::flow::FlowInfo;
use crate::rules::{Kind, KindSet};
use crate::severity::Severity;
use crate::time::Timestamp;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use std::net::IpAddr;

pub(in crate::output) const FORMAT: Format = Format {
    name: "zeek",
    aliases: &[],
    about: "one JSON event a line, as Zeek's logs in JSON",
    open: |writer, context| Box::new(json::LineOutput::<Zeek>::new(writer, context)),
};

struct Zeek;

/// A value of a field.
enum Value {
    Text(String),
    Word(&'static str),
    Number(u64),
    Flag(bool),
    Address(IpAddr),
    Time(Timestamp),
    Words(Vec<&'static str>),
    Texts(Vec<String>),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::Word(word) => to.serialize_str(word),
            Self::Number(n) => to.serialize_u64(*n),
            Self::Flag(flag) => to.serialize_bool(*flag),
            Self::Address(address) => address.serialize(to),
            // Seconds since 1970 with microseconds, which a double holds until 2262.
            Self::Time(at) => to.serialize_f64((at.0.div_euclid(1_000)) as f64 / 1e6),
            Self::Words(words) => words.serialize(to),
            Self::Texts(texts) => texts.serialize(to),
        }
    }
}

/// A line: fields in order.
struct Line(Vec<(&'static str, Value)>);

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Line {
    fn new(path: &'static str, at: Timestamp, context: &Context) -> Self {
        let mut line = Self(vec![("_path", Value::Word(path))]);
        if let Some(sensor) = &context.sensor {
            line.text("_system_name", &**sensor);
        }
        line.put("ts", Value::Time(at));
        line
    }

    fn put(&mut self, name: &'static str, value: Value) {
        self.0.push((name, value));
    }

    fn text(&mut self, name: &'static str, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.put(name, Value::Text(text));
        }
    }

    fn number(&mut self, name: &'static str, n: impl Into<u64>) {
        self.put(name, Value::Number(n.into()));
    }

    /// Zeek's connection: its UID and its ends.
    fn flow(&mut self, flow: &FlowInfo) {
        self.text("uid", flow_uid::uid(flow));
        self.put("id.orig_h", Value::Address(flow.client.ip()));
        self.number("id.orig_p", flow.client.port());
        self.put("id.resp_h", Value::Address(flow.server.ip()));
        self.number("id.resp_p", flow.server.port());
        self.put("proto", Value::Word(flow.transport.as_str()));
        self.text("community_id", community_id(flow));
        if flow.vlan != 0 {
            self.number("vlan", flow.vlan);
        }
        if flow.inner_vlan != 0 {
            self.number("inner_vlan", flow.inner_vlan);
        }
    }

    fn severity(&mut self, score: u8) {
        self.put("severity", Value::Word(Severity::of(score).as_str()));
        self.number("score", score);
    }

    fn kinds(&mut self, kinds: impl Iterator<Item = Kind>) {
        self.put("kinds", Value::Words(kinds.map(Kind::as_str).collect()));
    }
}

fn exposure(e: &Exposure, message: String, context: &Context) -> Line {
    let mut line = Line::new("notice", e.time, context);
    line.flow(&e.first_flow);
    line.put("note", Value::Word("PHI::Exposure"));
    line.text("msg", message);
    let remedies: Vec<&str> =
        remedy::Remedy::of(e).into_iter().map(remedy::Remedy::as_str).collect();
    line.text("sub", remedies.join("; "));
    line.put("src", Value::Address(e.client));
    line.put("dst", Value::Address(e.server.ip()));
    line.number("p", e.server.port());
    line.number("n", e.patients.value);
    line.put("actions", Value::Words(vec!["Notice::ACTION_LOG"]));
    line.number("suppress_for", 0u64);
    // The following fields are our own.
    line.text("exposure", e.id.to_string());
    line.put("state", Value::Word(e.state.as_str()));
    line.severity(e.severity);
    line.put("service", Value::Word(e.protocol));
    line.put("direction", Value::Word(e.direction.as_str()));
    line.put("patients_estimated", Value::Flag(e.patients.estimate));
    line.number("records", e.records);
    line.number("flows", e.flows);
    line.put("first_seen", Value::Time(e.first));
    line.put("last_seen", Value::Time(e.last));
    line.kinds(e.kinds.iter().map(|(kind, _)| *kind));
    line.put("operations", Value::Texts(e.operations.iter().map(|o| o.to_string()).collect()));
    line.put("authentication", Value::Word(e.facts.authentication.as_str()));
    line.put("credentials_in_clear", Value::Flag(e.facts.credentials_in_clear));
    line
}

fn finding(d: &FindingEvent, score: u8, exposure: EventId, context: &Context) -> Line {
    let f = &d.finding;
    let mut line = Line::new("phi", f.time, context);
    line.flow(&d.flow);
    line.put("service", Value::Word(d.protocol));
    line.text("finding", d.id.to_string());
    line.text("exposure", exposure.to_string());
    line.severity(score);
    line.text("rule", &*f.alert.id);
    line.text("operation", &*f.operation);
    line.put("is_orig", Value::Flag(f.direction == crate::flow::Direction::ClientToServer));
    line.text("patient", format!("p_{}", f.patient));
    line.number("records", d.records);
    line.kinds(f.kinds.iter());
    line
}

fn patients(list: &PatientList, context: &Context) -> Line {
    let mut line = Line::new("phi", list.last, context);
    if let Some(client) = list.client {
        line.put("id.orig_h", Value::Address(client));
    }
    line.put("id.resp_h", Value::Address(list.server.ip()));
    line.number("id.resp_p", list.server.port());
    line.put("proto", Value::Word(list.transport.as_str()));
    line.put("service", Value::Word(list.protocol));
    line.text("finding", list.id.to_string());
    if let Some(exposure) = list.exposure {
        line.text("exposure", exposure.to_string());
    }
    line.severity(list.severity);
    let tokens = list.groups.iter().flat_map(|group| &group.patients);
    line.put("patients", Value::Texts(tokens.map(|token| format!("p_{token}")).collect()));
    line.number("records", list.records);
    let kinds: KindSet = list.groups.iter().flat_map(|group| group.kinds.iter()).collect();
    line.kinds(kinds.iter());
    line
}

impl json::LineFormat for Zeek {
    type Line<'a> = Line;

    fn event<'a>(event: &'a Event, context: &'a Context) -> Line {
        match event {
            Event::Finding { event: d, severity, exposure, .. } => {
                finding(d, *severity, *exposure, context)
            }
            Event::Patients(list) => patients(list, context),
            Event::Exposure(e) => exposure(e, sentence::of_event(event), context),
            Event::Asset(a) => {
                let mut line = Line::new("phi_hosts", a.time, context);
                line.put("host", Value::Address(a.address));
                line.put("role", Value::Word(a.role.as_str()));
                line.put("service", Value::Word(a.protocol));
                line
            }
            Event::Service(s) => {
                let mut line = Line::new("known_services", s.time, context);
                line.put("host", Value::Address(s.server.ip()));
                line.number("port_num", s.server.port());
                line.put("port_proto", Value::Word(s.transport.as_str()));
                line.put("service", Value::Words(vec![s.protocol]));
                if let Some(software) = s.facts.software() {
                    line.text("software", software);
                }
                line
            }
        }
    }

    fn run<'a>(r: &'a RunSummary, context: &'a Context) -> Line {
        let end = r.ended.or(r.started).unwrap_or(Timestamp(0));
        let mut line = Line::new("stats", end, context);
        line.text("peer", context.sensor.as_deref().unwrap_or("phitap"));
        line.number("pkts_proc", r.packets_decoded);
        line.number("bytes_recv", r.bytes_read);
        line.number("pkts_dropped", r.packets_lost().saturating_add(r.packets_dropped()));
        line.number("pkts_link", r.packets_read);
        line.text("msg", sentence::of_run(r));
        line.number("exposures", r.exposures);
        line.number("patients", r.patients.value);
        line.put("patients_estimated", Value::Flag(r.patients.estimate));
        line.put("coverage", Value::Word(r.verdict().as_str()));
        line.text("key_id", &*r.key_id);
        line
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{busy, context, events, run, written};
    use super::*;
    use serde_json::Value as Json;

    fn lines(events: &[Event]) -> Vec<Json> {
        let text = written(&FORMAT, context(), events, &run());
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn of<'a>(lines: &'a [Json], path: &str) -> Vec<&'a Json> {
        lines.iter().filter(|line| line["_path"] == path).collect()
    }

    /// Names and types of Zeek's `Notice::Info`.
    #[test]
    fn exposures_are_notices() {
        let lines = lines(&events());
        let notices = of(&lines, "notice");
        assert!(!notices.is_empty());
        for notice in notices {
            assert!(notice["ts"].as_f64().is_some_and(|ts| ts > 1_772_360_000.0), "{notice:#}");
            assert!(notice["uid"].as_str().is_some_and(|uid| uid.starts_with('C')));
            for key in ["id.orig_p", "id.resp_p", "p", "n"] {
                assert!(notice[key].is_u64(), "{key} of {notice:#}");
            }
            for key in ["id.orig_h", "id.resp_h", "src", "dst", "msg", "sub", "proto"] {
                assert!(notice[key].is_string(), "{key} of {notice:#}");
            }
            assert_eq!(notice["note"], "PHI::Exposure");
            assert_eq!(notice["actions"], serde_json::json!(["Notice::ACTION_LOG"]));
        }
    }

    #[test]
    fn times_have_microseconds() {
        let text = written(&FORMAT, context(), &events(), &run());
        let at = Timestamp::new(1_772_360_102, 123_456_789);
        let mut line = Vec::new();
        json::append(&mut line, &Line(vec![("ts", Value::Time(at))])).expect("a line");
        assert_eq!(line, br#"{"ts":1772360102.123456}"#);
        assert!(text.contains(r#""ts":1772360102.0"#), "{text}");
    }

    #[test]
    fn findings_services_and_the_run_have_their_logs() {
        let (lines, busy) = (lines(&events()), lines(&busy()));
        assert_eq!(of(&lines, "phi").len(), 14);
        assert!(of(&busy, "phi").iter().any(|l| l["patients"].as_array().is_some()));
        let stats = of(&lines, "stats");
        assert_eq!((stats.len(), stats[0]["pkts_dropped"].as_u64()), (1, Some(6)));
        assert!(!lines.iter().any(|l| l.to_string().contains("M*****")), "no value");
    }
}
