//! A run for the tests of outputs.

use super::clock::stopwatch;
use super::{Context, Format, InputReport, RunSummary, SensorHealth, SensorStatus};
use crate::capture::Input;
use crate::config::Detail;
use crate::exposure::samples::{KEY, Sample, T0, at, hl7, http, identifier};
use crate::exposure::{Event, Exposures, Settings, Suppressed};
use crate::protocol::Reason;
use crate::rules::Kind;
use crate::time::Span;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// Events of every kind.
pub(in crate::output) fn events() -> Vec<Event> {
    let (mut exposures, mut out) = (tracker(), Vec::new());
    exposures.finding(hl7(1).build(), &mut out);
    for patient in 2..14 {
        let time = at(patient as i64);
        exposures.finding(Sample { patient, time, ..Sample::default() }.build(), &mut out);
    }
    exposures.finding(Sample { time: at(70), ..http(14) }.build(), &mut out);
    exposures.finish(at(80), &mut out);
    out
}

/// Events of a service with one client and of one with eight, with `--detail patients`.
pub(in crate::output) fn busy() -> Vec<Event> {
    let (mut exposures, mut out) = (tracker_at(Detail::Patients), Vec::new());
    for patient in 0..400 {
        let time = at(patient as i64 / 10);
        exposures.finding(Sample { time, ..hl7(patient) }.build(), &mut out);
        let mut event = Sample { patient, time, ..Sample::default() }.build();
        event.flow.client.set_ip([10, 1, 7, 20 + (patient % 8) as u8].into());
        Arc::make_mut(&mut event.finding.identifiers).push(identifier(
            Kind::Sex,
            "*",
            "(0010,0040)",
        ));
        event.finding.kinds.insert(Kind::Sex);
        exposures.finding(event, &mut out);
    }
    exposures.finish(at(80), &mut out);
    out
}

pub(in crate::output) fn tracker() -> Exposures {
    tracker_at(Detail::Flows)
}

/// A tracker that passes on every patient of every exposure.
pub(in crate::output) fn tracker_with_sightings() -> Exposures {
    Exposures::new(Settings { observe_patients: true, ..settings(Detail::Exposures) })
}

fn tracker_at(detail: Detail) -> Exposures {
    Exposures::new(settings(detail))
}

fn settings(detail: Detail) -> Settings {
    Settings {
        home: Default::default(),
        idle: Span::seconds(600),
        update: Span::seconds(60),
        forget: Span::seconds(30 * 86_400),
        key: KEY,
        severity: Default::default(),
        suppressions: Default::default(),
        access: Default::default(),
        detail,
        memory: 1 << 24,
        observe_patients: false,
    }
}

/// Summary of the run.
pub(in crate::output) fn run() -> RunSummary {
    let input = |name: &str, fault: Option<&str>| InputReport {
        name: name.into(),
        packets: 600,
        bytes: 400_000,
        fault: fault.map(str::to_owned),
        sha256: Some("ab".repeat(32)),
    };
    RunSummary {
        started: Some(T0),
        ended: Some(at(600)),
        wall_seconds: 0.5,
        inputs: vec![
            input("captures/ward.pcap", None),
            input("captures/cut.pcapng", Some("cut short in the middle of a block at byte 123456")),
        ],
        packets_read: 12_345,
        bytes_read: 4_500_000,
        packets_decoded: 12_300,
        skipped: [("arp", 40), ("cut_short", 3)].into(),
        dropped: [("ring", 2)].into(),
        lost: [("kernel", 4)].into(),
        ring_freezes: 1,
        flows: 31,
        streams: [("dicom", 4), ("hl7", 2), ("http", 20)].into(),
        opaque: [(("dicom", Reason::Malformed), 1), (("unknown", Reason::Encrypted), 12)].into(),
        gap_bytes: 2_900,
        cut_bytes: 900,
        packets_cut: 6,
        cut_at: 96,
        cut_payload_bytes: 1_200,
        payload_bytes: 3_900_000,
        overlap_conflicts: 1,
        records: [(("dicom", "dicom"), 12), (("hl7", "hl7v2"), 1), (("http", "json"), 1)].into(),
        messages: [(("hl7", "ADT^A01"), 1)].into(),
        identifiers: [(Kind::Name, 14), (Kind::PatientId, 12), (Kind::Ssn, 1)].into(),
        unrecognised_flows: 3,
        unrecognised_bytes: 60_000,
        half_recognised_flows: 1,
        begun_before: 2,
        unended: 3,
        encrypted_flows: 6,
        encrypted_bytes: 1_200_000,
        patients: crate::exposure::Count { value: 14, estimate: false },
        findings: 14,
        exposures: 3,
        graded: [0, 1, 1, 1],
        points: crate::exposure::ExposurePoints {
            patients_10: 5,
            patients_500: 15,
            answers_anyone: 15,
        },
        suppressed: vec![Suppressed {
            id: "known-feed".into(),
            owner: "interfaces@hospital.example".into(),
            reason: "TLS comes with the engine's upgrade, CR-1042".into(),
            expires: "2026-03-31".parse().expect("a day"),
            events: 9,
            findings: 7,
            findings_since: 0,
        }],
        key_id: "k_ab12".into(),
        ..RunSummary::default()
    }
}

pub(in crate::output) fn context() -> Context {
    Context {
        sensor: Some("sensor-1".into()),
        interfaces: vec!["eth1".into()],
        files: vec!["captures/ward.pcap".into(), "captures/cut.pcapng".into()],
        key_id: "k_ab12".into(),
        ..Context::default()
    }
}

/// Collects the output of a format for a test.
#[derive(Clone, Default)]
pub(in crate::output) struct Shared(pub(in crate::output) Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Status of a sensor with problems.
pub(in crate::output) fn sensor() -> SensorStatus {
    let health = SensorHealth::new(None);
    let input =
        |name: &str, down, packets| Input { name: name.into(), packets, down, ..Input::default() };
    let now = stopwatch();
    health.interfaces(&[input("eth1", false, 9), input("eth2", true, 0)], now, 1_772_360_200.5);
    health.output("ecs").held(700, true);
    health.capturing();
    SensorStatus {
        time: at(600),
        resident_bytes: 1 << 20,
        rules: "0123456789ab".to_owned(),
        instance: "0123456789abcdef".to_owned(),
        ..health.status(now)
    }
}

/// What `format` writes of that, once `events` are written.
pub(in crate::output) fn status_written(
    format: &Format,
    events: &[Event],
    run: &RunSummary,
) -> String {
    let to = Shared::default();
    let mut output = (format.open)(Box::new(to.clone()), context());
    for event in events {
        output.event(event).expect("memory");
    }
    output.flush().expect("memory");
    let before = to.0.lock().expect("no panic").len();
    assert!(output.status(run, &sensor()).expect("memory"));
    output.flush().expect("memory");
    let bytes = to.0.lock().expect("no panic").split_off(before);
    String::from_utf8(bytes).expect("UTF-8")
}

/// What `format` writes of these events and the run.
pub(in crate::output) fn written(
    format: &Format,
    context: Context,
    events: &[Event],
    run: &RunSummary,
) -> String {
    let to = Shared::default();
    let mut output = (format.open)(Box::new(to.clone()), context);
    for event in events {
        output.event(event).expect("memory");
    }
    output.flush().expect("memory");
    output.finish(run).expect("memory");
    let bytes = to.0.lock().expect("no panic").clone();
    String::from_utf8(bytes).expect("UTF-8")
}
